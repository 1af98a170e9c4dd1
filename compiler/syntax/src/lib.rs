//! KDL text to spanned nodes. The only crate that names `kdl`.
//!
//! Parsing cannot fail: it yields a document and the mistakes found. Pure.

#![forbid(unsafe_code)]

pub mod codes;
mod convert;
mod fast;
pub mod fmt;
mod node;
mod parse;
pub mod rule;
mod scan;

pub use fmt::{FormatError, format};
pub use node::{Document, Node, Prop, Scalar, ScalarValue};
pub use parse::parse;
