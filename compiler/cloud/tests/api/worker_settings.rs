//! Workers: settings, references, deletion.

use crate::support::{Served, reply};
use crate::workers::{names, upload, upload_code};
use reqwest::Method;
use reqwest::multipart::Form;
use serde_json::{Value, json};

#[tokio::test]
async fn settings_of_a_version_and_of_the_script() {
    let served = Served::new().await;
    let bindings = json!([{"name": "KEY", "type": "secret_text", "text": "x"},
                          {"name": "STAGE", "type": "plain_text", "text": "dev"}]);
    upload(&served, "api", json!({"bindings": bindings, "tags": ["a"]})).await.ok();
    let path = "workers/scripts/api/settings";
    let edit = async |settings: Value| {
        let form = Form::new().text("settings", settings.to_string());
        reply(served.request(Method::PATCH, &served.in_account(path)).multipart(form)).await
    };
    served.patch(path, json!({})).await.fails(400, 10001);
    let changed = edit(json!({"compatibility_date": "2026-01-01", "tags": ["b"], "bindings": [
        {"name": "KEY", "type": "inherit"}, {"name": "STAGE", "type": "plain_text", "text": "prod"},
    ]}))
    .await
    .ok();
    assert_eq!(changed["compatibility_date"], "2026-01-01");
    assert_eq!(changed["bindings"][1]["text"], "prod");
    assert_eq!(names(&served, "api").await, ["KEY", "STAGE"]);
    edit(json!({"bindings": [{"name": "NO", "type": "inherit"}]})).await.fails(400, 10057);
    edit(json!({"compatibility_date": "soon"})).await.fails(400, 10021);

    let path = "workers/scripts/api/script-settings";
    assert_eq!(served.get(path).await.ok()["tags"], json!(["b"]));
    let body = json!({"tags": ["c"], "logpush": true, "observability": {"enabled": true}});
    let changed = served.patch(path, body).await.ok();
    assert_eq!((&changed["tags"], &changed["logpush"]), (&json!(["c"]), &json!(true)));
    served.patch(path, json!({"tags": "c"})).await.fails(400, 10021);
    served.patch("workers/scripts/no/script-settings", json!({})).await.fails(404, 10007);
}

#[tokio::test]
async fn deletion_asks_who_still_needs_the_worker() {
    let served = Served::new().await;
    upload(&served, "api", json!({"migrations": {"new_sqlite_classes": ["Room"]}})).await.ok();
    let front = json!({"bindings": [{"name": "API", "type": "service", "service": "api"}],
                       "tail_consumers": [{"service": "api"}, "odd"]});
    upload(&served, "front", front).await.ok();
    let rooms = json!({"bindings": [{"name": "ROOM", "type": "durable_object_namespace",
                                     "class_name": "Room", "script_name": "api"}]});
    upload(&served, "rooms", rooms).await.ok();
    let found = served.get("workers/scripts/api/references").await.ok();
    assert_eq!(found["services"]["incoming"][0]["service"], "front");
    assert_eq!(found["durable_objects"][0]["durable_object_namespace_name"], "api_Room");
    let tails = served.get("workers/tails/by-consumer/api").await.ok();
    assert_eq!(tails[0]["producer"]["service"], "front");
    served.delete("workers/scripts/api").await.fails(400, 10142);

    let queue = served.post("queues", json!({"queue_name": "jobs"})).await.ok();
    let consumers = format!("queues/{}/consumers", queue["queue_id"].as_str().unwrap());
    upload_code(&served, "mute", json!({}), "export default { fetch() {} }").await.ok();
    let consumer = |name: &str| json!({"type": "worker", "script_name": name});
    served.post(&consumers, consumer("ghost")).await.fails(404, 10007);
    served.post(&consumers, consumer("mute")).await.fails(400, 11001);
    let made = served.post(&consumers, consumer("api")).await.ok();
    served.delete("workers/scripts/api?force=true").await.fails(400, 10064);
    served.delete(&format!("{consumers}/{}", made["consumer_id"].as_str().unwrap())).await.ok();
    served.delete("workers/services/api?force=true").await.ok();
    assert_eq!(served.get("workers/durable_objects/namespaces").await.ok(), json!([]));
    served.delete("workers/services/api").await.fails(404, 10090);
    served.delete("workers/scripts/api").await.fails(404, 10007);
}

/// What was never set is told differently by each call, as in recorded answers.
#[tokio::test]
async fn what_was_never_set_is_null_absent_or_empty_by_the_call() {
    let served = Served::new().await;
    let made = upload(&served, "api", json!({"placement": {}})).await.ok();
    let listed = served.get("workers/scripts").await.ok()[0].clone();
    for answer in [&made, &listed] {
        assert!(answer["tags"].is_null() && answer["tail_consumers"].is_null(), "{answer}");
        for key in ["placement", "observability", "compatibility_flags", "named_handlers"] {
            assert!(answer.get(key).is_none(), "{key}: {answer}");
        }
    }
    assert_eq!(made["deployment_id"].as_str().unwrap().len(), 32);
    assert_eq!((&listed["deployment_id"], &listed["routes"]), (&json!(""), &json!(null)));
    let settings = served.get("workers/scripts/api/settings").await.ok();
    for (key, empty) in [
        ("tags", json!([])),
        ("tail_consumers", json!([])),
        ("compatibility_flags", json!([])),
        ("placement", json!({})),
    ] {
        assert_eq!(settings[key], empty, "{key}");
    }
    let bindings = served.get("workers/scripts/api/bindings").await.ok();
    assert_eq!(bindings, settings["bindings"]);
    let versions = served.get("workers/scripts/api/versions").await;
    assert!(versions.body["errors"].is_null() && versions.body["messages"].is_null());
    assert!(versions.body["result_info"].get("total_pages").is_none(), "{versions:?}");
    // The newer model is filled up with what stands for the rest.
    let observed = json!({"observability": {"enabled": true, "head_sampling_rate": 0.1}});
    upload(&served, "api", observed).await.ok();
    let whole = served.get("workers/workers/api").await.ok()["observability"].clone();
    assert_eq!((&whole["head_sampling_rate"], &whole["enabled"]), (&json!(0.1), &json!(true)));
    assert_eq!(
        (&whole["logs"]["persist"], &whole["traces"]["enabled"]),
        (&json!(true), &json!(false))
    );
    let gone = served.delete("workers/scripts/api").await.ok();
    assert_eq!(gone, json!({"id": made["tag"]}));
}

#[tokio::test]
async fn the_content_of_assets_alone_is_no_form() {
    let served = Served::new().await;
    let request = served
        .request(Method::PUT, &served.in_account("workers/scripts/site"))
        .multipart(Form::new().text("metadata", json!({"keep_assets": true}).to_string()));
    reply(request).await.ok();
    let content = served.request(Method::GET, &served.in_account("workers/scripts/site"));
    let content = content.send().await.unwrap();
    assert_eq!(content.headers()["content-type"], "application/javascript");
    assert_eq!(content.text().await.unwrap(), "");
}
