//! The ledger in a database counts, and not what is recorded of it: restored, emptied, replaced and
//! `existing` databases.

use std::collections::BTreeMap;

use envc_tests::{ServedCloud, TestEnv};
use http::Method;
use serde_json::{Value as Json, json};

use crate::common::{edit, says};

const ONE: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    d1 \"app\" { migrations \"m\" }\n\
    allow \"unused_resource\"\n";

pub(crate) const TYPES: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    environment \"production\" {\n\
    \x20   identity \"production\"\n\
    \x20   existing { d1 \"app\" name=\"shop-prod\" }\n\
    }\n\
    environment \"staging\" { identity \"staging\" ; migrate manual }\n\
    environment \"pr\" { when pr ; identity \"pr-{env.pr}\" ; ttl \"7d\" }\n\
    d1 \"app\" { migrations \"m\" }\n\
    allow \"unused_resource\" \"unprotected_production\"\n";

pub(crate) fn one() -> TestEnv {
    with_files(TestEnv::of_text(ONE))
}

fn with_files(env: TestEnv) -> TestEnv {
    env.write("m/0001_a.sql", "CREATE TABLE a (x);\n");
    env.write("m/0002_b.sql", "CREATE TABLE b (x);\nINSERT INTO b VALUES (1);\n");
    env
}

fn database(env: &TestEnv) -> String {
    let listing = env.cloud_listing();
    let name = listing.names("d1").first().map(|name| (*name).to_owned()).expect("a database");
    listing.id("d1", &name).expect("it has an ID").to_owned()
}

/// Runs SQL behind the binary's back; gives the last statement's rows.
fn sql(env: &TestEnv, text: &str) -> Json {
    sql_on(&env.cloud(), &database(env), text)
}

pub(crate) fn sql_on(cloud: &envc_tests::CloudView, id: &str, text: &str) -> Json {
    let path = format!("/d1/database/{id}/query");
    let answer = cloud.of_account(&Method::POST, &path, Some(&json!({ "sql": text })));
    let last = answer.as_array().and_then(|all| all.last()).cloned().unwrap_or_default();
    last.get("results").cloned().unwrap_or_default()
}

fn ledger(env: &TestEnv) -> Vec<String> {
    env.cloud().ledger(&database(env))
}

fn tables(env: &TestEnv) -> Vec<String> {
    let rows = sql(
        env,
        "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
         AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' ORDER BY name",
    );
    let rows = rows.as_array().cloned().unwrap_or_default();
    rows.iter().filter_map(|row| row["name"].as_str().map(str::to_owned)).collect()
}

/// No command says what the others do not: nothing is said to be pending that is not.
pub(crate) fn settled(env: &TestEnv) {
    env.envc(&["migrate", "check"]).exits(0);
    says(&env.envc(&["migrate", "apply", "--yes"]).exits(0), &["Nothing to do"]);
    says(&env.envc(&["plan", "--detailed-exitcode"]).exits(0), &["No changes."]);
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
}

/// What is done to the database, and which migrations run again.
const MISHAPS: [(&str, &[&str]); 4] = [
    ("DROP TABLE a; DROP TABLE b; DELETE FROM d1_migrations;", &["0001_a.sql", "0002_b.sql"]),
    ("DROP TABLE a; DROP TABLE b; DROP TABLE d1_migrations;", &["0001_a.sql", "0002_b.sql"]),
    ("DROP TABLE b; DELETE FROM d1_migrations WHERE name = '0002_b.sql';", &["0002_b.sql"]),
    // The first file of two: it runs before the second, whose row is there.
    ("DROP TABLE a; DELETE FROM d1_migrations WHERE name = '0001_a.sql';", &["0001_a.sql"]),
];

