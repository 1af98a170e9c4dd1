//! What a command writes into the working copy and uploads: generated files, bundles, and the values
//! from outside that go into both.

pub(crate) mod bundle;
pub(crate) mod files;
pub(crate) mod generated;
pub(crate) mod local;
pub(crate) mod origins;
pub(crate) mod out_dir;
pub(crate) mod outside;
pub(crate) mod own;
pub(crate) mod readers;
pub(crate) mod sources;
