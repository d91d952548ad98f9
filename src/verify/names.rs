//! The names that are signed with `secret_key`, and other spellings that a server may read as one of them.
#![forbid(unsafe_code)]

use std::iter;

/// The parameters of a payment callback.
pub const PAYMENT: [&str; 9] =
    ["app_id", "debug", "mailiki_price", "other_price", "profit", "service_id", "sms_price", "transaction_id", "uid"];

/// The launch parameters that the platform signs; other parameters of the address are the application's own.
pub const LAUNCH: [&str; 13] = [
    "app_id",
    "authentication_key",
    "ext_perm",
    "is_app_user",
    "oid",
    "ref_notify",
    "referer_id",
    "referer_type",
    "session_expire",
    "session_key",
    "vid",
    "view",
    "window_id",
];

/// The fields of the cookie `mrc`.
pub const COOKIE: [&str; 11] = [
    "app_id",
    "connectPartner",
    "exp",
    "ext_perm",
    "is_app_user",
    "oid",
    "session_key",
    "ss",
    "state",
    "vid",
    "window_id",
];

/// Further parameters of calls, and unsigned ones of launches.
const ELSEWHERE: [&str; 6] = ["cb", "format", "method", "mobile_spec", "secure", "sig"];

fn known() -> impl Iterator<Item = &'static str> {
    PAYMENT.into_iter().chain(LAUNCH).chain(COOKIE).chain(ELSEWHERE)
}

/// Whether a name occurs in any request that is signed with the key.
pub fn is_known(name: &str) -> bool {
    known().any(|known| known == name)
}

/// The known name with which a text ends. There is at most one, because no known name ends with another.
pub fn known_at_end(text: &str) -> Option<&'static str> {
    known().find(|known| text.ends_with(known))
}

/// The name of the list that some servers would read for this name: they trim it, cut it at NUL or `[`, replace a
/// space, `.` or `[` by `_` (PHP does all of these), or ignore case.
pub fn meant(name: &str, mut list: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let trimmed = trim(name);
    let whole = trim(trimmed.split('\0').next().unwrap_or_default());
    let cut = trim(whole.split('[').next().unwrap_or_default());
    let readings = [cut, whole].map(|reading| without_case(&reading.replace([' ', '.', '['], "_")));
    list.find(|listed| *listed != name && readings.iter().any(|reading| reading.eq_ignore_ascii_case(listed)))
}

/// [`meant`], for every known name.
pub fn meant_of_all(name: &str) -> Option<&'static str> {
    meant(name, known())
}

/// Removes white space, control characters and invisible characters at both ends.
fn trim(name: &str) -> &str {
    name.trim_matches(|character: char| {
        character.is_whitespace()
            || character.is_control()
            || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    })
}

/// Converts in both directions, because a few characters become an ASCII letter in one direction only.
fn without_case(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

/// The text before each `=` that could end a name.
pub fn signs_after_names(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    iter::from_fn(move || {
        loop {
            let at = from + text[from..].find('=')?;
            from = at + 1;
            if text[..at].ends_with(is_of_a_name) {
                return Some(&text[..at]);
            }
        }
    })
}

/// Whether names may contain this character.
pub fn is_of_a_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_known_name_ends_with_another() {
        for name in known() {
            assert!(name.chars().all(is_of_a_name));
            assert_eq!(known().find(|other| *other != name && name.ends_with(other)), None, "{name}");
        }
    }

    #[test]
    fn other_spellings() {
        for name in [
            " vid",
            "vid ",
            "+vid\0",
            "\u{a0}vid",
            "\u{feff}vid",
            "vid\0x",
            "\0vid",
            "vid[]",
            "vid[x]",
            "vid [",
            "VID",
            "Vid",
            "vİd",
            "v\u{131}d",
            "\tvid\0[]",
        ] {
            let expected = (!name.starts_with('+') && name != "vİd").then_some("vid");
            assert_eq!(meant(name, LAUNCH.into_iter()), expected, "{name:?}");
        }
        for name in ["session.key", "session key", "session[key", "SESSION.KEY[]", "\u{17f}ession_\u{212a}ey"] {
            assert_eq!(meant(name, LAUNCH.into_iter()), Some("session_key"), "{name:?}");
        }
        for name in ["vid", "page", "video", "avid", "vid2", "v_id", "utm-source", "зима", "", "[", "a[vid]"] {
            assert_eq!(meant(name, LAUNCH.into_iter()), None, "{name:?}");
        }
    }

    #[test]
    fn signs_and_names() {
        let found = |text| signs_after_names(text).collect::<Vec<_>>();
        assert_eq!(found("a=b=c&=d==e_=я="), ["a", "a=b", "a=b=c&=d", "a=b=c&=d==e_"]);
        assert_eq!(found("=x"), Vec::<&str>::new());
    }
}
