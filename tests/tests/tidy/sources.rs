//! What source files may hold.

use crate::common::{METADATA, check, read, root, rust_files};
use crate::imports::PURE;

/// The longest source file. Far below it a file should already have been split.
const LINES_MAX: usize = 1_000;

/// Kinds, as the language spells them. The engine treats them all alike.
const KINDS: [&str; 12] = [
    "d1",
    "dns",
    "hyperdrive",
    "kv",
    "queue",
    "queue-consumer",
    "r2",
    "tunnel",
    "tunnel-config",
    "worker-crons",
    "worker-domain",
    "worker-route",
];

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
        for (number, line) in product_lines(&path) {
            for kind in KINDS.iter().filter(|kind| line.contains(&format!("\"{kind}\""))) {
                breaches.push(format!(
                    "{path}:{number}: \"{kind}\": what only one kind needs belongs in \
                     compiler/kinds, behind the Kind trait"
                ));
            }
        }
    }
    check("plan or exec knows a kind by name", &breaches);
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
fn product_lines(path: &str) -> Vec<(usize, String)> {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    (1..)
        .zip(read(path).lines().map(str::to_owned))
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .collect()
}
