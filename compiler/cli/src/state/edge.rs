//! The state of one environment, kept by the edge Worker: several machines share it.
//!
//! Invariants: a write names what it replaces and the lock that it is made under, so that nothing
//! of anybody else is ever overwritten; a write whose answer was lost is looked at before it counts
//! as done or as failed.

use envc_edge_api::{ProblemType, StateWritten};
use envc_exec::{
    edge::{EdgeCall, EdgeClient, EdgeError},
    ports::{StateStore, StoreError, Version},
};
use envc_plan::{State, StateError, StateKey};
use futures::future::BoxFuture;

use crate::{
    host::error::CommandError,
    remote::edge::EdgeConnection,
    state::{
        HeldStore,
        edge_lock::{EdgeLock, below},
    },
};

/// A state at the edge.
#[derive(Debug)]
pub(crate) struct EdgeStore<'a> {
    key: StateKey,
    path: Vec<String>,
    edge: &'a EdgeConnection,
    /// Does not end with Ctrl-C: what was begun is recorded.
    client: EdgeClient<'a>,
    lock: Option<EdgeLock>,
}

/// Where a state lies: `v1`, `state`, cloud, account, project, environment.
pub(crate) fn path_of(key: &StateKey) -> Vec<String> {
    ["v1", "state", &key.cloud, &key.account, &key.project, &key.env].map(str::to_owned).into()
}

impl<'a> EdgeStore<'a> {
    /// To read and to write while the lock is held; without one to read alone.
    pub(crate) fn new(
        key: StateKey,
        edge: &'a EdgeConnection,
        client: EdgeClient<'a>,
        lock: Option<EdgeLock>,
    ) -> Self {
        Self { path: path_of(&key), key, edge, client, lock }
    }

    fn conflict(&self) -> StoreError {
        StoreError::Conflict { place: self.place() }
    }

    fn lost(&self) -> StoreError {
        StoreError::LockLost { place: self.place() }
    }

    /// The state, with its version.
    async fn read(&self) -> Result<Option<(State, Version)>, StoreError> {
        let answer = match self.client.call(&EdgeCall::get(&below(&self.path, &[]))).await {
            Ok(answer) => answer,
            Err(error) if error.is(ProblemType::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let Some(etag) = answer.etag.clone() else {
            return Err(answer.unexpected("the answer has no entity tag").into());
        };
        Ok(Some((State::parse(&answer.body, &self.key)?, Version(etag))))
    }

    /// A write of what replaces `expected`; without the lock none is made.
    fn writing(&self, call: EdgeCall, expected: Option<&Version>) -> Result<EdgeCall, StoreError> {
        let Some(lock) = self.lock.as_ref().filter(|lock| lock.is_held()) else {
            return Err(self.lost());
        };
        let (name, fence) = lock.fence();
        let call = call.header(name, fence);
        Ok(match expected {
            Some(version) => call.header("if-match", version.0.as_str()),
            None => call.header("if-none-match", "*"),
        })
    }

    /// What a refused write means: the lock is over, or somebody else wrote, or nobody knows.
    fn refused(&self, error: EdgeError) -> Refused {
        if error.is(ProblemType::FenceStale) || error.is(ProblemType::LockGone) {
            if let Some(lock) = &self.lock {
                lock.note_over();
            }
            return Refused::Failed(self.lost());
        }
        // Refused, as a repeated write is whose first answer was lost; or no answer at all.
        if error.is(ProblemType::PreconditionFailed) || error.is_unknown() {
            return Refused::Look(error);
        }
        Refused::Failed(error.into())
    }

    async fn write(
        &self,
        state: &State,
        expected: Option<&Version>,
    ) -> Result<Version, StoreError> {
        let call = EdgeCall::put(&below(&self.path, &[])).bytes(state.to_bytes()?);
        let call = self.writing(call, expected)?;
        let written = self.client.call(&call).await.and_then(|answer| answer.read());
        let error = match written {
            Ok(StateWritten { etag, .. }) => return Ok(Version(etag)),
            Err(error) => match self.refused(error) {
                Refused::Failed(error) => return Err(error),
                Refused::Look(error) => error,
            },
        };
        match self.read().await? {
            // Lineage and serial stand in it, and this holder alone writes under its lock.
            Some((stored, version)) if stored == *state => Ok(version),
            stored if stored.as_ref().map(|(_, version)| version) == expected => Err(error.into()),
            _ => Err(self.conflict()),
        }
    }

    async fn delete(&self, expected: &Version) -> Result<(), StoreError> {
        let call = EdgeCall::delete(&below(&self.path, &[]));
        let call = self.writing(call, Some(expected))?;
        let error = match self.client.call(&call).await {
            Ok(_) => return Ok(()),
            Err(error) => match self.refused(error) {
                Refused::Failed(error) => return Err(error),
                Refused::Look(error) => error,
            },
        };
        match self.read().await? {
            None => Ok(()),
            Some((_, version)) if version == *expected => Err(error.into()),
            Some(_) => Err(self.conflict()),
        }
    }
}

enum Refused {
    Failed(StoreError),
    Look(EdgeError),
}

impl StateStore for EdgeStore<'_> {
    fn place(&self) -> String {
        format!("{}/{}", self.edge.base_url(), self.path.join("/"))
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<(State, Version)>, StoreError>> {
        Box::pin(self.read())
    }

    fn save<'s>(
        &'s self,
        state: &'s State,
        expected: Option<&'s Version>,
    ) -> BoxFuture<'s, Result<Version, StoreError>> {
        Box::pin(self.write(state, expected))
    }

    fn remove<'s>(&'s self, expected: &'s Version) -> BoxFuture<'s, Result<(), StoreError>> {
        Box::pin(self.delete(expected))
    }

    fn lock_held(&self) -> bool {
        self.lock.as_ref().is_some_and(EdgeLock::is_held)
    }
}

impl HeldStore for EdgeStore<'_> {
    fn explain(&self, error: &StoreError) -> CommandError {
        let what = "the shared state cannot be used; nothing was changed";
        if let StoreError::Edge(error) = error {
            return self.edge.explain(what, error);
        }
        let failed = CommandError::failed(what)
            .because_text(format!("it lies at {}", self.place()))
            .because(error)
            .code("envc::cli::state");
        match error {
            StoreError::State(StateError::Newer { .. } | StateError::Unknown { .. }) => {
                failed.hint("use the envc that wrote it, or a newer one")
            }
            StoreError::State(StateError::Damaged { .. } | StateError::Foreign { .. }) => failed
                .hint("the edge keeps the last 50 versions: GET …/versions of that address")
                .hint("or remove it there: envc finds what it made by name"),
            _ => failed.hint("run the command again"),
        }
    }

    fn lock_lost(&self) -> &'static str {
        "it ran out without a heartbeat, or somebody broke it"
    }

    fn release(self: Box<Self>) -> Result<(), CommandError> {
        drop(self);
        Ok(())
    }
}
