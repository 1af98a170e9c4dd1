//! `envc migrate restore`: back to what a database was, and back again.

use envc_tests::TestEnv;
use http::Method;
use serde_json::{Value as Json, json};

use crate::{
    common::{check, says},
    ledger::sql_on,
};

const SPEC: &str = "project \"shop\"\n\
    environment \"local\" default { identity \"dev\" }\n\
    environment \"production\" { identity \"production\" ; existing { d1 \"app\" name=\"shop-prod\" } }\n\
    d1 \"app\" { migrations \"m\" }\n\
    allow \"unused_resource\" \"unprotected_production\"\n";

fn database(env: &TestEnv, name: &str) -> String {
    env.cloud_listing().id("d1", name).expect("a database").to_owned()
}

fn rows(env: &TestEnv) -> Json {
    sql_on(&env.cloud(), &database(env, "shop--app--dev"), "SELECT * FROM t ORDER BY x")
}

fn with_rows() -> TestEnv {
    let env = TestEnv::of_text(SPEC);
    env.write("m/1.sql", "CREATE TABLE t (x);");
    env.envc(&["apply"]).exits(0);
    let _two = sql_on(
        &env.cloud(),
        &database(&env, "shop--app--dev"),
        "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);",
    );
    env
}

#[test]
fn a_migration_that_took_rows_is_taken_back_and_the_way_back_is_kept() {
    let env = with_rows();
    says(&env.envc(&["migrate", "restore", "d1.app"]).exits(1), &["no way back", "--at"]);
    env.write("m/2.sql", "DELETE FROM t WHERE x = 1;");
    env.envc(&["apply"]).exits(0);
    assert_eq!(rows(&env), json!([{ "x": 2 }]));
    let state = env.states().into_values().next().expect("a state").to_string();
    assert!(state.contains("\"way_back\"") && state.contains("\"before\":\"2.sql\""), "{state}");
    says(&env.envc(&["migrate", "restore", "d1.app"]).exits(1), &["not approved", "--yes"]);
    let restored = env.envc(&["migrate", "restore", "d1.app", "--yes"]).exits(0);
    says(&restored, &["before 2.sql ran", "is lost", "1 migration applied, 1 pending", "--undo"]);
    assert_eq!(rows(&env), json!([{ "x": 1 }, { "x": 2 }]));
    // Nothing is said to be lacking: envc knows what it did.
    let status = env.envc(&["migrate", "status"]).exits(0);
    assert!(!status.stdout.contains("was recorded"), "{status}");
    says(&env.envc(&["migrate", "restore", "d1.app", "--undo", "--yes"]).exits(0), &["is back"]);
    assert_eq!(rows(&env), json!([{ "x": 2 }]));
    env.envc(&["migrate", "check"]).exits(0);
}

#[test]
fn an_emptied_database_comes_back() {
    let env = with_rows();
    env.envc(&["migrate", "reset", "d1.app", "--yes"]).exits(0);
    assert_eq!(rows(&env), json!([]));
    let back = env.envc(&["migrate", "restore", "d1.app", "--undo", "--yes"]).exits(0);
    says(&back, &["before it was emptied or taken back last"]);
    assert_eq!(rows(&env), json!([{ "x": 1 }, { "x": 2 }]));
}

#[test]
fn an_instant_and_a_bookmark_are_ways_back_of_a_database_that_is_not_envcs() {
    let env = TestEnv::of_text(SPEC);
    env.write("m/1.sql", "CREATE TABLE t (x); INSERT INTO t VALUES (1);");
    env.envc(&["apply"]).exits(0);
    let made = json!({ "name": "shop-prod" });
    let _made = env.cloud().of_account(&Method::POST, "/d1/database", Some(&made));
    let id = database(&env, "shop-prod");
    let _old = sql_on(&env.cloud(), &id, "CREATE TABLE old (x); INSERT INTO old VALUES (1);");
    let path = format!("/d1/database/{id}/time_travel/bookmark");
    let bookmark = env.cloud().of_account(&Method::GET, &path, None);
    let bookmark = bookmark["bookmark"].as_str().expect("a bookmark").to_owned();
    env.envc(&["apply", "production", "--yes"]).exits(0);
    env.envc(&["migrate", "apply", "production", "--yes"]).exits(0);
    let _gone = sql_on(&env.cloud(), &id, "DROP TABLE old;");
    let args = ["migrate", "restore", "d1.app", "production", "--yes"];
    let back = env.envc(&[&args[..], &["--bookmark", &bookmark]].concat()).exits(0);
    says(&back, &["0 migrations applied, 1 pending"]);
    assert_eq!(sql_on(&env.cloud(), &id, "SELECT * FROM old"), json!([{ "x": 1 }]));
    let old = env.envc(&[&args[..], &["--at", "2020-01-01T00:00:00Z"]].concat()).exits(1);
    says(&old, &["cannot be found", "30 days"]);
    assert_eq!(sql_on(&env.cloud(), &id, "SELECT * FROM old"), json!([{ "x": 1 }]));
    let unknown = env.envc(&["migrate", "restore", "d1.other", "--yes"]).exits(64);
    says(&unknown, &["d1.other", "d1.app"]);
}

