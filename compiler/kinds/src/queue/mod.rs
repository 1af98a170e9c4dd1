//! Queues.
//!
//! Endpoints: `GET|POST /accounts/{a}/queues`, `PATCH|DELETE …/{id}`. The list is paged although
//! its type says otherwise. A rename keeps the identifier. A queue that another queue's consumer
//! names as dead letter queue cannot be deleted before that consumer is (11005).
//! Source: Cloudflare's OpenAPI document and Queues documentation, checked November 2026.

mod consumer;

use envc_core::{Desired, KindId, Output, Value};
use envc_syntax::{
    Node,
    rule::{EMPTY, LABEL, NodeRule, Repeat, Type, optional},
};
use serde_json::{Value as Json, json};

use crate::{
    Attr, Bindable, Call, Codes, Declared, Entry, Errors, Facts, Kind, Listing, Lower, NameRule,
    NodeFacts, Normal, Observed, Paging, Place, Wanted, api,
    parts::{self, ID_PROP, NAME_PROP, managed},
};

pub(crate) use consumer::QueueConsumer;

/// The kind.
#[derive(Debug)]
pub(crate) struct Queue;

static NAME: NameRule = parts::DNS_LABEL;

/// The spec's fields and the API's settings.
const SETTINGS: &[(&str, &str)] = &[
    ("delivery-delay", "delivery_delay"),
    ("retention", "message_retention_period"),
    ("delivery-paused", "delivery_paused"),
];

static GRAMMAR: NodeRule = NodeRule {
    name: "queue",
    doc: "A queue.",
    notes: &[
        "Who reads it stands in the worker: `consume`.",
        "Deleting it loses its messages, and is asked for.",
    ],
    example: "queue \"jobs\" retention=86400",
    args: &[LABEL],
    props: &[
        NAME_PROP,
        ID_PROP,
        optional("delivery-delay", Type::Int(0, 86_400), "Seconds before a message is delivered.")
            .otherwise("not managed"),
        optional("retention", Type::Int(60, 1_209_600), "Seconds that a message is kept.")
            .otherwise("not managed"),
        optional("delivery-paused", Type::Bool, "Keeps messages back.").otherwise("not managed"),
    ],
    repeat: Repeat::PerLabel,
    ..EMPTY
};

static ATTRS: &[Attr] = &[
    Attr::in_place("delivery-delay", &["0", "60"], Normal::One("a whole number of seconds")),
    Attr::in_place("retention", &["345600", "86400"], Normal::One("a whole number of seconds")),
    Attr::in_place("delivery-paused", &["false", "true"], Normal::One("true or false")),
];

static EXISTING: NodeRule = NodeRule {
    name: "queue",
    example: "queue \"jobs\" name=\"eventuall-jobs\"",
    ..parts::EXISTING
};

static BINDABLE: Bindable = Bindable {
    doc: "A queue to send to.",
    api_type: "queue",
    api_field: "queue_name",
    output: Output::Name,
    section: &["queues", "producers"],
    entry: &[("queue", Entry::Name)],
    remote: false,
    missing: 11000,
};

static FACTS: Facts = Facts {
    holds_data: true,
    renames: true,
    never_replaced: "its name and all of its settings change in place",
    cures: &[
        (11017, "delete the event notification of the R2 bucket that sends to this queue"),
        (100_128, "take back a setting that the account's plan does not have"),
    ],
    ..Facts::of(
        KindId::Queue,
        "queue",
        "Queues Write",
        ATTRS,
        Errors {
            in_use: &[11005, 11017],
            ..Errors::of(Codes::Any(&[11009]), Codes::Any(&[11000]))
        },
    )
};

static NODE: NodeFacts = NodeFacts {
    aliases: &["cloudflare_queue"],
    existing: Some(&EXISTING),
    name_rule: Some(&NAME),
    outputs: &[("id", Output::Id), ("name", Output::Name)],
    bindable: Some(&BINDABLE),
    ..NodeFacts::of("queue \"x\"")
};

impl Kind for Queue {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn listing(&self, place: &Place) -> Option<Listing> {
        Some(Listing {
            call: Call::get(&["accounts", &place.account, "queues"]),
            paging: Paging::Numbered { per_page: 100 },
        })
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
        let mut observed = Observed {
            id: api::text(item, "queue_id")?,
            name: api::text(item, "queue_name")?,
            ..Observed::default()
        };
        // What is not set is left out: then messages wait for nothing, and no longer than the plan has it.
        let Some(settings) = item.get("settings").filter(|it| it.is_object()) else {
            return Some(observed);
        };
        for (field, setting) in SETTINGS {
            let unset = match *field {
                "delivery-delay" => json!(0),
                "delivery-paused" => json!(false),
                _ => Json::Null,
            };
            let value = settings.get(setting).cloned().unwrap_or(unset);
            observed.fields.insert((*field).to_owned(), value);
        }
        Some(observed)
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        let mut body = json!({ "queue_name": wanted.name });
        let settings = settings(wanted);
        if settings.as_object().is_some_and(|settings| !settings.is_empty()) {
            api::set(&mut body, "settings", settings);
        }
        Call::post(&["accounts", &place.account, "queues"], body)
    }

    fn update(&self, place: &Place, id: &str, wanted: &Wanted, changed: &[String]) -> Call {
        let mut body = json!({ "settings": settings(wanted) });
        if changed.iter().any(|field| field == "name") {
            api::set(&mut body, "queue_name", json!(wanted.name));
        }
        Call::patch(&["accounts", &place.account, "queues", id], body)
    }

    fn delete(&self, place: &Place, id: &str) -> Option<Call> {
        Some(Call::delete(&["accounts", &place.account, "queues", id]))
    }
}

impl Declared for Queue {
    fn grammar(&self) -> &'static NodeRule {
        &GRAMMAR
    }

    fn node(&self) -> &'static NodeFacts {
        &NODE
    }

    fn lower(&self, node: &Node, cx: &mut dyn Lower) -> Vec<Desired> {
        let mut desired = managed(KindId::Queue, node, cx, &NAME);
        for (field, _) in SETTINGS {
            let Some(scalar) = node.prop(field) else { continue };
            let value = scalar.as_int().map(Value::Int).or(scalar.as_bool().map(Value::Bool));
            if let Some(value) = value {
                desired.fields.insert((*field).to_owned(), value);
            }
        }
        vec![desired]
    }
}

fn settings(wanted: &Wanted) -> Json {
    let mut settings = serde_json::Map::new();
    for (field, setting) in SETTINGS {
        if let Some(value) = wanted.fields.get(*field) {
            settings.insert((*setting).to_owned(), value.clone());
        }
    }
    Json::Object(settings)
}
