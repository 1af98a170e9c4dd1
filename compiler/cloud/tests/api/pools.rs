//! The pools of an edge: the Worker's own decisions, kept in the folder.

use std::collections::BTreeSet;

use envc_cloud::Faults;
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::Served;

/// Asks the edge part with the cloud's own token; gives status, content type and body.
async fn ask(served: &Served, method: Method, path: &str, body: Value) -> (u16, String, Value) {
    let request = served.http.request(method, format!("{}/v1/pools/{path}", served.base));
    let request = request.bearer_auth(served.cloud.token());
    let request = if body.is_null() { request } else { request.body(body.to_string()) };
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let kind = response.headers().get("content-type");
    let kind = kind.map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
    let text = response.text().await.unwrap();
    (status, kind, serde_json::from_str(&text).unwrap_or_default())
}

async fn lease(served: &Served, holder: &str) -> (u16, Value) {
    let (status, _, body) =
        ask(served, Method::POST, "previews/leases", json!({"holder": holder})).await;
    (status, body)
}

async fn put(served: &Served, count: usize) {
    let members: Vec<Value> = (1..=count)
        .map(|n| json!({"id": format!("preview-{n}"), "secrets": {"KEY": "planted-s3cret"}}))
        .collect();
    let body = json!({"members": members, "settings": {"cool_down_seconds": 0}});
    assert_eq!(ask(served, Method::PUT, "previews/members", body).await.0, 200);
}

#[tokio::test]
async fn a_lease_is_its_holders_until_it_is_given_back() {
    let served = Served::new().await;
    let (status, kind, body) =
        ask(&served, Method::POST, "previews/leases", json!({"holder": "a/1"})).await;
    assert_eq!((status, kind.as_str()), (404, "application/problem+json"), "{body}");
    put(&served, 1).await;
    let (status, first) = lease(&served, "shop/a").await;
    assert_eq!(
        (status, &first["id"], &first["secrets"]["KEY"]),
        (201, &json!("preview-1"), &json!("planted-s3cret"))
    );
    let (status, again) = lease(&served, "shop/a").await;
    assert_eq!((status, &again["lease_id"]), (200, &first["lease_id"]));
    let (status, refused) = lease(&served, "shop/b").await;
    assert_eq!((status, &refused["leases"][0]["holder"]), (503, &json!("shop/a")));
    assert_eq!(refused["type"], "urn:envc:problem:pool-empty");
    let one = format!("previews/leases/{}", first["lease_id"].as_str().unwrap());
    assert_eq!(ask(&served, Method::DELETE, &one, Value::Null).await.0, 204);
    assert_eq!(lease(&served, "shop/b").await.0, 201);
    let (_, _, list) = ask(&served, Method::GET, "previews/leases", Value::Null).await;
    assert_eq!(list["leases"][0]["subject"], "local");
    served.stop().await;
}

#[tokio::test]
async fn only_the_clouds_own_token_is_let_in_and_only_to_pools() {
    let served = Served::new().await;
    let url = format!("{}/v1/pools/previews", served.base);
    for request in [served.http.get(&url), served.http.get(&url).bearer_auth("x".repeat(40))] {
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    let others = ["v1/environments", "v1/tokens", "v1/nothing"];
    for path in others {
        let request = served.http.get(format!("{}/{path}", served.base));
        let answer = request.bearer_auth(served.cloud.token()).send().await.unwrap();
        assert_eq!(answer.status(), 404, "{path}");
    }
    served.stop().await;
}

#[tokio::test]
async fn a_lease_ends_by_the_clock_which_tests_can_set_ahead() {
    let served = Served::new().await;
    put(&served, 1).await;
    let (_, first) = lease(&served, "shop/a").await;
    served.hook(&format!("pools/ahead/{}", 8 * 86_400_000_u64)).await.ok();
    let one = format!("previews/leases/{}", first["lease_id"].as_str().unwrap());
    assert_eq!(ask(&served, Method::PUT, &one, Value::Null).await.0, 410);
    assert_eq!(lease(&served, "shop/b").await.0, 201);
    served.stop().await;
}

#[tokio::test]
async fn two_servers_of_one_folder_never_lease_one_member_twice() {
    let dir = TempDir::new().unwrap();
    let one = Served::on(dir.path(), Faults::default()).await;
    let two = Served::on(dir.path(), Faults::default()).await;
    put(&one, 20).await;
    let ask = async |number: usize| {
        let served = if number.is_multiple_of(2) { &one } else { &two };
        lease(served, &format!("shop/{number}")).await
    };
    let mut members = BTreeSet::new();
    let asked = (0..5).map(|group| async move {
        let mut got = Vec::new();
        for number in 0..5 {
            got.push(ask(group * 5 + number).await);
        }
        got
    });
    let mut refused = 0;
    for (status, body) in futures::future::join_all(asked).await.into_iter().flatten() {
        match status {
            201 => assert!(members.insert(body["id"].to_string()), "{body} twice"),
            _ => refused += i32::from(status == 503),
        }
    }
    assert_eq!((members.len(), refused), (20, 5));
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn secret_attributes_are_not_on_the_disk() {
    let dir = TempDir::new().unwrap();
    let served = Served::on(dir.path(), Faults::default()).await;
    put(&served, 3).await;
    lease(&served, "shop/a").await;
    served.stop().await;
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes.windows(14).any(|window| window == b"planted-s3cret");
            assert!(!found, "{}", path.display());
        }
    }
}

#[tokio::test]
async fn faults_hit_the_pools_like_everything_else() {
    let served =
        Served::with(Faults::parse("error-on=1,fail=POST:leases:503:1:down").unwrap()).await;
    assert_eq!(ask(&served, Method::GET, "previews", Value::Null).await.0, 500);
    assert_eq!(lease(&served, "shop/a").await.0, 503);
    let paths: Vec<String> = served.cloud.requests().into_iter().map(|it| it.path).collect();
    assert_eq!(paths, ["/v1/pools/previews", "/v1/pools/previews/leases"]);
    served.stop().await;
}
