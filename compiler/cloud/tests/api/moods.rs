//! Moods: what is normal on the real API. Each comes by its own word, and passes.

use std::time::Duration;

use crate::support::{Reply, Served};
use crate::workers::{CODE, form, upload, upload_code};
use envc_cloud::Faults;
use reqwest::Method;
use serde_json::{Value, json};

async fn served(spec: &str) -> Served {
    Served::with(Faults::parse(spec).unwrap()).await
}

async fn made(served: &Served, path: &str, body: Value, field: &str) -> String {
    served.post(path, body).await.ok()[field].as_str().unwrap().to_owned()
}

async fn zone(served: &Served) -> String {
    let zones = served.call(Method::GET, "zones", None).await.ok();
    format!("zones/{}", zones[0]["id"].as_str().unwrap())
}

#[track_caller]
fn answered(reply: &Reply, (status, code): (u16, i64)) {
    if code == 0 { reply.fails_bare(status) } else { reply.fails(status, code) }
}

#[tokio::test]
async fn what_was_just_made_is_not_bound_at_once() {
    let served = served("lag-tries=2").await;
    let kv = made(&served, "storage/kv/namespaces", json!({"title": "a"}), "id").await;
    let d1 = made(&served, "d1/database", json!({"name": "a"}), "uuid").await;
    made(&served, "r2/buckets", json!({"name": "bkt"}), "name").await;
    made(&served, "queues", json!({"queue_name": "jobs"}), "queue_id").await;
    let index = json!({"name": "vec", "config": {"dimensions": 3, "metric": "cosine"}});
    made(&served, "vectorize/v2/indexes", index, "name").await;
    for (n, (binding, answers)) in [
        (json!({"type": "kv_namespace", "namespace_id": kv}), [(400, 10041), (400, 10041)]),
        (json!({"type": "d1", "database_id": d1}), [(400, 10021), (400, 10181)]),
        (json!({"type": "r2_bucket", "bucket_name": "bkt"}), [(400, 10085), (400, 10085)]),
        (json!({"type": "queue", "queue_name": "jobs"}), [(400, 11000), (400, 11000)]),
        (json!({"type": "vectorize", "index_name": "vec"}), [(400, 10159), (400, 10159)]),
    ]
    .into_iter()
    .enumerate()
    {
        let mut binding = binding;
        binding["name"] = json!("X");
        let metadata = json!({"bindings": [binding]});
        let name = format!("w{n}");
        for answer in answers {
            let refused = upload(&served, &name, metadata.clone()).await;
            answered(&refused, answer);
            if answer.1 == 10021 {
                assert!(refused.error().contains("failed to generate. Please try again later"));
            }
        }
        // Nothing was made meanwhile, and it is seen from here on.
        served.get(&format!("workers/scripts/{name}/settings")).await.fails(404, 10007);
        upload(&served, &name, metadata.clone()).await.ok();
    }
}

#[tokio::test]
async fn what_hangs_on_a_script_does_not_see_it_at_once() {
    let served = served("lag-tries=2").await;
    let zone = zone(&served).await;
    let queue = made(&served, "queues", json!({"queue_name": "jobs"}), "queue_id").await;
    upload(&served, "api", json!({})).await.ok();
    let route = json!({"pattern": "a.example.com/*", "script": "api"});
    let domain = json!({"hostname": "b.example.com", "service": "api"});
    let consumer = json!({"type": "worker", "script_name": "api"});
    let script = |path: &str| served.in_account(&format!("workers/scripts/api/{path}"));
    let text = json!({"name": "K", "text": "x", "type": "secret_text"});
    for (method, path, body, answers) in [
        (Method::POST, format!("{zone}/workers/routes"), route, [(400, 10019), (400, 10019)]),
        (Method::PUT, served.in_account("workers/domains"), domain, [(404, 10007), (404, 0)]),
        (
            Method::POST,
            served.in_account(&format!("queues/{queue}/consumers")),
            consumer,
            [(400, 11001), (400, 0)],
        ),
        (
            Method::PUT,
            script("schedules"),
            json!([{"cron": "0 * * * *"}]),
            [(404, 10007), (404, 0)],
        ),
        (Method::POST, script("subdomain"), json!({"enabled": true}), [(404, 0), (404, 10007)]),
        (Method::PUT, script("secrets"), text, [(404, 10007), (404, 10092)]),
    ] {
        for answer in answers {
            let refused = served.call(method.clone(), &path, Some(body.clone())).await;
            answered(&refused, answer);
        }
        served.call(method, &path, Some(body)).await.ok();
    }
    // A second upload, and one that binds to the first.
    answered(&upload(&served, "api", json!({})).await, (404, 0));
    let service = json!({"bindings": [{"type": "service", "name": "API", "service": "api"}]});
    answered(&upload(&served, "front", service).await, (400, 10144));
}

