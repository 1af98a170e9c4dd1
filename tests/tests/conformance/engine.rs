//! envc's own engine against the local cloud, both in this process: kinds, planner, checker and
//! runner as they are, the world around them in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use axum::body::{Body, to_bytes};
use bytes::Bytes;
use envc_cloud::{Cloud, CloudConfig, Faults};
use envc_core::{
    Address, Desired, Digest, KeyedDigest, KindId, Mode, Output, Sealed, Sealer, Secret, Span,
    Text, Value, Vault,
};
use envc_exec::{
    Account, Client, Endpoint, Leasing, Look, Run, Silent, World, find_zones, observe,
    ports::{Clock, Entropy, StateStore, StoreError, Transport, TransportError, Version},
};
use envc_kinds::{Call, Fields, Kind, Module, Observed, Upload, Wanted, kind};
use envc_plan::{Observation, Ownership, Plan, PlanInputs, State, StateKey, check, plan_apply};
use futures::future::BoxFuture;
use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// The zone of everything that lives in one.
pub(crate) const ZONE: &str = "example.com";
/// The repository of the project under test.
const REPOSITORY: &str = "git.example/p";
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What is wanted, by address.
pub(crate) type Graph = BTreeMap<Address, Desired>;

/// An account and an environment in it.
pub(crate) struct Engine {
    cloud: Cloud,
    _folder: TempDir,
    runtime: Runtime,
    zone: String,
    stored: Mutex<Option<(State, u64)>>,
    now_ms: AtomicU64,
    stop: AtomicBool,
}

impl Engine {
    pub(crate) fn start() -> Self {
        Self::with(ZONE, "")
    }

    /// With another zone, and with faults in their text form.
    pub(crate) fn with(zone: &str, faults: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = CloudConfig {
            dir: folder.path().to_owned(),
            zones: vec![zone.to_owned()],
            faults: Faults::parse(faults).unwrap(),
            ..CloudConfig::default()
        };
        Self {
            cloud: Cloud::open(config).unwrap(),
            _folder: folder,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            zone: zone.to_owned(),
            stored: Mutex::default(),
            now_ms: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        }
    }

