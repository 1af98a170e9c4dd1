//! R2: objects, over REST.
//!
//! Endpoints below `r2/buckets/{name}/objects`: list, `GET`, `PUT`, `DELETE` of a key, and
//! `DELETE` with an array of keys. The rest of the path is the key.
//!
//! Facts: etags are the md5 of the body, quoted in the header and bare in JSON; the size in the
//! answer to `PUT` is a string; `HEAD` is 404 even where the object exists; `cf-metadata-only`
//! turns `GET` into an envelope; deleting a missing key succeeds. Keys have up to 1,024 bytes.
//! Absent: deletion by prefix, multipart uploads, conditional writes (the S3 API's business).
//!
//! Source: Cloudflare's OpenAPI document (r2-object), wrangler's source, published live answers
//! (bulk deletion, `HEAD`).

use envc_edge_core::hex;
use md5::{Digest as _, Md5};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Map, Value, json};

use super::super::Ctx;
use super::{CLASSES, listing, malformed};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::faults::Flag;
use crate::request::Req;

const KEY_BYTES_MAX: usize = 1024;
const BULK_KEYS_MAX: usize = 1000;

/// Headers that become an object's HTTP metadata.
const HTTP_METADATA: [(&str, &str); 6] = [
    ("content-type", "contentType"),
    ("content-language", "contentLanguage"),
    ("content-disposition", "contentDisposition"),
    ("content-encoding", "contentEncoding"),
    ("cache-control", "cacheControl"),
    ("expires", "cacheExpiry"),
];

/// An object's row.
#[derive(Debug)]
struct Object {
    key: String,
    version: String,
    size: i64,
    etag: String,
    uploaded_us: i64,
    storage_class: String,
    http_metadata: Value,
    custom_metadata: Value,
}

/// Answers a call below `objects`.
pub(super) fn handle(
    ctx: &Ctx<'_>,
    req: &Req,
    bucket: i64,
    storage_class: &str,
    key: &[&str],
) -> Result<Answer, Problem> {
    let key = key.join("/");
    match (req.method.as_str(), key.as_str()) {
        ("GET", "") => listing::page(ctx, req, bucket),
        ("DELETE", "") => delete_many(ctx, req, bucket),
        (_, "") => Err(req.bad_method()),
        ("GET", key) => get(ctx, req, bucket, key),
        ("HEAD", _) => Err(no_key()),
        ("PUT", key) => put(ctx, req, bucket, storage_class, key),
        ("DELETE", key) => {
            ctx.cloud.store.write(|db| remove(db, bucket, key))?;
            Ok(Answer::ok(&json!({"key": key})))
        }
        _ => Err(req.bad_method()),
    }
}

fn no_key() -> Problem {
    Problem::new(404, 10007, "The specified key does not exist.")
}

fn put(
    ctx: &Ctx<'_>,
    req: &Req,
    bucket: i64,
    default_class: &str,
    key: &str,
) -> Result<Answer, Problem> {
    if key.len() > KEY_BYTES_MAX {
        return Err(Problem::new(400, 10020, "The specified object name is not valid."));
    }
    let class = req.header("cf-r2-storage-class").unwrap_or(default_class);
    if !CLASSES.contains(&class) {
        return Err(Problem::new(400, 10040, "Invalid storage class"));
    }
    let mut http = Map::new();
    for (header, name) in HTTP_METADATA {
        if let Some(value) = req.header(header) {
            http.insert(name.to_owned(), json!(value));
        }
    }
    let custom = match req.header("cf-r2-custom-metadata") {
        None => json!({}),
        Some(text) => serde_json::from_str(text).map_err(malformed)?,
    };
    let object = Object {
        key: key.to_owned(),
        version: clock::new_hex_id(),
        size: i64::try_from(req.body.len()).unwrap_or(i64::MAX),
        etag: hex(&Md5::digest(&req.body)),
        uploaded_us: ctx.now_us,
        storage_class: class.to_owned(),
        http_metadata: Value::Object(http),
        custom_metadata: custom,
    };
    ctx.cloud.store.write(|db| write(db, bucket, &object, &req.body))?;
    Ok(Answer::ok(&json!({
        "key": object.key, "etag": object.etag, "size": object.size.to_string(),
        "version": object.version, "uploaded": clock::millis(object.uploaded_us),
        "storage_class": object.storage_class,
    })))
}

