//! The Worker that reads a queue.
//!
//! Endpoints: `POST /accounts/{a}/queues/{q}/consumers`, `PUT|DELETE …/{id}`. A queue has at most
//! one consumer (11004), so the queue's name is its natural key, and the list of queues tells of
//! all of them. A PUT replaces all settings. The script needs a `queue` handler (11001), and cannot
//! be deleted before its consumers (10064).
//! Source: Cloudflare's OpenAPI document and wrangler's source, checked November 2026.

use std::collections::BTreeMap;

use envc_core::KindId;
use serde_json::{Value as Json, json};

use crate::{
    ApiFailure, Attr, Call, Codes, Errors, Facts, Kind, Listing, Meaning, Mutability, Normal,
    Observed, Place, Wanted, api,
};

/// The kind.
#[derive(Debug)]
pub(crate) struct QueueConsumer;

/// The spec's fields and the API's settings.
const SETTINGS: [(&str, &str); 5] = [
    ("batch-size", "batch_size"),
    ("max-batch-timeout-ms", "max_wait_time_ms"),
    ("max-retries", "max_retries"),
    ("max-concurrency", "max_concurrency"),
    ("retry-delay", "retry_delay"),
];

static ATTRS: &[Attr] = &[
    Attr {
        name: "queue",
        mutability: Mutability::Replace,
        samples: &[],
        normal: Normal::One("an identifier, which the API gave"),
    },
    Attr::in_place(
        "script",
        &["\"shop-a\"", "\"shop-b\""],
        Normal::One("names of scripts have small letters only"),
    ),
    Attr::in_place(
        "dead-letter",
        &["\"dlq\"", "\"dead\""],
        Normal::One("names of queues have small letters only"),
    ),
    Attr::in_place("batch-size", &["10", "20"], Normal::One("a whole number")),
    Attr::in_place(
        "max-batch-timeout-ms",
        &["5000", "1000"],
        Normal::One("a whole number of milliseconds"),
    ),
    Attr::in_place("max-retries", &["3", "0"], Normal::One("a whole number")),
    Attr::in_place("max-concurrency", &["1", "2"], Normal::One("a whole number")),
    Attr::in_place("retry-delay", &["0", "60"], Normal::One("a whole number of seconds")),
];

static FACTS: Facts = Facts {
    renames: true,
    freely_deleted: "nothing holds on to a consumer",
    writes_whole: true,
    // The `queue` handler: without it the consumer is refused, and so is an upload that takes the
    // handler away while the consumer is there (11001).
    needs_code: true,
    serves: Some(("script", KindId::Worker)),
    named_by: Some(("queue", KindId::Queue)),
    holds_by_name: &[("dead-letter", KindId::Queue)],
    ..Facts::of(
        KindId::QueueConsumer,
        "queue consumer",
        "Queues Write",
        ATTRS,
        Errors {
            not_yet: &[11001],
            ..Errors::of(Codes::Any(&[11004]), Codes::Any(&[11000, 11006, 10105, 10013]))
        },
    )
};

impl Kind for QueueConsumer {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    /// The list of queues, which holds their consumers.
    fn listing(&self, place: &Place) -> Option<Listing> {
        super::Queue.listing(place)
    }

    fn observe(&self, queue: &Json) -> Option<Observed> {
        let queue_id = api::text(queue, "queue_id")?;
        let consumer = queue.get("consumers")?.as_array()?.first()?;
        Some(Observed { name: api::text(queue, "queue_name")?, ..read(&queue_id, consumer)? })
    }

    fn made(&self, wanted: &Wanted, result: &Json) -> Option<Observed> {
        let queue_id = wanted.fields.get("queue").and_then(Json::as_str)?;
        Some(Observed { name: wanted.name.clone(), ..read(queue_id, result)? })
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        let queue_id = wanted.fields.get("queue").and_then(Json::as_str).unwrap_or_default();
        Call::post(&consumers(&place.account, queue_id, &[]), body(wanted))
    }

    fn update(&self, place: &Place, id: &str, wanted: &Wanted, _changed: &[String]) -> Call {
        let (queue_id, id) = id.split_once('/').unwrap_or((id, ""));
        Call::put(&consumers(&place.account, queue_id, &[id]), body(wanted))
    }

    fn delete(&self, place: &Place, id: &str) -> Option<Call> {
        let (queue_id, id) = id.split_once('/').unwrap_or((id, ""));
        Some(Call::delete(&consumers(&place.account, queue_id, &[id])))
    }

    /// It is told with its queue.
    fn read(&self, place: &Place, id: &str) -> Option<Call> {
        let (queue_id, _) = id.split_once('/').unwrap_or((id, ""));
        Some(Call::get(&["accounts", &place.account, "queues", queue_id]))
    }

