//! Workers KV: keys, values and metadata.
//!
//! Facts: keys sort by their UTF-8 bytes; `limit` 10–1000, default 1000; an empty cursor ends the
//! list. A value is raw bytes, up to 25 MiB, or a multipart body with `value` and `metadata`.
//! `expiration` is at least 60 s ahead, `expiration_ttl` at least 60 and stronger. A key has
//! 1–512 bytes and is neither `.` nor `..`; metadata has up to 1,024 bytes of JSON.
//!
//! Not published: the codes of a bad key (10028 here), a bad limit (10012 here), an oversized
//! value (413 with 10026 here). The rule of one write per second and key is not enforced.
//!
//! Source: Cloudflare's OpenAPI document and KV documentation (limits).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Value, json};

use super::malformed;
use crate::envelope::{Answer, Problem};
use crate::paging;
use crate::products::Ctx;
use crate::request::Req;

const LIMIT_MIN: u32 = 10;
const LIMIT_MAX: u32 = 1000;
const VALUE_BYTES_MAX: usize = 25 * 1024 * 1024;
const METADATA_BYTES_MAX: usize = 1024;
const KEY_BYTES_MAX: usize = 512;
/// A key lives at least this long.
const TTL_S_MIN: i64 = 60;

/// One pair to write.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) key: String,
    pub(super) value: Vec<u8>,
    /// JSON text.
    pub(super) metadata: Option<String>,
    pub(super) expires_s: Option<i64>,
}

impl Pair {
    /// Checks everything that does not need the database.
    pub(super) fn check(&self) -> Result<(), Problem> {
        check_key(&self.key)?;
        if self.value.len() > VALUE_BYTES_MAX {
            return Err(Problem::new(413, 10026, "put: 'value exceeds the limit of 25 MiB'"));
        }
        if self.metadata.as_ref().is_some_and(|text| text.len() > METADATA_BYTES_MAX) {
            return Err(Problem::new(
                413,
                10026,
                "put: 'metadata exceeds the limit of 1024 bytes'",
            ));
        }
        Ok(())
    }

    /// Writes the pair over whatever stood there.
    pub(super) fn write(&self, db: &Connection, namespace: &str) -> rusqlite::Result<()> {
        let Self { key, value, metadata, expires_s } = self;
        db.prepare_cached(
            "INSERT INTO kv_values (namespace_id, key, metadata, expires_s, value)
             VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (namespace_id, key) DO UPDATE SET
             metadata = excluded.metadata, expires_s = excluded.expires_s, value = excluded.value",
        )?
        .execute(params![namespace, key, metadata, expires_s, value])?;
        Ok(())
    }
}

fn check_key(key: &str) -> Result<(), Problem> {
    if key.is_empty() || key == "." || key == ".." {
        return Err(Problem::new(400, 10028, "invalid key: must not be empty, '.' or '..'"));
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(Problem::new(414, 10028, "invalid key: exceeds the limit of 512 bytes"));
    }
    Ok(())
}

/// The second at which a pair expires.
pub(super) fn expiry(
    ctx: &Ctx<'_>,
    expiration: Option<i64>,
    ttl: Option<i64>,
) -> Result<Option<i64>, Problem> {
    let now_s = now_s(ctx);
    match (expiration, ttl) {
        (_, Some(ttl)) if ttl < TTL_S_MIN => {
            let text = format!("invalid expiration_ttl of {ttl}: must be at least {TTL_S_MIN}");
            Err(Problem::new(400, 10034, text))
        }
        (_, Some(ttl)) => Ok(Some(now_s.saturating_add(ttl))),
        (Some(at), None) if at < now_s + TTL_S_MIN => {
            let text = format!("invalid expiration of {at}: must be at least 60 s in the future");
            Err(Problem::new(400, 10034, text))
        }
        (at, None) => Ok(at),
    }
}

/// The present, in seconds.
pub(super) fn now_s(ctx: &Ctx<'_>) -> i64 {
    ctx.now_us.div_euclid(1_000_000)
}

