//! What only shows itself when all types are seen together: IDs that meet, names that two types
//! own, and which types a mistake belongs to.

use std::collections::BTreeMap;

use envc_core::{Diagnostic, Diagnostics, KindId, Span, plural};
use envc_syntax::Document;

use crate::{
    Environment, Identity, TypeHead, codes,
    collisions::{declared, group},
    meet::patterns_meet,
};

/// A made-up ID that is shorter might be part of a word.
const MADE_UP_CHARS_MIN: usize = 8;

/// A type, a physical name that it owns, and where it is declared.
type Owner = (String, String, Span);

/// Names of types with a fixed ID: they hold no ID, so two types may share one.
#[derive(Debug, Default)]
pub(crate) struct Fixed {
    /// Pattern, type, and where the type is declared.
    ids: Vec<(String, String, Span)>,
    names: BTreeMap<(KindId, String), Vec<Owner>>,
    /// Scripts, routes and domains of Workers: what it is called, the name, type and place.
    claims: BTreeMap<(&'static str, String), (String, Span)>,
}

impl Fixed {
    /// Adds a type, and reports what it shares with those before.
    pub(crate) fn add(
        &mut self,
        head: &TypeHead,
        environment: &Environment,
        found: &mut Diagnostics,
    ) {
        let Identity::Text { pattern, per_pr } = &head.identity else { return };
        let clash = self.ids.iter().find(|(other, ..)| patterns_meet(other, pattern));
        if let Some((other, name, span)) = clash {
            let message = if other == pattern {
                format!("`{name}` and `{}` have the same ID `{pattern}`", head.name)
            } else {
                format!(
                    "an ID of `{}` could be one of `{name}`: `{pattern}` and `{other}`",
                    head.name
                )
            };
            found.push(
                Diagnostic::error(codes::DUPLICATE_IDENTITY, head.span, message)
                    .at(format!("its ID is `{pattern}`"))
                    .label(*span, format!("its ID is `{other}`"))
                    .help("give each type an ID of its own"),
            );
            return; // every name would collide, too
        }
        self.ids.push((pattern.clone(), head.name.clone(), head.span));
        if *per_pr {
            return;
        }
        for desired in declared(environment).filter(|it| it.is_managed()) {
            if desired.name.is_empty() || desired.parent.is_some() {
                continue;
            }
            let key = (desired.address.kind(), group(desired).to_owned());
            let owners = self.names.entry(key).or_default();
            let kind = envc_kinds::kind(desired.address.kind());
            let clash = owners
                .iter()
                .find(|(other, name, _)| *other != head.name && kind.collides(&desired.name, name));
            if let Some((other, name, span)) = clash {
                let message =
                    format!("`{other}` and `{}` both own the {} `{name}`", head.name, kind.noun());
                let error = Diagnostic::error(codes::NAME_COLLISION, desired.span, message)
                    .help("use {env} in the name, or list it under `existing` in one of the types");
                found.push(owned_by_both(error, &head.name, other, *span));
            }
            owners.push((head.name.clone(), desired.name.clone(), desired.span));
        }
        for worker in &environment.workers {
            self.claim("Worker script", &worker.script, head, worker.span, found);
            for host in &worker.routes {
                self.claim("route", host, head, worker.span, found);
            }
            for host in &worker.domains {
                self.claim("domain", host, head, worker.span, found);
            }
        }
    }

