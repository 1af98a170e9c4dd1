//! One file or folder per kind of Cloudflare resource: its grammar, how its node becomes desired resources,
//! its attributes, and the API messages to observe, create, change and delete it.
//!
//! Sans I/O: a kind builds and reads messages, it never sends. Pure. Only `registry` lists kinds.

#![forbid(unsafe_code)]

pub mod account;
mod api;
mod attr;
mod bindable;
mod d1;
mod database;
mod dns;
mod errors;
mod facts;
mod form;
mod hyperdrive;
mod kind;
mod kv;
mod lower;
mod node_facts;
mod normal;
mod parts;
mod punycode;
mod queue;
mod r2;
mod registry;
mod resource;
mod skip;
mod tunnel;
mod vectorize;
mod worker;

pub use api::{
    Answer, ApiFailure, ApiMessage, Call, PageInfo, RetryAfter, read_answer, unsafe_segment,
    url_segment,
};
pub use attr::{Attr, Mutability};
pub use bindable::{Bindable, Entry, bindables, to_resource};
pub use database::{
    Database, Import, Imported, LedgerTable, LocalCopy, SeedMark, SqlMistake, TimeTravel,
};
pub use dns::DNS_COMMENT_CHARS_MAX;
pub use errors::{Codes, Errors, Meaning, classify, cure, general, is_no_path, may_pass};
pub use facts::{
    Batch, Circle, Contents, Facts, Hosts, MarkerOf, Objection, OfParent, Review, Versions, Whole,
};
pub use form::FormPart;
pub use kind::{Declared, Kind};
pub use kv::CLAIM_TITLE;
pub use lower::Lower;
pub use node_facts::NodeFacts;
pub use normal::{Form, Normal, Spelling, Writer, form, same, same_name};
pub use parts::{MARKER, NameProblem, NameRule, is_marked};
pub use punycode::host_in_ascii;
pub use registry::{declared, kind, registry};
pub use resource::{BatchItem, Fields, Held, Listing, Observed, Paging, Place, Wanted};
pub use worker::{
    Binding, Consumer, Deploy, DoMigration, DurableObject, MARKER_VARIABLE, Module, Upload,
    WORKER_BYTES_MAX, WORKER_GZIP_BYTES_MAX, WORKER_MODULES_MAX, Worker, cron, durable_object,
    plain_text, size_text,
};
