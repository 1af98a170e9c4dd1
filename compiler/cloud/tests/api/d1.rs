//! D1: databases and statements.

use std::time::Duration;

use crate::support::{Reply, Served};
use serde_json::{Value, json};

async fn create(served: &Served, name: &str) -> String {
    let created = served.post("d1/database", json!({"name": name})).await.ok();
    created["uuid"].as_str().unwrap().to_owned()
}

async fn query(served: &Served, id: &str, body: Value) -> Reply {
    served.post(&format!("d1/database/{id}/query"), body).await
}

async fn sql(served: &Served, id: &str, sql: &str) -> Reply {
    query(served, id, json!({"sql": sql})).await
}

#[track_caller]
fn text(reply: &Reply) -> &str {
    reply.fails(400, 7500);
    reply.body["errors"][0]["message"].as_str().unwrap()
}

#[tokio::test]
async fn a_database_lives_and_dies() {
    let served = Served::new().await;
    let body = json!({"name": "app-db", "primary_location_hint": "enam"});
    let created = served.post("d1/database", body).await.ok();
    let id = created["uuid"].as_str().unwrap();
    assert_eq!(
        (&created["created_in_region"], created.get("running_in_region")),
        (&json!("ENAM"), None)
    );
    assert_eq!((&created["num_tables"], &created["file_size"]), (&json!(0), &json!(8192)));
    let got = served.get(&format!("d1/database/{id}")).await.ok();
    assert_eq!((&got["running_in_region"], got.get("created_in_region")), (&json!("ENAM"), None));
    assert_eq!(created["created_at"].as_str().unwrap().len(), "2026-11-01T10:00:00.123Z".len());
    served.post("d1/database", json!({"name": "app-db"})).await.fails(400, 7502);
    assert_eq!(served.get("d1/database/app-db").await.ok()["uuid"], id);
    let some = served.get(&format!("d1/database/{id}?fields=uuid,name")).await.ok();
    assert_eq!(some, json!({"uuid": id, "name": "app-db"}));
    let mode = json!({"read_replication": {"mode": "auto"}});
    let updated = served.patch(&format!("d1/database/{id}"), mode).await.ok();
    assert_eq!(updated["read_replication"]["mode"], "auto");
    served.put(&format!("d1/database/{id}"), json!({})).await.fails(400, 7400);
    served.patch(&format!("d1/database/{id}"), json!({})).await.fails(400, 7500);
    assert_eq!(served.delete(&format!("d1/database/{id}")).await.ok(), Value::Null);
    served.delete(&format!("d1/database/{id}")).await.fails(404, 7404);
    served.get(&format!("d1/database/{id}")).await.fails(404, 7404);
    served.get("d1/database/app-db").await.fails(404, 7404);
    sql(&served, id, "SELECT 1").await.fails(404, 7404);
    served.delete("d1/database/app-db").await.fails(400, 7400);
    create(&served, "app-db").await;
}

#[tokio::test]
async fn lists_are_paged_and_searched() {
    let served = Served::new().await;
    for n in 0..12 {
        create(&served, &format!("db-{n}")).await;
    }
    let first = served.get("d1/database?per_page=10").await;
    assert_eq!(first.body["result_info"]["total_count"], 12);
    assert_eq!(first.body["result_info"]["count"], 10);
    assert!(first.body["result_info"].get("total_pages").is_none(), "{first:?}");
    let listed = first.body["result"][0].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let told = ["created_at", "file_size", "jurisdiction", "name", "num_tables", "uuid", "version"];
    assert_eq!(listed, told);
    assert_eq!(
        served.get("d1/database?per_page=10&page=2").await.ok().as_array().unwrap().len(),
        2
    );
    assert_eq!(served.get("d1/database?per_page=10&page=3").await.ok(), json!([]));
    assert_eq!(served.get("d1/database?name=db-1").await.ok().as_array().unwrap().len(), 3);
    served.get("d1/database?per_page=9").await.fails(400, 7400);
    served.get("d1/database?per_page=10001").await.fails(400, 7400);
}

#[tokio::test]
async fn bad_bodies_are_malformed() {
    let served = Served::new().await;
    for body in [json!({}), json!({"name": "no spaces"}), json!({"name": "a", "jurisdiction": "x"})]
    {
        let refused = served.post("d1/database", body).await;
        refused.fails(400, 7400);
        let keys: Vec<&String> = refused.body.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["errors", "success"], "{refused:?}");
    }
    let id = create(&served, "db").await;
    for body in [json!({}), json!({"batch": []}), json!({"sql": "SELECT 1", "params": "x"})] {
        query(&served, &id, body).await.fails(400, 7400);
    }
}

