//! The import law.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Package, PackageId};

use crate::common::{METADATA, check};

/// Every member and what it may import of ours. An import that is missing here is a new edge in
/// the architecture: argue for it in the commit that adds it.
const LAW: &[(&str, &[&str])] = &[
    ("envc-core", &[]),
    ("envc-syntax", &["envc-core"]),
    ("envc-kinds", &["envc-core", "envc-syntax", "envc-sql"]),
    ("envc-spec", &["envc-core", "envc-syntax", "envc-kinds"]),
    ("envc-plan", &["envc-core", "envc-syntax", "envc-kinds", "envc-spec", "envc-sql"]),
    // It knows SQL alone.
    ("envc-sql", &[]),
    (
        "envc-exec",
        // The pure types of the edge's API: exec is a client of it.
        &["envc-core", "envc-syntax", "envc-kinds", "envc-spec", "envc-plan", "envc-edge-api"],
    ),
    // The second witness: it shares no type with what it is there to check.
    ("envc-cloud", &["envc-core", "envc-edge-api", "envc-edge-core"]),
    ("envc-report", &["envc-core", "envc-spec", "envc-plan"]),
    ("envc", EVERYTHING),
    ("envc-edge-api", &[]),
    ("envc-edge-core", &["envc-edge-api"]),
    ("envc-edge", &["envc-edge-api", "envc-edge-core"]),
    (
        "envc-fuzz",
        // Whatever reads what comes from elsewhere; of the command line its `documents` alone.
        &[
            "envc",
            "envc-core",
            "envc-syntax",
            "envc-kinds",
            "envc-spec",
            "envc-plan",
            "envc-exec",
            "envc-edge-api",
        ],
    ),
    ("envc-snapshots", COMPILER),
    ("envc-tests", EVERYTHING),
    // A measure of what it has nothing in common with.
    ("envc-yardstick", &[]),
    ("xtask", EVERYTHING),
];

/// Every library. Programs (`envc`, `envc-edge`, `xtask`) are imported by nobody, but `envc` by the
/// fuzzer.
const EVERYTHING: &[&str] = &[
    "envc-core",
    "envc-syntax",
    "envc-kinds",
    "envc-spec",
    "envc-sql",
    "envc-plan",
    "envc-exec",
    "envc-report",
    "envc-cloud",
    "envc-edge-api",
    "envc-edge-core",
    "envc-tests",
];

/// The golden tests: every stage of the compiler, and what people see of it.
const COMPILER: &[&str] = &[
    "envc-core",
    "envc-syntax",
    "envc-kinds",
    "envc-spec",
    "envc-sql",
    "envc-plan",
    "envc-report",
];

/// Foreign crates that only some of ours may name; any may in its tests.
const NAMED_BY: &[(&str, &[&str])] = &[
    ("kdl", &["envc-syntax"]),
    ("libfuzzer-sys", &["envc-fuzz"]),
    ("minijinja", &["envc-plan"]),
    ("sqlite3-parser", &["envc-sql"]),
    ("clap", &["envc", "xtask"]),
    ("miette", &["envc-report"]),
    ("reqwest", &["envc", "envc-tests"]),
    ("axum", &["envc-cloud", "envc-tests"]),
    ("rusqlite", &["envc-cloud", "envc-tests"]),
    ("worker", &["envc-edge", "envc-yardstick"]),
];

/// The crates that touch nothing outside of themselves.
pub(crate) const PURE: &[&str] = &[
    "envc-core",
    "envc-syntax",
    "envc-kinds",
    "envc-spec",
    "envc-sql",
    "envc-plan",
    "envc-edge-api",
    "envc-edge-core",
];

/// What may appear nowhere below a pure crate: runtimes, sockets, databases, entropy.
const IMPURE: &[&str] = &[
    "axum",
    "fastrand",
    "getrandom",
    "hyper",
    "mio",
    "rand",
    "reqwest",
    "rusqlite",
    "socket2",
    "tokio",
];

fn members() -> Vec<&'static Package> {
    METADATA.workspace_packages()
}

