//! Checks a JSON text without building a tree, and finds a member of its outermost object.
#![forbid(unsafe_code)]

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
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
    let may_be_too_deep = openings(json) > MAX_DEPTH;
    if may_be_too_deep {
        // What this refuses is not always a flaw: it reads strings and numbers that may only be skipped.
        if let Ok(outline) = read(json, name, Skip::Counting { left: MAX_DEPTH, levels: COUNTED_LEVELS }) {
            return Ok(outline);
        }
        if is_too_deep(json, MAX_DEPTH) {
            return Err(Flaw::TooDeep);
        }
    }
    read(json, name, Skip::Ignoring).map_err(|_| Flaw::NotJson)
}

/// Reads a text once, skipping all values but the wanted one.
fn read<'a>(json: &'a str, name: &str, skip: Skip) -> serde_json::Result<Outline<'a>> {
    let mut parser = serde_json::Deserializer::from_str(json);
    let outline = if json.trim_start().starts_with('{') {
        parser.deserialize_map(Members { name, skip: skip.inside()? })
    } else {
        skip.deserialize(&mut parser).map(|()| Outline { members: None, found: None })
    };
    outline.and_then(|outline| parser.end().map(|()| outline))
}

/// Counts an object's members, and keeps the wanted one.
struct Members<'n> {
    name: &'n str,
    skip: Skip,
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
                let value = map.next_value::<&RawValue>()?.get();
                self.skip.fits(value)?;
                found = Some(value);
            } else {
                map.next_value_seed(self.skip)?;
            }
        }
        Ok(Outline { members: Some(members), found })
    }
}

/// The levels at the top of a text at which the elements of arrays are counted one by one.
const COUNTED_LEVELS: usize = 4;

/// Skips a value.
#[derive(Clone, Copy)]
enum Skip {
    /// Of any depth.
    Ignoring,
    /// Fails if it may be nested deeper than `left`. Large answers are lists of small values, and a value is at most as
    /// deep as the number of its opening brackets; so arrays are entered, and so are objects for some `levels`.
    Counting { left: usize, levels: usize },
}

impl Skip {
    /// For what is inside of a container.
    fn inside<E: Error>(self) -> Result<Skip, E> {
        match self {
            Skip::Ignoring => Ok(Skip::Ignoring),
            Skip::Counting { left: 0, .. } => Err(E::custom("too deep")),
            Skip::Counting { left, levels } => Ok(Skip::Counting { left: left - 1, levels: levels.saturating_sub(1) }),
        }
    }

