//! The resources of Workers: the script, and what stands before it, as far as envc makes them.
//!
//! Code, its size and its main module are not known here: whoever reads the bundle's folder adds
//! these fields.

use std::collections::BTreeMap;

use envc_core::{Address, Desired, Diagnostic, KindId, Mode, Output, Span, Text, Value};
use envc_syntax::{Node, Prop};

use super::{Consumer, Deploy, DoMigration, MARKER_VARIABLE, Worker, bindings, cron, read};
use crate::{Lower, bindable};

/// The resources that envc makes of a Worker.
pub(super) fn lower(node: &Node, cx: &mut dyn Lower) -> Vec<Desired> {
    check_consumers(node, cx);
    let Some(worker) = worker_of(node, cx) else { return Vec::new() };
    if worker.deploy == Deploy::Placeholder {
        refuse_placeholder(node, &worker, cx);
    }
    let own = worker.deploy.parts().envc;
    if own.contains(&KindId::QueueConsumer) {
        check_queues(&worker, cx);
    }
    if own.contains(&KindId::Worker) {
        refuse_late_secrets(&worker, cx);
    }
    parts_of(&worker, own, cx)
}

/// What others make of it.
pub(super) fn by_others(node: &Node, cx: &mut dyn Lower) -> Vec<Desired> {
    let Some(worker) = worker_of(node, cx) else { return Vec::new() };
    let mut parts = parts_of(&worker, worker.deploy.parts().others, cx);
    for part in &mut parts {
        // What others set is compared with nothing. What a script refers to goes after it, or stays
        // with it.
        part.fields.clear();
        if part.address.kind() == KindId::Worker {
            let bound = bindings_of(&worker, cx.workers(), |_| true);
            let consumed = worker.consumers.iter();
            let consumed = consumed.map(|it| Value::Map(consumer_fields(it, BTreeMap::new())));
            part.fields.insert("bindings".to_owned(), Value::List(bound));
            part.fields.insert("consumers".to_owned(), Value::List(consumed.collect()));
        }
    }
    parts
}

fn worker_of(node: &Node, cx: &dyn Lower) -> Option<Worker> {
    let label = node.label().unwrap_or_default();
    cx.workers().iter().find(|worker| worker.name == label).cloned()
}

/// Its parts of these kinds.
fn parts_of(worker: &Worker, kinds: &[KindId], cx: &dyn Lower) -> Vec<Desired> {
    if kinds.is_empty() {
        return Vec::new();
    }
    let mut out = vec![script_of(worker, cx)];
    out.extend(crons_of(worker, cx));
    let script = Value::Text(Text::output(worker.address(), Output::Name));
    let fields = || BTreeMap::from([("script".to_owned(), script.clone())]);
    let routes = worker.routes.iter().map(|pattern| (KindId::WorkerRoute, pattern));
    let domains = worker.domains.iter().map(|host| (KindId::WorkerDomain, host));
    for (kind, host) in routes.chain(domains) {
        let mut wanted = of_worker(kind, worker, Some(host), host, fields(), cx);
        wanted.zone = cx.zone().map(str::to_owned);
        out.push(wanted);
    }
    for consumer in &worker.consumers {
        let Some(queue) = cx.resource(&consumer.queue) else { continue };
        let (name, default_name) = (queue.name.clone(), queue.default_name);
        let fields = consumer_fields(consumer, fields());
        let label = Some(consumer.queue.name());
        let wanted = of_worker(KindId::QueueConsumer, worker, label, &name, fields, cx);
        out.push(Desired { default_name, ..wanted });
    }
    out.retain(|part| kinds.contains(&part.address.kind()));
    out
}

fn of_worker(
    kind: KindId,
    worker: &Worker,
    label: Option<&str>,
    name: &str,
    fields: BTreeMap<String, Value>,
    cx: &dyn Lower,
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
        protect: cx.protected(),
        fields,
        zone: None,
        parent: None,
        span: worker.span,
    }
}

