//! The entry: a text to a spec, a spec and an instance to an environment.

use std::collections::BTreeMap;

use envc_core::{Diagnostic, Diagnostics, KindId, Span, limits};
use envc_syntax::{Document, Node};

use crate::{
    Environment, Identity, Instance, TypeHead, check, codes,
    collisions::group,
    grammar::Grammar,
    heads,
    merge::merge,
    print,
    scope::{Given, Scope},
    settings,
};

/// A spec without mistakes.
#[derive(Debug)]
pub struct Spec {
    document: Document,
    grammar: Grammar,
    heads: Vec<TypeHead>,
}

/// Reads a spec: parses it, checks it, and resolves every type with the longest ID that it can
/// have, so that a mistake of any type is found. There is a spec exactly when there is no error.
pub fn load(text: &str) -> (Option<Spec>, Diagnostics) {
    let (mut document, mut found) = envc_syntax::parse(text);
    if found.has_errors() {
        return (None, found);
    }
    for node in &mut document.nodes {
        if node.name.value == "environment" {
            let name = node.label().map(str::to_owned);
            node.children.iter_mut().for_each(|child| set_origin(child, name.as_ref()));
        }
    }
    let grammar = Grammar::new();
    found.extend(check::check(&document, &grammar));
    check_whole(&document, &mut found);
    if found.has_errors() {
        add_references(&document, &grammar, &mut found);
        return (None, found);
    }
    let heads = resolve_all(&document, &grammar, &mut found);
    let spec = (!found.has_errors()).then_some(Spec { document, grammar, heads });
    (spec, found)
}

/// Adds what is wrong with references, so that all mistakes come in one run. Left out where a
/// declaration could not be read: a reference to it would be no mistake.
fn add_references(document: &Document, grammar: &Grammar, found: &mut Diagnostics) {
    let unread = |code| {
        [codes::UNKNOWN_NODE, codes::MISSING_ARGUMENT, codes::MISSING_PROJECT].contains(&code)
    };
    if found.iter().any(|one| unread(one.code)) {
        return;
    }
    let mut more = Diagnostics::new();
    let _heads = resolve_all(document, grammar, &mut more);
    for one in more.into_sorted() {
        if [codes::UNKNOWN_REFERENCE, codes::BAD_REFERENCE, codes::UNKNOWN_TYPE].contains(&one.code)
        {
            found.push(one);
        }
    }
}

fn set_origin(node: &mut Node, name: Option<&String>) {
    node.origin = name.cloned();
    node.children.iter_mut().for_each(|child| set_origin(child, name));
}

/// What a spec must have as a whole.
fn check_whole(document: &Document, found: &mut Diagnostics) {
    let start = document.nodes.first().map_or(Span::default(), |node| node.name.span);
    match project_node(document) {
        Some(project) => settings::check_project(project, found),
        None => found.push(
            Diagnostic::error(codes::MISSING_PROJECT, start, "the spec names no project")
                .at("the spec begins here")
                .help("begin with project \"my-project\" { zone \"example.com\" }"),
        ),
    }
    let types = || document.nodes.iter().filter(|node| node.name.value == "environment");
    if types().next().is_none() {
        found.push(
            Diagnostic::error(codes::MISSING_ENVIRONMENT, start, "the spec has no environment")
                .at("the spec begins here")
                .help("add environment \"local\" default { identity branch max-length=20 unique }"),
        );
    }
    let mut defaults = types().filter(|node| node.has_flag("default"));
    if let Some(first) = defaults.next() {
        for second in defaults {
            let message = "two environments are the default";
            found.push(
                Diagnostic::error(codes::TWO_DEFAULTS, second.label_span(), message)
                    .at("again")
                    .label(first.label_span(), "the first one")
                    .help("remove `default` from one of them"),
            );
        }
    }
}

fn project_node(document: &Document) -> Option<&Node> {
    document.nodes.iter().find(|node| node.name.value == "project")
}

fn zone_of(project: &Node) -> Option<&str> {
    project.child("zone").and_then(Node::label)
}

