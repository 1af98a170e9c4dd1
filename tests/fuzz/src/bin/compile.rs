//! Text to environment, under libFuzzer: `cargo xtask fuzz`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        envc_fuzz::check(text);
    }
});
