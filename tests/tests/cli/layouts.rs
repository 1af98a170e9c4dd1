//! Folders of migrations as tools lay them out, ledgers of another name, and files that ran otherwise.

use envc_tests::TestEnv;
use http::Method;
use serde_json::{Value as Json, json};

use crate::{
    common::{check, edit, says},
    ledger::sql_on,
};

const SPEC: &str = "project \"shop\"\n\
    environment \"local\" default { identity \"dev\" }\n\
    d1 \"app\" { migrations \"m\" }\n\
    allow \"unused_resource\"\n";

fn with(migrations: &str) -> TestEnv {
    TestEnv::of_text(&SPEC.replace("migrations \"m\"", migrations))
}

fn database(env: &TestEnv) -> String {
    let listing = env.cloud_listing();
    let name = listing.names("d1").first().map(|name| (*name).to_owned()).expect("a database");
    listing.id("d1", &name).expect("it has an ID").to_owned()
}

fn names(env: &TestEnv, table: &str) -> Json {
    sql_on(&env.cloud(), &database(env), &format!("SELECT name FROM {table} ORDER BY id"))
}

#[test]
fn what_lies_in_the_folder_and_is_no_migration_is_told_by_every_command() {
    let env = with("migrations \"m\"");
    env.write("m/0.sql", "CREATE TABLE a (x);");
    env.write("m/20260101_a/migration.sql", "CREATE TABLE b (x);");
    let told = "`20260101_a/migration.sql` is no migration: `*.sql` does not take it";
    let ran = env.envc(&["check"]).exits(0);
    check("layout_mixed_check", &env, &ran);
    for args in [&["plan"][..], &["apply"], &["migrate", "status"], &["migrate", "check"]] {
        says(&env.envc(args).exits(0), &[told]);
    }
    edit(&env, "migrations \"m\"", "migrations \"m\" ; allow \"odd_migrations\"");
    assert!(!env.envc(&["check"]).exits(0).stderr.contains("is no migration"));
}

#[test]
fn migrations_in_folders_of_their_own_run_with_a_pattern() {
    let env = with("migrations \"m\"");
    env.write("m/10_b/migration.sql", "ALTER TABLE a ADD y;");
    env.write("m/9_a/migration.sql", "CREATE TABLE a (x);");
    env.write("m/9_a/snapshot.json", "{}");
    env.write("m/migration_lock.toml", "provider = \"sqlite\"\n");
    let refused = env.envc(&["apply"]).exits(1);
    says(&refused, &["holds no .sql files", "pattern=\"*/migration.sql\""]);
    edit(&env, "migrations \"m\"", "migrations \"m\" pattern=\"*/migration.sql\"");
    env.envc(&["apply"]).exits(0);
    assert_eq!(
        names(&env, "d1_migrations"),
        json!([{ "name": "9_a/migration.sql" }, { "name": "10_b/migration.sql" }])
    );
    env.envc(&["migrate", "check"]).exits(0);
    says(&env.envc(&["migrate", "new", "d1.app", "more"]).exits(1), &["Prisma", "--create-only"]);
}

#[test]
fn drizzles_journal_is_the_order_and_makes_its_own_files() {
    let env = with("migrations \"m\"");
    env.write("m/zany_owl.sql", "CREATE TABLE a (x);");
    env.write("m/amber_fox.sql", "ALTER TABLE a ADD y;");
    let entry =
        |idx: u32, tag: &str| json!({ "idx": idx, "version": "6", "when": idx, "tag": tag });
    let journal = json!({ "version": "7", "dialect": "sqlite",
        "entries": [entry(0, "zany_owl"), entry(1, "amber_fox")] });
    env.write("m/meta/_journal.json", &journal.to_string());
    let ran = env.envc(&["apply"]).exits(0);
    says(&ran, &["`zany_owl.sql` comes earlier than its name says"]);
    assert_eq!(
        names(&env, "d1_migrations"),
        json!([{ "name": "zany_owl.sql" }, { "name": "amber_fox.sql" }])
    );
    env.write("m/hand.sql", "CREATE TABLE b (x);");
    says(&env.envc(&["check"]).exits(0), &["`hand.sql` is not in drizzle's journal"]);
    let refused = env.envc(&["migrate", "new", "d1.app", "x"]).exits(1);
    says(&refused, &["npx drizzle-kit generate --custom"]);
}

#[test]
fn a_pattern_or_a_table_that_cannot_be_is_refused_with_its_place() {
    for (wrong, what) in [
        ("pattern=\"**/x.sql\"", "`**/x.sql` does not say which files"),
        ("pattern=\"../*.sql\"", "does not say which files"),
        ("pattern=\"*.txt\"", "does not say which files"),
        ("pattern=\"{a,b}.sql\"", ""),
        ("table=\"sqlite_x\"", "is no name for a ledger"),
        ("table=\"_cf_KV\"", "is no name for a ledger"),
        ("table=\"a b\"", ""),
    ] {
        let env = with(&format!("migrations \"m\" {wrong}"));
        says(&env.envc(&["check"]).exits(65), &["environment.kdl:3", what]);
    }
}

