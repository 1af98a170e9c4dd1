//! Warnings of a spec, and what only the project's files show. The facts are gathered here through
//! [`Project`]; what they mean is decided in `envc-spec` and `envc-plan`. Way in: [`look`].

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Diagnostics, RepositoryDigest};
use envc_plan::{
    MigrationFile, Template, doubts, inspect, is_migration, sort_migrations, template_paths,
};
use envc_spec::{
    Environment, Instance, Spec, TypeHead,
    lint::{Day, Facts},
};

/// The files of the project that holds a spec. Paths are relative to the spec's folder, as the spec
/// writes them; nothing outside of the project may be read.
pub trait Project {
    /// The text of a file; `None` where there is none. The error says why it cannot be read. `secret`
    /// are the files of secrets, none of which it may be.
    fn text(&self, path: &str, secret: &BTreeSet<String>) -> Result<Option<String>, String>;

    /// The names in a folder; `None` where there is none. The error says why it cannot be listed.
    fn names(&self, path: &str) -> Result<Option<Vec<String>>, String>;
}

/// What a look at a spec without mistakes found.
#[derive(Debug, Default)]
pub struct Looked {
    /// A sample of each type, by its name.
    pub samples: BTreeMap<String, Environment>,
    /// Warnings, mistakes in templates, and what only an instance shows.
    pub found: Diagnostics,
}

/// Looks at each type with sample values, at the templates and the folders that the spec names.
pub fn look(project: &dyn Project, spec: &Spec, today: Option<Day>) -> Looked {
    let mut looked = Looked::default();
    let mut local = Vec::new();
    for head in spec.types() {
        match spec.environment(&head.name, &sample(head, false)) {
            Ok(environment) => {
                if !template_paths(&environment).is_empty() {
                    // A template may tell the clouds apart.
                    local.extend(spec.environment(&head.name, &sample(head, true)));
                }
                looked.samples.insert(head.name.clone(), environment);
            }
            Err(more) => looked.found.extend(more),
        }
    }
    let mut facts = Facts { today, ..Facts::default() };
    facts.migrations = migrations(project, looked.samples.values());
    facts.doubts = read_migrations(project, looked.samples.values(), &facts);
    // Files are made of texts from the spec too, so that they are made without templates as well.
    let with_files: Vec<&Environment> = local.iter().chain(looked.samples.values()).collect();
    let templates = templates(project, &with_files);
    looked.found.extend(inspect(spec, &with_files, &templates, &mut facts));
    looked.found.extend(spec.lint(&looked.samples, &facts));
    looked
}

/// An instance to look at.
fn sample(head: &TypeHead, local_cloud: bool) -> Instance {
    let pr = 1_u32;
    Instance {
        id: head.identity.fixed(Some(pr)).unwrap_or_else(|| "sample".to_owned()),
        branch: Some("sample".to_owned()),
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

/// How many migrations each folder holds. A folder that cannot be listed is left out.
fn migrations<'e>(
    project: &dyn Project,
    environments: impl Iterator<Item = &'e Environment>,
) -> BTreeMap<String, Option<usize>> {
    let all = environments.flat_map(|environment| environment.migrations.values());
    let paths: BTreeSet<&str> = all.map(|folder| folder.path.as_str()).collect();
    let count = |path: &str| {
        let names = project.names(path).ok()?;
        let count = names.map(|names| names.iter().filter(|name| is_migration(name)).count());
        Some((path.to_owned(), count))
    };
    paths.into_iter().filter_map(count).collect()
}

/// What is wrong with the files of each folder that holds any. One whose files cannot all be read is left
/// out: what the others do depends on it.
fn read_migrations<'e>(
    project: &dyn Project,
    environments: impl Iterator<Item = &'e Environment> + Clone,
    facts: &Facts,
) -> BTreeMap<String, Vec<(String, String)>> {
    let secret: BTreeSet<String> = environments.flat_map(Environment::secret_files).collect();
    let there = facts.migrations.iter().filter(|(_, count)| count.is_some());
    let doubts = there.filter_map(|(folder, _)| {
        let names = project.names(folder).ok()??;
        let read = |name: String| {
            let path = format!("{folder}/{name}");
            let text = project.text(&path, &secret).ok()??;
            Some(MigrationFile { name, path, text })
        };
        let files = names.into_iter().filter(|name| is_migration(name)).map(read);
        let mut files = files.collect::<Option<Vec<_>>>()?;
        sort_migrations(&mut files);
        let told = doubts(&files)
            .into_iter()
            .map(|it| (format!("{}:{}: {}", it.file, it.line, it.what), it.help));
        Some((folder.clone(), told.collect()))
    });
    doubts.collect()
}
