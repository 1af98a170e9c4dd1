//! Cloudflare Tunnel.

use crate::support::Served;
use serde_json::json;

async fn create(served: &Served, name: &str) -> String {
    let body = json!({"name": name, "config_src": "cloudflare"});
    let created = served.post("cfd_tunnel", body).await.ok();
    created["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_tunnel_lives_and_its_corpse_stays() {
    let served = Served::new().await;
    let body = json!({"name": "home", "config_src": "cloudflare"});
    let created = served.post("cfd_tunnel", body.clone()).await.ok();
    let id = created["id"].as_str().unwrap();
    let path = format!("cfd_tunnel/{id}");
    assert_eq!(created["credentials_file"]["TunnelID"], id);
    assert_eq!(created["status"], "inactive");
    assert_eq!(created["remote_config"], true);
    assert_eq!(served.get(&format!("{path}/token")).await.ok(), created["token"]);
    served.post("cfd_tunnel", body.clone()).await.fails(409, 1013);
    served.post("cfd_tunnel", json!({"name": ""})).await.fails(400, 1001);
    let short = json!({"name": "s", "tunnel_secret": "c2hvcnQ="});
    served.post("cfd_tunnel", short).await.fails(400, 1001);
    assert_eq!(served.patch(&path, json!({"name": "house"})).await.ok()["name"], "house");
    assert!(served.get(&path).await.ok().get("token").is_none());
    assert!(served.delete(&path).await.ok()["deleted_at"].is_string());
    assert!(served.get(&path).await.ok()["deleted_at"].is_string());
    served.delete(&path).await.fails(404, 1002);
    served.get(&format!("{path}/token")).await.fails(404, 1002);

    let corpse = served.get(&path).await.ok();
    assert!(corpse.get("config_src").is_none() && corpse["remote_config"] == false, "{corpse}");
    served.get(&format!("{path}/configurations")).await.fails(404, 1055);

    // The name is free again; the corpse shows where it is asked for.
    create(&served, "house").await;
    for (filter, count) in [("", 1), ("&is_deleted=false", 1), ("&is_deleted=true", 1)] {
        let found = served.get(&format!("cfd_tunnel?name=house{filter}")).await;
        let info = &found.body["result_info"];
        assert_eq!((&info["total_count"], info.get("total_pages")), (&json!(count), None));
        let is_dead = found.ok()[0]["deleted_at"].is_string();
        assert_eq!(is_dead, filter.ends_with("true"), "{filter}");
    }
    // Documented to have 32 bytes, and taken with 24.
    let secret = json!({"name": "key", "tunnel_secret": "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0"});
    let made = served.post("cfd_tunnel", secret.clone()).await.ok();
    served.patch(&format!("cfd_tunnel/{}", made["id"].as_str().unwrap()), secret).await.ok();
    assert_eq!(served.get("cfd_tunnel?page=9").await.ok(), json!([]));
    served.get("cfd_tunnel?per_page=1001").await.fails(400, 1001);
    let none = "00000000-0000-4000-8000-000000000000";
    served.get(&format!("cfd_tunnel/{none}")).await.fails(404, 1002);
}

#[tokio::test]
async fn connections_block_deletion() {
    let served = Served::new().await;
    let id = create(&served, "home").await;
    let path = format!("cfd_tunnel/{id}");
    assert_eq!(served.hook(&format!("tunnels/{id}/connect")).await.ok()["status"], "healthy");
    let connections = served.get(&format!("{path}/connections")).await.ok();
    assert_eq!(connections[0]["conns"].as_array().unwrap().len(), 1);
    served.delete(&path).await.fails(400, 1022);
    served.delete(&format!("{path}/connections")).await.ok();
    assert_eq!(served.get(&path).await.ok()["status"], "down");
    served.hook(&format!("tunnels/{id}/connect")).await.ok();
    served.hook(&format!("tunnels/{id}/disconnect")).await.ok();
    served.hook(&format!("tunnels/{id}/connect")).await.ok();
    served.delete(&format!("{path}?cascade=true")).await.ok();
    served.hook("nothing").await.fails(400, 7003);
}

#[tokio::test]
async fn configurations_are_versioned_and_checked() {
    let served = Served::new().await;
    let path = format!("cfd_tunnel/{}/configurations", create(&served, "home").await);
    let empty = served.get(&path).await.ok();
    assert!(empty["config"].is_null());
    let config = json!({"ingress": [
        {"hostname": "app.example.com", "path": "^/v1", "service": "https://localhost:3000",
         "originRequest": {"connectTimeout": 10, "noTLSVerify": true}},
        {"hostname": "app.example.com", "service": "http://localhost:3000"},
        {"service": "http_status:404"},
    ]});
    let put = served.put(&path, json!({"config": config})).await.ok();
    assert_eq!((put["version"].as_i64(), &put["source"]), (Some(1), &json!("cloudflare")));
    served.put(&path, json!({"config": config})).await.ok();
    let got = served.get(&path).await.ok();
    assert_eq!((got["version"].as_i64(), &got["config"]["ingress"]), (Some(2), &config["ingress"]));
    assert_eq!(got["config"]["warp-routing"], json!({"enabled": false}), "told, though not sent");
    let open = json!({"ingress": [{"hostname": "a.example.com", "service": "http://localhost:1"}]});
    let refused = served.put(&path, json!({"config": open})).await;
    refused.fails(400, 1056);
    assert!(refused.error().contains("must match all URLs") && refused.error().ends_with('\n'));
    let mut text = config.clone();
    text["ingress"][0]["originRequest"]["connectTimeout"] = json!("10s");
    served.put(&path, json!({"config": text})).await.fails(400, 1056);
    let none = served.put(&path, json!({"config": {"ingress": []}})).await;
    none.fails(400, 1056);
    assert!(none.error().contains("doesn't contain any ingress rules"));
    assert!(got.get("account_id").is_none(), "{got}");
    assert_eq!(served.get(&path).await.ok()["version"], 2);
    served.put(&path, json!({})).await.fails(400, 1001);
}
