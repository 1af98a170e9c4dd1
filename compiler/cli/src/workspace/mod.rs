//! What a command works on, before anything is asked of a cloud: the spec's file, the working copy
//! and its record, the type, the ID and the cloud that were chosen.

pub(crate) mod choice;
pub(crate) mod dirs;
pub(crate) mod identity;
pub(crate) mod migrations;
pub(crate) mod project;
pub(crate) mod registry;
pub(crate) mod repository;
pub(crate) mod session;
pub(crate) mod tools;
pub(crate) mod who;
pub(crate) mod whose;
