//! Files that envc writes, and who reads them.

use std::collections::BTreeMap;

use envc_core::Span;
use envc_syntax::{Node, Scalar};

use super::{Found, View, Warning, codes, warning};
use crate::places;

/// Variables of dotenv files whose `$` readers that expand take for another one's value.
pub(super) fn expanded<'v>(view: &'v View<'_>) -> Found<'v> {
    let Some(files) = &view.facts.expanded else { return Found::Unknown };
    let mut out = Vec::new();
    view.walk(&mut |node, _, around| {
        let is_of_secrets = around.last().is_some_and(|it| it.name.value == "secrets");
        if node.name.value != "dotenv" || is_of_secrets {
            return;
        }
        let path = node.label().unwrap_or_default();
        let Some(names) = files.get(path) else { return };
        // The braces of a shell around a reference are told as such.
        let is_braces = |var: &Node| {
            let text = var.args.first().and_then(Scalar::as_text).unwrap_or_default();
            text.contains("${") && !text.contains("${{")
        };
        let doubted = node.children.iter().filter(|var| names.contains(&var.name.value));
        for var in doubted.filter(|var| !is_braces(var)) {
            let (name, span) = (&var.name.value, var.args.first().map_or(var.span, |it| it.span));
            let message =
                format!("`{name}` of {path} holds a `$`, and nothing says who reads the file");
            out.push(
                warning(codes::EXPANDED_DOLLAR, span, message)
                    .at("Vite, Next.js and wrangler take it for the name of a variable")
                    .help(format!(
                        "say who reads it: dotenv \"{path}\" for=\"vite\", or for=\"node\", \
                         \"dotenv\" or another one that expands nothing"
                    )),
            );
        }
    });
    Found::Of(out.into_iter().map(Warning::from).collect())
}

/// Files before which another one is read, or in whose place: one warning for each node that writes them.
pub(super) fn outranked<'v>(view: &'v View<'_>) -> Found<'v> {
    let Some(files) = &view.facts.outranked else { return Found::Unknown };
    let mut places: BTreeMap<Span, Vec<(&str, &str, &str)>> = BTreeMap::new();
    for (path, by) in files {
        let mut place = None;
        view.walk(&mut |node, _, _| {
            place = place.or_else(|| places::of_node(node, path));
        });
        let told =
            by.iter().map(|(message, help)| (path.as_str(), message.as_str(), help.as_str()));
        places.entry(place.unwrap_or_default()).or_default().extend(told);
    }
    let found = places.into_iter().map(|(place, told)| {
        let all = |what: fn(&(&str, &str, &str)) -> String| {
            let mut all: Vec<String> = told.iter().map(what).collect();
            all.dedup();
            all.join("; ")
        };
        let paths = all(|it| it.0.to_owned()).replace("; ", ", ");
        warning(codes::OUTRANKED_FILE, place, all(|it| it.1.to_owned()))
            .at(format!("envc writes {paths}"))
            .help(all(|it| it.2.to_owned()))
    });
    Found::Of(found.map(Warning::from).collect())
}
