//! `POST {id}/import` and `POST {id}/export`: texts that are sent and fetched beside the API.
//!
//! Facts: an import is `init` (which gives an address), a `PUT` of the file to that address without the
//! API's token, `ingest`, and `poll` with the last bookmark until it is complete; it is told by the md5 of
//! the file. The text is read by SQLite's own parser, all or nothing. An export is asked for until it is
//! complete, and then fetched from an address. A failure of either is told in a result, with 200.
//!
//! Here both are done when they are first asked for, and told to be complete at the second time. An
//! address holds for an hour, and whoever has it is let in.
//!
//! Source: Cloudflare's OpenAPI document (d1), wrangler's source.

use envc_edge_core::hex;
use http::Method;
use md5::{Digest as _, Md5};
use rusqlite::{OptionalExtension as _, params};
use serde_json::{Value, json};

use super::rows::Shape;
use super::run::{self, Sql};
use super::{SQL_BYTES_MAX, changed, dump, malformed, time_travel};
use crate::clock;
use crate::cloud::Inner;
use crate::envelope::{Answer, Problem};
use crate::products::{Ctx, TRANSFERS};
use crate::request::{Req, text};

/// An address holds this long.
const LIFE_US: i64 = 3_600_000_000;

/// `POST import`.
pub(in crate::products) fn import(ctx: &Ctx<'_>, req: &Req, uuid: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    let field = |key: &str| {
        text(&body, key).ok_or_else(|| malformed(format!("Invalid property: {key} => Required")))
    };
    match field("action")? {
        "init" => {
            let etag = field("etag")?;
            let id = open(ctx, uuid, "import", etag)?;
            Ok(Answer::ok(&json!({
                "success": true, "filename": format!("{id}.sql"), "upload_url": address(req, &id),
            })))
        }
        "ingest" => ingest(ctx, req, uuid, field("filename")?),
        "poll" => told(ctx, uuid, field("current_bookmark")?),
        _ => Err(malformed("Invalid property: action => expected 'init', 'ingest' or 'poll'")),
    }
}

/// Where a text is sent to or fetched from.
fn address(req: &Req, id: &str) -> String {
    format!("http://{}{TRANSFERS}{id}", req.header("host").unwrap_or("localhost"))
}

/// Opens a transfer, and forgets those that are over.
fn open(ctx: &Ctx<'_>, uuid: &str, kind: &str, etag: &str) -> Result<String, Problem> {
    let id = clock::new_hex_id();
    ctx.cloud.store.write(|db| -> Result<_, Problem> {
        db.execute("DELETE FROM d1_transfers WHERE created_us < ?", [ctx.now_us - LIFE_US])?;
        db.execute(
            "INSERT INTO d1_transfers (id, database, kind, filename, etag, created_us)
             VALUES (?, ?, ?, ?, ?, ?)",
            params![id, uuid, kind, format!("{id}.sql"), etag, ctx.now_us],
        )?;
        Ok(())
    })?;
    Ok(id)
}

/// The outcome of a transfer that was asked for by its bookmark.
fn told(ctx: &Ctx<'_>, uuid: &str, bookmark: &str) -> Result<Answer, Problem> {
    let outcome: Option<Option<String>> = ctx.cloud.store.read(|db| {
        db.query_row(
            "SELECT outcome FROM d1_transfers WHERE database = ? AND bookmark = ?",
            [uuid, bookmark],
            |row| row.get(0),
        )
        .optional()
    })?;
    Ok(match outcome.flatten() {
        Some(outcome) => Answer::json_text(outcome),
        None => Answer::ok(&failed("import", bookmark, "Not currently importing anything.")),
    })
}

fn failed(kind: &str, bookmark: &str, error: &str) -> Value {
    json!({
        "success": false, "type": kind, "at_bookmark": bookmark, "status": "error",
        "messages": [], "error": error,
    })
}

/// Writes down how a transfer ended; its text is not kept but where it is to be fetched.
fn settle(
    ctx: &Ctx<'_>,
    (uuid, id): (&str, &str),
    body: Option<&[u8]>,
    outcome: impl FnOnce(&str) -> Value,
) -> Result<String, Problem> {
    let number = time_travel::number(ctx, uuid)?;
    ctx.cloud.store.write(|db| {
        let seq: i64 =
            db.query_row("SELECT seq FROM d1_transfers WHERE id = ?", [id], |row| row.get(0))?;
        let bookmark = time_travel::text_of(uuid, number, seq);
        db.execute(
            "UPDATE d1_transfers SET bookmark = ?, outcome = ?, body = ? WHERE id = ?",
            params![bookmark, outcome(&bookmark).to_string(), body, id],
        )?;
        Ok::<_, Problem>(bookmark)
    })
}

