//! Tokens: who is let in.

use envc_edge_api::{ProblemType, TokenCreated, TokenList};
use serde_json::json;

use crate::common::{admin, call, check_problem, lease, put_members, token};
use crate::http::{Ask, ask, send};
use crate::workerd::Workerd;

#[test]
fn only_a_good_token_with_the_scope_is_let_in() {
    let workerd = Workerd::start();
    let at = workerd.address;
    put_members(at, "previews", 1, &json!({}));
    let reader = token(at, "board", "read").token;
    let target = "/v1/pools/previews";

    let nobody = send(at, "GET", target);
    check_problem(&nobody, ProblemType::Unauthenticated);
    assert_eq!(nobody.header("www-authenticate"), "Bearer");
    let (id, secret) = reader.rsplit_once('_').unwrap();
    let forged = format!("{id}_{}", secret.chars().rev().collect::<String>());
    let unknown = format!("envc_0000000000000000_{secret}");
    for bad in
        ["x", "envc_", &forged, &unknown, reader.trim_start_matches('e'), &format!("{reader}0")]
    {
        check_problem(&call(at, bad, "GET", target, ""), ProblemType::Unauthenticated);
    }
    let headers = format!("Authorization: Basic {reader}\r\n");
    let basic = Ask { method: "GET", target, headers: &headers, ..Ask::default() };
    check_problem(&ask(at, basic), ProblemType::Unauthenticated);

    assert_eq!(call(at, &reader, "GET", target, "").status, 200);
    check_problem(&lease(at, &reader, "previews", "shop/pr-1"), ProblemType::Forbidden);
    for (method, target) in
        [("PUT", "/v1/pools/previews/members"), ("POST", "/v1/tokens"), ("GET", "/v1/tokens")]
    {
        check_problem(&call(at, &reader, method, target, "{}"), ProblemType::Forbidden);
    }
}

#[test]
fn a_token_is_shown_once_listed_without_its_secret_and_revoked() {
    let mut workerd = Workerd::start();
    let at = workerd.address;
    put_members(at, "previews", 1, &json!({}));
    let made = token(at, "ci", "pool,read");
    assert_eq!(call(at, &made.token, "GET", "/v1/pools/previews", "").status, 200);

    let list = admin(at, "GET", "/v1/tokens", "");
    assert!(!list.body.contains(made.token.rsplit('_').next().unwrap()));
    let list: TokenList = list.json();
    assert_eq!(list.tokens[0].created_by.as_str(), "bootstrap");
    assert!(list.tokens[0].last_used_at_ms.is_some());

    workerd.restart();
    let at = workerd.address;
    assert_eq!(call(at, &made.token, "GET", "/v1/pools/previews", "").status, 200);
    let path = format!("/v1/tokens/{}", made.summary.token_id);
    assert_eq!(admin(at, "DELETE", &path, "").status, 204);
    let refused = call(at, &made.token, "GET", "/v1/pools/previews", "");
    check_problem(&refused, ProblemType::Unauthenticated);
    assert_eq!(admin(at, "DELETE", &path, "").status, 204);
    check_problem(&admin(at, "DELETE", "/v1/tokens/none", ""), ProblemType::NotFound);
}

#[test]
fn a_token_expires() {
    let workerd = Workerd::start_with_clock();
    let at = workerd.address;
    put_members(at, "previews", 1, &json!({}));
    let body = r#"{"subject":"ci","scopes":["read"],"ttl_seconds":1}"#;
    let made: TokenCreated = admin(at, "POST", "/v1/tokens", body).json();
    assert_eq!(call(at, &made.token, "GET", "/v1/pools/previews", "").status, 200);
    workerd.go_ahead(1_100);
    let late = call(at, &made.token, "GET", "/v1/pools/previews", "");
    check_problem(&late, ProblemType::Unauthenticated);
}

#[test]
fn a_token_has_only_so_many_requests() {
    let workerd = Workerd::start();
    let at = workerd.address;
    put_members(at, "previews", 1, &json!({}));
    let body = r#"{"subject":"ci","scopes":["read"],"rate_per_minute":3}"#;
    let made: TokenCreated = admin(at, "POST", "/v1/tokens", body).json();
    for _ in 0..3 {
        assert_eq!(call(at, &made.token, "GET", "/v1/pools/previews", "").status, 200);
    }
    let refused = call(at, &made.token, "GET", "/v1/pools/previews", "");
    check_problem(&refused, ProblemType::RateLimited);
    let wait: u32 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(admin(at, "GET", "/v1/pools/previews", "").status, 200, "others are not held up");
}

#[test]
fn without_a_proper_bootstrap_token_nobody_is_an_admin() {
    for weak in ["", "admin"] {
        let workerd = Workerd::start_with(&[("BOOTSTRAP_TOKEN", weak)]);
        for sent in [weak, "admin", "undefined", "null"] {
            let answer = call(workerd.address, sent, "GET", "/v1/tokens", "");
            check_problem(&answer, ProblemType::Unauthenticated);
        }
        assert_eq!(send(workerd.address, "GET", "/healthz").status, 200);
    }
}