#[test]
fn what_a_restored_database_lacks_runs_again_and_is_told() {
    for (mishap, again) in MISHAPS {
        for heal in [&["apply"][..], &["migrate", "apply", "--yes"]] {
            let env = one();
            env.envc(&["apply"]).exits(0);
            settled(&env);
            sql(&env, mishap);
            env.envc(&["migrate", "check"]).exits(2);
            let planned = env.envc(&["plan", "--detailed-exitcode"]).exits(2);
            let lacks = match again.len() {
                1 => "lacks 1 migration that was recorded as applied",
                _ => "lacks 2 migrations that were recorded as applied",
            };
            says(&planned, &[lacks, "Migrations to run"]);
            let healed = env.envc(heal).exits(0);
            says(&healed, &[lacks]);
            for file in ["0001_a.sql", "0002_b.sql"] {
                let ran = healed.stderr.contains(&format!("migrated d1.app  {file}"));
                assert_eq!(ran, again.contains(&file), "{mishap}: {healed}");
            }
            assert_eq!(tables(&env), ["a", "b", "d1_migrations"]);
            settled(&env);
        }
    }
}

/// A further file does not run on top of what is missing.
#[test]
fn a_new_file_runs_after_what_was_lost() {
    let env = one();
    env.envc(&["apply"]).exits(0);
    sql(&env, "DROP TABLE a; DROP TABLE b; DROP TABLE d1_migrations;");
    env.write("m/0003_c.sql", "ALTER TABLE b ADD COLUMN y;\n");
    env.envc(&["apply"]).exits(0);
    assert_eq!(ledger(&env), ["0001_a.sql", "0002_b.sql", "0003_c.sql"]);
}

/// wrangler, or anybody: what they applied is not pending here, whatever is recorded.
#[test]
fn what_somebody_else_applied_does_not_run() {
    let env = one();
    env.envc(&["apply"]).exits(0);
    env.write("m/0003_c.sql", "CREATE TABLE c (x);\n");
    sql(&env, "CREATE TABLE c (x); INSERT INTO d1_migrations (name) VALUES ('0003_c.sql');");
    settled(&env);
    // A fresh runner, too: the plan of each push says only what is pending.
    env.lose_states();
    env.write("m/0004_d.sql", "CREATE TABLE d (x);\n");
    let planned = env.envc(&["plan"]).exits(0);
    assert!(!planned.stdout.contains("0001_a.sql"), "{planned}");
    says(&planned, &["1 migration;", "0004_d.sql"]);
    env.envc(&["apply"]).exits(0);
    assert_eq!(ledger(&env).len(), 4);
    settled(&env);
}

/// Invariant: a plan with nothing to do takes at most two round trips and eight requests.
#[test]
fn reading_the_ledger_costs_no_round_trip() {
    let mut env = one();
    let cloud = ServedCloud::start(&mut env, "", &[]);
    env.envc(&["apply", "--yes"]).exits(0);
    let before = cloud.requests().len();
    env.envc(&["plan"]).exits(0);
    let requests = &cloud.requests()[before..];
    assert_eq!(requests.len(), 2, "{requests:?}");
}

/// A plan with a token that may list and not query says what it does not know; an apply needs more.
#[test]
fn what_may_not_be_read_is_not_said_to_be_pending() {
    let env = one();
    env.envc(&["apply"]).exits(0);
    env.lose_states();
    let denied = "fail=POST:/query:403:10000:Authentication error";
    let planned = env.envc_with_faults(denied, &["plan"]).exits(0);
    says(&planned, &["which migrations of d1.app are pending is not known", "D1 Write"]);
    assert!(!planned.stdout.contains(".sql"), "{planned}");
    for args in [&["apply"][..], &["migrate", "check"], &["migrate", "apply", "--yes"]] {
        let refused = env.envc_with_faults(denied, args).exits(1);
        says(&refused, &["which migrations d1.app has cannot be read", "D1 Write"]);
    }
}

