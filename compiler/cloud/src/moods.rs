//! Moods: what is normal on the real API and would never be seen on an immediate, strict server.
//!
//! A call passes here between the door and its product: it may be refused for what another product does
//! not see yet (`lag.rs`), for nothing at all once, or for how the real D1 cuts a text (`splitter.rs`);
//! and what the product answered may come in another shape. A refused call has had no effect, but
//! where its mood says so. All of it is switched on by [`crate::Faults`]; without any, a call passes.
//!
//! Invariants:
//! - What is drawn comes from the seed and from the call itself, with its identifiers left out, so that
//!   calls side by side change nothing for each other.
//! - What is remembered here is of this process: what was made before it began is seen at once.
//!
//! Source: published live answers and reports of tools that work with the real API.

pub(crate) mod lag;
mod splitter;

use std::time::Duration;

use axum::body::Body;
use http::{Method, Response};
use serde_json::{Value, json};

use crate::clock;
use crate::cloud::Inner;
use crate::envelope::Problem;
use crate::faults::{Faults, Flag};
use crate::memory::Memory;
use crate::products;
use crate::request::{Req, text};

/// D1's texts that ask to try again, word for word.
const AGAIN: [&str; 5] = [
    "D1 DB reset because its code was updated.",
    "Internal error while starting up D1 DB storage caused object to be reset.",
    "Internal error in D1 DB storage caused object to be reset.",
    "Network connection lost.",
    "Cannot resolve D1 DB due to transient issue on remote node.",
];

/// A number below 1 for a call that is among this share and was not refused before.
fn draw(memory: &Memory, faults: &Faults, share: f64, kind: &str, call: String) -> Option<f64> {
    if share <= 0.0 {
        return None;
    }
    let mut passed = memory.passed();
    let count = passed.kinds.entry(kind.to_owned()).or_default();
    *count += 1;
    let n = digest(kind).wrapping_add(*count);
    if !faults.draws(share, n) || !passed.refused.insert(call) {
        return None;
    }
    Some(faults.drawn(n.wrapping_mul(3)))
}

/// Answers a call by its product, as the API's mood is.
pub(crate) fn answer(cloud: &Inner, req: &Req) -> Response<Body> {
    let (faults, memory) = (&cloud.injector.faults, &cloud.injector.memory);
    let outcome = match refuse(cloud, req) {
        Ok(None) => {
            let before = lag::before(cloud, req);
            let outcome = products::handle(cloud, req);
            if let Ok(answer) = &outcome {
                lag::after(memory, faults, req, answer, before);
            }
            outcome
        }
        // The statements ran, and nobody is told.
        Ok(Some(again)) => products::handle(cloud, req).and(Err(again)),
        Err(problem) => Err(problem),
    };
    match outcome {
        Ok(mut answer) => {
            if faults.has(Flag::NullArrays) {
                answer = answer.with_null_arrays();
            }
            answer.into_response()
        }
        Err(mut problem) => {
            report(&problem, req);
            if faults.has(Flag::BareValidation) {
                problem = problem.without_wrapper();
            }
            if faults.has(Flag::BareFailures) {
                problem = problem.bare();
            }
            problem.into_response()
        }
    }
}

/// Refuses a call without effect; or gives the failure that is told when it has had its effect.
fn refuse(cloud: &Inner, req: &Req) -> Result<Option<Problem>, Problem> {
    let faults = &cloud.injector.faults;
    passing_auth(cloud, req)?;
    lag::refuse(cloud, req)?;
    bare_upload(cloud, req)?;
    let path = req.segments();
    match (&req.method, path.as_slice()) {
        (&Method::POST, ["accounts", _, "d1", "database", _, "query" | "raw"]) => {
            if faults.has(Flag::SplitSql) {
                splitter::refuse(&req.body)?;
            }
            again(cloud, req)
        }
        _ => Ok(None),
    }
}

/// Refuses a call once, though its token is valid.
fn passing_auth(cloud: &Inner, req: &Req) -> Result<(), Problem> {
    let path = req.segments();
    if matches!(path.as_slice(), ["user", "tokens", "verify"]) {
        return Ok(());
    }
    let faults = &cloud.injector.faults;
    let kind = format!("auth {} {}", req.method, shape(&path));
    let call = format!("auth {} {}", req.method, req.path);
    let Some(drawn) = draw(&cloud.injector.memory, faults, faults.passing_auth, &kind, call) else {
        return Ok(());
    };
    let upload = req.method == Method::PUT && matches!(path.as_slice(), [.., "scripts", _]);
    cloud.injector.memory.delay(name_of(req), "passing-auth", Duration::ZERO);
    Err(match drawn {
        n if n < 0.4 => Problem::new(401, 10000, "Authentication error"),
        _ if upload => Problem::new(
            403,
            10023,
            "You do not have access to this feature: kv bindings require kv write perms",
        ),
        _ => Problem::new(403, 10000, "Authentication error"),
    })
}

