//! Shared state over HTTP.

use std::num::NonZeroU64;

use envc_edge_api::limits::{
    LOCK_TTL_SECONDS, LOCK_TTL_SECONDS_DEFAULT, STATES_MAX, TEXT_CHARS_MAX,
};
use envc_edge_api::{
    HeartbeatRequest, Lock, LockRequest, LockSummary, LockedProblem, Name, Problem, ProblemType,
    StateList, StateWritten, VersionList, VersionSummary,
};
use serde::de::IgnoredAny;
use sha2::{Digest as _, Sha256};

use super::machine::{Held, Locking, Precondition, Refusal, States, Writing, blob, live_lock};
use crate::call::{Call, Served, invalid};
use crate::entropy::hex;
use crate::http::{Method, Response};
use crate::router::StateResource;
use crate::store::Effects;

/// Where the contents are.
pub trait Blobs {
    /// Reads one; `None` if it is not there.
    fn read(&self, name: &str) -> Option<Vec<u8>>;
}

/// Answers one request to the states of a project.
pub fn serve(
    states: &mut States,
    resource: &StateResource<'_>,
    call: Call<'_>,
    blobs: &dyn Blobs,
) -> Served {
    let mut effects = Effects::default();
    let result = answer(states, resource, call, blobs, &mut effects);
    let response = result.unwrap_or_else(|refused| match refused {
        Refused::Problem(problem) => Response::problem(&problem),
        Refused::Answer(response) => response,
    });
    Served { response, effects }
}

enum Refused {
    Problem(Problem),
    Answer(Response),
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

fn answer(
    states: &mut States,
    resource: &StateResource<'_>,
    mut call: Call<'_>,
    blobs: &dyn Blobs,
    effects: &mut Effects,
) -> Result<Response, Refused> {
    let now_ms = call.now_ms;
    let subject = call.caller.subject.clone();
    match (resource, call.method) {
        (StateResource::List, _) => {
            Ok(Response::json(&StateList { environments: states.list(now_ms) }))
        }
        (StateResource::State(env), Method::Put | Method::Delete) => {
            let summary = write(states, env, &call, effects)?;
            let VersionSummary { version, etag, .. } = summary;
            let document = StateWritten { version, etag: etag.clone() };
            let answer =
                if version == 1 { Response::created(&document) } else { Response::json(&document) };
            Ok(answer.etag(etag))
        }
        (StateResource::State(env), _) => current(states, env, &call, blobs),
        (StateResource::Versions(env), _) => {
            let entry = states.entry(env).ok_or_else(|| nothing(env))?;
            let versions = entry.versions.iter().rev().cloned().collect();
            Ok(Response::json(&VersionList { versions }))
        }
        (StateResource::Version(env, number), _) => {
            let entry = states.entry(env).ok_or_else(|| nothing(env))?;
            let found = entry.versions.iter().find(|it| it.version.to_string() == *number);
            content(env, found, blobs)
        }
        (StateResource::Lock(env), Method::Post) => lock(states, env, &mut call, effects),
        (StateResource::Lock(env), Method::Delete) => {
            states.break_lock(env, effects);
            Ok(Response::no_content())
        }
        (StateResource::Lock(env), _) => {
            let lock = states.entry(env).and_then(|entry| live_lock(entry, now_ms));
            let lock = lock.ok_or_else(|| {
                Problem::new(ProblemType::NotFound, format!("nobody has `{env}` locked"))
            })?;
            Ok(Response::json(&lock))
        }
        (StateResource::HeldLock(env, id), Method::Put) => {
            let HeartbeatRequest { ttl_seconds } =
                if call.body.is_empty() { HeartbeatRequest::default() } else { call.json()? };
            let ttl_ms = ttl_seconds.map(ttl_ms).transpose()?;
            let held = states.heartbeat(env, (id, &subject), ttl_ms, now_ms, effects);
            Ok(Response::json(&shown(&held.map_err(refused)?)))
        }
        (StateResource::HeldLock(env, id), _) => {
            states.unlock(env, id, &subject, effects).map_err(refused)?;
            Ok(Response::no_content())
        }
    }
}

fn nothing(env: &Name) -> Problem {
    Problem::new(ProblemType::NotFound, format!("nothing is stored for `{env}`"))
}

fn current(
    states: &States,
    env: &Name,
    call: &Call<'_>,
    blobs: &dyn Blobs,
) -> Result<Response, Refused> {
    let summary = states.entry(env).and_then(|entry| entry.current());
    if let (Some(summary), Some(known)) = (summary, call.preconditions.if_none_match.as_deref())
        && tags(known).iter().any(|tag| tag == "*" || *tag == summary.etag)
    {
        return Ok(Response::not_modified().etag(summary.etag.clone()));
    }
    content(env, summary, blobs)
}

fn content(
    env: &Name,
    summary: Option<&VersionSummary>,
    blobs: &dyn Blobs,
) -> Result<Response, Refused> {
    let summary = summary.filter(|summary| !summary.removed).ok_or_else(|| nothing(env))?;
    let bytes = blobs.read(&blob(env, summary.version)).filter(|bytes| {
        // What comes back is what was written, or nothing comes back.
        summary.etag == etag(summary.version, bytes)
    });
    let bytes = bytes.ok_or_else(|| {
        Problem::new(ProblemType::Internal, "the stored content is damaged; read another version")
    })?;
    Ok(Response::json_text(bytes).etag(summary.etag.clone()))
}

fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes)).chars().take(32).collect()
}

fn etag(version: u64, bytes: &[u8]) -> String {
    format!("\"{version}-{}\"", digest(bytes))
}

