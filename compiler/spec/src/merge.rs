//! From the text's nodes to the nodes of one type: `extends`, overriding, `without`.

use std::{borrow::Cow, collections::BTreeMap};

use envc_core::{Diagnostic, Diagnostics, Span};
use envc_syntax::{
    Document, Node, Prop, Scalar,
    rule::{NodeRule, Repeat},
};

use crate::{
    check::{missing_after_merge, words},
    codes,
    grammar::{Children, DEV, Grammar},
    suggest::Spot,
};

/// A node's kind and declared name; no name where the kind alone names it.
pub(crate) type Key<'a> = (&'a str, &'a str);

/// The nodes of one type, in the order in which they were first declared.
#[derive(Debug)]
pub(crate) struct Merged<'a> {
    /// The whole spec: what other types declare stands there.
    pub(crate) document: &'a Document,
    slots: Vec<Option<Cow<'a, Node>>>,
    index: BTreeMap<&'a str, BTreeMap<&'a str, usize>>,
    /// What `without` dropped.
    pub(crate) dropped: BTreeMap<Key<'a>, Dropped<'a>>,
}

/// A node that `without` dropped.
#[derive(Debug)]
pub(crate) struct Dropped<'a> {
    /// The `without`.
    pub(crate) span: Span,
    /// What it dropped.
    pub(crate) node: Cow<'a, Node>,
}

impl Merged<'_> {
    /// All nodes.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.slots.iter().flatten().map(AsRef::as_ref)
    }

    /// The node of a kind and name.
    pub(crate) fn get(&self, kind: &str, name: &str) -> Option<&Node> {
        let slot = self.index.get(kind)?.get(name)?;
        self.slots.get(*slot)?.as_deref()
    }

    /// The node that its kind alone names.
    pub(crate) fn single(&self, kind: &str) -> Option<&Node> {
        self.get(kind, "")
    }

    /// All nodes of a kind, in their names' order.
    pub(crate) fn all<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'s Node> {
        let slots = self.index.get(kind).into_iter().flat_map(BTreeMap::values);
        slots.filter_map(|slot| self.slots.get(*slot)?.as_deref())
    }

    /// The declared names of a kind.
    pub(crate) fn names<'s>(&'s self, kind: &'s str) -> impl Iterator<Item = &'s str> + Clone {
        self.index.get(kind).into_iter().flat_map(|names| names.keys().copied())
    }
}

/// Merges the top of a document with the blocks of a type: the type that nothing is extended by
/// comes last in `chain`.
pub(crate) fn merge<'a>(
    document: &'a Document,
    grammar: &Grammar,
    chain: &[&'a Node],
    found: &mut Diagnostics,
) -> Merged<'a> {
    let mut merged = top(document, grammar);
    for (position, block) in chain.iter().enumerate() {
        let own = position + 1 == chain.len();
        for node in block.children_named("without") {
            drop_node(&mut merged, node, grammar, found);
        }
        for node in &block.children {
            let name = node.name.value.as_str();
            let inherited = !matches!(name, "when" | "protect");
            if name != "without"
                && (own || inherited)
                && let Some(rule) = grammar.inner.get(name)
            {
                add(&mut merged, node, rule, grammar);
            }
        }
    }
    for node in merged.nodes().filter(|node| node.origin.is_some()) {
        if let Some(rule) = grammar.inner.get(node.name.value.as_str()) {
            missing_after_merge(node, rule, found);
        }
    }
    merged
}

/// The nodes at the top: no two have one key, the checker saw to that, so that they are sorted once
/// instead of looked up one by one.
fn top<'a>(document: &'a Document, grammar: &Grammar) -> Merged<'a> {
    let mut slots = Vec::with_capacity(document.nodes.len());
    let mut index: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
    for node in &document.nodes {
        let Some(rule) = grammar.inner.get(node.name.value.as_str()) else { continue };
        let Some((kind, name)) = key(node, rule) else {
            slots.push(Some(Cow::Borrowed(node)));
            continue;
        };
        index.entry(kind).or_default().push((name, slots.len()));
        slots.push(Some(Cow::Borrowed(node)));
    }
    let index = index.into_iter().map(|(kind, names)| (kind, names.into_iter().collect()));
    Merged { document, slots, index: index.collect(), dropped: BTreeMap::new() }
}

fn key<'n>(node: &'n Node, rule: &NodeRule) -> Option<Key<'n>> {
    match rule.repeat {
        Repeat::Once => Some((&node.name.value, "")),
        Repeat::PerLabel => Some((&node.name.value, node.label().unwrap_or_default())),
        Repeat::Many => None,
    }
}

fn add<'a>(merged: &mut Merged<'a>, node: &'a Node, rule: &'static NodeRule, grammar: &Grammar) {
    let Some(key) = key(node, rule) else {
        // Nameless, such as `allow`: each holds beside the others.
        merged.slots.push(Some(Cow::Borrowed(node)));
        return;
    };
    merged.dropped.remove(&key);
    let names = merged.index.entry(key.0).or_default();
    let known = names.get(key.1).copied();
    if let Some(slot) = known.and_then(|slot| merged.slots.get_mut(slot)) {
        let next = match slot.take() {
            Some(outer) => Cow::Owned(merge_node(&outer, node, rule, grammar)),
            None => Cow::Borrowed(node),
        };
        *slot = Some(next);
    } else {
        names.insert(key.1, merged.slots.len());
        merged.slots.push(Some(Cow::Borrowed(node)));
    }
}

