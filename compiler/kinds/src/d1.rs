//! D1 databases.
//!
//! Endpoints: `GET|POST /accounts/{a}/d1/database`, `PUT|DELETE …/{uuid}`, `POST …/{uuid}/query`,
//! `POST …/{uuid}/import`.
//! A database cannot be renamed or moved. Limits: 50,000 databases (paid), 10 (free); a statement
//! 100 KB. Source: Cloudflare's OpenAPI document and D1 documentation, checked November 2026.

mod database;

use envc_core::{Desired, Diagnostic, KindId, Output};
use envc_syntax::{
    Node,
    rule::{ArgRule, EMPTY, LABEL, NodeRule, Repeat, Type, optional},
};
use serde_json::{Value as Json, json};

use crate::{
    ApiFailure, Attr, Bindable, Call, Codes, Declared, Entry, Errors, Facts, Kind, Listing, Lower,
    Meaning, Mutability, NameRule, NodeFacts, Normal, Observed, Paging, Place, Wanted, api,
    normal::{any_case, told},
    parts::{self, ID_PROP, NAME_PROP, managed, set_text},
};

/// The kind.
#[derive(Debug)]
pub(crate) struct D1;

static NAME: NameRule = NameRule {
    chars: "letters, digits, - and _, starting with a letter or a digit",
    first: |c| c.is_ascii_alphanumeric(),
    rest: |c| c.is_ascii_alphanumeric() || c == '-' || c == '_',
    last: |_| true,
    min: 1,
    max: 63,
};

const LOCATIONS: &[&str] = &["wnam", "enam", "weur", "eeur", "apac", "oc"];

static GRAMMAR: NodeRule = NodeRule {
    name: "d1",
    doc: "A D1 database.",
    notes: &[
        "`jurisdiction=` and `location=` exclude each other: with the first, Cloudflare ignores the second.",
        "Deleting or replacing it loses data, and is asked for. So is emptying it: `envc migrate reset d1.NAME`. A new one in its place: `envc apply --replace d1.NAME`.",
    ],
    example: "d1 \"webapp\" { migrations \"apps/webapp/drizzle\" }",
    args: &[LABEL],
    props: &[
        NAME_PROP,
        ID_PROP,
        optional("location", Type::OneOf(LOCATIONS), "Where to create it; a hint.")
            .otherwise("near the first request"),
        optional("jurisdiction", Type::OneOf(&["eu", "fedramp", "us"]), "Where data must stay.")
            .otherwise("anywhere"),
        optional("read-replication", Type::OneOf(&["auto", "disabled"]), "Read replicas.")
            .otherwise("not managed"),
    ],
    children: &[
        &NodeRule {
            name: "migrations",
            doc: "The folder of its migrations: `*.sql` files, applied in wrangler's order.",
            notes: &[
                "What is applied is what the ledger in the database says, `d1_migrations`, which is wrangler's own. What it lacks runs again, whatever is recorded.",
                "A file that was edited after envc applied it is told, as far as the state is there that recorded its digest; nobody knows of an edit on a fresh runner without a shared state, nor of one to a file that something else applied.",
                "A file that was renamed after it was applied is refused: its content would meet its own tables.",
                "With drizzle's journal beside them, `meta/_journal.json`, they run in its order.",
                "`table=` names a ledger that is there already. One that envc begins anew holds nothing: `envc migrate mark` writes down what ran otherwise.",
            ],
            absent: "No migrations run; `envc migrate` leaves the database alone.",
            example: "migrations \"apps/webapp/drizzle\" pattern=\"*/migration.sql\"",
            props: &[
                optional(
                    "pattern",
                    Type::Plain,
                    "Which files in it they are: names with `*` and `?`, `/` between them, such as `*/migration.sql` for folders of their own.",
                )
                .otherwise("\"*.sql\""),
                optional("table", Type::Identifier, "The table of the ledger.")
                    .otherwise("\"d1_migrations\""),
            ],
            args: &[ArgRule {
                name: "folder",
                ty: Type::Path,
                required: true,
                doc: "Relative to the spec's folder.",
            }],
            repeat: Repeat::Once,
            ..EMPTY
        },
        &NodeRule {
            name: "seed",
            doc: "A file of SQL with the rows that the database begins with. It runs once, after its first migrations.",
            notes: &[
                "It runs in the database that envc made, and in wrangler's local copy of it (see `dev`): in one transaction with a mark, so that no kill and no lost answer runs it twice or leaves it out.",
                "It never runs in an `existing` database of the account, nor in one that held tables before envc migrated it first; apply says so.",
                "A seed that was changed does not run again: `envc migrate reset d1.NAME` empties the database, and runs it again.",
            ],
            absent: "The database begins empty.",
            example: "migrations \"apps/webapp/drizzle\"\nseed \"fixtures/dev.sql\"",
            args: &[ArgRule {
                name: "file",
                ty: Type::Path,
                required: true,
                doc: "Relative to the spec's folder.",
            }],
            repeat: Repeat::Once,
            ..EMPTY
        },
    ],
    repeat: Repeat::PerLabel,
    ..EMPTY
};

