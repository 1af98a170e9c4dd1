//! One environment while it is resolved: what its texts may refer to, and what went wrong.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use envc_core::{Diagnostic, Diagnostics, Marker, Part, Span, Text};
use envc_syntax::{Node, Scalar};

use crate::{Instance, PortRange, check, codes, merge::Merged};

/// A `let`, a host: resolved when it is first asked for.
#[derive(Clone, Debug)]
pub(crate) enum Slot<T> {
    /// Not asked for yet.
    New,
    /// Being resolved: asked for again, it is a cycle.
    Busy,
    /// Resolved.
    Done(Rc<T>),
}

/// A reference that is not known before anything exists, or that only this machine knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Late {
    /// As written, without braces.
    pub(crate) path: String,
    /// A port: known before apply, but no part of a name.
    pub(crate) port: bool,
}

/// A resolved text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolved {
    /// The text.
    pub(crate) text: Text,
    /// The first reference in it that may not stand in a name.
    pub(crate) late: Option<Late>,
    /// The text with [`meet::ID`](crate::meet::ID) and [`meet::NUMBER`](crate::meet::NUMBER) in
    /// the places of the ID and of the pull request's number; none where it holds neither.
    pub(crate) pattern: Option<String>,
    /// A mistake was reported: what follows from it is not.
    pub(crate) broken: bool,
    /// How many `let`s it goes through, one after the other.
    pub(crate) depth: usize,
}

impl Resolved {
    /// Appends text as it stands.
    pub(crate) fn push(&mut self, text: &str) {
        if let Some(pattern) = &mut self.pattern {
            pattern.push_str(text);
        }
        self.text.push(Part::Lit(text.to_owned()));
    }

    /// Appends a piece; whether it may stand there, and how deep it is, the caller knows.
    pub(crate) fn append(&mut self, text: Text, pattern: Option<String>) {
        if self.pattern.is_some() || pattern.is_some() {
            let own = |text: &Text| text.as_literal().unwrap_or_default().to_owned();
            let before = self.pattern.take().unwrap_or_else(|| own(&self.text));
            self.pattern = Some(before + &pattern.unwrap_or_else(|| own(&text)));
        }
        self.text.append(text);
    }
}

/// Which patterns the names of a type were made from, by the name that they gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Patterns(BTreeMap<String, BTreeSet<String>>);

impl Patterns {
    /// Notes where a name comes from.
    pub(crate) fn note(&mut self, name: &str, pattern: &str) {
        self.0.entry(name.to_owned()).or_default().insert(pattern.to_owned());
    }

    /// The patterns of a name; the name itself where none is known.
    pub(crate) fn of<'p>(&'p self, name: &'p str) -> Vec<&'p str> {
        match self.0.get(name) {
            Some(patterns) => patterns.iter().map(String::as_str).collect(),
            None => vec![name],
        }
    }
}

/// What `{host.X}` and `{url.X}` stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResolvedHost {
    /// The host: in the zone, or `localhost:PORT` on the local cloud.
    pub(crate) host: String,
    /// With scheme.
    pub(crate) url: String,
    /// The host in the zone, with the route's pattern where it is one.
    pub(crate) pattern: String,
    /// A mistake was reported.
    pub(crate) broken: bool,
}

/// Where a host is declared.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostNode<'a> {
    /// The `ingress`, `route` or `domain`.
    pub(crate) node: &'a Node,
    /// The worker around a `route` or a `domain`.
    pub(crate) worker: Option<&'a Node>,
    /// The tunnel around an `ingress`.
    pub(crate) tunnel: Option<&'a Node>,
}

impl<'a> HostNode<'a> {
    /// The host or the pattern as written.
    pub(crate) fn scalar(&self) -> Option<&'a Scalar> {
        if self.worker.is_some() { self.node.args.first() } else { self.node.prop("host") }
    }
}

/// What is given to resolve one environment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    /// The project's name.
    pub(crate) project: &'a str,
    /// What stands for the project in names.
    pub(crate) prefix: &'a str,
    /// The project's zone.
    pub(crate) zone: Option<&'a str>,
    /// The type's name.
    pub(crate) type_name: &'a str,
    /// The instance.
    pub(crate) instance: &'a Instance,
    /// The ID is fixed: names need not hold it.
    pub(crate) fixed: bool,
    /// `protect`
    pub(crate) protect: bool,
    /// Each environment of the type belongs to a pull request.
    pub(crate) per_pr: bool,
    /// The nodes of the type.
    pub(crate) merged: &'a Merged<'a>,
}

/// One environment while it is resolved.
#[derive(Debug)]
pub(crate) struct Resolver<'a> {
    /// What was given.
    pub(crate) given: Given<'a>,
    /// The ranges of all port owners.
    pub(crate) ports: BTreeMap<&'a str, PortRange>,
    /// The `let`s.
    pub(crate) lets: BTreeMap<&'a str, Slot<Resolved>>,
    /// The hosts of ingresses, routes and domains, by name.
    pub(crate) hosts: BTreeMap<&'a str, (HostNode<'a>, Slot<ResolvedHost>)>,
    /// The attributes of leases that were referred to: lease and attribute.
    pub(crate) lease_uses: BTreeSet<(&'a str, String)>,
    /// What is asked for just now, outermost first: the way of a cycle.
    pub(crate) stack: Vec<(&'static str, &'a str)>,
    /// Where names and hosts come from.
    pub(crate) patterns: Patterns,
    /// Characters of all texts so far.
    pub(crate) chars: usize,
    /// The mistakes.
    pub(crate) found: Diagnostics,
}

