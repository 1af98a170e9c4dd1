//! Hyperdrive configs.
//!
//! Endpoints below `accounts/{a}/hyperdrive/configs`: list (no filter by name), create, get, `PUT`,
//! `PATCH`, delete, `POST {id}/restart`.
//!
//! Facts: names are unique per account (2017). An origin has scheme, database, user and password, and
//! exactly one place: host and port, host and an Access client, or a VPC service. Password and
//! Access secret are in no answer. A private address is refused (2009); the real product opens a
//! connection (2015 when it cannot), which the local cloud never does: the fault
//! `unreachable-origin` answers as if. `PUT` wants the whole with the password, resets the cache, and
//! keeps `mtls` and the limit; `PATCH` takes any part, and an empty name leaves the name alone. Times
//! of the cache are lost when it is switched off; values that are equal to their defaults are left
//! out of answers. A bound config can be deleted.
//!
//! Source: Cloudflare's OpenAPI document and Hyperdrive documentation, its SDKs, published live error
//! bodies, checked November 2026. The statuses of 2006 to 2017 and the bounds of a page are not
//! documented.

use std::net::IpAddr;

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Map, Value, json};

use super::{Bound, Ctx, Handle, IdForm, Listed, Product, StandIn, is_duplicate};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::faults::Flag;
use crate::paging::{Bounds, Page};
use crate::request::{Req, text};

const BOUNDS: Bounds = Bounds { default: 20, min: 1, max: 100, code: 2007 };
/// Bytes of the name of a user or a database.
const NAME_BYTES_MAX: usize = 63;
const LIMIT_MAX: i64 = 100;
const MAX_AGE_S: i64 = 60;
const STALE_S: i64 = 15;
/// What no answer has.
const SECRETS: [&str; 2] = ["password", "access_client_secret"];
const COLUMNS: &str =
    "id, name, origin, caching, mtls, connection_limit, created_us, modified_us, restarted_us";

/// A config's row.
#[derive(Debug, Clone)]
struct Config {
    id: String,
    name: String,
    /// With its secrets.
    origin: Map<String, Value>,
    caching: Map<String, Value>,
    mtls: Value,
    limit: Option<i64>,
    created_us: i64,
    modified_us: i64,
    restarted_us: Option<i64>,
}

impl Config {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let object = |text: String| match serde_json::from_str(&text) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            origin: object(row.get(2)?),
            caching: object(row.get(3)?),
            mtls: serde_json::from_str(&row.get::<_, String>(4)?).unwrap_or_default(),
            limit: row.get(5)?,
            created_us: row.get(6)?,
            modified_us: row.get(7)?,
            restarted_us: row.get(8)?,
        })
    }

    fn json(&self) -> Value {
        let mut origin = self.origin.clone();
        origin.retain(|key, _| !SECRETS.contains(&key.as_str()));
        let mut out = json!({
            "id": self.id, "name": self.name, "origin": origin, "caching": self.caching,
            "created_on": clock::micros(self.created_us),
            "modified_on": clock::micros(self.modified_us),
        });
        if let Some(map) = out.as_object_mut() {
            if !self.mtls.is_null() {
                map.insert("mtls".to_owned(), self.mtls.clone());
            }
            if let Some(limit) = self.limit {
                map.insert("origin_connection_limit".to_owned(), json!(limit));
            }
            if let Some(restarted_us) = self.restarted_us {
                map.insert("restarted_on".to_owned(), json!(clock::micros(restarted_us)));
            }
        }
        out
    }

    /// Takes what a body names, and says whether that opens a connection.
    fn set(&mut self, body: &Value) -> Result<bool, Problem> {
        let given = |key: &str| body.get(key).filter(|value| !value.is_null());
        if let Some(origin) = given("origin") {
            let fields = origin.as_object().ok_or_else(|| invalid("origin must be an object"))?;
            let place = |key: &str| fields.contains_key(key);
            if place("host") || place("service_id") {
                // Another place takes the place of the one before.
                let places =
                    ["host", "port", "access_client_id", "access_client_secret", "service_id"];
                self.origin.retain(|key, _| !places.contains(&key.as_str()));
            }
            self.origin.extend(fields.clone());
        }
        if let Some(caching) = given("caching") {
            self.caching = checked_caching(caching, &self.caching)?;
        }
        if let Some(mtls) = given("mtls") {
            self.mtls = mtls.clone();
        }
        if let Some(limit) = given("origin_connection_limit") {
            let limit = limit.as_i64().filter(|limit| (1..=LIMIT_MAX).contains(limit));
            self.limit = Some(limit.ok_or_else(|| invalid("origin_connection_limit is invalid"))?);
        }
        Ok(given("origin").is_some())
    }
}

