//! Pools over real HTTP: what the shell must carry, and what must survive a restart.

use std::thread;
use std::time::{Duration, Instant};

use envc_edge_api::{LeaseList, PoolEmpty, PoolStats, ProblemType, ReclaimList, Ticket};
use serde_json::json;

use crate::common::{admin, call, check_problem, lease, leased, put_members, token};
use crate::http::{Ask, ask, send};
use crate::workerd::Workerd;

#[test]
fn a_lease_lives_from_grant_to_release() {
    let workerd = Workerd::start();
    let at = workerd.address;
    put_members(at, "previews", 1, &json!({ "cool_down_seconds": 0 }));
    let ci = token(at, "ci", "pool").token;

    let answer = lease(at, &ci, "previews", "shop/pr-1");
    assert_eq!((answer.status, answer.header("content-type")), (201, "application/json"));
    let granted: envc_edge_api::Lease = answer.json();
    assert_eq!((granted.id.as_str(), granted.lease_id.len()), ("m0", 32));
    let again = lease(at, &ci, "previews", "shop/pr-1");
    assert_eq!(again.status, 200);
    assert_eq!(again.json::<envc_edge_api::Lease>().lease_id, granted.lease_id);

    let empty = lease(at, &ci, "previews", "shop/pr-2");
    check_problem(&empty, ProblemType::PoolEmpty);
    assert_eq!(empty.header("retry-after"), "30");
    assert_eq!(empty.json::<PoolEmpty>().leases[0].holder.as_str(), "shop/pr-1");

    let path = format!("/v1/pools/previews/leases/{}", granted.lease_id);
    let renewed = call(at, &ci, "PUT", &path, r#"{"ttl_seconds":60}"#);
    assert_eq!(renewed.status, 200);
    assert!(renewed.json::<envc_edge_api::Lease>().expires_at_ms < granted.expires_at_ms);
    for _ in 0..2 {
        let released = call(at, &ci, "DELETE", &path, "");
        assert_eq!((released.status, released.body.as_str()), (204, ""));
    }
    let other = leased(at, &ci, "previews", "shop/pr-2");
    check_problem(&call(at, &ci, "PUT", &path, ""), ProblemType::LeaseGone);
    assert_eq!(call(at, &ci, "DELETE", &path, "").status, 204);
    assert_eq!(leased(at, &ci, "previews", "shop/pr-2").lease_id, other.lease_id);
}

#[test]
fn everything_survives_a_kill_and_secrets_are_not_on_the_disk() {
    let mut workerd = Workerd::start();
    let body = json!({ "members": [
        { "id": "a", "attributes": { "livekit": "p_7" }, "secrets": { "KEY": "hunter2-hunter2" } },
    ] });
    let put = admin(workerd.address, "PUT", "/v1/pools/previews/members", &body.to_string());
    assert_eq!(put.status, 200, "{put:?}");
    let ci = token(workerd.address, "ci", "pool,read").token;
    let before = leased(workerd.address, &ci, "previews", "shop/pr-1");
    assert_eq!(before.secrets["KEY"], "hunter2-hunter2");
    let queue = r#"{"holder":"shop/pr-2","wait":true}"#;
    let ticket = call(workerd.address, &ci, "POST", "/v1/pools/previews/leases", queue);
    assert_eq!(ticket.status, 202, "{ticket:?}");

    workerd.restart();
    let at = workerd.address;
    assert_eq!(leased(at, &ci, "previews", "shop/pr-1").lease_id, before.lease_id);
    let again = call(at, &ci, "POST", "/v1/pools/previews/leases", queue);
    assert_eq!(again.json::<Ticket>().ticket_id, ticket.json::<Ticket>().ticket_id);
    let list: LeaseList = call(at, &ci, "GET", "/v1/pools/previews/leases", "").json();
    assert_eq!((list.leases.len(), list.queue.len()), (1, 1));

    let stored = workerd.stored_bytes();
    let stored = String::from_utf8_lossy(&stored);
    assert!(stored.contains("p_7"), "the test looks at the right place");
    assert!(!stored.contains("hunter2"));
    assert!(!stored.contains(ci.rsplit('_').next().unwrap()));

    // Under another key the secrets stay shut, and nothing else breaks.
    workerd.restart_with(&[("SEAL_KEY", "b3RoZXIta2V5LW9mLXRoZS1lZGdlLXRlc3RzLTMyYnk=")]);
    let shut = lease(workerd.address, &ci, "previews", "shop/pr-1");
    check_problem(&shut, ProblemType::Misconfigured);
    let stats = call(workerd.address, &ci, "GET", "/v1/pools/previews", "");
    assert_eq!(stats.json::<PoolStats>().leased, 1);
}

#[test]
fn leases_rests_and_tickets_end_by_the_clock() {
    let workerd = Workerd::start();
    let at = workerd.address;
    let settings = json!({ "ttl_seconds": 2, "cool_down_seconds": 1, "ticket_seconds": 1 });
    put_members(at, "previews", 1, &settings);
    let ci = token(at, "ci", "pool,read").token;
    let first = leased(at, &ci, "previews", "shop/pr-1");
    let wait = |holder: &str| {
        let body = format!(r#"{{"holder":"{holder}","wait":true}}"#);
        call(at, &ci, "POST", "/v1/pools/previews/leases", &body)
    };
    assert_eq!(wait("shop/gone").json::<Ticket>().position, 0);
    assert_eq!(wait("shop/pr-2").json::<Ticket>().position, 1);
    let path = format!("/v1/pools/previews/leases/{}", first.lease_id);
    let mut seen = Vec::new();
    for _ in 0..60 {
        let answer = wait("shop/pr-2");
        if answer.status == 201 {
            check_problem(&call(at, &ci, "PUT", &path, ""), ProblemType::LeaseGone);
            let stats: PoolStats = call(at, &ci, "GET", "/v1/pools/previews", "").json();
            assert_eq!((stats.leased, stats.queue), (1, 0));
            assert!(seen.contains(&(0, 0, 1)), "it rested before: {seen:?}");
            return;
        }
        let stats: PoolStats = call(at, &ci, "GET", "/v1/pools/previews", "").json();
        seen.push((stats.leased, stats.free, stats.cooling));
        thread::sleep(Duration::from_millis(100));
    }
    panic!("shop/pr-2 never got its turn: {seen:?}");
}

#[test]
fn pools_are_apart() {
    let workerd = Workerd::start();
    let at = workerd.address;
    let ci = token(at, "ci", "pool,read").token;
    put_members(at, "one", 1, &json!({}));
    put_members(at, "two", 1, &json!({}));
    leased(at, &ci, "one", "shop/pr-1");
    assert_eq!(leased(at, &ci, "two", "shop/pr-2").id.as_str(), "m0");
    for target in ["/v1/pools/three", "/v1/pools/three/leases", "/v1/pools/three/members"] {
        check_problem(&call(at, &ci, "GET", target, ""), ProblemType::NotFound);
    }
    check_problem(&lease(at, &ci, "three", "shop/pr-1"), ProblemType::NotFound);
}

#[test]
fn orphans_are_whose_subject_has_no_token_left() {
    let workerd = Workerd::start();
    let at = workerd.address;
    put_members(at, "previews", 2, &json!({}));
    let (gone, stays) = (token(at, "gone", "pool"), token(at, "stays", "pool,read"));
    leased(at, &gone.token, "previews", "shop/pr-1");
    leased(at, &stays.token, "previews", "shop/pr-2");
    let path = format!("/v1/tokens/{}", gone.summary.token_id);
    assert_eq!(admin(at, "DELETE", &path, "").status, 204);
    let list: serde_json::Value =
        call(at, &stays.token, "GET", "/v1/pools/previews/leases", "").json();
    assert_eq!(list["leases"][0]["class"], "orphaned");
    assert_eq!(list["leases"][1]["class"], "active");
    let body = r#"{"class":"orphaned","reason":"left the team"}"#;
    let taken = admin(at, "POST", "/v1/pools/previews/reclaims", body);
    let taken: serde_json::Value = taken.json();
    assert_eq!(taken["reclaims"][0]["holder"], "shop/pr-1", "{taken}");
    assert_eq!(taken["reclaims"].as_array().unwrap().len(), 1);
}

#[test]
fn bad_requests_are_problems_and_never_a_500() {
    let workerd = Workerd::start();
    let at = workerd.address;
    put_members(at, "previews", 1, &json!({}));
    let ci = token(at, "ci", "pool,read,admin").token;
    let large = format!(r#"{{"holder":"{}"}}"#, "x".repeat(10 * 1024 * 1024));
    let leases = "/v1/pools/previews/leases";
    for (method, target, body, expected) in [
        ("POST", leases, "", ProblemType::InvalidRequest),
        ("POST", leases, "{\"holder\"", ProblemType::InvalidRequest),
        ("POST", leases, "\u{0}\u{1}", ProblemType::InvalidRequest),
        ("POST", leases, r#"{"holder":"a/b","x":1}"#, ProblemType::InvalidRequest),
        ("POST", leases, r#"{"holder":"a/b","ttl_seconds":-5}"#, ProblemType::InvalidRequest),
        ("POST", leases, r#"{"holder":"a/b\r\nset-cookie: a=b"}"#, ProblemType::InvalidRequest),
        ("POST", leases, r#"{"holder":"a/<b>"}"#, ProblemType::InvalidRequest),
        ("POST", leases, &large, ProblemType::BodyTooLarge),
        ("PATCH", leases, "", ProblemType::MethodNotAllowed),
        ("PUT", "/v1/pools/previews/leases/never", "", ProblemType::LeaseGone),
        ("GET", "/v1/pools/%2e%2e/leases", "", ProblemType::NotFound),
        ("GET", "/v1/pools/a%2Fb", "", ProblemType::NotFound),
        ("GET", "/check", "", ProblemType::NotFound),
        ("POST", "/check", "{}", ProblemType::NotFound),
        ("GET", "/alive", "", ProblemType::NotFound),
    ] {
        let answer = call(at, &ci, method, target, body);
        check_problem(&answer, expected);
        assert_eq!(answer.header("set-cookie"), "");
        assert_eq!(answer.header("access-control-allow-origin"), "");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    let deleted = call(at, &ci, "DELETE", "/v1/pools/previews/leases/never", "");
    assert_eq!(deleted.status, 204);
    let headers = "Envc-Caller: {\"subject\":\"root\",\"scopes\":[\"admin\"]}\r\n";
    let forged = Ask { method: "GET", target: "/v1/tokens", headers, ..Ask::default() };
    check_problem(&ask(at, forged), ProblemType::Unauthenticated);
    assert_eq!(send(at, "GET", "/healthz").status, 200);
}

#[test]
fn head_is_get_without_the_body() {
    let workerd = Workerd::start();
    let at = workerd.address;
    put_members(at, "previews", 1, &json!({}));
    let head = admin(at, "HEAD", "/v1/pools/previews", "");
    assert_eq!((head.status, head.header("content-type")), (200, "application/json"));
    assert_eq!(head.body, "");
}

#[test]
fn a_lease_ends_by_its_alarm_though_nobody_asks() {
    let workerd = Workerd::start();
    let at = workerd.address;
    let settings = json!({ "ttl_seconds": 1, "cool_down_seconds": 600, "ticket_seconds": 1 });
    put_members(at, "previews", 1, &settings);
    let ci = token(at, "ci", "pool,read").token;
    let first = leased(at, &ci, "previews", "shop/pr-1");
    // What the pool writes when the lease is over; it is asked nothing meanwhile.
    let (ended, ready) = (first.expires_at_ms, first.expires_at_ms + 600_000);
    let row = format!(r#"{{"last_used_at_ms":{ended},"ready_at_ms":{ready},"held":null}}"#);
    let begun = Instant::now();
    while !String::from_utf8_lossy(&workerd.stored_bytes()).contains(&row) {
        assert!(begun.elapsed() < Duration::from_secs(15), "the alarm never came");
        thread::sleep(Duration::from_millis(50));
    }
    let stats: PoolStats = call(at, &ci, "GET", "/v1/pools/previews", "").json();
    assert_eq!((stats.leased, stats.cooling, stats.free), (0, 1, 0));
}

#[test]
fn a_ticket_that_is_not_asked_for_again_is_lost() {
    let workerd = Workerd::start_with_clock();
    let at = workerd.address;
    put_members(at, "previews", 1, &json!({ "ticket_seconds": 1 }));
    let ci = token(at, "ci", "pool,read").token;
    leased(at, &ci, "previews", "shop/pr-1");
    let body = r#"{"holder":"shop/pr-2","wait":true}"#;
    let ticket: Ticket = call(at, &ci, "POST", "/v1/pools/previews/leases", body).json();
    workerd.go_ahead(1_100);
    let list: LeaseList = call(at, &ci, "GET", "/v1/pools/previews/leases", "").json();
    assert_eq!(list.queue, []);
    let again: Ticket = call(at, &ci, "POST", "/v1/pools/previews/leases", body).json();
    assert_ne!(again.ticket_id, ticket.ticket_id, "it stands at the end again");
}

#[test]
fn a_lease_is_taken_away_by_class_with_a_reason_and_on_record() {
    let workerd = Workerd::start_with_clock();
    let at = workerd.address;
    // Longer than the slowest machine takes from the second lease to the end.
    put_members(at, "previews", 2, &json!({ "idle_seconds": 600, "cool_down_seconds": 0 }));
    let ci = token(at, "ci", "pool,read").token;
    let idle = leased(at, &ci, "previews", "shop/pr-1");
    let reclaims = "/v1/pools/previews/reclaims";
    let body = r#"{"class":"idle","reason":"pool is short"}"#;
    check_problem(&call(at, &ci, "POST", reclaims, body), ProblemType::Forbidden);
    for bad in [
        r#"{"class":"idle"}"#,
        r#"{"class":"idle","reason":" "}"#,
        r#"{"class":"active","reason":"I want it"}"#,
        r#"{"class":"all","reason":"x"}"#,
    ] {
        check_problem(&admin(at, "POST", reclaims, bad), ProblemType::InvalidRequest);
    }
    workerd.go_ahead(600_100);
    leased(at, &ci, "previews", "shop/pr-2");
    let dry = r#"{"class":"idle","reason":"pool is short","dry_run":true}"#;
    let would: ReclaimList = admin(at, "POST", reclaims, dry).json();
    assert_eq!(would.reclaims[0].holder.as_str(), "shop/pr-1");
    let list: ReclaimList = admin(at, "GET", reclaims, "").json();
    assert_eq!(list.reclaims, [], "nothing happened");
    let taken: ReclaimList = admin(at, "POST", reclaims, body).json();
    assert_eq!(taken.reclaims.len(), 1, "the active one stays");
    let list: ReclaimList = call(at, &ci, "GET", reclaims, "").json();
    assert_eq!(list, taken);
    let record = &list.reclaims[0];
    assert_eq!((record.by.as_str(), record.reason.as_str()), ("bootstrap", "pool is short"));
    let path = format!("/v1/pools/previews/leases/{}", idle.lease_id);
    let told = call(at, &ci, "PUT", &path, "");
    check_problem(&told, ProblemType::LeaseGone);
    assert!(told.body.contains("`bootstrap` took it away: pool is short"), "{told:?}");
}
