//! Accounts, tokens, zones, routing failures.

use crate::support::{Served, ZONE, reply};
use envc_cloud::Faults;
use reqwest::Method;

#[tokio::test]
async fn the_token_verifies_and_lists_its_account() {
    let served = Served::new().await;
    assert_eq!(served.cloud.token().len(), 40);
    let verified = served.call(Method::GET, "user/tokens/verify", None).await;
    assert_eq!(verified.body["messages"][0]["code"], 10000);
    assert_eq!(verified.ok()["status"], "active");
    served.get("tokens/verify").await.ok();
    let accounts = served.call(Method::GET, "accounts", None).await.ok();
    assert_eq!(accounts[0]["id"], served.cloud.account_id());
    let past = served.call(Method::GET, "accounts?page=2", None).await;
    assert_eq!(past.body["result_info"]["total_count"], 1);
    assert_eq!(past.ok(), serde_json::json!([]));
    assert_eq!(served.get("").await.status, 400);
    let path = format!("accounts/{}", served.cloud.account_id());
    assert_eq!(served.call(Method::GET, &path, None).await.ok()["type"], "standard");
}

#[tokio::test]
async fn each_bad_credential_has_its_own_answer() {
    let served = Served::new().await;
    let account = served.in_account("d1/database");
    let with = |path: &str, header: Option<String>| {
        let request = served.http.get(format!("{}/client/v4/{path}", served.base));
        match header {
            Some(value) => reply(request.header("authorization", value)),
            None => reply(request),
        }
    };
    let wrong = Some(format!("Bearer {}", "x".repeat(40)));
    with(&account, None).await.fails(400, 9106);
    let malformed = with(&account, Some("Bearer short".to_owned())).await;
    malformed.fails(400, 6003);
    assert_eq!(malformed.body["errors"][0]["error_chain"][0]["code"], 6111);
    with(&account, wrong.clone()).await.fails(403, 10000);
    with("zones", wrong.clone()).await.fails(403, 9109);
    with("user/tokens/verify", wrong).await.fails(401, 1000);
}

#[tokio::test]
async fn malformed_ids_have_no_route_and_unknown_ones_no_permission() {
    let served = Served::new().await;
    let malformed = served.call(Method::GET, "accounts/x/d1/database", None).await;
    malformed.fails(400, 7003);
    assert_eq!(malformed.body["errors"][1]["code"], 7000);
    let unknown = "0".repeat(32);
    let path = format!("accounts/{unknown}/d1/database");
    served.call(Method::GET, &path, None).await.fails(403, 10000);
    served.call(Method::GET, "zones/xyz", None).await.fails(400, 7003);
    served.call(Method::GET, &format!("zones/{unknown}"), None).await.fails(403, 9109);
    served.call(Method::GET, "nothing/here", None).await.fails(400, 7003);
    served.call(Method::POST, "zones", None).await.fails(405, 7001);
    served.get("cfd_tunnel/x").await.fails(400, 7003);
    served.get("queues/x").await.fails(400, 7003);
    served.get("storage/kv/namespaces/x").await.fails(400, 7003);
}

#[tokio::test]
async fn zones_are_found_by_name() {
    let served = Served::new().await;
    served.cloud.ensure_zone("Second.example.org").unwrap();
    served.cloud.ensure_zone("second.example.org").unwrap();
    let account = served.cloud.account_id();
    let path = format!("zones?name={ZONE}&account.id={account}");
    let found = served.call(Method::GET, &path, None).await.ok();
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["status"], "active");
    let id = found[0]["id"].as_str().unwrap();
    assert_eq!(served.call(Method::GET, &format!("zones/{id}"), None).await.ok()["name"], ZONE);
    let all = served.call(Method::GET, "zones", None).await;
    assert_eq!(all.body["result_info"]["total_count"], 2);
    for nothing in ["zones?name=other.com", "zones?account.id=x", "zones?page=9"] {
        assert_eq!(served.call(Method::GET, nothing, None).await.ok(), serde_json::json!([]));
    }
    served.call(Method::GET, "zones?per_page=51", None).await.fails(400, 1001);
    served.cloud.ensure_zone("no zone").unwrap_err();
}

#[tokio::test]
async fn a_missing_permission_looks_as_it_does_at_cloudflare() {
    let served = Served::with(Faults::parse("deny=d1+dns").unwrap()).await;
    served.get("d1/database").await.fails(403, 10000);
    served.get("queues").await.ok();
    let zone = served.call(Method::GET, "zones", None).await.ok()[0]["id"].clone();
    let path = format!("zones/{}/dns_records", zone.as_str().unwrap());
    served.call(Method::GET, &path, None).await.fails(403, 9109);
}
