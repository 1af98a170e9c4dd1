//! What envc keeps for itself: files of this user's alone, in a folder into which nobody else writes.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use super::{FsError, PRIVATE, for_shell, read_at_most, refuse_no_file};
use crate::host::owner;

/// Opens a lock file, made private when it is not there, without changing its content.
///
/// Who holds it writes into it. So it is a file of this user's with no other name: a link, or a second
/// name of some other file, is not opened.
pub(crate) fn open_lock(path: &Path) -> Result<File, FsError> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, PRIVATE);
    open_own(path, &mut options)
}

/// As [`read`], for what envc keeps in the user's state directory: no link is followed.
pub(crate) fn read_own(path: &Path, bytes_max: usize) -> Result<Option<Vec<u8>>, FsError> {
    match open_own(path, fs::OpenOptions::new().read(true)) {
        Ok(file) => read_at_most(file, bytes_max)
            .map(Some)
            .map_err(|error| FsError::new("read", path, error)),
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Opens a file of this user's that no link leads to.
fn open_own(path: &Path, options: &mut fs::OpenOptions) -> Result<File, FsError> {
    let is_link = || path.symlink_metadata().is_ok_and(|there| there.is_symlink());
    let refuse = |why: &str| {
        let why = format!("{why}; to take it away: rm {}", for_shell(path));
        Err(FsError::refused("open", path, why))
    };
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        // Not blocking: a pipe would wait for its other end before it could be refused.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags);
    }
    let file = match options.open(path) {
        Err(_) if is_link() => return refuse("it is a link, and envc's own files are none"),
        opened => opened.map_err(|error| FsError::new("open", path, error))?,
    };
    let there = file.metadata().map_err(|error| FsError::new("open", path, error))?;
    refuse_no_file(&there).map_err(|error| FsError::new("open", path, error))?;
    if !owner::is_mine(&there) {
        return refuse("it belongs to another user");
    }
    Ok(file)
}

/// True for a file that has another name besides the one that it was opened by.
pub(crate) fn has_other_names(file: &File) -> bool {
    #[cfg(unix)]
    return file.metadata().is_ok_and(|there| std::os::unix::fs::MetadataExt::nlink(&there) > 1);
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// How a folder of this user's is not safe from others; `None` where it is.
pub(crate) fn unsafe_because(folder: &Path) -> Result<Option<Unsafe>, FsError> {
    let there = fs::metadata(folder).map_err(|error| FsError::new("use", folder, error))?;
    if !owner::is_mine(&there) {
        return Ok(Some(Unsafe::Anothers));
    }
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::mode(&there) & 0o022 != 0 {
        return Ok(Some(Unsafe::Writable));
    }
    Ok(None)
}

/// Why others may change what is in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsafe {
    /// It belongs to one of them.
    Anothers,
    /// They may write into it.
    #[cfg_attr(not(unix), expect(dead_code, reason = "there are no such rights"))]
    Writable,
}

/// True when `path` still names the file that is open: nobody removed or replaced it.
pub(crate) fn is_same_file(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        match (file.metadata(), fs::symlink_metadata(path)) {
            (Ok(open), Ok(named)) => open.dev() == named.dev() && open.ino() == named.ino(),
            _ => false,
        }
    }
    #[cfg(not(unix))]
    {
        file.metadata().is_ok() && path.exists()
    }
}
