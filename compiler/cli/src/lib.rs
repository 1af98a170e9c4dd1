//! The command line: adapters to the world and the commands on top of them.
//!
//! The compiler and the executor are pure or see the world through ports; this crate is the world.
//! Its rooms import each other in one direction only:
//!
//! ```text
//! host <- shell, secrets <- workspace <- remote <- state, outputs <- operate <- commands
//! ```
//!
//! Variables are read in `host::env` alone, files are written through `host::fsio` alone, results go
//! to standard output and talk to standard error through `shell::ui` alone. Nobody imports this crate
//! but its own binary, and the fuzzer, which takes [`documents`] alone.

#![forbid(unsafe_code)]

mod command_line;
mod commands;
pub mod documents;
mod host;
mod operate;
mod outputs;
mod remote;
mod secrets;
mod shell;
mod state;
mod workspace;

pub use command_line::run;
pub use host::{
    env::{ProcessEnv, names::DOCUMENTED as VARIABLES},
    exit_code::ExitCode,
};
