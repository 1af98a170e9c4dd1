//! What `envc apply` and `envc destroy` tell the registry.

use envc_edge_api::{EnvironmentStatus, Outcome, ProblemType};
use http::Method;
use serde_json::json;

use crate::common::{admin, check_problem, token};
use crate::http::Answer;
use crate::team::{Developer, PLANTED, spec};
use crate::workerd::Workerd;

const AT: &str = "/v1/environments/shop.staging";

fn alice(edge: &Workerd, faults: &str) -> Developer {
    Developer::of(edge.address, &spec(&format!("http://{}", edge.address), "", "staging"), faults)
}

fn registered(edge: &Workerd) -> Answer {
    admin(edge.address, "GET", AT, "")
}

#[test]
fn an_apply_is_reported_and_a_destroy_takes_it_away() {
    let edge = Workerd::start();
    let alice = alice(&edge, "");
    let applied = alice.envc(&["apply", "--json"]).exits(0);
    assert_eq!(applied.event("warning"), None, "{applied}");
    let status: EnvironmentStatus = registered(&edge).json();
    assert_eq!(
        (status.id.as_str(), status.environment_type.as_str(), status.owner.as_str()),
        ("shop.staging", "staging", "alice")
    );
    assert_eq!((status.branch.as_deref(), status.outcome), (Some("main"), Outcome::Applied));
    assert_eq!(
        json!(status.resources),
        json!({ "dns": 1, "kv": 2, "queue": 1, "tunnel": 1, "tunnel-config": 1 })
    );
    assert_eq!(status.urls[0].url, "https://staging.shop.example");
    assert_eq!(status.expires_at_ms, Some(status.reported_at_ms + 14 * 86_400_000));

    // One that changes nothing says that it is still wanted.
    alice.envc(&["apply"]).exits(0);
    let again: EnvironmentStatus = registered(&edge).json();
    assert!(again.reported_at_ms > status.reported_at_ms);
    assert_eq!(again.created_at_ms, status.created_at_ms);
    let everything = String::from_utf8_lossy(&edge.stored_bytes()).into_owned();
    assert!(everything.contains("staging.shop.example") && !everything.contains(PLANTED));

    alice.envc(&["destroy", "--yes"]).exits(0);
    check_problem(&registered(&edge), ProblemType::NotFound);
}

#[test]
fn what_failed_is_reported_as_failed_and_what_was_kept_stays() {
    let edge = Workerd::start();
    let faults = "fail=POST:queues:403:10000:no";
    let alice = alice(&edge, faults);
    alice.envc(&["apply"]).exits(1);
    let status: EnvironmentStatus = registered(&edge).json();
    assert_eq!(status.outcome, Outcome::ApplyFailed);
    assert_eq!(
        json!(status.resources),
        json!({ "dns": 1, "kv": 2, "tunnel": 1, "tunnel-config": 1 })
    );
    alice.envc(&["destroy", "--yes", "--keep", "kv.flags"]).exits(0);
    let status: EnvironmentStatus = registered(&edge).json();
    assert_eq!((status.outcome, json!(status.resources)), (Outcome::Applied, json!({ "kv": 1 })));
    // What was kept is nobody's any more: a destroy says so, and the entry stays for it.
    let ran = alice.envc(&["destroy", "--yes", "--if-exists"]).exits(1);
    assert!(ran.stderr.contains("--adopt kv.flags"), "{ran}");
    let view = alice.cloud.view();
    let listing = view.listing();
    let kept = listing.id("kv", "shop--flags--staging").expect("it was kept");
    view.of_account(&Method::DELETE, &format!("/storage/kv/namespaces/{kept}"), None);
    // A destroy that finds nothing any more still takes the entry away.
    alice.envc(&["destroy", "--yes", "--if-exists"]).exits(0);
    check_problem(&registered(&edge), ProblemType::NotFound);
    admin(
        edge.address,
        "PUT",
        AT,
        r#"{"project":"shop","type":"x","owner":"a","outcome":"applied"}"#,
    );
    alice.envc(&["destroy", "--yes", "--if-exists"]).exits(0);
    check_problem(&registered(&edge), ProblemType::NotFound);
}

#[test]
fn a_report_that_fails_is_a_warning_that_says_what_to_do() {
    let edge = Workerd::start();
    let mut alice = alice(&edge, "");
    let read_only = token(edge.address, "ci", "read").token;
    let good = alice.env.var("EDGE_TOKEN");
    let warned = |alice: &Developer, code: &str, says: &str| {
        let ran = alice.envc(&["apply", "--json"]).exits(0);
        let warning = ran.event("warning").unwrap_or_else(|| panic!("no warning: {ran}"));
        assert_eq!(warning["code"], code, "{ran}");
        assert!(warning.to_string().contains(says) && warning["hints"][0] != "", "{ran}");
        assert!(ran.event("applied").is_some(), "{ran}");
        assert!(!ran.to_string().contains(&good), "{ran}");
    };
    alice.env.set("EDGE_TOKEN", "envc_0123456789abcdef_wrong");
    warned(&alice, "envc::cli::edge_token", "the secret EDGE_TOKEN holds it");
    alice.env.set("EDGE_TOKEN", &read_only);
    warned(&alice, "envc::cli::edge_scope", "scope report");
    alice.env.set("EDGE_TOKEN", &good);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    alice.env.write("environment.kdl", &spec(&format!("http://{closed}"), "", "staging"));
    warned(&alice, "envc::cli::edge_unreachable", &closed.to_string());
    // Somebody else: a server that knows nothing of environments.
    let other = alice.cloud.base_url().to_owned();
    alice.env.write("environment.kdl", &spec(&other, "", "staging"));
    warned(&alice, "envc::cli::not_the_edge", "is not the edge Worker");
    let text = alice.envc(&["apply"]).exits(0);
    assert!(text.stderr.contains("warning: the edge was not told of this"), "{text}");
    alice.envc(&["destroy", "--yes"]).exits(0);
}

#[test]
fn without_its_token_nothing_is_applied_and_everything_is_destroyed() {
    let edge = Workerd::start();
    let mut alice = alice(&edge, "");
    let good = alice.env.var("EDGE_TOKEN");
    alice.env.unset("EDGE_TOKEN");
    let refused = alice.envc(&["apply"]).exits(1);
    assert!(refused.stderr.contains("the secret EDGE_TOKEN is not found"), "{refused}");
    assert_eq!(alice.cloud.requests().len(), 0);
    alice.env.set("EDGE_TOKEN", &good);
    alice.envc(&["apply"]).exits(0);
    alice.env.unset("EDGE_TOKEN");
    let gone = alice.envc(&["destroy", "--yes"]).exits(0);
    assert!(gone.stderr.contains("warning: the secret EDGE_TOKEN is not found"), "{gone}");
    assert!(alice.cloud.view().listing().is_empty());
}

#[test]
fn on_the_local_cloud_nothing_is_reported_and_no_token_is_asked_for() {
    let edge = Workerd::start();
    let mut alice = alice(&edge, "");
    alice.env.unset("EDGE_TOKEN").set("ENVC_CLOUD", "local");
    let applied = alice.envc(&["apply", "--json"]).exits(0);
    assert_eq!(applied.event("warning"), None, "{applied}");
    check_problem(&registered(&edge), ProblemType::NotFound);
    alice.envc(&["destroy", "--yes"]).exits(0);
}
