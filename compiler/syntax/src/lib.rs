//! KDL text to spanned nodes. The only crate that names `kdl`.
//!
//! Parsing cannot fail: it yields a document and the mistakes found. Pure.

#![forbid(unsafe_code)]

mod node;
mod parse;
pub mod rule;

pub use node::{Document, Node, Prop, Scalar, ScalarValue};
pub use parse::parse;
