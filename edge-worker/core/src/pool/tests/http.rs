//! Over HTTP: what is refused, what is shown to whom, what is kept.

use base64::Engine as _;
use envc_edge_api::{
    Lease, LeaseList, MemberList, PoolEmpty, PoolStats, Problem, ProblemType, Scope,
};

use super::*;
use crate::call::{Call, Caller};
use crate::entropy::Entropy;
use crate::http::{Method, Response};
use crate::pool::serve;
use crate::router::PoolResource;
use crate::seal::SealKey;

const MEMBERS: &str = r#"{"members":[
    {"id":"pr-1","attributes":{"livekit":"p_1"},"secrets":{"LIVEKIT_SECRET":"hunter2"}},
    {"id":"pr-2"}],"settings":{"cool_down_seconds":0}}"#;

fn key() -> SealKey {
    SealKey::parse(&base64::engine::general_purpose::STANDARD.encode([9; 32])).unwrap()
}

struct Server {
    pool: Pool,
    rows: BTreeMap<String, String>,
    calls: u8,
    key: Option<SealKey>,
}

impl Server {
    fn empty() -> Self {
        Self { pool: Pool::default(), rows: BTreeMap::new(), calls: 0, key: Some(key()) }
    }

    fn filled() -> Self {
        let mut server = Self::empty();
        assert_eq!(server.put(MEMBERS).status, 200);
        server
    }

    fn call(&mut self, as_: &str, method: Method, at: PoolResource<'_>, body: &str) -> Response {
        self.calls += 1;
        let caller = Caller { subject: name(as_), scopes: vec![Scope::Admin], alive: None };
        let call = Call {
            method,
            body: body.as_bytes(),
            caller: &caller,
            now_ms: 1_000_000,
            entropy: Entropy::new([self.calls; 32]),
            key: self.key.as_ref(),
            preconditions: &crate::call::Preconditions::default(),
        };
        let served = serve(&mut self.pool, &name("previews"), &at, call);
        apply(&mut self.rows, &served.effects.writes);
        served.response
    }

    fn put(&mut self, body: &str) -> Response {
        self.call("root", Method::Put, PoolResource::Members, body)
    }

