//! What does not go at once: a bucket that does not get empty, a tunnel that is still in use.

use std::{collections::BTreeMap, sync::Mutex};

use bytes::Bytes;
use envc_core::{KindId, limits};
use envc_exec::{
    Report,
    ports::{Transport, TransportError},
};
use futures::future::BoxFuture;
use serde_json::{Value as Json, json};

use crate::world::{Fake, plan_gone, plan_of, response, wanted};

/// What the API answers to a call, by method, path and how often it was made.
type Answers = dyn Fn(&str, &str, usize) -> (u16, Json) + Sync + Send;

struct Server {
    answers: Box<Answers>,
    seen: Mutex<Vec<String>>,
}

impl Server {
    fn seen(&self, part: &str) -> usize {
        self.seen.lock().unwrap().iter().filter(|line| *line == part).count()
    }
}

impl Transport for Server {
    fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let (method, path) = (request.method().as_str(), request.uri().path());
        let path = path.trim_start_matches("/client/v4/accounts/a/");
        let line = format!("{method} {path}");
        let count = self.seen(&line) + 1;
        let (status, told) = (self.answers)(method, path, count);
        self.seen.lock().unwrap().push(line);
        let body = match status {
            200 => json!({ "success": true, "result": told }),
            _ => json!({ "success": false, "errors": [told] }),
        };
        Box::pin(async move { Ok(response(status, body.to_string())) })
    }
}

/// Makes one of this kind, and takes it away again.
fn take_away(id: KindId, answers: Box<Answers>) -> (Report, Fake, Server, u64) {
    let (fake, server) = (Fake::default(), Server { answers, seen: Mutex::default() });
    let desired = BTreeMap::from([wanted(id, "x")]);
    let made = fake.run_of(&server, &plan_of(&desired, &BTreeMap::new()), &BTreeMap::new());
    let plan = plan_gone(&desired, &made.unwrap().state);
    let before_ms = fake.now_ms();
    let report = fake.run_of(&server, &plan, &BTreeMap::new()).unwrap();
    let took_ms = fake.now_ms() - before_ms;
    (report, fake, server, took_ms)
}

fn failure(report: &Report) -> String {
    let failure = report.failures.first().expect("it failed");
    format!("{} | {}", failure.message, failure.help.clone().unwrap_or_default())
}

const BUCKET: &str = "r2/buckets/p-x-e";
const OBJECTS: &str = "r2/buckets/p-x-e/objects";

fn bucket(bulk_delete_works: bool, open_uploads: usize) -> Box<Answers> {
    let objects = Mutex::new(vec!["a", "b"]);
    Box::new(move |method, path, count| match (method, path) {
        ("GET", OBJECTS) => {
            let keys: Vec<Json> =
                objects.lock().unwrap().iter().map(|key| json!({ "key": key })).collect();
            (200, json!(keys))
        }
        ("DELETE", OBJECTS) => {
            if bulk_delete_works {
                objects.lock().unwrap().clear();
            }
            (200, json!([]))
        }
        ("DELETE", BUCKET) if !objects.lock().unwrap().is_empty() || count <= open_uploads => {
            (409, json!({ "message": "The bucket you tried to delete (x) is not empty." }))
        }
        ("DELETE", _) => (200, json!({})),
        _ => (200, json!({ "name": "p-x-e" })),
    })
}

#[test]
fn emptying_ends_where_nothing_goes_and_says_why() {
    let (report, _, server, took_ms) = take_away(KindId::R2, bucket(true, 1));
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    assert!(took_ms < 5_000, "{took_ms}");
    assert_eq!(server.seen(&format!("DELETE {OBJECTS}")), 1);

    let (report, _, server, took_ms) = take_away(KindId::R2, bucket(false, 0));
    let told = failure(&report);
    assert!(told.contains("the same 2 objects are there"), "{told}");
    assert!(told.contains("a lock rule of the bucket"), "{told}");
    assert!(server.seen(&format!("DELETE {OBJECTS}")) <= 4, "{took_ms}");
}

#[test]
fn a_bucket_with_uploads_in_parts_is_told_with_the_ways_out() {
    // They may be on their way to an end.
    let (report, fake, _, took_ms) = take_away(KindId::R2, bucket(true, 3));
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    assert!(took_ms >= 1_000 && !fake.waits.lock().unwrap().is_empty(), "{took_ms}");

    let (report, _, server, took_ms) = take_away(KindId::R2, bucket(true, usize::MAX));
    let told = failure(&report);
    for words in ["not empty", "multipart uploads", "abort-multipart-upload", "after 7 days"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!((2_000..60_000).contains(&took_ms), "pauses between its tries: {took_ms}");
    assert!(server.seen(&format!("DELETE {BUCKET}")) <= 10);
}

fn tunnel(in_use: usize) -> Box<Answers> {
    Box::new(move |method, path, count| match method {
        "DELETE" if !path.ends_with("/connections") && count <= in_use => {
            (400, json!({ "code": 1022, "message": "This tunnel has active connections." }))
        }
        "DELETE" => (200, json!({})),
        _ => (200, json!({ "id": "0b0f1d2e", "name": "p-x-e" })),
    })
}

#[test]
fn what_holds_on_for_a_while_is_waited_for_and_told() {
    let (report, fake, _, took_ms) = take_away(KindId::Tunnel, tunnel(10));
    assert!(report.failures.is_empty(), "{:?}", report.failures);
    assert!((9_000..limits::LET_GO_MS_MAX).contains(&took_ms), "{took_ms}");
    assert_eq!(fake.waits.lock().unwrap().len(), 10);

    let (report, _, _, took_ms) = take_away(KindId::Tunnel, tunnel(usize::MAX));
    let told = failure(&report);
    assert!(told.contains("stop cloudflared"), "{told}");
    assert!((limits::LET_GO_MS_MAX..2 * limits::LET_GO_MS_MAX).contains(&took_ms), "{took_ms}");
}
