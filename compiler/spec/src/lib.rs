//! Typed spec, merging, references: one environment resolved. Pure.
//!
//! `load` reads a text; `Spec::environment` resolves one instance of one type. No I/O, no clock,
//! no randomness: the same inputs give the same bytes. No kind of resource is named here but in
//! the grammar of bindings and `existing`; how a node becomes resources is the kinds' business.

#![forbid(unsafe_code)]

mod across;
mod alike;
mod assemble;
mod beyond;
mod branch;
mod check;
pub mod codes;
mod collisions;
mod environment;
mod existing;
mod grammar;
mod heads;
mod interpolate;
pub mod language;
pub mod lint;
mod meet;
mod merge;
mod name_parts;
mod names;
mod places;
mod print;
mod refs;
mod resolver;
mod settings;
mod spec;
mod suggest;
mod taint;
mod worker_cycle;

pub use branch::{branch_id, identity_from_branch};
pub use environment::{
    Dotenv, DotenvReader, Edge, EdgePool, Endpoint, Environment, FileSpec, Identity, Instance,
    LOCAL_STATE_DEFAULT, Lease, LeaseAttribute, MigrateMode, MigrationDir, PortRange, Requirement,
    SecretProvider, SpecPath, StateStoreKind, TypeHead, Unsupported, When,
};
pub use settings::{ANY_CASE_FORGES, takes_identity};
pub use spec::{Spec, load};
pub use suggest::nearest;
