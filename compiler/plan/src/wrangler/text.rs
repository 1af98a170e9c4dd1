//! What is changed in the text of a configuration once it is made: its paths, where it does not go to the
//! Worker's folder, and the list of schedules, where a template has none. All else of the text stays,
//! comments and order too. Pure.
//!
//! Paths by wrangler 4.164: `normalizeAndValidateConfig` and `config-schema.json`.

use std::ops::Range;

use jsonc_parser::ast::{Object, Value};

use crate::jsonc;

/// The keys that hold a path, relative to the file; `*` is any key. Lists count as what they hold, and an
/// `env.NAME` as the top.
const PATHS: [&[&str]; 19] = [
    &["$schema"],
    &["main"],
    &["base_dir"],
    &["tsconfig"],
    &["build", "cwd"],
    &["build", "watch_dir"],
    &["assets", "directory"],
    &["site", "bucket"],
    &["site", "entry-point"],
    &["pages_build_output_dir"],
    &["*", "migrations_dir"],
    &["*", "migrations_pattern"],
    &["containers", "image"],
    &["containers", "image_build_context"],
    &["cloudchamber", "image"],
    &["wasm_modules", "*"],
    &["text_blobs", "*"],
    &["data_blobs", "*"],
    &["alias", "*"],
];

/// A piece of the text, and what takes its place.
type Edit = (Range<usize>, String);

/// The text with each path in it as seen from elsewhere. A build without a folder of its own runs where
/// the file lies, and gets one.
pub(crate) fn rebased(text: &str, path: &dyn Fn(&str) -> String) -> String {
    let Some(tree) = jsonc::tree(text) else { return text.to_owned() };
    let mut edits = Vec::new();
    look(&tree, &mut Vec::new(), path, &mut edits);
    edited(text, edits)
}

/// The text with an empty list of schedules, unless it has one of its own: without a list wrangler lets
/// the schedules of before run on.
pub(crate) fn with_crons(text: &str) -> String {
    let tree = jsonc::tree(text);
    let Some(root) = tree.as_ref().and_then(Value::as_object) else { return text.to_owned() };
    let edit = match last(root, "triggers") {
        None => Some(last_in(root, "\n  ", "\"triggers\": { \"crons\": [] }")),
        Some(Value::Object(triggers)) if last(triggers, "crons").is_none() => {
            Some(last_in(triggers, " ", "\"crons\": []"))
        }
        Some(_) => None,
    };
    edited(text, edit.into_iter().collect())
}

/// Of several properties with one name the last one counts.
fn last<'t>(object: &'t Object<'t>, name: &str) -> Option<&'t Value<'t>> {
    let mut found = object.properties.iter().rev().filter(|it| it.name.as_str() == name);
    found.next().map(|it| &it.value)
}

/// A property more, behind all others: where a comma follows, it follows this one then.
fn last_in(object: &Object<'_>, before: &str, property: &str) -> Edit {
    match object.properties.last() {
        Some(last) => (last.range.end..last.range.end, format!(",{before}{property}")),
        None => (object.range.start + 1..object.range.start + 1, format!("{before}{property} ")),
    }
}

fn look<'t>(
    value: &'t Value<'t>,
    keys: &mut Vec<&'t str>,
    path: &dyn Fn(&str) -> String,
    edits: &mut Vec<Edit>,
) {
    match value {
        Value::Object(object) => {
            if own(keys) == ["build"]
                && last(object, "command").is_some()
                && last(object, "cwd").is_none()
            {
                let cwd = serde_json::Value::from(path("."));
                edits.push(last_in(object, " ", &format!("\"cwd\": {cwd}")));
            }
            for property in &object.properties {
                keys.push(property.name.as_str());
                look(&property.value, keys, path, edits);
                keys.pop();
            }
        }
        Value::Array(list) => list.elements.iter().for_each(|it| look(it, keys, path, edits)),
        Value::StringLit(text) if is_path(own(keys), &text.value) => {
            let text_now = serde_json::Value::from(path(&text.value)).to_string();
            edits.push((text.range.start..text.range.end, text_now));
        }
        _ => {}
    }
}

/// The keys, as they are at the top.
fn own<'k, 't>(keys: &'k [&'t str]) -> &'k [&'t str] {
    match keys {
        ["env", _, own @ ..] | ["previews", own @ ..] | own => own,
    }
}

