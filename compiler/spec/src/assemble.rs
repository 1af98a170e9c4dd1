//! One environment put together from the nodes of its type.

use std::collections::BTreeMap;

use envc_core::{Address, Desired, Diagnostic, KindId, Text, parse_duration_s};
use envc_kinds::{Worker, declared};
use envc_syntax::{Node, Scalar};

use crate::{
    Dotenv, DotenvReader, Endpoint, Environment, FileSpec, MigrateMode, MigrationDir, SpecPath,
    TypeHead, Unsupported, codes, existing::Existing, merge::Merged, names::Lowering,
    refs::Purpose, resolver::Resolver, settings,
};

/// Permission bits of a file when `mode=` is left out.
const FILE_MODE: u32 = 0o644;

/// What the nodes come to.
struct Graph {
    resources: BTreeMap<Address, Desired>,
    by_others: BTreeMap<Address, Desired>,
    workers: Vec<Worker>,
}

impl<'a> Resolver<'a> {
    /// Resolves everything.
    pub(crate) fn environment(&mut self, head: &TypeHead, project: &Node) -> Environment {
        let given = self.given;
        let merged = given.merged;
        let existing = Existing::read(merged, given.type_name, &mut self.found);
        let mut unsupported = settings::unsupported(merged, project);
        self.check_settings();
        self.check_worker_cycles();
        let lets = self.all_lets();
        let Graph { resources, by_others, workers } = self.graph(&existing, &mut unsupported);
        let text = |kind: &str| merged.single(kind).and_then(Node::label);
        let mut environment = Environment {
            project: given.project.to_owned(),
            prefix: given.prefix.to_owned(),
            zone: given.zone.map(str::to_owned),
            type_name: given.type_name.to_owned(),
            instance: given.instance.clone(),
            identity: head.identity.clone(),
            protect: given.protect,
            migrate: match text("migrate") {
                Some("manual") => MigrateMode::Manual,
                _ => MigrateMode::Auto,
            },
            ttl_s: text("ttl").and_then(|ttl| parse_duration_s(ttl).ok()),
            state_store: settings::state_store(project),
            migrations: migrations(merged),
            seeds: seeds(merged),
            local_connections: self.local_connections(),
            resources,
            by_others,
            workers,
            dotenvs: self.dotenvs(),
            files: self.files(),
            endpoints: self.endpoints(),
            lets,
            secrets: settings::providers(merged),
            edge: self.edge(project),
            requires: settings::requires(merged),
            // After all texts: what they refer to is known by now.
            leases: BTreeMap::new(),
            dev_remote: !given.instance.local_cloud
                && match text("dev") {
                    Some(word) => word == "remote",
                    // What is somebody else's, or must not be harmed, is worked on when asked alone.
                    None => !given.protect && !has_existing(merged),
                },
            persist: persist(merged),
            unsupported: sorted(unsupported),
        };
        environment.leases = self.leases();
        self.check_collisions(&environment);
        environment
    }

    fn all_lets(&mut self) -> BTreeMap<String, Text> {
        let merged = self.given.merged;
        let mut out = BTreeMap::new();
        for node in merged.all("let") {
            let Some(name) = node.label() else { continue };
            if let Some(value) = self.let_value(name, node.label_span()) {
                out.insert(name.to_owned(), value.text);
            }
        }
        out
    }

    /// All resources, and the Workers. What is made of others comes after them.
    fn graph(&mut self, existing: &Existing<'a>, unsupported: &mut Vec<Unsupported>) -> Graph {
        let merged = self.given.merged;
        let nothing = BTreeMap::new();
        let mut cx =
            Lowering { resolver: self, existing, workers: &[], resources: &nothing, unsupported };
        let mut resources = by_address(lowered(merged, false, &mut cx));
        let workers: Vec<Worker> =
            merged.all("worker").map(|node| Worker::read(node, &mut cx)).collect();
        cx.unsupported.extend(late_texts(&resources));
        let (workers_read, before) = (workers.as_slice(), &resources);
        let mut cx = Lowering { workers: workers_read, resources: before, ..cx };
        let others = lowered(merged, true, &mut cx);
        let by_others = by_address(by_others(merged, &mut cx));
        resources.extend(others.into_iter().map(|wanted| (wanted.address.clone(), wanted)));
        Graph { resources, by_others, workers }
    }

