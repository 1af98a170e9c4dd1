//! D1: databases, each on its own SQLite file.
//!
//! Endpoints below `accounts/{a}/d1/database`: list, create, get (by uuid or name), `PATCH`,
//! `PUT`, delete, `POST {id}/query`, `POST {id}/raw`, `GET {id}/time_travel/bookmark`.
//!
//! Limits: `per_page` 10–10000, default 1000. Names `[a-zA-Z0-9][a-zA-Z0-9_-]*`, unique per
//! account; a length bound is not documented. `name` in the list is a search: here a substring.
//! Only `GET {id}` takes a name for the identifier, as wrangler's lookup needs; elsewhere a name
//! is 400 with 7400. Absent: export, import, restore, quotas.
//!
//! Source: Cloudflare's OpenAPI document (d1), wrangler's source, published live error bodies.

mod limits;
mod query;
mod rows;
mod run;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use super::{Ctx, Handle, Listed, Product, is_duplicate};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::paging::{Bounds, Page};
use crate::request::{BODY_BYTES_MAX, Req, text};

/// Bytes of a request with statements: a migration of the largest size that envc takes, escaped as JSON.
const SQL_BYTES_MAX: usize = 100 * 1024 * 1024;
const BOUNDS: Bounds = Bounds { default: 1000, min: 10, max: 10_000, code: 7400 };
const LOCATIONS: [&str; 6] = ["wnam", "enam", "weur", "eeur", "apac", "oc"];
const JURISDICTIONS: [&str; 3] = ["eu", "fedramp", "us"];
const COLUMNS: &str = "uuid, name, location, jurisdiction, replication, created_us";

/// A database's row in the control plane.
#[derive(Debug)]
struct Database {
    uuid: String,
    name: String,
    location: String,
    jurisdiction: Option<String>,
    replication: String,
    created_us: i64,
}

impl Database {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            uuid: row.get(0)?,
            name: row.get(1)?,
            location: row.get(2)?,
            jurisdiction: row.get(3)?,
            replication: row.get(4)?,
            created_us: row.get(5)?,
        })
    }

    fn list_item(&self) -> Value {
        json!({
            "uuid": self.uuid, "name": self.name, "version": "production",
            "created_at": clock::millis(self.created_us), "jurisdiction": self.jurisdiction,
        })
    }

    /// The whole object, with what its file says.
    fn json(&self, ctx: &Ctx<'_>) -> Result<Value, Problem> {
        let (size, tables) = ctx.cloud.store.with_d1(&self.uuid, |db| Ok(measure(db)?))?;
        let region = self.location.to_ascii_uppercase();
        let mut out = self.list_item();
        if let Some(map) = out.as_object_mut() {
            map.insert("file_size".into(), json!(size));
            map.insert("num_tables".into(), json!(tables));
            map.insert("running_in_region".into(), json!(region));
            map.insert("created_in_region".into(), json!(region));
            map.insert("read_replication".into(), json!({"mode": self.replication}));
        }
        Ok(out)
    }
}

fn measure(db: &Connection) -> rusqlite::Result<(i64, i64)> {
    let tables = db.query_row(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' \
         ESCAPE '!' AND name NOT LIKE '!_cf!_%' ESCAPE '!'",
        [],
        |row| row.get(0),
    )?;
    Ok((run::file_bytes(db)?, tables))
}

/// Its row.
pub(super) const PRODUCT: Product = Product {
    listed: &[Listed { kind: "d1", path: "", name: "name", id: "uuid" }],
    body_bytes_max: |_, rest| match rest {
        [_, "query" | "raw"] => SQL_BYTES_MAX,
        _ => BODY_BYTES_MAX,
    },
    ..Product::of("d1", &["d1", "database"], Handle::Account(handle))
};

/// Answers a call below `d1/database`.
pub(super) fn handle(ctx: &Ctx<'_>, req: &Req, rest: &[&str]) -> Result<Answer, Problem> {
    match (req.method.as_str(), rest) {
        ("GET", []) => list(ctx, req),
        ("POST", []) => create(ctx, req),
        ("GET", [id]) => get(ctx, req, id),
        ("PUT" | "PATCH", [id]) => update(ctx, req, id),
        ("DELETE", [id]) => delete(ctx, id),
        ("POST", [id, "query"]) => query::answer(ctx, req, &find(ctx, id)?.uuid, rows::Shape::Rows),
        ("POST", [id, "raw"]) => query::answer(ctx, req, &find(ctx, id)?.uuid, rows::Shape::Raw),
        ("GET", [id, "time_travel", "bookmark"]) => bookmark(ctx, req, id),
        (_, [] | [_] | [_, "query" | "raw"] | [_, "time_travel", "bookmark"]) => {
            Err(req.bad_method())
        }
        _ => Err(req.no_route()),
    }
}

fn malformed(detail: impl std::fmt::Display) -> Problem {
    Problem::new(400, 7400, format!("The request is malformed: {detail}"))
}

fn missing(id: &str) -> Problem {
    Problem::new(404, 7404, format!("The database {id} could not be found"))
}

fn list(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let page = Page::parse(&req.query, BOUNDS)?;
    let name = req.query.get("name").unwrap_or("");
    let visible = ctx.visible_us();
    let (rows, total) = ctx.cloud.store.read(|db| -> Result<_, Problem> {
        let total = db
            .prepare_cached(
                "SELECT count(*) FROM d1_databases WHERE instr(name, ?1) > 0 AND created_us <= ?2",
            )?
            .query_row(params![name, visible], |row| row.get(0))?;
        let sql = format!(
            "SELECT {COLUMNS} FROM d1_databases WHERE instr(name, ?1) > 0 AND created_us <= ?2 \
             ORDER BY created_us DESC, uuid LIMIT ?3 OFFSET ?4"
        );
        let rows = db
            .prepare_cached(&sql)?
            .query_map(params![name, visible, page.limit(), page.offset()], Database::from_row)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok((rows, total))
    })?;
    let items: Vec<Value> = rows.iter().map(Database::list_item).collect();
    Ok(Answer::page(&json!(items), page.info(items.len(), total)))
}

