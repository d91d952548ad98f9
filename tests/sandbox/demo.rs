//! The answers of the methods: the demo users' data, in the platform's shapes. If the real shape is unknown, the
//! smallest plausible one.

use serde_json::{Map, Value, json};

use crate::demo_users::{self, User};
use crate::params::Params;
use crate::platform::Call;
use crate::state::SharedState;

/// A time in November 2015, used for all events of the demo.
const THEN: u64 = 1_448_281_935;

/// The answer to a call; `write` is the number of writes so far, with this one, and makes the ids of new objects.
pub fn answer(sandbox: &SharedState, call: &Call, write: u64) -> Value {
    let params = call.params;
    let me = call.uid.as_deref().unwrap_or_default();
    let whose = |name: &str| params.get(name).unwrap_or(me);
    match call.method {
        "sandbox.empty" => json!({}),
        method if method.starts_with("sandbox.echo") => echo(params),
        "users.getInfo" => {
            let uids = params.get("uids").unwrap_or(me).split(',');
            uids.filter_map(|uid| sandbox.user(uid)).map(|user| user.to_json(me)).collect()
        }
        "users.isAppUser" => {
            let installed = sandbox.user(me).is_some_and(|user| user.app_installed);
            json!({ "isAppUser": i32::from(installed) })
        }
        "users.hasAppPermission" => permissions(call),
        "users.getBalance" => json!({ "balance": "120" }),
        "friends.get" => ids_or_users(demo_users::friends(whose("uid2")), params, me),
        "friends.getAppUsers" => ids_or_users(
            demo_users::friends(me).into_iter().filter(|friend| friend.app_installed).collect(),
            params,
            me,
        ),
        "friends.getOnline" => {
            ids_or_users(demo_users::friends(me).into_iter().filter(|friend| friend.online).collect(), params, me)
        }
        "friends.getInvitationsCount" => json!({ "count": 2 }),
        "messages.getUnreadCount" => json!({ "count": 3 }),
        "mail.getUnreadCount" => json!({ "count": 17 }),
        "events.getNewCount" => json!({ "count": 5 }),
        "messages.getThreadsList" => page(threads(me), params),
        "messages.getThread" => page(thread(), params),
        "messages.post" => json!({ "success": 1, "id": id(write) }),
        "photos.getAlbums" => chosen(albums(whose("uid")), "aid", params.get("aids")),
        "photos.get" => page_of(chosen(photos(whose("uid")), "pid", params.get("pids")), params),
        "photos.upload" => photo(me, 700 + write, params.get("name").unwrap_or_default()),
        "photos.createAlbum" => {
            json!({ "aid": params.get("aid").map_or_else(|| id(write), str::to_owned) })
        }
        "stream.get" => page(stream(&demo_users::friends(me), me), params),
        "stream.getByAuthor" => {
            let author: Vec<_> = sandbox.user(whose("uid")).into_iter().collect();
            page(stream(&author, me), params)
        }
        "stream.post" | "stream.share" => json!({ "id": format!("{:016X}", 0x5A0_0000 + write) }),
        "stream.comment" => {
            json!({ "thread_id": params.get("thread_id"), "comment_id": id(write) })
        }
        "stream.like" => json!({ "thread_id": params.get("thread_id"), "likes": 8 }),
        "stream.unlike" => json!({ "thread_id": params.get("thread_id"), "likes": 7 }),
        "guestbook.get" => page(guestbook(&demo_users::friends(whose("uid")), me), params),
        "guestbook.post" => json!({ "id": id(write) }),
        "multipost.send" => json!({ "sent": 1, "id": id(write) }),
        "multipost.delete" => json!({ "deleted": 1 }),
        "notifications.send" => {
            let uids: Vec<_> = params.get("uids").unwrap_or_default().split(',').collect();
            json!(uids)
        }
        "groups.show" => json!({ "groups": [
            { "uid": "14270680345238987463", "nick": "Котики и ёжики", "link": "http://my.mail.ru/community/kotiki/" },
        ] }),
        "mobile.getCanvas" => json!({
            "header": "<div class=\"header\">Мой Мир</div>",
            "footer": "<div class=\"footer\">© Mail.Ru</div>",
        }),
        "widget.set" => json!({ "set": 1 }),
        "score.total" => json!({ "total": 4200 }),
        "score.add" => json!({ "score": params.get("score"), "total": 4200 }),
        "audio.get" | "audio.search" | "audios.top" => page(tracks(me), params),
        "audio.link" => json!({ "mid": params.get("mid") }),
        "titles.list" => page(titles(), params),
        "achievements.list" | "achievements.user_awards" => page(achievements(), params),
        "achievements.groups" => {
            json!([{ "group_id": "1", "description": "Первые шаги", "achievements": achievements() }])
        }
        // Writes that create an object, and writes that change one.
        "achievements.add" | "achievements.group_add" | "titles.add" => json!({ "id": id(write) }),
        _ => json!({ "status": 1 }),
    }
}