    fn lease(&mut self, as_: &str, holder: &str) -> Response {
        let body = format!(r#"{{"holder":"{holder}"}}"#);
        self.call(as_, Method::Post, PoolResource::Leases, &body)
    }
}

fn json<T: serde::de::DeserializeOwned>(response: &Response) -> T {
    serde_json::from_slice(&response.body).unwrap()
}

#[track_caller]
fn check_problem(response: &Response, expected: ProblemType) {
    let problem: Problem = json(response);
    assert_eq!(
        (problem.problem_type, response.status),
        (expected, expected.status()),
        "{problem:?}"
    );
}

#[test]
fn secrets_are_sealed_at_rest_and_shown_to_the_holder_alone() {
    let mut server = Server::filled();
    assert!(server.rows.values().all(|row| !row.contains("hunter2")), "{:?}", server.rows);

    let response = server.lease("ci", "shop/pr-7");
    assert_eq!(response.status, 201);
    let lease: Lease = json(&response);
    assert_eq!(lease.secrets["LIVEKIT_SECRET"], "hunter2");
    assert_eq!(lease.attributes["livekit"], "p_1");
    let again = server.lease("ci", "shop/pr-7");
    assert_eq!((again.status, json::<Lease>(&again)), (200, lease.clone()));

    for at in [PoolResource::Pool, PoolResource::Leases, PoolResource::Members] {
        let text = String::from_utf8(server.call("eve", Method::Get, at, "").body).unwrap();
        assert!(!text.contains("hunter2") && !text.contains(&lease.lease_id), "{text}");
    }
    check_problem(&server.lease("eve", "shop/pr-7"), ProblemType::HolderTaken);
    let at = PoolResource::Lease(&lease.lease_id);
    check_problem(&server.call("eve", Method::Put, at, ""), ProblemType::Forbidden);
}

#[test]
fn putting_the_same_members_again_writes_nothing() {
    let mut server = Server::filled();
    let before = server.rows.clone();
    let diff: serde_json::Value = json(&server.put(MEMBERS));
    assert_eq!(diff["unchanged"], serde_json::json!(["pr-1", "pr-2"]));
    assert_eq!(server.rows, before);
    let diff: serde_json::Value = json(&server.put(&MEMBERS.replace("hunter2", "hunter3")));
    assert_eq!(diff["changed"], serde_json::json!(["pr-1"]));
    assert_eq!(json::<Lease>(&server.lease("ci", "a/b")).secrets["LIVEKIT_SECRET"], "hunter3");
}

#[test]
fn an_empty_pool_says_when_and_who() {
    let mut server = Server::filled();
    drop(server.lease("ci", "shop/pr-1"));
    drop(server.lease("ci", "shop/pr-2"));
    let response = server.lease("ci", "shop/pr-3");
    check_problem(&response, ProblemType::PoolEmpty);
    assert!(response.headers.contains(&("retry-after", "30".to_owned())));
    let empty: PoolEmpty = json(&response);
    assert_eq!(empty.retry_after_seconds, 30);
    let holders: Vec<&str> = empty.leases.iter().map(|lease| lease.holder.as_str()).collect();
    assert_eq!(holders, ["shop/pr-1", "shop/pr-2"]);

    let body = r#"{"holder":"shop/pr-3","wait":true}"#;
    let ticket = server.call("ci", Method::Post, PoolResource::Leases, body);
    assert_eq!(ticket.status, 202);
    let stats: PoolStats = json(&server.call("ci", Method::Get, PoolResource::Pool, ""));
    assert_eq!((stats.size, stats.free, stats.leased, stats.queue), (2, 0, 2, 1));
    let list: LeaseList = json(&server.call("ci", Method::Get, PoolResource::Leases, ""));
    assert_eq!((list.leases.len(), list.queue.len()), (2, 1));
}

#[test]
fn a_pool_is_there_once_its_members_were_put() {
    let mut server = Server::empty();
    check_problem(&server.lease("ci", "shop/pr-1"), ProblemType::NotFound);
    check_problem(&server.call("ci", Method::Get, PoolResource::Pool, ""), ProblemType::NotFound);
    assert!(server.rows.is_empty());
    assert_eq!(server.put(r#"{"members":[]}"#).status, 200);
    check_problem(&server.lease("ci", "shop/pr-1"), ProblemType::PoolEmpty);
}

#[test]
fn secrets_need_a_key_and_the_same_key() {
    let mut server = Server::empty();
    server.key = None;
    check_problem(&server.put(MEMBERS), ProblemType::Misconfigured);
    assert_eq!(server.put(r#"{"members":[{"id":"a"}]}"#).status, 200);

    let mut server = Server::filled();
    server.key = SealKey::parse(&base64::engine::general_purpose::STANDARD.encode([8; 32]));
    check_problem(&server.lease("ci", "shop/pr-1"), ProblemType::Misconfigured);
    assert_eq!(server.put(MEMBERS).status, 200);
    assert_eq!(server.lease("ci", "shop/pr-1").status, 200);
}

#[test]
fn what_is_malformed_is_refused_and_changes_nothing() {
    let mut server = Server::filled();
    let before = server.rows.clone();
    let many: Vec<String> = (0..33).map(|index| format!(r#""a{index}":"x""#)).collect();
    let long = "x".repeat(4097);
    for (method, at, body) in [
        (Method::Post, PoolResource::Leases, ""),
        (Method::Post, PoolResource::Leases, "{"),
        (Method::Post, PoolResource::Leases, "[]"),
        (Method::Post, PoolResource::Leases, r#"{"holder":"shop"}"#),
        (Method::Post, PoolResource::Leases, r#"{"holder":"a/b\r\nset-cookie: x"}"#),
        (Method::Post, PoolResource::Leases, r#"{"holder":"a/<script>"}"#),
        (Method::Post, PoolResource::Leases, r#"{"holder":"a/b","ttl_seconds":-1}"#),
        (Method::Post, PoolResource::Leases, r#"{"holder":"a/b","ttl_seconds":0}"#),
        (Method::Post, PoolResource::Leases, r#"{"holder":"a/b","ttl_seconds":99999999}"#),
        (Method::Post, PoolResource::Leases, r#"{"holder":"a/b","colour":"red"}"#),
        (Method::Put, PoolResource::Lease("x"), r#"{"ttl_seconds":"1"}"#),
        (Method::Put, PoolResource::Members, r#"{"members":[{"id":"a"},{"id":"a"}]}"#),
        (Method::Put, PoolResource::Members, r#"{"members":[{"id":"../a"}]}"#),
        (Method::Put, PoolResource::Members, r#"{"members":[],"settings":{"queue_max":1001}}"#),
        (
            Method::Put,
            PoolResource::Members,
            r#"{"members":[{"id":"a","attributes":{"x":"1"},"secrets":{"x":"2"}}]}"#,
        ),
        (Method::Put, PoolResource::Members, r#"{"members":[{"id":"a","attributes":{"":"1"}}]}"#),
        (
            Method::Put,
            PoolResource::Members,
            &format!(r#"{{"members":[{{"id":"a","attributes":{{{}}}}}]}}"#, many.join(",")),
        ),
        (
            Method::Put,
            PoolResource::Members,
            &format!(r#"{{"members":[{{"id":"a","attributes":{{"x":"{long}"}}}}]}}"#),
        ),
        (Method::Post, PoolResource::Reclaims, r#"{"class":"active","reason":"x"}"#),
        (Method::Post, PoolResource::Reclaims, r#"{"class":"idle","reason":" "}"#),
        (Method::Post, PoolResource::Reclaims, r#"{"class":"idle"}"#),
    ] {
        check_problem(&server.call("root", method, at, body), ProblemType::InvalidRequest);
    }
    assert_eq!(server.rows, before);
}

#[test]
fn members_are_listed_with_the_names_of_their_secrets() {
    let mut server = Server::filled();
    drop(server.lease("ci", "a/b"));
    let list: MemberList = json(&server.call("ci", Method::Get, PoolResource::Members, ""));
    assert_eq!(list.members[0].secret_names, ["LIVEKIT_SECRET"]);
    assert_eq!(list.members[0].attributes["livekit"], "p_1");
}

#[test]
fn a_reclaim_is_told_to_whoever_lost_the_lease() {
    let mut server = Server::filled();
    let lease: Lease = json(&server.lease("ci", "shop/pr-1"));
    let body = r#"{"class":"active","holders":["shop/pr-1"],"reason":"release 9 first"}"#;
    let taken = server.call("root", Method::Post, PoolResource::Reclaims, body);
    assert_eq!(taken.status, 200);
    let renewed = server.call("ci", Method::Put, PoolResource::Lease(&lease.lease_id), "{}");
    check_problem(&renewed, ProblemType::LeaseGone);
    let detail = json::<Problem>(&renewed).detail.unwrap();
    assert_eq!(detail, "`root` took it away: release 9 first");
    let list = server.call("eve", Method::Get, PoolResource::Reclaims, "");
    assert!(String::from_utf8(list.body).unwrap().contains("release 9 first"));
}
