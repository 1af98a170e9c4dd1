//! DNS records.

use crate::support::{Reply, Served};
use reqwest::Method;
use serde_json::{Value, json};

/// A zone's records.
struct Dns {
    served: Served,
    base: String,
}

impl Dns {
    async fn new() -> Self {
        let served = Served::new().await;
        let zones = served.call(Method::GET, "zones", None).await.ok();
        let base = format!("zones/{}/dns_records", zones[0]["id"].as_str().unwrap());
        Self { served, base }
    }

    async fn get(&self, rest: &str) -> Reply {
        self.served.call(Method::GET, &format!("{}{rest}", self.base), None).await
    }

    async fn send(&self, method: Method, rest: &str, body: Value) -> Reply {
        self.served.call(method, &format!("{}{rest}", self.base), Some(body)).await
    }

    async fn post(&self, body: Value) -> Reply {
        self.send(Method::POST, "", body).await
    }

    async fn count(&self, filter: &str) -> usize {
        self.get(filter).await.ok().as_array().unwrap().len()
    }
}

fn a(name: &str, content: &str) -> Value {
    json!({"type": "A", "name": name, "content": content, "ttl": 1})
}

fn cname(name: &str, content: &str) -> Value {
    json!({"type": "CNAME", "name": name, "content": content, "proxied": true, "ttl": 300})
}

#[tokio::test]
async fn a_record_lives_and_dies() {
    let dns = Dns::new().await;
    let mut body = cname("App.Example.com", "Target.example.net.");
    body["comment"] = json!("envc:p/e");
    let made = dns.post(body).await.ok();
    assert_eq!(made["name"], "app.example.com");
    assert_eq!(made["content"], "target.example.net");
    assert_eq!((&made["ttl"], &made["proxiable"]), (&json!(1), &json!(true)));
    assert!(made["comment_modified_on"].is_string());
    assert!(made.get("zone_id").is_none());
    let id = format!("/{}", made["id"].as_str().unwrap());
    let patched = dns.send(Method::PATCH, &id, json!({"content": "other.example.net"})).await.ok();
    assert_eq!(
        (&patched["content"], &patched["comment"]),
        (&json!("other.example.net"), &made["comment"])
    );
    let put = json!({"type": "CNAME", "name": "app", "content": "x.example.net", "ttl": 60});
    let replaced = dns.send(Method::PUT, &id, put).await.ok();
    assert_eq!((&replaced["proxied"], &replaced["comment"]), (&json!(false), &Value::Null));
    assert_eq!(dns.get(&id).await.ok()["ttl"], 60);
    let gone = dns.send(Method::DELETE, &id, json!(null)).await.ok();
    assert_eq!(gone, json!({"id": made["id"]}));
    dns.send(Method::DELETE, &id, json!(null)).await.fails(404, 81044);
    dns.get(&id).await.fails(404, 81044);
    dns.get("/xyz").await.fails(400, 7003);
}

#[tokio::test]
async fn conflicts_have_their_codes() {
    let dns = Dns::new().await;
    dns.post(a("@", "192.0.2.1")).await.ok();
    dns.post(a("@", "192.0.2.2")).await.ok();
    dns.post(a("@", "192.0.2.1")).await.fails(400, 81058);
    dns.post(cname("@", "a.example.net")).await.fails(400, 81053);
    dns.post(cname("www", "a.example.net")).await.ok();
    dns.post(cname("www", "b.example.net")).await.fails(400, 81053);
    dns.post(cname("www", "a.example.net")).await.fails(400, 81058);
    dns.post(a("www", "192.0.2.1")).await.fails(400, 81054);
    for text in ["one", "two"] {
        dns.post(json!({"type": "TXT", "name": "www", "content": text, "ttl": 1})).await.ok();
    }
}

