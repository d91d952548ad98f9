//! The catalogues of the platform's known methods and errors.
//!
//! A method that is not in the catalogue can be called too; it counts as one that writes.
#![forbid(unsafe_code)]

include!(concat!(env!("OUT_DIR"), "/catalogues.rs"));

/// The catalogue as JSON: an array of `{name, summary, write, privilege, params}`.
pub const JSON: &str = include_str!("methods.json");

/// The platform's errors as JSON: an array of `{code, meaning, transient, advice}`.
pub const ERRORS_JSON: &str = include_str!("errors.json");

/// Whether a platform error is transient; an unknown one is not.
pub fn is_transient(error_code: i64) -> bool {
    PLATFORM_ERRORS.iter().any(|(code, transient, _)| *code == error_code && *transient)
}

/// The meaning of a platform error, if it is known.
pub fn meaning(error_code: i64) -> Option<&'static str> {
    PLATFORM_ERRORS.iter().find(|(code, ..)| *code == error_code).map(|(.., meaning)| *meaning)
}

/// Whether the method is known only to read, so that a retry is harmless.
pub fn only_reads(method: &str) -> bool {
    READING_METHODS.binary_search(&method).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_methods_are_consistent() {
        let catalogue: Vec<Value> = serde_json::from_str(JSON).expect("an array of objects");
        let mut names = Vec::new();
        for method in &catalogue {
            let name = method["name"].as_str().expect("a name");
            names.push(name);
            assert!(crate::params::check_method(name).is_ok(), "{name}");
            assert!(!method["summary"].as_str().expect("a summary").is_empty(), "{name}");
            assert!(method["privilege"].is_null() || method["privilege"].is_string(), "{name}");
            assert_eq!(only_reads(name), !method["write"].as_bool().expect("write or not"), "{name}");
            for parameter in method["params"].as_array().expect("parameters") {
                let kind = parameter["type"].as_str().expect("a type");
                assert!(["string", "int", "uint64", "file"].contains(&kind), "{name}: {kind}");
                assert!(
                    parameter["name"].is_string()
                        && parameter["summary"].is_string()
                        && parameter["required"].is_boolean(),
                    "{name}"
                );
            }
        }
        assert!(names.is_sorted_by(|one, other| one < other), "sorted, each once");
        assert_eq!(catalogue.len(), 58);
    }

    #[test]
    fn the_errors_are_consistent() {
        let errors: Vec<Value> = serde_json::from_str(ERRORS_JSON).expect("an array of objects");
        let codes: Vec<_> = errors.iter().map(|error| error["code"].as_i64().expect("a code")).collect();
        assert!(codes.is_sorted_by(|one, other| one < other), "sorted, each once");
        for error in &errors {
            let code = error["code"].as_i64().expect("a code");
            assert_eq!(error["transient"], is_transient(code), "{code}");
            assert_eq!(error["meaning"].as_str(), meaning(code), "{code}");
            assert!(error["advice"].as_str().is_some_and(|advice| advice.ends_with('.')), "{code}");
            assert_eq!(error.as_object().map(serde_json::Map::len), Some(4), "{code}");
        }
        assert!(
            is_transient(3) && !is_transient(104) && !is_transient(0) && !is_transient(-20) && meaning(7).is_none()
        );
    }

    #[test]
    fn an_unknown_method_counts_as_writing() {
        assert!(only_reads("friends.get"));
        assert!(!only_reads("stream.post"));
        assert!(!only_reads("friends.getNewest"));
    }
}
