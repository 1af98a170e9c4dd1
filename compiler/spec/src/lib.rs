//! Typed spec, merging, references: one environment resolved. Pure.

#![forbid(unsafe_code)]

mod environment;

pub use environment::{
    Binding, Consumer, Deploy, DoMigration, Dotenv, DurableObject, Endpoint, Environment, FileSpec,
    Identity, Instance, Later, MigrateMode, MigrationDir, PortRange, Requirement, SecretProvider,
    StateStoreKind, TypeHead, When, Worker,
};
