//! Consumers of a queue.
//!
//! Endpoints below `queues/{id}/consumers`: list, create, get, `PUT`, delete.
//!
//! Facts: a queue has at most one consumer of either type (400, 11004). A worker consumer needs a
//! script that exists (404, 10007) and that has a queue handler (11001). `PUT` replaces all settings. Ranges: `batch_size` 1–100
//! (10; 5 for pulls is the pull's own default), `max_retries` 0–100 (3), `max_wait_time_ms`
//! 0–60000 (5000), `max_concurrency` 1–250 or null, `retry_delay` 0–86400,
//! `visibility_timeout_ms` up to 43200000 (30000); outside of them 100127. The script comes back
//! as `script` and as `script_name`: clients read either.
//!
//! Source: Cloudflare's OpenAPI document (queues) and documentation of limits, wrangler's source.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Map, Value, json};

use super::super::{Ctx, is_duplicate, workers};
use super::{Queue, find, malformed};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::request::{Req, text};

/// A setting with its range and default.
type Setting = (&'static str, i64, i64, Option<i64>);

const WORKER_SETTINGS: [Setting; 5] = [
    ("batch_size", 1, 100, Some(10)),
    ("max_retries", 0, 100, Some(3)),
    ("max_wait_time_ms", 0, 60_000, Some(5000)),
    ("max_concurrency", 1, 250, None),
    ("retry_delay", 0, 86_400, Some(0)),
];
const PULL_SETTINGS: [Setting; 4] = [
    ("batch_size", 1, 100, Some(10)),
    ("max_retries", 0, 100, Some(3)),
    ("retry_delay", 0, 86_400, Some(0)),
    ("visibility_timeout_ms", 0, 43_200_000, Some(30_000)),
];

/// A consumer's row.
#[derive(Debug)]
pub(super) struct Consumer {
    id: String,
    pub(super) kind: String,
    script: Option<String>,
    environment: Option<String>,
    pub(super) dead_letter: Option<String>,
    pub(super) settings: Value,
    created_us: i64,
}

impl Consumer {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let settings: String = row.get(5)?;
        Ok(Self {
            id: row.get(0)?,
            kind: row.get(1)?,
            script: row.get(2)?,
            environment: row.get(3)?,
            dead_letter: row.get(4)?,
            settings: serde_json::from_str(&settings).unwrap_or_else(|_| json!({})),
            created_us: row.get(6)?,
        })
    }

    fn json(&self, queue: &Queue) -> Value {
        let mut out = json!({
            "consumer_id": self.id, "type": self.kind, "queue_name": queue.name,
            "queue_id": queue.id, "created_on": clock::micros(self.created_us),
            "settings": self.settings,
        });
        if let Some(map) = out.as_object_mut() {
            let optional = [
                ("script", &self.script),
                ("script_name", &self.script),
                ("environment", &self.environment),
                ("dead_letter_queue", &self.dead_letter),
            ];
            for (key, value) in optional {
                if let Some(value) = value {
                    map.insert(key.to_owned(), json!(value));
                }
            }
        }
        out
    }
}

/// The consumer of a queue, if it has one.
pub(super) fn find_of(db: &Connection, queue_id: &str) -> rusqlite::Result<Option<Consumer>> {
    db.prepare_cached(
        "SELECT id, type, script, environment, dead_letter, settings, created_us
         FROM queue_consumers WHERE queue_id = ?",
    )?
    .query_row([queue_id], Consumer::from_row)
    .optional()
}

/// The consumers of a queue, as JSON.
pub(super) fn of_queue(db: &Connection, queue: &Queue) -> rusqlite::Result<Vec<Value>> {
    Ok(find_of(db, &queue.id)?.iter().map(|consumer| consumer.json(queue)).collect())
}

/// Answers a call below `consumers`.
pub(super) fn handle(
    ctx: &Ctx<'_>,
    req: &Req,
    queue_id: &str,
    rest: &[&str],
) -> Result<Answer, Problem> {
    match (req.method.as_str(), rest) {
        ("GET", []) => {
            let mut all = ctx
                .cloud
                .store
                .read(|db| -> Result<_, Problem> { Ok(of_queue(db, &find(db, queue_id)?)?) })?;
            let visible = clock::micros(ctx.visible_us());
            all.retain(|it| text(it, "created_on").is_some_and(|at| at <= visible.as_str()));
            let info = json!({
                "page": 1, "per_page": 100, "count": all.len(), "total_count": all.len(),
                "total_pages": 1,
            });
            Ok(Answer::page(&json!(all), info).with_null_arrays())
        }
        ("POST", []) => create(ctx, req, queue_id),
        ("GET", [id]) => {
            let found = ctx.cloud.store.read(|db| {
                let queue = find(db, queue_id)?;
                Ok::<_, Problem>(find_one(db, queue_id, id)?.json(&queue))
            })?;
            Ok(Answer::ok(&found))
        }
        ("PUT", [id]) => replace(ctx, req, queue_id, id),
        ("DELETE", [id]) => delete(ctx, queue_id, id),
        (_, [] | [_]) => Err(req.bad_method()),
        _ => Err(req.no_route()),
    }
}

