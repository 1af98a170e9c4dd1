//! A tunnel's configuration: one document of ingress rules per tunnel.
//!
//! Endpoint: `GET|PUT /accounts/{a}/cfd_tunnel/{id}/configurations`. A PUT replaces the whole; the
//! last rule must match everything; there is no delete: it dies with the tunnel. Rules are compared
//! by what they do: orders that mean the same are one (`order.rs`), and so are an option that is left
//! out and its default (`origin.rs`). What the spec cannot set (the whole's own `originRequest`, other
//! options of a rule, `warp-routing`, another last rule) is sent again as it was seen.
//! Source: Cloudflare's OpenAPI document, checked November 2026.

use envc_core::KindId;
use serde_json::{Value as Json, json};

use super::{order, origin, service};
use crate::{
    Attr, Call, Codes, Errors, Facts, Fields, Kind, Mutability, Normal, Observed, OfParent, Place,
    Wanted, api,
    normal::{self, spelt, told},
};

/// The kind.
#[derive(Debug)]
pub(crate) struct TunnelConfig;

const CATCH_ALL: &str = "http_status:404";

static ATTRS: &[Attr] = &[Attr {
    name: "ingress",
    mutability: Mutability::InPlace,
    samples: &[
        "[{\"hostname\":\"a.example.com\",\"service\":\"http://localhost:1\"}]",
        "[{\"hostname\":\"b.example.com\",\"service\":\"http://localhost:2\"}]",
        "[{\"hostname\":\"c.example.com\",\"originRequest\":{\"connectTimeout\":5,\"noTLSVerify\":true},\"service\":\"https://localhost:3\"}]",
    ],
    normal: Normal::Form {
        form: ingress,
        spellings: &[
            spelt(
                "[{\"hostname\":\"a.example.com\",\"path\":\"\",\"service\":\"http://localhost:1\"}]",
                "[{\"hostname\":\"a.example.com\",\"service\":\"http://localhost:1\"}]",
            ),
            spelt(
                "[{\"hostname\":\"A.Example.Com\",\"service\":\"http://LocalHost:1/\"}]",
                "[{\"hostname\":\"a.example.com\",\"service\":\"http://localhost:1\"}]",
            ),
            told(
                "[{\"hostname\":\"a.example.com.\",\"path\":null,\"originRequest\":{},\"service\":\"HTTP://localhost:1\"}]",
                "[{\"hostname\":\"a.example.com\",\"service\":\"http://localhost:1\"}]",
            ),
            spelt(
                "[{\"hostname\":\"b.example.com\",\"service\":\"http://localhost:2\"},{\"hostname\":\"a.example.com\",\"service\":\"http://localhost:1\"}]",
                "[{\"hostname\":\"a.example.com\",\"service\":\"http://localhost:1\"},{\"hostname\":\"b.example.com\",\"service\":\"http://localhost:2\"}]",
            ),
            spelt(
                "[{\"hostname\":\"a.example.com\",\"originRequest\":{\"connectTimeout\":30,\"noTLSVerify\":false},\"service\":\"https://localhost:1\"}]",
                "[{\"hostname\":\"a.example.com\",\"service\":\"https://localhost:1\"}]",
            ),
            told(
                "[{\"hostname\":\"a.example.com\",\"service\":\"hello-world\"}]",
                "[{\"hostname\":\"a.example.com\",\"service\":\"hello_world\"}]",
            ),
        ],
    },
}];

/// All that was seen, for the next update.
const WHOLE: &str = "whole";

/// Rules with what the spec can set, in the one order of all that mean the same.
fn ingress(value: &Json, _beside: &Fields<Json>) -> Json {
    match value.as_array() {
        Some(rules) => {
            let rules: Vec<Json> = rules.iter().map(normal_rule).collect();
            Json::Array(order::canonical(&rules))
        }
        None => value.clone(),
    }
}

/// The one way to write a rule.
fn normal_rule(rule: &Json) -> Json {
    let mut rule = managed(rule);
    for (field, form) in [("hostname", normal::host as fn(&str) -> String), ("service", service)] {
        if let Some(text) = rule.get(field).map(|text| normal::text(text, form)) {
            api::set(&mut rule, field, text);
        }
    }
    rule
}

/// A rule without what the spec cannot set, and without what says nothing.
fn managed(rule: &Json) -> Json {
    let options = origin::form(rule);
    let mut rule = rule.clone();
    if let Some(fields) = rule.as_object_mut() {
        fields.retain(|name, value| {
            matches!(name.as_str(), "hostname" | "path" | "service") && !is_empty(value)
        });
        fields.extend(options.map(|options| (origin::FIELD.to_owned(), options)));
    }
    rule
}

