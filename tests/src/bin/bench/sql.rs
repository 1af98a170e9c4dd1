//! A migration of many statements on the local cloud, beside what SQLite takes for it alone.

use std::{fmt::Write as _, time::Instant};

use axum::body::{Body, to_bytes};
use envc_cloud::{Cloud, CloudConfig};
use envc_tests::TestEnv;
use http::Request;
use rusqlite::{Batch, Connection, fallible_iterator::FallibleIterator as _};
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

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
/// So many times SQLite's own time the local cloud may take, from the request to its whole answer.
const RATIO_MAX: f64 = 2.0;
/// An answer has some 300 bytes a statement.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

const SPEC: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    d1 \"app\" { allow \"unused_resource\" ; migrations \"migrations\" }\n";
const TABLE: &str = "CREATE TABLE t (n INTEGER, x TEXT);\n";

pub(crate) fn measure(table: &mut Table) -> Result<()> {
    let text = statements();
    let (mut alone, mut cloud) = <(Sample, Sample)>::default();
    let (mut few, mut many) = <(Sample, Sample)>::default();
    for _ in 0..RUNS {
        alone.add(sqlite_ms(&text).map_err(|error| error.to_string())?);
        cloud.add(cloud_ms(&text)?);
        few.add(apply_ms("INSERT INTO t VALUES (1, 'x');\n")?);
        many.add(apply_ms(&text)?);
    }
    let what = format!("{STATEMENTS} statements of SQL");
    table.add(Row::new(&what, "SQLite alone", alone.min(), "ms").median(alone.median()));
    table.add(Row::new(&what, "local cloud", cloud.min(), "ms").median(cloud.median()));
    let ratio = cloud.min() / alone.min();
    table.add(Row::new(&what, "times SQLite alone", ratio, "").limit(RATIO_MAX));
    table.add(
        Row::new(&what, "apply, beside one statement", many.min() - few.min(), "ms").note(format!(
            "apply {:.0} ms, with one statement {:.0} ms",
            many.min(),
            few.min()
        )),
    );
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

/// The same through the local cloud's own routes, without a socket and without whoever reads the
/// answer.
fn cloud_ms(text: &str) -> Result<f64> {
    let folder = TempDir::new().map_err(|error| error.to_string())?;
    let config = CloudConfig { dir: folder.path().to_owned(), ..CloudConfig::default() };
    let cloud = Cloud::open(config).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let databases = format!("/client/v4/accounts/{}/d1/database", cloud.account_id());
    let send = |path: &str, body: &Json| -> Result<Json> {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {}", cloud.token()))
            .body(Body::from(body.to_string()))
            .map_err(|error| error.to_string())?;
        let answer = runtime.block_on(async {
            let answer =
                cloud.router().oneshot(request).await.map_err(|never| never.to_string())?;
            let bytes = to_bytes(answer.into_body(), ANSWER_BYTES_MAX).await;
            bytes.map_err(|error| error.to_string())
        })?;
        match answer.len() {
            0..10_000 => serde_json::from_slice(&answer).map_err(|error| error.to_string()),
            _ => Ok(Json::Null),
        }
    };
    let made = send(&databases, &json!({ "name": "bench" }))?;
    let id = made.pointer("/result/uuid").and_then(Json::as_str).ok_or("no database")?;
    let query = format!("{databases}/{id}/query");
    let _table = send(&query, &json!({ "sql": TABLE }))?;
    let body = json!({ "sql": text });
    let begun = Instant::now();
    let answer = send(&query, &body)?;
    let ms = millis(begun.elapsed());
    match answer {
        Json::Null => Ok(ms),
        refused => Err(format!("the local cloud answered {refused}")),
    }
}

/// An apply that has nothing to do but this migration, start and end of the process included.
fn apply_ms(text: &str) -> Result<f64> {
    let env = TestEnv::of_text(SPEC);
    env.write("migrations/0001_table.sql", TABLE);
    let _made = watch::run(&mut env.command(&["apply"]))?;
    env.write("migrations/0002_rows.sql", text);
    Ok(watch::run(&mut env.command(&["apply", "--json"]))?.ms)
}
