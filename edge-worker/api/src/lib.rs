//! What travels between the edge Worker and whoever calls it: request and response types.
//!
//! Invariants: plain data with public fields; no I/O, no clock, no HTTP library, nothing of
//! `envc` itself. Types that the Worker *reads* refuse unknown fields, so that a misspelt
//! field is an error and not a silence. Types that the Worker only *writes* are read with
//! tolerance: a caller must understand the answer of a newer Worker well enough to say so.
//!
//! Entry types: [`Health`] and [`Problem`]. May be imported by `envc-edge-core`, the Worker's
//! shell, the local cloud and the command line.
#![forbid(unsafe_code)]

mod health;
mod problem;

pub use health::{Health, HealthStatus};
pub use problem::{Problem, ProblemType};
