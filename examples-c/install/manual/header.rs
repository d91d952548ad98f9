//! Reads the header: what its comments say, and of what.

/// A piece of documentation.
pub enum Block {
    /// A paragraph.
    Text(String),
    /// What is said of an argument, or of several.
    Term(String, String),
    /// Lines that stay as they are.
    Verbatim(Vec<String>),
}

/// A part of the manual at the head of the header.
pub struct Section {
    pub title: String,
    pub blocks: Vec<Block>,
}

/// A function, a type or a constant.
pub struct Item {
    pub name: String,
    pub declaration: String,
    pub blocks: Vec<Block>,
}

/// The whole header.
pub struct Header {
    pub sections: Vec<Section>,
    pub codes: Vec<(String, String)>,
    pub types: Vec<Item>,
    pub functions: Vec<Item>,
}

impl Header {
    pub fn read(header: &str) -> Header {
        let header = header.replace("#ifdef __cplusplus\nextern \"C\" {\n#endif // __cplusplus\n", "");
        let mut comments = header.split("/*").skip(1).filter_map(|part| part.split_once("*/"));
        let manual = comments.next().map_or("", |(manual, _)| manual);
        let mut read =
            Header { sections: sections(manual), codes: Vec::new(), types: Vec::new(), functions: Vec::new() };
        for (comment, after) in comments {
            let declaration = after.split("\n\n").next().unwrap_or_default().trim();
            if let Some(definition) = declaration.strip_prefix("#define ") {
                read.codes.push((definition.to_owned(), joined(comment)));
                continue;
            }
            let is_type = declaration.starts_with("typedef");
            let name = if is_type { type_name(declaration) } else { declaration.split('(').next().unwrap_or_default() };
            let name = name.rsplit([' ', '*']).next().unwrap_or_default();
            if !name.starts_with("mailru_") {
                continue;
            }
            let lines: Vec<_> = comment.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
            let item = Item {
                name: name.to_owned(),
                declaration: declaration.to_owned(),
                blocks: blocks(&lines, declaration),
            };
            if is_type { read.types.push(item) } else { read.functions.push(item) }
        }
        read
    }
}

fn type_name(declaration: &str) -> &str {
    match declaration.split_once("(*") {
        Some((_, rest)) => rest.split(')').next().unwrap_or_default(),
        None => declaration.trim_end_matches(';'),
    }
}

fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The parts of the manual: each begins with words in capitals.
fn sections(manual: &str) -> Vec<Section> {
    let lines: Vec<_> = manual.lines().map(|line| line.trim_start().strip_prefix("* ").unwrap_or("")).collect();
    let mut sections = Vec::new();
    let mut title = String::new();
    let mut begin = 0;
    for (at, line) in lines.iter().enumerate().chain([(lines.len(), &"END")]) {
        let capitals: Vec<_> = line.split(' ').take_while(|word| is_capitals(word)).collect();
        let begins = capitals.iter().any(|word| word.len() > 2) && (at == lines.len() || lines[at - 1].is_empty());
        if !begins {
            continue;
        }
        let blocks = blocks(&lines[begin..at], "");
        if !title.is_empty() || !blocks.is_empty() {
            sections.push(Section { title: std::mem::take(&mut title), blocks });
        }
        title = capitals.join(" ");
        // A line that goes on after the capitals is text, too: "OPTIONS of the constructors: ...".
        begin = if title.len() == line.len() { at + 1 } else { at };
    }
    sections
}

fn is_capitals(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|character| character.is_ascii_uppercase())
}

/// Paragraphs, arguments and what is indented.
fn blocks(lines: &[&str], declaration: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut goes_on = false;
    for line in lines {
        if line.trim().is_empty() {
            goes_on = false;
            if let Some(Block::Verbatim(lines)) = blocks.last_mut() {
                lines.push(String::new());
            }
            continue;
        }
        if let Some(indented) = line.strip_prefix("    ") {
            match blocks.last_mut() {
                Some(Block::Verbatim(lines)) => lines.push(indented.to_owned()),
                _ => blocks.push(Block::Verbatim(vec![indented.to_owned()])),
            }
            goes_on = false;
            continue;
        }
        if let Some((terms, text)) = term(line, declaration) {
            blocks.push(Block::Term(terms.to_owned(), text.to_owned()));
        } else if goes_on && !line.starts_with("Returns ") {
            match blocks.last_mut() {
                Some(Block::Text(text) | Block::Term(_, text)) => {
                    text.push(' ');
                    text.push_str(line);
                }
                _ => blocks.push(Block::Text((*line).to_owned())),
            }
        } else {
            blocks.push(Block::Text((*line).to_owned()));
        }
        goes_on = true;
    }
    for block in &mut blocks {
        if let Block::Verbatim(lines) = block {
            while lines.last().is_some_and(String::is_empty) {
                lines.pop();
            }
        }
    }
    blocks
}

/// `app_id, private_key: required` where these are arguments, or `Codes: …`.
fn term<'a>(line: &'a str, declaration: &str) -> Option<(&'a str, &'a str)> {
    let (terms, text) = line.split_once(": ")?;
    let is_argument = |name: &str| {
        let name = name.trim_end_matches(" (mailru_session_on_token)");
        name == "Codes"
            || name == "on_token"
            || declaration.contains(&format!("{name},"))
            || declaration.contains(&format!("{name})"))
    };
    let names = terms.replace(" and the result and the codes", "").replace(" and the result", "");
    let names = names.replace(", the result and the codes", "").replace(" and ", ", ");
    names.split(", ").all(is_argument).then_some((terms, text))
}
