//! The lists lag behind: what was made a moment ago stands in none of them yet.

use std::collections::BTreeMap;

use envc_tests::{ServedCloud, TestEnv};

use crate::common::BUNDLE;

/// Nothing that is made during a test is ever listed.
const NEVER_LISTED: &str = "list-lag=600000";

/// Every kind, in an environment whose record alone is no proof that nobody else made more of it, so
/// that all is looked up.
fn every_kind() -> (TestEnv, ServedCloud) {
    let mut env = BUNDLE.env();
    let spec = env.read("environment.kdl").expect("there is a spec");
    let unique = "identity branch max-length=20 unique";
    assert!(spec.contains(unique), "{spec}");
    env.write("environment.kdl", &spec.replace(unique, "identity \"main\""));
    let cloud = ServedCloud::start(&mut env, NEVER_LISTED, &["shop.example"]);
    (env, cloud)
}

fn is_empty(env: &TestEnv, cloud: &ServedCloud) {
    let left = cloud.view().listing().without_claims();
    assert!(left.is_empty(), "{left}");
    assert_eq!(env.states(), BTreeMap::new());
}

/// Invariant: a destroy right after an apply leaves nothing, whatever the lists show by then.
#[test]
fn a_destroy_right_after_an_apply_leaves_nothing_of_any_kind() {
    let (env, cloud) = every_kind();
    env.envc(&["apply", "--yes"]).exits(0);
    let made = cloud.view().listing();
    assert!(made.objects.len() > 8, "{made}");
    let ran = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(!ran.stdout.contains("gone already"), "{ran}");
    is_empty(&env, &cloud);
}

/// Invariant: an apply takes nothing recorded for gone because no list shows it: it makes no second one,
/// and deletes what the spec dropped.
#[test]
fn an_apply_right_after_an_apply_changes_nothing_and_deletes_what_is_dropped() {
    let (env, cloud) = every_kind();
    env.envc(&["apply", "--yes"]).exits(0);
    let made = cloud.view().listing();
    env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    let spec = env.read("environment.kdl").expect("there is a spec");
    let (project, rest) = spec.split_once("d1 \"main\"").expect("it has a database");
    assert!(rest.contains("worker"), "{rest}");
    env.write("environment.kdl", project);
    env.envc(&["apply", "--yes"]).exits(0);
    let left = cloud.view().listing().without_claims();
    assert!(left.is_empty() && !made.is_empty(), "{left}");
}

/// Invariant: only what the API does not have by its identifier is called gone.
#[test]
fn what_somebody_else_deleted_is_gone_already_and_all_else_is_not() {
    let (env, cloud) = every_kind();
    env.envc(&["apply", "--yes"]).exits(0);
    let listing = cloud.view().listing();
    let database = listing.objects.iter().find(|it| it.kind == "vectorize").expect("there is one");
    let path = format!("/vectorize/v2/indexes/{}", database.id);
    cloud.view().of_account(&http::Method::DELETE, &path, None);
    let ran = env.envc(&["destroy", "--plan"]).exits(0);
    assert_eq!(ran.stdout.matches("gone already").count(), 1, "{ran}");
    env.envc(&["destroy", "--yes"]).exits(0);
    is_empty(&env, &cloud);
}
