//! A file that no link leads to: below a folder, component by component, each opened as itself.
//!
//! Invariant: what is read, written and removed through a [`Spot`] lies where its path says. A link
//! that is put on the way later changes nothing: the folder is open, and names are taken in it. Where
//! the system cannot open folders, each component is looked at instead.

use std::{
    ffi::{OsStr, OsString},
    io,
    path::{Component, Path, PathBuf},
};

use crate::host::fsio::{FileId, FsError};

/// Why a path is refused.
const LINK: &str = "a link stands on the way, and nothing is read or written through it";

/// A name in a folder that was reached without a link.
#[derive(Debug)]
pub(crate) struct Spot {
    folder: Folder,
    name: OsString,
    path: PathBuf,
}

impl Spot {
    /// Looks for it; `None` where a folder on the way is not there.
    pub(crate) fn find(root: &Path, relative: &str) -> Result<Option<Self>, FsError> {
        Self::open(root, relative, false)
    }

    /// Makes the folders on the way to it.
    pub(crate) fn make(root: &Path, relative: &str) -> Result<Self, FsError> {
        let missing = || FsError::refused("use", &root.join(relative), "a folder of it went away");
        Self::open(root, relative, true)?.ok_or_else(missing)
    }

    fn open(root: &Path, relative: &str, make: bool) -> Result<Option<Self>, FsError> {
        let refuse = |reason: &str| FsError::refused("use", Path::new(relative), reason);
        let mut names = Vec::new();
        for component in Path::new(relative).components() {
            match component {
                Component::Normal(name) => names.push(name),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(refuse("the path must be relative and may not hold `..`"));
                }
            }
        }
        let whole = names.split_last().filter(|_| !relative.ends_with('/'));
        let Some((name, folders)) = whole else { return Err(refuse("the path names no file")) };
        let mut path = root.to_owned();
        let mut folder = match Folder::open(root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !make => return Ok(None),
            opened => opened.map_err(|error| FsError::new("open", root, error))?,
        };
        for name in folders {
            path.push(name);
            folder = match folder.enter(name, make) {
                Ok(Some(folder)) => folder,
                Ok(None) => return Ok(None),
                Err(error) if folder.is_link(name) => return Err(Self::behind(&path, &error)),
                Err(error) => return Err(FsError::new("open", &path, error)),
            };
        }
        path.push(name);
        if folder.is_link(name) {
            return Err(Self::behind(&path, &io::Error::other("")));
        }
        Ok(Some(Self { folder, name: (*name).to_owned(), path }))
    }

    /// What links are refused with; what the system said of it tells no more.
    fn behind(path: &Path, _said: &io::Error) -> FsError {
        FsError::new("use", path, io::Error::new(io::ErrorKind::InvalidFilename, LINK))
    }

    /// True for the error of a link on the way.
    pub(crate) fn is_behind_link(error: &FsError) -> bool {
        error.source.kind() == io::ErrorKind::InvalidFilename
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it; `None` where there is none.
    pub(crate) fn read(&self, bytes_max: usize) -> Result<Option<Vec<u8>>, FsError> {
        let wrong = |error| FsError::new("read", &self.path, error);
        match self.folder.read(&self.name, bytes_max) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(_) if self.folder.is_link(&self.name) => {
                Err(Self::behind(&self.path, &io::Error::other("")))
            }
            Err(error) => Err(wrong(error)),
        }
    }

    /// Which file stands there; `None` where none does.
    pub(crate) fn id(&self) -> Option<FileId> {
        self.folder.id(&self.name)
    }

    /// Its permission bits; `None` where there is no file, and where files have none.
    pub(crate) fn mode(&self) -> Option<u32> {
        self.folder.mode(&self.name)
    }

    /// Writes a whole file: a new one of the name `temporary` beside it with the mode set before the
    /// first byte, made durable unless it is a cache, then put in its place.
    pub(crate) fn write(
        &self,
        temporary: &str,
        bytes: &[u8],
        mode: u32,
        durable: bool,
    ) -> Result<(), FsError> {
        let wrong = |error| FsError::new("write", &self.path, error);
        let temporary = OsStr::new(temporary);
        let fill = || self.folder.fill(temporary, bytes, mode, durable);
        let filled = match fill() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.folder.remove_plain(temporary).map_err(wrong)?;
                fill()
            }
            filled => filled,
        };
        let placed = filled.and_then(|()| self.folder.rename(temporary, &self.name, durable));
        if let Err(error) = placed {
            // Whatever is left of it is of no use.
            if error.kind() != io::ErrorKind::AlreadyExists {
                let _removed = self.folder.remove_plain(temporary);
            }
            return Err(wrong(error));
        }
        Ok(())
    }

    /// Removes it; false where there is none.
    pub(crate) fn remove(&self) -> Result<bool, FsError> {
        match self.folder.remove(&self.name) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(FsError::new("remove", &self.path, error)),
        }
    }

    /// Removes a file beside it; a link or a folder of that name stays.
    pub(crate) fn remove_beside(&self, name: &str) -> Result<bool, FsError> {
        let wrong = |error| FsError::new("remove", &self.path.with_file_name(name), error);
        self.folder.remove_plain(OsStr::new(name)).map_err(wrong)
    }
}

