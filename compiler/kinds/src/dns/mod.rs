//! DNS records.
//!
//! Endpoints: `GET /zones/{z}/dns_records`, `POST …/batch` (deletes, patches, puts, posts in this
//! order, in one transaction; 200 operations on the free plan). The comment carries the ownership
//! marker, because tags are not on every plan. A CNAME excludes A, AAAA and CNAME of its name.
//! What has `meta.read_only` is another product's: it is changed with that product and not here, and
//! the host of a Worker's domain takes no other address (81062).
//! Source: Cloudflare's OpenAPI document and DNS documentation, checked November 2026.

mod rules;

use std::{borrow::Cow, collections::BTreeMap};

use envc_core::{Address, Desired, Diagnostic, KindId, Mode, Part, Span, Text, Value, counted};
use envc_syntax::{
    Node, Scalar,
    rule::{EMPTY, FlagRule, LABEL, NodeRule, Repeat, Type, optional, required},
};
use serde_json::{Value as Json, json};

use crate::{
    Attr, Batch, BatchItem, Call, Codes, Declared, Errors, Facts, Fields, Held, Hosts, Kind,
    Listing, Lower, MARKER, MarkerOf, Mutability, NodeFacts, Normal, Observed, Paging, Place,
    Spelling, Wanted, Writer, api, is_marked,
    normal::{self, spelt, told},
    same, same_name,
};

/// The kind.
#[derive(Debug)]
pub(crate) struct Dns;

/// Characters of a comment on the free plan.
pub const DNS_COMMENT_CHARS_MAX: usize = 100;
/// Operations of one batch on the free plan.
const BATCH_OPS_MAX: usize = 200;
const TYPES: &[&str] = &["A", "AAAA", "CNAME", "TXT", "MX", "NS"];

static GRAMMAR: NodeRule = NodeRule {
    name: "dns",
    doc: "A DNS record in the project's zone.",
    notes: &[
        "Needs a zone. `name=\"api\"` and `name=\"api.{zone}\"` are the same host.",
        "A CNAME excludes A, AAAA and another CNAME of its host; the same type twice is a collision, too.",
        "The comment in the account begins with the marker `envc:PROJECT/ID/NAME@REPOSITORY`, by which envc knows its own: REPOSITORY is eight hex digits, the beginning of the SHA-256 of `project id=`, else of `origin` as `host/owner/name`. Marker and comment together have at most 100 characters. Digests take the place of PROJECT, ID and NAME where it would be too long, with 48 characters for all of it.",
        "`proxied` counts for A, AAAA and CNAME.",
        "Hosts may end in a dot, texts may stand in quotes and be split into several: it is the same record. Blanks around a content are cut off; inside quotes they are kept. `content=\".\"` of an MX record says that no mail is taken.",
    ],
    example: "dns \"web\" type=\"CNAME\" name=\"{env}\" content=\"{zone}\" proxied",
    args: &[LABEL],
    flags: &[FlagRule {
        name: "proxied",
        doc: "Traffic goes through Cloudflare. Without it the record only resolves.",
    }],
    props: &[
        required("type", Type::OneOf(TYPES), "The record's type."),
        required("name", Type::NameText, "A name inside the zone; `@` is the zone itself."),
        required("content", Type::Text, "What it points at."),
        optional("ttl", Type::Int(60, 86_400), "Seconds that resolvers keep it.")
            .otherwise("automatic in a new record, and not managed"),
        optional("priority", Type::Int(0, 65_535), "Of an MX record: the lowest is tried first.")
            .otherwise("not managed"),
        optional("comment", Type::Text, "Follows the marker in the record's comment.")
            .otherwise("the marker alone"),
    ],
    children: &[&MARKER],
    repeat: Repeat::PerLabel,
    ..EMPTY
};

/// Another spelling of the content of a type.
const fn of_type(
    beside: &'static [(&'static str, &'static str)],
    written: &'static str,
    means: &'static str,
) -> Spelling {
    Spelling { by: Writer::Anyone, beside, written, means }
}

const AAAA: &[(&str, &str)] = &[("type", "\"AAAA\"")];
const CNAME: &[(&str, &str)] = &[("type", "\"CNAME\"")];
const NS: &[(&str, &str)] = &[("type", "\"NS\"")];
const MX: &[(&str, &str)] = &[("type", "\"MX\""), ("priority", "10")];
const TXT: &[(&str, &str)] = &[("type", "\"TXT\"")];

