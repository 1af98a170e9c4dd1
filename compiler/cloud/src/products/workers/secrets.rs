//! Secrets of a script: bindings whose values are never told.
//!
//! Facts: every change makes a new version and deploys it; with a newer version that is not
//! deployed it is 10215. A missing secret is 10056; a name that another binding has is 10053.
//! `PATCH secrets-bulk` is a merge: `null` deletes. A value has at most 5 KB (10021 here: the code
//! is not published).
//!
//! Source: Cloudflare's OpenAPI document, wrangler's source (bulk), published live error bodies.

use std::collections::BTreeSet;

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use super::bindings::shown;
use super::publish::{Draft, Maker, changeable, deploy};
use super::resource;
use super::rows::{Script, Version, no_versions};
use super::upload::invalid;
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::products::Ctx;
use crate::request::{Req, text};

const VALUE_BYTES_MAX: usize = 5 * 1024;
const KINDS: [&str; 2] = ["secret_text", "secret_key"];

/// Answers a call below `secrets`.
pub(super) fn handle(
    ctx: &Ctx<'_>,
    req: &Req,
    script: &str,
    rest: &[&str],
) -> Result<Answer, Problem> {
    match (req.method.as_str(), rest) {
        ("GET", []) => {
            let secrets = ctx.cloud.store.read(|db| all(db, script))?;
            Ok(Answer::ok(&shown(&secrets)))
        }
        ("PUT", []) => {
            let body = req.json(malformed)?;
            let secret = checked(&body)?;
            let name = text(&body, "name").unwrap_or_default().to_owned();
            let changes = [(name, Some(secret.clone()))];
            change(ctx, req, script, "secret", &changes)?;
            Ok(Answer::ok(&first(&shown(&[secret]))))
        }
        ("GET", [name]) => {
            let found = ctx.cloud.store.read(|db| -> Result<_, Problem> {
                let mut secrets = all(db, script)?;
                secrets.retain(|secret| text(secret, "name") == Some(name));
                if secrets.is_empty() { Err(missing(name)) } else { Ok(secrets) }
            })?;
            Ok(Answer::ok(&first(&shown(&found))))
        }
        ("DELETE", [name]) => {
            ctx.cloud.store.read(|db| -> Result<_, Problem> {
                let is_there =
                    all(db, script)?.iter().any(|secret| text(secret, "name") == Some(name));
                if is_there { Ok(()) } else { Err(missing(name)) }
            })?;
            change(ctx, req, script, "secret", &[((*name).to_owned(), None)])?;
            Ok(Answer::null())
        }
        (_, [] | [_]) => Err(req.bad_method()),
        _ => Err(req.no_route()),
    }
}

/// `PATCH secrets-bulk`.
pub(super) fn bulk(ctx: &Ctx<'_>, req: &Req, script: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let changes = changes_of(body.get("secrets").and_then(Value::as_object))?;
    let secrets = change(ctx, req, script, "secret", &changes)?;
    let by_name: Map<String, Value> = shown(&secrets)
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|secret| Some((text(secret, "name")?.to_owned(), secret.clone())))
        .collect();
    Ok(Answer::ok(&Value::Object(by_name)))
}

/// The changes of a merge: `null` removes.
fn changes_of(given: Option<&Map<String, Value>>) -> Result<Vec<(String, Option<Value>)>, Problem> {
    let given = given.ok_or_else(|| malformed("the secrets must be an object"))?;
    let mut changes = Vec::new();
    for (name, secret) in given {
        let secret = match secret {
            Value::Null => None,
            Value::Object(fields) => {
                let mut fields = fields.clone();
                fields.insert("name".to_owned(), json!(name));
                Some(checked(&Value::Object(fields))?)
            }
            _ => return Err(malformed(format!("the secret {name} must be an object or null"))),
        };
        changes.push((name.clone(), secret));
    }
    Ok(changes)
}

fn malformed(detail: impl std::fmt::Display) -> Problem {
    invalid(format!("the request body is invalid: {detail}"))
}

