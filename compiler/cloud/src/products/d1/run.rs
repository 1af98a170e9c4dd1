//! Running statements on a database file, in one transaction.
//!
//! SQLite itself splits a text into statements: each is prepared where the one before ended, when
//! that one has run, so that a statement sees what earlier ones created. `rows_read` and
//! `rows_written` are estimates from SQLite's own counters.
//!
//! Invariants:
//! - A text of twice as many statements takes twice as long.
//! - An answer is bounded while its rows are read (`rows.rs`).
//! - A client that gave up gets nothing done: its text stops, and is rolled back.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::types::{ToSqlOutput, Value as Cell, ValueRef};
use rusqlite::{Batch, Connection, ErrorCode, Statement, StatementStatus};
use serde_json::{Value, json};

use super::limits::{self, Watch};
use super::malformed;
use super::rows::{self, Budget, Exceeded, OUT_OF_MEMORY, Shape, Unread};
use crate::envelope::Problem;
use crate::request::Gone;
use crate::store::BUSY_MS;

/// One text of SQL with its parameters.
#[derive(Debug)]
pub(super) struct Sql {
    /// Ends with NUL. Without it SQLite would copy the whole rest of the text for each statement,
    /// and a text of ten times as many would take a hundred times as long.
    text: String,
    params: Vec<Value>,
}

impl Sql {
    /// A text and what its parameters are.
    pub(super) fn new(text: &str, params: Vec<Value>) -> Self {
        let mut ended = String::with_capacity(text.len() + 1);
        ended.push_str(text);
        ended.push('\0');
        Self { text: ended, params }
    }
}

/// While the file is locked, the client is looked at this often.
const LOCK_LOOK: Duration = Duration::from_millis(100);
/// D1's words for a call that was stopped.
const TIMED_OUT: &str = "D1 DB storage operation exceeded timeout which caused object to be reset.";
/// workerd's refusal of explicit transactions.
const TRANSACTION_REFUSED: &str = "To execute a transaction, please use the \
    state.storage.transaction() or state.storage.transactionSync() APIs instead of the SQL BEGIN \
    TRANSACTION or SAVEPOINT statements. The JavaScript API is safer because it will automatically \
    roll back on exceptions, and because it interacts correctly with Durable Objects' automatic \
    atomic write coalescing.";

/// What ran.
#[derive(Debug)]
pub(super) struct Done {
    /// What each statement answered; of [`Shape::Sum`] one element for all.
    elements: Vec<Element>,
    /// How many statements ran.
    count: usize,
    /// Bytes of the file.
    size: i64,
    /// The number of the change, where it was one.
    pub(super) number: Option<i64>,
}

impl Done {
    /// JSON text, one element a statement.
    pub(super) fn to_json(&self) -> String {
        let mut text = String::with_capacity(self.elements.len() * ELEMENT_BYTES);
        for element in &self.elements {
            text.push(if text.is_empty() { '[' } else { ',' });
            element.write_to(&mut text, self.size);
        }
        text.push(']');
        text
    }

    /// How many statements there were, and the sum of what they did.
    pub(super) fn sum(&self) -> (usize, Value) {
        let all = &self.elements;
        let took: Duration = all.iter().map(|it| it.took).sum();
        let ms = took.as_secs_f64() * 1000.0;
        let meta = json!({
            "served_by": "local", "served_by_region": "WEUR", "served_by_colo": "LOC",
            "served_by_primary": true, "timings": {"sql_duration_ms": ms}, "duration": ms,
            "changes": all.iter().map(|it| it.changes).sum::<u64>(),
            "last_row_id": all.last().map_or(0, |it| it.last_row_id),
            "changed_db": self.number.is_some(), "size_after": self.size,
            "rows_read": all.iter().map(|it| it.rows_read).sum::<i64>(),
            "rows_written": all.iter().map(|it| it.rows_written).sum::<u64>(),
        });
        (self.count, meta)
    }
}

/// Runs everything or nothing.
///
/// The inner failure is the statement's and leaves the connection clean; the outer one is the
/// server's own, after which the connection must not be used again.
pub(super) fn run(
    db: &mut Connection,
    batch: &[Sql],
    shape: Shape,
    gone: &Gone,
) -> Result<Result<Done, Problem>, Problem> {
    match begin(db, gone) {
        Err(_) if gone.is_gone() => return Ok(Err(Problem::new(400, 7500, TIMED_OUT))),
        begun => begun?,
    }
    let watch = limits::watch(db, gone)?;
    let outcome = statements(db, batch, shape, &watch);
    limits::unwatch(db)?;
    let outcome = outcome.and_then(|ran| {
        if gone.is_gone() {
            return Err(timed_out());
        }
        let number = if ran.changed { Some(count_change(db)?) } else { None };
        // A foreign key that was deferred fails here.
        db.execute_batch("COMMIT")?;
        Ok((ran, number))
    });
    if !db.is_autocommit() {
        db.execute_batch("ROLLBACK")?;
    }
    let size = file_bytes(db)?;
    Ok(match outcome {
        Ok((Ran { elements, count, .. }, number)) => Ok(Done { elements, count, size, number }),
        Err(Failed::Problem(problem)) => Err(problem),
        Err(_) if watch.was_transaction() => Err(Problem::new(400, 7500, TRANSACTION_REFUSED)),
        Err(Failed::Sqlite(error)) => Err(Problem::new(400, 7500, error_text(&error))),
        Err(Failed::Text(text)) => Err(Problem::new(400, 7500, text)),
    })
}