    /// Whether a value that was skipped is not too deep.
    fn fits<E: Error>(self, value: &str) -> Result<(), E> {
        match self {
            Skip::Counting { left, .. } if openings(value) > left && is_too_deep(value, left) => {
                Err(E::custom("too deep"))
            }
            _ => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self {
            Skip::Ignoring => IgnoredAny::deserialize(deserializer).map(drop),
            Skip::Counting { levels: 0, .. } => self.fits(<&RawValue>::deserialize(deserializer)?.get()),
            Skip::Counting { .. } => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Skip {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut elements: S) -> Result<(), S::Error> {
        let inside = self.inside()?;
        while let Some(element) = elements.next_element::<&RawValue>()? {
            inside.fits(element.get())?;
        }
        Ok(())
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<(), M::Error> {
        let inside = self.inside()?;
        while members.next_key::<IgnoredAny>()?.is_some() {
            members.next_value_seed(inside)?;
        }
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// The number of opening brackets, within strings too.
fn openings(json: &str) -> usize {
    // `[` and `{` differ by one bit. A sum of bytes is fast, and that of 255 cannot overflow.
    let count = |piece: &[u8]| piece.iter().map(|byte| u8::from(byte | 0x20 == b'{')).sum::<u8>();
    json.as_bytes().chunks(u8::MAX.into()).map(|piece| usize::from(count(piece))).sum()
}

/// Whether brackets outside of strings are nested deeper. The result does not matter for invalid JSON, which is
/// refused by the parser.
fn is_too_deep(json: &str, most: usize) -> bool {
    let mut depth = 0_usize;
    let mut bytes = json.as_bytes().iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
        if depth > most {
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
    fn openings_are_counted_in_long_texts() {
        assert_eq!([openings(""), openings("{}[]\"[\"xyz;"), openings(&"a[b".repeat(1000))], [0, 3, 1000]);
    }

    /// Seeds of texts: all kinds of values, and what only a skipping parser accepts.
    const SEEDS: &[&str] = &[
        r#"{"a":[1,-0.5e+10,true,false,null,"\u00e9\n\"\\"],"error":{"c":{}},"d":[]}"#,
        r#" [ "abc[[[" , 0 , 10.25 , { "error" : "12]]\u1234\t" } , [ [ ] , [ { } ] ] ] "#,
        r#"{"b":{"c":{"d":{"e":{"f":[[1],{"g":[2]}]}}}},"\u0065rror":[1 , 2]}"#,
        r#"{"\ud800":"\udfff","a":1e999,"error":123456789012345678901234567890}"#,
        "[[[[[[[[1]]]]]]],{\"a\":[[[[[[]]]]]]}]",
        "\"[[\"",
        "-1",
    ];

    /// The answer of a counting pass alone, and that of the exact count and the skipping parser.
    fn both(json: &str, left: usize, levels: usize) -> (Option<Outline<'_>>, Result<Outline<'_>, Flaw>) {
        let counted = read(json, "error", Skip::Counting { left, levels }).ok();
        let exact = match read(json, "error", Skip::Ignoring) {
            _ if is_too_deep(json, left) => Err(Flaw::TooDeep),
            outline => outline.map_err(|_| Flaw::NotJson),
        };
        (counted, exact)
    }

    /// Texts that differ from good ones by some bytes. Counting may refuse what the exact way accepts, never the reverse.
    #[test]
    fn counting_accepts_nothing_that_the_exact_way_refuses() {
        let alphabet = b"{}[]{}[]:,\"\\ \n0123-.eEtunl\x1f/'";
        let mut state = 1_u64;
        let mut chance = |below: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % below
        };
        let (mut accepted, mut too_deep) = (0, 0);
        for round in 0..50_000 {
            let mut text = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
            for _ in 0..chance(4) {
                let at = chance(text.len());
                match chance(4) {
                    0 if text.len() > 2 => drop(text.remove(at)),
                    1 => text.insert(at, alphabet[chance(alphabet.len())]),
                    2 => text[at] = alphabet[chance(alphabet.len())],
                    // A piece once more, somewhere else.
                    _ => {
                        let piece = text[at..].iter().take(chance(12)).copied().collect::<Vec<_>>();
                        let to = chance(text.len());
                        text.splice(to..to, piece);
                    }
                }
            }
            let Ok(text) = String::from_utf8(text) else { continue };
            let (counted, exact) = both(&text, 1 + chance(9), chance(COUNTED_LEVELS + 1));
            too_deep += usize::from(exact == Err(Flaw::TooDeep));
            if let Some(counted) = counted {
                assert_eq!(Ok(counted), exact, "{text}");
                accepted += 1;
            }
        }
        assert!(accepted > 5_000 && too_deep > 5_000, "{accepted} accepted, {too_deep} too deep");
    }

    #[test]
    fn large_answers_are_read_once() {
        let user = r#"{"uid":"1","name":"[[\"[","location":{"city":{"id":[25]}},"ext":[[],[{}]]}"#;
        let users = vec![user; 500].join(",");
        for text in [
            format!("[{users}]"),
            format!(r#"{{"users":[{users}],"total":500,"error":[{users}]}}"#),
            format!(r#" {{"a":{{"b":{{"c":{{"d":{{"e":[{users}]}}}}}}}},"f":-1.5,"g":"\n","h":null}} "#),
        ] {
            let (counted, exact) = both(&text, MAX_DEPTH, COUNTED_LEVELS);
            assert!(counted.is_some());
            assert_eq!(counted.ok_or(Flaw::NotJson), exact);
            assert_eq!(outline(&text, "error"), exact);
        }
        // Not read once, but accepted.
        let odd = format!(r#"{{"\ud800":1,"a":1e999,"b":"\ud800","error":[{users}],"c":[[{users}]]}}"#);
        assert_eq!(outline(&odd, "error").map(|outline| outline.members), Ok(Some(5)));
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
