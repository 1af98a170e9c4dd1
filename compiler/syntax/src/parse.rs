//! Text to nodes.

use envc_core::{Diagnostic, Diagnostics, Span, limits};

use crate::{Document, codes, read};

/// Parses a spec. Never fails: what could be read stands in the document, every mistake in the
/// diagnostics. With any syntax error the document is empty, so that no error follows from another.
pub fn parse(text: &str) -> (Document, Diagnostics) {
    if text.len() > limits::SPEC_BYTES_MAX {
        let mut found = Diagnostics::new();
        found.push(too_large(text.len()));
        return (Document::default(), found);
    }
    read::document(text)
}

fn too_large(bytes: usize) -> Diagnostic {
    let max = limits::SPEC_BYTES_MAX;
    let message = format!("the spec has {bytes} bytes; at most {max} are read");
    Diagnostic::error(codes::TOO_LARGE, Span::default(), message)
        .help("split the project into several specs")
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
        check(&"/*".repeat(100_000), &[codes::UNCLOSED_COMMENT]);
        check(&"{".repeat(1_000_000), &[codes::BLOCK_WITHOUT_NODE, codes::TOO_DEEP]);

        check(&format!("{}{}", "a /-{".repeat(max), "}".repeat(max)), &[]);
        check(&"a\u{a}".repeat(limits::SPEC_NODES_MAX), &[]);
        check(&"a\u{a}".repeat(limits::SPEC_NODES_MAX + 1), &[codes::TOO_MANY_NODES]);
        check(&" ".repeat(limits::SPEC_BYTES_MAX), &[]);
        check(&" ".repeat(limits::SPEC_BYTES_MAX + 1), &[codes::TOO_LARGE]);
    }

    #[test]
    fn all_syntax_errors_come_in_one_run() {
        check(
            "a true\u{a}b false\u{a}c \"open\u{a}d",
            &[codes::BARE_KEYWORD, codes::BARE_KEYWORD, codes::UNCLOSED_TEXT],
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
