//! The API loses answers, fails, throttles and talks nonsense, at every request.

use envc_cloud::RequestLog;
use envc_tests::{ServedCloud, TestEnv, run_all, some_of};

use crate::common::{BUNDLE, LEASED, QUICKSTART, System, moods, requests};

/// Scenarios at once: most of the time they wait before they try again.
const THREADS: usize = 12;

const FAULTS: [&str; 6] =
    ["lose-response-on", "error-on", "throttle-on", "drop-request-on", "null-body-on", "html-on"];

#[derive(Clone, Copy, Debug)]
struct Case {
    fault: &'static str,
    request: u64,
    /// The API has moods besides.
    moody: bool,
}

impl Case {
    fn faults(&self) -> String {
        let Self { fault, request, moody } = self;
        let moods = if *moody { moods(*request) } else { String::new() };
        format!("{moods},{fault}={request}")
    }
}

fn cases(requests: u64, moody: bool) -> Vec<Case> {
    let of_request = |request| FAULTS.map(|fault| Case { fault, request, moody });
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
    let made = creates().filter(had_effect).count();
    if case.moody {
        // What was lost may have been a refusal; others than of names are normal, and a look at a list comes
        // before what it is for.
        let lost = creates().filter(|it| it.status == 0).count();
        assert!((objects..=objects + lost).contains(&made), "{made} of {objects}: {log:#?}");
        return;
    }
    assert_eq!(made, objects, "{log:#?}");
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

/// Invariant: one request of an apply going wrong in any way is healed by the apply itself; also of one that
/// deploys a Worker, whose upload may be repeated.
fn apply_heals(system: &System, cases: &[Case]) {
    run_all(THREADS, cases, |case| {
        let mut env = system.env();
        let cloud = ServedCloud::start(&mut env, &case.faults(), &["shop.example"]);
        env.envc(&["apply"]).exits(0);
        whole(system, &env, &cloud);
        no_create_twice(&cloud, case);
        env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    });
}

/// Every way in which any of its requests goes wrong, and one more: a request that fails may be sent again
/// as the last one.
fn of_apply(system: &System, moody: bool) -> Vec<Case> {
    let env = system.env();
    let faults = if moody { moods(0) } else { String::new() };
    let ran = env.envc_with_faults(&faults, &["apply", "--json"]);
    cases(requests(&ran.exits(0), "applied") + 1, moody)
}

#[test]
fn an_apply_heals_any_one_failed_request_by_itself() {
    apply_heals(&QUICKSTART, &some_of(of_apply(&QUICKSTART, false)));
}

#[test]
fn an_upload_heals_a_lost_answer_and_a_failure_by_itself() {
    apply_heals(&BUNDLE, &some_of(of_apply(&BUNDLE, false)));
}

#[test]
fn an_apply_on_a_moody_api_heals_any_one_failed_request_by_itself() {
    apply_heals(&BUNDLE, &some_of(of_apply(&BUNDLE, true)));
}

/// Invariant: one request of a destroy going wrong in any way is healed by the destroy itself.
fn destroy_heals(system: &System, cases: &[Case]) {
    run_all(THREADS, cases, |case| {
        let env = system.env();
        env.envc(&["apply"]).exits(0);
        env.envc_with_faults(&case.faults(), &["destroy", "--yes"]).exits(0);
        system.check_gone(&env);
    });
}

fn of_destroy(system: &System, moody: bool) -> Vec<Case> {
    let env = system.env();
    env.envc(&["apply"]).exits(0);
    let ran = env.envc(&["destroy", "--yes", "--json"]).exits(0);
    cases(requests(&ran, "destroyed"), moody)
}

#[test]
fn a_destroy_heals_any_one_failed_request_by_itself() {
    destroy_heals(&QUICKSTART, &some_of(of_destroy(&QUICKSTART, false)));
}

#[test]
fn a_destroy_on_a_moody_api_heals_any_one_failed_request_by_itself() {
    destroy_heals(&BUNDLE, &some_of(of_destroy(&BUNDLE, true)));
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
    let mut applies = cases(count("apply", "applied") + 1, false);
    applies.retain(of_pools);
    run_all(THREADS, &some_of(applies), |case| {
        let env = LEASED.env();
        env.envc_with_faults(&case.faults(), &["apply"]).exits(0);
        LEASED.check_settled(&env);
    });
    let mut destroys = cases(count("destroy", "destroyed"), false);
    destroys.retain(of_pools);
    run_all(THREADS, &some_of(destroys), |case| {
        let env = LEASED.env();
        env.envc(&["apply"]).exits(0);
        env.envc_with_faults(&case.faults(), &["destroy", "--yes"]).exits(0);
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
