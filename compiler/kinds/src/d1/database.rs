//! SQL on D1: queries, imports of files, the ledger of migrations, and what errors mean.

use std::fmt::Write as _;

use envc_core::{limits, object_id};
use envc_sql::{STATEMENT_BYTES_MAX, Statement};
use serde_json::{Value as Json, json};

use crate::{
    ApiFailure, ApiMessage, Call, Database, Import, Imported, LedgerTable, LocalCopy, Place,
    SeedMark, SqlMistake, TimeTravel, api,
};

/// What is on D1's side of a migration.
pub(super) static DATABASE: Database = Database {
    query,
    import: &IMPORT,
    ledger: &LEDGER,
    whole,
    time_travel: &TIME_TRAVEL,
    objects: OBJECTS,
    wipe,
    mistake,
    seed: &SEED,
    local: &LOCAL,
};

/// The words of a database that was moved, started anew or asked too much: it is worth another try, after a
/// look at what became of the first.
///
/// Source: Cloudflare's documentation, "Debug D1", checked November 2026.
const AGAIN: [&str; 8] = [
    "D1 DB reset because its code was updated",
    "while starting up D1 DB storage caused object to be reset",
    "in D1 DB storage caused object to be reset",
    "D1 DB storage operation exceeded timeout which caused object to be reset",
    "Network connection lost",
    "Cannot resolve D1 DB due to transient issue on remote node",
    "Requests queued for too long",
    "Too many requests queued",
];

/// Queries are cut into statements without SQLite's own parser: bodies of triggers were seen to be cut in
/// some spellings, and long texts without any. A file is not cut.
///
/// Source: cloudflare/workers-sdk#10998 and #14991, wrangler's `d1 execute --file`, checked November 2026.
static IMPORT: Import = Import {
    is_needed: |text| {
        text.len() > limits::SQL_QUERY_BYTES_MAX
            || envc_sql::statements(text).any(|statement| statement.makes_trigger)
    },
    is_cut: |answer| answer.contains(CUT),
    comment: |chance| format!("-- envc {chance}"),
    begin: |place, id, etag| import(place, id, json!({ "action": "init", "etag": etag })),
    run: |place, id, etag, name| {
        import(place, id, json!({ "action": "ingest", "etag": etag, "filename": name }))
    },
    poll: |place, id, bookmark| {
        import(place, id, json!({ "action": "poll", "current_bookmark": bookmark }))
    },
    read: imported,
};

/// What the API says of a statement that has no end.
const CUT: &str = "incomplete input";

fn import(place: &Place, database_id: &str, body: Json) -> Call {
    Call::post(&["accounts", &place.account, "d1", "database", database_id, "import"], body)
}

/// The answer of a file that is known already has no address, but tells how far it is.
fn imported(result: &Json) -> Imported {
    let text = |field: &str| api::text(result, field);
    let status = text("status");
    let failed = status.as_deref() == Some("error")
        || result.get("success").and_then(Json::as_bool) == Some(false);
    if let Some(message) = text("error").or_else(|| failed.then(|| "no reason given".to_owned())) {
        // The code of every mistake and trouble of a query.
        return Imported::Failed(ApiMessage { code: 7500, message });
    }
    match (status.as_deref(), text("upload_url"), text("filename"), text("at_bookmark")) {
        (Some("complete"), ..) => Imported::Done,
        (None, Some(url), Some(name), _) => Imported::Put { url, name },
        (Some(_), _, _, Some(bookmark)) => Imported::Running { bookmark },
        _ => Imported::Untold,
    }
}

/// Source: miniflare of wrangler 4.164, its plugin for D1; `getDefaultPersistRoot` gives `v3`.
static LOCAL: LocalCopy = LocalCopy {
    folder: "v3/d1/miniflare-D1DatabaseObject",
    file: |id| object_id("miniflare-D1DatabaseObject", id),
    endings: &[".sqlite", ".sqlite-shm", ".sqlite-wal"],
    migrate: &["d1", "migrations", "apply"],
    execute: &["d1", "execute"],
};

