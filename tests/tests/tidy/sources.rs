//! What source files may hold.

use envc_core::KindId;

use crate::common::{METADATA, check, read, root, rust_files};
use crate::imports::PURE;

/// The longest source file. Far below it a file should already have been split.
const LINES_MAX: usize = 1_000;

/// What is written for one kind at a time by its nature: the sections of `wrangler.jsonc`.
const BY_KIND: [&str; 2] =
    ["compiler/plan/src/wrangler.rs", "compiler/plan/src/wrangler/sections.rs"];

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
fn the_engine_names_no_kind() {
    let mut breaches = Vec::new();
    for path in ["compiler/plan/src", "compiler/exec/src"].map(rust_files).concat() {
        if BY_KIND.contains(&path.as_str()) {
            continue;
        }
        for (number, line) in product_lines(&path) {
            for named in kinds_named(&line) {
                breaches.push(format!(
                    "{path}:{number}: {named}: what only one kind needs belongs in \
                     compiler/kinds, behind the Kind trait"
                ));
            }
        }
    }
    check("plan or exec knows a kind by name", &breaches);
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
    for line in ["KindId::ALL", "requeue_all()", "queue: u64", "KindId::parse(word)", "old1_x"] {
        assert_eq!(kinds_named(line), [""; 0], "{line}");
    }
}

/// The names of kinds in a line: the word in quotes, the variant, and what begins with the word.
fn kinds_named(line: &str) -> Vec<String> {
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
        // `worker` is a word of templates, too.
        let quoted = kind != KindId::Worker && line.contains(&format!("\"{word}\""));
        if quoted || begins || is_variant {
            named.push(word.to_owned());
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
