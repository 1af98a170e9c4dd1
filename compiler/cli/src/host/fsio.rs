//! The only place that touches files: every error carries the path and what can be done, every
//! write is atomic and durable, and nothing is written through a link that leaves the project.
//!
//! - `own`: what envc keeps for itself in the user's state directory.
//! - `within`: where a path really lies, and whether that is where it may.

mod own;
mod within;

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

pub(crate) use self::{
    own::{Unsafe, has_other_names, is_same_file, open_lock, read_own, unsafe_because},
    within::{inside, inside_without_links, plain_file, resolve_folder, resolve_within, way},
};
use crate::host::error::CommandError;

/// Begins the name of a temporary file. What a killed process left is never looked for by this: a
/// person may have a file of such a name.
pub(crate) const TEMPORARY: &str = ".envc-tmp-";
/// Random letters and digits that follow, where nobody has to find the file again.
const TEMPORARY_CHANCE: usize = 16;

/// Permission bits of a file that only its owner may read.
pub(crate) const PRIVATE: u32 = 0o600;
/// Permission bits of a file that everybody may read.
pub(crate) const PUBLIC: u32 = 0o644;

/// An operation on a file that did not work.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", path.display())]
pub(crate) struct FsError {
    /// What was tried: "read", "write".
    pub(crate) action: &'static str,
    /// The file or folder.
    pub(crate) path: PathBuf,
    /// What the system said.
    pub(crate) source: io::Error,
    /// What can be done about it, where who refuses it knows.
    way_out: Option<&'static str>,
}

impl FsError {
    pub(crate) fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.to_owned(), source, way_out: None }
    }

    pub(crate) fn refused(action: &'static str, path: &Path, reason: impl Into<String>) -> Self {
        Self::new(action, path, io::Error::new(io::ErrorKind::InvalidInput, reason.into()))
    }

    /// The same, with what to do.
    #[must_use]
    pub(crate) fn way_out(self, way_out: &'static str) -> Self {
        Self { way_out: Some(way_out), ..self }
    }

    /// What can be done about it, where that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        if let Some(way_out) = self.way_out {
            return Some(way_out.to_owned());
        }
        let place = self.path.parent().unwrap_or(&self.path).display();
        let this = for_shell(&self.path);
        #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that grows")]
        match self.source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(format!(
                "the disk that holds {place} is full: free some space, then run this again"
            )),
            io::ErrorKind::ReadOnlyFilesystem => {
                Some(format!("{place} is on a read-only file system"))
            }
            io::ErrorKind::PermissionDenied => {
                Some(format!("look at who owns it: ls -ld {place} {}", self.path.display()))
            }
            io::ErrorKind::IsADirectory | io::ErrorKind::Unsupported => {
                Some(format!("put a file there; to see what it is: ls -ld {this}"))
            }
            io::ErrorKind::InvalidData => Some("save it as UTF-8 text".to_owned()),
            io::ErrorKind::FileTooLarge => Some(format!("make it smaller: ls -l {this}")),
            io::ErrorKind::NotADirectory => {
                Some(format!("a part of {place} is a file, and a folder is needed there"))
            }
            _ => None,
        }
    }
}

impl From<FsError> for CommandError {
    fn from(error: FsError) -> Self {
        Self::failed(error.to_string()).because(&error.source).hint_opt(error.hint())
    }
}

/// Reads a file of at most `bytes_max` bytes; `None` when there is none. Nothing but a file is read:
/// a pipe would wait for whoever writes into it, and a device may have no end.
pub(crate) fn read(path: &Path, bytes_max: usize) -> Result<Option<Vec<u8>>, FsError> {
    let wrong = |source| FsError::new("read", path, source);
    // Asked before it is opened, which alone waits for the other end of a pipe, and once it is
    // open, should another one have come in between.
    let file = fs::metadata(path).and_then(|there| {
        refuse_no_file(&there)?;
        let file = File::open(path)?;
        refuse_no_file(&file.metadata()?)?;
        Ok(file)
    });
    let file = match file {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error)),
    };
    read_at_most(file, bytes_max).map(Some).map_err(wrong)
}

/// As [`read`], for a file that the command line names: the shell may name a pipe, as `<(…)` does.
pub(crate) fn read_named(path: &Path, bytes_max: usize) -> Result<Option<Vec<u8>>, FsError> {
    let wrong = |source| FsError::new("read", path, source);
    match File::open(path) {
        Ok(file) => read_at_most(file, bytes_max).map(Some).map_err(wrong),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(error)),
    }
}

/// As [`read_named`], a text.
pub(crate) fn read_named_text(path: &Path, bytes_max: usize) -> Result<Option<String>, FsError> {
    let Some(bytes) = read_named(path, bytes_max)? else { return Ok(None) };
    as_text(bytes).map(Some).map_err(|source| FsError::new("read", path, source))
}