    /// Reports what another type has claimed already.
    fn claim(
        &mut self,
        what: &'static str,
        name: &str,
        head: &TypeHead,
        span: Span,
        found: &mut Diagnostics,
    ) {
        if name.is_empty() {
            return; // a mistake was reported
        }
        let mine = (head.name.clone(), span);
        let Some((other, place)) = self.claims.insert((what, name.to_owned()), mine) else {
            return;
        };
        if other == head.name {
            return; // reported inside the type
        }
        let (code, part) = match what {
            "Worker script" => (codes::NAME_COLLISION, "name"),
            _ => (codes::HOST_COLLISION, "host"),
        };
        let help = format!("use {{env}} in the {part}, or set another {part} in one of the types");
        let message = format!("`{other}` and `{}` both own the {what} `{name}`", head.name);
        let error = Diagnostic::error(code, span, message).help(help);
        found.push(owned_by_both(error, &head.name, &other, place));
    }
}

/// Labels what two types own: one place where they share the node, else both.
fn owned_by_both(error: Diagnostic, name: &str, other: &str, others: Span) -> Diagnostic {
    if others == error.span() {
        return error.at("the same in both");
    }
    error.at(format!("owned by `{name}`")).label(others, format!("owned by `{other}`"))
}

/// What was found in one type.
#[derive(Debug)]
pub(crate) struct OfType {
    /// The type.
    pub(crate) name: String,
    /// The ID that was made up to resolve it.
    pub(crate) made_up: Option<String>,
    /// It could be resolved, so that what is not found in it is not there.
    pub(crate) resolved: bool,
    /// What was found.
    pub(crate) found: Diagnostics,
}

/// Most types that a message lists.
const TYPES_SHOWN_MAX: usize = 4;

/// Reports each error once, with the types that it belongs to where those are not all. The ID that
/// was made up to resolve a type is shown as what the user wrote.
pub(crate) fn share(document: &Document, mut by_type: Vec<OfType>, found: &mut Diagnostics) {
    // The words of a type whose ID is not fixed come first: they show {env}. The order in which
    // types are declared says nothing.
    by_type.sort_by(|a, b| (a.made_up.is_none(), &a.name).cmp(&(b.made_up.is_none(), &b.name)));
    let blocks = document.nodes.iter().filter(|node| node.name.value == "environment");
    let blocks: Vec<Span> = blocks.map(|node| node.span).collect();
    let in_block = |span: Span| {
        let next = blocks.partition_point(|block| block.start <= span.start);
        next.checked_sub(1)
            .and_then(|at| blocks.get(at))
            .is_some_and(|block| span.start < block.end)
    };
    let all: Vec<String> =
        by_type.iter().filter(|one| one.resolved).map(|one| one.name.clone()).collect();
    // By place, code, and how many of that code each type had there before.
    let mut shared: BTreeMap<(Span, &'static str, usize), (Diagnostic, Vec<String>)> =
        BTreeMap::new();
    for OfType { name, made_up, found, .. } in by_type {
        let mut before: BTreeMap<(Span, &'static str), usize> = BTreeMap::new();
        for mut diagnostic in found.into_sorted() {
            let nth = before.entry((diagnostic.span(), diagnostic.code)).or_default();
            let key = (diagnostic.span(), diagnostic.code, *nth);
            *nth += 1;
            if let Some(id) = made_up.as_deref().filter(|id| id.len() >= MADE_UP_CHARS_MIN) {
                hide_made_up(&mut diagnostic, id);
            }
            // Said of each type in its own words, it is one mistake all the same.
            let (_, names) = shared.entry(key).or_insert_with(|| (diagnostic, Vec::new()));
            if names.last() != Some(&name) {
                names.push(name.clone());
            }
        }
    }
    for (mut diagnostic, names) in shared.into_values() {
        let others: Vec<String> =
            all.iter().filter(|name| !names.contains(name)).cloned().collect();
        if !others.is_empty() {
            let word = plural(names.len(), "environment");
            diagnostic.message = format!("{} (in {word} {})", diagnostic.message, list(&names));
            let movable = [codes::UNKNOWN_REFERENCE, codes::NO_PULL_REQUEST];
            let meant = diagnostic.help.as_ref().is_some_and(|help| help.ends_with('?'));
            if movable.contains(&diagnostic.code) && !meant && !in_block(diagnostic.span()) {
                let help = diagnostic.help.unwrap_or_default();
                let word = plural(others.len(), "environment");
                diagnostic.help = Some(format!(
                    "{help}; it is right in {word} {}: the line may move there",
                    list(&others)
                ));
            }
        }
        found.push(diagnostic);
    }
}

/// Shows the ID that was made up to resolve a type as what the user wrote.
fn hide_made_up(diagnostic: &mut Diagnostic, id: &str) {
    let texts = diagnostic.labels.iter_mut().map(|label| &mut label.text);
    for text in texts.chain(&mut diagnostic.help).chain([&mut diagnostic.message]) {
        if text.contains(id) {
            *text = text.replace(id, "{env}");
        }
    }
}

fn list(names: &[String]) -> String {
    let shown: Vec<String> =
        names.iter().take(TYPES_SHOWN_MAX).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(TYPES_SHOWN_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
