//! Routes: patterns of addresses in a zone that go to a Worker.
//!
//! Endpoints: `GET|POST /zones/{z}/workers/routes` (one page), `PUT|DELETE …/{id}`. A pattern is
//! there once in a zone (409, 10020). A route goes before its script does.
//! Source: Cloudflare's OpenAPI document and Workers documentation, checked November 2026.

use envc_core::{Desired, KindId};
use envc_syntax::Node;
use serde_json::{Value as Json, json};

use crate::{
    ApiFailure, Attr, Call, Kind, Listing, Lower, Meaning, Mutability, Observed, Paging, Place,
    Wanted, api,
};

/// The kind.
#[derive(Debug)]
pub struct WorkerRoute;

static ATTRS: &[Attr] = &[Attr {
    name: "script",
    mutability: Mutability::InPlace,
    samples: &["\"shop-a\"", "\"shop-b\""],
}];

impl Kind for WorkerRoute {
    fn id(&self) -> KindId {
        KindId::WorkerRoute
    }

    fn noun(&self) -> &'static str {
        "Worker route"
    }

    fn permission(&self) -> &'static str {
        "Workers Routes Write"
    }

    fn in_zone(&self) -> bool {
        true
    }

    fn lower(&self, _node: &Node, _cx: &mut dyn Lower) -> Vec<Desired> {
        Vec::new() // the worker makes it
    }

    fn serves(&self) -> Option<&'static str> {
        Some("script")
    }

    fn attrs(&self) -> &'static [Attr] {
        ATTRS
    }

    fn renames(&self) -> bool {
        true
    }

    fn listing(&self, place: &Place) -> Option<Listing> {
        Some(Listing { call: Call::get(&routes(&place.zone, &[])), paging: Paging::Whole })
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
        Some(Observed {
            id: api::text(item, "id")?,
            name: api::text(item, "pattern")?,
            // None: Workers are turned off for the pattern.
            fields: [("script".to_owned(), json!(api::text(item, "script")))].into(),
            ..Observed::default()
        })
    }

    /// Only the identifier is certain to be in the answer.
    fn made(&self, wanted: &Wanted, result: &Json) -> Option<Observed> {
        let id = api::text(result, "id")?;
        Some(Observed { id, name: wanted.name.clone(), ..Observed::default() })
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        Call::post(&routes(&place.zone, &[]), body(wanted))
    }

    fn update(&self, place: &Place, id: &str, wanted: &Wanted, _changed: &[String]) -> Call {
        Call::put(&routes(&place.zone, &[id]), body(wanted))
    }

    fn delete(&self, place: &Place, id: &str) -> Option<Call> {
        Some(Call::delete(&routes(&place.zone, &[id])))
    }

    fn meaning(&self, _call: &Call, failure: &ApiFailure) -> Option<Meaning> {
        if failure.has(&[10020]) {
            return Some(Meaning::Exists);
        }
        failure.has(&[10009]).then_some(Meaning::NotFound)
    }
}

fn routes<'a>(zone: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["zones", zone, "workers", "routes"], rest].concat()
}

fn body(wanted: &Wanted) -> Json {
    json!({ "pattern": wanted.name, "script": wanted.fields.get("script") })
}
