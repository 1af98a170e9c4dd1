//! Environments that exist, whether their URLs answer, and the status of it all.
//!
//! Times are milliseconds since 1970-01-01 UTC, in fields that end in `_at_ms`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Name, PoolStats};

/// The body of `PUT /v1/environments/{id}`: what `apply` and `destroy` report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EnvironmentReport {
    /// The project.
    pub project: Name,
    /// The type that it was applied as.
    #[serde(rename = "type")]
    pub environment_type: Name,
    /// Whose it is; 1 to 200 characters.
    #[cfg_attr(test, schemars(length(min = 1, max = 200)))]
    pub owner: String,
    /// The branch; at most 200 characters.
    #[cfg_attr(test, schemars(length(max = 200)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Where it answers; at most 16.
    #[cfg_attr(test, schemars(length(max = 16)))]
    #[serde(default)]
    pub urls: Vec<NamedUrl>,
    /// How many resources it has of each kind; at most 64 kinds.
    #[serde(default)]
    pub resources: BTreeMap<String, u32>,
    /// How long it is to live from this report on; for ever when absent.
    #[cfg_attr(test, schemars(range(min = 1)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// What was done last, and how it ended.
    pub outcome: Outcome,
}

/// What a URL of an environment looks like: `http` or `https`, a host or an address, perhaps a port,
/// then printable ASCII. The Worker refuses each URL that is not of this form, and of those that
/// are the ones that cannot be read, such as `http://256.0.0.1`.
pub const URL_PATTERN: &str =
    r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?#][!-~]*)?$";

/// What a zone of `PUT /v1/probes` looks like: a domain in lower case, of two labels at least.
pub const ZONE_PATTERN: &str =
    "^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$";

/// A URL and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NamedUrl {
    /// What answers there: `web`.
    pub name: Name,
    /// `https://…` or `http://…`, at most 2,048 characters.
    #[cfg_attr(test, schemars(length(max = 2_048), regex(pattern = URL_PATTERN)))]
    pub url: String,
}

/// What was done last, and how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An apply did all.
    Applied,
    /// An apply failed.
    ApplyFailed,
    /// A destroy failed.
    DestroyFailed,
}

/// Whether something answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reachability {
    /// It did when it was last asked.
    Up,
    /// It did not.
    Down,
    /// It was not asked yet, or must not be.
    Unknown,
}

/// The answer of `GET /v1/environments`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EnvironmentList {
    /// By ID.
    pub environments: Vec<EnvironmentStatus>,
}

/// One environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EnvironmentStatus {
    /// Its ID, by convention `project.environment`.
    pub id: Name,
    /// The project.
    pub project: Name,
    /// The type that it was applied as.
    #[serde(rename = "type")]
    pub environment_type: Name,
    /// Whose it is.
    pub owner: String,
    /// The branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Where it answers, and whether.
    pub urls: Vec<UrlStatus>,
    /// How many resources it has of each kind.
    pub resources: BTreeMap<String, u32>,
    /// What was done last, and how it ended.
    pub outcome: Outcome,
    /// When it was first reported.
    pub created_at_ms: u64,
    /// When it was last reported.
    pub reported_at_ms: u64,
    /// The subject of the token that reported it last.
    pub reported_by: Name,
    /// When its time is over; absent if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
    /// Whether its time is over.
    pub is_past_ttl: bool,
    /// `down` if any URL is, `up` if one is and none is down.
    pub health: Reachability,
    /// What probes found on each of the last 90 days that had any, oldest first.
    pub days: Vec<Day>,
}

/// A URL and what the last probe of it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UrlStatus {
    /// What answers there.
    pub name: Name,
    /// Where.
    pub url: String,
    /// Whether it is probed: its host is in a zone that an admin listed.
    pub is_probed: bool,
    /// Whether it answers.
    pub health: Reachability,
    /// What the last probe found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<ProbeResult>,
}

/// What one probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProbeResult {
    /// When.
    pub at_ms: u64,
    /// The HTTP status; absent if there was no answer in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long the answer took.
    pub latency_ms: u32,
}

impl ProbeResult {
    /// Whether something answers: a success, a redirect (which is not followed), or a guard that
    /// asks who is there.
    pub fn reachability(&self) -> Reachability {
        match self.status {
            Some(200..=399 | 401 | 403) => Reachability::Up,
            _ => Reachability::Down,
        }
    }
}

/// What probes of an environment found on one day (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Day {
    /// Days since 1970-01-01.
    pub day: u32,
    /// Probes that found it up.
    pub up: u32,
    /// Probes that found it down.
    pub down: u32,
    /// The sum of the latencies of those that found it up.
    pub latency_ms_sum: u64,
}

/// The body of `PUT /v1/probes`, and the answer of `GET /v1/probes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProbeSettings {
    /// Domains whose hosts may be probed, themselves included: `preview.example.com`. At most 50.
    #[cfg_attr(
        test,
        schemars(length(max = 50), inner(regex(pattern = ZONE_PATTERN)))
    )]
    pub zones: Vec<String>,
}

/// The answer of `POST /v1/probes`, which probes at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProbeRun {
    /// How many URLs were asked.
    pub probed: u32,
}

/// The answer of `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Status {
    /// `down` if any environment is, `up` if one is and none is down.
    pub health: Reachability,
    /// How many environments are in which state.
    #[serde(default)]
    pub counts: StatusCounts,
    /// When this was put together.
    pub at_ms: u64,
    /// By ID.
    pub environments: Vec<EnvironmentStatus>,
    /// By name.
    pub pools: Vec<PoolStats>,
}

/// How many environments are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StatusCounts {
    /// All of them: the sum of the next three.
    pub environments: u32,
    /// Those that answer.
    pub up: u32,
    /// Those of which a URL does not.
    pub down: u32,
    /// Those that were not asked.
    pub unknown: u32,
    /// Those whose time is over, whether they answer or not.
    pub expired: u32,
}

impl StatusCounts {
    /// Counts.
    pub fn of(environments: &[EnvironmentStatus]) -> Self {
        let count = |test: &dyn Fn(&EnvironmentStatus) -> bool| {
            let found = environments.iter().filter(|it| test(it)).count();
            u32::try_from(found).unwrap_or(u32::MAX)
        };
        Self {
            environments: count(&|_| true),
            up: count(&|it| it.health == Reachability::Up),
            down: count(&|it| it.health == Reachability::Down),
            unknown: count(&|it| it.health == Reachability::Unknown),
            expired: count(&|it| it.is_past_ttl),
        }
    }
}

impl Reachability {
    /// The health of a whole out of those of its parts.
    pub fn of(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut whole = Self::Unknown;
        for part in parts {
            match part {
                Self::Down => return Self::Down,
                Self::Up => whole = Self::Up,
                Self::Unknown => {}
            }
        }
        whole
    }
}
