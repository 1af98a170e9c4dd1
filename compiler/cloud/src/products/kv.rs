//! Workers KV: namespaces.
//!
//! Endpoints below `accounts/{a}/storage/kv/namespaces`: list, create, get, `PUT` (rename),
//! delete; keys, values, metadata and bulk calls are in `kv/values.rs` and `kv/bulk.rs`.
//!
//! Limits: `per_page` 1–1000, default 20 (wrangler's list asks for 1000); titles up to 512 characters, unique per account. There
//! is no filter by name. Deleting a namespace that holds keys succeeds. Writes are visible at
//! once, which the real product does not promise.
//!
//! Source: Cloudflare's OpenAPI document (workers-kv), its KV documentation, published live
//! error bodies.

mod bulk;
mod values;

use rusqlite::{OptionalExtension as _, Row, params};
use serde_json::{Value, json};

use super::{Bound, Ctx, Handle, IdForm, Listed, Product, StandIn, is_duplicate};
use crate::clock;
use crate::envelope::{Answer, Problem};
use crate::paging::{Bounds, Page};
use crate::request::{BODY_BYTES_MAX, Req, text};

/// Bytes of a request with values: those of a bulk write, 100 MB, and some for its form.
const VALUES_BYTES_MAX: usize = 110 * 1024 * 1024;
const BOUNDS: Bounds = Bounds { default: 20, min: 1, max: 1000, code: 10012 };
const TITLE_CHARS_MAX: usize = 512;

/// Its row.
pub(super) const PRODUCT: Product = Product {
    bound: Some(Bound {
        api_type: "kv_namespace",
        field: "namespace_id",
        exists: "SELECT 1 FROM kv_namespaces WHERE id = ?",
        code: 10041,
        missing: |key| format!("KV namespace '{key}' not found."),
    }),
    listed: &[Listed { kind: "kv", path: "", name: "title", id: "id" }],
    body_bytes_max: |_, rest| match rest {
        [_, "values" | "bulk", ..] => VALUES_BYTES_MAX,
        _ => BODY_BYTES_MAX,
    },
    stand_in: Some(StandIn {
        kind: "kv",
        id: IdForm::Hex,
        exists: "SELECT 1 FROM kv_namespaces WHERE id = ?1 OR title = ?2",
        insert: "INSERT INTO kv_namespaces (id, title, created_us) VALUES (?1, ?2, ?3)",
    }),
    ..Product::of("kv", &["storage", "kv", "namespaces"], Handle::Account(handle))
};

/// Answers a call below `storage/kv/namespaces`.
pub(super) fn handle(ctx: &Ctx<'_>, req: &Req, rest: &[&str]) -> Result<Answer, Problem> {
    match (req.method.as_str(), rest) {
        ("GET", []) => return list(ctx, req),
        ("POST", []) => return create(ctx, req),
        (_, []) => return Err(bad_method()),
        _ => {}
    }
    let [id, rest @ ..] = rest else {
        return Err(req.no_route());
    };
    let title = find(ctx, req, id)?;
    match (req.method.as_str(), rest) {
        ("GET", []) => Ok(Answer::ok(&namespace(id, &title))),
        ("PUT", []) => rename(ctx, req, id),
        ("DELETE", []) => delete(ctx, id),
        ("GET", ["keys"]) => values::keys(ctx, req, id),
        ("GET", ["metadata", key @ ..]) => values::metadata(ctx, id, &key.join("/")),
        ("GET", ["values", key @ ..]) => values::get(ctx, id, &key.join("/")),
        ("PUT", ["values", key @ ..]) => values::put(ctx, req, id, &key.join("/")),
        ("DELETE", ["values", key @ ..]) => values::delete(ctx, id, &key.join("/")),
        ("PUT", ["bulk"]) => bulk::put(ctx, req, id),
        ("DELETE", ["bulk"]) | ("POST", ["bulk", "delete"]) => bulk::delete(ctx, req, id),
        ("POST", ["bulk", "get"]) => bulk::get(ctx, req, id),
        (_, [] | ["keys" | "bulk"] | ["values" | "metadata", ..] | ["bulk", "get" | "delete"]) => {
            Err(bad_method())
        }
        _ => Err(req.no_route()),
    }
}

