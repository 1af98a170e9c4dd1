//! What is put behind a file runs by itself, whatever the file's characters are: on SQLite, with texts of
//! odd pieces in any order.

use envc_core::SplitMix64;
use rusqlite::Connection;

/// What texts are made of: statements that write a row, and what hides, ends or opens something.
const PIECES: [&str; 26] = [
    "INSERT INTO t VALUES (1)",
    "INSERT INTO t VALUES ('a;b')",
    "INSERT INTO t VALUES ('it''s')",
    "INSERT INTO \"t\" VALUES (\"x\")",
    "insert into [t] values (x'00')",
    "CREATE TRIGGER IF NOT EXISTS g AFTER INSERT ON t BEGIN SELECT 1; END",
    "CREATE TABLE IF NOT EXISTS u (end, begin)",
    "SELECT CASE WHEN 1 THEN 2 END",
    ";",
    ";",
    ";",
    "\n",
    "\r\n",
    " ",
    "\t\u{c}",
    "-- a",
    "-- ;\n",
    "/* ; */",
    "/*",
    "*/",
    "/",
    "*",
    "'",
    "\"",
    "\0",
    "\u{feff}",
];

fn open() -> Connection {
    let database = Connection::open_in_memory().unwrap();
    database.execute_batch("CREATE TABLE t (x); CREATE TABLE ledger (name)").unwrap();
    database
}

/// A text of so many pieces at the most.
fn text(random: &mut SplitMix64, pieces_max: usize) -> String {
    let mut below =
        |most: usize| usize::try_from(random.next_number() % u64::try_from(most).unwrap()).unwrap();
    let count = below(pieces_max + 1);
    (0..count).map(|_| PIECES[below(PIECES.len())]).collect()
}

fn rows(database: &Connection, table: &str) -> i64 {
    database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn a_row_behind_a_file_is_written_exactly_where_the_file_ran() {
    let mut random = SplitMix64(15);
    let (mut ran, mut refused) = (0, 0);
    for _ in 0..20_000 {
        let text = text(&mut random, 8);
        // The file alone, as far as SQLite reads it.
        let alone = open();
        let alone_runs = alone.execute_batch(text.split('\0').next().unwrap_or_default()).is_ok();
        let Ok(closed) = envc_sql::closed(&text) else {
            refused += 1;
            continue;
        };
        let whole = open();
        whole.execute_batch("BEGIN").unwrap();
        let done =
            whole.execute_batch(&format!("{closed}\nINSERT INTO ledger VALUES ('f');")).is_ok();
        if !done {
            whole.execute_batch("ROLLBACK").unwrap();
        }
        assert_eq!(rows(&whole, "ledger"), i64::from(done), "{text:?}");
        // Nothing is lost that would run, and nothing runs that would not: but a comment that begins with
        // the last two characters, which SQLite takes for an operator.
        let begins = text.split('\0').next().is_some_and(|it| it.trim_ascii_end().ends_with("/*"));
        assert!(done == alone_runs || begins, "{text:?}");
        if done && alone_runs {
            ran += 1;
            assert_eq!(rows(&whole, "t"), rows(&alone, "t"), "{text:?}");
        }
    }
    assert!(ran > 2_000 && refused > 2_000, "{ran} ran, {refused} were refused");
}

#[test]
fn what_is_refused_would_lose_the_row_or_a_statement() {
    let mut random = SplitMix64(16);
    for _ in 0..20_000 {
        let text = text(&mut random, 6);
        if envc_sql::closed(&text).is_ok() {
            continue;
        }
        let (reads, behind) = text.split_once('\0').unwrap_or((&text, ""));
        let left_out = envc_sql::has_statement(&behind.replace('\0', " "));
        let alone = open().execute_batch(reads).is_ok();
        assert!(left_out || !alone, "{text:?} runs as it is");
    }
}
