//! The fuzzer: libFuzzer over the compiler, on stable Rust.
//!
//! The coverage that guides it is LLVM's own pass, which needs no nightly compiler; the sanitizers,
//! which do, look for what safe Rust rules out.

use std::{fs, process::Command};

use crate::run::{Done, Failure, command, output, root, run};

/// Counters at every edge of the code and the operands of every comparison, and what only debug
/// builds check.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1";
/// Bytes of a text that is tried; more makes it slow and shows nothing new.
const BYTES_MAX: &str = "4096";
/// Seconds after which a text hangs.
const HANGS_AFTER: &str = "10";
/// Where texts are kept, from the root.
const FOUND: &str = "target/fuzz/found";
const CORPUS: &str = "tests/fuzz/corpus";

/// Tries texts for so many seconds, beginning with the specs of the repository and the corpus.
pub(crate) fn fuzz(seconds: u32) -> Done {
    let mut fuzzer = build()?;
    let seconds = format!("-max_total_time={seconds}");
    run(fuzzer.args([seconds.as_str(), FOUND, CORPUS, "specs"]))
}

/// Takes what makes a difference into the corpus, as few and as short texts as possible.
pub(crate) fn keep() -> Done {
    let mut fuzzer = build()?;
    // Edges alone, without how often each was passed, by as few texts as cover them.
    run(fuzzer.args(["-set_cover_merge=1", "-use_counters=0", CORPUS, FOUND]))
}

/// The fuzzer, with the arguments that it always has.
fn build() -> Result<Command, Failure> {
    let version = output(&mut command("rustc", &["-vV"])?)?;
    let version = String::from_utf8_lossy(&version);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Failure::task("rustc does not say for which machine it is"))?;
    let root = root()?;
    fs::create_dir_all(root.join(FOUND))
        .map_err(|error| Failure::task(format!("{FOUND} cannot be made: {error}")))?;
    // With a target named, build scripts are compiled without the flags.
    let mut cargo = command(
        "cargo",
        &["build", "--release", "--package", "envc-fuzz", "--features", "libfuzzer"],
    )?;
    cargo.args(["--target", host, "--target-dir", "target/fuzz"]);
    cargo.env("RUSTFLAGS", FLAGS).env("CARGO_PROFILE_RELEASE_LTO", "off");
    run(&mut cargo)?;
    let program = root.join(format!("target/fuzz/{host}/release/compile"));
    let mut fuzzer = command(&program.to_string_lossy(), &["-dict=tests/fuzz/words.dict"])?;
    fuzzer.arg(format!("-max_len={BYTES_MAX}")).arg(format!("-timeout={HANGS_AFTER}"));
    fuzzer.args(["-use_value_profile=0", "-print_final_stats=1", "-artifact_prefix=target/fuzz/"]);
    Ok(fuzzer)
}