/// The entity tags of a list (RFC 9110, section 13.1); weak ones match nothing here.
fn tags(list: &str) -> Vec<String> {
    list.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
}

fn write(
    states: &mut States,
    env: &Name,
    call: &Call<'_>,
    effects: &mut Effects,
) -> Result<VersionSummary, Refused> {
    let required = |detail| Problem::new(ProblemType::PreconditionRequired, detail);
    let conditions = call.preconditions;
    let precondition = match (&conditions.if_match, &conditions.if_none_match) {
        (Some(list), None) => Precondition::Match(tags(list)),
        (None, Some(list)) if list.trim() == "*" => Precondition::Nothing,
        (None, None) => {
            return Err(required(
                "send `If-Match` with the entity tag of what is replaced, or \
                 `If-None-Match: *` when nothing is stored",
            )
            .into());
        }
        _ => {
            return Err(invalid("send either `If-Match` or `If-None-Match: *`").into());
        }
    };
    let fence = conditions.fence.as_deref().ok_or_else(|| {
        required("send `Envc-Fence` with the fencing number of your lock; `POST …/lock` gives one")
    })?;
    let fence: NonZeroU64 =
        fence.trim().parse().map_err(|_| invalid("`Envc-Fence` is a whole number, 1 at least"))?;
    let removes = call.method == Method::Delete;
    if !removes {
        serde_json::from_slice::<IgnoredAny>(call.body)
            .map_err(|error| invalid(&format!("the body is no JSON: {error}")))?;
    }
    let writing = Writing {
        subject: &call.caller.subject,
        fence: fence.get(),
        precondition,
        digest: (!removes).then(|| digest(call.body)),
        content: if removes { &[] } else { call.body },
        now_ms: call.now_ms,
    };
    states.write(env, &writing, effects).map_err(refused)
}

fn lock(
    states: &mut States,
    env: &Name,
    call: &mut Call<'_>,
    effects: &mut Effects,
) -> Result<Response, Refused> {
    let LockRequest { holder, purpose, ttl_seconds, request_id } = call.json()?;
    for (name, text) in [("holder", &holder), ("purpose", &purpose)] {
        if text.trim().is_empty() || text.chars().count() > TEXT_CHARS_MAX {
            return Err(invalid(&format!("`{name}` has 1 to {TEXT_CHARS_MAX} characters")).into());
        }
    }
    let ttl_ms = ttl_ms(ttl_seconds.unwrap_or(LOCK_TTL_SECONDS_DEFAULT))?;
    if states.entry(env).is_none() && states.count() >= STATES_MAX {
        return Err(invalid(&format!("a project has at most {STATES_MAX} environments")).into());
    }
    let locking = Locking {
        holder,
        purpose,
        subject: call.caller.subject.clone(),
        ttl_ms,
        request_id,
        fresh_id: call.entropy.id(),
        now_ms: call.now_ms,
    };
    let now_ms = call.now_ms;
    match states.lock(env, locking, effects) {
        Ok((held, true)) => Ok(Response::created(&shown(&held))),
        Ok((held, false)) => Ok(Response::json(&shown(&held))),
        Err(Refusal::Locked(lock)) => Err(Refused::Answer(locked(env, lock, now_ms))),
        Err(other) => Err(refused(other)),
    }
}

fn ttl_ms(seconds: u32) -> Result<u64, Problem> {
    let (min, max) = LOCK_TTL_SECONDS;
    if (min..=max).contains(&seconds) {
        Ok(u64::from(seconds) * 1_000)
    } else {
        Err(invalid(&format!("`ttl_seconds` is {min} to {max}, not {seconds}")))
    }
}

fn shown(held: &Held) -> Lock {
    let LockSummary { fence, expires_at_ms, .. } = held.summary;
    Lock { lock_id: held.lock_id.clone(), fence, expires_at_ms }
}

fn locked(env: &Name, lock: LockSummary, now_ms: u64) -> Response {
    let left_seconds = lock.expires_at_ms.saturating_sub(now_ms).div_ceil(1_000).clamp(1, 30);
    let problem = Problem::new(
        ProblemType::Locked,
        format!("`{env}` is locked by {} for {}", lock.holder, lock.purpose),
    );
    let document = LockedProblem { problem, lock };
    Response::problem_with(document.problem.status, &document)
        .retry_after(u32::try_from(left_seconds).unwrap_or(30))
}

fn refused(refusal: Refusal) -> Refused {
    let problem = match refusal {
        // Only `lock` is refused so, and answers it itself.
        Refusal::Locked(_) => Problem::new(ProblemType::Locked, "somebody else holds the lock"),
        Refusal::Gone => Problem::new(ProblemType::LockGone, "take a new one with `POST …/lock`"),
        Refusal::Foreign => {
            Problem::new(ProblemType::Forbidden, "the lock is another token's subject's")
        }
        Refusal::Fence => Problem::new(
            ProblemType::FenceStale,
            "no lock is held, or `Envc-Fence` is not the number of the newest one; nothing was \
             written",
        ),
        Refusal::Changed(stored) => {
            let problem = Problem::new(
                ProblemType::PreconditionFailed,
                match &stored {
                    Some(etag) => format!("what is stored is {etag}; nothing was written"),
                    None => "nothing is stored; nothing was written".to_owned(),
                },
            );
            let response = Response::problem(&problem);
            return Refused::Answer(match stored {
                Some(etag) => response.etag(etag),
                None => response,
            });
        }
    };
    Refused::Problem(problem)
}
