//! Another folder than the spec's for generated files: `--out-dir`.
//!
//! Its files are recorded with the working copy that wrote them, each under the folder and its path
//! in it, so that the next command knows them for its own, and destroy takes them along. A folder
//! below the spec's or the working copy's top is recorded by its path below it, and moves with it. Git's rule holds
//! there as well, whichever repository the folder lies in.

use std::path::{Path, PathBuf};

use envc_core::kept_by;

use crate::{
    host::{env::ProcessEnv, error::CommandError, fsio, git},
    outputs::files::{self, Files, GitConflict, Removal, RenderedFile},
    workspace::{
        registry::{FileRecord, Location, file_key, folder_of_key},
        session::Session,
    },
};

/// The folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutDir {
    /// Its real path, whether or not it is there yet.
    folder: PathBuf,
    /// Where the working copy lies that writes into it.
    of: Location,
}

impl OutDir {
    /// The folder that was named; `None` where it is the spec's own.
    pub(crate) fn named(session: &Session<'_>, path: &Path) -> Result<Option<Self>, CommandError> {
        let real = fsio::resolve_folder(path)?;
        if real == session.workspace.root() {
            return Ok(None);
        }
        let refused = |why: &str| {
            CommandError::usage(format!("generated files cannot go to {}", real.display()))
                .because_text(why)
                .hint("name another folder with --out-dir")
                .code("envc::cli::out_dir")
        };
        if real.to_str().is_none() {
            return Err(refused("its path is not text"));
        }
        let by_name = real.components().find_map(|it| kept_by(&it.as_os_str().to_string_lossy()));
        match by_name.or_else(|| git::git_directory_around(&real).map(|_| "git")) {
            Some("envc") => return Err(refused("it is envc's own")),
            Some(_) => return Err(refused("it is git's own")),
            None => {}
        }
        Ok(Some(Self { folder: real, of: session.workspace.place() }))
    }

    /// Its real path.
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }

    /// Under what one of its files is recorded.
    pub(crate) fn key(&self, path: &str) -> String {
        file_key(&self.of, &self.folder, path)
    }

    /// The path of a key of its own files.
    pub(crate) fn path_of<'k>(&self, key: &'k str) -> Option<&'k str> {
        let (folder, path) = folder_of_key(&self.of, key)?;
        (folder == self.folder).then_some(path)
    }

    /// Which of its files git has or would take in.
    pub(crate) fn git_conflicts(
        &self,
        env: &ProcessEnv,
        files: &[RenderedFile],
    ) -> Result<Vec<GitConflict>, CommandError> {
        let there = self.folder.ancestors().find(|path| fsio::is_folder(path));
        let Some(there) = there else { return Ok(Vec::new()) };
        let git = git::look(there, env);
        // Asked and told from the repository's top: the folder itself may not be there yet. Without
        // an answer of git it is refused, from the folder that is there.
        let top = git.repository.as_ref().map_or(there, |repository| &repository.toplevel);
        let below = self.folder.strip_prefix(top).unwrap_or(&self.folder);
        let files: Vec<RenderedFile> = files
            .iter()
            .map(|file| RenderedFile {
                path: below.join(&file.path).to_string_lossy().into_owned(),
                bytes: Vec::new(),
                ..file.clone()
            })
            .collect();
        files::git_conflicts(top, &git, env, &files)
    }
}

/// True for the key of a file of the spec's folder.
pub(crate) fn is_of_specs_folder(session: &Session<'_>, key: &str) -> bool {
    folder_of_key(&session.workspace.place(), key).is_none()
}

/// A record's key as people read it.
pub(crate) fn shown(session: &Session<'_>, key: &str) -> String {
    match folder_of_key(&session.workspace.place(), key) {
        Some((folder, path)) => folder.join(path).display().to_string(),
        None => key.to_owned(),
    }
}

/// The folder of a key, and the path in it.
fn located<'k>(session: &Session<'_>, key: &'k str) -> (PathBuf, &'k str) {
    folder_of_key(&session.workspace.place(), key)
        .unwrap_or_else(|| (session.workspace.root().to_owned(), key))
}

/// Where a file really lies that is recorded under this key; `None` where none can.
pub(crate) fn path_of(session: &Session<'_>, key: &str) -> Option<PathBuf> {
    let (folder, path) = located(session, key);
    fsio::inside(&folder, path).ok()
}

/// Removes a file that is recorded under this key, in whichever folder it lies, and what a killed
/// process left of it.
pub(crate) fn remove_recorded(
    session: &Session<'_>,
    key: &str,
    record: &FileRecord,
) -> Result<Removal, CommandError> {
    let (root, path) = located(session, key);
    if !fsio::is_folder(&root) {
        return Ok(Removal::Absent);
    }
    let handler = Files { root: &root, digest: &session.workspace.digest };
    handler.sweep(path, record)?;
    handler.remove(path, record)
}

/// What [`remove_recorded`] would do.
pub(crate) fn would_remove_recorded(
    session: &Session<'_>,
    key: &str,
    record: &FileRecord,
) -> Removal {
    let (root, path) = located(session, key);
    Files { root: &root, digest: &session.workspace.digest }.would_remove(path, record)
}
