//! Deployments: which versions of a script answer, and for which share.
//!
//! Endpoints below `scripts/{n}/deployments`: list, create, get, delete.
//!
//! Facts: one or two versions, shares of 0.01–100 that sum to 100 (10210). The newest deployment
//! is live. To go back to a version whose secrets have changed since is 10220, unless `force` is
//! set. An unknown deployment is 10336. The code for deleting the live one is not published (10210
//! here).
//!
//! Source: Cloudflare's OpenAPI document and documentation, wrangler's source, published live
//! error bodies.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension as _, Row};
use serde_json::{Value, json};

use super::publish::{Maker, deploy};
use super::rows::{Script, Version};
use super::upload::invalid;
use super::versions;
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::products::Ctx;
use crate::request::{Req, text};

const SELECT: &str = "SELECT id, versions, annotations, source, created_us FROM worker_deployments \
                      WHERE script = ?1";
const SHARE_MIN: f64 = 0.01;
const SHARE_ALL: f64 = 100.0;

/// Answers a call below `deployments`.
pub(super) fn handle(
    ctx: &Ctx<'_>,
    req: &Req,
    script: &str,
    rest: &[&str],
) -> Result<Answer, Problem> {
    let store = &ctx.cloud.store;
    match (req.method.as_str(), rest) {
        ("GET", []) => {
            let found = store.read(|db| -> Result<_, Problem> {
                Script::find(db, script)?;
                Ok(all(db, script)?)
            })?;
            Ok(Answer::ok(&json!({"deployments": found})))
        }
        ("POST", []) => create(ctx, req, script),
        ("GET", [id]) => Ok(Answer::ok(&store.read(|db| find(db, script, id))?)),
        ("DELETE", [id]) => {
            store.write(|db| -> Result<_, Problem> {
                find(db, script, id)?;
                if all(db, script)?.first().and_then(|it| text(it, "id")) == Some(id) {
                    return Err(bad("the latest deployment cannot be deleted"));
                }
                Ok(db.execute("DELETE FROM worker_deployments WHERE id = ?", [id])?)
            })?;
            Ok(Answer::null())
        }
        (_, [] | [_]) => Err(req.bad_method()),
        _ => Err(req.no_route()),
    }
}

fn bad(detail: impl std::fmt::Display) -> Problem {
    Problem::new(400, 10210, format!("Invalid deployment: {detail}"))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Value> {
    let parse = |text: String| serde_json::from_str::<Value>(&text).unwrap_or_default();
    Ok(json!({
        "id": row.get::<_, String>(0)?, "strategy": "percentage",
        "versions": parse(row.get(1)?), "annotations": parse(row.get(2)?),
        "source": row.get::<_, String>(3)?, "created_on": clock::micros(row.get(4)?),
        "author_email": "local@localhost",
    }))
}

/// The deployments of a script, newest first.
fn all(db: &Connection, script: &str) -> rusqlite::Result<Vec<Value>> {
    db.prepare_cached(&format!("{SELECT} ORDER BY seq DESC LIMIT 100"))?
        .query_map([script], from_row)?
        .collect()
}

fn find(db: &Connection, script: &str, id: &str) -> Result<Value, Problem> {
    Script::find(db, script)?;
    db.prepare_cached(&format!("{SELECT} AND id = ?2"))?
        .query_row([script, id], from_row)
        .optional()?
        .ok_or_else(|| Problem::new(404, 10336, format!("Deployment '{id}' not found.")))
}

/// The versions of a body with their shares, the largest first.
fn shares(body: &Value) -> Result<Vec<(String, Value)>, Problem> {
    let given = body.get("versions").and_then(Value::as_array);
    let given = given.ok_or_else(|| bad("versions is required"))?;
    let mut out = Vec::new();
    for item in given {
        let id = text(item, "version_id").ok_or_else(|| bad("version_id is required"))?;
        let share = item.get("percentage").and_then(Value::as_f64);
        let share = share.filter(|share| (SHARE_MIN..=SHARE_ALL).contains(share));
        let share = share.ok_or_else(|| bad("a percentage is from 0.01 to 100"))?;
        out.push((id.to_owned(), share));
    }
    let sum: f64 = out.iter().map(|(_, share)| share).sum();
    let twice = matches!(out.as_slice(), [(a, _), (b, _)] if a == b);
    if !(1..=2).contains(&out.len()) || twice || (sum - SHARE_ALL).abs() > 1e-6 {
        return Err(bad("one or two versions, whose percentages sum to 100"));
    }
    out.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    Ok(out.into_iter().map(|(id, share)| (id, number(share))).collect())
}

/// A share as JSON: without a fraction where it has none.
fn number(share: f64) -> Value {
    #[expect(clippy::cast_possible_truncation, reason = "a share is at most 100")]
    let whole = share as i64;
    if share.fract() == 0.0 { json!(whole) } else { json!(share) }
}

fn create(ctx: &Ctx<'_>, req: &Req, script: &str) -> Result<Answer, Problem> {
    let body = req.json(|detail| invalid(format!("the request body is invalid: {detail}")))?;
    if text(&body, "strategy").is_some_and(|strategy| strategy != "percentage") {
        return Err(bad("the strategy is percentage"));
    }
    let versions = shares(&body)?;
    let force = req.query.get("force") == Some("true");
    let maker = Maker::of(ctx, req);
    let made = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let mut script = Script::find(db, script)?;
        let live = script.live_version(db)?;
        let mut annotations = body.get("annotations").cloned().unwrap_or_default();
        if !annotations.is_object() {
            annotations = json!({});
        }
        for (id, _) in &versions {
            let version = versions::find(db, &script.name, id)?;
            let Some(live) = live.as_ref().filter(|live| live.number > version.number) else {
                continue;
            };
            if !force {
                check_secrets(live, &version)?;
            }
            if let Some(map) = annotations.as_object_mut() {
                map.insert("workers/triggered_by".to_owned(), json!("rollback"));
            }
        }
        let id = deploy(db, maker, &mut script, &versions, &annotations)?;
        find(db, &script.name, &id)
    })?;
    Ok(Answer::ok(&made))
}

/// Refuses an older version whose secrets are not those that are live.
fn check_secrets(live: &Version, old: &Version) -> Result<(), Problem> {
    let secrets = |version: &Version| -> BTreeMap<String, Value> {
        let secret =
            |binding: &&Value| matches!(text(binding, "type"), Some("secret_text" | "secret_key"));
        let named = |binding: &Value| Some((text(binding, "name")?.to_owned(), binding.clone()));
        version.bindings.iter().filter(secret).filter_map(named).collect()
    };
    let (now, then) = (secrets(live), secrets(old));
    let changed: Vec<&str> = then
        .iter()
        .chain(&now)
        .filter(|(name, _)| now.get(*name) != then.get(*name))
        .map(|(name, _)| name.as_str())
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let text = format!(
        "Secrets have changed since version '{}' was deployed. The following secrets have changed: \
         {}",
        old.id,
        changed.join(", ")
    );
    Err(Problem::new(400, 10220, text))
}
