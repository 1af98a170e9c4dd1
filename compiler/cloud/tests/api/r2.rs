//! R2 over REST.

use crate::support::{Reply, Served, reply};
use envc_cloud::Faults;
use reqwest::Method;
use serde_json::{Value, json};

const BASE: &str = "r2/buckets";

async fn put(served: &Served, bucket: &str, key: &str, body: &str) -> Value {
    let path = served.in_account(&format!("{BASE}/{bucket}/objects/{key}"));
    let request = served.request(Method::PUT, &path).header("content-type", "text/plain");
    reply(request.body(body.to_owned())).await.ok()
}

async fn delete_many(served: &Served, bucket: &str, keys: Value) -> Reply {
    let path = served.in_account(&format!("{BASE}/{bucket}/objects"));
    served.call(Method::DELETE, &path, Some(keys)).await
}

#[tokio::test]
async fn a_bucket_lives_and_dies() {
    let served = Served::new().await;
    let body = json!({"name": "app-files", "locationHint": "weur"});
    let created = served.post(BASE, body.clone()).await.ok();
    assert_eq!(created["location"], "WEUR");
    assert_eq!(created["storage_class"], "Standard");
    served.post(BASE, body).await.fails(409, 10004);
    served.post(BASE, json!({"name": "No"})).await.fails(400, 10005);
    served.post(BASE, json!({})).await.fails(400, 10040);
    let path = format!("{BASE}/app-files");
    assert_eq!(served.get(&path).await.ok()["jurisdiction"], "default");
    let full = served.in_account(&path);
    let request = served.request(Method::PATCH, &full);
    let patched = reply(request.header("cf-r2-storage-class", "InfrequentAccess")).await.ok();
    assert_eq!(patched["storage_class"], "InfrequentAccess");

    // The same name lives on its own in another jurisdiction.
    let eu = |method| served.request(method, &full).header("cf-r2-jurisdiction", "eu");
    reply(eu(Method::GET)).await.fails(404, 10006);

    put(&served, "app-files", "k", "v").await;
    let refused = served.delete(&path).await;
    refused.fails_bare(409);
    assert!(refused.error().contains("is not empty"));
    served.delete(&format!("{path}/objects/k")).await.ok();
    assert_eq!(served.delete(&path).await.ok(), json!({}));
    served.delete(&path).await.fails(404, 10006);
}

#[tokio::test]
async fn a_full_bucket_may_be_refused_with_a_code() {
    let served = Served::with(Faults::parse("coded-conflict").unwrap()).await;
    served.post(BASE, json!({"name": "bkt"})).await.ok();
    put(&served, "bkt", "k", "v").await;
    served.delete(&format!("{BASE}/bkt")).await.fails(409, 10008);
}

#[tokio::test]
async fn open_uploads_are_in_no_list_and_keep_a_bucket() {
    let served = Served::with(Faults::parse("open-uploads=1").unwrap()).await;
    served.post(BASE, json!({"name": "bkt"})).await.ok();
    assert_eq!(served.get(&format!("{BASE}/bkt/objects")).await.ok(), json!([]));
    let refused = served.delete(&format!("{BASE}/bkt")).await;
    refused.fails_bare(409);
    assert!(refused.error().contains("is not empty"), "{refused:?}");
    served.hook("r2/bkt/uploads/2").await.ok();
    served.delete(&format!("{BASE}/bkt")).await.fails_bare(409);
    served.hook("r2/bkt/uploads/0").await.ok();
    served.delete(&format!("{BASE}/bkt")).await.ok();
}

#[tokio::test]
async fn a_bulk_deletion_may_say_what_it_did_not_do() {
    let served = Served::with(Faults::parse("kept-objects").unwrap()).await;
    served.post(BASE, json!({"name": "bkt"})).await.ok();
    put(&served, "bkt", "k", "v").await;
    let gone = delete_many(&served, "bkt", json!(["k"])).await.ok();
    assert_eq!(gone, json!([{"key": "k"}]));
    assert_eq!(served.get(&format!("{BASE}/bkt/objects")).await.ok()[0]["key"], "k");
}

