//! Hyperdrive configs: how Workers reach a `PostgreSQL` or `MySQL` database.
//!
//! Endpoints: `GET|POST /accounts/{a}/hyperdrive/configs` (no filter by name), `PATCH|DELETE …/{id}`.
//! Everything but the account changes in place. The password is write-only: no answer has it, so a
//! changed one is told by the digest that is recorded. A `PUT` needs the whole with the password and
//! resets the cache, so changes go by `PATCH`; where any part of the origin changed, all of it is
//! sent, because the documentation does not say how parts are merged. Creating and changing open a
//! connection to the database: 2015 where that fails. Limits: 10 configs an account, 25 on the paid
//! plan; names of users and databases have 63 bytes; 20 connections to the origin, 100 on the paid
//! plan.
//!
//! Not documented, and so not assumed: what names may look like (what nearly every product takes is
//! asked for), the greatest `max_age`, whether a bound config can be deleted (the Worker's upload
//! goes first anyway), and the bounds of a page. A value that is equal to its default may be left out
//! of an answer. Databases behind Access or in a VPC cannot be written in a spec yet.
//! Source: Cloudflare's OpenAPI document, its Hyperdrive documentation and SDKs, checked November
//! 2026.

mod grammar;
mod url;

use std::collections::BTreeMap;

use envc_core::{Desired, Diagnostic, KindId, Output, Secret, Value};
use envc_syntax::{
    Node,
    rule::{EMPTY, LABEL, NodeRule, Repeat, Type, optional},
};
use serde_json::{Value as Json, json};

use self::grammar::{CACHING, MTLS, ORIGIN};
use crate::{
    Attr, Bindable, Call, Codes, Declared, Entry, Errors, Facts, Fields, Kind, Listing, Lower,
    NameRule, NodeFacts, Normal, Observed, Paging, Place, Wanted, Whole, api,
    normal::{self, spelt, told},
    parts::{self, ID_PROP, NAME_PROP, managed},
};

/// The kind.
#[derive(Debug)]
pub(crate) struct Hyperdrive;

static NAME: NameRule = NameRule {
    chars: "letters, digits, - and _, with a letter or a digit at both ends",
    first: |c| c.is_ascii_alphanumeric(),
    rest: |c| c.is_ascii_alphanumeric() || c == '-' || c == '_',
    last: |c| c.is_ascii_alphanumeric(),
    min: 1,
    max: 63,
};

/// Bytes of the name of a user or a database.
const NAME_BYTES_MAX: usize = 63;

static GRAMMAR: NodeRule = NodeRule {
    name: "hyperdrive",
    doc: "A Hyperdrive config: the way of Workers to a PostgreSQL or MySQL database.",
    notes: &[
        "Cloudflare opens a connection when it is made or its origin changes, and refuses what cannot be reached.",
        "`local=` is for `wrangler dev` alone, in the folder of each Worker that is bound to it: envc writes it into `.env.local` there as `CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_NAME`, which wrangler reads. In a Worker without secrets, for which there is no `.dev.vars`, wrangler shows that variable to the code as well. It is needed wherever the type has it: write it in the types in which people develop.",
        "Without `local=`, `wrangler dev` uses the config itself where `dev` is `remote`.",
    ],
    example: "hyperdrive \"pg\" { origin (secret)\"DATABASE_URL\" }",
    args: &[LABEL],
    props: &[
        NAME_PROP,
        ID_PROP,
        optional("local", Type::PrivateText, "The connection string that `wrangler dev` uses.")
            .otherwise("`wrangler dev` gets none"),
        optional("connection-limit", Type::Int(1, 100), "Most connections to the database.")
            .otherwise("not managed"),
    ],
    children: &[&ORIGIN, &CACHING, &MTLS],
    repeat: Repeat::PerLabel,
    ..EMPTY
};

/// What the spec's `origin` gives, under the API's own names.
static ORIGIN_FIELDS: [&str; 6] = ["scheme", "host", "port", "database", "user", "password"];
/// The whole origin as one connection string, until it is split.
const WHOLE: &str = "origin";
/// The spec's fields of the cache, and the API's.
const CACHE: [(&str, &str); 3] = [
    ("caching-disabled", "disabled"),
    ("max-age", "max_age"),
    ("stale-while-revalidate", "stale_while_revalidate"),
];
/// The spec's fields of mutual TLS, and the API's.
const TLS: [(&str, &str); 3] =
    [("ca", "ca_certificate_id"), ("certificate", "mtls_certificate_id"), ("sslmode", "sslmode")];
