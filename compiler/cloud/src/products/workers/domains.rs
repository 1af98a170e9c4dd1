//! Custom domains: a hostname that a Worker answers on, with a DNS record of its own.
//!
//! Endpoints: `domains` (list, `PUT`), `domains/{id}` (get, delete), and what wrangler calls:
//! `POST scripts/{n}/domains/changeset`, `PUT scripts/{n}/domains/records`,
//! `GET domains/records` and `GET domains/records/{id}`.
//!
//! Facts: `PUT` is an upsert by hostname. Another Worker's hostname is 100116 unless
//! `override_existing_origin` is set. A hostname with records of its owner is 100117;
//! `override_existing_dns_record` does not help against those. The domain's own record is AAAA
//! `100::`, proxied, and read only. An unknown ID is 100114. Not published: the code of a hostname
//! that is in no zone (100115 here).
//!
//! Source: Cloudflare's OpenAPI document and documentation (custom domains), wrangler's source,
//! published live error bodies.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use super::rows::{Script, script_exists};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::products::zones::Zone;
use crate::products::{Ctx, dns};
use crate::request::{Query, Req, text};

const SELECT: &str = "SELECT d.id, d.hostname, d.zone_id, z.name, d.script, d.environment, d.cert_id, \
     d.record_id FROM worker_domains d JOIN zones z ON z.id = d.zone_id";

/// A domain's row.
#[derive(Debug)]
struct Domain {
    id: String,
    hostname: String,
    zone_id: String,
    zone_name: String,
    script: String,
    environment: String,
    cert_id: String,
    record_id: String,
}

impl Domain {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            hostname: row.get(1)?,
            zone_id: row.get(2)?,
            zone_name: row.get(3)?,
            script: row.get(4)?,
            environment: row.get(5)?,
            cert_id: row.get(6)?,
            record_id: row.get(7)?,
        })
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id, "hostname": self.hostname, "zone_id": self.zone_id,
            "zone_name": self.zone_name, "service": self.script, "environment": self.environment,
            "cert_id": self.cert_id, "enabled": true, "previews_enabled": false,
        })
    }

    fn all(db: &Connection) -> rusqlite::Result<Vec<Self>> {
        db.prepare_cached(&format!("{SELECT} ORDER BY d.hostname"))?
            .query_map([], Self::from_row)?
            .collect()
    }

    fn of_host(db: &Connection, hostname: &str) -> rusqlite::Result<Option<Self>> {
        db.prepare_cached(&format!("{SELECT} WHERE d.hostname = ?"))?
            .query_row([hostname], Self::from_row)
            .optional()
    }

    fn find(db: &Connection, id: &str) -> Result<Self, Problem> {
        db.prepare_cached(&format!("{SELECT} WHERE d.id = ?"))?
            .query_row([id], Self::from_row)
            .optional()?
            .ok_or_else(|| Problem::new(404, 100_114, "Custom domain not found."))
    }

    fn delete(&self, db: &Connection) -> rusqlite::Result<()> {
        db.execute("DELETE FROM worker_domains WHERE id = ?", [&self.id])?;
        db.execute("DELETE FROM dns_records WHERE id = ?", [&self.record_id])?;
        Ok(())
    }
}

/// Answers a call below `domains`.
pub(super) fn handle(ctx: &Ctx<'_>, req: &Req, rest: &[&str]) -> Result<Answer, Problem> {
    let store = &ctx.cloud.store;
    match (req.method.as_str(), rest) {
        ("GET", [] | ["records"]) => list(ctx, &req.query),
        ("PUT", []) => {
            let body = req.json(malformed)?;
            let script = text(&body, "service").unwrap_or_default();
            let over = body.get("override_existing_origin").and_then(Value::as_bool);
            let domain =
                store.write(|db| attach(db, ctx.now_us, script, &body, over == Some(true)))?;
            Ok(Answer::ok(&domain.json()))
        }
        ("GET", [id] | ["records", id]) => {
            Ok(Answer::ok(&store.read(|db| Domain::find(db, id))?.json()))
        }
        ("DELETE", [id]) => {
            store.write(|db| -> Result<_, Problem> { Ok(Domain::find(db, id)?.delete(db)?) })?;
            Ok(Answer::null())
        }
        (_, [] | [_] | ["records", _]) => Err(req.bad_method()),
        _ => Err(req.no_route()),
    }
}

fn malformed(detail: impl std::fmt::Display) -> Problem {
    Problem::new(400, 100_115, format!("Invalid custom domain: {detail}"))
}

fn list(ctx: &Ctx<'_>, query: &Query) -> Result<Answer, Problem> {
    let mut domains = ctx.cloud.store.read(Domain::all)?;
    domains.retain(|domain| {
        let filters = [
            ("hostname", &domain.hostname),
            ("service", &domain.script),
            ("zone_id", &domain.zone_id),
            ("zone_name", &domain.zone_name),
            ("environment", &domain.environment),
        ];
        filters.into_iter().all(|(key, value)| query.get(key).is_none_or(|want| want == value))
    });
    Ok(Answer::ok(&domains.iter().map(Domain::json).collect()).with_null_arrays())
}

