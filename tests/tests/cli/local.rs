//! wrangler's local copies: what apply has wrangler do for `wrangler dev`, and what destroy takes away.
//! A stand-in for wrangler writes down how it was called; the conformance tests have the real one.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command, time::Duration};

use envc_core::object_id;
use envc_tests::{Ran, TestEnv, some_of};
use serde_json::Value as Json;

use crate::common::{edit, in_folder, says};

/// Two Workers on one database.
pub(crate) const TWO: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    d1 \"app\" { migrations \"migrations\" ; seed \"fixtures/dev.sql\" }\n\
    worker \"api\" path=\"apps/api\" { bind \"DB\" d1=\"app\" }\n\
    worker \"web\" path=\"apps/web\" { bind \"STORE\" d1=\"app\" }\n";

/// A spec with two Workers on one database, and the stand-in on the PATH.
pub(crate) fn two(spec: &str) -> TestEnv {
    let env = TestEnv::of_text(spec);
    env.write(
        ".gitignore",
        ".env*\n.dev.vars\n.envc/\n.wrangler/\nnode_modules/\nwrangler.jsonc\n",
    );
    env.write("migrations/0001_notes.sql", "CREATE TABLE notes (body TEXT);\n");
    env.write("fixtures/dev.sql", "INSERT INTO notes VALUES ('first') -- no semicolon");
    for folder in ["apps/api", "apps/web"] {
        fs::create_dir_all(env.root().join(folder)).unwrap();
    }
    with_stand_in(env)
}

