//! What `wrangler deploy` does with a configuration that envc wrote, as calls of the API: for tests
//! that cannot have wrangler itself.

use http::Method;
use serde_json::{Value as Json, json};

use crate::{env::TestEnv, listing::CloudView};

/// A handler for everything, and a class.
const CODE: &str =
    "export class Cart {} ; export default { fetch() {}, queue() {}, scheduled() {} };";

impl TestEnv {
    /// Deploys the Worker whose `wrangler.jsonc` lies in a folder of the checkout, with more bindings.
    pub fn deploy(&self, folder: &str, cloud: &CloudView, more: &[Json]) -> String {
        let written = self.read(&format!("{folder}/wrangler.jsonc")).expect("envc wrote it");
        let lines = written.lines().filter(|line| !line.trim_start().starts_with("//"));
        let text = lines.collect::<Vec<_>>().join("\n");
        cloud.deploy(&serde_json::from_str(&text).expect("the configuration is JSON"), more)
    }
}

impl CloudView {
    /// Uploads a script with its bindings, then its crons, domains, routes and consumers. Gives its
    /// name.
    pub fn deploy(&self, config: &Json, more: &[Json]) -> String {
        let name = text(config, "name");
        let list =
            |at: &str| config.pointer(at).and_then(Json::as_array).cloned().unwrap_or_default();
        let mut bindings = more.to_vec();
        for (variable, value) in config.get("vars").and_then(Json::as_object).into_iter().flatten()
        {
            bindings.push(json!({ "type": "plain_text", "name": variable, "text": value }));
        }
        for (at, kind, from, to) in [
            ("/d1_databases", "d1", "database_id", "id"),
            ("/kv_namespaces", "kv_namespace", "id", "namespace_id"),
            ("/r2_buckets", "r2_bucket", "bucket_name", "bucket_name"),
            ("/queues/producers", "queue", "queue", "queue_name"),
        ] {
            for one in list(at) {
                let mut binding = json!({ "type": kind, "name": text(&one, "binding") });
                set(&mut binding, to, json!(text(&one, from)));
                bindings.push(binding);
            }
        }
        for one in list("/durable_objects/bindings") {
            let mut binding = one.clone();
            set(&mut binding, "type", json!("durable_object_namespace"));
            bindings.push(binding);
        }
        let mut metadata = json!({ "main_module": "a.js", "bindings": bindings });
        let is_new = self.listing().id("worker", &name).is_none();
        if let (true, [migration, ..]) = (is_new, list("/migrations").as_slice()) {
            let migrations = json!({
                "new_tag": migration["tag"], "steps": [{ "new_sqlite_classes": migration["new_sqlite_classes"] }],
            });
            set(&mut metadata, "migrations", migrations);
        }
        let body = format!(
            "--x\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{metadata}\r\n--x\r\n\
             Content-Disposition: form-data; name=\"a.js\"; filename=\"a.js\"\r\nContent-Type: \
             application/javascript+module\r\n\r\n{CODE}\r\n--x--\r\n"
        );
        let script = format!("/workers/scripts/{name}");
        let answer = self.form_of_account(&Method::PUT, &script, "x", body.into());
        assert_eq!(answer.0, 200, "{answer:?}");
        let crons: Vec<Json> =
            list("/triggers/crons").iter().map(|it| json!({ "cron": it })).collect();
        self.of_account(&Method::PUT, &format!("{script}/schedules"), Some(&json!(crons)));
        self.deploy_routes(&name, &list("/routes"));
        for consumer in list("/queues/consumers") {
            self.consume(&name, &consumer);
        }
        name
    }

    fn deploy_routes(&self, script: &str, routes: &[Json]) {
        let (_, zones) = self.call(&Method::GET, "/zones", None);
        let Some(zone) = zones.pointer("/result/0/id").and_then(Json::as_str) else { return };
        for route in routes {
            let pattern = text(route, "pattern");
            if route.get("custom_domain").is_some() {
                let domain = json!({
                    "hostname": pattern, "service": script, "zone_id": zone,
                    "environment": "production",
                });
                self.of_account(&Method::PUT, "/workers/domains", Some(&domain));
            } else {
                let route = json!({ "pattern": pattern, "script": script });
                let path = format!("/zones/{zone}/workers/routes");
                let answer = self.call(&Method::POST, &path, Some(&route));
                assert!(matches!(answer.0, 200 | 409), "{answer:?}");
            }
        }
    }

    fn consume(&self, script: &str, consumer: &Json) {
        let listing = self.listing();
        let queue = listing.id("queue", &text(consumer, "queue")).expect("the queue is there");
        let mut body = json!({ "type": "worker", "script_name": script });
        if let Some(dead) = consumer.get("dead_letter_queue") {
            set(&mut body, "dead_letter_queue", dead.clone());
        }
        let path = format!("/accounts/{}/queues/{queue}/consumers", self.account());
        let answer = self.call(&Method::POST, &path, Some(&body));
        let is_there = answer.1.pointer("/errors/0/code") == Some(&json!(11004));
        assert!(answer.0 == 200 || is_there, "{answer:?}");
    }
}

fn text(json: &Json, name: &str) -> String {
    json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn set(json: &mut Json, name: &str, value: Json) {
    json.as_object_mut().expect("it is an object").insert(name.to_owned(), value);
}
