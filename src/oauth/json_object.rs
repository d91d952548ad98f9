//! Writes JSON objects that contain secrets.
#![forbid(unsafe_code)]

use serde::Serialize;

/// Writes a JSON object member by member into one buffer.
pub struct JsonObject(Vec<u8>);

impl JsonObject {
    pub fn with_capacity(bytes: usize) -> JsonObject {
        JsonObject(Vec::with_capacity(bytes))
    }

    pub fn add(&mut self, name: &str, value: impl Serialize) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        // Writing a text or a number into memory cannot fail.
        let _ = serde_json::to_writer(&mut self.0, name);
        self.0.push(b':');
        let _ = serde_json::to_writer(&mut self.0, &value);
    }

    pub fn end(mut self) -> String {
        self.0.push(b'}');
        String::from_utf8(self.0).unwrap_or_default()
    }
}
