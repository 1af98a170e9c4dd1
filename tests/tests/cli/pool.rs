//! `envc pool`.

use envc_tests::TestEnv;
use serde_json::json;

use crate::common::says;

const SPEC: &str = "project \"shop\"\n\
    edge \"https://edge.example.com\" token=(secret)\"EDGE_TOKEN\" { pool \"previews\" }\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    kv \"cache\"\n\
    allow \"unused_resource\"\n";

fn put(env: &TestEnv, ids: &[&str]) -> envc_tests::Ran {
    let member =
        |id: &&str| json!({"id": id, "attributes": {"room": id}, "secrets": {"key": "planted"}});
    let members: Vec<_> = ids.iter().map(member).collect();
    let settings = json!({"cool_down_seconds": 0});
    env.write("members.json", &json!({"members": members, "settings": settings}).to_string());
    env.envc(&["pool", "members", "previews", "members.json"]).exits(0)
}

#[test]
fn members_are_put_shown_drained_and_removed() {
    let env = TestEnv::of_text(SPEC);
    says(&env.envc(&["pool", "ls"]).exits(0), &["previews: no members yet"]);
    says(&put(&env, &["a", "b"]), &["added: a, b", "previews has 2 preview IDs."]);
    let shown = env.envc(&["pool", "members", "previews"]).exits(0);
    says(&shown, &["previews: 2 preview IDs", "  a  free  room=a  secret: key"]);
    assert!(!shown.stdout.contains("planted"), "{shown}");
    let _held = env.envc(&["pool", "claim", "previews", "--holder", "shop/demo"]).exits(0);
    let put = put(&env, &["c"]);
    says(&put, &["added: c", "removed: b", "draining, gone once no lease holds them: a"]);
    let events = env.envc(&["pool", "ls", "--json"]).exits(0);
    let pool = events.event("pool").unwrap();
    assert_eq!((&pool["size"], &pool["leased"]), (&json!(2), &json!(1)));
    assert_eq!(pool["leases"][0]["holder"], "shop/demo");
}

#[test]
fn a_preview_id_is_claimed_and_released_by_hand() {
    let env = TestEnv::of_text(SPEC);
    let _put = put(&env, &["a"]);
    let claimed = env.envc(&["pool", "claim", "previews", "--holder", "shop/demo"]).exits(0);
    says(&claimed, &["id=a\n", "room=a\n", "not shown without --show-secrets: key"]);
    assert!(!claimed.stdout.contains("planted"), "{claimed}");
    let again = ["pool", "claim", "previews", "--holder", "shop/demo", "--show-secrets"];
    says(&env.envc(&again).exits(0), &["id=a\n", "key=planted"]);
    let empty = env.envc(&["pool", "claim", "previews"]).exits(75);
    says(&empty, &["no preview ID of the pool `previews` is free", "a is held by shop/demo"]);
    let listed = env.envc(&["pool", "ls", "previews"]).exits(0);
    says(&listed, &["previews: 1 preview ID, 0 free, 1 leased", "  a  shop/demo  renewed "]);
    let release = ["pool", "release", "previews", "--holder", "shop/demo"];
    says(&env.envc(&release).exits(0), &["Released a of pool previews, which shop/demo held."]);
    says(&env.envc(&release).exits(0), &["Nothing to release"]);
    let claimed = env.envc(&["pool", "claim", "previews", "--json"]).exits(0);
    let event = claimed.event("claimed").unwrap();
    assert!(event["holder"].as_str().unwrap().starts_with("shop/main-t"), "{event}");
    assert_eq!((&event["secrets"], &event["secret_names"]), (&json!({}), &json!(["key"])));
    let id = event["lease_id"].as_str().unwrap();
    let _released = env.envc(&["pool", "release", "previews", "--lease", id]).exits(0);
    says(&env.envc(&["pool", "ls"]).exits(0), &["1 free, 0 leased"]);
}

#[test]
fn what_cannot_be_is_told() {
    let env = TestEnv::of_text(SPEC);
    let _which = env.envc(&["pool", "release", "previews"]).exits(64);
    let _name = env.envc(&["pool", "claim", "previews", "--holder", "nobody"]).exits(1);
    env.write("members.json", "{\"members\": [{\"id\": \"a\", \"secret\": \"planted\"}]}");
    let ran = env.envc(&["pool", "members", "previews", "members.json"]).exits(64);
    says(&ran, &["members.json does not list members", "line 1, column"]);
    assert!(!ran.stderr.contains("planted"), "{ran}");
    says(&env.envc(&["pool", "ls", "a b"]).exits(1), &["a name is 1 to 64 letters"]);
}
