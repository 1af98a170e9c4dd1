use super::*;

/// Statements of the long text, and bytes of each: with them, copying the rest of the text for each
/// statement would take many times as long as running all of them.
const STATEMENTS: usize = 4_000;
const STATEMENT_BYTES: usize = 4_000;
/// So many times SQLite's own time a text may take, in a build that is not optimised; a copy for
/// each statement takes more than fifty.
const RATIO_MAX: f64 = 8.0;
const TRIES: usize = 3;

/// A database as the store makes it.
fn database() -> Connection {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(
        "CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
         INSERT INTO _cf_KV VALUES ('bookmark', 0); CREATE TABLE t (x)",
    )
    .unwrap();
    db
}

fn rows(db: &Connection) -> i64 {
    db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

fn least(mut measured: impl FnMut() -> Duration) -> f64 {
    (0..TRIES).map(|_| measured().as_secs_f64()).fold(f64::INFINITY, f64::min)
}

#[test]
fn a_text_of_thousands_of_statements_takes_what_sqlite_takes() {
    let text = format!("INSERT INTO t VALUES ('{}');\n", "x".repeat(STATEMENT_BYTES));
    let text = text.repeat(STATEMENTS);
    let alone = least(|| {
        let db = database();
        let ended = format!("{text}\0");
        let begun = Instant::now();
        db.execute_batch("BEGIN").unwrap();
        let mut split = Batch::new(&db, &ended);
        while let Some(mut statement) = split.next().unwrap() {
            statement.raw_execute().unwrap();
        }
        db.execute_batch("COMMIT").unwrap();
        begun.elapsed()
    });
    let here = least(|| {
        let mut db = database();
        let batch = [Sql::new(&text, Vec::new())];
        let begun = Instant::now();
        run(&mut db, &batch, Shape::Rows, &Gone::default()).unwrap().unwrap();
        let took = begun.elapsed();
        assert_eq!(rows(&db), i64::try_from(STATEMENTS).unwrap());
        took
    });
    assert!(here <= alone * RATIO_MAX, "{here:.3} s where SQLite alone takes {alone:.3} s");
}

#[test]
fn a_text_is_split_as_sqlite_splits_it_to_its_last_byte() {
    for (text, count) in [
        ("SELECT 1", 1),
        ("SELECT 1;", 1),
        ("SELECT 1; ", 1),
        ("SELECT 1;;\n;SELECT 2 -- ;", 2),
        ("SELECT ';' /* ; */; SELECT 2;\n-- the end", 2),
        // What stands behind a NUL is never read, by D1's SQLite either.
        ("SELECT 1;\0SELECT 2", 1),
    ] {
        let batch = [Sql::new(text, Vec::new())];
        let ran = run(&mut database(), &batch, Shape::Rows, &Gone::default()).unwrap().unwrap();
        let ran: Vec<Value> = serde_json::from_str(&ran.to_json()).unwrap();
        assert_eq!(ran.len(), count, "{text:?}");
        assert_eq!(ran[0]["meta"]["served_by"], "local");
    }
}

#[test]
fn nothing_is_done_for_a_client_that_is_gone() {
    let gone = Gone::default();
    drop(gone.when_dropped());
    let mut db = database();
    let batch = [Sql::new("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);", Vec::new())];
    run(&mut db, &batch, Shape::Rows, &gone).unwrap().unwrap_err();
    assert_eq!(rows(&db), 0);
    // The connection is as good as before.
    run(&mut db, &batch, Shape::Rows, &Gone::default()).unwrap().unwrap();
    assert_eq!(rows(&db), 2);
}

#[test]
fn nobody_waits_for_a_lock_for_a_client_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d1.sqlite");
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("CREATE TABLE t (x); BEGIN IMMEDIATE").unwrap();
    let mut db = Connection::open(&path).unwrap();
    let gone = Gone::default();
    drop(gone.when_dropped());
    let batch = [Sql::new("INSERT INTO t VALUES (1);", Vec::new())];
    let begun = Instant::now();
    run(&mut db, &batch, Shape::Rows, &gone).unwrap().unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(BUSY_MS / 2), "{:?}", begun.elapsed());
}
