//! The rooms of the command line: who imports whom, and no circle between files.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crate::common::{check, root};

/// The rooms of `compiler/cli/src`, each with those that it may import. A room imports itself.
const LAW: &[(&str, &[&str])] = &[
    ("host", &[]),
    ("shell", &["host"]),
    ("secrets", &["host"]),
    ("workspace", &["host", "shell", "secrets"]),
    ("remote", &["host", "shell", "secrets", "workspace"]),
    ("state", &["host", "shell", "secrets", "workspace", "remote"]),
    ("outputs", &["host", "shell", "secrets", "workspace", "remote"]),
    ("operate", &["host", "shell", "secrets", "workspace", "remote", "state", "outputs"]),
    (
        "commands",
        &["host", "shell", "secrets", "workspace", "remote", "state", "outputs", "operate"],
    ),
];

/// The crates whose files are looked at for circles.
const CRATES: &[&str] = &[
    "compiler/core",
    "compiler/syntax",
    "compiler/kinds",
    "compiler/spec",
    "compiler/plan",
    "compiler/exec",
    "compiler/report",
    "compiler/cloud",
    "compiler/cli",
    "edge-worker/api",
    "edge-worker/core",
    "edge-worker/worker",
];

#[test]
fn rooms_import_only_what_the_law_allows() {
    let modules = Modules::of("compiler/cli");
    let room = |module: &[String]| module.first().cloned().unwrap_or_default();
    let law: BTreeMap<&str, &[&str]> = LAW.iter().copied().collect();
    let mut breaches = Vec::new();
    let mut seen = BTreeSet::new();
    for (module, imports) in &modules.imports {
        let from = room(module);
        let Some(allowed) = law.get(from.as_str()) else { continue };
        seen.insert(from.clone());
        for import in imports {
            let to = room(import);
            if to != from && law.contains_key(to.as_str()) && !allowed.contains(&to.as_str()) {
                breaches.push(format!("{} imports {}", module.join("::"), import.join("::")));
            }
        }
    }
    let unknown = LAW.iter().filter(|(room, _)| !seen.contains(*room));
    breaches.extend(unknown.map(|(room, _)| format!("there is no room {room}")));
    check("the law of rooms is broken: move what is shared to the left", &breaches);
}

/// A folder's face and the files inside know each other; apart from that nothing goes round.
#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut circles = Vec::new();
    for package in CRATES {
        let modules = Modules::of(package);
        assert!(modules.imports.values().any(|all| !all.is_empty()), "{package} imports nothing");
        for module in modules.imports.keys() {
            if let Some(way) = modules.way_back(module) {
                let names: Vec<String> = way.iter().map(|one| one.join("::")).collect();
                circles.push(format!("{package}: {}", names.join(" -> ")));
            }
        }
    }
    check("files import each other in a circle", &circles);
}

type Module = Vec<String>;

/// The modules of a crate and what each imports of the others.
struct Modules {
    imports: BTreeMap<Module, BTreeSet<Module>>,
}

impl Modules {
    fn of(package: &str) -> Self {
        let source = root().join(package).join("src");
        let mut texts = BTreeMap::new();
        collect(&source, &mut Vec::new(), &mut texts);
        let names: BTreeSet<Module> = texts.keys().cloned().collect();
        let imports = texts
            .iter()
            .map(|(module, text)| {
                let paths = paths(text).into_iter();
                let found = paths.filter_map(|path| resolve(module, &path, &names));
                let is_family = |other: &Module| {
                    other.starts_with(module) || module.starts_with(other.as_slice())
                };
                (module.clone(), found.filter(|other| !is_family(other)).collect())
            })
            .collect();
        Self { imports }
    }

    /// The way from a module back to it, if there is one.
    fn way_back(&self, start: &Module) -> Option<Vec<Module>> {
        let mut todo = vec![vec![start.clone()]];
        let mut seen = BTreeSet::new();
        while let Some(way) = todo.pop() {
            let last = way.last()?;
            for next in self.imports.get(last).into_iter().flatten() {
                let mut longer = way.clone();
                longer.push(next.clone());
                if next == start {
                    return Some(longer);
                }
                if seen.insert(next.clone()) {
                    todo.push(longer);
                }
            }
        }
        None
    }
}

/// Reads the files of a folder, by their modules; those of tests do not count.
fn collect(folder: &Path, module: &mut Module, texts: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            module.push(stem);
            collect(&path, module, texts);
            module.pop();
        } else if path.extension().is_some_and(|it| it == "rs") && stem != "tests" {
            let mut name = module.clone();
            if !matches!(stem.as_str(), "mod" | "lib" | "main") {
                name.push(stem);
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let code = lines.collect::<Vec<_>>().join("\n");
            texts.entry(name).or_default().push_str(&code);
        }
    }
}

/// The paths in a text that begin with `crate` or `super`, those of a `use` in full.
fn paths(text: &str) -> Vec<Module> {
    let mut out = Vec::new();
    for head in ["crate::", "super::"] {
        for (at, _) in text.match_indices(head) {
            let (before, path) = text.split_at(at);
            let is_longer = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
            if !before.ends_with(is_longer) {
                expand(path, &mut Vec::new(), &mut out);
            }
        }
    }
    out
}

/// Reads one path, or the tree of paths in braces; gives what is left of the text.
fn expand<'t>(mut text: &'t str, before: &mut Module, out: &mut Vec<Module>) -> &'t str {
    let depth = before.len();
    loop {
        text = text.trim_start();
        let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
        let (segment, rest) = text.split_at(end);
        if !segment.is_empty() {
            before.push(segment.to_owned());
        }
        match rest.strip_prefix("::") {
            Some(rest) if rest.starts_with('{') => {
                text = rest.trim_start_matches('{');
                while !text.trim_start().starts_with('}') && !text.is_empty() {
                    text = expand(text, before, out);
                    // `as name`, and the comma.
                    text = text.trim_start_matches(|c| !matches!(c, ',' | '}'));
                    text = text.strip_prefix(',').unwrap_or(text);
                }
                text = text.trim_start().strip_prefix('}').unwrap_or_default();
                break;
            }
            Some(rest) => text = rest,
            None => {
                out.push(before.clone());
                text = rest;
                break;
            }
        }
    }
    before.truncate(depth);
    text
}

/// The module of this crate that a path leads to.
fn resolve(module: &Module, path: &[String], names: &BTreeSet<Module>) -> Option<Module> {
    let (mut base, mut rest) = (module.clone(), path);
    if path.first().is_some_and(|first| first == "crate") {
        base.clear();
        rest = path.split_first().map_or(path, |(_, rest)| rest);
    }
    while rest.first().is_some_and(|first| first == "super") {
        base.pop();
        rest = rest.split_first().map_or(rest, |(_, rest)| rest);
    }
    base.extend(rest.iter().cloned());
    (0..=base.len()).rev().map(|end| base[..end].to_vec()).find(|name| names.contains(name))
}

#[test]
fn a_tree_of_paths_is_read_in_full() {
    let text = "use crate::{a::{self, B}, c::d, e};\nlet x = super::f::g(1);";
    let found: Vec<String> = paths(text).iter().map(|path| path.join("::")).collect();
    let expect = ["crate::a::self", "crate::a::B", "crate::c::d", "crate::e", "super::f::g"];
    assert_eq!(found, expect);
}
