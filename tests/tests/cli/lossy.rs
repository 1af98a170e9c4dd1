//! Migrations that lose rows are read before they run.

use envc_tests::TestEnv;
use http::Method;
use serde_json::json;

use crate::common::{check, says};

const SPEC: &str = "project \"shop\"\n\
    environment \"local\" default { identity \"dev\" }\n\
    d1 \"app\" { migrations \"m\" }\n\
    allow \"unused_resource\" \"unprotected_production\"\n";

/// Users with notes, which refer to them.
const TABLES: &str = "CREATE TABLE users (id INTEGER PRIMARY KEY);\n\
    CREATE TABLE notes (user REFERENCES users(id) ON DELETE CASCADE, text TEXT);\n";
const ROWS: &str = "INSERT INTO users VALUES (1); INSERT INTO notes VALUES (1, 'x');\n";

/// What an ORM writes to rebuild a table.
const REBUILD: &str = "PRAGMA foreign_keys=OFF;\n\
    CREATE TABLE __new_users (id INTEGER PRIMARY KEY);\n\
    INSERT INTO __new_users SELECT id FROM users;\n\
    DROP TABLE users;\n\
    ALTER TABLE __new_users RENAME TO users;\n\
    PRAGMA foreign_keys=ON;\n";

fn query(env: &TestEnv, sql: &str) -> String {
    let listing = env.cloud_listing();
    let name = listing.names("d1").first().map(|name| (*name).to_owned()).expect("a database");
    let id = listing.id("d1", &name).expect("it has an ID");
    let path = format!("/d1/database/{id}/query");
    let answer = env.cloud().of_account(&Method::POST, &path, Some(&json!({ "sql": sql })));
    answer.pointer("/0/results").map(ToString::to_string).unwrap_or_default()
}

fn notes(env: &TestEnv) -> String {
    query(env, "SELECT count(*) AS n FROM notes")
}

const ONE: &str = r#"[{"n":1}]"#;
const NONE: &str = r#"[{"n":0}]"#;

/// An environment whose tables have rows.
fn with_rows(spec: &str) -> TestEnv {
    let env = TestEnv::of_text(spec);
    env.write("m/1.sql", TABLES);
    env.envc(&["apply", "--yes"]).exits(0);
    if spec.contains("manual") {
        env.envc(&["migrate", "apply", "--yes"]).exits(0);
    }
    query(&env, ROWS);
    env
}

#[test]
fn a_rebuild_that_would_empty_another_table_is_told_and_asked_for() {
    let env = with_rows(SPEC);
    env.write("m/2.sql", REBUILD);
    check("lossy_check", &env, &env.envc(&["check"]).exits(0));
    check("lossy_plan", &env, &env.envc(&["plan"]).exits(0));
    says(
        &env.envc(&["migrate", "status"]).exits(0),
        &["line 4: DROP TABLE deletes rows of `users`"],
    );
    // Nobody can be asked here.
    let refused = env.envc(&["apply"]).exits(1);
    says(&refused, &["line 4: DROP TABLE deletes rows of `users`", "`notes`", "--yes"]);
    let refused = env.envc(&["migrate", "apply"]).exits(1);
    says(&refused, &["line 4: DROP TABLE deletes rows of `users`"]);
    assert_eq!(notes(&env), ONE);
    says(
        &env.envc(&["apply", "--allow-loss", "d1.app:2.sql"]).exits(0),
        &["migrated d1.app  2.sql"],
    );
    assert_eq!(notes(&env), NONE);
}

/// Rewritten as it is told to, it loses nothing and nobody is asked.
#[test]
fn what_is_told_to_be_written_instead_loses_nothing() {
    let env = with_rows(SPEC);
    env.write(
        "m/2.sql",
        "CREATE TABLE new_users (id INTEGER PRIMARY KEY); INSERT INTO new_users SELECT * FROM users;\n\
         CREATE TABLE new_notes (user REFERENCES new_users(id) ON DELETE CASCADE, text TEXT);\n\
         INSERT INTO new_notes SELECT * FROM notes; DROP TABLE notes; DROP TABLE users;\n\
         ALTER TABLE new_users RENAME TO users; ALTER TABLE new_notes RENAME TO notes;\n",
    );
    let checked = env.envc(&["check"]).exits(0);
    assert!(!checked.to_string().contains("risky"), "{checked}");
    env.envc(&["apply"]).exits(0);
    assert_eq!(notes(&env), ONE);
}

