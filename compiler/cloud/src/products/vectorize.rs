//! Vectorize: indexes, by the second version of the API.
//!
//! Endpoints below `accounts/{a}/vectorize/v2/indexes`: list (one page, no filter), create, get,
//! delete. Vectors, metadata indexes and presets are absent.
//!
//! Facts: an index is named by its name, up to 64 bytes, unique per account (3002). It has up to
//! 1,536 dimensions and one of three metrics (3003); no call changes it. A deleted one answers 410
//! (3005) and its name can be taken again; one that never was answers 404 (3000). A bound index can
//! be deleted.
//!
//! Source: Cloudflare's SDK and Vectorize documentation, published live error codes, checked November
//! 2026. Not documented: what names may look like, the fewest dimensions, the statuses of 3000 to
//! 3003, and how long 410 lasts, which is here until the name is taken again.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use super::{Bound, Ctx, Handle, IdForm, Listed, Product, StandIn, Table, is_duplicate};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::request::{Req, text};

const NAME_BYTES_MAX: usize = 64;
const DIMENSIONS_MAX: i64 = 1_536;
const METRICS: [&str; 3] = ["cosine", "euclidean", "dot-product"];
const COLUMNS: &str = "name, description, dimensions, metric, created_us, deleted";

/// Its row.
pub(super) const PRODUCT: Product = Product {
    tables: &[Table {
        name: "vectorize_indexes",
        sql: "CREATE TABLE vectorize_indexes (
            name TEXT PRIMARY KEY, description TEXT NOT NULL, dimensions INTEGER NOT NULL,
            metric TEXT NOT NULL, created_us INTEGER NOT NULL, deleted INTEGER NOT NULL
        ) STRICT",
    }],
    bound: Some(Bound {
        api_type: "vectorize",
        field: "index_name",
        exists: "SELECT 1 FROM vectorize_indexes WHERE name = ? AND NOT deleted",
        code: 10159,
        missing: |key| format!("Vectorize index '{key}' not found."),
    }),
    listed: &[Listed { kind: "vectorize", path: "", name: "name", id: "name" }],
    stand_in: Some(StandIn {
        kind: "vectorize",
        id: IdForm::Name,
        exists: "SELECT 1 FROM vectorize_indexes WHERE name IN (?1, ?2)",
        insert: "INSERT INTO vectorize_indexes (name, description, dimensions, metric, created_us, deleted)
                 VALUES (?1, '', 768, 'cosine', ?3, FALSE)",
    }),
    ..Product::of("vectorize", &["vectorize", "v2", "indexes"], Handle::Account(handle))
};

/// An index's row.
#[derive(Debug)]
struct Index {
    name: String,
    description: String,
    dimensions: i64,
    metric: String,
    created_us: i64,
    deleted: bool,
}

impl Index {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            name: row.get(0)?,
            description: row.get(1)?,
            dimensions: row.get(2)?,
            metric: row.get(3)?,
            created_us: row.get(4)?,
            deleted: row.get(5)?,
        })
    }

    /// Reads the body of a create.
    fn read(body: &Value, now_us: i64) -> Result<Self, Problem> {
        let name = text(body, "name").filter(|name| is_name(name));
        let name = name.ok_or_else(|| Problem::new(400, 3001, "vectorize.index.invalid_name"))?;
        let config = body.get("config").ok_or_else(|| invalid("config is required"))?;
        let dimensions = config.get("dimensions").and_then(Value::as_i64);
        let dimensions = dimensions.filter(|it| (1..=DIMENSIONS_MAX).contains(it));
        let metric = text(config, "metric").filter(|metric| METRICS.contains(metric));
        Ok(Self {
            name: name.to_owned(),
            description: text(body, "description").unwrap_or_default().to_owned(),
            dimensions: dimensions.ok_or_else(|| invalid("dimensions must be from 1 to 1536"))?,
            metric: metric.ok_or_else(|| invalid("metric is none that is known"))?.to_owned(),
            created_us: now_us,
            deleted: false,
        })
    }

    fn json(&self) -> Value {
        let created = clock::micros(self.created_us);
        json!({
            "name": self.name, "description": self.description,
            "config": { "dimensions": self.dimensions, "metric": self.metric },
            "created_on": created, "modified_on": created,
        })
    }
}

/// Answers a call below `vectorize/v2/indexes`.
pub(super) fn handle(ctx: &Ctx<'_>, req: &Req, rest: &[&str]) -> Result<Answer, Problem> {
    match (req.method.as_str(), rest) {
        ("GET", []) => list(ctx),
        ("POST", []) => create(ctx, req),
        ("GET", [name]) => Ok(Answer::ok(&ctx.cloud.store.read(|db| find(db, name))?.json())),
        ("DELETE", [name]) => delete(ctx, name),
        (_, [] | [_]) => Err(req.bad_method()),
        _ => Err(req.no_route()),
    }
}

fn invalid(detail: &str) -> Problem {
    Problem::new(400, 3003, format!("vectorize.index.invalid_config: {detail}"))
}

fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn find(db: &Connection, name: &str) -> Result<Index, Problem> {
    let found = db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM vectorize_indexes WHERE name = ?"))?
        .query_row([name], Index::from_row)
        .optional()?;
    match found {
        Some(index) if index.deleted => {
            Err(Problem::new(410, 3005, "vectorize.index.deleted: the index was deleted"))
        }
        Some(index) => Ok(index),
        None => Err(Problem::new(404, 3000, "vectorize.index.not_found: there is no such index")),
    }
}

fn list(ctx: &Ctx<'_>) -> Result<Answer, Problem> {
    let visible = ctx.visible_us();
    let rows = ctx.cloud.store.read(|db| {
        let sql = format!(
            "SELECT {COLUMNS} FROM vectorize_indexes WHERE created_us <= ? AND NOT deleted \
             ORDER BY created_us, name"
        );
        db.prepare_cached(&sql)?
            .query_map([visible], Index::from_row)?
            .collect::<rusqlite::Result<Vec<_>>>()
    })?;
    let rows: Vec<Value> = rows.iter().map(Index::json).collect();
    Ok(Answer::ok(&json!(rows)))
}

fn create(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let body = req.json(|detail| invalid(&detail))?;
    let index = Index::read(&body, ctx.now_us)?;
    ctx.cloud
        .store
        .write(|db| -> rusqlite::Result<_> {
            db.execute("DELETE FROM vectorize_indexes WHERE name = ? AND deleted", [&index.name])?;
            let sql =
                format!("INSERT INTO vectorize_indexes ({COLUMNS}) VALUES (?, ?, ?, ?, ?, FALSE)");
            db.prepare_cached(&sql)?.execute(params![
                index.name,
                index.description,
                index.dimensions,
                index.metric,
                index.created_us
            ])
        })
        .map_err(|error| {
            if is_duplicate(&error) {
                Problem::new(409, 3002, "vectorize.index.duplicate_name")
            } else {
                error.into()
            }
        })?;
    Ok(Answer::ok(&index.json()))
}

fn delete(ctx: &Ctx<'_>, name: &str) -> Result<Answer, Problem> {
    ctx.cloud.store.write(|db| {
        find(db, name)?;
        db.execute("UPDATE vectorize_indexes SET deleted = TRUE WHERE name = ?", [name])?;
        Ok::<_, Problem>(())
    })?;
    Ok(Answer::null())
}
