//! Cloudflare Tunnels, with the ingress rules and host names that live with them.
//!
//! Endpoints: `GET|POST /accounts/{a}/cfd_tunnel`, `PATCH|DELETE …/{id}`, `DELETE
//! …/{id}/connections`, `GET …/{id}/token`. Deletes are soft: lists ask for `is_deleted=false`. A
//! tunnel with live connections cannot be deleted (1022), so they are cleaned first.
//! Source: Cloudflare's OpenAPI document and cloudflared's own client, checked November 2026.

mod config;
mod ingress;
mod order;
mod origin;
mod service;

use envc_core::{Address, Desired, KindId, Mode, Output, Value};
use envc_syntax::{
    Node,
    rule::{EMPTY, LABEL, NodeRule, Repeat},
};
use serde_json::{Value as Json, json};

use crate::{
    Call, Codes, Declared, Errors, Facts, Kind, Listing, Lower, NameRule, NodeFacts, Observed,
    Paging, Place, Wanted, api,
    parts::{self, ID_PROP, NAME_PROP, managed},
};

pub(crate) use config::TunnelConfig;
use ingress::INGRESS;

/// The kind.
#[derive(Debug)]
pub(crate) struct Tunnel;

static NAME: NameRule = NameRule { max: 100, ..parts::PRINTABLE };

static GRAMMAR: NodeRule = NodeRule {
    name: "tunnel",
    doc: "A tunnel from Cloudflare to this machine. Each ingress is a rule, and each host a proxied CNAME.",
    notes: &[
        "Needs a zone where it has an ingress. On the local cloud `{host.X}` and `{url.X}` are the local services, and nothing listens in public.",
        "Of several ingresses that a request fits, the narrowest gets it, in whichever order they stand: a host before a wildcard such as `*.{env}`, which fits hosts of any depth, a deeper wildcard before a wider one, and of one host an ingress with `path=` before one without. Of two paths of one host the one that begins with more plain characters comes first, else the one that the spec has first.",
    ],
    example: "tunnel \"dev\" { ingress \"web\" host=\"{env}\" service=\"http://localhost:{port.web}\" }",
    args: &[LABEL],
    props: &[NAME_PROP, ID_PROP],
    children: &[&INGRESS],
    repeat: Repeat::PerLabel,
    ..EMPTY
};

static EXISTING: NodeRule = NodeRule {
    name: "tunnel",
    example: "tunnel \"dev\" id=\"0b0f1d2e-5c7a-4f0e-9d2b-3a1f6c8e7d10\"",
    ..parts::EXISTING
};

static FACTS: Facts = Facts {
    renames: true,
    cures: &[
        (1022, "stop cloudflared wherever it runs for this tunnel"),
        (
            1023,
            "delete the private network routes that lead to this tunnel, which envc did not make",
        ),
    ],
    never_replaced: "its name is all that can be set, and changes in place",
    before_delete: Some(connections),
    token: Some(token),
    ..Facts::of(
        KindId::Tunnel,
        "tunnel",
        "Cloudflare Tunnel Write",
        &[],
        Errors { in_use: &[1022], ..Errors::of(Codes::Any(&[1013]), Codes::Any(&[1002])) },
    )
};

static NODE: NodeFacts = NodeFacts {
    aliases: &["cloudflared", "cloudflare_zero_trust_tunnel_cloudflared"],
    existing: Some(&EXISTING),
    name_rule: Some(&NAME),
    outputs: &[("id", Output::Id), ("name", Output::Name), ("token", Output::Token)],
    ..NodeFacts::of(
        "tunnel \"x\" { ingress \"x\" host=\"tunnel-{env}\" service=\"http://localhost\" }",
    )
};

impl Kind for Tunnel {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn listing(&self, place: &Place) -> Option<Listing> {
        Some(Listing {
            call: Call::get(&["accounts", &place.account, "cfd_tunnel"])
                .query("is_deleted", "false"),
            paging: Paging::Numbered { per_page: 1_000 },
        })
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
        if self.is_deleted(item) {
            return None;
        }
        Some(Observed {
            id: api::text(item, "id")?,
            name: api::text(item, "name")?,
            token: api::secret(item, "token"),
            ..Observed::default()
        })
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        Call::post(
            &["accounts", &place.account, "cfd_tunnel"],
            json!({ "name": wanted.name, "config_src": "cloudflare" }),
        )
    }

    fn update(&self, place: &Place, id: &str, wanted: &Wanted, _changed: &[String]) -> Call {
        Call::patch(&["accounts", &place.account, "cfd_tunnel", id], json!({ "name": wanted.name }))
    }

    fn delete(&self, place: &Place, id: &str) -> Option<Call> {
        Some(Call::delete(&["accounts", &place.account, "cfd_tunnel", id]))
    }

    fn is_deleted(&self, tunnel: &Json) -> bool {
        tunnel.get("deleted_at").is_some_and(|at| !at.is_null())
    }
}

impl Declared for Tunnel {
    fn grammar(&self) -> &'static NodeRule {
        &GRAMMAR
    }

    fn node(&self) -> &'static NodeFacts {
        &NODE
    }

    fn stands_alone(&self, node: &Node) -> bool {
        node.child("ingress").is_some()
    }

    fn lower(&self, node: &Node, cx: &mut dyn Lower) -> Vec<Desired> {
        let tunnel = managed(KindId::Tunnel, node, cx, &NAME);
        let (rules, records) = ingress::lower(node, &tunnel, cx);
        let mut all = vec![];
        if !rules.is_empty() {
            all.push(Desired {
                address: Address::new(KindId::TunnelConfig, tunnel.address.name()),
                name: tunnel.name.clone(),
                default_name: tunnel.default_name,
                mode: Mode::Managed,
                protect: tunnel.protect,
                fields: [("ingress".to_owned(), Value::List(rules))].into(),
                zone: None,
                parent: Some(tunnel.address.clone()),
                span: tunnel.span,
            });
        }
        all.extend(records);
        all.insert(0, tunnel);
        all
    }
}

/// Ends all connections, so that the tunnel can be deleted.
fn connections(place: &Place, id: &str) -> Call {
    Call::delete(&["accounts", &place.account, "cfd_tunnel", id, "connections"])
}

fn token(place: &Place, id: &str) -> Call {
    Call::get(&["accounts", &place.account, "cfd_tunnel", id, "token"])
}
