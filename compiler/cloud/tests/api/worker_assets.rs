//! Workers: uploads of static assets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Reply, Served, reply};
use crate::workers::{CODE, form, upload};
use envc_cloud::Faults;
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

const ONE: &str = "11111111111111111111111111111111";
const TWO: &str = "22222222222222222222222222222222";

async fn open(served: &Served, script: &str, manifest: Value) -> Reply {
    let path = format!("workers/scripts/{script}/assets-upload-session");
    served.post(&path, json!({"manifest": manifest})).await
}

/// Uploads files by hash, with a token.
async fn send(served: &Served, token: &Value, files: &[(&str, &str)]) -> Reply {
    let form = files.iter().fold(Form::new(), |form, (hash, text)| {
        let part = Part::text(STANDARD.encode(text)).mime_str("text/html").unwrap();
        form.part((*hash).to_owned(), part.file_name((*hash).to_owned()))
    });
    let path = served.in_account("workers/assets/upload?base64=true");
    let url = format!("{}/client/v4/{path}", served.base);
    reply(served.http.post(url).bearer_auth(token.as_str().unwrap()).multipart(form)).await
}

async fn put(served: &Served, name: &str, metadata: &Value) -> Reply {
    let path = served.in_account(&format!("workers/scripts/{name}"));
    let sent = Form::new().text("metadata", metadata.to_string());
    reply(served.request(Method::PUT, &path).multipart(sent)).await
}

#[tokio::test]
async fn only_what_is_missing_is_uploaded() {
    let served = Served::new().await;
    let manifest = json!({"/index.html": {"hash": ONE, "size": 3}, "/copy.html": {"hash": ONE, "size": 3},
                          "/robots.txt": {"hash": TWO, "size": 1}});
    let session = open(&served, "site", manifest.clone()).await.ok();
    assert_eq!(session["buckets"], json!([[ONE, TWO]]));
    let token = &session["jwt"];
    let half = send(&served, token, &[(ONE, "one")]).await;
    assert_eq!((half.status, half.body["result"].get("jwt")), (202, None));
    // A token for uploads is not one for a script.
    let early = json!({"assets": {"jwt": token}});
    put(&served, "site", &early).await.fails(400, 10021);
    send(&served, token, &[(TWO, "too long")]).await.fails(400, 10021);
    send(&served, token, &[("33333333333333333333333333333333", "x")]).await.fails(400, 10021);
    let all = send(&served, token, &[(TWO, "2")]).await;
    assert_eq!(all.status, 201, "{all:?}");
    let done = &all.body["result"]["jwt"];
    let config = json!({"not_found_handling": "404-page"});
    let metadata = json!({"assets": {"jwt": done, "config": config}});
    put(&served, "other", &metadata).await.fails(400, 10021);
    let made = put(&served, "site", &metadata).await.ok();
    assert_eq!((&made["has_assets"], &made["has_modules"]), (&json!(true), &json!(false)));

    // Nothing is left to upload: the session's token is the last one.
    let again = open(&served, "site", manifest).await.ok();
    assert_eq!(again["buckets"], json!([]));
    let metadata = json!({"assets": {"jwt": again["jwt"]},
                          "bindings": [{"type": "assets", "name": "ASSETS"}]});
    assert_eq!(upload(&served, "site", metadata).await.ok()["has_assets"], true);
    let kept = json!({"keep_assets": true});
    assert_eq!(upload(&served, "site", kept).await.ok()["has_assets"], true);
    assert_eq!(upload(&served, "site", json!({})).await.ok()["has_assets"], false);
}

#[tokio::test]
async fn sessions_and_tokens_are_checked() {
    let served = Served::new().await;
    let file = |hash: &str, size: u64| json!({"hash": hash, "size": size});
    for bad in [
        json!([]),
        json!({"index.html": file(ONE, 1)}),
        json!({"/a": file("zz", 1)}),
        json!({"/a": file(ONE, 25 * 1024 * 1024 + 1)}),
        json!({"/a": {"hash": ONE}}),
    ] {
        open(&served, "site", bad).await.fails(400, 10021);
    }
    open(&served, "Site", json!({})).await.fails(400, 10016);
    let session = open(&served, "site", json!({"/a": file(ONE, 1)})).await.ok();
    let token = session["jwt"].as_str().unwrap();
    let (signed, _) = token.rsplit_once('.').unwrap();
    let forged = format!("{signed}.AAAA");
    for bad in ["x", &forged, served.cloud.token(), "a.b.c", ""] {
        send(&served, &json!(bad), &[(ONE, "1")]).await.fails(401, 10000);
    }
    let url = format!("{}/client/v4/{}", served.base, served.in_account("workers/assets/upload"));
    reply(served.http.post(&url).body("x")).await.fails(401, 10000);
    reply(served.http.post(&url).bearer_auth(token).body("x")).await.fails(400, 10021);
    // One file at a time.
    let one = served.http.post(format!("{url}/{ONE}")).bearer_auth(token).body("1");
    assert_eq!(reply(one).await.status, 201);
    // The token allows uploads and nothing else.
    let scripts = format!("{}/client/v4/{}", served.base, served.in_account("workers/scripts"));
    reply(served.http.get(scripts).bearer_auth(token)).await.fails(400, 6003);
    let both = json!({"main_module": "index.js", "assets": {"jwt": "x"}});
    let path = served.in_account("workers/scripts/site");
    let sent = served.request(Method::PUT, &path).multipart(form(&both, CODE));
    reply(sent).await.fails(401, 10000);
}

#[tokio::test]
async fn an_upload_whose_answer_was_lost_is_not_asked_for_again() {
    let served = Served::with(Faults::parse("lose-response-on=2").unwrap()).await;
    let manifest = json!({"/a": {"hash": ONE, "size": 1}});
    let session = open(&served, "site", manifest.clone()).await.ok();
    let url =
        format!("{}/client/v4/{}/{ONE}", served.base, served.in_account("workers/assets/upload"));
    let token = session["jwt"].as_str().unwrap();
    served.http.post(url).bearer_auth(token).body("1").send().await.unwrap_err();
    assert_eq!(open(&served, "site", manifest).await.ok()["buckets"], json!([]));
}
