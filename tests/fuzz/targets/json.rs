//! A second reader of JSON (RFC 8259), which shares no code with the library's.

/// How a value is written, and what it is.
#[derive(Debug, Clone)]
pub struct Node<'a> {
    /// As it was written, without white space around it.
    pub raw: &'a str,
    pub value: Value<'a>,
}

#[derive(Debug, Clone)]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Number,
    Text(Text),
    Array(Vec<Node<'a>>),
    Object(Vec<(Text, Node<'a>)>),
}

/// A string: UTF-16, because half of a surrogate pair may stand in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Text(Vec<u16>);

impl Text {
    /// The text; `None` if it is not Unicode.
    pub fn strict(&self) -> Option<String> {
        String::from_utf16(&self.0).ok()
    }

    /// Whether it is this text.
    pub fn is(&self, text: &str) -> bool {
        self.0.iter().copied().eq(text.encode_utf16())
    }
}

/// Reads one value; `None` if the text is anything else.
pub fn read(text: &str) -> Option<Node<'_>> {
    let mut reader = Reader { text, at: 0 };
    let node = reader.node(0)?;
    reader.white();
    (reader.at == text.len()).then_some(node)
}

impl<'a> Node<'a> {
    /// An object's members.
    pub fn members(&self) -> Option<&[(Text, Node<'a>)]> {
        match &self.value {
            Value::Object(members) => Some(members),
            _ => None,
        }
    }

    /// The last member of this name.
    pub fn last(&self, name: &str) -> Option<&Node<'a>> {
        self.members()?.iter().rev().find(|member| member.0.is(name)).map(|member| &member.1)
    }

    /// A string, if it is one and Unicode.
    pub fn text(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => text.strict(),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// How many levels of arrays and objects there are; a scalar has none.
    pub fn depth(&self) -> usize {
        match &self.value {
            Value::Array(elements) => 1 + elements.iter().map(Node::depth).max().unwrap_or(0),
            Value::Object(members) => 1 + members.iter().map(|member| member.1.depth()).max().unwrap_or(0),
            _ => 0,
        }
    }
}

/// The members' names, if each is Unicode and stands once.
pub fn names(members: &[(Text, Node<'_>)]) -> Option<Vec<String>> {
    let names = members.iter().map(|member| member.0.strict()).collect::<Option<Vec<_>>>()?;
    let set: std::collections::BTreeSet<_> = names.iter().collect();
    (set.len() == names.len()).then_some(names)
}

/// What the recursion of this reader bears.
const DEEPEST: usize = 1000;

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn white(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| self.at += word.len())
    }

    fn node(&mut self, depth: usize) -> Option<Node<'a>> {
        assert!(depth <= DEEPEST, "too deep for the second reader");
        self.white();
        let begin = self.at;
        let value = match self.peek()? {
            b'n' => self.word("null").map(|()| Value::Null)?,
            b't' => self.word("true").map(|()| Value::Bool(true))?,
            b'f' => self.word("false").map(|()| Value::Bool(false))?,
            b'"' => Value::Text(self.string()?),
            b'[' => self.array(depth)?,
            b'{' => self.object(depth)?,
            _ => self.number()?,
        };
        Some(Node { raw: &self.text[begin..self.at], value })
    }

    fn array(&mut self, depth: usize) -> Option<Value<'a>> {
        self.at += 1;
        let mut elements = Vec::new();
        self.white();
        if self.eat(b']') {
            return Some(Value::Array(elements));
        }
        loop {
            elements.push(self.node(depth + 1)?);
            self.white();
            if self.eat(b']') {
                return Some(Value::Array(elements));
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value<'a>> {
        self.at += 1;
        let mut members = Vec::new();
        self.white();
        if self.eat(b'}') {
            return Some(Value::Object(members));
        }
        loop {
            self.white();
            if self.peek() != Some(b'"') {
                return None;
            }
            let name = self.string()?;
            self.white();
            if !self.eat(b':') {
                return None;
            }
            members.push((name, self.node(depth + 1)?));
            self.white();
            if self.eat(b'}') {
                return Some(Value::Object(members));
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    fn digits(&mut self) -> Option<()> {
        let begin = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > begin).then_some(())
    }

    fn number(&mut self) -> Option<Value<'a>> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Some(Value::Number)
    }

    fn string(&mut self) -> Option<Text> {
        self.at += 1;
        let mut units = Vec::new();
        loop {
            let character = self.text[self.at..].chars().next()?;
            self.at += character.len_utf8();
            match character {
                '"' => return Some(Text(units)),
                '\\' => units.push(self.escape()?),
                '\0'..='\u{1f}' => return None,
                _ => units.extend_from_slice(character.encode_utf16(&mut [0; 2])),
            }
        }
    }

    fn escape(&mut self) -> Option<u16> {
        let byte = self.peek()?;
        self.at += 1;
        Some(match byte {
            b'"' | b'\\' | b'/' => byte.into(),
            b'b' => 8,
            b'f' => 12,
            b'n' => 10,
            b'r' => 13,
            b't' => 9,
            b'u' => {
                let digits = self.text.get(self.at..self.at + 4)?;
                if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return None;
                }
                self.at += 4;
                u16::from_str_radix(digits, 16).ok()?
            }
            _ => return None,
        })
    }
}

/// Whether a text may be nested too deep for the second reader, which is recursive.
pub fn is_deep(text: &[u8]) -> bool {
    text.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > DEEPEST
}