#[test]
fn members_import_only_what_the_law_allows() {
    let ours: BTreeSet<&str> = members().iter().map(|package| package.name.as_str()).collect();
    let law: BTreeMap<&str, &[&str]> = LAW.iter().copied().collect();
    let mut breaches = Vec::new();
    for package in members() {
        let name = package.name.as_str();
        let Some(allowed) = law.get(name) else {
            breaches.push(format!("{name} is not in LAW: add a row that says what it may import"));
            continue;
        };
        for dependency in &package.dependencies {
            let imported = dependency.name.as_str();
            if ours.contains(imported) && !allowed.contains(&imported) {
                breaches.push(format!(
                    "{name} imports {imported}: move what it needs down to a crate that both may \
                     import; in tests, move the test to tests/"
                ));
            }
        }
    }
    for name in law.keys().filter(|name| !ours.contains(*name)) {
        breaches.push(format!("{name} is in LAW and not in the workspace: remove its row"));
    }
    check("the import law is broken", &breaches);
}

#[test]
fn foreign_crates_are_named_only_where_they_belong() {
    let mut breaches = Vec::new();
    for package in members() {
        let of_product =
            package.dependencies.iter().filter(|it| it.kind != DependencyKind::Development);
        for dependency in of_product {
            for (foreign, owners) in NAMED_BY {
                if dependency.name == *foreign && !owners.contains(&package.name.as_str()) {
                    breaches.push(format!(
                        "{} names {foreign}: only {} may; ask one of those for what is needed, \
                         in our own types",
                        package.name,
                        owners.join(" and ")
                    ));
                }
            }
        }
    }
    check("a foreign crate has spread", &breaches);
}

#[test]
fn pure_crates_depend_on_nothing_impure() {
    let mut breaches = Vec::new();
    for package in members().into_iter().filter(|member| PURE.contains(&member.name.as_str())) {
        for (impure, path) in reached(&package.id, IMPURE, &[]) {
            breaches.push(format!(
                "{} reaches {impure} by {path}: turn off the feature that wants it, or do that \
                 work in exec or cli",
                package.name
            ));
        }
    }
    check("a pure crate has lost its purity", &breaches);
}

/// What the local cloud brings and nothing else of the program needs.
const OF_THE_LOCAL_CLOUD: &[&str] = &["axum", "libsqlite3-sys", "rusqlite"];

#[test]
fn without_its_feature_the_local_cloud_leaves_with_all_that_it_brings() {
    let envc = members().into_iter().find(|member| member.name == "envc").expect("a program");
    let cloud = envc.dependencies.iter().find(|it| it.name == "envc-cloud").expect("a dependency");
    assert!(cloud.optional, "the local cloud hangs on the feature `cloud` of envc");
    let with = reached(&envc.id, OF_THE_LOCAL_CLOUD, &[]);
    assert_eq!(with.len(), OF_THE_LOCAL_CLOUD.len(), "the list has no line too many: {with:?}");
    let breaches: Vec<String> = reached(&envc.id, OF_THE_LOCAL_CLOUD, &["envc-cloud"])
        .into_iter()
        .map(|(found, path)| {
            format!(
                "envc reaches {found} by {path}: go through compiler/cli/src/remote/local_cloud.rs"
            )
        })
        .collect();
    check("a build without the local cloud compiles what only that needs", &breaches);
}

/// Those of some crates that lie below a package, each with one way to it that passes by some
/// others. Follows normal and build dependencies on every platform; those of tests do not count.
fn reached(start: &PackageId, wanted: &[&str], without: &[&str]) -> BTreeMap<String, String> {
    let resolve = METADATA.resolve.as_ref().expect("cargo metadata resolves dependencies");
    let nodes: BTreeMap<&PackageId, _> =
        resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let name = |id: &PackageId| METADATA[id].name.to_string();

    let mut found = BTreeMap::new();
    let mut paths = BTreeMap::from([(start, name(start))]);
    let mut todo = vec![start];
    while let Some(id) = todo.pop() {
        for dependency in &nodes[id].deps {
            let for_tests_only =
                dependency.dep_kinds.iter().all(|kind| kind.kind == DependencyKind::Development);
            let is_left_out = without.contains(&name(&dependency.pkg).as_str());
            if for_tests_only || is_left_out || paths.contains_key(&dependency.pkg) {
                continue;
            }
            let path = format!("{} > {}", paths[id], name(&dependency.pkg));
            if wanted.contains(&name(&dependency.pkg).as_str()) {
                found.insert(name(&dependency.pkg), path.clone());
            }
            paths.insert(&dependency.pkg, path);
            todo.push(&dependency.pkg);
        }
    }
    found
}