    fn client(&self) -> Client<'_> {
        let endpoint = Endpoint {
            base_url: "http://cloud/client/v4".into(),
            token: Secret::new(self.cloud.token()),
        };
        let world = World {
            transport: self,
            clock: self,
            entropy: self,
            progress: &Silent,
            stop: &self.stop,
        };
        Client::new(endpoint, world)
    }

    async fn account(&self, client: &Client<'_>) -> Account {
        let mut account =
            Account { id: self.cloud.account_id().to_owned(), zones: BTreeMap::new() };
        find_zones(client, &mut account, &BTreeSet::from([self.zone.clone()])).await.unwrap();
        account
    }

    fn state(&self) -> Option<State> {
        self.stored.lock().unwrap().as_ref().map(|(state, _)| state.clone())
    }

    /// Forgets all that is recorded.
    pub(crate) fn lose_state(&self) {
        self.stored.lock().unwrap().take();
    }

    /// What is recorded of a resource: its identifier and its fields.
    pub(crate) fn recorded(&self, address: &Address) -> (String, Fields<Json>) {
        let recorded = self.state().unwrap().resources[address].clone();
        (recorded.id, recorded.fields)
    }

    pub(crate) fn observe(&self, wanted: &Graph) -> Observation {
        let client = self.client();
        self.runtime.block_on(async {
            let account = self.account(&client).await;
            observe(
                &client,
                &account,
                wanted,
                self.state().as_ref(),
                Look::default(),
                &ownership(wanted),
            )
            .await
            .unwrap()
        })
    }

    /// A resource as lists and reads tell of it.
    pub(crate) fn seen(&self, wanted: &Graph, address: &Address) -> Observed {
        let (id, _) = self.recorded(address);
        let observation = self.observe(wanted);
        let mut all = observation.found[&address.kind()].iter();
        all.find(|seen| seen.observed.id == id).unwrap().observed.clone()
    }

    pub(crate) fn plan(&self, wanted: &Graph) -> Plan {
        let plan = plan_apply(&PlanInputs {
            key: key(),
            repository: REPOSITORY.into(),
            env_type: "local".into(),
            spec: Digest::of("spec"),
            protect: false,
            leases: &BTreeMap::new(),
            desired: wanted,
            state: self.state().as_ref(),
            observation: &self.observe(wanted),
            ownership: &ownership(wanted),
            keep: &BTreeSet::new(),
            migrations: &BTreeMap::new(),
            seeds: &BTreeMap::new(),
            asked: envc_plan::Asked::default(),
            sealer: &Sealer::new(KeyedDigest::new([0; 32]), "p", "e"),
        });
        plan.unwrap_or_else(|refusals| panic!("{refusals:#?}"))
    }

    /// Plans and runs; the plan that was run comes back.
    pub(crate) fn apply(&self, wanted: &Graph, uploads: &Uploads) -> Plan {
        let plan = self.plan(wanted);
        let checked = check(plan.clone()).unwrap();
        let client = self.client();
        let stored = self.stored.lock().unwrap().clone();
        let version = stored.as_ref().map(|(_, n)| Version(n.to_string()));
        let state = stored.map(|(state, _)| state);
        let state = state.unwrap_or_else(|| State::new(key(), REPOSITORY, "local", "lineage"));
        let report = self.runtime.block_on(async {
            let account = self.account(&client).await;
            let run = Run {
                client: &client,
                account: &account,
                store: self,
                plan: &checked,
                migrations: &BTreeMap::new(),
                seeds: &BTreeMap::new(),
                ledgers: &BTreeMap::new(),
                uploads,
                vault: &vault(),
                parallelism: 4,
                part: false,
                dirty: false,
                ownership: &ownership(wanted),
                leasing: Leasing {
                    pools: None,
                    held: &BTreeMap::new(),
                    pool_of: &BTreeMap::new(),
                    digest: &KeyedDigest::new([0; 32]),
                },
            };
            envc_exec::run(&run, state, version).await.unwrap()
        });
        assert!(report.failures.is_empty(), "{:#?}", report.failures);
        plan
    }

    /// A change behind envc's back.
    pub(crate) fn call(
        &self,
        kind: &dyn Kind,
        make: impl FnOnce(&envc_kinds::Place) -> Call,
    ) -> Json {
        let client = self.client();
        self.runtime.block_on(async {
            let account = self.account(&client).await;
            let place = account.place(kind.in_zone().then_some(&self.zone));
            client.call(&make(&place), Some(kind)).await.unwrap().result
        })
    }

    /// Sets one field as somebody else would do it, and nothing besides.
    pub(crate) fn set_outside(
        &self,
        graph: &Graph,
        address: &Address,
        (field, value): (&str, &Json),
        uploads: &Uploads,
    ) {
        let kind = kind(address.kind());
        let (id, mut fields) = self.recorded(address);
        fields.insert(field.to_owned(), value.clone());
        let wanted = Wanted {
            name: graph[address].name.clone(),
            fields,
            parent_id: String::new(),
            before: BTreeMap::new(),
            upload: uploads.get(address).cloned(),
            secrets: BTreeMap::new(),
            chance: String::new(),
        };
        self.call(kind, |place| kind.update(place, &id, &wanted, &[field.to_owned()]));
    }
}

impl Transport for Engine {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let Ok(response) = self.cloud.router().oneshot(request.map(Body::from)).await;
            let (head, body) = response.into_parts();
            let body = to_bytes(body, ANSWER_BYTES_MAX).await.expect("the answer can be read");
            Ok(http::Response::from_parts(head, body))
        })
    }
}

impl Clock for Engine {
    fn monotonic_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn unix_ms(&self) -> u64 {
        self.monotonic_ms()
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'_, ()> {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
        Box::pin(async {})
    }
}

impl Entropy for Engine {
    fn unit(&self) -> f64 {
        0.5
    }

    fn hex(&self, bytes: usize) -> String {
        "0".repeat(bytes * 2)
    }
}

