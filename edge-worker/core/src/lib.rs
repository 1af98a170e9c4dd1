//! What the edge Worker decides, without the Worker: a request goes in, a response comes out.
//!
//! Invariants: no I/O, no clock, no randomness, no Workers API: the time and unguessable values
//! are inputs, and the same inputs get the same response. Nothing here panics, because a
//! panicking Worker never answers its caller.
//!
//! Entry functions: [`route`], then [`pool::serve`], [`state::serve`] or [`Tokens::serve`]. May be imported by the
//! Worker's shell, which turns real requests into [`Request`] and [`Response`] into real
//! responses and performs [`store::Effects`], and by the local cloud.
#![forbid(unsafe_code)]

pub mod auth;
mod call;
mod entropy;
mod gate;
mod http;
pub mod pool;
pub mod registry;
mod router;
mod seal;
pub mod state;
pub mod status;
pub mod store;
mod tokens;

pub use call::{Alive, Call, Caller, Gone, Preconditions, Served};
pub use entropy::{Entropy, hex};
pub use gate::Gate;
pub use http::{Method, Request, Response};
pub use router::{
    PoolResource, Project, RegistryResource, Resource, Route, StateResource, StatusResource,
    health, openapi, route,
};
pub use seal::{SealError, SealKey};
pub use tokens::{BOOTSTRAP, Checked, TokenResource, Tokens};