/// Resolves every type; an error that several types share is reported once.
fn resolve_all(document: &Document, grammar: &Grammar, found: &mut Diagnostics) -> Vec<TypeHead> {
    let Some(project) = project_node(document) else { return Vec::new() };
    let name = project.label().unwrap_or_default();
    let zone = zone_of(project);
    let mut heads = Vec::new();
    let mut by_type: Vec<(String, Option<String>, Diagnostics)> = Vec::new();
    let mut fixed = Fixed::default();
    for (block, chain) in heads::chains(document, found) {
        let mut own = Diagnostics::new();
        let merged = merge(document, grammar, &chain, &mut own);
        let type_name = block.label().unwrap_or_default();
        let mut made_up = None;
        if let Some(head) = heads::head(block, &merged, name, zone, &mut own) {
            let instance = longest(&head);
            made_up = (!is_fixed(&head.identity)).then(|| instance.id.clone());
            let environment = {
                let mut scope = Scope::new(Given {
                    project: name,
                    zone,
                    type_name,
                    instance: &instance,
                    fixed: is_fixed(&head.identity),
                    protect: head.protect,
                    merged: &merged,
                });
                let environment = scope.environment(&head, project);
                own.extend(scope.found);
                environment
            };
            fixed.add(&head, &environment, found);
            heads.push(head);
        }
        by_type.push((type_name.to_owned(), made_up, own));
    }
    share(by_type, found);
    heads
}

/// A made-up ID that is shorter might be part of a word.
const MADE_UP_CHARS_MIN: usize = 8;

/// An instance with the longest ID that a type can have.
fn longest(head: &TypeHead) -> Instance {
    let id = match &head.identity {
        Identity::Text { pattern, .. } => pattern.replace("{env.pr}", &u32::MAX.to_string()),
        Identity::Branch { max_length, unique } => {
            let length = max_length + if *unique { limits::ID_UNIQUE_CHARS } else { 0 };
            "x".repeat(length)
        }
    };
    Instance {
        id,
        branch: Some("branch".into()),
        pr: Some(u32::MAX),
        sha: Some("0".repeat(40)),
        ports: head.ports.iter().map(|(name, range)| (name.clone(), range.first)).collect(),
        local_cloud: false,
    }
}

fn is_fixed(identity: &Identity) -> bool {
    matches!(identity, Identity::Text { per_pr: false, .. })
}

/// A type, a physical name that it owns, and where it is declared.
type Owner = (String, String, Span);

/// Names of types with a fixed ID: they hold no ID, so two types may share one.
#[derive(Default)]
struct Fixed {
    ids: BTreeMap<String, (String, Span)>,
    names: BTreeMap<(KindId, String), Vec<Owner>>,
}

impl Fixed {
    fn add(&mut self, head: &TypeHead, environment: &Environment, found: &mut Diagnostics) {
        let Identity::Text { pattern, per_pr } = &head.identity else { return };
        let entry = (head.name.clone(), head.span);
        if let Some((other, span)) = self.ids.insert(pattern.clone(), entry) {
            let message = format!("`{other}` and `{}` have the same ID `{pattern}`", head.name);
            found.push(
                Diagnostic::error(codes::DUPLICATE_IDENTITY, head.span, message)
                    .label(span, "the other one")
                    .help("give each type an ID of its own"),
            );
            return; // every name would collide, too
        }
        if *per_pr {
            return;
        }
        for desired in environment.resources.values().filter(|desired| desired.is_managed()) {
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
                let message = format!(
                    "`{other}` and `{}` both own the {} `{name}`",
                    head.name,
                    desired.address.kind()
                );
                let error = Diagnostic::error(codes::NAME_COLLISION, desired.span, message)
                    .at(format!("owned by `{}`", head.name))
                    .help("use {env} in the name, or list it under `existing` in one of the types");
                found.push(error.label(*span, format!("owned by `{other}`")));
            }
            owners.push((head.name.clone(), desired.name.clone(), desired.span));
        }
    }
}