static SEED: SeedMark = SeedMark {
    table: "CREATE TABLE IF NOT EXISTS \"envc_seed\"(\n\
        \tstate TEXT PRIMARY KEY,\n\
        \tat TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL\n);",
    due: "INSERT OR IGNORE INTO \"envc_seed\" (state) VALUES ('due');",
    done: "INSERT INTO \"envc_seed\" (state) VALUES ('done');",
    refusal: "envc_seed.state",
    look: |ledger| {
        format!(
            "SELECT (SELECT group_concat(state) FROM \"envc_seed\") AS marks, \
             (SELECT count(*) FROM sqlite_master WHERE type = 'table' \
             AND name NOT IN ({}, 'envc_seed') \
             AND name NOT GLOB '_cf_*' AND name NOT GLOB 'sqlite_*') AS tables;",
            text(ledger)
        )
    },
};

/// Source: wrangler's `d1 migrations apply`, version 4.
static LEDGER: LedgerTable = LedgerTable {
    name: "d1_migrations",
    make: |table| {
        format!(
            "CREATE TABLE IF NOT EXISTS {}(\n\
             \tid INTEGER PRIMARY KEY AUTOINCREMENT,\n\
             \tname TEXT UNIQUE,\n\
             \tapplied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL\n);",
            name(table)
        )
    },
    read: |table| format!("SELECT name FROM {} ORDER BY id;", name(table)),
    row: |table, file| format!("INSERT INTO {} (name) VALUES ({});", name(table), text(file)),
};

/// Source: Cloudflare's OpenAPI document and its D1 documentation, "Time Travel", checked November 2026.
static TIME_TRAVEL: TimeTravel = TimeTravel {
    bookmark: |place, id, at| {
        let call = Call::get(&[
            "accounts",
            &place.account,
            "d1",
            "database",
            id,
            "time_travel",
            "bookmark",
        ]);
        at.iter().fold(call, |call, at| call.query("timestamp", *at))
    },
    restore: |place, id, bookmark| {
        let path = ["accounts", &place.account, "d1", "database", id, "time_travel", "restore"];
        Call::new(http::Method::POST, &path).query("bookmark", bookmark)
    },
    read: |result| api::text(result, "bookmark"),
};

/// A name in SQL.
fn name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in SQL.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A statement that the file leaves open would swallow the row, and a comment would hide it.
fn whole(before: &str, file: &str, behind: &str) -> Result<String, SqlMistake> {
    let file = envc_sql::closed(file).map_err(|unclosed| SqlMistake {
        lines: vec![unclosed.line],
        what: Some(unclosed.to_string()),
    })?;
    Ok(format!("{before}\n{file}\n{behind}"))
}

/// SQLite's own tables and the platform's cannot be dropped; what they hold of a table goes with it.
const OBJECTS: &str = "SELECT type, name, sql FROM sqlite_master \
    WHERE type IN ('trigger', 'view', 'table') \
    AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' \
    ORDER BY name;";

fn query(place: &Place, database_id: &str, sql: &str) -> Call {
    let path = ["accounts", &place.account, "d1", "database", database_id, "query"];
    // Figures of each statement, which nobody reads.
    Call { skips: Some("meta"), ..Call::post(&path, json!({ "sql": sql })) }
}

/// Triggers first, that none runs; then views, which may stand on anything; then virtual tables,
/// which take their shadow tables with them. With deferred foreign keys the order of the others
/// does not matter.
fn wipe(objects: &Json) -> Option<(usize, String)> {
    let rows = objects.as_array()?.last()?.get("results")?.as_array()?;
    let mut drops: Vec<(usize, &str, &str)> = rows
        .iter()
        .filter_map(|row| {
            let text = |column| row.get(column).and_then(Json::as_str);
            let sql = text("sql").unwrap_or_default().to_ascii_uppercase();
            let (rank, word) = match text("type")? {
                "trigger" => (0, "TRIGGER"),
                "view" => (1, "VIEW"),
                _ if sql.starts_with("CREATE VIRTUAL") => (2, "TABLE"),
                _ => (3, "TABLE"),
            };
            Some((rank, word, text("name")?))
        })
        .collect();
    drops.sort_unstable();
    let mut sql = String::from("PRAGMA defer_foreign_keys = on;");
    for (_, word, object) in &drops {
        // Writing to a String cannot fail.
        let _ = write!(sql, "\nDROP {word} IF EXISTS {};", name(object));
    }
    (!drops.is_empty()).then_some((drops.len(), sql))
}