/// Its row.
pub(super) const PRODUCT: Product = Product {
    bound: Some(Bound {
        api_type: "hyperdrive",
        field: "id",
        exists: "SELECT 1 FROM hyperdrive_configs WHERE id = ?",
        code: 10157,
        missing: |key| format!("Hyperdrive config '{key}' not found."),
    }),
    listed: &[Listed { kind: "hyperdrive", path: "", name: "name", id: "id" }],
    stand_in: Some(StandIn {
        kind: "hyperdrive",
        id: IdForm::Hex,
        exists: "SELECT 1 FROM hyperdrive_configs WHERE id = ?1 OR name = ?2",
        insert: r#"INSERT INTO hyperdrive_configs
            (id, name, origin, caching, mtls, created_us, modified_us) VALUES (?1, ?2,
            '{"scheme": "postgres", "host": "stand-in.invalid", "port": 5432, "database": "x", "user": "x"}',
            '{"disabled": false}', 'null', ?3, ?3)"#,
    }),
    ..Product::of("hyperdrive", &["hyperdrive", "configs"], Handle::Account(handle))
};

/// Answers a call below `hyperdrive/configs`.
pub(super) fn handle(ctx: &Ctx<'_>, req: &Req, rest: &[&str]) -> Result<Answer, Problem> {
    match (req.method.as_str(), rest) {
        ("GET", []) => return list(ctx, req),
        ("POST", []) => return create(ctx, req),
        (_, [] | [""]) => return Err(Problem::new(405, 10405, "method not allowed")),
        _ => {}
    }
    let [id, rest @ ..] = rest else {
        return Err(req.no_route());
    };
    if !clock::is_hex_id(id) {
        return Err(req.no_route());
    }
    match (req.method.as_str(), rest) {
        ("GET", []) => Ok(Answer::ok(&ctx.cloud.store.read(|db| find(db, id))?.json())),
        ("PUT", []) => replace(ctx, req, id),
        ("PATCH", []) => change(ctx, req, id),
        ("DELETE", []) => delete(ctx, id),
        ("POST", ["restart"]) => restart(ctx, id),
        (_, [] | ["restart"]) => Err(req.bad_method()),
        _ => Err(req.no_route()),
    }
}

fn invalid(detail: impl std::fmt::Display) -> Problem {
    Problem::new(400, 2007, format!("Invalid Hyperdrive config: {detail}"))
}

fn find(db: &Connection, id: &str) -> Result<Config, Problem> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM hyperdrive_configs WHERE id = ?"))?
        .query_row([id], Config::from_row)
        .optional()?
        .ok_or_else(|| Problem::new(404, 2006, "Hyperdrive config not found"))
}

fn list(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let page = Page::parse(&req.query, BOUNDS)?;
    let visible = ctx.visible_us();
    let (rows, total) = ctx.cloud.store.read(|db| -> rusqlite::Result<_> {
        let total = db
            .prepare_cached("SELECT count(*) FROM hyperdrive_configs WHERE created_us <= ?")?
            .query_row([visible], |row| row.get(0))?;
        let sql = format!(
            "SELECT {COLUMNS} FROM hyperdrive_configs WHERE created_us <= ? ORDER BY created_us, id \
             LIMIT ? OFFSET ?"
        );
        let rows = db
            .prepare_cached(&sql)?
            .query_map(params![visible, page.limit(), page.offset()], Config::from_row)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok((rows, total))
    })?;
    let rows: Vec<Value> = rows.iter().map(Config::json).collect();
    Ok(Answer::page(&json!(rows), page.info(rows.len(), total)))
}

fn create(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let body = req.json(invalid)?;
    let name = text(&body, "name").filter(|name| !name.is_empty());
    let mut config = Config {
        id: clock::new_hex_id(),
        name: name.ok_or_else(|| invalid("name is required"))?.to_owned(),
        origin: Map::new(),
        caching: checked_caching(&json!({}), &Map::new())?,
        mtls: Value::Null,
        limit: None,
        created_us: ctx.now_us,
        modified_us: ctx.now_us,
        restarted_us: None,
    };
    config.set(&body)?;
    check_origin(ctx, &config.origin)?;
    ctx.cloud.store.write(|db| write(db, &config))?;
    Ok(Answer::ok(&config.json()))
}

fn replace(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Answer, Problem> {
    let body = req.json(invalid)?;
    let name = text(&body, "name").filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| invalid("name is required"))?;
    let replaced = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let mut config = find(db, id)?;
        name.clone_into(&mut config.name);
        // The password of before does not count.
        config.origin = Map::new();
        config.caching = checked_caching(&json!({}), &Map::new())?;
        config.set(&body)?;
        check_origin(ctx, &config.origin)?;
        config.modified_us = ctx.now_us;
        write(db, &config)?;
        Ok(config)
    })?;
    Ok(Answer::ok(&replaced.json()))
}

fn change(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Answer, Problem> {
    let body = req.json(invalid)?;
    let changed = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let mut config = find(db, id)?;
        if let Some(name) = text(&body, "name").filter(|name| !name.is_empty()) {
            name.clone_into(&mut config.name);
        }
        if config.set(&body)? {
            check_origin(ctx, &config.origin)?;
        }
        config.modified_us = ctx.now_us;
        write(db, &config)?;
        Ok(config)
    })?;
    Ok(Answer::ok(&changed.json()))
}

