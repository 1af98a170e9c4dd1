//! Workers: secrets, schedules, subdomains, routes, custom domains.

use crate::support::{Reply, Served, ZONE};
use crate::workers::{upload, upload_code};
use envc_cloud::Faults;
use reqwest::Method;
use serde_json::{Value, json};

async fn zone(served: &Served) -> String {
    let zones = served.call(Method::GET, "zones", None).await.ok();
    zones[0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn secrets_are_written_and_never_read() {
    let served = Served::new().await;
    let path = "workers/scripts/api/secrets";
    let key = json!({"name": "KEY", "text": "s3cret", "type": "secret_text"});
    served.get(path).await.fails(404, 10007);
    served.put(path, key.clone()).await.fails(404, 10007);
    let plain = json!([{"name": "STAGE", "type": "plain_text", "text": "prod"}]);
    upload(&served, "api", json!({"bindings": plain})).await.ok();
    assert_eq!(served.get(path).await.ok(), json!([]));
    let shown = json!({"name": "KEY", "type": "secret_text"});
    assert_eq!(served.put(path, key.clone()).await.ok(), shown);
    served.put(path, key).await.ok();
    assert_eq!(served.get(path).await.ok(), json!([shown]));
    assert_eq!(served.get(&format!("{path}/KEY")).await.ok(), shown);
    served.get(&format!("{path}/NO")).await.fails(404, 10056);
    served.delete(&format!("{path}/NO")).await.fails(404, 10056);
    // Another binding keeps its name.
    served.put(path, json!({"name": "STAGE", "text": "x"})).await.fails(400, 10053);
    served.get(&format!("{path}/STAGE")).await.fails(404, 10056);
    for bad in [
        json!({"name": "A"}),
        json!({"text": "x"}),
        json!({"name": "A", "text": "x", "type": "plain_text"}),
        json!({"name": "A", "text": "x".repeat(5 * 1024 + 1)}),
        json!([]),
    ] {
        served.put(path, bad).await.fails(400, 10021);
    }
    let bulk = json!({"secrets": {"KEY": null, "GONE": null, "NEW": {"text": "n"}}});
    let after = served.patch("workers/scripts/api/secrets-bulk", bulk).await.ok();
    assert_eq!(after, json!({"NEW": {"name": "NEW", "type": "secret_text"}}));
    served.delete(&format!("{path}/NEW")).await.ok();
    assert_eq!(served.get(path).await.ok(), json!([]));
}

#[tokio::test]
async fn a_lost_answer_leaves_the_secret() {
    let served = Served::with(Faults::parse("lose-response-on=2").unwrap()).await;
    upload(&served, "api", json!({})).await.ok();
    let path = served.in_account("workers/scripts/api/secrets");
    let body = json!({"name": "KEY", "text": "x"}).to_string();
    served.request(Method::PUT, &path).body(body).send().await.unwrap_err();
    assert_eq!(served.get("workers/scripts/api/secrets").await.ok()[0]["name"], "KEY");
}

#[tokio::test]
async fn schedules_are_replaced_as_a_whole() {
    let served = Served::new().await;
    let path = "workers/scripts/api/schedules";
    served.get(path).await.fails(404, 10007);
    upload(&served, "api", json!({})).await.ok();
    assert_eq!(served.get(path).await.ok(), json!({"schedules": []}));
    let crons = |reply: Value| -> Vec<String> {
        let schedules = reply["schedules"].as_array().unwrap().clone();
        schedules.iter().map(|it| it["cron"].as_str().unwrap().to_owned()).collect()
    };
    let first = json!([{"cron": "*/5 * * * *"}, {"cron": "0 0 L * *"}]);
    let put = served.put(path, first).await.ok();
    assert!(put["schedules"][0]["created_on"].is_string());
    assert_eq!(crons(put.clone()).len(), 2);
    let second = json!([{"cron": "*/5 * * * *"}, {"cron": "*/5 * * * *"}]);
    let again = served.put(path, second).await.ok();
    assert_eq!(crons(again.clone()), ["*/5 * * * *"]);
    assert_eq!(again["schedules"][0]["created_on"], put["schedules"][0]["created_on"]);
    served.put(path, json!([{"cron": "* * * *"}])).await.fails(400, 10100);
    served.put(path, json!({"cron": "* * * * *"})).await.fails(400, 10021);
    assert_eq!(crons(served.get(path).await.ok()), ["*/5 * * * *"]);
    served.delete("workers/subdomain").await.ok();
    served.put(path, json!([])).await.fails(400, 10063);
    served.put("workers/subdomain", json!({"subdomain": "me"})).await.ok();
    assert_eq!(crons(served.put(path, json!([])).await.ok()), Vec::<String>::new());
}

#[tokio::test]
async fn subdomains_of_the_account_and_of_a_script() {
    let served = Served::new().await;
    let name = served.get("workers/subdomain").await.ok()["subdomain"].clone();
    let name = name.as_str().unwrap();
    assert!(name.starts_with("local-"), "{name}");
    served.get(&format!("workers/subdomains/{name}")).await.fails(409, 10031);
    served.get("workers/subdomains/free").await.fails(404, 10032);
    served.put("workers/subdomain", json!({"subdomain": "No_"})).await.fails(400, 10034);
    served.delete("workers/subdomain").await.ok();
    served.get("workers/subdomain").await.fails(404, 10007);
    served.delete("workers/subdomain").await.fails(404, 10007);

    let path = "workers/scripts/api/subdomain";
    served.get(path).await.fails(404, 10007);
    upload(&served, "api", json!({})).await.ok();
    let state =
        |enabled: bool, previews: bool| json!({"enabled": enabled, "previews_enabled": previews});
    assert_eq!(served.get(path).await.ok(), state(false, false));
    assert_eq!(served.post(path, json!({"enabled": true})).await.ok(), state(true, true));
    assert_eq!(served.delete(path).await.ok(), state(false, false));
    served.post(path, json!({})).await.fails(400, 10021);
    let objects = json!({"migrations": {"new_sqlite_classes": ["Room"]}});
    upload(&served, "api", objects).await.ok();
    assert_eq!(served.post(path, json!({"enabled": true})).await.ok(), state(true, false));
    served.post(path, state(true, true)).await.fails(400, 100_331);
}

#[tokio::test]
async fn routes_are_unique_in_their_zone() {
    let served = Served::new().await;
    let path = format!("zones/{}/workers/routes", zone(&served).await);
    let call = async |method: Method, id: &str, body: Option<Value>| -> Reply {
        served.call(method, &format!("{path}{id}"), body).await
    };
    let post = async |pattern: &str, script: &str| {
        call(Method::POST, "", Some(json!({"pattern": pattern, "script": script}))).await
    };
    post("example.com/*", "api").await.fails(400, 10019);
    upload(&served, "api", json!({})).await.ok();
    let made = post("example.com/*", "api").await.ok();
    post("example.com/*", "api").await.fails(409, 10020);
    for bad in ["", "other.com/*", "a.*.example.com/*", "example.com/*/x", "example.com/?q"] {
        post(bad, "api").await.fails(400, 10022);
    }
    let none = call(Method::POST, "", Some(json!({"pattern": "example.com/off"}))).await.ok();
    assert!(none.get("script").is_none(), "{none}");
    let id = format!("/{}", made["id"].as_str().unwrap());
    let changed = json!({"pattern": "*.example.com/*", "script": "api"});
    assert_eq!(call(Method::PUT, &id, Some(changed)).await.ok()["id"], made["id"]);
    let taken = json!({"pattern": "example.com/off"});
    call(Method::PUT, &id, Some(taken.clone())).await.fails(409, 10020);
    call(Method::PUT, "/0f2ac74b498b48028cb68387c421e279", Some(taken)).await.fails(404, 10009);
    assert_eq!(call(Method::GET, &id, None).await.ok()["pattern"], "*.example.com/*");

    // wrangler's way: these and no others.
    let routes = json!(["example.com/a", {"pattern": "example.com/b", "zone_name": ZONE}]);
    let put = served.put("workers/scripts/api/routes", routes.clone()).await.ok();
    assert_eq!(put, json!(["example.com/a", "example.com/b"]));
    served.put("workers/scripts/api/routes", routes).await.ok();
    assert_eq!(call(Method::GET, "", None).await.ok().as_array().unwrap().len(), 3);
    upload(&served, "other", json!({})).await.ok();
    served.put("workers/scripts/other/routes", json!(["example.com/a"])).await.fails(409, 10020);
    served.put("workers/scripts/other/routes", json!(["elsewhere.com/a"])).await.fails(400, 10022);

    let service = "workers/services/api/environments/production";
    let of_script = served.get(&format!("{service}/routes?show_zonename=true")).await.ok();
    assert_eq!(
        (&of_script[0]["pattern"], &of_script[0]["zone_name"]),
        (&json!("example.com/a"), &json!(ZONE))
    );
    assert_eq!(served.get(&format!("{service}/bindings")).await.ok(), json!([]));
    assert_eq!(served.get(&format!("{service}/subdomain")).await.ok()["enabled"], false);
    assert_eq!(served.get(service).await.ok()["script"]["id"], "api");
    served.get("workers/services/api/environments/staging").await.fails(404, 10092);
    served.get("workers/services/no/environments/production/routes").await.fails(404, 10090);

    // A deleted script leaves its routes without one.
    served.delete("workers/scripts/api").await.ok();
    let left = call(Method::GET, "", None).await.ok();
    assert!(left.as_array().unwrap().iter().all(|route| route.get("script").is_none()), "{left}");
    let id = left[0]["id"].as_str().unwrap();
    assert_eq!(call(Method::DELETE, &format!("/{id}"), None).await.ok(), json!({"id": id}));
    call(Method::DELETE, &format!("/{id}"), None).await.fails(404, 10009);
}

#[tokio::test]
async fn a_token_may_lack_routes_alone() {
    let served = Served::with(Faults::parse("deny=routes").unwrap()).await;
    let path = format!("zones/{}/workers/routes", zone(&served).await);
    upload(&served, "api", json!({})).await.ok();
    served.put("workers/scripts/api/routes", json!([])).await.fails(403, 10000);
    served.call(Method::GET, &path, None).await.fails(403, 9109);
    let served = Served::with(Faults::parse("deny=workers").unwrap()).await;
    served.get("workers/scripts").await.fails(403, 10000);
    let path = format!("zones/{}/workers/routes", zone(&served).await);
    assert_eq!(served.call(Method::GET, &path, None).await.ok(), json!([]));
}

#[tokio::test]
async fn a_custom_domain_comes_with_its_dns_record() {
    let served = Served::new().await;
    let records = format!("zones/{}/dns_records", zone(&served).await);
    let attach = async |hostname: &str, service: &str, over: bool| {
        let body = json!({"hostname": hostname, "service": service, "zone_name": ZONE,
                          "override_existing_origin": over});
        served.put("workers/domains", body).await
    };
    attach("app.example.com", "api", false).await.fails(404, 10007);
    upload(&served, "api", json!({})).await.ok();
    upload(&served, "next", json!({})).await.ok();
    let made = attach("app.example.com", "api", false).await.ok();
    assert_eq!((&made["zone_name"], &made["environment"]), (&json!(ZONE), &json!("production")));
    assert_eq!(attach("APP.example.com", "api", false).await.ok()["id"], made["id"]);
    attach("app.example.com", "next", false).await.fails(409, 100_116);
    assert_eq!(attach("app.example.com", "next", true).await.ok()["service"], "next");
    for bad in ["", "*.example.com", "app.elsewhere.com", "example.com/x"] {
        attach(bad, "api", false).await.fails(400, 100_115);
    }

    let listed = served.call(Method::GET, &records, None).await.ok();
    assert_eq!((&listed[0]["type"], &listed[0]["content"]), (&json!("AAAA"), &json!("100::")));
    assert_eq!(
        (&listed[0]["proxied"], &listed[0]["meta"]["read_only"]),
        (&json!(true), &json!(true))
    );
    let record = format!("{records}/{}", listed[0]["id"].as_str().unwrap());
    let comment = Some(json!({"comment": "mine"}));
    served.call(Method::PATCH, &record, comment).await.fails(400, 81062);
    served.call(Method::DELETE, &record, None).await.fails(400, 81062);
    let address = |name: &str| Some(json!({"type": "A", "name": name, "content": "192.0.2.1"}));
    served.call(Method::POST, &records, address("app")).await.fails(400, 81062);
    served.call(Method::POST, &records, address("own")).await.ok();
    attach("own.example.com", "api", true).await.fails(409, 100_117);

    let filtered = served.get("workers/domains?hostname=app.example.com&service=next").await.ok();
    assert_eq!(filtered[0]["id"], made["id"]);
    assert_eq!(served.get("workers/domains?service=api").await.ok(), json!([]));
    let one = format!("workers/domains/{}", made["id"].as_str().unwrap());
    assert_eq!(served.get(&one).await.ok()["hostname"], "app.example.com");
    served.delete(&one).await.ok();
    served.delete(&one).await.fails(404, 100_114);
    let left = served.call(Method::GET, &records, None).await.ok();
    assert_eq!(left.as_array().unwrap().len(), 1);

    attach("app.example.com", "api", false).await.ok();
    served.delete("workers/scripts/api").await.ok();
    assert_eq!(served.get("workers/domains").await.ok(), json!([]));
    let left = served.call(Method::GET, &records, None).await.ok();
    assert_eq!(left.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn domains_are_changed_as_a_set() {
    let served = Served::new().await;
    let records = format!("zones/{}/dns_records", zone(&served).await);
    for name in ["api", "next"] {
        upload(&served, name, json!({})).await.ok();
    }
    let put = |script: &'static str, hosts: &[&str], over: bool| {
        let origins: Vec<Value> = hosts.iter().map(|host| json!({"hostname": host})).collect();
        let body = json!({"override_scope": true, "override_existing_origin": over,
                          "override_existing_dns_record": true, "origins": origins});
        let path = format!("workers/scripts/{script}/domains/records");
        let served = &served;
        async move { served.put(&path, body).await }
    };
    put("api", &["a.example.com", "b.example.com"], false).await.ok();
    put("next", &["b.example.com"], false).await.fails(409, 100_116);
    put("next", &["b.example.com"], true).await.ok();
    let own = json!({"type": "CNAME", "name": "own", "content": "example.org"});
    served.call(Method::POST, &records, Some(own)).await.ok();
    let origins =
        json!(["a", "b", "c", "own"].map(|it| json!({"hostname": format!("{it}.example.com")})));
    let path = "workers/scripts/next/domains/changeset?replace_state=true";
    let found = served.post(path, origins).await.ok();
    assert_eq!(found["added"][0]["hostname"], "c.example.com");
    assert_eq!(found["conflicting"][0]["hostname"], "own.example.com");
    let modified: Vec<&Value> =
        found["updated"].as_array().unwrap().iter().map(|it| &it["modified"]).collect();
    assert_eq!(modified, [true, false]);
    put("next", &["own.example.com"], true).await.fails(409, 100_117);
    put("api", &[], false).await.ok();
    let hosts = served.get("workers/domains/records?service=next").await.ok();
    assert_eq!(hosts[0]["hostname"], "b.example.com");
    assert_eq!(served.get("workers/domains").await.ok().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_queue_that_a_worker_sends_to_stays() {
    let served = Served::new().await;
    let queue = served.post("queues", json!({"queue_name": "jobs"})).await.ok();
    let path = format!("queues/{}", queue["queue_id"].as_str().unwrap());
    let bound = json!({"bindings": [{"name": "JOBS", "type": "queue", "queue_name": "jobs"}]});
    upload(&served, "api", bound).await.ok();
    assert_eq!(served.get(&path).await.ok()["producers"][0]["script"], "api");
    served.delete(&path).await.fails(400, 11005);
    upload_code(&served, "api", json!({}), "export default {}").await.ok();
    served.delete(&path).await.ok();
}
