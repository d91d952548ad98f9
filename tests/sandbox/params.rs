//! The received parameters, decoded strictly: a client with an encoding mistake gets an error where other servers would
//! guess.

use md_5::{Digest, Md5};
use serde_json::{Value, json};

/// A file part of a multipart form; its bytes stay in the recorded body.
#[derive(Clone, Debug)]
pub struct FilePart {
    pub name: String,
    pub file_name: Option<String>,
    pub content_type: Option<String>,
    pub size: usize,
    pub md5: String,
}

impl FilePart {
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "file_name": self.file_name,
            "content_type": self.content_type,
            "size": self.size,
            "md5": self.md5,
        })
    }
}

/// Query and body as one set, in the order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Params {
    pub pairs: Vec<(String, String)>,
    pub files: Vec<FilePart>,
}

impl Params {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn has_file(&self, name: &str) -> bool {
        self.files.iter().any(|file| file.name == name)
    }

    fn check_name(&self, name: &str) -> Result<(), String> {
        if name.is_empty() {
            return Err("a parameter has no name".into());
        }
        if self.get(name).is_some() || self.has_file(name) {
            return Err(format!("parameter {name} is given twice"));
        }
        Ok(())
    }

    pub fn add(&mut self, name: String, value: String) -> Result<(), String> {
        self.check_name(&name)?;
        self.pairs.push((name, value));
        Ok(())
    }

    pub fn add_file(
        &mut self,
        name: String,
        file_name: Option<String>,
        content_type: Option<String>,
        bytes: &[u8],
    ) -> Result<(), String> {
        self.check_name(&name)?;
        let md5 = hex(&Md5::digest(bytes));
        self.files.push(FilePart { name, file_name, content_type, size: bytes.len(), md5 });
        Ok(())
    }

    /// Adds the parameters of a query or a form body.
    pub fn add_form(&mut self, form: &[u8]) -> Result<(), String> {
        if form.is_empty() {
            return Ok(());
        }
        for pair in form.split(|byte| *byte == b'&') {
            let Some(equals) = pair.iter().position(|byte| *byte == b'=') else {
                return Err(format!("no = in {:?}", String::from_utf8_lossy(pair)));
            };
            self.add(decode(&pair[..equals])?, decode(&pair[equals + 1..])?)?;
        }
        Ok(())
    }

    /// An object of all parameters except `sig`, by which a write is recorded.
    pub fn unsigned(&self) -> Value {
        let pairs = self.pairs.iter().filter(|(name, _)| name != "sig");
        Value::Object(pairs.map(|(name, value)| (name.clone(), json!(value))).collect())
    }
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Strict percent-decoding.
pub fn decode(text: &[u8]) -> Result<String, String> {
    let shown = || String::from_utf8_lossy(text).into_owned();
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = rest.next().zip(rest.next());
                let value = digits.and_then(|(high, low)| {
                    let digit = |byte: &u8| (*byte as char).to_digit(16);
                    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
                });
                value.ok_or_else(|| format!("bad percent-encoding in {:?}", shown()))?
            }
            0x21..=0x7e => *byte,
            _ => return Err(format!("an unencoded byte in {:?}", shown())),
        });
    }
    String::from_utf8(bytes).map_err(|_| format!("not UTF-8: {:?}", shown()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_strictly() {
        assert_eq!(decode(b"%D0%9F+%26%3D%2b").as_deref(), Ok("П &=+"));
        for bad in ["%", "%1", "%zz", "%ff", "\u{41f}", "a b"] {
            assert!(decode(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn duplicate_names_are_refused() {
        let mut params = Params::default();
        assert!(params.add_form(b"a=1&b=&c=%3D").is_ok());
        assert_eq!(params.get("b"), Some(""));
        assert!(params.add_form(b"a=2").is_err());
        assert!(params.add_form(b"d").is_err());
        assert!(params.add_form(b"=1").is_err());
    }
}
