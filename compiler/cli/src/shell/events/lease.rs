//! Events about preview IDs and claims: who holds what.

use std::collections::BTreeMap;

use envc_edge_api::{LeaseClass, LeaseList, LeaseSummary, MemberState, MemberSummary, PoolStats};
use serde::Serialize;

/// Something that is held from now on.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(crate) enum Claimed<'a> {
    /// A preview ID, by `pool claim`.
    PreviewId {
        /// The pool.
        pool: &'a str,
        /// Who holds it.
        holder: &'a str,
        /// The preview ID.
        id: &'a str,
        /// Names this lease and no other; `pool release --lease` takes it.
        lease_id: &'a str,
        /// The preview ID's public attributes.
        attributes: &'a BTreeMap<String, String>,
        /// The names of its secret attributes.
        secret_names: Vec<&'a str>,
        /// Its secret attributes; empty without `--show-secrets`.
        secrets: BTreeMap<&'a str, &'a str>,
    },
    /// A project in an account, by the first apply of a repository or by `state claim`.
    Project {
        /// The project.
        project: &'a str,
        /// The repository that claims it.
        repository: &'a str,
    },
}

/// Something that is not held any more.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(crate) enum Released<'a> {
    /// A preview ID, by `pool release`.
    PreviewId {
        /// The pool.
        pool: &'a str,
        /// Who held it; `null` where the command names the lease.
        holder: Option<&'a str>,
        /// The preview ID; `null` where the holder had none, or the command names the lease.
        id: Option<&'a str>,
    },
    /// A project, by `state claim --release`.
    Project {
        /// The project.
        project: &'a str,
        /// The repository that claimed it. Absent where nobody did.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(test, schemars(with = "String"))]
        repository: Option<&'a str>,
        /// False where nobody claimed it.
        released: bool,
    },
}

/// What a pool has.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct PoolCounts<'a> {
    /// How many preview IDs it has.
    size: u32,
    /// How many of them can be leased now.
    free: u32,
    /// How many are leased.
    leased: u32,
    /// How many rest after a lease.
    cooling: u32,
    /// How many leave the pool once they are free.
    draining: u32,
    /// The leases, by preview ID.
    leases: Vec<Lease<'a>>,
    /// Who waits, the next one first.
    queue: Vec<Ticket<'a>>,
}

/// A lease of a preview ID. Times are milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Lease<'a> {
    /// The preview ID.
    id: &'a str,
    /// Who holds it.
    holder: &'a str,
    /// The subject of the token that leased it.
    subject: &'a str,
    /// When it was granted.
    granted_at_ms: u64,
    /// When its holder last asked for it or renewed it.
    renewed_at_ms: u64,
    /// When it ends unless it is renewed before.
    expires_at_ms: u64,
    /// True when the preview ID leaves the pool as soon as this lease ends.
    draining: bool,
    /// How alive its holder seems: `orphaned`, nobody will renew it; `idle`, nobody renewed it for
    /// long; `active`, renewed lately.
    #[cfg_attr(test, schemars(with = "String", extend("enum" = ["orphaned", "idle", "active"])))]
    class: LeaseClass,
}

/// A place in the queue of a pool. Times are milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Ticket<'a> {
    /// Who waits.
    holder: &'a str,
    /// Since when.
    queued_at_ms: u64,
    /// When the place is lost unless its holder asks again before.
    expires_at_ms: u64,
}

/// A preview ID of a pool.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Member<'a> {
    /// The preview ID.
    id: &'a str,
    /// Its public attributes.
    attributes: &'a BTreeMap<String, String>,
    /// The names of its secret attributes.
    secret_names: &'a [String],
    /// What it does now: `cooling`, it rests after a lease; `draining`, it leaves the pool when its
    /// lease or its rest ends.
    #[cfg_attr(
        test,
        schemars(with = "String", extend("enum" = ["free", "leased", "cooling", "draining"]))
    )]
    state: MemberState,
    /// When its last lease ended, in milliseconds since 1970-01-01T00:00:00Z. Absent before its
    /// first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "u64"))]
    last_used_at_ms: Option<u64>,
}

impl<'a> PoolCounts<'a> {
    /// What the edge tells of a pool.
    pub(crate) fn of(stats: &PoolStats, list: &'a LeaseList) -> Self {
        let tickets = list.queue.iter().map(|ticket| Ticket {
            holder: ticket.holder.as_str(),
            queued_at_ms: ticket.queued_at_ms,
            expires_at_ms: ticket.expires_at_ms,
        });
        Self {
            size: stats.size,
            free: stats.free,
            leased: stats.leased,
            cooling: stats.cooling,
            draining: stats.draining,
            leases: list.leases.iter().map(Lease::from).collect(),
            queue: tickets.collect(),
        }
    }
}

impl<'a> From<&'a LeaseSummary> for Lease<'a> {
    fn from(lease: &'a LeaseSummary) -> Self {
        Self {
            id: lease.id.as_str(),
            holder: lease.holder.as_str(),
            subject: lease.subject.as_str(),
            granted_at_ms: lease.granted_at_ms,
            renewed_at_ms: lease.renewed_at_ms,
            expires_at_ms: lease.expires_at_ms,
            draining: lease.draining,
            class: lease.class,
        }
    }
}

impl<'a> From<&'a MemberSummary> for Member<'a> {
    fn from(member: &'a MemberSummary) -> Self {
        Self {
            id: member.id.as_str(),
            attributes: &member.attributes,
            secret_names: &member.secret_names,
            state: member.state,
            last_used_at_ms: member.last_used_at_ms,
        }
    }
}
