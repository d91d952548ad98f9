//! Masks secrets in a text that is otherwise shown unchanged.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::ops::Range;

use crate::secret::Secret;

/// The replacement of a secret.
const MASK: &str = "…";
/// The maximum number of nested encodings that are decoded, such as a form within HTML.
const MOST_ENCODINGS: usize = 2;

/// Masks the secrets in a JSON text, in every encoding of its strings; all other bytes stay unchanged.
pub fn masked<'a>(json: &str, secrets: impl Iterator<Item = &'a Secret>) -> String {
    // Secrets of three bytes or fewer are not masked: they occur everywhere, and the gaps would reveal them.
    let secrets: Vec<_> = secrets.map(Secret::expose).filter(|secret| secret.len() > 3).collect();
    let mut shown = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(token) = next_token(rest) {
        rest = &rest[token.len()..];
        let is_string = token.starts_with('"');
        let ranges = secret_ranges(token, is_string, &secrets);
        match (ranges.is_empty(), is_string) {
            (true, _) => shown.push_str(token),
            (false, true) => shown.push_str(&without(token, &ranges)),
            (false, false) => shown.push_str(&serde_json::Value::from(without(token, &ranges)).to_string()),
        }
    }
    shown
}

/// The ranges of the secrets in a token, in order, none of which touches another.
fn secret_ranges(token: &str, is_string: bool, secrets: &[&str]) -> Vec<Range<usize>> {
    let mut spellings = vec![DecodedText::of(token)];
    if is_string {
        spellings[0] = spellings[0].decoded(json_escape).unwrap_or(DecodedText::of(token));
    }
    let mut latest = 0;
    for _ in 0..MOST_ENCODINGS {
        let decoded: Vec<_> = spellings[latest..]
            .iter()
            .flat_map(|spelling| [percent, form, html_entity, json_escape].map(|decode| spelling.decoded(decode)))
            .flatten()
            .collect();
        latest = spellings.len();
        spellings.extend(decoded);
    }
    let found = |secret: &str, spelling: &DecodedText<'_>| {
        let starts =
            (0..spelling.text.len()).filter(|at| spelling.text.as_bytes()[*at..].starts_with(secret.as_bytes()));
        starts.map(|at| spelling.source(at)..spelling.source(at + secret.len())).collect::<Vec<_>>()
    };
    let all = spellings.iter().flat_map(|spelling| secrets.iter().flat_map(|secret| found(secret, spelling)));
    let mut all: Vec<_> = all.collect();
    all.sort_by_key(|range| range.start);
    // Overlapping and adjacent ranges are merged, because the remaining part of one would reveal something.
    all.into_iter().fold(Vec::<Range<usize>>::new(), |mut merged, range| {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
        merged
    })
}

fn without(token: &str, ranges: &[Range<usize>]) -> String {
    let mut shown = String::with_capacity(token.len());
    let mut at = 0;
    for range in ranges {
        shown.push_str(&token[at..range.start]);
        shown.push_str(MASK);
        at = range.end;
    }
    shown.push_str(&token[at..]);
    shown
}

/// A text decoded from a token, with the source position of each byte in the token.
struct DecodedText<'a> {
    text: Cow<'a, str>,
    /// `None`: byte for byte.
    sources: Option<Vec<usize>>,
}

/// Decodes the first character of a text: the character, and the number of bytes that encode it.
type Decode = fn(&str) -> Option<(char, usize)>;

impl<'a> DecodedText<'a> {
    fn of(token: &'a str) -> DecodedText<'a> {
        DecodedText { text: Cow::Borrowed(token), sources: None }
    }

    /// The position in the token of this byte of the text.
    fn source(&self, at: usize) -> usize {
        self.sources.as_ref().map_or(at, |sources| sources[at])
    }

    /// The decoded text, or `None` if nothing in it is encoded.
    fn decoded(&self, decode: Decode) -> Option<DecodedText<'static>> {
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
        differs.then_some(DecodedText { text: Cow::Owned(text), sources: Some(sources) })
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

/// One escape of a JSON string; half of a surrogate pair becomes a character that no secret contains.
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

/// The first token of the text: a string, a number or word, or another character.
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
    fn secrets_are_found_in_every_encoding() {
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
            // Next to half of a surrogate pair.
            (r#"["\ud80012345678\udc00", "\ud800\u003112345678"]"#, r#"["\ud800…\udc00", "\ud800\u0031…"]"#),
        ] {
            assert_eq!(shown(json), expected);
        }
        // Invalid JSON is never shown, but must not cause a panic.
        for text in ["\"", "\"\\", "{\"12345678", "я\"\\я", "", "\"%", "\"%d0%", "\"&#;&#x;&;", "\"\\u12"] {
            let _ = shown(text);
        }
    }

    #[test]
    fn overlapping_secrets_leave_no_remainder() {
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