fn ingest(ctx: &Ctx<'_>, req: &Req, uuid: &str, filename: &str) -> Result<Answer, Problem> {
    type Row = (String, Option<String>, Option<Vec<u8>>);
    let found: Option<Row> = ctx.cloud.store.read(|db| {
        db.query_row(
            "SELECT id, outcome, body FROM d1_transfers
             WHERE database = ? AND filename = ? AND kind = 'import'",
            [uuid, filename],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()
    })?;
    let (id, body) = match found {
        // Asked for again: it is not run twice.
        Some((_, Some(outcome), _)) => return Ok(Answer::json_text(outcome)),
        Some((id, None, Some(body))) => (id, body),
        Some((_, None, None)) | None => {
            let text = format!("Import file '{filename}' was not uploaded.");
            return Ok(Answer::ok(&failed("import", "", &text)));
        }
    };
    let Ok(sql) = String::from_utf8(body) else {
        return Ok(Answer::ok(&failed("import", "", "The file is not UTF-8.")));
    };
    let batch = [Sql::new(&sql, Vec::new())];
    let done = ctx.cloud.store.with_d1(uuid, |db| {
        let done = run::run(db, &batch, Shape::Sum, &req.gone)?;
        if let Ok(run::Done { number: Some(number), .. }) = &done {
            changed(ctx, uuid, db, *number)?;
        }
        Ok(done)
    })?;
    let bookmark = settle(ctx, (uuid, &id), None, |bookmark| match &done {
        Ok(done) => {
            let (count, meta) = done.sum();
            json!({
                "success": true, "type": "import", "at_bookmark": bookmark, "status": "complete",
                "messages": [format!("Processed {count} queries.")],
                "result": {"final_bookmark": bookmark, "num_queries": count, "meta": meta},
            })
        }
        Err(problem) => failed("import", bookmark, &problem.first_text()),
    })?;
    Ok(active("import", &bookmark, "Importing …"))
}

fn active(kind: &str, bookmark: &str, message: &str) -> Answer {
    Answer::ok(&json!({
        "success": true, "type": kind, "at_bookmark": bookmark, "status": "active",
        "messages": [message],
    }))
}

/// `POST export`.
pub(in crate::products) fn export(ctx: &Ctx<'_>, req: &Req, uuid: &str) -> Result<Answer, Problem> {
    let body = req.json(malformed)?;
    if text(&body, "output_format") != Some("polling") {
        return Err(malformed("Invalid property: output_format => expected 'polling'"));
    }
    if let Some(bookmark) = text(&body, "current_bookmark").filter(|it| !it.is_empty()) {
        return told(ctx, uuid, bookmark);
    }
    let given = body.get("dump_options");
    let flag = |key: &str| given.and_then(|it| it.get(key)).and_then(Value::as_bool) == Some(true);
    let tables = given.and_then(|it| it.get("tables")).and_then(Value::as_array);
    let tables = tables.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let options = dump::Options {
        no_data: flag("no_data"),
        no_schema: flag("no_schema"),
        tables: tables.collect(),
    };
    let id = open(ctx, uuid, "export", "")?;
    let dumped = ctx.cloud.store.with_d1(uuid, |db| {
        let snapshot = db.transaction()?;
        dump::text(&snapshot, &options)
    })?;
    let signed_url = address(req, &id);
    let bytes = dumped.as_ref().ok().map(String::as_bytes);
    let bookmark = settle(ctx, (uuid, &id), bytes, |bookmark| match &dumped {
        Ok(_) => json!({
            "success": true, "type": "export", "at_bookmark": bookmark, "status": "complete",
            "messages": ["Generated the file."],
            "result": {"filename": format!("{id}.sql"), "signed_url": signed_url},
        }),
        Err(error) => failed("export", bookmark, error),
    })?;
    Ok(active("export", &bookmark, "Generating …"))
}

/// Lets a call to an address in, or not; gives how many bytes its body may have.
pub(crate) fn admit(cloud: &Inner, method: &Method, id: &str) -> Result<usize, Problem> {
    let kind: Option<String> = cloud.store.read(|db| {
        db.query_row(
            "SELECT kind FROM d1_transfers WHERE id = ? AND created_us >= ?",
            params![id, clock::now_us() - LIFE_US],
            |row| row.get(0),
        )
        .optional()
    })?;
    match (kind.as_deref(), method) {
        (Some("import"), &Method::PUT) => Ok(SQL_BYTES_MAX),
        (Some("export"), &Method::GET) => Ok(0),
        _ => Err(Problem::new(404, 0, "There is nothing at this address.").without_code()),
    }
}

/// Takes what is sent to an address, or gives what is fetched from it.
pub(crate) fn carry(cloud: &Inner, req: &Req, id: &str) -> Result<Answer, Problem> {
    if req.method == Method::PUT {
        let sql = "UPDATE d1_transfers SET body = ? WHERE id = ? AND outcome IS NULL";
        cloud.store.write(|db| db.execute(sql, params![req.body.as_ref(), id]))?;
        let etag = format!("\"{}\"", hex(&Md5::digest(&req.body)));
        return Ok(Answer::raw(Vec::new()).with_header("etag", etag));
    }
    let sql = "SELECT body FROM d1_transfers WHERE id = ?";
    let body: Option<Vec<u8>> = cloud.store.read(|db| db.query_row(sql, [id], |row| row.get(0)))?;
    Ok(Answer::raw(body.unwrap_or_default()).with_header("content-type", "application/sql"))
}
