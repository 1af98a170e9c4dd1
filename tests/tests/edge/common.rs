//! What several files ask of a Worker.

use std::net::SocketAddr;

use envc_edge_api::{EnvironmentStatus, Lease, Problem, ProblemType, TokenCreated};

use crate::http::{Answer, Ask, ask};
use crate::workerd::BOOTSTRAP_TOKEN;

#[track_caller]
pub(crate) fn check_problem(answer: &Answer, expected: ProblemType) {
    assert_eq!(answer.status, expected.status(), "{answer:?}");
    assert_eq!(answer.header("content-type"), Problem::CONTENT_TYPE);
    let problem: Problem = answer.json();
    assert_eq!((problem.problem_type, problem.status), (expected, expected.status()));
}

/// Asks with a token.
#[track_caller]
pub(crate) fn call(
    address: SocketAddr,
    token: &str,
    method: &str,
    target: &str,
    body: &str,
) -> Answer {
    ask(address, Ask { method, target, token, body, headers: "" })
}

/// Asks as an admin.
#[track_caller]
pub(crate) fn admin(address: SocketAddr, method: &str, target: &str, body: &str) -> Answer {
    call(address, BOOTSTRAP_TOKEN, method, target, body)
}

/// Makes a token with one scope or more, comma-separated.
#[track_caller]
pub(crate) fn token(address: SocketAddr, subject: &str, scopes: &str) -> TokenCreated {
    let scopes: Vec<&str> = scopes.split(',').collect();
    let body = serde_json::json!({
        "subject": subject, "scopes": scopes, "rate_per_minute": 1_000_000,
    });
    let answer = admin(address, "POST", "/v1/tokens", &body.to_string());
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()
}

/// Puts so many members, `m0` and on, with these settings.
#[track_caller]
pub(crate) fn put_members(
    address: SocketAddr,
    pool: &str,
    count: usize,
    settings: &serde_json::Value,
) {
    let members: Vec<_> =
        (0..count).map(|index| serde_json::json!({ "id": format!("m{index}") })).collect();
    let body = serde_json::json!({ "members": members, "settings": settings });
    let answer = admin(address, "PUT", &format!("/v1/pools/{pool}/members"), &body.to_string());
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Asks for a lease.
#[track_caller]
pub(crate) fn lease(address: SocketAddr, token: &str, pool: &str, holder: &str) -> Answer {
    let body = format!(r#"{{"holder":"{holder}"}}"#);
    call(address, token, "POST", &format!("/v1/pools/{pool}/leases"), &body)
}

/// Asks for a lease and gets it.
#[track_caller]
pub(crate) fn leased(address: SocketAddr, token: &str, pool: &str, holder: &str) -> Lease {
    let answer = lease(address, token, pool, holder);
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    answer.json()
}

/// Reports an environment with one URL.
#[track_caller]
pub(crate) fn report(at: SocketAddr, token: &str, id: &str, url: &str) {
    let body = serde_json::json!({
        "project": "shop", "type": "preview", "owner": "alice", "outcome": "applied",
        "branch": "feature/<b>x</b>", "urls": [{ "name": "web", "url": url }],
        "resources": { "d1": 2 }, "ttl_seconds": 86_400,
    });
    let target = format!("/v1/environments/{id}");
    let answer = call(at, token, "PUT", &target, &body.to_string());
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
}

/// What is known of an environment.
#[track_caller]
pub(crate) fn environment(at: SocketAddr, id: &str) -> EnvironmentStatus {
    admin(at, "GET", &format!("/v1/environments/{id}"), "").json()
}
