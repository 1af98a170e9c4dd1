//! The built Worker in the real runtime: what only workerd can show.
//!
//! Decisions are tested natively in `envc-edge-core`; here the shell is, and that every request
//! gets an answer. Needs `WORKERD_BIN` and a build in `edge-worker/worker/build`: run it with
//! `cargo xtask test`.

#[cfg(test)]
mod believed;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod common;
#[cfg(test)]
mod cron;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod exclusive;
#[cfg(test)]
mod health;
#[cfg(test)]
mod http;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod linear;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod pools;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod reports;
#[cfg(test)]
mod schemathesis;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod site;
#[cfg(test)]
mod states;
#[cfg(test)]
mod status;
#[cfg(test)]
mod team;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod workerd;
