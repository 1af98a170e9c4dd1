//! D1: databases, each on its own SQLite file.
//!
//! Endpoints below `accounts/{a}/d1/database`: list, create, get (by uuid or name), `PATCH`,
//! `PUT`, delete, `POST {id}/query`, `POST {id}/raw`, `POST {id}/import`, `POST {id}/export`,
//! `GET {id}/time_travel/bookmark`, `POST {id}/time_travel/restore`.
//!
//! Each call tells other fields: a create has the region that it was created in, a get the one that it
//! runs in, a list neither, and no `total_pages`. The size and the number of tables in a list are those
//! after the last change that was made here. A bad body of a create is answered without `result` and
//! `messages`.
//!
//! Limits: `per_page` 10–10000, default 100. Names `[a-zA-Z0-9][a-zA-Z0-9_-]*`, unique per
//! account; a length bound is not documented. `name` in the list is a search: here a substring.
//! Only `GET {id}` takes a name for the identifier, as wrangler's lookup needs; elsewhere a name
//! is 400 with 7400. Absent: quotas.
//!
//! Source: Cloudflare's OpenAPI document (d1), wrangler's source, published live error bodies.

mod dump;
mod limits;
mod query;
mod rows;
mod run;
mod time_travel;
mod transfer;

pub(crate) use self::transfer::{admit as admit_transfer, carry as carry_transfer};
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use super::{Ctx, Handle, IdForm, Listed, Product, StandIn, is_duplicate};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::paging::{Bounds, Page};
use crate::request::{BODY_BYTES_MAX, Req, text};

/// Bytes of a request with statements: a migration of the largest size that envc takes, escaped as JSON.
const SQL_BYTES_MAX: usize = 100 * 1024 * 1024;
const BOUNDS: Bounds = Bounds { default: 100, min: 10, max: 10_000, code: 7400 };
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
    file_bytes: i64,
    tables: i64,
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
            file_bytes: row.get(6)?,
            tables: row.get(7)?,
        })
    }

    /// What every answer has.
    fn list_item(&self) -> Value {
        json!({
            "uuid": self.uuid, "name": self.name, "version": "production",
            "created_at": clock::millis(self.created_us), "jurisdiction": self.jurisdiction,
            "file_size": self.file_bytes, "num_tables": self.tables,
        })
    }

    /// The whole object, with what its file says; its region has another name in each call.
    fn json(mut self, ctx: &Ctx<'_>, region: &str) -> Result<Value, Problem> {
        (self.file_bytes, self.tables) =
            ctx.cloud.store.with_d1(&self.uuid, |db| Ok(measure(db)?))?;
        let mut out = self.list_item();
        if let Some(map) = out.as_object_mut() {
            map.insert(region.to_owned(), json!(self.location.to_ascii_uppercase()));
            map.insert("read_replication".into(), json!({"mode": self.replication}));
        }
        Ok(out)
    }
}