pub(super) fn refuse_no_file(there: &fs::Metadata) -> io::Result<()> {
    if there.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if there.is_file() {
        return Ok(());
    }
    let reason = "it is a pipe, a socket or a device, and a file is needed there";
    Err(io::Error::new(io::ErrorKind::Unsupported, reason))
}

/// Reads a text file of at most `bytes_max` bytes; `None` when there is none.
pub(crate) fn read_text(path: &Path, bytes_max: usize) -> Result<Option<String>, FsError> {
    let Some(bytes) = read(path, bytes_max)? else { return Ok(None) };
    as_text(bytes).map(Some).map_err(|source| FsError::new("read", path, source))
}

/// Reads a text of at most `bytes_max` bytes from standard input, to its end.
pub(crate) fn read_input(bytes_max: usize) -> Result<String, FsError> {
    let read = read_at_most(io::stdin().lock(), bytes_max).and_then(as_text);
    read.map_err(|source| FsError::new("read", Path::new("standard input"), source))
}

pub(super) fn read_at_most(input: impl io::Read, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let cap = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    input.take(cap).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        let reason = format!("it has more than {bytes_max} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

fn as_text(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = line.filter(|byte| **byte == b'\n').count() + 1;
        let reason = format!("it is not UTF-8 text (line {line})");
        io::Error::new(io::ErrorKind::InvalidData, reason)
    })
}

/// Writes a whole file: a new one beside it with the mode set before the first byte, made
/// durable, then put in its place. A reader sees the old file or the new one, never a part.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FsError> {
    let wrong = |source| FsError::new("write", path, source);
    let folder = folder_of(path);
    let temporary = fill_temporary(folder, bytes, mode).map_err(wrong)?;
    temporary.as_file().sync_all().map_err(wrong)?;
    temporary.persist(path).map_err(|error| wrong(error.error))?;
    sync_folder(folder).map_err(wrong)
}

/// As [`write_atomic`], for what can be made again: a power loss may leave it empty.
pub(crate) fn write_cache(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FsError> {
    let wrong = |source| FsError::new("write", path, source);
    let temporary = fill_temporary(folder_of(path), bytes, mode).map_err(wrong)?;
    temporary.persist(path).map_err(|error| wrong(error.error))?;
    Ok(())
}

/// Keeps a file's content under a second name beside it, also once the file is replaced. It is as
/// durable as the folder: the next [`write_atomic`] there makes it so.
pub(crate) fn keep_as(path: &Path, kept: &Path) -> Result<(), FsError> {
    let wrong = |source| FsError::new("write", kept, source);
    let link = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .rand_bytes(TEMPORARY_CHANCE)
        .make_in(folder_of(path), |beside| fs::hard_link(path, beside))
        .map_err(wrong)?;
    let beside = link.path().to_owned();
    link.persist(kept).map_err(|error| wrong(error.error))?;
    // Renaming a link onto another link of the same file does nothing and leaves both.
    remove(&beside)?;
    Ok(())
}

/// Writes a whole file if there is none yet; false when there is one. Of two processes that
/// create one file at the same time, one wins with its whole content.
pub(crate) fn create_new(path: &Path, bytes: &[u8], mode: u32) -> Result<bool, FsError> {
    let wrong = |source| FsError::new("write", path, source);
    // The usual case costs nothing; the one who comes too late below finds out there.
    if fs::symlink_metadata(path).is_ok() {
        return Ok(false);
    }
    let folder = folder_of(path);
    let temporary = fill_temporary(folder, bytes, mode).map_err(wrong)?;
    temporary.as_file().sync_all().map_err(wrong)?;
    match temporary.persist_noclobber(path) {
        Ok(_) => sync_folder(folder).map(|()| true).map_err(wrong),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(wrong(error.error)),
    }
}

/// Removes a file; false when there is none.
pub(crate) fn remove(path: &Path) -> Result<bool, FsError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FsError::new("remove", path, error)),
    }
}

/// A name for a temporary file that nobody can guess.
pub(crate) fn temporary_name() -> String {
    let mut chance = [0; TEMPORARY_CHANCE / 2];
    // Without chance it is a name all the same, which another process may have, too.
    let _filled = getrandom::fill(&mut chance);
    let digits: Vec<String> = chance.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{TEMPORARY}{}", digits.concat())
}

/// Makes a folder and its parents.
pub(crate) fn create_dirs(path: &Path) -> Result<(), FsError> {
    fs::create_dir_all(path).map_err(|error| FsError::new("create the folder", path, error))
}

/// Makes a folder and its parents that only their owner may enter; one that exists stays as it is.
pub(crate) fn create_private_dirs(path: &Path) -> Result<(), FsError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| FsError::new("create the folder", path, error))
}

/// Which file it is, under whichever name: two names of one file have one ID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileId {
    #[cfg(unix)]
    number: (i128, i128),
    #[cfg(not(unix))]
    path: PathBuf,
}

