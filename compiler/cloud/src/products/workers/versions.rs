//! Versions of a script.
//!
//! Endpoints below `scripts/{n}/versions`: list, upload, get.
//!
//! Facts: an upload is the same form as a script's, and is not deployed. The script must exist
//! (10007); the service worker format is refused, and so are migrations (10211). An unknown
//! version is 100146, a script that has none 10222, both with 404. `deployable=true` gives the
//! newest hundred, which are all that are kept, in one page.
//!
//! Source: Cloudflare's OpenAPI document and documentation, wrangler's source, published live
//! error bodies. The bounds of `per_page` are not published (1–100 here); the default is 10, and the
//! list has no `total_pages`, and null in the place of empty arrays.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::bindings::shown;
use super::classes;
use super::publish::{Maker, add_version};
use super::rows::{Script, Version, no_versions};
use super::upload::{self, invalid};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::paging::{Bounds, Page};
use crate::products::Ctx;
use crate::request::Req;

const BOUNDS: Bounds = Bounds { default: 10, min: 1, max: 100, code: 10021 };

/// Answers a call below `versions`.
pub(super) fn handle(
    ctx: &Ctx<'_>,
    req: &Req,
    script: &str,
    rest: &[&str],
) -> Result<Answer, Problem> {
    match (req.method.as_str(), rest) {
        ("GET", []) => list(ctx, req, script),
        ("POST", []) => create(ctx, req, script),
        ("GET", [id]) => {
            let found = ctx.cloud.store.read(|db| -> Result<_, Problem> {
                let script = Script::find(db, script)?;
                Ok(whole(&script, &find(db, &script.name, id)?))
            })?;
            Ok(Answer::ok(&found))
        }
        (_, [] | [_]) => Err(req.bad_method()),
        _ => Err(req.no_route()),
    }
}

/// The version of an ID.
pub(super) fn find(db: &Connection, script: &str, id: &str) -> Result<Version, Problem> {
    Version::look_up(db, script, id)?
        .ok_or_else(|| Problem::new(404, 100_146, format!("Version '{id}' not found.")))
}

/// A version as lists show it.
fn brief(version: &Version) -> Value {
    let created = clock::micros(version.created_us);
    json!({
        "id": version.id, "number": version.number, "annotations": version.annotations,
        "metadata": {
            "created_on": created, "modified_on": created, "source": version.source,
            "author_id": "", "author_email": "local@localhost", "hasPreview": false,
            "has_preview": false,
        },
    })
}

/// A version with its bindings, without the values of secrets.
fn whole(script: &Script, version: &Version) -> Value {
    let mut out = brief(version);
    let mut runtime = json!({
        "compatibility_date": version.field("compatibility_date", json!("2021-11-02")),
        "compatibility_flags": version.field("compatibility_flags", json!([])),
        "usage_model": "standard",
    });
    if let Some(map) = runtime.as_object_mut() {
        for key in ["limits", "exports"] {
            if let Some(value) = version.metadata.get(key) {
                map.insert(key.to_owned(), value.clone());
            }
        }
        if let Some(tag) = &script.migration_tag {
            map.insert("migration_tag".to_owned(), json!(tag));
        }
    }
    let resources = json!({
        "bindings": shown(&version.bindings), "script_runtime": runtime,
        "script": {
            "etag": version.etag, "handlers": version.handlers, "named_handlers": [],
            "last_deployed_from": version.source,
        },
    });
    if let Some(map) = out.as_object_mut() {
        map.insert("resources".to_owned(), resources);
        map.insert("startup_time_ms".to_owned(), json!(1));
    }
    out
}

fn list(ctx: &Ctx<'_>, req: &Req, script: &str) -> Result<Answer, Problem> {
    let page = Page::parse(&req.query, BOUNDS)?;
    let versions = ctx.cloud.store.read(|db| -> Result<_, Problem> {
        let script = Script::find(db, script)?;
        let versions = Version::all(db, &script.name)?;
        if versions.is_empty() { Err(no_versions(&script.name)) } else { Ok(versions) }
    })?;
    let total = i64::try_from(versions.len()).unwrap_or(i64::MAX);
    // All on the first page, and the next one empty: there the official SDKs stop.
    let deployable = req.query.get("deployable") == Some("true") && page.offset() == 0;
    let rows = if deployable { versions } else { page.cut(versions) };
    let items: Vec<Value> = rows.iter().map(brief).collect();
    let info = page.brief(items.len(), total);
    Ok(Answer::page(&json!({"items": items}), info).with_null_arrays())
}

fn create(ctx: &Ctx<'_>, req: &Req, script: &str) -> Result<Answer, Problem> {
    let upload = upload::parse(req)?;
    if upload.metadata.contains_key("body_part") {
        return Err(invalid("versions need the ES modules format"));
    }
    if upload.metadata.get("migrations").is_some_and(|it| !it.is_null()) {
        let text = "Version upload failed. You attempted to upload a version of a Worker that \
                    includes a Durable Object migration, but migrations must be fully applied by a \
                    non-versioned deployment.";
        return Err(Problem::new(400, 10211, text));
    }
    let strict = req.query.get("bindings_inherit") == Some("strict");
    let maker = Maker::of(ctx, req);
    let made = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let script = Script::find(db, script)?;
        let before = classes::of_script(db, &script.name)?;
        classes::check_exports(db, &script.name, &upload.modules, &before)?;
        let version = add_version(ctx.cloud, db, maker, &script, &upload, strict)?;
        Ok(whole(&script, &version))
    })?;
    Ok(Answer::ok(&made))
}
