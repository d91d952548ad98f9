//! Checks a JSON text without building a tree, and finds a member of its outermost object.
#![forbid(unsafe_code)]

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{LossyText, MAX_DEPTH};

/// Why a text is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It is not JSON.
    NotJson,
    /// It is nested deeper than [`MAX_DEPTH`].
    TooDeep,
}

/// The outermost value of a text.
#[derive(Debug, PartialEq, Eq)]
pub struct Outline<'a> {
    /// The number of members if the value is an object.
    pub members: Option<usize>,
    /// The value, as written, of the last member with the wanted name.
    pub found: Option<&'a str>,
}

/// Checks a text and finds a member of its outermost object.
pub fn outline<'a>(json: &'a str, name: &str) -> Result<Outline<'a>, Flaw> {
    // serde_json skips values of any depth, but the host's parser may have a limit.
    if is_too_deep(json.as_bytes()) {
        return Err(Flaw::TooDeep);
    }
    let mut parser = serde_json::Deserializer::from_str(json);
    let outline = if json.trim_start().starts_with('{') {
        parser.deserialize_map(Members { name })
    } else {
        IgnoredAny::deserialize(&mut parser).map(|_| Outline { members: None, found: None })
    };
    let outline = outline.and_then(|outline| parser.end().map(|()| outline));
    outline.map_err(|_| Flaw::NotJson)
}

/// Counts an object's members, and keeps the wanted one.
struct Members<'n> {
    name: &'n str,
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Outline<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let (mut members, mut found) = (0, None);
        while let Some(LossyText(name)) = map.next_key()? {
            members += 1;
            if name == self.name {
                found = Some(map.next_value::<&RawValue>()?.get());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Outline { members: Some(members), found })
    }
}

/// Whether brackets outside of strings are nested deeper than [`MAX_DEPTH`]. The result does not matter for invalid
/// JSON, which is refused later.
fn is_too_deep(json: &[u8]) -> bool {
    let opening = |byte: &&u8| matches!(byte, b'{' | b'[');
    if json.iter().filter(opening).count() <= MAX_DEPTH {
        return false;
    }
    let mut depth = 0_usize;
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

/// Skips to the end of a string.
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<(), Flaw> {
        outline(json, "error").map(|_| ())
    }

    #[test]
    fn a_member_is_found_however_it_is_spelled() {
        for (json, members, found) in [
            (r#"{"error":1}"#, 1, Some("1")),
            (r#" { "a" : {"error":2} , "error" : { "x" : [ ] } , "b":3 } "#, 3, Some(r#"{ "x" : [ ] }"#)),
            (r#"{"\u0065rror":[1 , 2]}"#, 1, Some("[1 , 2]")),
            (r#"{"error":1,"error":"2"}"#, 2, Some("\"2\"")),
            (r#"{"error":1,"errors":2,"erro":3,"":4}"#, 4, Some("1")),
            (r#"{"\ud800":1,"error":{"\udfff":2}}"#, 2, Some(r#"{"\udfff":2}"#)),
            (r#"{"\ud800error":1,"error\u0000":2}"#, 2, None),
            ("{}", 0, None),
        ] {
            let outline = outline(json, "error").expect(json);
            assert_eq!(outline.members, Some(members), "{json}");
            assert_eq!(outline.found, found, "{json}");
        }
        for json in [r#"[{"error":1}]"#, "\"error\"", "null", "[]", "1"] {
            assert_eq!(outline(json, "error"), Ok(Outline { members: None, found: None }), "{json}");
        }
    }

    #[test]
    fn depth_is_limited_wherever_it_is() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"\\ud800\":", "}]")] {
            let levels = |count: usize| format!("{}1{}", open.repeat(count), close.repeat(count));
            let most = MAX_DEPTH / close.len();
            assert_eq!(check(&levels(most)), Ok(()));
            assert_eq!(check(&levels(most + 1)), Err(Flaw::TooDeep));
            assert_eq!(check(&levels(100_000)), Err(Flaw::TooDeep));
        }
        assert_eq!(check(&format!("[{:?}]", "[\\".repeat(1000))), Ok(()), "brackets in a string");
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for json in [
            "",
            "{",
            "[1",
            "{\"a\"}",
            "[1,]",
            "01",
            "\"\u{1}\"",
            "1 2",
            "{}x",
            "nul",
            "[\"\\x\"]",
            "{'a':1}",
            "\u{feff}{}",
        ] {
            assert_eq!(check(json), Err(Flaw::NotJson), "{json}");
        }
        assert!(check(" [1e999, \"\\ud800\", -0.0] ").is_ok(), "numbers and strings of any kind pass through");
    }
}
