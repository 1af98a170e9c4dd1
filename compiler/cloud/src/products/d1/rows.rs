//! The rows of a statement as JSON text.
//!
//! Values become JSON as in JavaScript: integers beyond 2^53 lose precision, whole floats have no point,
//! blobs are arrays of bytes.
//!
//! Invariant: a value is written as it is read, and whoever writes past the budget of a call is stopped
//! there: neither rows nor a row are gathered first. A blob of two megabytes is up to eight as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

use rusqlite::Statement;
use rusqlite::types::ValueRef;
use serde_json::json;

/// Bytes of all rows of a call, as JSON: what a database's isolate, of 128 MB, is sure to hold.
/// Cloudflare documents no bound of an answer, but the words in which it says that one is passed.
const ROWS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Bytes of a call's whole answer: no client is known to read more.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
/// D1's words for a call that needs more memory than there is.
pub(super) const OUT_OF_MEMORY: &str = "D1 DB's isolate exceeded its memory limit and was reset.";
/// The largest integer that a JavaScript number holds exactly.
const EXACT_MAX: i64 = 1 << 53;
/// The same as a float.
const EXACT_MAX_F64: f64 = 9_007_199_254_740_992.0;

/// The shape of a statement's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Objects, as `/query` answers.
    Rows,
    /// Columns and arrays, as `/raw` answers.
    Raw,
    /// None: of a file is told what all of its statements did together.
    Sum,
}

/// What a call may still answer.
#[derive(Debug)]
pub(super) struct Budget {
    rows: usize,
    answer: usize,
}

/// The budget is used up.
#[derive(Debug)]
pub(super) struct Exceeded;

/// Why rows were not read.
#[derive(Debug)]
pub(super) enum Unread {
    /// SQLite refused.
    Sqlite(rusqlite::Error),
    /// The budget is used up.
    Exceeded,
}

impl From<rusqlite::Error> for Unread {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<Exceeded> for Unread {
    fn from(_: Exceeded) -> Self {
        Self::Exceeded
    }
}

impl Budget {
    /// That of a whole call.
    pub(super) fn of_call() -> Self {
        Self { rows: ROWS_BYTES_MAX, answer: ANSWER_BYTES_MAX }
    }

    /// Takes what a statement answers beside its rows.
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.answer = self.answer.checked_sub(bytes).ok_or(Exceeded)?;
        Ok(())
    }

    fn take_rows(&mut self, bytes: usize) -> Result<(), Exceeded> {
        self.rows = self.rows.checked_sub(bytes).ok_or(Exceeded)?;
        self.take(bytes)
    }
}

/// Runs a statement whose parameters are bound; its rows as JSON text, and how many there are.
pub(super) fn read(
    statement: &mut Statement<'_>,
    shape: Shape,
    budget: &mut Budget,
) -> Result<(String, usize), Unread> {
    if shape == Shape::Sum {
        let mut cursor = statement.raw_query();
        let mut count = 0;
        while cursor.next()?.is_some() {
            count += 1;
        }
        return Ok((String::new(), count));
    }
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let (keys, before, after) = match shape {
        Shape::Rows | Shape::Sum => (members(&columns), "[".to_owned(), "]"),
        Shape::Raw => {
            let cells = (0..columns.len()).map(|index| (String::new(), index)).collect();
            (cells, format!("{{\"columns\":{},\"rows\":[", json!(columns)), "]}")
        }
    };
    let (open, close) = if shape == Shape::Rows { ('{', '}') } else { ('[', ']') };
    let mut text = before;
    let mut count = 0;
    let mut cursor = statement.raw_query();
    while let Some(row) = cursor.next()? {
        if count > 0 {
            text.push(',');
        }
        count += 1;
        text.push(open);
        let mut counted = text.len();
        for (position, (key, index)) in keys.iter().enumerate() {
            if position > 0 {
                text.push(',');
            }
            text.push_str(key);
            write_value(&mut text, row.get_ref(*index)?);
            // Of a row as soon as it is there: a hundred columns are two hundred megabytes.
            budget.take_rows(text.len() - counted)?;
            counted = text.len();
        }
        text.push(close);
        budget.take_rows(ROW_BYTES)?;
    }
    text.push_str(after);
    Ok((text, count))
}

/// Brackets and the comma of a row.
const ROW_BYTES: usize = 3;

/// The members of an object, in order, each as `"name":` and with its column; of two columns with one
/// name the last wins, as in JavaScript.
fn members(columns: &[String]) -> Vec<(String, usize)> {
    let last: BTreeMap<&String, usize> =
        columns.iter().enumerate().map(|(index, column)| (column, index)).collect();
    let mut first: BTreeMap<&String, usize> = BTreeMap::new();
    for (index, column) in columns.iter().enumerate() {
        first.entry(column).or_insert(index);
    }
    let is_first = |(index, column): &(usize, &String)| first.get(column) == Some(index);
    let member = |(index, column): (usize, &String)| {
        (format!("{}:", json!(column)), last.get(column).copied().unwrap_or(index))
    };
    columns.iter().enumerate().filter(is_first).map(member).collect()
}

fn write_value(text: &mut String, value: ValueRef<'_>) {
    // A string takes everything.
    let _written = match value {
        ValueRef::Null => write!(text, "null"),
        ValueRef::Integer(whole) => write_integer(text, whole),
        ValueRef::Real(real) => write_float(text, real),
        ValueRef::Text(bytes) => write!(text, "{}", json!(String::from_utf8_lossy(bytes))),
        ValueRef::Blob(bytes) => {
            write_bytes(text, bytes);
            Ok(())
        }
    };
}

/// Each byte as an array has it, with the comma before it: blobs are long.
static ELEMENTS: LazyLock<Vec<String>> =
    LazyLock::new(|| (0..=u8::MAX).map(|byte| format!(",{byte}")).collect());

fn write_bytes(text: &mut String, bytes: &[u8]) {
    text.push('[');
    let Some((first, rest)) = bytes.split_first() else { return text.push(']') };
    text.push_str(&first.to_string());
    for byte in rest {
        text.push_str(ELEMENTS.get(usize::from(*byte)).map_or("", String::as_str));
    }
    text.push(']');
}

#[expect(clippy::cast_precision_loss, reason = "D1 hands integers through JavaScript numbers")]
fn write_integer(text: &mut String, whole: i64) -> std::fmt::Result {
    if (-EXACT_MAX..=EXACT_MAX).contains(&whole) {
        write!(text, "{whole}")
    } else {
        write!(text, "{}", json!(whole as f64))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53 by the guard")]
fn write_float(text: &mut String, real: f64) -> std::fmt::Result {
    if real.fract() == 0.0 && real.abs() < EXACT_MAX_F64 {
        write!(text, "{}", real as i64)
    } else {
        // JSON has no infinity: null, as in JavaScript.
        write!(text, "{}", json!(real))
    }
}
