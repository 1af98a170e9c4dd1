//! A pool's state, and the rows that keep it.

use std::collections::BTreeMap;

use envc_edge_api::limits::RECLAIMS_KEPT;
use envc_edge_api::{Holder, LeaseClass, MemberState, Name, PoolSettings, Reclaim};
use serde::{Deserialize, Serialize};

use crate::call::{Alive, Gone};
use crate::store::{Damaged, Dirty, Write, read, value};

/// A pool: members, who holds them, who waits.
#[derive(Debug, Default)]
pub struct Pool {
    /// `None` until the members were first put: then there is no such pool.
    pub(super) settings: Option<PoolSettings>,
    pub(super) seats: BTreeMap<Name, Seat>,
    /// By number, which only grows: the first is the head.
    pub(super) queue: BTreeMap<u64, Waiting>,
    /// By number, oldest first.
    pub(super) reclaims: BTreeMap<u64, Reclaimed>,
}

/// A member and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) spec: Spec,
    pub(super) used: Use,
}

/// What was put into the pool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The public attributes.
    pub attributes: BTreeMap<String, String>,
    /// The secret ones, sealed.
    pub sealed: BTreeMap<String, String>,
    /// Whether it leaves the pool once it is neither leased nor cooling.
    pub draining: bool,
}

/// What became of a member since.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Use {
    /// When the last lease ended; 0 before the first.
    pub(super) last_used_at_ms: u64,
    /// When the rest after it ends.
    pub(super) ready_at_ms: u64,
    pub(super) held: Option<Held>,
}

/// A lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Names this grant and no other.
    pub lease_id: String,
    /// Who holds it.
    pub holder: Holder,
    /// Under whose token.
    pub subject: Name,
    /// When it was granted.
    pub granted_at_ms: u64,
    /// When its holder last asked for it.
    pub renewed_at_ms: u64,
    /// When it ends.
    pub expires_at_ms: u64,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// Names the ticket.
    pub ticket_id: String,
    /// Who waits.
    pub holder: Holder,
    /// Under whose token.
    pub subject: Name,
    /// Since when.
    pub queued_at_ms: u64,
    /// When the place is lost.
    pub expires_at_ms: u64,
}

/// A lease that was taken away: the record, and which lease it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reclaimed {
    pub(super) lease_id: String,
    pub(super) record: Reclaim,
}

impl Seat {
    /// Whether it can be leased.
    pub(super) fn is_free(&self, now_ms: u64) -> bool {
        self.used.held.is_none() && !self.spec.draining && self.used.ready_at_ms <= now_ms
    }

    pub(super) fn state(&self, now_ms: u64) -> MemberState {
        match &self.used.held {
            _ if self.spec.draining => MemberState::Draining,
            Some(_) => MemberState::Leased,
            None if self.used.ready_at_ms > now_ms => MemberState::Cooling,
            None => MemberState::Free,
        }
    }
}

impl Held {
    /// Whether a renewal to this end would gain less than a thousandth of the lease's time, and
    /// less than `slack_ms`: then nothing changes, and nothing is written. The end that is
    /// answered is the one that holds.
    pub(super) fn is_as_good(&self, expires_at_ms: u64, ttl_ms: u64, slack_ms: u64) -> bool {
        let least_ms = (ttl_ms / 1_000).min(slack_ms).max(1);
        (self.expires_at_ms..self.expires_at_ms.saturating_add(least_ms)).contains(&expires_at_ms)
    }

    /// How alive the holder seems.
    pub(super) fn class(
        &self,
        now_ms: u64,
        idle_seconds: u32,
        alive: Option<&Alive>,
    ) -> LeaseClass {
        let is_gone =
            |gone: &Gone| gone.holder == self.holder && self.renewed_at_ms <= gone.since_ms;
        let is_orphan = |alive: &Alive| {
            !alive.subjects.contains(&self.subject) || alive.gone.iter().any(is_gone)
        };
        if alive.is_some_and(is_orphan) {
            LeaseClass::Orphaned
        } else if now_ms.saturating_sub(self.renewed_at_ms) >= u64::from(idle_seconds) * 1_000 {
            LeaseClass::Idle
        } else {
            LeaseClass::Active
        }
    }
}

