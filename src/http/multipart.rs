//! A file among the parameters of a call, as `multipart/form-data` (RFC 7578).
#![forbid(unsafe_code)]

use std::fmt::Write as _;

use memchr::memmem;
use zeroize::Zeroizing;

use crate::error::{Code, Failure, Outcome};
use crate::memory::text_with_room;
use crate::params::{Parameters, is_reserved};

/// A file to upload; it is not signed.
pub struct Upload<'a> {
    /// The form field that holds the file, such as `img_file`.
    pub field: &'a str,
    /// The file's name.
    pub file_name: &'a str,
    /// Its media type.
    pub media_type: &'a str,
    /// The file.
    pub data: &'a [u8],
}

impl<'a> Upload<'a> {
    /// Fails if the field has no name, or the name of a parameter.
    pub fn check(&self, parameters: &Parameters<'_>) -> Outcome<()> {
        if self.field.is_empty() {
            return Err(Failure::argument("field", "is empty; give the name of the file's field, such as img_file"));
        }
        if is_reserved(self.field) || parameters.iter().any(|(name, _)| name == self.field) {
            return Err(Failure::argument(
                "field",
                "is also the name of a parameter; give the file's field another name, such as img_file",
            ));
        }
        let printable = self.media_type.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !printable || !self.media_type.contains('/') {
            return Err(Failure::argument("type", "must be a media type such as image/jpeg"));
        }
        Ok(())
    }

    /// The body of the request: the signed parameters as fields, then the file.
    pub fn multipart(&self, signed: &Parameters<'_>) -> Outcome<Multipart<'a>> {
        let is_inside = |boundary: &str| {
            let inside = |content: &[u8]| memmem::find(content, boundary.as_bytes()).is_some();
            inside(self.data) || signed.iter().any(|(_, value)| inside(value.as_bytes()))
        };
        let boundary = boundary(random, is_inside)?;
        // A buffer that grew would leave copies of the access token in memory.
        let of_fields = signed.iter().map(|(name, value)| 3 * name.len() + value.len() + 160).sum::<usize>();
        let of_file = 3 * (self.field.len() + self.file_name.len()) + self.media_type.len() + 512;
        let mut before = Zeroizing::new(text_with_room(of_fields + of_file, "the upload")?);
        for (name, value) in signed {
            let name = quoted(name);
            let _ = write!(*before, "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
            before.push_str(value);
            before.push_str("\r\n");
        }
        let (field, file_name) = (quoted(self.field), quoted(self.file_name));
        before.push_str(&format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{file_name}\"\r\n\
             Content-Type: {}\r\n\r\n",
            self.media_type
        ));
        let after = format!("\r\n--{boundary}--\r\n");
        Ok(Multipart { boundary, before, file: self.data, after })
    }
}

/// A boundary that does not occur in the content.
///
/// It is random for each request: the author of the file could otherwise guess it, end the file's part and add
/// parameters.
fn boundary(mut random: impl FnMut() -> Outcome<[u8; 16]>, is_inside: impl Fn(&str) -> bool) -> Outcome<String> {
    loop {
        let boundary = random()?.iter().fold(String::from("mailru-"), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        if !is_inside(&boundary) {
            return Ok(boundary);
        }
    }
}

fn random() -> Outcome<[u8; 16]> {
    let mut bytes = [0; 16];
    getrandom::getrandom(&mut bytes).map_err(|error| {
        Failure::new(Code::InternalError, format!("the operating system returned no random bytes ({error})"))
    })?;
    Ok(bytes)
}

/// A file among form fields, sent from the caller's memory without a copy.
pub struct Multipart<'a> {
    /// The boundary used in the text around the file.
    pub boundary: String,
    /// The form fields, which include the access token, and the file's head.
    pub before: Zeroizing<String>,
    /// The file.
    pub file: &'a [u8],
    /// What follows the file.
    pub after: String,
}

/// A name as a quoted string that every parser reads as one string, and that differs for different names.
///
/// Quotation marks, backslashes and control characters are percent-encoded as in browsers, because parsers differ in
/// how they read `\"`. A `%` is encoded where it would look like one of these escapes.
fn quoted(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len());
    for (at, character) in name.char_indices() {
        let is_escape = || {
            let digits =
                name.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
            digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).is_some_and(|byte| is_special(byte.into()))
        };
        if character == '%' && is_escape() || is_special(character) && character != '%' {
            let _ = write!(quoted, "%{:02X}", u32::from(character));
        } else {
            quoted.push(character);
        }
    }
    quoted
}

fn is_special(character: char) -> bool {
    character.is_ascii_control() || matches!(character, '"' | '\\' | '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_different() {
        for (name, expected) in [
            ("a.jpg", "a.jpg"),
            ("кот.png", "кот.png"),
            ("x\"", "x%22"),
            ("x%22", "x%2522"),
            ("x%2522", "x%252522"),
            ("x\\", "x%5C"),
            ("x%5c", "x%255c"),
            ("a\\\"; filename=\"b", "a%5C%22; filename=%22b"),
            ("line\r\nbreak\t\u{7f}", "line%0D%0Abreak%09%7F"),
            ("100%.jpg", "100%.jpg"),
            ("50%2", "50%2"),
            ("%41%zz%я", "%41%zz%я"),
            ("%%22", "%%2522"),
            ("%\"", "%%22"),
        ] {
            assert_eq!(quoted(name), expected, "{name:?}");
        }
        // Compares all short names made of these characters.
        let alphabet = ['%', '2', '5', '"', '\\', 'C', 'c'];
        let mut names = vec![String::new()];
        for _ in 0..5 {
            names = names.iter().flat_map(|name| alphabet.map(|next| format!("{name}{next}"))).collect();
            let mut all: Vec<_> = names.iter().map(|name| quoted(name)).collect();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), names.len());
        }
    }

    #[test]
    fn a_boundary_that_occurs_in_the_content_is_replaced() {
        let mut drawn = 0;
        let random = || {
            drawn += 1;
            Ok([drawn; 16])
        };
        let taken = |boundary: &str| boundary < "mailru-03";
        assert_eq!(boundary(random, taken).expect("the third"), format!("mailru-{}", "03".repeat(16)));
        let upload = Upload { field: "f", file_name: "n", media_type: "a/b", data: b"x" };
        let boundaries: std::collections::HashSet<_> =
            (0..100).map(|_| upload.multipart(&Parameters::new()).expect("random bytes").boundary).collect();
        assert_eq!(boundaries.len(), 100);
    }
}
