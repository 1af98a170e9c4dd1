//! Messages over HTTP: push, pull, acknowledge, count.
//!
//! Endpoints below `queues/{id}`: `POST messages`, `POST messages/batch`, `POST messages/pull`,
//! `POST messages/ack`, `GET metrics`.
//!
//! Facts: up to 100 messages and 256 KB a batch, 128 KB a message, 24 h of delay. A pull needs an
//! `http_pull` consumer (400 with 10013 here, the code is not documented), takes 5 messages by
//! default, 100 at most, and leases them for the visibility timeout. A message that was handed
//! out `max_retries` + 1 times goes to the dead letter queue, or away. JSON bodies arrive as
//! base64, text as it is.
//!
//! Source: Cloudflare's OpenAPI document (queues) and documentation (pull consumers, limits).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Value, json};

use super::super::Ctx;
use super::consumers::{self, Consumer};
use super::{DELAY_S_MAX, Queue, find, malformed};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::request::{Req, text};

const MESSAGES_MAX: usize = 100;
const MESSAGE_BYTES_MAX: usize = 128_000;
const BATCH_BYTES_MAX: usize = 256_000;
const PULL_DEFAULT: i64 = 5;
const PULL_MAX: i64 = 100;
const VISIBILITY_MS_MAX: i64 = 43_200_000;

/// Answers a `POST` below `messages`.
pub(super) fn handle(
    ctx: &Ctx<'_>,
    req: &Req,
    queue_id: &str,
    rest: &[&str],
) -> Result<Answer, Problem> {
    match rest {
        [] => {
            let body = req.json(malformed)?;
            push(ctx, queue_id, std::slice::from_ref(&body), None)
        }
        ["batch"] => {
            let body = req.json(malformed)?;
            let items = body.get("messages").and_then(Value::as_array);
            let items = items.ok_or_else(|| malformed("messages is required"))?;
            push(ctx, queue_id, items, body.get("delay_seconds"))
        }
        ["pull"] => pull(ctx, req, queue_id),
        ["ack"] => ack(ctx, req, queue_id),
        _ => Err(req.no_route()),
    }
}

fn invalid(text: impl Into<String>) -> Problem {
    Problem::new(400, 10207, text)
}

fn delay_s(value: Option<&Value>) -> Result<Option<i64>, Problem> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_i64()
            .filter(|n| (0..=DELAY_S_MAX).contains(n))
            .map(Some)
            .ok_or_else(|| invalid("delay_seconds must be between 0 and 86400")),
    }
}

fn push(
    ctx: &Ctx<'_>,
    queue_id: &str,
    items: &[Value],
    shared_delay: Option<&Value>,
) -> Result<Answer, Problem> {
    if items.is_empty() || items.len() > MESSAGES_MAX {
        return Err(invalid(format!("between 1 and {MESSAGES_MAX} messages are required")));
    }
    let shared_delay = delay_s(shared_delay)?;
    let mut messages = Vec::with_capacity(items.len());
    let mut total = 0_usize;
    for item in items {
        let body = item.get("body").ok_or_else(|| invalid("body is required"))?;
        let (content_type, stored) = match (text(item, "content_type"), body) {
            (None | Some("json"), body) => ("json", body.to_string()),
            (Some("text"), Value::String(body)) => ("text", body.clone()),
            _ => return Err(invalid("content_type must be json, or text with a text body")),
        };
        total += stored.len();
        if stored.len() > MESSAGE_BYTES_MAX || total > BATCH_BYTES_MAX {
            return Err(Problem::new(413, 10207, "message or batch exceeds its size limit"));
        }
        messages.push((content_type, stored, delay_s(item.get("delay_seconds"))?.or(shared_delay)));
    }
    let metrics = ctx.cloud.store.write(|db| -> Result<Value, Problem> {
        let queue = find(db, queue_id)?;
        for (content_type, body, delay) in &messages {
            let delay_us = delay.unwrap_or(queue.delivery_delay) * 1_000_000;
            insert(db, queue_id, (content_type, body), (ctx.now_us, ctx.now_us + delay_us))?;
        }
        Ok(measure(db, queue_id)?)
    })?;
    Ok(Answer::ok(&json!({"metadata": {"metrics": metrics}})))
}

