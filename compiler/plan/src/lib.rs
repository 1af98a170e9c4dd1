//! Desired graph, diff, plan, its checker, state and files to write. Pure.

#![forbid(unsafe_code)]

mod state;

pub use state::{
    AppliedMigration, Intent, IntentAction, Recorded, STATE_SCHEMA, State, StateError, StateKey,
};
