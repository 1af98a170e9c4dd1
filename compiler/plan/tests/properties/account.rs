//! A tiny account in memory that does what the API does, and a record of it as exec keeps it.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, KindId, Output, Part};
use envc_kinds::{Held, Mutability, Observed, Place, kind};
use envc_plan::{
    Action, AppliedMigration, BatchWork, Change, DeleteTarget, Grant, IntentAction, LeaseSeen,
    Observation, Plan, Reach, Record, Recorded, RecordedLease, State, StateKey, Target, Work,
    parents_to_read, unlisted,
};
use envc_spec::Lease;
use serde_json::Value as Json;

use crate::specs::{ZONE, renamed, respelt, sample};

/// One object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) fields: BTreeMap<String, Json>,
    /// The identifier of the object it dies with.
    pub(crate) parent: Option<String>,
    /// Made by somebody else.
    pub(crate) foreign: bool,
    /// The migrations that ran on it.
    pub(crate) tables: BTreeSet<String>,
    /// The names that it had before.
    pub(crate) former: BTreeSet<String>,
}

/// The account, and what is recorded of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    pub(crate) objects: BTreeMap<(KindId, String), Object>,
    pub(crate) state: Option<State>,
    /// The preview ID that the environment holds of each pool.
    pub(crate) pools: BTreeMap<String, String>,
    /// What no list shows yet.
    pub(crate) lagging: BTreeSet<(KindId, String)>,
    made: u32,
}

/// Whose project it is.
pub(crate) const REPOSITORY: &str = "git.example/a/p";

pub(crate) fn key() -> StateKey {
    StateKey { cloud: "local".into(), account: "a".into(), project: "p".into(), env: "e".into() }
}

impl Account {
    pub(crate) fn ids(&self) -> Vec<(KindId, String)> {
        self.objects.keys().cloned().collect()
    }

    /// What lists and reads tell: every field that is not set has the server's default.
    pub(crate) fn observe(&self, desired: &BTreeMap<Address, Desired>) -> Observation {
        let mut observation = Observation::default();
        let listed = |id: KindId| kind(id).listing(&Place::default()).is_some();
        let show = |observation: &mut Observation, id: KindId, api_id: &str, object: &Object| {
            let name = self.name_of(id, object);
            observation.add(id, zone_of(id), vec![seen(id, api_id, object, name)]);
        };
        let shown = self.objects.iter().filter(|(key, _)| !self.lagging.contains(*key));
        for ((id, api_id), object) in shown.filter(|((id, _), _)| listed(*id)) {
            show(&mut observation, *id, api_id, object);
        }
        let lists = KindId::ALL.into_iter().filter(|id| listed(*id));
        observation.listed = lists.map(|id| (id, zone_of(id).map(str::to_owned))).collect();
        // What no list shows is asked for by its identifier.
        for one in unlisted(desired, self.state.as_ref(), &observation, Reach::Named) {
            let key = (one.kind, one.id);
            match self.objects.get(&key) {
                Some(object) => show(&mut observation, key.0, &key.1, object),
                None => drop(observation.gone.insert(key)),
            }
        }
        let databases = self.objects.iter().filter(|((id, _), _)| *id == KindId::D1);
        observation.ledgers = databases
            .map(|(key, database)| (key.clone(), Some(database.tables.iter().cloned().collect())))
            .collect();
        // A Worker's domain has a DNS record that is nobody's.
        let domains = self.objects.iter().filter(|((id, _), _)| *id == KindId::WorkerDomain);
        observation.held.extend(domains.map(|((_, api_id), domain)| {
            let name = format!("AAAA {}", domain.name);
            (KindId::Dns, Held { id: format!("of-{api_id}"), name, by: "a domain", help: "" })
        }));
        for (id, parent) in parents_to_read(desired, self.state.as_ref(), &observation) {
            if let Some(object) = self.objects.get(&(id, parent.clone())) {
                observation.add(id, None, vec![seen(id, &parent, object, String::new())]);
            }
        }
        observation
    }

