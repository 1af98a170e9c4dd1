//! Static assets: what a Worker serves without code.
//!
//! Endpoints: `POST scripts/{n}/assets-upload-session`, `POST assets/upload?base64=true` and
//! `POST assets/upload/{hash}`.
//!
//! Facts: a session takes a manifest of paths with hashes, and gives buckets of the hashes that
//! are not there yet with a token. The token, not the API's, allows the uploads; the answer to the
//! last one is 201 with a second token, which an upload of the script names. With nothing to
//! upload the session's token is that one already. Tokens live for an hour. The Worker need not
//! exist before.
//!
//! Only hashes and sizes are kept here, not the files: nothing serves them. Hashes are taken as
//! they are named. Not published: the codes (10021 here for what is malformed, 401 with 10000 for
//! a bad token) and the size of a bucket (100 files here).
//!
//! Limits: 25 MiB a file, 100,000 files a Worker.
//!
//! Source: Cloudflare's documentation (direct upload of static assets), wrangler's source.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Map, Value, json};

use super::asset_token::{Phase, Token};
use super::rows::Version;
use super::upload::{check_name, invalid};
use crate::clock;
use crate::cloud::Inner;
use crate::envelope::{Answer, Problem};
use crate::products::Ctx;
use crate::request::Req;

const FILE_BYTES_MAX: u64 = 25 * 1024 * 1024;
const FILES_MAX: usize = 100_000;
const BUCKET_FILES: usize = 100;
const SESSION_US: i64 = 3600 * 1_000_000;

/// Sizes by hash.
type Sizes = BTreeMap<String, u64>;

/// `POST scripts/{n}/assets-upload-session`.
pub(super) fn open(ctx: &Ctx<'_>, req: &Req, script: &str) -> Result<Answer, Problem> {
    check_name(script)?;
    let body = req.json(|detail| invalid(format!("the request body is invalid: {detail}")))?;
    let sizes = manifest(&body)?;
    let id = clock::new_hex_id();
    let missing = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        db.execute(
            "DELETE FROM worker_asset_sessions WHERE created_us < ?",
            [ctx.now_us.saturating_sub(SESSION_US)],
        )?;
        db.execute(
            "INSERT INTO worker_asset_sessions (id, script, manifest, created_us)
             VALUES (?, ?, ?, ?)",
            params![id, script, json!(sizes).to_string(), ctx.now_us],
        )?;
        missing(db, script, &sizes)
    })?;
    let phase = if missing.is_empty() { Phase::Done } else { Phase::Upload };
    let buckets: Vec<&[String]> = missing.chunks(BUCKET_FILES).collect();
    let jwt = Token { session: id, phase }.sign(ctx.cloud, ctx.now_us)?;
    Ok(Answer::ok(&json!({"jwt": jwt, "buckets": buckets})))
}

/// Reads and checks a manifest.
fn manifest(body: &Value) -> Result<Sizes, Problem> {
    let files = body.get("manifest").and_then(Value::as_object);
    let files = files.ok_or_else(|| invalid("manifest must be an object"))?;
    if files.len() > FILES_MAX {
        return Err(invalid(format!("a Worker has at most {FILES_MAX} assets")));
    }
    let mut sizes = Sizes::new();
    for (path, file) in files {
        let hash = file.get("hash").and_then(Value::as_str).filter(|hash| clock::is_hex_id(hash));
        let hash = hash.ok_or_else(|| invalid(format!("{path}: hash must be 32 hex digits")))?;
        let size = file.get("size").and_then(Value::as_u64).filter(|size| *size <= FILE_BYTES_MAX);
        let size = size.ok_or_else(|| invalid(format!("{path}: size must be at most 25 MiB")))?;
        if !path.starts_with('/') {
            return Err(invalid(format!("the path {path:?} must begin with /")));
        }
        sizes.insert(hash.to_owned(), size);
    }
    Ok(sizes)
}

