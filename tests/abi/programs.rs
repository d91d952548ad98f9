//! x
/// y
pub fn skip(what: &str, why: &str) {
    assert!(std::env::var("MAILRU_REQUIRE_HOSTS").as_deref() != Ok("all"), "{what}: {why}");
    println!("skipped: {what}: {why}");
}
