//! What is wrong beside the mistakes of form: all mistakes come in one run, and none that only
//! follows from another.

use std::collections::BTreeSet;

use envc_core::{Diagnostic, Diagnostics, Span};
use envc_syntax::Document;

use crate::codes;

/// Mistakes of form after which a declaration may be missing that is only misspelt.
const UNREAD: [&str; 4] =
    [codes::UNKNOWN_NODE, codes::MISSING_ARGUMENT, codes::MISSING_PROJECT, codes::INVALID_VALUE];

/// Mistakes that no missing declaration brings about.
const INDEPENDENT: [&str; 8] = [
    codes::BAD_REFERENCE,
    codes::SECRET_IN_PUBLIC,
    codes::LET_CYCLE,
    codes::REFERENCE_NOT_ALLOWED,
    codes::NAME_COLLISION,
    codes::HOST_COLLISION,
    codes::FILE_COLLISION,
    codes::PORT_COLLISION,
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
    let unread = form.iter().any(|one| UNREAD.contains(&one.code));
    let mut out = more.into_sorted();
    out.retain(|one| {
        (!unread || INDEPENDENT.contains(&one.code))
            && one.labels.iter().all(|label| !wrong.contains(&unit(label.span)))
    });
    out
}

/// The nodes at the top, and those in the blocks of types, in the order of their places.
fn units(document: &Document) -> Vec<Span> {
    let mut out = Vec::new();
    for node in &document.nodes {
        out.push(node.span);
        if node.name.value == "environment" {
            out.extend(node.children.iter().map(|child| child.span));
        }
    }
    out
}
