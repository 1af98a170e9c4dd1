//! The pools of an edge Worker, decided by the Worker's own core: `/v1/pools/…`.
//!
//! Invariant: a request is one transaction that reads the pool's rows, asks the machine and writes
//! what it says, so that two processes on one folder never lease one member twice, and a kill
//! leaves either the lease or nothing. Nothing is kept in memory.
//!
//! Everybody who has the folder's token is one subject, `local`, that may do everything.

use std::collections::BTreeMap;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use envc_edge_api::{Name, Problem, ProblemType, Scope};
use envc_edge_core::auth::bearer;
use envc_edge_core::pool::{Pool, serve};
use envc_edge_core::store::{Effects, Write};
use envc_edge_core::{
    Alive, Call, Caller, Entropy, Method, PoolResource, Preconditions, Request, Resource, Response,
    SealKey, Served, route,
};
use http::HeaderValue;
use rusqlite::{Connection, params};

use crate::auth;
use crate::clock;
use crate::cloud::{Inner, constant, held};
use crate::error::CloudError;
use crate::request::Req;

/// Whose token the folder's is.
const SUBJECT: &str = "local";
/// The row of `meta` with the key that secret attributes are sealed under.
const SEAL_KEY: &str = "pool_seal_key";
/// The row of `meta` that says how far the pools' clock is ahead, in milliseconds.
const AHEAD: &str = "pool_ahead_ms";

/// Says whether a path is the edge's.
pub(crate) fn is_edge(path: &str) -> bool {
    path.starts_with("/v1/")
}

/// Answers one request, which was let in.
pub(crate) fn answer(cloud: &Inner, req: &Req) -> http::Response<Body> {
    let response = handle(cloud, req).unwrap_or_else(|response| response);
    respond(response, req.method == http::Method::HEAD)
}

/// Sets the clock of all pools ahead of what it is now: leases and tickets end sooner.
pub(crate) fn go_ahead(cloud: &Inner, ms: u64) -> rusqlite::Result<()> {
    cloud.store.write(|db| {
        let total = ahead_ms(db)?.saturating_add(ms);
        db.execute(
            "INSERT INTO meta (key, value) VALUES (?, ?)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            params![AHEAD, total.to_string()],
        )?;
        Ok(())
    })
}

/// Lets a request in, or not, by its head alone; gives how many bytes its body may have.
pub(crate) fn admit(cloud: &Inner, req: &Req) -> Result<usize, Box<http::Response<Body>>> {
    let method = Method::from_name(req.method.as_str());
    let refused = |response| Box::new(respond(response, req.method == http::Method::HEAD));
    let route = route(&Request { method, path: &req.path }).map_err(refused)?;
    let token = req.header("authorization").and_then(bearer);
    if !token.is_some_and(|token| auth::is_own(cloud, token)) {
        return Err(refused(Response::unauthenticated()));
    }
    Ok(route.body_bytes_max)
}

/// The refusal of a body that has more bytes than it may.
pub(crate) fn too_large(bytes_max: usize) -> http::Response<Body> {
    respond(Response::body_too_large(bytes_max), false)
}

fn handle(cloud: &Inner, req: &Req) -> Result<Response, Response> {
    let method = Method::from_name(req.method.as_str());
    let route = route(&Request { method, path: &req.path })?;
    let Resource::Pool(pool, resource) = &route.resource else {
        return Err(Response::problem(&Problem::new(
            ProblemType::NotFound,
            "the local cloud has an edge's pools, and nothing else of it",
        )));
    };
    let subject = Name::parse(SUBJECT).map_err(|error| internal(&error))?;
    let alive =
        route.needs_alive.then(|| Alive { subjects: vec![subject.clone()], gone: Vec::new() });
    let caller = Caller { subject, scopes: vec![Scope::Admin], alive };
    let ask = Ask { pool, resource, method, body: &req.body, caller: &caller };
    match method {
        Method::Get | Method::Head => cloud.store.read(|db| ask.served(db).map(|it| it.response)),
        Method::Post | Method::Put | Method::Delete | Method::Other => {
            cloud.store.write(|db| ask.write(db))
        }
    }
    .map_err(|Failed(error)| internal(&error))
}

