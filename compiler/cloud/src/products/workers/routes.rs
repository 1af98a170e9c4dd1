//! Routes of a zone.
//!
//! Endpoints: `zones/{z}/workers/routes` (list, create, get, `PUT`, delete), and wrangler's
//! `PUT scripts/{n}/routes`, which replaces all routes of a script.
//!
//! Facts: a pattern is a host and a path with an optional scheme; `*` stands only at the start of
//! the host and at the end of the path; there is no query; the host is in the zone. Patterns are
//! unique per zone (409, 10020); a script that is named must exist (10019); no script means that
//! Workers are off there. Whether a proxied DNS record is there is not checked. The code of a
//! host outside of the zone is not published (10022 here, as any bad pattern).
//!
//! Source: Cloudflare's OpenAPI document and documentation (routes), wrangler's source.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use super::rows::{Script, script_exists};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::products::zones::Zone;
use crate::products::{Ctx, is_duplicate};
use crate::request::{Req, text};

/// A route's row.
#[derive(Debug)]
struct Route {
    id: String,
    pattern: String,
    script: Option<String>,
}

impl Route {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, pattern: row.get(1)?, script: row.get(2)? })
    }

    fn json(&self) -> Value {
        let mut out = json!({"id": self.id, "pattern": self.pattern});
        if let (Some(script), Some(map)) = (&self.script, out.as_object_mut()) {
            map.insert("script".to_owned(), json!(script));
        }
        out
    }
}

/// Answers a call below `zones/{z}/workers/routes`.
pub(in crate::products) fn handle(
    ctx: &Ctx<'_>,
    req: &Req,
    zone: &Zone,
    rest: &[&str],
) -> Result<Answer, Problem> {
    let store = &ctx.cloud.store;
    match (req.method.as_str(), rest) {
        ("GET", []) => {
            let rows = store.read(|db| all(db, zone))?;
            Ok(Answer::ok(&rows.iter().map(Route::json).collect()))
        }
        ("POST", []) => {
            let route = parse(req, zone, clock::new_hex_id())?;
            store.write(|db| write(db, zone, &route))?;
            Ok(Answer::ok(&route.json()))
        }
        ("GET", [id]) => Ok(Answer::ok(&store.read(|db| find(db, zone, id))?.json())),
        ("PUT", [id]) => {
            let route = parse(req, zone, (*id).to_owned())?;
            store.write(|db| -> Result<_, Problem> {
                find(db, zone, id)?;
                write(db, zone, &route)
            })?;
            Ok(Answer::ok(&route.json()))
        }
        ("DELETE", [id]) => {
            store.write(|db| -> Result<_, Problem> {
                find(db, zone, id)?;
                Ok(db.execute("DELETE FROM worker_routes WHERE id = ?", [id])?)
            })?;
            Ok(Answer::ok(&json!({"id": id})))
        }
        (_, [] | [_]) => Err(req.bad_method()),
        _ => Err(req.no_route()),
    }
}

fn bad_pattern(detail: impl std::fmt::Display) -> Problem {
    Problem::new(400, 10022, format!("Invalid route pattern: {detail}"))
}

fn all(db: &Connection, zone: &Zone) -> rusqlite::Result<Vec<Route>> {
    db.prepare_cached(
        "SELECT id, pattern, script FROM worker_routes WHERE zone_id = ? ORDER BY pattern",
    )?
    .query_map([&zone.id], Route::from_row)?
    .collect()
}

fn find(db: &Connection, zone: &Zone, id: &str) -> Result<Route, Problem> {
    db.prepare_cached("SELECT id, pattern, script FROM worker_routes WHERE zone_id = ? AND id = ?")?
        .query_row([&zone.id, id], Route::from_row)
        .optional()?
        .ok_or_else(|| Problem::new(404, 10009, "workers.api.error.route_not_found"))
}

fn parse(req: &Req, zone: &Zone, id: String) -> Result<Route, Problem> {
    let body = req.json(bad_pattern)?;
    let pattern = text(&body, "pattern").unwrap_or_default();
    check(pattern, &zone.name)?;
    let script = text(&body, "script").filter(|script| !script.is_empty()).map(str::to_owned);
    Ok(Route { id, pattern: pattern.to_owned(), script })
}

