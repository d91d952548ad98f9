//! The catalogue of the platform's methods: what is known of each, as data.
//!
//! A method that is not in it can be called all the same; it then counts as one that may write.
#![forbid(unsafe_code)]

include!(concat!(env!("OUT_DIR"), "/reading_methods.rs"));

/// The catalogue as JSON: an array of `{name, summary, write, privilege, params}`.
pub const JSON: &str = include_str!("methods.json");

/// Whether the method is known to only read, so that repeating it does no harm.
pub fn only_reads(method: &str) -> bool {
    READING_METHODS.binary_search(&method).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_data_makes_sense() {
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
    fn an_unknown_method_may_write() {
        assert!(only_reads("friends.get"));
        assert!(!only_reads("stream.post"));
        assert!(!only_reads("friends.getNewest"));
    }
}
