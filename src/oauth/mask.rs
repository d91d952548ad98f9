//! Secrets kept out of a text that is otherwise shown as it came.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::ops::Range;

use crate::secret::Secret;

/// What stands in place of a secret.
const MASK: &str = "…";
/// How often a text is taken for an encoded one: HTML that quotes a form, say.
const DEEPEST: usize = 2;

/// A JSON text in which none of the secrets stands, however its strings spell them; all else is
/// left byte for byte.
pub fn masked<'a>(json: &str, secrets: impl Iterator<Item = &'a Secret>) -> String {
    // A text of a few characters is found everywhere, and its removal would show it.
    let secrets: Vec<_> = secrets.map(Secret::expose).filter(|secret| secret.len() > 3).collect();
    let mut shown = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(token) = next_token(rest) {
        rest = &rest[token.len()..];
        let is_string = token.starts_with('"');
        let places = places(token, is_string, &secrets);
        match (places.is_empty(), is_string) {
            (true, _) => shown.push_str(token),
            (false, true) => shown.push_str(&without(token, &places)),
            (false, false) => shown.push_str(&serde_json::Value::from(without(token, &places)).to_string()),
        }
    }
    shown
}

/// Where secrets stand in a token: ranges in order, none of which touches another.
fn places(token: &str, is_string: bool, secrets: &[&str]) -> Vec<Range<usize>> {
    let mut spellings = vec![Spelling::of(token)];
    if is_string {
        spellings[0] = spellings[0].decoded(json_escape).unwrap_or(Spelling::of(token));
    }
    let mut latest = 0;
    for _ in 0..DEEPEST {
        let decoded: Vec<_> = spellings[latest..]
            .iter()
            .flat_map(|spelling| [percent, form, html_entity, json_escape].map(|decode| spelling.decoded(decode)))
            .flatten()
            .collect();
        latest = spellings.len();
        spellings.extend(decoded);
    }
    let found = |secret: &str, spelling: &Spelling<'_>| {
        let starts =
            (0..spelling.text.len()).filter(|at| spelling.text.as_bytes()[*at..].starts_with(secret.as_bytes()));
        starts.map(|at| spelling.source(at)..spelling.source(at + secret.len())).collect::<Vec<_>>()
    };
    let all = spellings.iter().flat_map(|spelling| secrets.iter().flat_map(|secret| found(secret, spelling)));
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|place| place.start);
    // What two of them share, or leave no room between, is one place: a rest of either would tell something.
    all.into_iter().fold(Vec::<Range<usize>>::new(), |mut merged, place| {
        match merged.last_mut() {
            Some(last) if place.start <= last.end => last.end = last.end.max(place.end),
            _ => merged.push(place),
        }
        merged
    })
}

fn without(token: &str, places: &[Range<usize>]) -> String {
    let mut shown = String::with_capacity(token.len());
    let mut at = 0;
    for place in places {
        shown.push_str(&token[at..place.start]);
        shown.push_str(MASK);
        at = place.end;
    }
    shown.push_str(&token[at..]);
    shown
}

/// A text decoded from a token, and where in the token each byte of it comes from.
struct Spelling<'a> {
    text: Cow<'a, str>,
    /// `None`: byte for byte.
    sources: Option<Vec<usize>>,
}

/// What an encoded text begins with: the character that is meant, and how many bytes spell it.
type Decode = fn(&str) -> Option<(char, usize)>;

impl<'a> Spelling<'a> {
    fn of(token: &'a str) -> Spelling<'a> {
        Spelling { text: Cow::Borrowed(token), sources: None }
    }

    /// The byte of the token at which this byte of the text begins.
    fn source(&self, at: usize) -> usize {
        self.sources.as_ref().map_or(at, |sources| sources[at])
    }

    /// The text that this one encodes, or `None` if it encodes none.
    fn decoded(&self, decode: Decode) -> Option<Spelling<'static>> {
        let mut text = String::with_capacity(self.text.len());
        let mut sources = Vec::with_capacity(self.text.len() + 1);
        let (mut at, mut differs) = (0, false);
        while let Some(plain) = self.text[at..].chars().next() {
            let decoded = decode(&self.text[at..]);
            differs |= decoded.is_some();
            let (character, length) = decoded.unwrap_or((plain, plain.len_utf8()));
            sources.resize(sources.len() + character.len_utf8(), self.source(at));
            text.push(character);
            at += length;
        }
        sources.push(self.source(at));
        differs.then_some(Spelling { text: Cow::Owned(text), sources: Some(sources) })
    }
}

fn percent(text: &str) -> Option<(char, usize)> {
    let byte = |at: usize| {
        let digits = text.get(at..at + 3)?.strip_prefix('%')?;
        u8::from_str_radix(digits, 16).ok()
    };
    let first = byte(0)?;
    let length = if first < 0x80 { 1 } else { first.leading_ones() as usize };
    let bytes: Vec<u8> = (0..length.min(4)).map_while(|number| byte(3 * number)).collect();
    let character = std::str::from_utf8(&bytes).ok()?.chars().next()?;
    Some((character, 3 * bytes.len()))
}

