//! Connections: to Cloudflare or the local cloud in its place, and to the edge Worker with its
//! pools and its registry.

pub(crate) mod connection;
pub(crate) mod edge;
pub(crate) mod pools;
pub(crate) mod registry_report;
