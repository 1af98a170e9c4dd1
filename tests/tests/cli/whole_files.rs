//! A migration and its row in the ledger are one transaction, whatever the file's last characters are; and
//! what fails is shown where it stands.

use std::fmt::Write as _;

use envc_tests::{ServedCloud, TestEnv};
use http::Method;
use serde_json::json;

use crate::common::says;

const SPEC: &str = "project \"shop\"\n\
    environment \"local\" default { identity \"dev\" }\n\
    d1 \"app\" { migrations \"m\" }\n\
    allow \"unused_resource\"\n";

fn database(env: &TestEnv) -> String {
    let listing = env.cloud_listing();
    let name = listing.names("d1").first().map(|name| (*name).to_owned()).expect("a database");
    listing.id("d1", &name).expect("it has an ID").to_owned()
}

fn count(env: &TestEnv, table: &str) -> Option<u64> {
    let path = format!("/d1/database/{}/query", database(env));
    let sql = json!({ "sql": format!("SELECT count(*) AS n FROM {table}") });
    env.cloud().of_account(&Method::POST, &path, Some(&sql)).pointer("/0/results/0/n")?.as_u64()
}

/// The last characters of a file.
const ENDS: [&str; 14] = [
    ";",
    "",
    "\n",
    " -- done",
    "; -- done;",
    "\n-- undo: DROP TABLE t;",
    ";\n/* undo",
    " /* undo; *",
    "; /*/",
    ";\0",
    "\0\0\n",
    ";\r\n\r\n",
    ";;\n;\t",
    ";\u{c}",
];

#[test]
fn a_file_is_applied_and_recorded_whatever_its_last_characters_are() {
    for (at, end) in ENDS.iter().enumerate() {
        let lead = ["", "\u{feff}", "/* a */"][at % 3];
        let env = TestEnv::of_text(SPEC);
        env.write("m/1.sql", &format!("{lead}CREATE TABLE t (x){end}"));
        env.write("m/2.sql", &format!("{lead}INSERT INTO t VALUES (1){end}"));
        env.envc(&["apply"]).exits(0);
        assert_eq!(env.cloud().ledger(&database(&env)), ["1.sql", "2.sql"], "{end:?}");
        assert_eq!(count(&env, "t"), Some(1), "{end:?}");
        env.envc(&["migrate", "check"]).exits(0);
    }
}

#[test]
fn a_file_that_something_is_open_in_is_told_by_check_and_never_sent() {
    for (text, place, what) in [
        (
            "CREATE TABLE t (x);\nINSERT INTO t VALUES ('a);\n",
            "m/1.sql:2",
            "a quote that is not closed",
        ),
        ("CREATE TABLE t (x, [y);", "m/1.sql:1", "a quote that is not closed"),
        (
            "CREATE TABLE t (x);\n\nCREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t;",
            "m/1.sql:3",
            "its `END;` is missing",
        ),
        ("CREATE TABLE t (x);\n\0\nINSERT INTO t VALUES (1);", "m/1.sql:2", "a NUL byte"),
    ] {
        let env = TestEnv::of_text(SPEC);
        env.write("m/1.sql", text);
        says(&env.envc(&["check"]).exits(0), &["risky_migration", what]);
        says(&env.envc(&["plan"]).exits(0), &[what]);
        let failed = env.envc(&["apply"]).exits(1);
        says(&failed, &[&format!("{place}: d1.app: "), what, "hint: close it"]);
        assert_eq!(env.cloud().ledger(&database(&env)), [""; 0], "{text:?}");
        assert_eq!(count(&env, "sqlite_master WHERE name = 't'"), Some(0), "{text:?}");
    }
}

#[test]
fn a_failing_statement_is_shown_where_it_stands() {
    let same = "CREATE TABLE t (x UNIQUE);\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES (1);\n";
    let many = format!("CREATE TABLE t (x UNIQUE);\n{}", "INSERT INTO t VALUES (1);\n".repeat(9));
    let nested = "CREATE TABLE t (x);\nINSERT INTO t\n  SELECT x\n  FROM u;\n";
    for (text, says_of) in [
        ("CREATE TABLE t (x);\nSELECT 1;\nSELECT y FROM t;\nSELECT 1;", "m/1.sql:3: d1.app: "),
        ("CREATE TABLE t (x);\nCREATE TABLE u (x);\nCREATE TABLE t (y);", "m/1.sql:3: d1.app: "),
        ("SELECT 1;\nSELECT FROM;\nSELECT 1 FROM;", "m/1.sql:2: d1.app: "),
        (nested, "m/1.sql:4: d1.app: "),
        ("CREATE TABLE t (x);\nALTER TABLE t ADD x;", "m/1.sql:2: d1.app: "),
        (same, "in line 2 or 3"),
        (&many, "in one of 9 lines from 2 to 10"),
    ] {
        let env = TestEnv::of_text(SPEC);
        env.write("m/1.sql", text);
        says(&env.envc(&["apply"]).exits(1), &["m/1.sql", says_of]);
        assert_eq!(env.cloud().ledger(&database(&env)), [""; 0], "{text}");
    }
}

/// They go as a file, and are as many afterwards.
#[test]
fn fourteen_megabytes_of_seeds_are_put_in_once() {
    let mut rows = String::new();
    for n in 0..180_000 {
        writeln!(rows, "INSERT INTO t VALUES ({n}, '{}');", "x".repeat(45)).expect("a text");
    }
    assert!(rows.len() > 14_000_000, "{}", rows.len());
    let mut env = TestEnv::of_text(&SPEC.replace("m\" }", "m\" ; seed \"seed.sql\" }"));
    env.write("m/1.sql", "CREATE TABLE t (n, x);");
    env.write("seed.sql", &rows);
    let cloud = ServedCloud::start(&mut env, "split-sql", &["shop.example"]);
    env.envc(&["apply", "--yes"]).exits(0);
    let id = cloud.view().listing().id("d1", "shop--app--dev").expect("a database").to_owned();
    let path = format!("/d1/database/{id}/query");
    let sql = json!({ "sql": "SELECT count(*) AS n FROM t" });
    let answer = cloud.view().of_account(&Method::POST, &path, Some(&sql));
    assert_eq!(answer.pointer("/0/results/0/n"), Some(&json!(180_000)));
}
