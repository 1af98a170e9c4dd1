//! Where the state of an environment is kept: in files of this user, or by the edge Worker. Both are
//! a [`HeldStore`]: a state store with its lock, and words for people.

mod edge;
mod edge_lock;
pub(crate) mod local;

use std::path::Path;

use envc_exec::ports::{StateStore, StoreError};
use envc_plan::StateKey;

use crate::{
    host::{
        error::CommandError,
        file_lock::{Holder, Lock},
        interrupt::{Interrupt, interrupted},
    },
    remote::edge::EdgeConnection,
    shell::reporter::Reporter,
    state::{
        edge::EdgeStore,
        edge_lock::{EdgeLock, LockTerms, NEVER},
        local::LocalStore,
    },
    workspace::session::Session,
};

/// What a command does with the state.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hold {
    /// Reads it, waits for nobody and holds nobody up.
    Read,
    /// Changes it, under its lock.
    Lock {
        /// What others who wait are told: "envc apply".
        purpose: &'static str,
        /// While another holds the lock: wait, or fail.
        wait: bool,
    },
}

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

/// Opens the state's store where the session keeps it. `edge` is the edge Worker, where the session
/// shares its state.
pub(crate) async fn open<'a>(
    session: &'a Session<'_>,
    edge: Option<&'a EdgeConnection>,
    reporter: &'a Reporter<'_>,
    key: StateKey,
    stop: &Interrupt,
    hold: Hold,
) -> Result<Box<dyn HeldStore + 'a>, CommandError> {
    match edge.filter(|_| session.shares_state()) {
        Some(edge) => shared(session, edge, reporter, key, stop, hold).await,
        None => local(session, key, stop, hold).await,
    }
}

/// The state in the user's state directory.
async fn local<'a>(
    session: &Session<'_>,
    key: StateKey,
    stop: &Interrupt,
    hold: Hold,
) -> Result<Box<dyn HeldStore + 'a>, CommandError> {
    Ok(Box::new(match hold {
        Hold::Read => LocalStore::read_only(&session.workspace.state_dir, key),
        Hold::Lock { purpose, wait } => {
            let lock = lock(session, &key, stop, purpose, wait).await?;
            LocalStore::locked(&session.workspace.state_dir, key, lock)
        }
    }))
}

/// The state at the edge.
async fn shared<'a>(
    session: &'a Session<'_>,
    edge: &'a EdgeConnection,
    reporter: &'a Reporter<'_>,
    key: StateKey,
    stop: &Interrupt,
    hold: Hold,
) -> Result<Box<dyn HeldStore + 'a>, CommandError> {
    let lock = match hold {
        Hold::Read => None,
        Hold::Lock { purpose, wait } => {
            let client = edge.client(&session.workspace, reporter, stop.flag());
            let wanted = LockTerms { path: &edge::path_of(&key), purpose, wait };
            Some(EdgeLock::acquire(session, edge, &client, stop, &wanted).await?)
        }
    };
    let client = edge.client(&session.workspace, reporter, &NEVER);
    Ok(Box::new(EdgeStore::new(key, edge, client, lock)))
}

/// Takes the lock of an environment on this machine; waits, and says for whom.
async fn lock(
    session: &Session<'_>,
    key: &StateKey,
    stop: &Interrupt,
    purpose: &str,
    wait: bool,
) -> Result<Lock, CommandError> {
    let path = LocalStore::lock_path(&session.workspace.state_dir, key)?;
    let me = Holder::me(purpose, session.workspace.clock.unix_s());
    let (ui, id) = (session.ui, &session.target.id);
    let mut tell = |other: &Holder| {
        ui.say(&format!("waiting for {other}, which works on `{id}`"));
    };
    tokio::select! {
        lock = Lock::acquire(&path, &me, wait, &session.workspace.clock, &mut tell) => lock,
        () = stop.asked() => Err(interrupted()),
    }
}
