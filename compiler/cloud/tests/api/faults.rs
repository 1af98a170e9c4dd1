//! Faults: each really happens, to the call it names and to no other.

use std::time::{Duration, Instant};

use crate::support::Served;
use envc_cloud::{ConnectionLost, Faults};
use http::Request;
use reqwest::Method;
use serde_json::json;
use tower::ServiceExt as _;

async fn served(spec: &str) -> Served {
    Served::with(Faults::parse(spec).unwrap()).await
}

/// Creates a queue and says whether any answer came.
async fn try_create(served: &Served, name: &str) -> Result<reqwest::Response, reqwest::Error> {
    let body = json!({"queue_name": name}).to_string();
    served.request(Method::POST, &served.in_account("queues")).body(body).send().await
}

async fn queues(served: &Served) -> usize {
    served.get("queues").await.ok().as_array().unwrap().len()
}

#[tokio::test]
async fn a_lost_response_has_its_effect_and_no_answer() {
    let served = served("lose-response-on=1").await;
    let error = try_create(&served, "jobs").await.unwrap_err();
    assert!(error.is_request() && error.status().is_none(), "{error:?}");
    assert_eq!(queues(&served).await, 1);
    let log = served.cloud.requests();
    assert_eq!((log[0].seq, log[0].status, log[0].method.as_str()), (1, 0, "POST"));
    assert_eq!((log[1].seq, log[1].status), (2, 200));
}

#[tokio::test]
async fn a_dropped_request_has_no_effect_and_no_answer() {
    let served = served("drop-request-on=2").await;
    assert_eq!(queues(&served).await, 0);
    try_create(&served, "jobs").await.unwrap_err();
    assert_eq!(queues(&served).await, 0);
    try_create(&served, "jobs").await.unwrap();
    assert_eq!(queues(&served).await, 1);
}

#[tokio::test]
async fn in_process_a_lost_answer_is_marked() {
    let served = served("lose-response-on=1").await;
    let request = Request::get("/client/v4/accounts").body(axum::body::Body::empty()).unwrap();
    let response = served.cloud.router().oneshot(request).await.unwrap();
    assert!(response.extensions().get::<ConnectionLost>().is_some());
}

#[tokio::test]
async fn throttling_comes_with_code_971_or_with_null() {
    let served = served("throttle-on=1,null-body-on=2").await;
    let first = try_create(&served, "jobs").await.unwrap();
    assert_eq!(first.status(), 429);
    assert_eq!(first.headers()["retry-after"], "1");
    assert!(first.text().await.unwrap().contains("\"code\":971"));
    let second = try_create(&served, "jobs").await.unwrap();
    assert_eq!(second.status(), 429);
    assert_eq!(second.text().await.unwrap(), "null");
    assert_eq!(queues(&served).await, 0);
}

#[tokio::test]
async fn errors_and_challenges_are_html() {
    let served = served("error-on=1,html-on=2").await;
    let first = try_create(&served, "jobs").await.unwrap();
    assert_eq!(first.status(), 500);
    assert!(first.text().await.unwrap().starts_with("<!DOCTYPE html>"));
    let second = try_create(&served, "jobs").await.unwrap();
    assert_eq!(second.status(), 200);
    assert_eq!(second.headers()["cf-mitigated"], "challenge");
    assert_eq!(queues(&served).await, 0);
}

#[tokio::test]
async fn a_path_can_fail_for_good() {
    let served = served("fail=POST:/queues:403:10000:Authentication error").await;
    served.post("queues", json!({"queue_name": "a"})).await.fails(403, 10000);
    assert_eq!(queues(&served).await, 0);
}

#[tokio::test]
async fn every_call_can_fail_or_be_slow() {
    let broken = served("error-rate=1,seed=3").await;
    assert_eq!(try_create(&broken, "jobs").await.unwrap().status(), 500);
    let slow = served("latency=150").await;
    let start = Instant::now();
    queues(&slow).await;
    assert!(start.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn the_rate_limit_is_shown_and_enforced_when_set() {
    let unlimited = Served::new().await;
    let shown = try_create(&unlimited, "jobs").await.unwrap();
    // As recorded: the remainder does not move.
    for name in ["two", "three"] {
        assert_eq!(shown.headers()["ratelimit"], "\"default\";r=1199;t=1");
        assert_eq!(shown.headers()["ratelimit-policy"], "\"default\";q=1200;w=300");
        try_create(&unlimited, name).await.unwrap();
    }
    let of_kv = unlimited.request(Method::GET, &unlimited.in_account("storage/kv/namespaces"));
    assert!(!of_kv.send().await.unwrap().headers().contains_key("ratelimit"));
    let limited = served("rate-limit=2,limit-headers=counted").await;
    let first = try_create(&limited, "one").await.unwrap();
    assert_eq!(first.headers()["ratelimit"].to_str().unwrap().split(';').nth(1), Some("r=1"));
    assert_eq!(queues(&limited).await, 1);
    let refused = limited.get("queues").await;
    refused.fails(429, 971);
    let silent = served("limit-headers=none").await;
    assert!(!try_create(&silent, "x").await.unwrap().headers().contains_key("ratelimit"));
}

#[tokio::test]
async fn new_objects_can_lag_in_lists() {
    let served = served("list-lag=300").await;
    let made = served.post("d1/database", json!({"name": "db"})).await.ok();
    assert_eq!(served.get("d1/database").await.ok(), json!([]));
    served.get(&format!("d1/database/{}", made["uuid"].as_str().unwrap())).await.ok();
    tokio::time::sleep(Duration::from_millis(350)).await;
    assert_eq!(served.get("d1/database").await.ok().as_array().unwrap().len(), 1);
}

/// Where the crashing child finds its folder and its faults.
const CHILD_DIR: &str = "ENVC_CLOUD_TEST_CRASH_DIR";
const CHILD_FAULTS: &str = "ENVC_CLOUD_TEST_CRASH_FAULTS";

/// Not a test of its own: the process that `a_crash_…` starts and watches die.
#[tokio::test]
async fn crashing_child() {
    let (Ok(dir), Ok(faults)) = (std::env::var(CHILD_DIR), std::env::var(CHILD_FAULTS)) else {
        return;
    };
    let served = Served::on(dir.as_ref(), Faults::parse(&faults).unwrap()).await;
    let _never = try_create(&served, "jobs").await;
}

#[tokio::test]
async fn a_crash_comes_before_or_after_the_effect() {
    for (faults, expected) in [("crash-on=1:before", 0), ("crash-on=1:after", 1)] {
        let dir = tempfile::TempDir::new().unwrap();
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "faults::crashing_child"])
            .env(CHILD_DIR, dir.path())
            .env(CHILD_FAULTS, faults)
            .output()
            .unwrap();
        assert!(!child.status.success(), "{faults}: {child:?}");
        let after = Served::on(dir.path(), Faults::default()).await;
        assert_eq!(queues(&after).await, expected, "{faults}");
    }
}
