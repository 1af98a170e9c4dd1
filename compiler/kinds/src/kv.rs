//! Workers KV namespaces.
//!
//! Endpoints: `GET|POST /accounts/{a}/storage/kv/namespaces`, `PUT|DELETE …/{id}`. There is no
//! filter by name; a page holds at most 100; an account has at most 1,000. The title can be changed
//! in place. Source: Cloudflare's OpenAPI document and KV documentation, checked November 2026.

use envc_core::{Desired, Diagnostic, KindId, Output};
use envc_syntax::{
    Node,
    rule::{EMPTY, LABEL, NodeRule, Repeat},
};
use serde_json::{Value as Json, json};

use crate::{
    Bindable, Call, Codes, Declared, Entry, Errors, Facts, Kind, Listing, Lower, NameRule,
    NodeFacts, Observed, Paging, Place, Wanted, api,
    parts::{self, ID_PROP, NAME_PROP, managed},
};

/// The kind.
#[derive(Debug)]
pub(crate) struct Kv;

/// What the titles begin with that claim a project for a repository: no namespace of a spec has one.
pub const CLAIM_TITLE: &str = "envc claim ";

static NAME: NameRule = NameRule { max: 512, ..parts::PRINTABLE };

static GRAMMAR: NodeRule = NodeRule {
    name: "kv",
    doc: "A Workers KV namespace.",
    notes: &["Deleting it loses data, and is asked for."],
    example: "kv \"sessions\"",
    args: &[LABEL],
    props: &[NAME_PROP, ID_PROP],
    repeat: Repeat::PerLabel,
    ..EMPTY
};

static EXISTING: NodeRule = NodeRule {
    name: "kv",
    example: "kv \"cache\" id=\"9c2e4a6b8d0f41a3b5c7d9e1f3a5b7c9\"",
    ..parts::EXISTING
};

static BINDABLE: Bindable = Bindable {
    doc: "A KV namespace.",
    api_type: "kv_namespace",
    api_field: "namespace_id",
    output: Output::Id,
    section: &["kv_namespaces"],
    entry: &[("id", Entry::Id)],
    remote: true,
    missing: 10041,
};

static FACTS: Facts = Facts {
    holds_data: true,
    renames: true,
    never_replaced: "its title is all that can be set, and changes in place",
    freely_deleted: "Cloudflare deletes a namespace with all that is in it",
    ..Facts::of(
        KindId::Kv,
        "KV namespace",
        "Workers KV Storage Write",
        &[],
        Errors::of(Codes::Any(&[10014]), Codes::Any(&[10013])),
    )
};

static NODE: NodeFacts = NodeFacts {
    aliases: &["namespace", "kv_namespace", "cloudflare_workers_kv_namespace"],
    existing: Some(&EXISTING),
    name_rule: Some(&NAME),
    // The API calls a namespace's name its title.
    outputs: &[("id", Output::Id), ("name", Output::Name), ("title", Output::Name)],
    bindable: Some(&BINDABLE),
    ..NodeFacts::of("kv \"x\"")
};

impl Kind for Kv {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn listing(&self, place: &Place) -> Option<Listing> {
        Some(Listing {
            call: Call::get(&["accounts", &place.account, "storage", "kv", "namespaces"])
                .query("order", "title"),
            paging: Paging::Numbered { per_page: 100 },
        })
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
        Some(Observed {
            id: api::text(item, "id")?,
            name: api::text(item, "title")?,
            ..Observed::default()
        })
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        Call::post(
            &["accounts", &place.account, "storage", "kv", "namespaces"],
            json!({ "title": wanted.name }),
        )
    }

    fn update(&self, place: &Place, id: &str, wanted: &Wanted, _changed: &[String]) -> Call {
        Call::put(
            &["accounts", &place.account, "storage", "kv", "namespaces", id],
            json!({ "title": wanted.name }),
        )
    }

    fn delete(&self, place: &Place, id: &str) -> Option<Call> {
        Some(Call::delete(&["accounts", &place.account, "storage", "kv", "namespaces", id]))
    }
}

impl Declared for Kv {
    fn grammar(&self) -> &'static NodeRule {
        &GRAMMAR
    }

    fn node(&self) -> &'static NodeFacts {
        &NODE
    }

    fn lower(&self, node: &Node, cx: &mut dyn Lower) -> Vec<Desired> {
        let namespace = managed(KindId::Kv, node, cx, &NAME);
        if namespace.name.starts_with(CLAIM_TITLE) {
            let span = node.prop("name").map_or(node.label_span(), |scalar| scalar.span);
            let message = format!("`{}` is the title of a claim of envc's own", namespace.name);
            cx.report(
                Diagnostic::error("envc::spec::bad_name", span, message)
                    .at("gives that name")
                    .help(
                        "write another name: `envc state claim` makes, tells and releases claims",
                    ),
            );
        }
        vec![namespace]
    }
}