/// Seconds, where an answer leaves them out.
const MAX_AGE_S: u64 = 60;
const STALE_S: u64 = 15;
const LIMIT: &str = "connection-limit";

const NUMBER: Normal = Normal::One("a number, in digits");
const LETTERS: Normal = Normal::One("a name in the database, letter by letter");
const IDENTIFIER: Normal = Normal::One("an identifier that the API makes");
const DIGEST: Normal = Normal::One("a digest that envc makes");

static ATTRS: &[Attr] = &[
    Attr::write_only(WHOLE, &[], DIGEST),
    Attr::in_place(
        "scheme",
        &["\"postgres\"", "\"mysql\""],
        Normal::Form {
            form: |value, _| normal::text(value, url::scheme),
            spellings: &[told("\"postgresql\"", "\"postgres\"")],
        },
    ),
    Attr::in_place(
        "host",
        &["\"db.example.com\"", "\"db2.example.com\""],
        Normal::Form {
            form: |value, _| normal::text(value, normal::host),
            spellings: &[
                spelt("\"DB.Example.com\"", "\"db.example.com\""),
                spelt("\"db.example.com.\"", "\"db.example.com\""),
                told("\"b\u{fc}cher.example.com\"", "\"xn--bcher-kva.example.com\""),
            ],
        },
    ),
    Attr::in_place("port", &["5432", "5433"], NUMBER),
    Attr::in_place("database", &["\"app\"", "\"other\""], LETTERS),
    Attr::in_place("user", &["\"web\"", "\"admin\""], LETTERS),
    Attr::write_only(
        "password",
        &[
            "{\"sealed\":\"DB_PASSWORD\",\"digest\":\"0a\"}",
            "{\"sealed\":\"DB_PASSWORD\",\"digest\":\"0b\"}",
        ],
        DIGEST,
    ),
    Attr::in_place(
        "caching-disabled",
        &["false", "true"],
        Normal::One("true or false, nothing else"),
    ),
    Attr::in_place("max-age", &["60", "30"], NUMBER),
    Attr::in_place("stale-while-revalidate", &["15", "5"], NUMBER),
    Attr::in_place(LIMIT, &["20", "10"], NUMBER),
    Attr::in_place("ca", &[], IDENTIFIER),
    Attr::in_place("certificate", &[], IDENTIFIER),
    Attr::in_place("sslmode", &[], Normal::One("a word of a closed list")),
];

static EXISTING: NodeRule = NodeRule {
    name: "hyperdrive",
    example: "hyperdrive \"pg\" id=\"3f1c0a5e7b9d4c2e8f6a1b3d5c7e9f0a\"",
    ..parts::EXISTING
};

static BINDABLE: Bindable = Bindable {
    doc: "A Hyperdrive config.",
    api_type: "hyperdrive",
    api_field: "id",
    output: Output::Id,
    section: &["hyperdrive"],
    entry: &[("id", Entry::Id)],
    remote: true,
    missing: 10157,
};

static FACTS: Facts = Facts {
    renames: true,
    never_replaced: "everything but the account changes in place",
    freely_deleted: "no document says that a bound config cannot be deleted",
    dials: Some("host"),
    whole: Some(Whole { field: WHOLE, parts: &ORIGIN_FIELDS, split }),
    ..Facts::of(
        KindId::Hyperdrive,
        "Hyperdrive config",
        "Hyperdrive Write",
        ATTRS,
        Errors::of(Codes::Any(&[2017]), Codes::Any(&[2006])),
    )
};

static NODE: NodeFacts = NodeFacts {
    aliases: &["hyperdrive_config", "cloudflare_hyperdrive_config"],
    existing: Some(&EXISTING),
    name_rule: Some(&NAME),
    outputs: &[("id", Output::Id), ("name", Output::Name)],
    bindable: Some(&BINDABLE),
    ..NodeFacts::of("hyperdrive \"x\" { origin (secret)\"DATABASE_URL\" }")
};

impl Kind for Hyperdrive {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn problem(&self, field: &str, value: &Json, _beside: &Fields<Json>) -> Option<String> {
        let text = value.as_str()?;
        let odd = |c: char| c.is_whitespace() || c.is_control() || "/@,?#".contains(c);
        match field {
            "host" | "database" | "user" | "password" if text.trim().is_empty() => {
                Some("is empty".to_owned())
            }
            "host" if text.trim().contains(odd) => Some("is not a host name".to_owned()),
            "database" | "user" if text.len() > NAME_BYTES_MAX => {
                Some(format!("has {} bytes, and {NAME_BYTES_MAX} are allowed", text.len()))
            }
            "database" | "user" if text.contains(char::is_control) => {
                Some("has a control character, such as a line end".to_owned())
            }
            _ => None,
        }
    }

