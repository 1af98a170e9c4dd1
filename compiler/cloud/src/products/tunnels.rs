//! Cloudflare Tunnel: tunnels, their tokens and connections.
//!
//! Endpoints below `accounts/{a}/cfd_tunnel`: list, create, get, `PATCH`, delete,
//! `GET {id}/token`, `GET` and `DELETE {id}/connections`; configurations are in their own file.
//! No connector ever connects by itself: `POST /__local/tunnels/{id}/connect` says that one did.
//!
//! Facts: deletion is soft: the list shows the deleted with `is_deleted=true` alone, `GET {id}` still
//! answers, without `config_src`, and the name is free again. Names are unique among the living (409, 1013).
//! A tunnel with connections is not deleted (400, 1022) unless `cascade=true`; they are told by
//! `connections` alone. The secret is documented to be base64 of at least 32 bytes, and one of 24 is taken; it
//! shows only inside the token. `per_page` 1–1000, default 1000; no `total_pages`.
//!
//! Not published: the code of a bad name or secret (1001 here), what a second deletion answers
//! (404 with 1002 here). Of the time filters only `existed_at` is honoured.
//!
//! Source: Cloudflare's OpenAPI document (tunnel), wrangler's source, published error bodies.

mod configuration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use super::{Ctx, Handle, IdForm, Listed, Product, StandIn, is_duplicate};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::paging::{Bounds, Page};
use crate::request::{Query, Req, text};

const BOUNDS: Bounds = Bounds { default: 1000, min: 1, max: 1000, code: 1001 };
const SECRET_BYTES_MIN: usize = 24;
/// Bytes of a secret that is made here.
const SECRET_BYTES: usize = 32;
const SELECT: &str = "SELECT id, name, secret, config_src, created_us, deleted_us, active_us, \
     inactive_us, (SELECT count(*) FROM tunnel_connections WHERE tunnel_id = tunnels.id) \
     FROM tunnels";

/// A tunnel's row.
#[derive(Debug)]
struct Tunnel {
    id: String,
    name: String,
    secret: String,
    config_src: String,
    created_us: i64,
    deleted_us: Option<i64>,
    active_us: Option<i64>,
    inactive_us: Option<i64>,
    connections: i64,
}

impl Tunnel {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            secret: row.get(2)?,
            config_src: row.get(3)?,
            created_us: row.get(4)?,
            deleted_us: row.get(5)?,
            active_us: row.get(6)?,
            inactive_us: row.get(7)?,
            connections: row.get(8)?,
        })
    }

    fn status(&self) -> &'static str {
        match (self.connections, self.active_us) {
            (1.., _) => "healthy",
            (_, None) => "inactive",
            (_, Some(_)) => "down",
        }
    }

    fn json(&self, ctx: &Ctx<'_>) -> Value {
        let inactive_us = self.inactive_us.filter(|_| self.connections == 0);
        let is_remote = self.config_src == "cloudflare" && self.deleted_us.is_none();
        let mut out = json!({
            "id": self.id, "account_tag": ctx.cloud.account_id, "name": self.name,
            "created_at": clock::micros(self.created_us),
            "deleted_at": self.deleted_us.map(clock::micros),
            "conns_active_at": self.active_us.map(clock::micros),
            "conns_inactive_at": inactive_us.map(clock::micros),
            "tun_type": "cfd_tunnel", "metadata": {}, "status": self.status(),
            "remote_config": is_remote,
        });
        if let Some(map) = out.as_object_mut().filter(|_| self.deleted_us.is_none()) {
            map.insert("config_src".to_owned(), json!(self.config_src));
        }
        out
    }

    fn token(&self, ctx: &Ctx<'_>) -> String {
        let parts = json!({"a": ctx.cloud.account_id, "t": self.id, "s": self.secret});
        STANDARD.encode(parts.to_string())
    }

    fn matches(&self, query: &Query) -> bool {
        let has = |key: &str, test: &dyn Fn(&str) -> bool| query.get(key).is_none_or(test);
        has("name", &|name| self.name == name)
            && (query.get("is_deleted") == Some("true")) == self.deleted_us.is_some()
            && has("status", &|status| self.status() == status)
            && has("uuid", &|id| self.id == id)
            && has("include_prefix", &|prefix| self.name.starts_with(prefix))
            && has("exclude_prefix", &|prefix| !self.name.starts_with(prefix))
            && has("existed_at", &|at| {
                at.parse::<jiff::Timestamp>().is_ok_and(|at| {
                    let at = at.as_microsecond();
                    self.created_us <= at && self.deleted_us.is_none_or(|deleted| deleted > at)
                })
            })
    }
}

