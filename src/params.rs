//! The parameters of a call: converts the host's JSON object to names and texts.
#![forbid(unsafe_code)]

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::error::{Failure, Outcome};
use crate::json::{MAX_DEPTH, Members, Text, members};
use crate::memory::check_room;

/// The names that each signed call sets itself.
const RESERVED: [&str; 6] = ["method", "app_id", "session_key", "secure", "sig", "cb"];

/// Whether a server may read a parameter of this name as one that each signed call sets itself.
///
/// Servers differ: some ignore case, some read `sig[]` or `sig.x` as `sig`, some `app.id` as `app_id`.
pub fn is_reserved(name: &str) -> bool {
    is_read_as(name, &RESERVED)
}

/// Whether a server may read a parameter's name as one of these.
fn is_read_as(name: &str, others: &[&str]) -> bool {
    let up_to = |end: Option<usize>| end.map(|end| &name[..end]);
    let readings = [Some(name), up_to(name.find('[')), up_to(name.find(['[', '.']))];
    others.iter().any(|other| readings.iter().flatten().any(|reading| are_alike(reading, other)))
}

fn are_alike(reading: &str, other: &str) -> bool {
    let matches = |(byte, of_other): (u8, u8)| {
        byte.eq_ignore_ascii_case(&of_other) || of_other == b'_' && matches!(byte, b'.' | b'[')
    };
    reading.len() == other.len() && reading.bytes().zip(other.bytes()).all(matches)
}

/// Parameters in the order in which the host wrote them, each name once, values as they are sent.
pub type Parameters<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The parameters of a received request, each name once. A value that is neither a string nor a number is `None`.
pub type Received<'a> = Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>;

/// Checks a method's name: letters, digits and underscores in parts joined by dots.
pub fn check_method(method: &str) -> Outcome<()> {
    let part = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if method.split('.').all(part) {
        return Ok(());
    }
    Err(Failure::argument("method", "must be letters, digits and underscores joined by dots, such as friends.get"))
}

/// A path below the public address that cannot leave it.
pub fn check_path(path: &str) -> Outcome<()> {
    let segment = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    if path.split('/').all(segment) {
        return Ok(());
    }
    Err(Failure::argument(
        "path",
        "must be segments of letters, digits, '.', '_' and '-' joined by '/', such as mail/nick; none may be '.' or '..'",
    ))
}

/// Reads the parameters of a signed call; `None` means no parameters.
pub fn call_parameters(params_json: Option<&str>) -> Outcome<Parameters<'_>> {
    read(params_json, |name, value| {
        check_name(name)?;
        if is_reserved(name) {
            return Err(Failure::argument(name, "is set by the library; leave it out of params_json"));
        }
        if is_read_as(name, &["format"]) && value.is_some_and(|value| name != "format" || value != "json") {
            return Err(Failure::argument(name, "may only be \"json\": answers are JSON"));
        }
        Ok(())
    })
}

/// Reads the parameters of an unsigned request, which has no reserved names; `None` and the empty string mean no
/// parameters.
pub fn plain_parameters(params_json: Option<&str>) -> Outcome<Parameters<'_>> {
    read(params_json, |_, _| Ok(()))
}

/// Reads parameters and checks each of them, including those that `null` leaves out.
fn read(params_json: Option<&str>, check: impl Fn(&str, Option<&str>) -> Outcome<()>) -> Outcome<Parameters<'_>> {
    let Some(json) = params_json.filter(|json| !json.is_empty()) else { return Ok(Vec::new()) };
    // The parser needs up to three times the length of a string with escapes, and cannot report a failed allocation.
    check_room(json.len().saturating_mul(3), "the parameters")?;
    let members = members("params_json", json)?;
    let mut parameters = Parameters::with_capacity(members.len());
    for (name, raw) in members {
        if name.is_empty() {
            return Err(Failure::argument("params_json", "has a parameter without a name"));
        }
        let value = text(&name, raw)?;
        check(&name, value.as_deref())?;
        if let Some(value) = value {
            parameters.push((name, value));
        }
    }
    Ok(parameters)
}

