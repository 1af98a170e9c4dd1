//! A migration of many statements on the local cloud, beside what SQLite takes for it alone.

use std::{fmt::Write as _, time::Instant};

use envc_tests::TestEnv;
use rusqlite::{Batch, Connection, fallible_iterator::FallibleIterator as _};
use tempfile::TempDir;

use crate::{
    Result,
    stats::Sample,
    table::{Row, Table},
    watch::{self, millis},
};

/// How often each is measured.
const RUNS: usize = 5;
/// The statements; 70 bytes each.
const STATEMENTS: u32 = 40_000;
/// So many times SQLite's own time they may take, the client's part included.
const RATIO_MAX: f64 = 2.0;

const SPEC: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    d1 \"app\" { allow \"unused_resource\" ; migrations \"migrations\" }\n";
const TABLE: &str = "CREATE TABLE t (n INTEGER, x TEXT);\n";

pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let text = statements();
    let (mut alone, mut few, mut many) = <(Sample, Sample, Sample)>::default();
    for _ in 0..RUNS {
        alone.add(sqlite_ms(&text).map_err(|error| error.to_string())?);
        few.add(apply_ms("INSERT INTO t VALUES (1, 'x');\n")?);
        many.add(apply_ms(&text)?);
    }
    let what = format!("a migration of {STATEMENTS} statements");
    let more = many.min() - few.min();
    table.add(Row::new(&what, "time beside one statement", more, "ms").note(format!(
        "apply {:.0} ms, with one statement {:.0} ms; SQLite alone {:.0} ms",
        many.min(),
        few.min(),
        alone.min()
    )));
    table.add(Row::new(&what, "times SQLite alone", more / alone.min(), "").limit(RATIO_MAX));
    Ok(())
}

fn statements() -> String {
    let mut text = String::new();
    for number in 0..STATEMENTS {
        // A string takes everything.
        let _written = writeln!(text, "INSERT INTO t VALUES ({number}, '{number:036}');");
    }
    text
}

/// As the local cloud keeps a database, in one transaction. Ended with NUL, so that SQLite need not
/// copy the text.
fn sqlite_ms(text: &str) -> rusqlite::Result<f64> {
    let folder =
        TempDir::new().map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let db = Connection::open(folder.path().join("alone.sqlite"))?;
    db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
    db.execute_batch(TABLE)?;
    let text = format!("{text}\0");
    let begun = Instant::now();
    db.execute_batch("BEGIN IMMEDIATE")?;
    let mut split = Batch::new(&db, &text);
    while let Some(mut statement) = split.next()? {
        statement.raw_execute()?;
    }
    db.execute_batch("COMMIT")?;
    Ok(millis(begun.elapsed()))
}

/// An apply that has nothing to do but this migration, start and end of the process included.
fn apply_ms(text: &str) -> Result<f64> {
    let env = TestEnv::of_text(SPEC);
    env.write("migrations/0001_table.sql", TABLE);
    let _made = watch::run(&mut env.command(&["apply"]))?;
    env.write("migrations/0002_rows.sql", text);
    Ok(watch::run(&mut env.command(&["apply", "--json"]))?.ms)
}
