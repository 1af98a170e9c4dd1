//! The built Worker in the real runtime: what only workerd can show.
//!
//! Decisions are tested natively in `envc-edge-core`; here the shell is, and that every request
//! gets an answer. Needs `WORKERD_BIN` and a build in `edge-worker/worker/build`: run it with
//! `cargo xtask test`.

#[cfg(test)]
mod health;
#[cfg(test)]
mod http;
#[cfg(test)]
mod workerd;
