//! `state "edge"`: several machines, one state, one lock.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use envc_edge_api::{LockSummary, ProblemType, StateWritten};
use envc_tests::{Ran, Running, TestEnv, run_all, some_of};
use serde_json::{Value as Json, json};

use crate::common::{admin, check_problem, token};
use crate::http::{Answer, Ask, ask};
use crate::proxy::Proxy;
use crate::team::{Developer, PLANTED, spec};
use crate::workerd::{BOOTSTRAP_TOKEN, Workerd};

/// Scenarios at once.
const THREADS: usize = 4;
/// What one environment of the spec is in the account.
const OBJECTS: [(&str, usize); 4] = [("dns", 1), ("kv", 2), ("queue", 1), ("tunnel", 1)];

fn shared_spec(edge: SocketAddr, env: &str) -> String {
    spec(&format!("http://{edge}"), "state \"edge\"", env)
}

fn developer(edge: SocketAddr, env: &str, faults: &str) -> Developer {
    let mut developer = Developer::of(edge, &shared_spec(edge, env), faults);
    developer.env.set("ENVC_TEST_LOCK_TTL", "2");
    developer
}

/// Something of the state of a developer's environment, asked as an admin.
fn at_edge(edge: &Workerd, who: &Developer, env: &str, method: &str, below: &str) -> Answer {
    let account = who.env.var("CLOUDFLARE_ACCOUNT_ID");
    let target = format!("/v1/state/cloudflare/{account}/shop/{env}{below}");
    admin(edge.address, method, &target, "")
}

#[track_caller]
fn check_one_set(who: &Developer) {
    let listing = who.cloud.view().listing();
    assert_eq!(listing.counts(), OBJECTS.into_iter().collect(), "{listing}");
}

fn steps(ran: &Ran) -> Json {
    let applied = ran.event("applied").unwrap_or_else(|| panic!("nothing was applied: {ran}"));
    applied["steps"].clone()
}

/// Waits until something holds, or the command ends.
fn until(running: &mut Running, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() && !running.has_ended() {
        assert!(begun.elapsed() < Duration::from_mins(1), "it never came");
        thread::sleep(Duration::from_millis(5));
    }
}

fn start(env: &TestEnv, args: &[&str]) -> Running {
    Running::start(env.command(args))
}

#[test]
fn two_machines_share_what_is_recorded() {
    let edge = Workerd::start();
    let alice = developer(edge.address, "staging", "");
    alice.envc(&["apply"]).exits(0);
    check_one_set(&alice);
    assert_eq!(alice.env.states().len(), 0, "nothing is recorded on the machine itself");
    let bob = alice.other_machine();
    let shown = bob.envc(&["show"]).exits(0);
    assert!(shown.stdout.contains("shop--flags--staging"), "{shown}");
    assert_eq!(steps(&bob.envc(&["apply", "--json"]).exits(0)), 0);
    check_one_set(&alice);
    let stored = at_edge(&edge, &alice, "staging", "GET", "");
    assert!(!stored.body.contains(PLANTED), "{stored:?}");
    let id = bob.envc(&["output", "--only", "kv.flags.id"]).exits(0);
    assert!(stored.body.contains(id.stdout.trim()), "{stored:?}");

    bob.envc(&["destroy", "--yes"]).exits(0);
    check_problem(&at_edge(&edge, &alice, "staging", "GET", ""), ProblemType::NotFound);
    check_problem(&at_edge(&edge, &alice, "staging", "GET", "/lock"), ProblemType::NotFound);
    assert!(alice.cloud.view().listing().is_empty());
    alice.envc(&["plan", "--detailed-exitcode"]).exits(2);
}

