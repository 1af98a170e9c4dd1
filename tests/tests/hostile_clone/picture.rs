//! A tree of files as it is: contents, kinds, modes, where links lead, and when each was written.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use envc_core::Digest;

/// All that is below a folder, by its path from there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Picture(BTreeMap<PathBuf, Thing>);

/// One thing. Whoever writes a file anew changes its number or its time, also with the same bytes.
#[derive(Debug, PartialEq, Eq)]
struct Thing {
    mode: u32,
    what: What,
}

#[derive(Debug, PartialEq, Eq)]
enum What {
    Folder,
    File {
        number: u64,
        written_ns: (i64, i64),
        digest: Digest,
    },
    Link(PathBuf),
    /// A pipe, a socket, a device: never opened.
    Other,
}

impl Picture {
    /// Takes it, without the folders of these names right below.
    pub(crate) fn of(folder: &Path, without: &[&str]) -> Self {
        let mut found = BTreeMap::new();
        let mut open = vec![folder.to_owned()];
        while let Some(at) = open.pop() {
            for entry in fs::read_dir(&at).unwrap() {
                let path = entry.unwrap().path();
                let below = path.strip_prefix(folder).unwrap().to_owned();
                if without.iter().any(|name| below == Path::new(name)) {
                    continue;
                }
                let there = path.symlink_metadata().unwrap();
                let what = if there.is_symlink() {
                    What::Link(fs::read_link(&path).unwrap())
                } else if there.is_dir() {
                    open.push(path);
                    What::Folder
                } else if there.file_type().is_fifo() || !there.is_file() {
                    What::Other
                } else {
                    let bytes = fs::read(&path).unwrap();
                    let written_ns = (there.mtime(), there.mtime_nsec());
                    What::File { number: there.ino(), written_ns, digest: Digest::of(bytes) }
                };
                found.insert(below, Thing { mode: there.mode() & 0o7777, what });
            }
        }
        Self(found)
    }

    /// The paths of what is another thing now, is new, or is gone.
    pub(crate) fn changed(&self, now: &Self) -> BTreeSet<String> {
        let all: BTreeSet<&PathBuf> = self.0.keys().chain(now.0.keys()).collect();
        let differs = |path: &&&PathBuf| self.0.get(**path) != now.0.get(**path);
        all.iter().filter(differs).map(|path| path.to_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn a_file_that_is_written_anew_is_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a");
    fs::write(&file, "x").unwrap();
    fs::write(folder.path().join("b"), "x").unwrap();
    let before = Picture::of(folder.path(), &["b"]);
    assert_eq!(before.changed(&Picture::of(folder.path(), &["b"])), BTreeSet::new());
    fs::write(folder.path().join("c"), "x").unwrap();
    fs::rename(folder.path().join("c"), &file).unwrap();
    fs::write(folder.path().join("b"), "y").unwrap();
    let changed = before.changed(&Picture::of(folder.path(), &["b"]));
    assert_eq!(changed.into_iter().collect::<Vec<_>>(), ["a"]);
}
