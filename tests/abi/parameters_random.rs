//! A thousand calls with random names and values: the sandbox accepts each signature and receives each value unchanged.

use fastrand::Rng;
use serde_json::{Map, Value};

use crate::support::*;

const CALLS: usize = 1000;

/// Names with a meaning for the library, the sandbox or its answers.
const TAKEN: [&str; 9] = ["method", "app_id", "session_key", "secure", "sig", "cb", "format", "uid", "error"];

/// The characters of parameter names.
const NAME: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.[]";

/// A random Unicode character, most often one that is prone to errors.
fn character(random: &mut Rng) -> char {
    match random.u8(..10) {
        0 => *random
            .choice(
                "&=+%?#/\\\"',;: []{}<>~|^`\t\n\r\0\u{7f}\u{85}\u{a0}\u{feff}\u{2028}"
                    .chars()
                    .collect::<Vec<_>>()
                    .iter(),
            )
            .unwrap(),
        1..=3 => random.char('!'..='~'),
        4..=6 => random.char('Ѐ'..='ӿ'),
        7 => random.char('\u{1f300}'..='\u{1faff}'),
        _ => random.char(..),
    }
}

pub fn text(random: &mut Rng, longest: usize) -> String {
    let length = random.usize(..=longest);
    (0..length).map(|_| character(random)).collect()
}

/// A JSON string, each character in a random one of its JSON forms.
fn literal(random: &mut Rng, text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        let must = matches!(character, '"' | '\\' | '\0'..='\u{1f}');
        if must || random.u8(..8) == 0 {
            let units = character.encode_utf16(&mut [0; 2]).to_vec();
            units.iter().for_each(|unit| json.push_str(&format!("\\u{unit:04x}")));
        } else {
            json.push(character);
        }
    }
    json + "\""
}

/// A JSON number, perhaps with more digits than any machine type has.
fn number(random: &mut Rng) -> String {
    let digits =
        |random: &mut Rng, most: usize| -> String { (0..random.usize(1..=most)).map(|_| random.digit(10)).collect() };
    let mut number = String::from(if random.bool() { "-" } else { "" });
    match random.bool() {
        true => number.push('0'),
        false => number.extend([random.char('1'..='9').to_string(), digits(random, 30)]),
    }
    if random.u8(..3) == 0 {
        number.extend([".".to_owned(), digits(random, 40)]);
    }
    if random.u8(..4) == 0 {
        number.extend([*random.choice(&["e", "E", "e+", "E-"]).unwrap(), &digits(random, 3)]);
    }
    number
}

/// White space between the parts of JSON, which must not be sent.
fn space(random: &mut Rng) -> &'static str {
    random.choice(&["", "", "", " ", "\n", "\t\r ", "  "]).unwrap()
}

/// A value as JSON with and without white space.
fn nested(random: &mut Rng, levels: u8) -> (String, String) {
    let kind = random.u8(..if levels == 0 { 5 } else { 7 });
    let scalar = match kind {
        0 | 1 => {
            let text = text(random, 5);
            literal(random, &text)
        }
        2 => number(random),
        3 => random.bool().to_string(),
        _ => "null".to_owned(),
    };
    if kind < 5 {
        return (scalar.clone(), scalar);
    }
    let (open, close) = if kind == 5 { ("[", "]") } else { ("{", "}") };
    let (mut spaced, mut compact) = (open.to_owned(), open.to_owned());
    for position in 0..random.usize(..4) {
        if position > 0 {
            spaced.extend([space(random), ","]);
            compact.push(',');
        }
        if kind == 6 {
            // Written without escapes, so that its compact form is the same.
            let name = format!("\"{}я&\"", random.alphanumeric());
            spaced.extend([space(random), &name, space(random), ":"]);
            compact.extend([&*name, ":"]);
        }
        let (one, other) = nested(random, levels - 1);
        spaced.extend([space(random), &one]);
        compact.push_str(&other);
    }
    spaced.extend([space(random), close]);
    (spaced, compact + close)
}

