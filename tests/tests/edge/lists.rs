//! Lists over many objects.

use envc_edge_api::{AllStates, PoolList, ProblemType};
use serde_json::{Value, json};

use crate::common::{admin, call, check_problem, leased, put_members, token};
use crate::http::{Ask, ask};
use crate::workerd::{BOOTSTRAP_TOKEN, Workerd};

#[test]
fn every_pool_is_listed_with_its_counts() {
    let mut workerd = Workerd::start();
    let at = workerd.address;
    assert_eq!(admin(at, "GET", "/v1/pools", "").body, r#"{"pools":[]}"#);
    put_members(at, "web", 2, &json!({}));
    put_members(at, "api", 3, &json!({}));
    let ci = token(at, "ci", "pool").token;
    leased(at, &ci, "api", "shop/pr-1");
    workerd.restart();
    let at = workerd.address;
    let PoolList { pools } = call(at, &ci, "GET", "/v1/pools", "").json();
    let counts: Vec<_> = pools.iter().map(|it| (it.pool.as_str(), it.size, it.leased)).collect();
    assert_eq!(counts, [("api", 3, 1), ("web", 2, 0)]);
    let reporter = token(at, "board", "report").token;
    check_problem(&call(at, &reporter, "GET", "/v1/pools", ""), ProblemType::Forbidden);
    check_problem(&admin(at, "POST", "/v1/pools", "{}"), ProblemType::MethodNotAllowed);
}

#[test]
fn an_admin_sees_every_state_and_lock_page_by_page() {
    let workerd = Workerd::start();
    let at = workerd.address;
    let ci = token(at, "ci", "state").token;
    check_problem(&call(at, &ci, "GET", "/v1/state", ""), ProblemType::Forbidden);
    let lock = r#"{"holder":"alice@laptop","purpose":"apply"}"#;
    for number in 10..55 {
        let target = format!("/v1/state/cloudflare/acc/shop-{number}/pr-1/lock");
        assert_eq!(call(at, &ci, "POST", &target, lock).status, 201);
    }
    // Of this one a document and no lock is left.
    let state = "/v1/state/cloudflare/acc/shop-10/pr-1";
    let headers = "Envc-Fence: 1\r\nIf-None-Match: *\r\n";
    let put = Ask { method: "PUT", target: state, token: &ci, headers, body: "{}" };
    assert_eq!(ask(at, put).status, 201);
    assert_eq!(admin(at, "DELETE", &format!("{state}/lock"), "").status, 204);
    // And of this one nothing.
    let target = "/v1/state/cloudflare/acc/shop-11/pr-1/lock";
    assert_eq!(admin(at, "DELETE", target, "").status, 204);

    let first: AllStates = admin(at, "GET", "/v1/state", "").json();
    assert_eq!((first.projects.len(), first.next.is_some()), (39, true));
    let one = &first.projects[0];
    assert_eq!((one.cloud.as_str(), one.project.as_str()), ("cloudflare", "shop-10"));
    assert!(one.environments[0].current.is_some() && one.environments[0].lock.is_none());
    let lock = first.projects[1].environments[0].lock.as_ref().unwrap();
    assert_eq!(lock.holder, "alice@laptop");
    let next = format!("/v1/state?after={}", first.next.unwrap().replace('/', "%2F"));
    let last: AllStates = admin(at, "GET", &next, "").json();
    assert_eq!((last.projects.len(), last.next), (5, None));
    let odd = admin(at, "GET", "/v1/state?after=%FF&after=%00&x=1", "");
    assert_eq!(odd.status, 200, "{odd:?}");
}

#[test]
fn the_lease_of_an_environment_that_is_past_its_time_is_not_at_once_an_orphan() {
    let workerd = Workerd::start();
    let at = workerd.address;
    put_members(at, "previews", 1, &json!({}));
    leased(at, BOOTSTRAP_TOKEN, "previews", "shop/pr-1");
    let body = json!({
        "project": "shop", "type": "preview", "owner": "alice", "outcome": "applied",
        "ttl_seconds": 1,
    });
    let target = "/v1/environments/shop.pr-1";
    assert_eq!(admin(at, "PUT", target, &body.to_string()).status, 201);
    assert_eq!(admin(at, "DELETE", target, "").status, 204);
    let list: Value = admin(at, "GET", "/v1/pools/previews/leases", "").json();
    assert_eq!(list["leases"][0]["class"], "active", "ten minutes must pass");
}
