//! IDs of account and zones that were remembered, and hold no more.

use std::{fs, path::PathBuf};

use envc_tests::{ServedCloud, TestEnv};
use http::Method;
use serde_json::Value as Json;

use crate::common::{ONE_KV, says};

const ZONED: &str = "project \"shop\" { zone \"shop.example\" }\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    dns \"web\" type=\"A\" name=\"{env}\" content=\"192.0.2.1\"\n\
    kv \"cache\"\n\
    allow \"unused_resource\"\n";
const AGAIN: &str = "looking them up again";

/// The files of what is remembered.
fn remembered(env: &TestEnv) -> Vec<PathBuf> {
    let entries = fs::read_dir(env.state_dir().join("scopes"));
    entries.into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

fn only_remembered(env: &TestEnv) -> (PathBuf, Json) {
    let files = remembered(env);
    let [file] = files.as_slice() else { panic!("{files:?}") };
    (file.clone(), serde_json::from_slice(&fs::read(file).unwrap()).unwrap())
}

/// Takes the zone out of the local cloud; the next command adds it again.
fn remove_zone(env: &TestEnv) {
    let (_, zones) = env.cloud().call(&Method::GET, "/zones", None);
    let id = zones.pointer("/result/0/id").and_then(Json::as_str).unwrap();
    let (status, _) = env.cloud().call(&Method::DELETE, &format!("/zones/{id}"), None);
    assert_eq!(status, 200);
}

#[test]
fn a_zone_that_was_removed_and_added_again_is_found_again() {
    let env = TestEnv::of_text(ZONED);
    let _applied = env.envc(&["apply"]).exits(0);
    let (_, before) = only_remembered(&env);
    for args in [&["plan"][..], &["apply"]] {
        remove_zone(&env);
        let ran = env.envc(args).exits(0);
        says(&ran, &[AGAIN, "dns.web"]);
        assert_eq!(ran.stderr.matches("(type local)").count(), 1, "{ran}");
        let quiet = env.envc(args).exits(0);
        assert!(!quiet.stderr.contains(AGAIN), "{quiet}");
    }
    assert_eq!(env.cloud_listing().counts()["dns"], 1);
    assert_ne!(only_remembered(&env).1, before);
    // Destroy begins with what is recorded, and asks nobody before it deletes.
    remove_zone(&env);
    says(&env.envc(&["destroy", "--yes"]).exits(0), &[AGAIN]);
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn a_mistyped_account_is_named_and_not_remembered() {
    let mut env = TestEnv::of_text(ONE_KV);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    let account = cloud.view().account().to_owned();
    for (wrong, said) in [
        ("0123456789abcdef0123456789abcdef", "HTTP 403"),
        ("0123456789ABCDEF0123456789ABCDEF", "perhaps your object identifier is invalid"),
    ] {
        env.set("CLOUDFLARE_ACCOUNT_ID", wrong);
        for args in [&["plan"][..], &["apply"]] {
            let refused = env.envc(args).exits(1);
            says(&refused, &[said, wrong, "as CLOUDFLARE_ACCOUNT_ID says"]);
            assert!(!refused.stderr.contains(AGAIN), "{refused}");
        }
        assert!(remembered(&env).is_empty());
    }
    env.unset("CLOUDFLARE_ACCOUNT_ID");
    let _planned = env.envc(&["plan"]).exits(0);
    assert_eq!(only_remembered(&env).1["account"], account.as_str());
}

#[test]
fn a_remembered_account_that_is_wrong_is_looked_up_once_more() {
    let mut env = TestEnv::of_text(ZONED);
    let cloud = ServedCloud::start(&mut env, "", &["shop.example"]);
    let account = cloud.view().account().to_owned();
    env.unset("CLOUDFLARE_ACCOUNT_ID");
    let _applied = env.envc(&["apply"]).exits(0);
    for wrong in ["0123456789abcdef0123456789abcdef", "0123456789ABCDEF0123456789ABCDEF"] {
        let (file, _) = only_remembered(&env);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace(&account, wrong)).unwrap();
        let planned = env.envc(&["plan"]).exits(0);
        says(&planned, &[AGAIN, "No changes", &format!("the account is {account}")]);
        assert_eq!(planned.stderr.matches("(type local)").count(), 1, "{planned}");
        assert_eq!(only_remembered(&env).1["account"], account.as_str());
    }
    // A version that this build does not know, and damage, are as good as nothing.
    let odd = "{\"schema\":1,\"account\":\"..\",\"zones\":{}}";
    for text in [odd, "{\"account\":\"nonsense\",\"zones\":{}}", "{\"schema\":99}", "{"] {
        fs::write(only_remembered(&env).0, text).unwrap();
        let planned = env.envc(&["plan"]).exits(0);
        assert!(!planned.stderr.contains(AGAIN), "{planned}");
    }
}

#[test]
fn an_account_that_is_given_is_not_the_tokens_own() {
    let mut env = TestEnv::of_text(ONE_KV);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    let _planned = env.envc(&["plan"]).exits(0);
    env.unset("CLOUDFLARE_ACCOUNT_ID");
    let looked_up = || cloud.requests().iter().filter(|it| it.path.ends_with("/accounts")).count();
    for _ in 0..2 {
        let _planned = env.envc(&["plan"]).exits(0);
        assert_eq!(looked_up(), 1);
    }
}

#[test]
fn a_permission_that_is_missing_is_told_with_what_was_remembered() {
    let mut env = TestEnv::of_text(ONE_KV);
    let cloud = ServedCloud::start(&mut env, "deny=queues", &[]);
    env.unset("CLOUDFLARE_ACCOUNT_ID");
    let _planned = env.envc(&["plan"]).exits(0);
    env.write("environment.kdl", &format!("{ONE_KV}queue \"jobs\"\n"));
    let before = cloud.requests().len();
    let refused = env.envc(&["plan"]).exits(1);
    // The API does not tell a wrong account from a missing permission: both are tried. Nor does it tell a
    // refusal that passes: each is tried once more.
    says(&refused, &[AGAIN, "`Queues Write`", "the API refused the token"]);
    assert_eq!(cloud.requests().len() - before, 3 + 1 + 3);
    assert!(remembered(&env).is_empty());
    let refused = env.envc(&["plan"]).exits(1);
    assert!(!refused.stderr.contains(AGAIN), "{refused}");
}
