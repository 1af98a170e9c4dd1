//! Shared state: documents of one project, each with versions and a lock.
//!
//! [`States`] is kept by one object for each project. It knows versions and locks, not contents:
//! those are blobs, which it tells to write and to drop, and reads when one is asked for.
//!
//! A write carries what it replaces (`If-Match`, `If-None-Match`) and the fencing number of the
//! newest lock. A lock that ran out still lets its holder write until somebody else takes it:
//! a late heartbeat must not lose the record of what was done, and whoever takes the lock gets a
//! higher number, which shuts the old one out.

mod machine;
mod serve;
#[cfg(test)]
mod tests;

pub use machine::States;
pub use serve::{Blobs, serve};
