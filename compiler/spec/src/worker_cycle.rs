//! Workers that envc deploys, each with a binding to a Durable Object of the next: none of them can be
//! the first.
//!
//! Source: error 10061 of Cloudflare's API; a class that a script is bound to has to be there.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Diagnostic, Span};
use envc_syntax::{Node, Scalar};

use crate::{codes, resolver::Resolver};

/// Most steps of a cycle that are drawn.
const STEPS_MAX: usize = 12;

/// Whose class a Worker is bound to, and where that is written.
type Step<'a> = (&'a str, Span);

impl Resolver<'_> {
    /// Reports each cycle of bindings among the Workers that envc deploys.
    pub(crate) fn check_worker_cycles(&mut self) {
        let merged = self.given.merged;
        let bundles: BTreeMap<&str, &Node> = merged
            .all("worker")
            .filter(|node| node.prop("deploy").and_then(Scalar::as_text) == Some("bundle"))
            .filter_map(|node| Some((node.label()?, node)))
            .collect();
        let steps: BTreeMap<&str, Vec<Step<'_>>> =
            bundles.iter().map(|(name, node)| (*name, steps_of(name, node, &bundles))).collect();
        for cycle in cycles(&steps) {
            self.found.push(drawn(&cycle));
        }
    }
}

/// The other Workers whose classes this one is bound to, each once.
fn steps_of<'a>(name: &str, node: &'a Node, bundles: &BTreeMap<&str, &Node>) -> Vec<Step<'a>> {
    let mut known = BTreeSet::new();
    node.children_named("durable-object")
        .filter_map(|object| object.prop("worker"))
        .filter_map(|scalar| Some((scalar.as_text()?, scalar.span)))
        .filter(|(other, _)| *other != name && bundles.contains_key(other) && known.insert(*other))
        .collect()
}

/// Each way that leads back to where it began: the Workers, each with its step to the next. Without
/// recursion, since a spec may be as long as it likes.
fn cycles<'a>(steps: &BTreeMap<&'a str, Vec<Step<'a>>>) -> Vec<Vec<(&'a str, Step<'a>)>> {
    let mut found = Vec::new();
    // Where on the way a Worker is; none: all that it leads to is known.
    let mut places: BTreeMap<&str, Option<usize>> = BTreeMap::new();
    for begin in steps.keys() {
        if places.contains_key(begin) {
            continue;
        }
        let mut way: Vec<(&str, usize)> = vec![(begin, 0)];
        places.insert(begin, Some(0));
        while let Some((at, tried)) = way.last_mut() {
            let at = *at;
            let Some(step) = steps.get(at).and_then(|all| all.get(*tried)).copied() else {
                places.insert(at, None);
                way.pop();
                continue;
            };
            *tried += 1;
            match places.get(step.0) {
                Some(None) => {}
                Some(Some(from)) => found.push(taken(way.iter().skip(*from), steps)),
                None => {
                    places.insert(step.0, Some(way.len()));
                    way.push((step.0, 0));
                }
            }
        }
    }
    found
}

/// A part of the way with the step that each of its Workers took last.
fn taken<'w, 'a: 'w>(
    way: impl Iterator<Item = &'w (&'a str, usize)>,
    steps: &BTreeMap<&'a str, Vec<Step<'a>>>,
) -> Vec<(&'a str, Step<'a>)> {
    way.filter_map(|(at, tried)| Some((*at, *steps.get(at)?.get(tried.checked_sub(1)?)?))).collect()
}

fn drawn(cycle: &[(&str, Step<'_>)]) -> Diagnostic {
    let mut way: Vec<String> = cycle.iter().map(|(name, _)| (*name).to_owned()).collect();
    way.extend(way.first().cloned());
    if way.len() > STEPS_MAX {
        let left = way.len() - STEPS_MAX;
        way.splice(STEPS_MAX / 2..STEPS_MAX / 2 + left, [format!("({left} more)")]);
    }
    let closes = cycle.last().map(|(_, (_, span))| *span).unwrap_or_default();
    let message =
        format!("Workers are bound to Durable Objects of one another: {}", way.join(" → "));
    let mut error = Diagnostic::error(codes::WORKER_CYCLE, closes, message).at("closes the cycle");
    for (name, (other, span)) in cycle.iter().take(STEPS_MAX).filter(|it| it.1.1 != closes) {
        error = error.label(*span, format!("worker.{name} needs worker.{other}"));
    }
    error.help(
        "each has to be deployed before the next: move the classes into one Worker, or leave one of \
         them to wrangler, without `deploy=\"bundle\"`",
    )
}
