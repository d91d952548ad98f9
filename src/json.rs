//! Reads JSON without building a tree, and holds the JSON that goes to the host.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{Failure, Outcome};
use crate::memory::text_with_room;

/// The deepest nesting accepted in the host's parameters and in the platform's answers.
pub const MAX_DEPTH: usize = 128;

/// JSON checked or written by this library: UTF-8 without a NUL byte.
///
/// Kept as bytes, because a `String` would check a large answer for UTF-8 a second time.
#[derive(Debug, Default)]
pub struct Json(Vec<u8>);

impl Json {
    /// Takes bytes that were checked to be JSON.
    pub fn checked(bytes: Vec<u8>) -> Json {
        Json(bytes)
    }

    /// The JSON as borrowed text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The JSON as text.
    pub fn into_string(self) -> String {
        String::from_utf8(self.0).unwrap_or_default()
    }

    /// The JSON as bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl From<String> for Json {
    fn from(json: String) -> Json {
        Json(json.into_bytes())
    }
}

/// A value as JSON, allocated in its exact size: a buffer that grew would leave copies of secrets in memory.
pub fn written(value: &impl Serialize, what: &str) -> Outcome<String> {
    let mut length = Length(0);
    // Neither can fail: the bytes are first counted, then written into allocated memory.
    let _ = serde_json::to_writer(&mut length, value);
    // One byte more, for the NUL of the C string.
    let mut json = text_with_room(length.0 + 1, what)?.into_bytes();
    let _ = serde_json::to_writer(&mut json, value);
    Ok(String::from_utf8(json).unwrap_or_default())
}

/// Counts the bytes written to it.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The members of a JSON object as they were written; a repeated name is an error.
///
/// Values stay raw text, because a conversion would round numbers.
pub fn members<'a>(argument: &str, json: &'a str) -> Outcome<Vec<(Cow<'a, str>, &'a RawValue)>> {
    let Members(members) = serde_json::from_str(json).map_err(|error| {
        // The parser's message is left out, because it may quote the input, and so a secret.
        let place = format!("line {} column {}", error.line(), error.column());
        Failure::argument(argument, format!("must be a JSON object; it is not one at {place}"))
    })?;
    // Comparing pairs is faster than hashing for a few names; sorting is faster for many.
    let repeated = if members.len() <= 16 {
        members
            .iter()
            .enumerate()
            .find(|(at, member)| members[..*at].iter().any(|other| other.0 == member.0))
            .map(|it| &it.1.0)
    } else {
        let mut names: Vec<_> = members.iter().map(|member| &member.0).collect();
        names.sort_unstable();
        names.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    };
    match repeated {
        Some(name) => Err(Failure::argument(name, format!("duplicate member of {argument}; give it once"))),
        None => Ok(members),
    }
}

/// The members of a server's JSON object as they were written, duplicates included; `None` if the text is not a JSON
/// object. Invalid Unicode in a name is replaced, so that it does not hide the other members.
pub fn all_members(json: &str) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    let Pairs(members) = serde_json::from_str::<Pairs<LossyText>>(json).ok()?;
    Some(members.into_iter().map(|(LossyText(name), value)| (name, value)).collect())
}

/// All members of a JSON object, in the order in which they were written.
pub struct Members<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Pairs(members) = Pairs::<Text>::deserialize(deserializer)?;
        Ok(Members(members.into_iter().map(|(Text(name), value)| (name, value)).collect()))
    }
}

/// An object's members: the names read as `N`, the values as written.
struct Pairs<'a, N>(Vec<(N, &'a RawValue)>);

impl<'de, N: Deserialize<'de>> Deserialize<'de> for Pairs<'de, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect<N>(PhantomData<N>);
        impl<'de, N: Deserialize<'de>> Visitor<'de> for Collect<N> {
            type Value = Pairs<'de, N>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Pairs(members))
            }
        }
        deserializer.deserialize_map(Collect(PhantomData))
    }
}

/// A JSON string, borrowed if it has no escapes. Invalid Unicode is an error.
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Take)
    }
}

/// A JSON string written by a server: invalid Unicode in it, such as half of a surrogate pair, is replaced.
pub struct LossyText<'a>(pub Cow<'a, str>);

impl<'de> Deserialize<'de> for LossyText<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde_json checks for Unicode only if the value is read as a string, so it is read as bytes; and for control
        // characters, which may be a NUL, only if it is read as anything but bytes, so it is first read as written.
        let raw = <&RawValue>::deserialize(deserializer)?;
        serde_json::from_str(raw.get()).map(|Unchecked(text)| LossyText(text)).map_err(de::Error::custom)
    }
}

/// A JSON string that may contain control characters.
struct Unchecked<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Unchecked<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> Visitor<'de> for Take {
            type Value = Unchecked<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a string")
            }

            fn visit_borrowed_bytes<E>(self, text: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Unchecked(String::from_utf8_lossy(text)))
            }

            fn visit_bytes<E>(self, text: &[u8]) -> Result<Self::Value, E> {
                Ok(Unchecked(Cow::Owned(String::from_utf8_lossy(text).into_owned())))
            }
        }
        deserializer.deserialize_bytes(Take)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_surrogate_pair_from_a_server_hides_no_member() {
        let members = all_members(r#"{"\ud800":1,"a\udc00b":"\ud83d\ude00","a":"x"}"#).expect("an object");
        let names: Vec<_> = members.iter().map(|(name, _)| name.as_ref()).collect();
        assert_eq!(names, ["\u{fffd}\u{fffd}\u{fffd}", "a\u{fffd}\u{fffd}\u{fffd}b", "a"]);
        let LossyText(text) = serde_json::from_str(r#""\ud83d\ude00 \ud800\n""#).expect("a string");
        assert_eq!(text, "😀 \u{fffd}\u{fffd}\u{fffd}\n");
        assert!(members_of_host().is_err(), "a host's own must be Unicode");
    }

    #[test]
    fn names_and_texts_have_no_control_characters() {
        for control in ["\0", "\u{1f}", "\n"] {
            for json in [format!("{{\"a{control}b\":1}}"), format!("{{\"\\u0061{control}\":1}}")] {
                assert!(all_members(&json).is_none(), "{json:?}");
            }
            assert!(serde_json::from_str::<LossyText>(&format!("\"a{control}\"")).is_err());
        }
        let LossyText(escaped) = serde_json::from_str(r#""\u0000\n""#).expect("escaped");
        assert_eq!(escaped, "\0\n");
    }

    #[test]
    fn json_is_handed_on_as_it_is_and_written_without_growing() {
        assert_eq!(Json::checked(b"[1]".to_vec()).as_str(), "[1]");
        assert_eq!(Json::from("[2]".to_owned()).into_string(), "[2]");
        assert_eq!(Json::checked(b"[3]".to_vec()).into_bytes(), b"[3]");
        let json = written(&["a\"b", "я"], "a test").expect("memory");
        assert_eq!((json.as_str(), json.capacity()), (r#"["a\"b","я"]"#, json.len() + 1));
    }

    fn members_of_host() -> Outcome<usize> {
        Ok(members("params_json", r#"{"\ud800":1}"#)?.len())
    }
}
