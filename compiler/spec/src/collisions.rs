//! Two things that would be one: names, hosts, files.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, Diagnostic, Diagnostics, Span, join_path, kept_by};
use envc_kinds::{Worker, kind};
use envc_syntax::{Node, Scalar};

use crate::{Environment, LOCAL_STATE_DEFAULT, SecretProvider, codes, resolver::Resolver};

impl Resolver<'_> {
    /// Reports all collisions inside one environment.
    pub(crate) fn check_collisions(&mut self, environment: &Environment) {
        self.check_hosts();
        names(declared(environment), &mut self.found);
        self.check_scripts(environment);
        self.check_files(environment);
    }

    fn check_hosts(&mut self) {
        let names: Vec<&str> = self.hosts.keys().copied().collect();
        let mut hosts = Vec::new();
        for name in names {
            let Some((host, _)) = self.hosts.get(name) else { continue };
            let host = *host;
            let span = host.scalar().map_or(host.node.span, |scalar| scalar.span);
            if let Some(address) = self.address(name, span).filter(|address| !address.broken) {
                hosts.push((span, address.pattern.clone(), host));
            }
        }
        hosts.sort_by(|(a, one, _), (b, other, _)| (a, one).cmp(&(b, other)));
        let mut seen: BTreeMap<String, Taken<'_>> = BTreeMap::new();
        for (span, pattern, host) in hosts {
            let tunnel = host.tunnel.and_then(Node::label);
            let path = host.node.prop("path").and_then(Scalar::as_text).unwrap_or_default();
            let Some(taken) = seen.get_mut(&pattern) else {
                seen.insert(pattern, Taken { tunnel, first: span, paths: [(path, span)].into() });
                continue;
            };
            // One tunnel tells the paths of a host apart.
            let shared = tunnel.is_some() && tunnel == taken.tunnel;
            let first = if shared {
                let Some(first) = taken.paths.get(path).copied() else {
                    taken.paths.insert(path, span);
                    continue;
                };
                first
            } else {
                taken.first
            };
            let (with, or) = match (shared, path) {
                (false, _) => (String::new(), ""),
                (true, "") => (String::new(), ", or a `path=` of its own"),
                (true, path) => (format!(" and the path `{path}`"), ", or another `path=`"),
            };
            let message = format!("two ingresses or routes have the host `{pattern}`{with}");
            self.error(
                Diagnostic::error(codes::HOST_COLLISION, span, message)
                    .at("again")
                    .label(first, "first used here")
                    .help(format!("give one of them another host{or}")),
            );
        }
    }

    fn check_scripts(&mut self, environment: &Environment) {
        let mut seen: BTreeMap<&str, Span> = BTreeMap::new();
        for worker in environment.workers.iter().filter(|worker| !worker.script.is_empty()) {
            if let Some(first) = seen.insert(&worker.script, worker.span) {
                let message = format!("two workers have the script name `{}`", worker.script);
                self.error(
                    Diagnostic::error(codes::NAME_COLLISION, worker.span, message)
                        .at("again")
                        .label(first, "first used here")
                        .help("give one of them another `name=`"),
                );
            }
        }
    }

    fn check_files(&mut self, environment: &Environment) {
        let written = environment.written().into_iter();
        let mut paths: Vec<(String, Span)> =
            written.map(|(path, span)| (join_path("", &path), span)).collect();
        for provider in &environment.secrets {
            if let SecretProvider::Dotenv { path, span } = provider {
                paths.push((join_path("", path), *span));
            }
        }
        paths.sort_by_key(|(_, span)| *span);
        for (path, span) in &paths {
            self.check_private_folder(path, *span);
        }
        if let Some(persist) = &environment.persist {
            let path = join_path("", &persist.path);
            if path.is_empty() {
                self.error(
                    Diagnostic::error(
                        codes::INVALID_VALUE,
                        persist.span,
                        "`persist=` is the spec's own folder",
                    )
                    .help("name a folder of its own, such as persist=\".wrangler-state\""),
                );
            }
            if path != LOCAL_STATE_DEFAULT {
                self.check_private_folder(&path, persist.span);
            }
            paths.push((path, persist.span));
        }
        let mut seen: BTreeMap<String, Span> = BTreeMap::new();
        for (path, span) in paths {
            if let Some(first) = seen.get(&path) {
                let message = format!("two files have the path `{path}`");
                self.error(
                    Diagnostic::error(codes::FILE_COLLISION, span, message)
                        .at("again")
                        .label(*first, "first used here")
                        .help("give one of them another path"),
                );
            } else {
                seen.insert(path, span);
            }
        }
        self.check_overwritten(&seen, environment);
    }

    /// What git and envc keep for themselves is nobody else's to write.
    fn check_private_folder(&mut self, path: &str, span: Span) {
        let Some(owner) = path.split('/').find_map(kept_by) else { return };
        self.error(
            Diagnostic::error(
                codes::FILE_COLLISION,
                span,
                format!("`{path}` lies in a folder that {owner} keeps for itself"),
            )
            .at("written here")
            .help("give the file another path"),
        );
    }

    /// What is read must not be written over.
    fn check_overwritten(&mut self, written: &BTreeMap<String, Span>, environment: &Environment) {
        let merged = self.given.merged;
        let workers = merged.all("worker").filter_map(|node| node.child("template")?.args.first());
        let files = merged.all("file").filter_map(|node| node.prop("template"));
        let templates = workers.chain(files).map(|scalar| {
            (
                join_path("", scalar.as_text().unwrap_or_default()),
                "a template is read from here",
                scalar.span,
            )
        });
        let mut read: Vec<(String, &str, Span)> = templates.collect();
        for dir in environment.migrations.values() {
            read.push((join_path("", &dir.path), "migrations are read from here", dir.span));
        }
        for seed in environment.seeds.values() {
            read.push((join_path("", &seed.path), "a seed is read from here", seed.span));
        }
        for (path, why, place) in read {
            // A file that is written into a folder of migrations is read as one.
            let inside = format!("{path}/");
            let below = written.iter().find(|(name, _)| {
                name.strip_prefix(&inside)
                    .is_some_and(|name| name.to_ascii_lowercase().ends_with(".sql"))
            });
            let at = written.get_key_value(&path).or(below);
            if let Some((path, span)) = at {
                let message = format!(
                    "the generated file `{path}` would be written over what it is read from"
                );
                self.error(
                    Diagnostic::error(codes::FILE_COLLISION, *span, message)
                        .at("written here")
                        .label(place, why)
                        .help("give the generated file, or the template, another path"),
                );
            }
        }
        if let Some(span) = written.get(SPEC_FILE) {
            self.error(
                Diagnostic::error(
                    codes::FILE_COLLISION,
                    *span,
                    "the spec itself would be written over",
                )
                .help("give the generated file another path"),
            );
        }
    }
}

