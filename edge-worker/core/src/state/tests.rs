//! What shared state promises, over HTTP.

use std::collections::BTreeMap;

use envc_edge_api::{
    Lock, LockSummary, LockedProblem, Name, Problem, ProblemType, Scope, StateList, VersionList,
};

use super::{Blobs, States, serve};
use crate::call::{Call, Caller, Preconditions};
use crate::entropy::Entropy;
use crate::http::{Method, Response};
use crate::router::StateResource;
use crate::store::{Blob, apply};

struct Server {
    states: States,
    rows: BTreeMap<String, String>,
    blobs: Memory,
    now_ms: u64,
    calls: u64,
}

#[derive(Default)]
struct Memory(BTreeMap<String, Vec<u8>>);

impl Blobs for Memory {
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.0.get(name).cloned()
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn env() -> Name {
    name("pr-1")
}

/// What a request is sent with.
#[derive(Default, Clone, Copy)]
struct With<'a> {
    subject: &'a str,
    body: &'a str,
    if_match: Option<&'a str>,
    if_none_match: Option<&'a str>,
    fence: Option<u64>,
}

impl Server {
    fn new() -> Self {
        Self {
            states: States::default(),
            rows: BTreeMap::new(),
            blobs: Memory::default(),
            now_ms: 1_000_000,
            calls: 0,
        }
    }

    fn call(&mut self, method: Method, at: &StateResource<'_>, with: With<'_>) -> Response {
        self.calls += 1;
        let subject = if with.subject.is_empty() { "ci" } else { with.subject };
        let caller = Caller { subject: name(subject), scopes: vec![Scope::State], alive: None };
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.calls.to_be_bytes());
        let preconditions = Preconditions {
            if_match: with.if_match.map(str::to_owned),
            if_none_match: with.if_none_match.map(str::to_owned),
            fence: with.fence.map(|fence| fence.to_string()),
        };
        let call = Call {
            method,
            body: with.body.as_bytes(),
            preconditions: &preconditions,
            caller: &caller,
            now_ms: self.now_ms,
            entropy: Entropy::new(seed),
            key: None,
        };
        let served = serve(&mut self.states, at, call, &self.blobs);
        apply(&mut self.rows, &served.effects.writes);
        for blob in served.effects.blobs {
            match blob {
                Blob::Put { name, bytes } => {
                    assert!(
                        self.blobs.0.insert(name, bytes).is_none(),
                        "a version is written once"
                    );
                }
                Blob::Delete { name } => drop(self.blobs.0.remove(&name)),
            }
        }
        let loaded = States::load(&self.rows).unwrap();
        assert_eq!(format!("{loaded:?}"), format!("{:?}", self.states));
        served.response
    }

    fn try_lock(&mut self, subject: &str) -> Response {
        let body = r#"{"holder":"alice@laptop","purpose":"apply"}"#;
        self.call(
            Method::Post,
            &StateResource::Lock(env()),
            With { subject, body, ..With::default() },
        )
    }

    fn lock(&mut self) -> Lock {
        let response = self.try_lock("ci");
        assert_eq!(response.status, 201, "{response:?}");
        json(&response)
    }

    fn put(&mut self, with: With<'_>) -> Response {
        self.call(Method::Put, &StateResource::State(env()), with)
    }

    fn get(&mut self) -> Response {
        self.call(Method::Get, &StateResource::State(env()), With::default())
    }
}

fn json<T: serde::de::DeserializeOwned>(response: &Response) -> T {
    serde_json::from_slice(&response.body).unwrap()
}

fn etag(response: &Response) -> String {
    response.headers.iter().find(|(name, _)| *name == "etag").unwrap().1.clone()
}

#[track_caller]
fn check_problem(response: &Response, expected: ProblemType) {
    let problem: Problem = json(response);
    assert_eq!((problem.problem_type, response.status), (expected, expected.status()));
}

fn first(body: &str, fence: u64) -> With<'_> {
    With { body, if_none_match: Some("*"), fence: Some(fence), ..With::default() }
}

