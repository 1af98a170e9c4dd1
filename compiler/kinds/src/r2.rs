//! R2 buckets.
//!
//! Endpoints: `GET|POST /accounts/{a}/r2/buckets`, `PATCH|DELETE …/{name}`, `GET|DELETE
//! …/{name}/objects`. The name is the identifier; buckets of another jurisdiction are seen only with
//! the jurisdiction header. The location is a hint that counts at creation only. A bucket that holds
//! objects cannot be deleted (HTTP 409; the code is not always there).
//! Source: Cloudflare's OpenAPI document and R2 documentation, checked November 2026.

use envc_core::{Desired, KindId, Output};
use envc_syntax::{
    Node,
    rule::{EMPTY, LABEL, NodeRule, Repeat, Type, optional, required},
};
use serde_json::{Value as Json, json};

use crate::{
    Answer, ApiFailure, Attr, Bindable, Call, Codes, Contents, Declared, Entry, Errors, Facts,
    Kind, Listing, Lower, Meaning, Mutability, NameRule, NodeFacts, Normal, Observed, Paging,
    Place, Wanted, api,
    normal::{any_case, told},
    parts::{self, NAME_PROP, managed, set_text},
};

/// The kind.
#[derive(Debug)]
pub(crate) struct R2;

static NAME: NameRule = NameRule { min: 3, ..parts::DNS_LABEL };

static GRAMMAR: NodeRule = NodeRule {
    name: "r2",
    doc: "An R2 bucket.",
    notes: &[
        "Its name is its identifier: another name is another bucket.",
        "Deleting or replacing it loses data, and is asked for; envc empties it first.",
    ],
    example: "r2 \"images\"",
    args: &[LABEL],
    props: &[
        NAME_PROP,
        optional(
            "location",
            Type::OneOf(&["apac", "eeur", "enam", "weur", "wnam", "oc"]),
            "Where to create it; a hint.",
        )
        .otherwise("near the first request"),
        optional(
            "storage-class",
            Type::OneOf(&["Standard", "InfrequentAccess"]),
            "The storage class of new objects.",
        )
        .otherwise("not managed"),
    ],
    repeat: Repeat::PerLabel,
    ..EMPTY
};

static ATTRS: &[Attr] = &[
    Attr {
        name: "location",
        mutability: Mutability::CreateOnly,
        samples: &["\"weur\""],
        normal: Normal::Form { form: any_case, spellings: &[told("\"WEUR\"", "\"weur\"")] },
    },
    Attr {
        name: "storage-class",
        mutability: Mutability::InPlace,
        samples: &["\"Standard\"", "\"InfrequentAccess\""],
        normal: Normal::Form { form: any_case, spellings: &[told("\"STANDARD\"", "\"Standard\"")] },
    },
];

static EXISTING: NodeRule = NodeRule {
    name: "r2",
    example: "r2 \"images\" name=\"eventuall-images\"",
    props: &[required("name", Type::Plain, "The bucket's name; buckets have no other identifier.")],
    notes: &[],
    ..parts::EXISTING
};

static BINDABLE: Bindable = Bindable {
    doc: "An R2 bucket.",
    api_type: "r2_bucket",
    api_field: "bucket_name",
    output: Output::Name,
    section: &["r2_buckets"],
    entry: &[("bucket_name", Entry::Name)],
    remote: true,
    missing: 10085,
};

static FACTS: Facts = Facts {
    holds_data: true,
    name_is_id: true,
    cures: &[
        (
            10042,
            "enable R2 for this account in the dashboard, under R2: no permission of a token does that",
        ),
        (10069, KEPT),
    ],
    contents: Some(Contents { list, empty, unlisted: UNLISTED, kept: KEPT }),
    ..Facts::of(
        KindId::R2,
        "R2 bucket",
        "Workers R2 Storage Write",
        ATTRS,
        Errors {
            rate_limited: &[10058],
            ..Errors::of(Codes::Any(&[10004, 10073]), Codes::Any(&[10006, 10085]))
        },
    )
};

