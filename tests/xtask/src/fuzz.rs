//! The fuzzer: libFuzzer over whatever reads texts from elsewhere, on stable Rust. Its targets are the
//! folders of the corpus.
//!
//! The coverage that guides it is LLVM's own pass, which needs no nightly compiler; the sanitizers,
//! which do, look for what safe Rust rules out.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use crate::run::{Done, Failure, command, output, root, run, say};

/// Counters at every edge of the code and the operands of every comparison, and what only debug
/// builds check.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1";
/// Fewest bytes that the longest text which is tried may have. A target tries none longer than the longest
/// of its corpus: more makes it slow and shows nothing new.
const BYTES_MAX: u64 = 4096;
/// Seconds after which a text hangs.
const HANGS_AFTER: &str = "10";
/// Megabytes with which a text takes too much memory.
const MEMORY_MB_MAX: &str = "1024";
/// Seconds where nobody says how many.
const SECONDS: u32 = 60;
/// The word for all targets.
const ALL: &str = "all";
/// Where texts are kept, from the root: a folder for each target.
const FOUND: &str = "target/fuzz/found";
const CORPUS: &str = "tests/fuzz/corpus";
/// The words of the languages, a file for each target that has some.
const WORDS: &str = "tests/fuzz/words";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked<'a> {
    /// Texts for so many seconds in all of these targets together.
    Try(Vec<&'a str>, u32),
    /// What was found for these is to be kept.
    Keep(Vec<&'a str>),
}

/// Does what the words after `fuzz` ask for.
pub(crate) fn fuzz(words: &[String]) -> Done {
    let targets = targets()?;
    match asked(words, &targets)? {
        Asked::Try(targets, seconds) => try_all(&targets, seconds),
        Asked::Keep(targets) => keep(&targets),
    }
}

/// `[keep] [TARGET|all] [SECONDS]`
fn asked<'a>(words: &[String], targets: &'a [String]) -> Result<Asked<'a>, Failure> {
    let mut words = words.iter().map(String::as_str).peekable();
    let keeps = words.next_if_eq(&"keep").is_some();
    let all = || targets.iter().map(String::as_str).collect();
    let is_number = |word: &&str| word.starts_with(|first: char| first.is_ascii_digit());
    let chosen = match words.next_if(|word| !is_number(word)) {
        None | Some(ALL) => all(),
        Some(word) => {
            let Some(target) = targets.iter().find(|target| *target == word) else {
                let there = targets.join(", ");
                return Err(Failure::usage(format!("`{word}` is no target; there are {there}")));
            };
            vec![target.as_str()]
        }
    };
    let seconds = match words.next_if(|_| !keeps) {
        None => SECONDS,
        Some(word) => {
            let wrong = |_| Failure::usage(format!("`{word}` is no number of seconds"));
            word.parse().map_err(wrong)?
        }
    };
    match words.next() {
        Some(word) => Err(Failure::usage(format!("`fuzz` has no use for `{word}`"))),
        None if keeps => Ok(Asked::Keep(chosen)),
        None => Ok(Asked::Try(chosen, seconds)),
    }
}

/// The targets: each has a folder of the corpus.
fn targets() -> Result<Vec<String>, Failure> {
    let folder = root()?.join(CORPUS);
    let failed = |error| Failure::task(format!("{} cannot be listed: {error}", folder.display()));
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Tries texts of each target, also after one of which something does not hold, and ends with a table.
fn try_all(targets: &[&str], seconds: u32) -> Done {
    let program = build()?;
    let share = seconds / u32::try_from(targets.len()).unwrap_or(u32::MAX).max(1);
    let (mut table, mut failed) = (Vec::new(), Vec::new());
    for target in targets {
        say(&format!("\n==== fuzz {target}"))?;
        let start = Instant::now();
        let done = try_one(&program, target, share.max(1));
        let how = if done.is_ok() { "ok" } else { "FAILED" };
        table.push(format!("{:6} s  {how:6}  {target}", start.elapsed().as_secs()));
        if let Err(failure) = done {
            failed.push(*target);
            let _code = failure.report();
        }
    }
    say(&format!("\n==== fuzz\n{}", table.join("\n")))?;
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::task(format!(
        "something does not hold: {}; the texts are in target/fuzz, their names begin so",
        failed.join(", ")
    )))
}