/// The hashes of a manifest that the script does not have yet.
fn missing(db: &Connection, script: &str, sizes: &Sizes) -> Result<Vec<String>, Problem> {
    let there: BTreeSet<String> = db
        .prepare_cached("SELECT hash FROM worker_assets WHERE script = ?")?
        .query_map([script], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(sizes.keys().filter(|hash| !there.contains(*hash)).cloned().collect())
}

/// The script and the manifest of a session.
fn session(db: &Connection, id: &str) -> Result<(String, Sizes), Problem> {
    let found = db
        .prepare_cached("SELECT script, manifest FROM worker_asset_sessions WHERE id = ?")?
        .query_row([id], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    let (script, manifest) = found.ok_or_else(Token::refused)?;
    Ok((script, serde_json::from_str(&manifest).unwrap_or_default()))
}

/// Checks the token of a session, which allows uploads of assets in the place of the API's own.
pub(super) fn session_of(cloud: &Inner, req: &Req, now_us: i64) -> Result<Token, Problem> {
    let bearer = req.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    Token::read(bearer.unwrap_or_default(), cloud, now_us)
}

/// `POST assets/upload` and `POST assets/upload/{hash}`, which the session's token allows.
pub(super) fn upload(ctx: &Ctx<'_>, req: &Req, hash: Option<&str>) -> Result<Answer, Problem> {
    let token = session_of(ctx.cloud, req, ctx.now_us)?;
    let mut files = Vec::new();
    match (hash, &req.parts) {
        (Some(hash), _) => files.push((hash.to_owned(), req.body.len())),
        (None, Some(parts)) if req.query.get("base64") == Some("true") => {
            for part in parts {
                let file = STANDARD.decode(&part.bytes);
                let file = file.map_err(|_| invalid(format!("{} is no base64", part.name)))?;
                files.push((part.name.clone(), file.len()));
            }
        }
        _ => return Err(invalid("files come as multipart/form-data, with base64=true")),
    }
    let done = ctx.cloud.store.write(|db| -> Result<_, Problem> {
        let (script, sizes) = session(db, &token.session)?;
        for (hash, bytes) in &files {
            if sizes.get(hash) != u64::try_from(*bytes).ok().as_ref() {
                let text = format!("{hash}, of {bytes} bytes, is not in the manifest");
                return Err(invalid(text));
            }
            db.prepare_cached(
                "INSERT INTO worker_assets (script, hash, size) VALUES (?, ?, ?)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![
                script,
                hash,
                i64::try_from(*bytes).unwrap_or(i64::MAX)
            ])?;
        }
        Ok(missing(db, &script, &sizes)?.is_empty())
    })?;
    let (status, result) = if done {
        let token = Token { phase: Phase::Done, ..token };
        (201, json!({"jwt": token.sign(ctx.cloud, ctx.now_us)?}))
    } else {
        (202, json!({}))
    };
    let mut answer = Answer::ok(&result);
    answer.status = status;
    Ok(answer)
}

/// The assets of a new version: those of a finished session, or those of the version before.
pub(super) fn settle(
    cloud: &Inner,
    db: &Connection,
    (script, now_us): (&str, i64),
    metadata: &Map<String, Value>,
    last: Option<&Version>,
) -> Result<Option<Value>, Problem> {
    let given = metadata.get("assets").filter(|value| value.is_object());
    let kept = last.and_then(|version| version.metadata.get("assets"));
    let config = given.and_then(|assets| assets.get("config")).filter(|config| !config.is_null());
    let mut out = match given.and_then(|assets| assets.get("jwt")).and_then(Value::as_str) {
        Some(jwt) => {
            let token = Token::read(jwt, cloud, now_us)?;
            let (owner, sizes) = session(db, &token.session)?;
            if token.phase != Phase::Done || owner != script {
                return Err(invalid("assets.jwt is not that of a finished upload for this Worker"));
            }
            json!({"files": sizes.len()})
        }
        None if metadata.get("keep_assets") == Some(&Value::Bool(true)) => match kept {
            Some(assets) => assets.clone(),
            None => return Ok(None),
        },
        None if given.is_some() => return Err(invalid("assets.jwt is required")),
        None => return Ok(None),
    };
    if let (Some(config), Some(map)) = (config, out.as_object_mut()) {
        map.insert("config".to_owned(), config.clone());
    }
    Ok(Some(out))
}