/// Moves the bookmark.
fn count_change(db: &Connection) -> rusqlite::Result<i64> {
    let sql = "UPDATE _cf_KV SET value = value + 1 WHERE key = 'bookmark' RETURNING value";
    db.query_row(sql, [], |row| row.get(0))
}

/// Takes the file's lock. Who waits for it without a client leaves the place to the next one.
fn begin(db: &Connection, gone: &Gone) -> rusqlite::Result<()> {
    let started = Instant::now();
    db.busy_timeout(LOCK_LOOK)?;
    let begun = loop {
        match db.execute_batch("BEGIN IMMEDIATE") {
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                    && started.elapsed() < Duration::from_millis(BUSY_MS)
                    && !gone.is_gone() => {}
            begun => break begun,
        }
    };
    db.busy_timeout(Duration::from_millis(BUSY_MS))?;
    begun
}

/// The size of a database's file.
pub(super) fn file_bytes(db: &Connection) -> rusqlite::Result<i64> {
    let pages: i64 = db.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let page: i64 = db.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    Ok(pages.saturating_mul(page))
}

/// What ended the run early.
#[derive(Debug)]
enum Failed {
    Sqlite(rusqlite::Error),
    Text(String),
    /// Not D1's engine refused, but its API.
    Problem(Problem),
}

impl From<Exceeded> for Failed {
    fn from(_: Exceeded) -> Self {
        Self::Text(OUT_OF_MEMORY.to_owned())
    }
}

impl From<Unread> for Failed {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::Sqlite(error) => Self::Sqlite(error),
            Unread::Exceeded => Exceeded.into(),
        }
    }
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// What ran.
#[derive(Debug, Default)]
struct Ran {
    elements: Vec<Element>,
    count: usize,
    changed: bool,
}

/// What one statement answered.
#[derive(Debug)]
struct Element {
    /// JSON text.
    results: String,
    took: Duration,
    changes: u64,
    last_row_id: i64,
    wrote: bool,
    rows_read: i64,
    rows_written: u64,
}

/// About what an element takes as JSON, beside its rows.
const ELEMENT_BYTES: usize = 384;

impl Ran {
    /// Keeps what a statement answered, or adds it to what those before it did.
    fn keep(&mut self, element: Element, shape: Shape) {
        self.count += 1;
        match self.elements.last_mut().filter(|_| shape == Shape::Sum) {
            Some(sum) => sum.add(&element),
            None => self.elements.push(element),
        }
    }
}

impl Element {
    fn add(&mut self, next: &Self) {
        self.took += next.took;
        self.changes += next.changes;
        self.last_row_id = next.last_row_id;
        self.wrote |= next.wrote;
        self.rows_read = self.rows_read.saturating_add(next.rows_read);
        self.rows_written += next.rows_written;
    }

    /// As JSON; `size_after` is known when all have run.
    fn write_to(&self, out: &mut String, size_after: i64) {
        let Self { results, took, changes, last_row_id, wrote, rows_read, rows_written } = self;
        let (ms, us) = (took.as_millis(), took.subsec_micros() % 1_000);
        // A string takes everything.
        let _written = write!(
            out,
            "{{\"results\":{results},\"success\":true,\"meta\":{{\"served_by\":\"local\",\
             \"served_by_region\":\"WEUR\",\"served_by_colo\":\"LOC\",\"served_by_primary\":true,\
             \"timings\":{{\"sql_duration_ms\":{ms}.{us:03}}},\"duration\":{ms}.{us:03},\
             \"changes\":{changes},\"last_row_id\":{last_row_id},\"changed_db\":{wrote},\
             \"size_after\":{size_after},\"rows_read\":{rows_read},\
             \"rows_written\":{rows_written}}}}}"
        );
    }
}

