//! One file per kind of Cloudflare resource: its grammar, how its node becomes desired resources,
//! its attributes, and the API messages to observe, create, change and delete it.
//!
//! Sans I/O: a kind builds and reads messages, it never sends. Pure. Only `registry` lists kinds.

#![forbid(unsafe_code)]

pub mod account;
mod api;
mod connection_url;
pub mod cron;
mod d1;
mod dns;
mod dns_rules;
mod form;
mod hyperdrive;
mod hyperdrive_grammar;
mod kind;
mod kv;
mod lower;
mod normal;
mod parts;
mod queue;
mod queue_consumer;
mod r2;
mod registry;
mod skip;
mod sql;
mod tunnel;
mod tunnel_config;
mod tunnel_service;
mod upload;
mod worker;
pub mod worker_bindings;
mod worker_crons;
mod worker_domain;
mod worker_objects;
mod worker_route;

pub use api::{Answer, ApiFailure, ApiMessage, Call, PageInfo, read_answer, url_segment};
pub use d1::D1;
pub use dns::Dns;
pub use form::FormPart;
pub use hyperdrive::Hyperdrive;
pub use kind::{
    Attr, BatchItem, Database, Fields, Held, Kind, Listing, Meaning, Mutability, Objection,
    Observed, Paging, Place, SqlMistake, Wanted, classify, general,
};
pub use kv::{CLAIM_TITLE, Kv};
pub use lower::Lower;
pub use normal::{Form, Normal, Spelling, Writer, form, same, same_name};
pub use parts::{MARKER, NameProblem, NameRule, SCRIPT_NAME, is_marked};
pub use queue::Queue;
pub use queue_consumer::QueueConsumer;
pub use r2::R2;
pub use registry::{kind, registry};
pub use tunnel::Tunnel;
pub use tunnel_config::TunnelConfig;
pub use upload::{Module, Upload, size_text};
pub use worker::Worker;
pub use worker_crons::WorkerCrons;
pub use worker_domain::WorkerDomain;
pub use worker_route::WorkerRoute;