fn write(db: &Connection, bucket: i64, object: &Object, body: &[u8]) -> Result<(), Problem> {
    // The bucket may have been deleted since it was looked up.
    let known = db.prepare_cached("SELECT 1 FROM r2_buckets WHERE seq = ?")?.exists([bucket])?;
    if !known {
        return Err(super::gone());
    }
    remove(db, bucket, &object.key)?;
    db.prepare_cached("INSERT INTO r2_objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?.execute(
        params![
            bucket,
            object.key,
            object.version,
            object.size,
            object.etag,
            object.uploaded_us,
            object.storage_class,
            object.http_metadata.to_string(),
            object.custom_metadata.to_string()
        ],
    )?;
    db.prepare_cached("INSERT INTO r2_bodies VALUES (?, ?)")?
        .execute(params![object.version, body])?;
    Ok(())
}

fn remove(db: &Connection, bucket: i64, key: &str) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM r2_objects WHERE bucket = ? AND key = ?")?
        .execute(params![bucket, key])?;
    Ok(())
}

fn read(db: &Connection, bucket: i64, key: &str) -> rusqlite::Result<Option<(Object, Vec<u8>)>> {
    let json_of =
        |text: String| serde_json::from_str(&text).unwrap_or_else(|_| Value::Object(Map::new()));
    db.prepare_cached(
        "SELECT o.version, o.size, o.etag, o.uploaded_us, o.storage_class, o.http_metadata,
         o.custom_metadata, b.body FROM r2_objects o JOIN r2_bodies b USING (version)
         WHERE o.bucket = ? AND o.key = ?",
    )?
    .query_row(params![bucket, key], |row| {
        let object = Object {
            key: key.to_owned(),
            version: row.get(0)?,
            size: row.get(1)?,
            etag: row.get(2)?,
            uploaded_us: row.get(3)?,
            storage_class: row.get(4)?,
            http_metadata: json_of(row.get(5)?),
            custom_metadata: json_of(row.get(6)?),
        };
        Ok((object, row.get(7)?))
    })
    .optional()
}

fn get(ctx: &Ctx<'_>, req: &Req, bucket: i64, key: &str) -> Result<Answer, Problem> {
    let found = ctx.cloud.store.read(|db| read(db, bucket, key))?;
    let (object, body) = found.ok_or_else(no_key)?;
    if req.header("cf-metadata-only") == Some("true") {
        return Ok(Answer::ok(&json!({
            "key": object.key, "etag": object.etag, "size": object.size,
            "last_modified": clock::millis(object.uploaded_us), "version": object.version,
            "storage_class": object.storage_class, "http_metadata": object.http_metadata,
            "custom_metadata": object.custom_metadata,
        })));
    }
    let etag = format!("\"{}\"", object.etag);
    let fresh = req.header("if-none-match").is_some_and(|tags| {
        tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
    });
    let mut answer = Answer::raw(if fresh { Vec::new() } else { body });
    if fresh {
        answer.status = 304;
    }
    for (header, name) in HTTP_METADATA {
        if let Some(value) = object.http_metadata.get(name).and_then(Value::as_str) {
            answer = answer.with_header(header, value);
        }
    }
    Ok(answer
        .with_header("etag", etag)
        .with_header("last-modified", clock::http_date(object.uploaded_us)))
}

fn delete_many(ctx: &Ctx<'_>, req: &Req, bucket: i64) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let items = body.as_array().ok_or_else(|| malformed("an array of keys is required"))?;
    if items.len() > BULK_KEYS_MAX || !items.iter().all(Value::is_string) {
        return Err(malformed(format!("up to {BULK_KEYS_MAX} keys, each a string")));
    }
    let keys: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
    if !ctx.cloud.injector.faults.has(Flag::KeptObjects) {
        ctx.cloud.store.write(|db| keys.iter().try_for_each(|key| remove(db, bucket, key)))?;
    }
    let gone: Vec<Value> = keys.iter().map(|key| json!({"key": key})).collect();
    Ok(Answer::ok(&Value::Array(gone)))
}
