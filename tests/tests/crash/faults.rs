//! The API loses answers, fails, throttles and talks nonsense, at every request.

use envc_cloud::RequestLog;
use envc_tests::{ServedCloud, TestEnv, run_all, some_of};

use crate::common::{BUNDLE, LEASED, QUICKSTART, System, requests};

/// Scenarios at once: most of the time they wait before they try again.
const THREADS: usize = 12;

const FAULTS: [&str; 6] =
    ["lose-response-on", "error-on", "throttle-on", "drop-request-on", "null-body-on", "html-on"];

#[derive(Clone, Copy, Debug)]
struct Case {
    fault: &'static str,
    request: u64,
}

fn cases(requests: u64) -> Vec<Case> {
    let of_request = |request| FAULTS.map(|fault| Case { fault, request });
    (1..=requests).flat_map(of_request).collect()
}

/// Invariant: no create happens twice. A second success would be a duplicate; a refusal because
/// of the name would be a create that was sent without a look after an unknown outcome.
fn no_create_twice(cloud: &ServedCloud, case: &Case) {
    let log = cloud.requests();
    // Records go in batches, of one call for several; SQL makes nothing of its own.
    let other = |it: &RequestLog| {
        let path = it.path.as_str();
        path.ends_with("/query") || path.ends_with("/import") || path.contains("/dns_records")
    };
    let creates = || log.iter().filter(|it| it.method == "POST" && !other(it));
    let had_effect = |it: &&RequestLog| match case.fault {
        "lose-response-on" => it.status == 0 || it.status == 200,
        // The page of nonsense comes with 200, and nothing happened.
        _ => it.status == 200 && it.seq != case.request,
    };
    let listing = cloud.view().listing();
    // What a PUT makes, or the cloud itself, is no create of ours that could happen twice.
    let upserts = ["dns", "worker", "worker-crons", "worker-domain"];
    let objects = listing.objects.iter().filter(|it| !upserts.contains(&it.kind)).count();
    assert_eq!(creates().filter(had_effect).count(), objects, "{log:#?}");
    let refused = creates().find(|it| (400..500).contains(&it.status) && it.status != 429);
    assert_eq!(refused, None, "{log:#?}");
}

fn whole(system: &System, env: &TestEnv, cloud: &ServedCloud) {
    let listing = cloud.view().listing();
    assert_eq!(listing.counts(), System::objects(env), "{listing}");
    for (database, files) in system.migrations {
        let part = format!("-{database}-");
        let found = listing.objects.iter().find(|it| it.kind == "d1" && it.name.contains(&part));
        let id = &found.unwrap_or_else(|| panic!("no {database}: {listing}")).id;
        assert_eq!(cloud.view().ledger(id), *files, "{database}");
    }
}

/// Invariant: one request of an apply going wrong in any way is healed by the apply itself.
#[test]
fn an_apply_heals_any_one_failed_request_by_itself() {
    let env = QUICKSTART.env();
    let count = requests(&env.envc(&["apply", "--json"]).exits(0), "applied");
    // One more: a request that fails may be sent again as the last one.
    run_all(THREADS, &some_of(cases(count + 1)), |case| {
        let mut env = QUICKSTART.env();
        let fault = format!("{}={}", case.fault, case.request);
        let cloud = ServedCloud::start(&mut env, &fault, &[]);
        env.envc(&["apply"]).exits(0);
        whole(&QUICKSTART, &env, &cloud);
        no_create_twice(&cloud, case);
        env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    });
}

/// Invariant: the same of an apply that deploys a Worker, whose upload may be repeated.
#[test]
fn an_upload_heals_a_lost_answer_and_a_failure_by_itself() {
    let env = BUNDLE.env();
    let count = requests(&env.envc(&["apply", "--json"]).exits(0), "applied");
    run_all(THREADS, &some_of(cases(count + 1)), |case| {
        let mut env = BUNDLE.env();
        let fault = format!("{}={}", case.fault, case.request);
        let cloud = ServedCloud::start(&mut env, &fault, &["shop.example"]);
        env.envc(&["apply"]).exits(0);
        whole(&BUNDLE, &env, &cloud);
        no_create_twice(&cloud, case);
        env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    });
}

/// Invariant: one request of a destroy going wrong in any way is healed by the destroy itself.
#[test]
fn a_destroy_heals_any_one_failed_request_by_itself() {
    let env = QUICKSTART.env();
    env.envc(&["apply"]).exits(0);
    let count = requests(&env.envc(&["destroy", "--yes", "--json"]).exits(0), "destroyed");
    run_all(THREADS, &some_of(cases(count)), |case| {
        let env = QUICKSTART.env();
        env.envc(&["apply"]).exits(0);
        let fault = format!("{}={}", case.fault, case.request);
        env.envc_with_faults(&fault, &["destroy", "--yes"]).exits(0);
        QUICKSTART.check_gone(&env);
    });
}

/// Invariant: an answer of a pool that is lost, a request that never arrives and a server that fails
/// are healed by asking again: never a second preview ID, never one that stays.
#[test]
fn leases_survive_any_one_lost_or_failed_request() {
    let count = |command: &str, event: &str| {
        let env = LEASED.env();
        let before = if command == "destroy" { &["apply"][..] } else { &["check"] };
        env.envc(before).exits(0);
        requests(&env.envc(&[command, "--yes", "--json"]).exits(0), event)
    };
    let of_pools =
        |case: &Case| matches!(case.fault, "lose-response-on" | "error-on" | "drop-request-on");
    let mut applies = cases(count("apply", "applied") + 1);
    applies.retain(of_pools);
    run_all(THREADS, &some_of(applies), |case| {
        let env = LEASED.env();
        let fault = format!("{}={}", case.fault, case.request);
        env.envc_with_faults(&fault, &["apply"]).exits(0);
        LEASED.check_settled(&env);
    });
    let mut destroys = cases(count("destroy", "destroyed"));
    destroys.retain(of_pools);
    run_all(THREADS, &some_of(destroys), |case| {
        let env = LEASED.env();
        env.envc(&["apply"]).exits(0);
        let fault = format!("{}={}", case.fault, case.request);
        env.envc_with_faults(&fault, &["destroy", "--yes"]).exits(0);
        LEASED.check_gone(&env);
    });
}

/// Invariant: a share of requests failing all the time never makes a second set, and once it
/// stops, the next apply completes the one set.
#[test]
fn a_sick_api_never_makes_a_second_set() {
    run_all(THREADS, &[1_u64, 2, 3, 4, 5, 6], |seed| {
        let env = QUICKSTART.env();
        let faults = format!("error-rate=0.4,seed={seed},lose-response-on=6+8+11+13+17");
        let sick = env.envc_with_faults(&faults, &["apply"]);
        assert!(matches!(sick.code, Some(0 | 1)), "{sick}");
        env.envc(&["apply"]).exits(0);
        QUICKSTART.check_settled(&env);
    });
}

/// Invariant: what cannot succeed says so, with what to do, and leaves a way back.
#[test]
fn a_refused_product_is_told_and_the_next_apply_goes_on() {
    for product in ["d1", "kv", "r2", "queues"] {
        let env: TestEnv = QUICKSTART.env();
        let refused = env.envc_with_faults(&format!("deny={product}"), &["apply"]).exits(1);
        assert!(refused.stderr.contains("permission"), "{refused}");
        env.envc(&["apply"]).exits(0);
        QUICKSTART.check_settled(&env);
    }
}
