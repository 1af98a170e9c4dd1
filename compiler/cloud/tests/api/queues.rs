//! Queues, consumers, messages.

use crate::support::Served;
use serde_json::{Value, json};

async fn create(served: &Served, name: &str) -> String {
    let created = served.post("queues", json!({"queue_name": name})).await.ok();
    format!("queues/{}", created["queue_id"].as_str().unwrap())
}

#[tokio::test]
async fn a_queue_lives_and_dies() {
    let served = Served::new().await;
    let path = create(&served, "jobs").await;
    let whole = served.get(&path).await.ok();
    assert_eq!((&whole["consumers_total_count"], &whole["producers"]), (&json!(0), &json!([])));
    assert!(whole["settings"].get("delivery_paused").is_none(), "{whole}");
    served.post("queues", json!({"queue_name": "jobs"})).await.fails(409, 11009);
    served.post("queues", json!({"queue_name": "No_"})).await.fails(400, 11003);
    served.post("queues", json!({})).await.fails(400, 10026);
    let settings = json!({"settings": {"delivery_delay": 5}});
    assert_eq!(served.patch(&path, settings).await.ok()["settings"]["delivery_delay"], 5);
    let renamed = served.put(&path, json!({"queue_name": "work"})).await.ok();
    let keys: Vec<&String> = renamed.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["created_on", "modified_on", "queue_id", "queue_name", "settings"]);
    let paused = served.patch(&path, json!({"settings": {"delivery_paused": true}})).await.ok();
    assert_eq!(paused["settings"]["delivery_paused"], true);
    assert_eq!(renamed["queue_name"], "work");
    assert_eq!(renamed["settings"]["delivery_delay"], 0);
    let bad = json!({"settings": {"message_retention_period": 59}});
    served.patch(&path, bad).await.fails(400, 100_128);
    assert_eq!(served.delete(&path).await.ok(), Value::Null);
    served.delete(&path).await.fails(404, 11000);
    served.get(&path).await.fails(404, 11000);
}

#[tokio::test]
async fn lists_filter_by_exact_names_and_embed_consumers() {
    let served = Served::new().await;
    let path = create(&served, "jobs").await;
    create(&served, "jobs-dlq").await;
    create(&served, "other").await;
    let consumer = json!({"type": "http_pull", "dead_letter_queue": "jobs-dlq"});
    served.post(&format!("{path}/consumers"), consumer).await.ok();
    let found = served.get("queues?page=1&name=jobs").await;
    assert!(found.body["errors"].is_null() && found.body["messages"].is_null(), "{found:?}");
    let found = found.ok();
    // The old address, which older clients know alone.
    let old = served.get("workers/queues?name=jobs").await.ok();
    assert_eq!(old[0]["queue_id"], found[0]["queue_id"]);
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["consumers"][0]["dead_letter_queue"], "jobs-dlq");
    assert_eq!(found[0]["consumers_total_count"], 1);
    let two = served.get("queues?name=jobs&name=other").await;
    assert_eq!(two.body["result_info"]["total_count"], 2);
    assert_eq!(served.get("queues?page=5").await.ok(), json!([]));
    served.get("queues?per_page=0").await.fails(400, 10026);
}

#[tokio::test]
async fn one_consumer_each_and_dead_letter_queues_stay() {
    let served = Served::new().await;
    let path = create(&served, "jobs").await;
    let dead = create(&served, "dead").await;
    let consumers = format!("{path}/consumers");
    let pull = json!({"type": "http_pull", "dead_letter_queue": "dead",
                      "settings": {"max_retries": 1, "batch_size": 50}});
    let made = served.post(&consumers, pull.clone()).await.ok();
    let one = format!("{consumers}/{}", made["consumer_id"].as_str().unwrap());
    served.post(&consumers, pull).await.fails(400, 11004);
    let worker = json!({"type": "worker", "script_name": "ghost"});
    served.post(&format!("{dead}/consumers"), worker).await.fails(404, 10007);
    let replaced =
        served.put(&one, json!({"type": "http_pull", "dead_letter_queue": "dead"})).await;
    assert_eq!(replaced.ok()["settings"]["batch_size"], 10);
    let bad = json!({"type": "http_pull", "settings": {"batch_size": 101}});
    served.put(&one, bad).await.fails(400, 100_127);
    served.delete(&dead).await.fails(400, 11005);
    assert_eq!(served.get(&one).await.ok()["type"], "http_pull");
    served.delete(&one).await.ok();
    served.delete(&one).await.fails(404, 11006);
    assert_eq!(served.get(&consumers).await.ok(), json!([]));
    served.delete(&dead).await.ok();
}

#[tokio::test]
async fn messages_are_leased_acknowledged_and_buried() {
    let served = Served::new().await;
    let path = create(&served, "jobs").await;
    let dead = create(&served, "dead").await;
    let messages = format!("{path}/messages");
    served.post(&format!("{messages}/pull"), json!({})).await.fails(400, 10013);
    let consumer = json!({"type": "http_pull", "dead_letter_queue": "dead",
                          "settings": {"max_retries": 0}});
    served.post(&format!("{path}/consumers"), consumer).await.ok();
    served.post(&messages, json!({"body": {"n": 1}, "content_type": "json"})).await.ok();
    let batch = json!({"messages": [{"body": "two", "content_type": "text"},
                                    {"body": "late", "content_type": "text", "delay_seconds": 60}]});
    served.post(&format!("{messages}/batch"), batch).await.ok();
    served.post(&messages, json!({"content_type": "json"})).await.fails(400, 10207);
    assert_eq!(served.get(&format!("{path}/metrics")).await.ok()["backlog_count"], 3);

    let pull = json!({"batch_size": 10, "visibility_timeout_ms": 0});
    let pulled = served.post(&format!("{messages}/pull"), pull.clone()).await.ok();
    let got = pulled["messages"].as_array().unwrap();
    assert_eq!(got.len(), 2);
    assert_eq!(got[0]["body"], "eyJuIjoxfQ==");
    assert_eq!(got[1]["body"], "two");
    assert_eq!(got[1]["attempts"], 1);
    let ack = json!({"acks": [{"lease_id": got[0]["lease_id"]}, {"lease_id": "old"}]});
    let acked = served.post(&format!("{messages}/ack"), ack).await.ok();
    assert_eq!(acked["ackCount"], 1);
    assert!(acked["warnings"]["old"].is_string());

    // No retry is left for the other one: it moves to the dead letter queue.
    let empty = served.post(&format!("{messages}/pull"), pull).await.ok();
    assert_eq!(empty["messages"], json!([]));
    assert_eq!(served.get(&format!("{dead}/metrics")).await.ok()["backlog_count"], 1);
    served.post(&format!("{path}/purge"), json!({})).await.fails(400, 10026);
    let purge = json!({"delete_messages_permanently": true});
    served.post(&format!("{path}/purge"), purge).await.ok();
    assert_eq!(served.get(&format!("{path}/metrics")).await.ok()["backlog_count"], 0);
    assert!(served.get(&format!("{path}/purge")).await.ok()["started_at"].is_string());
}