fn find_one(db: &Connection, queue_id: &str, id: &str) -> Result<Consumer, Problem> {
    find_of(db, queue_id)?
        .filter(|consumer| consumer.id == id)
        .ok_or_else(|| Problem::new(404, 11006, "Consumer does not exist."))
}

/// Reads and checks a body; the identity of the consumer is the caller's.
fn parse(body: &Value, id: String, created_us: i64) -> Result<Consumer, Problem> {
    let kind = text(body, "type").unwrap_or("worker");
    let script = text(body, "script_name").map(str::to_owned);
    let known: &[Setting] = match kind {
        "worker" => &WORKER_SETTINGS,
        "http_pull" => &PULL_SETTINGS,
        _ => return Err(malformed("type must be worker or http_pull")),
    };
    if kind == "worker" && script.is_none() {
        return Err(malformed("script_name is required"));
    }
    let given = body.get("settings");
    let mut settings = Map::new();
    for (key, low, high, default) in known {
        let value = match given.and_then(|settings| settings.get(*key)) {
            // Automatic: not in the answer.
            None | Some(Value::Null) if default.is_none() => continue,
            None | Some(Value::Null) => json!(default),
            Some(value) if value.as_i64().is_some_and(|n| (*low..=*high).contains(&n)) => {
                value.clone()
            }
            Some(_) => {
                let text = format!("Invalid {key}: must be between {low} and {high}");
                return Err(Problem::new(400, 100_127, text));
            }
        };
        settings.insert((*key).to_owned(), value);
    }
    Ok(Consumer {
        id,
        kind: kind.to_owned(),
        script: script.filter(|_| kind == "worker"),
        environment: text(body, "environment_name").map(str::to_owned),
        dead_letter: text(body, "dead_letter_queue").filter(|n| !n.is_empty()).map(str::to_owned),
        settings: Value::Object(settings),
        created_us,
    })
}

fn write(db: &Connection, queue: &Queue, consumer: &Consumer) -> Result<(), Problem> {
    if let Some(script) = &consumer.script {
        if !workers::script_exists(db, script)? {
            return Err(Problem::new(404, 10007, "This Worker does not exist on your account."));
        }
        if !workers::handles_queues(db, script)? {
            return Err(workers::no_queue_handler());
        }
    }
    let written = db
        .prepare_cached(
            "INSERT INTO queue_consumers
             (id, queue_id, type, script, environment, dead_letter, settings, created_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET
             type = ?3, script = ?4, environment = ?5, dead_letter = ?6, settings = ?7",
        )?
        .execute(params![
            consumer.id,
            queue.id,
            consumer.kind,
            consumer.script,
            consumer.environment,
            consumer.dead_letter,
            consumer.settings.to_string(),
            consumer.created_us
        ]);
    match written {
        Err(error) if is_duplicate(&error) => {
            let text = format!("Queue '{}' already has a consumer.", queue.name);
            Err(Problem::new(400, 11004, text))
        }
        other => Ok(other.map(|_| ())?),
    }
}

fn create(ctx: &Ctx<'_>, req: &Req, queue_id: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let consumer = parse(&body, clock::new_hex_id(), ctx.now_us)?;
    let created = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let queue = find(db, queue_id)?;
        write(db, &queue, &consumer)?;
        Ok(consumer.json(&queue))
    })?;
    Ok(Answer::ok(&created))
}

fn replace(ctx: &Ctx<'_>, req: &Req, queue_id: &str, id: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let replaced = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let queue = find(db, queue_id)?;
        let old = find_one(db, queue_id, id)?;
        let consumer = parse(&body, old.id, old.created_us)?;
        write(db, &queue, &consumer)?;
        Ok(consumer.json(&queue))
    })?;
    Ok(Answer::ok(&replaced))
}

fn delete(ctx: &Ctx<'_>, queue_id: &str, id: &str) -> Result<Answer, Problem> {
    ctx.cloud.store.write(|db| -> Result<_, Problem> {
        find(db, queue_id)?;
        find_one(db, queue_id, id)?;
        db.execute("DELETE FROM queue_consumers WHERE id = ?", [id])?;
        Ok(())
    })?;
    Ok(Answer::null())
}