/// Its row.
pub(super) const PRODUCT: Product = Product {
    listed: &[Listed { kind: "tunnel", path: "?is_deleted=false", name: "name", id: "id" }],
    stand_in: Some(StandIn {
        kind: "tunnel",
        id: IdForm::Uuid,
        exists: "SELECT 1 FROM tunnels WHERE deleted_us IS NULL AND (id = ?1 OR name = ?2)",
        insert: "INSERT INTO tunnels (id, name, secret, config_src, created_us, inactive_us, config_version)
                 VALUES (?1, ?2, 'c3RhbmQtaW4tc3RhbmQtaW4tc3RhbmQtaW4=', 'cloudflare', ?3, ?3, 0)",
    }),
    ..Product::of("tunnel", &["cfd_tunnel"], Handle::Account(handle))
};

/// Answers a call below `cfd_tunnel`.
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
    if !clock::is_uuid(id) {
        return Err(req.no_route());
    }
    match (req.method.as_str(), rest) {
        ("GET", []) => {
            let tunnel = ctx.cloud.store.read(|db| find(db, id))?;
            Ok(Answer::ok(&tunnel.json(ctx)))
        }
        ("PATCH", []) => update(ctx, req, id),
        ("DELETE", []) => delete(ctx, req, id),
        ("GET", ["token"]) => {
            let tunnel = ctx.cloud.store.read(|db| find_live(db, id))?;
            Ok(Answer::ok(&json!(tunnel.token(ctx))))
        }
        ("GET", ["connections"]) => connections(ctx, id),
        ("DELETE", ["connections"]) => {
            close(ctx, id, req.query.get("client_id"))?;
            Ok(Answer::ok(&json!({})))
        }
        ("GET", ["configurations"]) => configuration::get(ctx, id),
        ("PUT", ["configurations"]) => configuration::put(ctx, req, id),
        (_, [] | ["token" | "connections" | "configurations"]) => Err(req.bad_method()),
        _ => Err(req.no_route()),
    }
}

fn find(db: &Connection, id: &str) -> Result<Tunnel, Problem> {
    db.prepare_cached(&format!("{SELECT} WHERE id = ?"))?
        .query_row([id], Tunnel::from_row)
        .optional()?
        .ok_or_else(|| Problem::new(404, 1002, "Tunnel not found"))
}

fn find_live(db: &Connection, id: &str) -> Result<Tunnel, Problem> {
    let tunnel = find(db, id)?;
    if tunnel.deleted_us.is_some() {
        return Err(Problem::new(404, 1002, "Tunnel not found"));
    }
    Ok(tunnel)
}

fn list(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let page = Page::parse(&req.query, BOUNDS)?;
    let mut tunnels = ctx.cloud.store.read(|db| {
        db.prepare_cached(&format!("{SELECT} WHERE created_us <= ? ORDER BY created_us DESC, id"))?
            .query_map([ctx.visible_us()], Tunnel::from_row)?
            .collect::<rusqlite::Result<Vec<_>>>()
    })?;
    tunnels.retain(|tunnel| tunnel.matches(&req.query));
    let total = i64::try_from(tunnels.len()).unwrap_or(i64::MAX);
    let rows: Vec<Value> = page.cut(tunnels).iter().map(|tunnel| tunnel.json(ctx)).collect();
    Ok(Answer::page(&json!(rows), page.brief(rows.len(), total)))
}

fn malformed(detail: impl std::fmt::Display) -> Problem {
    Problem::new(400, 1001, format!("Invalid request: {detail}"))
}

fn checked_secret(body: &Value) -> Result<Option<String>, Problem> {
    let Some(secret) = text(body, "tunnel_secret").filter(|secret| !secret.is_empty()) else {
        return Ok(None);
    };
    let long = STANDARD.decode(secret).is_ok_and(|bytes| bytes.len() >= SECRET_BYTES_MIN);
    if !long {
        return Err(malformed("tunnel_secret must be base64 of at least 24 bytes"));
    }
    Ok(Some(secret.to_owned()))
}

fn duplicate(error: rusqlite::Error) -> Problem {
    if is_duplicate(&error) {
        let text = "You already have a tunnel with this name. Delete the existing tunnel, or \
                    choose a different name for your new tunnel";
        return Problem::new(409, 1013, text);
    }
    error.into()
}

fn create(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let name = text(&body, "name").filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| malformed("name is required"))?;
    let config_src = match text(&body, "config_src") {
        None => "local",
        Some(src @ ("local" | "cloudflare")) => src,
        Some(_) => return Err(malformed("config_src must be local or cloudflare")),
    };
    let secret = if let Some(secret) = checked_secret(&body)? {
        secret
    } else {
        let mut bytes = [0_u8; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(Problem::internal)?;
        STANDARD.encode(bytes)
    };
    let tunnel = Tunnel {
        id: clock::new_uuid(),
        name: name.to_owned(),
        secret,
        config_src: config_src.to_owned(),
        created_us: ctx.now_us,
        deleted_us: None,
        active_us: None,
        inactive_us: Some(ctx.now_us),
        connections: 0,
    };
    ctx.cloud.store.write(|db| {
        db.prepare_cached(
            "INSERT INTO tunnels
             (id, name, secret, config_src, created_us, inactive_us, config_version)
             VALUES (?, ?, ?, ?, ?, ?, 0)",
        )?
        .execute(params![
            tunnel.id,
            tunnel.name,
            tunnel.secret,
            tunnel.config_src,
            tunnel.created_us,
            tunnel.inactive_us
        ])
        .map_err(duplicate)
    })?;
    let mut result = tunnel.json(ctx);
    if let Some(map) = result.as_object_mut() {
        let credentials = json!({
            "AccountTag": ctx.cloud.account_id, "TunnelID": tunnel.id,
            "TunnelName": tunnel.name, "TunnelSecret": tunnel.secret,
        });
        map.insert("credentials_file".to_owned(), credentials);
        map.insert("token".to_owned(), json!(tunnel.token(ctx)));
    }
    Ok(Answer::ok(&result))
}