/// A folder, open.
#[cfg(unix)]
#[derive(Debug)]
struct Folder(rustix::fd::OwnedFd);

#[cfg(unix)]
mod by_descriptor {
    use std::{
        ffi::OsStr,
        fs::File,
        io::{self, Write as _},
        path::Path,
    };

    use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawMode, Stat};

    use super::{FileId, Folder};
    use crate::host::fsio;

    const FOLDER: OFlags =
        OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

    impl Folder {
        pub(super) fn open(path: &Path) -> io::Result<Self> {
            Ok(Self(rustix::fs::open(path, FOLDER, Mode::empty())?))
        }

        pub(super) fn enter(&self, name: &OsStr, make: bool) -> io::Result<Option<Self>> {
            let open = || rustix::fs::openat(&self.0, name, FOLDER, Mode::empty());
            match open() {
                Err(rustix::io::Errno::NOENT) if make => {
                    let bits = Mode::RWXU | Mode::RWXG | Mode::RWXO;
                    match rustix::fs::mkdirat(&self.0, name, bits) {
                        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                        Err(error) => return Err(error.into()),
                    }
                    Ok(Some(Self(open()?)))
                }
                Err(rustix::io::Errno::NOENT) => Ok(None),
                opened => Ok(Some(Self(opened?))),
            }
        }

        fn look(&self, name: &OsStr) -> Option<Stat> {
            rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).ok()
        }

        fn is(&self, name: &OsStr, kind: FileType) -> bool {
            self.look(name).is_some_and(|there| FileType::from_raw_mode(there.st_mode) == kind)
        }

        pub(super) fn is_link(&self, name: &OsStr) -> bool {
            self.is(name, FileType::Symlink)
        }

        pub(super) fn read(&self, name: &OsStr, bytes_max: usize) -> io::Result<Vec<u8>> {
            fsio::read_at_most(self.open_plain(name)?, bytes_max)
        }

        fn open_plain(&self, name: &OsStr) -> io::Result<File> {
            // Not blocking: a pipe would wait for its other end before it could be refused.
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let file = File::from(rustix::fs::openat(&self.0, name, flags, Mode::empty())?);
            fsio::refuse_no_file(&file.metadata()?)?;
            Ok(file)
        }

        pub(super) fn id(&self, name: &OsStr) -> Option<FileId> {
            self.look(name).map(|there| FileId::of_stat(&there))
        }

        pub(super) fn mode(&self, name: &OsStr) -> Option<u32> {
            let there = self.open_plain(name).ok()?.metadata().ok()?;
            Some(std::os::unix::fs::PermissionsExt::mode(&there.permissions()) & 0o7777)
        }

        pub(super) fn fill(
            &self,
            name: &OsStr,
            bytes: &[u8],
            mode: u32,
            durable: bool,
        ) -> io::Result<()> {
            let flags =
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let private = Mode::RUSR | Mode::WUSR;
            let mut file = File::from(rustix::fs::openat(&self.0, name, flags, private)?);
            let bits = RawMode::try_from(mode).map_err(io::Error::other)?;
            rustix::fs::fchmod(&file, Mode::from_raw_mode(bits))?;
            file.write_all(bytes)?;
            if durable { file.sync_all() } else { Ok(()) }
        }

        pub(super) fn rename(&self, from: &OsStr, to: &OsStr, durable: bool) -> io::Result<()> {
            rustix::fs::renameat(&self.0, from, &self.0, to)?;
            if durable {
                rustix::fs::fsync(&self.0)?;
            }
            Ok(())
        }

        pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
            Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::empty())?)
        }

        pub(super) fn remove_plain(&self, name: &OsStr) -> io::Result<bool> {
            if !self.is(name, FileType::RegularFile) {
                return Ok(false);
            }
            match self.remove(name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                removed => removed.map(|()| true),
            }
        }
    }
}

/// A folder, by its path.
#[cfg(not(unix))]
#[derive(Debug)]
struct Folder(PathBuf);

#[cfg(not(unix))]
mod by_path {
    use std::{ffi::OsStr, io, path::Path};

    use super::{FileId, Folder};
    use crate::host::fsio;

    impl Folder {
        pub(super) fn open(path: &Path) -> io::Result<Self> {
            path.symlink_metadata().map(|_| Self(path.to_owned()))
        }