#[test]
fn a_protected_type_loses_exactly_the_rows_that_were_named() {
    let protected =
        SPEC.replace("{ identity \"dev\" }", "{ identity \"dev\" ; protect ; migrate manual }");
    let automatic = protected.replace(" ; migrate manual", "");
    for (spec, apply) in [(&protected, &["migrate", "apply"][..]), (&automatic, &["apply"])] {
        for (sql, told) in [
            (REBUILD, "2.sql:4: DROP TABLE deletes rows of `users`"),
            ("DROP TABLE notes;", "2.sql:1: the table `notes` goes"),
            ("-- all\nDELETE FROM notes;", "2.sql:2: all rows of `notes` are deleted"),
        ] {
            let env = with_rows(spec);
            env.write("m/2.sql", sql);
            env.write("m/3.sql", "CREATE TABLE more (x);");
            let args = |more: &[&'static str]| [apply, &["--yes"], more].concat();
            let refused = env.envc(&args(&[])).exits(1);
            let command = format!("envc {} local --allow-loss d1.app:2.sql", apply.join(" "));
            says(&refused, &[told, "protected", &command]);
            for needless in ["d1.app:3.sql", "d1.app:1.sql", "d1.other:2.sql"] {
                let refused = env.envc(&args(&["--allow-loss", needless])).exits(64);
                says(&refused, &["has nothing to allow", "d1.app:2.sql"]);
            }
            assert_eq!(notes(&env), ONE);
            env.envc(&args(&["--allow-loss", "d1.app:2.sql"])).exits(0);
            env.envc(&["migrate", "check"]).exits(0);
        }
    }
}

#[test]
fn a_saved_plan_loses_what_it_was_made_to_lose() {
    let env = with_rows(&SPEC.replace("{ identity \"dev\" }", "{ identity \"dev\" ; protect }"));
    env.write("m/2.sql", "DROP TABLE notes;");
    let plan = env.envc(&["plan"]).exits(0);
    says(&plan, &["apply will refuse", "--allow-loss d1.app:2.sql"]);
    env.envc(&["plan", "--allow-loss", "d1.app:2.sql", "--out", "p.json"]).exits(0);
    env.envc(&["apply", "--plan", "p.json", "--yes"]).exits(0);
    assert_eq!(query(&env, "SELECT name FROM sqlite_schema WHERE name = 'notes'"), "[]");
}

/// A fresh database has no rows to lose, but what the files themselves put there.
#[test]
fn a_fresh_environment_is_asked_nothing_and_told_what_its_own_rows_lose() {
    let env = TestEnv::of_text(SPEC);
    env.write(
        "m/1.sql",
        &format!("{TABLES}DROP TABLE IF EXISTS old; CREATE TABLE s (x); DROP TABLE s;\n"),
    );
    let applied = env.envc(&["apply"]).exits(0);
    assert!(!applied.to_string().contains("line "), "{applied}");
    let env = TestEnv::of_text(SPEC);
    env.write("m/1.sql", &format!("{TABLES}{ROWS}"));
    env.write("m/2.sql", REBUILD);
    says(&env.envc(&["apply"]).exits(0), &["line 4: DROP TABLE deletes rows of `users`"]);
}

/// What SQLite or D1 refuses is told with its line before anything runs.
#[test]
fn what_will_be_refused_is_told_before_it_runs() {
    for (sql, told) in [
        ("ALTER TABLE notes ADD COLUMN at NOT NULL;", "line 1: `at` is NOT NULL without a default"),
        ("\nBEGIN TRANSACTION; CREATE TABLE x (y); COMMIT;", "line 2: D1 refuses BEGIN"),
        ("CREATE TABEL x (y);", "line 1: this statement cannot be read"),
        ("SELECT 'open;", "line 1: this statement has a quote that is not closed"),
    ] {
        let env = with_rows(SPEC);
        env.write("m/2.sql", sql);
        says(&env.envc(&["plan"]).exits(0), &[told]);
        says(&env.envc(&["apply", "--yes"]).exits(1), &[told]);
        assert_eq!(notes(&env), ONE);
    }
}

/// README's transcript is what is printed.
#[test]
fn the_readme_shows_what_is_refused() {
    let spec = "project \"shop\"\n\
        environment \"production\" default { identity \"production\" ; protect ; migrate manual }\n\
        d1 \"app\" { migrations \"migrations\" }\nallow \"unused_resource\"\n";
    let env = TestEnv::of_text(spec);
    env.write("migrations/0001_tables.sql", TABLES);
    env.envc(&["apply", "production", "--cloud", "local", "--yes"]).exits(0);
    env.envc(&["migrate", "apply", "production", "--yes"]).exits(0);
    env.write("migrations/0002_users.sql", REBUILD);
    let refused = env.envc(&["migrate", "apply", "production", "--yes"]).exits(1);
    let readme = include_str!("../../../README.md");
    let (_, shown) = readme.split_once("<!-- transcript of a lossy migration -->").unwrap();
    let shown = shown.split("```").nth(1).unwrap();
    let lines: Vec<&str> =
        shown.lines().skip(1).map(|it| it.strip_prefix("  ").unwrap_or(it)).collect();
    assert_eq!(lines[0], "$ envc migrate apply production --yes");
    // The first line of the command is its heading.
    let printed: Vec<&str> = refused.stderr.lines().skip(1).collect();
    assert_eq!(lines[1..].join("\n").trim_end(), printed.join("\n"));
}
