//! Workers apart from their code: the newer resource model.
//!
//! Endpoints: `workers/workers` (list, create) and `workers/workers/{id}` (get, `PATCH`, `PUT`,
//! delete), where a name is taken for an ID. Versions of this model, which carry their code as
//! JSON, are absent.
//!
//! Facts: `POST` on a name that exists is a conflict, unlike the upload of a script. A Worker that
//! was made so has no version and answers nothing, and others can bind to it. The code of the
//! conflict is not published (409 with 10040 here).
//!
//! Source: Cloudflare's OpenAPI document (workers beta), wrangler's source.

use rusqlite::{Connection, OptionalExtension as _};
use serde_json::{Map, Value, json};

use super::rows::{Script, no_script};
use super::upload::{check_metadata, check_name, invalid};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::paging::{Bounds, Page};
use crate::products::Ctx;
use crate::request::{Req, text};

const BOUNDS: Bounds = Bounds { default: 20, min: 1, max: 100, code: 10021 };
const UNVERSIONED: [&str; 4] = ["logpush", "observability", "tags", "tail_consumers"];

/// Answers a call below `workers/workers`, but for deletions.
pub(super) fn handle(ctx: &Ctx<'_>, req: &Req, rest: &[&str]) -> Result<Answer, Problem> {
    match (req.method.as_str(), rest) {
        ("GET", []) => list(ctx, req),
        ("POST", []) => create(ctx, req),
        ("GET", [id]) => {
            let script = ctx.cloud.store.read(|db| find(db, id))?;
            Ok(Answer::ok(&show(&script)))
        }
        ("PATCH" | "PUT", [id]) => change(ctx, req, id),
        (_, [] | [_]) => Err(req.bad_method()),
        _ => Err(req.no_route()),
    }
}

/// The script of an ID or a name.
pub(super) fn find(db: &Connection, id: &str) -> Result<Script, Problem> {
    let name = db
        .prepare_cached("SELECT name FROM worker_scripts WHERE tag = ?1 OR name = ?1")?
        .query_row([id], |row| row.get::<_, String>(0))
        .optional()?
        .ok_or_else(no_script)?;
    Script::find(db, &name)
}

fn show(script: &Script) -> Value {
    let deployed = script.live.as_ref().map(|_| clock::micros(script.modified_us));
    json!({
        "id": script.tag, "name": script.name, "created_on": clock::micros(script.created_us),
        "updated_on": clock::micros(script.modified_us), "deployed_on": deployed,
        "logpush": script.setting("logpush", json!(false)), "tags": script.tags(),
        "observability": observability(&script.setting("observability", json!({}))),
        "tail_consumers": script.setting("tail_consumers", json!([])),
        "subdomain": {"enabled": script.on_subdomain, "previews_enabled": script.previews},
        "references": {
            "dispatch_namespace_outbounds": [], "domains": [], "durable_objects": [], "queues": [],
            "workers": [],
        },
    })
}

/// What was set of it, filled up with what stands for the rest.
fn observability(set: &Value) -> Value {
    let mut out = json!({
        "enabled": false, "head_sampling_rate": 1,
        "logs": {
            "enabled": false, "head_sampling_rate": 1, "invocation_logs": true, "persist": true,
            "destinations": [],
        },
        "traces": {"enabled": false, "head_sampling_rate": 1, "persist": true, "destinations": []},
    });
    fill(&mut out, set);
    out
}

/// Takes over what is set, at any depth.
fn fill(whole: &mut Value, set: &Value) {
    match (whole.as_object_mut(), set.as_object()) {
        (Some(whole), Some(set)) => {
            for (key, value) in set.iter().filter(|(_, value)| !value.is_null()) {
                fill(whole.entry(key.as_str()).or_insert(Value::Null), value);
            }
        }
        _ => set.clone_into(whole),
    }
}

fn list(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let page = Page::parse(&req.query, BOUNDS)?;
    let scripts = ctx.cloud.store.read(|db| Script::all(db, ctx.visible_us()))?;
    let total = i64::try_from(scripts.len()).unwrap_or(i64::MAX);
    let rows: Vec<Value> = page.cut(scripts).iter().map(show).collect();
    Ok(Answer::page(&json!(rows), page.info(rows.len(), total)))
}

fn body_of(req: &Req) -> Result<Map<String, Value>, Problem> {
    match req.json(|detail| invalid(format!("the request body is invalid: {detail}")))? {
        Value::Object(body) => {
            check_metadata(&body)?;
            Ok(body)
        }
        _ => Err(invalid("the body must be a JSON object")),
    }
}

/// Takes what a body names.
fn take(script: &mut Script, body: &Map<String, Value>) {
    for key in UNVERSIONED {
        if let Some(value) = body.get(key) {
            script.settings.insert(key.to_owned(), value.clone());
        }
    }
    let flag =
        |key: &str| body.get("subdomain").and_then(|it| it.get(key)).and_then(Value::as_bool);
    script.on_subdomain = flag("enabled").unwrap_or(script.on_subdomain);
    script.previews = flag("previews_enabled").unwrap_or(script.previews);
}

fn create(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let body = Value::Object(body_of(req)?);
    let name = text(&body, "name").unwrap_or_default();
    check_name(name)?;
    let script = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        if Script::look_up(db, name)?.is_some() {
            let text = format!("A Worker with the name '{name}' already exists.");
            return Err(Problem::new(409, 10040, text));
        }
        let mut script = Script::new(name, ctx.now_us);
        take(&mut script, body.as_object().unwrap_or(&Map::new()));
        script.write(db)?;
        Ok(script)
    })?;
    Ok(Answer::ok(&show(&script)))
}

fn change(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Answer, Problem> {
    let body = body_of(req)?;
    let script = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let mut script = find(db, id)?;
        if req.method == http::Method::PUT {
            script.settings.clear();
            (script.on_subdomain, script.previews) = (false, false);
        }
        take(&mut script, &body);
        script.modified_us = ctx.now_us;
        script.write(db)?;
        Ok(script)
    })?;
    Ok(Answer::ok(&show(&script)))
}