/// One request to a pool, with all that it needs but the time.
struct Ask<'a> {
    pool: &'a Name,
    resource: &'a PoolResource<'a>,
    method: Method,
    body: &'a [u8],
    caller: &'a Caller,
}

impl Ask<'_> {
    /// Answers, without writing: what is due by the clock alone is found due again.
    fn served(&self, db: &Connection) -> Result<Served, Failed> {
        let key = match held(db, SEAL_KEY)? {
            Some(key) => SealKey::parse(&key),
            None => None,
        };
        let mut machine = Pool::load(&rows(db, self.pool)?)?;
        let call = Call {
            method: self.method,
            body: self.body,
            preconditions: &Preconditions::default(),
            caller: self.caller,
            now_ms: now_ms(db)?,
            entropy: Entropy::new(seed()?),
            key: key.as_ref(),
        };
        Ok(serve(&mut machine, self.pool, self.resource, call))
    }

    fn write(&self, db: &Connection) -> Result<Response, Failed> {
        constant(db, SEAL_KEY, &BASE64.encode(seed()?))?;
        let Served { response, effects } = self.served(db)?;
        let Effects { writes, blobs: _, alarm_at_ms: _ } = effects;
        for write in writes {
            match write {
                Write::Put { name, value } => db.execute(
                    "INSERT INTO pool_rows (pool, name, value) VALUES (?, ?, ?)
                     ON CONFLICT (pool, name) DO UPDATE SET value = excluded.value",
                    params![self.pool.as_str(), name, value],
                )?,
                Write::Delete { name } => db.execute(
                    "DELETE FROM pool_rows WHERE pool = ? AND name = ?",
                    params![self.pool.as_str(), name],
                )?,
            };
        }
        Ok(response)
    }
}

fn rows(db: &Connection, pool: &Name) -> rusqlite::Result<BTreeMap<String, String>> {
    let mut statement = db.prepare_cached("SELECT name, value FROM pool_rows WHERE pool = ?")?;
    let rows = statement.query_map([pool.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn now_ms(db: &Connection) -> rusqlite::Result<u64> {
    let now_ms = u64::try_from(clock::now_us().div_euclid(1_000)).unwrap_or_default();
    Ok(now_ms.saturating_add(ahead_ms(db)?))
}

fn ahead_ms(db: &Connection) -> rusqlite::Result<u64> {
    Ok(held(db, AHEAD)?.and_then(|ms| ms.parse().ok()).unwrap_or_default())
}

/// Fresh unguessable bytes.
fn seed() -> Result<[u8; 32], CloudError> {
    let mut seed = [0_u8; 32];
    getrandom::fill(&mut seed).map_err(|_| CloudError::Randomness)?;
    Ok(seed)
}

/// Why a request was not decided; what was written is taken back.
struct Failed(Box<dyn std::error::Error>);

impl<E: std::error::Error + 'static> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

#[expect(clippy::print_stderr, reason = "a bug of the server itself must not pass unseen")]
fn internal(error: &dyn std::fmt::Display) -> Response {
    eprintln!("local cloud: pools: {error}");
    Response::problem(&Problem::new(
        ProblemType::Internal,
        "the local cloud could not do this; what went wrong stands in its output",
    ))
}

fn respond(response: Response, without_body: bool) -> http::Response<Body> {
    let Response { status, content_type, headers, body } = response;
    let body = if without_body { Body::empty() } else { Body::from(body) };
    let mut answer = http::Response::new(body);
    *answer.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    let kind = (!content_type.is_empty()).then(|| ("content-type", content_type.to_owned()));
    for (name, value) in kind.into_iter().chain(headers) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}
