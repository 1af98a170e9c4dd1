//! What the client promises, over a transport and a clock in memory.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use envc_core::Secret;
use envc_edge_api::{Health, LockedProblem, ProblemType};
use futures::{
    executor::block_on,
    future::{BoxFuture, pending, ready},
};

use super::{
    EdgeAnswer, EdgeCall, EdgeClass, EdgeClient, EdgeEndpoint, EdgeError, EdgePools, Patience,
};
use crate::{
    ports::{Clock, Entropy, Pools as _, Transport, TransportError, World},
    progress::Silent,
};

/// What the server does with a request.
enum Reply {
    /// Status, content type, header, body.
    Answer(u16, &'static str, Option<(&'static str, &'static str)>, String),
    /// No connection.
    Closed,
    /// The connection breaks after the request was sent.
    Lost,
    /// Never an answer.
    Silence,
}

fn problem(kind: ProblemType) -> Reply {
    let problem = envc_edge_api::Problem::new(kind, "because");
    let body = serde_json::to_string(&problem).unwrap();
    Reply::Answer(kind.status(), envc_edge_api::Problem::CONTENT_TYPE, None, body)
}

fn json(status: u16, body: &str) -> Reply {
    Reply::Answer(status, "application/json", None, body.to_owned())
}

struct Server {
    replies: Mutex<VecDeque<Reply>>,
    requests: Mutex<Vec<http::Request<Bytes>>>,
    now_ms: AtomicU64,
    stop: AtomicBool,
    stops_after: Option<usize>,
}

impl Server {
    fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self {
            replies: Mutex::new(replies.into_iter().collect()),
            requests: Mutex::default(),
            now_ms: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            stops_after: None,
        }
    }

    fn client(&self) -> EdgeClient<'_> {
        let endpoint = EdgeEndpoint {
            base_url: "https://edge.example.com/".into(),
            token: Some(Secret::new("envc_s3cret")),
        };
        let world = World {
            transport: self,
            clock: self,
            entropy: self,
            progress: &Silent,
            stop: &self.stop,
        };
        EdgeClient::new(endpoint, world)
    }

    fn call(&self, call: &EdgeCall) -> Result<EdgeAnswer, EdgeError> {
        block_on(self.client().call(call))
    }

    fn sent(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

impl Transport for Server {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        self.requests.lock().unwrap().push(request);
        if self.stops_after == Some(self.sent()) {
            self.stop.store(true, Ordering::Relaxed);
        }
        let error = |never_sent| Err(TransportError { never_sent, message: "broken".into() });
        match self.replies.lock().unwrap().pop_front().expect("no more requests were foreseen") {
            Reply::Closed => Box::pin(ready(error(true))),
            Reply::Lost => Box::pin(ready(error(false))),
            Reply::Silence => Box::pin(pending()),
            Reply::Answer(status, content_type, header, body) => {
                let mut response = http::Response::builder().status(status);
                if !content_type.is_empty() {
                    response = response.header("content-type", content_type);
                }
                if let Some((name, value)) = header {
                    response = response.header(name, value);
                }
                Box::pin(ready(Ok(response.body(body.into()).unwrap())))
            }
        }
    }
}

impl Clock for Server {
    fn monotonic_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    fn unix_ms(&self) -> u64 {
        self.monotonic_ms()
    }

    /// Time passes when somebody waits for it.
    fn sleep(&self, ms: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.now_ms.fetch_add(ms, Ordering::Relaxed);
        })
    }
}

impl Entropy for Server {
    fn unit(&self) -> f64 {
        0.5
    }

    fn hex(&self, bytes: usize) -> String {
        "ab".repeat(bytes)
    }
}

const LEASES: &[&str] = &["v1", "pools", "previews", "leases"];

