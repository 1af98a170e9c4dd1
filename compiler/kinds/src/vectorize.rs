//! Vectorize indexes.
//!
//! Endpoints: `GET|POST /accounts/{a}/vectorize/v2/indexes`, `DELETE …/{name}`. The list is one page
//! without a filter. The name is the identifier, and nothing changes in place: there is no call for
//! it, and another index has other vectors. An index that was deleted answers 410 for a while, and
//! its name can be taken again at once. Limits: 50,000 indexes (paid), 100 (free); 1,536 dimensions;
//! a name 64 bytes.
//!
//! Not documented, and so not assumed: what names may look like (what wrangler's documentation uses
//! is asked for), the fewest dimensions (one is let pass, Cloudflare may refuse it), how long a
//! deleted index answers 410, and whether a bound one can be deleted (the Worker's upload goes first
//! anyway). Presets, descriptions and metadata indexes cannot be written in a spec yet. An index made
//! with a preset tells its dimensions and metric, too, and these are compared.
//! Source: Cloudflare's SDK, wrangler, the Vectorize documentation and published live error codes,
//! checked November 2026.

use envc_core::{Desired, KindId, Output, Value};
use envc_syntax::{
    Node, Scalar,
    rule::{EMPTY, LABEL, NodeRule, Repeat, Type, required},
};
use serde_json::{Value as Json, json};

use crate::{
    Attr, Bindable, Call, Codes, Declared, Entry, Errors, Facts, Kind, Listing, Lower, Mutability,
    NameRule, NodeFacts, Normal, Observed, Paging, Place, Wanted, api,
    normal::{any_case, told},
    parts::{self, NAME_PROP, managed, set_text},
};

/// The kind.
#[derive(Debug)]
pub(crate) struct Vectorize;

static NAME: NameRule = NameRule {
    chars: "lower-case letters, digits and -, with a letter first and a letter or a digit last",
    first: |c| c.is_ascii_lowercase(),
    max: 64,
    ..parts::DNS_LABEL
};

const DIMENSIONS_MAX: i64 = 1_536;

static GRAMMAR: NodeRule = NodeRule {
    name: "vectorize",
    doc: "A Vectorize index.",
    notes: &[
        "Its name is its identifier: another name is another index.",
        "Nothing of it changes in place: other dimensions or another metric make another index, without vectors.",
        "Deleting or replacing it loses data, and is asked for.",
    ],
    example: "vectorize \"articles\" dimensions=768 metric=\"cosine\"",
    args: &[LABEL],
    props: &[
        NAME_PROP,
        required(
            "dimensions",
            Type::Int(1, DIMENSIONS_MAX),
            "How many numbers a vector has; the model that makes the vectors says it.",
        ),
        required(
            "metric",
            Type::OneOf(&["cosine", "euclidean", "dot-product"]),
            "How the distance of two vectors is measured.",
        ),
    ],
    repeat: Repeat::PerLabel,
    ..EMPTY
};

static ATTRS: &[Attr] = &[
    Attr {
        name: "dimensions",
        mutability: Mutability::Replace,
        samples: &["768", "1536"],
        normal: Normal::One("a whole number, in digits"),
    },
    Attr {
        name: "metric",
        mutability: Mutability::Replace,
        samples: &["\"cosine\"", "\"euclidean\""],
        // A spelling must not cost anybody their vectors.
        normal: Normal::Form { form: any_case, spellings: &[told("\"Cosine\"", "\"cosine\"")] },
    },
];

static EXISTING: NodeRule = NodeRule {
    name: "vectorize",
    example: "vectorize \"articles\" name=\"eventuall-articles\"",
    props: &[required("name", Type::Plain, "The index's name; indexes have no other identifier.")],
    notes: &[],
    ..parts::EXISTING
};

static BINDABLE: Bindable = Bindable {
    doc: "A Vectorize index.",
    api_type: "vectorize",
    api_field: "index_name",
    output: Output::Name,
    section: &["vectorize"],
    entry: &[("index_name", Entry::Name)],
    remote: true,
    missing: 10159,
};

