//! The users of the demo: the session user, friends, and a user who is not a friend.

use serde_json::{Value, json};

pub const DEMO_UID: &str = "1324730981306483817";

#[derive(Clone)]
pub struct User {
    pub uid: String,
    first_name: &'static str,
    last_name: &'static str,
    nick: &'static str,
    /// 0 male, 1 female.
    sex: u8,
    birthday: &'static str,
    age: u8,
    domain: &'static str,
    name: String,
    pub online: bool,
    pub app_installed: bool,
}

type Row = (&'static str, [&'static str; 3], u8, (&'static str, u8), [&'static str; 2], bool, bool);

const ROWS: [Row; 6] = [
    (DEMO_UID, ["Мария", "Соколова", "Маша"], 1, ("12.04.1990", 36), ["mail", "demo"], true, true),
    ("15410773191172635989", ["Евгений", "Маслов", "Женя"], 0, ("15.02.1980", 46), ["mail", "maslov"], true, true),
    ("11425330190814458227", ["Ольга", "Ёлкина", "Оля \"Ёлка\""], 1, ("01.01.1985", 41), ["bk", "elkina"], false, true),
    ("9223372036854775808", ["Пётр", "Щукин", "Петя & Ко"], 0, ("29.02.1992", 34), ["list", "shchukin"], true, false),
    ("18446744073709551615", ["Анна", "Юрьева", "Аня 🎈"], 1, ("31.12.1999", 26), ["inbox", "yurieva"], false, false),
    ("493045203934", ["Сергей", "Чужой", "Сергей"], 0, ("07.07.1977", 49), ["mail", "stranger"], false, false),
];

/// How many of the rows after the first are the demo user's friends.
const FRIENDS: usize = 4;

fn user(row: &Row) -> User {
    let (uid, [first_name, last_name, nick], sex, (birthday, age), [domain, name], online, app_installed) = *row;
    let (uid, name) = (uid.to_owned(), name.to_owned());
    User { uid, first_name, last_name, nick, sex, birthday, age, domain, name, online, app_installed }
}

pub fn known() -> Vec<User> {
    ROWS.iter().map(user).collect()
}

/// Any other user, such as one made by the control API.
pub fn newcomer(uid: &str, email: &str) -> User {
    User { uid: uid.to_owned(), name: email.split('@').next().unwrap_or("user").to_owned(), ..user(&ROWS[5]) }
}

/// The friends of a demo user: each is a friend of the demo user only.
pub fn friends(uid: &str) -> Vec<User> {
    match ROWS.iter().position(|row| row.0 == uid) {
        Some(0) => ROWS[1..=FRIENDS].iter().map(user).collect(),
        Some(at) if at <= FRIENDS => vec![user(&ROWS[0])],
        _ => Vec::new(),
    }
}

/// The public page at `<domain>/<name>`.
pub fn public_page(domain: &str, name: &str) -> Option<Value> {
    let row = ROWS.iter().find(|row| row.4 == [domain, name])?;
    let user = user(row);
    Some(json!({ "uid": user.uid, "nick": user.nick, "link": user.link() }))
}

impl User {
    fn link(&self) -> String {
        format!("http://my.mail.ru/{}/{}/", self.domain, self.name)
    }

    /// The user object; `seen_by` is the session user.
    pub fn to_json(&self, seen_by: &str) -> Value {
        let picture = |size: &str| format!("http://avt.appsmail.ru/{}/{}/_avatar{size}", self.domain, self.name);
        let (name, domain) = (&self.name, self.domain);
        let is_friend = friends(seen_by).iter().any(|friend| friend.uid == self.uid);
        let mut user = json!({
            "uid": self.uid,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "nick": self.nick,
            "sex": self.sex,
            "birthday": self.birthday,
            "age": self.age.to_string(),
            "show_age": "1",
            "has_pic": 1,
            "pic": picture(""),
            "pic_small": picture("small"),
            "pic_big": picture("big"),
            "pic_22": picture("22"),
            "pic_32": picture("32"),
            "pic_40": picture("40"),
            "pic_50": picture("50"),
            "pic_128": picture("128"),
            "pic_180": picture("180"),
            "pic_190": picture("190"),
            "link": self.link(),
            "location": {
                "country": { "id": "24", "name": "Россия" },
                "region": { "id": "234", "name": "Москва" },
                "city": { "id": "25", "name": "Москва" },
            },
            "is_online": i32::from(self.online),
            "is_friend": i32::from(is_friend),
            "is_verified": 0,
            "vip": 0,
            "app_installed": i32::from(self.app_installed),
            "friends_count": friends(&self.uid).len(),
            "last_visit": "1448281935",
            "status_text": "",
            "has_my": 1,
            "referer_type": "",
            "referer_id": "",
        });
        // The platform tells an application the address of its own user, and of nobody else.
        if self.uid == seen_by {
            user["email"] = json!(format!("{name}@{domain}.ru"));
        }
        user
    }
}