fn form(text: &str) -> Option<(char, usize)> {
    if text.starts_with('+') { Some((' ', 1)) } else { percent(text) }
}

fn html_entity(text: &str) -> Option<(char, usize)> {
    let name = text.strip_prefix('&')?;
    let name = &name[..name.find(';').filter(|end| *end <= 10)?];
    let character = match (name, name.strip_prefix('#')) {
        (_, Some(number)) => {
            let hexadecimal = number.strip_prefix(['x', 'X']);
            let number = hexadecimal.map_or_else(|| number.parse(), |digits| u32::from_str_radix(digits, 16));
            char::from_u32(number.ok()?)?
        }
        ("amp", _) => '&',
        ("lt", _) => '<',
        ("gt", _) => '>',
        ("quot", _) => '"',
        ("apos", _) => '\'',
        ("nbsp", _) => ' ',
        _ => return None,
    };
    Some((character, name.len() + 2))
}

/// One escape of a JSON string; half a surrogate pair is some character that stands in no secret.
fn json_escape(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u16::from_str_radix(text.get(at..at + 6)?.strip_prefix("\\u")?, 16).ok();
    if let Some(first) = unit(0) {
        let pair = [first, unit(6).unwrap_or_default()];
        return match (char::from_u32(first.into()), char::decode_utf16(pair).next()) {
            (Some(character), _) => Some((character, 6)),
            (None, Some(Ok(character))) => Some((character, 12)),
            _ => Some((char::REPLACEMENT_CHARACTER, 6)),
        };
    }
    let character = match text.strip_prefix('\\')?.chars().next()? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'b' => '\u{8}',
        'f' => '\u{c}',
        same @ ('"' | '\\' | '/') => same,
        _ => return None,
    };
    Some((character, 2))
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
        let secrets =
            [Secret::new("пар&ль \"1\""), Secret::new("12345678"), Secret::new("abc"), Secret::new("it's<é>")];
        let shown = |json: &str| masked(json, secrets.iter());
        for (json, expected) in [
            (r#"{ "a" : "пар&ль \"1\"" , "b":1.10}"#, r#"{ "a" : "…" , "b":1.10}"#),
            (r#"{"a":"x \u043f\u0430\u0440\u0026\u043b\u044c \u00221\u0022 y"}"#, r#"{"a":"x … y"}"#),
            (r#"["p=%D0%BF%D0%B0%D1%80%26%D0%BB%D1%8C%20%221%22&"]"#, r#"["p=…&"]"#),
            (r#"["p=%d0%bf%D0%B0%D1%80%26%D0%BB%d1%8c+%22%31%22"]"#, r#"["p=…"]"#),
            (r#"["<b>пар&amp;ль &quot;1&#34;</b>"]"#, r#"["<b>…</b>"]"#),
            (r#"["it&#39;s&lt;&#xE9;&gt;", "it&apos;s\u003c\u00e9>"]"#, r#"["…", "…"]"#),
            // Encoded twice: a form in HTML, JSON in JSON, an address in a form.
            (r#"["p=%D0%BF%D0%B0%D1%80%26amp%3B%D0%BB%D1%8C+%221%22"]"#, r#"["p=…"]"#),
            (r#"["{\"p\":\"it's\\u003cé>\"}"]"#, r#"["{\"p\":\"…\"}"]"#),
            (r#"["u=a%253Dit%2527s%253C%25C3%25A9%253E%2526"]"#, r#"["u=a%253D…%2526"]"#),
            (r#"{"code":12345678,"more":912345678.50,"12345678":true}"#, r#"{"code":"…","more":"9….50","…":true}"#),
            (
                r#"{"abc":"abc","z":[18446744073709551616, -1e-5,null ]}"#,
                r#"{"abc":"abc","z":[18446744073709551616, -1e-5,null ]}"#,
            ),
            (r#"{"a":"\\","b":"\\\"12345678"}"#, r#"{"a":"\\","b":"\\\"…"}"#),
            // Half a surrogate pair beside it.
            (r#"["\ud80012345678\udc00", "\ud800\u003112345678"]"#, r#"["\ud800…\udc00", "\ud800\u0031…"]"#),
        ] {
            assert_eq!(shown(json), expected);
        }
        // What is no JSON is not shown, but must not be stumbled over either.
        for text in ["\"", "\"\\", "{\"12345678", "я\"\\я", "", "\"%", "\"%d0%", "\"&#;&#x;&;", "\"\\u12"] {
            let _ = shown(text);
        }
    }

    #[test]
    fn secrets_that_overlap_leave_no_rest() {
        for (secrets, text) in [
            (["hunter2", "hunter2-key-1234"], "x hunter2-key-1234 y"),
            (["key-1234", "hunter2-key"], "x hunter2-key-1234 y"),
            (["hunter2-", "key-1234"], "x hunter2-key-1234 y"),
            (["tertertert", "ter2"], "x tertertertertertert y"),
        ] {
            let json = serde_json::Value::from(text).to_string();
            for secrets in [secrets, [secrets[1], secrets[0]]] {
                assert_eq!(masked(&json, secrets.map(Secret::new).iter()), "\"x … y\"", "{secrets:?}");
            }
        }
    }
}
