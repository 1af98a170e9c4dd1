//! The entry: a text to a spec, a spec and an instance to an environment.

use std::collections::BTreeMap;

use envc_core::{Diagnostic, Diagnostics, Label, RepositoryDigest, Span, limits};
use envc_kinds::host_in_ascii;
use envc_syntax::{Document, Node, Scalar};

use crate::{
    Environment, Identity, Instance, TypeHead,
    across::{Fixed, OfType, share},
    alike::Alike,
    beyond::beyond,
    check, codes,
    grammar::Grammar,
    heads, lint,
    meet::fits,
    merge::merge,
    name_parts, places, print,
    resolver::{Given, Resolver},
    settings,
};

/// A spec without mistakes.
#[derive(Debug)]
pub struct Spec {
    document: Document,
    grammar: Grammar,
    zone: Option<String>,
    heads: Vec<TypeHead>,
    /// The byte behind the end of each line.
    lines: Vec<usize>,
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
    name_parts::check(&document, &mut found);
    too_many_types(&document, &mut found);
    let hopeless = [codes::TEXT_TOO_LONG, codes::TOO_MANY_TYPES];
    if found.is_full() || found.iter().any(|one| hopeless.contains(&one.code)) {
        return (None, found);
    }
    if found.has_errors() {
        let mut more = Diagnostics::new();
        let _heads = resolve_all(&document, &grammar, &mut more);
        let beyond = beyond(&document, &found, more);
        found.extend(beyond);
        return (None, found);
    }
    let heads = resolve_all(&document, &grammar, &mut found);
    let lines = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    let zone = project_node(&document).and_then(zone_of);
    let spec = (!found.has_errors()).then_some(Spec { document, grammar, zone, heads, lines });
    (spec, found)
}

fn set_origin(node: &mut Node, name: Option<&String>) {
    node.origin = name.cloned();
    node.children.iter_mut().for_each(|child| set_origin(child, name));
}

const SMALLEST: &str = "begin with project \"my-project\" { zone \"example.com\" } and environment \"local\" default { identity branch max-length=20 unique }";