/// `GET keys`.
pub(super) fn keys(ctx: &Ctx<'_>, req: &Req, namespace: &str) -> Result<Answer, Problem> {
    let limit = paging::number(&req.query, "limit", LIMIT_MAX, 10012)?;
    if !(LIMIT_MIN..=LIMIT_MAX).contains(&limit) {
        let text = format!("limit must be between {LIMIT_MIN} and {LIMIT_MAX}");
        return Err(Problem::new(400, 10012, text));
    }
    let prefix = req.query.get("prefix").unwrap_or("");
    let after = match req.query.get("cursor") {
        None | Some("") => String::new(),
        Some(cursor) => read_cursor(cursor)?,
    };
    let mut rows = ctx.cloud.store.read(|db| {
        db.prepare_cached(
            "SELECT key, expires_s, metadata FROM kv_values
             WHERE namespace_id = ?1 AND key > ?2 AND key >= ?3 AND key < ?3 || char(1114111)
             AND substr(key, 1, length(?3)) = ?3
             AND (expires_s IS NULL OR expires_s > ?4) ORDER BY key LIMIT ?5",
        )?
        .query_map(params![namespace, after, prefix, now_s(ctx), limit + 1], |row| {
            Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<Vec<(String, Option<i64>, Option<String>)>>>()
    })?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let cursor = match rows.last() {
        Some((key, ..)) if more => URL_SAFE_NO_PAD.encode(key),
        _ => String::new(),
    };
    let items: Vec<Value> = rows
        .into_iter()
        .map(|(key, expires_s, metadata)| {
            let mut item = serde_json::Map::new();
            item.insert("name".to_owned(), json!(key));
            if let Some(at) = expires_s {
                item.insert("expiration".to_owned(), json!(at));
            }
            if let Some(metadata) = metadata {
                item.insert("metadata".to_owned(), parse(&metadata));
            }
            Value::Object(item)
        })
        .collect();
    let count = items.len();
    Ok(Answer::page(&Value::Array(items), json!({"count": count, "cursor": cursor})))
}

fn read_cursor(cursor: &str) -> Result<String, Problem> {
    URL_SAFE_NO_PAD
        .decode(cursor)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| Problem::new(400, 10012, "invalid cursor"))
}

/// Stored metadata is JSON text that was checked when it came.
pub(super) fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// A live pair as it is stored.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) value: Vec<u8>,
    pub(super) metadata: Option<String>,
    pub(super) expires_s: Option<i64>,
}

/// The pair of a key, unless it has expired.
pub(super) fn read(
    db: &Connection,
    namespace: &str,
    key: &str,
    now_s: i64,
) -> rusqlite::Result<Option<Stored>> {
    db.prepare_cached(
        "SELECT value, metadata, expires_s FROM kv_values WHERE namespace_id = ? AND key = ?
         AND (expires_s IS NULL OR expires_s > ?)",
    )?
    .query_row(params![namespace, key, now_s], |row| {
        Ok(Stored { value: row.get(0)?, metadata: row.get(1)?, expires_s: row.get(2)? })
    })
    .optional()
}

fn find(ctx: &Ctx<'_>, namespace: &str, key: &str) -> Result<Stored, Problem> {
    check_key(key)?;
    let found = ctx.cloud.store.read(|db| read(db, namespace, key, now_s(ctx)))?;
    found.ok_or_else(|| Problem::new(404, 10009, "get: 'key not found'"))
}

/// `GET values/{key}`: bytes, not an envelope.
pub(super) fn get(ctx: &Ctx<'_>, namespace: &str, key: &str) -> Result<Answer, Problem> {
    let stored = find(ctx, namespace, key)?;
    let answer = Answer::raw(stored.value);
    Ok(match stored.expires_s {
        Some(at) => answer.with_header("expiration", at.to_string()),
        None => answer,
    })
}

/// `GET metadata/{key}`.
pub(super) fn metadata(ctx: &Ctx<'_>, namespace: &str, key: &str) -> Result<Answer, Problem> {
    let stored = find(ctx, namespace, key)?;
    Ok(Answer::ok(&stored.metadata.map_or(Value::Null, |text| parse(&text))))
}

/// `PUT values/{key}`.
pub(super) fn put(ctx: &Ctx<'_>, req: &Req, namespace: &str, key: &str) -> Result<Answer, Problem> {
    let seconds = |name: &str| match req.query.get(name) {
        None | Some("") => Ok(None),
        Some(text) => {
            text.parse().map(Some).map_err(|_| malformed(format!("{name} is not a number")))
        }
    };
    let expires_s = expiry(ctx, seconds("expiration")?, seconds("expiration_ttl")?)?;
    let (value, metadata) = match &req.parts {
        None => (req.body.to_vec(), None),
        Some(parts) => {
            let part = |name: &str| parts.iter().find(|part| part.name == name);
            let value = part("value").ok_or_else(|| malformed("the part `value` is missing"))?;
            let metadata = part("metadata").map(|part| compact(&part.bytes)).transpose()?;
            (value.bytes.to_vec(), metadata)
        }
    };
    let pair = Pair { key: key.to_owned(), value, metadata, expires_s };
    pair.check()?;
    ctx.cloud.store.write(|db| pair.write(db, namespace))?;
    Ok(Answer::null())
}

fn compact(bytes: &[u8]) -> Result<String, Problem> {
    serde_json::from_slice::<Value>(bytes)
        .map(|value| value.to_string())
        .map_err(|error| malformed(format!("metadata: {error}")))
}

/// `DELETE values/{key}`: also fine when the key is missing.
pub(super) fn delete(ctx: &Ctx<'_>, namespace: &str, key: &str) -> Result<Answer, Problem> {
    check_key(key)?;
    ctx.cloud.store.write(|db| -> rusqlite::Result<_> {
        db.execute("DELETE FROM kv_values WHERE namespace_id = ? AND key = ?", [namespace, key])
    })?;
    Ok(Answer::null())
}
