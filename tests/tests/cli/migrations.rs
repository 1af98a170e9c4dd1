//! Migrations, and the ledger that they share with wrangler.

use std::collections::BTreeMap;

use envc_tests::TestEnv;

use crate::common::{check, says};

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
    says(&ran, &["migration 0003_tags.sql:3 failed"]);
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
