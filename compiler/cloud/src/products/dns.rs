//! DNS records of a zone.
//!
//! Endpoints below `zones/{z}/dns_records`: list, create, get, `PATCH` (partial), `PUT` (whole),
//! delete, `POST batch`. Import, export and scan are absent.
//!
//! What is stored is not always what was sent: hosts come back in small letters without a final
//! dot, addresses in their shortest form, long texts split; `rules` does it.
//!
//! Facts: names come back as lower-case FQDN; `@` is the apex; conflicts are 81053, 81054, 81058
//! with HTTP 400, a missing record is 81044 with HTTP 404. The record of a Worker's custom domain
//! is read only, and its host takes no other address (81062; for changes the code is not published). A batch runs deletes, patches, puts and
//! posts in this order in one transaction. `per_page` 1–5,000,000, default 100. Quotas are not
//! enforced.
//!
//! Source: Cloudflare's OpenAPI document (dns-records) and documentation (batch changes),
//! published live error bodies.

mod batch;
mod filter;
mod record;
mod rules;

use rusqlite::Connection;
use serde_json::{Value, json};

use self::record::Record;
use super::zones::Zone;
use super::{Ctx, Handle, Listed, Product};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::paging::{Bounds, Page};
use crate::request::Req;

const BOUNDS: Bounds = Bounds { default: 100, min: 1, max: 5_000_000, code: 1004 };

/// Its row.
pub(super) const PRODUCT: Product = Product {
    listed: &[Listed { kind: "dns", path: "", name: "name", id: "id" }],
    ..Product::of("dns", &["dns_records"], Handle::Zone(handle))
};

/// Answers a call below `dns_records`.
pub(super) fn handle(
    ctx: &Ctx<'_>,
    req: &Req,
    zone: &Zone,
    rest: &[&str],
) -> Result<Answer, Problem> {
    let store = &ctx.cloud.store;
    match (req.method.as_str(), rest) {
        ("GET", []) => list(ctx, req, zone),
        ("POST", []) => {
            let body = req.json(malformed)?;
            let record = store.write(|db| create(db, ctx.now_us, zone, &body))?;
            Ok(Answer::ok(&shown(ctx, &record)))
        }
        ("POST", ["batch"]) => batch::run(ctx, req, zone),
        (_, [] | ["batch"]) => Err(req.bad_method()),
        (_, [id]) if !clock::is_hex_id(id) => Err(req.no_route()),
        ("GET", [id]) => {
            let record = store.read(|db| Record::find(db, zone, id))?;
            Ok(Answer::ok(&shown(ctx, &record)))
        }
        ("PATCH" | "PUT", [id]) => {
            let body = req.json(malformed)?;
            let keep = req.method == http::Method::PATCH;
            let record = store.write(|db| change(db, ctx.now_us, zone, (id, &body, keep)))?;
            Ok(Answer::ok(&shown(ctx, &record)))
        }
        ("DELETE", [id]) => {
            store.write(|db| delete(db, zone, id))?;
            Ok(Answer::ok(&json!({"id": id})))
        }
        (_, [_]) => Err(req.bad_method()),
        _ => Err(req.no_route()),
    }
}

fn malformed(detail: impl std::fmt::Display) -> Problem {
    Problem::new(400, 1004, "DNS Validation Error")
        .chain(9207, format!("Request body is invalid: {detail}"))
}

fn list(ctx: &Ctx<'_>, req: &Req, zone: &Zone) -> Result<Answer, Problem> {
    let page = Page::parse(&req.query, BOUNDS)?;
    let visible = ctx.visible_us();
    let mut records = ctx.cloud.store.read(|db| Record::all(db, zone, visible))?;
    filter::apply(&req.query, &mut records);
    let total = i64::try_from(records.len()).unwrap_or(i64::MAX);
    let rows: Vec<Value> = page.cut(records).iter().map(|record| shown(ctx, record)).collect();
    Ok(Answer::page(&json!(rows), page.info(rows.len(), total)))
}

/// The record as an answer shows it.
fn shown(ctx: &Ctx<'_>, record: &Record) -> Value {
    let mut out = record.json();
    if let Some(map) = out.as_object_mut() {
        map.insert("name".to_owned(), json!(ctx.shown_host(&record.name)));
    }
    out
}

fn create(db: &Connection, now_us: i64, zone: &Zone, body: &Value) -> Result<Record, Problem> {
    let record = Record::from_body(zone, body, clock::new_hex_id(), now_us)?;
    record.check_conflicts(db)?;
    record.insert(db)?;
    Ok(record)
}

/// Changes a record: with `keep` the fields that the body does not name stay.
fn change(
    db: &Connection,
    now_us: i64,
    zone: &Zone,
    (id, body, keep): (&str, &Value, bool),
) -> Result<Record, Problem> {
    let old = Record::find(db, zone, id)?;
    old.check_owner()?;
    let body = if keep { old.merged(body) } else { body.clone() };
    let mut record = Record::from_body(zone, &body, old.id.clone(), now_us)?;
    record.created_us = old.created_us;
    if record.comment == old.comment {
        record.comment_modified_us = old.comment_modified_us;
    }
    record.check_conflicts(db)?;
    record.update(db)?;
    Ok(record)
}

fn delete(db: &Connection, zone: &Zone, id: &str) -> Result<Record, Problem> {
    let record = Record::find(db, zone, id)?;
    record.check_owner()?;
    db.execute("DELETE FROM dns_records WHERE id = ?", [id])?;
    Ok(record)
}

/// Says whether a host has a record that a custom domain would have to replace.
pub(super) fn has_address(db: &Connection, zone: &Zone, hostname: &str) -> rusqlite::Result<bool> {
    Ok(Record::of_domain(zone, hostname, 0)
        .namesakes(db)?
        .iter()
        .any(|record| rules::is_proxiable(&record.kind) && record.worker.is_none()))
}

/// Makes the record of a Worker's custom domain, and gives its ID.
pub(super) fn insert_managed(
    db: &Connection,
    zone: &Zone,
    hostname: &str,
    now_us: i64,
) -> rusqlite::Result<String> {
    let record = Record::of_domain(zone, hostname, now_us);
    record.insert(db)?;
    Ok(record.id)
}
