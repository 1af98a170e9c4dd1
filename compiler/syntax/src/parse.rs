//! Text to nodes.

use envc_core::Diagnostics;

use crate::Document;

/// Parses a spec.
pub fn parse(_text: &str) -> (Document, Diagnostics) {
    (Document::default(), Diagnostics::new())
}
