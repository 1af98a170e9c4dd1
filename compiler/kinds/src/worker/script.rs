//! Scripts of Workers that envc uploads whole.
//!
//! Endpoints: `GET /accounts/{a}/workers/scripts` (one page), `PUT …/{name}` (multipart: metadata
//! and one part for each module; an upsert that replaces everything but cron triggers, routes,
//! domains and consumers), `DELETE …/{name}`; `GET /accounts/{a}/workers/services/{name}` tells one as
//! the list does. The name is the identifier. Secrets that an upload
//! does not carry are lost, so it carries all of them.
//!
//! No code is ever read back: the upload puts two tags on the script, its marker and the digest of
//! its code. A deployment by somebody else loses the tags, or leaves them and changes the `etag`,
//! which is recorded. What proves a script ours is the variable `ENVC`, which every deployment
//! carries; the settings tell it. The tag only says where to look.
//! Source: Cloudflare's OpenAPI document and Workers documentation, checked November 2026. At most
//! eight tags, of which none may hold a comma or an ampersand. What somebody else set and a list does
//! not tell does not survive an upload.

use std::collections::BTreeMap;

use envc_core::{Desired, KindId};
use envc_syntax::{Node, rule::NodeRule};
use serde_json::{Value as Json, json};

use super::{
    MARKER_VARIABLE, grammar::GRAMMAR, lower, objects, paths::scripts, read::NAME, refers, refused,
    versions,
};
use crate::{
    ApiFailure, Attr, Call, Codes, Declared, Errors, Facts, FormPart, Kind, Listing, Lower,
    MarkerOf, Meaning, Mutability, NodeFacts, Normal, Observed, Paging, Place, Review, Wanted, api,
    normal::{self, spelt, told},
};

/// The kind.
#[derive(Debug)]
pub(crate) struct WorkerScript;

/// Begins the tag that says what code the script has.
const CODE_TAG: &str = "envc-code:";
/// Begins the tag that says whose the script is.
const MARKER_TAG: &str = "envc:";
/// The field that holds the marker.
const MARKER: &str = "marker";
/// Most tags of a script.
const TAGS_MAX: usize = 8;
/// Settings that no spec sets and that an upload resets: sent again as they were seen.
const KEPT: [&str; 6] =
    ["cache_options", "limits", "logpush", "observability", "placement", "tail_consumers"];

static ATTRS: &[Attr] = &[
    Attr::in_place("code", &["\"0a\"", "\"0b\""], Normal::One("a digest that envc makes")),
    Attr::in_place("bundle", &["\"1 module, 9 bytes\""], Normal::One("a text that envc makes")),
    Attr::in_place(
        "main",
        &["\"index.js\"", "\"worker.js\""],
        Normal::One("a module's name, letter by letter"),
    ),
    Attr::in_place(
        "compatibility-date",
        &["\"2026-01-01\"", "\"2026-09-01\""],
        Normal::One("a date is YYYY-MM-DD"),
    ),
    Attr::in_place(
        "compatibility-flags",
        &["[]", "[\"nodejs_compat\"]"],
        Normal::Form {
            form: normal::set,
            spellings: &[
                spelt("[\"nodejs_compat\",\"nodejs_compat\"]", "[\"nodejs_compat\"]"),
                spelt(
                    "[\"nodejs_compat\",\"global_navigator\"]",
                    "[\"global_navigator\",\"nodejs_compat\"]",
                ),
                told("null", "[]"),
            ],
        },
    ),
    Attr::in_place(
        "bindings",
        &["[]", "[{\"name\":\"A\",\"type\":\"plain_text\",\"text\":\"a\"}]"],
        Normal::Form {
            form: normal::set,
            spellings: &[spelt(
                "[{\"name\":\"B\",\"type\":\"plain_text\",\"text\":\"b\"},{\"name\":\"A\",\"type\":\"plain_text\",\"text\":\"a\"}]",
                "[{\"text\":\"a\",\"type\":\"plain_text\",\"name\":\"A\"},{\"name\":\"B\",\"type\":\"plain_text\",\"text\":\"b\"}]",
            )],
        },
    ),
    Attr {
        name: "secrets",
        mutability: Mutability::WriteOnly,
        samples: &["{}", "{\"KEY\":{\"sealed\":\"KEY\",\"digest\":\"0a\"}}"],
        normal: Normal::One("digests that envc makes"),
    },
    Attr::in_place(
        "migrations",
        &[],
        Normal::Form { form: objects::form, spellings: objects::SPELLINGS },
    ),
    Attr::in_place("migration-tag", &[], Normal::One("a tag, letter by letter")),
    Attr::in_place(MARKER, &[], Normal::One("a text that envc makes")),
    Attr {
        name: "etag",
        mutability: Mutability::ServerAssigned,
        samples: &[],
        normal: Normal::One("a text that the API makes"),
    },
];

