//! Workers: what has to come before an upload, a consumer or a delete.

use crate::support::{Reply, Served, reply};
use crate::workers::{form, upload, upload_code};
use reqwest::Method;
use serde_json::{Value, json};

const MUTE: &str = "export default { fetch() {} };\n";

/// A queue that a script consumes: the path of its consumers, and of the consumer.
async fn consumed(served: &Served, script: &str) -> (String, String) {
    let queue = served.post("queues", json!({"queue_name": "jobs"})).await.ok();
    let consumers = format!("queues/{}/consumers", queue["queue_id"].as_str().unwrap());
    let consumer = json!({"type": "worker", "script_name": script});
    let made = served.post(&consumers, consumer).await.ok();
    let one = format!("{consumers}/{}", made["consumer_id"].as_str().unwrap());
    (consumers, one)
}

async fn content(served: &Served, code: &str) -> Reply {
    let path = served.in_account("workers/scripts/api/content");
    let sent = form(&json!({"main_module": "index.js"}), code);
    reply(served.request(Method::PUT, &path).multipart(sent)).await
}

async fn version(served: &Served, code: &str) -> Value {
    let path = served.in_account("workers/scripts/api/versions");
    let sent = form(&json!({"main_module": "index.js"}), code);
    reply(served.request(Method::POST, &path).multipart(sent)).await.ok()
}

#[tokio::test]
async fn code_without_the_handler_of_a_consumer_that_is_left_does_not_go_live() {
    let served = Served::new().await;
    let first = upload(&served, "api", json!({})).await.ok();
    let (consumers, consumer) = consumed(&served, "api").await;
    upload(&served, "api", json!({})).await.ok();
    upload_code(&served, "api", json!({}), MUTE).await.fails(400, 11001);
    content(&served, MUTE).await.fails(400, 11001);
    // A version alone is not live, so what is asked for is asked when it is deployed.
    let mute = version(&served, MUTE).await;
    let deploy = json!({"versions": [{"version_id": mute["id"], "percentage": 100}]});
    served.post("workers/scripts/api/deployments", deploy.clone()).await.fails(400, 11001);
    let live = served.get("workers/scripts").await.ok();
    assert_eq!(live[0]["etag"], first["etag"], "what was refused changed nothing");

    served.delete(&consumer).await.ok();
    served.post("workers/scripts/api/deployments", deploy).await.ok();
    upload_code(&served, "api", json!({}), MUTE).await.ok();
    let again = json!({"type": "worker", "script_name": "api"});
    served.post(&consumers, again).await.fails(400, 11001);
}

#[tokio::test]
async fn a_consumer_moves_between_the_upload_of_the_new_script_and_that_of_the_old_one() {
    let served = Served::new().await;
    upload(&served, "old", json!({})).await.ok();
    upload_code(&served, "new", json!({}), MUTE).await.ok();
    let (_, consumer) = consumed(&served, "old").await;
    let to_new = json!({"type": "worker", "script_name": "new"});
    served.put(&consumer, to_new.clone()).await.fails(400, 11001);
    upload_code(&served, "old", json!({}), MUTE).await.fails(400, 11001);
    served.delete("workers/scripts/old").await.fails(400, 10064);
    upload(&served, "new", json!({})).await.ok();
    served.put(&consumer, to_new).await.ok();
    upload_code(&served, "old", json!({}), MUTE).await.ok();
    served.delete("workers/scripts/old").await.ok();
    upload_code(&served, "new", json!({}), MUTE).await.fails(400, 11001);
}

#[tokio::test]
async fn a_class_that_another_worker_is_bound_to_is_not_deleted() {
    let served = Served::new().await;
    let make = json!({"migrations": {"new_tag": "v1", "new_sqlite_classes": ["Room"]}});
    upload(&served, "rooms", make).await.ok();
    let binding = json!([{"name": "ROOM", "type": "durable_object_namespace",
                          "class_name": "Room", "script_name": "rooms"}]);
    upload(&served, "web", json!({"bindings": binding})).await.ok();
    let delete = json!({"migrations": {
        "old_tag": "v1", "new_tag": "v2", "deleted_classes": ["Room"],
    }});
    upload_code(&served, "rooms", delete.clone(), MUTE).await.fails(400, 10061);
    let spaces = served.get("workers/durable_objects/namespaces").await.ok();
    assert_eq!(spaces[0]["class"], "Room", "what was refused changed nothing");
    upload(&served, "web", json!({})).await.ok();
    upload_code(&served, "rooms", delete, MUTE).await.ok();
}
