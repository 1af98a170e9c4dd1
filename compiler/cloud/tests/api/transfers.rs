//! D1: texts that are sent and fetched beside the API, by import and export.

use crate::support::Served;
use envc_edge_core::hex;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};

async fn database(served: &Served, name: &str) -> String {
    let made = served.post("d1/database", json!({"name": name})).await.ok();
    made["uuid"].as_str().unwrap().to_owned()
}

/// A whole import, as wrangler does it; gives the last answer.
pub(crate) async fn import(served: &Served, id: &str, text: &str) -> Value {
    let path = format!("d1/database/{id}/import");
    let etag = hex(&Md5::digest(text.as_bytes()));
    let init = served.post(&path, json!({"action": "init", "etag": etag})).await.ok();
    // Without the token.
    let url = init["upload_url"].as_str().unwrap();
    let sent = served.http.put(url).body(text.to_owned()).send().await.unwrap();
    assert_eq!(sent.status(), 200);
    assert_eq!(sent.headers()["etag"].to_str().unwrap().trim_matches('"'), etag);
    let ingest = json!({"action": "ingest", "etag": etag, "filename": init["filename"]});
    let mut answer = served.post(&path, ingest.clone()).await.ok();
    while answer["status"] == "active" {
        let poll = json!({"action": "poll", "current_bookmark": answer["at_bookmark"]});
        answer = served.post(&path, poll).await.ok();
    }
    // Asked for again it is told, and not run twice.
    if answer["status"] == "complete" {
        assert_eq!(served.post(&path, ingest).await.ok(), answer);
    }
    answer
}

async fn rows(served: &Served, id: &str, sql: &str) -> Value {
    let ran = served.post(&format!("d1/database/{id}/query"), json!({"sql": sql})).await.ok();
    ran[0]["results"].clone()
}

#[tokio::test]
async fn a_file_is_imported_whole_or_not_at_all() {
    let served = Served::new().await;
    let id = database(&served, "a").await;
    let text = "CREATE TABLE t (x);\r\nCREATE TRIGGER tr AFTER INSERT ON t begin\r\n  \
                UPDATE t SET x = CASE WHEN x > 1 THEN 9 ELSE x END;\r\nend;\r\n\
                INSERT INTO t VALUES (1), (2);";
    let done = import(&served, &id, text).await;
    assert_eq!((&done["success"], &done["status"]), (&json!(true), &json!("complete")), "{done}");
    assert_eq!(done["result"]["num_queries"], 3);
    for field in ["duration", "rows_read", "rows_written", "size_after"] {
        assert!(done["result"]["meta"][field].is_number(), "{field}: {done}");
    }
    assert_eq!(rows(&served, &id, "SELECT x FROM t").await, json!([{"x": 1}, {"x": 9}]));
    let failed = import(&served, &id, "INSERT INTO t VALUES (3); INSERT INTO u VALUES (1);").await;
    assert_eq!((&failed["success"], &failed["status"]), (&json!(false), &json!("error")));
    assert_eq!(failed["error"], "no such table: u: SQLITE_ERROR");
    assert_eq!(rows(&served, &id, "SELECT count(*) AS n FROM t").await, json!([{"n": 2}]));
    assert_eq!(served.get("d1/database").await.ok()[0]["num_tables"], 1);
}

#[tokio::test]
async fn an_address_takes_what_it_is_for_and_nothing_else() {
    let served = Served::new().await;
    let id = database(&served, "a").await;
    let path = format!("d1/database/{id}/import");
    let init = served.post(&path, json!({"action": "init", "etag": "x"})).await.ok();
    let url = init["upload_url"].as_str().unwrap();
    assert_eq!(served.http.get(url).send().await.unwrap().status(), 404);
    let other = format!("{}/transfers/0123456789abcdef0123456789abcdef", served.base);
    assert_eq!(served.http.put(other).body("x").send().await.unwrap().status(), 404);
    let ingest = json!({"action": "ingest", "etag": "x", "filename": init["filename"]});
    let early = served.post(&path, ingest).await.ok();
    assert_eq!((&early["success"], &early["status"]), (&json!(false), &json!("error")));
    served.post(&path, json!({"action": "start"})).await.fails(400, 7400);
    served.post(&path, json!({"action": "init"})).await.fails(400, 7400);
    // With the database goes what was sent to it.
    served.delete(&format!("d1/database/{id}")).await.ok();
    assert_eq!(served.http.put(url).body("x").send().await.unwrap().status(), 404);
}

async fn export(served: &Served, id: &str, options: Value) -> Result<String, Value> {
    let path = format!("d1/database/{id}/export");
    let mut body = json!({"output_format": "polling", "dump_options": options});
    loop {
        let answer = served.post(&path, body.clone()).await.ok();
        match answer["status"].as_str().unwrap() {
            "active" => body["current_bookmark"] = answer["at_bookmark"].clone(),
            "complete" => {
                let url = answer["result"]["signed_url"].as_str().unwrap();
                return Ok(served.http.get(url).send().await.unwrap().text().await.unwrap());
            }
            _ => return Err(answer),
        }
    }
}

#[tokio::test]
async fn an_export_makes_the_same_database_again() {
    let served = Served::new().await;
    let id = database(&served, "a").await;
    let text = "CREATE TABLE \"odd \"\"name\" (id INTEGER PRIMARY KEY AUTOINCREMENT, b BLOB, r REAL, t TEXT);
        CREATE INDEX i ON \"odd \"\"name\" (t); CREATE VIEW v AS SELECT t FROM \"odd \"\"name\";
        INSERT INTO \"odd \"\"name\" (b, r, t) VALUES (X'00FF', 1e300, 'it''s'), (NULL, 2.0, 'ä;');";
    served.post(&format!("d1/database/{id}/query"), json!({"sql": text})).await.ok();
    let dump = export(&served, &id, json!({})).await.unwrap();
    assert!(dump.starts_with("PRAGMA defer_foreign_keys=TRUE;\n") && !dump.contains("_cf_"));
    let other = database(&served, "b").await;
    let done = import(&served, &other, &dump).await;
    assert_eq!(done["status"], "complete", "{done}\n{dump}");
    let all = "SELECT id, hex(b) AS b, r, t FROM \"odd \"\"name\" ORDER BY id";
    assert_eq!(rows(&served, &id, all).await, rows(&served, &other, all).await);
    let objects = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name";
    assert_eq!(rows(&served, &id, objects).await, rows(&served, &other, objects).await);

    let schema = export(&served, &id, json!({"no_data": true})).await.unwrap();
    assert!(!schema.contains("INSERT") && schema.contains("CREATE INDEX"), "{schema}");
    let data = export(&served, &id, json!({"no_schema": true})).await.unwrap();
    assert!(data.contains("INSERT") && !data.contains("CREATE"), "{data}");
    let none = export(&served, &id, json!({"tables": ["none"]})).await.unwrap();
    assert_eq!(none.trim(), "PRAGMA defer_foreign_keys=TRUE;");
    let fts = json!({"sql": "CREATE VIRTUAL TABLE f USING fts5(body)"});
    served.post(&format!("d1/database/{id}/query"), fts).await.ok();
    let refused = export(&served, &id, json!({})).await.unwrap_err();
    assert!(refused["error"].as_str().unwrap().contains("Virtual Tables"), "{refused}");
}