static CONTENTS: &[Spelling] = &[
    of_type(AAAA, "\"2001:DB8:0:0:0:0:0:1\"", "\"2001:db8::1\""),
    of_type(AAAA, "\"2001:0db8::0001\"", "\"2001:db8::1\""),
    of_type(AAAA, "\"::FFFF:C000:0201\"", "\"::ffff:192.0.2.1\""),
    of_type(CNAME, "\"abc.example.\"", "\"abc.example\""),
    of_type(CNAME, "\"Abc.Example.Com.\"", "\"abc.example.com\""),
    of_type(NS, "\"NS1.Example.Com.\"", "\"ns1.example.com\""),
    of_type(MX, "\"Mail.Example.Com.\"", "\"mail.example.com\""),
    of_type(TXT, "\"\\\"v=spf1 -all\\\"\"", "\"v=spf1 -all\""),
    of_type(TXT, "\"\\\"v=spf1\\\" \\\" -all\\\"\"", "\"v=spf1 -all\""),
    of_type(TXT, "\"\\\"say \\\\\\\"hi\\\\\\\"\\\"\"", "\"say \\\"hi\\\"\""),
    of_type(TXT, "\"hello\\n\"", "\"hello\""),
    of_type(TXT, "\"  two words \"", "\"two words\""),
    of_type(CNAME, "\" abc.example\\n\"", "\"abc.example\""),
    Spelling {
        by: Writer::Server,
        beside: CNAME,
        written: "\"b\u{fc}cher.example\"",
        means: "\"xn--bcher-kva.example\"",
    },
];

static ATTRS: &[Attr] = &[
    Attr {
        name: "type",
        mutability: Mutability::Replace,
        samples: &["\"A\""],
        normal: Normal::Form { form: record_type, spellings: &[told("\"cname\"", "\"CNAME\"")] },
    },
    Attr::in_place(
        "name",
        &["\"a.example.com\""],
        Normal::Form {
            form: host,
            spellings: &[
                spelt("\"A.Example.Com\"", "\"a.example.com\""),
                spelt("\"a.example.com.\"", "\"a.example.com\""),
                told("\"a.b\u{fc}cher.example\"", "\"a.xn--bcher-kva.example\""),
            ],
        },
    ),
    Attr::in_place(
        "content",
        &["\"192.0.2.1\"", "\"192.0.2.2\""],
        Normal::Form { form: content, spellings: CONTENTS },
    ),
    Attr::in_place("proxied", &["true", "false"], Normal::One("true or false")),
    Attr::in_place(
        "ttl",
        &["1", "300"],
        Normal::One("a whole number of seconds; 1 is the automatic one"),
    ),
    Attr::in_place("priority", &[], Normal::One("a whole number")),
    Attr::in_place(
        "comment",
        &["\"envc:p/e/a\""],
        Normal::Form {
            form: outer_blanks,
            spellings: &[told("\"\"", "null"), told("\"envc:p/e/a b\\n\"", "\"envc:p/e/a b\"")],
        },
    ),
];

fn record_type(value: &Json, _beside: &Fields<Json>) -> Json {
    normal::text(value, str::to_ascii_uppercase)
}

fn host(value: &Json, _beside: &Fields<Json>) -> Json {
    normal::text(value, normal::host)
}

/// What a content means depends on the record's type.
fn content(value: &Json, beside: &Fields<Json>) -> Json {
    let record_type = beside.get("type").and_then(Json::as_str).unwrap_or_default();
    normal::text(value, |text| normal::content(&record_type.to_ascii_uppercase(), text))
}

/// Blanks around a comment say nothing.
fn outer_blanks(value: &Json, beside: &Fields<Json>) -> Json {
    normal::empty_is_none(&normal::text(value, |text| text.trim().to_owned()), beside)
}

/// The natural key of a record.
pub(crate) fn key(record_type: &str, host: &str) -> String {
    format!("{record_type} {host}")
}

/// Characters of a reference in a comment: an identifier.
const REFERENCE_CHARS: usize = 36;

