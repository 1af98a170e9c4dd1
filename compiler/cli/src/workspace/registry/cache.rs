//! `.envc/` in a working copy: a cache of its record, ignored by git.
//!
//! It lies in a checkout, so anybody may have put it there: only one that this user's envc signed
//! counts.

use std::path::{Path, PathBuf};

use envc_core::{Digest, KeyedDigest};
use serde::{Deserialize, Serialize};

use super::{document::CopyRecord, location::Location};
use crate::host::{
    fsio::{self, FsError},
    spot::Spot,
};

/// The folder in the working copy.
const FOLDER: &str = ".envc";
/// The file in the folder, for the usual spec.
const FILE: &str = "working-copy.json";
/// The schema version that this build writes and reads. 2: signed.
const CACHE_SCHEMA: u32 = 2;
/// Bytes of a cache.
const CACHE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What `.envc/` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cache {
    /// Its version.
    pub(super) schema: u32,
    /// The project.
    pub(super) project: String,
    /// The key of the entry in the registry.
    pub(super) key: String,
    /// The folder that it was written in: tells a moved or copied folder.
    pub(super) root: PathBuf,
    /// The entry.
    pub(super) record: CopyRecord,
    /// Digest of all else under the user's key. The first version had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) signature: Option<Digest>,
}

/// A cache that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// What this user's envc wrote.
    pub(crate) ours: Option<Cache>,
    /// What somebody else wrote, or the first version: it proves nothing.
    pub(crate) foreign: Option<Cache>,
}

impl Cache {
    /// The cache of a record.
    pub(super) fn new(
        project: &str,
        key: &str,
        place: &Location,
        record: CopyRecord,
        user: &KeyedDigest,
    ) -> Self {
        let mut cache = Self {
            schema: CACHE_SCHEMA,
            project: project.to_owned(),
            key: key.to_owned(),
            root: place.root.clone(),
            record,
            signature: None,
        };
        cache.signature = cache.signed_by(user);
        cache
    }

    /// The signature that it has when this user's envc wrote it; none for what cannot be written.
    fn signed_by(&self, user: &KeyedDigest) -> Option<Digest> {
        let unsigned = Self { signature: None, ..self.clone() };
        let text = serde_json::to_string(&unsigned).ok()?;
        Some(user.of(format!("envc working copy\n{text}")))
    }

    /// Where it lies, relative to the spec's folder.
    pub(super) fn path(place: &Location) -> String {
        format!("{FOLDER}/{}", file_name(place))
    }

    /// Reads it. A missing, damaged or newer one is as good as none: it is only a cache.
    pub(super) fn read(place: &Location, user: &KeyedDigest) -> Found {
        let read = || -> Option<Vec<u8>> {
            let spot = Spot::find(&place.root, &Self::path(place)).ok()??;
            spot.read(CACHE_BYTES_MAX).ok()?
        };
        read().map(|bytes| Self::parse(&bytes, user)).unwrap_or_default()
    }

    /// The cache in these bytes of the file; none of what is damaged or newer.
    pub(crate) fn parse(bytes: &[u8], user: &KeyedDigest) -> Found {
        let found: Option<Self> = serde_json::from_slice(bytes).ok();
        match found.filter(|cache| cache.schema <= CACHE_SCHEMA) {
            Some(cache)
                if cache.signature.is_some() && cache.signature == cache.signed_by(user) =>
            {
                Found { ours: Some(cache), foreign: None }
            }
            foreign => Found { ours: None, foreign },
        }
    }

