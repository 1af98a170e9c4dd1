//! The claim of a project: who makes it, and what it never covers.

use std::time::Duration;

use envc_tests::{Listing, Running, ServedCloud};
use http::Method;
use serde_json::json;

use crate::{
    common::{A, B, runner, says},
    repositories::{PR, claims, made, served},
};

const C: &str = "https://git.example/a/shop";

fn apply(pr: &str) -> [&str; 4] {
    ["apply", "--pr", pr, "--yes"]
}

/// Somebody else made it: another repository before it claimed anything, or a person.
fn stands(cloud: &ServedCloud, names: &[&str]) {
    for name in names {
        let database = json!({ "name": name });
        cloud.view().of_account(&Method::POST, "/d1/database", Some(&database));
    }
}

fn databases(listing: &Listing) -> Vec<&str> {
    listing.names("d1")
}

#[test]
fn what_stood_before_the_claim_is_not_covered_by_it() {
    // Another pull request's, one more of it, and something of this one that the spec has not.
    for name in ["shop--orders--pr-7", "shop--other--pr-12", "shop--old--pr-1"] {
        let (owner, cloud) = served("");
        stands(&cloud, &[name]);
        let whole = cloud.view().listing();
        let env = runner(PR, A, &owner);
        for (args, code) in [(&apply("1")[..], 1), (&["plan", "--pr", "1"], 0)] {
            let refused = env.envc(args).exits(code);
            says(
                &refused,
                &["nothing was changed", name, "envc state claim", "another repository"],
            );
            assert_eq!(cloud.view().listing(), whole);
        }
        let asked = env.envc(&["state", "claim"]).exits(1);
        says(&asked, &["there stands already", name, "not approved", "nothing was changed"]);
        assert_eq!(cloud.view().listing(), whole);
        let claimed = env.envc(&["state", "claim", "--yes"]).exits(0);
        says(&claimed, &["there stands already", name, "claims the project"]);
        says(&env.envc(&["state", "claim"]).exits(0), &["claims the project"]);
        env.envc(&apply("1")).exits(0);
        assert_eq!(claims(&cloud.view().listing()), ["envc claim shop github.com/acme/shop"]);
        assert!(databases(&cloud.view().listing()).contains(&name));
    }
}

#[test]
fn a_claim_covers_nothing_of_a_kind_that_the_spec_has_only_later() {
    let made = [
        ("/r2/buckets", json!({ "name": "shop--img--pr-9" })),
        ("/queues", json!({ "queue_name": "shop--jobs--pr-9" })),
        ("/storage/kv/namespaces", json!({ "title": "shop--state--pr-9" })),
    ];
    for (path, body) in made {
        let (owner, cloud) = served("");
        cloud.view().of_account(&Method::POST, path, Some(&body));
        let whole = cloud.view().listing();
        let env = runner(&PR.replace("kv \"cache\"\n", ""), A, &owner);
        let refused = env.envc(&apply("1")).exits(1);
        says(&refused, &["nothing was changed", "--pr-9`", "envc state claim"]);
        assert_eq!(cloud.view().listing(), whole);
        says(&env.envc(&["state", "claim"]).exits(1), &["--pr-9`", "not approved"]);
        assert_eq!(cloud.view().listing(), whole);
    }
}

#[test]
fn nothing_is_destroyed_under_another_repositorys_claim_though_it_is_recorded() {
    let (owner, cloud) = served("");
    let first = runner(PR, A, &owner);
    first.envc(&apply("1")).exits(0);
    let second = runner(PR, B, &owner);
    second.envc(&["state", "claim", "--release", "github.com/acme/shop", "--yes"]).exits(0);
    second.envc(&["state", "claim", "--yes"]).exits(0);
    second.envc(&apply("1")).exits(0);
    let whole = cloud.view().listing();
    let refused = first.envc(&["destroy", "--pr", "1", "--yes"]).exits(1);
    says(&refused, &["belongs to another repository", "nothing was changed", "--release"]);
    assert_eq!(cloud.view().listing(), whole);
    second.envc(&["destroy", "--pr", "1", "--yes"]).exits(0);
    assert_eq!(made(&cloud.view().listing()), 0);
}

#[test]
fn namesakes_of_the_environment_itself_are_taken_over_one_by_one_or_with_all_of_the_project() {
    let (owner, cloud) = served("");
    stands(&cloud, &["shop--orders--pr-1"]);
    let whole = cloud.view().listing();
    let env = runner(PR, A, &owner);
    let refused = env.envc(&apply("1")).exits(1);
    says(&refused, &["nothing proves", "--adopt d1.orders", "envc state claim"]);
    assert_eq!(cloud.view().listing(), whole);
    env.envc(&["apply", "--pr", "1", "--yes", "--adopt", "d1.orders"]).exits(0);
    let listing = cloud.view().listing();
    assert_eq!((claims(&listing).len(), made(&listing)), (1, 2), "{listing}");
}

#[test]
fn what_reads_back_into_no_pull_request_of_the_project_is_in_no_claims_way() {
    let (owner, cloud) = served("");
    let others = [
        "shop--orders--staging",
        "shop--orders--pr-x",
        "shop--orders--pr-1--x",
        "shop-orders-pr-7",
        "shop-api--orders--pr-7",
        "my--shop--orders--pr-7",
    ];
    stands(&cloud, &others);
    runner(PR, A, &owner).envc(&apply("1")).exits(0);
    assert_eq!(databases(&cloud.view().listing()).len(), others.len() + 1);
}