/// Names are signed without encoding, so a name with `=` could contain another parameter.
fn check_name(name: &str) -> Outcome<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']');
    if name.bytes().all(allowed) {
        return Ok(());
    }
    Err(Failure::argument(name, "is not a valid parameter name; use letters, digits, _, -, ., [ and ]"))
}

/// Reads the parameters of a received request. Values of other types are refused: the host would use something other
/// than the text that was hashed.
pub fn received(params_json: &str) -> Outcome<Received<'_>> {
    let mut fields = Received::new();
    for (name, raw) in members("params_json", params_json)? {
        if name.is_empty() {
            return Err(Failure::argument("params_json", "has a parameter without a name"));
        }
        let value = match raw.get().as_bytes()[0] {
            // A signature that is null means that there is none.
            b'n' if name == "sig" => continue,
            b'"' | b'-' | b'0'..=b'9' => Some(scalar(&name, raw)?),
            _ => None,
        };
        fields.push((name, value));
    }
    Ok(fields)
}

/// The text sent for a JSON value; `None` leaves the parameter out.
fn text<'a>(name: &str, raw: &'a RawValue) -> Outcome<Option<Cow<'a, str>>> {
    let written = raw.get();
    Ok(Some(match written.as_bytes()[0] {
        b'n' => return Ok(None),
        b'[' => match joined(name, raw)? {
            Some(list) => Cow::Owned(list),
            None => Cow::Owned(compact(name, raw)?),
        },
        b'{' => Cow::Owned(compact(name, raw)?),
        _ => scalar(name, raw)?,
    }))
}

/// A string as it is, a number as it was written, a boolean as 1 or 0.
fn scalar<'a>(name: &str, raw: &'a RawValue) -> Outcome<Cow<'a, str>> {
    Ok(match raw.get() {
        "true" => Cow::Borrowed("1"),
        "false" => Cow::Borrowed("0"),
        string if string.starts_with('"') => parse::<Text>(name, raw)?.0,
        number => Cow::Borrowed(number),
    })
}

/// An array of strings, numbers and booleans joined by commas; `None` if it holds anything else.
fn joined(name: &str, raw: &RawValue) -> Outcome<Option<String>> {
    let elements: Vec<&RawValue> = parse(name, raw)?;
    let mut list = String::with_capacity(raw.get().len());
    for (position, element) in elements.iter().enumerate() {
        if matches!(element.get().as_bytes()[0], b'n' | b'[' | b'{') {
            return Ok(None);
        }
        if position > 0 {
            list.push(',');
        }
        list.push_str(&scalar(name, element)?);
    }
    Ok(Some(list))
}

/// A value as JSON without white space, its numbers and strings as they were written.
fn compact(name: &str, raw: &RawValue) -> Outcome<String> {
    let mut json = String::with_capacity(raw.get().len());
    compact_into(&mut json, name, raw, MAX_DEPTH)?;
    Ok(json)
}

fn compact_into(json: &mut String, name: &str, raw: &RawValue, levels: usize) -> Outcome<()> {
    let deeper = || {
        levels
            .checked_sub(1)
            .ok_or_else(|| Failure::argument(name, format!("is nested deeper than {MAX_DEPTH} levels")))
    };
    match raw.get().as_bytes()[0] {
        b'[' => {
            json.push('[');
            for (position, element) in parse::<Vec<&RawValue>>(name, raw)?.into_iter().enumerate() {
                if position > 0 {
                    json.push(',');
                }
                compact_into(json, name, element, deeper()?)?;
            }
            json.push(']');
        }
        b'{' => {
            json.push('{');
            for (position, (key, value)) in parse::<Members>(name, raw)?.0.into_iter().enumerate() {
                if position > 0 {
                    json.push(',');
                }
                json.push_str(&serde_json::Value::from(key).to_string());
                json.push(':');
                compact_into(json, name, value, deeper()?)?;
            }
            json.push('}');
        }
        _ => json.push_str(raw.get()),
    }
    Ok(())
}

