//! What is wrong beside the mistakes of form: all mistakes come in one run, and none that only
//! follows from another.

use std::collections::BTreeSet;

use envc_core::{Diagnostic, Diagnostics, Span};
use envc_syntax::{Document, Node};

use crate::codes;

/// Mistakes of form after which a declaration may be missing that is only misspelt; a declared
/// name of the wrong form is another.
const UNREAD: [&str; 3] = [codes::UNKNOWN_NODE, codes::MISSING_ARGUMENT, codes::MISSING_PROJECT];

/// Mistakes that a missing declaration brings about.
const DEPENDENT: [&str; 10] = [
    codes::UNKNOWN_REFERENCE,
    codes::UNKNOWN_POOL,
    codes::UNKNOWN_TYPE,
    codes::NO_EDGE,
    codes::NO_ZONE,
    codes::HOST_OUTSIDE_ZONE,
    codes::MISSING_IDENTITY,
    codes::NAME_WITHOUT_ENV,
    codes::NOT_EXISTING,
    codes::WITHOUT_NOTHING,
];

/// Of what was found by resolving a spec with mistakes of form: what does not follow from those.
/// That is what lies, with all its labels, in nodes without such a mistake.
pub(crate) fn beyond(
    document: &Document,
    form: &Diagnostics,
    more: Diagnostics,
) -> Vec<Diagnostic> {
    let units = units(document);
    let unit = |span: Span| units.partition_point(|unit| unit.start <= span.start);
    let wrong: BTreeSet<usize> = form.iter().map(|one| unit(one.span())).collect();
    let labels = labels(document);
    let unread = form.iter().any(|one| {
        UNREAD.contains(&one.code)
            || (one.code == codes::INVALID_VALUE && labels.contains(&one.span()))
    });
    let mut out = more.into_sorted();
    out.retain(|one| {
        !(unread && DEPENDENT.contains(&one.code))
            && one.labels.iter().all(|label| !wrong.contains(&unit(label.span)))
    });
    out
}

/// All nodes, in the order of their places; what stands in one's own line belongs to it.
fn units(document: &Document) -> Vec<Span> {
    let mut out = Vec::new();
    let mut open: Vec<&Node> = document.nodes.iter().collect();
    while let Some(node) = open.pop() {
        out.push(node.span);
        open.extend(&node.children);
    }
    out.sort();
    out
}

/// Where the declared names stand.
fn labels(document: &Document) -> BTreeSet<Span> {
    let mut out = BTreeSet::new();
    let mut open: Vec<&Node> = document.nodes.iter().collect();
    while let Some(node) = open.pop() {
        out.insert(node.label_span());
        open.extend(&node.children);
    }
    out
}
