//! The lints of the kinds themselves.

use super::{Found, View, Warning};

/// Asks each kind.
pub(super) fn of_kinds<'v>(view: &'v View<'_>) -> Found<'v> {
    let mut out = Vec::new();
    for one in &view.types {
        for (address, desired) in &one.environment.resources {
            let kind = envc_kinds::declared(address.kind());
            let Some(lint) = kind.and_then(|kind| kind.lint(desired)) else { continue };
            // What another node made has no node of its own, and is made as its kind makes it.
            let node = one.merged.get(address.kind().as_str(), address.name());
            out.extend(node.map(|node| Warning::of(one, lint(node))));
        }
    }
    Found::Of(out)
}
