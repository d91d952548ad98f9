//! Man pages.

use std::fmt::Write as _;

use crate::header::{Block, Header, Item};
use crate::{Method, summary};

/// The head of a page.
fn page(name: &str, section: u8, version: &str, what: &str) -> String {
    let title = name.to_uppercase();
    format!(
        ".TH {title} {section} \"\" \"libmailru {version}\" \"libmailru\"\n.SH NAME\n{} \\- {}\n",
        escaped(name),
        escaped(what)
    )
}

/// Text that says the same to roff.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

fn verbatim(lines: &[String]) -> String {
    let lines: Vec<_> = lines.iter().map(|line| escaped(line)).collect();
    format!(".PP\n.nf\n.RS 4\n{}\n.RE\n.fi\n", lines.join("\n"))
}

fn body(blocks: &[Block]) -> String {
    let mut page = String::new();
    for block in blocks {
        match block {
            Block::Text(text) => writeln!(page, ".PP\n{}", escaped(text)),
            Block::Term(terms, text) => writeln!(page, ".TP\n.I {}\n{}", escaped(terms), escaped(text)),
            Block::Verbatim(lines) => write!(page, "{}", verbatim(lines)),
        }
        .expect("a string can be written to");
    }
    page
}

/// The page of a function.
pub fn function(function: &Item, version: &str) -> String {
    let mut page = page(&function.name, 3, version, &summary(&function.blocks));
    page.push_str(".SH SYNOPSIS\n.nf\n#include <mailru.h>\n\n");
    for line in function.declaration.lines() {
        page.push_str(&escaped(line));
        page.push('\n');
    }
    page.push_str(".fi\n.SH DESCRIPTION\n");
    page.push_str(&body(&function.blocks));
    page.push_str(".SH SEE ALSO\n.BR libmailru (3),\n.BR mailru (1),\n.BR libmailru\\-methods (7)\n");
    page
}

/// The page of the library.
pub fn overview(header: &Header, version: &str) -> String {
    let mut page = page("libmailru", 3, version, "the Mail.ru platform's REST API for programs in any language");
    page.push_str(
        ".SH SYNOPSIS\n.nf\n#include <mailru.h>\n\ncc first.c $(pkg\\-config \\-\\-cflags \\-\\-libs mailru)\n.fi\n",
    );
    for section in header.sections.iter().filter(|section| !section.title.is_empty()) {
        let _ = write!(page, ".SH \"{}\"\n{}", escaped(&section.title), body(&section.blocks));
    }
    page.push_str(".SH CODES\n");
    for (code, meaning) in &header.codes {
        let _ = writeln!(page, ".TP\n.B {}\n{}", escaped(code), escaped(meaning));
    }
    page.push_str(".SH TYPES\n");
    for item in &header.types {
        let _ = write!(page, ".PP\n.nf\n{}\n.fi\n{}", escaped(&item.declaration), body(&item.blocks));
    }
    page.push_str(".SH FUNCTIONS\n");
    for function in &header.functions {
        let _ = writeln!(page, ".TP\n.BR {} (3)\n{}", escaped(&function.name), escaped(&summary(&function.blocks)));
    }
    page.push_str(".SH SEE ALSO\n.BR mailru (1),\n.BR libmailru\\-methods (7)\n");
    page
}

/// The page of the catalogue.
pub fn methods(methods: &[Method], version: &str) -> String {
    let mut page = page("libmailru-methods", 7, version, "the methods of the Mail.ru platform that are known");
    page.push_str(
        ".SH DESCRIPTION\nAny method can be called with\n.BR mailru_call (3).\nThese are known: what they do, whether they write, and \
         their own parameters. A failed read is repeated where that can help; one that writes only where it was not \
         done.\n.SH METHODS\n",
    );
    for method in methods {
        let _ = writeln!(page, ".SS {}\n{}", escaped(&method.name), escaped(&method.facts));
        for (name, text) in &method.params {
            let _ = writeln!(page, ".TP\n.I {}\n{}", escaped(name), escaped(text));
        }
    }
    page.push_str(".SH SEE ALSO\n.BR libmailru (3),\n.BR mailru (1)\n");
    page
}