fn write(db: &Connection, zone: &Zone, route: &Route) -> Result<(), Problem> {
    if let Some(script) = &route.script
        && !script_exists(db, script)?
    {
        let text = "Cannot configure a route for a Worker which does not exist. Please ensure \
                    this Worker exists and try again.";
        return Err(Problem::new(400, 10019, text));
    }
    let written = db
        .prepare_cached(
            "INSERT INTO worker_routes (id, pattern, zone_id, script) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (id) DO UPDATE SET pattern = ?2, script = ?4",
        )?
        .execute(params![route.id, route.pattern, zone.id, route.script]);
    match written {
        Err(error) if is_duplicate(&error) => {
            Err(Problem::new(409, 10020, "A route with the same pattern already exists"))
        }
        other => Ok(other.map(|_| ())?),
    }
}

/// Refuses a pattern that cannot be a route of the zone.
fn check(pattern: &str, zone: &str) -> Result<(), Problem> {
    let (host, path) = host_and_path(pattern);
    let name = host.strip_prefix('*').unwrap_or(host);
    let name = name.strip_prefix('.').unwrap_or(name).to_ascii_lowercase();
    if host.is_empty() || pattern.contains(['?', '#', ' ']) || pattern.len() > 2048 {
        return Err(bad_pattern(pattern));
    }
    if name.contains('*') || path.trim_end_matches('*').contains('*') || path.ends_with("**") {
        return Err(bad_pattern(
            "`*` stands at the start of the host and the end of the path only",
        ));
    }
    // `*/path` is any host of the zone.
    if name.is_empty() || name == zone || name.ends_with(&format!(".{zone}")) {
        return Ok(());
    }
    Err(bad_pattern(format!("{host} is not in the zone {zone}")))
}

/// The host and the path of a pattern, without its scheme.
pub(super) fn host_and_path(pattern: &str) -> (&str, &str) {
    let bare = pattern
        .strip_prefix("https://")
        .or_else(|| pattern.strip_prefix("http://"))
        .or_else(|| pattern.strip_prefix("*://"))
        .unwrap_or(pattern);
    bare.find('/').map_or((bare, ""), |at| bare.split_at(at))
}

/// `PUT scripts/{n}/routes`: these routes and no others.
pub(super) fn replace(ctx: &Ctx<'_>, req: &Req, script: &str) -> Result<Answer, Problem> {
    let body = req.json(bad_pattern)?;
    let items = body.as_array().ok_or_else(|| bad_pattern("the body must be an array"))?;
    let patterns = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        Script::find(db, script)?;
        let mut patterns = Vec::new();
        for item in items {
            let pattern = text(item, "pattern").or(item.as_str()).unwrap_or_default();
            let (host, _) = host_and_path(pattern);
            let host = host.trim_start_matches(['*', '.']);
            let zone = Zone::meant(db, text(item, "zone_id"), text(item, "zone_name"), host)?
                .ok_or_else(|| bad_pattern(format!("no zone of this account has {pattern}")))?;
            check(pattern, &zone.name)?;
            let own = db
                .prepare_cached(
                    "SELECT 1 FROM worker_routes WHERE zone_id = ? AND pattern = ? AND script = ?",
                )?
                .exists([zone.id.as_str(), pattern, script])?;
            if !own {
                let (id, script) = (clock::new_hex_id(), Some(script.to_owned()));
                // Another script's route is a conflict, which the new row runs into.
                write(db, &zone, &Route { id, pattern: pattern.to_owned(), script })?;
            }
            patterns.push(pattern);
        }
        db.execute(
            "DELETE FROM worker_routes WHERE script = ?
             AND pattern NOT IN (SELECT value FROM json_each(?))",
            [script, &json!(patterns).to_string()],
        )?;
        Ok(patterns)
    })?;
    Ok(Answer::ok(&json!(patterns)))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn patterns() {
        for good in [
            "example.com/*",
            "*.example.com/*",
            "*example.com/api/*",
            "https://a.b.example.com/x",
            "A.Example.com",
            "*/*",
        ] {
            assert!(check(good, "example.com").is_ok(), "{good}");
        }
        for bad in [
            "",
            "/*",
            "other.com/*",
            "notexample.com/*",
            "a.*.example.com/*",
            "example.com/*/x",
            "example.com/**",
            "example.com/?a=b",
            "ftp://example.com/",
        ] {
            assert!(check(bad, "example.com").is_err(), "{bad}");
        }
    }
}
