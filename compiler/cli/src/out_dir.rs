//! Another folder than the spec's for generated files: `--out-dir`.
//!
//! Its files are recorded with the working copy that wrote them, each under the folder and its path
//! in it, so that the next command knows them for its own, and destroy takes them along. Git's rule
//! holds there as well, whichever repository the folder lies in.

use std::path::{Component, Path, PathBuf};

use crate::{
    env::ProcessEnv,
    error::CommandError,
    files::{self, Files, GeneratedFile, GitConflict, Removal},
    fsio, git,
    registry::FileRecord,
    session::Session,
};

/// Stands between the folder and a file's path in a record's key; no real path has it.
const SEAM: &str = "//";

/// The folder: its real path, whether or not it is there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OutDir(PathBuf);

impl OutDir {
    /// The folder that was named; `None` where it is the spec's own.
    pub(crate) fn named(session: &Session<'_>, path: &Path) -> Result<Option<Self>, CommandError> {
        let real = fsio::resolve_folder(path)?;
        if real == session.root {
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
        for (name, whose) in [(".git", "it is git's own"), (".envc", "it is envc's own")] {
            if real.components().any(|it| it == Component::Normal(name.as_ref())) {
                return Err(refused(whose));
            }
        }
        Ok(Some(Self(real)))
    }

    /// Its real path.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Under what one of its files is recorded.
    pub(crate) fn key(&self, path: &str) -> String {
        format!("{}{SEAM}{path}", self.0.display())
    }

    /// The folder and the path of a record's key; `None` for a file of the spec's folder.
    pub(crate) fn of_key(key: &str) -> Option<(Self, &str)> {
        if !Path::new(key).is_absolute() {
            return None;
        }
        let (folder, path) = key.split_once(SEAM)?;
        Some((Self(PathBuf::from(folder)), path))
    }

    /// A record's key as people read it.
    pub(crate) fn shown(key: &str) -> String {
        match Self::of_key(key) {
            Some((out_dir, path)) => out_dir.0.join(path).display().to_string(),
            None => key.to_owned(),
        }
    }

    /// Which of its files git has or would take in.
    pub(crate) fn git_conflicts(
        &self,
        env: &ProcessEnv,
        files: &[GeneratedFile],
    ) -> Result<Vec<GitConflict>, CommandError> {
        let there = self.0.ancestors().find(|path| fsio::is_folder(path));
        let Some(there) = there else { return Ok(Vec::new()) };
        let git = git::look(there, env);
        // Asked and told from the repository's top: the folder itself may not be there yet. Without
        // an answer of git it is refused, from the folder that is there.
        let top = git.repository.as_ref().map_or(there, |repository| &repository.toplevel);
        let below = self.0.strip_prefix(top).unwrap_or(&self.0);
        let files: Vec<GeneratedFile> = files
            .iter()
            .map(|file| GeneratedFile {
                path: below.join(&file.path).to_string_lossy().into_owned(),
                bytes: Vec::new(),
                ..file.clone()
            })
            .collect();
        files::git_conflicts(top, &git, env, &files)
    }
}

/// Removes a file that is recorded under this key, in whichever folder it lies, and what a killed
/// process left of it.
pub(crate) fn remove_recorded(
    session: &Session<'_>,
    key: &str,
    record: &FileRecord,
) -> Result<Removal, CommandError> {
    let (root, path) = match OutDir::of_key(key) {
        Some((OutDir(folder), path)) => (folder, path),
        None => (session.root.clone(), key),
    };
    if !fsio::is_folder(&root) {
        return Ok(Removal::Absent);
    }
    let handler = Files { root: &root, digest: &session.digest };
    handler.sweep(path, record)?;
    handler.remove(path, record)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_tells_the_folder_and_the_path() {
        for (folder, path) in
            [("/r/dist", ".env"), ("/r/dist", "apps//web/.env"), ("/r", "dist/.env")]
        {
            let out_dir = OutDir(PathBuf::from(folder));
            let key = out_dir.key(path);
            assert_eq!(OutDir::of_key(&key), Some((out_dir, path)));
        }
        assert_eq!(OutDir::of_key("apps//web/.env"), None);
        assert_eq!(OutDir::of_key(".env"), None);
        assert_eq!(OutDir::shown("/r/dist//.env"), "/r/dist/.env");
        assert_eq!(OutDir::shown("apps/.env"), "apps/.env");
    }
}
