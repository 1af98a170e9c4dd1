//! Migrations, and the ledger that they share with wrangler.

use std::{collections::BTreeMap, time::Duration};

use envc_tests::{ServedCloud, TestEnv};

use crate::common::{ONE_KV, check, says};

const ARGS: [&str; 3] = ["apply", "--parallelism", "1"];

fn ledger(env: &TestEnv) -> Vec<String> {
    let listing = env.cloud_listing();
    let name = listing.names("d1").first().map(|name| (*name).to_owned()).expect("a database");
    env.cloud().ledger(listing.id("d1", &name).expect("it has an ID"))
}

#[test]
fn the_ledger_is_wranglers_and_status_reads_it() {
    let env = TestEnv::new("quickstart");
    check("migrate_status_nothing", &env, &env.envc(&["migrate", "status"]));
    let _applied = env.envc(&ARGS).exits(0);
    assert_eq!(ledger(&env), ["0001_notes.sql", "0002_history.sql"]);
    check("migrate_status", &env, &env.envc(&["migrate", "status"]));
    let _applied = env.envc(&["migrate", "check"]).exits(0);
    env.write("migrations/0003_tags.sql", "CREATE TABLE tags (name TEXT);\n");
    check("migrate_check", &env, &env.envc(&["migrate", "check"]));
    says(&env.envc(&ARGS).exits(0), &["migrated d1.app  0003_tags.sql"]);
    assert_eq!(ledger(&env).len(), 3);
    says(&env.envc(&["migrate", "apply"]).exits(0), &["Nothing to do"]);
}

#[test]
fn a_manual_type_is_migrated_only_when_asked() {
    let env = TestEnv::new("quickstart");
    let spec = env.read("environment.kdl").unwrap();
    env.write(
        "environment.kdl",
        &spec.replace("max-length=20 unique", "max-length=20 unique\n    migrate manual"),
    );
    let _applied = env.envc(&ARGS).exits(0);
    assert_eq!(ledger(&env), [""; 0]);
    let _open = env.envc(&["migrate", "check"]).exits(2);
    check("migrate_not_approved", &env, &env.envc(&["migrate", "apply"]));
    assert_eq!(ledger(&env), [""; 0]);
    check("migrate_apply", &env, &env.envc(&["migrate", "apply", "--yes"]));
    let _done = env.envc(&["migrate", "check"]).exits(0);
}

#[test]
fn a_migration_that_fails_names_its_line_and_the_next_apply_carries_on() {
    let env = TestEnv::new("quickstart");
    let broken = "-- tags\nCREATE TABLE tags (name TEXT);\nCREATE TABEL more (name TEXT);\n";
    env.write("migrations/0003_tags.sql", broken);
    let ran = env.envc(&ARGS).exits(1);
    check("migrate_fails", &env, &ran);
    says(&ran, &["because: migrations/0003_tags.sql:3: d1.app: "]);
    assert_eq!(ledger(&env), ["0001_notes.sql", "0002_history.sql"]);
    env.write("migrations/0003_tags.sql", &broken.replace("TABEL", "TABLE"));
    let _carries_on = env.envc(&ARGS).exits(0);
    assert_eq!(ledger(&env).len(), 3);
    let counts = BTreeMap::from([("d1", 1), ("kv", 1), ("queue", 2), ("r2", 1)]);
    assert_eq!(env.cloud_listing().counts(), counts);
}

#[test]
fn an_edited_a_missing_and_a_late_migration_are_reported() {
    let env = TestEnv::new("quickstart");
    let _applied = env.envc(&ARGS).exits(0);
    let first = env.read("migrations/0001_notes.sql").unwrap();
    env.write("migrations/0001_notes.sql", &format!("{first}-- edited\n"));
    let edited = env.envc(&["plan"]).exits(0);
    check("migration_edited", &env, &edited);
    // Line ends are no edit.
    env.write("migrations/0001_notes.sql", &first.replace('\n', "\r\n"));
    let same = env.envc(&["plan"]).exits(0);
    assert!(!same.stdout.contains("note:"), "{same}");
    env.write("migrations/0001_notes.sql", &first);
    std::fs::remove_file(env.root().join("migrations/0002_history.sql")).unwrap();
    says(&env.envc(&["migrate", "status"]).exits(0), &["its file is missing"]);
}

