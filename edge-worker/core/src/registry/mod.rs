//! Environments that were reported, and what probes found.
//!
//! [`Registry`] is kept by one object. It says what may be probed and takes in what was found;
//! probing itself is the shell's.

mod machine;
mod serve;
mod target;
#[cfg(test)]
mod tests;

pub use machine::{Probe, Probed, Registry, Snapshot};
pub use serve::serve;
pub use target::{ProbePolicy, target};
