//! JSON on its way to the host.
#![forbid(unsafe_code)]

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
