//! Where a working copy lies.

use std::path::{Path, PathBuf};

use crate::host::error::CommandError;

/// Where a working copy lies; all paths canonical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    /// The spec's folder.
    pub(crate) root: PathBuf,
    /// The spec's name, where it is not the usual one.
    pub(crate) spec: Option<String>,
    /// The worktree's top folder; without git the spec's folder.
    pub(crate) top: PathBuf,
    /// The worktree's own git directory.
    pub(crate) git_dir: Option<PathBuf>,
    /// The git directory that all worktrees of the repository share.
    pub(crate) common_dir: Option<PathBuf>,
}

impl Location {
    /// Refuses a path that is no text: what is recorded is JSON, and two such paths could share a
    /// key.
    pub(super) fn refuse_no_text(&self) -> Result<(), CommandError> {
        let git_dirs = [&self.git_dir, &self.common_dir].into_iter().flatten();
        let mut paths = [&self.root, &self.top].into_iter().chain(git_dirs);
        // What stands for such a part of a spec's name stands for many.
        let spec = self.spec.as_deref().filter(|spec| spec.contains(char::REPLACEMENT_CHARACTER));
        let spec = spec.map(Path::new);
        match paths.find(|path| path.to_str().is_none()).map(PathBuf::as_path).or(spec) {
            Some(path) => Err(CommandError::failed(format!(
                "the path {} is not UTF-8 text; nothing was changed",
                path.display()
            ))
            .because_text("envc records each working copy by its path")
            .hint("rename the folder, or work in one whose path is text")
            .code("envc::cli::path_not_text")),
            None => Ok(()),
        }
    }

    /// What names the working copy: the worktree's git directory, and where the spec lies below
    /// its top. A copy of a folder inside a worktree is another one.
    pub(super) fn primary_key(&self) -> String {
        match &self.git_dir {
            Some(git_dir) => {
                let below = self.root.strip_prefix(&self.top).unwrap_or(&self.root);
                self.with_spec(git_dir.to_string_lossy().into_owned(), &below.to_string_lossy())
            }
            None => self.folder_key(),
        }
    }

    /// What names it where its git directory names another one.
    pub(super) fn folder_key(&self) -> String {
        self.with_spec(self.root.to_string_lossy().into_owned(), "")
    }

    /// How the first version named it, all folders of a worktree alike: by the git directory, and
    /// by the folder where the git directory was another one's.
    pub(super) fn first_version_keys(&self) -> [String; 2] {
        let git_dir = self.git_dir.as_ref().unwrap_or(&self.top);
        [git_dir, &self.top].map(|path| path.to_string_lossy().into_owned())
    }

    /// A canonical path holds no two slashes, so they part what is put together.
    fn with_spec(&self, base: String, below: &str) -> String {
        let parts = [Some(below).filter(|below| !below.is_empty()), self.spec.as_deref()];
        let rest: Vec<&str> = parts.into_iter().flatten().collect();
        if rest.is_empty() { base } else { format!("{base}//{}", rest.join("/")) }
    }
}
