//! Queues.
//!
//! Endpoints below `accounts/{a}/queues`: list, create, get, `PUT`, `PATCH`, delete,
//! `GET {id}/metrics`, `GET` and `POST {id}/purge`; consumers and messages are in their own
//! files.
//!
//! Facts: names match `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?` and are unique per account (409,
//! 11009); `name` in the list is an exact filter and may be repeated; the list embeds consumers,
//! on which wrangler relies. `delivery_delay` 0–86400 s, `message_retention_period`
//! 60–1209600 s. Create, `PUT` and `PATCH` answer without producers, consumers and their numbers, and
//! `delivery_paused` is told of a paused queue alone. Lists have null in the place of empty arrays. The old
//! address `workers/queues` serves the same. A queue that is a dead letter queue of another's consumer, or that a Worker
//! sends to, is not deleted (400, 11005); its own consumer goes with it, which is not documented. The bounds of `per_page` are
//! not documented: 1–100, default 100 here.
//!
//! Source: Cloudflare's OpenAPI document (queues), its documentation of limits, wrangler's
//! source, published live error bodies.

mod consumers;
mod messages;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use super::{Bound, Ctx, Handle, IdForm, Listed, Product, StandIn, is_duplicate, workers};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::paging::{Bounds, Page};
use crate::request::{Req, text};

const BOUNDS: Bounds = Bounds { default: 100, min: 1, max: 100, code: 10026 };
const DELAY_S_MAX: i64 = 86_400;
const RETENTION_S: std::ops::RangeInclusive<i64> = 60..=1_209_600;
const RETENTION_S_DEFAULT: i64 = 345_600;
const COLUMNS: &str = "id, name, jurisdiction, delivery_delay, retention_s, paused, created_us, modified_us, \
     purged_us";

/// A queue's row.
#[derive(Debug, Clone)]
struct Queue {
    id: String,
    name: String,
    jurisdiction: Option<String>,
    delivery_delay: i64,
    retention_s: i64,
    paused: bool,
    created_us: i64,
    modified_us: i64,
    purged_us: Option<i64>,
}

impl Queue {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            jurisdiction: row.get(2)?,
            delivery_delay: row.get(3)?,
            retention_s: row.get(4)?,
            paused: row.get(5)?,
            created_us: row.get(6)?,
            modified_us: row.get(7)?,
            purged_us: row.get(8)?,
        })
    }

    /// What the answer to a change has.
    fn brief(&self) -> Value {
        let mut settings = json!({
            "delivery_delay": self.delivery_delay, "message_retention_period": self.retention_s,
        });
        if let Some(map) = settings.as_object_mut().filter(|_| self.paused) {
            map.insert("delivery_paused".to_owned(), json!(true));
        }
        json!({
            "queue_id": self.id, "queue_name": self.name,
            "created_on": clock::micros(self.created_us),
            "modified_on": clock::micros(self.modified_us), "settings": settings,
        })
    }

    fn json(&self, db: &Connection) -> rusqlite::Result<Value> {
        let consumers = consumers::of_queue(db, self)?;
        let producers: Vec<Value> = workers::queue_producers(db, &self.name)?
            .iter()
            .map(|script| json!({"type": "worker", "script": script}))
            .collect();
        let mut out = self.brief();
        if let Some(map) = out.as_object_mut() {
            map.insert("producers_total_count".to_owned(), json!(producers.len()));
            map.insert("producers".to_owned(), json!(producers));
            map.insert("consumers_total_count".to_owned(), json!(consumers.len()));
            map.insert("consumers".to_owned(), json!(consumers));
            // Absent, not null, without one: wrangler shows a column for whatever is there.
            if let Some(jurisdiction) = &self.jurisdiction {
                map.insert("jurisdiction".to_owned(), json!(jurisdiction));
            }
        }
        Ok(out)
    }

    /// Takes the settings that a body names.
    fn set(&mut self, body: &Value) -> Result<(), Problem> {
        let Some(settings) = body.get("settings").filter(|value| !value.is_null()) else {
            return Ok(());
        };
        let seconds = |key: &str, range: std::ops::RangeInclusive<i64>| match settings.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                value.as_i64().filter(|n| range.contains(n)).map(Some).ok_or_else(|| {
                    let (low, high) = (range.start(), range.end());
                    let text = format!("Invalid {key}: must be between {low} and {high} seconds");
                    Problem::new(400, 100_128, text)
                })
            }
        };
        if let Some(delay) = seconds("delivery_delay", 0..=DELAY_S_MAX)? {
            self.delivery_delay = delay;
        }
        if let Some(retention) = seconds("message_retention_period", RETENTION_S)? {
            self.retention_s = retention;
        }
        if let Some(paused) = settings.get("delivery_paused").and_then(Value::as_bool) {
            self.paused = paused;
        }
        Ok(())
    }
}

