//! A tunnel's configuration: one document of ingress rules per tunnel.
//!
//! Endpoint: `GET|PUT /accounts/{a}/cfd_tunnel/{id}/configurations`. A PUT replaces the whole; the
//! last rule must match everything; there is no delete: it dies with the tunnel. The server may
//! echo empty `originRequest` objects, which are dropped before comparing.
//! Source: Cloudflare's OpenAPI document, checked November 2026.

use envc_core::{Desired, KindId};
use envc_syntax::Node;
use serde_json::{Value as Json, json};

use crate::{
    ApiFailure, Attr, Call, Kind, Listing, Lower, Meaning, Mutability, Observed, Place, Wanted, api,
};

/// The kind.
#[derive(Debug)]
pub struct TunnelConfig;

const CATCH_ALL: &str = "http_status:404";

static ATTRS: &[Attr] = &[Attr {
    name: "ingress",
    mutability: Mutability::InPlace,
    samples: &[
        "[{\"hostname\":\"a.example.com\",\"service\":\"http://localhost:1\"}]",
        "[{\"hostname\":\"b.example.com\",\"service\":\"http://localhost:2\"}]",
    ],
}];

impl Kind for TunnelConfig {
    fn id(&self) -> KindId {
        KindId::TunnelConfig
    }

    fn noun(&self) -> &'static str {
        "tunnel configuration"
    }

    fn permission(&self) -> &'static str {
        "Cloudflare Tunnel Write"
    }

    fn lower(&self, _node: &Node, _cx: &mut dyn Lower) -> Vec<Desired> {
        Vec::new() // the tunnel makes it
    }

    fn attrs(&self) -> &'static [Attr] {
        ATTRS
    }

    fn listing(&self, _place: &Place) -> Option<Listing> {
        None
    }

    fn read_of_parent(&self, place: &Place, parent_id: &str) -> Option<Call> {
        Some(Call::get(&path(&place.account, parent_id)))
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
        let rules = item.pointer("/config/ingress")?.as_array()?;
        let rules: Vec<Json> = rules
            .iter()
            .filter(|rule| !is_catch_all(rule))
            .map(|rule| {
                let mut rule = rule.clone();
                if let Some(fields) = rule.as_object_mut() {
                    // What the spec cannot set is not managed, whatever the server adds.
                    fields.retain(|name, value| {
                        matches!(name.as_str(), "hostname" | "path" | "service") && !is_empty(value)
                    });
                }
                rule
            })
            .collect();
        Some(Observed {
            id: api::text(item, "tunnel_id")?,
            fields: [("ingress".to_owned(), Json::Array(rules))].into(),
            ..Observed::default()
        })
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        let mut rules =
            wanted.fields.get("ingress").and_then(Json::as_array).cloned().unwrap_or_default();
        rules.push(json!({ "service": CATCH_ALL }));
        Call::put(
            &path(&place.account, &wanted.parent_id),
            json!({ "config": { "ingress": rules } }),
        )
    }

    fn update(&self, place: &Place, id: &str, wanted: &Wanted, _changed: &[String]) -> Call {
        self.create(place, &Wanted { parent_id: id.to_owned(), ..wanted.clone() })
    }

    fn delete(&self, _place: &Place, _id: &str) -> Option<Call> {
        None
    }

    fn meaning(&self, _call: &Call, failure: &ApiFailure) -> Option<Meaning> {
        failure.has(&[1055, 1002]).then_some(Meaning::NotFound)
    }
}

fn path<'a>(account: &'a str, tunnel_id: &'a str) -> [&'a str; 5] {
    ["accounts", account, "cfd_tunnel", tunnel_id, "configurations"]
}

/// The rule without host and path that every configuration ends with.
fn is_catch_all(rule: &Json) -> bool {
    let without = |field| rule.get(field).is_none_or(is_empty);
    without("hostname") && without("path")
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        Json::Bool(_) | Json::Number(_) | Json::Array(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_adds_is_not_seen() {
        let wanted = Wanted {
            fields: [(
                "ingress".to_owned(),
                json!([{ "hostname": "a.example.com", "service": "http://localhost:1" }]),
            )]
            .into(),
            parent_id: "t".into(),
            ..Wanted::default()
        };
        let place = Place { account: "a".into(), ..Place::default() };
        let sent = TunnelConfig.create(&place, &wanted).body.unwrap();
        let mut echoed = json!({ "tunnel_id": "t", "config": sent["config"] });
        echoed["config"]["ingress"][0]["originRequest"] = json!({ "connectTimeout": 30 });
        echoed["config"]["ingress"][0]["id"] = json!("1");
        echoed["config"]["ingress"][0]["path"] = json!("");
        assert_eq!(TunnelConfig.observe(&echoed).unwrap().fields, wanted.fields);
        assert_eq!(TunnelConfig.observe(&json!({ "tunnel_id": "t", "config": null })), None);
    }
}
