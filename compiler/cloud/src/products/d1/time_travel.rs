//! Time Travel: bookmarks, and a database as it was.
//!
//! Endpoints: `GET time_travel/bookmark` (of the present, or of a timestamp) and
//! `POST time_travel/restore?bookmark=` or `?timestamp=`.
//!
//! Facts: every change moves the bookmark; bookmarks sort in the order of time. A restore is one more
//! change, in place, and says what to go back to. Not published: the codes where there is no such
//! version any more (7500 here, and 7400 for a time before the first one).
//!
//! Source: Cloudflare's OpenAPI document and documentation (D1 Time Travel), wrangler's source.

use jiff::Timestamp;
use serde_json::json;

use super::{Database, changed, malformed};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::products::Ctx;
use crate::request::Req;
use crate::store::Store;

/// The bookmark of a database after so many changes; `part` tells apart what happens meanwhile.
pub(super) fn text_of(uuid: &str, number: i64, part: i64) -> String {
    let tail: String = uuid.chars().filter(|c| *c != '-').collect();
    format!("{number:08x}-{part:08x}-00004c6d-{tail}")
}

/// How many changes there were.
pub(super) fn number(ctx: &Ctx<'_>, uuid: &str) -> Result<i64, Problem> {
    ctx.cloud.store.with_d1(uuid, |db| {
        Ok(db.query_row("SELECT value FROM _cf_KV WHERE key = 'bookmark'", [], |row| row.get(0))?)
    })
}

/// `GET bookmark`.
pub(super) fn get(ctx: &Ctx<'_>, req: &Req, database: &Database) -> Result<Answer, Problem> {
    let uuid = &database.uuid;
    let number = match req.query.get("timestamp") {
        Some(at) => number_at(ctx, database, at)?,
        None => number(ctx, uuid)?,
    };
    Ok(Answer::ok(&json!({"bookmark": text_of(uuid, number, 0)})))
}

/// The number of the last change up to a time.
fn number_at(ctx: &Ctx<'_>, database: &Database, at: &str) -> Result<i64, Problem> {
    let at: Timestamp = at.parse().map_err(|_| malformed("timestamp: Invalid date"))?;
    let at_us = at.as_microsecond();
    let versions = ctx.cloud.store.versions(&database.uuid);
    if let Some(version) = versions.iter().rev().find(|version| version.at_us <= at_us) {
        return Ok(version.number);
    }
    let began = versions.first().is_none_or(|version| version.number == 1);
    if began && at_us >= database.created_us {
        return Ok(0);
    }
    Err(malformed("timestamp is too old: there is no version of the database from that time"))
}

/// `POST restore`.
pub(super) fn restore(ctx: &Ctx<'_>, req: &Req, database: &Database) -> Result<Answer, Problem> {
    let uuid = database.uuid.as_str();
    let wanted = match (req.query.get("bookmark"), req.query.get("timestamp")) {
        (Some(bookmark), _) => {
            let number = bookmark.split('-').next().unwrap_or_default();
            i64::from_str_radix(number, 16).map_err(|_| malformed("bookmark: Invalid bookmark"))?
        }
        (None, Some(at)) => number_at(ctx, database, at)?,
        (None, None) => return Err(malformed("bookmark or timestamp: Required")),
    };
    let present = number(ctx, uuid)?;
    let versions = ctx.cloud.store.versions(uuid);
    let version = versions.iter().rev().find(|version| version.number == wanted);
    if version.is_none() && wanted != 0 {
        let text =
            format!("no history: the version at bookmark {} is not kept", text_of(uuid, wanted, 0));
        return Err(Problem::new(400, 7500, text));
    }
    let number = present.max(wanted) + 1;
    ctx.cloud.store.with_d1(uuid, |db| {
        Store::restore_version(db, version, number)?;
        changed(ctx, uuid, db, number)
    })?;
    let before = text_of(uuid, present, 0);
    Ok(Answer::ok(&json!({
        "bookmark": text_of(uuid, number, 0), "previous_bookmark": before,
        "message": format!(
            "Database restored as of {}; to undo this restore, restore to {before}.",
            clock::micros(ctx.now_us)
        ),
    })))
}