/// A digest of a secret says the same on every machine: in CI each run is on a new one.
#[test]
fn another_machine_finds_no_secret_of_a_worker_changed() {
    let edge = Workerd::start();
    let worker = "worker \"api\" path=\".\" deploy=\"bundle\" bundle=\"dist\" \
                  compatibility-date=\"2026-01-01\" { secret \"APP_KEY\" }\n";
    let text = shared_spec(edge.address, "worker") + worker;
    let alice = Developer::of(edge.address, &text, "");
    let bob = alice.other_machine();
    for env in [&alice.env, &bob] {
        env.write("dist/index.js", "export default { fetch: () => new Response('ok') };");
    }
    alice.envc(&["apply"]).exits(0);
    let same = bob.envc(&["plan"]).exits(0);
    assert!(same.stdout.contains("No changes."), "{same}");
    let stored = at_edge(&edge, &alice, "worker", "GET", "");
    assert!(stored.body.contains("APP_KEY") && !stored.body.contains(PLANTED), "{stored:?}");
    let mut bob = bob;
    let changed = bob.set("APP_KEY", "another").envc(&["plan"]).exits(0);
    assert!(changed.stdout.contains("secrets: APP_KEY changed"), "{changed}");
}

#[test]
fn two_applies_at_once_make_one_set_and_no_wait_is_exit_75() {
    let edge = Workerd::start();
    let alice = developer(edge.address, "staging", "latency=600");
    let bob = alice.other_machine();
    let mut first = start(&alice.env, &["apply", "--json"]);
    until(&mut first, || !alice.cloud.requests().is_empty());
    let refused = bob.envc(&["apply", "--no-wait"]).exits(75);
    assert!(refused.stderr.contains("alice@laptop (process "), "{refused}");
    let second = bob.envc(&["apply"]).exits(0);
    assert!(second.stderr.contains("waiting for alice@laptop (process "), "{second}");
    assert!(second.stderr.contains("`envc apply`"), "{second}");
    let first = first.end().exits(0);
    assert!(steps(&first).as_u64() > Some(0), "{first}");
    check_one_set(&alice);
}

/// Invariant: killed at any request, the next apply makes one whole set and the next destroy
/// leaves nothing; the lock of the dead runs out by itself.
#[test]
fn an_apply_killed_at_any_request_is_completed_or_taken_away() {
    let edge = Workerd::start();
    let whole = developer(edge.address, "whole", "");
    whole.envc(&["apply"]).exits(0);
    let requests = whole.cloud.requests().len();
    let kills: Vec<(usize, bool)> =
        (1..=requests).flat_map(|at| [(at, false), (at, true)]).collect();
    run_all(THREADS, &some_of(kills), |&(at, destroys)| {
        let env = format!("kill-{at}-{destroys}");
        let alice = developer(edge.address, &env, "latency=60");
        let mut running = start(&alice.env, &["apply"]);
        until(&mut running, || alice.cloud.requests().len() >= at);
        running.kill();
        if destroys {
            alice.envc(&["destroy", "--yes", "--if-exists"]).exits(0);
            assert!(alice.cloud.view().listing().is_empty(), "killed at {at}");
            check_problem(&at_edge(&edge, &alice, &env, "GET", ""), ProblemType::NotFound);
        } else {
            // On another machine: nothing of this one is needed.
            alice.other_machine().envc(&["apply"]).exits(0);
            check_one_set(&alice);
            let stored: Json = at_edge(&edge, &alice, &env, "GET", "").json();
            assert_eq!(stored["intents"], json!([]), "killed at {at}");
        }
    });
}

/// Invariant: an answer of the edge that got lost, whichever, changes nothing.
#[test]
fn any_lost_answer_of_the_edge_is_healed_by_itself() {
    let edge = Workerd::start();
    let through = |nth: u64, env: &str| {
        let proxy = Proxy::losing(edge.address, nth);
        let text = spec(&format!("http://{}", proxy.address), "state \"edge\"", env);
        (Developer::of(edge.address, &text, ""), proxy)
    };
    let (whole, proxy) = through(0, "whole");
    whole.envc(&["apply"]).exits(0);
    let requests = proxy.seen();
    assert!(requests > 4, "{requests}");
    let lost: Vec<u64> = (1..=requests).collect();
    run_all(THREADS, &some_of(lost), |nth| {
        let (alice, proxy) = through(*nth, &format!("lost-{nth}"));
        let ran = alice.envc(&["apply", "--json"]).exits(0);
        // Outcomes that come together are saved together, so the last ones may not be reached.
        assert!(proxy.seen() >= (*nth).min(4), "{ran}");
        check_one_set(&alice);
        alice.envc(&["destroy", "--yes"]).exits(0);
        assert!(alice.cloud.view().listing().is_empty());
    });
}

