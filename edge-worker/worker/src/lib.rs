//! The edge Worker's shell: turns real requests into the core's and its answers into real ones.
//!
//! Invariants: no decision is made here, and nothing panics: a Worker that panics in an async
//! handler leaves its caller without an answer. A request passes [`gate`], which knows its token,
//! and goes to one object, which alone decides about its pool. An object writes everything that
//! a step changed before the answer leaves, or forgets what it had in memory.
//!
//! Nobody imports this crate. Built by `cargo xtask worker`; run in the real runtime by
//! `cargo xtask test`.

mod fetch;
mod gate;
mod http;
mod lists;
mod objects;
mod probe;
mod rows;
mod settings;
mod status;
mod store;

/// The version that `/healthz` tells.
const VERSION: &str = env!("CARGO_PKG_VERSION");
