//! Where the state of an environment is kept: in files of this user, or by the edge Worker. Both are
//! a [`HeldStore`]: a state store with its lock, and words for people.

pub(crate) mod edge;
pub(crate) mod edge_lock;
pub(crate) mod local;

use std::path::Path;

use envc_exec::ports::{StateStore, StoreError};

use crate::host::error::CommandError;

/// A state store, under its lock or to read alone. Dropping it lets go of the lock.
pub(crate) trait HeldStore: StateStore {
    /// The state cannot be loaded, for people.
    fn explain(&self, error: &StoreError) -> CommandError;
    /// What may have happened to a lock that is held no more.
    fn lock_lost(&self) -> &'static str;
    /// Lets go of the lock for good: nothing is left that it guards.
    fn release(self: Box<Self>) -> Result<(), CommandError>;
}

/// The error of a state that cannot be loaded from its place.
pub(crate) fn state_error(error: &StoreError, place: &Path) -> CommandError {
    let place = place.display();
    let failed = CommandError::failed("the recorded state cannot be used; nothing was changed")
        .because_text(format!("it lies in {place}"))
        .because(error)
        .code("envc::cli::state");
    match error {
        StoreError::State(
            envc_plan::StateError::Newer { .. } | envc_plan::StateError::Unknown { .. },
        ) => failed.hint("use the envc that wrote it, or a newer one"),
        StoreError::State(envc_plan::StateError::Unwritable { .. }) => failed,
        StoreError::State(envc_plan::StateError::Damaged { .. }) => failed
            .hint("the version before it lies beside it, as `.bak`: put it back")
            .hint("or move it away: envc finds what it made by name"),
        StoreError::State(envc_plan::StateError::Foreign { .. }) => {
            failed.hint("move it to its own place, or away")
        }
        StoreError::Conflict { .. } | StoreError::LockLost { .. } | StoreError::Edge(_) => {
            failed.hint("run the command again")
        }
        StoreError::Io { .. } => failed.hint("check the disk and the permissions of that place"),
    }
}