#[test]
fn an_existing_database_is_planned_by_its_ledger() {
    let env = with_files(TestEnv::of_text(TYPES));
    let made = env.cloud().of_account(
        &Method::POST,
        "/d1/database",
        Some(&json!({ "name": "shop-prod" })),
    );
    let id = made["uuid"].as_str().expect("it has an ID").to_owned();
    for by_id in [false, true] {
        if by_id {
            let named = "d1 \"app\" name=\"shop-prod\"";
            edit(&env, named, &format!("d1 \"app\" id=\"{id}\""));
        }
        let number = if by_id { "0004" } else { "0003" };
        // An apply mentions them, and runs none.
        let file = format!("{number}_new.sql");
        env.write(&format!("m/{file}"), &format!("CREATE TABLE t{number} (x);\n"));
        let pending = if by_id { "1 migration of d1.app is" } else { "3 migrations of d1.app are" };
        let pending = format!("{pending} pending: envc migrate apply production");
        let planned = env.envc(&["plan", "production", "--detailed-exitcode"]).exits(0);
        says(&planned, &[&pending, "No changes, and", "that apply does not run"]);
        assert!(!planned.stdout.contains("No changes."), "{planned}");
        says(&env.envc(&["apply", "production", "--yes"]).exits(0), &[&pending]);
        let migrated = env.envc(&["migrate", "apply", "production", "--yes"]).exits(0);
        says(&migrated, &[&format!("migrated d1.app  {file}"), "Migrated 1 database"]);
        let listed = migrated.stderr.contains("0001_a.sql");
        assert_eq!(listed, !by_id, "only what is pending is listed: {migrated}");
        let nothing = env.envc(&["migrate", "apply", "production"]).exits(0);
        says(&nothing, &["Nothing to do: every migration is applied."]);
        env.envc(&["migrate", "check", "production"]).exits(0);
        says(&env.envc(&["plan", "production"]).exits(0), &["No changes."]);
        // What envc ran there is recorded, so that an edit is known.
        let was = env.read(&format!("m/{file}")).unwrap();
        env.write(&format!("m/{file}"), "CREATE TABLE other (x);\n");
        let edited = format!("d1.app: {file} was edited after it was applied");
        for args in [&["plan", "production"][..], &["apply", "production", "--yes"]] {
            says(&env.envc(args).exits(0), &[&edited]);
        }
        env.envc(&["migrate", "check", "production"]).exits(2);
        // So is a new name.
        std::fs::remove_file(env.root().join(format!("m/{file}"))).unwrap();
        env.write("m/0009_new_name.sql", &was);
        let refused = env.envc(&["migrate", "apply", "production", "--yes"]).exits(1);
        says(&refused, &[&format!("0009_new_name.sql has the content of {file}")]);
        std::fs::remove_file(env.root().join("m/0009_new_name.sql")).unwrap();
        env.write(&format!("m/{file}"), &was);
        env.envc(&["migrate", "check", "production"]).exits(0);
    }
    // The record goes with the environment, and the database stays.
    env.envc(&["destroy", "production", "--yes"]).exits(0);
    assert_eq!(env.cloud_listing().names("d1"), ["shop-prod"]);
    assert!(env.states().is_empty(), "{:?}", env.states());
}

#[test]
fn a_manual_type_says_what_is_pending_at_every_apply() {
    let env = with_files(TestEnv::of_text(TYPES));
    let first = env.envc(&["apply", "staging", "--yes"]).exits(0);
    let pending = "2 migrations of d1.app are pending: envc migrate apply staging";
    says(&first, &[pending, "2 pending migrations left alone"]);
    let again = env.envc(&["apply", "staging", "--yes"]).exits(0);
    says(&again, &[pending, "Nothing to do", "2 pending migrations"]);
    let planned = env.envc(&["plan", "staging", "--detailed-exitcode", "--json"]).exits(0);
    let plan = planned.event("plan").expect("a plan");
    assert_eq!(plan.pointer("/counts/pending"), Some(&json!(2)), "{planned}");
    assert_eq!(
        plan.pointer("/migrations/d1.app/pending"),
        Some(&json!(["0001_a.sql", "0002_b.sql"]))
    );
    env.envc(&["migrate", "apply", "staging", "--yes"]).exits(0);
    let settled = env.envc(&["apply", "staging", "--yes"]).exits(0);
    assert!(!settled.stderr.contains("pending"), "{settled}");
}

