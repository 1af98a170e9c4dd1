//! Workers KV.

use crate::support::{Served, reply};
use reqwest::{Method, multipart::Form};
use serde_json::{Value, json};

const BASE: &str = "storage/kv/namespaces";

async fn create(served: &Served, title: &str) -> String {
    let created = served.post(BASE, json!({"title": title})).await.ok();
    format!("{BASE}/{}", created["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_namespace_lives_and_dies() {
    let served = Served::new().await;
    let path = create(&served, "app-cache").await;
    served.post(BASE, json!({"title": "app-cache"})).await.fails(400, 10014);
    served.post(BASE, json!({})).await.fails(400, 10019);
    served.post(BASE, json!({"title": ""})).await.fails(400, 10019);
    served.post(BASE, json!({"title": "x".repeat(513)})).await.fails(400, 10019);
    assert_eq!(served.get(&path).await.ok()["title"], "app-cache");
    assert_eq!(served.put(&path, json!({"title": "renamed"})).await.ok()["title"], "renamed");
    create(&served, "other").await;
    served.put(&path, json!({"title": "other"})).await.fails(400, 10014);
    served.put(&format!("{path}/values/k"), json!("v")).await.ok();
    assert_eq!(served.delete(&path).await.ok(), Value::Null);
    served.delete(&path).await.fails(404, 10013);
    served.get(&format!("{path}/keys")).await.fails(404, 10013);
    served.patch(&create(&served, "x").await, json!({})).await.fails(405, 10405);
}

#[tokio::test]
async fn namespaces_are_paged() {
    let served = Served::new().await;
    for n in 0..7 {
        create(&served, &format!("ns-{n}")).await;
    }
    let page = served.get(&format!("{BASE}?per_page=5&page=2&order=title")).await;
    assert_eq!(page.body["result_info"]["total_pages"], 2);
    assert_eq!(page.ok()[0]["title"], "ns-5");
    assert_eq!(served.get(&format!("{BASE}?page=99")).await.ok(), json!([]));
    served.get(&format!("{BASE}?per_page=0")).await.fails(400, 10012);
    served.get(&format!("{BASE}?per_page=1001")).await.fails(400, 10012);
}

#[tokio::test]
async fn values_are_bytes_with_metadata_and_expiry() {
    let served = Served::new().await;
    let path = create(&served, "ns").await;
    let key = format!("{path}/values/a%2Fb:%C3%A4");
    let full = served.in_account(&key);
    reply(served.request(Method::PUT, &full).body(vec![0_u8, 255])).await.ok();
    let got = served.request(Method::GET, &full).send().await.unwrap();
    assert_eq!(&got.bytes().await.unwrap()[..], [0, 255]);
    assert_eq!(served.get(&format!("{path}/metadata/a%2Fb:%C3%A4")).await.ok(), Value::Null);

    let form = Form::new().text("value", "text").text("metadata", "{\"n\": 1}");
    let put = format!("{full}?expiration_ttl=3600");
    reply(served.request(Method::PUT, &put).multipart(form)).await.ok();
    let got = served.request(Method::GET, &full).send().await.unwrap();
    assert!(got.headers().contains_key("expiration"));
    assert_eq!(got.text().await.unwrap(), "text");
    let keys = served.get(&format!("{path}/keys?prefix=a/")).await.ok();
    assert_eq!(keys[0]["name"], "a/b:ä");
    assert_eq!(keys[0]["metadata"], json!({"n": 1}));
    assert!(keys[0]["expiration"].as_i64().is_some());

    served.get(&format!("{path}/values/none")).await.fails(404, 10009);
    served.get(&format!("{path}/metadata/none")).await.fails(404, 10009);
    served.delete(&format!("{path}/values/none")).await.ok();
    served.put(&format!("{path}/values/k?expiration_ttl=59"), json!(1)).await.fails(400, 10034);
    served.put(&format!("{path}/values/k?expiration=1"), json!(1)).await.fails(400, 10034);
    let long = "k".repeat(513);
    served.put(&format!("{path}/values/{long}"), json!(1)).await.fails(414, 10028);
}

#[tokio::test]
async fn bulk_calls_and_cursors() {
    let served = Served::new().await;
    let path = create(&served, "ns").await;
    let pairs: Vec<Value> =
        (0..25).map(|n| json!({"key": format!("k{n:02}"), "value": format!("{n}")})).collect();
    let put = served.put(&format!("{path}/bulk"), json!(pairs)).await.ok();
    assert_eq!(put["successful_key_count"], 25);
    let mut names = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = served.get(&format!("{path}/keys?limit=10&cursor={cursor}")).await;
        cursor = page.body["result_info"]["cursor"].as_str().unwrap().to_owned();
        names.extend(page.ok().as_array().unwrap().iter().map(|k| k["name"].clone()));
        if cursor.is_empty() {
            break;
        }
    }
    assert_eq!(names.len(), 25);
    served.get(&format!("{path}/keys?limit=9")).await.fails(400, 10012);

    let get = json!({"keys": ["k01", "none"], "type": "json", "withMetadata": true});
    let got = served.post(&format!("{path}/bulk/get"), get).await.ok();
    assert_eq!(got["values"], json!({"k01": {"value": 1, "metadata": null}, "none": null}));

    served.post(&format!("{path}/bulk/delete"), json!(["k00", "none"])).await.ok();
    let older = served.in_account(&format!("{path}/bulk"));
    served.call(Method::DELETE, &older, Some(json!(["k01"]))).await.ok();
    let left = served.get(&format!("{path}/keys")).await.ok();
    assert_eq!(left.as_array().unwrap().len(), 23);
    served.put(&format!("{path}/bulk"), json!([])).await.fails(400, 10029);
    served.put(&format!("{path}/bulk"), json!({})).await.fails(400, 10012);
    let encoded = json!([{"key": "b", "value": "AP8=", "base64": true}]);
    served.put(&format!("{path}/bulk"), encoded).await.ok();
    let full = served.in_account(&format!("{path}/values/b"));
    let got = served.request(Method::GET, &full).send().await.unwrap();
    assert_eq!(&got.bytes().await.unwrap()[..], [0, 255]);
}
