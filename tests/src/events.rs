//! The lines of `--json`, held to their schema: `specs/events.json`.

use std::{collections::BTreeSet, ffi::OsStr, process::Command, sync::OnceLock};

use jsonschema::Validator;
use serde_json::{Value as Json, json};

const SCHEMA: &str = include_str!("../../specs/events.json");

/// The names of all events that the schema knows.
pub fn names() -> BTreeSet<String> {
    let schema = document();
    let variants = schema.get("oneOf").and_then(Json::as_array).expect("the schema has events");
    let name = |variant: &Json| {
        let name = variant.pointer("/properties/event/const").and_then(Json::as_str);
        name.expect("an event has a name").to_owned()
    };
    variants.iter().map(name).collect()
}

/// Reads lines of `--json`. Fails where one is not as the schema says, or has a field that the
/// schema does not know.
#[track_caller]
pub fn read(text: &str) -> Vec<Json> {
    let read = |line: &str| {
        let event: Json =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let wrong: Vec<String> = validator().iter_errors(&event).map(|it| it.to_string()).collect();
        assert!(wrong.is_empty(), "specs/events.json forbids {line}: {}", wrong.join("; "));
        event
    };
    text.lines().map(read).collect()
}

/// True when the command prints events: its arguments ask for them, and not for help.
pub(crate) fn are_asked_for(command: &Command) -> bool {
    let all: Vec<&OsStr> = command.get_args().collect();
    let has = |word: &str| all.iter().any(|it| *it == word);
    let format =
        all.windows(2).any(|pair| matches!(pair, [a, b] if *a == "--format" && *b == "json"));
    (has("--json") || format) && !["--help", "-h", "--version", "-V"].into_iter().any(has)
}

fn document() -> Json {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

fn validator() -> &'static Validator {
    static VALIDATOR: OnceLock<Validator> = OnceLock::new();
    VALIDATOR.get_or_init(|| {
        let mut schema = document();
        close(&mut schema);
        jsonschema::draft202012::new(&schema).expect("the schema is one")
    })
}

/// Forbids fields that the schema does not know. Readers leave them alone, so the document itself
/// allows them.
fn close(schema: &mut Json) {
    let Json::Object(fields) = &mut *schema else { return };
    for (key, value) in fields.iter_mut() {
        match (key.as_str(), value) {
            // The parts of an event are read together, so none of them is closed by itself.
            ("$defs", Json::Object(parts)) => parts.values_mut().for_each(close_fields),
            ("oneOf", Json::Array(parts)) => parts.iter_mut().for_each(close_fields),
            _ => {}
        }
    }
    fields.insert("unevaluatedProperties".to_owned(), json!(false));
}

/// Closes what stands in the fields of an object, in its items, and in the ways it can be.
fn close_fields(schema: &mut Json) {
    let Json::Object(fields) = schema else { return };
    for (key, value) in fields {
        match (key.as_str(), value) {
            ("properties", Json::Object(fields)) => fields.values_mut().for_each(close_value),
            ("items" | "additionalProperties", value) => close_value(value),
            ("oneOf" | "anyOf", Json::Array(ways)) => ways.iter_mut().for_each(close_fields),
            _ => {}
        }
    }
}

fn close_value(schema: &mut Json) {
    close_fields(schema);
    let Json::Object(fields) = schema else { return };
    if ["$ref", "properties", "oneOf", "anyOf"].iter().any(|key| fields.contains_key(*key)) {
        fields.insert("unevaluatedProperties".to_owned(), json!(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_held_to_the_schema_with_every_field() {
        let place =
            r#"{"column":1,"end":1,"end_column":1,"end_line":1,"line":1,"start":0,"text":""}"#;
        let diagnostic = format!(
            r#"{{"v":1,"event":"diagnostic","code":"a","elsewhere":null,"file":"f","fix":[{place}],
            "help":null,"labels":[],"message":"m","severity":"error"}}"#
        );
        let diagnostic = diagnostic.replace('\n', " ");
        let good = [r#"{"v":1,"event":"stopped"}"#, r#"{"v":1,"event":"migrated_all","steps":2}"#];
        assert_eq!(read(&[&good[..], &[&diagnostic]].concat().join("\n")).len(), 3);
        for bad in [
            r#"{"event":"stopped"}"#,
            r#"{"v":2,"event":"stopped"}"#,
            r#"{"v":1,"event":"nothing"}"#,
            r#"{"v":1,"event":"stopped","more":1}"#,
            r#"{"v":1,"event":"migrated_all"}"#,
            r#"{"v":1,"event":"migrated_all","steps":"2"}"#,
            r#"{"v":1,"event":"migrated_all","steps":2,"more":1}"#,
            &diagnostic.replace(r#""end":1"#, r#""end":1,"more":1"#),
            &diagnostic.replace(r#""severity":"error""#, r#""severity":"bad""#),
        ] {
            assert!(std::panic::catch_unwind(|| read(bad)).is_err(), "{bad}");
        }
    }
}
