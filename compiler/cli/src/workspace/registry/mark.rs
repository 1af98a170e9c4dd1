//! The mark of a working copy: a random text in the worktree's own git directory.
//!
//! It moves with the folder, a new clone or worktree at the old path does not have it, and no
//! `git clean` takes it away.

use std::path::Path;

use crate::host::fsio;

/// The file in the git directory.
const FILE: &str = "envc-working-copy";
/// Bytes of randomness.
pub(crate) const MARK_BYTES: usize = 16;
/// Bytes of the file.
const FILE_BYTES_MAX: usize = 256;

/// The mark of a git directory; what is not readable is none.
pub(crate) fn read(git_dir: &Path) -> Option<String> {
    let text = fsio::read_text(&git_dir.join(FILE), FILE_BYTES_MAX).ok()??;
    let mark = text.trim_end();
    let is_one = mark.len() == MARK_BYTES * 2 && mark.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_one.then(|| mark.to_owned())
}

/// Writes it. False where that cannot be done: the working copy goes by its path alone then.
pub(crate) fn write(git_dir: &Path, mark: &str) -> bool {
    let text = format!("{mark}\n");
    fsio::write_atomic(&git_dir.join(FILE), text.as_bytes(), fsio::PRIVATE).is_ok()
}