/// An address in small letters up to its path, which is none where it is a lone `/`: cloudflared
/// keeps the path of the request. A default port is told apart, because nothing says that Cloudflare
/// takes it for none. Source: cloudflared's source, checked November 2026.
fn service(text: &str) -> String {
    let text = text.trim();
    let Some((scheme, rest)) = text.split_once("://") else {
        return if text == "hello-world" { "hello_world".into() } else { text.into() };
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (format!("{user}@"), host),
        None => (String::new(), authority),
    };
    let path = if path == "/" { "" } else { path };
    format!("{}://{user}{}{path}", scheme.to_ascii_lowercase(), host.to_ascii_lowercase())
}

static FACTS: Facts = Facts {
    writes_whole: true,
    freely_deleted: "it goes with its tunnel",
    of_parent: Some(OfParent { kind: KindId::Tunnel, read }),
    ..Facts::of(
        KindId::TunnelConfig,
        "tunnel configuration",
        "Cloudflare Tunnel Write",
        ATTRS,
        Errors::of(Codes::Never("a PUT replaces what is there"), Codes::Any(&[1055, 1002])),
    )
};

impl Kind for TunnelConfig {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn problem(&self, field: &str, value: &Json, _beside: &Fields<Json>) -> Option<String> {
        let rules = value.as_array().filter(|_| field == "ingress")?;
        let text = |rule: &Json, key: &str| rule.get(key)?.as_str().map(str::to_owned);
        rules.iter().find_map(|rule| {
            let service = text(rule, "service")?;
            service::unreachable(&text(rule, "hostname").unwrap_or_default(), &service)
                .or_else(|| origin::problem(rule))
        })
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
        let config = item.get("config")?;
        let rules = config.get("ingress")?.as_array()?;
        // What the spec cannot set is not managed, whatever the server adds.
        let seen = |rule: &Json| {
            let mut rule = rule.clone();
            origin::inherit(&mut rule, config.get(origin::FIELD));
            managed(&rule)
        };
        let rules: Vec<Json> = rules.iter().filter(|rule| !is_catch_all(rule)).map(seen).collect();
        Some(Observed {
            id: api::text(item, "tunnel_id")?,
            fields: [
                ("ingress".to_owned(), Json::Array(rules)),
                (WHOLE.to_owned(), config.clone()),
            ]
            .into(),
            ..Observed::default()
        })
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        Call::put(
            &path(&place.account, &wanted.parent_id),
            json!({ "config": config(&wanted.fields, wanted.before.get(WHOLE)) }),
        )
    }

    fn update(&self, place: &Place, id: &str, wanted: &Wanted, _changed: &[String]) -> Call {
        self.create(place, &Wanted { parent_id: id.to_owned(), ..wanted.clone() })
    }

    fn delete(&self, _place: &Place, _id: &str) -> Option<Call> {
        None
    }
}

fn read(place: &Place, tunnel_id: &str) -> Call {
    Call::get(&path(&place.account, tunnel_id))
}

fn path<'a>(account: &'a str, tunnel_id: &'a str) -> [&'a str; 5] {
    ["accounts", account, "cfd_tunnel", tunnel_id, "configurations"]
}

/// The configuration to send: the wanted rules, with all that was seen and no spec can set.
fn config(fields: &Fields<Json>, seen: Option<&Json>) -> Json {
    let mut config = seen.filter(|seen| seen.is_object()).cloned().unwrap_or_else(|| json!({}));
    let old = config.get("ingress").and_then(Json::as_array).cloned().unwrap_or_default();
    let above = config.get(origin::FIELD).cloned();
    let place = |rule: &Json| {
        let rule = normal_rule(rule);
        let part = |field: &str| rule.get(field).cloned();
        (part("hostname"), part("path"))
    };
    let wanted = fields.get("ingress").and_then(Json::as_array).map(Vec::as_slice);
    let mut rules: Vec<Json> = wanted
        .unwrap_or_default()
        .iter()
        .map(|rule| {
            let known = old.iter().find(|other| place(other) == place(rule));
            let mut whole = known.cloned().unwrap_or_else(|| json!({}));
            for field in ["hostname", "path", "service"] {
                match rule.get(field).filter(|value| !is_empty(value)) {
                    Some(value) => api::set(&mut whole, field, value.clone()),
                    None => drop(whole.as_object_mut().and_then(|whole| whole.remove(field))),
                }
            }
            origin::put(&mut whole, rule, above.as_ref());
            whole
        })
        .collect();
    let last = old.iter().find(|rule| is_catch_all(rule)).cloned();
    rules.push(last.unwrap_or_else(|| json!({ "service": CATCH_ALL })));
    api::set(&mut config, "ingress", Json::Array(rules));
    config
}