/// D1 says that a statement is too long, and not which; what it says of transactions is for Workers; of a
/// statement without an end it does not say where that is; and of none it says which one it is.
fn mistake(text: &str, answer: &str) -> SqlMistake {
    if answer.contains("BEGIN TRANSACTION or SAVEPOINT") {
        let what = "D1 runs a file as one transaction and takes none in it: remove the lines with \
                    BEGIN, COMMIT, SAVEPOINT and RELEASE";
        let is_one = |it: &Statement| text.get(it.bytes.clone()).is_some_and(is_of_transactions);
        let first = envc_sql::statements(text).find(is_one).map(|statement| statement.line);
        return SqlMistake { lines: first.into_iter().collect(), what: Some(what.to_owned()) };
    }
    if answer.contains(CUT) {
        let what = "the last statement of the file has no end: a quote, a bracket, a comment or the body \
                    of a trigger (`END;`) is not closed";
        let last = envc_sql::statements(text).last().map(|statement| statement.line);
        return SqlMistake { lines: last.into_iter().collect(), what: Some(what.to_owned()) };
    }
    if answer.contains("statement too long") {
        return too_long(text);
    }
    SqlMistake { lines: envc_sql::locate(text, answer), what: None }
}

/// The longest statement, where it is too long.
fn too_long(text: &str) -> SqlMistake {
    let longest = envc_sql::statements(text).max_by_key(|statement| statement.bytes.len());
    let longest = longest.filter(|it| it.bytes.len() > STATEMENT_BYTES_MAX);
    longest.map_or_else(SqlMistake::default, |statement| SqlMistake {
        lines: vec![statement.line],
        what: Some(format!(
            "this statement has {} bytes, and D1 takes {STATEMENT_BYTES_MAX}: split it, an INSERT of \
             many rows into several",
            statement.bytes.len()
        )),
    })
}

/// True for one that begins or ends a transaction.
fn is_of_transactions(statement: &str) -> bool {
    let first = statement.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
    ["BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK", "END"]
        .iter()
        .any(|word| first.eq_ignore_ascii_case(word))
}

