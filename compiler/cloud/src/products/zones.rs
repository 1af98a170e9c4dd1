//! Zones: made by the cloud's owner. Who adds a removed one again gives it another identifier.
//!
//! Endpoints: `GET zones`, `GET|DELETE zones/{id}`.
//!
//! Facts: `name` takes an operator as a prefix (`equal:` is the default, `not_equal:`,
//! `starts_with:`, `ends_with:`, `contains:`, each also with `_case_sensitive`); `per_page` 5–50,
//! default 20; an unknown zone is 9109 "Invalid zone identifier", not a 404 (HTTP 403 here, the
//! status is not documented).
//!
//! Source: Cloudflare's OpenAPI document (zones).

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use super::Ctx;
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::paging::{Bounds, Page};
use crate::request::Req;

const BOUNDS: Bounds = Bounds { default: 20, min: 5, max: 50, code: 1001 };

/// A zone, as other products need it.
#[derive(Debug)]
pub(super) struct Zone {
    pub(super) id: String,
    pub(super) name: String,
    created_us: i64,
}

impl Zone {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, name: row.get(1)?, created_us: row.get(2)? })
    }

    /// The zone that a caller means: by ID, else by name, else the one that has a host.
    pub(super) fn meant(
        db: &Connection,
        id: Option<&str>,
        name: Option<&str>,
        host: &str,
    ) -> rusqlite::Result<Option<Self>> {
        // The longest name wins: a zone may be below another one.
        db.prepare_cached(
            "SELECT id, name, created_us FROM zones WHERE CASE
             WHEN ?1 IS NOT NULL THEN id = ?1 WHEN ?2 IS NOT NULL THEN name = lower(?2)
             ELSE lower(?3) = name OR substr(lower(?3), -length(name) - 1) = '.' || name END
             ORDER BY length(name) DESC LIMIT 1",
        )?
        .query_row(params![id, name, host], Self::from_row)
        .optional()
    }

    fn json(&self, ctx: &Ctx<'_>) -> Value {
        let created = clock::seconds(self.created_us);
        json!({
            "id": self.id, "name": ctx.shown_host(&self.name), "status": "active", "paused": false,
            "type": "full",
            "development_mode": 0,
            "name_servers": ["art.ns.cloudflare.com", "zoe.ns.cloudflare.com"],
            "original_name_servers": null, "original_registrar": null, "original_dnshost": null,
            "created_on": created, "modified_on": created, "activated_on": created,
            "account": {"id": ctx.cloud.account_id, "name": "Local cloud"},
            "owner": {"id": null, "type": "user", "email": null},
            "plan": {"id": "0feeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "name": "Free Website"},
            "meta": {"step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3},
            "permissions": ["#dns_records:edit", "#dns_records:read", "#zone:read"],
            "tenant": {"id": null, "name": null}, "tenant_unit": {"id": null},
        })
    }
}

/// `GET zones`.
pub(super) fn list(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    if req.method != http::Method::GET {
        return Err(req.bad_method());
    }
    let page = Page::parse(&req.query, BOUNDS)?;
    let mut zones = ctx.cloud.store.read(|db| {
        db.prepare_cached("SELECT id, name, created_us FROM zones ORDER BY name")?
            .query_map([], Zone::from_row)?
            .collect::<rusqlite::Result<Vec<_>>>()
    })?;
    let query = &req.query;
    // Whether a name in Punycode finds a zone that is shown in Unicode is not published: here not.
    let matches = |zone: &Zone, want: &str| name_matches(want, &ctx.shown_host(&zone.name));
    zones.retain(|zone| query.get("name").is_none_or(|want| matches(zone, want)));
    if query.get("account.id").is_some_and(|id| id != ctx.cloud.account_id)
        || query.get("status").is_some_and(|status| status != "active")
    {
        zones.clear();
    }
    if query.get("direction") == Some("desc") {
        zones.reverse();
    }
    let total = i64::try_from(zones.len()).unwrap_or(i64::MAX);
    let rows: Vec<Value> = page.cut(zones).iter().map(|zone| zone.json(ctx)).collect();
    Ok(Answer::page(&json!(rows), page.info(rows.len(), total)))
}

/// `GET|DELETE zones/{id}`.
pub(super) fn one(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Answer, Problem> {
    match req.method {
        http::Method::GET => Ok(Answer::ok(&find(ctx, req, id)?.json(ctx))),
        http::Method::DELETE => {
            let zone = find(ctx, req, id)?;
            // What is in it goes with it.
            ctx.cloud.store.write(|db| -> Result<_, Problem> {
                Ok(db.execute("DELETE FROM zones WHERE id = ?", [&zone.id])?)
            })?;
            Ok(Answer::ok(&json!({"id": zone.id})))
        }
        _ => Err(req.bad_method()),
    }
}

/// The zone of a path.
pub(super) fn find(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Zone, Problem> {
    if !clock::is_hex_id(id) {
        return Err(req.no_route());
    }
    let found = ctx.cloud.store.read(|db| {
        db.prepare_cached("SELECT id, name, created_us FROM zones WHERE id = ?")?
            .query_row([id], Zone::from_row)
            .optional()
    })?;
    found.ok_or_else(|| Problem::new(403, 9109, "Invalid zone identifier"))
}

fn name_matches(want: &str, name: &str) -> bool {
    let (operator, value) = want.split_once(':').unwrap_or(("equal", want));
    let operator = operator.strip_suffix("_case_sensitive").unwrap_or(operator);
    // Names of zones are lower case already.
    let value = value.to_ascii_lowercase();
    match operator {
        "not_equal" => name != value,
        "starts_with" => name.starts_with(&value),
        "ends_with" => name.ends_with(&value),
        "contains" => name.contains(&value),
        _ => name == value,
    }
}

#[cfg(test)]
mod tests {
    use super::name_matches;

    #[test]
    fn name_operators() {
        assert!(name_matches("example.com", "example.com"));
        assert!(name_matches("equal:example.com", "example.com"));
        assert!(name_matches("contains:AMPLE", "example.com"));
        assert!(name_matches("ends_with_case_sensitive:.com", "example.com"));
        assert!(!name_matches("example", "example.com"));
        assert!(!name_matches("not_equal:example.com", "example.com"));
    }
}