#[tokio::test]
async fn a_lag_is_of_time_and_of_its_own_pair() {
    let served = served("lag=kv:400").await;
    let zone = zone(&served).await;
    let kv = made(&served, "storage/kv/namespaces", json!({"title": "a"}), "id").await;
    let metadata = json!({"bindings": [{"type": "kv_namespace", "name": "K", "namespace_id": kv}]});
    for _ in 0..3 {
        upload(&served, "api", metadata.clone()).await.fails(400, 10041);
    }
    tokio::time::sleep(Duration::from_millis(420)).await;
    upload(&served, "api", metadata).await.ok();
    let route = json!({"pattern": "a.example.com/*", "script": "api"});
    served.call(Method::POST, &format!("{zone}/workers/routes"), Some(route)).await.ok();
}

#[tokio::test]
async fn what_was_just_removed_is_still_there_for_others() {
    let served = served("lag-tries=script-delete:1+script-get:1+tunnel-delete:1").await;
    let queue = made(&served, "queues", json!({"queue_name": "jobs"}), "queue_id").await;
    upload(&served, "api", json!({})).await.ok();
    let consumer = json!({"type": "worker", "script_name": "api"});
    let path = format!("queues/{queue}/consumers");
    let id = made(&served, &path, consumer, "consumer_id").await;
    served.delete(&format!("{path}/{id}")).await.ok();
    served.delete("workers/scripts/api").await.fails(400, 10064);
    served.delete("workers/scripts/api").await.ok();
    served.get("workers/scripts/api/settings").await.fails(404, 10222);
    served.get("workers/scripts/api/settings").await.fails(404, 10007);

    let tunnel = json!({"name": "t", "config_src": "cloudflare"});
    let id = made(&served, "cfd_tunnel", tunnel, "id").await;
    served.hook(&format!("tunnels/{id}/connect")).await.ok();
    served.delete(&format!("cfd_tunnel/{id}/connections")).await.ok();
    served.delete(&format!("cfd_tunnel/{id}")).await.fails(400, 1022);
    // Clearing what is clear prolongs nothing.
    served.delete(&format!("cfd_tunnel/{id}/connections")).await.ok();
    served.delete(&format!("cfd_tunnel/{id}")).await.ok();
    let never = json!({"name": "n", "config_src": "cloudflare"});
    let id = made(&served, "cfd_tunnel", never, "id").await;
    served.delete(&format!("cfd_tunnel/{id}")).await.ok();
}

#[tokio::test]
async fn the_first_upload_of_a_script_may_meet_a_bare_404() {
    let served = served("upload-404=2").await;
    for _ in 0..2 {
        upload(&served, "api", json!({})).await.fails_bare(404);
    }
    upload(&served, "api", json!({})).await.ok();
    upload(&served, "api", json!({})).await.ok();
}

#[tokio::test]
async fn a_call_may_be_refused_in_passing_with_a_valid_token() {
    let served = served("passing-auth=1").await;
    let refused = served.get("queues").await;
    assert!(matches!(refused.status, 401 | 403), "{refused:?}");
    served.get("queues").await.ok();
    assert!(matches!(served.get("d1/database").await.status, 401 | 403));
    served.get("d1/database").await.ok();
    let verify = served.call(Method::GET, "user/tokens/verify", None).await;
    assert_eq!(verify.status, 200);
}

#[tokio::test]
async fn one_call_fails_once() {
    let served = served(
        "fail-once=GET:/queues:401:10000:Authentication error,fail-once=GET:/queues:404:0:x",
    )
    .await;
    served.get("queues").await.fails(401, 10000);
    served.get("queues").await.fails_bare(404);
    served.get("queues").await.ok();
}