/// The comment of a record: the marker, then the user's own words. None where there is neither.
pub(crate) fn comment(node: &Node, label: &str, cx: &mut dyn Lower) -> Option<Value> {
    let own = node.prop("comment").map(|scalar| (cx.text(scalar), scalar.span));
    if !is_marked(node) {
        return own.map(|(own, _)| Value::Text(own));
    }
    let length = |text: &Text| -> usize {
        let parts = text.parts.iter().map(|part| match part {
            Part::Lit(text) => text.chars().count(),
            Part::Out(_) | Part::In(_) => REFERENCE_CHARS,
        });
        parts.sum()
    };
    let max = DNS_COMMENT_CHARS_MAX;
    let behind = own.as_ref().map_or(0, |(own, _)| 1 + length(own));
    let marker = cx.marker(label).within(max.saturating_sub(behind));
    let left = max.saturating_sub(marker.len() + 1);
    let mut text = Text::literal(marker);
    if let Some((own, span)) = own {
        if length(&own) > left {
            cx.report(
                Diagnostic::error(
                    "envc::spec::too_long",
                    span,
                    "this comment and the ownership marker are longer than 100 characters",
                )
                .at(format!("there is room for {} of it", counted(left, "character")))
                .help("shorten the comment"),
            );
        }
        text.push(Part::Lit(" ".into()));
        text.append(own);
    }
    Some(Value::Text(text))
}

/// The name of a tunnel resolves inside Cloudflare alone. Source: Cloudflare's documentation of
/// tunnel DNS records, checked November 2026.
fn unproxied_to_tunnel(node: &Node) -> Diagnostic {
    let label = node.label().unwrap_or_default();
    let content = node.prop("content").map_or(node.span, |content| content.span);
    let message = format!("dns \"{label}\" leads to a tunnel, but not through Cloudflare");
    let found = Diagnostic::error("envc::lint::unproxied_tunnel_dns", content, message)
        .warning()
        .at("only Cloudflare's proxy reaches a tunnel")
        .help("add proxied");
    match node.props.iter().map(|prop| prop.value.span.end).max() {
        Some(end) => found.fix(Span::new(end, end), " proxied"),
        None => found,
    }
}

static FACTS: Facts = Facts {
    in_zone: true,
    renames: true,
    freely_deleted: "nothing holds on to a record",
    marker: Some(MarkerOf::Comment),
    batch: Some(Batch { items_max: BATCH_OPS_MAX, call: batch, read: batch_answer }),
    hosts: Some(Hosts { of: host_of, held }),
    ..Facts::of(
        KindId::Dns,
        "DNS record",
        "DNS Write",
        ATTRS,
        Errors::of(Codes::Any(&[81053, 81054, 81057, 81058]), Codes::Any(&[81044])),
    )
};

static NODE: NodeFacts = NodeFacts {
    aliases: &["record", "dns_record", "cname", "cloudflare_dns_record"],
    ..NodeFacts::of("dns \"x\" type=\"A\" name=\"dns-{env}\" content=\"192.0.2.1\"")
};

impl Kind for Dns {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn problem(&self, field: &str, value: &Json, beside: &Fields<Json>) -> Option<String> {
        let text = value.as_str()?.trim();
        let of = |field: &str| beside.get(field).and_then(Json::as_str).unwrap_or_default();
        match field {
            "content" => {
                rules::wrong(of("type"), of("name"), text).map(|what| format!("is {what}"))
            }
            "comment" if text.chars().count() > DNS_COMMENT_CHARS_MAX => Some(format!(
                "is longer than {DNS_COMMENT_CHARS_MAX} characters together with the ownership marker"
            )),
            _ => None,
        }
    }

    fn listing(&self, place: &Place) -> Option<Listing> {
        Some(Listing {
            call: Call::get(&["zones", &place.zone, "dns_records"]),
            paging: Paging::Numbered { per_page: 5_000 },
        })
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
        if is_read_only(item) {
            return None;
        }
        let record_type = api::text(item, "type")?;
        let host = api::text(item, "name")?;
        let comment = api::text(item, "comment");
        let mut fields = BTreeMap::from([
            ("type".to_owned(), json!(record_type)),
            ("name".to_owned(), json!(host)),
            ("comment".to_owned(), json!(comment)),
        ]);
        for field in ["content", "proxied", "ttl", "priority"] {
            if let Some(value) = item.get(field) {
                fields.insert(field.to_owned(), value.clone());
            }
        }
        Some(Observed {
            id: api::text(item, "id")?,
            name: key(&record_type, &host),
            fields,
            comment,
            ..Observed::default()
        })
    }