/// What a spec must have as a whole.
fn check_whole(document: &Document, found: &mut Diagnostics) {
    let start = document.nodes.first().map_or(Span::default(), |node| node.name.span);
    if document.nodes.is_empty() {
        // One mistake, though nothing of what a spec needs is there.
        found.push(
            Diagnostic::error(codes::MISSING_PROJECT, start, "the spec is empty").help(SMALLEST),
        );
        return;
    }
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
    check_when(document, found);
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

/// Two types that are chosen by themselves in the same case: a command could not tell which.
fn check_when(document: &Document, found: &mut Diagnostics) {
    let mut seen: Vec<(&str, Span)> = Vec::new();
    for node in document.nodes.iter().filter(|node| node.name.value == "environment") {
        let Some((word, when)) = node.child("when").and_then(|when| Some((when.label()?, when)))
        else {
            continue;
        };
        match seen.iter().find(|(other, _)| *other == word) {
            Some((_, first)) => {
                let message = format!("two environments are chosen by `when {word}`");
                found.push(
                    Diagnostic::error(codes::TWO_DEFAULTS, when.span, message)
                        .at("again")
                        .label(*first, "the first one")
                        .help("keep `when` in one of them: the other is chosen by its name"),
                );
            }
            None => seen.push((word, when.span)),
        }
    }
}

/// Each type is resolved with all that stands outside of types: the work is their product.
fn too_many_types(document: &Document, found: &mut Diagnostics) {
    let is_type = |node: &&Node| node.name.value == "environment";
    let types: Vec<&Node> = document.nodes.iter().filter(is_type).collect();
    let mut shared = 0_usize;
    let mut last = None;
    for node in document.nodes.iter().filter(|node| !is_type(node)) {
        shared += 1 + node.children_named("ingress").count();
        if shared > limits::SHARED_NODES_MAX {
            last = last.or(Some(node));
        }
    }
    let (max_types, max) = (limits::TYPES_MAX, limits::RESOLVED_NODES_MAX);
    let all = types.len() * shared;
    let (place, message) = if let Some(node) = last {
        let max = limits::SHARED_NODES_MAX;
        (node, format!("{shared} nodes stand outside of environments; at most {max} are resolved"))
    } else if let Some(node) = types.get(max_types) {
        (*node, format!("the spec has {} environments; at most {max_types} are read", types.len()))
    } else if let Some(node) = types.last().filter(|_| all > max) {
        let count = types.len();
        let message = format!(
            "{count} environments with {shared} nodes are {all}; at most {max} are resolved"
        );
        (*node, message)
    } else {
        return;
    };
    let error = Diagnostic::error(codes::TOO_MANY_TYPES, place.name.span, message);
    found.push(error.help("split the project into several specs"));
}

fn project_node(document: &Document) -> Option<&Node> {
    document.nodes.iter().find(|node| node.name.value == "project")
}

fn prefix_of(project: &Node) -> &str {
    let short = project.prop("short").and_then(Scalar::as_text);
    short.or(project.label()).unwrap_or_default()
}

/// As DNS carries it, whichever way it is written.
fn zone_of(project: &Node) -> Option<String> {
    project.child("zone").and_then(Node::label).map(host_in_ascii)
}

/// Resolves every type; an error that several types share is reported once.
fn resolve_all(document: &Document, grammar: &Grammar, found: &mut Diagnostics) -> Vec<TypeHead> {
    let Some(project) = project_node(document) else { return Vec::new() };
    let name = project.label().unwrap_or_default();
    let prefix = prefix_of(project);
    let zone = zone_of(project);
    let zone = zone.as_deref();
    let mut heads = Vec::new();
    let mut by_type: Vec<OfType> = Vec::new();
    let mut fixed = Fixed::default();
    let mut alike = Alike::default();
    for (block, chain) in heads::chains(document, found) {
        let mut own = Diagnostics::new();
        let merged = merge(document, grammar, &chain, &mut own);
        let type_name = block.label().unwrap_or_default();
        let mut made_up = None;
        let head = heads::head(block, &merged, name, zone, &mut own);
        let has_head = head.is_some();
        if let Some(head) = head {
            let instance = longest(&head);
            made_up = (!is_fixed(&head.identity)).then(|| instance.id.clone());
            let environment = {
                let mut resolver = Resolver::new(Given {
                    project: name,
                    prefix,
                    zone,
                    type_name,
                    instance: &instance,
                    fixed: is_fixed(&head.identity),
                    protect: head.protect,
                    per_pr: head.is_per_pr(),
                    merged: &merged,
                });
                let environment = resolver.environment(&head, project);
                own.extend(resolver.found);
                alike.add(&head, &environment, &resolver.patterns);
                environment
            };
            fixed.add(&head, &environment, found);
            heads.push(head);
        }
        by_type.push(OfType {
            name: type_name.to_owned(),
            made_up,
            resolved: has_head,
            found: own,
        });
    }
    if found.has_errors() || by_type.iter().any(|one| one.found.has_errors()) {
        // What follows from a mistake is not reported.
        share(document, by_type, found);
        return heads;
    }
    share(document, by_type, found);
    alike.report(found);
    heads
}

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
        // Known only where the environment belongs to a pull request.
        pr: head.is_per_pr().then_some(u32::MAX),
        sha: Some("0".repeat(40)),
        ports: head.ports.iter().map(|(name, range)| (name.clone(), range.first)).collect(),
        local_cloud: false,
        repository: RepositoryDigest::UNKNOWN,
    }
}

fn is_fixed(identity: &Identity) -> bool {
    matches!(identity, Identity::Text { per_pr: false, .. })
}

impl Spec {
    /// The project's name.
    pub fn project(&self) -> &str {
        project_node(&self.document).and_then(Node::label).unwrap_or_default()
    }

    /// The repository that the project says it is of.
    pub fn project_id(&self) -> Option<&str> {
        project_node(&self.document)?.prop("id")?.as_text()
    }

