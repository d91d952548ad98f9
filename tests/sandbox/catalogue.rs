//! The methods of the platform: which parameters they need, which privilege, whether they write.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Deserialize)]
pub struct Method {
    name: String,
    pub write: bool,
    pub privilege: Option<String>,
    pub params: Vec<Param>,
}

#[derive(Deserialize)]
pub struct Param {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    pub required: bool,
}

static METHODS: LazyLock<HashMap<String, Method>> = LazyLock::new(|| {
    let methods: Vec<Method> =
        serde_json::from_str(include_str!("../../src/catalogue/methods.json")).expect("the catalogue is well-formed");
    methods.into_iter().map(|method| (method.name.clone(), method)).collect()
});

pub fn find(name: &str) -> Option<&'static Method> {
    METHODS.get(name)
}

/// Every name, for tests that walk the catalogue.
#[cfg(test)]
pub fn names() -> impl Iterator<Item = &'static str> {
    METHODS.keys().map(String::as_str)
}
