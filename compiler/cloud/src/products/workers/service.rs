//! Services: scripts as wrangler's older calls see them, with one environment.
//!
//! Endpoints: `services/{n}`, and below `services/{n}/environments/production`: itself, `bindings`,
//! `routes`, `subdomain`, `content/v2`.
//!
//! Facts: a missing service is 10090 where a missing script is 10007; an environment that is not
//! `production` is 10092.
//!
//! Source: wrangler's source.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::bindings::shown;
use super::publish::script_json;
use super::rows::{PRODUCTION, Script, no_service};
use super::scripts;
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::products::Ctx;
use crate::request::Req;

/// Answers a call below `services`, but for deletions.
pub(super) fn handle(ctx: &Ctx<'_>, req: &Req, rest: &[&str]) -> Result<Answer, Problem> {
    let (name, below) = match rest {
        [name] => (name, None),
        [name, "environments", environment, below @ ..] => {
            if *environment != PRODUCTION {
                let text = "workers.api.error.environment_not_found";
                return Err(Problem::new(404, 10092, text));
            }
            (name, Some(below))
        }
        _ => return Err(req.no_route()),
    };
    if req.method != http::Method::GET {
        return Err(req.bad_method());
    }
    if below == Some(&["content", "v2"]) {
        return scripts::content(ctx, name);
    }
    let found = ctx.cloud.store.read(|db| -> Result<_, Problem> {
        let script = Script::look_up(db, name)?.ok_or_else(no_service)?;
        match below {
            None => Ok(service(&script, &environment(db, &script)?)),
            Some([]) => environment(db, &script),
            Some(["bindings"]) => {
                Ok(script.live_version(db)?.map_or_else(|| json!([]), |it| shown(&it.bindings)))
            }
            Some(["routes"]) => Ok(routes(db, name)?),
            Some(["subdomain"]) => Ok(json!({
                "enabled": script.on_subdomain, "previews_enabled": script.previews,
            })),
            Some(_) => Err(req.no_route()),
        }
    })?;
    Ok(Answer::ok(&found))
}

fn service(script: &Script, environment: &Value) -> Value {
    let (created, modified) = (clock::micros(script.created_us), clock::micros(script.modified_us));
    json!({
        "id": script.name, "created_on": created, "modified_on": modified,
        "usage_model": "standard", "default_environment": environment,
        "environments": [{
            "environment": PRODUCTION, "created_on": created, "modified_on": modified,
        }],
    })
}

fn environment(db: &Connection, script: &Script) -> Result<Value, Problem> {
    let live = script.live_version(db)?;
    Ok(json!({
        "environment": PRODUCTION, "created_on": clock::micros(script.created_us),
        "modified_on": clock::micros(script.modified_us), "script_tag": script.tag,
        "script": script_json(script, live.as_ref()),
    }))
}

/// The routes of a script in all zones.
fn routes(db: &Connection, script: &str) -> rusqlite::Result<Value> {
    db.prepare_cached(
        "SELECT r.id, r.pattern, r.script, z.name FROM worker_routes r
         JOIN zones z ON z.id = r.zone_id WHERE r.script = ? ORDER BY r.pattern",
    )?
    .query_map([script], |row| {
        Ok(json!({
            "id": row.get::<_, String>(0)?, "pattern": row.get::<_, String>(1)?,
            "script": row.get::<_, String>(2)?, "zone_name": row.get::<_, String>(3)?,
        }))
    })?
    .collect()
}