#[tokio::test]
async fn d1_asks_to_try_again_and_may_have_done_it() {
    let mut ran = 0;
    for seed in 0..12 {
        let served = served(&format!("d1-again=1,seed={seed}")).await;
        let id = made(&served, "d1/database", json!({"name": "a"}), "uuid").await;
        let path = format!("d1/database/{id}/query");
        let create = json!({"sql": "CREATE TABLE t (x)"});
        let refused = served.post(&path, create.clone()).await;
        refused.fails(400, 7500);
        assert!(refused.error().contains("D1 DB") || refused.error().contains("Network"));
        let again = served.post(&path, create).await;
        if again.status == 200 {
            continue;
        }
        ran += 1;
        assert!(again.error().contains("already exists"), "{again:?}");
    }
    assert!((1..12).contains(&ran), "{ran}");
}

#[tokio::test]
async fn a_block_holds_all_calls_for_a_while_in_each_of_its_forms() {
    for (spec, header, body) in [
        ("block=1:300:none:10429", false, "\"code\":10429"),
        ("block=1:300:seconds:971", true, "\"code\":971"),
        ("block=1:300:date:null", true, "null"),
        ("block=1:300:none:text", false, "error code: 1015"),
        ("block=1:300:none:page", false, "<!DOCTYPE html>"),
    ] {
        let served = served(spec).await;
        let ask = || served.request(Method::GET, &served.in_account("queues")).send();
        for _ in 0..2 {
            let refused = ask().await.unwrap();
            assert_eq!(refused.status(), 429, "{spec}");
            assert_eq!(refused.headers().contains_key("retry-after"), header, "{spec}");
            let text = refused.text().await.unwrap();
            assert!(text.contains(body), "{spec}: {text}");
        }
        tokio::time::sleep(Duration::from_millis(320)).await;
        assert_eq!(ask().await.unwrap().status(), 200, "{spec}");
    }
}

#[tokio::test]
async fn bodies_come_without_what_is_empty() {
    let served = served("bare-failures,null-arrays,bare-validation").await;
    let refused = served.get("queues/0123456789abcdef0123456789abcdef").await;
    refused.fails(404, 11000);
    let keys: Vec<&String> = refused.body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["errors", "success"]);
    let list = served.get("storage/kv/namespaces").await;
    assert!(list.body["errors"].is_null() && list.body["messages"].is_null(), "{list:?}");
    let one = served.post("queues", json!({"queue_name": "a"})).await;
    assert_eq!((&one.body["errors"], &one.body["messages"]), (&json!([]), &json!([])));
    let zone = zone(&served).await;
    let record = json!({"type": "A", "name": "a", "content": "nonsense"});
    let records = format!("{zone}/dns_records");
    served.call(Method::POST, &records, Some(record)).await.fails(400, 9005);
}

#[tokio::test]
async fn a_query_cuts_triggers_and_an_import_does_not() {
    let served = served("split-sql").await;
    let id = made(&served, "d1/database", json!({"name": "a"}), "uuid").await;
    let path = format!("d1/database/{id}/query");
    let trigger = "CREATE TABLE a (x);\nCREATE TRIGGER t AFTER INSERT ON a begin \
                   UPDATE a SET x = 1; DELETE FROM a WHERE x = 2; end;";
    for body in [json!({"sql": trigger}), json!({"batch": [{"sql": trigger}]})] {
        let refused = served.post(&path, body).await;
        refused.fails(400, 7500);
        assert_eq!(refused.error(), "incomplete input: SQLITE_ERROR");
    }
    let left = served.post(&path, json!({"sql": "SELECT name FROM sqlite_schema"})).await.ok();
    assert!(!left.to_string().contains("\"a\""), "{left}");
    let done = crate::transfers::import(&served, &id, trigger).await;
    assert_eq!(done["status"], "complete", "{done}");
}

#[tokio::test]
async fn an_upload_needs_the_permission_of_what_it_binds() {
    let dir = tempfile::TempDir::new().unwrap();
    let free = Served::on(dir.path(), Faults::default()).await;
    let kv = made(&free, "storage/kv/namespaces", json!({"title": "a"}), "id").await;
    let denied = Served::on(dir.path(), Faults::parse("deny=kv").unwrap()).await;
    let metadata = json!({"bindings": [{"type": "kv_namespace", "name": "K", "namespace_id": kv}]});
    let refused = upload(&denied, "api", metadata).await;
    refused.fails(403, 10023);
    assert!(refused.error().ends_with("kv bindings require kv write perms"));
    upload(&denied, "api", json!({})).await.ok();
}