    fn local_connections(&mut self) -> BTreeMap<Address, Text> {
        let merged = self.given.merged;
        let mut out = BTreeMap::new();
        for node in merged.nodes() {
            let kind = KindId::parse(&node.name.value);
            let (Some(kind), Some(local)) = (kind, node.prop("local")) else { continue };
            let text = self.resolve(local, Purpose::Private).text;
            out.insert(Address::new(kind, node.label().unwrap_or_default()), text);
        }
        out
    }

    /// `id=` stands in `existing` only.
    fn only_existing_by_id(&mut self, node: &Node) {
        let Some(scalar) = node.prop("id") else { return };
        let (kind, label) = (&node.name.value, node.label().unwrap_or_default());
        self.error(
            Diagnostic::error(
                codes::EXISTING_BY,
                scalar.span,
                format!("`id=` belongs to a {kind} that exists already"),
            )
            .help(format!("write existing {{ {kind} \"{label}\" id=\"…\" }} in the environment")),
        );
    }

    fn dotenvs(&mut self) -> Vec<Dotenv> {
        let merged = self.given.merged;
        let nodes = merged.nodes().filter(|node| node.name.value == "dotenv");
        nodes
            .map(|node| Dotenv {
                path: node.label().unwrap_or_default().to_owned(),
                vars: node
                    .children
                    .iter()
                    .filter_map(|var| {
                        let value = self.resolve(var.args.first()?, Purpose::Private);
                        Some((var.name.value.clone(), value.text))
                    })
                    .collect(),
                reader: node.prop("for").and_then(Scalar::as_text).and_then(DotenvReader::parse),
                span: node.label_span(),
            })
            .collect()
    }

    fn files(&mut self) -> Vec<FileSpec> {
        let merged = self.given.merged;
        let nodes = merged.nodes().filter(|node| node.name.value == "file");
        nodes
            .map(|node| FileSpec {
                path: node.label().unwrap_or_default().to_owned(),
                template: node
                    .prop("template")
                    .and_then(Scalar::as_text)
                    .unwrap_or_default()
                    .to_owned(),
                mode: self.mode(node),
                span: node.label_span(),
            })
            .collect()
    }

    fn mode(&mut self, node: &Node) -> u32 {
        let Some(scalar) = node.prop("mode") else { return FILE_MODE };
        let text = scalar.as_text().unwrap_or_default();
        let octal = !text.is_empty() && text.bytes().all(|b| matches!(b, b'0'..=b'7'));
        let mode = u32::from_str_radix(text, 8).ok().filter(|mode| octal && *mode <= 0o777);
        if mode.is_none() {
            let message = format!("`{text}` is not a file's mode");
            self.error(
                Diagnostic::error(codes::INVALID_VALUE, scalar.span, message)
                    .help("write octal permission bits, such as \"0755\""),
            );
        }
        mode.unwrap_or(FILE_MODE)
    }

    fn endpoints(&mut self) -> Vec<Endpoint> {
        let names: Vec<&'a str> = self.hosts.keys().copied().collect();
        let mut out = Vec::new();
        for name in names {
            let Some((host, _)) = self.hosts.get(name) else { continue };
            let (node, optional) = (host.node, host.node.has_flag("optional"));
            let Some(address) = self.address(name, node.name.span) else { continue };
            if !address.broken {
                out.push(Endpoint {
                    name: name.to_owned(),
                    host: address.host.clone(),
                    url: address.url.clone(),
                    optional,
                });
            }
        }
        out
    }
}

