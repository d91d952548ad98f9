//! Secrets kept out of a text that is otherwise shown as it came.
#![forbid(unsafe_code)]

use std::borrow::Cow;

use crate::address::encode_into;
use crate::json::LossyText;
use crate::secret::Secret;

/// What stands in place of a secret.
const MASK: &str = "…";

/// A JSON text in which none of the secrets stands, however its strings spell them; all else is
/// left byte for byte.
pub fn masked<'a>(json: &str, secrets: impl Iterator<Item = &'a Secret>) -> String {
    // A text of a few characters is found everywhere, and its removal would show it.
    let telling: Vec<_> = secrets.map(Secret::expose).filter(|secret| secret.len() > 3).flat_map(spellings).collect();
    let mut shown = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(token) = next_token(rest) {
        rest = &rest[token.len()..];
        let text = match token.as_bytes()[0] {
            b'"' => serde_json::from_str(token).map_or(Cow::Borrowed(token), |LossyText(text)| text),
            _ => Cow::Borrowed(token),
        };
        if !telling.iter().any(|secret| text.contains(secret.as_str())) {
            shown.push_str(token);
            continue;
        }
        let text = telling.iter().fold(text.into_owned(), |text, secret| text.replace(secret.as_str(), MASK));
        shown.push_str(&serde_json::Value::from(text).to_string());
    }
    shown
}

/// The secret as it is, and as it stands in a form.
fn spellings(secret: &str) -> Vec<String> {
    let mut encoded = String::new();
    encode_into(&mut encoded, [("", secret)].into_iter());
    let encoded = encoded.trim_start_matches('=').to_owned();
    let with_plus = encoded.replace("%20", "+");
    let mut all = vec![secret.to_owned(), encoded, with_plus];
    // The longest first: a shorter one may be a part of it.
    all.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
    all.dedup();
    all
}

/// The string, the number or word, or the other character that the text begins with.
fn next_token(json: &str) -> Option<&str> {
    let bytes = json.as_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
    let length = match bytes.first()? {
        b'"' => {
            let mut end = 1;
            while end < bytes.len() && bytes[end] != b'"' {
                end += if bytes[end] == b'\\' { 2 } else { 1 };
            }
            (end + 1).min(bytes.len())
        }
        first if plain(first) => bytes.iter().take_while(|byte| plain(byte)).count(),
        _ => json.chars().next()?.len_utf8(),
    };
    json.get(..length).or(Some(json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_however_they_are_spelled() {
        let secrets = [Secret::new("пар&ль \"1\""), Secret::new("12345678"), Secret::new("abc")];
        let shown = |json: &str| masked(json, secrets.iter());
        for (json, expected) in [
            (r#"{ "a" : "пар&ль \"1\"" , "b":1.10}"#, r#"{ "a" : "…" , "b":1.10}"#),
            (r#"{"a":"x \u043f\u0430\u0440\u0026\u043b\u044c \u00221\u0022 y"}"#, r#"{"a":"x … y"}"#),
            (r#"["p=%D0%BF%D0%B0%D1%80%26%D0%BB%D1%8C%20%221%22&"]"#, r#"["p=…&"]"#),
            (r#"["p=%D0%BF%D0%B0%D1%80%26%D0%BB%D1%8C+%221%22"]"#, r#"["p=…"]"#),
            (r#"{"code":12345678,"more":912345678.50,"12345678":true}"#, r#"{"code":"…","more":"9….50","…":true}"#),
            (
                r#"{"abc":"abc","z":[18446744073709551616, -1e-5,null ]}"#,
                r#"{"abc":"abc","z":[18446744073709551616, -1e-5,null ]}"#,
            ),
            (r#"{"a":"\ud800 1234\u00358"}"#, r#"{"a":"\ud800 1234\u00358"}"#),
            (r#"{"a":"\ud800 1234\u0035678"}"#, r#"{"a":"��� …"}"#),
            (r#"{"a":"\\","b":"\\\"12345678"}"#, r#"{"a":"\\","b":"\\\"…"}"#),
        ] {
            assert_eq!(shown(json), expected);
            assert!(serde_json::from_str::<&serde_json::value::RawValue>(&shown(json)).is_ok());
        }
        // What is no JSON is not shown, but must not be stumbled over either.
        for text in ["\"", "\"\\", "{\"12345678", "я\"\\я", ""] {
            let _ = shown(text);
        }
    }
}