#[tokio::test]
async fn statements_run_in_one_transaction() {
    let served = Served::new().await;
    let id = create(&served, "db").await;
    let ran = sql(
        &served,
        &id,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT); -- a comment; with a semicolon\r\n\
         INSERT INTO t (x) VALUES ('a;b'), ('c');\r\nSELECT x, id FROM t ORDER BY id; -- the end",
    )
    .await
    .ok();
    assert_eq!(ran.as_array().unwrap().len(), 3);
    assert_eq!(ran[1]["meta"]["changes"], 2);
    assert_eq!(ran[1]["meta"]["last_row_id"], 2);
    assert_eq!(ran[2]["results"], json!([{"x": "a;b", "id": 1}, {"x": "c", "id": 2}]));
    assert_eq!(ran[2]["meta"]["changed_db"], false);
    assert!(ran[2]["meta"]["size_after"].as_i64().unwrap() > 0);

    let failed =
        sql(&served, &id, "INSERT INTO t (x) VALUES ('z'); INSERT INTO u VALUES (1)").await;
    assert_eq!(text(&failed), "no such table: u: SQLITE_ERROR");
    let count = sql(&served, &id, "SELECT count(*) AS n FROM t").await.ok();
    assert_eq!(count[0]["results"][0]["n"], 2);

    let tables = served.get(&format!("d1/database/{id}")).await.ok();
    assert_eq!(tables["num_tables"], 1);
}

#[tokio::test]
async fn triggers_with_case_are_one_statement() {
    let served = Served::new().await;
    let id = create(&served, "db").await;
    let ran = sql(
        &served,
        &id,
        "CREATE TABLE t (x); CREATE TABLE log (x);
         CREATE TRIGGER tr AFTER INSERT ON t BEGIN
           INSERT INTO log VALUES (CASE WHEN new.x > 1 THEN 'big' ELSE 'small' END);
         END;
         INSERT INTO t VALUES (2); SELECT x FROM log",
    )
    .await
    .ok();
    assert_eq!(ran.as_array().unwrap().len(), 5);
    assert_eq!(ran[3]["meta"]["changes"], 1);
    assert_eq!(ran[3]["meta"]["rows_written"], 2);
    assert_eq!(ran[4]["results"], json!([{"x": "big"}]));
}

#[tokio::test]
async fn parameters_batches_and_raw() {
    let served = Served::new().await;
    let id = create(&served, "db").await;
    sql(&served, &id, "CREATE TABLE t (a, b, c, d, e)").await.ok();
    let batch = json!({"batch": [
        {"sql": "INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5)",
         "params": ["x", 7, null, 1.5, [1, 2, 255]]},
        {"sql": "SELECT * FROM t WHERE b = ?", "params": [7]},
    ]});
    let ran = query(&served, &id, batch).await.ok();
    let row = json!({"a": "x", "b": 7, "c": null, "d": 1.5, "e": [1, 2, 255]});
    assert_eq!(ran[1]["results"], json!([row]));

    let body = json!({"sql": "SELECT 1 AS a, 2 AS a, 2.0 AS b, 9007199254740993 AS c"});
    let raw = served.post(&format!("d1/database/{id}/raw"), body.clone()).await.ok();
    assert_eq!(raw[0]["results"]["columns"], json!(["a", "a", "b", "c"]));
    assert_eq!(raw[0]["results"]["rows"][0][1], 2);
    assert_eq!(raw[0]["results"]["rows"][0][3].as_f64(), Some(9_007_199_254_740_992.0));
    let rows = query(&served, &id, body).await.ok();
    assert_eq!(rows[0]["results"][0]["a"], 2);
    assert_eq!(rows[0]["results"][0]["b"], json!(2));

    let several = json!({"sql": "SELECT ?; INSERT INTO t VALUES (1, 2, 3, 4, 5)", "params": [1]});
    let refused = query(&served, &id, several).await;
    refused.fails(400, 7400);
    assert!(refused.error().contains("params with multiple statements is not supported"));
    for params in [json!([]), json!([1, 2])] {
        let failed = query(&served, &id, json!({"sql": "SELECT ?", "params": params})).await;
        assert!(text(&failed).contains("Wrong number of parameter bindings"));
    }
}

