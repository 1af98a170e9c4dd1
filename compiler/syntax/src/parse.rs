//! Text to nodes.

use envc_core::{Diagnostic, Diagnostics, Span, limits};

use crate::{Document, codes, convert, scan};

/// Deepest blocks in a text with `/-`: the KDL parser reads a commented block twice, so nested
/// ones cost two to the power of their depth.
const SLASHDASH_DEPTH_MAX: usize = 12;
/// Most `}` that close nothing: the KDL parser recurses once for each.
const STRAY_MAX: usize = 16;

/// Parses a spec. Never fails: what could be read stands in the document, every mistake in the
/// diagnostics. With any syntax error the document is empty, so that no error follows from another.
pub fn parse(text: &str) -> (Document, Diagnostics) {
    let mut found = Diagnostics::new();
    if let Some(refusal) = refuse(text) {
        found.push(refusal);
        return (Document::default(), found);
    }
    match kdl::KdlDocument::parse_v2(text) {
        Ok(parsed) => {
            let (document, count) = convert::document(text, &parsed);
            if count > limits::SPEC_NODES_MAX {
                found.push(too_many(count));
                return (Document::default(), found);
            }
            (document, found)
        }
        Err(error) => {
            for mistake in convert::mistakes(text, &error) {
                found.push(mistake);
            }
            (Document::default(), found)
        }
    }
}

fn too_many(count: usize) -> Diagnostic {
    let max = limits::SPEC_NODES_MAX;
    Diagnostic::error(
        codes::TOO_MANY_NODES,
        Span::default(),
        format!("the spec has {count} nodes; at most {max} are read"),
    )
    .help("split the project into several specs")
}

/// What must not reach the parser.
fn refuse(text: &str) -> Option<Diagnostic> {
    let max = limits::SPEC_BYTES_MAX;
    if text.len() > max {
        return Some(
            Diagnostic::error(
                codes::TOO_LARGE,
                Span::default(),
                format!("the spec has {} bytes; at most {max} are read", text.len()),
            )
            .help("split the project into several specs"),
        );
    }
    let nesting = scan::nesting(text);
    let max = if nesting.slashdash { SLASHDASH_DEPTH_MAX } else { limits::SPEC_DEPTH_MAX };
    if nesting.depth > max {
        return Some(
            Diagnostic::error(
                codes::TOO_DEEP,
                nesting.deepest,
                format!("blocks are nested {} deep; at most {max} are read", nesting.depth),
            )
            .at("the deepest one")
            .help("the language needs four levels; look for a `}` that is missing"),
        );
    }
    let stray = nesting.first_stray.filter(|_| nesting.stray > STRAY_MAX)?;
    Some(convert::stray_brace(stray))
}
