//! The only place that touches files: every error carries the path and what can be done, every
//! write is atomic and durable, and nothing is written through a link that leaves the project.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Component, Path, PathBuf},
};

use crate::host::{
    error::CommandError,
    owner::{self, User},
};

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
}

impl FsError {
    pub(crate) fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self { action, path: path.to_owned(), source }
    }

    pub(crate) fn refused(action: &'static str, path: &Path, reason: impl Into<String>) -> Self {
        Self::new(action, path, io::Error::new(io::ErrorKind::InvalidInput, reason.into()))
    }

    /// What can be done about it, where that is known.
    pub(crate) fn hint(&self) -> Option<String> {
        let place = self.path.parent().unwrap_or(&self.path).display();
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
    Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
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

/// Where `relative` lies inside `root`: refuses absolute paths, `..`, and links that lead out.
/// What does not exist yet is fine.
pub(crate) fn inside(root: &Path, relative: &str) -> Result<PathBuf, FsError> {
    let refuse = |reason: &str| Err(FsError::refused("use", Path::new(relative), reason));
    let mut components = Vec::new();
    for component in Path::new(relative).components() {
        match component {
            Component::Normal(name) => components.push(name),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return refuse("the path must be relative and may not hold `..`");
            }
        }
    }
    if components.is_empty() || relative.ends_with('/') {
        return refuse("the path names no file");
    }
    let root = canonical(root)?;
    let mut path = root.clone();
    for component in components {
        path.push(component);
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_symlink() {
            path = match fs::canonicalize(&path) {
                Ok(target) => target,
                Err(error) => return Err(FsError::new("follow the link", &path, error)),
            };
            if !path.starts_with(&root) {
                return refuse("a link on the way leads out of the project");
            }
        }
    }
    Ok(path)
}

/// How many links may be on the way to a file.
const LINKS_MAX: usize = 40;

/// Where `relative` below `root` really lies, for reading: links are followed as far as they stay in
/// `top`, which is `root` or above it. Both are real paths. What is not there lies where it would be.
pub(crate) fn resolve_within(root: &Path, top: &Path, relative: &str) -> Result<PathBuf, FsError> {
    let refuse = |reason: &str| Err(FsError::refused("read", Path::new(relative), reason));
    let is_plain = |part: &Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(relative).components().all(|part| is_plain(&part)) {
        return refuse("the path must be relative and may not hold `..`");
    }
    let parts = |path: &Path| -> Vec<PathBuf> {
        path.components().rev().map(|part| PathBuf::from(part.as_os_str())).collect()
    };
    let (mut path, mut left, mut links) = (root.to_owned(), parts(Path::new(relative)), 0);
    while let Some(part) = left.pop() {
        match part.components().next() {
            Some(Component::ParentDir) => {
                path.pop();
                continue;
            }
            Some(Component::CurDir) | None => continue,
            // A root or a drive takes the place of all before it.
            Some(_) => path.push(&part),
        }
        if !path.symlink_metadata().is_ok_and(|there| there.is_symlink()) {
            continue;
        }
        // One outside decides nothing, unless it is on the way to the repository itself.
        let leads_here = || fs::canonicalize(&path).is_ok_and(|real| top.starts_with(real));
        if !path.starts_with(top) && !leads_here() {
            return refuse("a link on the way leads out of the repository");
        }
        links += 1;
        let target =
            fs::read_link(&path).map_err(|error| FsError::new("follow the link", &path, error))?;
        if links > LINKS_MAX {
            return refuse("it is a link that leads to itself");
        }
        path.pop();
        left.extend(parts(&target));
    }
    if path.starts_with(top) {
        return Ok(path);
    }
    refuse("a link on the way leads out of the repository")
}

