//! Workers: versions, deployments, and Workers that have no code yet.

use crate::support::{Reply, Served, reply};
use crate::workers::{CODE, form, names, upload};
use reqwest::Method;
use serde_json::{Value, json};

async fn add(served: &Served, name: &str, mut metadata: Value) -> Reply {
    metadata["main_module"] = json!("index.js");
    let path =
        served.in_account(&format!("workers/scripts/{name}/versions?bindings_inherit=strict"));
    reply(served.request(Method::POST, &path).multipart(form(&metadata, CODE))).await
}

fn all_of(id: &Value) -> Value {
    json!({"strategy": "percentage", "versions": [{"version_id": id, "percentage": 100}]})
}

#[tokio::test]
async fn a_version_answers_once_it_is_deployed() {
    let served = Served::new().await;
    add(&served, "api", json!({})).await.fails(404, 10007);
    served.get("workers/scripts/api/versions").await.fails(404, 10007);
    served.get("workers/scripts/api/deployments").await.fails(404, 10007);
    let stage = |stage: &str| json!([{"name": stage, "type": "plain_text", "text": "x"}]);
    upload(&served, "api", json!({"bindings": stage("ONE")})).await.ok();
    let metadata = json!({"bindings": stage("TWO"), "annotations": {"workers/message": "two"}});
    let second = add(&served, "api", metadata).await.ok();
    assert_eq!((&second["number"], &second["metadata"]["source"]), (&json!(2), &json!("api")));
    assert_eq!(second["resources"]["bindings"][0]["name"], "TWO");
    assert_eq!(names(&served, "api").await, ["ONE"]);
    // What is not live cannot be built upon.
    let secret = json!({"name": "KEY", "text": "x"});
    served.put("workers/scripts/api/secrets", secret.clone()).await.fails(400, 10215);

    let versions = served.get("workers/scripts/api/versions?deployable=true&per_page=1").await.ok();
    assert_eq!(versions["items"].as_array().unwrap().len(), 2);
    assert_eq!(versions["items"][0]["annotations"]["workers/message"], "two");
    let page = served.get("workers/scripts/api/versions?per_page=1&page=2").await;
    assert_eq!(page.body["result"]["items"][0]["number"], 1);
    assert_eq!(page.body["result_info"]["total_count"], 2);
    let path = "workers/scripts/api/deployments";
    let made = served.post(path, all_of(&second["id"])).await.ok();
    assert_eq!(made["versions"][0], json!({"version_id": second["id"], "percentage": 100}));
    assert_eq!(names(&served, "api").await, ["TWO"]);
    served.put("workers/scripts/api/secrets", secret).await.ok();
    let listed = served.get(path).await.ok()["deployments"].clone();
    assert_eq!(listed.as_array().unwrap().len(), 3);
    assert_eq!(listed[1]["id"], made["id"]);
    assert_eq!(served.get(&format!("{path}/{}", made["id"].as_str().unwrap())).await.ok(), made);

    // The older version has no such secret.
    served.post(path, all_of(&second["id"])).await.fails(400, 10220);
    let back = served.post(&format!("{path}?force=true"), all_of(&second["id"])).await.ok();
    assert_eq!(back["annotations"]["workers/triggered_by"], "rollback");
    assert_eq!(names(&served, "api").await, ["TWO"]);
    served.delete(&format!("{path}/{}", back["id"].as_str().unwrap())).await.fails(400, 10210);
    served.delete(&format!("{path}/{}", made["id"].as_str().unwrap())).await.ok();
    served.delete(&format!("{path}/{}", made["id"].as_str().unwrap())).await.fails(404, 10336);
}

#[tokio::test]
async fn versions_and_deployments_are_checked() {
    let served = Served::new().await;
    upload(&served, "api", json!({})).await.ok();
    let moved = json!({"migrations": {"new_sqlite_classes": ["Room"]}});
    add(&served, "api", moved).await.fails(400, 10211);
    let lost = json!({"bindings": [{"name": "A", "type": "inherit"}]});
    add(&served, "api", lost).await.fails(400, 10057);
    let path = "workers/scripts/api";
    let nobody = "f1b1f5c2-6d0a-4c57-9a43-2f0f5d1b7e10";
    served.get(&format!("{path}/versions/{nobody}")).await.fails(404, 100_146);
    served.get(&format!("{path}/deployments/{nobody}")).await.fails(404, 10336);
    let second = add(&served, "api", json!({})).await.ok();
    let first = &served.get(&format!("{path}/versions")).await.ok()["items"][1]["id"].clone();
    let deploy = async |shares: &[(&Value, f64)]| -> Reply {
        let versions: Vec<Value> = shares
            .iter()
            .map(|(id, share)| json!({"version_id": id, "percentage": share}))
            .collect();
        let body = json!({"strategy": "percentage", "versions": versions});
        served.post("workers/scripts/api/deployments", body).await
    };
    let second = &second["id"];
    deploy(&[]).await.fails(400, 10210);
    deploy(&[(first, 50.0)]).await.fails(400, 10210);
    deploy(&[(first, 50.0), (first, 50.0)]).await.fails(400, 10210);
    deploy(&[(first, 100.0), (second, 0.0)]).await.fails(400, 10210);
    deploy(&[(first, 1.0), (second, 1.0), (&json!("x"), 98.0)]).await.fails(400, 10210);
    deploy(&[(&json!(nobody), 100.0)]).await.fails(404, 100_146);
    let split = deploy(&[(first, 0.5), (second, 99.5)]).await.ok();
    assert_eq!(&split["versions"][0]["version_id"], second);
    served.post(&format!("{path}/deployments"), json!({"strategy": "x"})).await.fails(400, 10210);
    served.post(&format!("{path}/deployments"), json!([])).await.fails(400, 10210);
}

