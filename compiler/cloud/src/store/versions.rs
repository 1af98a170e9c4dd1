//! The last versions of each D1 database, for Time Travel: a copy of its file after each change.
//!
//! Invariants:
//! - A version is whole, or not there: a change that succeeded is never told to have failed for the sake
//!   of its copy.
//! - Versions go with their database. Until then they hold what was deleted from it, as their purpose is.
//!
//! The real one keeps 7 or 30 days. Here the last [`VERSIONS_MAX`] are kept, and none of a database that
//! is larger than [`BYTES_MAX`]: a copy is as slow as its file is large.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::{OPEN, Store};
use crate::envelope::Problem;
use crate::folder;

/// Versions that are kept of a database.
const VERSIONS_MAX: usize = 20;
/// A larger database has no versions.
const BYTES_MAX: i64 = 16 * 1024 * 1024;

/// One version.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    /// How many changes led to it.
    pub(crate) number: i64,
    /// When it came to be.
    pub(crate) at_us: i64,
    path: PathBuf,
}

impl Version {
    fn of(path: PathBuf) -> Option<Self> {
        let (number, at) = path.file_stem()?.to_str()?.split_once('-')?;
        let (number, at_us) = (number.parse().ok()?, at.parse().ok()?);
        (path.extension()? == "sqlite").then_some(Self { number, at_us, path })
    }
}

impl Store {
    fn versions_dir(&self, uuid: &str) -> PathBuf {
        self.dir.join("d1").join(format!("{uuid}.versions"))
    }

    /// The versions that there are, oldest first.
    pub(crate) fn versions(&self, uuid: &str) -> Vec<Version> {
        let entries = fs::read_dir(self.versions_dir(uuid)).into_iter().flatten().flatten();
        let mut all: Vec<Version> = entries.filter_map(|entry| Version::of(entry.path())).collect();
        all.sort_by_key(|version| (version.number, version.at_us));
        all
    }

    /// Keeps a copy of a database as it is after this change.
    pub(crate) fn keep_version(&self, uuid: &str, db: &Connection, number: i64, at_us: i64) {
        let size = db.query_row(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
            [],
            |row| row.get::<_, i64>(0),
        );
        if !size.is_ok_and(|bytes| bytes <= BYTES_MAX) {
            return;
        }
        let name = format!("{uuid}.versions");
        let Ok(dir) = folder::own_below(&self.dir.join("d1"), &name) else { return };
        let draft = dir.join(format!("{number}-{at_us}.draft"));
        if copy(db, &draft).is_err()
            || fs::rename(&draft, dir.join(format!("{number}-{at_us}.sqlite"))).is_err()
        {
            let _removed = fs::remove_file(&draft);
            return;
        }
        let all = self.versions(uuid);
        for old in all.iter().take(all.len().saturating_sub(VERSIONS_MAX)) {
            let _removed = fs::remove_file(&old.path);
        }
    }

    /// Makes a database what it was, or empty; `number` is what the version is called from now on.
    pub(crate) fn restore_version(
        db: &mut Connection,
        version: Option<&Version>,
        number: i64,
    ) -> Result<(), Problem> {
        let mut past = Connection::open_in_memory()?;
        match version {
            Some(version) => whole(&Connection::open_with_flags(&version.path, OPEN)?, &mut past)?,
            None => past.execute_batch(super::EMPTY_D1)?,
        }
        past.execute("UPDATE _cf_KV SET value = ? WHERE key = 'bookmark'", [number])?;
        Ok(whole(&past, db)?)
    }

    /// Removes the versions of a deleted database.
    pub(super) fn remove_versions(&self, uuid: &str) {
        let _removed = fs::remove_dir_all(self.versions_dir(uuid));
    }
}

fn copy(db: &Connection, path: &Path) -> Result<(), Problem> {
    drop(folder::private_file(path).map_err(Problem::internal)?);
    let mut to = Connection::open_with_flags(path, OPEN)?;
    to.pragma_update(None, "synchronous", "OFF")?;
    whole(db, &mut to)?;
    // One file, with nothing beside it.
    to.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}

/// Makes the second a copy of the first, in one step.
fn whole(from: &Connection, to: &mut Connection) -> rusqlite::Result<()> {
    Backup::new(from, to)?.run_to_completion(i32::MAX, Duration::from_millis(10), None)
}
