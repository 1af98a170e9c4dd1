//! The edge Worker, as a client sees it: leases, reports, shared state.
//!
//! It has a rate budget of its own, apart from Cloudflare's, and never shows its token.

mod call;
mod client;
pub(crate) mod error;
mod pools;
#[cfg(test)]
mod tests;

pub use call::{EdgeAnswer, EdgeCall};
pub use client::{EdgeClient, EdgeEndpoint, Patience};
pub use error::{EdgeClass, EdgeError, EdgeProblem};
pub use pools::EdgePools;
