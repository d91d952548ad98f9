//! Any text as a query of any kind: nothing passes that was not signed, and of what was signed nothing but the parameters
//! as a second reader reads them.

use super::host::md5;
use super::json::{self, Node};
use super::oracle;
use super::redirect::decoded;

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if text.contains('\0') {
        return;
    }
    for kind in ["payment", "launch", "cookie", "launch_by_key"] {
        // The key is not in the text, so nothing in it can be signed.
        assert_eq!(oracle::passes(kind, text), None, "{kind}");
    }
    let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decoded(name)?, decoded(value)?))
    });
    let Some(mut pairs) = pairs.collect::<Option<Vec<_>>>() else { return };
    pairs.sort();
    let whole: String = pairs.iter().flat_map(|(name, value)| [name, "=", value]).collect();
    let signed = format!("{text}&sig={}", md5(&[&whole, oracle::KEY]));
    let mut passed = 0;
    for kind in oracle::SIGNED {
        let Some(answer) = oracle::passes(kind, &signed) else { continue };
        passed += 1;
        let answer = json::read(&answer).expect("JSON");
        let params = answer.last("params").and_then(Node::members).expect("an object");
        let read = |(name, value): &(json::Text, Node<'_>)| (name.strict().expect("text"), value.text().expect("text"));
        let mut params: Vec<_> = params.iter().map(read).filter(|pair| pair.0 != "sig").collect();
        params.sort();
        // A launch may have parameters of the application's own, which are not signed and so change the signature.
        assert_eq!(params, pairs, "{kind} {signed}");
    }
    assert!(passed < 2, "two kinds pass: {signed}");
}