    /// What stands for the project in names: its short form, else its name.
    pub fn prefix(&self) -> &str {
        project_node(&self.document).map(prefix_of).unwrap_or_default()
    }

    /// The project's zone, in ASCII.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
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
        let mut resolver = Resolver::new(Given {
            project: self.project(),
            prefix: self.prefix(),
            zone: self.zone(),
            type_name,
            instance,
            fixed: is_fixed(&head.identity),
            protect: head.protect,
            per_pr: head.is_per_pr(),
            merged: &merged,
        });
        let environment = resolver.environment(head, project);
        found.extend(resolver.found);
        if found.has_errors() { Err(found) } else { Ok(environment) }
    }

    /// Warnings, but for those that are allowed. `environments` holds an instance of each type; the
    /// types that are not there are not looked at.
    pub fn lint(
        &self,
        environments: &BTreeMap<String, Environment>,
        facts: &lint::Facts,
    ) -> Diagnostics {
        let (document, grammar) = (&self.document, &self.grammar);
        let zone = self.zone();
        lint::run(&lint::View::new(document, grammar, zone, &self.heads, environments, facts))
    }

    /// True where an `allow` at the top or in a type's block names a warning: for what only a command
    /// that works on the type can tell.
    pub fn allows(&self, type_name: &str, code: &str) -> bool {
        let top = self.document.nodes.iter();
        let of_type =
            |node: &&Node| node.name.value == "environment" && node.label() == Some(type_name);
        let own = top.clone().filter(of_type).flat_map(|node| &node.children);
        let allows = top.chain(own).filter(|node| node.name.value == "allow");
        let mut words = allows.flat_map(|node| &node.args).filter_map(Scalar::as_text);
        words.any(|word| lint::code(word) == Some(code))
    }

    /// The places where the spec names a template or makes a generated file, in order.
    pub fn places_of(&self, path: &str) -> Vec<Span> {
        places::of(&self.document, path)
    }

    /// The way of a secret to a template that reads `{let.X}` or `{tunnel.X.token}`: each hop, from
    /// what is read to where the secret comes from.
    pub fn way_of_secret(&self, environment: &Environment, reference: &str) -> Vec<Label> {
        let mut said = Diagnostics::new();
        let chains = heads::chains(&self.document, &mut said);
        let chain =
            chains.into_iter().find(|(block, _)| block.label() == Some(&environment.type_name));
        let head = self.head(&environment.type_name);
        let Some(((_, chain), head)) = chain.zip(head) else { return Vec::new() };
        let merged = merge(&self.document, &self.grammar, &chain, &mut said);
        let mut resolver = Resolver::new(Given {
            project: self.project(),
            prefix: self.prefix(),
            zone: self.zone(),
            type_name: &environment.type_name,
            instance: &environment.instance,
            fixed: is_fixed(&head.identity),
            per_pr: head.is_per_pr(),
            protect: head.protect,
            merged: &merged,
        });
        resolver.way_of_secret(reference)
    }

    /// A type as plain KDL: merged, nothing left of `extends`, overriding and `without`. Comments
    /// say which line, and which `environment`, each value comes from. `None` for a type that
    /// is not declared.
    pub fn resolved_kdl(&self, type_name: &str) -> Option<String> {
        let mut found = Diagnostics::new();
        let chains = heads::chains(&self.document, &mut found);
        let (block, chain) =
            chains.into_iter().find(|(block, _)| block.label() == Some(type_name))?;
        let merged = merge(&self.document, &self.grammar, &chain, &mut found);
        let project = project_node(&self.document)?;
        Some(print::resolved(project, block, &merged, &self.grammar, &self.lines))
    }

    /// Another type that an ID could belong to: its fixed identity equals the ID, or the ID fits
    /// its pattern. A generated ID of which this holds must not be used.
    pub fn could_be_fixed(&self, id: &str, for_type: &str) -> Option<&TypeHead> {
        self.heads.iter().filter(|head| head.name != for_type).find(|head| match &head.identity {
            Identity::Text { pattern, .. } => fits(id, pattern),
            Identity::Branch { .. } => false,
        })
    }
}
