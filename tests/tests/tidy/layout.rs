//! The six rooms, and what every member's manifest says.

use std::collections::BTreeSet;

use crate::common::{METADATA, check, read, root};

/// Every folder at the top, apart from hidden ones and cargo's `target`.
const ROOMS: [&str; 6] = ["compiler", "edge-worker", "snapshots", "specs", "templates", "tests"];

#[test]
fn there_are_exactly_six_rooms() {
    let there: BTreeSet<String> = root()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.') && name != "target")
        .collect();
    let mut breaches = Vec::new();
    for name in there.iter().filter(|name| !ROOMS.contains(&name.as_str())) {
        breaches.push(format!("{name}/ is new: put it inside one of the rooms"));
    }
    for name in ROOMS.iter().filter(|name| !there.contains(**name)) {
        breaches.push(format!("{name}/ is missing: git keeps no empty folder, put a file there"));
    }
    check("the top of the repository holds six folders", &breaches);
}

#[test]
fn every_member_takes_the_workspace_lints() {
    let mut breaches = Vec::new();
    for package in METADATA.workspace_packages() {
        let manifest = package.manifest_path.strip_prefix(root()).unwrap().as_str();
        let text = read(manifest);
        let mut lines = text.lines().map(str::trim);
        let takes_them = lines.any(|line| line == "[lints]")
            && lines.next().is_some_and(|line| line.replace(' ', "") == "workspace=true");
        if !takes_them {
            breaches.push(format!("{manifest}: add `[lints]` with the line `workspace = true`"));
        }
    }
    check("a member has lints of its own", &breaches);
}