#[test]
fn a_write_replaces_exactly_what_it_says() {
    let mut server = Server::new();
    check_problem(&server.get(), ProblemType::NotFound);
    let fence = server.lock().fence;
    let written = server.put(first(r#"{"n":1}"#, fence));
    assert_eq!(written.status, 201);
    let one = etag(&written);
    let read = server.get();
    assert_eq!((read.body.as_slice(), etag(&read)), (br#"{"n":1}"#.as_slice(), one.clone()));

    check_problem(&server.put(first(r#"{"n":9}"#, fence)), ProblemType::PreconditionFailed);
    let second =
        With { body: r#"{"n":2}"#, if_match: Some(&one), fence: Some(fence), ..With::default() };
    let two = etag(&server.put(second));
    let late = server.put(With { body: r#"{"n":3}"#, ..second });
    check_problem(&late, ProblemType::PreconditionFailed);
    assert_eq!(etag(&late), two, "the answer tells what is stored");
    assert_eq!(server.get().body, br#"{"n":2}"#);
    let known = With { if_none_match: Some(&two), ..With::default() };
    let unchanged = server.call(Method::Get, &StateResource::State(env()), known);
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
}

#[test]
fn a_removed_state_is_not_there_and_can_be_written_again() {
    let mut server = Server::new();
    let fence = server.lock().fence;
    let one = etag(&server.put(first("[1]", fence)));
    check_problem(&server.put(first("[1]", fence)), ProblemType::PreconditionFailed);
    let remove = With { if_match: Some(&one), fence: Some(fence), ..With::default() };
    let at = StateResource::State(env());
    assert_eq!(server.call(Method::Delete, &at, remove).status, 200);
    check_problem(&server.call(Method::Delete, &at, remove), ProblemType::PreconditionFailed);
    check_problem(&server.get(), ProblemType::NotFound);
    assert_eq!(server.put(first("[2]", fence)).status, 200);
}

#[test]
fn a_write_without_condition_or_fence_is_refused() {
    let mut server = Server::new();
    let fence = server.lock().fence;
    for with in [
        With { body: "{}", fence: Some(fence), ..With::default() },
        With { body: "{}", if_none_match: Some("*"), ..With::default() },
    ] {
        check_problem(&server.put(with), ProblemType::PreconditionRequired);
    }
    let both = With { if_match: Some("*"), ..first("{}", fence) };
    check_problem(&server.put(both), ProblemType::InvalidRequest);
    check_problem(&server.put(first("no json", fence)), ProblemType::InvalidRequest);
    check_problem(&server.put(first("{}", fence + 1)), ProblemType::FenceStale);
    let weak = With { if_match: Some("W/\"1\""), if_none_match: None, ..first("{}", fence) };
    check_problem(&server.put(weak), ProblemType::PreconditionFailed);
}

#[test]
fn whoever_lost_the_lock_writes_nothing_more() {
    let mut server = Server::new();
    let old = server.lock();
    let refused = server.try_lock("other");
    check_problem(&refused, ProblemType::Locked);
    assert_eq!(json::<LockedProblem>(&refused).lock.holder, "alice@laptop");
    assert!(refused.headers.contains(&("retry-after", "30".to_owned())));

    // Its time ran out, and nobody came: what it did may still be recorded.
    server.now_ms += 60_000;
    let one = etag(&server.put(first("[1]", old.fence)));
    let new: Lock = json(&server.try_lock("other"));
    assert!(new.fence > old.fence);
    let stale =
        With { body: "[2]", if_match: Some(&one), fence: Some(old.fence), ..With::default() };
    check_problem(&server.put(stale), ProblemType::FenceStale);
    let forged = With { fence: Some(new.fence), ..stale };
    check_problem(&server.put(forged), ProblemType::Forbidden);
    assert_eq!(server.put(With { subject: "other", ..forged }).status, 200);
}

#[test]
fn a_heartbeat_keeps_a_lock_and_a_release_ends_it() {
    let mut server = Server::new();
    let lock = server.lock();
    let at = StateResource::HeldLock(env(), &lock.lock_id);
    for _ in 0..3 {
        server.now_ms += 59_000;
        assert_eq!(server.call(Method::Put, &at, With::default()).status, 200);
    }
    check_problem(&server.try_lock("other"), ProblemType::Locked);
    let foreign = With { subject: "other", ..With::default() };
    check_problem(&server.call(Method::Delete, &at, foreign), ProblemType::Forbidden);
    for _ in 0..2 {
        assert_eq!(server.call(Method::Delete, &at, With::default()).status, 204);
    }
    check_problem(&server.call(Method::Put, &at, With::default()), ProblemType::LockGone);
    check_problem(&server.put(first("[1]", lock.fence)), ProblemType::FenceStale);
    assert!(server.lock().fence > lock.fence);
}

#[test]
fn a_lost_answer_locks_nobody_out() {
    let mut server = Server::new();
    let body = r#"{"holder":"a","purpose":"apply","request_id":"r-1"}"#;
    let at = StateResource::Lock(env());
    let ask = With { body, ..With::default() };
    let one = server.call(Method::Post, &at, ask);
    let two = server.call(Method::Post, &at, ask);
    assert_eq!((one.status, two.status, json::<Lock>(&one)), (201, 200, json::<Lock>(&two)));
    let foreign = With { subject: "other", ..ask };
    check_problem(&server.call(Method::Post, &at, foreign), ProblemType::Locked);
}

#[test]
fn locks_are_listed_and_broken_without_their_ids() {
    let mut server = Server::new();
    let lock = server.lock();
    server.put(first("[1]", lock.fence)).body.clear();
    let list = server.call(Method::Get, &StateResource::List, With::default());
    assert!(!String::from_utf8(list.body.clone()).unwrap().contains(&lock.lock_id));
    let list: StateList = json(&list);
    assert_eq!(list.environments[0].environment, env());
    assert_eq!(list.environments[0].lock.as_ref().unwrap().purpose, "apply");
    let at = StateResource::Lock(env());
    let seen: LockSummary = json(&server.call(Method::Get, &at, With::default()));
    assert_eq!(seen.fence, lock.fence);
    assert_eq!(server.call(Method::Delete, &at, With::default()).status, 204);
    check_problem(&server.call(Method::Get, &at, With::default()), ProblemType::NotFound);
    assert!(server.lock().fence > lock.fence);
}

#[test]
fn the_last_50_versions_can_be_read() {
    let mut server = Server::new();
    let fence = server.lock().fence;
    let mut tag = etag(&server.put(first("[1]", fence)));
    for number in 2..=53 {
        let body = format!("[{number}]");
        let with =
            With { body: &body, if_match: Some(&tag), fence: Some(fence), ..With::default() };
        tag = etag(&server.put(with));
    }
    let list = server.call(Method::Get, &StateResource::Versions(env()), With::default());
    let list: VersionList = json(&list);
    assert_eq!(list.versions.len(), 50);
    assert_eq!((list.versions[0].version, list.versions[49].version), (53, 4));
    assert_eq!(server.blobs.0.len(), 50);
    let read = |server: &mut Server, number| {
        server.call(Method::Get, &StateResource::Version(env(), number), With::default())
    };
    assert_eq!(read(&mut server, "4").body, b"[4]");
    check_problem(&read(&mut server, "3"), ProblemType::NotFound);
    check_problem(&read(&mut server, "x"), ProblemType::NotFound);
}

#[test]
fn damaged_content_is_not_given_out() {
    let mut server = Server::new();
    let fence = server.lock().fence;
    assert_eq!(server.put(first("[1]", fence)).status, 201);
    server.blobs.0.insert("pr-1/1".to_owned(), b"[2]".to_vec());
    check_problem(&server.get(), ProblemType::Internal);
}

#[test]
fn what_was_removed_long_ago_is_forgotten_and_the_fence_still_rises() {
    let mut server = Server::new();
    let lock = server.lock();
    let one = etag(&server.put(first("[1]", lock.fence)));
    let remove = With { if_match: Some(&one), fence: Some(lock.fence), ..With::default() };
    assert_eq!(server.call(Method::Delete, &StateResource::State(env()), remove).status, 200);
    server.now_ms += 91 * 86_400_000;
    let body = r#"{"holder":"a","purpose":"apply"}"#;
    let at = StateResource::Lock(name("pr-2"));
    let other: Lock = json(&server.call(Method::Post, &at, With { body, ..With::default() }));
    assert!(other.fence > lock.fence);
    assert!(server.blobs.0.is_empty() && !server.rows.contains_key("env/pr-1"));
}

#[test]
fn only_the_newest_lock_writes_under_random_interleavings() {
    let mut server = Server::new();
    let mut dice = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |bound: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % bound
    };
    let subjects = ["a", "b", "c"];
    let (mut held, mut tags) = ([0_u64; 3], [const { String::new() }; 3]);
    let (mut newest, mut stored, mut writes) = (0, String::new(), 0);
    for step in 0..2_000_u64 {
        let who = usize::try_from(below(3)).unwrap();
        let subject = subjects[who];
        match below(4) {
            0 => {
                let response = server.try_lock(subject);
                if response.status == 201 {
                    held[who] = json::<Lock>(&response).fence;
                    assert!(held[who] > newest);
                    newest = held[who];
                }
            }
            1 => {
                let read = server.get();
                tags[who] = if read.status == 200 { etag(&read) } else { String::new() };
            }
            2 => server.now_ms += below(40_000),
            _ => {
                let body = format!("[{step}]");
                let (if_match, if_none_match) = if tags[who].is_empty() {
                    (None, Some("*"))
                } else {
                    (Some(tags[who].as_str()), None)
                };
                let fence = Some(held[who]);
                let with = With { subject, body: &body, if_match, if_none_match, fence };
                let response = server.put(with);
                let may = held[who] == newest && newest > 0 && tags[who] == stored;
                assert_eq!(matches!(response.status, 200 | 201), may, "{response:?}");
                if may {
                    stored = etag(&response);
                    writes += 1;
                }
            }
        }
    }
    assert!(writes > 50, "{writes}");
}
