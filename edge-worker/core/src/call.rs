//! What an object is told with each request, and what it gives back.

use envc_edge_api::{Holder, Name, Problem, ProblemType, Scope};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::entropy::Entropy;
use crate::http::{Method, Response};
use crate::seal::SealKey;
use crate::store::Effects;

/// Who calls: a checked token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The token's subject.
    pub subject: Name,
    /// What the token may do.
    pub scopes: Vec<Scope>,
    /// Who is alive, where the resource asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alive: Option<Alive>,
}

/// By what a lease is known to be somebody's still.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alive {
    /// The subjects that have a live token.
    pub subjects: Vec<Name>,
    /// The environments that are gone.
    pub gone: Vec<Gone>,
}

/// An environment that is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Under which name it leased.
    pub holder: Holder,
    /// Since when; a lease that was renewed later is another life's.
    pub since_ms: u64,
}

impl Caller {
    /// Whether the token may do one of these.
    pub fn may(&self, any_of: &[Scope]) -> bool {
        self.scopes.iter().any(|scope| *scope == Scope::Admin || any_of.contains(scope))
    }
}

/// The headers that make a request conditional.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// `If-Match`
    pub if_match: Option<String>,
    /// `If-None-Match`
    pub if_none_match: Option<String>,
    /// `Envc-Fence`
    pub fence: Option<String>,
}

/// A request to an object.
#[derive(Debug)]
pub struct Call<'a> {
    /// The method.
    pub method: Method,
    /// The body, within the resource's bound.
    pub body: &'a [u8],
    /// Its conditions.
    pub preconditions: &'a Preconditions,
    /// Who calls, and may.
    pub caller: &'a Caller,
    /// The time, in milliseconds since 1970-01-01 UTC.
    pub now_ms: u64,
    /// Fresh unguessable values.
    pub entropy: Entropy,
    /// What secret attributes are sealed under; `None` where none is set or it is no key.
    pub key: Option<&'a SealKey>,
}

impl Call<'_> {
    /// Reads the body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        // The reader takes a list for an object: its fields in order.
        if self.body.trim_ascii_start().first() != Some(&b'{') {
            return Err(invalid("the body: a JSON object was expected"));
        }
        serde_json::from_slice(self.body).map_err(|error| invalid(&format!("the body: {error}")))
    }
}

/// An object's answer, and what must be done before it may leave.
#[derive(Debug)]
#[must_use = "an answer that is not sent leaves the caller waiting"]
pub struct Served {
    /// The answer.
    pub response: Response,
    /// What to do first.
    pub effects: Effects,
}

/// A problem with what was sent.
pub(crate) fn invalid(detail: &str) -> Problem {
    Problem::new(ProblemType::InvalidRequest, detail)
}
