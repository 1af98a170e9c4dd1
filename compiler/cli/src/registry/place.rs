//! Where a working copy lies.

use std::path::PathBuf;

/// Where a working copy lies; all paths canonical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The spec's folder.
    pub root: PathBuf,
    /// The worktree's top folder; without git the spec's folder.
    pub folder: PathBuf,
    /// The worktree's own git directory.
    pub git_dir: Option<PathBuf>,
}

impl Place {
    /// What names the working tree.
    pub(super) fn primary_key(&self) -> String {
        self.git_dir.as_ref().unwrap_or(&self.folder).to_string_lossy().into_owned()
    }
}
