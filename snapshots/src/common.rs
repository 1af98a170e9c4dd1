//! The examples, the instances that they are resolved for, and how a snapshot is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use envc_core::{Address, Mode, RepositoryDigest};
use envc_spec::{Environment, Instance, Spec, TypeHead, load};

/// Lines of a snapshot that a reviewer still reads.
const LINES_MAX: usize = 90;

/// The examples of `specs/`, each with all of its types.
pub(crate) const EXAMPLES: [&str; 4] = ["quickstart", "eventuall", "vibechecc", "edge"];

/// The repository that all of them are of.
pub(crate) const REPOSITORY: &str = "git.example/a/shop";

/// An example.
pub(crate) struct Example {
    pub(crate) name: &'static str,
    pub(crate) folder: PathBuf,
    pub(crate) text: String,
    pub(crate) spec: Spec,
}

/// The repository's root folder.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All examples.
pub(crate) fn examples() -> impl Iterator<Item = Example> {
    EXAMPLES.into_iter().map(|name| {
        let folder = root().join("specs").join(name);
        let text = fs::read_to_string(folder.join("environment.kdl")).unwrap();
        let (spec, found) = load(&text);
        assert!(found.is_empty(), "{name}: {found:#?}");
        Example { name, folder, text, spec: spec.unwrap() }
    })
}

impl Example {
    /// The environment of a type, on Cloudflare or on the local cloud.
    pub(crate) fn environment(&self, head: &TypeHead, local_cloud: bool) -> Environment {
        let found = self.spec.environment(&head.name, &instance(head, local_cloud));
        found.unwrap_or_else(|found| panic!("{} {}: {found:#?}", self.name, head.name))
    }
}

/// The same instance in every test: what a developer on a branch, or pull request 42, would have.
pub(crate) fn instance(head: &TypeHead, local_cloud: bool) -> Instance {
    let branch_id =
        format!("fix-login-t{}", if head.when.is_some() { "5m2xqbe02" } else { "5m2xqbe01" });
    Instance {
        id: head.identity.fixed(Some(42)).unwrap_or(branch_id),
        branch: Some("fix/login".into()),
        pr: Some(42),
        sha: Some("5ca1ab1e00000000000000000000000000000000".into()),
        ports: head.ports.iter().map(|(name, range)| (name.clone(), range.first + 7)).collect(),
        local_cloud,
        repository: RepositoryDigest::of(REPOSITORY),
    }
}

/// An identifier that nobody takes for a real one.
pub(crate) fn fake_id(address: &Address) -> String {
    format!("fake-id-of-{}", address.to_string().replace('.', "-"))
}

/// The identifier of each resource: the spec's own where it names one, else a fake.
pub(crate) fn ids(environment: &Environment) -> BTreeMap<Address, String> {
    let id = |address: &Address, mode: &Mode| match mode {
        Mode::ExistingId(id) => id.clone(),
        Mode::Managed | Mode::ExistingName => fake_id(address),
    };
    let resources = environment.resources.iter();
    resources.map(|(address, wanted)| (address.clone(), id(address, &wanted.mode))).collect()
}

/// The physical name of each resource, as the account would tell it.
pub(crate) fn names(environment: &Environment) -> BTreeMap<Address, String> {
    let name = |address: &Address, name: &str, mode: &Mode| match mode {
        Mode::ExistingId(_) => format!("fake-name-of-{}", address.to_string().replace('.', "-")),
        Mode::Managed | Mode::ExistingName => name.to_owned(),
    };
    let resources = environment.resources.iter();
    resources.map(|(at, wanted)| (at.clone(), name(at, &wanted.name, &wanted.mode))).collect()
}

/// The snapshots of one stage. One test owns the whole stage, so that it also notices a snapshot
/// that nothing makes any more.
pub(crate) struct Stage {
    folder: PathBuf,
    made: BTreeSet<String>,
}

impl Stage {
    pub(crate) fn new(name: &str) -> Self {
        Self { folder: Path::new(env!("CARGO_MANIFEST_DIR")).join(name), made: BTreeSet::new() }
    }

    /// Compares a text with its snapshot.
    #[track_caller]
    pub(crate) fn snap(&mut self, name: &str, text: &str) {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{name} has {lines} lines, which nobody reviews: split it");
        assert!(self.made.insert(format!("{name}.snap")), "{name} is made twice");
        let mut settings = insta::Settings::new();
        settings.set_snapshot_path(&self.folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, text));
    }

    /// Fails for snapshots that were not made.
    #[track_caller]
    pub(crate) fn end(self) {
        let there = fs::read_dir(&self.folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        let stale: Vec<String> = there.filter(|name| !self.made.contains(name)).collect();
        assert!(stale.is_empty(), "nothing makes these any more, remove them: {stale:#?}");
    }
}