#[test]
fn a_call_carries_token_headers_and_json_and_gives_what_was_answered() {
    let health = serde_json::to_string(&Health::ok("1.2.3")).unwrap();
    let etag = Some(("etag", "\"7\""));
    let world = Server::new([Reply::Answer(201, "application/json; charset=utf-8", etag, health)]);
    let call = EdgeCall::put(&["v1", "state", "a b", "ü/x"])
        .header("if-match", "\"6\"")
        .json(&serde_json::json!({"a": 1}));
    let answer = world.call(&call).unwrap();
    assert_eq!((answer.status, answer.etag.as_deref()), (201, Some("\"7\"")));
    assert_eq!(answer.read::<Health>().unwrap().version, "1.2.3");
    let requests = world.requests.lock().unwrap();
    let request = &requests[0];
    assert_eq!(request.uri(), "https://edge.example.com/v1/state/a%20b/%C3%BC%2Fx");
    assert_eq!(request.headers()["authorization"], "Bearer envc_s3cret");
    assert_eq!(request.headers()["if-match"], "\"6\"");
    assert_eq!(request.headers()["content-type"], "application/json");
    assert_eq!(request.body(), "{\"a\":1}");
}

#[test]
fn what_cannot_be_written_is_an_error_and_nothing_is_sent() {
    // JSON has no map with such keys.
    let body = std::collections::BTreeMap::from([((1, 2), "x")]);
    let world = Server::new([]);
    let error = world.call(&EdgeCall::post(LEASES).repeatable().json(&body)).unwrap_err();
    assert!(error.message.starts_with("BUG: ") && !error.is_unknown(), "{error:?}");
    assert_eq!(world.sent(), 0);
}

#[test]
fn a_problem_keeps_its_type_its_detail_and_its_own_members() {
    let body = r#"{"type":"urn:envc:problem:locked","title":"T","status":423,"detail":"by alice",
        "lock":{"holder":"alice","subject":"ci","purpose":"apply","fence":3,"acquired_at_ms":1,
                "expires_at_ms":2}}"#;
    let after = Some(("retry-after", "7"));
    let world =
        Server::new([Reply::Answer(423, "application/problem+json", after, body.to_owned())]);
    let error = world.call(&EdgeCall::post(LEASES)).unwrap_err();
    assert!(error.is(ProblemType::Locked));
    assert_eq!(error.retry_after_s, Some(7));
    assert_eq!(error.to_string(), "POST /v1/pools/previews/leases: T (423): by alice");
    let locked: LockedProblem = error.problem().unwrap().read().unwrap();
    assert_eq!(locked.lock.holder, "alice");
}

#[test]
fn only_what_may_be_repeated_is_repeated() {
    let good = || json(200, "{}");
    let lost = [Reply::Lost, problem(ProblemType::Unavailable), problem(ProblemType::Internal)];
    for reply in lost {
        let world = Server::new([reply, good()]);
        assert!(world.call(&EdgeCall::get(LEASES)).is_ok());
    }
    let world = Server::new([Reply::Lost]);
    assert!(world.call(&EdgeCall::post(LEASES)).unwrap_err().is_unknown());
    let world = Server::new([Reply::Lost, Reply::Silence, good()]);
    assert!(world.call(&EdgeCall::post(LEASES).repeatable()).is_ok());
    // What had no effect may be sent again, whatever it is.
    let world = Server::new([Reply::Closed, problem(ProblemType::RateLimited), good()]);
    assert!(world.call(&EdgeCall::post(LEASES)).is_ok());
    for refused in [ProblemType::PoolEmpty, ProblemType::PreconditionFailed, ProblemType::Locked] {
        let world = Server::new([problem(refused)]);
        assert!(world.call(&EdgeCall::put(LEASES)).unwrap_err().is(refused));
    }
}

#[test]
fn tries_and_waits_are_bounded_and_retry_after_is_honoured() {
    let world = Server::new((0..6).map(|_| Reply::Lost));
    assert!(world.call(&EdgeCall::get(LEASES)).is_err());
    assert_eq!(world.sent(), 6);
    let world = Server::new((0..4).map(|_| Reply::Closed));
    let error = world.call(&EdgeCall::get(LEASES)).unwrap_err();
    assert_eq!((world.sent(), error.class), (4, EdgeClass::Unreachable));
    let world = Server::new([
        Reply::Answer(
            429,
            "application/problem+json",
            Some(("retry-after", "20")),
            r#"{"type":"urn:envc:problem:rate-limited","title":"T","status":429}"#.into(),
        ),
        json(200, "{}"),
    ]);
    world.call(&EdgeCall::get(LEASES)).unwrap();
    // The time-out of each try passes in this clock, too.
    let waited_ms = world.monotonic_ms();
    assert!((20_000..25_000).contains(&waited_ms), "{waited_ms}");
}

