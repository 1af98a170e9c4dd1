//! Pools of preview IDs: what is asked, and what is answered.
//!
//! Times are milliseconds since 1970-01-01 UTC, in fields that end in `_at_ms`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::limits::{QUEUE_MAX, TTL_SECONDS_DEFAULT};
use crate::{Holder, Name, Problem};

/// The body of `POST /v1/pools/{pool}/leases`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LeaseRequest {
    /// Who asks: `project/env`.
    pub holder: Holder,
    /// How long the lease is to live, within [`crate::limits::TTL_SECONDS`]; the pool's own
    /// setting when absent.
    #[cfg_attr(test, schemars(range(min = 1, max = 7_776_000)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// Whether to wait in the queue when nothing is free. Asking again keeps the place.
    #[serde(default)]
    pub wait: bool,
}

/// The body of `PUT /v1/pools/{pool}/leases/{lease_id}`; an empty body is `{}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RenewRequest {
    /// How long the lease is to live from now on; the pool's own setting when absent.
    #[cfg_attr(test, schemars(range(min = 1, max = 7_776_000)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
}

/// A lease, as only its holder sees it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Lease {
    /// Names this grant and no other. It renews and releases only with a token of the subject that
    /// it was granted to.
    pub lease_id: String,
    /// The preview ID that is leased.
    pub id: Name,
    /// Who holds it.
    pub holder: Holder,
    /// When it was granted.
    pub granted_at_ms: u64,
    /// When it ends unless it is renewed before.
    pub expires_at_ms: u64,
    /// Whether the member leaves the pool as soon as this lease ends.
    pub draining: bool,
    /// The member's public attributes.
    pub attributes: BTreeMap<String, String>,
    /// The member's secret attributes.
    pub secrets: BTreeMap<String, String>,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease")
            .field("id", &self.id)
            .field("holder", &self.holder)
            .field("expires_at_ms", &self.expires_at_ms)
            .finish_non_exhaustive()
    }
}

/// A place in the queue, the answer `202`. Ask again before it expires to keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ticket {
    /// Names the ticket; `DELETE /v1/pools/{pool}/tickets/{ticket_id}` gives the place up.
    pub ticket_id: String,
    /// Who waits.
    pub holder: Holder,
    /// How many wait before: 0 is the head of the queue.
    pub position: u32,
    /// When the place is lost unless its holder asks again before.
    pub expires_at_ms: u64,
    /// When to ask again.
    pub retry_after_seconds: u32,
}

/// The answer of `GET /v1/pools/{pool}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PoolStats {
    /// The pool's name.
    pub pool: Name,
    /// Members, draining ones included.
    pub size: u32,
    /// Members that can be leased now.
    pub free: u32,
    /// Members that are leased.
    pub leased: u32,
    /// Members that cool down after a lease.
    pub cooling: u32,
    /// Members that leave the pool once they are free.
    pub draining: u32,
    /// Tickets that wait.
    pub queue: u32,
    /// How the pool behaves.
    pub settings: PoolSettings,
}

/// The answer of `GET /v1/pools`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PoolList {
    /// By name.
    pub pools: Vec<PoolStats>,
}

/// The answer of `GET /v1/pools/{pool}/leases`: nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeaseList {
    /// The leases by member.
    pub leases: Vec<LeaseSummary>,
    /// The queue, head first.
    pub queue: Vec<TicketSummary>,
}

/// A lease, as everybody who may read sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LeaseSummary {
    /// The preview ID that is leased.
    pub id: Name,
    /// Who holds it.
    pub holder: Holder,
    /// The subject of the token that leased it.
    pub subject: Name,
    /// When it was granted.
    pub granted_at_ms: u64,
    /// When its holder last asked for it or renewed it.
    pub renewed_at_ms: u64,
    /// When it ends unless it is renewed before.
    pub expires_at_ms: u64,
    /// Whether the member leaves the pool as soon as this lease ends.
    pub draining: bool,
    /// How alive its holder seems.
    pub class: LeaseClass,
}

/// A place in the queue, as everybody who may read sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TicketSummary {
    /// Who waits.
    pub holder: Holder,
    /// Since when.
    pub queued_at_ms: u64,
    /// When the place is lost unless its holder asks again before.
    pub expires_at_ms: u64,
}

/// How alive the holder of a lease seems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeaseClass {
    /// Nobody will renew it: no live token has its subject, or its environment is gone. That is
    /// one that was taken out of the registry ten minutes ago or longer, or whose time there
    /// ended a day ago or longer, and whose lease was not renewed since.
    Orphaned,
    /// Not renewed for as long as the pool's `idle_seconds`.
    Idle,
    /// Renewed lately.
    Active,
}

