//! Warnings of a spec, and what only the project's files show. The facts are gathered here through
//! [`Project`]; what they mean is decided in `envc-spec` and `envc-plan`. Way in: [`look`].

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Diagnostics, RepositoryDigest};
use envc_plan::{
    JOURNAL, MigrationFile, ODD_BRANCH, Template, doubts, inspect, inspect_scripts, is_run,
    look_into, template_paths,
};
use envc_spec::{
    Environment, Instance, MigrationDir, Spec, TypeHead,
    lint::{Day, Facts, FolderFacts, FolderOf},
};

/// The files of the project that holds a spec. Paths are relative to the spec's folder, as the spec
/// writes them; nothing outside of the project may be read.
pub trait Project {
    /// The text of a file; `None` where there is none. The error says why it cannot be read. `secret`
    /// are the files of secrets, none of which it may be.
    fn text(&self, path: &str, secret: &BTreeSet<String>) -> Result<Option<String>, String>;

    /// The names in a folder; `None` where there is none. The error says why it cannot be listed.
    fn names(&self, path: &str) -> Result<Option<Vec<String>>, String>;

    /// What is read before the generated files of an environment, or in their place; `None` where nobody
    /// looks.
    fn outranked(&self, environment: &Environment) -> Option<OutrankedFiles>;
}

/// What is looked at of migrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Migrations {
    /// What they do: all files are read.
    Read,
    /// Which ones there are: a plan reads those that are pending, and tells what they do.
    Listed,
}

/// By the path of a file that envc writes, what is so, and what to do.
pub type OutrankedFiles = BTreeMap<String, Vec<(String, String)>>;

/// What a look at a spec without mistakes found.
#[derive(Debug, Default)]
pub struct Looked {
    /// A sample of each type, by its name.
    pub samples: BTreeMap<String, Environment>,
    /// Warnings, mistakes in templates, and what only an instance shows.
    pub found: Diagnostics,
}

/// Looks at each type with sample values, at the templates and the folders that the spec names.
pub fn look(project: &dyn Project, spec: &Spec, today: Option<Day>, read: Migrations) -> Looked {
    let mut looked = Looked::default();
    let (mut local, mut with_scripts) = (Vec::new(), Vec::new());
    for head in spec.types() {
        match sample_of(spec, head) {
            Ok(environment) => {
                if !template_paths(&environment).is_empty() {
                    // A template may tell the clouds apart.
                    local.extend(spec.environment(&head.name, &sample(head, "sample", true)));
                }
                if environment.files.iter().any(is_run) {
                    let odd = [false, true].map(|local| sample(head, ODD_BRANCH, local));
                    let odd = odd.iter().filter_map(|it| spec.environment(&head.name, it).ok());
                    with_scripts.extend(odd);
                }
                looked.samples.insert(head.name.clone(), environment);
            }
            Err(more) => looked.found.extend(more),
        }
    }
    let mut facts = Facts { today, ..Facts::default() };
    facts.migrations = migrations(project, looked.samples.values(), read);
    // Files are made of texts from the spec too, so that they are made without templates as well.
    let with_files: Vec<&Environment> = local.iter().chain(looked.samples.values()).collect();
    let templates = templates(project, &with_files);
    looked.found.extend(inspect(spec, &with_files, &templates, &mut facts));
    for environment in looked.samples.values() {
        let Some(of_type) = project.outranked(environment) else { continue };
        let files = facts.outranked.get_or_insert_default();
        for (path, found) in of_type {
            let known = files.entry(path).or_default();
            let new: Vec<_> = found.into_iter().filter(|it| !known.contains(it)).collect();
            known.extend(new);
        }
    }
    facts.scripts = Some(BTreeMap::new());
    for environment in &with_scripts {
        inspect_scripts(environment, &mut facts);
    }
    looked.found.extend(spec.lint(&looked.samples, &facts));
    looked
}

/// An environment of a type, with sample values.
pub fn sample_of(spec: &Spec, head: &TypeHead) -> Result<Environment, Diagnostics> {
    spec.environment(&head.name, &sample(head, "sample", false))
}

/// An instance to look at.
fn sample(head: &TypeHead, branch: &str, local_cloud: bool) -> Instance {
    let pr = 1_u32;
    Instance {
        id: head.identity.fixed(Some(pr)).unwrap_or_else(|| "sample".to_owned()),
        branch: Some(branch.to_owned()),
        pr: head.is_per_pr().then_some(pr),
        sha: Some("0".repeat(40)),
        ports: head.ports.iter().map(|(owner, range)| (owner.clone(), range.first)).collect(),
        local_cloud,
        repository: RepositoryDigest::UNKNOWN,
    }
}

/// The templates that are there, each with its text or with why it cannot be read.
fn templates(project: &dyn Project, environments: &[&Environment]) -> BTreeMap<String, Template> {
    let paths: BTreeSet<String> = environments.iter().flat_map(|one| template_paths(one)).collect();
    let secret = environments.iter().flat_map(|one| one.secret_files()).collect();
    let read = |path: String| {
        let text = project.text(&path, &secret).transpose()?;
        Some((path, text))
    };
    paths.into_iter().filter_map(read).collect()
}

/// What is known of each folder of migrations. One that cannot be listed is left out.
fn migrations<'e>(
    project: &dyn Project,
    environments: impl Iterator<Item = &'e Environment> + Clone,
    read: Migrations,
) -> BTreeMap<FolderOf, FolderFacts> {
    let secret: BTreeSet<String> =
        environments.clone().flat_map(Environment::secret_files).collect();
    let mut all = BTreeMap::new();
    for dir in environments.flat_map(|environment| environment.migrations.values()) {
        let key = (dir.path.clone(), dir.pattern.clone());
        if all.contains_key(&key) {
            continue;
        }
        let below = |name: &str| format!("{}/{name}", dir.path);
        let Ok(top) = project.names(&dir.path) else { continue };
        let mut list = |folder: &str| match folder {
            "" => top.clone(),
            // What is no folder holds no migrations.
            folder => project.names(&below(folder)).ok().flatten(),
        };
        // One that cannot be read gives no order, and that is told.
        let journal =
            project.text(&below(JOURNAL), &secret).unwrap_or_else(|_| Some(String::new()));
        let folder = look_into(dir, &mut list, journal.as_deref());
        let facts = FolderFacts {
            is_there: top.is_some(),
            count: folder.names.len(),
            oddities: folder.oddities.into_iter().map(|odd| (odd.what, odd.help)).collect(),
            doubts: match read {
                Migrations::Read => doubts_of(project, dir, folder.names, &secret),
                Migrations::Listed => None,
            },
        };
        all.insert(key, facts);
    }
    all
}

/// What is wrong with these files; none where not all can be read: what the others do depends on it.
fn doubts_of(
    project: &dyn Project,
    dir: &MigrationDir,
    names: Vec<String>,
    secret: &BTreeSet<String>,
) -> Option<Vec<(String, String)>> {
    let read = |name: String| {
        let path = format!("{}/{name}", dir.path);
        let text = project.text(&path, secret).ok()??;
        Some(MigrationFile { name, path, text })
    };
    let files = names.into_iter().map(read).collect::<Option<Vec<_>>>()?;
    let told = doubts(&files).into_iter();
    Some(told.map(|it| (format!("{}:{}: {}", it.file, it.line, it.what), it.help)).collect())
}