#[tokio::test]
async fn buckets_are_paged_by_cursor() {
    let served = Served::new().await;
    for n in 0..5 {
        served.post(BASE, json!({"name": format!("bucket-{n}")})).await.ok();
    }
    let first = served.get(&format!("{BASE}?per_page=3")).await;
    let cursor = first.body["result_info"]["cursor"].as_str().unwrap().to_owned();
    let last = served.get(&format!("{BASE}?per_page=3&cursor={cursor}")).await;
    assert!(last.body.get("result_info").is_none());
    assert_eq!(last.ok()["buckets"].as_array().unwrap().len(), 2);
    let named = served.get(&format!("{BASE}?name_contains=t-4")).await.ok();
    assert_eq!(named["buckets"][0]["name"], "bucket-4");
    served.get(&format!("{BASE}?per_page=1001")).await.fails(400, 10040);
}

#[tokio::test]
async fn objects_are_stored_listed_and_removed() {
    let served = Served::new().await;
    served.post(BASE, json!({"name": "bkt"})).await.ok();
    let stored = put(&served, "bkt", "dir/a%20b.txt", "hello").await;
    assert_eq!(stored["key"], "dir/a b.txt");
    assert_eq!(stored["size"], "5");
    assert_eq!(stored["etag"], "5d41402abc4b2a76b9719d911017c592");
    let path = served.in_account(&format!("{BASE}/bkt/objects/dir/a%20b.txt"));
    let got = served.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(got.headers()["etag"], "\"5d41402abc4b2a76b9719d911017c592\"");
    assert_eq!(got.headers()["content-type"], "text/plain");
    let etag = got.headers()["etag"].clone();
    assert_eq!(got.text().await.unwrap(), "hello");
    let fresh = served.request(Method::GET, &path).header("if-none-match", etag);
    assert_eq!(fresh.send().await.unwrap().status(), 304);
    let head = served.request(Method::HEAD, &path).send().await.unwrap();
    assert_eq!(head.status(), 404);
    let meta = reply(served.request(Method::GET, &path).header("cf-metadata-only", "true")).await;
    assert_eq!(meta.ok()["size"], 5);

    put(&served, "bkt", "dir/c", "2").await;
    put(&served, "bkt", "top", "3").await;
    let list = served.get(&format!("{BASE}/bkt/objects?delimiter=/")).await;
    assert_eq!(list.body["result_info"]["delimited"], json!(["dir/"]));
    assert_eq!(list.ok()[0]["key"], "top");
    let first = served.get(&format!("{BASE}/bkt/objects?per_page=2")).await;
    assert_eq!(first.body["result_info"]["is_truncated"], true);
    let cursor = first.body["result_info"]["cursor"].as_str().unwrap().to_owned();
    let rest = served.get(&format!("{BASE}/bkt/objects?per_page=2&cursor={cursor}")).await;
    assert_eq!(rest.body["result_info"]["is_truncated"], false);
    assert_eq!(rest.ok()[0]["key"], "top");
    let inside = served.get(&format!("{BASE}/bkt/objects?prefix=dir/")).await.ok();
    assert_eq!(inside.as_array().unwrap().len(), 2);
    assert_eq!(inside[0]["http_metadata"]["contentType"], "text/plain");

    let gone = delete_many(&served, "bkt", json!(["dir/c", "top", "none"])).await.ok();
    assert_eq!(gone, json!([{"key": "dir/c"}, {"key": "top"}, {"key": "none"}]));
    served.delete(&format!("{BASE}/bkt/objects/none")).await.ok();
    served.get(&format!("{BASE}/bkt/objects/none")).await.fails(404, 10007);
    served.get(&format!("{BASE}/none/objects")).await.fails(404, 10006);
}
