//! Runs a checked plan: the only thing that changes an account.
//!
//! `runner` has the graph and the loop, `context` what steps share, `journal` what is recorded, and
//! each sort of step a file: `operation`, `batch`, `migrate`, `lease`.

mod batch;
mod context;
mod error;
mod journal;
mod lease;
mod migrate;
mod operation;
mod runner;

pub use context::{Leasing, Run};
pub use error::{Failure, help_for_call};
pub use migrate::{bookmark, mark, read_ledger, restore};
pub use runner::{Report, RunError, run};
