//! Problem documents: how every failure of the Worker is told.
//!
//! Source: RFC 9457, "Problem Details for HTTP APIs", sections 3.1 (members) and 4 (types).

use serde::{Deserialize, Serialize};

/// An RFC 9457 problem document, served as [`Problem::CONTENT_TYPE`].
///
/// Unknown members are accepted on read, as section 3.2 of the RFC demands of a consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Problem {
    /// Which problem it is. The one member that a program may branch on.
    #[serde(rename = "type")]
    pub problem_type: ProblemType,
    /// The same in a few words; equal for every problem of one type.
    pub title: String,
    /// The HTTP status code of the answer.
    pub status: u16,
    /// What went wrong this time, and what to do about it, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Problem {
    /// The media type of a problem document.
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    /// Makes a problem with the title and the status of its type.
    pub fn new(problem_type: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            problem_type,
            title: problem_type.title().to_owned(),
            status: problem_type.status(),
            detail: Some(detail.into()),
        }
    }
}

/// The closed list of problems. Each has a URI that never changes and never gets reused.
///
/// The URIs are names, not addresses: nothing is served there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum ProblemType {
    /// The body, the query or the path does not say what it must; `detail` tells where.
    #[serde(rename = "urn:envc:problem:invalid-request")]
    InvalidRequest,
    /// There is no token, or it is unknown, expired or revoked. Which of these is not told.
    #[serde(rename = "urn:envc:problem:unauthenticated")]
    Unauthenticated,
    /// The token lacks the scope, or the thing belongs to another subject.
    #[serde(rename = "urn:envc:problem:forbidden")]
    Forbidden,
    /// No resource has this path.
    #[serde(rename = "urn:envc:problem:not-found")]
    NotFound,
    /// The resource is there, but not for this method; `Allow` lists those that work.
    #[serde(rename = "urn:envc:problem:method-not-allowed")]
    MethodNotAllowed,
    /// The holder's name is in use under another token's subject.
    #[serde(rename = "urn:envc:problem:holder-taken")]
    HolderTaken,
    /// The lease expired, was released or was taken away; its `lease_id` never works again.
    #[serde(rename = "urn:envc:problem:lease-gone")]
    LeaseGone,
    /// `If-Match` or `If-None-Match` does not fit the current version; nothing was written.
    #[serde(rename = "urn:envc:problem:precondition-failed")]
    PreconditionFailed,
    /// The fencing number is not that of the newest lock: somebody else has taken it since.
    #[serde(rename = "urn:envc:problem:fence-stale")]
    FenceStale,
    /// The lock was released, broken or taken by somebody else; its `lock_id` never works again.
    #[serde(rename = "urn:envc:problem:lock-gone")]
    LockGone,
    /// The body is longer than this resource reads.
    #[serde(rename = "urn:envc:problem:body-too-large")]
    BodyTooLarge,
    /// The state is locked by another holder; the answer says by whom and until when.
    #[serde(rename = "urn:envc:problem:locked")]
    Locked,
    /// A write carries no precondition, or no fencing number.
    #[serde(rename = "urn:envc:problem:precondition-required")]
    PreconditionRequired,
    /// The token has used up its requests; `Retry-After` says when to go on.
    #[serde(rename = "urn:envc:problem:rate-limited")]
    RateLimited,
    /// The Worker failed; the request may be repeated.
    #[serde(rename = "urn:envc:problem:internal")]
    Internal,
    /// Every member is leased, cooling or promised to the queue; `Retry-After` says when to ask again.
    #[serde(rename = "urn:envc:problem:pool-empty")]
    PoolEmpty,
    /// Too many wait already; `Retry-After` says when to ask again.
    #[serde(rename = "urn:envc:problem:queue-full")]
    QueueFull,
    /// The object that decides did not answer; the request may be repeated.
    #[serde(rename = "urn:envc:problem:unavailable")]
    Unavailable,
    /// A secret or a setting of the Worker is missing or wrong; `detail` names it.
    #[serde(rename = "urn:envc:problem:misconfigured")]
    Misconfigured,
    /// A type that this build does not know, sent by a newer Worker. Never sent by this one.
    #[serde(other, rename = "about:blank")]
    Unknown,
}

impl ProblemType {
    /// Every type that the Worker sends.
    pub const ALL: [Self; 19] = [
        Self::InvalidRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::HolderTaken,
        Self::LeaseGone,
        Self::PreconditionFailed,
        Self::FenceStale,
        Self::LockGone,
        Self::BodyTooLarge,
        Self::Locked,
        Self::PreconditionRequired,
        Self::RateLimited,
        Self::Internal,
        Self::PoolEmpty,
        Self::QueueFull,
        Self::Unavailable,
        Self::Misconfigured,
    ];

