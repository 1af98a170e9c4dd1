//! The process dies while it takes away what wrangler deployed.

use envc_tests::{TestEnv, run_all, some_of};
use serde_json::json;

use crate::common::{THREADS, requests};

const SPEC: &str = "project \"shop\" { zone \"shop.example\" }\n\
    environment \"local\" default { identity branch unique }\n\
    environment \"pr\" { identity \"pr-{env.pr}\" ; when pr ; ttl \"7d\" }\n\
    environment \"staging\" { identity \"staging\" }\n\
    d1 \"orders\"\n\
    queue \"jobs\"\n\
    worker \"api\" path=\"api\" main=\"a.js\" {\n\
        bind \"DB\" d1=\"orders\" ; bind \"JOBS\" queue=\"jobs\" ; consume \"jobs\"\n\
    }\n\
    worker \"web\" path=\"web\" main=\"a.js\" { domain \"{env}\" ; route \"{env}-r.{zone}/*\" }\n";

/// What is lost with the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    Nothing,
    /// The record of the environment.
    State,
    /// All that the machine knows: the next command runs on another one.
    Machine,
}

/// A way to name the environment, and what is lost.
type Case = (&'static [&'static str], &'static [&'static str], &'static [Lost]);

const CASES: [Case; 3] = [
    (&["local"], &[], &[Lost::Nothing, Lost::State]),
    (&["--pr", "1"], &[], &[Lost::Nothing, Lost::State, Lost::Machine]),
    (
        &["staging"],
        &["--adopt", "d1.orders", "--adopt", "queue.jobs"],
        &[Lost::Nothing, Lost::State, Lost::Machine],
    ),
];

/// An environment whose two Workers wrangler deployed, each bound to the other.
fn deployed(target: &[&str]) -> TestEnv {
    let env = TestEnv::of_text(SPEC);
    env.git(&["remote", "add", "origin", "git@github.com:acme/shop.git"]);
    env.envc(&[&["apply"], target].concat()).exits(0);
    let cloud = env.cloud();
    let service = |script: &str| json!({ "type": "service", "name": "OTHER", "service": script, "environment": "production" });
    let api = env.deploy("api", &cloud, &[]);
    let web = env.deploy("web", &cloud, &[service(&api)]);
    env.deploy("api", &cloud, &[service(&web)]);
    env
}

fn lose(env: &TestEnv, lost: Lost) {
    match lost {
        Lost::Nothing => {}
        Lost::State => env.lose_states(),
        Lost::Machine => env.lose_machine(),
    }
}

/// Invariant: killed at any request of a destroy, whatever was lost, the same command again leaves
/// nothing.
#[test]
fn a_destroy_of_what_wrangler_deployed_killed_at_any_request_is_completed() {
    let mut all = Vec::new();
    for (target, adopt, losses) in CASES {
        let destroy: Vec<&str> = [&["destroy", "--yes"], target, adopt].concat();
        let env = deployed(target);
        let whole = env.envc(&[&destroy[..], &["--json"]].concat()).exits(0);
        for request in 1..=requests(&whole, "destroyed") {
            for when in ["before", "after"] {
                all.extend(losses.iter().map(|lost| (target, adopt, request, when, *lost)));
            }
        }
    }
    run_all(THREADS, &some_of(all), |(target, adopt, request, when, lost)| {
        let destroy: Vec<&str> = [&["destroy", "--yes"], *target, *adopt].concat();
        let env = deployed(target);
        let ran = env.envc_with_faults(&format!("crash-on={request}:{when}"), &destroy);
        if ran.code.is_some() {
            // Of a circle either Worker may be the first: then the other one costs fewer requests.
            ran.exits(0);
        }
        lose(&env, *lost);
        let again = env.envc(&[&destroy[..], &["--if-exists"]].concat()).exits(0);
        let left = env.cloud_listing().without_claims();
        assert!(left.is_empty(), "left: {left}\n{again}");
        env.envc(&destroy).exits(3);
    });
}

const BEFORE: &str = "kv \"old\"\nqueue \"jobs\"\nr2 \"files\" name=\"one-{env}\"\n\
    worker \"api\" path=\"api\" main=\"a.js\" compatibility-date=\"2026-09-01\" {\n\
        bind \"KV\" kv=\"old\" ; bind \"R2\" r2=\"files\" ; bind \"JOBS\" queue=\"jobs\" ; consume \"jobs\"\n\
    }\n";
const AFTER: &str = "r2 \"files\" name=\"two-{env}\"\n\
    worker \"api\" path=\"api\" main=\"a.js\" compatibility-date=\"2026-09-01\" { bind \"R2\" r2=\"files\"; }\n";

fn of_branch(rest: &str) -> String {
    format!("project \"shop\"\nenvironment \"local\" default {{ identity branch unique }}\n{rest}")
}

/// What a live Worker is bound to left the spec, and was replaced.
fn outlived() -> TestEnv {
    let env = TestEnv::of_text(&of_branch(BEFORE));
    env.envc(&["apply"]).exits(0);
    env.deploy("api", &env.cloud(), &[]);
    env.write("environment.kdl", &of_branch(AFTER));
    env
}

/// Invariant: killed at any request of an apply that lets things wait, or of the one that deletes them,
/// the next one carries on: nothing goes under the live Worker, and nothing is left after its deployment.
#[test]
fn an_apply_beside_a_live_worker_killed_at_any_request_is_completed() {
    let apply = ["apply", "--yes"];
    let mut all = Vec::new();
    let env = outlived();
    for is_deployed in [false, true] {
        if is_deployed {
            env.deploy("api", &env.cloud(), &[]);
        }
        let whole = env.envc(&["apply", "--yes", "--json"]).exits(0);
        for request in 1..=requests(&whole, "applied") {
            all.extend(["before", "after"].map(|when| (is_deployed, request, when)));
        }
    }
    run_all(THREADS, &some_of(all), |(is_deployed, request, when)| {
        let env = outlived();
        let faults = format!("crash-on={request}:{when}");
        let killed = |kill: bool| {
            let faults = if kill { faults.as_str() } else { "" };
            let ran = env.envc_with_faults(faults, &apply);
            assert!(ran.code.is_none_or(|code| code == 0), "{ran}");
            env.envc(&apply).exits(0)
        };
        let ran = killed(!is_deployed);
        let there = env.cloud_listing();
        let count = |kind: &str| there.names(kind).len();
        let counts = ["kv", "queue", "queue-consumer", "r2", "worker"].map(count);
        assert_eq!(counts, [1, 1, 1, 2, 1], "{there}\n{ran}");
        env.deploy("api", &env.cloud(), &[]);
        let ran = killed(*is_deployed);
        let left = env.cloud_listing();
        assert_eq!(left.objects.len(), 2, "{left}\n{ran}");
        env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    });
}
