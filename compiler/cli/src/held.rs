//! What a command asks of a state store beside the state itself: its lock, and words for people.

use envc_exec::ports::{StateStore, StoreError};

use crate::error::CommandError;

/// A state store, under its lock or to read alone. Dropping it lets go of the lock.
pub(crate) trait HeldStore: StateStore {
    /// The state cannot be loaded, for people.
    fn explain(&self, error: &StoreError) -> CommandError;
    /// What may have happened to a lock that is held no more.
    fn lock_lost(&self) -> &'static str;
    /// Lets go of the lock for good: nothing is left that it guards.
    fn release(self: Box<Self>) -> Result<(), CommandError>;
}