static FACTS: Facts = Facts {
    holds_data: true,
    name_is_id: true,
    freely_deleted: "Cloudflare deletes an index with all vectors that are in it",
    ..Facts::of(
        KindId::Vectorize,
        "Vectorize index",
        "Vectorize Write",
        ATTRS,
        // 3005 says that it was there and is deleted.
        Errors::of(Codes::Any(&[3002]), Codes::Any(&[3000, 3005])),
    )
};

static NODE: NodeFacts = NodeFacts {
    aliases: &["vectorize_index"],
    existing: Some(&EXISTING),
    name_rule: Some(&NAME),
    outputs: &[("name", Output::Name)],
    bindable: Some(&BINDABLE),
    ..NodeFacts::of("vectorize \"x\" dimensions=768 metric=\"cosine\"")
};

impl Kind for Vectorize {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn listing(&self, place: &Place) -> Option<Listing> {
        Some(Listing { call: Call::get(&indexes(&place.account, &[])), paging: Paging::Whole })
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
        let name = api::text(item, "name")?;
        let mut observed = Observed { id: name.clone(), name, ..Observed::default() };
        for attr in ATTRS {
            if let Some(value) = item.get("config").and_then(|config| config.get(attr.name)) {
                observed.fields.insert(attr.name.to_owned(), value.clone());
            }
        }
        Some(observed)
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        let body = json!({ "name": wanted.name, "config": wanted.fields });
        Call::post(&indexes(&place.account, &[]), body)
    }

    fn update(&self, place: &Place, id: &str, _wanted: &Wanted, _changed: &[String]) -> Call {
        // The planner asks for no update where every change replaces: what is there is read.
        Call::get(&indexes(&place.account, &[id]))
    }

    fn delete(&self, place: &Place, id: &str) -> Option<Call> {
        Some(Call::delete(&indexes(&place.account, &[id])))
    }
}

impl Declared for Vectorize {
    fn grammar(&self) -> &'static NodeRule {
        &GRAMMAR
    }

    fn node(&self) -> &'static NodeFacts {
        &NODE
    }

    fn lower(&self, node: &Node, cx: &mut dyn Lower) -> Vec<Desired> {
        let mut desired = managed(KindId::Vectorize, node, cx, &NAME);
        let dimensions = node.prop("dimensions").and_then(Scalar::as_int);
        if let Some(dimensions) = dimensions {
            desired.fields.insert("dimensions".to_owned(), Value::Int(dimensions));
        }
        set_text(&mut desired, node, cx, "metric");
        vec![desired]
    }
}

fn indexes<'a>(account: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["accounts", account, "vectorize", "v2", "indexes"], rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_that_was_made_with_a_preset_tells_its_dimensions_and_metric() {
        let item = json!({
            "name": "n", "description": "",
            "config": { "dimensions": 768, "metric": "cosine", "preset": "@cf/baai/bge-base-en-v1.5" },
        });
        let seen = Vectorize.observe(&item).unwrap();
        assert_eq!((seen.id.as_str(), seen.name.as_str()), ("n", "n"));
        assert_eq!(json!(seen.fields), json!({ "dimensions": 768, "metric": "cosine" }));
    }

    #[test]
    fn a_create_sends_the_configuration_and_nothing_beside_it() {
        let place = Place { account: "a".into(), ..Place::default() };
        let fields = [("dimensions", json!(3)), ("metric", json!("euclidean"))];
        let fields = fields.map(|(name, value)| (name.to_owned(), value)).into();
        let wanted = Wanted { name: "shop-n".into(), fields, ..Wanted::default() };
        let body = json!({
            "name": "shop-n", "config": { "dimensions": 3, "metric": "euclidean" },
        });
        assert_eq!(Vectorize.create(&place, &wanted).body, Some(body));
    }
}
