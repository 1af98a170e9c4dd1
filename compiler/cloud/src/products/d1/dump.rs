//! A database as a text of SQL, as an export gives it.
//!
//! Facts: foreign keys are deferred first; each row is an insert that names its columns; indexes, views
//! and triggers come behind the rows; internal tables are left out. A database with virtual tables is not
//! exported.
//!
//! Source: Cloudflare's documentation (D1 import and export).

use std::fmt::Write as _;

use envc_edge_core::hex;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::envelope::Problem;

/// What is left out.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) no_data: bool,
    pub(super) no_schema: bool,
    /// These tables alone, where any is named.
    pub(super) tables: Vec<String>,
}

/// The text; the inner failure is told to whoever exports.
pub(super) fn text(db: &Connection, options: &Options) -> Result<Result<String, String>, Problem> {
    let mut out = "PRAGMA defer_foreign_keys=TRUE;\n".to_owned();
    let mut behind = String::new();
    let mut statement = db.prepare(
        "SELECT type, tbl_name, name, sql FROM sqlite_schema WHERE sql IS NOT NULL
         AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND tbl_name NOT LIKE '!_cf!_%' ESCAPE '!'
         ORDER BY rowid",
    )?;
    let objects = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<rusqlite::Result<Vec<(String, String, String, String)>>>()?;
    for (kind, table, name, sql) in &objects {
        if !options.tables.is_empty() && !options.tables.contains(table) {
            continue;
        }
        if sql.get(..14).is_some_and(|head| head.eq_ignore_ascii_case("CREATE VIRTUAL")) {
            return Ok(Err("D1 Export error: cannot export databases with Virtual Tables \
                           (fts5)"
                .to_owned()));
        }
        let place = if kind == "table" { &mut out } else { &mut behind };
        if !options.no_schema {
            place.push_str(sql);
            place.push_str(";\n");
        }
        if kind == "table" && !options.no_data {
            rows(db, name, &mut out)?;
        }
    }
    let counted = "SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_sequence'";
    if !options.no_data && options.tables.is_empty() && db.prepare(counted)?.exists([])? {
        out.push_str("DELETE FROM sqlite_sequence;\n");
        rows(db, "sqlite_sequence", &mut out)?;
    }
    out.push_str(&behind);
    Ok(Ok(out))
}

/// An insert for each row of a table.
fn rows(db: &Connection, table: &str, out: &mut String) -> Result<(), Problem> {
    let columns = db
        .prepare("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid")?
        .query_map([table], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let names: Vec<String> = columns.iter().map(|name| quoted(name, '"')).collect();
    let (names, table) = (names.join(","), quoted(table, '"'));
    let mut statement = db.prepare(&format!("SELECT {names} FROM {table}"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(columns.len());
        for index in 0..columns.len() {
            values.push(literal(row.get_ref(index)?));
        }
        // A string takes everything.
        let _written = writeln!(out, "INSERT INTO {table} ({names}) VALUES({});", values.join(","));
    }
    Ok(())
}

fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) if number.is_finite() => format!("{number:?}"),
        ValueRef::Real(number) if number > 0.0 => "9.0e999".to_owned(),
        ValueRef::Real(_) => "-9.0e999".to_owned(),
        ValueRef::Text(text) => quoted(&String::from_utf8_lossy(text), '\''),
        ValueRef::Blob(bytes) => format!("X'{}'", hex(bytes)),
    }
}

fn quoted(text: &str, quote: char) -> String {
    let doubled = text.replace(quote, &format!("{quote}{quote}"));
    format!("{quote}{doubled}{quote}")
}
