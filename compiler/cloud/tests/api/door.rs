//! Who gets in, and how far: other hosts and pages, hooks, bodies, what is left of what was deleted.

use std::path::Path;
use std::time::Duration;

use envc_cloud::{Cloud, CloudConfig, Faults, serve};
use reqwest::{Method, header};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Served, reply};

/// Sends bytes as they are, then so many more as the server takes within a while; gives its answer and
/// how many it took.
async fn raw(served: &Served, head: &str, more: usize) -> (String, usize) {
    let address = served.base.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = head.replace("{host}", address).replace('\n', "\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reads, mut writes) = stream.into_split();
    let answer = tokio::spawn(async move {
        let mut answer = Vec::new();
        let mut piece = [0; 4096];
        while !answer.windows(4).any(|it| it == b"\r\n\r\n") {
            match reads.read(&mut piece).await {
                Ok(read @ 1..) => answer.extend_from_slice(&piece[..read]),
                _ => break,
            }
        }
        (String::from_utf8_lossy(&answer).into_owned(), reads)
    });
    let (piece, mut sent) = (vec![b'x'; 64 * 1024], 0);
    while sent < more {
        let wrote = tokio::time::timeout(Duration::from_millis(100), writes.write(&piece)).await;
        let Ok(Ok(wrote)) = wrote else { break };
        sent += wrote;
    }
    let (answer, _reads) = answer.await.unwrap();
    (answer, sent)
}

#[tokio::test]
async fn a_request_for_another_host_or_from_another_page_is_refused_before_anything_else() {
    let served = Served::new().await;
    let token = served.cloud.token();
    let account = served.in_account("storage/kv/namespaces");
    let asks = |path: &str, name: header::HeaderName, value: &str| {
        let request = served.http.post(format!("{}/{path}", served.base)).bearer_auth(token);
        request.header(name, value).body(r#"{"title": "x"}"#).send()
    };
    let api = format!("client/v4/{account}");
    let paths = [api.as_str(), "v1/pools/p/leases", "__local/pools/ahead/1", "nothing", ""];
    for path in paths {
        for (name, value) in [
            (header::HOST, "attacker.example"),
            (header::HOST, "localhost.attacker.example:80"),
            (header::HOST, "127.0.0.1"),
            (header::ORIGIN, "https://attacker.example"),
            (header::ORIGIN, "null"),
            (header::ORIGIN, "http://127.0.0.1:1"),
        ] {
            let answer = asks(path, name, value).await.unwrap();
            assert_eq!(answer.status(), 403, "{path} {value}");
            assert!(!answer.headers().contains_key("access-control-allow-origin"));
            let said: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            let said = said["errors"][0]["message"].as_str().unwrap();
            assert!(said.ends_with('.') && said.contains("local cloud"), "{said}");
        }
    }
    // A browser asks first where a page wants to send what it may not.
    let url = format!("{}/{api}", served.base);
    let asked = served.http.request(Method::OPTIONS, &url).header("origin", "https://a.example");
    assert_eq!(asked.send().await.unwrap().status(), 403);
    assert!(served.cloud.requests().is_empty());
    served.get("storage/kv/namespaces").await.ok();
    let by_name = url.replace("127.0.0.1", "localhost");
    let by_name = served.http.get(by_name).bearer_auth(token).header("origin", &served.base);
    assert_eq!(reply(by_name).await.ok(), json!([]));
    served.stop().await;
}

#[tokio::test]
async fn the_hooks_take_the_token_and_exist_for_tests_alone() {
    let served = Served::new().await;
    let hooks = ["pools/ahead/18446744073709551615", "pools/ahead/1", "tunnels/x/connect"];
    for hook in hooks {
        let url = format!("{}/__local/{hook}", served.base);
        assert_eq!(served.http.post(&url).send().await.unwrap().status(), 400, "{hook}");
        let wrong = served.http.post(&url).bearer_auth("x".repeat(40));
        assert_eq!(wrong.send().await.unwrap().status(), 403, "{hook}");
    }
    served.hook("pools/ahead/1").await.ok();

    let dir = TempDir::new().unwrap();
    let config = CloudConfig { dir: dir.path().to_owned(), ..CloudConfig::default() };
    let cloud = Cloud::open(config).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let token = cloud.token().to_owned();
    let serving = tokio::spawn(serve(cloud, listener, std::future::pending::<()>()));
    for hook in hooks {
        let asked = served.http.post(format!("{base}/__local/{hook}")).bearer_auth(&token);
        assert_eq!(asked.send().await.unwrap().status(), 400, "{hook}");
    }
    serving.abort();
    served.stop().await;
}

/// Bytes that sockets hold between the two sides, and some for what was on its way.
const ON_THE_WAY: usize = 16 * 1024 * 1024;

#[tokio::test]
async fn nothing_is_read_of_who_is_not_let_in() {
    let served = Served::new().await;
    let account = served.in_account("");
    let large = 200 * 1024 * 1024;
    for path in [
        format!("/client/v4/{account}d1/database"),
        format!("/client/v4/{account}r2/buckets/b/objects/o"),
        format!("/client/v4/{account}workers/assets/upload?base64=true"),
        "/client/v4/zones".to_owned(),
        "/v1/pools/p/members".to_owned(),
        "/__local/pools/ahead/1".to_owned(),
        "/anything".to_owned(),
    ] {
        for length in ["content-length: 209715200", "transfer-encoding: chunked"] {
            for token in ["", "authorization: Bearer xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n"] {
                let head = format!("PUT {path} HTTP/1.1\nhost: {{host}}\n{token}{length}\n\n");
                // One chunk that never ends.
                let chunk = if length.starts_with('t') { "C800000\n" } else { "" };
                let (answer, sent) = raw(&served, &format!("{head}{chunk}"), large).await;
                assert!(answer.starts_with("HTTP/1.1 4"), "{path} {length}: {answer}");
                assert!(sent < ON_THE_WAY, "{path} {length}: {sent} bytes were taken");
            }
        }
    }
    served.stop().await;
}

#[tokio::test]
async fn a_body_has_no_more_bytes_than_its_call_may_have() {
    let served = Served::new().await;
    let account = served.in_account("");
    let token = served.cloud.token().to_owned();
    let large = 400 * 1024 * 1024;
    // What is said to be too large is not read at all; what is so without a word, no further.
    for (call, at_most) in [
        (format!("POST /client/v4/{account}d1/database"), 8 * 1024 * 1024),
        (format!("POST /client/v4/{account}r2/buckets"), 8 * 1024 * 1024),
        (format!("DELETE /client/v4/{account}r2/buckets/b/objects"), 8 * 1024 * 1024),
        (format!("PUT /client/v4/{account}workers/scripts/w/schedules"), 8 * 1024 * 1024),
        (format!("POST /client/v4/{account}nothing"), 8 * 1024 * 1024),
        (format!("PUT /client/v4/{account}workers/scripts/w"), 96 * 1024 * 1024),
        ("PUT /v1/pools/p/members".to_owned(), 8 * 1024 * 1024),
    ] {
        let head = format!("{call} HTTP/1.1\nhost: {{host}}\nauthorization: Bearer {token}\n");
        let (answer, sent) =
            raw(&served, &format!("{head}content-length: {large}\n\n"), large).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{call}: {answer}");
        assert!(sent < ON_THE_WAY, "{call}: {sent} bytes were taken");
        let chunked = format!("{head}transfer-encoding: chunked\n\n19000000\n");
        let (answer, sent) = raw(&served, &chunked, large).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{call}: {answer}");
        assert!(sent < at_most + ON_THE_WAY, "{call}: {sent} bytes were taken");
    }
    // What is large in earnest is taken.
    let sql = format!("SELECT length('{}') AS n", "x".repeat(90_000));
    let database = served.post("d1/database", json!({"name": "db"})).await.ok();
    let query = format!("d1/database/{}/query", database["uuid"].as_str().unwrap());
    let many = json!({"batch": vec![json!({"sql": sql}); 120]});
    assert_eq!(served.post(&query, many).await.ok()[119]["results"][0]["n"], 90_000);
    served.post("r2/buckets", json!({"name": "bkt"})).await.ok();
    let object = served.in_account("r2/buckets/bkt/objects/large");
    let request = served.request(Method::PUT, &object).body(vec![7; 40 * 1024 * 1024]);
    assert_eq!(reply(request).await.status, 200);
    served.stop().await;
}

#[tokio::test]
async fn rows_that_no_isolate_holds_are_refused_as_the_api_does() {
    let served = Served::new().await;
    let database = served.post("d1/database", json!({"name": "db"})).await.ok();
    let path = format!("d1/database/{}", database["uuid"].as_str().unwrap());
    let count = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)";
    let rows = |value: &str| format!("{count} SELECT {value} FROM n");
    let columns: Vec<String> = (0..90).map(|n| format!("zeroblob(1900000) AS c{n}")).collect();
    let columns = columns.join(", ");
    let long = format!("SELECT '{}' AS x", "\u{1}".repeat(50_000));
    for (shape, sql) in [
        ("query", rows("zeroblob(1900000)")),
        ("raw", rows("zeroblob(1900000)")),
        ("query", rows("hex(zeroblob(900000))")),
        ("raw", format!("SELECT {columns}")),
        ("query", format!("CREATE TABLE t AS {}; SELECT * FROM t", rows("zeroblob(500000) AS x"))),
        ("raw", vec![long; 150].join(";")),
        ("query", "SELECT 1;".repeat(200_000)),
    ] {
        let failed = served.post(&format!("{path}/{shape}"), json!({"sql": sql})).await;
        failed.fails(400, 7500);
        let said = failed.body["errors"][0]["message"].as_str().unwrap();
        assert!(said.contains("exceeded its memory limit"), "{said}");
    }
    // Nothing of them was done, and what fits is answered whole.
    let tables = json!({"sql": "SELECT name FROM sqlite_schema WHERE name = 't'"});
    assert_eq!(served.post(&format!("{path}/query"), tables).await.ok()[0]["results"], json!([]));
    let fits = json!({"sql": rows("i, 1 AS i, x'00ff' AS b, 0.5 AS f, 9e15 AS w, NULL AS z")});
    let result = served.post(&format!("{path}/query"), fits.clone()).await.ok();
    let first = json!({"i": 1, "b": [0, 255], "f": 0.5, "w": 9_000_000_000_000_000_i64, "z": null});
    assert_eq!(
        (result[0]["results"].as_array().unwrap().len(), &result[0]["results"][0]),
        (200, &first)
    );
    let raw = served.post(&format!("{path}/raw"), fits).await.ok();
    assert_eq!(
        raw[0]["results"]["rows"][1],
        json!([2, 1, [0, 255], 0.5, 9_000_000_000_000_000_i64, null])
    );
    served.stop().await;
}

/// The files below a folder that hold these bytes.
fn holding(folder: &Path, wanted: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, wanted));
        } else if std::fs::read(&path).unwrap().windows(wanted.len()).any(|it| it == wanted) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn what_was_deleted_or_replaced_is_in_no_file() {
    let dir = TempDir::new().unwrap();
    let served = Served::on(dir.path(), Faults::default()).await;
    let other = Served::on(dir.path(), Faults::default()).await;
    let planted = |what: &str| format!("planted-{what}-s3cret-{}", "0123456789".repeat(30));
    let text = |request: &str, what: &str| {
        let request = served.request(Method::PUT, &served.in_account(request));
        reply(request.body(planted(what)))
    };
    let script = "export default { async fetch() { return new Response(1) } }";
    let form = reqwest::multipart::Form::new()
        .text("metadata", json!({"main_module": "m.js"}).to_string())
        .part(
            "m.js",
            reqwest::multipart::Part::text(script)
                .file_name("m.js")
                .mime_str("application/javascript+module")
                .unwrap(),
        );
    let upload = served.request(Method::PUT, &served.in_account("workers/scripts/api"));
    reply(upload.multipart(form)).await.ok();
    let secret = |name: &str, what: &str| json!({"name": name, "text": planted(what), "type": "secret_text"});
    served.put("workers/scripts/api/secrets", secret("A", "replaced")).await.ok();
    served.put("workers/scripts/api/secrets", secret("A", "worker")).await.ok();
    served.put("workers/scripts/api/secrets", secret("B", "removed")).await.ok();
    served.delete("workers/scripts/api/secrets/B").await.ok();
    let kv = served.post("storage/kv/namespaces", json!({"title": "n"})).await.ok();
    let kv = format!("storage/kv/namespaces/{}", kv["id"].as_str().unwrap());
    text(&format!("{kv}/values/k"), "value").await.ok();
    text(&format!("{kv}/values/bulk"), "bulk").await.ok();
    served.post(&format!("{kv}/bulk/delete"), json!(["bulk"])).await.ok();
    served.post("r2/buckets", json!({"name": "bkt"})).await.ok();
    text("r2/buckets/bkt/objects/o", "object").await.ok();
    let queue = served.post("queues", json!({"queue_name": "q"})).await.ok();
    let queue = format!("queues/{}", queue["queue_id"].as_str().unwrap());
    let message = json!({"body": planted("message"), "content_type": "text"});
    served.post(&format!("{queue}/messages"), message).await.ok();
    for what in ["worker", "value", "object", "message"] {
        assert!(!holding(dir.path(), planted(what).as_bytes()).is_empty(), "{what}");
    }
    // Whoever has the folder open besides reads it, and keeps nothing back.
    other.get("queues").await.ok();
    served.delete("workers/scripts/api").await.ok();
    served.delete(&kv).await.ok();
    served.delete("r2/buckets/bkt/objects/o").await.ok();
    served.delete(&queue).await.ok();
    for what in ["replaced", "worker", "removed", "value", "bulk", "object", "message"] {
        let wanted = format!("planted-{what}-s3cret");
        assert_eq!(holding(dir.path(), wanted.as_bytes()), Vec::<String>::new(), "{what}");
    }
    served.stop().await;
    other.stop().await;
}
