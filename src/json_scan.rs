//! Checks a JSON text in one pass and without allocating: RFC 8259's grammar and a depth limit.
//!
//! When serde_json skips values, it has no depth limit and refuses half of a surrogate pair in names, which the grammar
//! allows. A server's answer must reach the host whatever its strings contain.
#![forbid(unsafe_code)]

use crate::json::MAX_DEPTH;

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
    pub found: Option<&'a [u8]>,
}

/// Checks a text and finds a member of its outermost object. UTF-8 is not checked.
pub fn outline<'a>(json: &'a [u8], name: &str) -> Result<Outline<'a>, Flaw> {
    let mut scan = Scan { json, at: 0, name, is_wanted: false, outline: Outline { members: None, found: None } };
    scan.run()?;
    Ok(scan.outline)
}

struct Scan<'a, 'n> {
    json: &'a [u8],
    at: usize,
    name: &'n str,
    /// Whether the current member of the outermost object has the wanted name.
    is_wanted: bool,
    outline: Outline<'a>,
}

/// One bit for each open container: 1 for an object.
const _: () = assert!(MAX_DEPTH <= u128::BITS as usize);

impl Scan<'_, '_> {
    fn run(&mut self) -> Result<(), Flaw> {
        let (mut open, mut depth): (u128, usize) = (0, 0);
        let mut begun = 0;
        self.skip_white();
        loop {
            if depth == 1 {
                begun = self.at;
            }
            match self.peek()? {
                opening @ (b'{' | b'[') => {
                    let is_object = opening == b'{';
                    if depth == MAX_DEPTH {
                        return Err(Flaw::TooDeep);
                    }
                    self.at += 1;
                    self.skip_white();
                    if depth == 0 && is_object {
                        self.outline.members = Some(0);
                    }
                    if self.peek()? == if is_object { b'}' } else { b']' } {
                        self.at += 1;
                    } else {
                        depth += 1;
                        open = open << 1 | u128::from(is_object);
                        if is_object {
                            self.name(depth)?;
                        }
                        continue;
                    }
                }
                b'"' => self.string()?,
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.word(b"true")?,
                b'f' => self.word(b"false")?,
                b'n' => self.word(b"null")?,
                _ => return Err(Flaw::NotJson),
            }
            // After a value, close the containers that end here.
            loop {
                if depth == 1 && self.is_wanted {
                    self.outline.found = Some(&self.json[begun..self.at]);
                }
                self.skip_white();
                if depth == 0 {
                    return if self.at == self.json.len() { Ok(()) } else { Err(Flaw::NotJson) };
                }
                let is_object = open & 1 == 1;
                let next = self.peek()?;
                self.at += 1;
                match next {
                    b',' => {
                        self.skip_white();
                        if is_object {
                            self.name(depth)?;
                        }
                        break;
                    }
                    b'}' if is_object => {}
                    b']' if !is_object => {}
                    _ => return Err(Flaw::NotJson),
                }
                depth -= 1;
                open >>= 1;
            }
        }
    }

    /// A member's name and its colon.
    fn name(&mut self, depth: usize) -> Result<(), Flaw> {
        let begin = self.at;
        if self.peek()? != b'"' {
            return Err(Flaw::NotJson);
        }
        self.string()?;
        if depth == 1 {
            self.outline.members = self.outline.members.map(|members| members + 1);
            self.is_wanted = is_name(&self.json[begin..self.at], self.name);
        }
        self.skip_white();
        if self.peek()? != b':' {
            return Err(Flaw::NotJson);
        }
        self.at += 1;
        self.skip_white();
        Ok(())
    }