#[test]
fn an_edited_or_a_missing_file_closes_the_gate() {
    let env = one();
    env.envc(&["apply"]).exits(0);
    let was = env.read("m/0001_a.sql").unwrap();
    env.write("m/0001_a.sql", "CREATE TABLE a (x, y);\n");
    for args in [&["migrate", "check"][..], &["migrate", "status"]] {
        let told = env.envc(args).exits(if args[1] == "check" { 2 } else { 0 });
        says(&told, &["0001_a.sql (edited since: the edit is not applied)"]);
    }
    says(&env.envc(&["migrate", "check"]), &["Edited after it was applied: d1.app 0001_a.sql"]);
    for args in [&["plan"][..], &["apply"], &["migrate", "apply"]] {
        says(&env.envc(args).exits(0), &["d1.app: 0001_a.sql was edited after it was applied"]);
    }
    env.write("m/0001_a.sql", &was);
    settled(&env);
    std::fs::remove_file(env.root().join("m/0001_a.sql")).unwrap();
    says(&env.envc(&["migrate", "check"]).exits(2), &["Applied, and without a file: d1.app 0001"]);
    for args in [&["plan"][..], &["apply"], &["migrate", "apply"]] {
        says(&env.envc(args).exits(0), &["0001_a.sql is applied, and its file is missing"]);
    }
    let json = env.envc(&["migrate", "status", "--json"]).exits(0);
    let told = json.event("migrations").expect("an event");
    assert_eq!(told["missing"], json!(["0001_a.sql"]));
}

#[test]
fn a_late_file_is_told_and_runs() {
    let env = one();
    env.envc(&["apply"]).exits(0);
    env.write("m/0001_z.sql", "CREATE TABLE z (x);\n");
    let status = "0001_z.sql (comes before 0002_b.sql, which is applied)";
    says(&env.envc(&["migrate", "check"]).exits(2), &[status]);
    let late = "0001_z.sql comes before 0002_b.sql, which is applied";
    says(&env.envc(&["plan"]).exits(0), &[late]);
    says(&env.envc(&["apply"]).exits(0), &[late, "migrated d1.app  0001_z.sql"]);
    settled(&env);
}

#[test]
fn a_file_that_was_renamed_after_it_was_applied_is_refused_before_anything_runs() {
    let env = one();
    env.envc(&["apply"]).exits(0);
    let text = env.read("m/0002_b.sql").unwrap();
    std::fs::remove_file(env.root().join("m/0002_b.sql")).unwrap();
    env.write("m/0002_bees.sql", &text);
    env.write("m/0000_before.sql", "CREATE TABLE before_it (x);\n");
    let renamed = "0002_bees.sql has the content of 0002_b.sql, which is applied and has no file: \
                   rename it back";
    says(&env.envc(&["plan"]).exits(0), &["apply will refuse", renamed]);
    says(&env.envc(&["migrate", "check"]).exits(2), &[renamed]);
    says(&env.envc(&["migrate", "status"]).exits(0), &["has the content of 0002_b.sql"]);
    for args in [&["apply"][..], &["migrate", "apply", "--yes"]] {
        says(&env.envc(args).exits(1), &[renamed, "nothing was changed"]);
    }
    assert_eq!(tables(&env), ["a", "b", "d1_migrations"]);
    // A fresh runner knows no digests: the failure names what may be it.
    env.lose_states();
    std::fs::remove_file(env.root().join("m/0000_before.sql")).unwrap();
    let failed = env.envc(&["apply"]).exits(1);
    says(&failed, &["applied, and without a file: 0002_b.sql", "m/0002_bees.sql:1: d1.app"]);
    env.write("m/0002_b.sql", &text);
    std::fs::remove_file(env.root().join("m/0002_bees.sql")).unwrap();
    settled(&env);
}

#[test]
fn a_failed_migration_names_its_statement() {
    let env = one();
    env.write("m/0003_c.sql", "CREATE TABLE c (x);\n\nALTER TABLE nowhere ADD COLUMN y;\n");
    let failed = env.envc(&["apply"]).exits(1);
    says(&failed, &["m/0003_c.sql:3: d1.app", "in `ALTER TABLE nowhere ADD COLUMN y;`"]);
}

/// Tables that refer to each other in every way, with rows, views, triggers and a full-text index.
const THICKET: &str = "
CREATE TABLE parent (id INTEGER PRIMARY KEY AUTOINCREMENT, self INTEGER REFERENCES parent (id) ON DELETE RESTRICT, child INTEGER REFERENCES child (id));
CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parent (id) ON DELETE RESTRICT);
CREATE TABLE \"odd \"\"name\" (x REFERENCES parent (id) ON DELETE CASCADE);
CREATE VIEW seen AS SELECT id FROM child;
CREATE TABLE log (x);
CREATE TRIGGER gone AFTER DELETE ON child BEGIN INSERT INTO log VALUES (old.id); END;
CREATE TRIGGER seen_gone INSTEAD OF DELETE ON seen BEGIN DELETE FROM child; END;
CREATE VIRTUAL TABLE texts USING fts5(body);
INSERT INTO texts VALUES ('a b c');
INSERT INTO parent (id, self) VALUES (1, NULL), (2, 1), (3, 2);
INSERT INTO child VALUES (1, 1), (2, 3);
UPDATE parent SET child = 1;
INSERT INTO \"odd \"\"name\" VALUES (1);
";

