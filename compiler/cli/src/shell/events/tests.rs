//! Makes `specs/events.json` out of the types, and compares.
//!
//! `ENVC_UPDATE_EVENTS=1 cargo test -p envc events` writes it anew.

use schemars::generate::SchemaSettings;
use serde_json::{Value as Json, json};

use super::{EVENT_VERSION, Event};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/events.json");

/// Every line has the version beside the fields of its event.
fn document() -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Event<'_>>();
    let text = "One line that envc prints with --json. A program that reads it looks at `event`, and \
                leaves alone events and fields that it does not know: new ones come without notice, \
                and `v` is raised when a program would misread what it knows.";
    schema.insert("title".to_owned(), json!("An event of envc --json"));
    schema.insert("description".to_owned(), json!(text));
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("required".to_owned(), json!(["v"]));
    let version = json!({
        "description": "The version of the events.", "type": "integer", "const": EVENT_VERSION,
    });
    schema.insert("properties".to_owned(), json!({ "v": version }));
    let mut schema = Json::from(schema);
    unwrap_lines(&mut schema);
    let mut text = serde_json::to_string_pretty(&schema).unwrap();
    text.push('\n');
    text
}

/// A comment that is wrapped in the source is one line in the document.
fn unwrap_lines(schema: &mut Json) {
    match schema {
        Json::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Json::String(text) if key == "description" => *text = text.replace('\n', " "),
                    value => unwrap_lines(value),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(unwrap_lines),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => {}
    }
}

#[test]
fn the_schema_is_what_the_types_say() {
    let document = document();
    if std::env::var_os("ENVC_UPDATE_EVENTS").is_some() {
        std::fs::write(PATH, &document).unwrap();
        return;
    }
    assert!(
        std::fs::read_to_string(PATH).is_ok_and(|kept| kept == document),
        "specs/events.json is not what the types say: run `ENVC_UPDATE_EVENTS=1 cargo test -p envc \
         events`, and read what changed"
    );
}