/// A host that something has.
struct Taken<'a> {
    /// The tunnel that leads it on, where it is an ingress.
    tunnel: Option<&'a str>,
    first: Span,
    /// The paths of that tunnel's ingresses.
    paths: BTreeMap<&'a str, Span>,
}

/// The name that a spec is found by.
const SPEC_FILE: &str = "environment.kdl";

/// The resources whose own nodes name them. What a Worker makes is checked with the Worker, and so is
/// its script, since wrangler may deploy it.
pub(crate) fn declared(environment: &Environment) -> impl Iterator<Item = &Desired> {
    let workers: BTreeSet<Address> = environment.workers.iter().map(Worker::address).collect();
    environment.resources.values().filter(move |desired| {
        kind(desired.address.kind()).declared().is_some() && !workers.contains(&desired.address)
    })
}

/// Reports resources of one kind that have one physical name.
pub(crate) fn names<'d>(all: impl Iterator<Item = &'d Desired>, found: &mut Diagnostics) {
    let mut sorted: Vec<&Desired> =
        all.filter(|desired| !desired.name.is_empty() && desired.parent.is_none()).collect();
    let key = |desired: &Desired| (desired.address.kind(), desired.span);
    sorted.sort_by(|a, b| (group(a), key(a)).cmp(&(group(b), key(b))));
    let same =
        |a: &&Desired, b: &&Desired| a.address.kind() == b.address.kind() && group(a) == group(b);
    let group_of = group;
    for group in sorted.chunk_by(same).filter(|group| group.len() > 1) {
        for (position, second) in group.iter().enumerate() {
            let id = second.address.kind();
            let others = group.iter().take(position);
            let clash = others.copied().find(|first| kind(id).collides(&second.name, &first.name));
            let Some(first) = clash else { continue };
            if is_ingress(first) && is_ingress(second) {
                continue; // reported as hosts
            }
            let shared = group_of(second);
            let (message, help) = if shared == second.name {
                let noun = kind(id).noun();
                (format!("two {noun}s have the name `{shared}`"), "give one of them another name")
            } else {
                let message = format!(
                    "{} and {} both make a record for `{shared}`",
                    first.address, second.address
                );
                (message, "give one of them another host: a CNAME stands alone under its name")
            };
            found.push(
                Diagnostic::error(codes::NAME_COLLISION, second.span, message)
                    .at(format!("{} again", second.address))
                    .label(first.span, format!("{} has it already", first.address))
                    .help(help),
            );
        }
    }
}

/// What two colliding resources have in common: the host of a record, else the name.
pub(crate) fn group(desired: &Desired) -> &str {
    kind(desired.address.kind()).contested(&desired.name)
}

/// True for a record that an ingress makes: a name that a node gives has no dot.
fn is_ingress(desired: &Desired) -> bool {
    desired.address.name().contains('.')
}
