//! Durable Objects of a Worker: which migrations are sent, and what of data they cost.
//!
//! The API keeps the tag of the last migration. An upload names it (`old_tag`, left out the first
//! time) and the one that it leads to, with the steps in between; when the deployed tag is another
//! by then, it is refused (10079). `deleted_classes` destroys all objects of a class.
//! Source: Cloudflare's documentation of Durable Object migrations and wrangler's source, checked
//! November 2026.

use envc_core::Value;
use serde_json::{Map, Value as Json, json};

use crate::{
    Fields, Objection, Spelling,
    normal::{set, spelt},
};

/// The field of the last migration's tag.
pub(crate) const TAG: &str = "migration-tag";
/// The field of all migrations, in order.
const MIGRATIONS: &str = "migrations";

/// Lists of classes: the spec's word, and the API's.
const CLASSES: [(&str, &str); 3] = [
    ("new-sqlite-classes", "new_sqlite_classes"),
    ("new-classes", "new_classes"),
    ("deleted-classes", "deleted_classes"),
];

/// Other spellings of the migrations.
pub(crate) const SPELLINGS: &[Spelling] = &[Spelling {
    beside: &[(TAG, "\"v1\"")],
    ..spelt(
        "[{\"tag\":\"v1\",\"new-sqlite-classes\":[\"Room\",\"Lobby\"],\"new-classes\":[]}]",
        "[{\"new-sqlite-classes\":[\"Lobby\",\"Room\"],\"tag\":\"v1\"}]",
    )
}];

/// Migrations run in order; the classes of one do not, and an empty list is none.
pub(crate) fn form(value: &Json, beside: &Fields<Json>) -> Json {
    let one = |migration: &Json| match migration.as_object() {
        Some(fields) => {
            let lists = fields.iter().map(|(field, list)| match list {
                Json::Array(_) => (field.clone(), set(list, beside)),
                other => (field.clone(), other.clone()),
            });
            Json::Object(lists.filter(|(_, list)| *list != json!([])).collect())
        }
        None => migration.clone(),
    };
    value.as_array().map_or_else(|| value.clone(), |all| all.iter().map(one).collect())
}

/// The migrations that come after a tag; none for a tag that is not among them. Without a tag
/// that is all of them.
fn after<'m>(migrations: &'m [Json], tag: Option<&str>) -> Option<&'m [Json]> {
    let Some(tag) = tag else { return Some(migrations) };
    let at = migrations.iter().position(|migration| tag_of(migration) == Some(tag))?;
    migrations.get(at + 1..)
}

fn tag_of(migration: &Json) -> Option<&str> {
    migration.get("tag").and_then(Json::as_str)
}

/// `migrations` of an upload's metadata, from the deployed tag on; none when there is nothing new.
pub(crate) fn to_send(migrations: &Json, from: &Json) -> Option<Json> {
    let all = migrations.as_array()?;
    // The plan was refused for a tag that is not known, so this is a tag from after the plan: the
    // API compares it and refuses.
    let open = after(all, from.as_str()).unwrap_or(all);
    let mut out = Map::new();
    if let Some(from) = from.as_str() {
        out.insert("old_tag".into(), json!(from));
    }
    out.insert("new_tag".into(), json!(open.last().and_then(tag_of)?));
    out.insert("steps".into(), open.iter().map(step).collect());
    Some(Json::Object(out))
}

fn step(migration: &Json) -> Json {
    let mut step = Map::new();
    let filled = |field: &str| {
        migration.get(field).filter(|list| list.as_array().is_some_and(|list| !list.is_empty()))
    };
    for (field, key) in CLASSES {
        if let Some(classes) = filled(field) {
            step.insert(key.into(), classes.clone());
        }
    }
    if let Some(renamed) = filled("renamed-classes").and_then(Json::as_array) {
        let pair = |pair: &Json| json!({ "from": pair.get(0), "to": pair.get(1) });
        step.insert("renamed_classes".into(), renamed.iter().map(pair).collect());
    }
    Json::Object(step)
}

/// The spec's migrations as JSON: they hold no references.
fn wanted_migrations(wanted: &Fields<Value>) -> Vec<Json> {
    let json = wanted.get(MIGRATIONS).and_then(|value| value.resolve(&mut |_| None));
    json.as_ref().and_then(Json::as_array).cloned().unwrap_or_default()
}

