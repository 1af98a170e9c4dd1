//! Cloudflare Tunnels, with the ingress rules and host names that live with them.
//!
//! Endpoints: `GET|POST /accounts/{a}/cfd_tunnel`, `PATCH|DELETE …/{id}`, `DELETE
//! …/{id}/connections`, `GET …/{id}/token`. Deletes are soft: lists ask for `is_deleted=false`. A
//! tunnel with live connections cannot be deleted (1022), so they are cleaned first.
//! Source: Cloudflare's OpenAPI document and cloudflared's own client, checked November 2026.

mod config;
mod service;

use std::collections::BTreeMap;

use envc_core::{Address, Desired, KindId, Mode, Output, Part, Text, Value};
use envc_syntax::{
    Node, Scalar,
    rule::{EMPTY, FlagRule, LABEL, NodeRule, Repeat, Type, optional, required},
};
use serde_json::{Value as Json, json};

use crate::{
    Call, Codes, Declared, Errors, Facts, Kind, Listing, Lower, NameRule, NodeFacts, Observed,
    Paging, Place, Wanted, api, dns,
    parts::{self, ID_PROP, NAME_PROP, managed},
};

pub(crate) use config::TunnelConfig;

/// The kind.
#[derive(Debug)]
pub(crate) struct Tunnel;

static NAME: NameRule = NameRule { max: 100, ..parts::PRINTABLE };

static GRAMMAR: NodeRule = NodeRule {
    name: "tunnel",
    doc: "A tunnel from Cloudflare to this machine. Each ingress is a rule and a proxied CNAME.",
    notes: &[
        "Needs a zone where it has an ingress. On the local cloud `{host.X}` and `{url.X}` are the local services, and nothing listens in public.",
    ],
    example: "tunnel \"dev\" { ingress \"web\" host=\"{env}\" service=\"http://localhost:{port.web}\" }",
    args: &[LABEL],
    props: &[NAME_PROP, ID_PROP],
    children: &[&NodeRule {
        name: "ingress",
        doc: "A public host and the service behind it.",
        notes: &[
            "Its name is what `{host.NAME}` and `{url.NAME}` refer to, so that no two ingresses of a type share one.",
            "A service is `http://`, `https://`, `tcp://`, `ssh://`, `rdp://` or `smb://` with an address, `unix:` or `unix+tls:` with a path, `http_status:404` and the like, or one of `hello_world`, `bastion`, `socks-proxy`.",
            "The marker and the comment together have at most 100 characters.",
        ],
        example: "ingress \"web\" host=\"{env}\" service=\"http://localhost:{port.web}\"",
        args: &[LABEL],
        flags: &[FlagRule { name: "optional", doc: "Not waited for in readiness." }],
        props: &[
            required("host", Type::NameText, "A name inside the project's zone."),
            required(
                "service",
                Type::Text,
                "Where requests go. It may refer to what names may, and to ports.",
            ),
            optional("path", Type::Plain, "A regular expression that the path must match.")
                .otherwise("every path"),
            optional("comment", Type::Text, "Follows the marker in the record's comment.")
                .otherwise("the marker alone"),
        ],
        children: &[&parts::MARKER],
        repeat: Repeat::PerLabel,
        ..EMPTY
    }],
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
        let mut rules = Vec::new();
        let mut records = Vec::new();
        for ingress in node.children_named("ingress") {
            let (Some(host), Some(service)) = (ingress.prop("host"), ingress.prop("service"))
            else {
                continue;
            };
            let Some(hostname) = cx.host(host) else { continue };
            let service_text = cx.text(service);
            service::check(service, cx);
            let mut rule = BTreeMap::from([
                ("hostname".to_owned(), Value::text(hostname.clone())),
                ("service".to_owned(), Value::Text(service_text)),
            ]);
            let path = ingress.prop("path").and_then(Scalar::as_text);
            if let Some(path) = path.filter(|path| !path.is_empty()) {
                rule.insert("path".to_owned(), Value::text(path));
            }
            rules.push(Value::Map(rule));
            records.push(record(&tunnel, ingress, &hostname, cx));
        }
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

/// The proxied CNAME of an ingress. Traffic flows only through the proxy, so it is not optional.
fn record(tunnel: &Desired, ingress: &Node, hostname: &str, cx: &mut dyn Lower) -> Desired {
    let mut content = Text::output(tunnel.address.clone(), Output::Id);
    content.push(Part::Lit(".cfargotunnel.com".into()));
    let label = format!("{}.{}", tunnel.address.name(), ingress.label().unwrap_or_default());
    let mut fields = BTreeMap::from([
        ("type".to_owned(), Value::text("CNAME")),
        ("name".to_owned(), Value::text(hostname)),
        ("content".to_owned(), Value::Text(content)),
        ("proxied".to_owned(), Value::Bool(true)),
    ]);
    let comment = dns::comment(ingress, &label, cx);
    fields.extend(comment.map(|comment| ("comment".to_owned(), comment)));
    Desired {
        address: Address::new(KindId::Dns, label),
        name: dns::key("CNAME", hostname),
        default_name: false,
        mode: Mode::Managed,
        protect: tunnel.protect,
        fields,
        zone: cx.zone().map(str::to_owned),
        parent: None,
        span: ingress.label_span(),
    }
}