fn bad_method() -> Problem {
    Problem::new(405, 10405, "Method not allowed")
}

fn malformed(detail: impl std::fmt::Display) -> Problem {
    Problem::new(400, 10012, format!("could not parse request body: {detail}"))
}

fn namespace(id: &str, title: &str) -> Value {
    json!({"id": id, "title": title, "supports_url_encoding": true})
}

fn list(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let page = Page::parse(&req.query, BOUNDS)?;
    let order = if req.query.get("order") == Some("title") { "title" } else { "id" };
    let direction = if req.query.get("direction") == Some("desc") { "DESC" } else { "ASC" };
    let visible = ctx.visible_us();
    let (rows, total) = ctx.cloud.store.read(|db| -> rusqlite::Result<_> {
        let total = db
            .prepare_cached("SELECT count(*) FROM kv_namespaces WHERE created_us <= ?")?
            .query_row([visible], |row| row.get(0))?;
        let sql = format!(
            "SELECT id, title FROM kv_namespaces WHERE created_us <= ? ORDER BY {order} \
             {direction} LIMIT ? OFFSET ?"
        );
        let item =
            |row: &Row<'_>| Ok(namespace(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?));
        let rows = db
            .prepare_cached(&sql)?
            .query_map(params![visible, page.limit(), page.offset()], item)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        Ok((rows, total))
    })?;
    Ok(Answer::page(&json!(rows), page.info(rows.len(), total)))
}

/// The title of the namespace of a path.
fn find(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<String, Problem> {
    if !clock::is_hex_id(id) {
        return Err(req.no_route());
    }
    let found = ctx.cloud.store.read(|db| {
        db.prepare_cached("SELECT title FROM kv_namespaces WHERE id = ?")?
            .query_row([id], |row| row.get(0))
            .optional()
    })?;
    found.ok_or_else(|| if req.method == http::Method::DELETE { deleted() } else { gone() })
}

/// The same in other words, where it is deleted.
fn deleted() -> Problem {
    Problem::new(404, 10013, "namespace not found")
}

fn gone() -> Problem {
    Problem::new(404, 10013, "get namespace: 'namespace not found'")
}

fn title(req: &Req) -> Result<String, Problem> {
    let body = req.json(malformed)?;
    match text(&body, "title") {
        Some("") => {
            Err(Problem::new(400, 10019, "create namespace: 'namespace title must not be empty'"))
        }
        Some(title) if title.chars().count() > TITLE_CHARS_MAX => {
            Err(Problem::new(400, 10019, "create namespace: 'namespace title is too long'"))
        }
        Some(title) => Ok(title.to_owned()),
        None => Err(Problem::new(400, 10019, "create namespace: 'namespace title is required'")),
    }
}

fn duplicate(error: rusqlite::Error) -> Problem {
    if is_duplicate(&error) {
        let text = "a namespace with this account ID and title already exists";
        return Problem::new(400, 10014, text);
    }
    error.into()
}

fn create(ctx: &Ctx<'_>, req: &Req) -> Result<Answer, Problem> {
    let title = title(req)?;
    let id = clock::new_hex_id();
    ctx.cloud.store.write(|db| {
        db.prepare_cached("INSERT INTO kv_namespaces (id, title, created_us) VALUES (?, ?, ?)")?
            .execute(params![id, title, ctx.now_us])
            .map_err(duplicate)
    })?;
    Ok(Answer::ok(&namespace(&id, &title)))
}

fn rename(ctx: &Ctx<'_>, req: &Req, id: &str) -> Result<Answer, Problem> {
    let title = title(req)?;
    let changed = ctx.cloud.store.write(|db| {
        db.execute("UPDATE kv_namespaces SET title = ? WHERE id = ?", [&title, id])
            .map_err(duplicate)
    })?;
    if changed == 0 { Err(gone()) } else { Ok(Answer::ok(&namespace(id, &title))) }
}

fn delete(ctx: &Ctx<'_>, id: &str) -> Result<Answer, Problem> {
    let changed = ctx.cloud.store.write(|db| -> rusqlite::Result<_> {
        db.execute("DELETE FROM kv_namespaces WHERE id = ?", [id])
    })?;
    if changed == 0 { Err(deleted()) } else { Ok(Answer::null()) }
}
