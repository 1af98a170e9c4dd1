//! Scripts: lists, content, deletion, and who refers to whom.
//!
//! Facts: the list is one page, with the filter `tags=tag:yes,other:no`. Content is no envelope:
//! ES modules come back as the multipart body that they came in, a service worker as its text.
//! A Worker that consumes a queue is not deleted, `force` or not (10064); one that others refer to
//! is with `force` alone (10142). Deletion takes along secrets, cron triggers, custom domains with
//! their DNS records, and Durable Objects; routes stay and lose their script.

use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::publish::listed_json;
use super::rows::{PRODUCTION, Script, consumes, no_script, no_service};
use super::{code, resource};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::paging::{Bounds, Page};
use crate::products::Ctx;
use crate::request::{Req, text};

/// Of the search alone; they are not published.
const BOUNDS: Bounds = Bounds { default: 10, min: 1, max: 100, code: 10021 };
/// `GET scripts`.
pub(super) fn list(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let wanted: Vec<(&str, bool)> = req
        .query
        .get("tags")
        .unwrap_or_default()
        .split(',')
        .filter(|tag| !tag.is_empty())
        .map(|tag| match tag.rsplit_once(':') {
            Some((tag, "no")) => (tag, false),
            Some((tag, "yes")) => (tag, true),
            _ => (tag, true),
        })
        .collect();
    let rows = ctx.cloud.store.read(|db| -> Result<_, Problem> {
        let mut rows = Vec::new();
        for script in Script::all(db, ctx.visible_us())? {
            let tags = script.tags();
            let has = |tag: &str| {
                tags.as_array().is_some_and(|tags| tags.iter().any(|it| it.as_str() == Some(tag)))
            };
            if wanted.iter().all(|(tag, yes)| has(tag) == *yes) {
                rows.push(listed_json(&script, script.live_version(db)?.as_ref()));
            }
        }
        Ok(rows)
    })?;
    Ok(Answer::ok(&json!(rows)))
}

/// `GET scripts-search`: by a part of the name, or by the tag that stands for an ID.
pub(super) fn search(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let page = Page::parse(&req.query, BOUNDS)?;
    let mut scripts = ctx.cloud.store.read(|db| Script::all(db, ctx.visible_us()))?;
    scripts.retain(|script| {
        req.query.get("name").is_none_or(|part| script.name.contains(part))
            && req.query.get("id").is_none_or(|id| script.tag == id)
    });
    match req.query.get("order_by") {
        Some("created_on") => scripts.sort_by_key(|script| std::cmp::Reverse(script.created_us)),
        Some("modified_on") => scripts.sort_by_key(|script| std::cmp::Reverse(script.modified_us)),
        _ => {}
    }
    let total = i64::try_from(scripts.len()).unwrap_or(i64::MAX);
    let show = |script: &Script| {
        json!({
            "id": script.tag, "script_name": script.name, "environment_is_default": true,
            "created_on": clock::micros(script.created_us),
            "modified_on": clock::micros(script.modified_us),
        })
    };
    let rows: Vec<Value> = page.cut(scripts).iter().map(show).collect();
    Ok(Answer::page(&json!(rows), page.info(rows.len(), total)))
}

/// `GET scripts/{n}` and `GET scripts/{n}/content/v2`.
pub(super) fn content(ctx: &Ctx<'_>, name: &str) -> Result<Answer, Problem> {
    let (version, modules) = ctx.cloud.store.read(|db| -> Result<_, Problem> {
        let version = Script::find(db, name)?.live_version(db)?.ok_or_else(no_script)?;
        let modules = code::load(db, version.content)?;
        Ok((version, modules))
    })?;
    let main = version.field("main_module", version.field("body_part", Value::Null));
    let main = main.as_str().unwrap_or_default();
    let answer = match modules.iter().find(|module| module.name == main) {
        Some(module) if !version.has_modules() => {
            Answer::raw(module.body.to_vec()).with_header("content-type", "application/javascript")
        }
        // Of assets alone: nothing, and no form without a part.
        None if modules.is_empty() => {
            Answer::raw(Vec::new()).with_header("content-type", "application/javascript")
        }
        _ => {
            let (body, boundary) = code::multipart(&modules);
            Answer::raw(body)
                .with_header("content-type", format!("multipart/form-data; boundary={boundary}"))
        }
    };
    Ok(answer.with_header("etag", version.etag).with_header("cf-entrypoint", main))
}

/// What a deletion names its script by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Named {
    Script,
    Service,
    /// The ID or the name of the newer resource model.
    Resource,
}

