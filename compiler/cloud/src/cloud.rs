//! The handle on one data folder, and what its owner may ask.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::clock;
use crate::error::CloudError;
use crate::faults::{Faults, Injector};
use crate::memory::Delay;
use crate::store::Store;

/// The log keeps this many requests, then forgets the oldest.
const LOG_MAX: usize = 100_000;

/// How a local cloud is opened.
#[derive(Clone, Debug, Default)]
pub struct CloudConfig {
    /// The data folder; made when it is missing, private to its owner.
    pub dir: PathBuf,
    /// Zones that exist. They are added at open and stay.
    pub zones: Vec<String>,
    /// What goes wrong, for rehearsals and tests.
    pub faults: Faults,
    /// The hooks below `/__local/` exist.
    pub test_hooks: bool,
    /// Names, with a port or for any, by which it may be called beside the address that it listens on.
    pub names: Vec<String>,
}

/// One API request that this process received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLog {
    /// Its number, from 1: the `n` of the faults.
    pub seq: u64,
    /// The verb.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The status that was answered; 0 when the connection was closed instead.
    pub status: u16,
}

/// A local cloud. Clones share everything.
#[derive(Clone)]
pub struct Cloud(pub(crate) Arc<Inner>);

impl std::fmt::Debug for Cloud {
    /// Shows no token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloud").field("account_id", &self.0.account_id).finish_non_exhaustive()
    }
}

/// What the clones share.
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) injector: Injector,
    pub(crate) account_id: String,
    pub(crate) token_id: String,
    pub(crate) token: String,
    pub(crate) test_hooks: bool,
    pub(crate) names: Vec<String>,
    calls: AtomicU64,
    log: Mutex<Vec<RequestLog>>,
}

impl Cloud {
    /// Opens the data folder, making what is missing.
    pub fn open(config: CloudConfig) -> Result<Self, CloudError> {
        let CloudConfig { dir, zones, faults, test_hooks, names } = config;
        let store = Store::open(&dir)?;
        let (account_id, token_id, token) = match store.read(settled)? {
            Some(constants) => constants,
            None => store.write(settle)?,
        };
        let cloud = Self(Arc::new(Inner {
            store,
            injector: Injector::new(faults),
            account_id,
            token_id,
            token,
            test_hooks,
            names,
            calls: AtomicU64::new(0),
            log: Mutex::new(Vec::new()),
        }));
        for zone in &zones {
            cloud.ensure_zone(zone)?;
        }
        Ok(cloud)
    }

    /// The one account: 32 hex digits, the same for a folder's whole life.
    pub fn account_id(&self) -> &str {
        &self.0.account_id
    }

    /// A token of 40 characters with all permissions, the same for a folder's whole life.
    pub fn token(&self) -> &str {
        &self.0.token
    }

    /// Makes sure that a zone exists.
    pub fn ensure_zone(&self, name: &str) -> Result<(), CloudError> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        if !is_domain(&name) {
            return Err(CloudError::ZoneName(name));
        }
        let is_there = |db: &Connection| {
            db.query_row("SELECT 1 FROM zones WHERE name = ?", [&name], |_| Ok(())).optional()
        };
        if self.0.store.read(is_there)?.is_some() {
            return Ok(());
        }
        self.0.store.write(|db| {
            db.execute(
                "INSERT INTO zones (id, name, created_us) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                params![clock::new_hex_id(), name, clock::now_us()],
            )?;
            Ok(())
        })
    }

    /// The calls of this process that a mood of the API refused for a while, oldest first.
    pub fn delays(&self) -> Vec<Delay> {
        self.0.injector.memory.delays()
    }

    /// The API requests that this process received, oldest first.
    pub fn requests(&self) -> Vec<RequestLog> {
        self.0.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Inner {
    /// The number of the next API request.
    pub(crate) fn next_call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Remembers an answered request.
    pub(crate) fn record(&self, entry: RequestLog) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() >= LOG_MAX {
            log.drain(..LOG_MAX / 2);
        }
        log.push(entry);
    }
}

/// Account ID, token ID and token.
type Constants = (String, String, String);

/// What the folder holds, where opening it has nothing to write.
fn settled(db: &Connection) -> rusqlite::Result<Option<Constants>> {
    let expired = "SELECT 1 FROM kv_values WHERE expires_s <= ? LIMIT 1";
    if db
        .query_row(expired, [clock::now_us().div_euclid(1_000_000)], |_| Ok(()))
        .optional()?
        .is_some()
    {
        return Ok(None);
    }
    let (account_id, token_id) = (held(db, "account_id")?, held(db, "token_id")?);
    Ok(account_id.zip(token_id).zip(held(db, "token")?).map(|((a, b), c)| (a, b, c)))
}

/// Makes what is missing and removes what has expired.
fn settle(db: &Connection) -> Result<Constants, CloudError> {
    db.execute(
        "DELETE FROM kv_values WHERE expires_s <= ?",
        [clock::now_us().div_euclid(1_000_000)],
    )?;
    Ok((
        constant(db, "account_id", &clock::new_hex_id())?,
        constant(db, "token_id", &clock::new_hex_id())?,
        constant(db, "token", &new_token()?)?,
    ))
}

/// The value that the folder holds for a key; the given one when it holds none yet.
pub(crate) fn constant(db: &Connection, key: &str, fresh: &str) -> rusqlite::Result<String> {
    if let Some(value) = held(db, key)? {
        return Ok(value);
    }
    db.execute("INSERT INTO meta (key, value) VALUES (?, ?)", [key, fresh])?;
    Ok(fresh.to_owned())
}

pub(crate) fn held(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT value FROM meta WHERE key = ?", [key], |row| row.get(0)).optional()
}

/// Forty characters of `[A-Za-z0-9_-]`, the form of a classic API token.
fn new_token() -> Result<String, CloudError> {
    let mut bytes = [0_u8; 30];
    getrandom::fill(&mut bytes).map_err(|_| CloudError::Randomness)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn is_domain(name: &str) -> bool {
    let label = |part: &str| {
        !part.is_empty()
            && part.len() <= 63
            && !part.starts_with('-')
            && !part.ends_with('-')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    name.len() <= 253 && name.contains('.') && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_classic_form() {
        assert_eq!(new_token().unwrap().len(), 40);
    }

    #[test]
    fn zones_are_domain_names() {
        assert!(is_domain("example.com"));
        for bad in ["", "localhost", "a..b", "-a.com", "a_b.com", "a b.com"] {
            assert!(!is_domain(bad), "{bad}");
        }
    }
}
