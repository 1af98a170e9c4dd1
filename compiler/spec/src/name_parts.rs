//! The parts of a name in the account, `{project}--{label}--{env}`: what none of them may hold, and
//! what is reserved where names become host names.

use envc_core::{Diagnostic, Diagnostics, KindId, PartProblem, Span};
use envc_syntax::{Document, Node, Scalar, ScalarValue};

use crate::codes;

/// Checks the project, and what is named in the account.
pub(crate) fn check(document: &Document, found: &mut Diagnostics) {
    for node in &document.nodes {
        match node.name.value.as_str() {
            "project" => project(node, found),
            "environment" => node.children.iter().for_each(|child| labels(child, found)),
            _ => labels(node, found),
        }
    }
}

fn project(node: &Node, found: &mut Diagnostics) {
    let short = node.prop("short");
    for (what, scalar) in [("project", node.args.first()), ("short form", short)] {
        found.extend(scalar.and_then(|scalar| part(what, scalar)));
    }
    if let Some(scalar) = short.or(node.args.first()).filter(|it| it.as_text() == Some("xn")) {
        found.push(
            Diagnostic::error(
                codes::RESERVED_NAME,
                scalar.span,
                "host names that begin with `xn--` are reserved, and names would begin so",
            )
            .at("reserved")
            .help("give the project another name, or a short form: short=\"…\""),
        );
    }
}

/// The labels of what has a name, or a marker, in the account.
fn labels(node: &Node, found: &mut Diagnostics) {
    let kind = node.name.value.as_str();
    if KindId::parse(kind).is_none() {
        return;
    }
    found.extend(node.args.first().and_then(|scalar| part(kind, scalar)));
    let ingresses = node.children_named("ingress");
    for ingress in ingresses {
        found.extend(ingress.args.first().and_then(|scalar| part("ingress", scalar)));
    }
}

fn part(what: &str, scalar: &Scalar) -> Option<Diagnostic> {
    let text = scalar.as_text()?;
    let wrong = match PartProblem::of(text)? {
        PartProblem::Empty => return None, // reported as a text without form
        PartProblem::Separator => "holds `--`",
        PartProblem::Edge => "begins or ends with a dash",
    };
    let message = format!("the {what} `{text}` {wrong}");
    Some(with_fix(mistake(scalar.span, message), scalar))
}

/// A part of a name that would make names meet.
pub(crate) fn mistake(span: Span, message: String) -> Diagnostic {
    Diagnostic::error(codes::DASHES, span, message).at("two dashes separate the parts of a name")
}

/// Says what to write: single dashes, and none at the ends.
pub(crate) fn with_fix(error: Diagnostic, scalar: &Scalar) -> Diagnostic {
    let text = scalar.as_text().unwrap_or_default();
    let plain = matches!(scalar.value, ScalarValue::Text { .. }) && !text.contains(['{', '}']);
    let single: Vec<&str> = text.split('-').filter(|part| !part.is_empty()).collect();
    let single = single.join("-");
    if !plain || single.is_empty() || PartProblem::of(&single).is_some() {
        return error.help("write single dashes, and none at the ends");
    }
    error.help(format!("write \"{single}\"")).fix(scalar.span, format!("\"{single}\""))
}
