//! Workers: the node, what it says, and the resources that one which envc deploys comes to.
//!
//! `read` turns the node into a [`Worker`], for `wrangler.jsonc` and for uploads; `lower` turns the
//! Worker into desired resources: its `script`, and the `crons`, routes, domains and consumers
//! that stand before it.

mod bindings;
mod check;
mod classes;
pub mod cron;
mod crons;
mod deploy;
mod domain;
mod grammar;
mod lower;
mod model;
mod objects;
mod paths;
mod read;
mod refers;
mod refused;
mod route;
mod script;
mod upload;
mod versions;

pub use bindings::{durable_object, plain_text};
pub(crate) use crons::WorkerCrons;
pub use deploy::Deploy;
pub(crate) use domain::WorkerDomain;
pub use model::{Binding, Consumer, DoMigration, DurableObject, MARKER_VARIABLE, Worker};
pub(crate) use route::WorkerRoute;
pub(crate) use script::WorkerScript;
pub use upload::{
    Module, Upload, WORKER_BYTES_MAX, WORKER_GZIP_BYTES_MAX, WORKER_MODULES_MAX, size_text,
};

use crate::{Attr, Mutability, Normal};

/// The attributes of what only leads to a script: a route, a domain.
static SCRIPT_ALONE: &[Attr] = &[Attr {
    name: "script",
    mutability: Mutability::InPlace,
    samples: &["\"shop-a\"", "\"shop-b\""],
    normal: Normal::One("names of scripts have small letters only"),
}];