#[test]
fn what_this_machine_recorded_of_other_pull_requests_is_known() {
    let (owner, cloud) = served("");
    let env = runner(PR, A, &owner);
    env.envc(&apply("1")).exits(0);
    env.envc(&apply("2")).exits(0);
    env.envc(&["state", "claim", "--release", "--yes"]).exits(0);
    env.envc(&apply("3")).exits(0);
    env.envc(&["state", "claim", "--release", "--yes"]).exits(0);
    // Not what somebody else made beside it.
    stands(&cloud, &["shop--old--pr-2"]);
    let refused = env.envc(&apply("4")).exits(1);
    says(&refused, &["shop--old--pr-2"]);
    assert!(!refused.to_string().contains("shop--orders--pr-2"), "{refused}");
}

/// Starts them all, each a while after the one before, and tells how each ended.
fn race(envs: &[envc_tests::TestEnv], prs: &[&str], apart_ms: u64) -> Vec<bool> {
    let started: Vec<Running> = envs
        .iter()
        .zip(prs)
        .map(|(env, pr)| {
            let running = env.start(&apply(pr));
            std::thread::sleep(Duration::from_millis(apart_ms));
            running
        })
        .collect();
    started.into_iter().map(|it| it.end().code == Some(0)).collect()
}

#[test]
fn of_first_applies_at_once_exactly_one_repositorys_goes_on() {
    // Lists may lag behind what was made.
    let faults = ["latency=40", "latency=60", "latency=10", "latency=20,list-lag=400"];
    for (faults, apart_ms) in faults.into_iter().zip([0, 90, 5, 60]) {
        let (owner, cloud) = served(faults);
        let mut origins = [A, C, B];
        if apart_ms > 50 {
            origins.reverse();
        }
        let envs = origins.map(|origin| runner(PR, origin, &owner));
        let went = race(&envs, &["1", "1", "1"], apart_ms);
        let listing = cloud.view().listing();
        let told = format!("{faults} {apart_ms} {went:?}: {listing}");
        assert_eq!(went.iter().filter(|went| **went).count(), 1, "{told}");
        // Who was refused left nothing behind.
        assert_eq!((claims(&listing).len(), made(&listing)), (1, 2), "{told}");
        for (env, went) in envs.iter().zip(went) {
            env.envc(&apply("1")).exits(i32::from(!went));
        }
    }
}

#[test]
fn two_first_applies_of_one_repository_at_once_both_go_on() {
    let faults = ["latency=40", "latency=40", "latency=20,list-lag=300"];
    for (faults, apart_ms) in faults.into_iter().zip([0, 110, 60]) {
        let (owner, cloud) = served(faults);
        // The same repository, and another one beside them.
        let envs = [A, A, B].map(|origin| runner(PR, origin, &owner));
        let went = race(&envs[..2], &["1", "2"], apart_ms);
        assert_eq!(went, [true, true], "{faults} {apart_ms}");
        let listing = cloud.view().listing();
        assert_eq!((claims(&listing).len(), made(&listing)), (1, 4), "{listing}");

        let (owner, cloud) = served(faults);
        let envs = [A, A, B].map(|origin| runner(PR, origin, &owner));
        let went = race(&envs, &["1", "2", "3"], apart_ms);
        let listing = cloud.view().listing();
        let told = format!("{faults} {apart_ms} {went:?}: {listing}");
        assert!(!((went[0] || went[1]) && went[2]), "{told}");
        assert_eq!(claims(&listing).len(), 1, "{told}");
        let ours = went.iter().filter(|went| **went).count();
        assert_eq!(made(&listing), 2 * ours, "{told}");
    }
}

#[test]
fn of_a_claim_in_a_spelling_that_no_spec_takes_only_what_works_is_hinted() {
    let (owner, cloud) = served("");
    let theirs = "GitHub.com/Acme/Odd6";
    let title = json!({ "title": format!("envc claim shop {theirs}") });
    cloud.view().of_account(&Method::POST, "/storage/kv/namespaces", Some(&title));
    let env = runner(PR, A, &owner);
    let refused = env.envc(&apply("1")).exits(1);
    says(&refused, &[theirs, "another name", "--release \"GitHub.com/Acme/Odd6\""]);
    assert!(!refused.stderr.contains("id="), "{refused}");
    env.envc(&["state", "claim", "--release", theirs, "--yes"]).exits(0);
    env.envc(&apply("1")).exits(0);
}

#[test]
fn a_bid_of_a_killed_apply_is_completed_by_its_repository_and_shown_to_others() {
    let (owner, cloud) = served("");
    let title = json!({ "title": "envc claim shop github.com/acme/shop +00ff00ff" });
    cloud.view().of_account(&Method::POST, "/storage/kv/namespaces", Some(&title));
    let whole = cloud.view().listing();
    let other = runner(PR, B, &owner);
    let refused = other.envc(&apply("1")).exits(1);
    let release = ["state", "claim", "--release", "github.com/acme/shop", "--yes"];
    says(&refused, &["was interrupted", "envc state claim --release \"github.com/acme/shop\""]);
    assert_eq!(cloud.view().listing(), whole);
    runner(PR, A, &owner).envc(&apply("1")).exits(0);
    assert_eq!(claims(&cloud.view().listing()), ["envc claim shop github.com/acme/shop"]);
    // A bid beside a claim is somebody's who will give way.
    let title = json!({ "title": "envc claim shop gitlab.com/other/group/shop +00ff00ff" });
    cloud.view().of_account(&Method::POST, "/storage/kv/namespaces", Some(&title));
    runner(PR, A, &owner).envc(&apply("1")).exits(0);
    other.envc(&release).exits(0);
    other.envc(&apply("2")).exits(1);
}
