//! Rows and blobs in an object's SQLite.

use std::collections::BTreeMap;

use envc_edge_core::state::Blobs;
use envc_edge_core::store::{Blob, Effects, Write};
use serde::Deserialize;
use worker::js_sys::{Function, Reflect};
use worker::wasm_bindgen::closure::Closure;
use worker::wasm_bindgen::{JsCast as _, JsValue};
use worker::{SqlStorage, SqlStorageValue, State, console_error};

/// How much of a blob goes into one row, in bytes; the database takes 2 MB at most.
const PART_BYTES: usize = 1_000_000;

const TABLES: &str = "\
    CREATE TABLE IF NOT EXISTS rows (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS parts (
        name TEXT NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (name, part));";

const PUT_ROW: &str = "\
    INSERT INTO rows (name, value) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

const PUT_ROWS: &str = "\
    INSERT INTO rows (name, value) SELECT value ->> 0, value ->> 1 FROM json_each(?) WHERE true
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// An object's storage.
#[derive(Debug)]
pub(crate) struct Rows {
    sql: SqlStorage,
    storage: JsValue,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    value: String,
}

impl Rows {
    pub(crate) fn of(state: &State) -> Self {
        let storage = state.storage();
        Self { sql: storage.sql(), storage: storage.as_raw().into() }
    }

    /// Reads every row, making the tables first where there are none.
    pub(crate) fn read(&self) -> worker::Result<BTreeMap<String, String>> {
        self.sql.exec(TABLES, None)?;
        let rows: Vec<Row> = self.sql.exec("SELECT name, value FROM rows", None)?.to_array()?;
        Ok(rows.into_iter().map(|row| (row.name, row.value)).collect())
    }

    /// Writes everything, or nothing if something fails.
    pub(crate) fn write(&self, effects: Effects) -> worker::Result<()> {
        let Effects { writes, blobs, alarm_at_ms: _ } = effects;
        if writes.is_empty() && blobs.is_empty() {
            return Ok(());
        }
        // One statement is whole or not at all by itself; most steps write one row.
        if let ([Write::Put { name, value }], []) = (writes.as_slice(), blobs.as_slice()) {
            self.sql.exec(PUT_ROW, vec![name.as_str().into(), value.as_str().into()])?;
            return Ok(());
        }
        let sql = self.sql.clone();
        // The library does not wrap this: the runtime rolls back when the function throws.
        let begin: Function = Reflect::get(&self.storage, &JsValue::from("transactionSync"))?
            .dyn_into()
            .map_err(|_| worker::Error::from("the storage has no transactions"))?;
        let work = Closure::once(move || -> Result<JsValue, JsValue> {
            write_rows(&sql, &writes).map_err(JsValue::from)?;
            write_blobs(&sql, blobs).map_err(JsValue::from)?;
            Ok(JsValue::UNDEFINED)
        });
        begin.call1(&self.storage, work.as_ref())?;
        Ok(())
    }
}

fn write_rows(sql: &SqlStorage, writes: &[Write]) -> worker::Result<()> {
    let (mut set, mut gone) = (Vec::new(), Vec::new());
    for write in writes {
        match write {
            Write::Put { name, value } => set.push([name, value]),
            Write::Delete { name } => gone.push(name),
        }
    }
    if !set.is_empty() {
        sql.exec(PUT_ROWS, vec![serde_json::to_string(&set)?.into()])?;
    }
    if !gone.is_empty() {
        let statement = "DELETE FROM rows WHERE name IN (SELECT value FROM json_each(?))";
        sql.exec(statement, vec![serde_json::to_string(&gone)?.into()])?;
    }
    Ok(())
}

fn write_blobs(sql: &SqlStorage, blobs: Vec<Blob>) -> worker::Result<()> {
    for blob in blobs {
        let (name, bytes) = match blob {
            Blob::Put { name, bytes } => (name, bytes),
            Blob::Delete { name } => (name, Vec::new()),
        };
        sql.exec("DELETE FROM parts WHERE name = ?", vec![name.as_str().into()])?;
        for (part, bytes) in (0_i32..).zip(bytes.chunks(PART_BYTES)) {
            let bytes = SqlStorageValue::Blob(bytes.to_vec());
            let values = vec![name.as_str().into(), part.into(), bytes];
            sql.exec("INSERT INTO parts (name, part, bytes) VALUES (?, ?, ?)", values)?;
        }
    }
    Ok(())
}

impl Blobs for Rows {
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let statement = "SELECT bytes FROM parts WHERE name = ? ORDER BY part";
        let cursor = self.sql.exec(statement, vec![name.into()]).inspect_err(|error| {
            console_error!("envc-edge: {error}");
        });
        let mut content = Vec::new();
        for row in cursor.ok()?.raw() {
            match row.ok()?.into_iter().next()? {
                SqlStorageValue::Blob(bytes) => content.extend(bytes),
                _ => return None,
            }
        }
        (!content.is_empty()).then_some(content)
    }
}
