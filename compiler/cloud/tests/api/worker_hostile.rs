//! Workers: input that nobody sends by mistake is refused, never a failure of the server.

use crate::support::Served;
use crate::workers::upload;
use reqwest::Method;
use serde_json::json;

/// Every call of the Workers API that has a body.
const CALLS: [(&str, &str); 22] = [
    ("PUT", "scripts/api"),
    ("PUT", "scripts/api/content"),
    ("PATCH", "scripts/api/settings"),
    ("PATCH", "scripts/api/script-settings"),
    ("PUT", "scripts/api/secrets"),
    ("PATCH", "scripts/api/secrets-bulk"),
    ("PUT", "scripts/api/schedules"),
    ("POST", "scripts/api/subdomain"),
    ("PUT", "scripts/api/routes"),
    ("POST", "scripts/api/domains/changeset"),
    ("PUT", "scripts/api/domains/records"),
    ("POST", "scripts/api/versions"),
    ("POST", "scripts/api/deployments"),
    ("POST", "scripts/api/assets-upload-session"),
    ("PUT", "subdomain"),
    ("PUT", "domains"),
    ("POST", "workers"),
    ("PATCH", "workers/api"),
    ("PUT", "workers/api"),
    ("POST", "assets/upload"),
    ("POST", "assets/upload/11111111111111111111111111111111"),
    ("POST", "scripts/api/nothing"),
];

#[tokio::test]
async fn every_body_is_read_or_refused() {
    let served = Served::new().await;
    upload(&served, "api", json!({})).await.ok();
    let deep = "[".repeat(200_000);
    let objects = "{\"a\":".repeat(200_000);
    let long = format!("{{\"name\": \"{}\"}}", "x".repeat(1_000_000));
    let bodies: [&[u8]; 12] = [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"[null, 1, [], {}, \"x\"]",
        b"\"x\"",
        b"\xff\xfe",
        b"{\"name\": {}, \"manifest\": 1, \"versions\": {}, \"origins\": {}, \"secrets\": []}",
        b"{\"versions\": [1], \"origins\": [1], \"secrets\": {\"a\": 1}, \"manifest\": {\"/\": 1}}",
        deep.as_bytes(),
        objects.as_bytes(),
        long.as_bytes(),
    ];
    let form = "multipart/form-data; boundary=B";
    for (method, path) in CALLS {
        for body in bodies {
            for kind in ["application/json", "application/javascript", form, "multipart/form-data"]
            {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let path = served.in_account(&format!("workers/{path}"));
                let sent = served.request(method, &path).header("content-type", kind);
                let response = sent.body(body.to_vec()).send().await.unwrap();
                let start: String = String::from_utf8_lossy(body).chars().take(40).collect();
                let status = response.status().as_u16();
                assert!(status < 500, "{status} {path} {kind} {start}");
                response.text().await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn odd_names_and_queries_find_nothing() {
    let served = Served::new().await;
    upload(&served, "api", json!({})).await.ok();
    let long = "x".repeat(8000);
    for name in ["..", ".", "%2e%2e%2fapi", "%00", "api%2Fsettings", "%27%20OR%201=1--", &long, "ä"]
    {
        for path in [
            format!("workers/scripts/{name}/settings"),
            format!("workers/services/{name}"),
            format!("workers/workers/{name}"),
            format!("workers/domains/{name}"),
            format!("workers/scripts/api/versions/{name}"),
            format!("workers/scripts/api/deployments/{name}"),
            format!("workers/scripts/api/secrets/{name}"),
        ] {
            let url = served.in_account(&path);
            let response = served.request(Method::GET, &url).send().await.unwrap();
            // `.` and `..` never leave the client: they name a list.
            let is_dots = matches!(name, "." | "..");
            let status = response.status().as_u16();
            assert!(status == 404 || (is_dots && status < 500), "{status} {path}");
        }
    }
    for query in ["per_page=0", "per_page=x", "page=99999999999", "page=0"] {
        served.get(&format!("workers/workers?{query}")).await.fails(400, 10021);
    }
    served.get("workers/workers?page=4294967295").await.ok();
}
