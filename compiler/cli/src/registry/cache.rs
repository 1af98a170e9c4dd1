//! `.envc/` in a working copy: a cache of its record, ignored by git.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{document::CopyRecord, place::Place};
use crate::fsio::{self, FsError};

/// The folder in the working copy.
const FOLDER: &str = ".envc";
/// The file in the folder.
const FILE: &str = "working-copy.json";
/// The schema version that this build writes and reads.
const CACHE_SCHEMA: u32 = 1;
/// Bytes of a cache.
const CACHE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What `.envc/` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cache {
    schema: u32,
    /// The project.
    pub(super) project: String,
    /// The key of the entry in the registry.
    pub(super) key: String,
    /// The folder that it was written in: tells a moved or copied folder.
    pub(super) root: PathBuf,
    /// The entry.
    pub(super) record: CopyRecord,
}

impl Cache {
    /// The cache of a record.
    pub(super) fn new(project: &str, key: &str, place: &Place, record: CopyRecord) -> Self {
        Self {
            schema: CACHE_SCHEMA,
            project: project.to_owned(),
            key: key.to_owned(),
            root: place.root.clone(),
            record,
        }
    }

    /// Reads it. A missing, damaged or newer one is as good as none: it is only a cache.
    pub(super) fn read(root: &Path) -> Option<Self> {
        let bytes = fsio::read(&root.join(FOLDER).join(FILE), CACHE_BYTES_MAX).ok()??;
        let cache: Self = serde_json::from_slice(&bytes).ok()?;
        (cache.schema == CACHE_SCHEMA).then_some(cache)
    }

    /// Writes it, with a `.gitignore` that keeps git out of the folder.
    pub(super) fn write(&self) -> Result<(), FsError> {
        // A link in place of the folder may not lead the writing out of the project.
        let file = fsio::inside(&self.root, &format!("{FOLDER}/{FILE}"))?;
        let folder = self.root.join(FOLDER);
        fsio::create_dirs(&folder)?;
        fsio::create_new(&folder.join(".gitignore"), b"*\n", fsio::PUBLIC)?;
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        fsio::write_cache(&file, &bytes, fsio::PRIVATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_reads_back_and_damage_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        assert_eq!(Cache::read(&root), None);
        let place = Place { root: root.clone(), folder: root.clone(), git_dir: None };
        let cache = Cache::new("shop", "k", &place, CopyRecord::default());
        cache.write().unwrap();
        cache.write().unwrap();
        assert_eq!(Cache::read(&root), Some(cache));
        assert_eq!(std::fs::read_to_string(root.join(".envc/.gitignore")).unwrap(), "*\n");
        std::fs::write(root.join(".envc/working-copy.json"), "{").unwrap();
        assert_eq!(Cache::read(&root), None);
    }
}
