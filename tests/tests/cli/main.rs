//! The command line as its users meet it: the real binary, whole transcripts where they are the
//! same on every machine.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod api_errors;
mod bad_input;
mod cloud_choice;
mod common;
mod exit_codes;
mod files;
mod fmt;
mod hostile;
mod identity;
mod leases;
mod life;
mod migrations;
mod order;
mod pool;
mod secrets;
mod show;
mod warnings;
mod workers;