/// True where a database is in trouble and nothing is wrong with the SQL.
pub(super) fn is_in_trouble(failure: &ApiFailure) -> bool {
    AGAIN.iter().any(|words| failure.says(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_imported_where_a_query_may_be_cut() {
        let needed = IMPORT.is_needed;
        assert!(!needed("CREATE TABLE a (x);\nINSERT INTO a VALUES (1);"));
        assert!(needed(
            "CREATE TABLE a (x); create trigger t after insert on a begin select 1; end;"
        ));
        assert!(needed(&"INSERT INTO a VALUES (1);\n".repeat(1_000)));
    }

    #[test]
    fn a_file_and_its_row_are_one_text() {
        let row = (LEDGER.row)(LEDGER.name, "0001_it's.sql");
        assert_eq!(
            whole("", "SELECT 1 -- done\n", &row).unwrap(),
            "\nSELECT 1 -- done\n;\nINSERT INTO \"d1_migrations\" (name) VALUES ('0001_it''s.sql');"
        );
        assert!(whole("L", "SELECT 1;\n\n", "INSERT").unwrap().starts_with("L\nSELECT 1;\nINSERT"));
        assert!(whole("", "", "INSERT").unwrap().starts_with("\n\nINSERT"));
        assert_eq!(whole("", "SELECT '", "INSERT").unwrap_err().lines, [1]);
        assert!((LEDGER.read)("a\"b").contains("FROM \"a\"\"b\" "));
    }

    #[test]
    fn every_answer_of_an_import_is_read() {
        let put = Imported::Put { url: "https://x/y?z".into(), name: "f.sql".into() };
        let running = Imported::Running { bookmark: "b".into() };
        let failed =
            |message: &str| Imported::Failed(ApiMessage { code: 7500, message: message.into() });
        for (result, read) in [
            (json!({ "success": true, "filename": "f.sql", "upload_url": "https://x/y?z" }), put),
            (json!({ "success": true, "status": "active", "at_bookmark": "b" }), running),
            (json!({ "success": true, "status": "complete", "result": {} }), Imported::Done),
            (json!({ "status": "error", "error": "near \"x\"" }), failed("near \"x\"")),
            (json!({ "success": false, "at_bookmark": "b" }), failed("no reason given")),
            (json!({ "success": true, "status": "active" }), Imported::Untold),
            (json!({ "upload_url": "https://x/y" }), Imported::Untold),
            (json!(null), Imported::Untold),
        ] {
            assert_eq!(imported(&result), read, "{result}");
        }
    }

    #[test]
    fn a_database_in_trouble_is_no_mistake_in_sql() {
        for (text, trouble) in [
            ("D1 DB reset because its code was updated.", true),
            ("D1 DB is overloaded. Too many requests queued.", true),
            ("Cannot resolve D1 DB due to transient issue on remote node.", true),
            ("no such table: t: SQLITE_ERROR", false),
            ("D1 DB exceeded its CPU time limit and was reset.", false),
        ] {
            let errors = vec![ApiMessage { code: 7500, message: text.into() }];
            let failure = ApiFailure { status: 400, errors, ..ApiFailure::default() };
            assert_eq!(is_in_trouble(&failure), trouble, "{text}");
        }
    }

    #[test]
    fn what_no_line_of_the_file_says_is_explained() {
        let of = |text: &str, answer: &str| {
            let SqlMistake { lines, what } = mistake(text, answer);
            (lines, what.unwrap_or_default())
        };
        let (lines, what) = of("SELECT 1;\nSELECT 'a", "incomplete input: SQLITE_ERROR");
        assert!(lines == [2] && what.contains("not closed"), "{what}");
        let answer = "please use the state.storage.transaction() APIs instead of the SQL BEGIN \
                      TRANSACTION or SAVEPOINT statements";
        let (lines, what) = of("-- dump\nCREATE TABLE a (x);\nbegin;\nCOMMIT;", answer);
        assert!(lines == [3] && what.contains("remove the lines"), "{what}");
        let (lines, what) = of("SELECT 1;\nSELEC 2;", "near \"SELEC\": syntax error at offset 1");
        assert!(lines == [2] && what.is_empty(), "{lines:?} {what}");
    }

    #[test]
    fn the_local_file_is_the_one_that_wrangler_makes() {
        // Seen with wrangler 4.164.
        let id = "11111111-2222-4333-8444-555555555555";
        let file = "b5eda56a38763a98a69bc728a6399e62c5e53ff443806d5b2a991719e628f0ba";
        assert_eq!((LOCAL.file)(id), file);
    }

    #[test]
    fn a_statement_that_is_too_long_is_told_by_its_line() {
        let long = format!("INSERT INTO t VALUES ('{}');", "x;\n".repeat(40_000));
        let text = format!("CREATE TABLE t (x);\n\n-- rows\n{long}\nSELECT 1;\n");
        let found = mistake(&text, "HTTP 400: statement too long: SQLITE_TOOBIG (code 7500)");
        assert_eq!(found.lines, [4]);
        let what = found.what.unwrap();
        assert!(what.contains("has 120026 bytes"), "{what}");
        // None of them is: what the API means is something else.
        let none = mistake("SELECT 1;", "statement too long: SQLITE_TOOBIG");
        assert_eq!(none, SqlMistake::default());
    }
}
