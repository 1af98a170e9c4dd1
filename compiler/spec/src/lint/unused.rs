//! What is declared, and nothing uses it.
//!
//! A store or a queue is used by a binding, a consumer, as dead letters, or by a reference; a DNS
//! record and a tunnel with hosts by being there; a `let`, a `port` and a `lease` by a reference.
//! A use anywhere counts, in any type, and so does a template in which the name stands. A `let`
//! that is a secret is an unused secret, and so are providers when nothing asks for a secret. A
//! worker's `secret` is used by being there: the Worker gets it.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Diagnostic, KindId, Span};
use envc_kinds::Declared;
use envc_syntax::{
    Node, Scalar, ScalarValue,
    rule::{NodeRule, Type},
};

use super::{Found, View, Warning, codes, warning};
use crate::{
    check::words,
    interpolate::{Segment, segments},
};

/// A kind and a name.
type Key<'a> = (&'a str, &'a str);
/// A declaration that nothing uses.
pub(super) type Unused<'a> = (&'a Node, Key<'a>);

/// Stores, queues, tunnels, `let`s, ports and leases that nothing uses.
pub(super) fn resources<'v>(view: &'v View<'_>) -> Found<'v> {
    let Some(unused) = unused(view) else { return Found::Unknown };
    let plain = unused.iter().filter(|(node, _)| !is_secret(view, node));
    Found::Of(plain.map(|(node, key)| Warning::from(resource(node, *key))).collect())
}

/// `let`s that are secrets and that nothing refers to; places for secrets that nothing asks for.
pub(super) fn secrets<'v>(view: &'v View<'_>) -> Found<'v> {
    let Some(unused) = unused(view) else { return Found::Unknown };
    let mut out: Vec<Warning<'_>> = unused
        .iter()
        .filter(|(node, _)| is_secret(view, node))
        .map(|(node, (_, name))| {
            let message = format!("the secret `let.{name}` is declared and never used");
            Warning::from(
                warning(codes::UNUSED_SECRET, node.label_span(), message)
                    .at("nothing refers to it")
                    .help(format!("remove it, or write {{let.{name}}} where the secret belongs")),
            )
        })
        .collect();
    out.extend(providers(view).map(Warning::from));
    Found::Of(out)
}

/// The providers of a spec in which nothing asks for a secret.
fn providers(view: &View<'_>) -> Option<Diagnostic> {
    let mut place: Option<Span> = None;
    let mut asked = false;
    view.walk(&mut |node, rule, around| {
        let inside = |name| around.iter().any(|other| other.name.value == name);
        if rule.name == "secrets" {
            place = place.or(Some(node.name.span));
        } else if !inside("secrets") {
            let mut values = node.args.iter().chain(node.props.iter().map(|prop| &prop.value));
            asked |= values.any(|value| value.tag() == Some("secret"));
            asked |= rule.name == "secret" && node.args.len() == 1;
        }
    });
    let place = place.filter(|_| !asked)?;
    Some(
        warning(codes::UNUSED_SECRET, place, "secrets have places to come from, and none is used")
            .at("nothing asks for a secret")
            .help("remove it, or ask for one: (secret)\"NAME\" in a `dotenv`, or secret \"NAME\" in a worker"),
    )
}

fn resource(node: &Node, (kind, name): Key<'_>) -> Diagnostic {
    let bind = declared(kind).is_some_and(|kind| kind.node().bindable.is_some());
    let binding = name.to_uppercase().replace('-', "_");
    let (message, help) = match kind {
        "let" | "port" => (
            format!("nothing refers to `{kind}.{name}`"),
            format!("remove it, or write {{{kind}.{name}}} where it belongs"),
        ),
        "lease" => (
            format!("nothing refers to `lease.{name}`, and it holds an ID of its pool"),
            format!("remove it, or write {{lease.{name}.id}} where it belongs"),
        ),
        _ if bind => (
            format!("nothing uses `{kind}.{name}`"),
            format!("remove it, or bind it in a worker: bind \"{binding}\" {kind}=\"{name}\""),
        ),
        _ => (
            format!("nothing uses `{kind}.{name}`"),
            format!("remove it, or refer to it: {{{kind}.{name}.id}}"),
        ),
    };
    warning(codes::UNUSED_RESOURCE, node.label_span(), message).at("declared here").help(help)
}

