//! Text to nodes.

use envc_core::{Diagnostic, Diagnostics, Span, limits};

use crate::{Document, codes, convert, fast, scan};

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
    let read = match fast::document(text) {
        Some(read) => read,
        None => match kdl::KdlDocument::parse_v2(text) {
            Ok(parsed) => convert::document(text, &parsed),
            Err(error) => {
                for mistake in convert::mistakes(text, &error) {
                    found.push(mistake);
                }
                return (Document::default(), found);
            }
        },
    };
    let (document, count) = read;
    if count > limits::SPEC_NODES_MAX {
        found.push(too_many(count));
        return (Document::default(), found);
    }
    (document, found)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: &[&str]) {
        let (document, found) = parse(text);
        let codes: Vec<&str> = found.into_sorted().into_iter().map(|one| one.code).collect();
        assert_eq!(codes, wanted, "{:?}", text.get(..40).unwrap_or(text));
        assert!(wanted.is_empty() || document.nodes.is_empty());
    }

    #[test]
    fn limits_hold_at_their_edges() {
        let max = limits::SPEC_DEPTH_MAX;
        check(&format!("{}{}", "a { ".repeat(max), "}".repeat(max)), &[]);
        check(&format!("{}b /* */ {}", "a { ".repeat(max), "}".repeat(max)), &[]);
        check(&format!("{}{}", "a { ".repeat(max + 1), "}".repeat(max + 1)), &[codes::TOO_DEEP]);
        check(&"/*".repeat(100_000), &[codes::TOO_DEEP]);
        check(&"{".repeat(1_000_000), &[codes::TOO_DEEP]);
        check(&"}".repeat(1_000_000), &[codes::STRAY_BRACE]);
        check(&"a /-{".repeat(40), &[codes::TOO_DEEP]);
        check(&"a\u{a}".repeat(limits::SPEC_NODES_MAX), &[]);
        check(&"a\u{a}".repeat(limits::SPEC_NODES_MAX + 1), &[codes::TOO_MANY_NODES]);
        check(&" ".repeat(limits::SPEC_BYTES_MAX), &[]);
        check(&" ".repeat(limits::SPEC_BYTES_MAX + 1), &[codes::TOO_LARGE]);
    }

    #[test]
    fn all_syntax_errors_come_in_one_run() {
        check(
            "a true\u{a}b false\u{a}c \"open\u{a}d",
            &[codes::BARE_KEYWORD, codes::BARE_KEYWORD, codes::INVALID],
        );
        check("a {\u{a} b", &[codes::UNCLOSED]);
        check("a b=true", &[codes::BARE_KEYWORD]);
        check("a { b c=true }\u{a}d", &[codes::BARE_KEYWORD]);
        check("a { b c=true\u{a}d", &[codes::UNCLOSED, codes::BARE_KEYWORD]);
    }

    #[test]
    fn spans_are_bytes_of_the_text() {
        for text in ["\u{feff}a \"é\" b=1\r\n", "\u{feff}a \"é\" /* c */ b=1\r\n"] {
            let (document, found) = parse(text);
            assert!(found.is_empty());
            let node = &document.nodes[0];
            let at = |span: Span| text.get(span.start..span.end).unwrap();
            assert_eq!(at(node.name.span), "a");
            assert_eq!(at(node.args[0].span), "\"é\"");
            assert_eq!(at(node.props[0].value.span), "1");
            assert!(at(node.span).starts_with("a ") && at(node.span).ends_with("b=1"));
        }
    }
}