    /// The stable URI in the `type` member.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::InvalidRequest => "urn:envc:problem:invalid-request",
            Self::Unauthenticated => "urn:envc:problem:unauthenticated",
            Self::Forbidden => "urn:envc:problem:forbidden",
            Self::NotFound => "urn:envc:problem:not-found",
            Self::MethodNotAllowed => "urn:envc:problem:method-not-allowed",
            Self::HolderTaken => "urn:envc:problem:holder-taken",
            Self::LeaseGone => "urn:envc:problem:lease-gone",
            Self::PreconditionFailed => "urn:envc:problem:precondition-failed",
            Self::FenceStale => "urn:envc:problem:fence-stale",
            Self::LockGone => "urn:envc:problem:lock-gone",
            Self::BodyTooLarge => "urn:envc:problem:body-too-large",
            Self::Locked => "urn:envc:problem:locked",
            Self::PreconditionRequired => "urn:envc:problem:precondition-required",
            Self::RateLimited => "urn:envc:problem:rate-limited",
            Self::Internal => "urn:envc:problem:internal",
            Self::PoolEmpty => "urn:envc:problem:pool-empty",
            Self::QueueFull => "urn:envc:problem:queue-full",
            Self::Unavailable => "urn:envc:problem:unavailable",
            Self::Misconfigured => "urn:envc:problem:misconfigured",
            Self::Unknown => "about:blank",
        }
    }

    /// The text in the `title` member.
    pub const fn title(self) -> &'static str {
        match self {
            Self::InvalidRequest => "The request is malformed",
            Self::Unauthenticated => "No valid token",
            Self::Forbidden => "The token may not do this",
            Self::NotFound => "There is nothing at this path",
            Self::MethodNotAllowed => "This path does not accept this method",
            Self::HolderTaken => "Another subject holds or waits under this name",
            Self::LeaseGone => "The lease is over",
            Self::PreconditionFailed => "The document has changed",
            Self::FenceStale => "The lock has been taken by somebody else",
            Self::LockGone => "The lock is over",
            Self::BodyTooLarge => "The body is too large",
            Self::Locked => "Someone else holds the lock",
            Self::PreconditionRequired => "A write must say what it replaces",
            Self::RateLimited => "Too many requests",
            Self::Internal => "The Worker failed",
            Self::PoolEmpty => "No preview ID is free",
            Self::QueueFull => "The queue is full",
            Self::Unavailable => "Try again",
            Self::Misconfigured => "The Worker is not set up",
            Self::Unknown => "Unknown problem",
        }
    }

    /// The HTTP status code that goes with it.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::HolderTaken => 409,
            Self::LeaseGone | Self::LockGone => 410,
            Self::PreconditionFailed | Self::FenceStale => 412,
            Self::BodyTooLarge => 413,
            Self::Locked => 423,
            Self::PreconditionRequired => 428,
            Self::RateLimited => 429,
            Self::Internal | Self::Unknown => 500,
            Self::PoolEmpty | Self::QueueFull | Self::Unavailable | Self::Misconfigured => 503,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_problem_has_a_fixed_wire_form() {
        let problem = Problem::new(ProblemType::NotFound, "no /x here");
        let text = serde_json::to_string(&problem).unwrap();
        assert_eq!(
            text,
            r#"{"type":"urn:envc:problem:not-found","title":"There is nothing at this path","status":404,"detail":"no /x here"}"#
        );
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
    }

    #[test]
    fn the_uri_on_the_wire_is_the_uri_in_the_code() {
        for problem_type in ProblemType::ALL {
            let wire = serde_json::to_value(problem_type).unwrap();
            assert_eq!(wire, problem_type.uri());
        }
    }

    #[test]
    fn uris_differ() {
        let uris: BTreeSet<_> = ProblemType::ALL.map(ProblemType::uri).into();
        assert_eq!(uris.len(), ProblemType::ALL.len());
    }

    #[test]
    fn a_problem_of_a_newer_worker_can_be_read() {
        let text =
            r#"{"type":"urn:envc:problem:too-sunny","title":"t","status":418,"until":"8pm"}"#;
        let problem: Problem = serde_json::from_str(text).unwrap();
        assert_eq!((problem.problem_type, problem.status), (ProblemType::Unknown, 418));
    }
}
