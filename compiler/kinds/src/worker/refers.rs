//! What scripts refer to: resources, and each other.
//!
//! A script that others bind as a service, or whose Durable Objects they bind, goes with `force` alone
//! (10142). `GET /accounts/{a}/workers/scripts/{name}/references` tells who they are.
//! Source: wrangler's source, which asks before its delete, checked November 2026.

use envc_core::KindId;
use serde_json::Value as Json;

use super::paths::scripts;
use crate::{Call, Circle, Place, api, bindable};

/// How a circle of scripts is cut.
pub(super) const CIRCLE: Circle = Circle { users: references, read: users_in, delete: force };

/// What a script's settings bind: resources, by what the binding names them by, and the other scripts
/// whose entry points or Durable Objects it uses, or that take its logs.
pub(super) fn bound_to(result: &Json) -> Vec<(KindId, String)> {
    let bindings = result.get("bindings").and_then(Json::as_array).into_iter().flatten();
    let other = |binding| api::text(binding, "service").or(api::text(binding, "script_name"));
    let script = |binding| other(binding).map(|script| (KindId::Worker, script));
    let bound = bindings.filter_map(|it| script(it).or_else(|| bindable::resource_of(it)));
    bound.chain(tails_of(result)).collect()
}

/// The scripts that take the logs of one.
pub(super) fn tails_of(item: &Json) -> Vec<(KindId, String)> {
    let tails = item.get("tail_consumers").and_then(Json::as_array).into_iter().flatten();
    let service = |tail| Some((KindId::Worker, api::text(tail, "service")?));
    tails.filter_map(service).collect()
}

fn references(place: &Place, id: &str) -> Call {
    Call::get(&scripts(&place.account, &[id, "references"]))
}

/// The scripts with a binding to one, or to its Durable Objects.
fn users_in(result: &Json) -> Vec<String> {
    let lists = ["/services/incoming", "/durable_objects"];
    let users = lists.iter().filter_map(|at| result.pointer(at)?.as_array()).flatten();
    users.filter_map(|user| api::text(user, "service")).collect()
}

fn force(place: &Place, id: &str) -> Call {
    Call::delete(&scripts(&place.account, &[id])).query("force", "true")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_resource_that_is_bound_is_read() {
        let settings = json!({ "bindings": [
            { "type": "d1", "name": "A", "id": "1" },
            { "type": "d1", "name": "B", "database_id": "2" },
            { "type": "kv_namespace", "name": "C", "namespace_id": "3" },
            { "type": "r2_bucket", "name": "D", "bucket_name": "files", "jurisdiction": "eu" },
            { "type": "queue", "name": "E", "queue_name": "jobs" },
            { "type": "hyperdrive", "name": "F", "id": "4" },
            { "type": "vectorize", "name": "G", "index_name": "words" },
            { "type": "plain_text", "name": "id", "text": "5" },
            { "type": "of next year", "name": "H", "id": "6" },
        ], "tail_consumers": [{ "service": "logs" }] });
        let expected = [
            (KindId::D1, "1"),
            (KindId::D1, "2"),
            (KindId::Kv, "3"),
            (KindId::R2, "files"),
            (KindId::Queue, "jobs"),
            (KindId::Hyperdrive, "4"),
            (KindId::Vectorize, "words"),
            (KindId::Worker, "logs"),
        ];
        assert_eq!(bound_to(&settings), expected.map(|(kind, text)| (kind, text.to_owned())));
    }

    #[test]
    fn every_way_to_refer_to_another_script_is_read() {
        let settings = json!({ "bindings": [
            { "type": "service", "name": "API", "service": "api", "environment": "production" },
            { "type": "durable_object_namespace", "name": "CART", "script_name": "carts" },
            { "type": "durable_object_namespace", "name": "OWN", "class_name": "Own" },
            { "type": "plain_text", "name": "service", "text": "x" },
        ] });
        let worker = |name: &str| (KindId::Worker, name.to_owned());
        assert_eq!(bound_to(&settings), [worker("api"), worker("carts")]);
        assert_eq!(bound_to(&json!({})), []);
        let item = json!({ "tail_consumers": [{ "service": "logs" }] });
        assert_eq!(tails_of(&item), [worker("logs")]);
        assert_eq!(tails_of(&json!({ "tail_consumers": null })), []);
        let told = json!({
            "services": { "incoming": [{ "service": "web" }], "outgoing": [{ "service": "x" }] },
            "durable_objects": [{ "service": "jobs" }],
        });
        assert_eq!(users_in(&told), ["web", "jobs"]);
        assert!(users_in(&json!({})).is_empty());
    }
}