    fn key<'n>(&self, name: &'n str) -> Cow<'n, str> {
        match name.split_once(' ') {
            Some((record_type, host)) => {
                key(&record_type.to_ascii_uppercase(), &normal::host(host)).into()
            }
            None => name.into(),
        }
    }

    fn contested<'n>(&self, name: &'n str) -> &'n str {
        name.rsplit(' ').next().unwrap_or(name)
    }

    fn collides(&self, wanted: &str, found: &str) -> bool {
        let (wanted, found) = (self.key(wanted), self.key(found));
        let (Some((a, host)), Some((b, other))) = (wanted.split_once(' '), found.split_once(' '))
        else {
            return wanted == found;
        };
        let one_alone = a == "CNAME" || b == "CNAME";
        host == other && (a == b || (one_alone && is_address(a) && is_address(b)))
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        Call::post(&["zones", &place.zone, "dns_records"], whole(wanted))
    }

    fn update(&self, place: &Place, id: &str, wanted: &Wanted, _changed: &[String]) -> Call {
        Call::patch(&["zones", &place.zone, "dns_records", id], set(wanted))
    }

    fn delete(&self, place: &Place, id: &str) -> Option<Call> {
        Some(Call::delete(&["zones", &place.zone, "dns_records", id]))
    }
}

impl Declared for Dns {
    fn grammar(&self) -> &'static NodeRule {
        &GRAMMAR
    }

    fn node(&self) -> &'static NodeFacts {
        &NODE
    }

    fn stands_alone(&self, _node: &Node) -> bool {
        true
    }

    fn lint(&self, desired: &Desired) -> Option<fn(&Node) -> Diagnostic> {
        let unproxied = desired.fields.get("proxied") == Some(&Value::Bool(false));
        let content = desired.fields.get("content").map(Value::addresses).unwrap_or_default();
        let to_tunnel = content.iter().any(|address| address.kind() == KindId::Tunnel);
        (unproxied && to_tunnel).then_some(unproxied_to_tunnel)
    }

    fn lower(&self, node: &Node, cx: &mut dyn Lower) -> Vec<Desired> {
        let (Some(kind), Some(name), Some(content)) =
            (node.prop("type").and_then(Scalar::as_text), node.prop("name"), node.prop("content"))
        else {
            return Vec::new();
        };
        let Some(host) = cx.host(name) else { return Vec::new() };
        rules::check(node, kind, &host, cx);
        let content = cx.text(content);
        let mut fields = BTreeMap::from([
            ("type".to_owned(), Value::text(kind)),
            ("name".to_owned(), Value::text(host.clone())),
            ("content".to_owned(), Value::Text(content)),
        ]);
        let comment = comment(node, node.label().unwrap_or_default(), cx);
        fields.extend(comment.map(|comment| ("comment".to_owned(), comment)));
        if rules::can_be_proxied(kind) {
            fields.insert("proxied".into(), Value::Bool(node.has_flag("proxied")));
        }
        for field in ["ttl", "priority"] {
            if let Some(number) = node.prop(field).and_then(Scalar::as_int) {
                fields.insert(field.to_owned(), Value::Int(number));
            }
        }
        vec![Desired {
            address: Address::new(KindId::Dns, node.label().unwrap_or_default()),
            name: key(kind, &host),
            default_name: false,
            mode: Mode::Managed,
            protect: cx.protected(),
            fields,
            zone: cx.zone().map(str::to_owned),
            parent: None,
            span: node.label_span(),
        }]
    }
}

fn held(item: &Json) -> Option<Held> {
    let meta = item.get("meta").filter(|_| is_read_only(item))?;
    let (by, help) = if meta.get("origin_worker_id").is_some() {
        (
            "a Worker's custom domain",
            "take that domain from its Worker first, in the spec or the account that has it, or \
             choose another name",
        )
    } else if meta.get("email_routing").is_some() {
        ("Email Routing", "turn off Email Routing for that name first, or choose another name")
    } else {
        ("another product", "remove it from that product first, or choose another name")
    };
    let name = key(&api::text(item, "type")?, &api::text(item, "name")?);
    Some(Held { id: api::text(item, "id")?, name, by, help })
}

/// The host of a record that says where it is.
fn host_of(name: &str) -> Option<String> {
    let (record_type, host) = name.split_once(' ').unwrap_or(("A", name));
    is_address(&record_type.to_ascii_uppercase()).then(|| normal::host(host))
}

