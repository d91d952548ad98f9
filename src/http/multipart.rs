//! A file among the parameters of a call, as `multipart/form-data` (RFC 7578).
#![forbid(unsafe_code)]

use std::hash::{BuildHasher, RandomState};

use crate::error::{Failure, Outcome};
use crate::params::{Parameters, is_reserved};

/// A file to send along; it is not signed.
pub struct Upload<'a> {
    /// The form field that holds the file, such as `img_file`.
    pub field: &'a str,
    /// What the file is called.
    pub file_name: &'a str,
    /// Its media type.
    pub media_type: &'a str,
    /// The file.
    pub data: &'a [u8],
}

impl<'a> Upload<'a> {
    /// Refuses a field without a name, or with the name of a parameter.
    pub fn check(&self, parameters: &Parameters<'_>) -> Outcome<()> {
        if self.field.is_empty() {
            return Err(Failure::argument("field", "is empty; it is the name of the file's field, such as img_file"));
        }
        if is_reserved(self.field) || parameters.iter().any(|(name, _)| name == self.field) {
            return Err(Failure::argument(
                "field",
                "has the name of a parameter; a file's field has a name of its own, such as img_file",
            ));
        }
        let printable = self.media_type.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !printable || !self.media_type.contains('/') {
            return Err(Failure::argument("type", "must be a media type such as image/jpeg"));
        }
        Ok(())
    }

    /// The body of the request: the signed parameters as fields, then the file.
    pub fn multipart(&self, signed: &Parameters<'_>) -> Multipart<'a> {
        let random = || RandomState::new().hash_one(0);
        let boundary = format!("mailru-{:016x}{:016x}", random(), random());
        let mut before = String::with_capacity(signed.len() * 160 + 256);
        for (name, value) in signed {
            let name = quoted(name);
            before.push_str(&format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        let (field, file_name) = (quoted(self.field), quoted(self.file_name));
        before.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{file_name}\"\r\n\
             Content-Type: {}\r\n\r\n",
            self.media_type
        ));
        let after = format!("\r\n--{boundary}--\r\n");
        Multipart { boundary, before, file: self.data, after }
    }
}

/// A file among form fields, sent from the caller's memory without a copy.
pub struct Multipart<'a> {
    /// The boundary that the text around the file uses.
    pub boundary: String,
    /// The form fields and the file's head.
    pub before: String,
    /// The file.
    pub file: &'a [u8],
    /// What follows the file.
    pub after: String,
}

/// The escapes that browsers use in the quoted names of form fields.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
