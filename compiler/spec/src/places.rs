//! Where the spec names a file: for mistakes that stand in the file itself.

use envc_core::Span;
use envc_syntax::{Document, Node, Scalar};

use crate::lint::template_of;

/// The places that name a template or make a generated file, in order.
pub(crate) fn of(document: &Document, path: &str) -> Vec<Span> {
    let mut found = Vec::new();
    document.nodes.iter().for_each(|node| look(node, path, &mut found));
    found
}

fn look(node: &Node, path: &str, found: &mut Vec<Span>) {
    let is_path = |scalar: &&Scalar| scalar.as_text() == Some(path);
    found.extend(template_of(node).filter(is_path).map(|scalar| scalar.span));
    found.extend(of_node(node, path));
    node.children.iter().for_each(|child| look(child, path, found));
}

/// Where a node makes a generated file.
pub(crate) fn of_node(node: &Node, path: &str) -> Option<Span> {
    match node.name.value.as_str() {
        "dotenv" | "file" => (node.label() == Some(path)).then(|| node.label_span()),
        "worker" => {
            let folder = node.prop("path").and_then(Scalar::as_text).unwrap_or_default();
            let (above, name) = path.rsplit_once('/').unwrap_or((".", path));
            let same = folder.trim_end_matches('/') == above;
            let is_made = matches!(name, "wrangler.jsonc" | ".dev.vars" | ".env.local");
            (same && is_made).then(|| node.label_span())
        }
        _ => None,
    }
}
