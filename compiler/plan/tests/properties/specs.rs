//! Random desired graphs, with values from the kinds' own attribute tables.

use std::{collections::BTreeMap, sync::LazyLock};

use envc_core::{
    Address, Desired, KindId, Marker, Mode, Output, PhysicalName, RepositoryDigest, SEPARATOR,
    Sealed, Span, Text, Value,
};
use envc_kinds::{self as bindings, Fields, Normal, Spelling, kind, same};
use envc_plan::MigrationFile;
use proptest::{collection::vec, prelude::*};
use serde_json::Value as Json;

use crate::account::REPOSITORY;

/// What the code of a Worker ends with that has a `queue` handler.
pub(crate) const QUEUE: &str = "-queue";
/// The zone of all records.
pub(crate) const ZONE: &str = "example.com";
/// The marker of a resource of the environment under test.
pub(crate) fn marker(address: &Address) -> String {
    let repository = RepositoryDigest::of(REPOSITORY);
    Marker { project: "p", env: "e", label: address.name(), repository }.to_string()
}

/// Kinds that need nothing else: what a Worker can be bound to.
pub(crate) static SIMPLE: LazyLock<Vec<KindId>> =
    LazyLock::new(|| bindings::bindables().map(|(kind, _)| kind.facts().id).collect());

/// A spec, in numbers that shrink.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    simple: Vec<Simple>,
    tunnels: Vec<(u8, bool, Option<u8>)>,
    records: Vec<Record>,
    workers: Vec<Worker>,
}

#[derive(Clone, Debug)]
struct Worker {
    label: u8,
    renamed: bool,
    values: u16,
    /// Cron triggers, a route, a domain, the queue that it reads.
    triggers: (Option<u8>, Option<u8>, Option<u8>, Option<u8>),
    /// Which of what there is it is bound to: a bit each.
    binds: u8,
    /// The script whose Durable Objects it is bound to.
    objects: Option<u8>,
    /// The queue of letters that its consumer gives up.
    dead_letter: Option<u8>,
}

#[derive(Clone, Debug)]
struct Simple {
    kind: usize,
    label: u8,
    renamed: bool,
    values: u16,
    /// Above 5 it is `existing`.
    mode: u8,
}

#[derive(Clone, Debug)]
struct Record {
    label: u8,
    cname: bool,
    host: u8,
    content: u8,
    proxied: Option<bool>,
    words: bool,
    /// Another type, by one of the other spellings of contents, and whether it is written so.
    spelling: Option<(u8, bool)>,
}

pub(crate) fn spec() -> impl Strategy<Value = Spec> {
    let simple = (0..SIMPLE.len(), 0..3_u8, any::<bool>(), any::<u16>(), 0..8_u8).prop_map(
        |(kind, label, renamed, values, mode)| Simple { kind, label, renamed, values, mode },
    );
    let tunnel = (0..2_u8, any::<bool>(), prop::option::of(0..2_u8));
    let record =
        (0..4_u8, any::<bool>(), 0..3_u8, 0..4_u8, prop::option::of(any::<bool>()), any::<bool>())
            .prop_map(|(label, cname, host, content, proxied, words)| Record {
                label,
                cname,
                host,
                content,
                proxied,
                words,
                spelling: None,
            });
    let spelling = prop::option::weighted(0.3, (any::<u8>(), any::<bool>()));
    let record = (record, spelling).prop_map(|(record, spelling)| Record { spelling, ..record });
    let some = || prop::option::of(0..2_u8);
    let triggers = (some(), some(), some(), some());
    let refers = (any::<u8>(), prop::option::weighted(0.2, 0..2_u8), some());
    let worker = (0..2_u8, prop::bool::weighted(0.2), any::<u16>(), triggers, refers).prop_map(
        |(label, renamed, values, triggers, (binds, objects, dead_letter))| Worker {
            label,
            renamed,
            values,
            triggers,
            binds,
            objects,
            dead_letter,
        },
    );
    (vec(simple, 0..6), vec(tunnel, 0..3), vec(record, 0..5), vec(worker, 0..3))
        .prop_map(|(simple, tunnels, records, workers)| Spec { simple, tunnels, records, workers })
}

/// A value of the spec that is this JSON.
pub(crate) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => Value::Int(number.as_i64().unwrap()),
        Json::String(text) => Value::text(text.clone()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(map) => {
            if let Some(sealed) = Sealed::from_json(json) {
                return Value::Sealed(sealed.into());
            }
            Value::Map(map.iter().map(|(name, item)| (name.clone(), value(item))).collect())
        }
    }
}

