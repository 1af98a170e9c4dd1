//! What a spec is read from: the files that nothing generated may take the place of.
//!
//! They are known by which file they are, so that another spelling, a link or a second name of one is
//! that one.

use std::{collections::BTreeMap, path::PathBuf};

use envc_core::join_path;
use envc_kinds::Deploy;
use envc_plan::template_paths;
use envc_spec::SecretProvider;

use crate::{
    host::{
        error::CommandError,
        fsio::{self, FileId},
        spot::Spot,
    },
    workspace::{migrations, session::Session},
};

/// The files that a spec is read from.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    /// How each is called.
    files: BTreeMap<FileId, String>,
    /// The folders of bundles: real paths.
    bundles: Vec<PathBuf>,
}

impl Origins {
    /// Those of a session.
    pub(crate) fn of(session: &Session<'_>) -> Self {
        let (environment, root) = (&session.environment, session.workspace.root());
        let mut paths: Vec<String> = template_paths(environment);
        paths.extend(environment.seeds.values().map(|seed| seed.path.clone()));
        for dir in environment.migrations.values() {
            let folder = migrations::look(&session.reading(), dir).unwrap_or_default();
            paths.extend(folder.names.iter().map(|name| join_path(&dir.path, name)));
        }
        paths.extend(environment.secrets.iter().filter_map(|provider| match provider {
            SecretProvider::Dotenv { path, .. } => Some(path.clone()),
            SecretProvider::Env { .. } | SecretProvider::Unsupported { .. } => None,
        }));
        let mut bundles = Vec::new();
        for worker in &environment.workers {
            paths.extend(worker.main.as_ref().map(|main| join_path(&worker.path, main)));
            if let Deploy::Bundle(folder) = &worker.deploy {
                bundles.extend(fsio::canonical(&root.join(join_path(&worker.path, folder))).ok());
            }
        }
        let files = paths.into_iter().filter_map(|path| Some((fsio::id(&root.join(&path))?, path)));
        let spec = session.workspace.file.path.as_ref();
        let spec = spec.and_then(|path| Some((fsio::id(path)?, "the spec itself".to_owned())));
        Self { files: files.chain(spec).collect(), bundles }
    }

    /// Refuses a file that is one of them. Of a bundle a module is one, but for what envc wrote there.
    pub(crate) fn refuse(
        &self,
        shown: &str,
        spot: Option<&Spot>,
        is_envcs: bool,
    ) -> Result<(), CommandError> {
        let Some((spot, id)) = spot.and_then(|spot| Some((spot, spot.id()?))) else {
            return Ok(());
        };
        let in_bundle = || self.bundles.iter().any(|folder| spot.path().starts_with(folder));
        let what = match self.files.get(&id) {
            Some(name) => format!("it is what the spec is read from: {name}"),
            None if !is_envcs && in_bundle() => "it is a module of a bundle".to_owned(),
            None => return Ok(()),
        };
        Err(CommandError::failed(format!("{shown} would be written over what is read"))
            .because_text(what)
            .hint("give the generated file another path; --force does not help")
            .code("envc::cli::file_is_read"))
    }
}