    fn listing(&self, place: &Place) -> Option<Listing> {
        Some(Listing {
            call: Call::get(&configs(&place.account, &[])),
            paging: Paging::Numbered { per_page: 25 },
        })
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
        let mut fields = BTreeMap::new();
        // What an origin does not tell it does not have, but for the password, which nothing tells.
        if let Some(origin) = item.get("origin").filter(|origin| origin.is_object()) {
            for field in ORIGIN_FIELDS.into_iter().filter(|field| *field != "password") {
                let value = origin.get(field).cloned().unwrap_or_default();
                fields.insert(field.to_owned(), value);
            }
        }
        if let Some(scheme) = fields.get_mut("scheme") {
            *scheme = scheme.as_str().map_or(Json::Null, |text| url::scheme(text).into());
        }
        // What an answer leaves out has its default; without the cache nothing else counts.
        let caching = item.get("caching").filter(|caching| !caching.is_null());
        let cached = |key: &str| caching.and_then(|caching| caching.get(key)).cloned();
        let disabled = cached("disabled").and_then(|it| it.as_bool()).unwrap_or_default();
        fields.insert("caching-disabled".to_owned(), disabled.into());
        for (field, key, seconds) in [
            ("max-age", "max_age", MAX_AGE_S),
            ("stale-while-revalidate", "stale_while_revalidate", STALE_S),
        ] {
            let told = cached(key).filter(|value| !value.is_null());
            let value = told.or_else(|| (!disabled).then(|| seconds.into()));
            fields.extend(value.map(|value| (field.to_owned(), value)));
        }
        if let Some(limit) = item.get("origin_connection_limit").filter(|it| !it.is_null()) {
            fields.insert(LIMIT.to_owned(), limit.clone());
        }
        for (field, key) in TLS {
            let told = item.get("mtls").and_then(|mtls| mtls.get(key));
            fields.insert(field.to_owned(), told.cloned().unwrap_or_default());
        }
        let (id, name) = (api::text(item, "id")?, api::text(item, "name")?);
        Some(Observed { id, name, fields, ..Observed::default() })
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        let mut body = json!({ "name": wanted.name });
        for (key, value) in [
            ("origin", origin(wanted)),
            ("caching", group(wanted, &CACHE)),
            ("mtls", group(wanted, &TLS)),
        ] {
            if value.as_object().is_some_and(|fields| !fields.is_empty()) {
                api::set(&mut body, key, value);
            }
        }
        if let Some(limit) = wanted.fields.get(LIMIT) {
            api::set(&mut body, "origin_connection_limit", limit.clone());
        }
        Call::post(&configs(&place.account, &[]), body)
    }

    fn update(&self, place: &Place, id: &str, wanted: &Wanted, changed: &[String]) -> Call {
        let changed_any = |fields: &[&str]| changed.iter().any(|it| fields.contains(&it.as_str()));
        let mut body = json!({});
        if changed_any(&["name"]) {
            api::set(&mut body, "name", json!(wanted.name));
        }
        if changed_any(&ORIGIN_FIELDS) {
            api::set(&mut body, "origin", origin(wanted));
        }
        for (key, fields) in [("caching", &CACHE), ("mtls", &TLS)] {
            if changed_any(&fields.map(|(field, _)| field)) {
                api::set(&mut body, key, group(wanted, fields));
            }
        }
        if let Some(limit) = wanted.fields.get(LIMIT).filter(|_| changed_any(&[LIMIT])) {
            api::set(&mut body, "origin_connection_limit", limit.clone());
        }
        Call::patch(&configs(&place.account, &[id]), body)
    }

    fn delete(&self, place: &Place, id: &str) -> Option<Call> {
        Some(Call::delete(&configs(&place.account, &[id])))
    }
}