impl StateStore for Engine {
    fn place(&self) -> String {
        "memory".into()
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<(State, Version)>, StoreError>> {
        let stored = self.stored.lock().unwrap().clone();
        Box::pin(async move { Ok(stored.map(|(state, n)| (state, Version(n.to_string())))) })
    }

    fn save<'a>(
        &'a self,
        state: &'a State,
        _expected: Option<&'a Version>,
    ) -> BoxFuture<'a, Result<Version, StoreError>> {
        let mut stored = self.stored.lock().unwrap();
        let next = stored.as_ref().map_or(1, |(_, n)| n + 1);
        *stored = Some((state.clone(), next));
        Box::pin(async move { Ok(Version(next.to_string())) })
    }

    fn remove<'a>(&'a self, _expected: &'a Version) -> BoxFuture<'a, Result<(), StoreError>> {
        self.lose_state();
        Box::pin(async { Ok(()) })
    }

    fn lock_held(&self) -> bool {
        true
    }
}

fn key() -> StateKey {
    StateKey { cloud: "local".into(), account: "a".into(), project: "p".into(), env: "e".into() }
}

/// Everything that is there is taken over.
fn ownership(wanted: &Graph) -> Ownership {
    Ownership {
        project: "p".into(),
        prefix: "p".into(),
        env: "e".into(),
        adopt: wanted.keys().cloned().collect(),
        ..Ownership::default()
    }
}

/// What uploads carry, by address.
pub(crate) type Uploads = BTreeMap<Address, Arc<Upload>>;

/// One resource with nothing but what it needs, and what it needs besides.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) graph: Graph,
    pub(crate) uploads: Uploads,
    /// The resource that it is about.
    pub(crate) subject: Address,
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

/// The texts of all sealed values that the kinds' tables have.
fn vault() -> Vault {
    fn keep(json: &Json, vault: &mut Vault) {
        match (Sealed::from_json(json), json) {
            (Some(sealed), _) => {
                let text = format!("the text of {json}");
                vault.put(sealed, Secret::new(text));
            }
            (None, Json::Object(map)) => map.values().for_each(|item| keep(item, vault)),
            (None, _) => {}
        }
    }
    let mut vault = Vault::default();
    let attrs = envc_kinds::registry().iter().flat_map(|kind| kind.attrs());
    attrs.flat_map(|attr| attr.samples).for_each(|sample| keep(&json(sample), &mut vault));
    vault
}

/// JSON as an attribute's table has it.
pub(crate) fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

const CODE: &[u8] = b"export class Room {} export class Lobby {}\n\
                      export default { fetch() {}, queue() {}, scheduled() {} }";