fn create(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let name = text(&body, "name").ok_or_else(|| malformed("name: Required"))?;
    if !is_name(name) {
        return Err(malformed("name: Invalid database name"));
    }
    let one_of = |key: &str, allowed: &[&str]| match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) if allowed.contains(&value.as_str()) => Ok(Some(value.clone())),
        Some(_) => Err(malformed(format!("{key}: Invalid value"))),
    };
    let location = one_of("primary_location_hint", &LOCATIONS)?;
    let jurisdiction = one_of("jurisdiction", &JURISDICTIONS)?;
    let replication = replication_mode(&body)?.unwrap_or_else(|| "disabled".to_owned());
    let database = Database {
        uuid: clock::new_uuid(),
        name: name.to_owned(),
        location: location.unwrap_or_else(|| "weur".to_owned()),
        jurisdiction,
        replication,
        created_us: ctx.now_us,
    };
    let store = &ctx.cloud.store;
    // The file first: a row without a file would be a broken database, a file without a row is
    // only litter.
    store.create_d1(&database.uuid)?;
    if let Err(problem) = store.write(|db| insert(db, &database)) {
        store.remove_d1(&database.uuid);
        return Err(problem);
    }
    Ok(Answer::ok(&database.json(ctx)?))
}

fn insert(db: &Connection, database: &Database) -> Result<(), Problem> {
    let Database { uuid, name, location, jurisdiction, replication, created_us } = database;
    let inserted = db
        .prepare_cached(&format!("INSERT INTO d1_databases ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"))?
        .execute(params![uuid, name, location, jurisdiction, replication, created_us]);
    match inserted {
        Err(error) if is_duplicate(&error) => {
            Err(Problem::new(400, 7502, "A database with that name already exists"))
        }
        other => Ok(other.map(|_| ())?),
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn replication_mode(body: &Value) -> Result<Option<String>, Problem> {
    match body.get("read_replication") {
        None | Some(Value::Null) => Ok(None),
        Some(replication) => match text(replication, "mode") {
            Some(mode @ ("auto" | "disabled")) => Ok(Some(mode.to_owned())),
            _ => Err(malformed("read_replication.mode: Invalid value")),
        },
    }
}

/// The database of a path, by uuid alone.
fn find(ctx: &Ctx<'_>, id: &str) -> Result<Database, Problem> {
    if !clock::is_uuid(id) {
        return Err(malformed("failed to decode id"));
    }
    find_by(ctx, "uuid", id)
}

fn find_by(ctx: &Ctx<'_>, column: &'static str, value: &str) -> Result<Database, Problem> {
    let found = ctx.cloud.store.read(|db| {
        db.prepare_cached(&format!("SELECT {COLUMNS} FROM d1_databases WHERE {column} = ?"))?
            .query_row([value], Database::from_row)
            .optional()
    })?;
    found.ok_or_else(|| missing(value))
}

fn get(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Answer, Problem> {
    if id.is_empty() {
        return Err(req.no_route());
    }
    let database = find_by(ctx, if clock::is_uuid(id) { "uuid" } else { "name" }, id)?;
    let mut result = database.json(ctx)?;
    if let (Some(fields), Some(map)) = (req.query.get("fields"), result.as_object_mut()) {
        map.retain(|key, _| fields.split(',').any(|field| field.trim() == key));
    }
    Ok(Answer::ok(&result))
}

fn update(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Answer, Problem> {
    let database = find(ctx, id)?;
    let body = req.json(malformed)?;
    let Some(mode) = replication_mode(&body)? else {
        return Err(if req.method == http::Method::PUT {
            malformed("read_replication: Required")
        } else {
            Problem::new(400, 7500, "internal error: nothing to update")
        });
    };
    ctx.cloud.store.write(|db| -> Result<_, Problem> {
        db.execute("UPDATE d1_databases SET replication = ? WHERE uuid = ?", [&mode, id])?;
        Ok(())
    })?;
    Ok(Answer::ok(&Database { replication: mode, ..database }.json(ctx)?))
}

fn delete(ctx: &Ctx<'_>, id: &str) -> Result<Answer, Problem> {
    find(ctx, id)?;
    let gone = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        Ok(db.execute("DELETE FROM d1_databases WHERE uuid = ?", [id])?)
    })?;
    if gone == 0 {
        return Err(missing(id));
    }
    ctx.cloud.store.remove_d1(id);
    Ok(Answer::null())
}

/// Every write moves the bookmark; bookmarks sort in the order of time.
fn bookmark(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Answer, Problem> {
    let database = find(ctx, id)?;
    if let Some(at) = req.query.get("timestamp") {
        at.parse::<jiff::Timestamp>().map_err(|_| malformed("timestamp: Invalid date"))?;
    }
    let count: i64 = ctx.cloud.store.with_d1(&database.uuid, |db| {
        Ok(db.query_row("SELECT value FROM _cf_KV WHERE key = 'bookmark'", [], |row| row.get(0))?)
    })?;
    let tail: String = database.uuid.chars().filter(|c| *c != '-').collect();
    Ok(Answer::ok(&json!({"bookmark": format!("{count:08x}-00000000-00004c6d-{tail}")})))
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names() {
        for good in ["a", "App_db-1", "9"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "-a", "_a", "a b", "a.b", "ä"] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