        pub(super) fn enter(&self, name: &OsStr, make: bool) -> io::Result<Option<Self>> {
            let path = self.0.join(name);
            match path.symlink_metadata() {
                Ok(there) if there.is_dir() => Ok(Some(Self(path))),
                Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                Err(_) if make => {
                    fsio::create_dirs(&path).map_err(|error| error.source)?;
                    Ok(Some(Self(path)))
                }
                Err(_) => Ok(None),
            }
        }

        pub(super) fn is_link(&self, name: &OsStr) -> bool {
            self.0.join(name).symlink_metadata().is_ok_and(|there| there.is_symlink())
        }

        pub(super) fn read(&self, name: &OsStr, bytes_max: usize) -> io::Result<Vec<u8>> {
            let read = fsio::read(&self.0.join(name), bytes_max).map_err(|error| error.source)?;
            read.ok_or_else(|| io::ErrorKind::NotFound.into())
        }

        pub(super) fn id(&self, name: &OsStr) -> Option<FileId> {
            fsio::id(&self.0.join(name))
        }

        pub(super) fn mode(&self, name: &OsStr) -> Option<u32> {
            fsio::mode(&self.0.join(name))
        }

        pub(super) fn fill(
            &self,
            name: &OsStr,
            bytes: &[u8],
            mode: u32,
            _durable: bool,
        ) -> io::Result<()> {
            let made = fsio::create_new(&self.0.join(name), bytes, mode);
            let made = made.map_err(|error| error.source)?;
            if made { Ok(()) } else { Err(io::ErrorKind::AlreadyExists.into()) }
        }

        pub(super) fn rename(&self, from: &OsStr, to: &OsStr, _durable: bool) -> io::Result<()> {
            std::fs::rename(self.0.join(from), self.0.join(to))
        }

        pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
            std::fs::remove_file(self.0.join(name))
        }

        pub(super) fn remove_plain(&self, name: &OsStr) -> io::Result<bool> {
            let path = self.0.join(name);
            match path.symlink_metadata() {
                Ok(there) if there.is_file() => fsio::remove(&path).map_err(|error| error.source),
                _ => Ok(false),
            }
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_file_is_written_read_and_removed_where_its_path_says() {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().canonicalize().unwrap();
        assert!(Spot::find(&root, "a/b/x").unwrap().is_none());
        let spot = Spot::make(&root, "./a/b/x").unwrap();
        assert_eq!((spot.read(9).unwrap(), spot.id(), spot.mode()), (None, None, None));
        // What a killed process left is taken away; a folder of that name stays and is told.
        fs::write(root.join("a/b/t"), "half").unwrap();
        spot.write("t", b"whole", 0o600, true).unwrap();
        assert_eq!(spot.read(9).unwrap().as_deref(), Some(&b"whole"[..]));
        assert_eq!((spot.mode(), spot.path()), (Some(0o600), root.join("a/b/x").as_path()));
        assert_eq!(crate::host::fsio::names_in(&root.join("a/b")).unwrap(), ["x"]);
        fs::create_dir(root.join("a/b/t")).unwrap();
        assert!(spot.write("t", b"again", 0o600, true).is_err());
        assert!(spot.remove().unwrap() && !spot.remove().unwrap());
        for wrong in ["../x", "/x", "a/../x", "", "a/", "."] {
            assert!(Spot::make(&root, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn no_link_is_on_the_way_wherever_it_leads_and_whenever_it_comes() {
        let keep = tempfile::tempdir().unwrap();
        let root = keep.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("real/deep")).unwrap();
        fs::write(root.join("real/file"), "mine").unwrap();
        symlink("real", root.join("inside")).unwrap();
        symlink("/nonexistent", root.join("dangling")).unwrap();
        symlink("real/file", root.join("last")).unwrap();
        symlink("..", root.join("real/deep/up")).unwrap();
        for path in ["inside/x", "dangling/x", "dangling", "last", "real/deep/up/file"] {
            for found in [Spot::find(&root, path).err(), Spot::make(&root, path).err()] {
                assert!(found.is_some_and(|error| Spot::is_behind_link(&error)), "{path}");
            }
        }
        // A link in place of the folder, and of the file, once it was looked at.
        let spot = Spot::make(&root, "real/deep/x").unwrap();
        fs::rename(root.join("real"), root.join("moved")).unwrap();
        fs::create_dir_all(root.join("other/deep")).unwrap();
        symlink("other", root.join("real")).unwrap();
        symlink("../file", root.join("moved/deep/x")).unwrap();
        assert!(spot.read(9).is_err_and(|error| Spot::is_behind_link(&error)));
        spot.write("t", b"new", 0o644, false).unwrap();
        assert_eq!(fs::read_to_string(root.join("moved/deep/x")).unwrap(), "new");
        assert_eq!(fs::read_to_string(root.join("moved/file")).unwrap(), "mine");
        assert!(!root.join("other/deep/x").exists());
    }
}
