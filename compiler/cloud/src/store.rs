//! The data folder: the control plane, and one SQLite file per D1 database with its last versions.
//!
//! Invariants:
//! - Nothing is remembered between two calls but open connections: another process may have
//!   changed the folder meanwhile.
//! - A write is one `BEGIN IMMEDIATE` transaction, so that it never fails half way for a lock.
//! - The folder is its owner's: it holds the token and whatever users store (`folder.rs`).
//! - What was deleted is neither in the files nor in their logs, but for the versions of a D1 database
//!   that is still there (`store/versions.rs`).
//!
//! A killed process loses nothing that was answered. After a power loss the last transactions may
//! be missing, which `synchronous=NORMAL` trades for speed; the files stay intact.

mod versions;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::envelope::Problem;
use crate::error::CloudError;
use crate::folder;
use crate::schema::STEPS;

/// A lock is waited for this long.
pub(crate) const BUSY_MS: u64 = 20_000;
/// Readers are waited for this long before what was deleted is taken out of the log.
const FORGET_MS: u64 = 50;
/// The file of the control plane.
const CONTROL_PLANE: &str = "cloud.sqlite";
/// What ends the names of the files that SQLite keeps beside one.
const BESIDE: [&str; 2] = ["-wal", "-shm"];
/// How a file is opened: it is there, and no link.
const OPEN: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE
    .union(OpenFlags::SQLITE_OPEN_NO_MUTEX)
    .union(OpenFlags::SQLITE_OPEN_NOFOLLOW);
/// A new D1 database. Real ones carry this table too; the counter stands for the bookmark.
const EMPTY_D1: &str = "BEGIN;
     CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
     INSERT INTO _cf_KV VALUES ('bookmark', 0);
     COMMIT;";
/// Idle connections kept to the control plane.
const IDLE_MAX: usize = 8;
/// Idle connections kept to D1 files, one a file.
const IDLE_D1_MAX: usize = 64;

/// The folder and its open connections.
#[derive(Debug)]
pub(crate) struct Store {
    dir: PathBuf,
    idle: Mutex<Vec<Connection>>,
    idle_d1: Mutex<BTreeMap<String, Connection>>,
}

impl Store {
    /// Opens the folder, making and upgrading what is missing.
    pub(crate) fn open(dir: &Path) -> Result<Self, CloudError> {
        let dir = folder::own(dir)?;
        let _d1 = folder::own_below(&dir, "d1")?;
        // Two processes that open a new folder at once would both create its tables.
        let lock = folder::private_file(&dir.join("open.lock"))?;
        lock.lock().map_err(|source| CloudError::Folder { path: dir.clone(), source })?;
        drop(folder::private_file(&dir.join(CONTROL_PLANE))?);
        for suffix in BESIDE {
            folder::refuse_link(&dir.join(format!("{CONTROL_PLANE}{suffix}")))?;
        }
        let store =
            Self { dir, idle: Mutex::new(Vec::new()), idle_d1: Mutex::new(BTreeMap::new()) };
        let mut conn = store.connect()?;
        upgrade(&mut conn)?;
        store.give_back(conn);
        drop(lock);
        Ok(store)
    }

