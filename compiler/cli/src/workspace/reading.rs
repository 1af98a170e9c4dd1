//! What is read of a checkout for what a spec says: templates, migrations, seeds, bundles.
//!
//! Invariant: it lies in the repository, and every link on the way stays in it; it is nothing of git's
//! and envc's own; and it is no file of secrets under another name.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use envc_core::kept_by;

use crate::host::{
    fsio::{self, FileId, FsError},
    git,
};

/// Wrangler's files of secrets begin so, with an environment's name behind it.
const DEV_VARS: &str = ".dev.vars";

/// The files that a spec names, seen from its folder.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    root: PathBuf,
    top: PathBuf,
    secret: BTreeMap<FileId, String>,
}

impl Reading {
    /// Those of a spec in this folder, in a repository with this top: real paths.
    pub(crate) fn of(root: &Path, top: &Path) -> Self {
        Self { root: root.to_owned(), top: top.to_owned(), secret: BTreeMap::new() }
    }

    /// Takes files for secrets, wherever they lie; they are told by these names.
    pub(crate) fn keep_secret(&mut self, paths: impl IntoIterator<Item = (PathBuf, String)>) {
        let known = paths.into_iter().filter_map(|(path, name)| Some((fsio::id(&path)?, name)));
        self.secret.extend(known);
    }

    /// Where a file or a folder really lies; what is not there lies where it would be.
    pub(crate) fn resolve(&self, relative: &str) -> Result<PathBuf, FsError> {
        let refuse = |why: &str| Err(FsError::refused("read", Path::new(relative), why));
        let path = fsio::resolve_within(&self.root, &self.top, relative)?;
        let below = path.strip_prefix(&self.top).unwrap_or(&path);
        let by_name =
            below.components().find_map(|part| kept_by(&part.as_os_str().to_string_lossy()));
        // What no link leads to is read where the spec says.
        let is_plain = || path == self.root.join(relative).components().collect::<PathBuf>();
        let of_git = || !is_plain() && git::git_directory_around(&path).is_some();
        match by_name {
            Some("envc") => refuse("it leads into a folder that envc keeps for itself"),
            Some(_) => refuse("it leads into a folder that git keeps for itself"),
            None if of_git() => refuse("it leads into a folder that git keeps for itself"),
            None => Ok(path),
        }
    }

    /// Refuses a file of secrets.
    pub(crate) fn refuse_secret(&self, relative: &str, path: &Path) -> Result<(), FsError> {
        let refuse = |name: &str| {
            let why = format!("it is a file of secrets: {name}");
            Err(FsError::refused("read", Path::new(relative), why))
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.get(..DEV_VARS.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(DEV_VARS)) {
            return refuse(&name);
        }
        match fsio::id(path).and_then(|id| self.secret.get(&id)) {
            Some(name) => refuse(name),
            None => Ok(()),
        }
    }

    /// Where a file that is no secret really lies.
    pub(crate) fn place(&self, relative: &str) -> Result<PathBuf, FsError> {
        let path = self.resolve(relative)?;
        self.refuse_secret(relative, &path)?;
        Ok(path)
    }

    /// The text of a file; `None` where there is none.
    pub(crate) fn text(&self, relative: &str, bytes_max: usize) -> Result<Option<String>, FsError> {
        fsio::read_text(&self.place(relative)?, bytes_max)
    }

    /// The names in a folder; `None` where there is none.
    pub(crate) fn names(&self, relative: &str) -> Result<Option<Vec<String>>, FsError> {
        fsio::names_if_there(&self.resolve(relative)?)
    }
}