/// As [`inside`], where no link may stand on the way, wherever it leads: what is written there is
/// written there, and not where whoever made a link wants it.
pub(crate) fn inside_without_links(root: &Path, relative: &str) -> Result<PathBuf, FsError> {
    let path = inside(root, relative)?;
    let plain = canonical(root)?.join(relative).components().collect::<PathBuf>();
    if path == plain {
        return Ok(path);
    }
    Err(FsError::refused("use", Path::new(relative), "a link stands on the way"))
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

/// The real path of a folder that may not be there yet: links followed as far as it is there.
pub(crate) fn resolve_folder(path: &Path) -> Result<PathBuf, FsError> {
    let mut real = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => continue,
            Component::ParentDir => {
                real.pop();
                continue;
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => {
                real.push(component);
            }
        }
        match fs::symlink_metadata(&real) {
            Ok(there) if there.is_symlink() => {
                real = fs::canonicalize(&real)
                    .map_err(|error| FsError::new("follow the link", &real, error))?;
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(FsError::new("use", &real, error)),
        }
    }
    match fs::metadata(&real) {
        Ok(there) if !there.is_dir() => {
            Err(FsError::new("use", &real, io::ErrorKind::NotADirectory.into()))
        }
        _ => Ok(real),
    }
}

/// A file below a folder that is reached without a link and belongs to whom `like` does, or to this
/// user; else why it is not taken, as a clause after its name. `None`: it is not there.
pub(crate) fn plain_file(
    root: &Path,
    relative: &Path,
    like: &Path,
    user: User,
) -> Result<Option<PathBuf>, &'static str> {
    let mut path = root.to_owned();
    for component in relative.components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::CurDir => continue,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                return Err("leads outside");
            }
        }
        match fs::symlink_metadata(&path) {
            Ok(there) if there.is_symlink() => return Err("is reached through a link"),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(_) => return Err("cannot be looked at"),
        }
    }
    let is_known = owner::of(&path) == owner::of(like) || user.takes(&path);
    if is_known { Ok(Some(path)) } else { Err("belongs to another user") }
}

