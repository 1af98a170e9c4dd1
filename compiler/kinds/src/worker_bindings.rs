//! Bindings of a Worker as an upload carries them. What they refer to stays a reference: that is
//! what lets the script come after everything that it is bound to.
//!
//! Source: Cloudflare's OpenAPI document, checked November 2026. A D1 database is named by `id`, as
//! wrangler does it.

use envc_core::{Address, KindId, Output, Text, Value};

fn binding(name: &str, kind: &str, fields: &[(&str, Value)]) -> Value {
    let fields = fields.iter().map(|(field, value)| ((*field).to_owned(), value.clone()));
    let head = [("name".to_owned(), Value::text(name)), ("type".to_owned(), Value::text(kind))];
    Value::Map(head.into_iter().chain(fields).collect())
}

/// A binding to a resource; none for a kind that a Worker cannot be bound to.
pub fn to_resource(name: &str, target: &Address) -> Option<Value> {
    let (kind, field, output) = match target.kind() {
        KindId::D1 => ("d1", "id", Output::Id),
        KindId::Kv => ("kv_namespace", "namespace_id", Output::Id),
        KindId::R2 => ("r2_bucket", "bucket_name", Output::Name),
        KindId::Queue => ("queue", "queue_name", Output::Name),
        KindId::Hyperdrive => ("hyperdrive", "id", Output::Id),
        KindId::Tunnel
        | KindId::TunnelConfig
        | KindId::Dns
        | KindId::Worker
        | KindId::WorkerCrons
        | KindId::WorkerRoute
        | KindId::WorkerDomain
        | KindId::QueueConsumer => return None,
    };
    let value = Value::Text(Text::output(target.clone(), output));
    Some(binding(name, kind, &[(field, value)]))
}

/// A plain variable.
pub fn plain_text(name: &str, text: &Text) -> Value {
    binding(name, "plain_text", &[("text", Value::Text(text.clone()))])
}

/// A Durable Object class: of this script, or of another one.
pub fn durable_object(name: &str, class: &str, script: Option<Text>) -> Value {
    let mut fields = vec![("class_name", Value::text(class))];
    fields.extend(script.map(|script| ("script_name", Value::Text(script))));
    binding(name, "durable_object_namespace", &fields)
}
