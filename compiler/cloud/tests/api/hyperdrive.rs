//! Hyperdrive configs.

use envc_cloud::Faults;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Reply, Served};

struct Configs {
    served: Served,
    base: String,
}

impl Configs {
    async fn with(faults: &str) -> Self {
        let served = Served::with(Faults::parse(faults).unwrap()).await;
        let base = format!("accounts/{}/hyperdrive/configs", served.cloud.account_id());
        Self { served, base }
    }

    async fn send(&self, method: Method, rest: &str, body: Value) -> Reply {
        self.served.call(method, &format!("{}{rest}", self.base), Some(body)).await
    }

    async fn get(&self, rest: &str) -> Reply {
        self.served.call(Method::GET, &format!("{}{rest}", self.base), None).await
    }

    async fn made(&self, name: &str) -> String {
        let body = json!({ "name": name, "origin": origin("db.example.com") });
        let made = self.send(Method::POST, "", body).await.ok();
        format!("/{}", made["id"].as_str().unwrap())
    }
}

fn origin(host: &str) -> Value {
    json!({
        "scheme": "postgres", "host": host, "port": 5432, "database": "app", "user": "web",
        "password": "wombat",
    })
}

#[tokio::test]
async fn a_config_lives_and_dies_and_tells_no_password() {
    let configs = Configs::with("").await;
    let body = json!({ "name": "pg", "origin": origin("db.example.com") });
    let made = configs.send(Method::POST, "", body).await.ok();
    assert_eq!(made["origin"]["user"], "web");
    // What is equal to its default is left out.
    assert_eq!(made["caching"], json!({ "disabled": false }));
    assert!(made.get("mtls").is_none() && made.get("origin_connection_limit").is_none());
    let id = format!("/{}", made["id"].as_str().unwrap());
    let patch = json!({ "caching": { "max_age": 5 }, "origin_connection_limit": 9, "name": "" });
    let patched = configs.send(Method::PATCH, &id, patch).await.ok();
    assert_eq!(patched["caching"], json!({ "disabled": false, "max_age": 5 }));
    assert_eq!((&patched["name"], &patched["origin_connection_limit"]), (&json!("pg"), &json!(9)));
    assert_eq!(patched["origin"], made["origin"]);

    let put = json!({ "name": "pg2", "origin": origin("db2.example.com") });
    let replaced = configs.send(Method::PUT, &id, put).await.ok();
    assert_eq!(replaced["caching"], json!({ "disabled": false }), "a PUT resets the cache");
    assert_eq!(replaced["origin_connection_limit"], 9, "and keeps the limit");
    let off = json!({ "caching": { "disabled": true, "max_age": 5 } });
    let off = configs.send(Method::PATCH, &id, off).await.ok();
    assert_eq!(off["caching"], json!({ "disabled": true }));
    let restarted = configs.send(Method::POST, &format!("{id}/restart"), json!({})).await.ok();
    assert!(restarted["restarted_on"].is_string());
    let all = configs.get("").await.ok();
    assert_eq!(all.as_array().map(Vec::len), Some(1));
    for answer in [made, patched, replaced, off, restarted, all] {
        assert!(!answer.to_string().contains("wombat"), "{answer}");
    }
    assert!(configs.send(Method::DELETE, &id, json!(null)).await.ok().is_null());
    configs.send(Method::DELETE, &id, json!(null)).await.fails(404, 2006);
    configs.get(&id).await.fails(404, 2006);
    configs.get("/xyz").await.fails(400, 7003);
}

#[tokio::test]
async fn what_is_wrong_has_its_code() {
    let configs = Configs::with("").await;
    let id = configs.made("pg").await;
    let _other = configs.made("other").await;
    let again = json!({ "name": "pg", "origin": origin("db.example.com") });
    configs.send(Method::POST, "", again).await.fails(400, 2017);
    configs.send(Method::PATCH, &id, json!({ "name": "other" })).await.fails(400, 2017);
    for host in ["localhost", "127.0.0.1", "10.0.0.1", "169.254.1.1", "[::1]", "[fd00::1]"] {
        let body = json!({ "name": "x", "origin": origin(host) });
        configs.send(Method::POST, "", body).await.fails(400, 2009);
    }
    for (pointer, value) in [
        ("/name", json!("")),
        ("/origin/password", json!("")),
        ("/origin/user", json!("u".repeat(64))),
        ("/origin/scheme", json!("http")),
        ("/origin/host", json!(null)),
        ("/origin/port", json!(0)),
        ("/origin/access_client_id", json!("x")),
        ("/origin_connection_limit", json!(101)),
        ("/caching", json!({ "max_age": -1 })),
    ] {
        let mut body = json!({ "name": "x", "origin": origin("h.example.com"), "caching": {}, "origin_connection_limit": 5 });
        body["origin"]["access_client_id"] = json!(null);
        *body.pointer_mut(pointer).unwrap() = value;
        configs.send(Method::POST, "", body).await.fails(400, 2007);
    }
    // A PUT is whole, with its password.
    let mut put = json!({ "name": "pg", "origin": origin("h.example.com") });
    put["origin"].as_object_mut().unwrap().remove("password");
    configs.send(Method::PUT, &id, put).await.fails(400, 2007);
    configs
        .send(Method::PUT, &id, json!({ "origin": origin("h.example.com") }))
        .await
        .fails(400, 2007);
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_refused_where_a_connection_is_opened() {
    let configs = Configs::with("unreachable-origin=true").await;
    let body = json!({ "name": "pg", "origin": origin("db.example.com") });
    configs.send(Method::POST, "", body).await.fails(400, 2015);
    assert_eq!(configs.get("").await.ok(), json!([]));
}

#[tokio::test]
async fn pages_are_cut_and_a_page_past_the_end_is_empty() {
    let configs = Configs::with("").await;
    for name in ["a", "b", "c"] {
        let _id = configs.made(name).await;
    }
    assert_eq!(configs.get("?page=2&per_page=2").await.ok().as_array().map(Vec::len), Some(1));
    assert_eq!(configs.get("?page=3&per_page=2").await.ok(), json!([]));
}