static FACTS: Facts = Facts {
    writes_whole: true,
    changes_from: &[objects::TAG],
    runs_code: true,
    made_by_others: true,
    name_is_id: true,
    needs_code: true, // the class of another script's Durable Objects
    marker: Some(MarkerOf::Call {
        hint: marker_hint,
        call: settings,
        read: marker_in,
        holds: refers::bound_to,
    }),
    circle: Some(refers::CIRCLE),
    versions: Some(versions::VERSIONS),
    review: Some(Review { data_loss: objects::data_loss, objection: objects::objection }),
    ..Facts::of(
        KindId::Worker,
        "Worker",
        "Workers Scripts Write",
        ATTRS,
        Errors {
            in_use: &[10064, 10142],
            ..Errors::of(
                Codes::Never("an upload replaces what is there"),
                Codes::Any(&[10007, 10090, 10092]),
            )
        },
    )
};

static NODE: NodeFacts = NodeFacts {
    chapter: "Workers",
    aliases: &["script", "cloudflare_workers_script"],
    name_rule: Some(&NAME),
    after_others: true,
    ..NodeFacts::of("worker \"x\" path=\"x\"")
};

impl Kind for WorkerScript {
    fn facts(&self) -> &'static Facts {
        &FACTS
    }

    fn listing(&self, place: &Place) -> Option<Listing> {
        Some(Listing { call: Call::get(&scripts(&place.account, &[])), paging: Paging::Whole })
    }

    fn observe(&self, item: &Json) -> Option<Observed> {
        let id = api::text(item, "id")?;
        let mut fields = BTreeMap::new();
        for (field, key) in [
            ("compatibility-date", "compatibility_date"),
            ("compatibility-flags", "compatibility_flags"),
            ("etag", "etag"),
        ] {
            if let Some(value) = item.get(key).filter(|value| !value.is_null()) {
                fields.insert(field.to_owned(), value.clone());
            }
        }
        // No flags are not told, and neither is no date.
        for field in ["compatibility-date", "compatibility-flags"] {
            fields.entry(field.to_owned()).or_insert(Json::Null);
        }
        for key in KEPT {
            let told = item.get(key).and_then(|value| set_of(key, value));
            fields.extend(told.map(|value| (key.to_owned(), value)));
        }
        fields.insert(objects::TAG.to_owned(), json!(api::text(item, "migration_tag")));
        if let Some(tags) = item.get("tags") {
            let tags: Vec<&str> =
                tags.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
            let code = tags.iter().find_map(|tag| tag.strip_prefix(CODE_TAG));
            fields.insert("code".to_owned(), json!(code));
            let marker = tags.iter().find(|tag| tag.starts_with(MARKER_TAG));
            fields.insert(MARKER.to_owned(), json!(marker));
            let ours = |tag: &&&str| tag.starts_with(MARKER_TAG) || tag.starts_with(CODE_TAG);
            let others: Vec<&&str> = tags.iter().filter(|tag| !ours(tag)).collect();
            fields.insert("tags".to_owned(), json!(others));
        }
        let holds = refers::tails_of(item);
        Some(Observed { name: id.clone(), id, fields, holds, ..Observed::default() })
    }

    fn create(&self, place: &Place, wanted: &Wanted) -> Call {
        put(place, wanted, Some(&Json::Null))
    }

    fn update(&self, place: &Place, _id: &str, wanted: &Wanted, _changed: &[String]) -> Call {
        put(place, wanted, wanted.before.get(objects::TAG))
    }

    fn delete(&self, place: &Place, id: &str) -> Option<Call> {
        Some(Call::delete(&scripts(&place.account, &[id])))
    }

    /// At its own address a script is told as its code; as a service it is told as in a list.
    fn read(&self, place: &Place, id: &str) -> Option<Call> {
        Some(Call::get(&["accounts", &place.account, "workers", "services", id]))
    }

    fn observe_read(&self, service: &Json) -> Option<Observed> {
        self.observe(service.get("default_environment")?.get("script")?)
    }

    fn meaning(&self, call: &Call, failure: &ApiFailure) -> Option<Meaning> {
        if failure.has(&[10079]) {
            return Some(Meaning::Moved);
        }
        let meaning = FACTS.errors.meaning(failure);
        if call.method != http::Method::PUT {
            return meaning;
        }
        // Some of these come without a code.
        let is_bare = failure.status == 404 && failure.errors.iter().all(|error| error.code == 0);
        let meaning = meaning.or(is_bare.then_some(Meaning::NotFound));
        if refused::lacks_what_it_is_bound_to(failure) {
            return Some(Meaning::NotYet);
        }
        meaning.map(|meaning| match meaning {
            // A class with objects is not exported any more.
            Meaning::InUse => Meaning::Refused,
            // The first upload of a script may not find it for a moment.
            Meaning::NotFound => Meaning::Transient,
            other => other,
        })
    }

    fn cure(&self, failure: &ApiFailure) -> Option<String> {
        refused::cure(failure)
    }
}