impl<'a> Resolver<'a> {
    /// Lists what texts may refer to.
    pub(crate) fn new(given: Given<'a>) -> Self {
        let merged = given.merged;
        let mut found = Diagnostics::new();
        let lets =
            merged.all("let").filter_map(Node::label).map(|name| (name, Slot::New)).collect();
        Self {
            ports: port_ranges(merged, &mut found),
            hosts: hosts(merged, &mut found),
            given,
            lets,
            lease_uses: BTreeSet::new(),
            stack: Vec::new(),
            patterns: Patterns::default(),
            chars: 0,
            found,
        }
    }

    /// The marker of a resource with this label.
    pub(crate) fn marker<'m>(&'m self, label: &'m str) -> Marker<'m> {
        let Given { project, instance, .. } = self.given;
        Marker { project, env: &instance.id, label, repository: instance.repository }
    }

    /// Reports a mistake.
    pub(crate) fn error(&mut self, diagnostic: Diagnostic) {
        self.found.push(diagnostic);
    }
}

/// The ranges of all port owners: workers and `port` nodes.
pub(crate) fn port_ranges<'a>(
    merged: &'a Merged<'_>,
    found: &mut Diagnostics,
) -> BTreeMap<&'a str, PortRange> {
    let mut ranges: BTreeMap<&str, PortRange> = BTreeMap::new();
    let mut places: BTreeMap<&str, Span> = BTreeMap::new();
    let mut fixed: BTreeMap<u16, Span> = BTreeMap::new();
    let owners = merged.all("worker").filter_map(|worker| {
        let scalar = worker.child("port")?.args.first()?;
        Some((worker, scalar))
    });
    let nodes = merged.all("port").filter_map(|port| Some((port, port.args.get(1)?)));
    let mut owners: Vec<(&Node, &Scalar)> = owners.chain(nodes).collect();
    owners.sort_by_key(|(_, scalar)| scalar.span);
    for (node, scalar) in owners {
        let (Some(name), Some(range)) = (node.label(), scalar.as_text().and_then(check::ports))
        else {
            continue;
        };
        if let Some(first) = places.insert(name, node.label_span()) {
            let message = format!("two owners of a port are called \"{name}\"");
            found.push(
                Diagnostic::error(codes::PORT_COLLISION, node.label_span(), message)
                    .label(first, "the first one")
                    .help("give the `port` node another name than the worker"),
            );
        }
        let single = range.first == range.last;
        if let Some(first) = single.then(|| fixed.insert(range.first, scalar.span)).flatten() {
            let message = format!("port {} is fixed twice", range.first);
            found.push(
                Diagnostic::error(codes::PORT_COLLISION, scalar.span, message)
                    .at("again")
                    .label(first, "first fixed here")
                    .help("write a range, such as \"3000-3999\", so that worktrees do not collide"),
            );
        }
        ranges.insert(name, range);
    }
    ranges
}

/// The hosts that the nodes of a type declare, by name.
fn hosts<'a>(
    merged: &'a Merged<'a>,
    found: &mut Diagnostics,
) -> BTreeMap<&'a str, (HostNode<'a>, Slot<ResolvedHost>)> {
    let mut out: BTreeMap<&'a str, (HostNode<'a>, Slot<ResolvedHost>)> = BTreeMap::new();
    let ingresses = merged
        .all("tunnel")
        .flat_map(|tunnel| tunnel.children_named("ingress").map(move |node| (tunnel, node)));
    for (tunnel, node) in ingresses {
        let Some(name) = node.label() else { continue };
        let entry = (HostNode { node, worker: None, tunnel: Some(tunnel) }, Slot::New);
        if let Some((first, _)) = out.insert(name, entry) {
            let message = format!("two ingresses are called \"{name}\"");
            found.push(
                Diagnostic::error(codes::DUPLICATE, node.label_span(), message)
                    .at("again")
                    .label(first.node.label_span(), "first declared here")
                    .help("ingresses are referred to by name alone: give one another name"),
            );
        }
    }
    for worker in merged.all("worker") {
        let routes = worker.children.iter().filter(|node| is_route(node));
        for node in routes {
            let given = node.prop("name");
            let Some(name) = given.and_then(Scalar::as_text).or(worker.label()) else { continue };
            match (out.get(name), given) {
                (None, _) => {
                    let host = HostNode { node, worker: Some(worker), tunnel: None };
                    out.insert(name, (host, Slot::New));
                }
                // The first one has the worker's name; others need `name=` to be referred to.
                (Some(_), None) => {}
                (Some((first, _)), Some(given)) => {
                    let message = format!("two hosts are called \"{name}\"");
                    found.push(
                        Diagnostic::error(codes::DUPLICATE, given.span, message)
                            .at("again")
                            .label(first.node.span, "has that name")
                            .help("hosts are referred to by name alone: give one another name"),
                    );
                }
            }
        }
    }
    out
}

/// True for the nodes of a worker that give it a public address.
pub(crate) fn is_route(node: &Node) -> bool {
    matches!(node.name.value.as_str(), "route" | "domain")
}