fn parse<'a, T: serde::Deserialize<'a>>(name: &str, raw: &'a RawValue) -> Outcome<T> {
    serde_json::from_str(raw.get())
        .map_err(|_| Failure::argument(name, "holds text that is not Unicode, such as half of a surrogate pair"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(json: &str) -> String {
        let parameters = plain_parameters(Some(json)).expect("valid parameters");
        parameters.iter().map(|(name, value)| format!("{name}={value};")).collect()
    }

    #[test]
    fn values_are_sent_as_documented() {
        assert_eq!(
            sent(r#"{"a":"x","b":"","c":0,"d":-1.50e+3,"e":true,"f":false,"g":null}"#),
            "a=x;b=;c=0;d=-1.50e+3;e=1;f=0;"
        );
        assert_eq!(
            sent(r#"{"id":15410773191172635989,"long":0.1000000000000000055511151231257827}"#),
            "id=15410773191172635989;long=0.1000000000000000055511151231257827;"
        );
        assert_eq!(sent(r#"{"l":[1, "two" ,true,false , 4.0],"e":[]}"#), "l=1,two,1,0,4.0;e=;");
        assert_eq!(
            sent(r#"{"o": { "b" : [1.0, null], "a" : "\u0041 " },"n":[ [1] , 2 ]}"#),
            r#"o={"b":[1.0,null],"a":"\u0041 "};n=[[1],2];"#
        );
        assert_eq!(
            sent(r#"{"private":{"$serde_json::private::Number":"1"}}"#),
            r#"private={"$serde_json::private::Number":"1"};"#
        );
        assert_eq!(sent(r#"{"\u0061\u005b\u005d":"\ud83d\ude00"}"#), "a[]=😀;");
        assert_eq!(sent(""), "", "not given");
    }

    #[test]
    fn bad_parameters_are_named() {
        for (json, named) in [
            ("[1]", "params_json"),
            ("{\"a\":1,}", "params_json"),
            (" ", "params_json"),
            (r#"{"":1}"#, "params_json"),
            (r#"{"a":1,"a":2}"#, "a"),
            (r#"{"a":"\ud800"}"#, "a"),
            (r#"{"sig":"x"}"#, "sig"),
            (r#"{"s\u0069g":null,"sig":1}"#, "sig"),
            (r#"{"sig":null}"#, "sig"),
            (r#"{"format":"xml"}"#, "format"),
            (r#"{"FORMAT":"json"}"#, "FORMAT"),
            (r#"{"Sig[x]":1}"#, "Sig[x]"),
            (r#"{"cb.a":1}"#, "cb.a"),
            (r#"{"App.Id[0]":1}"#, "App.Id[0]"),
            (r#"{"session[key":1}"#, "session[key"),
            (r#"{"имя":1}"#, "имя"),
            (r#"{"a=b":1}"#, "a=b"),
        ] {
            let json = call_parameters(Some(json)).expect_err("must be refused").into_json();
            assert!(json.contains(&format!("\"argument\":\"{named}\"")), "{json}");
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
        assert!(call_parameters(Some(&deep)).expect_err("too deep").message().contains("128 levels"));
    }

    #[test]
    fn names_near_a_reserved_one_are_free() {
        let json = r#"{"s.g":1,"si.":1,"signs":1,"m[":1,"form.t":"xml","formats":"x","format":"json"}"#;
        assert_eq!(call_parameters(Some(json)).expect("free").len(), 7);
    }

    #[test]
    fn a_signature_that_is_null_is_none() {
        let fields = received(r#"{"sig":null,"a":null,"b":[1],"c":-1,"d":"x"}"#).expect("an object");
        let texts: Vec<_> = fields.iter().map(|(name, value)| (name.as_ref(), value.as_deref())).collect();
        assert_eq!(texts, [("a", None), ("b", None), ("c", Some("-1")), ("d", Some("x"))]);
    }

    #[test]
    fn many_names_are_checked_for_repetition() {
        let object = |last: &str| {
            let names: String = (0..1000).map(|n| format!("\"p{n}\":{n},")).collect();
            format!("{{{names}\"{last}\":0}}")
        };
        assert_eq!(plain_parameters(Some(&object("last"))).expect("each once").len(), 1001);
        assert!(plain_parameters(Some(&object("p500"))).is_err());
    }

    #[test]
    fn method_names() {
        for good in ["friends.get", "a", "achievements.group_add", "X.y.Z_9"] {
            assert!(check_method(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "a.", ".a", "a..b", "a b", "a/b", "метод", "a&b=c"] {
            assert!(check_method(bad).is_err(), "{bad}");
        }
    }
}
