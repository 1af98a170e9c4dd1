//! Runs a checked plan over ports: transport, clock, entropy, state store. Owns no runtime and
//! knows no kind by name; only [`run`] changes anything.
//!
//! Invariants kept here: intents are durable before the first mutating call (`journal`); no create
//! happens twice (`deed`); the lock is looked at before anything is begun (`runner`); nonsense
//! from the API never looks like an empty account (`client`).

#![forbid(unsafe_code)]

mod client;
mod deed;
pub mod edge;
mod journal;
mod leases;
mod migrate;
mod observe;
pub mod ports;
mod progress;
mod rate;
mod retry;
mod runner;
mod scope;

pub use client::{CallClass, CallError, Client, Endpoint, World};
pub use deed::fetch_token;
pub use leases::{LeaseAnswers, LeaseQuestion, ask_leases, grant_of, lacking};
pub use migrate::read_ledger;
pub use observe::observe;
pub use progress::{Event, Progress, Silent, Subject};
pub use rate::Budget;
pub use runner::{Failure, Leasing, Report, Run, RunError, help_for_call, run};
pub use scope::{Scope, ScopeError, find_account, find_zones};