/// The REST API has no call that lists or aborts them. Source: cloudflare/cloudflare-docs, R2 object
/// lifecycles, checked November 2026: a new bucket has a rule that aborts them after seven days.
const UNLISTED: &str = "multipart uploads were begun in the bucket and not ended, and no list of its objects \
    shows them: abort them over S3 (`aws s3api list-multipart-uploads`, `abort-multipart-upload`), or \
    wait for the bucket's lifecycle rule, which aborts them after 7 days unless it was changed";
const KEPT: &str = "a lock rule of the bucket may keep its objects: take the rule away in the dashboard, \
    under the bucket's settings";

static NODE: NodeFacts = NodeFacts {
    aliases: &["bucket", "r2_bucket", "cloudflare_r2_bucket"],
    existing: Some(&EXISTING),
    name_rule: Some(&NAME),
    outputs: &[("name", Output::Name)],
    bindable: Some(&BINDABLE),
    ..NodeFacts::of("r2 \"x\"")
};

impl Kind for R2 {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn listing(&self, place: &Place) -> Option<Listing> {
        Some(Listing {
            call: Call::get(&["accounts", &place.account, "r2", "buckets"]),
            paging: Paging::Cursor { per_page: 1_000, field: "buckets" },
        })
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
        let name = api::text(item, "name")?;
        let mut observed = Observed { id: name.clone(), name, ..Observed::default() };
        if let Some(class) = api::text(item, "storage_class") {
            observed.fields.insert("storage-class".into(), class.into());
        }
        Some(observed)
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        let mut body = json!({ "name": wanted.name });
        for (field, to) in [("location", "locationHint"), ("storage-class", "storageClass")] {
            if let Some(value) = wanted.fields.get(field) {
                api::set(&mut body, to, value.clone());
            }
        }
        Call::post(&["accounts", &place.account, "r2", "buckets"], body)
    }

    fn update(&self, place: &Place, id: &str, wanted: &Wanted, _changed: &[String]) -> Call {
        let class = wanted.fields.get("storage-class").and_then(Json::as_str).unwrap_or("Standard");
        Call::new(http::Method::PATCH, &["accounts", &place.account, "r2", "buckets", id])
            .header("cf-r2-storage-class", class)
    }

    fn delete(&self, place: &Place, id: &str) -> Option<Call> {
        Some(Call::delete(&["accounts", &place.account, "r2", "buckets", id]))
    }

    fn meaning(&self, call: &Call, failure: &ApiFailure) -> Option<Meaning> {
        if call.method == http::Method::DELETE && (failure.status == 409 || failure.has(&[10008])) {
            return Some(Meaning::NotEmpty);
        }
        FACTS.errors.meaning(failure)
    }
}

impl Declared for R2 {
    fn grammar(&self) -> &'static NodeRule {
        &GRAMMAR
    }

    fn node(&self) -> &'static NodeFacts {
        &NODE
    }

    fn lower(&self, node: &Node, cx: &mut dyn Lower) -> Vec<Desired> {
        let mut desired = managed(KindId::R2, node, cx, &NAME);
        for name in ["location", "storage-class"] {
            set_text(&mut desired, node, cx, name);
        }
        vec![desired]
    }
}

fn list(place: &Place, id: &str) -> Call {
    Call::get(&["accounts", &place.account, "r2", "buckets", id, "objects"])
        .query("per_page", "1000")
}

fn empty(place: &Place, id: &str, page: &Answer) -> Option<Call> {
    let objects = page.result.as_array().into_iter().flatten();
    let keys: Vec<Json> = objects.filter_map(|object| object.get("key").cloned()).collect();
    if keys.is_empty() {
        return None;
    }
    let mut call = Call::delete(&["accounts", &place.account, "r2", "buckets", id, "objects"]);
    call.body = Some(Json::Array(keys));
    Some(call)
}
