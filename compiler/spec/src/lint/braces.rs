//! Texts that read as a reference and are none, or are more than one: the habits of templates
//! (`{{let.x}}`) and of shells (`${let.x}`).

use envc_core::Diagnostic;
use envc_syntax::{
    Scalar, ScalarValue,
    rule::{NodeRule, Type},
};

use super::{Found, View, Warning, codes, warning};
use crate::{check::words, interpolate::place, refs::reads_as_reference};

/// Texts with the braces of another language.
pub(super) fn doubtful<'v>(view: &'v View<'_>) -> Found<'v> {
    let mut out = Vec::new();
    view.walk(&mut |node, rule, _| {
        for prop in &node.props {
            let wanted = rule.props.iter().find(|wanted| wanted.name == prop.name.value);
            if wanted.is_some_and(|wanted| holds_references(wanted.ty)) {
                look(&prop.value, &mut out);
            }
        }
        for (position, arg) in words(node, rule).args.into_iter().enumerate() {
            if argument_type(rule, position).is_some_and(holds_references) {
                look(arg, &mut out);
            }
        }
    });
    Found::Of(out.into_iter().map(Warning::from).collect())
}

fn argument_type(rule: &NodeRule, position: usize) -> Option<Type> {
    let last = rule.args.last().filter(|_| rule.variadic);
    rule.args.get(position).or(last).map(|wanted| wanted.ty)
}

fn holds_references(ty: Type) -> bool {
    matches!(ty, Type::Text | Type::PrivateText | Type::NameText)
}

fn look(scalar: &Scalar, out: &mut Vec<Diagnostic>) {
    let ScalarValue::Text { text, raw: false, .. } = &scalar.value else { return };
    for (open, close, is_doubled) in [("{{", "}}", true), ("${", "}", false)] {
        for (start, _) in text.match_indices(open) {
            let rest = text.get(start + open.len()..).unwrap_or_default();
            let Some(path) = rest.split(close).next().filter(|path| path.len() < rest.len()) else {
                continue;
            };
            let path = path.trim();
            if reads_as_reference(path) {
                let end = start + open.len() + rest.find(close).unwrap_or_default() + close.len();
                out.push(doubt(scalar, (start, end), path, is_doubled));
            }
        }
    }
}

fn doubt(
    scalar: &Scalar,
    (start, end): (usize, usize),
    path: &str,
    is_doubled: bool,
) -> Diagnostic {
    let span = place(scalar, start, end);
    let (message, at) = if is_doubled {
        (
            format!("`{{{{{path}}}}}` is text with braces, not the value of `{{{path}}}`"),
            "stays as it is",
        )
    } else {
        (format!("`${{{path}}}` is a `$` before the value of `{{{path}}}`"), "the `$` stays")
    };
    let found = warning(codes::DOUBTFUL_REFERENCE, span, message)
        .at(at)
        .help(format!("write {{{path}}} for the value"));
    // Where escapes hide the place, the whole text is marked.
    if span.len() == end - start { found.fix(span, format!("{{{path}}}")) } else { found }
}