impl FileId {
    #[cfg(unix)]
    pub(super) fn of_stat(there: &rustix::fs::Stat) -> Self {
        // The types differ from system to system.
        let number = (i128::from(there.st_dev), i128::from(there.st_ino));
        Self { number }
    }
}

/// Which file it is that this path leads to, links followed; `None` where there is none.
pub(crate) fn id(path: &Path) -> Option<FileId> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let there = fs::metadata(path).ok()?;
        Some(FileId { number: (there.dev().into(), there.ino().into()) })
    }
    #[cfg(not(unix))]
    fs::canonicalize(path).ok().map(|path| FileId { path })
}

/// True for a file that has more names than one.
pub(crate) fn has_second_name(path: &Path) -> bool {
    #[cfg(unix)]
    return fs::metadata(path)
        .is_ok_and(|there| there.is_file() && std::os::unix::fs::MetadataExt::nlink(&there) > 1);
    #[cfg(not(unix))]
    {
        let _none = path;
        false
    }
}

/// The folder's or file's real path, all links followed.
pub(crate) fn canonical(path: &Path) -> Result<PathBuf, FsError> {
    fs::canonicalize(path).map_err(|error| FsError::new("find", path, error))
}

/// The names in a folder, sorted; none when there is no such folder.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>, FsError> {
    names_if_there(folder).map(Option::unwrap_or_default)
}

/// The names in a folder, sorted; `None` when there is no such folder.
pub(crate) fn names_if_there(folder: &Path) -> Result<Option<Vec<String>>, FsError> {
    let wrong = |error| FsError::new("list", folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(wrong)?.file_name().into_string().ok());
    }
    names.sort();
    Ok(Some(names))
}

/// True for a folder.
pub(crate) fn is_folder(path: &Path) -> bool {
    path.is_dir()
}

/// True for a file, reached through links or not.
pub(crate) fn is_file(path: &Path) -> bool {
    path.is_file()
}

/// A file's permission bits; `None` when there is no such file, and where files have none.
pub(crate) fn mode(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    {
        let metadata = fs::metadata(path).ok()?;
        Some(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777)
    }
    #[cfg(not(unix))]
    {
        let _none = path;
        None
    }
}

/// True for a file that may be run.
pub(crate) fn is_executable(path: &Path) -> bool {
    path.is_file() && (cfg!(not(unix)) || mode(path).is_some_and(|bits| bits & 0o111 != 0))
}

/// What a link holds; `None` where there is none.
pub(crate) fn read_link(path: &Path) -> Option<PathBuf> {
    fs::read_link(path).ok()
}

/// True where something has this name: a link counts, wherever it leads.
pub(crate) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// True where both are there and are one.
pub(crate) fn is_one(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

/// Makes a link to a folder; an error where anything has its name.
pub(crate) fn link_folder(target: &Path, path: &Path) -> Result<(), FsError> {
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(target, path);
    #[cfg(windows)]
    let made = std::os::windows::fs::symlink_dir(target, path);
    made.map_err(|error| FsError::new("make the link", path, error))
}

/// Removes a link to a folder, if it holds this; false where it does not.
pub(crate) fn remove_link(target: &Path, path: &Path) -> Result<bool, FsError> {
    if read_link(path).as_deref() != Some(target) {
        return Ok(false);
    }
    #[cfg(windows)]
    return match fs::remove_dir(path) {
        Ok(()) => Ok(true),
        Err(error) => Err(FsError::new("remove", path, error)),
    };
    #[cfg(not(windows))]
    remove(path)
}

/// Removes a folder that nothing is in; false where it stays.
pub(crate) fn remove_empty(folder: &Path) -> bool {
    let is_folder = folder.symlink_metadata().is_ok_and(|there| there.is_dir());
    is_folder && fs::remove_dir(folder).is_ok()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn fill_temporary(folder: &Path, bytes: &[u8], mode: u32) -> io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    fill(builder.prefix(TEMPORARY).rand_bytes(TEMPORARY_CHANCE), folder, bytes, mode)
}

fn fill(
    builder: &tempfile::Builder<'_, '_>,
    folder: &Path,
    bytes: &[u8],
    mode: u32,
) -> io::Result<tempfile::NamedTempFile> {
    // The temporary file is private from its first instant; its mode is set before its content.
    let mut temporary = builder.tempfile_in(folder)?;
    #[cfg(unix)]
    {
        let bits = std::os::unix::fs::PermissionsExt::from_mode(mode);
        temporary.as_file().set_permissions(bits)?;
    }
    #[cfg(not(unix))]
    let _ = mode;
    temporary.write_all(bytes)?;
    Ok(temporary)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// A path as a shell reads it back, for commands in hints.
pub(crate) fn for_shell(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~+@%/,:=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) && !text.starts_with('~') {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests;