#[test]
fn a_reset_empties_the_database_in_its_place_and_migrates_it_anew() {
    let env = one();
    env.write("m/0003_thicket.sql", THICKET);
    env.envc(&["apply"]).exits(0);
    let (id, before) = (database(&env), tables(&env));
    sql(&env, "INSERT INTO a VALUES (1); CREATE TABLE by_hand (x); DELETE FROM b;");
    let open = env.envc(&["migrate", "reset", "d1.app"]).exits(1);
    says(&open, &["all that it holds is deleted first", "--yes"]);
    assert!(tables(&env).contains(&"by_hand".to_owned()));
    let reset = env.envc(&["migrate", "reset", "d1.app", "--yes"]).exits(0);
    says(&reset, &["migrated d1.app  0001_a.sql", "d1.app of", "has all of its migrations (3)"]);
    assert_eq!(database(&env), id, "the database stays");
    assert_eq!(tables(&env), before);
    let counted = "SELECT (SELECT count(*) FROM a) AS a, (SELECT count(*) FROM b) AS b, \
                   (SELECT count(*) FROM log) AS log, (SELECT max(id) FROM parent) AS last";
    assert_eq!(sql(&env, counted), json!([{ "a": 0, "b": 1, "log": 0, "last": 3 }]));
    settled(&env);
    // Of an edited file the new content is applied, and so it is edited no more.
    env.write("m/0001_a.sql", "CREATE TABLE a (x, y);\n");
    env.envc(&["migrate", "check"]).exits(2);
    let told = env.envc(&["migrate", "reset", "d1.app", "--yes", "--json"]).exits(0);
    let event = told.event("database_reset").expect("it says so");
    assert_eq!((&event["address"], &event["migrations"]), (&json!("d1.app"), &json!(3)));
    settled(&env);
    // One that has nothing, and one without a folder of migrations.
    edit(&env, "d1 \"app\" { migrations \"m\" }", "d1 \"app\"");
    env.envc(&["migrate", "reset", "d1.app", "--yes"]).exits(0);
    assert_eq!(tables(&env), [""; 0]);
    env.envc(&["migrate", "reset", "d1.app", "--yes"]).exits(0);
}

/// A reset that is cut off at any request is completed by the next apply, or by another reset.
#[test]
fn a_reset_that_is_cut_off_is_completed() {
    for answer in ["crash-on=N:before", "crash-on=N:after", "lose-response-on=N"] {
        for number in 1..=8 {
            let env = one();
            env.envc(&["apply"]).exits(0);
            sql(&env, "CREATE TABLE by_hand (x);");
            let faults = answer.replace('N', &number.to_string());
            let cut = env.envc_with_faults(&faults, &["migrate", "reset", "d1.app", "--yes"]);
            let done = cut.code == Some(0);
            env.envc(&["apply"]).exits(0);
            settled(&env);
            let tables = tables(&env);
            assert!(tables.contains(&"a".to_owned()) && tables.contains(&"b".to_owned()), "{cut}");
            assert!(!done || !tables.contains(&"by_hand".to_owned()), "{cut}");
            env.envc(&["migrate", "reset", "d1.app", "--yes"]).exits(0);
            settled(&env);
        }
    }
}