/// Each database that has something to migrate is asked for its ledger: side by side.
#[test]
fn the_ledgers_of_many_databases_cost_one_round_trip() {
    const LATENCY_MS: u64 = 800;
    let plan_of = |databases: u32| {
        let nodes =
            (0..databases).map(|number| format!("d1 \"db{number}\" {{ migrations \"sql\" }}\n"));
        let spec = ONE_KV.replace("kv \"cache\"\n", &nodes.collect::<String>());
        let env = TestEnv::of_text(&spec);
        env.write("sql/0001_a.sql", "CREATE TABLE a (x);\n");
        let _applied = env.envc(&["apply"]).exits(0);
        env.write("sql/0002_b.sql", "CREATE TABLE b (x);\n");
        let planned = env.envc_with_faults(&format!("latency={LATENCY_MS}"), &["plan"]).exits(0);
        planned.took
    };
    let (one, five) = (plan_of(1), plan_of(5));
    // One after the other, they would be four round trips more.
    assert!(five < one + Duration::from_millis(2 * LATENCY_MS), "{five:?} and {one:?}");
}

#[test]
fn a_statement_that_is_too_long_is_told_by_its_line() {
    let env = TestEnv::new("quickstart");
    let rows = "('x'),\n".repeat(20_000);
    let text = format!("CREATE TABLE tags (name TEXT);\n\nINSERT INTO tags VALUES\n{rows}('y');\n");
    env.write("migrations/0003_tags.sql", &text);
    check("migrate_too_long", &env, &env.envc(&ARGS));
    assert_eq!(ledger(&env), ["0001_notes.sql", "0002_history.sql"]);
    // As many rows in statements of their own.
    let rows = "INSERT INTO tags VALUES ('x;');\n".repeat(4_000);
    env.write("migrations/0003_tags.sql", &format!("CREATE TABLE tags (name TEXT);\n{rows}"));
    let _carries_on = env.envc(&ARGS).exits(0);
    assert_eq!(ledger(&env).len(), 3);
}

/// A file that is imported takes several requests: the plan counts what its apply sends.
#[test]
fn a_plan_counts_every_request_of_a_migration_and_a_seed_that_go_as_files() {
    const TRIGGER: &str = "CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END;\n";
    let spec = "project \"shop\"\n\
        environment \"local\" default { identity branch max-length=20 unique }\n\
        d1 \"main\" { migrations \"m\" ; seed \"seed.sql\"; }\nallow \"unused_resource\"\n";
    let mut env = TestEnv::of_text(spec);
    env.write("m/1.sql", "CREATE TABLE a (x);\n");
    env.write("m/2.sql", TRIGGER);
    env.write("seed.sql", &"INSERT INTO a VALUES ('a row of a table');\n".repeat(500));
    let cloud = ServedCloud::start(&mut env, "", &[]);
    let same = |counted: u64| {
        let plan = env.envc(&["plan", "--json"]).exits(0).event("plan").unwrap();
        assert_eq!(plan["counts"]["requests"].as_u64(), Some(counted), "{plan}");
        let before = cloud.requests().len();
        env.envc(&["apply", "--yes"]).exits(0);
        // What only looks is none of the plan's, but for the ledger after a file.
        let sent = cloud.requests().split_off(before);
        let sent = sent.iter().filter(|it| it.method != "GET").count();
        assert_eq!(sent as u64, counted, "{plan}");
    };
    // The database, a query, and two files.
    same(1 + 1 + 4 + 4);
    env.write("m/3.sql", &TRIGGER.replace(" t ", " u "));
    let plan = env.envc(&["plan", "--json"]).exits(0).event("plan").unwrap();
    assert_eq!(plan["counts"]["requests"], 2 + 4, "bookmark, ledger, and a file: {plan}");
}