/// The resources of the nodes whose kinds are made of others, or of the nodes whose kinds are not.
fn lowered(merged: &Merged<'_>, of_others: bool, cx: &mut Lowering<'_, '_>) -> Vec<Desired> {
    let mut out: Vec<Desired> = Vec::new();
    for node in merged.nodes() {
        let Some(id) = KindId::parse(&node.name.value) else { continue };
        let Some(kind) = declared(id).filter(|kind| kind.node().after_others == of_others) else {
            continue;
        };
        cx.resolver.only_existing_by_id(node);
        let label = node.label().unwrap_or_default();
        let known = cx.existing.get(id.as_str(), label);
        for mut desired in kind.lower(node, cx) {
            let main = desired.address.kind() == id;
            match known {
                Some(known) if main => desired.mode = known.mode(),
                // What lives and dies with something that exists is not envc's either.
                Some(_) if desired.parent.is_some() => continue,
                Some(_) | None => {}
            }
            if let Some(place) = cx.existing.place(id.as_str(), label).filter(|_| main) {
                desired.span = place;
            }
            out.push(desired);
        }
    }
    out
}

/// What others make of the nodes.
fn by_others(merged: &Merged<'_>, cx: &mut Lowering<'_, '_>) -> Vec<Desired> {
    let mut out = Vec::new();
    for node in merged.nodes() {
        let kind = KindId::parse(&node.name.value).and_then(declared);
        out.extend(kind.into_iter().flat_map(|kind| kind.by_others(node, cx)));
    }
    out
}

/// What resources ask of private texts that is not done yet.
fn late_texts(resources: &BTreeMap<Address, Desired>) -> Vec<Unsupported> {
    let mut out = Vec::new();
    for desired in resources.values() {
        for (field, value) in desired.fields.iter().filter(|(_, value)| value.is_private()) {
            let mut late = false;
            value.each_text(&mut |text| late |= text.is_late());
            let what = format!(
                "a lease, a tunnel's token or an ID in the private `{field}` of {}",
                desired.address
            );
            out.extend(late.then_some(Unsupported { what, span: desired.span }));
        }
    }
    out
}

/// Resources by address; the last one counts where an address comes twice. Sorted by position
/// first, because a resource is large and moves only once then.
fn by_address(all: Vec<Desired>) -> BTreeMap<Address, Desired> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|at| all.get(*at).map(|desired| &desired.address));
    let mut all: Vec<Option<Desired>> = all.into_iter().map(Some).collect();
    let sorted = order.into_iter().filter_map(|at| all.get_mut(at)?.take());
    sorted.map(|desired| (desired.address.clone(), desired)).collect()
}

/// True where a resource is another's.
fn has_existing(merged: &Merged<'_>) -> bool {
    merged.single("existing").is_some_and(|node| {
        node.children.iter().any(|row| KindId::parse(&row.name.value).is_some())
    })
}

/// Where wrangler keeps its local copies, where the spec says so.
fn persist(merged: &Merged<'_>) -> Option<SpecPath> {
    let scalar = merged.single("dev")?.prop("persist")?;
    Some(SpecPath { path: scalar.as_text()?.to_owned(), span: scalar.span })
}

/// The seed of each database that has one.
fn seeds(merged: &Merged<'_>) -> BTreeMap<Address, SpecPath> {
    merged
        .nodes()
        .filter_map(|node| {
            let scalar = node.child("seed")?.args.first()?;
            let address = Address::new(KindId::parse(&node.name.value)?, node.label()?);
            let path = scalar.as_text()?.to_owned();
            Some((address, SpecPath { path, span: scalar.span }))
        })
        .collect()
}

/// The migration folders of the databases that have one.
fn migrations(merged: &Merged<'_>) -> BTreeMap<Address, MigrationDir> {
    merged
        .nodes()
        .filter_map(|node| {
            let migrations = node.child("migrations")?;
            let scalar = migrations.args.first()?;
            let address = Address::new(KindId::parse(&node.name.value)?, node.label()?);
            let path = scalar.as_text()?.to_owned();
            let text = |name| Some(migrations.prop(name)?.as_text()?.to_owned());
            let (pattern, ledger) = (text("pattern"), text("table"));
            Some((address, MigrationDir { path, pattern, ledger, span: scalar.span }))
        })
        .collect()
}

fn sorted(mut all: Vec<Unsupported>) -> Vec<Unsupported> {
    all.sort_by_key(|one| one.span);
    all
}