/// The first uploads of a new script: a 404 that says nothing.
fn bare_upload(cloud: &Inner, req: &Req) -> Result<(), Problem> {
    let tries = cloud.injector.faults.upload_404;
    let path = req.segments();
    let ["accounts", _, "workers", "scripts", name] = path.as_slice() else { return Ok(()) };
    if tries == 0 || req.method != Method::PUT || cloud.store.read(|db| script(db, name))? {
        return Ok(());
    }
    let mut passed = cloud.injector.memory.passed();
    let count = passed.uploads.entry((*name).to_owned()).or_default();
    *count += 1;
    if *count > tries {
        return Ok(());
    }
    cloud.injector.memory.delay(name_of(req), "upload-404", Duration::ZERO);
    Err(Problem::new(404, 0, "Not Found").without_code())
}

fn script(db: &rusqlite::Connection, name: &str) -> rusqlite::Result<bool> {
    products::script_exists(db, name)
}

/// A text of D1's that asks to try again, for a request that was not answered so before: the half of
/// them have run.
fn again(cloud: &Inner, req: &Req) -> Result<Option<Problem>, Problem> {
    let faults = &cloud.injector.faults;
    let kind = format!("again {}", shape(&req.segments()));
    let body = digest(&String::from_utf8_lossy(&req.body));
    let call = format!("again {} {body}", req.path);
    let Some(drawn) = draw(&cloud.injector.memory, faults, faults.d1_again, &kind, call) else {
        return Ok(None);
    };
    let (mut text, mut least) = (AGAIN[0], 0.0);
    for it in AGAIN {
        if drawn >= least {
            text = it;
        }
        least += 0.2;
    }
    cloud.injector.memory.delay(name_of(req), "d1-again", Duration::ZERO);
    let problem = Problem::new(400, 7500, text);
    let ran = (drawn * 10.0) % 2.0 >= 1.0;
    if ran { Ok(Some(problem)) } else { Err(problem) }
}

/// A path with its identifiers left out.
fn shape(path: &[&str]) -> String {
    let is_id = |part: &str| clock::is_hex_id(part) || clock::is_uuid(part);
    path.iter().map(|part| if is_id(part) { "*" } else { part }).collect::<Vec<_>>().join("/")
}

/// Method and path.
fn name_of(req: &Req) -> String {
    format!("{} {}", req.method, req.path)
}

/// FNV-1a: the same number for the same text, on every machine.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[expect(clippy::print_stderr, reason = "a bug of the server itself must not pass unseen")]
fn report(problem: &Problem, req: &Req) {
    if let Some(cause) = &problem.cause {
        eprintln!("local cloud: {} {}: {cause}", req.method, req.path);
    }
}

/// A body that is JSON, or nothing.
fn body(req: &Req) -> Value {
    serde_json::from_slice(&req.body).unwrap_or_else(|_| json!({}))
}

/// A text field of a body or a result, or none.
fn field(value: &Value, key: &str) -> String {
    text(value, key).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_depends_on_the_call_and_the_seed_alone() {
        let run = |seed: &str, order: &[&str]| {
            let faults = Faults::parse(&format!("passing-auth=0.3,seed={seed}")).unwrap();
            let memory = Memory::new();
            let mut hits: Vec<String> = Vec::new();
            for n in 0..20 {
                for kind in order {
                    let call = format!("{kind} {n}");
                    if draw(&memory, &faults, faults.passing_auth, kind, call.clone()).is_some() {
                        hits.push(call);
                    }
                }
            }
            hits.sort();
            hits
        };
        let one = run("7", &["GET a", "POST b"]);
        assert_eq!(one, run("7", &["POST b", "GET a"]));
        assert_ne!(one, run("8", &["GET a", "POST b"]));
        assert!((4..=20).contains(&one.len()), "{one:?}");
    }

    #[test]
    fn a_call_is_refused_once() {
        let faults = Faults::parse("passing-auth=1").unwrap();
        let memory = Memory::new();
        let drawn = |call: &str| draw(&memory, &faults, 1.0, "GET a", call.to_owned()).is_some();
        assert_eq!([drawn("a"), drawn("a"), drawn("b"), drawn("a")], [true, false, true, false]);
    }
}