/// The n-th value that the API takes for an attribute.
pub(crate) fn sample(id: KindId, attr: &str, n: usize) -> Json {
    let attr = kind(id).attrs().iter().find(|it| it.name == attr).unwrap();
    let samples = attr.samples;
    samples.get(n % samples.len().max(1)).map_or(Json::Null, |text| {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    })
}

/// The name of a resource: the spec's own, or the one that it does not give.
fn name_of(label: &str, own: bool) -> String {
    if own {
        return format!("p-{label}x-e");
    }
    PhysicalName { project: "p", label, env: "e" }.to_string()
}

/// All other spellings of an attribute.
pub(crate) fn spellings(id: KindId, attr: &str) -> &'static [Spelling] {
    let attr = kind(id).attrs().iter().find(|it| it.name == attr);
    match attr.map(|attr| attr.normal) {
        Some(Normal::Form { spellings, .. }) => spellings,
        _ => &[],
    }
}

/// JSON as an attribute's table has it.
fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The same value written in another way, where one is known.
pub(crate) fn respelt(id: KindId, field: &str, fields: &Fields<Json>) -> Option<Json> {
    let now = fields.get(field)?;
    let all = spellings(id, field).iter();
    let mut ways = all.flat_map(|spelling| [json(spelling.written), json(spelling.means)]);
    ways.find(|other| other != now && same(kind(id), field, (other, fields), (now, fields)))
}

/// The same natural key written in another way, where there is one.
pub(crate) fn renamed(id: KindId, name: &str) -> Option<String> {
    let loud = name.to_uppercase();
    let ways = [format!("{loud}."), loud];
    ways.into_iter().find(|other| other != name && kind(id).key(other) == kind(id).key(name))
}

/// The same graph, every value and name written in another way that is known.
pub(crate) fn graph_respelt(graph: &BTreeMap<Address, Desired>) -> BTreeMap<Address, Desired> {
    let mut graph = graph.clone();
    for wanted in graph.values_mut() {
        let id = wanted.address.kind();
        let known: Fields<Json> = wanted
            .fields
            .iter()
            .filter_map(|(field, value)| Some((field.clone(), value.resolve(&mut |_| None)?)))
            .collect();
        for (field, now) in &mut wanted.fields {
            if let Some(other) = respelt(id, field, &known) {
                *now = value(&other);
            }
        }
        if let Some(name) = renamed(id, &wanted.name) {
            wanted.name = name;
        }
    }
    graph
}

pub(crate) fn desired(address: Address, name: String) -> Desired {
    Desired {
        address,
        default_name: name.contains(SEPARATOR),
        name,
        mode: Mode::Managed,
        protect: false,
        fields: BTreeMap::new(),
        zone: None,
        parent: None,
        span: Span::default(),
    }
}

impl Spec {
    /// The graph. `ids` are identifiers in the account that `existing` may name. What the compiler
    /// refuses (two resources with one physical name) is left out.
    pub(crate) fn graph(
        &self,
        protect: bool,
        ids: &[(KindId, String)],
    ) -> BTreeMap<Address, Desired> {
        let mut graph: BTreeMap<Address, Desired> = BTreeMap::new();
        let mut add = |mut wanted: Desired| {
            wanted.protect = protect;
            let id = wanted.address.kind();
            let taken = wanted.parent.is_none()
                && graph.values().any(|other| {
                    other.address.kind() == id && kind(id).collides(&wanted.name, &other.name)
                });
            if !taken && !graph.contains_key(&wanted.address) {
                graph.insert(wanted.address.clone(), wanted);
            }
        };
        self.simple.iter().for_each(|simple| add(simple.desired(ids)));
        for (label, renamed, ingress) in &self.tunnels {
            let tunnel = Address::new(KindId::Tunnel, format!("t{label}"));
            let name = name_of(&format!("t{label}"), *renamed);
            add(desired(tunnel.clone(), name.clone()));
            if let Some(n) = ingress {
                let address = Address::new(KindId::TunnelConfig, format!("t{label}"));
                let mut config = desired(address, name);
                let rules = sample(KindId::TunnelConfig, "ingress", usize::from(*n));
                config.fields.insert("ingress".into(), value(&rules));
                config.parent = Some(tunnel);
                add(config);
            }
        }
        let tunnels: Vec<Address> =
            graph.keys().filter(|address| address.kind() == KindId::Tunnel).cloned().collect();
        let mut add = |wanted: Desired| {
            let id = wanted.address.kind();
            let taken = graph.values().any(|other| {
                other.address.kind() == id && kind(id).collides(&wanted.name, &other.name)
            });
            if !taken && !graph.contains_key(&wanted.address) {
                graph.insert(wanted.address.clone(), wanted);
            }
        };
        for record in &self.records {
            let mut wanted = record.desired(&tunnels);
            wanted.protect = protect;
            add(wanted);
        }
        for (n, worker) in self.workers.iter().enumerate() {
            // One label, one Worker.
            if self.workers.iter().take(n).any(|it| it.label == worker.label) {
                continue;
            }
            for mut wanted in worker.desired(&graph, &self.workers) {
                wanted.protect = protect;
                let id = wanted.address.kind();
                let taken = wanted.parent.is_none()
                    && graph
                        .values()
                        .any(|other| other.address.kind() == id && other.name == wanted.name);
                if !taken && !graph.contains_key(&wanted.address) {
                    graph.insert(wanted.address.clone(), wanted);
                }
            }
        }
        // A configuration whose tunnel was left out goes with it.
        let known: Vec<Address> = graph.keys().cloned().collect();
        graph.retain(|_, wanted| wanted.parent.as_ref().is_none_or(|it| known.contains(it)));
        graph
    }
}