    /// What the pools tell: of recorded leases whether they live, of others what is held.
    pub(crate) fn observe_leases(
        &self,
        wanted: &BTreeMap<String, Lease>,
    ) -> BTreeMap<String, LeaseSeen> {
        let seen = |lease: &Lease| {
            let held = self.pools.get(&lease.pool).cloned();
            let seen =
                held.map_or(LeaseSeen::Absent, |id| LeaseSeen::Held { id, attributes: None });
            (lease.pool.clone(), seen)
        };
        wanted.values().map(seen).collect()
    }

    /// Adds an object behind envc's back.
    pub(crate) fn add(&mut self, id: KindId, object: Object) -> String {
        self.made += 1;
        // The name of a bucket or of a script is its identifier.
        let api_id = match id {
            KindId::R2 | KindId::Worker => object.name.clone(),
            _ => format!("id{}", self.made),
        };
        self.objects.insert((id, api_id.clone()), object);
        api_id
    }

    /// Somebody else gives every queue that is recorded another name.
    pub(crate) fn rename_queues(&mut self) {
        let recorded = self.state.iter().flat_map(|state| state.resources.values());
        let ids: BTreeSet<&str> = recorded.map(|it| it.id.as_str()).collect();
        for (n, ((id, api_id), object)) in self.objects.iter_mut().enumerate() {
            if *id == KindId::Queue && ids.contains(api_id.as_str()) {
                object.name = format!("other-{n}");
            }
        }
    }

    /// What an object is called: a consumer as its queue is now.
    fn name_of(&self, id: KindId, object: &Object) -> String {
        let queue = object.fields.get("queue").and_then(Json::as_str).unwrap_or_default();
        let queue = self.objects.get(&(KindId::Queue, queue.to_owned()));
        let queue = queue.filter(|_| id == KindId::QueueConsumer);
        queue.map_or(&object.name, |queue| &queue.name).clone()
    }

    /// Removes an object with what lives with it. No script goes before its consumers, whoever
    /// asks for it, and no consumer is there without its queue.
    pub(crate) fn remove(&mut self, id: KindId, api_id: &str) {
        self.objects.remove(&(id, api_id.to_owned()));
        self.objects.retain(|(of, _), it| {
            let script = it.fields.get("script").and_then(Json::as_str);
            let queue = it.fields.get("queue").and_then(Json::as_str);
            let goes = match id {
                KindId::Worker => script == Some(api_id),
                KindId::Queue => queue == Some(api_id),
                _ => false,
            };
            !(goes && *of == KindId::QueueConsumer)
        });
        self.objects.retain(|_, object| object.parent.as_deref() != Some(api_id));
    }

    /// True when the API would refuse another object of this name.
    pub(crate) fn is_taken(&self, id: KindId, name: &str, but: &str) -> bool {
        self.objects.iter().any(|((kind_id, api_id), object)| {
            *kind_id == id
                && api_id != but
                && object.parent.is_none()
                && kind(id).collides(name, &self.name_of(id, object))
                || *kind_id != id
                    && kind(id).holds_host(name).is_some_and(|host| {
                        kind(*kind_id).holds_host(&object.name).is_some_and(|its| its == host)
                    })
        })
    }

    /// Runs the first `steps` steps of a plan as exec does, and keeps the record of it: intents
    /// first, outcomes as they come. With `lost`, the last outcome is not recorded.
    pub(crate) fn apply(&mut self, plan: &Plan, steps: usize, lost: bool) {
        let mut run = Run::begin(self, plan);
        let count = steps.min(plan.steps.len());
        for (index, step) in plan.steps.iter().take(count).enumerate() {
            run.recording = !(lost && index + 1 == count);
            run.step(&step.work);
        }
        let state = run.state;
        let whole = count == plan.steps.len() && !lost;
        self.state = (!(whole && state.is_empty())).then_some(state);
    }
}

fn zone_of(id: KindId) -> Option<&'static str> {
    kind(id).in_zone().then_some(ZONE)
}

