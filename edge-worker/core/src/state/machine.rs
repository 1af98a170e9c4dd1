//! Versions and locks.

use std::collections::{BTreeMap, VecDeque};

use envc_edge_api::limits::STATE_VERSIONS_KEPT;
use envc_edge_api::{LockSummary, Name, StateSummary, VersionSummary};
use serde::{Deserialize, Serialize};

use crate::store::{Blob, Damaged, Effects, Write, read, value};

/// How long an environment is remembered after its state was removed.
const REMEMBERED_MS: u64 = 90 * 86_400_000;

/// The states of one project.
#[derive(Debug, Default)]
pub struct States {
    /// The newest fencing number of the project; never falls, whatever is forgotten.
    fence: u64,
    entries: BTreeMap<Name, Entry>,
}

/// One environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Oldest first; the last is the current one.
    pub(super) versions: VecDeque<VersionSummary>,
    pub(super) lock: Option<Held>,
}

/// A lock, run out or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Held {
    pub(super) lock_id: String,
    pub(super) request_id: Option<Name>,
    pub(super) ttl_ms: u64,
    pub(super) summary: LockSummary,
}

/// Why a lock or a write is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Somebody else holds the lock.
    Locked(LockSummary),
    /// The lock is over.
    Gone,
    /// The lock is another subject's.
    Foreign,
    /// No lock is held, or the number is not its.
    Fence,
    /// What is stored is not what the write replaces; with what is stored.
    Changed(Option<String>),
}

/// A write.
#[derive(Debug)]
pub(super) struct Writing<'a> {
    pub(super) subject: &'a Name,
    pub(super) fence: u64,
    pub(super) precondition: Precondition,
    /// The digest of the new content; none removes the state.
    pub(super) digest: Option<String>,
    pub(super) content: &'a [u8],
    pub(super) now_ms: u64,
}

/// What a write replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Precondition {
    /// One of these versions; any if it is `*`.
    Match(Vec<String>),
    /// Nothing: no state is stored.
    Nothing,
}

/// What a lock is asked with.
#[derive(Debug)]
pub(super) struct Locking {
    pub(super) holder: String,
    pub(super) purpose: String,
    pub(super) subject: Name,
    pub(super) ttl_ms: u64,
    pub(super) request_id: Option<Name>,
    pub(super) fresh_id: String,
    pub(super) now_ms: u64,
}

impl Held {
    fn is_live(&self, now_ms: u64) -> bool {
        self.summary.expires_at_ms > now_ms
    }
}

impl Entry {
    /// The stored version, if the state is not removed.
    pub(super) fn current(&self) -> Option<&VersionSummary> {
        self.versions.back().filter(|version| !version.removed)
    }

    /// Whether nothing of it is worth keeping: no state, and no lock whose holder could still
    /// come back and write.
    fn is_forgotten(&self, now_ms: u64) -> bool {
        let is_old = |at_ms: u64| at_ms.saturating_add(REMEMBERED_MS) <= now_ms;
        self.current().is_none()
            && self.lock.as_ref().is_none_or(|held| is_old(held.summary.expires_at_ms))
            && self.versions.back().is_none_or(|last| is_old(last.written_at_ms))
    }
}

fn entry_row(environment: &Name) -> String {
    format!("env/{environment}")
}

/// The blob of one version.
pub(super) fn blob(environment: &Name, version: u64) -> String {
    format!("{environment}/{version}")
}

const FENCE: &str = "fence";

impl States {
    /// Reads the states out of their rows.
    pub fn load(rows: &BTreeMap<String, String>) -> Result<Self, Damaged> {
        let mut states = Self::default();
        for (row, text) in rows {
            let unknown = || Damaged { row: row.clone(), reason: "unknown name".to_owned() };
            match row.split_once('/') {
                None if row == FENCE => states.fence = read(row, text)?,
                Some(("env", name)) => {
                    let name = Name::parse(name).map_err(|_| unknown())?;
                    states.entries.insert(name, read(row, text)?);
                }
                _ => return Err(unknown()),
            }
        }
        Ok(states)
    }

    pub(super) fn entry(&self, environment: &Name) -> Option<&Entry> {
        self.entries.get(environment)
    }

    pub(super) fn count(&self) -> usize {
        self.entries.len()
    }

    /// Every environment that has a state or a lock.
    pub(super) fn list(&self, now_ms: u64) -> Vec<StateSummary> {
        let summary = |(environment, entry): (&Name, &Entry)| StateSummary {
            environment: environment.clone(),
            current: entry.current().cloned(),
            lock: live_lock(entry, now_ms),
        };
        let all = self.entries.iter().map(summary);
        all.filter(|it| it.current.is_some() || it.lock.is_some()).collect()
    }

    /// Takes the lock, if nobody has it.
    pub(super) fn lock(
        &mut self,
        environment: &Name,
        ask: Locking,
        effects: &mut Effects,
    ) -> Result<(Held, bool), Refusal> {
        self.forget(ask.now_ms, effects);
        if let Some(held) = self.entries.get(environment).and_then(|entry| entry.lock.as_ref())
            && held.is_live(ask.now_ms)
        {
            let is_same = held.request_id.is_some() && held.request_id == ask.request_id;
            if is_same && held.summary.subject == ask.subject {
                return Ok((held.clone(), false));
            }
            return Err(Refusal::Locked(held.summary.clone()));
        }
        self.fence = self.fence.saturating_add(1);
        let summary = LockSummary {
            holder: ask.holder,
            subject: ask.subject,
            purpose: ask.purpose,
            fence: self.fence,
            acquired_at_ms: ask.now_ms,
            expires_at_ms: ask.now_ms.saturating_add(ask.ttl_ms),
        };
        let held =
            Held { lock_id: ask.fresh_id, request_id: ask.request_id, ttl_ms: ask.ttl_ms, summary };
        self.entries.entry(environment.clone()).or_default().lock = Some(held.clone());
        effects.writes.push(Write::Put { name: FENCE.to_owned(), value: value(&self.fence) });
        self.save(environment, effects);
        Ok((held, true))
    }

