//! The test binaries of the workspace, several at once.
//!
//! Cargo runs one after the other. Four of ours wait for processes, answers and the disk most of
//! the time, so together they take little more than the longest of them.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::Instant,
};

use serde_json::Value as Json;

use crate::run::{Done, Failure, command, run, say};

/// The binaries that take longest, longest first: they begin first, so that none of them runs
/// alone at the end. A name that is gone costs nothing.
const LONG: [&str; 8] =
    ["edge", "crash", "cli", "hostile_clone", "newcomer", "conformance", "corpus", "properties"];

/// A test binary, and the folder that cargo would run it in.
#[derive(Debug)]
struct Binary {
    name: String,
    program: PathBuf,
    folder: PathBuf,
}

/// How a binary ended.
struct Ended {
    name: String,
    good: bool,
    seconds: u64,
}

/// Builds all test binaries with `cargo` and runs them, those of [`LONG`] first; then the examples
/// in documentation, which cargo alone can run. `cargo` is `cargo test` with packages and features.
pub(crate) fn run_all(cargo: impl Fn() -> Result<Command, Failure>) -> Done {
    let mut binaries = build(cargo()?)?;
    binaries.sort_by_key(|binary| {
        LONG.iter().position(|name| *name == binary.name).unwrap_or(LONG.len())
    });
    // One more than processors: while one waits, another computes.
    let at_once = thread::available_parallelism().map_or(2, usize::from) + 1;
    say(&format!("{} test binaries, {at_once} at once", binaries.len()))?;
    let queue = Mutex::new(VecDeque::from(binaries));
    let ended = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let one_after_another = || {
            while let Some(binary) = take(&queue) {
                let result = one(&binary);
                ended.lock().unwrap_or_else(PoisonError::into_inner).push(result);
            }
        };
        for _ in 0..at_once {
            scope.spawn(one_after_another);
        }
    });
    let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
    let ended = ended.into_iter().collect::<Result<Vec<Ended>, Failure>>()?;
    report(ended)?;
    run(cargo()?.arg("--doc"))
}

fn take(queue: &Mutex<VecDeque<Binary>>) -> Option<Binary> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Has cargo build the binaries, and reads where they are from what it tells programs.
fn build(mut cargo: Command) -> Result<Vec<Binary>, Failure> {
    let wrong = |what: &str| Failure::task(format!("building the tests: {what}"));
    cargo.args(["--no-run", "--message-format=json-render-diagnostics"]);
    let mut child = cargo
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| wrong(&format!("cargo could not be started: {error}")))?;
    let mut binaries = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(|error| wrong(&error.to_string()))?;
            // Tools that are installed on the way may print lines of their own.
            let message: Json = serde_json::from_str(&line).unwrap_or_default();
            binaries.extend(binary(&message));
        }
    }
    let status = child.wait().map_err(|error| wrong(&error.to_string()))?;
    match (status.success(), binaries.is_empty()) {
        (false, _) => Err(wrong(&format!("cargo ended with {status}"))),
        (true, true) => Err(wrong("cargo told of no test binary")),
        (true, false) => Ok(binaries),
    }
}

/// A test binary that a message of cargo tells of.
fn binary(message: &Json) -> Option<Binary> {
    let is_test = message.pointer("/profile/test")?.as_bool()?;
    let program = PathBuf::from(message.get("executable")?.as_str()?);
    let manifest = PathBuf::from(message.get("manifest_path")?.as_str()?);
    let name = message.pointer("/target/name")?.as_str()?.to_owned();
    is_test.then_some(Binary { name, program, folder: manifest.parent()?.to_owned() })
}

/// Runs a binary to its end, then shows what it printed as one piece.
fn one(binary: &Binary) -> Result<Ended, Failure> {
    let Binary { name, program, folder } = binary;
    let start = Instant::now();
    let output = command(&program.display().to_string(), &[])?
        .current_dir(folder)
        // As cargo sets it: golden texts are found through it.
        .env("CARGO_MANIFEST_DIR", folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failure::task(format!("{} does not start: {error}", program.display())))?;
    let seconds = start.elapsed().as_secs();
    let mut out = std::io::stdout().lock();
    let shown = writeln!(out, "\n     Ran {name} ({})", program.display())
        .and_then(|()| out.write_all(&output.stdout))
        .and_then(|()| out.write_all(&output.stderr));
    shown.map_err(|error| Failure::task(format!("failed to write to standard output: {error}")))?;
    Ok(Ended { name: name.clone(), good: output.status.success(), seconds })
}

/// Tells what took long, and fails with the names of those that failed.
fn report(mut ended: Vec<Ended>) -> Done {
    ended.sort_by_key(|ended| std::cmp::Reverse(ended.seconds));
    for Ended { name, seconds, .. } in ended.iter().take_while(|ended| ended.seconds > 1) {
        say(&format!("{seconds:5} s  {name}"))?;
    }
    let failed = ended.iter().filter(|ended| !ended.good);
    let failed: Vec<&str> = failed.map(|ended| ended.name.as_str()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let again = failed.iter().map(|name| format!("cargo xtask test --test {name}"));
    let again = again.collect::<Vec<_>>().join("; ");
    Err(Failure::task(format!("tests failed in {}; again: {again}", failed.join(", "))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn test_binaries_are_known_from_cargos_messages() {
        let message = json!({
            "reason": "compiler-artifact",
            "manifest_path": "/x/tests/Cargo.toml",
            "target": { "name": "cli", "kind": ["test"] },
            "profile": { "test": true },
            "executable": "/x/target/debug/deps/cli-1",
        });
        let found = binary(&message).unwrap();
        assert_eq!((found.name.as_str(), found.folder), ("cli", PathBuf::from("/x/tests")));
        // A program that is built for the tests is none, nor is a library.
        let mut program = message.clone();
        program["profile"]["test"] = json!(false);
        assert!(binary(&program).is_none());
        let mut library = message;
        library["executable"] = Json::Null;
        assert!(binary(&library).is_none());
        assert!(binary(&Json::Null).is_none());
    }
}