fn seen(id: KindId, api_id: &str, object: &Object, name: String) -> Observed {
    let mut fields = BTreeMap::new();
    for attr in kind(id).attrs() {
        if attr.mutability != Mutability::CreateOnly && !attr.samples.is_empty() {
            // No queue is a dead letter queue by itself.
            let holds = kind(id).holds_by_name().iter().any(|(field, _)| *field == attr.name);
            let unset = if holds { Json::Null } else { sample(id, attr.name, 0) };
            fields.insert(attr.name.to_owned(), unset);
        }
    }
    fields.extend(object.fields.clone());
    // What is write-only is in no answer.
    let attrs = kind(id).attrs().iter();
    attrs.filter(|attr| attr.mutability == Mutability::WriteOnly).for_each(|attr| {
        fields.remove(attr.name);
    });
    if id == KindId::Worker {
        // What a list of scripts does not tell.
        fields.retain(|field, _| {
            !matches!(&**field, "bindings" | "secrets" | "bundle" | "main" | "migrations")
        });
    }
    let comment = object.fields.get("comment").or(object.fields.get("marker"));
    let comment = comment.and_then(Json::as_str).map(str::to_owned);
    if id == KindId::Dns {
        fields.insert("comment".into(), comment.clone().into());
    }
    // A server has its own way to write what it was sent.
    let other: Vec<(String, Json)> = fields
        .keys()
        .filter_map(|field| Some((field.clone(), respelt(id, field, &fields)?)))
        .collect();
    fields.extend(other);
    let name = renamed(id, &name).unwrap_or(name);
    Observed { id: api_id.to_owned(), name, fields, comment, ..Observed::default() }
}

/// A run of a plan.
pub(crate) struct Run<'a> {
    pub(crate) account: &'a mut Account,
    pub(crate) state: State,
    pub(crate) ids: BTreeMap<Address, String>,
    names: BTreeMap<Address, String>,
    pub(crate) recording: bool,
    pub(crate) plan: &'a Plan,
    /// Identifiers of what this run knows of: what it does not, may be in its way.
    pub(crate) known: BTreeSet<(KindId, String)>,
}

impl<'a> Run<'a> {
    pub(crate) fn begin(account: &'a mut Account, plan: &'a Plan) -> Self {
        let mut state = account
            .state
            .clone()
            .unwrap_or_else(|| State::new(key(), REPOSITORY, "local", "lineage"));
        let mut ids = BTreeMap::new();
        for change in &plan.changes {
            // From here on it is ours.
            if let (Action::Adopt, Some(id)) = (change.action, &change.id)
                && let Some(it) = account.objects.get_mut(&(change.address.kind(), id.clone()))
            {
                it.foreign = false;
            }
            match (change.action, &change.record) {
                (Action::Forget, _) => {
                    state.resources.remove(&change.address);
                }
                (Action::Adopt | Action::Keep, Some(record)) => {
                    put(&mut state, &change.address, record.clone());
                }
                _ => {}
            }
            let stays = matches!(change.action, Action::Keep | Action::Update | Action::Adopt);
            if let (true, false, Some(id)) = (stays || change.existing, change.deposed, &change.id)
            {
                ids.insert(change.address.clone(), id.clone());
            }
        }
        for change in plan.changes.iter().filter(|change| !change.deposed) {
            let known = state.resources.get_mut(&change.address);
            if let Some(known) = known.filter(|it| change.id.as_ref() == Some(&it.id)) {
                let held: BTreeSet<_> = known.needs.iter().chain(&change.holds).cloned().collect();
                known.needs = held.into_iter().collect();
            }
        }
        state.serial += 1;
        for step in &plan.steps {
            if let Work::Lease(work) = &step.work {
                let asked = RecordedLease { holder: work.holder.clone(), grant: None };
                state.leases.insert(work.pool.clone(), asked);
            }
        }
        let intents = plan.steps.iter().flat_map(|step| step.work.intents());
        state.intents = intents.chain(plan.changes.iter().filter_map(Change::intent)).collect();
        // As in exec: what is `existing` may have another name than the spec could know.
        let names = plan.changes.iter().filter(|change| !change.deposed);
        let names = names.map(|change| (change.address.clone(), change.name.clone())).collect();
        let known = plan.changes.iter().filter(|change| change.action != Action::Forget);
        let known = known.filter_map(|it| Some((it.address.kind(), it.id.clone()?))).collect();
        Self { account, state, ids, names, recording: true, plan, known }
    }

