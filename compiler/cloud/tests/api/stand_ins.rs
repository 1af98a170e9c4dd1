//! Stand-ins: what a spec says exists.

use crate::support::Served;
use envc_cloud::StandIn;
use serde_json::json;

const D1: &str = "77aa55c0-1b2c-4d3e-8f4a-5b6c7d8e9f01";
const HEX: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn they_are_like_any_other_object_and_made_once() {
    let served = Served::new().await;
    let cloud = &served.cloud;
    for (kind, id, name) in [
        ("d1", Some(D1), "stand-in-db"),
        ("kv", Some(HEX), "stand-in-kv"),
        ("kv", None, "shop-flags"),
        ("r2", None, "shop-images"),
        ("queue", Some(HEX), "stand-in-queue"),
        ("hyperdrive", Some(HEX), "stand-in-hd"),
        ("vectorize", None, "shop-vectors"),
        ("tunnel", Some(D1), "stand-in-tunnel"),
    ] {
        // A look makes nothing, and tells what will be made.
        let looked = || cloud.look_for_stand_in(kind, id, name).unwrap();
        let StandIn::Missing(would_be) = looked() else { panic!("{kind}: {:?}", looked()) };
        assert_eq!(looked(), StandIn::Missing(would_be.clone()), "{kind}");
        assert!(id.is_none_or(|id| id == would_be), "{kind}: {would_be}");
        assert!(cloud.stand_in(kind, id, name).unwrap(), "{kind}");
        assert!(!cloud.stand_in(kind, id, name).unwrap(), "{kind}: once");
        assert_eq!(looked(), StandIn::There, "{kind}");
        if kind == "kv" {
            served.get(&format!("storage/kv/namespaces/{would_be}")).await.ok();
        }
    }
    assert_eq!(served.get(&format!("d1/database/{D1}")).await.ok()["name"], "stand-in-db");
    let ran = json!({"sql": "CREATE TABLE t (x)"});
    served.post(&format!("d1/database/{D1}/query"), ran).await.ok();
    served.get(&format!("storage/kv/namespaces/{HEX}")).await.ok();
    assert_eq!(served.get("storage/kv/namespaces").await.ok().as_array().unwrap().len(), 2);
    served.get("r2/buckets/shop-images").await.ok();
    served.get(&format!("queues/{HEX}")).await.ok();
    served.get(&format!("hyperdrive/configs/{HEX}")).await.ok();
    served.get("vectorize/v2/indexes/shop-vectors").await.ok();
    served.get(&format!("cfd_tunnel/{D1}")).await.ok();
}

#[tokio::test]
async fn what_is_there_already_is_no_stand_in_and_a_wrong_identifier_is_none() {
    let served = Served::new().await;
    let made = served.post("storage/kv/namespaces", json!({"title": "real"})).await.ok();
    let id = made["id"].as_str();
    assert!(!served.cloud.stand_in("kv", id, "stand-in").unwrap());
    assert!(!served.cloud.stand_in("kv", None, "real").unwrap());
    for wrong in ["", "../../x", "77AA", "x/../y"] {
        assert!(!served.cloud.stand_in("d1", Some(wrong), "stand-in").unwrap(), "{wrong}");
    }
    let real = served.cloud.look_for_stand_in("kv", None, "real").unwrap();
    assert_eq!(real, StandIn::Needless);
    assert_eq!(served.get("d1/database").await.ok(), json!([]));
}
