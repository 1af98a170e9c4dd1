//! Files that a shell runs, and texts in them that somebody else chose.

use super::{Found, View, Warning, codes, warning};

/// Scripts in which a text from outside stands as it came.
pub(super) fn unquoted<'v>(view: &'v View<'_>) -> Found<'v> {
    let Some(scripts) = &view.facts.scripts else { return Found::Unknown };
    let mut out = Vec::new();
    view.walk(&mut |node, _, _| {
        let Some(template) = node.prop("template").filter(|_| node.name.value == "file") else {
            return;
        };
        let path = node.label().unwrap_or_default();
        let Some(what) = scripts.get(path).filter(|what| !what.is_empty()) else { return };
        let what = what.iter().copied().collect::<Vec<_>>().join(" and ");
        let message = format!("a shell runs `{path}`, and {what} may end a word there");
        out.push(
            warning(codes::UNQUOTED_IN_SCRIPT, template.span, message)
                .at("this template writes it as it comes")
                .help("let the template write {{ env.branch | sh }}: one word of the shell, whatever it holds"),
        );
    });
    Found::Of(out.into_iter().map(Warning::from).collect())
}