#[tokio::test]
async fn reality_is_all_of_it_and_passes() {
    let served = served("reality=1/100,seed=5").await;
    let patient = async |method: Method, path: String, body: Value| {
        for _ in 0..40 {
            let reply = served.call(method.clone(), &path, Some(body.clone())).await;
            if reply.status == 200 {
                return reply.ok();
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("{method} {path} never passes");
    };
    let namespaces = served.in_account("storage/kv/namespaces");
    let kv = patient(Method::POST, namespaces, json!({"title": "a"})).await;
    let bindings = json!([{"type": "kv_namespace", "name": "K", "namespace_id": kv["id"]}]);
    let mut refusals = Vec::new();
    let answer = loop {
        let reply = upload_code(&served, "api", json!({"bindings": bindings}), CODE).await;
        if reply.status == 200 {
            break reply.ok();
        }
        refusals.push(reply.body["errors"][0]["code"].as_i64().unwrap_or_default());
        assert!(refusals.len() < 60, "{refusals:?}");
        tokio::time::sleep(Duration::from_millis(15)).await;
    };
    assert_eq!(answer["id"], "api");
    assert!(refusals.contains(&0) && refusals.contains(&10041), "{refusals:?}");
    let schedules = served.in_account("workers/scripts/api/schedules");
    patient(Method::PUT, schedules, json!([{"cron": "0 * * * *"}])).await;
}

#[tokio::test]
async fn a_form_whose_lines_end_in_lf_alone_is_read() {
    let served = Served::new().await;
    let _same = form(&json!({}), CODE);
    let body = "--b\nContent-Disposition: form-data; name=\"metadata\"\n\n\
                {\"main_module\": \"m.js\", \"compatibility_date\": \"\"}\n--b\n\
                Content-Disposition: form-data; name=\"m.js\"; filename=\"m.js\"\n\
                Content-Type: application/javascript+module\n\n\
                export default {\n  fetch() {}\n}\n--b--\n";
    let request = served
        .request(Method::PUT, &served.in_account("workers/scripts/api"))
        .header("content-type", "multipart/form-data; boundary=b")
        .body(body);
    let made = crate::support::reply(request).await.ok();
    assert_eq!(made["handlers"], json!(["fetch"]));
    let content = served.request(Method::GET, &served.in_account("workers/scripts/api"));
    let content = content.send().await.unwrap().text().await.unwrap();
    assert!(content.contains("export default {\n  fetch() {}\n}"), "{content}");
}

#[tokio::test]
async fn whom_a_mood_held_up_is_told_and_for_how_long() {
    let served = served("lag=kv:60000,upload-404=1").await;
    let kv = made(&served, "storage/kv/namespaces", json!({"title": "a"}), "id").await;
    let binding = json!({"name": "X", "type": "kv_namespace", "namespace_id": kv});
    upload(&served, "bound", json!({"bindings": [binding]})).await.fails(400, 10041);
    upload(&served, "alone", json!({})).await.fails_bare(404);
    let delays = served.cloud.delays();
    let [lag, bare] = delays.as_slice() else { panic!("{delays:?}") };
    assert_eq!((lag.mood, bare.mood), ("kv", "upload-404"));
    assert_eq!(lag.call, format!("PUT /client/v4/{}", served.in_account("workers/scripts/bound")));
    assert!((50..=60).contains(&lag.left.as_secs()) && bare.left.is_zero(), "{delays:?}");
}

#[tokio::test]
async fn an_upload_beside_another_one_fails_without_effect() {
    let served = served("one-upload,latency=300").await;
    let both = tokio::join!(upload(&served, "a", json!({})), upload(&served, "b", json!({})));
    let replies = [&both.0, &both.1];
    let failed: Vec<_> = replies.iter().filter(|reply| reply.status != 200).collect();
    assert_eq!(failed.len(), 1, "{replies:?}");
    failed[0].fails(500, 10013);
    let scripts = served.get("workers/scripts").await.ok();
    assert_eq!(scripts.as_array().unwrap().len(), 1, "{scripts}");
    for name in ["a", "b"] {
        upload(&served, name, json!({})).await.ok();
    }
}
