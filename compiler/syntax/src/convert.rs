//! The KDL crate's tree and errors, turned into ours.

use envc_core::{Diagnostic, Span, Spanned};
use kdl::{KdlDiagnostic, KdlDocument, KdlEntry, KdlError, KdlIdentifier, KdlNode, KdlValue};

use crate::{Document, Node, Prop, Scalar, ScalarValue, codes, scan};

/// What the parser says of whatever it cannot take for a node.
const END_EXPECTED: &str = "Expected end of document";

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

/// The errors of a text, one for each place.
pub(crate) fn mistakes(text: &str, error: &KdlError) -> Vec<Diagnostic> {
    let mut out: Vec<Diagnostic> = Vec::new();
    for found in &error.diagnostics {
        if found.message.as_deref() == Some("Closing '}' was not found after nodes") {
            continue;
        }
        let next = mistake(text, found);
        let known = out.iter().any(|other| other.span().start == next.span().start);
        if !known {
            out.push(next);
        }
    }
    drop_echoes(text, &mut out);
    if out.is_empty() {
        out.push(Diagnostic::error(codes::INVALID, Span::default(), "the text is not KDL 2"));
    }
    out
}

/// After a mistake inside a block the parser also misses the block's end, which is there.
fn drop_echoes(text: &str, mistakes: &mut Vec<Diagnostic>) {
    let braces = scan::nesting(text);
    let is_echo = |one: &Diagnostic| match one.code {
        codes::UNCLOSED => braces.open == 0,
        codes::STRAY_BRACE => braces.stray == 0,
        _ => one.message == lower_first(END_EXPECTED),
    };
    if mistakes.iter().any(|one| !is_echo(one)) {
        mistakes.retain(|one| !is_echo(one));
    }
}

fn mistake(text: &str, found: &KdlDiagnostic) -> Diagnostic {
    let start = found.span.offset().min(text.len());
    let end = (start + found.span.len()).min(text.len());
    let written = text.get(start..end).unwrap_or_default();
    let span = Span::new(start, start + written.trim_end().len().max(usize::from(end > start)));
    let word = written.trim().rsplit('=').next().unwrap_or_default();
    if matches!(word, "true" | "false" | "null") {
        let from = start + written.trim_end().len() - word.len();
        return Diagnostic::error(
            codes::BARE_KEYWORD,
            Span::new(from, from + word.len()),
            format!("`{word}` needs a number sign in KDL 2"),
        )
        .help(format!("write `#{word}` for the value, or \"{word}\" in quotes for the text"))
        .fix(Span::new(from, from), "#");
    }
    let message = found.message.as_deref().unwrap_or("the text is not KDL 2 here");
    match message {
        "No closing '}' for child block" => {
            Diagnostic::error(codes::UNCLOSED, span, "this block is never closed")
                .at("opened here")
                .help("add a `}` where the block ends")
        }
        END_EXPECTED if written.starts_with('}') => stray_brace(span),
        "Unexpected newline in single-line quoted string" => {
            Diagnostic::error(codes::INVALID, span, "this text has no closing quote")
                .at("opened here")
                .help(
                    "add a `\"` where the text ends; several lines stand between \"\"\" and \"\"\"",
                )
        }
        _ => {
            let mut out = Diagnostic::error(codes::INVALID, span, lower_first(message));
            if let Some(label) = &found.label {
                out = out.at(label.clone());
            }
            out.help(found.help.clone().unwrap_or_else(|| {
                "write `name \"text\" property=\"value\"`; quote text that has spaces or any of \\ / ( ) { } [ ] ; \" # =".into()
            }))
        }
    }
}

/// A `}` too many.
pub(crate) fn stray_brace(span: Span) -> Diagnostic {
    Diagnostic::error(codes::STRAY_BRACE, span, "this `}` closes nothing")
        .help("remove it, or add the `{` that it should close")
        .fix(span, "")
}

fn lower_first(message: &str) -> String {
    let mut chars = message.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}