fn missing(name: &str) -> Problem {
    Problem::new(404, 10056, format!("Binding '{name}' not found."))
}

fn first(shown: &Value) -> Value {
    shown.get(0).cloned().unwrap_or(Value::Null)
}

fn is_secret(binding: &Value) -> bool {
    text(binding, "type").is_some_and(|kind| KINDS.contains(&kind))
}

/// The secrets of a script: of its live version.
fn all(db: &Connection, script: &str) -> Result<Vec<Value>, Problem> {
    let live = Script::find(db, script)?.live_version(db)?;
    let bindings = live.map(|version| version.bindings).unwrap_or_default();
    Ok(bindings.into_iter().filter(is_secret).collect())
}

/// Reads a secret as a body gives it.
fn checked(body: &Value) -> Result<Value, Problem> {
    let name = text(body, "name").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| malformed("name is required"))?;
    let kind = text(body, "type").unwrap_or("secret_text");
    match (kind, text(body, "text")) {
        ("secret_text", Some(value)) if value.len() <= VALUE_BYTES_MAX => {
            Ok(json!({"name": name, "type": kind, "text": value}))
        }
        ("secret_text", Some(_)) => Err(malformed("a value has at most 5 KB")),
        ("secret_text", None) => Err(malformed("text is required")),
        ("secret_key", _) => Ok(body.clone()),
        _ => Err(malformed(format!("there is no secret of type {kind}"))),
    }
}

/// Sets and removes secrets in one new version, and deploys it. Gives all secrets after it.
fn change(
    ctx: &Ctx<'_>,
    req: &Req,
    script: &str,
    trigger: &str,
    changes: &[(String, Option<Value>)],
) -> Result<Vec<Value>, Problem> {
    let maker = Maker::of(ctx, req);
    ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let mut script = Script::find(db, script)?;
        let last: Version = changeable(db, &script)?;
        let mut draft = Draft::like(&last, trigger);
        edit(&mut draft.bindings, changes)?;
        let version = draft.add(db, maker, &script.name)?;
        let triggered = json!({"workers/triggered_by": trigger});
        deploy(db, maker, &mut script, &[(version.id.clone(), json!(100))], &triggered)?;
        Ok(version.bindings.into_iter().filter(is_secret).collect())
    })
}

/// Sets and removes secrets among bindings.
fn edit(bindings: &mut Vec<Value>, changes: &[(String, Option<Value>)]) -> Result<(), Problem> {
    let names: BTreeSet<&str> = changes.iter().map(|(name, _)| name.as_str()).collect();
    let is_meant = |binding: &Value| text(binding, "name").is_some_and(|name| names.contains(name));
    if let Some(taken) = bindings.iter().find(|binding| is_meant(binding) && !is_secret(binding)) {
        let text = format!(
            "Binding name '{}' already in use. Please use a different name and try again.",
            text(taken, "name").unwrap_or_default()
        );
        return Err(Problem::new(400, 10053, text));
    }
    bindings.retain(|binding| !is_meant(binding));
    bindings.extend(changes.iter().filter_map(|(_, secret)| secret.clone()));
    Ok(())
}

/// `PATCH workers/{id}/versions/latest`: wrangler's `versions secret`. The new version is not
/// deployed, and what it starts from need not be.
pub(super) fn patch_latest(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let changes = changes_of(body.get("env").and_then(Value::as_object))?;
    let maker = Maker::of(ctx, req);
    let version = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let script = resource::find(db, id)?;
        let last = script.last_version(db)?.ok_or_else(|| no_versions(&script.name))?;
        let mut draft = Draft::like(&last, "secret");
        edit(&mut draft.bindings, &changes)?;
        if let Some(Value::Object(given)) = body.get("annotations") {
            draft.annotations.extend(given.clone());
        }
        draft.add(db, maker, &script.name)
    })?;
    let created = clock::micros(version.created_us);
    Ok(Answer::ok(&json!({
        "id": version.id, "number": version.number, "created_on": created,
        "annotations": version.annotations, "source": version.source,
    })))
}