fn batch(place: &Place, items: &[BatchItem]) -> Call {
    let mut groups = json!({});
    for item in items {
        let (group, entry) = match item {
            BatchItem::Create(wanted) => ("posts", whole(wanted)),
            BatchItem::Update { id, wanted } => {
                let mut entry = set(wanted);
                api::set(&mut entry, "id", json!(id));
                ("patches", entry)
            }
            BatchItem::Delete { id } => ("deletes", json!({ "id": id })),
        };
        match groups.get_mut(group).and_then(Json::as_array_mut) {
            Some(entries) => entries.push(entry),
            None => api::set(&mut groups, group, json!([entry])),
        }
    }
    Call::post(&["zones", &place.zone, "dns_records", "batch"], groups)
}

/// The order inside a group is documented nowhere: what was changed is known by its identifier,
/// what was made by its name, and among namesakes by its content.
fn batch_answer(items: &[BatchItem], result: &Json) -> Vec<Option<Observed>> {
    let group = |name: &str| -> Vec<Observed> {
        let entries = result.get(name).and_then(Json::as_array).into_iter().flatten();
        entries.filter_map(|entry| Dns.observe(entry)).collect()
    };
    let (mut posts, mut patches) = (group("posts"), group("patches"));
    items
        .iter()
        .map(|item| match item {
            BatchItem::Create(wanted) => take(&mut posts, |seen| made_of(wanted, seen))
                .or_else(|| take(&mut posts, |seen| same_name(&Dns, &name_of(wanted), &seen.name))),
            BatchItem::Update { id, .. } => take(&mut patches, |seen| seen.id == *id),
            BatchItem::Delete { .. } => None,
        })
        .collect()
}

/// What the spec sets. A patch leaves the rest as it is, such as a TTL set by somebody else. No
/// document says what the API does with blanks around a text, so it gets none.
fn set(wanted: &Wanted) -> Json {
    let fields = wanted.fields.iter().map(|(name, value)| {
        let value = normal::text(value, |text| text.trim().to_owned());
        (name.clone(), value)
    });
    Json::Object(fields.collect())
}

/// A new record: its TTL is required, and the automatic one unless the spec sets it.
fn whole(wanted: &Wanted) -> Json {
    let mut body = set(wanted);
    if !wanted.fields.contains_key("ttl") {
        api::set(&mut body, "ttl", json!(1));
    }
    body
}

/// The natural key of a record that was sent.
fn name_of(wanted: &Wanted) -> String {
    let text = |field: &str| wanted.fields.get(field).and_then(Json::as_str).unwrap_or_default();
    key(text("type"), text("name"))
}

fn made_of(wanted: &Wanted, seen: &Observed) -> bool {
    let content = wanted.fields.get("content").zip(seen.fields.get("content"));
    let alike = |(sent, told)| same(&Dns, "content", (sent, &wanted.fields), (told, &seen.fields));
    same_name(&Dns, &name_of(wanted), &seen.name) && content.is_some_and(alike)
}

/// True for the types that say where a host is.
fn is_address(record_type: &str) -> bool {
    matches!(record_type, "A" | "AAAA" | "CNAME")
}

/// Source: Cloudflare's documentation of custom domains and of Email Routing, checked November 2026.
fn is_read_only(item: &Json) -> bool {
    item.pointer("/meta/read_only").and_then(Json::as_bool) == Some(true)
}

