//! Schemathesis sends what openapi.json allows, and what it does not: no answer may be a fault of
//! the Worker's or another than the document says.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::common::{admin, leased, put_members};
use crate::http::{Ask, ask};
use crate::workerd::{BOOTSTRAP_TOKEN, Workerd};

/// 503 is an answer of the document's own: the pool is empty, the queue is full. What is wrong and too
/// large besides is refused as too large. Names of things that are there let most requests through to
/// where something happens.
const SETTINGS: &str = r#"
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]
positive_data_acceptance.enabled = false
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5xx"]

[parameters]
pool = "previews"
cloud = "cloudflare"
account = "acc"
project = "shop"
env = "pr-1"
version = 1
"path.id" = "shop.pr-1"
"#;

#[test]
#[ignore = "needs schemathesis, and takes minutes: run it with `cargo xtask api`"]
fn schemathesis_finds_nothing() {
    let program = std::env::var_os("SCHEMATHESIS_BIN")
        .expect("SCHEMATHESIS_BIN is not set: run this test with `cargo xtask api`");
    let workerd = Workerd::start();
    let at = workerd.address;
    put_members(at, "previews", 5, &json!({ "cool_down_seconds": 0 }));
    leased(at, BOOTSTRAP_TOKEN, "previews", "shop/pr-1");
    let state = "/v1/state/cloudflare/acc/shop/pr-1";
    let lock = r#"{"holder":"a","purpose":"apply","ttl_seconds":3600}"#;
    assert_eq!(admin(at, "POST", &format!("{state}/lock"), lock).status, 201);
    let headers = "Envc-Fence: 1\r\nIf-None-Match: *\r\n";
    let put = Ask { method: "PUT", target: state, token: BOOTSTRAP_TOKEN, headers, body: "{}" };
    assert_eq!(ask(at, put).status, 201);

    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("schemathesis.toml");
    fs::write(&settings, SETTINGS).unwrap();
    let status = Command::new(program)
        .arg("--config-file")
        .arg(&settings)
        .args(["run", &format!("http://{at}/openapi.json"), "--max-examples", "40"])
        .args(["-H", &format!("Authorization: Bearer {BOOTSTRAP_TOKEN}")])
        .args(["--request-timeout", "20", "--workers", "1", "--no-color", "--seed", "20261122"])
        // It goes on until then; in CI everything has to fit.
        .args(["--max-time", "100"])
        // It never ends by itself.
        .args(["--exclude-path", "/v1/events"])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,\
             response_schema_conformance,response_headers_conformance,negative_data_rejection",
        ])
        .current_dir(folder.path())
        .status()
        .expect("schemathesis can be started");
    assert!(status.success(), "schemathesis found something");
}