impl Spec {
    /// The migrations of its databases.
    pub(crate) fn migrations(
        &self,
        graph: &BTreeMap<Address, Desired>,
    ) -> BTreeMap<Address, Vec<MigrationFile>> {
        let databases = graph.keys().filter(|it| it.kind() == KindId::D1);
        let files = |address: &Address| {
            let of = |it: &&Simple| format!("l{}", it.label) == address.name() && it.kind == 0;
            let count = self.simple.iter().find(of).map_or(0, |it| it.values % 4);
            let file = |n| MigrationFile {
                name: format!("{n}.sql"),
                path: format!("sql/{n}.sql"),
                text: format!("-- {n}"),
            };
            (0..count).map(file).collect()
        };
        databases.map(|address| (address.clone(), files(address))).collect()
    }
}

/// Sets some of the attributes to one of their samples each.
fn set(wanted: &mut Desired, values: u16) {
    let (id, mut choice) = (wanted.address.kind(), usize::from(values));
    for attr in kind(id).attrs() {
        if choice % 3 > 0 && !attr.samples.is_empty() {
            let json = sample(id, attr.name, choice % 3 - 1);
            wanted.fields.insert(attr.name.to_owned(), value(&json));
        }
        choice /= 3;
    }
}

impl Worker {
    /// The script, and what stands behind it.
    fn desired(&self, graph: &BTreeMap<Address, Desired>, workers: &[Self]) -> Vec<Desired> {
        let label = format!("w{}", self.label);
        let name = name_of(&label, self.renamed);
        let address = Address::new(KindId::Worker, &label);
        let (crons, route, domain, queue) = self.triggers;
        let queues: Vec<&Desired> = graph
            .values()
            .filter(|wanted| wanted.address.kind() == KindId::Queue && wanted.is_managed())
            .collect();
        let consumed = queue.and_then(|n| queues.get(usize::from(n)));
        let mut script = desired(address.clone(), name.clone());
        set(&mut script, self.values);
        let marker = marker(&script.address);
        script.fields.insert("marker".into(), Value::text(marker));
        script.fields.insert("bindings".into(), Value::List(self.bindings(graph, workers)));
        let code =
            format!("{:02x}{}", self.values & 7, if consumed.is_some() { QUEUE } else { "" });
        script.fields.insert("code".into(), Value::text(code));
        let mut all = vec![script];
        if let Some(n) = crons {
            let mut wanted = desired(Address::new(KindId::WorkerCrons, &label), name);
            let crons = sample(KindId::WorkerCrons, "crons", usize::from(n));
            wanted.fields.insert("crons".into(), value(&crons));
            wanted.parent = Some(address.clone());
            all.push(wanted);
        }
        let script = Value::Text(Text::output(address, Output::Name));
        let places = [
            (KindId::WorkerRoute, route, "/*", Some(ZONE.to_owned())),
            (KindId::WorkerDomain, domain, "", Some(ZONE.to_owned())),
        ];
        for (id, n, path, zone) in places {
            let Some(n) = n else { continue };
            let host = format!("w{n}.{ZONE}{path}");
            let mut wanted = desired(Address::new(id, format!("{label}.{host}")), host);
            wanted.fields.insert("script".into(), script.clone());
            wanted.zone = zone;
            all.push(wanted);
        }
        if let Some(queue) = consumed {
            let label = format!("{label}.{}", queue.address.name());
            let address = Address::new(KindId::QueueConsumer, label);
            let mut wanted = desired(address, queue.name.clone());
            set(&mut wanted, self.values);
            let id = Text::output(queue.address.clone(), Output::Id);
            wanted.fields.insert("queue".into(), Value::Text(id));
            wanted.fields.insert("script".into(), script);
            if let Some(dead) = self.dead_letter.and_then(|n| queues.get(usize::from(n))) {
                let name = Text::output(dead.address.clone(), Output::Name);
                wanted.fields.insert("dead-letter".into(), Value::Text(name));
            }
            all.push(wanted);
        }
        all
    }