#[test]
fn a_ledger_of_another_name_is_read_and_written() {
    let env = with("migrations \"m\" table=\"my_log\"");
    env.write("m/1.sql", "CREATE TABLE a (x);");
    env.envc(&["apply"]).exits(0);
    assert_eq!(names(&env, "my_log"), json!([{ "name": "1.sql" }]));
    env.write("m/2.sql", "CREATE TABLE b (x);");
    env.envc(&["migrate", "apply", "--yes"]).exits(0);
    env.envc(&["migrate", "check"]).exits(0);
    assert_eq!(names(&env, "my_log").as_array().map(Vec::len), Some(2));
    env.envc(&["migrate", "reset", "d1.app", "--yes"]).exits(0);
    assert_eq!(names(&env, "my_log").as_array().map(Vec::len), Some(2));
    let wrong = "SELECT name FROM sqlite_master WHERE name = 'd1_migrations'";
    assert_eq!(sql_on(&env.cloud(), &database(&env), wrong), json!([]));
}

/// Read by another name the ledger is empty: what is applied would run a second time.
#[test]
fn a_ledger_that_gets_another_name_runs_nothing_twice() {
    for (from, to) in
        [("", " table=\"log\""), (" table=\"log\"", ""), (" table=\"log\"", " table=\"b\"")]
    {
        let env = with(&format!("migrations \"m\"{from}"));
        env.write("m/1.sql", "CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (1);");
        env.envc(&["apply"]).exits(0);
        edit(&env, &format!("migrations \"m\"{from}"), &format!("migrations \"m\"{to}"));
        for args in [&["plan"][..], &["apply"], &["migrate", "apply", "--yes"]] {
            says(&env.envc(args).exits(1), &["would run again", "envc migrate mark d1.app"]);
        }
        env.envc(&["migrate", "mark", "d1.app", "--yes"]).exits(0);
        env.envc(&["migrate", "check"]).exits(0);
        env.envc(&["apply"]).exits(0);
        env.write("m/2.sql", "INSERT INTO t VALUES (2);");
        env.envc(&["apply"]).exits(0);
        let rows = sql_on(&env.cloud(), &database(&env), "SELECT x FROM t");
        assert_eq!(rows, json!([{ "x": 1 }, { "x": 2 }]), "{from} {to}");
        // Back to the first name: it lacks what ran since.
        edit(&env, &format!("migrations \"m\"{to}"), &format!("migrations \"m\"{from}"));
        says(&env.envc(&["apply"]).exits(1), &["lacks 1 migration", "envc migrate mark d1.app"]);
    }
}

#[test]
fn what_ran_otherwise_is_marked_and_not_run() {
    let env = with("");
    env.envc(&["apply"]).exits(0);
    // A database that another tool made.
    let path = format!("/d1/database/{}/query", database(&env));
    let made = json!({ "sql": "CREATE TABLE t (x); INSERT INTO t VALUES (1);" });
    let _made = env.cloud().of_account(&Method::POST, &path, Some(&made));
    edit(&env, "d1 \"app\" {", "d1 \"app\" { migrations \"m\"");
    env.write("m/1.sql", "CREATE TABLE IF NOT EXISTS t (x); INSERT INTO t VALUES (2);");
    env.write("m/2.sql", "ALTER TABLE t ADD y;");
    let args = ["migrate", "mark", "d1.app", "--file", "1.sql"];
    says(&env.envc(&args).exits(1), &["not approved", "--yes"]);
    let unknown = ["migrate", "mark", "d1.app", "--file", "3.sql", "--yes"];
    says(&env.envc(&unknown).exits(64), &["no migration 3.sql", "it has: 1.sql, 2.sql"]);
    check("migrate_mark", &env, &env.envc(&[&args[..], &["--yes"]].concat()).exits(0));
    env.envc(&["migrate", "apply", "--yes"]).exits(0);
    assert_eq!(
        sql_on(&env.cloud(), &database(&env), "SELECT * FROM t"),
        json!([{ "x": 1, "y": null }])
    );
    env.envc(&["migrate", "check"]).exits(0);
    says(&env.envc(&[&args[..], &["--yes"]].concat()).exits(0), &["Nothing to do"]);
    env.write("m/3.sql", "ALTER TABLE t ADD z;");
    env.write("m/4.sql", "ALTER TABLE t ADD w;");
    says(&env.envc(&["migrate", "mark", "d1.app", "--yes"]).exits(0), &["2 migrations marked"]);
    env.envc(&["migrate", "check"]).exits(0);
}

#[test]
fn the_next_file_is_named_as_the_others_are() {
    let env = with("migrations \"m\"");
    let new = |words: &[&str]| env.envc(&[&["migrate", "new", "d1.app"], words].concat());
    says(&new(&["Init"]).exits(0), &["Wrote m/0001_init.sql"]);
    says(&new(&["add", "tags,", "again"]).exits(0), &["Wrote m/0002_add_tags_again.sql"]);
    assert_eq!(
        env.read("m/0002_add_tags_again.sql").as_deref(),
        Some("-- d1.app: add tags, again\n")
    );
    says(&new(&["…"]).exits(1), &["gives no name"]);
    says(&env.envc(&["migrate", "new", "d1.other", "x"]).exits(64), &["what has: d1.app"]);
    let env = with("migrations \"m\" pattern=\"*/migration.sql\"");
    let ran = env.envc(&["migrate", "new", "d1.app", "init"]).exits(0);
    says(&ran, &["Wrote m/20", "_init/migration.sql"]);
    env.envc(&["apply"]).exits(0);
}
