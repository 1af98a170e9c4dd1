//! Proves of a formatted text that it says what the text before it said.

use super::token::{Kind, Token};
use crate::{Document, Node, Scalar, ScalarValue, witness};

/// The first thing that differs, in a few words.
pub(super) fn difference(
    before: (&Document, &[Token<'_>]),
    after: (&Document, &[Token<'_>]),
) -> Option<String> {
    if !same_nodes(&before.0.nodes, &after.0.nodes) {
        return Some("the nodes are not the same".to_owned());
    }
    let (before, after) = (Content::of(before.1), Content::of(after.1));
    if before.comments != after.comments {
        return Some("the comments are not the same".to_owned());
    }
    (before.words != after.words).then(|| "the words are not the same".to_owned())
}

/// True unless the second witness, who took the text before, reads something else afterwards.
pub(super) fn witnessed(before: &str, after: &str) -> bool {
    // What it refuses, or is not asked for its size, it has nothing to say of.
    let Some(before) = witness::read(before) else { return true };
    witness::read(after).is_some_and(|after| same_nodes(&before.nodes, &after.nodes))
}

/// What a formatter may not change, in order.
#[derive(Default)]
struct Content<'t> {
    /// Everything but comments, separators and blanks, what `/-` hides included; true where a node
    /// begins.
    words: Vec<(&'t str, bool)>,
    comments: Vec<String>,
}

impl<'t> Content<'t> {
    fn of(tokens: &[Token<'t>]) -> Self {
        let mut out = Self::default();
        let mut previous = Kind::OpenBlock;
        let mut is_continued = false;
        let mut has_ended = false;
        for token in tokens {
            match token.kind {
                Kind::Newline if is_continued => is_continued = false,
                Kind::Newline | Kind::Semicolon => has_ended = true,
                Kind::Continuation => is_continued = true,
                Kind::LineComment | Kind::BlockComment => out.comments.push(unindented(token.text)),
                Kind::Word
                | Kind::Open
                | Kind::Close
                | Kind::Equals
                | Kind::OpenBlock
                | Kind::CloseBlock
                | Kind::Slashdash => {
                    let begins = has_ended
                        && !matches!(previous, Kind::Slashdash | Kind::OpenBlock)
                        && token.kind != Kind::CloseBlock;
                    out.words.push((token.text, begins));
                    previous = token.kind;
                    has_ended = false;
                }
            }
        }
        out
    }
}

/// A comment without the blanks at the ends of its lines.
fn unindented(comment: &str) -> String {
    let lines: Vec<&str> = comment.split('\n').map(str::trim).collect();
    lines.join("\n")
}

/// The same nodes, wherever they stand.
fn same_nodes(a: &[Node], b: &[Node]) -> bool {
    let same_node = |(a, b): (&Node, &Node)| {
        let Node { name, args, props, children, span: _, origin } = a;
        let same_props = props.len() == b.props.len()
            && props
                .iter()
                .zip(&b.props)
                .all(|(a, b)| a.name.value == b.name.value && same_scalar(&a.value, &b.value));
        name.value == b.name.value
            && *origin == b.origin
            && args.len() == b.args.len()
            && args.iter().zip(&b.args).all(|(a, b)| same_scalar(a, b))
            && same_props
            && same_nodes(children, &b.children)
    };
    a.len() == b.len() && a.iter().zip(b).all(same_node)
}

fn same_scalar(a: &Scalar, b: &Scalar) -> bool {
    let same_value = match (&a.value, &b.value) {
        // `#nan` is not equal to itself.
        (ScalarValue::Float(a), ScalarValue::Float(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    };
    a.tag() == b.tag() && same_value
}

#[cfg(test)]
mod tests {
    use super::{super::token::tokens, *};
    use crate::parse;

    fn check(before: &str, after: &str, wanted: Option<&str>) {
        let (one, two) = (parse(before), parse(after));
        assert!(one.1.is_empty() && two.1.is_empty(), "{before} {after}");
        let found = difference((&one.0, &tokens(before)), (&two.0, &tokens(after)));
        assert_eq!(found.as_deref(), wanted, "{before} {after}");
    }

    #[test]
    fn a_witness_sees_what_another_text_says() {
        assert!(witnessed("a {b;c 1} // x", "a {\n    b\n    c 1\n} // x\n"));
        assert!(!witnessed("a b", "a \"b\""));
        assert!(!witnessed("a b", "a {"));
        // Refused, or not asked: it has nothing to say.
        assert!(witnessed("a {", "b"));
        assert!(witnessed(&format!("/*{}*/", "*".repeat(1_000_000)), "b"));
    }

    #[test]
    fn layout_alone_is_no_difference() {
        check("a {b;c 1}", "a {\n    b\n    c 1\n}\n", None);
        check("a #nan /* x */ // y \n", "a #nan /* x */ // y", None);
        check("a \\\n b", "a b", None);
        check("/- \n a { b; }", "/-a { b }", None);
    }

    #[test]
    fn what_says_something_else_is_found() {
        let nodes = Some("the nodes are not the same");
        check("a b", "a \"b\"", nodes);
        check("a \"b\"", "a #\"b\"#", nodes);
        check("a 1 2", "a 2 1", nodes);
        check("a b=1", "a c=1", nodes);
        check("a (t)1", "a 1", nodes);
        check("a { b }", "a", nodes);
        check("a 1.0", "a -1.0", nodes);
    }

    #[test]
    fn comments_and_what_is_commented_out_count_too() {
        check("a // b\n// c", "a // b // c", Some("the comments are not the same"));
        check("a /* b */ /* c */", "a /* c */ /* b */", Some("the comments are not the same"));
        check("/-a b\nc", "/-a\nc", Some("the words are not the same"));
        check("a /-{ b ; c }", "a /-{ b c }", Some("the words are not the same"));
        check("a 10", "a 0xa", Some("the words are not the same"));
    }
}