/// The way from one folder to another, both as they really are, with slashes: `../..`. Where no way
/// leads there, as between two drives, the whole path.
pub(crate) fn way(from: &Path, to: &Path) -> String {
    let text = |path: &Path| path.to_string_lossy().replace('\\', "/");
    let (from, whole) = (from.components().collect::<Vec<_>>(), to);
    let to: Vec<_> = to.components().collect();
    let same = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    if same == 0 {
        return text(whole);
    }
    let up = from.iter().skip(same).map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to.into_iter().skip(same)).collect();
    if way.as_os_str().is_empty() { ".".to_owned() } else { text(&way) }
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
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_way_leads_from_one_folder_to_another() {
        for (from, to, expect) in [
            ("/a/b", "/a", ".."),
            ("/a/out", "/a/shop/apps", "../shop/apps"),
            ("/a", "/a", "."),
            ("/a", "/a/b", "b"),
            ("/x/y", "/a", "../../a"),
        ] {
            assert_eq!(way(Path::new(from), Path::new(to)), expect, "{from} {to}");
        }
    }

    #[test]
    fn a_write_sets_mode_and_content_and_leaves_nothing_beside_it() {
        let folder = folder();
        let path = folder.path().join("key");
        write_atomic(&path, b"one", PUBLIC).unwrap();
        write_atomic(&path, b"two", PRIVATE).unwrap();
        assert_eq!(read(&path, 3).unwrap().as_deref(), Some(&b"two"[..]));
        assert_eq!(mode(&path), Some(0o600));
        assert_eq!(names_in(folder.path()).unwrap(), ["key"]);
    }

    #[test]
    fn what_is_kept_outlives_its_file_being_replaced() {
        let folder = folder();
        let (path, kept) = (folder.path().join("state"), folder.path().join("kept"));
        for text in ["one", "two", "three"] {
            if path.exists() {
                keep_as(&path, &kept).unwrap();
                keep_as(&path, &kept).unwrap();
            }
            write_atomic(&path, text.as_bytes(), PRIVATE).unwrap();
        }
        assert_eq!(read(&path, 10).unwrap().as_deref(), Some(&b"three"[..]));
        assert_eq!(read(&kept, 10).unwrap().as_deref(), Some(&b"two"[..]));
        assert_eq!(names_in(folder.path()).unwrap(), ["kept", "state"]);
    }

    #[test]
    fn only_the_first_of_two_creators_wins() {
        let folder = folder();
        let path = folder.path().join("key");
        assert!(create_new(&path, b"one", PRIVATE).unwrap());
        assert!(!create_new(&path, b"two", PRIVATE).unwrap());
        assert_eq!(read(&path, 10).unwrap().as_deref(), Some(&b"one"[..]));
        assert_eq!(names_in(folder.path()).unwrap(), ["key"]);
    }

    #[test]
    fn reading_stops_at_the_cap_and_says_why() {
        let folder = folder();
        let path = folder.path().join("spec");
        fs::write(&path, "four").unwrap();
        assert_eq!(read(&path, 4).unwrap().map(|bytes| bytes.len()), Some(4));
        let error = read(&path, 3).unwrap_err();
        assert!(error.source.to_string().contains("more than 3 bytes"));
        assert!(read(&folder.path().join("none"), 3).unwrap().is_none());
        assert!(read(folder.path(), 3).is_err());
        fs::write(&path, b"a\n\xff").unwrap();
        let error = read_text(&path, 10).unwrap_err();
        assert_eq!(error.source.to_string(), "it is not UTF-8 text (line 2)");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_or_a_device_is_refused_and_never_waited_for() {
        let folder = folder();
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for path in [pipe.as_path(), Path::new("/dev/zero")] {
            let error = read(path, 10).unwrap_err();
            assert!(error.source.to_string().contains("a file is needed"), "{error}");
        }
    }

    #[test]
    fn paths_stay_inside_the_project() {
        let folder = folder();
        let root = folder.path().join("project");
        fs::create_dir_all(root.join("apps/web")).unwrap();
        fs::create_dir_all(folder.path().join("elsewhere")).unwrap();
        let root = canonical(&root).unwrap();
        assert_eq!(inside(&root, "./apps/web/.env").unwrap(), root.join("apps/web/.env"));
        assert_eq!(inside(&root, "new/deep/.env").unwrap(), root.join("new/deep/.env"));
        for wrong in ["../x", "apps/../../x", "/etc/passwd", "", ".", "apps/"] {
            assert!(inside(&root, wrong).is_err(), "{wrong}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_inside_and_refused_outside() {
        use std::os::unix::fs::symlink;
        let folder = folder();
        let root = folder.path().join("project");
        fs::create_dir_all(root.join("real")).unwrap();
        let root = canonical(&root).unwrap();
        symlink(root.join("real"), root.join("good")).unwrap();
        symlink(folder.path(), root.join("bad")).unwrap();
        symlink(root.join("nothing"), root.join("dangling")).unwrap();
        assert_eq!(inside(&root, "good/.env").unwrap(), root.join("real/.env"));
        assert!(inside(&root, "bad/.env").unwrap_err().source.to_string().contains("leads out"));
        assert!(inside(&root, "dangling").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_to_be_made_has_a_real_path_already() {
        use std::os::unix::fs::symlink;
        let folder = folder();
        let root = canonical(folder.path()).unwrap();
        fs::create_dir(root.join("real")).unwrap();
        fs::write(root.join("file"), "").unwrap();
        symlink(root.join("real"), root.join("link")).unwrap();
        symlink(root.join("nothing"), root.join("dangling")).unwrap();
        for (path, real) in [
            ("link", "real"),
            ("link/new/deep", "real/new/deep"),
            ("new/../link/./x", "real/x"),
            ("link/../y", "y"),
        ] {
            assert_eq!(resolve_folder(&root.join(path)).unwrap(), root.join(real), "{path}");
        }
        for wrong in ["file", "file/x", "dangling", "dangling/x"] {
            assert!(resolve_folder(&root.join(wrong)).is_err(), "{wrong}");
        }
        assert_eq!(names_in(&root).unwrap(), ["dangling", "file", "link", "real"]);
    }

    #[test]
    fn errors_carry_the_path_and_what_to_do() {
        let full = FsError::new("write", Path::new("/d/.env"), io::ErrorKind::StorageFull.into());
        let text = CommandError::from(full).to_text();
        assert!(text.starts_with("error: cannot write /d/.env\n"), "{text}");
        assert!(text.contains("hint: the disk that holds /d is full"), "{text}");
    }

    #[test]
    fn a_path_is_quoted_where_a_shell_would_read_another() {
        for (path, shown) in [
            ("/a/b-c.json", "/a/b-c.json"),
            ("/a b/c", "'/a b/c'"),
            ("/it's", "'/it'\\''s'"),
            ("/$HOME;x", "'/$HOME;x'"),
            ("~x", "'~x'"),
        ] {
            assert_eq!(for_shell(Path::new(path)), shown);
        }
    }
}