/// The rule without host and path that every configuration ends with.
fn is_catch_all(rule: &Json) -> bool {
    let without = |field| rule.get(field).is_none_or(is_empty);
    let any_host = without("hostname") || rule.get("hostname").is_some_and(|host| host == "*");
    any_host && without("path")
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
        let seen = TunnelConfig.observe(&echoed).unwrap().fields;
        assert_eq!(seen["ingress"], wanted.fields["ingress"]);
        assert_eq!(TunnelConfig.observe(&json!({ "tunnel_id": "t", "config": null })), None);
    }

    #[test]
    fn what_the_spec_cannot_set_is_sent_again_as_it_was_seen() {
        let seen = json!({
            "ingress": [
                { "hostname": "B.example.com.", "service": "http://localhost:2", "originRequest": { "noHappyEyeballs": true } },
                { "hostname": "gone.example.com", "service": "http://localhost:3" },
                { "service": "http_status:503", "originRequest": {} },
            ],
            "originRequest": { "connectTimeout": 30, "bastionMode": false },
            "warp-routing": { "enabled": true },
        });
        let rules = json!([
            { "hostname": "a.example.com", "path": "", "service": "http://localhost:1" },
            { "hostname": "b.example.com", "service": "http://localhost:22" },
        ]);
        let wanted = Wanted {
            fields: [("ingress".to_owned(), rules)].into(),
            before: [(WHOLE.to_owned(), seen)].into(),
            ..Wanted::default()
        };
        let call = TunnelConfig.update(&Place::default(), "t", &wanted, &["ingress".into()]);
        assert_eq!(
            call.body.unwrap()["config"],
            json!({
                "ingress": [
                    { "hostname": "a.example.com", "service": "http://localhost:1" },
                    { "hostname": "b.example.com", "service": "http://localhost:22", "originRequest": { "noHappyEyeballs": true } },
                    { "service": "http_status:503", "originRequest": {} },
                ],
                "originRequest": { "connectTimeout": 30, "bastionMode": false },
                "warp-routing": { "enabled": true },
            })
        );
    }

    fn rules_seen(config: &Json) -> Json {
        let told = json!({ "tunnel_id": "t", "config": config });
        TunnelConfig.observe(&told).unwrap().fields["ingress"].clone()
    }

    #[test]
    fn an_option_that_somebody_else_set_is_seen_and_put_back() {
        let wanted = json!([{ "hostname": "a.example.com", "service": "https://localhost:1" }]);
        let rule = |options: Json| json!({ "hostname": "a.example.com", "service": "https://localhost:1", "originRequest": options });
        let is_same = |config: &Json| {
            let none = Fields::new();
            ingress(&rules_seen(config), &none) == ingress(&wanted, &none)
        };
        let last = json!({ "service": "http_status:404" });
        for (own, above, same) in [
            (json!({ "connectTimeout": 30, "bastionMode": true }), json!({}), true),
            (json!({ "noTLSVerify": true }), json!({}), false),
            (json!({}), json!({ "httpHostHeader": "x" }), false),
            (json!({ "connectTimeout": 30 }), json!({ "connectTimeout": 5 }), true),
        ] {
            let seen = json!({ "ingress": [rule(own), last], "originRequest": above });
            assert_eq!(is_same(&seen), same, "{seen}");
            let fields = [("ingress".to_owned(), wanted.clone())].into();
            let sent = config(&fields, Some(&seen));
            assert!(is_same(&sent), "{sent}");
            assert_eq!(sent["originRequest"], seen["originRequest"]);
        }
    }

    #[test]
    fn an_order_that_means_something_else_is_a_difference() {
        let rule = |host: &str, path: &str, service: u16| json!({ "hostname": host, "path": path, "service": format!("http://localhost:{service}") });
        let same = |a: Json, b: Json| {
            let none = Fields::new();
            ingress(&json!([a, b]), &none) == ingress(&json!([b, a]), &none)
        };
        for (a, b, expect) in [
            (rule("*.x.example", "", 1), rule("api.x.example", "", 2), false),
            (rule("*.x.example", "", 1), rule("*.a.x.example", "", 2), false),
            (rule("a.x.example", "", 1), rule("a.x.example", "^/api", 2), false),
            (rule("a.x.example", "/b", 1), rule("a.x.example", "^/a", 2), false),
            (rule("a.x.example", "^/a", 1), rule("a.x.example", "^/b", 2), true),
            (rule("a.x.example", "", 1), rule("b.x.example", "", 2), true),
            (rule("*.x.example", "", 1), rule("x.example", "", 2), true),
            // Whichever gets the request, it goes to the same service.
            (rule("*.x.example", "", 1), rule("api.x.example", "", 1), true),
        ] {
            assert_eq!(same(a.clone(), b.clone()), expect, "{a} {b}");
        }
    }

    #[test]
    fn services_are_small_up_to_their_path() {
        for (written, means) in [
            ("HTTP://LocalHost:3000/", "http://localhost:3000"),
            ("https://User:Pass@Host/Path", "https://User:Pass@host/Path"),
            ("http://[::1]:80?Q", "http://[::1]:80?Q"),
            ("unix:/Run/X.sock", "unix:/Run/X.sock"),
            ("hello-world", "hello_world"),
            ("http://localhost:80", "http://localhost:80"),
        ] {
            assert_eq!(service(written), means, "{written}");
        }
    }
}
