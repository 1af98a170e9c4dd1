//! How exec sees the world. The command line implements these; so do tests.

use std::fmt;

use bytes::Bytes;
use envc_plan::{State, StateError};
use futures::future::BoxFuture;

/// Sends one HTTP request and gives the whole answer.
pub trait Transport: Send + Sync {
    /// The request's URI is absolute. An answer of any status is `Ok`.
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>>;
}

/// No answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// True when the request certainly never reached the server: it may be sent again. Otherwise
    /// its outcome is unknown.
    pub never_sent: bool,
    /// What happened, with the chain of causes, as a lowercase fragment.
    pub message: String,
}

/// Time. Never used for correctness, only to wait and to age.
pub trait Clock: Send + Sync {
    /// Milliseconds of a clock that never goes back.
    fn monotonic_ms(&self) -> u64;
    /// Milliseconds since 1970, UTC.
    fn unix_ms(&self) -> u64;
    /// Waits.
    fn sleep(&self, ms: u64) -> BoxFuture<'_, ()>;
}

/// Chance, for jitter and for names of lineages.
pub trait Entropy: Send + Sync {
    /// A number from 0 (included) to 1 (excluded).
    fn unit(&self) -> f64;
    /// `bytes` random bytes as hex digits.
    fn hex(&self, bytes: usize) -> String;
}

/// A version tag of a stored state; opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub String);

/// Where one environment's state lives.
pub trait StateStore: Send + Sync {
    /// Where it is, for people.
    fn place(&self) -> String;
    /// Loads the state, if there is one, with its version.
    fn load(&self) -> BoxFuture<'_, Result<Option<(State, Version)>, StoreError>>;
    /// Compare-and-set: writes the state when the stored version is still `expected` (`None`:
    /// nothing is stored). Durable when it returns: it survives power loss from then on.
    fn save<'a>(
        &'a self,
        state: &'a State,
        expected: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>>;
    /// Removes the state when its version is still `expected`.
    fn remove<'a>(&'a self, expected: &'a Version) -> BoxFuture<'a, Result<(), StoreError>>;
    /// Checked before each mutating call: is the lock that this store was opened under still held?
    fn lock_held(&self) -> bool;
}

/// A store that does not do its work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The document is newer, damaged or foreign.
    #[error(transparent)]
    State(#[from] StateError),
    /// Somebody else wrote in between.
    #[error("the state at {place} was changed by another process meanwhile")]
    Conflict {
        /// Where.
        place: String,
    },
    /// The disk or the server said no.
    #[error("{action} {place}: {reason}")]
    Io {
        /// What was tried: "write", "read".
        action: &'static str,
        /// Where.
        place: String,
        /// What the system said.
        reason: String,
    },
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