/// How a pool behaves. Absent fields take the defaults below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct PoolSettings {
    /// How long a lease lives when its holder does not say: seven days.
    #[cfg_attr(test, schemars(range(min = 1, max = 7_776_000)))]
    pub ttl_seconds: u32,
    /// How long a member rests between two leases; at most a day, 30 seconds by default.
    #[cfg_attr(test, schemars(range(min = 0, max = 86_400)))]
    pub cool_down_seconds: u32,
    /// How long a ticket lives when nobody asks for it again; 1 second to an hour, a minute by
    /// default.
    #[cfg_attr(test, schemars(range(min = 1, max = 3_600)))]
    pub ticket_seconds: u32,
    /// How many tickets may wait, at most [`QUEUE_MAX`]; 100 by default.
    #[cfg_attr(test, schemars(range(min = 0, max = 1_000)))]
    pub queue_max: u32,
    /// How long a lease is active without being renewed; a day by default.
    #[cfg_attr(test, schemars(range(min = 1, max = 7_776_000)))]
    pub idle_seconds: u32,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            ttl_seconds: TTL_SECONDS_DEFAULT,
            cool_down_seconds: 30,
            ticket_seconds: 60,
            queue_max: 100,
            idle_seconds: 86_400,
        }
    }
}

impl PoolSettings {
    /// Says what is out of bounds, if anything is.
    pub fn check(&self) -> Result<(), String> {
        let Self { ttl_seconds, cool_down_seconds, ticket_seconds, queue_max, idle_seconds } = self;
        let (ttl_min, ttl_max) = crate::limits::TTL_SECONDS;
        for (name, value, min, max) in [
            ("ttl_seconds", *ttl_seconds, ttl_min, ttl_max),
            ("cool_down_seconds", *cool_down_seconds, 0, 86_400),
            ("ticket_seconds", *ticket_seconds, 1, 3_600),
            ("queue_max", *queue_max, 0, QUEUE_MAX),
            ("idle_seconds", *idle_seconds, 1, ttl_max),
        ] {
            if !(min..=max).contains(&value) {
                return Err(format!("`settings.{name}` is {min} to {max}, not {value}"));
            }
        }
        Ok(())
    }
}

/// The body of `PUT /v1/pools/{pool}/members`: all of them, and how the pool behaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MembersRequest {
    /// Every member; whoever is missing here leaves the pool.
    #[cfg_attr(test, schemars(length(max = 1_000)))]
    pub members: Vec<Member>,
    /// How the pool behaves; what it had before when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<PoolSettings>,
}

/// A member, as it is put into a pool.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The preview ID.
    pub id: Name,
    /// What everybody who may read may see.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// What only the holder of the lease may see. Encrypted where it is kept.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The answer of `PUT /v1/pools/{pool}/members`: what it did, each list in order of IDs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MembersDiff {
    /// New members.
    pub added: Vec<Name>,
    /// Members whose attributes changed.
    pub changed: Vec<Name>,
    /// Members that stay as they were.
    pub unchanged: Vec<Name>,
    /// Members that are leased or cooling, and leave the pool when that ends.
    pub draining: Vec<Name>,
    /// Members that left.
    pub removed: Vec<Name>,
}

/// The answer of `GET /v1/pools/{pool}/members`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MemberList {
    /// By ID.
    pub members: Vec<MemberSummary>,
}

/// A member, as everybody who may read sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MemberSummary {
    /// The preview ID.
    pub id: Name,
    /// Its public attributes.
    pub attributes: BTreeMap<String, String>,
    /// The names of its secret attributes.
    pub secret_names: Vec<String>,
    /// What it does now.
    pub state: MemberState,
    /// When its last lease ended; absent before its first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at_ms: Option<u64>,
}

/// What a member does now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MemberState {
    /// It can be leased.
    Free,
    /// It is leased.
    Leased,
    /// It rests after a lease.
    Cooling,
    /// It leaves the pool when its lease or its cooling ends.
    Draining,
}

/// The body of `POST /v1/pools/{pool}/reclaims`: takes leases away, never silently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReclaimRequest {
    /// Which leases. `active` needs `holders`, so that nobody's work is taken by the dozen.
    pub class: LeaseClass,
    /// Only the leases of these holders; those of the class when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holders: Option<Vec<Holder>>,
    /// Why, in 1 to 200 characters; the holder is told it.
    #[cfg_attr(test, schemars(length(min = 1, max = 200)))]
    pub reason: String,
    /// Only say what would be taken.
    #[serde(default)]
    pub dry_run: bool,
}

/// The answer of `POST …/reclaims` and of `GET …/reclaims`, newest last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReclaimList {
    /// What was taken, or with `dry_run` would be.
    pub reclaims: Vec<Reclaim>,
}

/// The record of one lease that was taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reclaim {
    /// The preview ID.
    pub id: Name,
    /// Whose it was.
    pub holder: Holder,
    /// What it was taken as.
    pub class: LeaseClass,
    /// Why.
    pub reason: String,
    /// The subject of the token that took it.
    pub by: Name,
    /// When.
    pub at_ms: u64,
}

/// The problem document of an empty pool: [`Problem`] and who holds what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PoolEmpty {
    /// The problem.
    #[serde(flatten)]
    pub problem: Problem,
    /// When to ask again; the `Retry-After` header says the same.
    pub retry_after_seconds: u32,
    /// Who holds what.
    pub leases: Vec<LeaseSummary>,
}