pub(crate) fn data_loss(seen: &Fields<Json>, wanted: Option<&Fields<Value>>) -> Vec<String> {
    let deployed = seen.get(TAG).and_then(Json::as_str);
    let Some(wanted) = wanted else {
        return deployed.map(|_| "all of its Durable Objects".to_owned()).into_iter().collect();
    };
    if deployed.is_none() {
        return Vec::new(); // nothing is there that could be lost
    }
    let migrations = wanted_migrations(wanted);
    let open = after(&migrations, deployed).unwrap_or_default();
    let lists = open.iter().filter_map(|migration| migration.get("deleted-classes")?.as_array());
    let classes = lists.flatten().filter_map(Json::as_str);
    classes.map(|class| format!("all Durable Objects of the class {class}")).collect()
}

pub(crate) fn objection(seen: &Fields<Json>, wanted: &Fields<Value>) -> Option<Objection> {
    let deployed = seen.get(TAG).and_then(Json::as_str)?;
    let migrations = wanted_migrations(wanted);
    if migrations.is_empty() || after(&migrations, Some(deployed)).is_some() {
        return None;
    }
    let tags: Vec<&str> = migrations.iter().filter_map(tag_of).collect();
    Some(Objection {
        code: "envc::plan::unknown_migration_tag",
        what: format!(
            "its Durable Objects are at the migration `{deployed}`, which the spec does not have \
             (it has {})",
            tags.join(", ")
        ),
        help: format!(
            "write `migration tag=\"{deployed}\"` with what it did before those that are still to \
             run; or, to begin anew without the objects, delete the script first"
        ),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn wanted() -> Fields<Value> {
        let list = |classes: &[&str]| {
            Value::List(classes.iter().map(|class| Value::text(*class)).collect())
        };
        let migration = |tag: &str, field: &str, classes: &[&str]| {
            Value::Map(BTreeMap::from([
                ("tag".to_owned(), Value::text(tag)),
                (field.to_owned(), list(classes)),
            ]))
        };
        let all = vec![
            migration("v1", "new-sqlite-classes", &["Room", "Lobby"]),
            migration("v2", "deleted-classes", &["Room"]),
            migration("v3", "new-sqlite-classes", &["Hall"]),
        ];
        [(MIGRATIONS.to_owned(), Value::List(all)), (TAG.to_owned(), Value::text("v3"))].into()
    }

    fn at(tag: Option<&str>) -> Fields<Json> {
        [(TAG.to_owned(), json!(tag))].into()
    }

    #[test]
    fn the_deployed_tag_decides_what_is_sent() {
        let all = Json::Array(wanted_migrations(&wanted()));
        let sent = |from: Option<&str>| to_send(&all, &json!(from));
        assert_eq!(
            sent(None),
            Some(json!({ "new_tag": "v3", "steps": [
                { "new_sqlite_classes": ["Room", "Lobby"] },
                { "deleted_classes": ["Room"] },
                { "new_sqlite_classes": ["Hall"] },
            ] }))
        );
        assert_eq!(
            sent(Some("v2")),
            Some(json!({
                "old_tag": "v2", "new_tag": "v3", "steps": [{ "new_sqlite_classes": ["Hall"] }],
            }))
        );
        assert_eq!(sent(Some("v3")), None);
        assert_eq!(to_send(&Json::Null, &Json::Null), None);
    }

    #[test]
    fn a_class_that_goes_is_told_while_its_migration_is_to_run() {
        let lost = |tag: Option<&str>| data_loss(&at(tag), Some(&wanted()));
        assert_eq!(lost(Some("v1")), ["all Durable Objects of the class Room"]);
        assert_eq!(lost(Some("v2")), Vec::<String>::new());
        assert_eq!(lost(None), Vec::<String>::new(), "nothing is there yet");
        assert_eq!(data_loss(&at(Some("v1")), None), ["all of its Durable Objects"]);
        assert_eq!(data_loss(&at(None), None), Vec::<String>::new());
    }

    #[test]
    fn a_tag_that_the_spec_does_not_know_is_refused_with_a_choice() {
        assert_eq!(objection(&at(Some("v2")), &wanted()), None);
        assert_eq!(objection(&at(None), &wanted()), None);
        let found = objection(&at(Some("v9")), &wanted()).unwrap();
        assert!(found.what.contains("`v9`") && found.what.contains("v1, v2, v3"), "{found:?}");
    }
}
