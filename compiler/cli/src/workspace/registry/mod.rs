//! What this user's machine knows of its working copies: which environment each is bound to, the
//! IDs minted there, the ports they hold and the files that envc wrote.
//!
//! One JSON file in the user's state directory, changed under a lock, written atomically. It is
//! authoritative; `.envc/` in a working copy is a cache that can bring an entry back.
//! - `document`: what is recorded.
//! - `applied_to`: the accounts that an environment was applied to.
//! - `belongs`: the repository that a folder is of.
//! - `file_key`: under what a generated file is recorded.
//! - `place`: where a folder lies.
//! - `mark`: what tells a working copy from another one at its path.
//! - `settle`: which entry is this folder's: known, moved, copied or new.
//! - `cache`: the `.envc/` folder.
//! - `working_copy`: what commands use.

mod applied_to;
mod belongs;
mod cache;
mod document;
mod file_key;
mod location;
pub(crate) mod mark;
mod settle;
mod working_copy;

use std::path::{Path, PathBuf};

pub(crate) use applied_to::AppliedTo;
pub(crate) use belongs::Belongs;
pub(crate) use cache::Cache;
pub(crate) use document::{
    Applied, Bound, CopyRecord, Document, EnvironmentRecord, FileRecord, LocalDatabase,
    LocalRecord, Seen, Whose,
};
pub(crate) use file_key::{file_key, folder_of_key};
pub(crate) use location::Location;
#[cfg(test)]
pub(crate) use settle::Settled;
pub(crate) use working_copy::{Drawn, Mint, Opening, WorkingCopy};

use crate::{
    host::{
        error::CommandError,
        file_lock::{Holder, Lock},
        fsio,
    },
    workspace::dirs::StateDir,
};

/// Bytes of a registry: a thousand working copies with ten files each take a tenth of it.
const REGISTRY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The registry's file.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    file: PathBuf,
    lock: PathBuf,
}

impl Registry {
    /// The registry of this user.
    pub(crate) fn new(state: &StateDir) -> Self {
        let path = state.path();
        Self { file: path.join("registry.json"), lock: path.join("registry.lock") }
    }

    /// Reads it; an empty one when there is none.
    pub(crate) fn read(&self) -> Result<Document, CommandError> {
        match fsio::read_own(&self.file, REGISTRY_BYTES_MAX)? {
            Some(bytes) => Self::parse(&self.file, &bytes),
            None => Ok(Document::new()),
        }
    }

    /// The document in these bytes of the file.
    pub(crate) fn parse(file: &Path, bytes: &[u8]) -> Result<Document, CommandError> {
        Document::parse(bytes).map_err(|error| {
            let failed = CommandError::failed(format!("cannot read {}", file.display()))
                .because_text(error)
                .code("envc::cli::registry_unreadable");
            // What a newer envc wrote is whole, and without it nobody knows whose anything is.
            if Document::is_newer(bytes) {
                return failed.hint("update envc");
            }
            let file = fsio::for_shell(file);
            failed.hint(format!(
                "move it away: mv {file} {file}.damaged; working copies come back from their .envc folders"
            ))
        })
    }

    /// Changes it under the lock. Nothing is written when nothing changed or `change` fails.
    pub(crate) fn update<T>(
        &self,
        now_s: u64,
        change: impl FnOnce(&mut Document) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        // Held for as long as a file is read and written: nobody needs to hear of the wait.
        let me = Holder::me("envc", now_s);
        let lock = Lock::acquire_blocking(&self.lock, &me, &mut |_| {})?;
        let before = self.read()?;
        let mut document = before.clone();
        let value = change(&mut document)?;
        if document != before {
            fsio::write_atomic(&self.file, &document.to_bytes()?, fsio::PRIVATE)?;
        }
        drop(lock);
        Ok(value)
    }
}