fn update(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let secret = checked_secret(&body)?;
    let tunnel = ctx.cloud.store.write(|db| {
        let mut tunnel = find_live(db, id)?;
        if let Some(name) = text(&body, "name").filter(|name| !name.is_empty()) {
            name.clone_into(&mut tunnel.name);
        }
        if let Some(secret) = secret {
            tunnel.secret = secret;
        }
        db.execute(
            "UPDATE tunnels SET name = ?, secret = ? WHERE id = ?",
            [&tunnel.name, &tunnel.secret, id],
        )
        .map_err(duplicate)?;
        Ok::<_, Problem>(tunnel)
    })?;
    Ok(Answer::ok(&tunnel.json(ctx)))
}

fn delete(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Answer, Problem> {
    let cascade = req.query.get("cascade") == Some("true");
    let tunnel = ctx.cloud.store.write(|db| {
        let mut tunnel = find_live(db, id)?;
        if tunnel.connections > 0 && !cascade {
            let text = "This tunnel has active connections. Stop all replicas of cloudflared that \
                        run it, or wait a few minutes, then try again.";
            return Err(Problem::new(400, 1022, text));
        }
        db.execute("DELETE FROM tunnel_connections WHERE tunnel_id = ?", [id])?;
        db.execute("UPDATE tunnels SET deleted_us = ? WHERE id = ?", params![ctx.now_us, id])?;
        tunnel.deleted_us = Some(ctx.now_us);
        tunnel.connections = 0;
        Ok(tunnel)
    })?;
    Ok(Answer::ok(&tunnel.json(ctx)))
}

fn connections(ctx: &Ctx<'_>, id: &str) -> Result<Answer, Problem> {
    let rows = ctx.cloud.store.read(|db| -> Result<_, Problem> {
        find(db, id)?;
        let mut statement = db.prepare_cached(
            "SELECT id, client_id, opened_us FROM tunnel_connections WHERE tunnel_id = ?",
        )?;
        let rows = statement.query_map([id], |row| {
            let (uuid, client): (String, String) = (row.get(0)?, row.get(1)?);
            let opened = clock::micros(row.get(2)?);
            Ok(json!({
                "id": client, "features": [], "version": "2026.1.0", "arch": "linux_amd64",
                "config_version": 0, "run_at": opened,
                "conns": [{
                    "id": uuid, "uuid": uuid, "colo_name": "LOC", "client_id": client,
                    "client_version": "2026.1.0", "origin_ip": "127.0.0.1", "opened_at": opened,
                    "is_pending_reconnect": false,
                }],
            }))
        })?;
        Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
    })?;
    Ok(Answer::ok(&Value::Array(rows)))
}

/// Closes one connector's connections, or all.
fn close(ctx: &Ctx<'_>, id: &str, client: Option<&str>) -> Result<(), Problem> {
    ctx.cloud.store.write(|db| -> Result<_, Problem> {
        find(db, id)?;
        let closed = db.execute(
            "DELETE FROM tunnel_connections WHERE tunnel_id = ?1 AND (?2 IS NULL OR client_id = ?2)",
            params![id, client],
        )?;
        if closed > 0 {
            db.execute("UPDATE tunnels SET inactive_us = ? WHERE id = ?", params![ctx.now_us, id])?;
        }
        Ok(())
    })
}

/// The hook by which a connector connects.
pub(super) fn connect(ctx: &Ctx<'_>, id: &str) -> Result<Answer, Problem> {
    let tunnel = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        find_live(db, id)?;
        db.execute(
            "INSERT INTO tunnel_connections (id, tunnel_id, client_id, opened_us)
             VALUES (?, ?, ?, ?)",
            params![clock::new_uuid(), id, clock::new_uuid(), ctx.now_us],
        )?;
        db.execute("UPDATE tunnels SET active_us = ? WHERE id = ?", params![ctx.now_us, id])?;
        find(db, id)
    })?;
    Ok(Answer::ok(&tunnel.json(ctx)))
}

/// The hook by which all connectors leave.
pub(super) fn disconnect(ctx: &Ctx<'_>, id: &str) -> Result<Answer, Problem> {
    close(ctx, id, None)?;
    let tunnel = ctx.cloud.store.read(|db| find(db, id))?;
    Ok(Answer::ok(&tunnel.json(ctx)))
}
