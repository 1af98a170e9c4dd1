//! Warnings of a spec, and what only the project's files show: the facts are read here, what they
//! mean is decided in `envc-spec` and `envc-plan`.
//!
//! Only reads, and nothing outside of the project. Way in: [`look`].

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Diagnostics, RepositoryDigest, limits::FILE_BYTES_MAX};
use envc_plan::{Template, inspect, template_paths};
use envc_spec::{
    Environment, Instance, Spec, TypeHead,
    lint::{Day, Facts},
};

use crate::{clock::SystemClock, env::ProcessEnv, fsio, identity::is_per_pr, project::SpecFile};

/// What a look at a spec without mistakes found.
#[derive(Debug, Default)]
pub struct Looked {
    /// A sample of each type, by its name.
    pub samples: BTreeMap<String, Environment>,
    /// Warnings, mistakes in templates, and what only an instance shows.
    pub found: Diagnostics,
}

/// Looks at each type with sample values, at the templates and the folders that the spec names.
pub fn look(file: &SpecFile, spec: &Spec, today: Option<Day>) -> Looked {
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
    facts.migrations = migrations(file, looked.samples.values());
    // Files are made of texts from the spec too, so that they are made without templates as well.
    let with_files: Vec<&Environment> = local.iter().chain(looked.samples.values()).collect();
    let templates = templates(file, &with_files);
    looked.found.extend(inspect(spec, &with_files, &templates, &mut facts));
    looked.found.extend(spec.lint(&looked.samples, &facts));
    looked
}

/// The day of the clock, in UTC.
pub fn today(env: &ProcessEnv) -> Option<Day> {
    let seconds = i64::try_from(SystemClock::new(env).unix_s()).ok()?;
    let time = jiff::Timestamp::from_second(seconds).ok()?;
    Day::parse(&time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string())
}

/// An instance to look at.
pub(crate) fn sample(head: &TypeHead, local_cloud: bool) -> Instance {
    let pr = 1_u32;
    Instance {
        id: head.identity.fixed(Some(pr)).unwrap_or_else(|| "sample".to_owned()),
        branch: Some("sample".to_owned()),
        pr: is_per_pr(head).then_some(pr),
        sha: Some("0".repeat(40)),
        ports: head.ports.iter().map(|(owner, range)| (owner.clone(), range.first)).collect(),
        local_cloud,
        repository: RepositoryDigest::UNKNOWN,
    }
}

/// The templates that are there, each with its text or with why it cannot be read.
fn templates(file: &SpecFile, environments: &[&Environment]) -> BTreeMap<String, Template> {
    let paths: BTreeSet<String> = environments.iter().flat_map(|one| template_paths(one)).collect();
    let read = |path: &str| {
        let place = fsio::inside(&file.root, path)?;
        fsio::read_text(&place, FILE_BYTES_MAX)
    };
    paths
        .into_iter()
        .filter_map(|path| match read(&path) {
            Ok(text) => Some((path, Ok(text?))),
            Err(error) => Some((path, Err(error.source.to_string()))),
        })
        .collect()
}

/// How many migrations each folder holds. A folder that cannot be listed is left out.
fn migrations<'e>(
    file: &SpecFile,
    environments: impl Iterator<Item = &'e Environment>,
) -> BTreeMap<String, Option<usize>> {
    let all = environments.flat_map(|environment| environment.migrations.values());
    let paths: BTreeSet<&str> = all.map(|folder| folder.path.as_str()).collect();
    let count = |path: &str| {
        let names = fsio::names_if_there(&fsio::inside(&file.root, path)?)?;
        Ok::<_, fsio::FsError>(
            names
                .map(|names| names.iter().filter(|name| crate::engine::is_migration(name)).count()),
        )
    };
    paths.into_iter().filter_map(|path| Some((path.to_owned(), count(path).ok()?))).collect()
}