#[test]
fn once_means_one_try() {
    let world = Server::new([Reply::Silence]);
    let client = world.client().patient(Patience::ONCE);
    let error = block_on(client.call(&EdgeCall::get(LEASES))).unwrap_err();
    assert_eq!((error.message.as_str(), world.sent()), ("no answer in time", 1));
    assert_eq!(world.monotonic_ms(), 5_000);
}

#[test]
fn who_asked_for_no_queue_waits_in_none() {
    let ticket = r#"{"ticket_id":"t","holder":"shop/main","position":0,"expires_at_ms":1,
        "retry_after_seconds":1}"#;
    let lease = r#"{"id":"a","lease_id":"l","holder":"shop/main","granted_at_ms":1,
        "expires_at_ms":1,"draining":false,"attributes":{},"secrets":{}}"#;
    let world = Server::new([json(202, ticket), json(201, lease)]);
    let pools = EdgePools::new(world.client(), world.client(), &Silent);
    let error = block_on(pools.lease("previews", "shop/main")).unwrap_err();
    assert_eq!(error.call().unwrap().class, EdgeClass::UnexpectedResponder);
    assert_eq!(world.sent(), 1);
    let world = Server::new([json(202, ticket), json(201, lease)]);
    let pools = EdgePools::new(world.client(), world.client(), &Silent).waiting(true);
    assert_eq!(block_on(pools.lease("previews", "shop/main")).unwrap().id, "a");
}

#[test]
fn who_is_not_the_edge_worker_is_told_apart() {
    let page = "<html>envc_s3cret</html>".to_owned();
    let login = Some(("location", "https://me:s3cret@login.example.com/s3cret?token=envc_s3cret"));
    let scheme = Some(("location", "//me:s3cret@login.example.com:8443/s3cret"));
    let path = Some(("location", "/s3cret?to=https://login.example.com"));
    for (reply, says) in [
        (Reply::Answer(200, "text/html", None, page.clone()), "status 200 with text/html"),
        (Reply::Answer(404, "text/html", None, page.clone()), "status 404 with text/html"),
        (Reply::Answer(404, "application/json", None, "{}".into()), "with application/json"),
        (Reply::Answer(302, "", login, String::new()), "leads to login.example.com"),
        (Reply::Answer(302, "", scheme, String::new()), "leads to login.example.com:8443"),
        (Reply::Answer(302, "", path, String::new()), "leads to another page of the same server"),
    ] {
        let world = Server::new([reply]);
        let error = world.call(&EdgeCall::get(LEASES)).unwrap_err();
        assert_eq!(error.class, EdgeClass::UnexpectedResponder);
        assert!(error.message.contains(says), "{error}");
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    let world = Server::new([json(200, "{\"success\":true}")]);
    let answer = world.call(&EdgeCall::get(LEASES)).unwrap();
    assert_eq!(answer.read::<Health>().unwrap_err().class, EdgeClass::UnexpectedResponder);
    // A gateway in front of a Worker that is down says nothing about the Worker.
    let world = Server::new([Reply::Answer(502, "text/html", None, page), json(200, "{}")]);
    assert!(world.call(&EdgeCall::get(LEASES)).is_ok());
}

#[test]
fn ctrl_c_ends_the_tries_and_no_token_is_shown() {
    for (reply, class) in
        [(Reply::Lost, EdgeClass::Unknown), (Reply::Closed, EdgeClass::Interrupted)]
    {
        let mut world = Server::new([reply]);
        world.stops_after = Some(1);
        let error = world.call(&EdgeCall::get(LEASES)).unwrap_err();
        assert_eq!((error.class, world.sent()), (class, 1));
    }
    let world = Server::new([]);
    assert!(!format!("{:?}", world.client()).contains("s3cret"));
    let lock = EdgeCall::put(&["v1", "state", "c", "a", "p", "e", "lock", "0123abcd"]);
    assert_eq!(lock.name(), "PUT /v1/state/c/a/p/e/lock/…");
    assert_eq!(EdgeCall::post(LEASES).name(), "POST /v1/pools/previews/leases");
}
