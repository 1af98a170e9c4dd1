//! KDL text to spanned nodes. The only crate that names `kdl`, as the second witness of its
//! tests and of what the formatter writes.
//!
//! Parsing cannot fail: it yields a document and the mistakes found. Pure.

#![forbid(unsafe_code)]

pub mod codes;
pub mod fmt;
mod node;
mod parse;
mod read;
pub mod rule;
mod witness;

pub use fmt::{FormatError, format};
pub use node::{Document, Node, Prop, Scalar, ScalarValue};
pub use parse::parse;