/// Reports each error once, with the types that it belongs to where those are not all. The ID that
/// was made up to resolve a type is shown as what the user wrote.
fn share(by_type: Vec<(String, Option<String>, Diagnostics)>, found: &mut Diagnostics) {
    let types = by_type.len();
    let mut shared: BTreeMap<(Span, &'static str), (Diagnostic, Vec<String>)> = BTreeMap::new();
    for (name, made_up, diagnostics) in by_type {
        for mut diagnostic in diagnostics.into_sorted() {
            if let Some(id) = made_up.as_deref().filter(|id| id.len() >= MADE_UP_CHARS_MIN) {
                diagnostic.message = diagnostic.message.replace(id, "{env}");
            }
            let key = (diagnostic.span(), diagnostic.code);
            let (_, names) = shared.entry(key).or_insert_with(|| (diagnostic, Vec::new()));
            if names.last() != Some(&name) {
                names.push(name.clone());
            }
        }
    }
    for (mut diagnostic, names) in shared.into_values() {
        if names.len() < types {
            let list: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let word = if names.len() == 1 { "environment" } else { "environments" };
            diagnostic.message = format!("{} (in {word} {})", diagnostic.message, list.join(", "));
        }
        found.push(diagnostic);
    }
}

impl Spec {
    /// The project's name.
    pub fn project(&self) -> &str {
        project_node(&self.document).and_then(Node::label).unwrap_or_default()
    }

    /// The project's zone.
    pub fn zone(&self) -> Option<&str> {
        project_node(&self.document).and_then(zone_of)
    }

    /// The types, in the order declared.
    pub fn types(&self) -> &[TypeHead] {
        &self.heads
    }

    /// The head of one type.
    pub fn head(&self, name: &str) -> Option<&TypeHead> {
        self.heads.iter().find(|head| head.name == name)
    }

    /// Resolves one environment.
    pub fn environment(
        &self,
        type_name: &str,
        instance: &Instance,
    ) -> Result<Environment, Diagnostics> {
        let mut found = Diagnostics::new();
        let chains = heads::chains(&self.document, &mut found);
        let chain = chains.into_iter().find(|(block, _)| block.label() == Some(type_name));
        let parts = chain.zip(self.head(type_name)).zip(project_node(&self.document));
        let Some((((_, chain), head), project)) = parts else {
            let known = self.heads.iter().map(|head| head.name.as_str());
            let message = format!("there is no environment \"{type_name}\"");
            let help = crate::suggest::did_you_mean(type_name, known, "");
            found.push(Diagnostic::error(codes::UNKNOWN_TYPE, Span::default(), message).help(help));
            return Err(found);
        };
        let merged = merge(&self.document, &self.grammar, &chain, &mut found);
        let mut scope = Scope::new(Given {
            project: self.project(),
            zone: self.zone(),
            type_name,
            instance,
            fixed: is_fixed(&head.identity),
            protect: head.protect,
            merged: &merged,
        });
        let environment = scope.environment(head, project);
        found.extend(scope.found);
        if found.has_errors() { Err(found) } else { Ok(environment) }
    }

    /// A type as plain KDL: merged, nothing left of `extends`, overriding and `without`. A comment
    /// says which `environment` a node comes from, where it comes from one. `None` for a type that
    /// is not declared.
    pub fn resolved_kdl(&self, type_name: &str) -> Option<String> {
        let mut found = Diagnostics::new();
        let chains = heads::chains(&self.document, &mut found);
        let (block, chain) =
            chains.into_iter().find(|(block, _)| block.label() == Some(type_name))?;
        let merged = merge(&self.document, &self.grammar, &chain, &mut found);
        let project = project_node(&self.document)?;
        Some(print::resolved(project, block, &merged, &self.grammar))
    }

    /// Another type that an ID could belong to: its fixed identity equals the ID, or the ID fits
    /// its pattern. A generated ID of which this holds must not be used.
    pub fn could_be_fixed(&self, id: &str, for_type: &str) -> Option<&TypeHead> {
        self.heads.iter().filter(|head| head.name != for_type).find(|head| match &head.identity {
            Identity::Text { pattern, per_pr } => fits(id, pattern, *per_pr),
            Identity::Branch { .. } => false,
        })
    }
}

fn fits(id: &str, pattern: &str, per_pr: bool) -> bool {
    if !per_pr {
        return id == pattern;
    }
    let Some((before, after)) = pattern.split_once("{env.pr}") else { return false };
    let number = id.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}