fn restart(ctx: &Ctx<'_>, id: &str) -> Result<Answer, Problem> {
    let restarted = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let config = Config { restarted_us: Some(ctx.now_us), ..find(db, id)? };
        write(db, &config)?;
        Ok(config)
    })?;
    Ok(Answer::ok(&restarted.json()))
}

fn delete(ctx: &Ctx<'_>, id: &str) -> Result<Answer, Problem> {
    ctx.cloud.store.write(|db| {
        find(db, id)?;
        db.execute("DELETE FROM hyperdrive_configs WHERE id = ?", [id])?;
        Ok::<_, Problem>(())
    })?;
    Ok(Answer::null())
}

fn write(db: &Connection, config: &Config) -> Result<(), Problem> {
    let sql = format!(
        "INSERT INTO hyperdrive_configs ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET name = ?2, origin = ?3, caching = ?4, mtls = ?5,
         connection_limit = ?6, modified_us = ?8, restarted_us = ?9"
    );
    let written = db.prepare_cached(&sql)?.execute(params![
        config.id,
        config.name,
        json!(config.origin).to_string(),
        json!(config.caching).to_string(),
        config.mtls.to_string(),
        config.limit,
        config.created_us,
        config.modified_us,
        config.restarted_us
    ]);
    match written {
        Err(error) if is_duplicate(&error) => {
            let text = "A Hyperdrive config with the given name already exists";
            Err(Problem::new(400, 2017, text))
        }
        other => Ok(other.map(|_| ())?),
    }
}

/// Refuses an origin that is not whole, and one that Cloudflare does not reach.
fn check_origin(ctx: &Ctx<'_>, origin: &Map<String, Value>) -> Result<(), Problem> {
    let field = |key: &str| origin.get(key).and_then(Value::as_str).filter(|it| !it.is_empty());
    for key in ["scheme", "database", "user", "password"] {
        field(key).ok_or_else(|| invalid(format!("origin.{key} is required")))?;
    }
    if !matches!(field("scheme"), Some("postgres" | "postgresql" | "mysql")) {
        return Err(invalid("origin.scheme must be postgres, postgresql or mysql"));
    }
    for key in ["database", "user"] {
        if field(key).is_some_and(|name| name.len() > NAME_BYTES_MAX) {
            return Err(invalid(format!("origin.{key} is longer than {NAME_BYTES_MAX} bytes")));
        }
    }
    match (field("host"), field("service_id")) {
        (None, Some(_)) => {}
        (Some(host), None) => {
            if is_private(host) {
                return Err(Problem::new(400, 2009, "Private hosts are not supported"));
            }
            let port = origin
                .get("port")
                .is_none_or(|port| port.as_u64().is_some_and(|port| (1..=65_535).contains(&port)));
            if !port {
                return Err(invalid("origin.port must be a number from 1 to 65535"));
            }
            if field("access_client_id").is_some() != field("access_client_secret").is_some() {
                return Err(invalid("an Access client has an ID and a secret"));
            }
        }
        _ => return Err(invalid("origin needs exactly one of host and service_id")),
    }
    if ctx.cloud.injector.faults.has(Flag::UnreachableOrigin) {
        let text = "Failed to connect to the provided database: Host Unreachable";
        return Err(Problem::new(400, 2015, text));
    }
    Ok(())
}

fn is_private(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => {
            ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified()
        }
        Ok(IpAddr::V6(ip)) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
        }
        Err(_) => bare.eq_ignore_ascii_case("localhost"),
    }
}

/// The cache after a change, as answers have it: without what is equal to its default.
fn checked_caching(
    given: &Value,
    before: &Map<String, Value>,
) -> Result<Map<String, Value>, Problem> {
    let seconds = |key: &str, default: i64| match given.get(key).or_else(|| before.get(key)) {
        None | Some(Value::Null) => Ok(default),
        Some(value) => value
            .as_i64()
            .filter(|seconds| *seconds >= 0)
            .ok_or_else(|| invalid(format!("caching.{key} must be a number of seconds"))),
    };
    let disabled = given.get("disabled").or_else(|| before.get("disabled"));
    let disabled = match disabled {
        None | Some(Value::Null) => false,
        Some(value) => {
            value.as_bool().ok_or_else(|| invalid("caching.disabled must be true or false"))?
        }
    };
    let mut out = Map::from_iter([("disabled".to_owned(), json!(disabled))]);
    for (key, default) in [("max_age", MAX_AGE_S), ("stale_while_revalidate", STALE_S)] {
        let seconds = seconds(key, default)?;
        if !disabled && seconds != default {
            out.insert(key.to_owned(), json!(seconds));
        }
    }
    Ok(out)
}
