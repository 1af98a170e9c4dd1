//! The object.

use std::cell::Cell;

use worker::{
    DurableObject, Env, Headers, Request, Response, ResponseBuilder, SqlStorage, State,
    durable_object,
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS rows (name TEXT PRIMARY KEY, value TEXT NOT NULL)";
const PUT: &str = "INSERT INTO rows (name, value) VALUES (?, ?) \
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// The object.
#[durable_object(fetch)]
#[derive(Debug)]
pub struct Room {
    sql: SqlStorage,
    calls: Cell<u32>,
}

impl DurableObject for Room {
    fn new(state: State, _: Env) -> Self {
        let sql = state.storage().sql();
        // Without its table every write fails, and the benchmark says so.
        drop(sql.exec(TABLE, None));
        Self { sql, calls: Cell::new(0) }
    }

    async fn fetch(&self, request: Request) -> worker::Result<Response> {
        self.calls.set(self.calls.get().wrapping_add(1));
        let calls = self.calls.get();
        if request.path() == "/write" {
            let row = format!("row {calls} of about as many bytes as a lease has{:200}", "");
            self.sql.exec(PUT, vec!["one".into(), row.into()])?;
        }
        let headers = Headers::new();
        headers.set("content-type", "application/json")?;
        let body = format!("{{\"calls\":{calls},\"padding\":\"{:200}\"}}", "");
        Ok(ResponseBuilder::new().with_headers(headers).fixed(body.into_bytes()))
    }
}
