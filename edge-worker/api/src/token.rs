//! Tokens: who may call, and what.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Name;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Lease, renew and release.
    Pool,
    /// Report environments to the registry.
    Report,
    /// Read and write shared state, and lock it.
    State,
    /// Read pools, the registry and the status.
    Read,
    /// Everything, also members, reclaims, settings and tokens.
    Admin,
}

impl Scope {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Report => "report",
            Self::State => "state",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

/// The body of `POST /v1/tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// Whose it is. Leases belong to the subject, so a new token of the same subject goes on
    /// with what the old one leased.
    pub subject: Name,
    /// What it may do; at least one.
    #[cfg_attr(test, schemars(length(min = 1)))]
    pub scopes: Vec<Scope>,
    /// How long it lives, 1 second to ten years; for ever when absent.
    #[cfg_attr(test, schemars(range(min = 1, max = 316_224_000)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// How many requests it has for each minute.
    #[cfg_attr(test, schemars(range(min = 1, max = 1_000_000)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_minute: Option<u32>,
    /// What it is for, at most 200 characters.
    #[cfg_attr(test, schemars(length(max = 200)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The answer of `POST /v1/tokens`, the only time that the token itself is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TokenCreated {
    /// The token: `Authorization: Bearer …`. It is kept as a hash only.
    pub token: String,
    /// What it is.
    #[serde(flatten)]
    pub summary: TokenSummary,
}

impl fmt::Debug for TokenCreated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCreated").field("summary", &self.summary).finish_non_exhaustive()
    }
}

/// The answer of `GET /v1/tokens`, oldest first; revoked ones are kept for 90 days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TokenList {
    /// The tokens.
    pub tokens: Vec<TokenSummary>,
}

/// A token without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TokenSummary {
    /// Names the token; `DELETE /v1/tokens/{token_id}` revokes it.
    pub token_id: String,
    /// Whose it is.
    pub subject: Name,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// How many requests it has for each minute.
    pub rate_per_minute: u32,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When it was made.
    pub created_at_ms: u64,
    /// The subject of the token that made it.
    pub created_by: Name,
    /// When it was last used, to the minute; absent before its first use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at_ms: Option<u64>,
    /// When it stops working; absent if never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_ms: Option<u64>,
    /// When it was revoked; absent while it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at_ms: Option<u64>,
}
