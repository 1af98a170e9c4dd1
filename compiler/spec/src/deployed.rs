//! The resources of workers that envc deploys: the script, and what stands before it.
//!
//! Code, its size, its main module and the digests of secrets are not known here: whoever reads the
//! bundle's folder adds these fields.

use std::collections::BTreeMap;

use envc_core::{Address, Desired, Diagnostic, Input, KindId, Mode, Output, Part, Text, Value};
use envc_kinds::worker_bindings as bindings;

use crate::{Consumer, Deploy, DoMigration, Later, MARKER_VARIABLE, Worker, codes, scope::Scope};

impl Scope<'_> {
    /// All resources of workers with `deploy="bundle"`. `resources` are those of the other nodes.
    pub(crate) fn deployed(
        &mut self,
        workers: &[Worker],
        resources: &BTreeMap<Address, Desired>,
        later: &mut Vec<Later>,
    ) -> Vec<Desired> {
        let mut out = Vec::new();
        for worker in workers.iter().filter(|worker| is_bundle(worker)) {
            self.check_queues(worker, resources);
            later.extend(not_yet(worker));
            out.push(self.script_of(worker, workers));
            out.extend(self.crons_of(worker));
            let script = Text::output(Address::new(KindId::Worker, &worker.name), Output::Name);
            let script = Value::Text(script);
            let fields = || BTreeMap::from([("script".to_owned(), script.clone())]);
            let routes = worker.routes.iter().map(|pattern| (KindId::WorkerRoute, pattern));
            let domains = worker.domains.iter().map(|host| (KindId::WorkerDomain, host));
            for (kind, host) in routes.chain(domains) {
                let mut wanted = self.of_worker(kind, worker, Some(host), host, fields());
                wanted.zone = self.given.zone.map(str::to_owned);
                out.push(wanted);
            }
            for consumer in &worker.consumers {
                let Some(queue) = resources.get(&consumer.queue) else { continue };
                let fields = consumer_fields(consumer, fields());
                let label = Some(consumer.queue.name());
                let kind = KindId::QueueConsumer;
                let wanted = self.of_worker(kind, worker, label, &queue.name, fields);
                out.push(Desired { default_name: queue.default_name, ..wanted });
            }
        }
        out
    }

    fn of_worker(
        &self,
        kind: KindId,
        worker: &Worker,
        label: Option<&str>,
        name: &str,
        fields: BTreeMap<String, Value>,
    ) -> Desired {
        let label = match label {
            Some(label) => format!("{}.{label}", worker.name),
            None => worker.name.clone(),
        };
        Desired {
            address: Address::new(kind, label),
            name: name.to_owned(),
            default_name: false,
            mode: Mode::Managed,
            protect: self.given.protect,
            fields,
            zone: None,
            parent: None,
            span: worker.span,
        }
    }

    fn script_of(&self, worker: &Worker, workers: &[Worker]) -> Desired {
        let flags = worker.compatibility_flags.iter().map(Value::text).collect();
        let mut fields = BTreeMap::from([
            ("compatibility-flags".to_owned(), Value::List(flags)),
            ("bindings".to_owned(), Value::List(bindings_of(worker, workers))),
        ]);
        if let Some(marker) = &worker.marker {
            fields.insert("marker".to_owned(), Value::text(marker));
        }
        if let Some(date) = &worker.compatibility_date {
            fields.insert("compatibility-date".to_owned(), Value::text(date));
        }
        if let Some(last) = worker.migrations.last() {
            let all = worker.migrations.iter().map(migration).collect();
            fields.insert("migrations".to_owned(), Value::List(all));
            fields.insert("migration-tag".to_owned(), Value::text(&last.tag));
        }
        let default_name = worker.default_name;
        let wanted = self.of_worker(KindId::Worker, worker, None, &worker.script, fields);
        Desired { default_name, ..wanted }
    }

    /// Without a cron there is nothing to ask the API for.
    fn crons_of(&self, worker: &Worker) -> Option<Desired> {
        let mut crons: Vec<&String> = worker.crons.iter().collect();
        crons.sort();
        crons.dedup();
        if crons.is_empty() {
            return None;
        }
        let crons = Value::List(crons.into_iter().map(Value::text).collect());
        let fields = BTreeMap::from([("crons".to_owned(), crons)]);
        let wanted = self.of_worker(KindId::WorkerCrons, worker, None, &worker.script, fields);
        let parent = Some(Address::new(KindId::Worker, &worker.name));
        Some(Desired { parent, default_name: worker.default_name, ..wanted })
    }

    /// A consumer is found by its queue's name.
    fn check_queues(&mut self, worker: &Worker, resources: &BTreeMap<Address, Desired>) {
        for consumer in &worker.consumers {
            let queue = consumer.queue.name();
            let mode = resources.get(&consumer.queue).map(|queue| &queue.mode);
            if matches!(mode, Some(Mode::ExistingId(_))) {
                let message = format!("the consumer of \"{queue}\" is found by the queue's name");
                self.error(
                    Diagnostic::error(codes::EXISTING_BY, consumer.span, message)
                        .at("its queue is under `existing` by `id=`")
                        .help(format!("write existing {{ queue \"{queue}\" name=\"…\" }}")),
                );
            }
        }
    }
}