#[test]
fn a_lock_that_was_broken_stops_the_run_and_the_next_one_heals() {
    let edge = Workerd::start();
    let alice = developer(edge.address, "staging", "latency=300");
    let mut running = start(&alice.env, &["apply", "--json"]);
    until(&mut running, || at_edge(&edge, &alice, "staging", "GET", "").status == 200);
    assert_eq!(at_edge(&edge, &alice, "staging", "DELETE", "/lock").status, 204);
    let ran = running.end().exits(1);
    let error = ran.event("error").unwrap_or_else(|| panic!("no error: {ran}"));
    assert_eq!(error["code"], "envc::cli::record", "{ran}");
    assert!(error.to_string().contains("lock"), "{ran}");
    alice.envc(&["apply"]).exits(0);
    check_one_set(&alice);
    alice.envc(&["destroy", "--yes"]).exits(0);
}

/// Invariant: a lock is kept alive as long as its holder works; one who sleeps past its end begins
/// nothing more and overwrites nothing.
#[test]
fn a_heartbeat_keeps_the_lock_and_one_who_slept_stops() {
    let edge = Workerd::start();
    let alice = developer(edge.address, "staging", "latency=4000");
    let signal = |running: &Running, name: &str| {
        let id = running.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    };
    let mut running = start(&alice.env, &["apply"]);
    until(&mut running, || at_edge(&edge, &alice, "staging", "GET", "").status == 200);
    let lock: LockSummary = at_edge(&edge, &alice, "staging", "GET", "/lock").json();
    thread::sleep(Duration::from_millis(2_500));
    let later: LockSummary = at_edge(&edge, &alice, "staging", "GET", "/lock").json();
    assert_eq!(later.fence, lock.fence);
    assert!(later.expires_at_ms > lock.expires_at_ms + 1_000);
    signal(&running, "-STOP");
    let bob = alice.other_machine();
    bob.envc(&["apply"]).exits(0);
    signal(&running, "-CONT");
    let slept = running.end().exits(1);
    assert!(slept.stderr.contains("lock"), "{slept}");
    check_one_set(&alice);
    assert_eq!(steps(&bob.envc(&["apply", "--json"]).exits(0)), 0);
}

#[test]
fn ctrl_c_gives_the_lock_back() {
    let edge = Workerd::start();
    let alice = developer(edge.address, "staging", "latency=400");
    let mut running = start(&alice.env, &["apply"]);
    until(&mut running, || at_edge(&edge, &alice, "staging", "GET", "").status == 200);
    running.interrupt();
    running.end().exits(130);
    check_problem(&at_edge(&edge, &alice, "staging", "GET", "/lock"), ProblemType::NotFound);
    alice.envc(&["apply", "--no-wait"]).exits(0);
    check_one_set(&alice);
}