    /// Keeps a lock alive. One that ran out comes alive again if nobody took it.
    pub(super) fn heartbeat(
        &mut self,
        environment: &Name,
        (lock_id, subject): (&str, &Name),
        ttl_ms: Option<u64>,
        now_ms: u64,
        effects: &mut Effects,
    ) -> Result<Held, Refusal> {
        let held = self.own_lock(environment, lock_id, subject)?.ok_or(Refusal::Gone)?;
        held.ttl_ms = ttl_ms.unwrap_or(held.ttl_ms);
        held.summary.expires_at_ms = now_ms.saturating_add(held.ttl_ms);
        let held = held.clone();
        self.save(environment, effects);
        Ok(held)
    }

    /// Gives a lock back; nothing happens if it is over.
    pub(super) fn unlock(
        &mut self,
        environment: &Name,
        lock_id: &str,
        subject: &Name,
        effects: &mut Effects,
    ) -> Result<(), Refusal> {
        if self.own_lock(environment, lock_id, subject)?.is_some() {
            self.break_lock(environment, effects);
        }
        Ok(())
    }

    /// Takes a lock away, whoever holds it.
    pub(super) fn break_lock(&mut self, environment: &Name, effects: &mut Effects) {
        let Some(entry) = self.entries.get_mut(environment) else { return };
        if entry.lock.take().is_some() {
            self.save(environment, effects);
        }
    }

    fn own_lock(
        &mut self,
        environment: &Name,
        lock_id: &str,
        subject: &Name,
    ) -> Result<Option<&mut Held>, Refusal> {
        let held = self.entries.get_mut(environment).and_then(|entry| entry.lock.as_mut());
        let Some(held) = held.filter(|held| held.lock_id == lock_id) else { return Ok(None) };
        if held.summary.subject == *subject { Ok(Some(held)) } else { Err(Refusal::Foreign) }
    }

    /// Writes or removes a state.
    ///
    /// A repeated write is refused, though its first answer was lost: that it was the same one
    /// could only be guessed from its content, and two writers may well write the same.
    pub(super) fn write(
        &mut self,
        environment: &Name,
        writing: &Writing<'_>,
        effects: &mut Effects,
    ) -> Result<VersionSummary, Refusal> {
        let entry = self.entries.get_mut(environment).ok_or(Refusal::Fence)?;
        let lock = entry.lock.as_ref().ok_or(Refusal::Fence)?;
        if lock.summary.fence != writing.fence {
            return Err(Refusal::Fence);
        }
        if lock.summary.subject != *writing.subject {
            return Err(Refusal::Foreign);
        }
        let stored = entry.current().map(|version| version.etag.clone());
        if !writing.precondition.allows(stored.as_deref()) {
            return Err(Refusal::Changed(stored));
        }
        let number = entry.versions.back().map_or(1, |last| last.version.saturating_add(1));
        let digest = writing.digest.as_deref().unwrap_or("removed");
        let summary = VersionSummary {
            version: number,
            etag: format!("\"{number}-{digest}\""),
            bytes: writing.content.len().try_into().unwrap_or(u64::MAX),
            written_at_ms: writing.now_ms,
            written_by: writing.subject.clone(),
            fence: writing.fence,
            removed: writing.digest.is_none(),
        };
        entry.versions.push_back(summary.clone());
        if !summary.removed {
            let name = blob(environment, number);
            effects.blobs.push(Blob::Put { name, bytes: writing.content.to_vec() });
        }
        while entry.versions.len() > STATE_VERSIONS_KEPT {
            if let Some(old) = entry.versions.pop_front() {
                effects.blobs.push(Blob::Delete { name: blob(environment, old.version) });
            }
        }
        self.save(environment, effects);
        Ok(summary)
    }

    fn save(&self, environment: &Name, effects: &mut Effects) {
        let name = entry_row(environment);
        effects.writes.push(match self.entries.get(environment) {
            Some(entry) => Write::Put { name, value: value(entry) },
            None => Write::Delete { name },
        });
    }

    /// Lets go of environments whose state was removed long ago, and of locks that ran out
    /// before anything was written.
    fn forget(&mut self, now_ms: u64, effects: &mut Effects) {
        self.entries.retain(|environment, entry| {
            let stays = !entry.is_forgotten(now_ms);
            if !stays {
                effects.writes.push(Write::Delete { name: entry_row(environment) });
                for version in &entry.versions {
                    let name = blob(environment, version.version);
                    effects.blobs.push(Blob::Delete { name });
                }
            }
            stays
        });
    }
}

/// The lock, if it has not run out.
pub(super) fn live_lock(entry: &Entry, now_ms: u64) -> Option<LockSummary> {
    entry.lock.as_ref().filter(|held| held.is_live(now_ms)).map(|held| held.summary.clone())
}

impl Precondition {
    fn allows(&self, stored: Option<&str>) -> bool {
        match (self, stored) {
            (Self::Nothing, stored) => stored.is_none(),
            (Self::Match(_), None) => false,
            (Self::Match(tags), Some(stored)) => tags.iter().any(|tag| tag == "*" || tag == stored),
        }
    }
}
