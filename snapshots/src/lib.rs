//! Golden tests: every spec of `specs/` through every stage, as text that people read.
//!
//! One folder of `.snap` files for each stage: `resolved` (a type as plain KDL), `graph` (the
//! desired resources), `plan` (what a first apply would do, and in which order), `files` (what is
//! written into the working copy), `invalid` (the picture of each mistake). A changed snapshot is
//! reviewed as code. To take the new texts: `INSTA_UPDATE=always cargo test -p envc-snapshots`,
//! then `git diff`.
//!
//! Nobody imports this crate; it has no code but tests.

#[cfg(test)]
mod common;
#[cfg(test)]
mod determinism;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod files;
#[cfg(test)]
mod fragments;
#[cfg(test)]
mod graph;
#[cfg(test)]
mod invalid;
#[cfg(test)]
mod plan;
#[cfg(test)]
mod resolved;
#[cfg(test)]
mod warnings;
