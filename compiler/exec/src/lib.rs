//! Runs a checked plan over ports: transport, clock, entropy, state store, pools. Owns no runtime
//! and knows no kind by name; only [`run`] changes anything.
//!
//! Invariants kept here: intents are durable before the first mutating call (`run/journal`); no create
//! happens twice (`run/operation`); the lock is looked at before anything is begun (`run/runner`);
//! nonsense from the API never looks like an empty account (`list`).

#![forbid(unsafe_code)]

mod account;
mod client;
pub mod edge;
mod leases;
mod list;
mod live;
mod observe;
pub mod ports;
mod progress;
mod rate;
mod retry;
mod run;

pub use account::{Account, AccountError, find_account, find_zones};
pub use client::{CallClass, CallError, Client, Endpoint};
pub use leases::{LeaseAnswers, LeaseQuestion, ask_leases, grant_of, lacking};
pub use live::{ByOthers, observe_live};
pub use observe::{Look, fetch_token, observe};
pub use ports::World;
pub use progress::{Event, Progress, Silent};
pub use rate::{Alone, Budget, Counts, Unlimited};
pub use run::{
    Failure, Leasing, Report, Run, RunError, bookmark, help_for_call, mark, read_ledger, restore,
    run,
};