    fn is_deleted(&self, queue: &Json) -> bool {
        queue.get("consumers").and_then(Json::as_array).is_some_and(Vec::is_empty)
    }

    fn meaning(&self, call: &Call, failure: &ApiFailure) -> Option<Meaning> {
        // While the upload that brings the handler is under way, it may come without its code.
        if call.body.is_some() && failure.status == 400 && failure.is_bare() {
            return Some(Meaning::NotYet);
        }
        // Of another status these codes say something else.
        let meaning = FACTS.errors.meaning(failure);
        meaning.filter(|meaning| *meaning != Meaning::NotFound || failure.status == 404)
    }
}

fn consumers<'a>(account: &'a str, queue: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["accounts", account, "queues", queue, "consumers"], rest].concat()
}

/// A consumer. Its identifier is only good together with its queue's.
fn read(queue_id: &str, consumer: &Json) -> Option<Observed> {
    let script =
        ["script", "script_name", "service"].iter().find_map(|key| api::text(consumer, key));
    let mut fields = BTreeMap::from([
        ("queue".to_owned(), json!(queue_id)),
        ("script".to_owned(), json!(script)),
    ]);
    // What is not set is left out.
    let dead_letter = api::text(consumer, "dead_letter_queue");
    fields.insert("dead-letter".to_owned(), json!(dead_letter));
    let settings = consumer.get("settings");
    for (field, setting) in SETTINGS {
        let value = settings.and_then(|settings| settings.get(setting)).cloned();
        fields.insert(field.to_owned(), value.unwrap_or_default());
    }
    let id = format!("{queue_id}/{}", api::text(consumer, "consumer_id")?);
    Some(Observed { id, fields, ..Observed::default() })
}

fn body(wanted: &Wanted) -> Json {
    let mut settings = serde_json::Map::new();
    for (field, setting) in SETTINGS {
        // What the spec does not set stays as it was seen.
        let seen = || wanted.before.get(field).filter(|value| !value.is_null());
        if let Some(value) = wanted.fields.get(field).or_else(seen) {
            settings.insert(setting.to_owned(), value.clone());
        }
    }
    let mut body = json!({
        "type": "worker", "script_name": wanted.fields.get("script"), "settings": settings,
    });
    let seen = || wanted.before.get("dead-letter").filter(|value| !value.is_null());
    if let Some(dead_letter) = wanted.fields.get("dead-letter").or_else(seen) {
        api::set(&mut body, "dead_letter_queue", dead_letter.clone());
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_is_read_out_of_the_list_of_queues_under_whatever_name_its_script_has() {
        for key in ["script", "script_name", "service"] {
            let queue = json!({
                "queue_id": "q1", "queue_name": "jobs",
                "consumers": [{ "consumer_id": "c1", key: "shop", "settings": { "batch_size": 5 } }],
            });
            let seen = QueueConsumer.observe(&queue).unwrap();
            assert_eq!((&*seen.id, &*seen.name), ("q1/c1", "jobs"));
            assert_eq!(seen.fields["script"], json!("shop"));
            assert_eq!(seen.fields["batch-size"], json!(5));
            // What is not told is not set.
            for field in ["dead-letter", "max-concurrency", "max-retries"] {
                assert_eq!(seen.fields[field], Json::Null, "{field}");
            }
        }
        let none = json!({ "queue_id": "q1", "queue_name": "jobs", "consumers": [] });
        assert_eq!(QueueConsumer.observe(&none), None);
    }

    #[test]
    fn what_a_create_returns_is_found_again_for_update_and_delete() {
        let wanted = Wanted {
            name: "jobs".into(),
            fields: [
                ("queue".to_owned(), json!("q1")),
                ("script".to_owned(), json!("shop")),
                ("max-retries".to_owned(), json!(2)),
            ]
            .into(),
            ..Wanted::default()
        };
        let place = Place { account: "a".into(), ..Place::default() };
        let call = QueueConsumer.create(&place, &wanted);
        assert_eq!(call.target(), "/accounts/a/queues/q1/consumers");
        assert_eq!(call.body.unwrap()["settings"], json!({ "max_retries": 2 }));
        let seen = QueueConsumer.made(&wanted, &json!({ "consumer_id": "c1" })).unwrap();
        let path = "/accounts/a/queues/q1/consumers/c1";
        assert_eq!(QueueConsumer.delete(&place, &seen.id).unwrap().target(), path);
        assert_eq!(QueueConsumer.update(&place, &seen.id, &wanted, &[]).target(), path);
    }
}
