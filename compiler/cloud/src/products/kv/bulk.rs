//! Workers KV: many keys in one call.
//!
//! Facts: `PUT bulk` takes up to 10,000 pairs, `POST bulk/delete` and its older form
//! `DELETE bulk` up to 10,000 keys, `POST bulk/get` up to 100. An empty list is 10029. All pairs
//! of a call are written, or none; the real product may report some as unsuccessful.
//!
//! Source: Cloudflare's OpenAPI document (workers-kv); wrangler's source for `DELETE bulk`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::malformed;
use super::values::{Pair, expiry, now_s, parse, read};
use crate::envelope::{Answer, Problem};
use crate::products::Ctx;
use crate::request::{Req, text};

const PAIRS_MAX: usize = 10_000;
const GET_KEYS_MAX: usize = 100;

/// `PUT bulk`.
pub(super) fn put(ctx: &Ctx<'_>, req: &Req, namespace: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let items = checked(body.as_array(), PAIRS_MAX)?;
    let pairs = items.iter().map(|item| pair(ctx, item)).collect::<Result<Vec<_>, _>>()?;
    ctx.cloud.store.write(|db| pairs.iter().try_for_each(|pair| pair.write(db, namespace)))?;
    Ok(summary(pairs.len()))
}

fn pair(ctx: &Ctx<'_>, item: &Value) -> Result<Pair, Problem> {
    let key = text(item, "key").ok_or_else(|| malformed("key is required"))?;
    let value = text(item, "value").ok_or_else(|| malformed("value is required"))?;
    let value = if item.get("base64").and_then(Value::as_bool) == Some(true) {
        STANDARD.decode(value).map_err(|error| malformed(format!("base64 value: {error}")))?
    } else {
        value.as_bytes().to_vec()
    };
    let seconds = |name: &str| item.get(name).and_then(Value::as_i64);
    let metadata = item.get("metadata").filter(|value| !value.is_null()).map(Value::to_string);
    let expires_s = expiry(ctx, seconds("expiration"), seconds("expiration_ttl"))?;
    let pair = Pair { key: key.to_owned(), value, metadata, expires_s };
    pair.check()?;
    Ok(pair)
}

fn checked(items: Option<&Vec<Value>>, max: usize) -> Result<&Vec<Value>, Problem> {
    let items = items.ok_or_else(|| malformed("an array is required"))?;
    if items.is_empty() {
        return Err(Problem::new(400, 10029, "minimum number of keys is 1"));
    }
    if items.len() > max {
        return Err(malformed(format!("maximum number of keys is {max}")));
    }
    Ok(items)
}

fn names(items: &[Value]) -> Result<Vec<&str>, Problem> {
    let name = |item: &Value| -> bool { item.is_string() };
    if !items.iter().all(name) {
        return Err(malformed("keys are strings"));
    }
    Ok(items.iter().filter_map(Value::as_str).collect())
}

fn summary(count: usize) -> Answer {
    Answer::ok(&json!({"successful_key_count": count, "unsuccessful_keys": []}))
}

/// `POST bulk/delete` and `DELETE bulk`.
pub(super) fn delete(ctx: &Ctx<'_>, req: &Req, namespace: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let keys = names(checked(body.as_array(), PAIRS_MAX)?)?;
    ctx.cloud.store.write(|db| -> rusqlite::Result<()> {
        let mut statement =
            db.prepare_cached("DELETE FROM kv_values WHERE namespace_id = ? AND key = ?")?;
        for key in &keys {
            statement.execute([namespace, key])?;
        }
        Ok(())
    })?;
    Ok(summary(keys.len()))
}

/// `POST bulk/get`.
pub(super) fn get(ctx: &Ctx<'_>, req: &Req, namespace: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let keys = names(checked(body.get("keys").and_then(Value::as_array), GET_KEYS_MAX)?)?;
    let as_json = match text(&body, "type") {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => return Err(malformed(format!("unknown type {other}"))),
    };
    let with_metadata = body.get("withMetadata").and_then(Value::as_bool) == Some(true);
    let mut values = Map::new();
    ctx.cloud.store.read(|db| -> Result<(), Problem> {
        for key in keys {
            let found = read(db, namespace, key, now_s(ctx))?;
            let item = match found {
                None => Value::Null,
                Some(stored) => {
                    let text = String::from_utf8_lossy(&stored.value).into_owned();
                    let value = if as_json {
                        serde_json::from_str(&text)
                            .map_err(|_| malformed(format!("the value of {key} is not JSON")))?
                    } else {
                        Value::String(text)
                    };
                    if with_metadata {
                        let metadata = stored.metadata.map_or(Value::Null, |text| parse(&text));
                        let mut item = json!({"value": value, "metadata": metadata});
                        if let (Some(at), Some(map)) = (stored.expires_s, item.as_object_mut()) {
                            map.insert("expiration".to_owned(), json!(at));
                        }
                        item
                    } else {
                        value
                    }
                }
            };
            values.insert(key.to_owned(), item);
        }
        Ok(())
    })?;
    Ok(Answer::ok(&json!({"values": values})))
}