/// Names of rows.
pub(super) const SETTINGS: &str = "settings";

pub(super) fn spec_row(id: &Name) -> String {
    format!("spec/{id}")
}

pub(super) fn use_row(id: &Name) -> String {
    format!("use/{id}")
}

pub(super) fn ticket_row(number: u64) -> String {
    format!("ticket/{number:016}")
}

pub(super) fn reclaim_row(number: u64) -> String {
    format!("reclaim/{number:016}")
}

impl Pool {
    /// Reads a pool out of its rows.
    pub fn load(rows: &BTreeMap<String, String>) -> Result<Self, Damaged> {
        let mut pool = Self::default();
        let mut uses: BTreeMap<Name, Use> = BTreeMap::new();
        for (row, text) in rows {
            let unknown = || Damaged { row: row.clone(), reason: "unknown name".to_owned() };
            let (kind, key) = row.split_once('/').unwrap_or((row, ""));
            let name = || Name::parse(key).map_err(|_| unknown());
            let number = || key.parse::<u64>().map_err(|_| unknown());
            match kind {
                SETTINGS => pool.settings = Some(read(row, text)?),
                "spec" => {
                    let seat = Seat { spec: read(row, text)?, used: Use::default() };
                    pool.seats.insert(name()?, seat);
                }
                "use" => drop(uses.insert(name()?, read(row, text)?)),
                "ticket" => drop(pool.queue.insert(number()?, read(row, text)?)),
                "reclaim" => drop(pool.reclaims.insert(number()?, read(row, text)?)),
                _ => return Err(unknown()),
            }
        }
        for (id, used) in uses {
            if let Some(seat) = pool.seats.get_mut(&id) {
                seat.used = used;
            }
        }
        Ok(pool)
    }

    /// Renders the rows that changed.
    pub(super) fn writes(&self, dirty: Dirty) -> Vec<Write> {
        dirty.writes(|row| {
            let (kind, key) = row.split_once('/').unwrap_or((row, ""));
            let seat = || Name::parse(key).ok().and_then(|id| self.seats.get(&id));
            let number = || key.parse::<u64>().ok();
            match kind {
                SETTINGS => self.settings.as_ref().map(value),
                "spec" => seat().map(|seat| value(&seat.spec)),
                "use" => seat().map(|seat| value(&seat.used)),
                "ticket" => number().and_then(|number| self.queue.get(&number)).map(value),
                "reclaim" => number().and_then(|number| self.reclaims.get(&number)).map(value),
                _ => None,
            }
        })
    }

    /// The settings, which are the default ones as long as the pool is not there.
    pub(super) fn settings(&self) -> PoolSettings {
        self.settings.clone().unwrap_or_default()
    }

    /// Whether the pool is there: its members were put once, be they none.
    pub fn is_there(&self) -> bool {
        self.settings.is_some()
    }

    /// The members that are leased, and their leases.
    pub fn held(&self) -> impl Iterator<Item = (&Name, &Held)> {
        self.seats.iter().filter_map(|(id, seat)| Some((id, seat.used.held.as_ref()?)))
    }

    /// How many members there are, draining ones included.
    pub fn size(&self) -> usize {
        self.seats.len()
    }

    /// The queue, head first.
    pub fn queue(&self) -> impl Iterator<Item = &Waiting> {
        self.queue.values()
    }

    /// Takes a record in and lets go of the oldest beyond the bound.
    pub(super) fn record(&mut self, reclaimed: Reclaimed, dirty: &mut Dirty) {
        let number = self.reclaims.last_key_value().map_or(0, |(last, _)| last.saturating_add(1));
        self.reclaims.insert(number, reclaimed);
        dirty.mark(reclaim_row(number));
        while self.reclaims.len() > RECLAIMS_KEPT {
            if let Some((old, _)) = self.reclaims.pop_first() {
                dirty.mark(reclaim_row(old));
            }
        }
    }
}
