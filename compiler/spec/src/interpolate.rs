//! Texts with `{references}`: where they begin and end.

use envc_core::Span;
use envc_syntax::{Scalar, ScalarValue};

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segment<'t> {
    /// Text as it stands.
    Lit(&'t str),
    /// `{path}`, with the bytes it stands at inside the text.
    Reference(&'t str, usize, usize),
    /// A brace that opens or closes nothing.
    Stray(usize),
}

/// Cuts a text into its pieces. `{{` and `}}` are literal braces.
pub(crate) fn segments(text: &str) -> Vec<Segment<'_>> {
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(brace) = rest.find(['{', '}']) else {
            out.push(Segment::Lit(rest));
            break;
        };
        if let Some(before) = rest.get(..brace).filter(|before| !before.is_empty()) {
            out.push(Segment::Lit(before));
        }
        let start = at + brace;
        let from = rest.get(brace..).unwrap_or_default();
        at = if from.starts_with("{{") || from.starts_with("}}") {
            out.extend(from.get(..1).map(Segment::Lit));
            start + 2
        } else if let Some(path) = reference(from) {
            let end = start + path.len() + 2;
            out.push(Segment::Reference(path, start, end));
            end
        } else {
            out.push(Segment::Stray(start));
            start + 1
        };
    }
    out
}

/// The path between a `{` and its `}`.
fn reference(from: &str) -> Option<&str> {
    let inner = from.strip_prefix('{')?;
    let end = inner.find(['{', '}'])?;
    inner.get(end..)?.starts_with('}').then(|| inner.get(..end))?
}

/// Where bytes of a scalar's text stand in the spec; the whole scalar when escapes or the like
/// make that unknowable.
pub(crate) fn place(scalar: &Scalar, start: usize, end: usize) -> Span {
    let ScalarValue::Text { text, bare, .. } = &scalar.value else { return scalar.span };
    let quote = usize::from(!bare);
    if scalar.tag.is_some() || scalar.span.len() != text.len() + 2 * quote {
        return scalar.span;
    }
    let first = scalar.span.start + quote;
    Span::new(first + start, first + end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: &[Segment<'_>]) {
        assert_eq!(segments(text), wanted, "{text}");
    }

    #[test]
    fn references_stand_between_single_braces() {
        use Segment::{Lit, Reference, Stray};
        check("", &[]);
        check("abc", &[Lit("abc")]);
        check("{env}", &[Reference("env", 0, 5)]);
        check(
            "a{env}-{let.x}b",
            &[Lit("a"), Reference("env", 1, 6), Lit("-"), Reference("let.x", 7, 14), Lit("b")],
        );
        check("{{env}}", &[Lit("{"), Lit("env"), Lit("}")]);
        check("{{{env}}}", &[Lit("{"), Reference("env", 2, 7), Lit("}")]);
        check("a{b", &[Lit("a"), Stray(1), Lit("b")]);
        check("a}é", &[Lit("a"), Stray(1), Lit("é")]);
        check("{a{b}", &[Stray(0), Lit("a"), Reference("b", 2, 5)]);
    }
}