    fn bindings(&self, graph: &BTreeMap<Address, Desired>, workers: &[Self]) -> Vec<Value> {
        let targets = graph.keys().filter(|address| SIMPLE.contains(&address.kind()));
        let bound = targets.enumerate().filter(|(n, _)| n < &8 && self.binds >> n & 1 == 1);
        let mut all: Vec<Value> = bound
            .filter_map(|(n, address)| bindings::to_resource(&format!("B{n}"), address))
            .collect();
        // Cycles are a mistake of the spec, which has its own test.
        let other = self.objects.filter(|other| {
            let back = |it: &Self| it.label == *other && it.objects.is_some();
            *other != self.label
                && workers.iter().any(|it| it.label == *other)
                && !workers.iter().any(back)
        });
        all.extend(other.map(|label| {
            let script = Address::new(KindId::Worker, format!("w{label}"));
            bindings::durable_object("ROOM", "Room", Some(Text::output(script, Output::Name)))
        }));
        all
    }
}

impl Simple {
    fn desired(&self, ids: &[(KindId, String)]) -> Desired {
        let id = SIMPLE[self.kind];
        let label = format!("l{}", self.label);
        let name = name_of(&label, self.renamed);
        let mut wanted = desired(Address::new(id, label), name);
        match self.mode {
            6 => wanted.mode = Mode::ExistingName,
            7 => {
                let of_kind: Vec<&String> =
                    ids.iter().filter(|(kind, _)| *kind == id).map(|(_, id)| id).collect();
                let pick = of_kind.get(usize::from(self.values) % of_kind.len().max(1));
                let found = pick.map_or_else(|| "none".to_owned(), |id| (*id).clone());
                wanted.mode = Mode::ExistingId(found);
            }
            _ => set(&mut wanted, self.values),
        }
        wanted
    }
}

impl Record {
    fn desired(&self, tunnels: &[Address]) -> Desired {
        let odd = self.spelling.and_then(|(n, written)| {
            let all = spellings(KindId::Dns, "content");
            let spelling = all.get(usize::from(n) % all.len())?;
            let text = if written { spelling.written } else { spelling.means };
            let (_, record_type) = spelling.beside.iter().find(|(field, _)| *field == "type")?;
            Some((json(record_type).as_str()?.to_owned(), json(text)))
        });
        let plain = if self.cname { "CNAME" } else { "A" };
        let record_type = odd.as_ref().map_or(plain, |(record_type, _)| record_type);
        let host = format!("h{}.{ZONE}", self.host);
        let address = Address::new(KindId::Dns, format!("d{}", self.label));
        let mut wanted = desired(address, format!("{record_type} {host}"));
        let content = match tunnels.get(usize::from(self.content)) {
            _ if odd.is_some() => value(odd.as_ref().map_or(&Json::Null, |(_, content)| content)),
            Some(tunnel) if self.cname => {
                let mut text = Text::output(tunnel.clone(), Output::Id);
                text.append(Text::literal(".cfargotunnel.com"));
                Value::Text(text)
            }
            _ => value(&sample(KindId::Dns, "content", usize::from(self.content))),
        };
        let marker = marker(&wanted.address);
        let comment = if self.words { format!("{marker} words") } else { marker };
        wanted.fields = BTreeMap::from([
            ("type".into(), Value::text(record_type)),
            ("name".into(), Value::text(host)),
            ("content".into(), content),
            ("comment".into(), Value::text(comment)),
        ]);
        if let Some(proxied) = self.proxied {
            wanted.fields.insert("proxied".into(), Value::Bool(proxied));
        }
        wanted.zone = Some(ZONE.into());
        wanted
    }
}
