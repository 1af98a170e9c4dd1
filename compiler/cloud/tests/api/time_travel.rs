//! D1: bookmarks, and databases as they were.

use std::time::Duration;

use crate::support::Served;
use serde_json::{Value, json};

async fn made(served: &Served) -> String {
    let made = served.post("d1/database", json!({"name": "db"})).await.ok();
    format!("d1/database/{}", made["uuid"].as_str().unwrap())
}

async fn sql(served: &Served, path: &str, sql: &str) -> Value {
    served.post(&format!("{path}/query"), json!({"sql": sql})).await.ok()[0]["results"].clone()
}

async fn bookmark(served: &Served, path: &str) -> String {
    let told = served.get(&format!("{path}/time_travel/bookmark")).await.ok();
    told["bookmark"].as_str().unwrap().to_owned()
}

async fn restore(served: &Served, path: &str, to: &str) -> Value {
    served.post(&format!("{path}/time_travel/restore?{to}"), json!({})).await.ok()
}

#[tokio::test]
async fn a_database_goes_back_and_forth() {
    let served = Served::new().await;
    let path = made(&served).await;
    let empty = bookmark(&served, &path).await;
    sql(&served, &path, "CREATE TABLE t (x); INSERT INTO t VALUES ('first')").await;
    let first = bookmark(&served, &path).await;
    sql(&served, &path, "DELETE FROM t; INSERT INTO t VALUES ('second')").await;
    let second = bookmark(&served, &path).await;
    assert!(empty < first && first < second);

    let back = restore(&served, &path, &format!("bookmark={first}")).await;
    assert_eq!(back["previous_bookmark"], second.as_str());
    let now = bookmark(&served, &path).await;
    assert!(back["bookmark"] == now.as_str() && now > second);
    assert_eq!(sql(&served, &path, "SELECT x FROM t").await, json!([{"x": "first"}]));
    // What is written after a restore is a version of its own.
    sql(&served, &path, "INSERT INTO t VALUES ('third')").await;
    restore(&served, &path, &format!("bookmark={second}")).await;
    assert_eq!(sql(&served, &path, "SELECT x FROM t").await, json!([{"x": "second"}]));
    restore(&served, &path, &format!("bookmark={empty}")).await;
    let refused = served.post(&format!("{path}/query"), json!({"sql": "SELECT x FROM t"})).await;
    refused.fails(400, 7500);
    assert_eq!(served.get("d1/database").await.ok()[0]["num_tables"], 0);
}

#[tokio::test]
async fn a_time_is_the_last_change_before_it() {
    let served = Served::new().await;
    let path = made(&served).await;
    sql(&served, &path, "CREATE TABLE t (x); INSERT INTO t VALUES (1)").await;
    tokio::time::sleep(Duration::from_millis(30)).await;
    let between = jiff_now();
    tokio::time::sleep(Duration::from_millis(30)).await;
    sql(&served, &path, "UPDATE t SET x = 2").await;
    restore(&served, &path, &format!("timestamp={between}")).await;
    assert_eq!(sql(&served, &path, "SELECT x FROM t").await, json!([{"x": 1}]));
    let restore = format!("{path}/time_travel/restore");
    for (query, code) in [
        ("", 7400),
        ("?bookmark=x", 7400),
        ("?timestamp=soon", 7400),
        ("?timestamp=2001-01-01T00:00:00Z", 7400),
        ("?bookmark=000000ff-00000000-00004c6d-0", 7500),
    ] {
        served.post(&format!("{restore}{query}"), json!({})).await.fails(400, code);
    }
}

fn jiff_now() -> String {
    jiff::Timestamp::now().to_string()
}

#[tokio::test]
async fn the_last_twenty_versions_are_kept_until_the_database_goes() {
    let dir = tempfile::TempDir::new().unwrap();
    let served = Served::on(dir.path(), envc_cloud::Faults::default()).await;
    let path = made(&served).await;
    sql(&served, &path, "CREATE TABLE t (x)").await;
    let oldest = bookmark(&served, &path).await;
    for n in 0..25 {
        sql(&served, &path, &format!("INSERT INTO t VALUES ({n})")).await;
    }
    let refused =
        served.post(&format!("{path}/time_travel/restore?bookmark={oldest}"), json!({})).await;
    refused.fails(400, 7500);
    assert!(refused.error().contains("no history"), "{refused:?}");
    let files = || {
        std::fs::read_dir(dir.path().join("d1"))
            .unwrap()
            .flatten()
            .filter(|it| it.path().is_dir())
            .flat_map(|it| std::fs::read_dir(it.path()).unwrap().flatten())
            .count()
    };
    assert_eq!(files(), 20);
    served.delete(&path).await.ok();
    assert_eq!(files(), 0);
}
