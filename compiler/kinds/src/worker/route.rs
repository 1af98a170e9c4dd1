//! Routes: patterns of addresses in a zone that go to a Worker.
//!
//! Endpoints: `GET|POST /zones/{z}/workers/routes` (one page), `PUT|DELETE …/{id}`. A pattern is
//! there once in a zone (409, 10020). A route goes before its script does.
//! Source: Cloudflare's OpenAPI document and Workers documentation, checked November 2026.

use std::borrow::Cow;

use envc_core::KindId;
use serde_json::{Value as Json, json};

use super::SCRIPT_ALONE;
use crate::{
    Call, Codes, Errors, Facts, Kind, Listing, Observed, Paging, Place, Wanted, api, normal,
};

/// The kind.
#[derive(Debug)]
pub(crate) struct WorkerRoute;

static FACTS: Facts = Facts {
    in_zone: true,
    renames: true,
    never_replaced: "its pattern and its script change in place",
    freely_deleted: "nothing holds on to a route",
    serves: Some(("script", KindId::Worker)),
    ..Facts::of(
        KindId::WorkerRoute,
        "Worker route",
        "Workers Routes Write",
        SCRIPT_ALONE,
        Errors { not_yet: &[10019], ..Errors::of(Codes::Any(&[10020]), Codes::Any(&[10009])) },
    )
};

impl Kind for WorkerRoute {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    /// Of a pattern only the scheme and the host are written in several ways: paths are exact.
    fn key<'n>(&self, name: &'n str) -> Cow<'n, str> {
        let (scheme, rest) = match name.split_once("://") {
            Some((scheme, rest)) => (format!("{}://", scheme.to_ascii_lowercase()), rest),
            None => (String::new(), name),
        };
        let (host, path) =
            rest.split_at_checked(rest.find('/').unwrap_or(rest.len())).unwrap_or((rest, ""));
        format!("{scheme}{}{path}", normal::host(host)).into()
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
}

fn routes<'a>(zone: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["zones", zone, "workers", "routes"], rest].concat()
}

fn body(wanted: &Wanted) -> Json {
    json!({ "pattern": wanted.name, "script": wanted.fields.get("script") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_patterns_are_written_in_several_ways_and_paths_in_one() {
        let key = |pattern| WorkerRoute.key(pattern).into_owned();
        assert_eq!(key("A.Example.Com./Path/*"), "a.example.com/Path/*");
        assert_eq!(key("HTTPS://*.xn--bcher-kva.example"), "https://*.b\u{fc}cher.example");
        assert_ne!(key("a.example/p"), key("a.example/P"));
        assert_ne!(key("a.example"), key("a.example/"));
        assert_ne!(key("https://a.example/*"), key("a.example/*"));
    }
}
