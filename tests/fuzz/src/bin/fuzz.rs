//! The targets under libFuzzer: `cargo xtask fuzz`, which names the one to try in `ENVC_FUZZ`.
#![no_main]
#![expect(clippy::expect_used, reason = "a fuzzer without a target has nothing to do")]

use std::sync::LazyLock;

static TARGET: LazyLock<&'static envc_fuzz::Target> = LazyLock::new(|| {
    let name = std::env::var("ENVC_FUZZ").unwrap_or_default();
    envc_fuzz::target(&name).expect("ENVC_FUZZ names a target")
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (TARGET.check)(data));