/// Takes the first that fits out of a list.
fn take(all: &mut Vec<Observed>, fits: impl Fn(&Observed) -> bool) -> Option<Observed> {
    let at = all.iter().position(fits)?;
    Some(all.remove(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cname_excludes_other_addresses_of_its_name_and_nothing_else() {
        let table = [
            ("CNAME a.x", "CNAME a.x", true),
            ("CNAME a.x", "A a.x", true),
            ("A a.x", "CNAME a.x", true),
            ("A a.x", "AAAA a.x", false),
            ("CNAME a.x", "TXT a.x", false),
            ("CNAME a.x", "CNAME b.x", false),
            ("CNAME a.x", "cname A.X.", true),
            ("A xn--bcher-kva.x", "A b\u{fc}cher.x", true),
        ];
        for (wanted, found, collides) in table {
            assert_eq!(Dns.collides(wanted, found), collides, "{wanted} {found}");
        }
    }

    #[test]
    fn what_another_product_holds_is_nothing_of_ours() {
        let item = |meta: Json| json!({ "id": "r", "name": "A.x.", "type": "AAAA", "content": "100::", "meta": meta });
        for (meta, by) in [
            (json!({ "read_only": true, "origin_worker_id": "w" }), "a Worker's custom domain"),
            (json!({ "read_only": true, "email_routing": true }), "Email Routing"),
            (json!({ "read_only": true }), "another product"),
        ] {
            assert_eq!(Dns.observe(&item(meta.clone())), None);
            let held = held(&item(meta)).unwrap();
            assert_eq!((&*held.id, &*held.name, held.by), ("r", "AAAA A.x.", by));
            assert_eq!(host_of(&held.name).as_deref(), Some("a.x"));
        }
        for meta in [json!({}), json!({ "read_only": false }), json!(null)] {
            assert!(Dns.observe(&item(meta.clone())).is_some());
            assert_eq!(held(&item(meta)), None);
        }
        assert_eq!(host_of("TXT a.x"), None);
    }

    #[test]
    fn an_answer_is_matched_by_identifier_name_and_content_whatever_its_order() {
        let wanted = |name: &str, content: &str| Wanted {
            fields: [("name", name), ("type", "TXT"), ("content", content)]
                .map(|(field, text)| (field.to_owned(), json!(text)))
                .into(),
            ..Wanted::default()
        };
        let items = [
            BatchItem::Create(wanted("a", "one")),
            BatchItem::Delete { id: "gone".into() },
            BatchItem::Update { id: "u".into(), wanted: wanted("b", "b") },
            BatchItem::Create(wanted("a", "\"two\"")),
            BatchItem::Create(wanted("c", "sent")),
        ];
        let call = batch(&Place { zone: "z".into(), ..Place::default() }, &items);
        let mut body = call.body.unwrap();
        assert_eq!(body["deletes"], json!([{ "id": "gone" }]));
        body["posts"] = json!([
            { "id": "new-c", "name": "C.", "type": "TXT", "content": "told otherwise" },
            { "id": "new-two", "name": "A", "type": "TXT", "content": "two" },
            { "id": "new-one", "name": "A", "type": "TXT", "content": "\"one\"" },
        ]);
        let answer = batch_answer(&items, &body);
        let ids: Vec<_> = answer.iter().map(|seen| seen.as_ref().map(|seen| &*seen.id)).collect();
        assert_eq!(ids, [Some("new-one"), None, Some("u"), Some("new-two"), Some("new-c")]);
    }

    #[test]
    fn blanks_around_a_text_are_not_sent_and_those_inside_its_quotes_are() {
        for (written, sent) in
            [("hello\n", "hello"), ("  a b ", "a b"), (" \" a \"\n", "\" a \""), ("plain", "plain")]
        {
            let fields = [("type", "TXT"), ("content", written), ("comment", "envc:p/e/a b\n")];
            let fields = fields.map(|(field, text)| (field.to_owned(), json!(text))).into();
            let wanted = Wanted { fields, ..Wanted::default() };
            let body = Dns.create(&Place::default(), &wanted).body.unwrap();
            assert_eq!(body["content"], json!(sent));
            assert_eq!(body["comment"], json!("envc:p/e/a b"));
        }
    }

    #[test]
    fn a_ttl_that_the_spec_does_not_set_is_sent_with_a_new_record_alone() {
        let wanted = |ttl: Option<u64>| Wanted {
            fields: ttl.map(|ttl| ("ttl".to_owned(), json!(ttl))).into_iter().collect(),
            ..Wanted::default()
        };
        let place = Place { zone: "z".into(), ..Place::default() };
        let ttl = |call: Call| call.body.unwrap().get("ttl").cloned();
        for (set, created, updated) in
            [(None, Some(json!(1)), None), (Some(300), Some(json!(300)), Some(json!(300)))]
        {
            let wanted = wanted(set);
            assert_eq!(ttl(Dns.create(&place, &wanted)), created);
            assert_eq!(ttl(Dns.update(&place, "id", &wanted, &["content".into()])), updated);
            let item = BatchItem::Update { id: "id".into(), wanted };
            let batch = batch(&place, &[item]).body.unwrap();
            assert_eq!(batch["patches"][0].get("ttl").cloned(), updated);
        }
    }
}
