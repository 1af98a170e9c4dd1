//! What source files may hold.

use std::collections::BTreeSet;

use envc_core::KindId;

use crate::common::{METADATA, check, read, root, rust_files};
use crate::imports::PURE;

/// The longest source file. Far below it a file should already have been split.
const LINES_MAX: usize = 1_000;

/// Where a kind is named outside of its own file, and why. An exception that is not needed fails.
const NAMED: &[(&str, &[&str], &str)] = &[
    ("compiler/core/src/address.rs", &["*"], "the closed set of kinds: a row each"),
    ("compiler/plan/src/wrangler.rs", &["queue"], "wrangler's word in what a Worker consumes"),
    ("compiler/plan/src/context.rs", &["worker"], "the variable of templates that has this name"),
    (
        "compiler/spec/src/settings.rs",
        &["r2"],
        "the state store: a bucket, and no resource of a spec",
    ),
    ("compiler/spec/src/settings.rs", &["worker"], "`needs=` of `run` names files, a Worker's too"),
    ("compiler/spec/src/grammar/project.rs", &["r2"], "the word of the state store"),
    ("compiler/spec/src/assemble.rs", &["worker"], "the list of Workers, which files are made of"),
    ("compiler/spec/src/collisions.rs", &["worker"], "templates that must not be written over"),
    ("compiler/spec/src/worker_cycle.rs", &["worker"], "a cycle needs the nodes of all Workers"),
    ("compiler/spec/src/places.rs", &["worker"], "where files are written"),
    ("compiler/spec/src/lint/left_out.rs", &["worker"], "what a template leaves out"),
    ("compiler/spec/src/lint/stale.rs", &["worker"], "a compatibility date that is old"),
    ("compiler/spec/src/lint/hosts.rs", &["tunnel", "dns", "worker"], HOSTS),
    ("compiler/spec/src/lint/reach.rs", &["worker"], "where a route is written"),
    ("compiler/spec/src/resolver.rs", &["tunnel", "worker"], HOSTS),
    ("compiler/spec/src/refs/wrong.rs", &["tunnel", "worker"], HOSTS),
    ("compiler/spec/src/refs.rs", &["worker"], "the name of a script is known before apply"),
    (
        "compiler/spec/src/language/forms.rs",
        &["worker"],
        "the name of a script is known before apply",
    ),
];
const HOSTS: &str = "what has a host: ingresses, routes and domains, for `{host.X}` and `{url.X}`";

/// The standard library's ways out of the process.
const WAYS_OUT: [&str; 7] = [
    "std::fs",
    "std::net",
    "std::env::",
    "std::process",
    "std::thread",
    "SystemTime::now",
    "Instant::now",
];

#[test]
fn no_source_file_is_too_long() {
    let mut breaches = Vec::new();
    for path in ["compiler", "edge-worker", "snapshots", "tests"].map(rust_files).concat() {
        let lines = read(&path).lines().count();
        if lines > LINES_MAX {
            breaches.push(format!("{path} has {lines} lines: split it by what its parts do"));
        }
    }
    check(&format!("a source file has more than {LINES_MAX} lines"), &breaches);
}

#[test]
fn no_kind_is_named_outside_of_its_own_file() {
    let mut breaches = Vec::new();
    let mut needed = BTreeSet::new();
    let crates =
        ["compiler/core/src", "compiler/spec/src", "compiler/plan/src", "compiler/exec/src"];
    for path in crates.map(rust_files).concat() {
        for (number, line) in product_lines(&path) {
            for named in kinds_named(&line) {
                let excepted = NAMED.iter().position(|(file, words, _)| {
                    *file == path && (*words == ["*"] || words.contains(&named))
                });
                match excepted {
                    Some(at) => drop(needed.insert((at, named))),
                    None => breaches.push(format!(
                        "{path}:{number}: {named}: what only one kind needs belongs into its file \
                         in compiler/kinds, behind the traits Kind and Declared"
                    )),
                }
            }
        }
    }
    for (at, (path, words, why)) in NAMED.iter().enumerate() {
        for word in words.iter().filter(|word| **word != "*") {
            if !needed.contains(&(at, *word)) {
                breaches.push(format!("{path} does not name {word} any more: remove \"{why}\""));
            }
        }
    }
    check("a kind is named outside of its own file", &breaches);
}

#[test]
fn a_kind_is_seen_under_any_of_its_names() {
    for line in [
        "call(\"d1\")",
        "if id == KindId::Kv {",
        "use envc_kinds::{Call, d1_query};",
        "self.queue_consumer_of(x)",
        "\"CREATE TABLE \\\"d1_migrations\\\"\"",
    ] {
        assert!(!kinds_named(line).is_empty(), "{line}");
    }
    assert_eq!(kinds_named("all(\"worker\")"), ["worker"]);
    for line in ["KindId::ALL", "requeue_all()", "queue: u64", "KindId::parse(word)", "old1_x"] {
        assert_eq!(kinds_named(line), [""; 0], "{line}");
    }
}

/// The names of kinds in a line: the word in quotes, the variant, and what begins with the word.
fn kinds_named(line: &str) -> Vec<&'static str> {
    let mut named = Vec::new();
    for kind in KindId::ALL {
        let word = kind.as_str();
        let prefix = format!("{}_", word.replace('-', "_"));
        let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let pieces: Vec<&str> = line.split(&prefix).collect();
        let (_, before) = pieces.split_last().expect("a split gives a piece");
        let begins = before.iter().any(|before| !before.ends_with(is_word));
        let variant = format!("KindId::{kind:?}");
        let is_variant = line.split(&variant).skip(1).any(|after| !after.starts_with(is_word));
        let quoted = line.contains(&format!("\"{word}\""));
        // Modules of the edge Worker and words such as `worker_cycle` begin with `worker_`.
        if quoted || is_variant || (begins && kind != KindId::Worker) {
            named.push(word);
        }
    }
    named
}

#[test]
fn pure_crates_have_no_way_out() {
    let mut breaches = Vec::new();
    for package in METADATA.workspace_packages() {
        if !PURE.contains(&package.name.as_str()) {
            continue;
        }
        let folder = package.manifest_path.parent().unwrap().strip_prefix(root()).unwrap();
        for path in rust_files(folder.join("src").as_str()) {
            for (number, line) in product_lines(&path) {
                for way in WAYS_OUT.iter().filter(|way| line.contains(**way)) {
                    breaches
                        .push(format!("{path}:{number}: {way}: let the caller pass the value in"));
                }
            }
        }
    }
    check("a pure crate reaches outside of itself", &breaches);
}

/// The numbered lines of a file that are neither comments nor unit tests; those come last in a
/// file, or have one of their own.
pub(crate) fn product_lines(path: &str) -> Vec<(usize, String)> {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let text = read(path);
    // On a function or a field it ends nothing.
    let product = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    (1..)
        .zip(product.lines().map(str::to_owned))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .collect()
}