impl Declared for Hyperdrive {
    fn grammar(&self) -> &'static NodeRule {
        &GRAMMAR
    }

    fn node(&self) -> &'static NodeFacts {
        &NODE
    }

    fn lower(&self, node: &Node, cx: &mut dyn Lower) -> Vec<Desired> {
        let mut desired = managed(KindId::Hyperdrive, node, cx, &NAME);
        let mut set = |field: &str, value: Option<Value>| {
            desired.fields.extend(value.map(|value| (field.to_owned(), value)));
        };
        set(LIMIT, int(node, LIMIT));
        match node.child("origin") {
            Some(origin) => lower_origin(origin, cx, &mut set),
            None if cx.is_existing(node) => {}
            None => cx.report(
                Diagnostic::error(
                    "envc::spec::missing_property",
                    node.label_span(),
                    "this hyperdrive has no `origin`",
                )
                .at("needs a database")
                .help("say where the database is: { origin (secret)\"DATABASE_URL\" }"),
            ),
        }
        if let Some(caching) = node.child("caching") {
            lower_caching(caching, cx, &mut set);
        }
        if let Some(tls) = node.child("mtls") {
            lower_tls(tls, cx, &mut set);
        }
        vec![desired]
    }
}

fn split(text: &Secret) -> Result<Fields<Secret>, String> {
    url::split(text.expose(), NAME_BYTES_MAX)
}

fn configs<'a>(account: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["accounts", account, "hyperdrive", "configs"], rest].concat()
}

/// The database, with the texts that stand nowhere but in the call.
fn origin(wanted: &Wanted) -> Json {
    let mut body = json!({});
    for field in ORIGIN_FIELDS {
        let secret = wanted.secrets.get(field).map(|text| match field {
            // The secret's place: the body of the call, and nowhere else.
            "port" => text.expose().parse::<u16>().map_or(Json::Null, Json::from),
            _ => Json::from(text.expose()),
        });
        if let Some(value) = secret.or_else(|| wanted.fields.get(field).cloned()) {
            let value = match field {
                "host" => normal::text(&value, |text| text.trim().to_owned()),
                _ => value,
            };
            api::set(&mut body, field, value);
        }
    }
    body
}

fn group(wanted: &Wanted, fields: &[(&str, &str)]) -> Json {
    let mut body = json!({});
    for (field, key) in fields {
        if let Some(value) = wanted.fields.get(*field) {
            api::set(&mut body, key, value.clone());
        }
    }
    body
}

/// Takes a field, where the spec has it.
type Set<'s> = dyn FnMut(&str, Option<Value>) + 's;

fn int(node: &Node, name: &str) -> Option<Value> {
    node.prop(name)?.as_int().map(Value::Int)
}

fn lower_origin(node: &Node, cx: &mut dyn Lower, set: &mut Set<'_>) {
    if let Some(whole) = node.args.first() {
        if let Some(prop) = node.props.first() {
            cx.report(
                Diagnostic::error(
                    "envc::spec::conflict",
                    prop.span(),
                    "a connection string says the whole origin already",
                )
                .at("said twice")
                .label(whole.span, "the connection string")
                .help("remove one of the two"),
            );
        }
        set(WHOLE, Some(Value::Private(cx.private_text(whole))));
        return;
    }
    let missing: Vec<&str> = ["host", "database", "user", "password"]
        .into_iter()
        .filter(|it| node.prop(it).is_none())
        .collect();
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(|name| format!("`{name}=`")).collect();
        let message = format!("this origin has no {}", names.join(", "));
        cx.report(
            Diagnostic::error("envc::spec::missing_property", node.name.span, message)
                .at("not a whole origin")
                .help("add it, or give it all as one connection string: origin (secret)\"DATABASE_URL\""),
        );
    }
    let scheme = node.prop("scheme").and_then(|it| it.as_text()).unwrap_or("postgres");
    let scheme = url::scheme(scheme);
    set("scheme", Some(Value::text(&scheme)));
    let port = i64::from(url::default_port(&scheme));
    set("port", int(node, "port").or(Some(Value::Int(port))));
    for field in ["host", "database", "user"] {
        let Some(scalar) = node.prop(field) else { continue };
        set(field, Some(Value::Text(cx.text(scalar))));
        let Some(text) = cx.literal(scalar) else { continue };
        let what = Hyperdrive.problem(field, &Json::from(text), &Fields::new());
        if let Some(what) = what {
            let message = format!("this cannot be the {field} of an origin");
            cx.report(
                Diagnostic::error("envc::spec::invalid_value", scalar.span, message)
                    .at(format!("it {what}"))
                    .help(format!("write the {field}, as the database knows it")),
            );
        }
    }
    set("password", node.prop("password").map(|it| Value::Private(cx.private_text(it))));
}