/// Its row.
pub(super) const PRODUCT: Product = Product {
    bound: Some(Bound {
        api_type: "queue",
        field: "queue_name",
        exists: "SELECT 1 FROM queues WHERE name = ?",
        code: 11000,
        missing: |key| format!("Queue '{key}' does not exist."),
    }),
    listed: &[Listed { kind: "queue", path: "", name: "queue_name", id: "queue_id" }],
    stand_in: Some(StandIn {
        kind: "queue",
        id: IdForm::Hex,
        exists: "SELECT 1 FROM queues WHERE id = ?1 OR name = ?2",
        insert: "INSERT INTO queues (id, name, delivery_delay, retention_s, paused, created_us, modified_us)
                 VALUES (?1, ?2, 0, 345600, FALSE, ?3, ?3)",
    }),
    ..Product::of("queues", &["queues"], Handle::Account(handle))
};

/// Answers a call below `queues`.
pub(super) fn handle(ctx: &Ctx<'_>, req: &Req, rest: &[&str]) -> Result<Answer, Problem> {
    match (req.method.as_str(), rest) {
        ("GET", []) => return list(ctx, req),
        ("POST", []) => return create(ctx, req),
        (_, []) => return Err(req.bad_method()),
        _ => {}
    }
    let [id, rest @ ..] = rest else {
        return Err(req.no_route());
    };
    if !clock::is_hex_id(id) {
        return Err(req.no_route());
    }
    match (req.method.as_str(), rest) {
        ("GET", []) => {
            let found =
                ctx.cloud.store.read(|db| -> Result<_, Problem> { Ok(find(db, id)?.json(db)?) })?;
            Ok(Answer::ok(&found))
        }
        ("PUT" | "PATCH", []) => update(ctx, req, id),
        ("DELETE", []) => delete(ctx, id),
        ("POST", ["purge"]) => purge(ctx, req, id),
        ("GET", ["purge"]) => purge_status(ctx, id),
        (_, ["consumers", rest @ ..]) => consumers::handle(ctx, req, id, rest),
        ("GET", ["metrics"]) => messages::metrics(ctx, id),
        ("POST", ["messages", rest @ ..]) => messages::handle(ctx, req, id, rest),
        (_, [] | ["purge" | "metrics"] | ["messages", ..]) => Err(req.bad_method()),
        _ => Err(req.no_route()),
    }
}

fn malformed(detail: impl std::fmt::Display) -> Problem {
    Problem::new(400, 10026, format!("Invalid request body: {detail}"))
}

fn find(db: &Connection, id: &str) -> Result<Queue, Problem> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM queues WHERE id = ?"))?
        .query_row([id], Queue::from_row)
        .optional()?
        .ok_or_else(|| {
            let text = format!("Queue '{id}' not found. Please check the queue and try again.");
            Problem::new(404, 11000, text)
        })
}

fn list(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let page = Page::parse(&req.query, BOUNDS)?;
    let names: Vec<&str> = req.query.all("name").filter(|name| !name.is_empty()).collect();
    let names = if names.is_empty() { Value::Null } else { json!(names) };
    let filter = "FROM queues WHERE created_us <= ?1 AND \
                  (?2 = 'null' OR name IN (SELECT value FROM json_each(?2)))";
    let (rows, total) = ctx.cloud.store.read(|db| -> rusqlite::Result<_> {
        let (visible, names) = (ctx.visible_us(), names.to_string());
        let total = db
            .prepare_cached(&format!("SELECT count(*) {filter}"))?
            .query_row(params![visible, names], |row| row.get(0))?;
        let queues = db
            .prepare_cached(&format!("SELECT {COLUMNS} {filter} ORDER BY name LIMIT ?3 OFFSET ?4"))?
            .query_map(params![visible, names, page.limit(), page.offset()], Queue::from_row)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let rows =
            queues.iter().map(|queue| queue.json(db)).collect::<rusqlite::Result<Vec<_>>>()?;
        Ok((rows, total))
    })?;
    Ok(Answer::page(&json!(rows), page.info(rows.len(), total)).with_null_arrays())
}

fn checked_name(body: &Value) -> Result<Option<&str>, Problem> {
    match text(body, "queue_name") {
        None => Ok(None),
        Some(name) if is_name(name) => Ok(Some(name)),
        Some(name) => {
            let text = format!(
                "Queue name '{name}' is invalid: it must match \
                 ^[a-z0-9]([a-z0-9-]{{0,61}}[a-z0-9])?$."
            );
            Err(Problem::new(400, 11003, text))
        }
    }
}

