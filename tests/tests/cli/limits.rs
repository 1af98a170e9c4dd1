//! The API's limit on calls, which all runs of a user on a machine keep together.

use std::{fs, path::PathBuf, time::Duration};

use envc_tests::{ServedCloud, TestEnv};
use serde_json::{Value as Json, json};

use crate::common::{ONE_KV, says};

/// The file in which the calls of the only token are counted.
fn counted(env: &TestEnv) -> PathBuf {
    let entries = fs::read_dir(env.state_dir().join("limits")).expect("calls are counted");
    let files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    file.clone()
}

fn left(env: &TestEnv) -> u64 {
    let planned = env.envc(&["plan", "--json"]).exits(0);
    let budget = planned.event("budget").expect("a plan tells its budget");
    budget.get("left").and_then(Json::as_u64).unwrap_or_else(|| panic!("{planned}"))
}

#[test]
fn runs_count_their_calls_together_and_wait_where_the_share_is_spent() {
    let mut env = TestEnv::of_text(ONE_KV);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    let _applied = env.envc(&["apply"]).exits(0);
    let before = left(&env);
    let sent = cloud.requests().len() as u64;
    assert_eq!(before, 960 - sent);
    assert!(left(&env) < before);
    let text = fs::read_to_string(counted(&env)).unwrap();
    assert!(!text.contains(&env.var("CLOUDFLARE_API_TOKEN")), "{text}");

    // Another run has made all the calls that there are.
    let mut document: Json = serde_json::from_str(&text).unwrap();
    let slots = document["counts"]["slots"].as_object_mut().unwrap();
    let newest = slots.keys().max().unwrap().clone();
    slots.insert(newest, json!(960));
    fs::write(counted(&env), document.to_string()).unwrap();
    let sent = cloud.requests().len();
    let mut waits = env.start(&["plan"]);
    while waits.age() < Duration::from_secs(2) && !waits.has_ended() {
        std::thread::sleep(Duration::from_millis(20));
    }
    waits.interrupt();
    let waited = waits.end().exits(130);
    says(&waited, &["the rate limit of the API holds calls back for"]);
    assert_eq!(cloud.requests().len(), sent, "nothing was sent: {waited}");

    // What is broken counts as absent, and the local cloud's calls are not counted.
    for broken in ["", "{", "{\"schema\":9}"] {
        fs::write(counted(&env), broken).unwrap();
        assert!(left(&env) > 900);
    }
    let local = TestEnv::of_text(ONE_KV);
    let planned = local.envc(&["plan", "--json"]).exits(0);
    assert_eq!(planned.event("budget").unwrap()["left"], Json::Null);
    assert!(!local.state_dir().join("limits").exists());
}
