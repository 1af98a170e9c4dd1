//! A hostile clone, and its user who runs every command in it: what becomes of their files, their secrets
//! and their processes is seen from below.
//!
//! - `world`: a home with bait in it, the clone, an account; every command between two pictures of all
//!   that is there.
//! - `seen`: the programs that a command started and the hosts that it connected to, by its system calls.
//! - `picture`: a tree of files, down to modes and times.
//! - `everything`: all at once, in a clone that compiles.
//! - `attacks`: each by itself, for what is refused.
//! - `pipes`: pipes in place of files.
//! - `approved`: what is let through once its user said so, and no more.
#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod approved;
mod attacks;
mod everything;
mod picture;
mod pipes;
mod seen;
mod world;
