//! What is read of a checkout for what a spec says: templates, migrations, seeds, bundles.
//!
//! Invariant: it lies in the repository, and every link on the way stays in it; it is nothing of git's
//! and envc's own; and it is no file of secrets under another name.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use envc_core::kept_by;

use crate::host::{
    fsio::{self, FileId, FsError},
    git,
};

/// Files of secrets are called so, or begin so with a dot, a dash or a line behind: wrangler's, those
/// of dotenv and direnv, and what this project's own documents call one.
const SECRET_NAMES: [&str; 4] = [".dev.vars", ".env", ".envrc", ".secrets"];
/// At the end of the name of one that only shows what stands in it.
const SHOWN: [&str; 6] = ["example", "sample", "template", "tmpl", "dist", "defaults"];
/// What is done about a file of secrets that was to be read.
const WAY_OUT: &str = "name another file; one that holds no secret is called otherwise, such as env.txt or .env.example";

/// The files that a spec names, seen from its folder.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    root: PathBuf,
    top: PathBuf,
    secret: BTreeMap<FileId, String>,
    /// Where files of secrets may lie that are known by their names alone.
    folders: BTreeSet<PathBuf>,
}

impl Reading {
    /// Those of a spec in this folder, in a repository with this top: real paths.
    pub(crate) fn of(root: &Path, top: &Path) -> Self {
        let folders = root.ancestors().take_while(|it| it.starts_with(top));
        let folders = folders.map(Path::to_owned).collect();
        Self { root: root.to_owned(), top: top.to_owned(), secret: BTreeMap::new(), folders }
    }

    /// Files of secrets may lie in these folders, too, under the names that such files have.
    pub(crate) fn look_into(&mut self, folders: impl IntoIterator<Item = PathBuf>) {
        self.folders.extend(folders);
    }

    /// Takes files for secrets, wherever they lie; they are told by these names.
    pub(crate) fn keep_secret(&mut self, paths: impl IntoIterator<Item = (PathBuf, String)>) {
        let known = paths.into_iter().filter_map(|(path, name)| Some((fsio::id(&path)?, name)));
        self.secret.extend(known);
    }

    /// Where a file or a folder really lies; what is not there lies where it would be.
    pub(crate) fn resolve(&self, relative: &str) -> Result<PathBuf, FsError> {
        let refuse = |why: &str| {
            let error = FsError::refused("read", Path::new(relative), why);
            Err(error.way_out("name a file of the project, or put it there in place of the link"))
        };
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
            Err(FsError::refused("read", Path::new(relative), why).way_out(WAY_OUT))
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if is_called_secret(&name) {
            return refuse(&name);
        }
        let Some(id) = fsio::id(path) else { return Ok(()) };
        match self.secret.get(&id) {
            Some(name) => refuse(name),
            None => match self.other_name(path, &id) {
                Some(name) => refuse(&name),
                None => Ok(()),
            },
        }
    }

    /// The name of a file of secrets that this file has besides its own.
    fn other_name(&self, path: &Path, id: &FileId) -> Option<String> {
        if !fsio::has_second_name(path) {
            return None;
        }
        let beside = path.parent().map(Path::to_owned);
        self.folders.iter().chain(&beside).find_map(|folder| {
            let names = fsio::names_in(folder).unwrap_or_default();
            let mut secret = names.into_iter().filter(|name| is_called_secret(name));
            secret.find(|name| fsio::id(&folder.join(name)).as_ref() == Some(id))
        })
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

/// True for a file that holds secrets, as its name says.
pub(crate) fn is_called_secret(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_one = SECRET_NAMES.iter().any(|known| {
        let behind = lower.strip_prefix(known);
        behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(['.', '-', '_']))
    });
    let end = lower.rsplit(['.', '-', '_']).next().unwrap_or_default();
    is_one && !SHOWN.contains(&end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_secrets_are_known_by_their_names() {
        for name in [
            ".env",
            ".ENV",
            ".env.local",
            ".env-ci",
            ".envrc",
            ".dev.vars",
            ".Dev.Vars.production",
            ".secrets",
            ".secrets.env",
            ".env.example.local",
        ] {
            assert!(is_called_secret(name), "{name}");
        }
        for name in [
            "env",
            "app.env",
            ".envc",
            ".environment",
            ".env.example",
            ".env.ci.tmpl",
            ".env-dist",
            ".dev.vars.sample",
            "secrets.md",
            ".npmrc",
        ] {
            assert!(!is_called_secret(name), "{name}");
        }
    }
}