fn insert(
    db: &Connection,
    queue_id: &str,
    (content_type, body): (&str, &str),
    (sent_us, visible_us): (i64, i64),
) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO queue_messages
         (id, queue_id, content_type, body, bytes, sent_us, visible_us, attempts)
         VALUES (?, ?, ?, ?, ?, ?, ?, 0)",
    )?
    .execute(params![
        clock::new_hex_id(),
        queue_id,
        content_type,
        body,
        i64::try_from(body.len()).unwrap_or(i64::MAX),
        sent_us,
        visible_us
    ])?;
    Ok(())
}

/// The backlog of a queue.
fn measure(db: &Connection, queue_id: &str) -> rusqlite::Result<Value> {
    db.prepare_cached(
        "SELECT count(*), coalesce(sum(bytes), 0), coalesce(min(sent_us), 0) / 1000
         FROM queue_messages WHERE queue_id = ?",
    )?
    .query_row([queue_id], |row| {
        Ok(json!({
            "backlog_count": row.get::<_, i64>(0)?, "backlog_bytes": row.get::<_, i64>(1)?,
            "oldest_message_timestamp_ms": row.get::<_, i64>(2)?,
        }))
    })
}

/// `GET metrics`.
pub(super) fn metrics(ctx: &Ctx<'_>, queue_id: &str) -> Result<Answer, Problem> {
    let found = ctx.cloud.store.read(|db| -> Result<_, Problem> {
        find(db, queue_id)?;
        Ok(measure(db, queue_id)?)
    })?;
    Ok(Answer::ok(&found))
}

/// Drops what is too old; moves what was handed out too often.
fn sweep(db: &Connection, queue: &Queue, consumer: &Consumer, now_us: i64) -> rusqlite::Result<()> {
    db.execute(
        "DELETE FROM queue_messages WHERE queue_id = ? AND sent_us < ?",
        params![queue.id, now_us - queue.retention_s * 1_000_000],
    )?;
    let retries = consumer.settings.get("max_retries").and_then(Value::as_i64).unwrap_or(3);
    let target: Option<String> = match &consumer.dead_letter {
        None => None,
        Some(name) => db
            .query_row("SELECT id FROM queues WHERE name = ?", [name], |row| row.get(0))
            .optional()?,
    };
    if let Some(target) = target {
        db.execute(
            "UPDATE queue_messages SET queue_id = ?, attempts = 0, lease = NULL
             WHERE queue_id = ? AND attempts > ? AND visible_us <= ?",
            params![target, queue.id, retries, now_us],
        )?;
    } else {
        db.execute(
            "DELETE FROM queue_messages WHERE queue_id = ? AND attempts > ? AND visible_us <= ?",
            params![queue.id, retries, now_us],
        )?;
    }
    Ok(())
}

fn pull(ctx: &Ctx<'_>, req: &Req, queue_id: &str) -> Result<Answer, Problem> {
    let body = req.json_or_empty(malformed)?;
    let batch = body.get("batch_size").and_then(Value::as_i64).unwrap_or(PULL_DEFAULT);
    if !(1..=PULL_MAX).contains(&batch) {
        return Err(malformed(format!("batch_size must be between 1 and {PULL_MAX}")));
    }
    let pulled = ctx.cloud.store.write(|db| {
        let queue = find(db, queue_id)?;
        let consumer = consumers::find_of(db, queue_id)?.filter(|c| c.kind == "http_pull");
        let consumer = consumer.ok_or_else(|| {
            let text = format!("Queue '{}' has no http_pull consumer.", queue.name);
            Problem::new(400, 10013, text)
        })?;
        let default_ms = consumer.settings.get("visibility_timeout_ms").and_then(Value::as_i64);
        let visibility_ms = body
            .get("visibility_timeout_ms")
            .and_then(Value::as_i64)
            .or(default_ms)
            .unwrap_or(30_000)
            .clamp(0, VISIBILITY_MS_MAX);
        sweep(db, &queue, &consumer, ctx.now_us)?;
        let messages = lease(db, queue_id, ctx.now_us, visibility_ms * 1000, batch)?;
        let metrics = measure(db, queue_id)?;
        Ok::<_, Problem>(json!({
            "message_backlog_count": metrics.get("backlog_count"), "messages": messages,
            "metadata": {"metrics": metrics},
        }))
    })?;
    Ok(Answer::ok(&pulled))
}