fn is_name(name: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=63).contains(&name.len())
        && name.starts_with(edge)
        && name.ends_with(edge)
        && name.chars().all(|c| edge(c) || c == '-')
}

fn create(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let name = checked_name(&body)?.ok_or_else(|| malformed("queue_name is required"))?;
    let mut queue = Queue {
        id: clock::new_hex_id(),
        name: name.to_owned(),
        jurisdiction: text(&body, "jurisdiction").map(str::to_owned),
        delivery_delay: 0,
        retention_s: RETENTION_S_DEFAULT,
        paused: false,
        created_us: ctx.now_us,
        modified_us: ctx.now_us,
        purged_us: None,
    };
    queue.set(&body)?;
    ctx.cloud.store.write(|db| write(db, &queue))?;
    Ok(Answer::ok(&queue.brief()))
}

fn write(db: &Connection, queue: &Queue) -> Result<(), Problem> {
    let sql = format!(
        "INSERT INTO queues ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET name = ?2, delivery_delay = ?4, retention_s = ?5,
         paused = ?6, modified_us = ?8, purged_us = ?9"
    );
    let Queue { id, name, jurisdiction, .. } = queue;
    let written = db.prepare_cached(&sql)?.execute(params![
        id,
        name,
        jurisdiction,
        queue.delivery_delay,
        queue.retention_s,
        queue.paused,
        queue.created_us,
        queue.modified_us,
        queue.purged_us
    ]);
    match written {
        Err(error) if is_duplicate(&error) => {
            let text = format!(
                "Queue name '{name}' is already taken. Please use a different name and try again."
            );
            Err(Problem::new(409, 11009, text))
        }
        other => Ok(other.map(|_| ())?),
    }
}

fn update(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let name = checked_name(&body)?;
    let updated = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let mut queue = find(db, id)?;
        if req.method == http::Method::PUT {
            // A whole replacement: what is not named falls back.
            (queue.delivery_delay, queue.retention_s, queue.paused) =
                (0, RETENTION_S_DEFAULT, false);
        }
        queue.set(&body)?;
        if let Some(name) = name {
            name.clone_into(&mut queue.name);
        }
        queue.modified_us = ctx.now_us;
        write(db, &queue)?;
        Ok(queue)
    })?;
    Ok(Answer::ok(&updated.brief()))
}

fn delete(ctx: &Ctx<'_>, id: &str) -> Result<Answer, Problem> {
    ctx.cloud.store.write(|db| {
        let name = find(db, id)?.name;
        let used = db
            .prepare_cached(
                "SELECT 1 FROM queue_consumers WHERE dead_letter = ? AND queue_id <> ?",
            )?
            .exists([name.as_str(), id])?;
        if used {
            let text = format!(
                "Cannot delete queue '{name}' that serves as dead letter queue for consumers."
            );
            return Err(Problem::new(400, 11005, text));
        }
        let senders = workers::queue_producers(db, &name)?;
        if !senders.is_empty() {
            let text = format!(
                "Cannot delete queue '{name}' that is still referenced by a binding in a Worker. \
                 Unbind queue '{name}' from the Workers '{}', then try again.",
                senders.join("', '")
            );
            return Err(Problem::new(400, 11005, text));
        }
        db.execute("DELETE FROM queues WHERE id = ?", [id])?;
        Ok(())
    })?;
    Ok(Answer::null())
}

fn purge(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Answer, Problem> {
    let body = req.json_or_empty(malformed)?;
    if body.get("delete_messages_permanently").and_then(Value::as_bool) != Some(true) {
        return Err(malformed("delete_messages_permanently must be true"));
    }
    let queue = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let mut queue = find(db, id)?;
        db.execute("DELETE FROM queue_messages WHERE queue_id = ?", [id])?;
        queue.purged_us = Some(ctx.now_us);
        write(db, &queue)?;
        Ok(queue.json(db)?)
    })?;
    Ok(Answer::ok(&queue))
}

fn purge_status(ctx: &Ctx<'_>, id: &str) -> Result<Answer, Problem> {
    let queue = ctx.cloud.store.read(|db| find(db, id))?;
    let started = queue.purged_us.map(clock::micros);
    Ok(Answer::ok(&json!({"completed": "true", "started_at": started})))
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_have_1_to_63_characters() {
        assert!(is_name("a"));
        assert!(is_name(&"a".repeat(63)));
        for bad in ["", &"a".repeat(64), "-a", "a-", "a_b", "A"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
