//! A server that fills in all it knows: none of that is a difference.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
};
use envc_cloud::{Cloud, CloudConfig};
use envc_tests::{CloudView, Serving, TestEnv};
use http::header::CONTENT_LENGTH;
use serde_json::{Map, Value as Json, json};

/// Every kind twice: with nothing but what it needs, and with every field that a spec can set.
const SPEC: &str = r#"
project "defaults" { zone "eventuall.live" }
environment "local" default { identity branch max-length=20 unique }

d1 "plain"
d1 "full" jurisdiction="eu" read-replication="auto"
d1 "near" location="enam"
kv "plain"
r2 "plain"
r2 "full" location="apac" storage-class="InfrequentAccess"
queue "plain"
queue "full" delivery-delay=5 retention=600 delivery-paused=#true
tunnel "dev" {
    ingress "web" host="{env}" service="http://localhost:8080"
    ingress "api" host="{env}-api" service="http://localhost:8081" path="^/v1"
    ingress "all" host="{env}-api" service="https://localhost:8082" comment="theirs" no-tls-verify connect-timeout=30 tls-timeout=5
}
dns "address" type="A" name="{env}-a" content="192.0.2.1" proxied
dns "mail" type="MX" name="{env}-mail" content="mail.example.com" priority=10 ttl=300
dns "text" type="TXT" name="{env}-text" content="v=spf1 -all" comment="ours"
"#;

const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A cloud whose answers carry every optional field that Cloudflare's API documents for them, and
/// one that it does not.
fn talkative(env: &mut TestEnv) -> Serving {
    let config = CloudConfig {
        dir: env.path().join("served"),
        zones: vec!["eventuall.live".to_owned()],
        ..CloudConfig::default()
    };
    let cloud = Cloud::open(config).expect("the served cloud opens");
    let serving = Serving::of_router(cloud.router().layer(from_fn(answer)));
    serving.use_as_cloudflare(0, &cloud, env);
    serving
}

async fn answer(request: Request, next: Next) -> Response {
    let (mut head, body) = next.run(request).await.into_parts();
    let bytes = to_bytes(body, ANSWER_BYTES_MAX).await.expect("the answer can be read");
    let Ok(mut envelope) = serde_json::from_slice::<Json>(&bytes) else {
        return Response::from_parts(head, Body::from(bytes));
    };
    if let Some(result) = envelope.get_mut("result") {
        fill(result);
    }
    // Both are lists, or null, or missing.
    if let Some(map) = envelope.as_object_mut().filter(|map| map["success"] == json!(true)) {
        map.insert("errors".to_owned(), Json::Null);
        map.remove("messages");
    }
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, Body::from(envelope.to_string()))
}

/// Fills in an object of the API, and those inside of it.
fn fill(value: &mut Json) {
    match value {
        Json::Array(items) => items.iter_mut().for_each(fill),
        Json::Object(map) => {
            for (name, inner) in map.iter_mut() {
                // Rows of a query are the user's.
                if name != "results" {
                    fill(inner);
                }
            }
            for (name, default) in known(map) {
                map.entry(name).or_insert(default);
            }
        }
        _ => {}
    }
}

/// The fields that the API documents for this object.
///
/// Source: Cloudflare's OpenAPI document (d1, workers-kv, r2-bucket, queues, tunnel,
/// dns-records), and the types of its official SDK.
fn known(map: &mut Map<String, Json>) -> Map<String, Json> {
    let has = |field: &str| map.contains_key(field);
    let time = "2026-01-01T00:00:00.123456789Z";
    let fields = if has("uuid") && has("created_at") {
        json!({
            "version": "production", "jurisdiction": null, "file_size": 12288, "num_tables": 1,
            "running_in_region": "WEUR", "created_in_region": "WEUR",
            "primary_location_hint": "weur", "unheard_of": {"of": [null]},
        })
    } else if has("supports_url_encoding") {
        json!({"beta": false, "jurisdiction": null, "unheard_of": 1})
    } else if has("creation_date") {
        // The location is a hint, and the bucket may have landed elsewhere.
        map.insert("location".to_owned(), json!("OC"));
        json!({"jurisdiction": "default", "unheard_of": []})
    } else if has("queue_id") && has("queue_name") {
        json!({
            "jurisdiction": null, "producers": [], "producers_total_count": 0, "consumers": [],
            "consumers_total_count": 0, "unheard_of": "",
        })
    } else if has("tun_type") {
        json!({
            "account_tag": "0", "connections": [], "conns_active_at": null, "metadata": {},
            "conns_inactive_at": time, "remote_config": true, "unheard_of": true,
        })
    } else if has("proxiable") {
        map.insert("settings".to_owned(), json!({"ipv4_only": null, "flatten_cname": false}));
        map.insert("meta".to_owned(), json!({"auto_added": false, "source": "primary"}));
        if map.get("type") == Some(&json!("TXT")) {
            // Recent versions of the API store the quotes.
            if let Some(content) = map.get("content").and_then(Json::as_str) {
                let quoted = format!("\"{}\"", content.trim_matches('"'));
                map.insert("content".to_owned(), json!(quoted));
            }
        }
        json!({
            "zone_id": "0", "zone_name": "eventuall.live", "locked": false, "data": {},
            "private_routing": false, "tags": [], "tags_modified_on": time,
            "comment_modified_on": time, "comment": null, "unheard_of": null,
        })
    } else if has("ingress") {
        json!({"originRequest": {}, "warp-routing": {"enabled": false}, "unheard_of": 0})
    } else if has("service") {
        // Configurations of some years have every default spelt out.
        let defaults = json!({
            "noTLSVerify": false, "http2Origin": false, "connectTimeout": 30, "tlsTimeout": 10,
            "tcpKeepAlive": 30, "keepAliveTimeout": 90, "keepAliveConnections": 100,
            "httpHostHeader": "", "originServerName": "", "caPool": "", "bastionMode": false,
            "proxyAddress": "127.0.0.1", "ipRules": [],
        });
        let own = map.get("originRequest").and_then(Json::as_object).cloned().unwrap_or_default();
        let mut options = defaults;
        options.as_object_mut().expect("it is an object").extend(own);
        map.insert("originRequest".to_owned(), options);
        json!({"path": ""})
    } else {
        json!({})
    };
    match fields {
        Json::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[test]
fn what_the_server_fills_in_is_no_difference() {
    let mut env = TestEnv::of_text(SPEC);
    let _served = talkative(&mut env);
    let settled = |env: &TestEnv| {
        env.envc(&["plan", "--detailed-exitcode"]).exits(0);
        let again = env.envc(&["apply", "--yes", "--json"]).exits(0);
        let applied = again.event("applied").expect("an apply tells what it did");
        assert_eq!(applied.get("steps"), Some(&Json::from(0)), "{again}");
    };
    env.envc(&["apply", "--yes"]).exits(0);
    settled(&env);

    // Adopted from nothing but what the server says, it is the same environment.
    let cloud = CloudView::open(&env.path().join("served"));
    let before = cloud.listing();
    env.lose_states();
    env.envc(&["apply", "--yes"]).exits(0);
    assert_eq!(cloud.listing(), before);
    settled(&env);
    env.envc(&["destroy", "--yes"]).exits(0);
    assert!(cloud.listing().is_empty(), "{}", cloud.listing());
}