impl Declared for WorkerScript {
    fn grammar(&self) -> &'static NodeRule {
        &GRAMMAR
    }

    fn node(&self) -> &'static NodeFacts {
        &NODE
    }

    fn stands_alone(&self, _node: &Node) -> bool {
        true
    }

    fn lower(&self, node: &Node, cx: &mut dyn Lower) -> Vec<Desired> {
        lower::lower(node, cx)
    }

    fn by_others(&self, node: &Node, cx: &mut dyn Lower) -> Vec<Desired> {
        lower::by_others(node, cx)
    }
}

fn settings(place: &Place, id: &str) -> Call {
    Call::get(&scripts(&place.account, &[id, "settings"]))
}

/// The tag, which says where to look and proves nothing.
fn marker_hint(seen: &Observed) -> Option<&str> {
    seen.fields.get(MARKER).and_then(Json::as_str)
}

/// The marker in a script's settings.
fn marker_in(result: &Json) -> Option<String> {
    let bindings = result.get("bindings").and_then(Json::as_array)?;
    let ours = |binding: &&Json| {
        let is = |key: &str, value: &str| binding.get(key).and_then(Json::as_str) == Some(value);
        is("name", MARKER_VARIABLE) && is("type", "plain_text")
    };
    api::text(bindings.iter().find(ours)?, "text")
}

/// The upload. `from` is the deployed migration, where migrations are to be sent.
fn put(place: &Place, wanted: &Wanted, from: Option<&Json>) -> Call {
    let fields = &wanted.fields;
    let field = |name: &str| fields.get(name).cloned().unwrap_or(Json::Null);
    let mut bindings = field("bindings").as_array().cloned().unwrap_or_default();
    let mut tags: Vec<Json> = fields.get(MARKER).cloned().into_iter().collect();
    if let Some(code) = fields.get("code").and_then(Json::as_str) {
        tags.push(json!(format!("{CODE_TAG}{code}")));
    }
    for (path, value) in &wanted.secrets {
        let Some(name) = path.strip_prefix("secrets.") else { continue };
        // The secret's place: the body of the upload, and nowhere else.
        bindings.push(json!({ "name": name, "type": "secret_text", "text": value.expose() }));
    }
    let others = wanted.before.get("tags").and_then(Json::as_array).into_iter().flatten();
    let room = TAGS_MAX.saturating_sub(tags.len());
    tags.extend(others.take(room).cloned());
    let mut modules = Vec::new();
    if let Some(upload) = &wanted.upload {
        modules.extend(upload.modules.iter().map(|module| FormPart {
            name: module.name.clone(),
            file_name: Some(module.name.clone()),
            content_type: module.content_type(),
            bytes: module.bytes.clone(),
        }));
    }
    let mut metadata = json!({
        "main_module": field("main"), "bindings": bindings, "tags": tags,
        "compatibility_flags": field("compatibility-flags"),
    });
    let seen = || wanted.before.get("compatibility-date").filter(|date| !date.is_null());
    if let Some(date) = fields.get("compatibility-date").or_else(seen) {
        api::set(&mut metadata, "compatibility_date", date.clone());
    }
    if !wanted.chance.is_empty() {
        api::set(&mut metadata, "annotations", versions::annotations(&wanted.chance));
    }
    for key in KEPT {
        if let Some(value) = wanted.before.get(key) {
            api::set(&mut metadata, key, value.clone());
        }
    }
    if let Some(migrations) = from.and_then(|from| objects::to_send(&field("migrations"), from)) {
        api::set(&mut metadata, "migrations", migrations);
    }
    let mut form = vec![FormPart {
        name: "metadata".to_owned(),
        file_name: None,
        content_type: "application/json",
        bytes: metadata.to_string().into_bytes(),
    }];
    form.append(&mut modules);
    Call::put_form(&scripts(&place.account, &[&wanted.name]), form)
}