fn lease(
    db: &Connection,
    queue_id: &str,
    now_us: i64,
    visibility_us: i64,
    batch: i64,
) -> rusqlite::Result<Vec<Value>> {
    let mut select = db.prepare_cached(
        "SELECT seq, id, content_type, body, sent_us, attempts FROM queue_messages
         WHERE queue_id = ? AND visible_us <= ? ORDER BY seq LIMIT ?",
    )?;
    let found = select
        .query_map(params![queue_id, now_us, batch], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get::<_, i64>(4)?,
                row.get::<_, i64>(5)?,
            ))
        })?
        .collect::<rusqlite::Result<Vec<(i64, String, String, String, _, _)>>>()?;
    let mut update = db.prepare_cached(
        "UPDATE queue_messages SET attempts = attempts + 1, lease = ?, visible_us = ? WHERE seq = ?",
    )?;
    let mut messages = Vec::with_capacity(found.len());
    for (seq, id, content_type, body, sent_us, attempts) in found {
        let lease_id = STANDARD.encode(clock::new_hex_id());
        update.execute(params![lease_id, now_us + visibility_us, seq])?;
        let shown = if content_type == "text" { body } else { STANDARD.encode(body) };
        messages.push(json!({
            "id": id, "body": shown, "attempts": attempts + 1, "timestamp_ms": sent_us / 1000,
            "lease_id": lease_id,
            "metadata": {"CF-Content-Type": content_type, "CF-sourceMessageSource": "http"},
        }));
    }
    Ok(messages)
}

fn ack(ctx: &Ctx<'_>, req: &Req, queue_id: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let leases = |key: &str| {
        let items = body.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
        items
            .iter()
            .map(|item| {
                let lease = text(item, "lease_id").map(str::to_owned);
                let lease = lease.ok_or_else(|| malformed("lease_id is required"))?;
                Ok((lease, delay_s(item.get("delay_seconds"))?))
            })
            .collect::<Result<Vec<_>, Problem>>()
    };
    let (acks, retries) = (leases("acks")?, leases("retries")?);
    let done = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        find(db, queue_id)?;
        let (mut removed, mut returned) = (0, 0);
        let mut warnings = serde_json::Map::new();
        for (lease, _) in &acks {
            let sql = "DELETE FROM queue_messages WHERE queue_id = ? AND lease = ?";
            match db.prepare_cached(sql)?.execute([queue_id, lease])? {
                0 => drop(warnings.insert(lease.clone(), json!("lease is unknown or has expired"))),
                _ => removed += 1,
            }
        }
        for (lease, delay) in &retries {
            let visible_us = ctx.now_us + delay.unwrap_or(0) * 1_000_000;
            let sql = "UPDATE queue_messages SET lease = NULL, visible_us = ?
                       WHERE queue_id = ? AND lease = ?";
            match db.prepare_cached(sql)?.execute(params![visible_us, queue_id, lease])? {
                0 => drop(warnings.insert(lease.clone(), json!("lease is unknown or has expired"))),
                _ => returned += 1,
            }
        }
        Ok(json!({"ackCount": removed, "retryCount": returned, "warnings": warnings}))
    })?;
    Ok(Answer::ok(&done))
}