    /// The bytes of the file; the error is that of a path which is no text.
    pub(crate) fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Writes it, with a `.gitignore` that keeps git out of the folder. No link is followed, and
    /// nothing but a cache is replaced: whoever put something else there keeps it.
    pub(super) fn write(&self, place: &Location) -> Result<(), FsError> {
        let spot = Spot::make(&place.root, &Self::path(place))?;
        if spot.read(CACHE_BYTES_MAX)?.is_some_and(|there| !is_replaced(&there)) {
            return Err(FsError::refused("write", spot.path(), "what is there is no cache"));
        }
        let bytes = self
            .to_bytes()
            .map_err(|error| FsError::refused("write", spot.path(), error.to_string()))?;
        let ignore = Spot::make(&place.root, &format!("{FOLDER}/.gitignore"))?;
        let temporary = fsio::temporary_name();
        if ignore.id().is_none() {
            ignore.write(&temporary, b"*\n", fsio::PUBLIC, false)?;
        }
        spot.write(&temporary, &bytes, fsio::PRIVATE, false)
    }
}

/// True for a cache of any version, and for what a loss of power left of one.
fn is_replaced(there: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct AnyVersion {
        #[serde(rename = "schema")]
        _schema: u32,
        #[serde(rename = "project")]
        _project: String,
    }
    there.is_empty() || serde_json::from_slice::<AnyVersion>(there).is_ok()
}

/// The file's name: each spec of a folder has its own.
fn file_name(place: &Location) -> String {
    match &place.spec {
        Some(spec) => format!("{spec}.{FILE}"),
        None => FILE.to_owned(),
    }
}

impl Found {
    /// True where none lies there.
    pub(super) fn is_none(&self) -> bool {
        self.ours.is_none() && self.foreign.is_none()
    }

    /// The folder that it says it was written in, whoever wrote it.
    pub(super) fn root(&self) -> Option<&Path> {
        self.ours.as_ref().or(self.foreign.as_ref()).map(|cache| cache.root.as_path())
    }

    /// What was written for another project says nothing.
    pub(super) fn of_project(self, project: &str) -> Self {
        let of = |cache: &Cache| cache.project == project;
        Self { ours: self.ours.filter(of), foreign: self.foreign.filter(of) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(root: &Path) -> Location {
        Location {
            root: root.to_owned(),
            spec: None,
            top: root.to_owned(),
            git_dir: None,
            common_dir: None,
        }
    }

    #[test]
    fn a_cache_reads_back_and_damage_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (place, user) = (place(&root), KeyedDigest::new("k"));
        assert_eq!(Cache::read(&place, &user), Found::default());
        let cache = Cache::new("shop", "k", &place, CopyRecord::default(), &user);
        cache.write(&place).unwrap();
        cache.write(&place).unwrap();
        assert_eq!(Cache::read(&place, &user).ours, Some(cache.clone()));
        let other = Location { spec: Some("other.kdl".into()), ..place.clone() };
        assert_eq!(Cache::read(&other, &user), Found::default());
        assert_eq!(std::fs::read_to_string(root.join(".envc/.gitignore")).unwrap(), "*\n");
        std::fs::write(root.join(".envc/working-copy.json"), "{").unwrap();
        assert_eq!(Cache::read(&place, &user), Found::default());
        // What is no cache stays, and what was cut short does not.
        assert!(cache.write(&place).is_err());
        std::fs::write(root.join(".envc/working-copy.json"), "").unwrap();
        cache.write(&place).unwrap();
        assert_eq!(Cache::read(&place, &user).ours, Some(cache));
    }

    #[test]
    fn what_another_user_wrote_or_somebody_changed_is_not_ours() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (place, user) = (place(&root), KeyedDigest::new("k"));
        let write = |cache: &Cache| cache.write(&place).unwrap();
        let cache = Cache::new("shop", "k", &place, CopyRecord::default(), &user);
        for foreign in [
            Cache::new("shop", "k", &place, CopyRecord::default(), &KeyedDigest::new("other")),
            Cache { key: "another".into(), ..cache.clone() },
            Cache { root: "/nonexistent".into(), ..cache.clone() },
            Cache { schema: 1, signature: None, ..cache.clone() },
        ] {
            write(&foreign);
            let found = Cache::read(&place, &user);
            assert_eq!((found.ours, found.foreign), (None, Some(foreign)));
        }
        write(&Cache { schema: CACHE_SCHEMA + 1, ..cache });
        assert_eq!(Cache::read(&place, &user), Found::default());
    }
}
