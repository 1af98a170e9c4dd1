//! What a warning sees of a spec.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use envc_core::{Diagnostic, Diagnostics};
use envc_syntax::{Document, Node, Scalar, rule::NodeRule};

use super::{Facts, unused::Unused};
use crate::{
    Environment, TypeHead,
    grammar::{Children, Grammar},
    heads,
    merge::{Merged, merge},
};

/// A spec without mistakes, each of its types resolved, and what the outside knows.
#[derive(Debug)]
pub(crate) struct View<'a> {
    /// Every node, with its rule and the nodes around it, in the order of the text.
    nodes: Vec<Visit<'a>>,
    pub(super) zone: Option<&'a str>,
    pub(super) types: Vec<TypeView<'a>>,
    pub(super) facts: &'a Facts,
    /// What nothing uses, once it was looked for.
    pub(super) unused: OnceCell<Option<Vec<Unused<'a>>>>,
}

/// A node, its rule, and the nodes around it, outermost first.
type Visit<'a> = (&'a Node, &'static NodeRule, Rc<[&'a Node]>);

/// One type.
#[derive(Debug)]
pub(super) struct TypeView<'a> {
    pub(super) head: &'a TypeHead,
    /// Its block and those that it extends, its own last.
    pub(super) chain: Vec<&'a Node>,
    pub(super) merged: Merged<'a>,
    pub(super) environment: &'a Environment,
}

/// One warning.
#[derive(Debug)]
pub(super) struct Warning<'a> {
    pub(super) diagnostic: Diagnostic,
    /// The types that it holds for; empty where it is of no type.
    pub(super) types: BTreeSet<&'a str>,
}

/// What looking for one thing gave.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// These.
    Of(Vec<Warning<'a>>),
    /// The facts that it needs are not there.
    Unknown,
}

impl From<Diagnostic> for Warning<'_> {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostic, types: BTreeSet::new() }
    }
}

impl<'a> Warning<'a> {
    /// A warning of one type.
    pub(super) fn of(of: &'a TypeView<'_>, diagnostic: Diagnostic) -> Self {
        Self { diagnostic, types: BTreeSet::from([of.head.name.as_str()]) }
    }
}

impl<'a> View<'a> {
    pub(crate) fn new(
        document: &'a Document,
        grammar: &'a Grammar,
        zone: Option<&'a str>,
        heads: &'a [TypeHead],
        environments: &'a BTreeMap<String, Environment>,
        facts: &'a Facts,
    ) -> Self {
        // The spec has no mistakes; what merging it again would say is said already.
        let mut said = Diagnostics::new();
        let types = heads::chains(document, &mut said)
            .into_iter()
            .filter_map(|(block, chain)| {
                let name = block.label()?;
                let head = heads.iter().find(|head| head.name == name)?;
                let environment = environments.get(name)?;
                let merged = merge(document, grammar, &chain, &mut said);
                Some(TypeView { head, chain, merged, environment })
            })
            .collect();
        let mut nodes = Vec::new();
        visit(&document.nodes, Children::Set(&grammar.top), grammar, &Rc::from([]), &mut nodes);
        Self { nodes, zone, types, facts, unused: OnceCell::new() }
    }

    /// Calls `f` for every node, with its rule and the nodes around it, outermost first.
    pub(super) fn walk(&self, f: &mut dyn FnMut(&'a Node, &'static NodeRule, &[&'a Node])) {
        for (node, rule, around) in &self.nodes {
            f(node, rule, around);
        }
    }

    /// The paths of all templates that the spec names, each with where it stands.
    pub(super) fn templates(&self) -> Vec<&'a Scalar> {
        let mut found = Vec::new();
        self.walk(&mut |node, _, _| found.extend(template_of(node)));
        found
    }

    /// True when every template that the spec names could be read.
    pub(super) fn knows_templates(&self) -> bool {
        let known = |path: &&Scalar| {
            path.as_text().is_some_and(|path| self.facts.templates.contains_key(path))
        };
        self.templates().iter().all(known)
    }
}

/// The template that a node names.
pub(crate) fn template_of(node: &Node) -> Option<&Scalar> {
    match node.name.value.as_str() {
        "template" => node.args.first(),
        "file" => node.prop("template"),
        _ => None,
    }
}

fn visit<'a>(
    nodes: &'a [Node],
    rules: Children<'_>,
    grammar: &Grammar,
    around: &Rc<[&'a Node]>,
    out: &mut Vec<Visit<'a>>,
) {
    for node in nodes {
        let Some(rule) = rules.get(&node.name.value) else { continue };
        out.push((node, rule, Rc::clone(around)));
        if !node.children.is_empty() {
            let inside: Rc<[&Node]> = around.iter().copied().chain([node]).collect();
            visit(&node.children, grammar.children(rule), grammar, &inside, out);
        }
    }
}
