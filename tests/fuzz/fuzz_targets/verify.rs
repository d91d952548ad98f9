#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mailru_fuzz::run("verify", bytes));