fn lower_caching(node: &Node, cx: &mut dyn Lower, set: &mut Set<'_>) {
    let disabled = node.flag("disabled");
    set("caching-disabled", Some(Value::Bool(disabled.is_some())));
    for field in ["max-age", "stale-while-revalidate"] {
        if let (Some(flag), Some(prop)) = (disabled, node.prop_entry(field)) {
            cx.report(
                Diagnostic::error(
                    "envc::spec::conflict",
                    prop.span(),
                    format!("without a cache there is no `{field}=`"),
                )
                .at("has no effect")
                .label(flag.span, "disabled")
                .help(format!("remove `{field}=`, or remove disabled"))
                .fix(prop.span(), ""),
            );
        }
        set(field, int(node, field));
    }
}

/// Source: Cloudflare's Hyperdrive documentation: the modes that verify need a CA, the ones that
/// only require TLS exclude one.
fn lower_tls(node: &Node, cx: &mut dyn Lower, set: &mut Set<'_>) {
    for (field, _) in TLS {
        let text = node.prop(field).and_then(|scalar| scalar.as_text());
        set(field, text.map(Value::text));
    }
    let Some(mode) = node.prop("sslmode") else { return };
    let verifies = !matches!(mode.as_text(), Some("require" | "REQUIRED"));
    let wrong = match (verifies, node.prop("ca")) {
        (true, None) => "a mode that verifies needs a `ca=`",
        (false, Some(_)) => "a mode that verifies nothing excludes `ca=`",
        _ => return,
    };
    cx.report(
        Diagnostic::error("envc::spec::conflict", mode.span, wrong)
            .at("this mode")
            .help("verify-ca, verify-full, VERIFY_CA and VERIFY_IDENTITY verify"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        let secrets = url::split("postgresql://web:s3cret@db.example.com/app", 63).unwrap();
        Wanted {
            name: "shop-pg".into(),
            fields: [("max-age".to_owned(), json!(30)), (LIMIT.to_owned(), json!(7))].into(),
            secrets,
            ..Wanted::default()
        }
    }

    fn body(call: &Call) -> Json {
        call.body.clone().unwrap()
    }

    #[test]
    fn a_create_sends_all_and_a_change_no_more_than_the_group_that_changed() {
        let place = Place { account: "a".into(), ..Place::default() };
        let origin = json!({
            "scheme": "postgres", "host": "db.example.com", "port": 5432, "database": "app",
            "user": "web", "password": "s3cret",
        });
        let call = Hyperdrive.create(&place, &wanted());
        let all = json!({
            "name": "shop-pg", "origin": origin, "caching": { "max_age": 30 },
            "origin_connection_limit": 7,
        });
        assert_eq!(body(&call), all);
        assert!(!format!("{call:?}").contains("s3cret"));
        for (changed, expect) in [
            ("name", json!({ "name": "shop-pg" })),
            ("password", json!({ "origin": origin })),
            ("host", json!({ "origin": origin })),
            ("max-age", json!({ "caching": { "max_age": 30 } })),
            (LIMIT, json!({ "origin_connection_limit": 7 })),
        ] {
            let call = Hyperdrive.update(&place, "id", &wanted(), &[changed.to_owned()]);
            assert_eq!((call.method.as_str(), body(&call)), ("PATCH", expect), "{changed}");
        }
    }

    #[test]
    fn an_answer_that_leaves_out_defaults_tells_them() {
        let item = json!({
            "id": "1", "name": "n",
            "origin": { "scheme": "postgresql", "host": "h", "port": 5432, "database": "d", "user": "u" },
        });
        let seen = Hyperdrive.observe(&item).unwrap();
        assert_eq!(seen.fields["scheme"], json!("postgres"));
        assert_eq!(seen.fields["caching-disabled"], json!(false));
        assert_eq!(seen.fields["max-age"], json!(60));
        assert_eq!(seen.fields["stale-while-revalidate"], json!(15));
        assert_eq!(seen.fields["sslmode"], Json::Null);
        assert!(!seen.fields.contains_key("password") && !seen.fields.contains_key(LIMIT));
        let item = json!({ "id": "1", "name": "n", "origin": { "host": "h" } });
        assert_eq!(Hyperdrive.observe(&item).unwrap().fields["port"], Json::Null);
        let item = json!({ "id": "1", "name": "n", "caching": { "disabled": true } });
        let seen = Hyperdrive.observe(&item).unwrap();
        assert_eq!(seen.fields["caching-disabled"], json!(true));
        assert!(!seen.fields.contains_key("max-age"));
    }
}