static ATTRS: &[Attr] = &[
    Attr {
        name: "location",
        mutability: Mutability::CreateOnly,
        samples: &["\"weur\""],
        normal: Normal::Form { form: any_case, spellings: &[told("\"WEUR\"", "\"weur\"")] },
    },
    Attr {
        name: "jurisdiction",
        mutability: Mutability::Replace,
        samples: &["\"eu\"", "\"fedramp\""],
        normal: Normal::Form { form: any_case, spellings: &[told("\"EU\"", "\"eu\"")] },
    },
    Attr {
        name: "read-replication",
        mutability: Mutability::InPlace,
        samples: &["\"auto\"", "\"disabled\""],
        normal: Normal::Form { form: any_case, spellings: &[told("\"Auto\"", "\"auto\"")] },
    },
];

static EXISTING: NodeRule = NodeRule {
    name: "d1",
    example: "d1 \"webapp\" id=\"0b0f1d2e-5c7a-4f0e-9d2b-3a1f6c8e7d10\"",
    ..parts::EXISTING
};

/// An upload names a database by `id`, as wrangler does it.
static BINDABLE: Bindable = Bindable {
    doc: "A D1 database.",
    api_type: "d1",
    api_field: "id",
    output: Output::Id,
    section: &["d1_databases"],
    entry: &[
        ("database_name", Entry::Name),
        ("database_id", Entry::Id),
        ("migrations_dir", Entry::Migrations),
        ("migrations_pattern", Entry::MigrationsPattern),
        ("migrations_table", Entry::Ledger),
    ],
    remote: true,
    missing: 10181,
};

static FACTS: Facts = Facts {
    holds_data: true,
    freely_deleted: "Cloudflare deletes a database with all that is in it",
    database: Some(&database::DATABASE),
    ..Facts::of(
        KindId::D1,
        "D1 database",
        "D1 Write",
        ATTRS,
        Errors::of(Codes::Any(&[7502]), Codes::Any(&[7404])),
    )
};

static NODE: NodeFacts = NodeFacts {
    aliases: &["database", "d1_database", "cloudflare_d1_database"],
    existing: Some(&EXISTING),
    name_rule: Some(&NAME),
    outputs: &[("id", Output::Id), ("name", Output::Name)],
    bindable: Some(&BINDABLE),
    ..NodeFacts::of("d1 \"x\"")
};

impl Kind for D1 {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn listing(&self, place: &Place) -> Option<Listing> {
        Some(Listing {
            call: Call::get(&["accounts", &place.account, "d1", "database"]),
            paging: Paging::Numbered { per_page: 1_000 },
        })
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
        let mut observed = Observed {
            id: api::text(item, "uuid")?,
            name: api::text(item, "name")?,
            ..Observed::default()
        };
        if let Some(jurisdiction) = item.get("jurisdiction") {
            observed.fields.insert("jurisdiction".into(), jurisdiction.clone());
        }
        if let Some(mode) = item.pointer("/read_replication/mode") {
            observed.fields.insert("read-replication".into(), mode.clone());
        }
        Some(observed)
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        let mut body = json!({ "name": wanted.name });
        for (field, to) in [("location", "primary_location_hint"), ("jurisdiction", "jurisdiction")]
        {
            if let Some(value) = wanted.fields.get(field) {
                api::set(&mut body, to, value.clone());
            }
        }
        if let Some(mode) = wanted.fields.get("read-replication") {
            api::set(&mut body, "read_replication", json!({ "mode": mode }));
        }
        Call::post(&["accounts", &place.account, "d1", "database"], body)
    }