/// The stand-in on the PATH.
pub(crate) fn with_stand_in(mut env: TestEnv) -> TestEnv {
    let bin = env.path().join("bin");
    fs::create_dir(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_wrangler"), bin.join("wrangler")).unwrap();
    let path = format!("{}:{}", bin.display(), env.var("PATH"));
    env.set("PATH", &path);
    let log = env.path().join("wrangler.log");
    env.set("STAND_IN_LOG", log.to_str().unwrap());
    env
}

/// How wrangler was called since the last look.
fn calls(env: &TestEnv) -> Vec<Json> {
    let log = env.path().join("wrangler.log");
    let text = fs::read_to_string(&log).unwrap_or_default();
    let _none = fs::remove_file(&log);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn words(call: &Json) -> Vec<&str> {
    call["args"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

/// The file of the database in a folder of local copies.
fn copy_in(env: &TestEnv, state: &str) -> std::path::PathBuf {
    let config = env.read("apps/api/wrangler.jsonc").or(env.read("wrangler.jsonc")).unwrap();
    let id = config.split("\"database_id\": \"").nth(1).unwrap().split('"').next().unwrap();
    let name = object_id("miniflare-D1DatabaseObject", id);
    env.root().join(state).join(format!("v3/d1/miniflare-D1DatabaseObject/{name}.sqlite"))
}

#[track_caller]
fn apply(env: &TestEnv) -> Ran {
    env.envc(&["apply", "--parallelism", "1"]).exits(0)
}

#[test]
fn one_copy_for_all_workers_is_migrated_and_seeded_once() {
    let env = two(TWO);
    let first = apply(&env);
    says(&first, &["seeded d1.app  fixtures/dev.sql", "migrated and seeded wrangler's local copy"]);
    let root = env.root();
    let state = root.join(".envc/wrangler");
    let called = calls(&env);
    assert_eq!(called.len(), 2, "{called:?}");
    let expect = ["d1", "migrations", "apply", "DB", "--local", "--persist-to"];
    assert_eq!(words(&called[0])[..6], expect);
    assert_eq!(words(&called[0])[6], state.to_str().unwrap());
    assert_eq!(called[0]["cwd"].as_str(), root.join("apps/api").to_str());
    assert_eq!(words(&called[1])[..4], ["d1", "execute", "DB", "--local"]);
    let sql = called[1]["sql"].as_str().unwrap();
    assert!(sql.contains("envc_seed") && sql.ends_with("-- no semicolon\n"), "{sql}");
    for folder in ["apps/api", "apps/web"] {
        let link = root.join(folder).join(".wrangler/state");
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("../../../.envc/wrangler"));
        assert!(link.join("v3/d1").is_dir());
    }
    assert_eq!(env.git(&["status", "--short", "--", "apps"]), "");
    // Nothing of the seed is left, and a second apply runs nothing.
    assert!(
        !crate::common::files_below(&root.join(".envc"))
            .iter()
            .any(|it| { it.extension().is_some_and(|extension| extension == "sql") })
    );
    says(&apply(&env), &["Nothing to do"]);
    assert_eq!(calls(&env), Vec::<Json>::new());

    env.write("migrations/0002_more.sql", "CREATE TABLE more (a INT);\n");
    env.write("fixtures/dev.sql", "INSERT INTO notes VALUES ('another');\n");
    let _changed = apply(&env);
    let called = calls(&env);
    assert_eq!(called.len(), 1, "a seed runs once: {called:?}");
    fs::remove_dir_all(&state).unwrap();
    let _gone = apply(&env);
    assert_eq!(calls(&env).len(), 2);
    // What was not there before is as it was before, and so is what is somebody else's.
    fs::write(state.join("v3/other.sqlite"), "").unwrap();
    let file = copy_in(&env, ".envc/wrangler");
    assert!(file.is_file());
    says(&env.envc(&["destroy", "--yes"]).exits(0), &["removed wrangler's local copy of d1.app"]);
    assert!(state.join("v3/other.sqlite").is_file());
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 0);
    assert!(!root.join("apps/api/.wrangler").exists() && !root.join("apps/web/.wrangler").exists());
}

#[test]
fn a_seed_runs_once_in_the_account_whatever_is_killed_and_never_in_what_was_used() {
    let env = two(TWO);
    let rows = || {
        let listing = env.cloud_listing();
        let name = (*listing.names("d1").first().unwrap()).to_owned();
        let query = format!("/d1/database/{}/query", listing.id("d1", &name).unwrap());
        let sql = serde_json::json!({ "sql": "SELECT count(*) AS n FROM notes" });
        let answer = env.cloud().of_account(&http::Method::POST, &query, Some(&sql));
        answer.pointer("/0/results/0/n").and_then(Json::as_u64).unwrap()
    };
    // The answer is lost at each of the calls in turn, or the process ends there.
    let each = (1..=9).flat_map(|call| {
        [
            format!("lose-response-on={call}"),
            format!("crash-on={call}:before"),
            format!("crash-on={call}:after"),
        ]
    });
    for faults in some_of(each.collect::<Vec<String>>()) {
        let _maybe = env.envc_with_faults(&faults, &["apply"]);
        let _healed = apply(&env);
        assert_eq!(rows(), 1, "{faults}");
        // A record that is lost does not seed again.
        env.lose_states();
        let _again = env.envc(&["apply"]).exits(0);
        assert_eq!(rows(), 1, "{faults}");
        let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    }
    // A seed that comes later finds the database in use.
    edit(&env, " ; seed \"fixtures/dev.sql\"", "");
    let _unseeded = apply(&env);
    edit(&env, "\"migrations\" }", "\"migrations\" ; seed \"fixtures/dev.sql\" }");
    says(&env.envc(&["plan"]).exits(0), &["seed fixtures/dev.sql, unless the database had tables"]);
    says(&apply(&env), &["d1.app had tables before it had this seed"]);
    assert_eq!(rows(), 0);
    says(&apply(&env), &["Nothing to do"]);
    // A mistake names the file.
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    env.write("fixtures/dev.sql", "INSERT INTO nothing VALUES (1);\n");
    says(&env.envc(&["apply"]).exits(1), &["fixtures/dev.sql:1: d1.app"]);
    env.write("fixtures/dev.sql", "INSERT INTO notes VALUES ('mended');\n");
    let _mended = apply(&env);
    assert_eq!(rows(), 1);
    fs::remove_file(env.root().join("fixtures/dev.sql")).unwrap();
    says(&env.envc(&["apply"]).exits(1), &["the seed of d1.app is not there: fixtures/dev.sql"]);
}

#[test]
fn wrangler_gets_none_of_the_credentials() {
    let mut env = two(TWO);
    edit(&env, "project \"shop\"\n", "project \"shop\"\nsecrets { env prefix=\"SHOP_\" }\n");
    let names = ["CLOUDFLARE_API_TOKEN", "CF_API_KEY", "CLOUDFLARE_ACCOUNT_ID", "SHOP_KEY"];
    for name in names {
        env.set(name, "planted");
    }
    env.set("OWN", "kept");
    let _applied = apply(&env);
    for call in calls(&env) {
        let variables = call["variables"].as_array().unwrap();
        let has = |name: &str| variables.iter().any(|it| it == name);
        assert!(names.into_iter().all(|name| !has(name)), "{call}");
        assert!(has("OWN") && has("PATH") && has("WRANGLER_SEND_METRICS"));
    }
}

#[test]
fn a_missing_and_a_failing_wrangler_are_told_last_and_fail_nothing() {
    let mut env = two(TWO);
    let path = env.var("PATH");
    env.set("PATH", path.split_once(':').unwrap().1);
    let missing = apply(&env);
    let command = "cd apps/api && npx wrangler d1 migrations apply DB --local\n";
    let last = missing.stderr.trim_end().lines().last().unwrap();
    assert!(
        last.contains("wrangler was not found") && last.ends_with(command.trim_end()),
        "{last}"
    );
    env.set("PATH", &path);
    env.set("STAND_IN_DOES", "fail");
    let failing = apply(&env);
    says(&failing, &["wrangler failed: near \"CREAT\": syntax error; do it with: ", command]);
    let told = env.envc(&["apply", "--json"]).exits(0).event("local_open").unwrap();
    assert_eq!(told["address"], "d1.app");
    assert_eq!(told["command"].as_str(), Some(command.trim_end()));
    // The migrations are there, and the seed is tried again.
    env.set("STAND_IN_DOES", "fail-on-seed");
    says(
        &apply(&env),
        &["is not seeded: wrangler failed: no such table: nothing; correct fixtures"],
    );
    let before = calls(&env).len();
    assert!(before >= 4, "{before}");
    env.unset("STAND_IN_DOES");
    says(&apply(&env), &["migrated and seeded"]);
    let called = calls(&env);
    assert_eq!(called.len(), 1, "{called:?}");
    assert_eq!(words(&called[0])[1], "execute");
    says(&apply(&env), &["Nothing to do"]);
}

#[test]
fn a_wrangler_that_hangs_is_ended_by_its_bound_and_by_ctrl_c() {
    let mut env = two(TWO);
    env.set("STAND_IN_DOES", "hang");
    env.set("ENVC_TEST_WRANGLER_BOUND", "1");
    says(&apply(&env), &["wrangler did not end within 1 s, and was ended"]);
    let pid = calls(&env)[0]["pid"].to_string();
    assert!(!Path::new("/proc").join(&pid).exists(), "{pid} is left");

    env.unset("ENVC_TEST_WRANGLER_BOUND");
    let running = env.start(&["apply"]);
    let log = env.path().join("wrangler.log");
    while !fs::read_to_string(&log).is_ok_and(|text| text.ends_with('\n')) {
        std::thread::sleep(Duration::from_millis(5));
    }
    running.interrupt();
    let ran = running.end().exits(130);
    says(&ran, &["interrupted", "npx wrangler d1 migrations apply DB --local"]);
    let pid = calls(&env)[0]["pid"].to_string();
    assert!(!Path::new("/proc").join(&pid).exists(), "{pid} is left");

    // Killed while it runs: what was begun is known, done again, and taken away.
    let running = env.start(&["apply"]);
    while !fs::read_to_string(&log).is_ok_and(|text| text.ends_with('\n')) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _killed = running.kill();
    env.unset("STAND_IN_DOES");
    let left = calls(&env)[0]["pid"].to_string();
    assert!(Command::new("kill").arg(&left).status().unwrap().success());
    says(&apply(&env), &["migrated and seeded"]);
    let file = copy_in(&env, ".envc/wrangler");
    assert!(file.is_file());
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(!file.exists());
}

/// Invariant: what a killed run left half made is made anew; what wrangler left by itself is not.
#[test]
fn a_copy_that_a_killed_run_left_half_made_is_made_anew() {
    let mut env = two(TWO);
    env.set("STAND_IN_DOES", "hang-half-made");
    let running = env.start(&["apply"]);
    let log = env.path().join("wrangler.log");
    while fs::read_to_string(&log).unwrap_or_default().lines().count() < 2 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _killed = running.kill();
    let left = calls(&env)[0]["pid"].to_string();
    assert!(Command::new("kill").arg(&left).status().unwrap().success());
    let file = copy_in(&env, ".envc/wrangler");
    assert_eq!(fs::read_to_string(&file).unwrap(), "half");
    env.unset("STAND_IN_DOES");
    says(&apply(&env), &["left half made", "migrated and seeded"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "");

    // A migration that fails in what is there leaves it, and so does the next one.
    fs::write(&file, "mine").unwrap();
    env.write("migrations/0002_more.sql", "CREATE TABLE more (x);\n");
    env.set("STAND_IN_DOES", "fail");
    apply(&env);
    env.unset("STAND_IN_DOES");
    says(&apply(&env), &["migrated wrangler's local copy of d1.app"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");

    // A plan of a destroy names its files.
    let ran = env.envc(&["destroy", "--plan"]).exits(0);
    let relative = file.strip_prefix(env.root()).unwrap().to_str().unwrap();
    says(&ran, &["wrangler's local copy of d1.app to remove", relative]);
    let told = env.envc(&["destroy", "--plan", "--json"]).exits(0);
    let files = told.event("files").expect("files are an event");
    let remove = files["remove"].as_array().unwrap();
    assert!(remove.iter().any(|path| path == relative), "{files}");
}

#[test]
fn what_is_there_stays_and_is_told_with_the_folder_to_name() {
    let env = two(TWO);
    let own = env.root().join("apps/web/.wrangler/state");
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("mine"), "").unwrap();
    let outside = env.path().join("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, env.root().join("apps/api/.wrangler")).unwrap();
    let ran = apply(&env);
    says(
        &ran,
        &[
            "`wrangler dev` in apps/web works on local copies of its own, because \
             apps/web/.wrangler/state is there already; do it with: cd apps/web && npx wrangler \
             dev --persist-to ../../.envc/wrangler",
            "`wrangler dev` in apps/api works on local copies of its own",
        ],
    );
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(copy_in(&env, ".envc/wrangler").is_file());
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(own.join("mine").is_file() && env.root().join("apps/api/.wrangler").exists());
    // A link that is another's by now stays.
    fs::remove_file(env.root().join("apps/api/.wrangler")).unwrap();
    let _linked = apply(&env);
    let link = env.root().join("apps/api/.wrangler/state");
    fs::remove_file(&link).unwrap();
    symlink(&outside, &link).unwrap();
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert_eq!(fs::read_link(&link).unwrap(), outside);
}

#[test]
fn the_only_worker_keeps_its_own_folder_and_persist_names_another() {
    let env = with_stand_in(TestEnv::new("quickstart"));
    let _applied = apply(&env);
    let file = copy_in(&env, ".wrangler/state");
    assert!(file.is_file() && !env.root().join(".wrangler/state").is_symlink());
    // The copy moves to where the spec says, and a link of envc's would be in the way: it is told.
    env.write(
        "environment.kdl",
        &format!("{}\ndev persist=\"apps/state\"\n", env.read("environment.kdl").unwrap()),
    );
    let ran = apply(&env);
    says(
        &ran,
        &["--persist-to apps/state", "git does not ignore what is wrangler's own: apps/state"],
    );
    assert!(copy_in(&env, "apps/state").is_file());
    let both = [file, copy_in(&env, "apps/state")];
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(both.iter().all(|it| !it.exists()), "{both:?}");
    for (path, code) in [(".git/x", "file_collision"), (".envc/x", "file_collision")] {
        edit(&env, "persist=\"apps/state\"", &format!("persist=\"{path}\""));
        says(&env.envc(&["check"]).exits(65), &[code]);
        edit(&env, &format!("persist=\"{path}\""), "persist=\"apps/state\"");
    }
    says(&env.envc(&["check"]).exits(0), &["ok"]);
}

#[test]
fn a_replaced_database_and_one_that_a_template_leaves_out() {
    let env = two(TWO);
    let _applied = apply(&env);
    let old = copy_in(&env, ".envc/wrangler");
    edit(&env, "d1 \"app\" {", "d1 \"app\" jurisdiction=\"eu\" {");
    let _replaced = env.envc(&["apply", "--yes"]).exits(0);
    let new = copy_in(&env, ".envc/wrangler");
    assert!(old.is_file() && new.is_file() && old != new);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(!old.exists() && !new.exists());

    env.write(
        "api.jsonc",
        "{\"name\": {{ worker.name | json }}, \"vars\": {{ worker.vars | json }}}",
    );
    edit(&env, "bind \"DB\" d1=\"app\"", "bind \"DB\" d1=\"app\" ; template \"api.jsonc\"");
    edit(&env, "bind \"STORE\" d1=\"app\"", "");
    let ran = apply(&env);
    says(&ran, &["apps/api/wrangler.jsonc does not name it, because api.jsonc leaves it out"]);
}

#[test]
fn files_that_are_not_written_migrate_nothing() {
    let env = two(TWO);
    let _applied = apply(&env);
    let _first = calls(&env);
    let spec = env.read("environment.kdl").unwrap();
    env.write("environment.kdl", &format!("{spec}environment \"next\" {{ identity \"next\" }}\n"));
    let elsewhere = env.path().join("out");
    for more in [&[][..], &["--out-dir", elsewhere.to_str().unwrap()][..]] {
        let args = [&["apply", "next", "--cloud", "local", "--yes"], more].concat();
        let _applied = env.envc(&args).exits(0);
        assert_eq!(calls(&env), Vec::<Json>::new());
    }
}

#[test]
fn only_the_projects_own_wrangler_runs() {
    let mut env = two(TWO);
    let path = env.var("PATH");
    env.set("PATH", path.split_once(':').unwrap().1);
    // One that leads out of the repository is none of it.
    let bin = env.root().join("apps/api/node_modules/.bin");
    fs::create_dir_all(&bin).unwrap();
    symlink(env!("CARGO_BIN_EXE_wrangler"), bin.join("wrangler")).unwrap();
    says(&apply(&env), &["wrangler was not found"]);
    let top = env.root().join("node_modules/.bin");
    fs::create_dir_all(&top).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_wrangler"), top.join("wrangler")).unwrap();
    says(&apply(&env), &["migrated and seeded"]);
}

#[test]
fn a_copied_folder_has_copies_and_links_of_its_own() {
    let env = two(TWO);
    let _applied = apply(&env);
    let file = copy_in(&env, ".envc/wrangler");
    let other = env.path().join("other");
    let copied = Command::new("cp").arg("-r").arg(env.root()).arg(&other).status().unwrap();
    assert!(copied.success());
    let _first = calls(&env);
    let _applied = in_folder(&env, &other, &["apply"]).exits(0);
    let called = calls(&env);
    assert_eq!(called.len(), 2);
    assert_eq!(called[0]["cwd"].as_str(), other.join("apps/api").to_str());
    let link = other.join("apps/web/.wrangler/state");
    assert_eq!(fs::canonicalize(&link).unwrap(), other.join(".envc/wrangler"));
    let _gone = in_folder(&env, &other, &["destroy", "--yes"]).exits(0);
    assert!(fs::symlink_metadata(&link).is_err() && file.is_file());
}

#[test]
fn a_reset_seeds_again_and_the_local_copy_is_made_anew() {
    let env = two(TWO);
    let _applied = apply(&env);
    let file = copy_in(&env, ".envc/wrangler");
    let _first = calls(&env);
    let reset = env.envc(&["migrate", "reset", "d1.app", "--yes"]).exits(0);
    says(&reset, &["seeded d1.app  fixtures/dev.sql", "removed wrangler's local copy of d1.app"]);
    assert!(!file.exists());
    says(&apply(&env), &["migrated and seeded wrangler's local copy"]);
    says(&apply(&env), &["Nothing to do"]);
}