fn drop_node<'a>(
    merged: &mut Merged<'a>,
    node: &'a Node,
    grammar: &Grammar,
    found: &mut Diagnostics,
) {
    let (Some(kind), Some(name)) = (node.args.first(), node.args.get(1)) else { return };
    let (Some(kind_text), Some(name_text)) = (kind.as_text(), name.as_text()) else { return };
    if !grammar.droppable.contains(&kind_text) {
        let message = format!("`{kind_text}` is no kind of node that can be dropped");
        let error = Diagnostic::error(codes::WITHOUT_NOTHING, kind.span, message);
        let known = grammar.droppable.iter().copied();
        found.push(Spot::scalar(kind).suggest(error, kind_text, known, ""));
        return;
    }
    let key = (kind_text, name_text);
    let names = merged.index.get_mut(kind_text);
    if let Some(slot) = names.and_then(|names| names.remove(name_text)) {
        if let Some(dropped) = merged.slots.get_mut(slot).and_then(Option::take) {
            merged.dropped.insert(key, Dropped { span: node.span, node: dropped });
        }
        return;
    }
    let message = format!("there is no {kind_text} \"{name_text}\" to drop");
    let error = Diagnostic::error(codes::WITHOUT_NOTHING, name.span, message);
    let fallback = format!("no {kind_text} stands outside this block; remove the line");
    found.push(Spot::scalar(name).suggest(error, name_text, merged.names(kind_text), &fallback));
}

/// How an inner node merges with the outer one of its kind and name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Merging {
    /// It takes its place: a value, such as `identity` or `port`.
    Whole,
    /// All inner ones take the place of all outer ones: they have no name to merge by.
    Set,
    /// Its properties are a choice: any of them takes the place of the outer one's.
    Choice,
    /// Its parts merge one by one.
    Parts,
}

/// How nodes of a rule merge.
pub(crate) fn merging(rule: &NodeRule) -> Merging {
    match rule.repeat {
        Repeat::Many => Merging::Set,
        Repeat::Once if rule.name == DEV.name => Merging::Parts,
        Repeat::Once if !rule.args.is_empty() && rule.children.is_empty() => Merging::Whole,
        Repeat::PerLabel if rule.name == "bind" => Merging::Choice,
        Repeat::Once | Repeat::PerLabel => Merging::Parts,
    }
}

/// Puts an inner node over an outer one of the same kind and name.
fn merge_node(outer: &Node, inner: &Node, rule: &'static NodeRule, grammar: &Grammar) -> Node {
    if merging(rule) == Merging::Whole {
        return inner.clone();
    }
    Node {
        name: outer.name.clone(),
        args: merge_args(outer, inner, rule),
        props: merge_props(outer, inner, rule, grammar),
        children: merge_children(outer, inner, grammar.children(rule), grammar),
        span: outer.span,
        origin: inner.origin.clone(),
    }
}

fn merge_args(outer: &Node, inner: &Node, rule: &NodeRule) -> Vec<Scalar> {
    let (outer, inner) = (words(outer, rule), words(inner, rule));
    let args = if inner.args.len() < outer.args.len() { outer.args } else { inner.args };
    let mut all: Vec<Scalar> = args.into_iter().cloned().collect();
    for flag in outer.flags.into_iter().chain(inner.flags) {
        if !all.iter().any(|arg| arg.value == flag.value) {
            all.push(flag.clone());
        }
    }
    all
}

fn merge_props(outer: &Node, inner: &Node, rule: &NodeRule, grammar: &Grammar) -> Vec<Prop> {
    // The properties of a binding are a choice: another target takes the place of the first.
    // `id=` and `name=` of what exists are a choice, too.
    let is_choice = merging(rule) == Merging::Choice || grammar.is_existing(rule);
    let chosen = is_choice && !inner.props.is_empty();
    let mut props = if chosen { Vec::new() } else { outer.props.clone() };
    for prop in &inner.props {
        match props.iter_mut().find(|known| known.name.value == prop.name.value) {
            Some(known) => *known = prop.clone(),
            None => props.push(prop.clone()),
        }
    }
    props
}

fn merge_children(outer: &Node, inner: &Node, rules: Children<'_>, grammar: &Grammar) -> Vec<Node> {
    let (outer, inner) = (&outer.children, &inner.children);
    let mut out: Vec<Option<Node>> = outer.iter().cloned().map(Some).collect();
    let mut index: BTreeMap<Key<'_>, usize> = BTreeMap::new();
    let mut sets: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (slot, node) in outer.iter().enumerate() {
        match rules.get(&node.name.value).and_then(|rule| key(node, rule)) {
            Some(key) => {
                index.insert(key, slot);
            }
            None => sets.entry(&node.name.value).or_default().push(slot),
        }
    }
    for node in inner {
        let rule = rules.get(&node.name.value);
        let known = rule.and_then(|rule| key(node, rule)).and_then(|key| index.get(&key));
        if let (Some(rule), Some(slot)) = (rule, known.and_then(|slot| out.get_mut(*slot))) {
            *slot = slot.take().map(|known| merge_node(&known, node, rule, grammar));
            continue;
        }
        for slot in sets.remove(node.name.value.as_str()).unwrap_or_default() {
            if let Some(slot) = out.get_mut(slot) {
                *slot = None;
            }
        }
        out.push(Some(node.clone()));
    }
    out.into_iter().flatten().collect()
}
