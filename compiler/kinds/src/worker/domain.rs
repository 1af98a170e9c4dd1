//! Custom domains: hosts of a Worker's own, with a DNS record and a certificate that Cloudflare
//! makes and removes.
//!
//! Endpoints: `GET /accounts/{a}/workers/domains` (one page, `zone_id` filters), `PUT` the same path
//! (an upsert by host name), `DELETE …/{id}`. The host name of another Worker (100116) and one with
//! DNS records of the user's (100117) are refused. An update takes the host over from whichever Worker
//! has it (`override_existing_origin`), since it is of a domain that is proven ours; a create never
//! does.
//! Source: Cloudflare's OpenAPI document and Workers documentation, checked November 2026.

use std::borrow::Cow;

use envc_core::KindId;
use serde_json::{Value as Json, json};

use super::SCRIPT_ALONE;
use crate::{
    Call, Codes, Errors, Facts, Hosts, Kind, Listing, Observed, Paging, Place, Wanted, api, normal,
};

/// The kind.
#[derive(Debug)]
pub(crate) struct WorkerDomain;

static FACTS: Facts = Facts {
    in_zone: true,
    cures: &[
        (100_116, "take the host from the Worker that has it, or give the domain another host"),
        (
            100_117,
            "delete the DNS records of that host, which envc did not make, or give the domain another \
             host",
        ),
    ],
    freely_deleted: "nothing holds on to a domain",
    serves: Some(("script", KindId::Worker)),
    shares_hosts_with: &[KindId::Dns], // 100117
    hosts: Some(Hosts { of: |name| Some(normal::host(name)), held: |_| None }),
    ..Facts::of(
        KindId::WorkerDomain,
        "Worker domain",
        "Workers Scripts Write",
        SCRIPT_ALONE,
        Errors {
            refused: &[100_116, 100_117],
            not_yet: &[10007, 10090, 10092],
            ..Errors::of(
                Codes::Never("a PUT by its own Worker replaces what is there"),
                Codes::Any(&[100_114]),
            )
        },
    )
};

impl Kind for WorkerDomain {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn key<'n>(&self, name: &'n str) -> Cow<'n, str> {
        normal::host(name).into()
    }

    fn listing(&self, place: &Place) -> Option<Listing> {
        let call = Call::get(&domains(&place.account, &[])).query("zone_id", &place.zone);
        Some(Listing { call, paging: Paging::Whole })
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
        Some(Observed {
            id: api::text(item, "id")?,
            name: api::text(item, "hostname")?,
            fields: [("script".to_owned(), json!(api::text(item, "service")))].into(),
            ..Observed::default()
        })
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        put(place, body(place, wanted))
    }

    fn update(&self, place: &Place, _id: &str, wanted: &Wanted, _changed: &[String]) -> Call {
        let mut body = body(place, wanted);
        api::set(&mut body, "override_existing_origin", json!(true));
        put(place, body)
    }

    fn delete(&self, place: &Place, id: &str) -> Option<Call> {
        Some(Call::delete(&domains(&place.account, &[id])))
    }
}

/// Several at once have failed in various ways.
fn put(place: &Place, body: Json) -> Call {
    Call::put(&domains(&place.account, &[]), body).one_at_a_time()
}

fn domains<'a>(account: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["accounts", account, "workers", "domains"], rest].concat()
}

fn body(place: &Place, wanted: &Wanted) -> Json {
    json!({
        "hostname": wanted.name, "service": wanted.fields.get("script"),
        "zone_id": place.zone, "environment": "production",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_is_taken_from_another_worker() {
        let (place, wanted) = (Place::default(), Wanted::default());
        let over = |call: Call| call.body.unwrap().get("override_existing_origin").cloned();
        assert_eq!(over(WorkerDomain.create(&place, &wanted)), None);
        let update = WorkerDomain.update(&place, "id", &wanted, &["script".into()]);
        assert_eq!(over(update), Some(json!(true)));
    }
}