#[tokio::test]
async fn validation_names_the_detail_in_a_chain() {
    let dns = Dns::new().await;
    for (body, chain) in [
        (a("x", "not an address"), 9005),
        (json!({"type": "A", "name": "x", "content": "1.1.1.1", "ttl": 59}), 9021),
        (json!({"type": "TXT", "name": "x", "content": "t", "proxied": true}), 9004),
        (json!({"type": "A", "name": "x", "content": "1.1.1.1", "tags": ["a:b"]}), 9300),
        (cname("x", "x.example.com"), 9039),
        (json!({"type": "MX", "name": "x", "content": "mail.example.net"}), 9100),
    ] {
        let failed = dns.post(body).await;
        failed.fails(400, 1004);
        assert_eq!(failed.body["errors"][0]["error_chain"][0]["code"], chain, "{failed:?}");
    }
    let mut long = a("x", "1.1.1.1");
    long["comment"] = json!("x".repeat(101));
    dns.post(long).await.fails(400, 9313);
    let srv = json!({"type": "SRV", "name": "_s._tcp", "data":
        {"priority": 1, "weight": 2, "port": 3, "target": "t.example.net"}});
    let made = dns.post(srv).await.ok();
    assert_eq!((&made["content"], &made["priority"]), (&json!("2 3 t.example.net"), &json!(1)));
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let dns = Dns::new().await;
    for n in 1..=3 {
        let mut body = a(&format!("h{n}"), &format!("192.0.2.{n}"));
        body["comment"] = json!(format!("envc:p/e{n} note"));
        dns.post(body).await.ok();
    }
    dns.post(cname("www", "h1.example.com")).await.ok();
    for (filter, count) in [
        ("?name=h1.example.com", 1),
        ("?name.exact=H1.example.com&type=A", 1),
        ("?name.exact=h1.example.com&type=CNAME", 0),
        ("?match=any&name.exact=h1.example.com&type=CNAME", 2),
        ("?comment.contains=envc:p/e", 3),
        ("?comment.startswith=envc:p/e2", 1),
        ("?comment.absent", 1),
        ("?content.endswith=.3", 1),
        ("?proxied=true", 1),
        ("?search=e3", 1),
        ("?page=2", 0),
        ("?per_page=3&page=2", 1),
    ] {
        assert_eq!(dns.count(filter).await, count, "{filter}");
    }
    let sorted = dns.get("?order=name&direction=desc").await.ok();
    assert_eq!(sorted[0]["name"], "www.example.com");
    dns.get("?per_page=0").await.fails(400, 1004);
}

#[tokio::test]
async fn a_batch_deletes_first_and_is_all_or_nothing() {
    let dns = Dns::new().await;
    let old = dns.post(a("app", "192.0.2.1")).await.ok();
    let kept = dns.post(a("kept", "192.0.2.2")).await.ok();
    let batch = json!({
        "posts": [cname("app", "new.example.net")],
        "patches": [{"id": kept["id"], "content": "192.0.2.9"}],
        "deletes": [{"id": old["id"]}],
    });
    let done = dns.send(Method::POST, "/batch", batch).await.ok();
    assert_eq!(done["deletes"][0]["name"], "app.example.com");
    assert_eq!(done["patches"][0]["content"], "192.0.2.9");
    assert_eq!(done["posts"][0]["type"], "CNAME");
    assert_eq!(done["puts"], json!([]));

    let failing = json!({"deletes": [{"id": kept["id"]}],
                         "posts": [a("ok", "192.0.2.3"), a("bad", "nope")]});
    dns.send(Method::POST, "/batch", failing).await.fails(400, 1004);
    assert_eq!(dns.count("").await, 2);
    let many: Vec<Value> = (0..201).map(|n| a(&format!("n{n}"), "192.0.2.3")).collect();
    dns.send(Method::POST, "/batch", json!({"posts": many})).await.fails(400, 1004);
    dns.send(Method::POST, "/batch", json!({"posts": many[..200]})).await.ok();
}
