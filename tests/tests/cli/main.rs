//! The command line as its users meet it: the real binary, whole transcripts where they are the
//! same on every machine.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod accounts;
mod api_errors;
mod bad_input;
mod bound;
mod checkout;
mod ci;
mod claims;
mod cloud_choice;
mod common;
mod consumers;
mod destroy;
mod destroy_plan;
mod events;
mod exit_codes;
mod files;
mod fmt;
mod folder;
mod formats;
mod hostile;
mod hosts;
mod hyperdrive;
mod identity;
mod ingress;
mod layouts;
mod leases;
mod ledger;
mod life;
#[cfg(test)]
mod limits;
mod local;
mod lossy;
mod markers;
mod migrations;
mod moods;
mod order;
mod out_dir;
mod pool;
#[cfg(target_os = "linux")]
mod questions;
mod readers;
mod refusals;
mod repositories;
mod restore;
mod runners;
mod secrets;
mod show;
mod spellings;
mod stale_ids;
mod state_dir;
#[cfg(target_os = "linux")]
mod steered;
#[cfg(target_os = "linux")]
mod trust;
mod unprotect;
mod values;
mod warnings;
mod whole_files;
mod workers;