    fn string(&mut self) -> Result<(), Flaw> {
        self.at += 1;
        loop {
            self.skip_plain();
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.at += self.escape()?,
                0..0x20 => return Err(Flaw::NotJson),
                _ => self.at += 1,
            }
        }
    }

    /// The length of an escape. Half of a surrogate pair is valid, as in RFC 8259.
    fn escape(&self) -> Result<usize, Flaw> {
        match self.json.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(2),
            Some(b'u') => {
                let digits = self.json.get(self.at + 2..self.at + 6).ok_or(Flaw::NotJson)?;
                if digits.iter().all(u8::is_ascii_hexdigit) { Ok(6) } else { Err(Flaw::NotJson) }
            }
            _ => Err(Flaw::NotJson),
        }
    }

    /// Skips eight bytes at a time while none of them ends the string or begins an escape.
    fn skip_plain(&mut self) {
        while let Some(word) = self.json.get(self.at..).and_then(|rest| rest.first_chunk()) {
            match special_bytes(u64::from_le_bytes(*word)) {
                0 => self.at += 8,
                special => {
                    self.at += (special.trailing_zeros() / 8) as usize;
                    return;
                }
            }
        }
    }

    fn number(&mut self) -> Result<(), Flaw> {
        if self.json[self.at] == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1
        } else {
            self.digits()?
        }
        if self.json.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.json.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.json.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Flaw> {
        let begin = self.at;
        while self.json.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if self.at > begin { Ok(()) } else { Err(Flaw::NotJson) }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Flaw> {
        if !self.json[self.at..].starts_with(word) {
            return Err(Flaw::NotJson);
        }
        self.at += word.len();
        Ok(())
    }

    fn skip_white(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.json.get(self.at) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Result<u8, Flaw> {
        self.json.get(self.at).copied().ok_or(Flaw::NotJson)
    }
}

/// Sets the highest bit of each byte that is a quotation mark, a backslash or a control character. The lowest marked
/// byte is exact; bytes above it may be marked wrongly.
fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let zero = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    let quote = zero(word ^ (ONES * b'"' as u64));
    let backslash = zero(word ^ (ONES * b'\\' as u64));
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    (quote | backslash | control) & HIGH
}

/// Whether a JSON string, with its quotation marks, equals this name after decoding its escapes.
fn is_name(written: &[u8], name: &str) -> bool {
    let inner = &written[1..written.len() - 1];
    inner == name.as_bytes()
        || (inner.contains(&b'\\') && serde_json::from_slice::<String>(written).is_ok_and(|spelled| spelled == name))
}

#[cfg(test)]
mod tests {
    use serde::de::IgnoredAny;

    use super::*;

    fn check(json: &[u8]) -> Result<(), Flaw> {
        outline(json, "error").map(|_| ())
    }

    #[test]
    fn a_member_is_found_with_any_escapes() {
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
            let outline = outline(json.as_bytes(), "error").expect(json);
            assert_eq!(outline.members, Some(members), "{json}");
            assert_eq!(outline.found.map(|found| std::str::from_utf8(found).expect("UTF-8")), found, "{json}");
        }
        for json in [r#"[{"error":1}]"#, "\"error\"", "null", "[]", "1"] {
            assert_eq!(outline(json.as_bytes(), "error"), Ok(Outline { members: None, found: None }), "{json}");
        }
    }

    #[test]
    fn depth_is_limited_in_every_place() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"\\ud800\":", "}]")] {
            let levels = |count: usize| format!("{}1{}", open.repeat(count), close.repeat(count)).into_bytes();
            let most = MAX_DEPTH / close.len();
            assert_eq!(check(&levels(most)), Ok(()));
            assert_eq!(check(&levels(most + 1)), Err(Flaw::TooDeep));
            assert_eq!(check(&levels(100_000)), Err(Flaw::TooDeep));
        }
        assert_eq!(check(format!("[{:?}]", "[".repeat(1000)).as_bytes()), Ok(()), "brackets in a string");
    }

    /// Texts that differ from valid ones by a byte or two; serde_json, made to skip the names, must agree.
    #[test]
    fn it_agrees_with_serde_json() {
        let seeds = [
            r#"{"a":[1,-0.5e+10,true,false,null,"\u00e9\n\"\\"],"b":{"c":{}},"d":[]}"#,
            r#" [ "abcdefgh" , 0 , 10.25 , { "x" : "12345678\u1234abcdefgh\t" } ] "#,
            "[\"привет 😀\",1E5,-1,0.0,[[],[{}]]]",
        ];
        let alphabet = b"{}[]:,\"\\ \t\n\r0123456789-+.eEtrufalsn\x00\x1f/bu\x7f'";
        let mut state = 1_u64;
        let mut chance = |below: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % below
        };
        let mut accepted = 0;
        for round in 0..200_000 {
            let mut text = seeds[round % seeds.len()].as_bytes().to_vec();
            for _ in 0..1 + chance(3) {
                let at = chance(text.len().max(2) - 1);
                match chance(4) {
                    0 if text.len() > 2 => drop(text.remove(at)),
                    1 => text.insert(at, alphabet[chance(alphabet.len())]),
                    2 => text[at] = alphabet[chance(alphabet.len())],
                    _ => text.truncate(at.max(2)),
                }
            }
            let Ok(text) = String::from_utf8(text) else { continue };
            let expected = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            assert_eq!(check(text.as_bytes()).is_ok(), expected, "{text:?}");
            accepted += usize::from(expected);
        }
        assert!(accepted > 1000, "{accepted} texts were valid");
    }
}