#[test]
fn what_cannot_be_used_is_refused_before_the_account_is_asked() {
    let edge = Workerd::start_with_clock();
    let mut alice = developer(edge.address, "staging", "");
    let good = alice.env.var("EDGE_TOKEN");
    let refused = |alice: &Developer, args: &[&str], code: &str| {
        let args = [args, &["--json"]].concat();
        let ran = alice.envc(&args).exits(1);
        let error = ran.event("error").unwrap_or_else(|| panic!("no error: {ran}"));
        assert_eq!(error["code"], code, "{ran}");
        assert!(error["hints"][0].is_string() && !ran.to_string().contains(&good), "{ran}");
        assert_eq!(alice.cloud.requests().len(), 0, "{ran}");
    };
    let read_only = token(edge.address, "ci", "report").token;
    let used_up = json!({ "subject": "ci", "scopes": ["state"], "ttl_seconds": 1 }).to_string();
    let expired: Json = admin(edge.address, "POST", "/v1/tokens", &used_up).json();
    edge.go_ahead(1_100);
    let expired = expired["token"].as_str().unwrap().to_owned();
    for (token, code) in [
        ("envc_0123456789abcdef_foreign", "envc::cli::edge_token"),
        (expired.as_str(), "envc::cli::edge_token"),
        (read_only.as_str(), "envc::cli::edge_scope"),
    ] {
        alice.env.set("EDGE_TOKEN", token);
        for args in [&["apply"][..], &["plan"], &["destroy", "--yes"]] {
            refused(&alice, args, code);
        }
    }
    alice.env.unset("EDGE_TOKEN");
    refused(&alice, &["destroy", "--yes"], "envc::cli::missing_secret");
    alice.env.set("EDGE_TOKEN", &good);

    let lock: envc_edge_api::Lock = {
        let account = alice.env.var("CLOUDFLARE_ACCOUNT_ID");
        let target = format!("/v1/state/cloudflare/{account}/shop/staging/lock");
        let body = r#"{"holder":"test","purpose":"test"}"#;
        admin(edge.address, "POST", &target, body).json()
    };
    let mut condition = "If-None-Match: *".to_owned();
    for (text, says) in [
        (r#"{"schema":99,"new":true}"#, "schema version 99"),
        (r#"{"schema":1,"lineage":3}"#, "damaged"),
    ] {
        let account = alice.env.var("CLOUDFLARE_ACCOUNT_ID");
        let target = format!("/v1/state/cloudflare/{account}/shop/staging");
        let headers = format!("Envc-Fence: {}\r\n{condition}\r\n", lock.fence);
        let (token, method) = (BOOTSTRAP_TOKEN, "PUT");
        let put = Ask { method, target: &target, token, headers: &headers, body: text };
        let written: StateWritten = ask(edge.address, put).json();
        condition = format!("If-Match: {}", written.etag);
        refused(&alice, &["plan"], "envc::cli::state");
        let plan = alice.envc(&["plan"]).exits(1);
        assert!(plan.stderr.contains(says), "{plan}");
    }
}

#[test]
fn on_the_local_cloud_the_state_stays_on_the_machine_and_that_is_said_once() {
    let edge = Workerd::start();
    let mut alice = developer(edge.address, "staging", "");
    alice.env.set("ENVC_CLOUD", "local").unset("EDGE_TOKEN");
    let says = |ran: &Ran| ran.stderr.contains("its state stays on this machine");
    assert!(says(&alice.envc(&["apply", "--cloud", "local"]).exits(0)));
    assert!(!says(&alice.envc(&["apply"]).exits(0)));
    assert_eq!(alice.env.states().len(), 1);
    alice.envc(&["destroy", "--yes"]).exits(0);
}

/// A project with shared state would be covered by what another repository claims later.
#[test]
fn a_pull_requests_project_is_claimed_under_shared_state_too() {
    let edge = Workerd::start();
    let text = format!(
        "project \"shop\" {{ state \"edge\" }}\n\
         edge \"http://{}\" token=(secret)\"EDGE_TOKEN\"\n\
         environment \"ephemeral\" {{ when pr ; identity \"pr-{{env.pr}}\" ; ttl \"7d\" }}\n\
         queue \"jobs\"\nallow \"unused_resource\"\n",
        edge.address
    );
    let alice = Developer::of(edge.address, &text, "");
    let apply = ["apply", "--pr", "1", "--yes"];
    alice.envc(&apply).exits(0);
    let whole = alice.cloud.view().listing();
    assert_eq!(whole.names("kv"), ["envc claim shop git.example/acme/shop"]);
    // The claims come with the other lists, side by side.
    let before = alice.cloud.requests().len();
    alice.other_machine().envc(&apply).exits(0);
    assert_eq!(alice.cloud.requests().len(), before + 2);
    // Another repository whose project is named alike, with shared state of its own or without.
    for text in [text.clone(), text.replace("state \"edge\"", "")] {
        let mut other = alice.other_machine();
        other.write("environment.kdl", &text);
        other.git(&["remote", "set-url", "origin", "https://git.example/other/shop.git"]);
        other.set("EDGE_TOKEN", &token(edge.address, "other", "report,state").token);
        for args in
            [&apply[..], &["apply", "--pr", "2", "--yes"], &["destroy", "--pr", "2", "--yes"]]
        {
            let refused = other.envc(args).exits(1);
            assert!(refused.stderr.contains("git.example/acme/shop"), "{refused}");
            assert_eq!(alice.cloud.view().listing(), whole, "{args:?}");
        }
    }
    alice.envc(&["destroy", "--pr", "1", "--yes"]).exits(0);
    assert!(alice.cloud.view().listing().without_claims().objects.is_empty());
}
