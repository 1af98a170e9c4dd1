//! Whether what a build wrote is of the configuration that envc writes. Pure.
//!
//! A build's tool reads the configuration, resolves it, and writes one of its own beside its output; to
//! that one wrangler is redirected. It keeps the name, the variables and all that the Worker is bound to,
//! and changes paths and what it did itself.

use envc_kinds::{MARKER_VARIABLE, bindables};
use serde_json::Value as Json;

use crate::jsonc;

/// Of what a build was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Built {
    /// Of this configuration.
    OfThis,
    /// Of this Worker of this environment, as it was configured before.
    Before,
    /// Of another Worker, another environment, or of nothing that can be read.
    Elsewhere,
}

/// Keys that mean the same in both, beside those of bindings.
const KEYS: [&str; 8] = [
    "vars",
    "routes",
    "triggers",
    "queues",
    "durable_objects",
    "migrations",
    "compatibility_date",
    "compatibility_flags",
];
/// Fields that a build writes as it likes.
const FREE: [&str; 4] = ["migrations_dir", "migrations_pattern", "remote", "preview_database_id"];

/// The configuration that a redirect leads to, as it is written there: a path from the redirect's folder.
pub fn redirect_of(text: &str) -> Option<String> {
    let json = jsonc::parse(text).ok()?;
    json.get("configPath").and_then(Json::as_str).filter(|to| !to.is_empty()).map(str::to_owned)
}

/// Compares what a build made with the configuration that envc writes: both as texts.
pub fn built_of(configuration: &str, made: &str) -> Built {
    let (Ok(wanted), Ok(made)) = (jsonc::parse(configuration), jsonc::parse(made)) else {
        return Built::Elsewhere;
    };
    let marker = |json: &Json| json.get("vars").and_then(|vars| vars.get(MARKER_VARIABLE)).cloned();
    let is_same = wanted.get("name").is_some_and(|name| made.get("name") == Some(name))
        && marker(&wanted) == marker(&made);
    if !is_same {
        return Built::Elsewhere;
    }
    let bound = bindables().filter_map(|(_, row)| row.section.first().copied());
    let none = Json::Null;
    let says = |key: &str| covers(made.get(key).unwrap_or(&none), wanted.get(key).unwrap_or(&none));
    if KEYS.into_iter().chain(bound).all(says) { Built::OfThis } else { Built::Before }
}

/// True where the one says all that the other one says.
fn covers(made: &Json, wanted: &Json) -> bool {
    match (made, wanted) {
        (_, Json::Null) => true,
        (Json::Object(made), Json::Object(wanted)) => wanted
            .iter()
            .filter(|(key, _)| !FREE.contains(&key.as_str()))
            .all(|(key, value)| covers(made.get(key).unwrap_or(&Json::Null), value)),
        (Json::Array(made), Json::Array(wanted)) => {
            wanted.iter().all(|item| made.iter().any(|it| covers(it, item)))
        }
        (Json::Null, Json::Array(wanted)) => wanted.is_empty(),
        (Json::Null, Json::Object(wanted)) => wanted.values().all(|it| covers(&Json::Null, it)),
        (made, wanted) => made == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = r#"// Written by envc
{ "name": "shop--web--a", "main": "src/index.ts", "vars": { "A": "1", "ENVC": "envc:shop/a/web@1" },
  "d1_databases": [{ "binding": "DB", "database_id": "id", "migrations_dir": "m" }],
  "triggers": { "crons": [] }, "dev": { "port": 3000 } }"#;

    #[test]
    fn a_build_keeps_what_the_worker_is_and_may_change_paths() {
        let built = r#"{ "name": "shop--web--a", "main": "index.js", "no_bundle": true, "assets": {},
          "vars": { "ENVC": "envc:shop/a/web@1", "A": "1", "MODE": "production" }, "rules": [],
          "d1_databases": [{ "database_id": "id", "binding": "DB", "migrations_dir": "../m" }] }"#;
        assert_eq!(built_of(WRITTEN, built), Built::OfThis);
        for (from, to) in [("\"id\"", "\"other\""), ("\"A\": \"1\", ", ""), ("\"DB\"", "\"B\"")] {
            assert_eq!(built_of(WRITTEN, &built.replace(from, to)), Built::Before, "{from}");
        }
        for (from, to) in [("shop--web--a", "prod"), ("/a/web@1", "/b/web@1"), ("{ \"name\"", "{{")]
        {
            assert_eq!(built_of(WRITTEN, &built.replace(from, to)), Built::Elsewhere, "{from}");
        }
        assert_eq!(built_of("", "{}"), Built::Elsewhere);
        assert_eq!(built_of("{}", "{}"), Built::Elsewhere, "no name is no proof");
    }
}