fn statements(db: &Connection, batch: &[Sql], shape: Shape, watch: &Watch) -> Result<Ran, Failed> {
    let mut ran = Ran::default();
    let mut budget = Budget::of_call();
    for sql in batch {
        let before = ran.count;
        let mut params = sql.params.iter();
        let mut split = Batch::new(db, &sql.text);
        while let Some(mut statement) = split.next().map_err(too_long)? {
            if !sql.params.is_empty() && ran.count > before {
                return Err(Failed::Problem(malformed(
                    "params with multiple statements is not supported",
                )));
            }
            // SQLite looks only while a statement runs, and many are over too soon for that.
            if watch.is_over() {
                return Err(timed_out());
            }
            bind(&mut statement, &mut params)?;
            ran.changed |= !statement.readonly();
            ran.keep(element(db, &mut statement, shape, &mut budget)?, shape);
        }
        if ran.count == before {
            return Err(Failed::Text("SQL code did not contain a statement.".to_owned()));
        }
        if params.next().is_some() {
            return Err(wrong_params());
        }
    }
    Ok(ran)
}

/// D1's words for a statement that SQLite will not prepare for its length.
fn too_long(error: rusqlite::Error) -> Failed {
    if error.sqlite_error_code() == Some(ErrorCode::TooBig) {
        return Failed::Text("statement too long: SQLITE_TOOBIG".to_owned());
    }
    Failed::Sqlite(error)
}

fn timed_out() -> Failed {
    Failed::Text(TIMED_OUT.to_owned())
}

fn wrong_params() -> Failed {
    Failed::Text("Wrong number of parameter bindings for SQL query.".to_owned())
}

fn bind<'a>(
    statement: &mut Statement<'_>,
    params: &mut impl Iterator<Item = &'a Value>,
) -> Result<(), Failed> {
    for index in 1..=statement.parameter_count() {
        let value = params.next().ok_or_else(wrong_params)?;
        statement.raw_bind_parameter(index, cell(value)?)?;
    }
    Ok(())
}

fn cell(value: &Value) -> Result<ToSqlOutput<'_>, Failed> {
    let refused = || Failed::Text(format!("Type of parameter {value} is not supported"));
    Ok(match value {
        Value::Null => ToSqlOutput::Owned(Cell::Null),
        Value::Bool(flag) => ToSqlOutput::Owned(Cell::Integer(i64::from(*flag))),
        Value::Number(number) => ToSqlOutput::Owned(match number.as_i64() {
            Some(whole) => Cell::Integer(whole),
            None => Cell::Real(number.as_f64().ok_or_else(refused)?),
        }),
        Value::String(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        Value::Array(bytes) => {
            let byte = |b: &Value| b.as_u64().and_then(|b| u8::try_from(b).ok());
            let bytes: Option<Vec<u8>> = bytes.iter().map(byte).collect();
            ToSqlOutput::Owned(Cell::Blob(bytes.ok_or_else(refused)?))
        }
        Value::Object(_) => return Err(refused()),
    })
}

fn element(
    db: &Connection,
    statement: &mut Statement<'_>,
    shape: Shape,
    budget: &mut Budget,
) -> Result<Element, Failed> {
    let started = Instant::now();
    let changes_before = db.total_changes();
    if shape != Shape::Sum {
        budget.take(ELEMENT_BYTES)?;
    }
    let (results, count) = rows::read(statement, shape, budget)?;
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let scanned = i64::from(statement.get_status(StatementStatus::FullscanStep));
    // What triggers changed counts as written, but not as changed.
    let written = db.total_changes().saturating_sub(changes_before);
    let changes = if written == 0 { 0 } else { db.changes() };
    let wrote = !statement.readonly();
    let took = started.elapsed();
    Ok(Element {
        results,
        took,
        changes,
        last_row_id: db.last_insert_rowid(),
        wrote,
        rows_read: count.max(scanned),
        rows_written: if wrote { written.max(1) } else { 0 },
    })
}

/// An error as D1 words it: `near "x": syntax error at offset 0: SQLITE_ERROR`.
fn error_text(error: &rusqlite::Error) -> String {
    if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) {
        return TIMED_OUT.to_owned();
    }
    let code = code_name(error);
    match error {
        rusqlite::Error::SqlInputError { msg, offset, .. } => {
            format!("{msg} at offset {offset}: {code}")
        }
        rusqlite::Error::SqliteFailure(_, Some(text)) => format!("{text}: {code}"),
        other => format!("{other}: {code}"),
    }
}

fn code_name(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => "SQLITE_CONSTRAINT",
        Some(ErrorCode::AuthorizationForStatementDenied) => "SQLITE_AUTH",
        Some(ErrorCode::TooBig) => "SQLITE_TOOBIG",
        Some(ErrorCode::TypeMismatch) => "SQLITE_MISMATCH",
        Some(ErrorCode::DiskFull) => "SQLITE_FULL",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "SQLITE_BUSY",
        Some(ErrorCode::ReadOnly) => "SQLITE_READONLY",
        Some(ErrorCode::ParameterOutOfRange) => "SQLITE_RANGE",
        Some(ErrorCode::DatabaseCorrupt) => "SQLITE_CORRUPT",
        Some(ErrorCode::OutOfMemory) => "SQLITE_NOMEM",
        _ => "SQLITE_ERROR",
    }
}
