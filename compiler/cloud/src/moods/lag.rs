//! Visibility between products: what was just made, and is not there yet for another one.
//!
//! After a call that made something its mark is set; a call that refers to it is refused, in the words
//! that the API has for what does not exist, until the time and the tries of their pair are over. A
//! refused call made nothing, so that trying again is safe. Answers of one pair come in turn.
//!
//! Source: published live answers of tools that run one step right behind another.

use std::time::{Duration, Instant};

use http::Method;
use rusqlite::OptionalExtension as _;
use serde_json::Value;

use super::{body, field, name_of};
use crate::clock;
use crate::cloud::Inner;
use crate::envelope::{Answer, AnswerBody, Problem};
use crate::faults::{Faults, Lag};
use crate::memory::{Made, Memory};
use crate::request::{Req, text};

/// What a refusal says: status, code (0 is none), text. `{}` is the key.
type Refusal = (u16, i64, &'static str);

/// Something that is made, and a call that refers to it.
#[derive(Debug)]
struct Pair {
    /// Its word in faults.
    word: &'static str,
    /// What was made.
    mark: Made,
    /// For how long it was seen to last, in milliseconds.
    usual_ms: u64,
    /// The answers meanwhile, in turn.
    refusals: &'static [Refusal],
}

const NO_WORKER: &str = "This Worker does not exist on your account.";

/// All pairs.
static PAIRS: [Pair; 18] = [
    pair("kv", Made::Kv, 20_000, &[(400, 10041, "KV namespace '{}' not found.")]),
    pair(
        "r2",
        Made::R2,
        20_000,
        &[(400, 10085, "R2 bucket '{}' not found. Please use a different name and try again.")],
    ),
    pair(
        "d1",
        Made::D1,
        20_000,
        &[
            (
                400,
                10021,
                "binding of type d1 failed to generate. Please try again later or contact support.",
            ),
            (400, 10181, "D1 binding references database '{}' which was not found."),
        ],
    ),
    pair("queues", Made::Queue, 20_000, &[(400, 11000, "Queue '{}' does not exist.")]),
    pair(
        "hyperdrive",
        Made::Hyperdrive,
        20_000,
        &[(400, 10157, "Hyperdrive config '{}' not found.")],
    ),
    pair("vectorize", Made::Vectorize, 20_000, &[(400, 10159, "Vectorize index '{}' not found.")]),
    pair(
        "services",
        Made::Script,
        20_000,
        &[(400, 10144, "Could not resolve service binding. Target Worker '{}' not found.")],
    ),
    pair(
        "classes",
        Made::Classes,
        20_000,
        &[(
            400,
            10061,
            "Cannot create binding for a class of '{}' because it is not currently configured to implement Durable Objects.",
        )],
    ),
    pair("upload", Made::Script, 5_000, &[(404, 0, "Not Found"), (404, 10007, NO_WORKER)]),
    pair(
        "routes",
        Made::Script,
        20_000,
        &[(
            400,
            10019,
            "Cannot configure a route for a Worker which does not exist. Please ensure this Worker exists and try again.",
        )],
    ),
    pair(
        "consumers",
        Made::Handler,
        20_000,
        &[(400, 11001, "Queue handler is missing."), (400, 0, "Queue handler is missing.")],
    ),
    pair("schedules", Made::Script, 15_000, &[(404, 10007, NO_WORKER), (404, 0, "Not Found")]),
    pair("domains", Made::Script, 15_000, &[(404, 10007, NO_WORKER), (404, 0, "Not Found")]),
    pair("subdomain", Made::Script, 20_000, &[(404, 0, "Not Found"), (404, 10007, NO_WORKER)]),
    pair(
        "secrets",
        Made::Script,
        5_000,
        &[(404, 10007, NO_WORKER), (404, 10092, "workers.api.error.environment_not_found")],
    ),
    pair(
        "script-delete",
        Made::Released,
        8_000,
        &[(
            400,
            10064,
            "Cannot delete this Worker: the script is still in use as a consumer for a queue.",
        )],
    ),
    pair("script-get", Made::Gone, 3_000, &[(404, 10222, "Worker '{}' has no versions.")]),
    pair(
        "tunnel-delete",
        Made::Closed,
        11_000,
        &[(
            400,
            1022,
            "This tunnel has active connections. Stop all replicas of cloudflared that run it, or wait a few minutes, then try again.",
        )],
    ),
];

const fn pair(word: &'static str, mark: Made, usual_ms: u64, refusals: &'static [Refusal]) -> Pair {
    Pair { word, mark, usual_ms, refusals }
}

/// The pairs, and for how long each was seen to last.
pub(crate) fn usual() -> impl Iterator<Item = (&'static str, u64)> {
    PAIRS.iter().map(|pair| (pair.word, pair.usual_ms))
}

/// What a call refers to.
type Refers = Vec<(&'static str, String)>;

/// What has to be known of a call before it has its effect: the script that a consumer was of.
pub(super) fn before(cloud: &Inner, req: &Req) -> Option<String> {
    let lags = &cloud.injector.faults.lags;
    let path = req.segments();
    let queue = match (&req.method, path.as_slice()) {
        (
            &Method::DELETE,
            ["accounts", _, "queues", queue] | ["accounts", _, "queues", queue, "consumers", _],
        ) if lags.contains_key("script-delete") => queue,
        _ => return None,
    };
    let sql = "SELECT script FROM queue_consumers WHERE queue_id = ?";
    let found = cloud
        .store
        .read(|db| db.query_row(sql, [queue], |row| row.get::<_, Option<String>>(0)).optional());
    found.ok().flatten().flatten()
}

/// Marks what a call made.
pub(super) fn after(
    memory: &Memory,
    faults: &Faults,
    req: &Req,
    answer: &Answer,
    before: Option<String>,
) {
    if faults.lags.is_empty() {
        return;
    }
    if let Some(script) = before {
        memory.mark(Made::Released, script, Instant::now());
    }
    for (made, key) in made(req, answer) {
        if made == Made::Gone {
            // What was to be seen of it is over.
            let of_scripts = [Made::Script, Made::Handler, Made::Classes, Made::Released];
            memory.marks().retain(|(made, other), _| !of_scripts.contains(made) || *other != key);
        }
        memory.mark(made, key, Instant::now());
    }
}

/// The refusal of a call that refers to what is not seen yet, and for how long it will not be.
fn refusal(
    memory: &Memory,
    faults: &Faults,
    (word, key): (&'static str, &str),
) -> Option<(Problem, Duration)> {
    let lag = faults.lags.get(word)?;
    let pair = PAIRS.iter().find(|pair| pair.word == word)?;
    let mut all = memory.marks();
    let mark = all.get_mut(&(pair.mark, key.to_owned()))?;
    let tries = mark.tries.entry(word).or_default();
    let passed = *tries;
    let left = lasts(faults, lag, mark.number).saturating_sub(mark.at.elapsed());
    if left.is_zero() && passed >= lag.tries {
        return None;
    }
    *tries = passed.saturating_add(1);
    let turn = usize::try_from(passed).unwrap_or_default() % pair.refusals.len().max(1);
    let (status, code, text) = pair.refusals.get(turn)?;
    let problem = Problem::new(*status, *code, text.replace("{}", key));
    Some((if *code == 0 { problem.without_code() } else { problem }, left))
}

/// How long a lag lasts for the n-th thing.
fn lasts(faults: &Faults, lag: &Lag, n: u64) -> Duration {
    let whole = Duration::from_millis(lag.ms);
    if !faults.lags_vary {
        return whole;
    }
    whole.mul_f64((1.0 + 2.0 * faults.drawn(n.wrapping_add(0x1a6))) / 3.0)
}

/// Refuses a call that refers to what its product does not see yet.
pub(super) fn refuse(cloud: &Inner, req: &Req) -> Result<(), Problem> {
    let (faults, memory) = (&cloud.injector.faults, &cloud.injector.memory);
    if faults.lags.is_empty() {
        return Ok(());
    }
    mark_closed(cloud, req)?;
    for (word, key) in refers(req) {
        if let Some((problem, left)) = refusal(memory, faults, (word, &key)) {
            memory.delay(name_of(req), word, left);
            return Err(problem);
        }
    }
    Ok(())
}

/// A tunnel that is to be deleted: whether it had connections is in its row alone, since they close
/// beside the API.
fn mark_closed(cloud: &Inner, req: &Req) -> Result<(), Problem> {
    let path = req.segments();
    let ["accounts", _, "cfd_tunnel", id] = path.as_slice() else { return Ok(()) };
    if req.method != Method::DELETE {
        return Ok(());
    }
    let sql = "SELECT inactive_us FROM tunnels WHERE id = ? AND active_us IS NOT NULL";
    let closed_us = cloud
        .store
        .read(|db| db.query_row(sql, [id], |row| row.get::<_, Option<i64>>(0)).optional())?;
    let memory = &cloud.injector.memory;
    let Some(closed_us) = closed_us.flatten().filter(|us| *us >= memory.opened_us) else {
        return Ok(());
    };
    let ago = u64::try_from(clock::now_us().saturating_sub(closed_us)).unwrap_or_default();
    let at = Instant::now().checked_sub(Duration::from_micros(ago)).unwrap_or_else(Instant::now);
    if !memory.marks().contains_key(&(Made::Closed, (*id).to_owned())) {
        memory.mark(Made::Closed, (*id).to_owned(), at);
    }
    Ok(())
}

/// What a call made, by what it was answered.
fn made(req: &Req, answer: &Answer) -> Vec<(Made, String)> {
    let path = req.segments();
    let AnswerBody::Envelope { result, .. } = &answer.body else { return Vec::new() };
    let result = || serde_json::from_str::<Value>(result).unwrap_or_default();
    let one = |made: Made, key: &str| vec![(made, field(&result(), key))];
    match (req.method.as_str(), path.as_slice()) {
        ("POST", ["accounts", _, "storage", "kv", "namespaces"]) => one(Made::Kv, "id"),
        ("POST", ["accounts", _, "r2", "buckets"]) => one(Made::R2, "name"),
        ("POST", ["accounts", _, "d1", "database"]) => one(Made::D1, "uuid"),
        ("POST", ["accounts", _, "queues"]) => one(Made::Queue, "queue_name"),
        ("POST", ["accounts", _, "hyperdrive", "configs"]) => one(Made::Hyperdrive, "id"),
        ("POST", ["accounts", _, "vectorize", "v2", "indexes"]) => one(Made::Vectorize, "name"),
        ("PUT", ["accounts", _, "workers", "scripts", name]) => uploaded(req, name, &result()),
        ("DELETE", ["accounts", _, "workers", "scripts" | "services", name]) => {
            vec![(Made::Gone, (*name).to_owned())]
        }
        _ => Vec::new(),
    }
}

fn uploaded(req: &Req, name: &str, answer: &Value) -> Vec<(Made, String)> {
    let mut out = Vec::new();
    let is_first = answer.get("created_on") == answer.get("modified_on");
    let has_handler = answer
        .get("handlers")
        .and_then(Value::as_array)
        .is_some_and(|all| all.iter().any(|it| it.as_str() == Some("queue")));
    let migrates = metadata(req).get("migrations").is_some_and(Value::is_object);
    for (made, holds) in
        [(Made::Script, is_first), (Made::Handler, has_handler), (Made::Classes, migrates)]
    {
        if holds {
            out.push((made, name.to_owned()));
        }
    }
    out
}

/// The metadata of an upload.
fn metadata(req: &Req) -> Value {
    let parts = req.parts.iter().flatten();
    let part = parts.into_iter().find(|part| matches!(&*part.name, "metadata" | "settings"));
    part.and_then(|part| serde_json::from_slice(&part.bytes).ok()).unwrap_or_default()
}

/// What a call refers to: pairs and keys.
fn refers(req: &Req) -> Refers {
    let path = req.segments();
    let named = |word, name: &str| vec![(word, name.to_owned())];
    match (req.method.as_str(), path.as_slice()) {
        ("PUT", ["accounts", _, "workers", "scripts", name]) => {
            let mut out = bound(&metadata(req), name);
            out.extend(named("upload", name));
            out
        }
        ("POST", ["accounts", _, "workers", "scripts", name, "versions"]) => {
            let mut out = bound(&metadata(req), name);
            out.extend(named("secrets", name));
            out
        }
        ("PATCH", ["accounts", _, "workers", "scripts", name, "settings"]) => {
            bound(&metadata(req), name)
        }
        ("POST", ["zones", _, "workers", "routes"])
        | ("PUT", ["zones", _, "workers", "routes", _]) => {
            vec![("routes", field(&body(req), "script"))]
        }
        ("PUT", ["accounts", _, "workers", "scripts", name, "routes"]) => named("routes", name),
        ("POST", ["accounts", _, "queues", _, "consumers"])
        | ("PUT", ["accounts", _, "queues", _, "consumers", _]) => {
            vec![("consumers", field(&body(req), "script_name"))]
        }
        ("PUT", ["accounts", _, "workers", "scripts", name, "schedules"]) => {
            named("schedules", name)
        }
        ("PUT", ["accounts", _, "workers", "domains"]) => {
            vec![("domains", field(&body(req), "service"))]
        }
        (_, ["accounts", _, "workers", "scripts", name, "domains", ..]) => named("domains", name),
        (_, ["accounts", _, "workers", "scripts", name, "subdomain"]) => named("subdomain", name),
        (
            _,
            [
                "accounts",
                _,
                "workers",
                "scripts",
                name,
                "secrets" | "secrets-bulk" | "deployments",
                ..,
            ],
        ) => named("secrets", name),
        ("DELETE", ["accounts", _, "workers", "scripts" | "services", name]) => {
            named("script-delete", name)
        }
        (
            "GET",
            ["accounts", _, "workers", "scripts" | "services", name]
            | ["accounts", _, "workers", "scripts", name, "settings"],
        ) => named("script-get", name),
        ("DELETE", ["accounts", _, "cfd_tunnel", id]) => named("tunnel-delete", id),
        _ => Vec::new(),
    }
}

/// What the bindings of an upload refer to.
fn bound(metadata: &Value, own: &str) -> Refers {
    let bindings = metadata.get("bindings").and_then(Value::as_array);
    let refers = |binding: &Value| {
        let key = |key: &str| text(binding, key).map(str::to_owned);
        match text(binding, "type")? {
            "kv_namespace" => Some(("kv", key("namespace_id")?)),
            "r2_bucket" => Some(("r2", key("bucket_name")?)),
            "d1" => Some(("d1", key("database_id").or_else(|| key("id"))?)),
            "queue" => Some(("queues", key("queue_name")?)),
            "hyperdrive" => Some(("hyperdrive", key("id")?)),
            "vectorize" => Some(("vectorize", key("index_name")?)),
            "service" => Some(("services", key("service").filter(|it| it != own)?)),
            "durable_object_namespace" => {
                Some(("classes", key("script_name").filter(|it| it != own)?))
            }
            _ => None,
        }
    };
    bindings.into_iter().flatten().filter_map(refers).collect()
}
