//! R2: one page of a bucket's objects.
//!
//! Facts: keys sort by their UTF-8 bytes; `delimiter` folds keys that share the part up to it
//! into `result_info.delimited`, each fold counting as one item; `result_info` says
//! `is_truncated` and holds the cursor of the next page.
//!
//! Source: Cloudflare's OpenAPI document (r2-object).

use rusqlite::params;
use serde_json::{Value, json};

use super::super::Ctx;
use super::{per_page, read_cursor, write_cursor};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::request::Req;

const PER_PAGE_DEFAULT: u32 = 1000;
/// Sorts after every key that starts with the text before it.
const AFTER_ALL: char = '\u{10FFFF}';

/// A page as it grows.
#[derive(Debug, Default)]
struct Found {
    objects: Vec<Value>,
    folds: Vec<String>,
    /// Where the page ended, when there is more.
    cursor: Option<String>,
}

/// `GET objects`.
pub(super) fn page(ctx: &Ctx<'_>, req: &Req, bucket: i64) -> Result<Answer, Problem> {
    let wanted = per_page(req, PER_PAGE_DEFAULT)?;
    let query = &req.query;
    let prefix = query.get("prefix").unwrap_or("");
    let delimiter = query.get("delimiter").filter(|text| !text.is_empty());
    let after = match query.get("cursor") {
        None | Some("") => query.get("start_after").unwrap_or("").to_owned(),
        Some(cursor) => read_cursor(cursor)?,
    };
    let found = collect(ctx, bucket, (prefix, delimiter), after, wanted)?;
    let mut info = json!({"is_truncated": found.cursor.is_some(), "per_page": wanted});
    if let Some(map) = info.as_object_mut() {
        if let Some(position) = &found.cursor {
            map.insert("cursor".to_owned(), json!(write_cursor(position)));
        }
        if delimiter.is_some() {
            map.insert("delimited".to_owned(), json!(found.folds));
        }
    }
    Ok(Answer::page(&Value::Array(found.objects), info))
}

fn collect(
    ctx: &Ctx<'_>,
    bucket: i64,
    (prefix, delimiter): (&str, Option<&str>),
    after: String,
    wanted: usize,
) -> Result<Found, Problem> {
    ctx.cloud.store.read(|db| {
        let mut found = Found::default();
        let mut position = after;
        let mut statement = db.prepare_cached(
            "SELECT key, size, etag, uploaded_us, storage_class, http_metadata, custom_metadata
             FROM r2_objects WHERE bucket = ?1 AND key > ?2 AND key >= ?3
             AND key < ?3 || char(1114111) AND substr(key, 1, length(?3)) = ?3 ORDER BY key",
        )?;
        let mut rows = statement.query(params![bucket, position, prefix])?;
        while let Some(row) = rows.next()? {
            let key: String = row.get(0)?;
            if key.as_str() <= position.as_str() {
                continue; // Folded already.
            }
            if found.objects.len() + found.folds.len() >= wanted {
                found.cursor = Some(position);
                break;
            }
            let rest = key.get(prefix.len()..).unwrap_or("");
            let cut = delimiter.and_then(|d| rest.find(d).map(|at| prefix.len() + at + d.len()));
            if let Some(fold) = cut.and_then(|end| key.get(..end)) {
                found.folds.push(fold.to_owned());
                position = format!("{fold}{AFTER_ALL}");
                continue;
            }
            found.objects.push(json!({
                "key": key, "size": row.get::<_, i64>(1)?, "etag": row.get::<_, String>(2)?,
                "last_modified": clock::millis(row.get(3)?),
                "storage_class": row.get::<_, String>(4)?, "ssec": false,
                "http_metadata": parse(&row.get::<_, String>(5)?),
                "custom_metadata": parse(&row.get::<_, String>(6)?),
            }));
            position = key;
        }
        Ok(found)
    })
}

/// Stored metadata is JSON text that this module's neighbour wrote.
fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!({}))
}
