//! The script of a server: bytes to send, and actions between them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// One step of a server.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Sends bytes.
    Bytes(Vec<u8>),
    /// Waits this number of milliseconds.
    Pause(u64),
    /// Closes the connection; over TLS without close_notify.
    Fin,
    /// Closes the connection over TLS with close_notify.
    CloseNotify,
    /// Resets the connection.
    Rst,
    /// Sends nothing more, and keeps the connection open.
    Silent,
    /// Answers before the request's body was read, and reads no more of it. Must be the first step.
    Early,
    /// The following steps are for the next request.
    Next,
}

/// Reads a script: bytes with the escapes `\r \n \t \0 \\ \xHH`, and steps between `<` and `>`.
pub fn parse(text: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        match character {
            '<' => {
                let end = closing(rest);
                for step in directive(&rest[1..end]) {
                    push(&mut steps, step);
                }
                rest = &rest[end + 1..];
            }
            '\\' => {
                let (byte, length) = escape(rest);
                push(&mut steps, Step::Bytes(vec![byte]));
                rest = &rest[length..];
            }
            _ => {
                let length = character.len_utf8();
                push(&mut steps, Step::Bytes(rest.as_bytes()[..length].to_vec()));
                rest = &rest[length..];
            }
        }
    }
    steps
}

fn push(steps: &mut Vec<Step>, step: Step) {
    match (steps.last_mut(), step) {
        (Some(Step::Bytes(previous)), Step::Bytes(more)) => previous.extend(more),
        (_, step) => steps.push(step),
    }
}

/// The end of the step at the beginning of the text.
fn closing(text: &str) -> usize {
    let mut depth = 0;
    for (at, character) in text.char_indices() {
        match character {
            '<' => depth += 1,
            '>' if depth == 1 => return at,
            '>' => depth -= 1,
            _ => {}
        }
    }
    panic!("{text}: a step is not closed");
}

fn escape(text: &str) -> (u8, usize) {
    match text.as_bytes()[1] {
        b'r' => (b'\r', 2),
        b'n' => (b'\n', 2),
        b't' => (b'\t', 2),
        b'0' => (0, 2),
        b'\\' => (b'\\', 2),
        b'x' => (u8::from_str_radix(&text[2..4], 16).expect("two digits"), 4),
        _ => panic!("{text}: no such escape"),
    }
}

fn directive(text: &str) -> Vec<Step> {
    let (name, argument) = text.split_once(':').unwrap_or((text, ""));
    let bytes = |text: String| vec![Step::Bytes(text.into_bytes())];
    match name {
        "fin" => vec![Step::Fin],
        "notify" => vec![Step::CloseNotify],
        "rst" => vec![Step::Rst],
        "silent" => vec![Step::Silent],
        "early" => vec![Step::Early],
        "next" => vec![Step::Next],
        "ms" => vec![Step::Pause(argument.parse().expect("milliseconds"))],
        "gzip" => vec![Step::Bytes(zipped(&flat(argument)))],
        "cut" => {
            let (length, text) = argument.split_once(':').expect("a length");
            let mut bytes = flat(text);
            bytes.truncate(length.parse().expect("a number"));
            vec![Step::Bytes(bytes)]
        }
        "repeat" => {
            let (times, text) = argument.split_once(':').expect("a number");
            vec![Step::Bytes(flat(text).repeat(times.parse().expect("a number")))]
        }
        // The end of a head, with the length of the body that follows.
        "body" => {
            let body = flat(argument);
            let mut all = format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes();
            all.extend(body);
            vec![Step::Bytes(all)]
        }
        "chunk" => {
            let body = flat(argument);
            let mut all = format!("{:x}\r\n", body.len()).into_bytes();
            all.extend(body);
            all.extend(b"\r\n");
            vec![Step::Bytes(all)]
        }
        "chunked" => bytes("Transfer-Encoding: chunked\r\n\r\n".into()),
        "ok" => bytes("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[\"\"]".into()),
        status if status.parse::<u16>().is_ok() => bytes(format!("HTTP/1.1 {status} Text\r\n")),
        _ => panic!("{name}: no such step"),
    }
}

/// The bytes of a text without other steps.
pub fn flat(text: &str) -> Vec<u8> {
    match parse(text).as_slice() {
        [] => Vec::new(),
        [Step::Bytes(bytes)] => bytes.clone(),
        steps => panic!("{steps:?}: only bytes can stand here"),
    }
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}
