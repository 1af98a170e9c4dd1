//! Diagnostics for people and programs: a spec is looked at ([`look`]), what was found is shown as
//! pictures, lines, places or annotations ([`render`]), and a code is explained ([`explain`]).
//!
//! Reads no file and writes to no terminal: the project's files come through [`look::Project`], and
//! every result is a text or plain data. So the command line, the golden tests and an editor show
//! the same.

#![forbid(unsafe_code)]

pub mod explain;
pub mod look;
pub mod render;
