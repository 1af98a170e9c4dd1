//! The data folder as the system keeps it: whose it is, and who else may write to it.
//!
//! Invariants:
//! - What is made here is private to its owner, whatever the umask is. A folder that was there stays as
//!   it is: its modes are its owner's business.
//! - A folder that others may write to, or of another owner, is refused: whoever writes to it can plant a
//!   database, or a link to a file of somebody else's.
//! - No link in the folder is followed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::CloudError;

/// The real path of a folder that is this user's alone to write to; made where it is missing.
pub(crate) fn own(path: &Path) -> Result<PathBuf, CloudError> {
    let wrong = |source| CloudError::Folder { path: path.to_owned(), source };
    if !path.exists() {
        make(path).map_err(wrong)?;
    }
    let path = fs::canonicalize(path).map_err(wrong)?;
    let there = fs::metadata(&path).map_err(wrong)?;
    if !there.is_dir() {
        return Err(wrong(io::ErrorKind::NotADirectory.into()));
    }
    refuse_shared(&path, &there)?;
    Ok(path)
}

/// The same for a folder inside of one: it is no link.
pub(crate) fn own_below(folder: &Path, name: &str) -> Result<PathBuf, CloudError> {
    let path = folder.join(name);
    refuse_link(&path)?;
    own(&path)
}

/// Refuses a link, wherever it leads.
pub(crate) fn refuse_link(path: &Path) -> Result<(), CloudError> {
    match path.symlink_metadata() {
        Ok(there) if there.is_symlink() => Err(CloudError::Link { path: path.to_owned() }),
        _ => Ok(()),
    }
}

/// Opens a file that only its owner may read, making it where it is missing.
pub(crate) fn private_file(path: &Path) -> Result<File, CloudError> {
    refuse_link(path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|source| CloudError::Folder { path: path.to_owned(), source })
}

/// Makes a folder and its parents. One that somebody else makes meanwhile is judged like any other.
fn make(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty())
        && !parent.exists()
    {
        make(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(unix)]
fn refuse_shared(path: &Path, there: &fs::Metadata) -> Result<(), CloudError> {
    use std::os::unix::fs::MetadataExt as _;
    /// The bits of a mode by which group and others may write.
    const OTHERS_WRITE: u32 = 0o022;
    if there.uid() != rustix::process::geteuid().as_raw() {
        return Err(CloudError::Foreign { path: path.to_owned() });
    }
    if there.mode() & OTHERS_WRITE != 0 {
        return Err(CloudError::Shared { path: path.to_owned() });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_shared(_: &Path, _: &fs::Metadata) -> Result<(), CloudError> {
    Ok(())
}
