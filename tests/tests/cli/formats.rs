//! What lies on the disk: documents of the first version are carried over, newer ones are refused.
//!
//! `tests/fixtures/first-version` is what the first version wrote; what differs from machine to
//! machine stands there in capitals.

use std::{
    fs,
    path::{Path, PathBuf},
};

use envc_core::KeyedDigest;
use envc_tests::{Ran, Running, TestEnv};
use http::Method;
use serde_json::{Value as Json, json};

use crate::common::{FIXED, says};

const ID: &str = "main-tpaj3v4cbf";
const KEY: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/first-version");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// A machine on which the first version made an environment; the project lies in this folder of
/// the repository.
fn first_version(below: &str) -> TestEnv {
    let env = TestEnv::of_text(&fixture("environment.kdl"));
    if !below.is_empty() {
        fs::create_dir(env.root().join(below)).unwrap();
        let spec = env.root().join("environment.kdl");
        fs::rename(&spec, env.root().join(below).join("environment.kdl")).unwrap();
    }
    let root = env.root().join(below);
    let cloud = env.cloud();
    let create = |path: &str, body: Json, id: &str| {
        let made = cloud.of_account(&Method::POST, path, Some(&body));
        made.get(id).and_then(Json::as_str).unwrap().to_owned()
    };
    let name = |label: &str| format!("shop-{label}-{ID}");
    let d1 = create("/d1/database", json!({ "name": name("orders") }), "uuid");
    let kv = create("/storage/kv/namespaces", json!({ "title": name("cache") }), "id");
    let _bucket = create("/r2/buckets", json!({ "name": name("images") }), "name");
    let queue = create("/queues", json!({ "queue_name": name("jobs") }), "queue_id");
    let dotenv = format!(
        "# Written by envc; an edited copy is kept, and replaced only by envc apply --force\n\
         CACHE={kv}\n"
    );
    let account = cloud.account();
    let digest = KeyedDigest::new(KEY.as_slice()).of(&dotenv);
    let fill = |name: &str| {
        fixture(name)
            .replace("\"ROOT", &format!("\"{}", env.root().display()))
            .replace("DIGEST", digest.as_str())
            .replace("ACCOUNT", account)
            .replace("\"D1\"", &format!("\"{d1}\""))
            .replace("\"KV\"", &format!("\"{kv}\""))
            .replace("\"QUEUE\"", &format!("\"{queue}\""))
    };
    let state = env.state_dir();
    let write = |path: &Path, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    fs::write(state.join("key"), KEY).unwrap();
    write(&state.join("registry.json"), &fill("registry.json"));
    let document = format!("state/local/{account}/shop/{ID}.json");
    write(&state.join(document), &fill("state.json"));
    let cache = fill("working-copy.json").replace(
        &format!("\"root\": \"{}\"", env.root().display()),
        &format!("\"root\": \"{}\"", root.display()),
    );
    write(&root.join(".envc/working-copy.json"), &cache);
    write(&root.join(".env"), &dotenv);
    env
}

fn in_folder(env: &TestEnv, below: &str, args: &[&str]) -> Ran {
    Running::start(env.command_in(&env.root().join(below), args)).end()
}

#[test]
fn an_environment_of_the_first_version_plans_empty_and_is_destroyed_whole() {
    // At the top of the repository and below it: the first version did not record which.
    for below in ["", "apps"] {
        let env = first_version(below);
        let whole = env.cloud_listing();
        assert_eq!(whole.objects.len(), 4);
        let ran = in_folder(&env, below, &["plan", "--detailed-exitcode"]).exits(0);
        says(&ran, &["No changes", ID]);
        let ran = in_folder(&env, below, &["apply"]).exits(0);
        says(&ran, &["Nothing to do", ID]);
        assert_eq!(env.cloud_listing(), whole);
        // It is of this version now, and somebody's.
        for (name, state) in env.some_states() {
            assert_eq!(
                (&state["schema"], state["repository"].is_string()),
                (&json!(2), true),
                "{name}"
            );
        }
        in_folder(&env, below, &["destroy", "--yes"]).exits(0);
        assert!(env.cloud_listing().is_empty());
        assert_eq!(fs::read(env.root().join(below).join(".env")).ok(), None);
    }
}

