//! One file per kind of Cloudflare resource: its grammar, how its node becomes desired resources,
//! its attributes, and the API messages to observe, create, change and delete it.
//!
//! Sans I/O: a kind builds and reads messages, it never sends. Pure. Only `registry` lists kinds.

#![forbid(unsafe_code)]

mod lower;

pub use lower::Lower;
