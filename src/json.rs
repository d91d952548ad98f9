//! Reading JSON without building a tree, and JSON on its way to the host.
#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use crate::error::{Failure, Outcome};

/// The deepest nesting that is accepted, in what the host sends and in what the platform answers.
pub const MAX_DEPTH: usize = 128;

/// JSON that was checked, or written, by this library: UTF-8 without a NUL byte.
///
/// It is kept as bytes: as a `String`, a large answer's check for UTF-8 would be made twice.
#[derive(Debug, Default)]
pub struct Json(Vec<u8>);

impl Json {
    /// Takes over bytes that were checked to be JSON.
    pub fn checked(bytes: Vec<u8>) -> Json {
        Json(bytes)
    }

    /// The text, to look into it.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The bytes, to hand them over.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl From<String> for Json {
    fn from(json: String) -> Json {
        Json(json.into_bytes())
    }
}

/// The members of a JSON object as they were written; a repeated name is an error.
///
/// Values stay raw text, since numbers would not survive a conversion.
pub fn members<'a>(argument: &str, json: &'a str) -> Outcome<Vec<(Cow<'a, str>, &'a RawValue)>> {
    let Members(members) = serde_json::from_str(json).map_err(|error| {
        // The parser's own text is kept out: it may quote the input, and so a secret.
        let place = format!("line {} column {}", error.line(), error.column());
        Failure::argument(argument, format!("must be a JSON object; it is not one at {place}"))
    })?;
    // A few names are compared faster than hashed; many, as sorted neighbours.
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
        Some(name) => Err(Failure::argument(name, format!("stands twice in {argument}; give it once"))),
        None => Ok(members),
    }
}

/// The members of a JSON object as they were written, however often a name stands in it; `None` if
/// the text is no JSON object. For what others wrote, where a slip of theirs must not lose the rest.
pub fn all_members(json: &str) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    serde_json::from_str::<Members>(json).ok().map(|members| members.0)
}

/// All members of a JSON object, in the order in which they were written.
pub struct Members<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> serde::Deserialize<'de> for Members<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> serde::de::Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: serde::de::MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut members = Vec::with_capacity(8);
                while let Some(Text(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// A JSON string, borrowed where it has no escapes.
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de> serde::Deserialize<'de> for Text<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Take;
        impl<'de> serde::de::Visitor<'de> for Take {
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