#[tokio::test]
async fn versions_beyond_a_hundred_are_forgotten() {
    let served = Served::new().await;
    upload(&served, "api", json!({})).await.ok();
    let secret = json!({"name": "KEY", "text": "x"});
    for _ in 0..110 {
        served.put("workers/scripts/api/secrets", secret.clone()).await.ok();
    }
    let versions = served.get("workers/scripts/api/versions?deployable=true").await.ok();
    assert_eq!(versions["items"].as_array().unwrap().len(), 100);
    assert_eq!(versions["items"][0]["number"], 111);
}

#[tokio::test]
async fn a_worker_may_be_there_before_its_code() {
    let served = Served::new().await;
    let made = served.post("workers/workers", json!({"name": "api", "tags": ["a"]})).await.ok();
    assert_eq!((&made["name"], &made["deployed_on"]), (&json!("api"), &Value::Null));
    served.post("workers/workers", json!({"name": "api"})).await.fails(409, 10040);
    served.post("workers/workers", json!({"name": "No"})).await.fails(400, 10016);
    served.post("workers/workers", json!({"name": "x", "tags": "a"})).await.fails(400, 10021);
    let by_id = format!("workers/workers/{}", made["id"].as_str().unwrap());
    assert_eq!(served.get(&by_id).await.ok(), made);
    assert_eq!(served.get("workers/workers/api").await.ok(), made);
    // It is listed and can be bound, and answers nothing.
    assert_eq!(served.get("workers/scripts?tags=a").await.ok()[0]["id"], "api");
    let bound = json!({"bindings": [{"name": "API", "type": "service", "service": "api"}]});
    upload(&served, "front", bound).await.ok();
    served.get("workers/scripts/api/versions").await.fails(404, 10222);
    assert_eq!(served.get("workers/scripts/api/settings").await.ok()["bindings"], json!([]));
    served.get("workers/scripts/api").await.fails(404, 10007);
    let secret = json!({"name": "KEY", "text": "x"});
    served.put("workers/scripts/api/secrets", secret).await.fails(404, 10222);

    let uploaded = upload(&served, "api", json!({})).await.ok();
    assert_eq!((&uploaded["tag"], &uploaded["tags"]), (&made["id"], &json!(["a"])));
    let changed = json!({"subdomain": {"enabled": true}});
    assert_eq!(served.patch(&by_id, changed).await.ok()["subdomain"]["enabled"], true);
    let listed = served.get("workers/workers?per_page=1").await;
    assert_eq!(listed.body["result_info"]["total_count"], 2);
    served.delete(&by_id).await.fails(400, 10142);
    served.delete("workers/scripts/front").await.ok();
    served.delete(&by_id).await.ok();
    served.get(&by_id).await.fails(404, 10007);
}

#[tokio::test]
async fn a_secret_may_wait_in_a_version() {
    let served = Served::new().await;
    let path = "workers/workers/api/versions/latest";
    let body = json!({"env": {"KEY": {"type": "secret_text", "text": "x"}},
                      "annotations": {"workers/message": "with a key"}});
    served.patch(path, body.clone()).await.fails(404, 10007);
    served.post("workers/workers", json!({"name": "api"})).await.ok();
    served.patch(path, body.clone()).await.fails(404, 10222);
    upload(&served, "api", json!({})).await.ok();
    let made = served.patch(path, body).await.ok();
    assert_eq!(made["annotations"]["workers/message"], "with a key");
    assert_eq!(served.get("workers/scripts/api/secrets").await.ok(), json!([]));
    served.post("workers/scripts/api/deployments", all_of(&made["id"])).await.ok();
    assert_eq!(names(&served, "api").await, ["KEY"]);
    let gone = served.patch(path, json!({"env": {"KEY": null}})).await.ok();
    assert_eq!(gone["number"], 3);
    served.patch(path, json!({"env": []})).await.fails(400, 10021);
}