#[test]
fn workers_that_were_deployed_since_are_named() {
    let bundle = "worker \"api\" path=\"api\" deploy=\"bundle\" bundle=\"dist\" \
        compatibility-date=\"2026-09-01\" { bind \"DB\" d1=\"app\" }\n";
    let env = TestEnv::of_text(&format!("{SPEC}{bundle}"));
    let code =
        |n: u32| format!("export default {{ fetch() {{ return new Response('{n}'); }} }};\n");
    env.write("api/dist/index.js", &code(1));
    env.write("m/1.sql", "CREATE TABLE t (x);");
    env.envc(&["apply", "--yes"]).exits(0);
    env.write("m/2.sql", "ALTER TABLE t ADD y;");
    env.write("api/dist/index.js", &code(2));
    env.envc(&["apply", "--yes"]).exits(0);
    let restored = env.envc(&["migrate", "restore", "d1.app", "--yes"]).exits(0);
    says(&restored, &["the Worker shop--api--dev, which is bound to it, was deployed since"]);
    check("migrate_restore_again", &env, &env.envc(&["migrate", "status"]).exits(0));
}

/// Kills the command at each of its requests, and runs it again.
#[test]
fn a_restore_that_is_killed_is_carried_on_and_its_undo_leads_to_before_it() {
    let mut whole = false;
    for number in 1..20 {
        for when in ["before", "after"] {
            let mut env = with_rows();
            env.write("m/2.sql", "DELETE FROM t WHERE x = 1;");
            env.envc(&["apply"]).exits(0);
            let args = ["migrate", "restore", "d1.app", "--yes"];
            env.set("ENVC_CLOUD_FAULTS", &format!("crash-on={number}:{when}"));
            let killed = env.envc(&args);
            env.unset("ENVC_CLOUD_FAULTS");
            whole = killed.code == Some(0);
            if whole {
                break;
            }
            env.envc(&args).exits(0);
            assert_eq!(rows(&env), json!([{ "x": 1 }, { "x": 2 }]), "{number} {when}");
            env.envc(&["migrate", "restore", "d1.app", "--undo", "--yes"]).exits(0);
            assert_eq!(rows(&env), json!([{ "x": 2 }]), "{number} {when}");
        }
        if whole {
            return;
        }
    }
    panic!("it never came to its end");
}

#[test]
fn a_reset_that_is_killed_keeps_the_way_back_to_the_data() {
    for number in 3..10 {
        for again in [&["migrate", "reset", "d1.app", "--yes"][..], &["apply", "--yes"]] {
            let mut env = with_rows();
            env.set("ENVC_CLOUD_FAULTS", &format!("crash-on={number}:after"));
            let killed = env.envc(&["migrate", "reset", "d1.app", "--yes"]);
            env.unset("ENVC_CLOUD_FAULTS");
            let state = env.states().into_values().next().expect("a state").to_string();
            env.envc(again).exits(0);
            if killed.code == Some(0) || !state.contains("way_back") {
                // It was done, or nothing of it was begun.
                continue;
            }
            env.envc(&["migrate", "restore", "d1.app", "--undo", "--yes"]).exits(0);
            assert_eq!(rows(&env), json!([{ "x": 1 }, { "x": 2 }]), "{number} {again:?}");
        }
    }
}

#[test]
fn a_restore_that_is_refused_or_leads_nowhere_takes_no_undo_away() {
    let env = with_rows();
    env.write("m/2.sql", "DELETE FROM t WHERE x = 1;");
    env.envc(&["apply"]).exits(0);
    let restore =
        |more: &[&str]| env.envc(&[&["migrate", "restore", "d1.app", "--yes"][..], more].concat());
    restore(&[]).exits(0);
    says(&restore(&["--bookmark", "typo"]).exits(1), &["d1.app is as it was", "Invalid bookmark"]);
    says(&restore(&["--at", "2100-01-01T00:00:00Z"]).exits(0), &["Nothing to do"]);
    restore(&["--undo"]).exits(0);
    assert_eq!(rows(&env), json!([{ "x": 2 }]));
}