#[test]
fn an_environment_of_the_first_version_is_destroyed_at_once_too() {
    let env = first_version("");
    in_folder(&env, "", &["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn a_copy_of_a_folder_of_the_first_version_is_a_copy() {
    let env = first_version("apps");
    let [original, copy] = ["apps", "copy"].map(|name| env.root().join(name));
    let status = std::process::Command::new("cp").arg("-a").args([&original, &copy]).status();
    assert!(status.unwrap().success());
    in_folder(&env, "copy", &["destroy", "--yes", "--if-exists"]).exits(0);
    assert_eq!(env.cloud_listing().objects.len(), 4);
    says(&in_folder(&env, "apps", &["apply"]).exits(0), &["Nothing to do", ID]);
}

#[test]
fn a_state_that_does_not_say_whose_it_is_goes_to_the_folder_that_applied_it() {
    let mut env = TestEnv::of_text(FIXED);
    env.git(&["remote", "add", "origin", "https://git.example/a/shop"]);
    env.envc(&["apply"]).exits(0);
    // As the first version left it.
    for (path, (name, mut state)) in state_files(&env).into_iter().zip(env.some_states()) {
        state["schema"] = json!(1);
        state.as_object_mut().unwrap().remove("repository");
        fs::write(&path, state.to_string()).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let other = env.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::copy(env.root().join("environment.kdl"), other.join("environment.kdl")).unwrap();
    env.git(&["-C", other.to_str().unwrap(), "init", "--quiet"]);
    env.git(&[
        "-C",
        other.to_str().unwrap(),
        "remote",
        "add",
        "origin",
        "https://git.example/b/shop",
    ]);
    env.set("ENVC_CLOUD", "local");
    let run = |args: &[&str]| Running::start(env.command_in(&other, args)).end();
    for args in [&["plan"][..], &["apply", "--yes"], &["destroy", "--yes"]] {
        let refused = run(args).exits(1);
        says(&refused, &[env.root().to_str().unwrap()]);
    }
    // Nor does it go to whoever reads it first once that folder is gone.
    let away = env.path().join("put-away");
    fs::rename(env.root(), &away).unwrap();
    for args in [&["plan"][..], &["apply", "--yes"], &["destroy", "--yes"]] {
        says(&run(args).exits(1), &["which is gone", "--adopt kv.cache"]);
    }
    fs::rename(&away, env.root()).unwrap();
    assert_eq!(env.cloud_listing().objects.len(), 1);
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
    says(&run(&["destroy", "--yes"]).exits(1), &["git.example/a/shop"]);
    env.envc(&["destroy", "--yes"]).exits(0);
}

/// Another repository of the same user, with this spec.
fn other_repository(env: &TestEnv, spec: &str) -> PathBuf {
    let other = env.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("environment.kdl"), spec).unwrap();
    fs::write(other.join(".gitignore"), ".env\n.envc/\n").unwrap();
    let at = other.to_str().unwrap();
    env.git(&["-C", at, "init", "--quiet", "--initial-branch=main"]);
    env.git(&["-C", at, "remote", "add", "origin", "https://git.example/b/shop"]);
    other
}

#[test]
fn a_record_of_the_first_version_whose_folder_is_gone_goes_to_nobody_by_itself() {
    let adopt = ["d1.orders", "kv.cache", "queue.jobs", "r2.images"];
    for registry_is_lost in [false, true] {
        let env = first_version("");
        let spec = env.read("environment.kdl").unwrap();
        let other = other_repository(&env, &spec);
        fs::rename(env.root(), env.path().join("put-away")).unwrap();
        if registry_is_lost {
            fs::remove_file(env.state_dir().join("registry.json")).unwrap();
        }
        let whole = env.cloud_listing();
        let run = |args: &[&str]| {
            Running::start(env.command_in(&other, &[args, &["--id", ID]].concat())).end()
        };
        let told = if registry_is_lost { "recorded nowhere" } else { "which is gone" };
        for args in [&["plan"][..], &["apply", "--yes"], &["destroy", "--yes"], &["show"]] {
            let refused = run(args).exits(1);
            let command = "envc apply local --id main-tpaj3v4cbf --adopt d1.orders";
            says(&refused, &["does not say whose it is", told, command]);
            assert_eq!(env.cloud_listing(), whole, "{args:?}");
        }
        // Some of it is not all of it.
        run(&["apply", "--yes", "--adopt", "d1.orders"]).exits(1);
        let all: Vec<&str> = adopt.iter().flat_map(|address| ["--adopt", address]).collect();
        run(&[&["apply", "--yes"], &all[..]].concat()).exits(0);
        assert_eq!(env.cloud_listing(), whole);
        run(&["destroy", "--yes"]).exits(0);
        assert!(env.cloud_listing().is_empty());
    }
}

#[test]
fn a_record_of_the_first_version_is_its_clones_from_any_of_its_worktrees() {
    let env = first_version("");
    let worktree = env.worktree("two");
    let run = |args: &[&str]| Running::start(env.command_in(&worktree, args)).end();
    says(&run(&["plan", "--id", ID]).exits(0), &["No changes"]);
    run(&["destroy", "--id", ID, "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty());
}

fn state_files(env: &TestEnv) -> Vec<PathBuf> {
    let all = crate::common::files_below(&env.state_dir().join("state"));
    all.into_iter().filter(|path| path.extension().is_some_and(|it| it == "json")).collect()
}

#[test]
fn documents_of_a_newer_version_are_refused_and_left_as_they_are() {
    let env = TestEnv::of_text(FIXED);
    env.envc(&["apply"]).exits(0);
    env.envc(&["plan", "--out", "../p.json"]).exits(0);
    let raise = |path: &Path, field: &str| {
        let mut json: Json = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let version = json[field].as_u64().expect("each document has a version");
        json[field] = json!(version + 1);
        fs::write(path, json.to_string()).unwrap();
        fs::read(path).unwrap()
    };
    let plan = env.path().join("p.json");
    raise(&plan, "format");
    says(&env.envc(&["apply", "--plan", "../p.json"]).exits(64), &["format version"]);
    let mut files = state_files(&env);
    files.push(env.state_dir().join("registry.json"));
    for path in files {
        let before = fs::read(&path).unwrap();
        let newer = raise(&path, "schema");
        for args in [&["plan"][..], &["apply"], &["destroy", "--yes"]] {
            says(&env.envc(args).exits(1), &["schema version"]);
            assert_eq!(fs::read(&path).unwrap(), newer, "{}", path.display());
        }
        fs::write(&path, before).unwrap();
    }
    // Caches of another version count as none.
    let cache = env.root().join(".envc/working-copy.json");
    raise(&cache, "schema");
    // The local cloud's account is not remembered, so there may be none.
    for scope in fs::read_dir(env.state_dir().join("scopes")).into_iter().flatten() {
        raise(&scope.unwrap().path(), "schema");
    }
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
}