/// A value as JSON, and the text that is sent for it; `None` means that nothing is sent.
fn value(random: &mut Rng) -> (String, Option<String>) {
    match random.u8(..8) {
        0..=2 => {
            let longest = *random.choice(&[0, 10, 40, 300]).unwrap();
            let text = text(random, longest);
            (literal(random, &text), Some(text))
        }
        3 => {
            let number = number(random);
            (number.clone(), Some(number))
        }
        4 => {
            let (json, sent) = boolean(random);
            (json, Some(sent))
        }
        5 => ("null".into(), None),
        6 => {
            let (mut json, mut sent) = (Vec::new(), Vec::new());
            for _ in 0..random.usize(..6) {
                let (element, element_sent) = element(random);
                json.push(format!("{}{element}{}", space(random), space(random)));
                sent.push(element_sent);
            }
            (format!("[{}]", json.join(",")), Some(sent.join(",")))
        }
        _ => {
            let (spaced, compact) = nested(random, 3);
            match compact.as_bytes()[0] {
                // Arrays of scalars are joined; that case is above.
                b'{' => (spaced, Some(compact)),
                _ => (format!("[{spaced},{{}}]"), Some(format!("[{compact},{{}}]"))),
            }
        }
    }
}

/// An element of a list that is joined by commas.
fn element(random: &mut Rng) -> (String, String) {
    match random.u8(..3) {
        0 => {
            let text = text(random, 8);
            (literal(random, &text), text)
        }
        1 => {
            let number = number(random);
            (number.clone(), number)
        }
        _ => boolean(random),
    }
}

fn boolean(random: &mut Rng) -> (String, String) {
    let (json, sent) = if random.bool() { ("true", "1") } else { ("false", "0") };
    (json.to_owned(), sent.to_owned())
}

/// An object of parameters, and the parameters received for it.
pub fn parameters(random: &mut Rng) -> (String, Map<String, Value>) {
    let (mut members, mut expected, mut names) = (Vec::new(), Map::new(), Vec::new());
    for _ in 0..random.usize(..8) {
        let name: String =
            (0..random.usize(1..=12)).filter_map(|_| random.choice(NAME.chars().collect::<Vec<_>>())).collect();
        let front = name.split(['[', '.']).next().unwrap_or_default().to_lowercase();
        if TAKEN.contains(&&*front) || names.contains(&name) {
            continue;
        }
        let (json, sent) = value(random);
        let written = literal(random, &name);
        members.push([space(random), &written, space(random), ":", space(random), &json, space(random)].concat());
        if let Some(sent) = sent {
            expected.insert(name.clone(), sent.into());
        }
        names.push(name);
    }
    ([space(random), "{", &members.join(","), "}", space(random)].concat(), expected)
}

#[test]
fn a_thousand_calls_of_any_parameters_are_received_as_given() {
    let seed = std::env::var("MAILRU_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(fastrand::u64(..));
    println!("MAILRU_TEST_SEED={seed} repeats this run");
    let sandbox = Sandbox::start();
    sandbox.post("settings", serde_json::json!({ "record": false }));
    let options = sandbox.options(serde_json::json!({}));
    let sessions = [client(&options), server(&options)];
    let mut random = Rng::with_seed(seed);
    for number in 0..CALLS {
        let (params, mut expected) = parameters(&mut random);
        expected.extend(
            [("app_id", APP_ID), ("method", "sandbox.echo"), ("session_key", SESSION_KEY)]
                .map(|it| (it.0.into(), it.1.into())),
        );
        let session = number % 2;
        if session == 1 {
            expected.insert("secure".into(), "1".into());
        }
        let answer = sessions[session].call("sandbox.echo", &*params);
        assert_eq!(answer.name(), "MAILRU_OK", "seed {seed}, call {number}: {params}\n{}", answer.json);
        assert_eq!(answer.value(), Value::Object(expected), "seed {seed}, call {number}: {params}");
    }
}
