//! DNS records.
//!
//! Endpoints: `GET /zones/{z}/dns_records`, `POST …/batch` (deletes, patches, puts, posts in this
//! order, in one transaction; 200 operations on the free plan). The comment carries the ownership
//! marker, because tags are not on every plan. A CNAME excludes A, AAAA and CNAME of its name.
//! Source: Cloudflare's OpenAPI document and DNS documentation, checked November 2026.

use std::collections::BTreeMap;

use envc_core::{Address, Desired, Diagnostic, KindId, Mode, Part, Span, Text, Value, limits};
use envc_syntax::{
    Node, Scalar,
    rule::{EMPTY, FlagRule, LABEL, NodeRule, Repeat, Type, optional, required},
};
use serde_json::{Value as Json, json};

use crate::{
    ApiFailure, Attr, BatchItem, Call, Kind, Listing, Lower, MARKER, Meaning, Mutability, Observed,
    Paging, Place, Wanted, api, dns_rules, is_marked,
};

/// The kind.
#[derive(Debug)]
pub struct Dns;

const TYPES: &[&str] = &["A", "AAAA", "CNAME", "TXT", "MX", "NS"];

static GRAMMAR: NodeRule = NodeRule {
    name: "dns",
    doc: "A DNS record in the project's zone.",
    notes: &[
        "Needs a zone. `name=\"api\"` and `name=\"api.{zone}\"` are the same host.",
        "A CNAME excludes A, AAAA and another CNAME of its host; the same type twice is a collision, too.",
        "The comment in the account begins with the marker `envc:PROJECT/ID/NAME`, by which envc knows its own; marker and comment together have at most 100 characters. Digests take the marker's place where it would be too long.",
        "`proxied` counts for A, AAAA and CNAME.",
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
            .otherwise("not managed; Cloudflare's automatic one"),
        optional("priority", Type::Int(0, 65_535), "Of an MX record: the lowest is tried first.")
            .otherwise("not managed"),
        optional("comment", Type::Text, "Follows the marker in the record's comment.")
            .otherwise("the marker alone"),
    ],
    children: &[&MARKER],
    repeat: Repeat::PerLabel,
    ..EMPTY
};

static ATTRS: &[Attr] = &[
    Attr { name: "type", mutability: Mutability::Replace, samples: &["\"A\""] },
    Attr { name: "name", mutability: Mutability::InPlace, samples: &["\"a.example.com\""] },
    Attr {
        name: "content",
        mutability: Mutability::InPlace,
        samples: &["\"192.0.2.1\"", "\"192.0.2.2\""],
    },
    Attr { name: "proxied", mutability: Mutability::InPlace, samples: &["true", "false"] },
    Attr { name: "ttl", mutability: Mutability::InPlace, samples: &["1"] },
    Attr { name: "priority", mutability: Mutability::InPlace, samples: &[] },
    Attr { name: "comment", mutability: Mutability::InPlace, samples: &["\"envc:p/e/a\""] },
];

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
    let max = limits::DNS_COMMENT_CHARS_MAX;
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
                .at(format!("at most {left} characters are left for it"))
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

impl Kind for Dns {
    fn id(&self) -> KindId {
        KindId::Dns
    }

