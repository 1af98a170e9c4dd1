//! The KDL crate as a second witness: what both readers accept is the same, and so is its tree.
//!
//! The tests hold the reader to it, and so does the formatter with every text that it writes: what
//! two readers that share nothing take for the same is the same.

use envc_core::{Span, Spanned};
use kdl::{KdlDocument, KdlEntry, KdlIdentifier, KdlNode, KdlValue};

use crate::{Document, Node, Prop, Scalar, ScalarValue};

/// Bytes that the witness reads: it reads about a million of them in a second.
const BYTES_MAX: usize = 256 * 1024;
/// A commented block is read twice by it: nested ones cost two to the power of their depth.
const SLASHDASH_MAX: usize = 8;
/// It recurses once for each block comment and each star in one.
const STARS_MAX: usize = 256;

/// Reads a text; `None` where the witness refuses it, or could not read it in bounded time and
/// stack.
pub(crate) fn read(text: &str) -> Option<Document> {
    let is_safe = text.len() <= BYTES_MAX
        && text.matches("/-").count() <= SLASHDASH_MAX
        && text.matches('*').count() <= STARS_MAX;
    if !is_safe {
        return None;
    }
    let parsed = KdlDocument::parse_v2(text).ok()?;
    Some(document(text, &parsed).0)
}

/// Converts a parsed document; says how many nodes it holds.
pub(crate) fn document(text: &str, parsed: &KdlDocument) -> (Document, usize) {
    let mut count = 0;
    let nodes = parsed.nodes().iter().map(|inner| node(text, inner, &mut count)).collect();
    (Document { nodes }, count)
}

fn node(text: &str, parsed: &KdlNode, count: &mut usize) -> Node {
    *count += 1;
    let mut args = Vec::new();
    let mut props = Vec::new();
    for entry in parsed.entries() {
        match entry.name() {
            Some(name) => {
                let value = scalar(entry, Some(name));
                props.push(Prop { name: identifier(name), value });
            }
            None => args.push(scalar(entry, None)),
        }
    }
    let children = parsed
        .children()
        .map(|block| block.nodes().iter().map(|inner| node(text, inner, count)).collect())
        .unwrap_or_default();
    let start = parsed.span().offset();
    let whole = text.get(start..start + parsed.span().len()).unwrap_or_default();
    let span = Span::new(start, start + whole.trim_end().len());
    Node { name: identifier(parsed.name()), args, props, children, span, origin: None }
}

fn identifier(name: &KdlIdentifier) -> Spanned<String> {
    let start = name.span().offset();
    Spanned::new(name.value().to_owned(), Span::new(start, start + name.span().len()))
}

fn scalar(entry: &KdlEntry, name: Option<&KdlIdentifier>) -> Scalar {
    let format = entry.format();
    let repr = format.map(|format| format.value_repr.as_str()).unwrap_or_default();
    let whole = Span::new(entry.span().offset(), entry.span().offset() + entry.span().len());
    let start = match (name, entry.ty(), format) {
        (Some(name), _, Some(format)) => {
            name.span().offset()
                + name.span().len()
                + format.after_key.len()
                + 1
                + format.after_eq.len()
        }
        _ => whole.start,
    };
    let tag = entry.ty().map(identifier);
    let value = match entry.value() {
        KdlValue::String(text) => ScalarValue::Text {
            text: text.clone(),
            raw: repr.starts_with('#'),
            bare: !repr.starts_with(['#', '"']),
        },
        KdlValue::Integer(number) => ScalarValue::Int(*number),
        KdlValue::Float(number) => ScalarValue::Float(*number),
        KdlValue::Bool(flag) => ScalarValue::Bool(*flag),
        KdlValue::Null => ScalarValue::Null,
    };
    Scalar { tag, value, span: Span::new(start, whole.end) }
}
