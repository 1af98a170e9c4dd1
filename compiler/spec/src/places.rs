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
    match node.name.value.as_str() {
        "dotenv" | "file" if node.label() == Some(path) => found.push(node.label_span()),
        "worker" => {
            let folder = node.prop("path").and_then(Scalar::as_text).unwrap_or_default();
            let (above, name) = path.rsplit_once('/').unwrap_or((".", path));
            let same = folder.trim_end_matches('/') == above;
            if same && matches!(name, "wrangler.jsonc" | ".dev.vars" | ".env.local") {
                found.push(node.label_span());
            }
        }
        _ => {}
    }
    node.children.iter().for_each(|child| look(child, path, found));
}
