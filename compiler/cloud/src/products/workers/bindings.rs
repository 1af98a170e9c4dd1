//! Bindings: what an upload names, and what a version then has.
//!
//! Facts: a target that does not exist is refused with the code of its product (10041 KV, 10085
//! R2, 10181 and 10021 D1, 11000 queue, 10157 Hyperdrive, 10159 Vectorize, 10144
//! service, 10061 a class that no migration made).
//! Types that are not known pass through untouched. `inherit` takes a binding over from the
//! version before; with `bindings_inherit=strict` it is 10057 when there is none, else it is
//! dropped. Secrets are never sent back. A token that may not write a bound product is 403 with 10023.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _};
use serde_json::{Value, json};

use super::super::{Bound, bound};
use super::rows::{Version, script_exists};
use super::upload::invalid;
use crate::envelope::Problem;
use crate::faults::Injector;
use crate::request::text;

/// What bindings are resolved against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) injector: &'a Injector,
    pub(super) db: &'a Connection,
    /// The script that binds.
    pub(super) script: &'a str,
    /// Its last version.
    pub(super) before: Option<&'a Version>,
    /// An unresolved `inherit` is refused.
    pub(super) strict: bool,
}

/// The bindings of a new version: those given, and those of the version before whose type is
/// kept.
pub(super) fn resolve(
    scope: Scope<'_>,
    given: &[Value],
    keep: &[&str],
) -> Result<Vec<Value>, Problem> {
    let mut names = BTreeSet::new();
    let mut out = Vec::new();
    for (index, binding) in given.iter().enumerate() {
        let name = text(binding, "name").filter(|name| !name.is_empty()).ok_or_else(|| {
            Problem::new(400, 10052, format!("Binding at index {index} must have a name."))
        })?;
        let kind = text(binding, "type")
            .ok_or_else(|| invalid(format!("binding {name} must have a type")))?;
        if !names.insert(name.to_owned()) {
            let text = format!(
                "Binding name '{name}' already in use. Please use a different name and try again."
            );
            return Err(Problem::new(400, 10053, text));
        }
        if kind == "inherit" {
            out.extend(inherited(scope, binding, name)?);
        } else {
            out.push(checked(scope, name, kind, binding.clone())?);
        }
    }
    for binding in scope.before.map(|version| version.bindings.as_slice()).unwrap_or_default() {
        let is_kept = text(binding, "type").is_some_and(|kind| keep.contains(&kind));
        if is_kept && text(binding, "name").is_some_and(|name| !names.contains(name)) {
            out.push(binding.clone());
        }
    }
    Ok(out)
}

fn inherited(scope: Scope<'_>, binding: &Value, name: &str) -> Result<Option<Value>, Problem> {
    let other = match text(binding, "version_id") {
        Some(id) => Version::look_up(scope.db, scope.script, id)?,
        None => scope.before.cloned(),
    };
    let old_name = text(binding, "old_name").unwrap_or(name);
    let found = other
        .into_iter()
        .flat_map(|version| version.bindings)
        .find(|binding| text(binding, "name") == Some(old_name));
    match found {
        Some(mut binding) => {
            set(&mut binding, "name", json!(name));
            Ok(Some(binding))
        }
        None if scope.strict => {
            let text = format!(
                "Cannot inherit binding '{name}': there is no binding '{old_name}' in the \
                 previous version."
            );
            Err(Problem::new(400, 10057, text))
        }
        None => Ok(None),
    }
}