    pub(crate) fn step(&mut self, work: &Work) {
        match work {
            Work::Create(target) => self.create(target),
            Work::Update { target, id, changed } => self.update(target, id, changed),
            Work::Clear(_) => {}
            Work::Migrate { address, files, .. } => {
                let id = self.ids.get(address).expect("the database is there").clone();
                let database = self.account.objects.get_mut(&(KindId::D1, id)).unwrap();
                database.tables.extend(files.iter().map(|file| file.name.clone()));
                if self.recording {
                    close(&mut self.state, address, &[IntentAction::Migrate], None);
                    if let Some(it) = self.state.resources.get_mut(address) {
                        it.migrations.extend(files.iter().map(|file| AppliedMigration {
                            name: file.name.clone(),
                            digest: Some(file.digest.clone()),
                        }));
                    }
                }
            }
            Work::Lease(work) => {
                self.account.made += 1;
                let fresh = format!("preview-{}", self.account.made);
                let id = self.account.pools.entry(work.pool.clone()).or_insert(fresh).clone();
                if self.recording {
                    let grant = Grant {
                        lease_id: format!("lease-of-{id}"),
                        id,
                        attributes: BTreeMap::new(),
                        secrets: BTreeMap::new(),
                    };
                    let recorded =
                        RecordedLease { holder: work.holder.clone(), grant: Some(grant) };
                    self.state.leases.insert(work.pool.clone(), recorded);
                }
            }
            Work::Release(work) => {
                self.account.pools.remove(&work.pool);
                if self.recording {
                    self.state.leases.remove(&work.pool);
                }
            }
            Work::Delete(target) => self.delete(target),
            Work::Batch { items, .. } => {
                for item in items {
                    match item {
                        BatchWork::Create(target) => self.create(target),
                        BatchWork::Update { target, id } => self.update(target, id, &[]),
                        BatchWork::Delete(target) => self.delete(target),
                    }
                }
            }
        }
    }

    fn resolved(&self, target: &Target) -> BTreeMap<String, Json> {
        let part = |part: &Part| match part {
            Part::Lit(text) => Some(text.clone()),
            Part::Out(it) if it.output == Output::Id => self.ids.get(&it.address).cloned(),
            Part::Out(it) => self.names.get(&it.address).cloned(),
            Part::In(_) => None,
        };
        let resolve = |(field, value): (&String, &envc_core::Value)| {
            let json = value.resolve(&mut |it| part(it));
            (field.clone(), json.unwrap_or_else(|| panic!("{target:?} is not known yet")))
        };
        target.fields.iter().map(resolve).collect()
    }

    /// Nothing of it was done: its intents are closed.
    pub(crate) fn closed(&mut self, work: &Work) {
        if let Work::Lease(work) = work
            && self.state.leases.get(&work.pool).is_some_and(|it| it.grant.is_none())
        {
            self.state.leases.remove(&work.pool);
        }
        for intent in work.intents() {
            let recorded = self.state.resources.get(&intent.address);
            let known = recorded.is_some_and(|it| Some(&it.id) == intent.id.as_ref());
            let stays = intent.action == IntentAction::Delete && !known;
            self.state.intents.retain(|open| stays || *open != intent);
        }
    }

    fn create(&mut self, target: &Target) {
        let id = target.address.kind();
        let fields = self.resolved(target);
        self.check(target, &fields);
        let api_id = if let Some(parent) = &target.parent {
            let parent = self.ids.get(parent).expect("the parent is there").clone();
            assert!(self.account.objects.keys().any(|(_, id)| *id == parent), "no {parent}");
            let child = Object {
                name: target.name.clone(),
                fields: fields.clone(),
                parent: Some(parent.clone()),
                ..Object::default()
            };
            self.account.objects.insert((id, parent.clone()), child);
            parent
        } else {
            let taken = self.account.is_taken(id, &target.name, "");
            assert!(!taken, "the API would refuse a second {}", target.name);
            let (name, fields) = (target.name.clone(), fields.clone());
            let object = Object { name, fields, ..Object::default() };
            // Found again by its natural key, which is another one's name.
            assert_eq!(self.account.name_of(id, &object), target.name, "{:#?}", self.plan);
            self.account.add(id, object)
        };
        self.made(target, &api_id, fields);
    }