/// What of a setting can be sent again: the API fills in nulls, and tells how far a placement is.
fn set_of(key: &str, value: &Json) -> Option<Json> {
    let mut kept = without_nulls(value);
    if let Some(fields) = kept.as_object_mut().filter(|_| key == "placement") {
        fields.retain(|name, _| !matches!(name.as_str(), "status" | "last_analyzed_at"));
    }
    let says_nothing = match &kept {
        Json::Null | Json::Bool(false) => true,
        Json::Object(fields) => fields.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Bool(true) | Json::Number(_) | Json::String(_) => false,
    };
    (!says_nothing).then_some(kept)
}

fn without_nulls(value: &Json) -> Json {
    let Some(fields) = value.as_object() else { return value.clone() };
    let set = fields.iter().filter(|(_, value)| !value.is_null());
    Json::Object(set.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use envc_core::Secret;

    use super::*;
    use crate::{Module, Upload};

    fn wanted() -> Wanted {
        let migrations = json!([
            { "tag": "v1", "new-sqlite-classes": ["Room"] },
            { "tag": "v2", "renamed-classes": [["Room", "Hall"]], "deleted-classes": ["Old"] },
        ]);
        Wanted {
            name: "shop-edge".into(),
            fields: [
                ("code".to_owned(), json!("0a")),
                ("main".to_owned(), json!("index.js")),
                ("compatibility-date".to_owned(), json!("2026-01-01")),
                ("compatibility-flags".to_owned(), json!(["nodejs_compat"])),
                ("bindings".to_owned(), json!([{ "name": "DB", "type": "d1", "id": "1" }])),
                (MARKER.to_owned(), json!("envc:shop/e")),
                ("migrations".to_owned(), migrations),
                ("migration-tag".to_owned(), json!("v2")),
            ]
            .into(),
            upload: Some(Arc::new(Upload {
                modules: vec![
                    Module { name: "index.js".into(), bytes: b"export default {}".to_vec() },
                    Module { name: "lib/a.wasm".into(), bytes: vec![0, 255] },
                ],
            })),
            secrets: [("secrets.KEY".to_owned(), Secret::new("s3cret"))].into(),
            ..Wanted::default()
        }
    }

    fn metadata(call: &Call) -> Json {
        serde_json::from_slice(&call.form[0].bytes).unwrap()
    }

    #[test]
    fn one_call_carries_code_bindings_secrets_tags_and_all_migrations() {
        let place = Place { account: "a".into(), ..Place::default() };
        let call = WorkerScript.create(&place, &wanted());
        assert_eq!(call.target(), "/accounts/a/workers/scripts/shop-edge");
        assert_eq!(
            metadata(&call),
            json!({
                "main_module": "index.js",
                "bindings": [
                    { "name": "DB", "type": "d1", "id": "1" },
                    { "name": "KEY", "type": "secret_text", "text": "s3cret" },
                ],
                "compatibility_date": "2026-01-01",
                "compatibility_flags": ["nodejs_compat"],
                "tags": ["envc:shop/e", "envc-code:0a"],
                "migrations": {
                    "new_tag": "v2",
                    "steps": [
                        { "new_sqlite_classes": ["Room"] },
                        {
                            "deleted_classes": ["Old"],
                            "renamed_classes": [{ "from": "Room", "to": "Hall" }],
                        },
                    ],
                },
            })
        );
        let parts: Vec<_> = call
            .form
            .iter()
            .map(|part| (part.name.as_str(), part.file_name.as_deref(), part.content_type))
            .collect();
        assert_eq!(
            parts,
            [
                ("metadata", None, "application/json"),
                ("index.js", Some("index.js"), "application/javascript+module"),
                ("lib/a.wasm", Some("lib/a.wasm"), "application/wasm"),
            ]
        );
        assert_eq!(call.form[2].bytes, [0, 255]);
        assert!(!format!("{call:?} {:?}", wanted()).contains("s3cret"));
    }

    #[test]
    fn an_update_sends_what_follows_the_deployed_migration() {
        let place = Place::default();
        let mut wanted = wanted();
        assert_eq!(
            metadata(&WorkerScript.update(&place, "x", &wanted, &[])).get("migrations"),
            None
        );
        wanted.before.insert("migration-tag".into(), json!("v1"));
        let sent = metadata(&WorkerScript.update(&place, "x", &wanted, &[]));
        assert_eq!(sent["migrations"]["old_tag"], json!("v1"));
        assert_eq!(sent["migrations"]["new_tag"], json!("v2"));
        assert_eq!(sent["migrations"]["steps"].as_array().map(Vec::len), Some(1));
    }

    #[test]
    fn what_the_spec_cannot_set_is_sent_again_as_it_was_seen() {
        let item = json!({
            "id": "shop-edge", "compatibility_date": "2025-05-05", "logpush": true,
            "tags": ["cf:service=x", "envc:shop/e", "envc-code:0a"],
            "observability": { "enabled": true, "logs": { "enabled": false, "persist": null } },
            "placement": { "mode": "smart", "status": "SUCCESS" }, "tail_consumers": null,
        });
        let mut wanted = wanted();
        wanted.fields.remove("compatibility-date");
        wanted.before = WorkerScript.observe(&item).unwrap().fields;
        let sent = metadata(&WorkerScript.update(&Place::default(), "x", &wanted, &[]));
        assert_eq!(sent["compatibility_date"], json!("2025-05-05"));
        assert_eq!(sent["tags"], json!(["envc:shop/e", "envc-code:0a", "cf:service=x"]));
        assert_eq!(sent["logpush"], json!(true));
        let observability = json!({ "enabled": true, "logs": { "enabled": false } });
        assert_eq!(sent["observability"], observability);
        assert_eq!(sent["placement"], json!({ "mode": "smart" }));
        assert_eq!(sent.get("tail_consumers"), None);
    }

    #[test]
    fn the_marker_is_a_plain_variable_of_the_settings() {
        let of = |bindings: Json| marker_in(&json!({ "bindings": bindings }));
        let marker = json!({ "type": "plain_text", "name": "ENVC", "text": "envc:shop/e/web" });
        assert_eq!(of(json!([{ "name": "A" }, marker])).as_deref(), Some("envc:shop/e/web"));
        for other in [
            json!([]),
            json!([{ "type": "secret_text", "name": "ENVC" }]),
            json!([{ "type": "plain_text", "name": "ENVD", "text": "envc:shop/e/web" }]),
            json!("nonsense"),
        ] {
            assert_eq!(of(other.clone()), None, "{other}");
        }
    }

    #[test]
    fn a_deployment_by_somebody_else_shows_in_the_list() {
        let item = json!({
            "id": "shop-edge", "etag": "e1", "compatibility_date": "2026-01-01",
            "tags": ["cf:service=x", "envc:shop/e/edge", "envc-code:0a"], "migration_tag": "v2",
        });
        let seen = WorkerScript.observe(&item).unwrap();
        assert_eq!(marker_hint(&seen), Some("envc:shop/e/edge"));
        assert_eq!(seen.comment, None, "a tag proves nothing");
        assert_eq!(seen.fields["code"], json!("0a"));
        assert_eq!(seen.fields["etag"], json!("e1"));
        for tags in [json!(null), json!([]), json!(["other"])] {
            let seen = WorkerScript.observe(&json!({ "id": "x", "tags": tags })).unwrap();
            assert_eq!((marker_hint(&seen), &seen.fields["code"]), (None, &Json::Null));
        }
        let bare = WorkerScript.observe(&json!({ "id": "x" })).unwrap();
        assert!(!bare.fields.contains_key("code"), "a list that tells no tags says nothing");
    }
}