fn set(binding: &mut Value, key: &str, value: Value) {
    if let Some(map) = binding.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

/// Refuses a binding to a product that the token may not write.
fn may_write(injector: &Injector, kind: &str) -> Result<(), Problem> {
    let product = match kind {
        "kv_namespace" => "kv",
        "r2_bucket" => "r2",
        "queue" => "queues",
        other => other,
    };
    if !injector.denies(product) {
        return Ok(());
    }
    let text = format!(
        "You do not have access to this feature: {product} bindings require {product} write perms"
    );
    Err(Problem::new(403, 10023, text))
}

/// Refuses a binding whose target does not exist; fills in what the API adds.
fn checked(scope: Scope<'_>, name: &str, kind: &str, mut binding: Value) -> Result<Value, Problem> {
    let db = scope.db;
    may_write(scope.injector, kind)?;
    let exists = |sql: &str, key: &str| -> Result<bool, Problem> {
        Ok(db.prepare_cached(sql)?.exists([key])?)
    };
    let field = |key: &str| text(&binding, key).unwrap_or_default();
    match kind {
        "d1" => {
            let id = text(&binding, "database_id").unwrap_or_else(|| field("id")).to_owned();
            if id.is_empty() {
                let text = format!("binding {name} of type d1 must have a valid `id` specified");
                return Err(invalid(text));
            }
            if !exists("SELECT 1 FROM d1_databases WHERE uuid = ?", &id)? {
                let text =
                    format!("D1 binding '{name}' references database '{id}' which was not found.");
                return Err(Problem::new(400, 10181, text));
            }
            // The old name of the field and the new one.
            set(&mut binding, "id", json!(id));
            set(&mut binding, "database_id", json!(id));
        }
        "r2_bucket" => {
            let bucket = field("bucket_name");
            let jurisdiction = text(&binding, "jurisdiction").unwrap_or("default");
            let found = db
                .prepare_cached("SELECT 1 FROM r2_buckets WHERE jurisdiction = ? AND name = ?")?
                .exists([jurisdiction, bucket])?;
            if !found {
                let text = format!(
                    "R2 bucket '{bucket}' not found. Please use a different name and try again."
                );
                return Err(Problem::new(400, 10085, text));
            }
        }
        "service" => {
            let target = field("service");
            if target != scope.script && !script_exists(db, target)? {
                let text = format!(
                    "Could not resolve service binding '{name}'. Target Worker '{target}' not found."
                );
                return Err(Problem::new(400, 10144, text));
            }
        }
        "durable_object_namespace" if binding.get("dispatch_namespace").is_none() => {
            let id = namespace(scope, &binding)?;
            set(&mut binding, "namespace_id", json!(id));
        }
        "plain_text" | "secret_text" if !binding.get("text").is_some_and(Value::is_string) => {
            return Err(invalid(format!("binding {name} of type {kind} must have a text")));
        }
        "json" if binding.get("json").is_none() => {
            return Err(invalid(format!("binding {name} of type json must have a value")));
        }
        _ => {
            if let Some(row) = bound(db, kind)? {
                by_key(db, row, &binding)?;
            }
        }
    }
    Ok(binding)
}

/// Refuses a binding to what nothing has the key of.
fn by_key(db: &Connection, row: &Bound, binding: &Value) -> Result<(), Problem> {
    let key = text(binding, row.field).unwrap_or_default();
    if db.prepare_cached(row.exists)?.exists([key])? {
        return Ok(());
    }
    Err(Problem::new(400, row.code, (row.missing)(key)))
}

/// The namespace that a binding of a class means.
fn namespace(scope: Scope<'_>, binding: &Value) -> Result<String, Problem> {
    let class = text(binding, "class_name").unwrap_or_default();
    let script = text(binding, "script_name").unwrap_or(scope.script);
    let found = match (class, text(binding, "namespace_id")) {
        ("", Some(id)) => scope
            .db
            .prepare_cached("SELECT id FROM worker_namespaces WHERE id = ?")?
            .query_row([id], |row| row.get(0))
            .optional()?,
        _ => scope
            .db
            .prepare_cached("SELECT id FROM worker_namespaces WHERE script = ? AND class = ?")?
            .query_row([script, class], |row| row.get(0))
            .optional()?,
    };
    found.ok_or_else(|| {
        let text = format!(
            "Cannot create binding for class '{class}' because it is not currently configured to \
             implement Durable Objects. Did you forget to apply a --new-class migration to it?"
        );
        Problem::new(400, 10061, text)
    })
}

/// Bindings as they are sent back: without the values of secrets.
pub(super) fn shown(bindings: &[Value]) -> Value {
    let show = |binding: &Value| {
        let mut out = binding.clone();
        if let Some(map) = out.as_object_mut() {
            let hidden: &[&str] = match text(binding, "type") {
                Some("secret_text") => &["text"],
                Some("secret_key") => &["key_base64", "key_jwk"],
                _ => &[],
            };
            map.retain(|key, _| !hidden.contains(&key.as_str()));
        }
        out
    };
    bindings.iter().map(show).collect()
}
