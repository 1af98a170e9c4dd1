//! The status of everything as a page, a badge and metrics.
//!
//! Whatever somebody reported is escaped where it is put in: [`html::Html`] has no way to take a
//! text as it stands but for texts of this crate's own.

mod badge;
mod html;
mod metrics;
mod page;
#[cfg(test)]
mod tests;

use envc_edge_api::{PoolStats, Reachability, Status, StatusCounts};

use crate::http::Response;
use crate::registry::Snapshot;

pub use badge::badge;
pub use metrics::metrics;
pub use page::page;

/// Puts a status together.
pub fn status(snapshot: Snapshot, pools: Vec<PoolStats>, at_ms: u64) -> Status {
    let Snapshot { environments, pools: _ } = snapshot;
    let health = Reachability::of(environments.iter().map(|environment| environment.health));
    let counts = StatusCounts::of(&environments);
    Status { health, counts, at_ms, environments, pools }
}

/// `GET /v1/status`
pub fn json(status: &Status) -> Response {
    Response::json(status)
}

/// A digest of what a status says, without when: another one says that something changed.
pub fn digest(status: &Status) -> String {
    let timeless = Status { at_ms: 0, ..status.clone() };
    crate::auth::TokenHash::of(&crate::store::value(&timeless)).to_hex()
}