/// `DELETE scripts/{n}`, `DELETE services/{n}` and `DELETE workers/{id}`.
pub(super) fn delete(
    ctx: &Ctx<'_>,
    req: &Req,
    named: Named,
    name: &str,
) -> Result<Answer, Problem> {
    let force = req.query.get("force") == Some("true");
    let tag = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let script = match named {
            Named::Script => Script::find(db, name)?,
            Named::Service => Script::look_up(db, name)?.ok_or_else(no_service)?,
            Named::Resource => resource::find(db, name)?,
        };
        let name = script.name.as_str();
        if consumes(db, name)? {
            let text = "Cannot delete this Worker as it is a consumer for a Queue. Remove it from \
                        the Queue's consumers first, then try deleting.";
            return Err(Problem::new(400, 10064, text));
        }
        let used = !services_to(db, name)?.is_empty() || !objects_of(db, name)?.is_empty();
        if used && !force {
            let text = "Cannot delete this Worker as it is still referenced by other Workers. \
                        Remove their bindings first, or use force.";
            return Err(Problem::new(400, 10142, text));
        }
        db.execute(
            "DELETE FROM dns_records WHERE id IN
             (SELECT record_id FROM worker_domains WHERE script = ?)",
            [name],
        )?;
        db.execute("DELETE FROM worker_assets WHERE script = ?", [name])?;
        db.execute("DELETE FROM worker_scripts WHERE name = ?", [name])?;
        Ok(script.tag)
    })?;
    Ok(Answer::ok(&json!({"id": tag})))
}

/// The bindings of other scripts to this one as a service: script and binding.
fn services_to(db: &Connection, name: &str) -> rusqlite::Result<Vec<(String, String)>> {
    db.prepare_cached(
        "SELECT s.name, b.value ->> '$.name' FROM worker_scripts s
         JOIN worker_versions v ON v.id = s.live, json_each(v.bindings) b
         WHERE b.value ->> '$.type' = 'service' AND b.value ->> '$.service' = ?1
         AND s.name <> ?1 ORDER BY 1, 2",
    )?
    .query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?
    .collect()
}

/// The bindings of other scripts to this one's Durable Objects: script, namespace, its name.
fn objects_of(db: &Connection, name: &str) -> rusqlite::Result<Vec<(String, String, String)>> {
    db.prepare_cached(
        "SELECT s.name, n.id, n.name FROM worker_scripts s
         JOIN worker_versions v ON v.id = s.live, json_each(v.bindings) b
         JOIN worker_namespaces n ON n.id = b.value ->> '$.namespace_id'
         WHERE b.value ->> '$.type' = 'durable_object_namespace' AND n.script = ?1
         AND s.name <> ?1 ORDER BY 1, 3",
    )?
    .query_map([name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
    .collect()
}

/// `GET scripts/{n}/references`.
pub(super) fn references(ctx: &Ctx<'_>, name: &str) -> Result<Answer, Problem> {
    let found = ctx.cloud.store.read(|db| -> Result<_, Problem> {
        let script = Script::find(db, name)?;
        let service = |name: &str, binding: &str| {
            json!({"service": name, "environment": PRODUCTION, "name": binding})
        };
        let incoming: Vec<Value> =
            services_to(db, name)?.iter().map(|(from, binding)| service(from, binding)).collect();
        let live = script.live_version(db)?;
        let outgoing: Vec<Value> = live
            .iter()
            .flat_map(|version| &version.bindings)
            .filter(|binding| text(binding, "type") == Some("service"))
            .filter_map(|binding| Some(service(text(binding, "service")?, text(binding, "name")?)))
            .collect();
        let objects: Vec<Value> = objects_of(db, name)?
            .iter()
            .map(|(from, id, namespace)| {
                json!({
                    "service": from, "environment": PRODUCTION,
                    "durable_object_namespace_id": id, "durable_object_namespace_name": namespace,
                })
            })
            .collect();
        Ok(json!({
            "services": {"incoming": incoming, "outgoing": outgoing, "pages_function": false},
            "durable_objects": objects, "dispatch_outbounds": [],
        }))
    })?;
    Ok(Answer::ok(&found))
}

/// `GET tails/by-consumer/{n}`: the scripts whose logs this one takes.
pub(super) fn producers_of(ctx: &Ctx<'_>, name: &str) -> Result<Answer, Problem> {
    let found = ctx.cloud.store.read(|db| {
        db.prepare_cached(
            "SELECT s.name, s.tag FROM worker_scripts s, json_each(s.settings, '$.tail_consumers') t
             WHERE CASE t.type WHEN 'object' THEN t.value ->> '$.service' END = ?
             ORDER BY s.name",
        )?
        .query_map(params![name], |row| {
            Ok(json!({
                "tag": row.get::<_, String>(1)?,
                "producer": {"service": row.get::<_, String>(0)?, "environment": PRODUCTION},
            }))
        })?
        .collect::<rusqlite::Result<Vec<Value>>>()
    })?;
    Ok(Answer::ok(&json!(found)))
}