/// Begins with the corpus and what was found before; of specs with those of the repository, too.
fn try_one(program: &Path, target: &str, seconds: u32) -> Done {
    let mut fuzzer = fuzzer(program, target)?;
    fuzzer.arg(format!("-max_total_time={seconds}"));
    fuzzer.args([format!("{FOUND}/{target}"), format!("{CORPUS}/{target}")]);
    if target == "spec" {
        fuzzer.arg("specs");
    }
    run(&mut fuzzer)
}

/// Takes what makes a difference into the corpus, as few and as short texts as possible.
fn keep(targets: &[&str]) -> Done {
    let program = build()?;
    for target in targets {
        let mut fuzzer = fuzzer(&program, target)?;
        // Edges alone, without how often each was passed, by as few texts as cover them.
        fuzzer.args(["-set_cover_merge=1", "-use_counters=0"]);
        fuzzer.args([format!("{CORPUS}/{target}"), format!("{FOUND}/{target}")]);
        run(&mut fuzzer)?;
    }
    Ok(())
}

/// Builds the fuzzer; gives its program.
fn build() -> Result<PathBuf, Failure> {
    let version = output(&mut command("rustc", &["-vV"])?)?;
    let version = String::from_utf8_lossy(&version);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Failure::task("rustc does not say for which machine it is"))?;
    // With a target named, build scripts are compiled without the flags.
    let mut cargo = command(
        "cargo",
        &["build", "--release", "--package", "envc-fuzz", "--features", "libfuzzer"],
    )?;
    cargo.args(["--target", host, "--target-dir", "target/fuzz"]);
    cargo.env("RUSTFLAGS", FLAGS).env("CARGO_PROFILE_RELEASE_LTO", "off");
    run(&mut cargo)?;
    Ok(root()?.join(format!("target/fuzz/{host}/release/fuzz")))
}

/// The fuzzer of a target, with the arguments that it always has.
fn fuzzer(program: &Path, target: &str) -> Result<Command, Failure> {
    let root = root()?;
    let found = root.join(FOUND).join(target);
    fs::create_dir_all(&found)
        .map_err(|error| Failure::task(format!("{} cannot be made: {error}", found.display())))?;
    let mut fuzzer = command(&program.to_string_lossy(), &[])?;
    fuzzer.env("ENVC_FUZZ", target);
    let words = format!("{WORDS}/{target}.dict");
    if root.join(&words).exists() {
        fuzzer.arg(format!("-dict={words}"));
    }
    let longest = longest(&root.join(CORPUS).join(target)).max(BYTES_MAX);
    fuzzer.arg(format!("-max_len={longest}")).arg(format!("-timeout={HANGS_AFTER}"));
    fuzzer.arg(format!("-rss_limit_mb={MEMORY_MB_MAX}"));
    fuzzer.arg(format!("-artifact_prefix=target/fuzz/{target}-"));
    fuzzer.args(["-use_value_profile=0", "-print_final_stats=1"]);
    Ok(fuzzer)
}

/// Bytes of the longest file of a folder.
fn longest(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = files.filter_map(|file| Some(file.metadata().ok()?.len()));
    sizes.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask<'a>(words: &str, targets: &'a [String]) -> Result<Asked<'a>, String> {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        asked(&words, targets).map_err(|failure| match failure {
            Failure::Usage(text) | Failure::Task(text) => text,
        })
    }

    #[test]
    fn the_words_after_fuzz_say_what_is_tried_and_for_how_long() {
        let targets = ["api", "spec"].map(str::to_owned);
        let all = || vec!["api", "spec"];
        for (words, means) in [
            ("", Asked::Try(all(), 60)),
            ("90", Asked::Try(all(), 90)),
            ("all 600", Asked::Try(all(), 600)),
            ("spec", Asked::Try(vec!["spec"], 60)),
            ("spec 5", Asked::Try(vec!["spec"], 5)),
            ("keep", Asked::Keep(all())),
            ("keep all", Asked::Keep(all())),
            ("keep api", Asked::Keep(vec!["api"])),
        ] {
            assert_eq!(ask(words, &targets), Ok(means), "{words}");
        }
        for (words, says) in [
            ("specs", "`specs` is no target; there are api, spec"),
            ("spec 5m", "`5m` is no number of seconds"),
            ("5 spec", "`fuzz` has no use for `spec`"),
            ("keep 5", "`fuzz` has no use for `5`"),
            ("spec -5", "`-5` is no number of seconds"),
        ] {
            assert_eq!(ask(words, &targets), Err(says.to_owned()), "{words}");
        }
    }
}