fn script_of(worker: &Worker, cx: &dyn Lower) -> Desired {
    let flags = worker.compatibility_flags.iter().map(Value::text).collect();
    let secrets = worker.secrets.iter();
    let secrets = secrets.map(|(name, text)| (name.clone(), Value::Private(text.clone())));
    let mut fields = BTreeMap::from([
        ("compatibility-flags".to_owned(), Value::List(flags)),
        ("bindings".to_owned(), Value::List(bindings_of(worker, cx.workers(), Worker::is_envcs))),
        ("secrets".to_owned(), Value::Map(secrets.collect())),
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
    let wanted = of_worker(KindId::Worker, worker, None, &worker.script, fields, cx);
    Desired { default_name, ..wanted }
}

/// Without a cron there is nothing to ask the API for.
fn crons_of(worker: &Worker, cx: &dyn Lower) -> Option<Desired> {
    let mut crons: Vec<&String> = worker.crons.iter().collect();
    // What runs at the same times is one trigger, however often and however it is written.
    crons.sort_by_cached_key(|text| cron::form(text));
    crons.dedup_by_key(|text| cron::form(text));
    crons.sort();
    if crons.is_empty() {
        return None;
    }
    let crons = Value::List(crons.into_iter().map(Value::text).collect());
    let fields = BTreeMap::from([("crons".to_owned(), crons)]);
    let wanted = of_worker(KindId::WorkerCrons, worker, None, &worker.script, fields, cx);
    let parent = Some(worker.address());
    Some(Desired { parent, default_name: worker.default_name, ..wanted })
}

/// A queue has one consumer (error 11004 of Cloudflare's API), and is not its own dead letter queue.
fn check_consumers(node: &Node, cx: &mut dyn Lower) {
    let label = node.label().unwrap_or_default();
    for node in node.children_named("consume") {
        check_dead_letter(node, cx);
    }
    let workers = cx.workers();
    let before = workers.iter().take_while(|worker| worker.name != label);
    let before: Vec<&Consumer> = before.flat_map(|worker| &worker.consumers).collect();
    let own = workers.iter().find(|worker| worker.name == label);
    let mut twice: BTreeMap<&str, (Span, Span)> = BTreeMap::new();
    for consumer in own.into_iter().flat_map(|worker| &worker.consumers) {
        if let Some(first) = before.iter().find(|first| first.queue == consumer.queue) {
            let places = (consumer.queue_span, first.queue_span);
            twice.entry(consumer.queue.name()).or_insert(places);
        }
    }
    let found: Vec<Diagnostic> = twice
        .into_iter()
        .map(|(queue, (span, first))| {
            let message = format!("two workers consume the queue \"{queue}\"");
            Diagnostic::error("envc::spec::conflict", span, message)
                .at("a second consumer")
                .label(first, "consumed here")
                .help("a queue has one consumer: remove one, or declare a queue for each worker")
        })
        .collect();
    for found in found {
        cx.report(found);
    }
}

fn check_dead_letter(node: &Node, cx: &mut dyn Lower) {
    let dead_letter = node.prop("dead-letter");
    let Some(scalar) = dead_letter.filter(|scalar| scalar.as_text() == node.label()) else {
        return;
    };
    let queue = scalar.as_text().unwrap_or_default();
    let message = format!("the queue \"{queue}\" is its own dead letter queue");
    let entry = node.prop_entry("dead-letter").map_or(scalar.span, Prop::span);
    cx.report(
        Diagnostic::error("envc::spec::conflict", scalar.span, message)
            .at("failed messages would come back for ever")
            .help("name another queue; without `dead-letter=` messages that failed are deleted")
            .fix(entry, ""),
    );
}

/// A consumer is found by its queue's name.
fn check_queues(worker: &Worker, cx: &mut dyn Lower) {
    for consumer in &worker.consumers {
        let queue = consumer.queue.name();
        let mode = cx.resource(&consumer.queue).map(|queue| &queue.mode);
        if matches!(mode, Some(Mode::ExistingId(_))) {
            let message = format!("the consumer of \"{queue}\" is found by the queue's name");
            cx.report(
                Diagnostic::error("envc::spec::existing_by", consumer.span, message)
                    .at("its queue is under `existing` by `id=`")
                    .help(format!("write existing {{ queue \"{queue}\" name=\"…\" }}")),
            );
        }
    }
}

fn refuse_placeholder(node: &Node, worker: &Worker, cx: &mut dyn Lower) {
    let name = &worker.name;
    let span = node.prop("deploy").map_or(node.span, |scalar| scalar.span);
    cx.unsupported(format!("`deploy=\"placeholder\"` of worker \"{name}\""), span);
    let through_api = |child: &&Node| read::is_route(child) || child.name.value == "cron";
    for child in node.children.iter().filter(through_api) {
        let what = format!("the `{}` of worker \"{name}\"", child.name.value);
        cx.unsupported(what, child.span);
    }
}

fn refuse_late_secrets(worker: &Worker, cx: &mut dyn Lower) {
    let Some((name, _)) = worker.secrets.iter().find(|(_, text)| text.is_late()) else { return };
    let what = format!(
        "a lease, a tunnel's token or an ID in the secret `{name}` of worker \"{}\", which envc deploys",
        worker.name
    );
    cx.unsupported(what, worker.span);
}

/// All that the code sees as `env.NAME`, but secrets; sorted, so that their order says nothing.
///
/// `is_resource` tells of which Workers a resource stands in the graph.
fn bindings_of(
    worker: &Worker,
    workers: &[Worker],
    is_resource: impl Fn(&Worker) -> bool,
) -> Vec<Value> {
    let mut all: BTreeMap<&str, Value> = BTreeMap::new();
    for binding in &worker.bindings {
        let value = bindable::to_resource(&binding.name, &binding.target);
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
            let other = workers.iter().find(|it| is_resource(it) && it.script == *script);
            match other {
                Some(other) => Text::output(other.address(), Output::Name),
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