    /// Runs a read: one snapshot, whatever others write meanwhile.
    pub(crate) fn read<T, E: From<rusqlite::Error>>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transaction(TransactionBehavior::Deferred, f)
    }

    /// Runs a write: all of it, or nothing when it fails.
    pub(crate) fn write<T, E: From<rusqlite::Error>>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        self.transaction(TransactionBehavior::Immediate, f)
    }

    fn transaction<T, E: From<rusqlite::Error>>(
        &self,
        behavior: TransactionBehavior,
        f: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let idle = guard(&self.idle).pop();
        let mut conn = match idle {
            Some(conn) => conn,
            None => self.connect()?,
        };
        let transaction = conn.transaction_with_behavior(behavior)?;
        let outcome = f(&transaction);
        if outcome.is_ok() {
            transaction.commit()?;
        } else {
            transaction.rollback()?;
        }
        self.give_back(conn);
        outcome
    }

    fn connect(&self) -> rusqlite::Result<Connection> {
        let conn = Connection::open_with_flags(self.dir.join(CONTROL_PLANE), OPEN)?;
        configure(&conn)?;
        Ok(conn)
    }

    /// Takes what was deleted out of the log of writes, too, where its former pages stand until they are
    /// written over. Whoever reads at this moment needs them: then the next call that deletes does it.
    pub(crate) fn forget_deleted(&self) {
        let idle = guard(&self.idle).pop();
        let Some(conn) = idle.or_else(|| self.connect().ok()) else { return };
        let _waits = conn.busy_timeout(Duration::from_millis(FORGET_MS));
        let _busy = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if conn.busy_timeout(Duration::from_millis(BUSY_MS)).is_ok() {
            self.give_back(conn);
        }
    }

    fn give_back(&self, conn: Connection) {
        let mut idle = guard(&self.idle);
        if idle.len() < IDLE_MAX {
            idle.push(conn);
        }
    }

    /// Creates the file of a new D1 database.
    pub(crate) fn create_d1(&self, uuid: &str) -> Result<(), Problem> {
        let path = self.d1_path(uuid);
        drop(folder::private_file(&path).map_err(Problem::internal)?);
        let conn = Connection::open_with_flags(&path, OPEN)?;
        // Nobody knows the file yet: it need not reach the disk at once, but only with its first
        // statement.
        conn.pragma_update(None, "synchronous", "OFF")?;
        conn.pragma_update(None, "journal_mode", "WAL")?;
        conn.execute_batch(EMPTY_D1)?;
        configure(&conn)?;
        self.keep_d1(uuid, conn);
        Ok(())
    }

    /// Runs something on the file of a D1 database that the control plane knows.
    ///
    /// The connection is dropped, not kept, when `f` fails: its state is then uncertain.
    pub(crate) fn with_d1<T>(
        &self,
        uuid: &str,
        f: impl FnOnce(&mut Connection) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let idle = guard(&self.idle_d1).remove(uuid);
        let mut conn = match idle {
            Some(conn) => conn,
            None => self.connect_d1(uuid)?,
        };
        let value = f(&mut conn)?;
        self.keep_d1(uuid, conn);
        Ok(value)
    }

    fn keep_d1(&self, uuid: &str, conn: Connection) {
        let mut idle = guard(&self.idle_d1);
        let evicted = if idle.len() >= IDLE_D1_MAX { idle.pop_first() } else { None };
        let replaced = idle.insert(uuid.to_owned(), conn);
        drop(idle);
        // Closing a file may take a while: not under the lock.
        drop((evicted, replaced));
    }

    fn connect_d1(&self, uuid: &str) -> Result<Connection, Problem> {
        let conn = Connection::open_with_flags(self.d1_path(uuid), OPEN)?;
        configure(&conn)?;
        Ok(conn)
    }

    /// Removes the file of a deleted D1 database. A missing file is fine.
    pub(crate) fn remove_d1(&self, uuid: &str) {
        drop(guard(&self.idle_d1).remove(uuid));
        self.remove_versions(uuid);
        let path = self.d1_path(uuid);
        for suffix in [""].iter().chain(&BESIDE) {
            let mut name = path.clone().into_os_string();
            name.push(suffix);
            // The record is gone, so that a file that stays is only litter.
            let _removed: Result<(), _> = fs::remove_file(name);
        }
    }

    fn d1_path(&self, uuid: &str) -> PathBuf {
        self.dir.join("d1").join(format!("{uuid}.sqlite"))
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(Duration::from_millis(BUSY_MS))?;
    conn.pragma_update(None, "journal_mode", "WAL")?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    // What is deleted is overwritten with zeros, and not only let go.
    conn.pragma_update(None, "secure_delete", true)?;
    conn.pragma_update(None, "foreign_keys", true)
}

fn upgrade(conn: &mut Connection) -> Result<(), CloudError> {
    let supported = u32::try_from(STEPS.len()).unwrap_or(u32::MAX);
    // The first write of a process is synced, so there is none without need.
    if version(conn)? == supported {
        return Ok(());
    }
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    if found > supported {
        return Err(CloudError::TooNew { found, supported });
    }
    for (_, step) in (0..supported).zip(STEPS).skip_while(|(number, _)| *number < found) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", supported)?;
    transaction.commit()?;
    Ok(())
}

fn version(conn: &Connection) -> rusqlite::Result<u32> {
    conn.query_row("PRAGMA user_version", [], |row| row.get(0))
}