    fn noun(&self) -> &'static str {
        "DNS record"
    }

    fn permission(&self) -> &'static str {
        "DNS Write"
    }

    fn in_zone(&self) -> bool {
        true
    }

    fn grammar(&self) -> Option<&'static NodeRule> {
        Some(&GRAMMAR)
    }

    fn stands_alone(&self, _node: &Node) -> bool {
        true
    }

    fn doubt(&self, desired: &Desired) -> Option<fn(&Node) -> Diagnostic> {
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
        dns_rules::check(node, kind, &host, cx);
        let content = cx.text(content);
        let mut fields = BTreeMap::from([
            ("type".to_owned(), Value::text(kind)),
            ("name".to_owned(), Value::text(host.clone())),
            ("content".to_owned(), Value::Text(content)),
        ]);
        let comment = comment(node, node.label().unwrap_or_default(), cx);
        fields.extend(comment.map(|comment| ("comment".to_owned(), comment)));
        if dns_rules::can_be_proxied(kind) {
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

    fn attrs(&self) -> &'static [Attr] {
        ATTRS
    }

    fn renames(&self) -> bool {
        true
    }

    fn listing(&self, place: &Place) -> Option<Listing> {
        Some(Listing {
            call: Call::get(&["zones", &place.zone, "dns_records"]),
            paging: Paging::Numbered { per_page: 5_000 },
        })
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
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
        if record_type == "TXT"
            && let Some(text) = item.get("content").and_then(Json::as_str)
        {
            fields.insert("content".to_owned(), json!(unquoted(text)));
        }
        Some(Observed {
            id: api::text(item, "id")?,
            name: key(&record_type, &host),
            fields,
            comment,
            token: None,
        })
    }

    fn collides(&self, wanted: &str, found: &str) -> bool {
        let (Some((a, host)), Some((b, other))) = (wanted.split_once(' '), found.split_once(' '))
        else {
            return wanted == found;
        };
        let address = |record_type| matches!(record_type, "A" | "AAAA" | "CNAME");
        host == other && (a == b || (address(a) && address(b) && (a == "CNAME" || b == "CNAME")))
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        Call::post(&["zones", &place.zone, "dns_records"], body(wanted))
    }

    fn update(&self, place: &Place, id: &str, wanted: &Wanted, _changed: &[String]) -> Call {
        Call::patch(&["zones", &place.zone, "dns_records", id], body(wanted))
    }

    fn delete(&self, place: &Place, id: &str) -> Option<Call> {
        Some(Call::delete(&["zones", &place.zone, "dns_records", id]))
    }

    fn batch(&self, place: &Place, items: &[BatchItem]) -> Option<Call> {
        let mut groups = json!({});
        for item in items {
            let (group, entry) = match item {
                BatchItem::Create(wanted) => ("posts", body(wanted)),
                BatchItem::Update { id, wanted } => {
                    let mut entry = body(wanted);
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
        Some(Call::post(&["zones", &place.zone, "dns_records", "batch"], groups))
    }

    fn batch_items_max(&self) -> usize {
        limits::DNS_BATCH_OPS_MAX
    }

    fn batch_answer(&self, items: &[BatchItem], result: &Json) -> Vec<Option<Observed>> {
        let group = |name: &str| {
            result.get(name).and_then(Json::as_array).cloned().unwrap_or_default().into_iter()
        };
        let (mut posts, mut patches) = (group("posts"), group("patches"));
        items
            .iter()
            .map(|item| match item {
                BatchItem::Create(_) => posts.next().and_then(|entry| self.observe(&entry)),
                BatchItem::Update { .. } => patches.next().and_then(|entry| self.observe(&entry)),
                BatchItem::Delete { .. } => None,
            })
            .collect()
    }

    fn meaning(&self, _call: &Call, failure: &ApiFailure) -> Option<Meaning> {
        if failure.has(&[81053, 81054, 81057, 81058]) {
            return Some(Meaning::Exists);
        }
        failure.has(&[81044]).then_some(Meaning::NotFound)
    }
}

/// A whole record. Sending all of it is always fine, also in a patch.
fn body(wanted: &Wanted) -> Json {
    let mut body = json!({ "ttl": 1 });
    for (name, value) in &wanted.fields {
        api::set(&mut body, name, value.clone());
    }
    body
}

/// TXT content as a person writes it: outer quotes removed, adjacent strings joined.
fn unquoted(text: &str) -> String {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) => inner.replace("\" \"", ""),
        None => text.to_owned(),
    }
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
        ];
        for (wanted, found, collides) in table {
            assert_eq!(Dns.collides(wanted, found), collides, "{wanted} {found}");
        }
    }

    #[test]
    fn a_batch_keeps_the_order_of_its_items_in_the_answer() {
        let wanted = |name: &str| Wanted {
            fields: [("name".to_owned(), json!(name)), ("type".to_owned(), json!("A"))].into(),
            ..Wanted::default()
        };
        let items = [
            BatchItem::Create(wanted("a")),
            BatchItem::Delete { id: "gone".into() },
            BatchItem::Update { id: "u".into(), wanted: wanted("b") },
            BatchItem::Create(wanted("c")),
        ];
        let call = Dns.batch(&Place { zone: "z".into(), ..Place::default() }, &items).unwrap();
        let mut body = call.body.unwrap();
        assert_eq!(body["deletes"], json!([{ "id": "gone" }]));
        for entry in body["posts"].as_array_mut().unwrap() {
            entry["id"] = json!(format!("new-{}", entry["name"].as_str().unwrap()));
        }
        let answer = Dns.batch_answer(&items, &body);
        let ids: Vec<_> = answer.iter().map(|seen| seen.as_ref().map(|seen| &*seen.id)).collect();
        assert_eq!(ids, [Some("new-a"), None, Some("u"), Some("new-c")]);
    }

    #[test]
    fn text_content_is_compared_without_its_quotes() {
        assert_eq!(unquoted("\"v=spf1\" \" -all\""), "v=spf1 -all");
        assert_eq!(unquoted("plain"), "plain");
    }
}
