//! wrangler deploys a Worker with everything that the local cloud can bind, twice, and more.

use serde_json::{Value as Json, json};

use crate::served::{Served, says, text};

const CODE: &str = "export class Room {}
export default {
  async fetch(request, env) { return new Response(env.STAGE); },
  async queue(batch, env) {},
  async scheduled(event, env) {},
};
";

/// A Worker's folder: its configuration with what a test adds, and its code.
fn project(served: &Served, more: Json) {
    let mut config = json!({
        "name": "api", "main": "index.js", "compatibility_date": "2026-01-01",
        "vars": {"STAGE": "conf"},
    });
    let (Some(config), Json::Object(more)) = (config.as_object_mut(), more) else {
        panic!("both are objects");
    };
    config.extend(more);
    served.env.write("wrangler.jsonc", &json!(config).to_string());
    served.env.write("index.js", CODE);
}

/// Makes one resource of each kind, and the configuration that binds them.
fn resources(served: &Served) -> Json {
    served.wrangler(&["d1", "create", "db"]).exits(0);
    let databases = served.wrangler_json(&["d1", "list", "--json"]);
    served.wrangler(&["kv", "namespace", "create", "kv"]).exits(0);
    let namespaces = served.wrangler_json(&["kv", "namespace", "list"]);
    served.wrangler(&["r2", "bucket", "create", "files"]).exits(0);
    served.wrangler(&["queues", "create", "jobs"]).exits(0);
    json!({
        "d1_databases": [{"binding": "DB", "database_name": "db",
                          "database_id": text(&databases, "/0/uuid")}],
        "kv_namespaces": [{"binding": "KV", "id": text(&namespaces, "/0/id")}],
        "r2_buckets": [{"binding": "FILES", "bucket_name": "files"}],
        "queues": {"producers": [{"binding": "JOBS", "queue": "jobs"}],
                   "consumers": [{"queue": "jobs", "max_batch_size": 5}]},
        "durable_objects": {"bindings": [{"name": "ROOM", "class_name": "Room"}]},
        "migrations": [{"tag": "v1", "new_sqlite_classes": ["Room"]}],
        "triggers": {"crons": ["*/5 * * * *"]},
        "routes": ["api.eventuall.live/*", {"pattern": "www.eventuall.live", "custom_domain": true}],
        "observability": {"enabled": true},
    })
}

#[test]
fn a_worker_with_everything_is_deployed_again_and_deleted() {
    let served = Served::empty();
    let config = resources(&served);
    project(&served, config);
    let ran = served.wrangler(&["deploy"]).exits(0);
    assert!(!ran.stderr.contains("ERROR"), "{ran}");
    says(
        &ran.stdout,
        &[
            "Uploaded api",
            "Deployed api triggers",
            "api.eventuall.live/*",
            "www.eventuall.live (custom domain)",
            "schedule: */5 * * * *",
            "Producer for jobs",
            "Consumer for jobs",
            "Current Version ID: ",
        ],
    );
    let ran = served.wrangler(&["deploy"]).exits(0);
    says(&ran.stdout, &["Uploaded api", "Current Version ID: "]);

    let versions = served.wrangler_json(&["versions", "list", "--json"]);
    assert_eq!(versions.as_array().map(Vec::len), Some(2), "{versions}");
    let deployments = served.wrangler_json(&["deployments", "list", "--json"]);
    assert_eq!(deployments.as_array().map(Vec::len), Some(2), "{deployments}");
    let ran = served.wrangler(&["rollback", "--message", "back"]).exits(0);
    says(&ran.stdout, &["has been deployed to 100% of traffic"]);
    let ran = served.wrangler(&["queues", "delete", "jobs"]).exits(1);
    says(&ran.stderr, &["[code: 11005]"]);
    let ran = served.wrangler(&["delete", "--force"]).exits(1);
    says(&ran.stderr, &["[code: 10064]"]);
    served.wrangler(&["queues", "consumer", "remove", "jobs", "api"]).exits(0);
    let ran = served.wrangler(&["delete"]).exits(0);
    says(&ran.stdout, &["Successfully deleted api"]);
    let ran = served.wrangler(&["deployments", "list"]).exits(1);
    says(&ran.stderr, &["[code: 10007]"]);
}

#[test]
fn secrets() {
    let served = Served::empty();
    project(&served, json!({}));
    served.env.write("secrets.json", r#"{"TWO": "2", "THREE": "3"}"#);
    // Without a Worker, wrangler uploads an empty one first.
    served.wrangler(&["secret", "bulk", "secrets.json"]).exits(0);
    let listed = served.wrangler_json(&["secret", "list"]);
    assert_eq!(
        listed,
        json!([{"name": "THREE", "type": "secret_text"},
                              {"name": "TWO", "type": "secret_text"}])
    );
    served.wrangler(&["deploy"]).exits(0);
    served.wrangler(&["secret", "delete", "TWO"]).exits(0);
    let listed = served.wrangler_json(&["secret", "list"]);
    assert_eq!(listed, json!([{"name": "THREE", "type": "secret_text"}]));
    served.env.write("one.json", r#"{"ONE": "1"}"#);
    served.wrangler(&["versions", "secret", "bulk", "one.json"]).exits(0);
    let ran = served.wrangler(&["secret", "delete", "THREE"]).exits(1);
    says(&ran.stderr, &["[code: 10215]"]);
    let ran = served.wrangler(&["secret", "delete", "TWO"]).exits(1);
    says(&ran.stderr, &["[code: 10056]"]);
}

#[test]
fn static_assets() {
    let served = Served::empty();
    project(&served, json!({"assets": {"directory": "public", "binding": "ASSETS"}}));
    for n in 0..120 {
        served.env.write(&format!("public/{n}.txt"), &format!("asset {n}"));
    }
    let ran = served.wrangler(&["deploy"]).exits(0);
    says(&ran.stdout, &["Success! Uploaded 120 files", "env.ASSETS", "Uploaded api"]);
    served.env.write("public/0.txt", "another one");
    let ran = served.wrangler(&["deploy"]).exits(0);
    says(&ran.stdout, &["Success! Uploaded 1 file (119 already uploaded)", "Uploaded api"]);
    let ran = served.wrangler(&["deploy"]).exits(0);
    says(&ran.stdout, &["No updated asset files to upload", "Uploaded api"]);
}