impl Ground {
    /// A kind that is said nothing of here is made as its sample says.
    pub(crate) fn of(id: KindId) -> Self {
        let subject = Address::new(id, "x");
        let mut ground = Self { graph: Graph::new(), uploads: Uploads::new(), subject };
        match id {
            KindId::TunnelConfig => {
                let tunnel = ground.add(KindId::Tunnel, "p--x--e", &[]).address.clone();
                let rules = r#"[{"hostname":"x.example.com","service":"http://localhost:9"}]"#;
                ground.add(id, "p--x--e", &[("ingress", rules)]).parent = Some(tunnel);
            }
            KindId::Dns => {
                let record = [
                    ("type", r#""A""#),
                    ("name", r#""x.example.com""#),
                    ("content", r#""192.0.2.9""#),
                    ("comment", r#""envc:p/e/x""#),
                ];
                ground.add(id, "A x.example.com", &record);
            }
            KindId::Hyperdrive => {
                let origin = ["scheme", "host", "port", "database", "user", "password"];
                let of = |field| {
                    let attr = kind(id).attrs().iter().find(|attr| attr.name == field).unwrap();
                    (field, attr.samples[0])
                };
                ground.add(id, "p--x--e", &origin.map(of));
            }
            KindId::Worker => ground.script(),
            KindId::WorkerCrons => {
                ground.script();
                let worker = Address::new(KindId::Worker, "x");
                ground.add(id, "p--x--e", &[("crons", r#"["1 2 3 4 *"]"#)]).parent = Some(worker);
            }
            KindId::WorkerRoute => {
                ground.script();
                ground.add(id, "x.example.com/*", &[]).of_script();
            }
            KindId::WorkerDomain => {
                ground.script();
                ground.add(id, "x.example.com", &[]).of_script();
            }
            KindId::QueueConsumer => {
                ground.script();
                let queue = ground.add(KindId::Queue, "p--x--e", &[]).address.clone();
                let consumer = ground.add(id, "p--x--e", &[]);
                consumer.of_script();
                consumer.set("queue", Value::Text(Text::output(queue, Output::Id)));
            }
            _ => ground.add_sample(id),
        }
        ground
    }

    /// What the kind's own sample asks for, its secrets left out.
    fn add_sample(&mut self, id: KindId) {
        let sample = envc_kinds::declared(id).expect("a node declares it").node().sample;
        let spec = format!(
            "project \"p\" {{ zone \"{ZONE}\" }}\n\
             environment \"e\" default {{ identity \"e\" }}\n{sample}\n"
        );
        let instance = envc_spec::Instance {
            id: "e".into(),
            branch: None,
            pr: None,
            sha: None,
            ports: BTreeMap::new(),
            local_cloud: true,
            repository: envc_core::RepositoryDigest::UNKNOWN,
        };
        let spec = envc_spec::load(&spec).0.expect("a sample can be read");
        let mut environment = spec.environment("e", &instance).expect("a sample is right");
        let mut wanted = environment.resources.remove(&Address::new(id, "x")).expect("it is x");
        wanted.fields.retain(|_, value| !value.is_private());
        self.graph.insert(wanted.address.clone(), wanted);
    }

    fn add(&mut self, id: KindId, name: &str, fields: &[(&str, &str)]) -> &mut Desired {
        let address = Address::new(id, "x");
        let fields = fields.iter().map(|(field, text)| ((*field).to_owned(), value(&json(text))));
        let wanted = Desired {
            address: address.clone(),
            name: name.to_owned(),
            mode: Mode::Managed,
            protect: false,
            fields: fields.collect(),
            default_name: false,
            zone: kind(id).in_zone().then(|| ZONE.to_owned()),
            parent: None,
            span: Span::default(),
        };
        self.graph.insert(address.clone(), wanted);
        self.graph.get_mut(&address).unwrap()
    }

    fn script(&mut self) {
        let fields = [
            ("code", r#""00""#),
            ("bundle", r#""2 modules""#),
            ("main", r#""index.js""#),
            ("bindings", "[]"),
            ("compatibility-flags", "[]"),
            ("marker", r#""envc:p/e/x""#),
        ];
        self.add(KindId::Worker, "p--x--e", &fields);
        let module = |name: &str| Module { name: name.into(), bytes: CODE.to_vec() };
        let modules = vec![module("index.js"), module("worker.js")];
        let upload = Upload { modules };
        self.uploads.insert(Address::new(KindId::Worker, "x"), Arc::new(upload));
    }

    /// The same with a field of the subject set.
    pub(crate) fn with(&self, field: &str, json: &Json) -> Self {
        let mut other = self.clone();
        other.graph.get_mut(&self.subject).unwrap().set(field, value(json));
        other.settle();
        other
    }

    /// The same with another natural key of the subject.
    pub(crate) fn named(&self, name: &str) -> Self {
        let mut other = self.clone();
        name.clone_into(&mut other.graph.get_mut(&self.subject).unwrap().name);
        other
    }

    pub(crate) fn sets(&self, field: &str) -> bool {
        self.graph[&self.subject].fields.contains_key(field)
    }

    /// True for a field that names another resource.
    pub(crate) fn refers(&self, field: &str) -> bool {
        let value = self.graph[&self.subject].fields.get(field);
        value.is_some_and(|value| !value.addresses().is_empty())
    }

    /// The natural key of a record is made of its fields.
    fn settle(&mut self) {
        let wanted = self.graph.get_mut(&self.subject).unwrap();
        if wanted.address.kind() == KindId::Dns {
            let text = |field: &str| match &wanted.fields[field] {
                Value::Text(text) => text.as_literal().unwrap().to_owned(),
                other => panic!("{other:?}"),
            };
            wanted.name = format!("{} {}", text("type"), text("name"));
        }
    }
}

/// What grounds are made of.
trait Build {
    fn set(&mut self, field: &str, value: Value);
    fn of_script(&mut self);
}

impl Build for Desired {
    fn set(&mut self, field: &str, value: Value) {
        self.fields.insert(field.to_owned(), value);
    }

    fn of_script(&mut self) {
        let script = Text::output(Address::new(KindId::Worker, "x"), Output::Name);
        self.set("script", Value::Text(script));
    }
}