/// True for a text under these keys that is a path from the file's folder.
fn is_path(keys: &[&str], text: &str) -> bool {
    let is_one = PATHS.iter().any(|known| {
        known.len() == keys.len()
            && known.iter().zip(keys).all(|(known, key)| *known == "*" || known == key)
    });
    // Whole paths, drives, addresses, and what a build finds by its own rules.
    let elsewhere =
        text.is_empty() || text.starts_with(['/', '\\', '@', '~']) || text.contains(':');
    let is_file = || text.starts_with('.') || text.to_ascii_lowercase().contains("dockerfile");
    is_one
        && !elsewhere
        && match keys {
            // An image of a registry, or a module.
            ["containers" | "cloudchamber", "image"] | ["alias", _] => is_file(),
            _ => true,
        }
}

fn edited(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|(range, _)| range.start);
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for (range, now) in edits {
        out.push_str(text.get(done..range.start).unwrap_or_default());
        out.push_str(&now);
        done = range.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(path: &str) -> String {
        format!("../{path}")
    }

    #[test]
    fn every_path_of_a_configuration_is_seen_from_elsewhere_and_nothing_else_changes() {
        let text = r#"{
  // main: src/a.ts
  "$schema": "node_modules/wrangler/config-schema.json",
  "name": "src/a.ts", "main": "src/a.ts",
  "assets": { "directory": "./dist", "binding": "ASSETS" },
  "build": { "command": "make", "watch_dir": ["src", "lib"] },
  "d1_databases": [{ "binding": "main", "migrations_dir": "m", "migrations_pattern": "m/*/up.sql" }],
  "containers": [{ "image": "./Dockerfile" }, { "image": "registry.example/app" }],
  "alias": { "a": "./a.js", "b": "b" },
  "env": { "x": { "main": "x.ts", "tsconfig": "/etc/tsconfig.json" } },
}"#;
        let wanted = text
            .replace("\"node_modules/", "\"../node_modules/")
            .replace("\"main\": \"src/a.ts\"", "\"main\": \"../src/a.ts\"")
            .replace("\"./dist\"", "\".././dist\"")
            .replace("[\"src\", \"lib\"]", "[\"src\", \"lib\"], \"cwd\": \"../.\"")
            .replace("[\"src\", \"lib\"]", "[\"../src\", \"../lib\"]")
            .replace("\"m\"", "\"../m\"")
            .replace("\"m/*/up.sql\"", "\"../m/*/up.sql\"")
            .replace("\"./Dockerfile\"", "\".././Dockerfile\"")
            .replace("\"./a.js\"", "\".././a.js\"")
            .replace("\"x.ts\"", "\"../x.ts\"");
        assert_eq!(rebased(text, &up), wanted);
        for same in [
            r#"{ "main": "@app/server-entry", "$schema": "https://x.example/s.json" }"#,
            r#"{ "main": "virtual:entry", "pages_build_output_dir": "/srv/out" }"#,
            r#"{ "build": { "upload": {} }, "vars": { "main": "a", "cwd": "b" } }"#,
        ] {
            assert_eq!(rebased(same, &up), same);
        }
    }

    #[test]
    fn a_list_of_schedules_is_put_where_there_is_none() {
        for (text, wanted) in [
            ("{}", "{\n  \"triggers\": { \"crons\": [] } }"),
            (
                "{\n  \"a\": 1, // one\n}",
                "{\n  \"a\": 1,\n  \"triggers\": { \"crons\": [] }, // one\n}",
            ),
            ("{\"a\": [1]}", "{\"a\": [1],\n  \"triggers\": { \"crons\": [] }}"),
            ("{\"triggers\": {}}", "{\"triggers\": { \"crons\": [] }}"),
            ("{\"triggers\": {\"x\": 1,},}", "{\"triggers\": {\"x\": 1, \"crons\": [],},}"),
        ] {
            assert_eq!(with_crons(text), wanted);
            assert!(jsonc::parse(wanted).is_ok(), "{wanted}");
        }
        for own in [
            "{\"triggers\": {\"crons\": [\"0 * * * *\"]}}",
            "{\"triggers\": {\"crons\": []}}",
            "{\"triggers\": null}",
        ] {
            assert_eq!(with_crons(own), own);
        }
    }
}
