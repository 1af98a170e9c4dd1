//! Connections: to Cloudflare or the local cloud in its place, and to the edge Worker with its
//! pools and its registry. The local cloud itself is named in [`local_cloud`] alone.

mod api_variables;
pub(crate) mod connection;
pub(crate) mod edge;
pub(crate) mod local_cloud;
pub(crate) mod pools;
pub(crate) mod registry_report;
mod tally;