fn is_secret(view: &View<'_>, node: &Node) -> bool {
    let name = node.label().unwrap_or_default();
    let mut lets = view.types.iter().filter_map(|one| one.environment.lets.get(name));
    node.name.value == "let" && lets.any(envc_core::Text::is_secret)
}

/// The first declaration of each thing that nothing uses; `None` where a template was not read. Two
/// warnings ask for it.
fn unused<'v, 'a>(view: &'v View<'a>) -> Option<&'v [Unused<'a>]> {
    view.unused.get_or_init(|| find(view)).as_deref()
}

fn find<'a>(view: &View<'a>) -> Option<Vec<Unused<'a>>> {
    if !view.knows_templates() {
        return None;
    }
    let mut declared: BTreeMap<Key<'_>, Option<&Node>> = BTreeMap::new();
    let mut used: BTreeSet<Key<'_>> = BTreeSet::new();
    view.walk(&mut |node, rule, around| {
        if let Some(name) = declares(node, around) {
            let first = declared.entry((node.name.value.as_str(), name)).or_insert(Some(node));
            if stands_alone(node) {
                *first = None;
            }
        }
        uses(node, rule, &mut used);
    });
    let mentioned = Mentioned::of(view);
    let unused = declared.into_iter().filter_map(|(key, node)| {
        node.filter(|_| !used.contains(&key) && !mentioned.holds(key)).map(|node| (node, key))
    });
    Some(unused.collect())
}

/// The name that a node declares, where it is something that has to be used.
fn declares<'a>(node: &'a Node, around: &[&Node]) -> Option<&'a str> {
    let top = around.iter().all(|other| other.name.value == "environment");
    let kind = node.name.value.as_str();
    let counts = matches!(kind, "let" | "port" | "lease") || declared(kind).is_some();
    (top && counts).then(|| node.label())?
}

/// The kind whose node has this name.
fn declared(word: &str) -> Option<&'static dyn Declared> {
    envc_kinds::declared(KindId::parse(word)?)
}

fn stands_alone(node: &Node) -> bool {
    declared(&node.name.value).is_some_and(|kind| kind.stands_alone(node))
}

/// What a node's own values refer to, by reference or by name.
fn uses<'a>(node: &'a Node, rule: &'static NodeRule, used: &mut BTreeSet<Key<'a>>) {
    for prop in &node.props {
        let wanted = rule.props.iter().find(|wanted| wanted.name == prop.name.value);
        value(&prop.value, wanted.map(|wanted| wanted.ty), used);
    }
    for (position, arg) in words(node, rule).args.into_iter().enumerate() {
        value(arg, rule.args.get(position).map(|wanted| wanted.ty), used);
    }
}

fn value<'a>(scalar: &'a Scalar, ty: Option<Type>, used: &mut BTreeSet<Key<'a>>) {
    let ScalarValue::Text { text, raw, .. } = &scalar.value else { return };
    if let Some(Type::Resource(kind)) = ty {
        used.insert((kind, text));
    }
    if *raw || scalar.tag.is_some() || !text.contains('{') {
        return;
    }
    for segment in segments(text) {
        let Segment::Reference(path, ..) = segment else { continue };
        let mut parts = path.split('.');
        if let (Some(kind), Some(name)) = (parts.next(), parts.next()) {
            used.insert((kind, name));
        }
    }
}

/// What templates mention. Which branch a template takes depends on the environment, so that a
/// name that stands in its text counts, also where rendering did not read it.
struct Mentioned<'a> {
    words: BTreeSet<&'a str>,
    reads: &'a BTreeSet<String>,
}

impl<'a> Mentioned<'a> {
    fn of(view: &View<'a>) -> Self {
        let split = |text: &'a String| {
            text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_'))
        };
        let words = view.facts.templates.values().flat_map(split).collect();
        Self { words, reads: &view.facts.reads }
    }

    fn holds(&self, (kind, name): Key<'_>) -> bool {
        let same = name.replace('-', "_");
        self.words.contains(name)
            || self.words.contains(same.as_str())
            || (!self.reads.is_empty() && self.reads.contains(&format!("{kind}.{name}")))
    }
}
