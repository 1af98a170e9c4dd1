//! How exec sees the world. The command line implements these; so do tests.

use std::{collections::BTreeMap, fmt, sync::atomic::AtomicBool};

use bytes::Bytes;
use envc_core::Secret;
use envc_edge_api::ProblemType;
use envc_plan::{State, StateError};
use futures::future::BoxFuture;

use crate::{
    edge::error::{EdgeClass, EdgeError},
    progress::Progress,
};

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

/// The calls that count against the API's limit, of everybody whom it counts together.
pub trait Tally: Send + Sync {
    /// Counts a call, and gives 0; where there is no room for one, counts nothing and gives the
    /// milliseconds until there may be. `now_ms` is what [`Clock::unix_ms`] tells.
    fn book(&self, now_ms: u64) -> u64;
    /// Nobody is to call before this instant: the API said so.
    fn close_until(&self, now_ms: u64, until_ms: u64);
    /// How many more calls there is room for now; none where nothing is counted.
    fn left(&self, now_ms: u64) -> Option<u32>;
}

/// Randomness, for jitter and for names of lineages.
pub trait Entropy: Send + Sync {
    /// A number from 0 (included) to 1 (excluded).
    fn unit(&self) -> f64;
    /// `bytes` random bytes as hex digits.
    fn hex(&self, bytes: usize) -> String;
}

/// The effects that a client works with.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Sends.
    pub transport: &'a dyn Transport,
    /// Waits.
    pub clock: &'a dyn Clock,
    /// Jitters.
    pub entropy: &'a dyn Entropy,
    /// Tells.
    pub progress: &'a dyn Progress,
    /// Set by the user's Ctrl-C: nothing new is begun.
    pub stop: &'a AtomicBool,
}

impl fmt::Debug for World<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
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
    /// The lock that a write needs is not held any more.
    #[error("the lock on the state at {place} is not held any more")]
    LockLost {
        /// Where.
        place: String,
    },
    /// The edge Worker that keeps it did not do its work.
    #[error(transparent)]
    Edge(#[from] EdgeError),
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

/// Pools of preview IDs.
///
/// Invariant, which everything else of leases rests on: the same holder gets the same lease until it
/// is over. So a lost answer and a kill are healed by asking again, and no lease is ever held
/// twice by one environment.
pub trait Pools: Send + Sync {
    /// The preview ID that the holder has; changes nothing. A pool that is not there has none.
    fn find<'a>(
        &'a self,
        pool: &'a str,
        holder: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, PoolError>>;
    /// Leases a preview ID, or gives the one that the holder has. May wait, where that was asked.
    fn lease<'a>(
        &'a self,
        pool: &'a str,
        holder: &'a str,
    ) -> BoxFuture<'a, Result<Leased, PoolError>>;
    /// Prolongs one lease; never makes one.
    fn renew<'a>(
        &'a self,
        pool: &'a str,
        lease_id: &'a str,
    ) -> BoxFuture<'a, Result<Renewal, PoolError>>;
    /// Gives one lease back; one that is over is given back already.
    fn release<'a>(
        &'a self,
        pool: &'a str,
        lease_id: &'a str,
    ) -> BoxFuture<'a, Result<(), PoolError>>;
}

/// A preview ID that is held.
#[derive(Clone, Debug)]
pub struct Leased {
    /// The preview ID.
    pub id: String,
    /// Names this grant and no other.
    pub lease_id: String,
    /// Its public attributes.
    pub attributes: BTreeMap<String, String>,
    /// Its secret attributes.
    pub secrets: BTreeMap<String, Secret>,
}

/// What came of a renewal.
#[derive(Clone, Debug)]
pub enum Renewal {
    /// It is held for longer.
    Renewed(Leased),
    /// It is over, and why: it expired, or somebody took it away.
    Over(String),
}

/// A pool that does not do what it is asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// There is no edge Worker to ask, or no token for it.
    #[error("{0}")]
    Closed(String),
    /// A name that no pool and no holder can have.
    #[error("{0}")]
    Name(String),
    /// The preview ID lacks an attribute that the spec asks for.
    #[error("{message}")]
    Lacking {
        /// What is missing.
        message: String,
        /// What to do.
        help: String,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] EdgeError),
}

impl PoolError {
    /// The call that failed, when it was one.
    pub fn call(&self) -> Option<&EdgeError> {
        match self {
            Self::Call(error) => Some(error),
            Self::Closed(_) | Self::Name(_) | Self::Lacking { .. } => None,
        }
    }

    /// True when every preview ID is taken: later there may be one.
    pub fn is_empty(&self) -> bool {
        let all = [ProblemType::PoolEmpty, ProblemType::QueueFull];
        self.call().is_some_and(|error| all.into_iter().any(|it| error.is(it)))
    }

    /// True when there is no such pool.
    pub fn is_missing(&self) -> bool {
        self.call().is_some_and(|error| error.is(ProblemType::NotFound))
    }

    /// True when the user stopped it.
    pub fn is_interrupted(&self) -> bool {
        self.call().is_some_and(|error| error.class == EdgeClass::Interrupted)
    }

    /// True when it may have had its effect.
    pub fn is_unknown(&self) -> bool {
        self.call().is_some_and(EdgeError::is_unknown)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
