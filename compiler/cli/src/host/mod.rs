//! The machine: environment variables, files, the clock, git, HTTP, locks, signals, the terminal. Every effect of
//! the command on it passes one of these, and what went wrong becomes a [`error::CommandError`].
//!
//! Knows nothing of the product: no other room is imported here.

pub(crate) mod child;
pub(crate) mod clock;
pub(crate) mod env;
pub(crate) mod error;
pub(crate) mod exit_code;
pub(crate) mod file_lock;
pub(crate) mod file_name;
pub(crate) mod fsio;
pub(crate) mod git;
pub(crate) mod http;
pub(crate) mod interrupt;
pub(crate) mod owner;
pub(crate) mod ports;
pub(crate) mod programs;
pub(crate) mod spot;
pub(crate) mod terminal;