/// After a change: keeps the version, and tells lists how large it is.
fn changed(ctx: &Ctx<'_>, uuid: &str, db: &Connection, number: i64) -> Result<(), Problem> {
    ctx.cloud.store.keep_version(uuid, db, number, clock::now_us());
    let (bytes, tables) = measure(db)?;
    ctx.cloud.store.write(|db| -> Result<_, Problem> {
        db.prepare_cached("UPDATE d1_databases SET file_bytes = ?, tables = ? WHERE uuid = ?")?
            .execute(params![bytes, tables, uuid])?;
        Ok(())
    })
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
    stand_in: Some(StandIn {
        kind: "d1",
        id: IdForm::Uuid,
        exists: "SELECT 1 FROM d1_databases WHERE uuid = ?1 OR name = ?2",
        insert: "INSERT INTO d1_databases (uuid, name, location, replication, created_us)
                 VALUES (?1, ?2, 'weur', 'disabled', ?3)",
    }),
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
        ("POST", [id, "import"]) => transfer::import(ctx, req, &find(ctx, id)?.uuid),
        ("POST", [id, "export"]) => transfer::export(ctx, req, &find(ctx, id)?.uuid),
        ("GET", [id, "time_travel", "bookmark"]) => time_travel::get(ctx, req, &find(ctx, id)?),
        ("POST", [id, "time_travel", "restore"]) => time_travel::restore(ctx, req, &find(ctx, id)?),
        (
            _,
            []
            | [_]
            | [_, "query" | "raw" | "import" | "export"]
            | [_, "time_travel", "bookmark" | "restore"],
        ) => Err(req.bad_method()),
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
            "SELECT {COLUMNS}, file_bytes, tables FROM d1_databases WHERE instr(name, ?1) > 0 AND created_us <= ?2 \
             ORDER BY created_us DESC, uuid LIMIT ?3 OFFSET ?4"
        );
        let rows = db
            .prepare_cached(&sql)?
            .query_map(params![name, visible, page.limit(), page.offset()], Database::from_row)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok((rows, total))
    })?;
    let items: Vec<Value> = rows.iter().map(Database::list_item).collect();
    Ok(Answer::page(&json!(items), page.brief(items.len(), total)))
}

fn create(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let bare = |detail: String| malformed(detail).bare();
    let body = req.json(|detail| malformed(detail).bare())?;
    let name = text(&body, "name");
    let name = name.ok_or_else(|| bare("Invalid property: name => Required".to_owned()))?;
    if !is_name(name) {
        return Err(bare("Invalid property: name => Invalid database name".to_owned()));
    }
    let one_of = |key: &str, allowed: &[&str]| match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(value)) if allowed.contains(&value.as_str()) => Ok(Some(value.clone())),
        Some(value) => {
            let allowed: Vec<String> =
                allowed.iter().map(|it| format!("'{}'", it.to_ascii_uppercase())).collect();
            Err(bare(format!(
                "Invalid property: {key} => Invalid enum value. Expected {}, received '{}'",
                allowed.join(" | "),
                value.as_str().unwrap_or_default()
            )))
        }
    };
    let location = one_of("primary_location_hint", &LOCATIONS)?;
    let jurisdiction = one_of("jurisdiction", &JURISDICTIONS)?;
    let replication =
        replication_mode(&body).map_err(Problem::bare)?.unwrap_or_else(|| "disabled".to_owned());
    let database = Database {
        uuid: clock::new_uuid(),
        name: name.to_owned(),
        location: location.unwrap_or_else(|| "weur".to_owned()),
        jurisdiction,
        replication,
        created_us: ctx.now_us,
        file_bytes: 0,
        tables: 0,
    };
    let store = &ctx.cloud.store;
    // The file first: a row without a file would be a broken database, a file without a row is
    // only litter.
    store.create_d1(&database.uuid)?;
    if let Err(problem) = store.write(|db| insert(db, &database)) {
        store.remove_d1(&database.uuid);
        return Err(problem);
    }
    Ok(Answer::ok(&database.json(ctx, "created_in_region")?))
}

fn insert(db: &Connection, database: &Database) -> Result<(), Problem> {
    let Database { uuid, name, location, jurisdiction, replication, created_us, .. } = database;
    let inserted = db
        .prepare_cached(&format!("INSERT INTO d1_databases ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"))?
        .execute(params![uuid, name, location, jurisdiction, replication, created_us]);
    match inserted {
        Err(error) if is_duplicate(&error) => {
            Err(Problem::new(400, 7502, format!("Database with name: '{name}' already exists")))
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
        db.prepare_cached(&format!(
            "SELECT {COLUMNS}, file_bytes, tables FROM d1_databases WHERE {column} = ?"
        ))?
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
    let mut result = database.json(ctx, "running_in_region")?;
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
    let database = Database { replication: mode, ..database };
    Ok(Answer::ok(&database.json(ctx, "running_in_region")?))
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
