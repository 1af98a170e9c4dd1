//! Calls to the edge Worker that gave no answer to work with.

use std::fmt;

use envc_edge_api::{Problem, ProblemType};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

/// A call that gave no answer to work with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeError {
    /// `POST /v1/pools/previews/leases`
    pub call: String,
    /// What it means for the caller.
    pub class: EdgeClass,
    /// What happened, as a lowercase fragment.
    pub message: String,
    /// The `Retry-After` header, in seconds.
    pub retry_after_s: Option<u64>,
}

/// What a failed call means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EdgeClass {
    /// The Worker refused, and says why.
    Problem(Box<EdgeProblem>),
    /// Something answered that is not the edge Worker: a login page, another service.
    UnexpectedResponder,
    /// The call may have had its effect.
    Unknown,
    /// Nobody could be reached, and the call had no effect.
    Unreachable,
    /// Stopped by the user before it was sent.
    Interrupted,
}

/// A problem document (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeProblem {
    /// The members that every problem has.
    pub problem: Problem,
    /// All members.
    pub document: Json,
    /// The `ETag` header: what is stored, where a precondition failed.
    pub etag: Option<String>,
}

impl EdgeProblem {
    /// Reads the problem with the members of its own: `LockedProblem`, `PoolEmpty`.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_value(self.document.clone()).ok()
    }
}

impl fmt::Display for EdgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.message)
    }
}

impl std::error::Error for EdgeError {}

impl EdgeError {
    pub(super) fn new(call: String, class: EdgeClass, message: impl Into<String>) -> Self {
        Self { call, class, message: message.into(), retry_after_s: None }
    }

    /// The Worker's own refusal.
    pub fn problem(&self) -> Option<&EdgeProblem> {
        match &self.class {
            EdgeClass::Problem(problem) => Some(problem),
            EdgeClass::UnexpectedResponder
            | EdgeClass::Unknown
            | EdgeClass::Unreachable
            | EdgeClass::Interrupted => None,
        }
    }

    /// True when the Worker refused for this reason.
    pub fn is(&self, problem_type: ProblemType) -> bool {
        self.problem().is_some_and(|it| it.problem.problem_type == problem_type)
    }

    /// True when the call may have had its effect.
    pub fn is_unknown(&self) -> bool {
        self.class == EdgeClass::Unknown
    }
}