#[test]
fn what_is_protected_or_existing_is_neither_reset_nor_replaced() {
    let env = with_files(TestEnv::of_text(TYPES));
    let body = json!({ "name": "shop-prod" });
    env.cloud().of_account(&Method::POST, "/d1/database", Some(&body));
    let reset = ["migrate", "reset", "d1.app", "production", "--yes"];
    says(&env.envc(&reset).exits(1), &["d1.app is not reset: it is `existing`"]);
    let replace = ["apply", "production", "--replace", "d1.app", "--yes"];
    says(&env.envc(&replace).exits(64), &["d1.app cannot be replaced: it is `existing`"]);
    edit(&env, "identity \"staging\"", "identity \"staging\" ; protect");
    env.envc(&["apply", "staging", "--yes"]).exits(0);
    env.envc(&["migrate", "apply", "staging", "--yes"]).exits(0);
    let reset = ["migrate", "reset", "d1.app", "staging", "--yes"];
    says(&env.envc(&reset).exits(1), &["d1.app is not reset: it is protected"]);
    let replace = ["apply", "staging", "--replace", "d1.app", "--yes"];
    let refused = env.envc(&replace).exits(1);
    says(&refused, &["d1.app", "protect"]);
    assert_eq!(env.cloud_listing().counts(), BTreeMap::from([("d1", 2)]));
}

#[test]
fn a_resource_is_replaced_where_that_is_asked_for() {
    let env = TestEnv::of_text(&format!(
        "{ONE}r2 \"files\"\nkv \"cache\"\ndotenv \".env\" {{ DB \"{{d1.app.id}}\" }}\n"
    ));
    let env = with_files(env);
    env.envc(&["apply"]).exits(0);
    let id = database(&env);
    let because = "because --replace names it";
    says(&env.envc(&["plan", "--replace", "d1.app"]).exits(0), &["replace", because, "2 migrat"]);
    let open = env.envc(&["apply", "--replace", "d1.app"]).exits(1);
    says(&open, &[because, "deletes data of d1.app"]);
    assert_eq!(database(&env), id);
    env.envc(&["apply", "--replace", "d1.app", "--yes"]).exits(0);
    let new = database(&env);
    assert_ne!(new, id);
    assert!(env.read(".env").is_some_and(|text| text.contains(&new)));
    assert_eq!(ledger(&env), ["0001_a.sql", "0002_b.sql"]);
    settled(&env);
    // Several, one of them with `--allow`.
    let both = ["apply", "--replace", "d1.app", "--replace", "r2.files", "--allow", "d1.app"];
    says(&env.envc(&both).exits(1), &["deletes data of r2.files"]);
    env.envc(&[&both[..], &["--allow", "r2.files"]].concat()).exits(0);
    assert_ne!(database(&env), new);
    settled(&env);
    // A saved plan says what was asked for.
    let id = database(&env);
    env.envc(&["plan", "--replace", "d1.app", "--out", "p.json"]).exits(0);
    env.envc(&["apply", "--plan", "p.json"]).exits(0);
    assert_ne!(database(&env), id);
    // On a fresh runner, too.
    let id = database(&env);
    env.lose_states();
    env.envc(&["apply", "--replace", "d1.app", "--yes"]).exits(0);
    assert_ne!(database(&env), id);
    settled(&env);
    let unknown = env.envc(&["apply", "--replace", "d1.ap", "--yes"]).exits(64);
    says(&unknown, &["has no d1.ap to replace", "there are: d1.app, r2.files"]);
    let never = env.envc(&["apply", "--replace", "kv.cache", "--yes"]).exits(64);
    says(&never, &["kv.cache cannot be replaced", "take it out of the spec"]);
    let unknown = env.envc(&["migrate", "reset", "kv.cache", "--yes"]).exits(64);
    says(&unknown, &["has no kv.cache to reset", "there are: d1.app"]);
}

#[test]
fn a_migration_that_cannot_be_read_is_not_taken_for_an_empty_one() {
    let env = one();
    std::os::unix::fs::symlink("../gone.sql", env.root().join("m/0003_link.sql")).unwrap();
    let says_so = "the migration m/0003_link.sql of d1.app cannot be read";
    says(&env.envc(&["apply"]).exits(1), &[says_so, "leads to nothing"]);
    says(&env.envc(&["plan"]).exits(0), &["apply will refuse", says_so]);
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn where_the_ledger_was_lost_and_the_tables_were_not_the_reset_is_named() {
    let env = one();
    env.envc(&["apply"]).exits(0);
    sql(&env, "DROP TABLE d1_migrations;");
    let ran = env.envc(&["apply"]).exits(1);
    says(&ran, &["already exists", "envc migrate reset d1.app"]);
    env.envc(&["migrate", "reset", "d1.app", "--yes"]).exits(0);
    env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}
