//! One HTML page, which needs nothing but itself.

use std::fmt::Write as _;

use crate::header::{Block, Header, Item};
use crate::{Method, summary};

const STYLE: &str = "body{max-width:60em;margin:2em auto;padding:0 1em;font:16px/1.5 sans-serif}pre{background:#f4f4f4;\
padding:.6em;overflow:auto}dt{font-family:monospace}dd{margin-bottom:.5em}h3{border-top:1px solid #ccc;padding-top:1em}\
nav{columns:2}@media(prefers-color-scheme:dark){body{background:#111;color:#ddd}pre{background:#222}a{color:#8cf}}";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Text in which the names of functions lead to them.
fn linked(text: &str, header: &Header) -> String {
    let mut linked = String::new();
    let mut rest = escaped(text);
    while let Some(at) = rest.find("mailru_") {
        let end = rest[at..].find(|character: char| !character.is_ascii_alphanumeric() && character != '_');
        let end = at + end.unwrap_or(rest.len() - at);
        let name = &rest[at..end];
        linked.push_str(&rest[..at]);
        match header.functions.iter().any(|function| function.name == name) {
            true => drop(write!(linked, "<a href=\"#{name}\">{name}</a>")),
            false => linked.push_str(name),
        }
        rest = rest[end..].to_owned();
    }
    linked + &rest
}

fn body(blocks: &[Block], header: &Header) -> String {
    let mut page = String::new();
    for block in blocks {
        let _ = match block {
            Block::Text(text) => writeln!(page, "<p>{}</p>", linked(text, header)),
            Block::Term(terms, text) => {
                writeln!(page, "<dl><dt>{}</dt><dd>{}</dd></dl>", escaped(terms), linked(text, header))
            }
            Block::Verbatim(lines) => writeln!(page, "<pre>{}</pre>", escaped(&lines.join("\n"))),
        };
    }
    page
}

fn item(item: &Item, header: &Header) -> String {
    let (name, declaration) = (&item.name, escaped(&item.declaration));
    format!("<h3 id=\"{name}\">{name}</h3>\n<pre>{declaration}</pre>\n{}", body(&item.blocks, header))
}

/// The command's page: as much of roff as it is written in.
fn command_page(roff: &str) -> String {
    let mut page = String::new();
    // What the text at hand belongs to, and whether the next line is what is explained.
    let (mut open, mut is_term) = ("", false);
    let close = |page: &mut String, open: &mut &'static str, next: &'static str| {
        let _ = match *open {
            "" => Ok(()),
            tag => writeln!(page, "</{tag}>"),
        };
        let _ = match next {
            "" => Ok(()),
            tag => write!(page, "<{tag}>"),
        };
        *open = next;
    };
    for line in roff.lines() {
        let (request, rest) = line.split_once(' ').unwrap_or((line, ""));
        match request {
            ".TH" | ".RS" | ".RE" => continue,
            ".SH" => {
                close(&mut page, &mut open, "");
                let _ = writeln!(page, "<h3>{}</h3>", text(rest));
                continue;
            }
            ".PP" | ".fi" => close(&mut page, &mut open, "p"),
            ".nf" => close(&mut page, &mut open, "pre"),
            ".TP" => close(&mut page, &mut open, "dt"),
            _ => {
                if open.is_empty() {
                    close(&mut page, &mut open, "p");
                }
                page.push_str(&inline(request, line, rest));
                page.push('\n');
            }
        }
        if is_term {
            close(&mut page, &mut open, "dd");
        }
        is_term = request == ".TP";
    }
    close(&mut page, &mut open, "");
    page.replace("<p></p>\n", "")
}

/// Roff's text without its escapes.
fn text(roff: &str) -> String {
    escaped(&roff.replace("\\-", "-").replace("\\e", "\\").replace("\\&", ""))
}

/// A line of text, or a request for other letters: `.BR` sets words in bold and in roman by turns, and joins them.
fn inline(request: &str, line: &str, rest: &str) -> String {
    let tag = |letter: u8, word: &str| match letter {
        b'B' => format!("<b>{word}</b>"),
        b'I' => format!("<i>{word}</i>"),
        _ => word.to_owned(),
    };
    match request.as_bytes() {
        [b'.', letter] => tag(*letter, &text(rest)),
        [b'.', one, other] => {
            let words = rest.split(' ').zip([*one, *other].into_iter().cycle());
            words.map(|(word, letter)| tag(letter, &text(word))).collect()
        }
        _ => text(line),
    }
}

/// The whole manual.
pub fn page(header: &Header, methods: &[Method], command: &str, version: &str) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>libmailru {version}</title>\
         <style>{STYLE}</style></head><body>\n<h1>libmailru {version}</h1>\n<p>The Mail.ru platform's REST API for \
         programs in any language.</p>\n<p><a href=\"#manual\">Manual</a> · <a href=\"#codes\">Codes</a> · \
         <a href=\"#functions\">Functions</a> · <a href=\"#methods\">Methods of the platform</a> · \
         <a href=\"#command\">The command mailru</a></p>\n<h2 id=\"manual\">Manual</h2>\n"
    );
    for section in header.sections.iter().filter(|section| !section.title.is_empty()) {
        let _ = write!(page, "<h3>{}</h3>\n{}", escaped(&section.title), body(&section.blocks, header));
    }
    page.push_str("<h2 id=\"codes\">Codes</h2>\n<dl>\n");
    for (code, meaning) in &header.codes {
        let _ = writeln!(page, "<dt>{}</dt><dd>{}</dd>", escaped(code), linked(meaning, header));
    }
    page.push_str("</dl>\n<h2>Types</h2>\n");
    header.types.iter().for_each(|it| page.push_str(&item(it, header)));
    page.push_str("<h2 id=\"functions\">Functions</h2>\n<nav><dl>\n");
    for function in &header.functions {
        let (name, what) = (&function.name, escaped(&summary(&function.blocks)));
        let _ = writeln!(page, "<dt><a href=\"#{name}\">{name}</a></dt><dd>{what}</dd>");
    }
    page.push_str("</dl></nav>\n");
    header.functions.iter().for_each(|it| page.push_str(&item(it, header)));
    page.push_str("<h2 id=\"methods\">Methods of the platform</h2>\n");
    for method in methods {
        let _ = writeln!(page, "<h3>{}</h3>\n<p>{}</p>\n<dl>", escaped(&method.name), escaped(&method.facts));
        for (name, text) in &method.params {
            let _ = writeln!(page, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(text));
        }
        page.push_str("</dl>\n");
    }
    let _ = write!(page, "<h2 id=\"command\">The command mailru</h2>\n{}", command_page(command));
    page.push_str("</body></html>\n");
    page
}
