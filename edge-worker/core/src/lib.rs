//! What the edge Worker decides, without the Worker: a request goes in, a response comes out.
//!
//! Invariants: no I/O, no clock, no randomness, no Workers API; the same request gets the same
//! response. Nothing here panics, because a panicking Worker never answers its caller.
//!
//! Entry function: [`handle`]. May be imported by the Worker's shell, which turns real requests
//! into [`Request`] and [`Response`] into real responses, and by the local cloud.
#![forbid(unsafe_code)]

mod http;
mod router;

pub use http::{Method, Request, Response};
pub use router::handle;