pub(crate) fn is_bundle(worker: &Worker) -> bool {
    matches!(worker.deploy, Deploy::Bundle(_))
}

/// All that the code sees as `env.NAME`, but secrets; sorted, so that their order says nothing.
fn bindings_of(worker: &Worker, workers: &[Worker]) -> Vec<Value> {
    let mut all: BTreeMap<&str, Value> = BTreeMap::new();
    for binding in &worker.bindings {
        let value = bindings::to_resource(&binding.name, &binding.target);
        all.extend(value.map(|value| (binding.name.as_str(), value)));
    }
    for (name, text) in &worker.vars {
        all.insert(name, bindings::plain_text(name, text));
    }
    if let Some(marker) = &worker.marker {
        let value = bindings::plain_text(MARKER_VARIABLE, &Text::literal(marker));
        all.insert(MARKER_VARIABLE, value);
    }
    for object in &worker.durable_objects {
        // Another script of envc's comes first; one that somebody else deploys has to be there.
        let script = object.script.as_ref().filter(|script| **script != worker.script);
        let script = script.map(|script| {
            let other = workers.iter().find(|other| is_bundle(other) && other.script == *script);
            match other {
                Some(other) => {
                    Text::output(Address::new(KindId::Worker, &other.name), Output::Name)
                }
                None => Text::literal(script),
            }
        });
        let value = bindings::durable_object(&object.name, &object.class, script);
        all.insert(&object.name, value);
    }
    all.into_values().collect()
}

fn migration(migration: &DoMigration) -> Value {
    let texts = |all: &[String]| Value::List(all.iter().map(Value::text).collect());
    let renamed = migration.renamed_classes.iter();
    let renamed = renamed.map(|(from, to)| texts(&[from.clone(), to.clone()])).collect();
    let lists = [
        ("new-sqlite-classes", texts(&migration.new_sqlite_classes)),
        ("new-classes", texts(&migration.new_classes)),
        ("deleted-classes", texts(&migration.deleted_classes)),
        ("renamed-classes", Value::List(renamed)),
    ];
    let lists = lists.into_iter().filter(|(_, list)| *list != Value::List(Vec::new()));
    let mut fields: BTreeMap<String, Value> =
        lists.map(|(field, list)| (field.to_owned(), list)).collect();
    fields.insert("tag".to_owned(), Value::text(&migration.tag));
    Value::Map(fields)
}

fn consumer_fields(
    consumer: &Consumer,
    mut fields: BTreeMap<String, Value>,
) -> BTreeMap<String, Value> {
    let id = Text::output(consumer.queue.clone(), Output::Id);
    fields.insert("queue".to_owned(), Value::Text(id));
    let timeout_ms = consumer.max_batch_timeout_s.map(|seconds| seconds.saturating_mul(1_000));
    for (field, number) in [
        ("batch-size", consumer.batch_size),
        ("max-batch-timeout-ms", timeout_ms),
        ("max-retries", consumer.max_retries),
        ("max-concurrency", consumer.max_concurrency),
        ("retry-delay", consumer.retry_delay_s),
    ] {
        fields.extend(number.map(|number| (field.to_owned(), Value::Int(number))));
    }
    if let Some(queue) = &consumer.dead_letter {
        let name = Text::output(queue.clone(), Output::Name);
        fields.insert("dead-letter".to_owned(), Value::Text(name));
    }
    fields
}

/// Values that are known only while an apply runs: a secret of an upload is digested before.
fn not_yet(worker: &Worker) -> Option<Later> {
    let late = |part: &Part| match part {
        Part::Out(_) | Part::In(Input::Lease { .. }) => true,
        Part::Lit(_) | Part::In(Input::Secret(_) | Input::Env(_)) => false,
    };
    let secret = worker.secrets.iter().find(|(_, text)| text.parts.iter().any(late));
    let (name, _) = secret?;
    let what = format!(
        "a lease, a tunnel's token or an ID in the secret `{name}` of worker \"{}\", which envc deploys",
        worker.name
    );
    Some(Later { what, span: worker.span })
}
