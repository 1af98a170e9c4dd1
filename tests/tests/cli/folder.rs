//! Which environment's files lie in a folder, and what it is bound to.

use std::fs;

use envc_tests::{ServedCloud, TestEnv};

use crate::common::{A, says, with_origin};

/// A developer's own environment, one for each pull request, and production.
const TYPES: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    environment \"pr\" { when pr ; identity \"pr-{env.pr}\" ; ttl \"7d\" }\n\
    environment \"production\" { identity \"production\" ; protect }\n\
    kv \"cache\"\n\
    dotenv \".env\" { CACHE \"{kv.cache.id}\" ; NAME \"{env}\" }\n\
    dotenv \".env.more\" { NAME \"{env}\" }\n";

fn start() -> TestEnv {
    with_origin(TestEnv::of_text(TYPES), A)
}

fn names(env: &TestEnv, id: &str) {
    for file in [".env", ".env.more"] {
        let text = env.read(file).unwrap_or_default();
        assert!(text.contains(&format!("NAME={id}\n")), "{file}: {text}");
    }
}

/// Invariant: a green apply in CI has written its files.
#[test]
fn a_reused_folder_is_bound_anew_for_each_pull_request() {
    for ci in [true, false] {
        let mut env = start();
        if ci {
            env.set("CI", "true");
        }
        env.envc(&["apply", "--pr", "80", "--yes"]).exits(0);
        names(&env, "pr-80");
        let next = env.envc(&["apply", "-v", "--pr", "81", "--yes"]).exits(0);
        says(&next, &["wrote .env", "is `pr` because a pull request is named"]);
        assert!(!next.stderr.contains("bound"), "{next}");
        names(&env, "pr-81");
        // What the next one has no use for goes as well.
        let spec = TYPES.replace("dotenv \".env.more\" { NAME \"{env}\" }\n", "");
        env.write("environment.kdl", &spec);
        says(&env.envc(&["apply", "--pr", "82", "--yes"]).exits(0), &["removed .env.more"]);
        assert!(env.read(".env.more").is_none());
        // The first ones are there, and take nothing of it along.
        env.envc(&["destroy", "--pr", "80", "--yes"]).exits(0);
        env.envc(&["destroy", "--pr", "81", "--yes"]).exits(0);
        assert!(env.read(".env").unwrap().contains("NAME=pr-82"));
        let left = env.cloud_listing();
        let left: Vec<&str> = left.names("kv").into_iter().filter(|it| it.contains("--")).collect();
        assert_eq!(left, ["shop--cache--pr-82"]);
        // Lost files come back.
        fs::remove_file(env.root().join(".env")).unwrap();
        env.envc(&["apply", "--pr", "82", "--yes"]).exits(0);
        assert!(env.read(".env").unwrap().contains("NAME=pr-82"));
    }
}

#[test]
fn a_file_that_somebody_edited_is_not_bound_anew_over() {
    let mut env = start();
    env.set("CI", "true");
    env.envc(&["apply", "--pr", "80", "--yes"]).exits(0);
    let before = env.cloud_listing();
    env.write(".env", "MINE=1\n");
    says(&env.envc(&["apply", "--pr", "81", "--yes"]).exits(1), &[".env was edited"]);
    assert_eq!(env.cloud_listing(), before);
    assert_eq!(env.read(".env").as_deref(), Some("MINE=1\n"));
}

#[test]
fn a_pull_request_in_a_developers_folder_is_refused_before_anything_is_made() {
    let mut env = start();
    env.envc(&["apply"]).exits(0);
    let (before, file) = (env.cloud_listing(), env.read(".env"));
    let ran = env.envc(&["apply", "--pr", "81", "--yes"]).exits(1);
    says(&ran, &["bound to `main-", "(type local)", "--rebind", "--out-dir DIR"]);
    says(&env.envc(&["plan", "--pr", "81"]).exits(0), &["apply will refuse: this folder is bound"]);
    assert_eq!((env.cloud_listing(), env.read(".env")), (before, file.clone()));
    // The ways out do what they say.
    env.envc(&["apply", "--pr", "81", "--yes", "--out-dir", "../out"]).exits(0);
    assert_eq!(env.read(".env"), file);
    assert!(env.read("../out/.env").unwrap().contains("NAME=pr-81"));
    env.envc(&["apply", "--pr", "82", "--yes", "--rebind"]).exits(0);
    names(&env, "pr-82");
    // In CI each apply binds, also that of a type which is no pull request's.
    env.set("CI", "true");
    env.envc(&["apply", "production", "--yes"]).exits(0);
    names(&env, "production");
}