    fn update(&mut self, target: &Target, api_id: &str, changed: &[String]) {
        let id = target.address.kind();
        let fields = self.resolved(target);
        self.check(target, &fields);
        let own_name = kind(id).attrs().iter().any(|attr| attr.name == "name");
        if changed.iter().any(|field| field == "name") && !own_name {
            assert!(kind(id).renames(), "{target:?} cannot be renamed");
        }
        let taken = target.parent.is_none() && self.account.is_taken(id, &target.name, api_id);
        assert!(!taken, "the API would refuse to rename to {}", target.name);
        let object = self.account.objects.get_mut(&(id, api_id.to_owned()));
        let object = object.unwrap_or_else(|| panic!("{api_id} is not there to be changed"));
        let replaced = |field: &str| {
            let attr = kind(id).attrs().iter().find(|attr| attr.name == field).unwrap();
            attr.mutability == Mutability::Replace
        };
        for (field, value) in &fields {
            let now = object.fields.get(field).cloned();
            let now = now.unwrap_or_else(|| sample(id, field, 0));
            assert!(!replaced(field) || now == *value, "{field} cannot be changed in place");
        }
        object.fields.extend(fields.clone());
        // A call that writes the whole resets what it leaves out.
        let sent = |field: &str| {
            fields.contains_key(field) || target.before.get(field).is_some_and(|it| !it.is_null())
        };
        let holds = kind(id).holds_by_name().iter();
        holds.filter(|(field, _)| !sent(field)).for_each(|(field, _)| {
            object.fields.remove(*field);
        });
        let former = std::mem::replace(&mut object.name, target.name.clone());
        object.former.insert(former);
        object.foreign = false;
        self.made(target, api_id, fields);
    }

    fn delete(&mut self, target: &DeleteTarget) {
        let gone = (target.address.kind(), &target.id);
        let known = |id: &str| self.known.contains(&(KindId::QueueConsumer, id.to_owned()));
        for ((id, api_id), it) in &self.account.objects {
            let names =
                |field: &str, name: &str| it.fields.get(field).and_then(Json::as_str) == Some(name);
            let consumer = *id == KindId::QueueConsumer && known(api_id);
            // 10064, and what is left behind then.
            let read = gone.0 == KindId::Worker && consumer && names("script", gone.1);
            let of_queue = gone.0 == KindId::Queue && consumer && names("queue", gone.1);
            // 11005: nothing else would move them.
            let dead = gone.0 == KindId::Queue && consumer && names("dead-letter", &target.name);
            let of_queue = of_queue || dead;
            assert!(!read && !of_queue, "{it:?} still reads {target:?}\n{:#?}", self.plan);
        }
        self.account.remove(target.address.kind(), &target.id);
        if !self.recording {
            return;
        }
        close(&mut self.state, &target.address, &[IntentAction::Delete], Some(&target.id));
        if self.state.resources.get(&target.address).is_some_and(|it| it.id == target.id) {
            self.state.resources.remove(&target.address);
            let parent = Some(&target.address);
            self.state.resources.retain(|_, recorded| recorded.parent.as_ref() != parent);
        }
    }

    fn made(&mut self, target: &Target, api_id: &str, fields: BTreeMap<String, Json>) {
        self.ids.insert(target.address.clone(), api_id.to_owned());
        if !self.recording {
            return;
        }
        let done = [IntentAction::Create, IntentAction::Update];
        close(&mut self.state, &target.address, &done, None);
        let record = Record {
            name: target.name.clone(),
            id: api_id.to_owned(),
            fields,
            zone: target.zone.clone(),
            parent: target.parent.clone(),
            needs: target.needs(),
        };
        put(&mut self.state, &target.address, record);
    }
}

fn close(state: &mut State, address: &Address, actions: &[IntentAction], id: Option<&String>) {
    state.intents.retain(|intent| {
        !(intent.address == *address
            && actions.contains(&intent.action)
            && id.is_none_or(|id| intent.id.as_ref() == Some(id)))
    });
}

fn put(state: &mut State, address: &Address, record: Record) {
    let Record { name, id, fields, zone, parent, needs } = record;
    let known = state.resources.remove(address).filter(|known| known.id == id);
    let migrations = known.map(|known| known.migrations).unwrap_or_default();
    let known = Recorded::default();
    let recorded = Recorded { name, id, fields, zone, parent, needs, migrations, ..known };
    state.resources.insert(address.clone(), recorded);
}