    fn update(&self, place: &Place, id: &str, wanted: &Wanted, _changed: &[String]) -> Call {
        // The only field that can be changed.
        let mode = wanted.fields.get("read-replication").cloned().unwrap_or(json!("disabled"));
        Call::put(
            &["accounts", &place.account, "d1", "database", id],
            json!({ "read_replication": { "mode": mode } }),
        )
    }

    fn delete(&self, place: &Place, id: &str) -> Option<Call> {
        Some(Call::delete(&["accounts", &place.account, "d1", "database", id]))
    }

    /// Mistakes in SQL and troubles of the database have one code: the words tell them apart.
    fn meaning(&self, _call: &Call, failure: &ApiFailure) -> Option<Meaning> {
        if database::is_in_trouble(failure) {
            return Some(Meaning::Transient);
        }
        FACTS.errors.meaning(failure)
    }
}

impl Declared for D1 {
    fn grammar(&self) -> &'static NodeRule {
        &GRAMMAR
    }

    fn node(&self) -> &'static NodeFacts {
        &NODE
    }

    fn lower(&self, node: &Node, cx: &mut dyn Lower) -> Vec<Desired> {
        let mut desired = managed(KindId::D1, node, cx, &NAME);
        if let (Some(_), Some(place)) = (node.prop("jurisdiction"), node.prop("location")) {
            cx.report(
                Diagnostic::error(
                    "envc::spec::conflict",
                    place.span,
                    "a database with a jurisdiction ignores its location",
                )
                .at("has no effect")
                .help("remove `location=`, or remove `jurisdiction=`"),
            );
        }
        if let (Some(seed), None) = (node.child("seed"), node.child("migrations")) {
            cx.report(
                Diagnostic::error(
                    "envc::spec::missing_property",
                    seed.span,
                    "a seed runs after the first migrations, and the database has none",
                )
                .help("write migrations \"migrations\" beside it, with the tables in a first file"),
            );
        }
        if let Some(migrations) = node.child("migrations") {
            check_migrations(migrations, cx);
        }
        for name in ["location", "jurisdiction", "read-replication"] {
            set_text(&mut desired, node, cx, name);
        }
        vec![desired]
    }
}

/// What neither wrangler nor SQLite would take.
fn check_migrations(node: &Node, cx: &mut dyn Lower) {
    let wrong = |span, message: String, at: &'static str, help: &'static str| {
        Diagnostic::error("envc::spec::invalid_value", span, message).at(at).help(help)
    };
    if let Some((place, text)) = node.prop("pattern").and_then(|it| Some((it, it.as_text()?))) {
        let odd = |c: char| "\\[]{}()!@+".contains(c) || c.is_control();
        let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.contains("**");
        let is_sql = text.rsplit_once('.').is_some_and(|(_, ending)| ending == "sql");
        let good = is_sql && !text.contains(odd) && text.split('/').all(is_name);
        if !good {
            let message = format!("`{text}` does not say which files are migrations");
            let help = "write names with * and ?, and / between them, the last one ending in .sql, \
                        such as \"*/migration.sql\"";
            cx.report(wrong(place.span, message, "relative to the folder", help));
        }
    }
    if let Some((place, text)) = node.prop("table").and_then(|it| Some((it, it.as_text()?))) {
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("sqlite_") || lower.starts_with("_cf_") || lower == "envc_seed" {
            let message = format!("`{text}` is no name for a ledger: others keep such tables");
            let help = "write another, or leave it out: d1_migrations";
            cx.report(wrong(place.span, message, "a table of SQLite, Cloudflare or envc", help));
        }
    }
}