#[test]
fn production_is_not_a_developers() {
    let env = start();
    // It says so before it asks, and asks nobody here.
    let asked = env.envc(&["apply", "production"]).exits(1);
    says(&asked, &["no files will be written: type `production` is protected", "not approved"]);
    let done = env.envc(&["apply", "production", "--yes"]).exits(0);
    says(&done, &["no files were written: type `production` is protected", "--out-dir DIR"]);
    says(&done, &["--rebind"]);
    assert!(env.read(".env").is_none());
    // The folder is not bound to it: the next apply is the developer's own.
    says(&env.envc(&["apply"]).exits(0), &["(type local)", "wrote .env"]);
    let own = env.read(".env");
    says(&env.envc(&["apply", "production", "--yes"]).exits(0), &["this folder is bound to main-"]);
    assert_eq!(env.read(".env"), own);
    env.envc(&["apply", "production", "--yes", "--out-dir", "../out"]).exits(0);
    assert!(env.read("../out/.env").unwrap().contains("NAME=production"));
    env.envc(&["apply", "production", "--yes", "--rebind"]).exits(0);
    names(&env, "production");

    let mut ci = start();
    ci.set("CI", "true");
    ci.envc(&["apply", "production", "--yes"]).exits(0);
    names(&ci, "production");
    // Where it is all that a spec has, the folder is nobody else's.
    let only = TestEnv::of_text(
        "project \"shop\"\nenvironment \"production\" { identity \"production\" ; protect }\n\
         kv \"cache\"\ndotenv \".env\" { NAME \"{kv.cache.name}\" }\n",
    );
    says(&only.envc(&["apply", "--yes"]).exits(0), &["wrote .env"]);
}

#[test]
fn what_exists_alone_makes_a_named_type_production_and_no_developers_own() {
    let existing = "existing { kv \"cache\" name=\"shop-cache\" }";
    let spec = format!(
        "project \"shop\"\n\
         environment \"local\" default {{ identity branch max-length=20 unique ; {existing} }}\n\
         environment \"live\" {{ identity \"live\" ; {existing} }}\n\
         kv \"cache\"\ndotenv \".env\" {{ NAME \"{{env}}\" }}\n"
    );
    let mut env = TestEnv::of_text(&spec);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    let made = serde_json::json!({"title": "shop-cache"});
    let _made = cloud.view().of_account(&http::Method::POST, "/storage/kv/namespaces", Some(&made));
    let live = env.envc(&["apply", "live", "--yes"]).exits(0);
    says(&live, &["no files were written: type `live` uses what exists"]);
    assert!(env.read(".env").is_none());
    says(&env.envc(&["apply", "--yes"]).exits(0), &["wrote .env"]);
}

/// `plan --rebind` plans what `apply --rebind` does, and binds nothing.
#[test]
fn a_plan_can_be_made_as_if_the_folder_were_bound_anew() {
    let env = start();
    env.envc(&["apply"]).exits(0);
    let own = env.read(".env");
    let left = env.envc(&["plan", "production"]).exits(0);
    let commands = ["envc apply production --rebind", "envc apply production --out-dir DIR"];
    says(&left, &["apply writes no files", commands[0], commands[1]]);
    assert!(!left.stdout.contains("Files to write"), "{left}");
    says(
        &env.envc(&["plan", "--pr", "7"]).exits(0),
        &["will refuse", "envc apply pr --pr 7 --rebind"],
    );
    let planned = env.envc(&["plan", "--pr", "7", "--rebind", "--out", "../p.json"]).exits(0);
    says(&planned, &["Files to write: .env, .env.more", "envc apply --rebind --plan"]);
    assert!(!planned.stderr.contains("will refuse"), "{planned}");
    says(&env.envc(&["show"]).exits(0), &["(type local)"]);
    assert_eq!(env.read(".env"), own);
    env.envc(&["apply", "--rebind", "--plan", "../p.json"]).exits(0);
    names(&env, "pr-7");
}

#[test]
fn a_plan_can_be_made_as_if_the_environment_moved_to_another_account() {
    let mut env = start();
    let b = ServedCloud::start_as(&mut env, "b", "", &[]);
    let _a = ServedCloud::start_as(&mut env, "a", "", &[]);
    env.envc(&["apply"]).exits(0);
    let own = env.read(".env");
    b.use_in(&mut env);
    says(&env.envc(&["plan"]).exits(1), &["is recorded in another account", "--rebind"]);
    says(&env.envc(&["plan", "--rebind"]).exits(0), &["1 to create", "Files to write: .env"]);
    assert_eq!(env.read(".env"), own);
    says(&env.envc(&["apply"]).exits(1), &["is recorded in another account"]);
}
