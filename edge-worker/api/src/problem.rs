//! Problem documents: how every failure of the Worker is told.
//!
//! Source: RFC 9457, "Problem Details for HTTP APIs", sections 3.1 (members) and 4 (types).

use serde::{Deserialize, Serialize};

/// An RFC 9457 problem document, served as [`Problem::CONTENT_TYPE`].
///
/// Unknown members are accepted on read, as section 3.2 of the RFC demands of a consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
pub enum ProblemType {
    /// No resource has this path.
    #[serde(rename = "urn:envc:problem:not-found")]
    NotFound,
    /// The resource is there, but not for this method; `Allow` lists those that work.
    #[serde(rename = "urn:envc:problem:method-not-allowed")]
    MethodNotAllowed,
    /// The Worker failed; the request may be repeated.
    #[serde(rename = "urn:envc:problem:internal")]
    Internal,
    /// A type that this build does not know, sent by a newer Worker. Never sent by this one.
    #[serde(other, rename = "about:blank")]
    Unknown,
}

impl ProblemType {
    /// Every type that the Worker sends.
    pub const ALL: [Self; 3] = [Self::NotFound, Self::MethodNotAllowed, Self::Internal];

    /// The stable URI in the `type` member.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::NotFound => "urn:envc:problem:not-found",
            Self::MethodNotAllowed => "urn:envc:problem:method-not-allowed",
            Self::Internal => "urn:envc:problem:internal",
            Self::Unknown => "about:blank",
        }
    }

    /// The text in the `title` member.
    pub const fn title(self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing at this path",
            Self::MethodNotAllowed => "This path does not accept this method",
            Self::Internal => "The Worker failed",
            Self::Unknown => "Unknown problem",
        }
    }

    /// The HTTP status code that goes with it.
    pub const fn status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Internal | Self::Unknown => 500,
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