/// The hostname of a body, and its zone.
fn target(db: &Connection, body: &Value) -> Result<(String, Zone), Problem> {
    let hostname = text(body, "hostname").unwrap_or_default();
    let hostname = hostname.trim_end_matches('.').to_ascii_lowercase();
    if hostname.is_empty() || hostname.contains(['*', '/', ':', ' ']) {
        return Err(malformed(format!("'{hostname}' is no hostname")));
    }
    let zone = Zone::meant(db, text(body, "zone_id"), text(body, "zone_name"), &hostname)?
        .filter(|zone| hostname == zone.name || hostname.ends_with(&format!(".{}", zone.name)))
        .ok_or_else(|| malformed(format!("no zone of this account has '{hostname}'")))?;
    Ok((hostname, zone))
}

/// Gives a hostname to a script.
fn attach(
    db: &Connection,
    now_us: i64,
    script: &str,
    body: &Value,
    over: bool,
) -> Result<Domain, Problem> {
    let (hostname, zone) = target(db, body)?;
    if !script_exists(db, script)? {
        return Err(Problem::new(404, 10007, "This Worker does not exist on your account."));
    }
    if let Some(domain) = Domain::of_host(db, &hostname)? {
        if domain.script != script && !over {
            let text = format!(
                "Hostname '{hostname}' already in use by other custom domain. Either delete it, \
                 try a different hostname, or use the option 'override_existing_origin' to \
                 override."
            );
            return Err(Problem::new(409, 100_116, text));
        }
        db.execute("UPDATE worker_domains SET script = ? WHERE id = ?", [script, &domain.id])?;
        return Ok(Domain { script: script.to_owned(), ..domain });
    }
    if dns::has_address(db, &zone, &hostname)? {
        let text = format!(
            "Hostname '{hostname}' already has externally managed DNS records (A, CNAME, etc). \
             Delete them first or try a different hostname."
        );
        return Err(Problem::new(409, 100_117, text));
    }
    let record_id = dns::insert_managed(db, &zone, &hostname, now_us)?;
    let (id, cert_id) = (clock::new_hex_id(), clock::new_uuid());
    let environment = text(body, "environment").unwrap_or("production");
    db.execute(
        "INSERT INTO worker_domains (id, hostname, zone_id, script, environment, cert_id,
         record_id, created_us) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        params![id, hostname, zone.id, script, environment, cert_id, record_id, now_us],
    )?;
    Domain::find(db, &id)
}

/// `POST scripts/{n}/domains/changeset`: what a replacement would do.
pub(super) fn changeset(ctx: &Ctx<'_>, req: &Req, script: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let origins = body.as_array().ok_or_else(|| malformed("the body must be an array"))?;
    let replaces = req.query.get("replace_state") == Some("true");
    let found = ctx.cloud.store.read(|db| -> Result<_, Problem> {
        Script::find(db, script)?;
        let (mut added, mut updated, mut conflicting) = (Vec::new(), Vec::new(), Vec::new());
        let mut named = BTreeSet::new();
        for origin in origins {
            let (hostname, zone) = target(db, origin)?;
            match Domain::of_host(db, &hostname)? {
                Some(domain) => {
                    let mut item = domain.json();
                    if let Some(map) = item.as_object_mut() {
                        map.insert("modified".to_owned(), json!(domain.script != script));
                    }
                    updated.push(item);
                }
                None if dns::has_address(db, &zone, &hostname)? => conflicting.push(origin.clone()),
                None => added.push(origin.clone()),
            }
            named.insert(hostname);
        }
        let left = Domain::all(db)?.into_iter().filter(|domain| {
            replaces && domain.script == script && !named.contains(&domain.hostname)
        });
        let removed: Vec<Value> = left.map(|domain| domain.json()).collect();
        Ok(json!({
            "added": added, "removed": removed, "updated": updated, "conflicting": conflicting,
        }))
    })?;
    Ok(Answer::ok(&found))
}

/// `PUT scripts/{n}/domains/records`: these domains, and with `override_scope` no others.
pub(super) fn replace(ctx: &Ctx<'_>, req: &Req, script: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let flag = |key: &str| body.get(key).and_then(Value::as_bool) == Some(true);
    let origins = body.get("origins").and_then(Value::as_array);
    let origins = origins.ok_or_else(|| malformed("origins is required"))?;
    let domains = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        Script::find(db, script)?;
        let over = flag("override_existing_origin");
        let domains = origins
            .iter()
            .map(|origin| attach(db, ctx.now_us, script, origin, over))
            .collect::<Result<Vec<_>, _>>()?;
        if flag("override_scope") {
            let kept: BTreeSet<&str> = domains.iter().map(|domain| domain.id.as_str()).collect();
            for other in Domain::all(db)?.iter().filter(|other| other.script == script) {
                if !kept.contains(other.id.as_str()) {
                    other.delete(db)?;
                }
            }
        }
        Ok(domains)
    })?;
    Ok(Answer::ok(&domains.iter().map(Domain::json).collect()))
}