fn id(write: u64) -> String {
    (9_000_000_000_000_000_000 + write).to_string()
}

fn echo(params: &Params) -> Value {
    let mut echo = params.unsigned();
    if !params.files.is_empty() {
        echo["files"] = params.files.iter().map(|file| file.to_json()).collect();
    }
    echo
}

fn number(params: &Params, name: &str) -> Option<usize> {
    params.get(name)?.parse().ok()
}

/// The part of a list that offset and limit ask for.
fn page(items: Vec<Value>, params: &Params) -> Value {
    let offset = number(params, "offset").unwrap_or(0);
    let limit = number(params, "limit").unwrap_or(usize::MAX);
    items.into_iter().skip(offset).take(limit).collect()
}

fn page_of(items: Value, params: &Params) -> Value {
    match items {
        Value::Array(items) => page(items, params),
        other => other,
    }
}

/// The items whose `key` is in the comma-separated list, if one is given.
fn chosen(items: Vec<Value>, key: &str, wanted: Option<&str>) -> Value {
    let wanted: Option<Vec<_>> = wanted.filter(|list| !list.is_empty()).map(|list| list.split(',').collect());
    let is_wanted = |item: &Value| {
        let id = item[key].as_str().unwrap_or_default();
        wanted.as_ref().is_none_or(|wanted| wanted.contains(&id))
    };
    items.into_iter().filter(is_wanted).collect()
}

/// Ids, or user objects with ext=1.
fn ids_or_users(users: Vec<User>, params: &Params, me: &str) -> Value {
    let extended = params.get("ext") == Some("1");
    let one = |user: User| {
        if extended { user.to_json(me) } else { json!(user.uid) }
    };
    page(users.into_iter().map(one).collect(), params)
}

fn permissions(call: &Call) -> Value {
    let asked = call.params.get("ext_perm").unwrap_or_default().split(',');
    let has = |name: &str| i32::from(call.consent.as_ref().is_none_or(|consent| consent.covers(name)));
    Value::Object(asked.map(|name| (name.to_owned(), json!(has(name)))).collect::<Map<_, _>>())
}

fn threads(me: &str) -> Vec<Value> {
    let friends = demo_users::friends(me).into_iter().zip(0u64..);
    friends.map(|(friend, n)| json!({ "user": friend.to_json(me), "unread": n, "time": THEN - n * 3600 })).collect()
}

fn thread() -> Vec<Value> {
    let lines = [(1, "Привет! Как дела?"), (0, "Хорошо, играю в \"Ёжиков\" :)"), (1, "Во что?\nПокажи 🎮")];
    let lines = lines.into_iter().zip(0u64..);
    lines
        .map(|((kind, text), n)| {
            json!({ "type": kind, "time": THEN - n * 60, "message": [{ "type": "text", "content": text }] })
        })
        .collect()
}