#[tokio::test]
async fn errors_are_worded_as_d1_words_them() {
    let served = Served::new().await;
    let id = create(&served, "db").await;
    sql(&served, &id, "CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES (1)").await.ok();
    let long = format!("SELECT '{}'", "x".repeat(100_001));
    for (statement, expected) in [
        ("FOO", "near \"FOO\": syntax error at offset 0: SQLITE_ERROR"),
        ("INSERT INTO t VALUES (1)", "UNIQUE constraint failed: t.x: SQLITE_CONSTRAINT"),
        ("SELECT y FROM t", "no such column: y at offset 7: SQLITE_ERROR"),
        ("ATTACH 'x.db' AS x", "not authorized: SQLITE_AUTH"),
        ("VACUUM INTO 'x.db'", "SQLITE_"),
        ("PRAGMA journal_mode = DELETE", "not authorized: SQLITE_AUTH"),
        ("SELECT * FROM _cf_KV", "access to _cf_KV.key is prohibited: SQLITE_AUTH"),
        ("DROP TABLE _cf_KV", "not authorized: SQLITE_AUTH"),
        ("BEGIN", "To execute a transaction, please use the state.storage.transaction()"),
        ("SAVEPOINT s", "To execute a transaction"),
        ("SELECT 1; COMMIT", "To execute a transaction"),
        ("-- nothing", "SQL code did not contain a statement."),
        (&long, "statement too long: SQLITE_TOOBIG"),
    ] {
        let failed = sql(&served, &id, statement).await;
        let found = text(&failed);
        assert!(found.contains(expected), "{statement:.40}: {found}");
    }
    // A long text of short statements is fine, and so are the pragmas of the allow-list.
    sql(&served, &id, &"SELECT 'xxxxxxxxxxxxxxxx';".repeat(5000)).await.ok();
    let info = sql(&served, &id, "PRAGMA table_info(t); SELECT 1").await.ok();
    assert_eq!(info[0]["results"][0]["name"], "x");
    sql(&served, &id, "CREATE VIRTUAL TABLE f USING fts5(body)").await.ok();
    let found =
        sql(&served, &id, "INSERT INTO f VALUES ('hello world'); SELECT * FROM f('hello')").await;
    assert_eq!(found.ok()[1]["results"], json!([{"body": "hello world"}]));
}

#[tokio::test]
async fn deferred_foreign_keys_are_checked_at_the_end() {
    let served = Served::new().await;
    let id = create(&served, "db").await;
    sql(&served, &id, "CREATE TABLE a (id INTEGER PRIMARY KEY)").await.ok();
    sql(&served, &id, "CREATE TABLE b (a INTEGER REFERENCES a(id))").await.ok();
    let failed = sql(&served, &id, "INSERT INTO b VALUES (1)").await;
    assert_eq!(text(&failed), "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT");
    let deferred = "PRAGMA defer_foreign_keys = on; INSERT INTO b VALUES (1)";
    let failed = sql(&served, &id, deferred).await;
    assert_eq!(text(&failed), "FOREIGN KEY constraint failed: SQLITE_CONSTRAINT");
    sql(&served, &id, &format!("{deferred}; INSERT INTO a VALUES (1)")).await.ok();
}

#[tokio::test]
async fn bookmarks_grow_with_writes_alone() {
    let served = Served::new().await;
    let id = create(&served, "db").await;
    let path = format!("d1/database/{id}/time_travel/bookmark");
    let bookmark = async || served.get(&path).await.ok()["bookmark"].as_str().unwrap().to_owned();
    let first = bookmark().await;
    sql(&served, &id, "SELECT 1").await.ok();
    assert_eq!(bookmark().await, first);
    sql(&served, &id, "CREATE TABLE t (x)").await.ok();
    assert!(bookmark().await > first);
}

/// Invariant: a text that its client gave up stops wherever it is, nothing of it is kept, and the
/// database is free for the next one.
#[tokio::test]
async fn a_request_that_its_client_gave_up_lets_go() {
    let served = Served::new().await;
    let id = create(&served, "db").await;
    let count = |limit: u64| {
        format!(
            "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < {limit}) \
             SELECT count(*) FROM c"
        )
    };
    let view = format!("CREATE TABLE t (x); CREATE VIEW v AS {}", count(2_000));
    sql(&served, &id, &view).await.ok();
    // One statement that never ends, and statements without end, of which each is short.
    for endless in [count(u64::MAX / 4), "SELECT * FROM v;".repeat(300_000)] {
        let text = format!("INSERT INTO t VALUES ('given up'); {endless}");
        let given_up = tokio::time::timeout(Duration::from_millis(700), sql(&served, &id, &text));
        assert!(given_up.await.is_err(), "it was answered");
        // Sooner than a lock that is held is waited for.
        sql(&served, &id, "INSERT INTO t VALUES ('next')").await.ok();
    }
    let left = sql(&served, &id, "SELECT DISTINCT x FROM t").await.ok();
    assert_eq!(left[0]["results"], json!([{"x": "next"}]));
}
