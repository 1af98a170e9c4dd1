//! Shared state: documents with versions, and the locks that writes need.
//!
//! Times are milliseconds since 1970-01-01 UTC, in fields that end in `_at_ms`.

use serde::{Deserialize, Serialize};

use crate::{Name, Problem};

/// The request header that carries the fencing number of a write.
pub const FENCE_HEADER: &str = "envc-fence";

/// The body of `POST …/lock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct LockRequest {
    /// Who wants it, for people: `alice@laptop, envc 1.2`; 1 to 200 characters.
    #[cfg_attr(test, schemars(length(min = 1, max = 200)))]
    pub holder: String,
    /// What for: `apply`; 1 to 200 characters.
    #[cfg_attr(test, schemars(length(min = 1, max = 200)))]
    pub purpose: String,
    /// How long it lives without a heartbeat; a minute when absent, an hour at most.
    #[cfg_attr(test, schemars(range(min = 1, max = 3_600)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// Names this request: repeated with the same name it gets the same lock, so that a lost
    /// answer locks nobody out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Name>,
}

/// The body of `PUT …/lock/{lock_id}`, a heartbeat; an empty body is `{}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct HeartbeatRequest {
    /// How long the lock lives from now on; as at first when absent.
    #[cfg_attr(test, schemars(range(min = 1, max = 3_600)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
}

/// A lock, as only its holder sees it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Lock {
    /// Names this lock for heartbeat and release. A secret.
    pub lock_id: String,
    /// Rises with every lock of the project; writes carry it in the header [`FENCE_HEADER`].
    pub fence: u64,
    /// When others may take it unless a heartbeat comes before.
    pub expires_at_ms: u64,
}

impl std::fmt::Debug for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lock").field("fence", &self.fence).finish_non_exhaustive()
    }
}

/// A lock, as everybody who may use the state sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LockSummary {
    /// Who holds it.
    pub holder: String,
    /// The subject of the token that took it.
    pub subject: Name,
    /// What for.
    pub purpose: String,
    /// Its fencing number.
    pub fence: u64,
    /// Since when.
    pub acquired_at_ms: u64,
    /// When others may take it unless a heartbeat comes before.
    pub expires_at_ms: u64,
}

/// The problem document of a state that somebody else has locked: [`Problem`] and who.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LockedProblem {
    /// The problem.
    #[serde(flatten)]
    pub problem: Problem,
    /// Who holds the lock.
    pub lock: LockSummary,
}

/// The answer of `GET /v1/state/{cloud}/{account}/{project}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StateList {
    /// Every environment that has a state or a lock, by ID.
    pub environments: Vec<StateSummary>,
}

/// The answer of `GET /v1/state`: a page of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AllStates {
    /// Every project that has a state or a lock, by cloud, account and name.
    pub projects: Vec<ProjectStates>,
    /// Ask again with `?after=` and this for those that come next; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One project's states and locks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProjectStates {
    /// The cloud.
    pub cloud: Name,
    /// The account.
    pub account: Name,
    /// The project.
    pub project: Name,
    /// Every environment that has a state or a lock, by ID.
    pub environments: Vec<StateSummary>,
}

/// One environment's state without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StateSummary {
    /// The environment's ID.
    pub environment: Name,
    /// The stored version; absent when nothing is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<VersionSummary>,
    /// Who has it locked; absent when nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<LockSummary>,
}

/// The answer of `GET …/versions`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VersionList {
    /// At most the last 50.
    pub versions: Vec<VersionSummary>,
}

/// One version of a state without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct VersionSummary {
    /// Its number, which only rises.
    pub version: u64,
    /// Its entity tag, with quotes, as in the `ETag` header.
    pub etag: String,
    /// How long it is, in bytes.
    pub bytes: u64,
    /// When it was written.
    pub written_at_ms: u64,
    /// The subject of the token that wrote it.
    pub written_by: Name,
    /// The fencing number that it was written under.
    pub fence: u64,
    /// Whether it says that the state was removed; it has no content then.
    pub removed: bool,
}

/// The answer of `PUT` and `DELETE …/{env}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StateWritten {
    /// The version that was written.
    pub version: u64,
    /// Its entity tag, as in the `ETag` header.
    pub etag: String,
}