fn album(owner: &str, aid: &str, title: &str) -> Value {
    json!({
        "aid": aid,
        "cover_pid": "688",
        "cover_url": "http://foto.mail.ru/mail/demo/_myphoto/p-688.jpg",
        "owner": owner,
        "title": title,
        "description": "",
        "created": (THEN - 86_400).to_string(),
        "updated": THEN.to_string(),
        "size": "3",
        "privacy": "2",
        "link": format!("http://foto.mail.ru/mail/demo/{aid}"),
    })
}

fn albums(owner: &str) -> Vec<Value> {
    vec![album(owner, "_myphoto", "Мои фото"), album(owner, "5", "Карелия, лето")]
}

fn photo(owner: &str, pid: u64, title: &str) -> Value {
    let address = |size: &str| format!("http://content.foto.mail.ru/mail/demo/_myphoto/{size}-{pid}.jpg");
    json!({
        "pid": pid.to_string(),
        "aid": "_myphoto",
        "owner": owner,
        "src": address("i"),
        "src_small": address("p"),
        "src_big": address("s"),
        "created": THEN.to_string(),
        "width": 1024,
        "height": 768,
        "size": "154320",
        "title": title,
        "thread_id": format!("4D2B{pid:08X}"),
    })
}

fn photos(owner: &str) -> Vec<Value> {
    let titles = [(688, "Ладога"), (687, "Костёр & чай"), (686, "")];
    titles.into_iter().map(|(pid, title)| photo(owner, pid, title)).collect()
}

fn stream(authors: &[User], me: &str) -> Vec<Value> {
    let authors = authors.iter().zip(0u64..);
    authors
        .map(|(author, n)| {
            json!({
                "id": format!("{:016X}", 0x4D2_0000 - n),
                "thread_id": format!("{:016X}", 0x7C1_0000 - n),
                "time": THEN - n * 900,
                "type_name": "micropost",
                "subtype": "event",
                "click_url": "http://my.mail.ru/mail/demo/",
                "authors": [author.to_json(me)],
                "user_text": "Всем привет!",
                "is_liked_by_me": 0,
                "is_commentable": 1,
                "is_likeable": 1,
                "likes": [],
                "likes_count": 7,
                "comments": [],
                "comments_count": 0,
                "attachments": [],
                "generator": { "type": "application", "app_id": "423004" },
            })
        })
        .collect()
}

fn guestbook(friends: &[User], me: &str) -> Vec<Value> {
    let friends = friends.iter().zip(0u64..);
    friends
        .map(|(friend, n)| {
            json!({ "id": (500 - n).to_string(), "time": THEN - n * 7200, "user": friend.to_json(me),
                    "title": "С праздником!", "description": "Счастья и <тепла>" })
        })
        .collect()
}

fn tracks(owner: &str) -> Vec<Value> {
    let tracks = [("Кино", "Группа крови", 285), ("Аквариум", "Город золотой", 204), ("ДДТ", "Что такое осень", 291)];
    let tracks = tracks.into_iter().zip(1u64..);
    tracks
        .map(|((artist, title, duration), n)| {
            json!({ "mid": format!("2D1F0A{n:02X}"), "owner": owner, "artist": artist, "title": title,
                    "duration": duration, "link": format!("http://my.mail.ru/music/track-{n}") })
        })
        .collect()
}

fn titles() -> Vec<Value> {
    vec![
        json!({ "id": "1", "name": "Новичок", "img_url": "http://example.com/1.png" }),
        json!({ "id": "2", "name": "Знаток", "img_url": "http://example.com/2.png" }),
    ]
}

fn achievements() -> Vec<Value> {
    vec![
        json!({ "id": "11", "group_id": "1", "weight": "20", "description": "Сто ходов",
                "img_url": "http://example.com/11.png" }),
        json!({ "id": "10", "group_id": "1", "weight": "10", "description": "Первый ход",
                "img_url": "http://example.com/10.png" }),
    ]
}
