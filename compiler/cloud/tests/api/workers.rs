//! Workers: scripts, bindings, migrations.

use crate::support::{Reply, Served, reply};
use reqwest::Method;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

/// A module that has every handler that these tests ask for.
pub(crate) const CODE: &str =
    "export class Room {}\nexport default { fetch() {}, queue(batch) {}, scheduled() {} };\n";

/// The form of an upload with one module.
pub(crate) fn form(metadata: &Value, code: &str) -> Form {
    let module = Part::text(code.to_owned())
        .file_name("index.js")
        .mime_str("application/javascript+module")
        .unwrap();
    // Names as they are, as wrangler and browsers write them.
    Form::new()
        .percent_encode_noop()
        .text("metadata", metadata.to_string())
        .part("index.js", module)
}

/// Uploads a script.
pub(crate) async fn upload(served: &Served, name: &str, metadata: Value) -> Reply {
    upload_code(served, name, metadata, CODE).await
}

pub(crate) async fn upload_code(
    served: &Served,
    name: &str,
    mut metadata: Value,
    code: &str,
) -> Reply {
    metadata["main_module"] = json!("index.js");
    put_form(served, &format!("workers/scripts/{name}"), form(&metadata, code)).await
}

async fn put_form(served: &Served, path: &str, form: Form) -> Reply {
    reply(served.request(Method::PUT, &served.in_account(path)).multipart(form)).await
}

async fn settings(served: &Served, name: &str) -> Value {
    served.get(&format!("workers/scripts/{name}/settings")).await.ok()
}

/// The names of a script's bindings.
pub(crate) async fn names(served: &Served, name: &str) -> Vec<String> {
    let settings = settings(served, name).await;
    let bindings = settings["bindings"].as_array().unwrap().clone();
    bindings.iter().map(|binding| binding["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_upload_is_an_upsert_and_comes_back_byte_for_byte() {
    let served = Served::new().await;
    served.get("workers/scripts/api").await.fails(404, 10007);
    served.get("workers/scripts/api/settings").await.fails(404, 10007);
    served.get("workers/services/api").await.fails(404, 10090);
    let metadata = json!({"compatibility_date": "2026-11-01", "compatibility_flags": ["nodejs_compat"],
                          "tags": ["a", "b"], "observability": {"enabled": true}});
    let first = upload(&served, "api", metadata).await.ok();
    assert_eq!(first["id"], "api");
    assert_eq!(first["handlers"], json!(["fetch", "scheduled", "queue"]));
    assert_eq!(first["compatibility_flags"], json!(["nodejs_compat"]));
    assert_eq!(first["deployment_id"].as_str().unwrap().len(), 32);
    assert_eq!(first["startup_time_ms"], 1);
    assert_eq!(first["has_modules"], true);
    let again = upload(&served, "api", json!({})).await.ok();
    assert_eq!((&again["tag"], &again["etag"]), (&first["tag"], &first["etag"]));
    // All but the tags fell back.
    assert_eq!(again["tags"], json!(["a", "b"]));
    for unset in ["compatibility_flags", "observability", "placement"] {
        assert!(again.get(unset).is_none(), "{unset}");
    }
    let other = upload_code(&served, "api", json!({}), "export default {}").await.ok();
    assert_ne!(other["etag"], first["etag"]);

    // Bytes that are no text, names that are paths.
    let raw: Vec<u8> = (0..=255).collect();
    let wasm =
        Part::bytes(raw.clone()).file_name("../x y.wasm").mime_str("application/wasm").unwrap();
    let metadata = json!({"main_module": "index.js"});
    let sent = form(&metadata, CODE).part("../x y.wasm", wasm);
    put_form(&served, "workers/scripts/api", sent).await.ok();
    for path in [
        "workers/scripts/api",
        "workers/scripts/api/content/v2",
        "workers/services/api/environments/production/content/v2",
    ] {
        let response = served.request(Method::GET, &served.in_account(path)).send().await.unwrap();
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with("multipart/form-data; boundary="), "{kind}");
        assert_eq!(response.headers()["cf-entrypoint"], "index.js");
        let body = response.bytes().await.unwrap();
        let has = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
        assert!(has(CODE.as_bytes()) && has(&raw), "{path}");
        assert!(has(b"name=\"../x y.wasm\"") && has(b"application/wasm"), "{path}");
    }
}

#[tokio::test]
async fn scripts_are_listed_by_their_tags() {
    let served = Served::new().await;
    assert_eq!(served.get("workers/scripts").await.ok(), json!([]));
    upload(&served, "one", json!({"tags": ["envc", "a"]})).await.ok();
    upload(&served, "two", json!({"tags": ["envc"]})).await.ok();
    upload(&served, "three", json!({})).await.ok();
    for (query, expected) in [
        ("", vec!["one", "three", "two"]),
        ("?tags=envc", vec!["one", "two"]),
        ("?tags=envc:yes,a:no", vec!["two"]),
        ("?tags=envc%3Ano", vec!["three"]),
    ] {
        let found = served.get(&format!("workers/scripts{query}")).await.ok();
        let ids: Vec<&str> =
            found.as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{query}");
    }
    let found = served.get("workers/scripts-search?name=t&per_page=1").await;
    assert_eq!(found.body["result"][0]["script_name"], "three");
    assert_eq!(found.body["result_info"]["total_count"], 2);
    let service = served.get("workers/services/one").await.ok();
    let environment = &service["default_environment"];
    assert_eq!(environment["environment"], "production");
    assert_eq!(environment["script"]["tags"], json!(["envc", "a"]));
    assert_eq!(environment["script"]["last_deployed_from"], "api");
}

#[tokio::test]
async fn uploads_are_checked() {
    let served = Served::new().await;
    let bad = [
        ("api", json!({"compatibility_date": "2026-13-01"}), 10021),
        ("api", json!({"compatibility_date": "9999-01-01"}), 10021),
        ("api", json!({"compatibility_flags": "nodejs_compat"}), 10021),
        ("api", json!({"bindings": {}}), 10021),
        ("api", json!({"bindings": [{"type": "plain_text", "text": "x"}]}), 10052),
        ("api", json!({"bindings": [{"name": "A", "type": "plain_text"}]}), 10021),
        ("api", json!({"bindings": [{"name": "A"}]}), 10021),
        ("api", json!({"bindings": [5]}), 10052),
        ("api", json!({"migrations": []}), 10021),
        ("api", json!({"logpush": "yes"}), 10021),
        ("api", json!({"annotations": {"workers/tag": "x".repeat(101)}}), 10021),
        ("Api", json!({}), 10016),
        ("a.b", json!({}), 10016),
        ("..%2Fapi", json!({}), 10016),
        (&"a".repeat(256), json!({}), 10016),
    ];
    for (name, metadata, code) in bad {
        let told = metadata.to_string();
        let answer = upload(&served, name, metadata).await;
        assert_eq!(answer.body["errors"][0]["code"], code, "{name} {told} {answer:?}");
        answer.fails(400, code);
    }
    upload_code(&served, "api", json!({}), "const a = 1").await.fails(400, 10068);
    let path = "workers/scripts/api";
    let main = json!({"main_module": "index.js"});
    for sent in [
        form(&json!({"main_module": "other.js"}), CODE),
        form(&json!({}), CODE),
        form(&main, CODE).text("index.js", "twice"),
        form(&main, CODE).text("", "nameless"),
        form(&main, CODE).text("n".repeat(5000), "long"),
        form(&main, CODE).text("metadata", "{}"),
        Form::new().text("index.js", CODE),
        Form::new().text("metadata", "nonsense"),
        Form::new().text("metadata", "[".repeat(100_000)),
        Form::new().text("metadata", "[]"),
    ] {
        put_form(&served, path, sent).await.fails(400, 10021);
    }
    served.put(path, json!({})).await.fails(400, 10001);
    let large = "x".repeat(64 * 1024 * 1024 + 1);
    put_form(&served, path, form(&main, CODE).text("large.txt", large)).await.fails(400, 10027);
    assert_eq!(served.get("workers/scripts").await.ok(), json!([]));
    // Many parts are only slow if something is quadratic.
    let part = |name: &str, body: &str| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{body}\r\n")
    };
    let mut many = part("metadata", &main.to_string()) + &part("index.js", CODE);
    many.extend((0..10_000).map(|n| part(&format!("m{n}.txt"), "x")));
    let sent = served
        .request(Method::PUT, &served.in_account(path))
        .header("content-type", "multipart/form-data; boundary=B");
    reply(sent.body(many + "--B--\r\n")).await.ok();
    served.post(path, json!({})).await.fails(405, 7001);
    served.get("workers/scripts/api/nothing").await.fails(400, 7003);
}

#[tokio::test]
async fn the_oldest_form_is_a_script_alone() {
    let served = Served::new().await;
    let path = served.in_account("workers/scripts/old");
    let code = "addEventListener('fetch', event => {})";
    let put = served.request(Method::PUT, &path).header("content-type", "application/javascript");
    reply(put.body(code)).await.ok();
    let response = served.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/javascript");
    assert_eq!(response.text().await.unwrap(), code);
    let put = served.request(Method::PUT, &path).header("content-type", "application/javascript");
    reply(put.body("nothing()")).await.fails(400, 10068);
}

#[tokio::test]
async fn bindings_need_their_targets() {
    let served = Served::new().await;
    let nobody = "0f2ac74b498b48028cb68387c421e279";
    let uuid = "f1b1f5c2-6d0a-4c57-9a43-2f0f5d1b7e10";
    for (binding, code) in [
        (json!({"type": "kv_namespace", "namespace_id": nobody}), 10041),
        (json!({"type": "r2_bucket", "bucket_name": "files"}), 10085),
        (json!({"type": "hyperdrive", "id": nobody}), 10157),
        (json!({"type": "vectorize", "index_name": "articles"}), 10159),
        (json!({"type": "d1", "id": uuid}), 10181),
        (json!({"type": "d1"}), 10021),
        (json!({"type": "queue", "queue_name": "jobs"}), 11000),
        (json!({"type": "service", "service": "other"}), 10144),
        (json!({"type": "durable_object_namespace", "class_name": "Room"}), 10061),
    ] {
        let mut binding = binding;
        binding["name"] = json!("B");
        upload(&served, "api", json!({"bindings": [binding]})).await.fails(400, code);
    }
    served.get("workers/scripts/api/settings").await.fails(404, 10007);

    let kv = served.post("storage/kv/namespaces", json!({"title": "kv"})).await.ok();
    let d1 = served.post("d1/database", json!({"name": "db"})).await.ok();
    served.post("r2/buckets", json!({"name": "files"})).await.ok();
    served.post("queues", json!({"queue_name": "jobs"})).await.ok();
    upload(&served, "other", json!({})).await.ok();
    let bindings = json!([
        {"name": "KV", "type": "kv_namespace", "namespace_id": kv["id"]},
        {"name": "DB", "type": "d1", "id": d1["uuid"]},
        {"name": "FILES", "type": "r2_bucket", "bucket_name": "files"},
        {"name": "JOBS", "type": "queue", "queue_name": "jobs"},
        {"name": "OTHER", "type": "service", "service": "other"},
        {"name": "SELF", "type": "service", "service": "api"},
        {"name": "KEY", "type": "secret_text", "text": "s3cret"},
        {"name": "NEW", "type": "not_yet_known", "what": {"ever": [1]}},
    ]);
    upload(&served, "api", json!({"bindings": bindings})).await.ok();
    let shown = settings(&served, "api").await["bindings"].clone();
    assert_eq!(shown[1]["database_id"], d1["uuid"]);
    assert_eq!(shown[6], json!({"name": "KEY", "type": "secret_text"}));
    assert_eq!(shown[7], bindings[7]);
    assert!(!served.get("workers/scripts").await.body.to_string().contains("s3cret"));
    let twice = json!([bindings[7], bindings[7]]);
    upload(&served, "api", json!({"bindings": twice})).await.fails(400, 10053);
}

#[tokio::test]
async fn secrets_are_lost_unless_kept() {
    let served = Served::new().await;
    let secret = json!({"name": "KEY", "type": "secret_text", "text": "x"});
    let plain = json!({"name": "STAGE", "type": "plain_text", "text": "prod"});
    upload(&served, "api", json!({"bindings": [secret, plain]})).await.ok();
    upload(&served, "api", json!({"keep_bindings": ["secret_text"]})).await.ok();
    assert_eq!(names(&served, "api").await, ["KEY"]);
    let inherit = json!([{"name": "KEY", "type": "inherit"}, {"name": "GONE", "type": "inherit"}]);
    upload(&served, "api", json!({"bindings": inherit})).await.ok();
    assert_eq!(names(&served, "api").await, ["KEY"]);
    let metadata = json!({"main_module": "index.js", "bindings": inherit});
    let strict = "workers/scripts/api?bindings_inherit=strict";
    put_form(&served, strict, form(&metadata, CODE)).await.fails(400, 10057);
    let renamed = json!([{"name": "NEW", "type": "inherit", "old_name": "KEY"}]);
    upload(&served, "api", json!({"bindings": renamed})).await.ok();
    assert_eq!(names(&served, "api").await, ["NEW"]);
    upload(&served, "api", json!({})).await.ok();
    assert_eq!(names(&served, "api").await, Vec::<String>::new());
}

#[tokio::test]
async fn migrations_go_by_tag() {
    let served = Served::new().await;
    let room = json!([{"name": "ROOM", "type": "durable_object_namespace", "class_name": "Room"}]);
    let first = json!({"new_tag": "v1", "new_sqlite_classes": ["Room"]});
    let no_class = json!({"new_tag": "v1", "new_sqlite_classes": ["Lobby"]});
    upload(&served, "chat", json!({"migrations": no_class})).await.fails(400, 10070);
    let twice = json!({"new_tag": "v1", "new_sqlite_classes": ["Room", "Room"]});
    upload(&served, "chat", json!({"migrations": twice})).await.fails(400, 10074);
    let early = json!({"old_tag": "v0", "new_tag": "v1", "new_sqlite_classes": ["Room"]});
    upload(&served, "chat", json!({"migrations": early})).await.fails(412, 10079);
    let made = upload(&served, "chat", json!({"migrations": first, "bindings": room})).await.ok();
    assert_eq!(made["migration_tag"], "v1");
    let listed = served.get("workers/durable_objects/namespaces").await.ok();
    assert_eq!(listed[0]["name"], "chat_Room");
    assert_eq!((&listed[0]["script"], &listed[0]["use_sqlite"]), (&json!("chat"), &json!(true)));
    assert_eq!(settings(&served, "chat").await["bindings"][0]["namespace_id"], listed[0]["id"]);

    upload(&served, "chat", json!({"migrations": first})).await.fails(412, 10079);
    let again = json!({"old_tag": "v1", "new_tag": "v2", "new_classes": ["Room"]});
    upload(&served, "chat", json!({"migrations": again})).await.fails(400, 10074);
    let lost = upload_code(&served, "chat", json!({}), "export default {}").await;
    lost.fails(403, 10064);
    let steps = json!({"old_tag": "v1", "new_tag": "v3", "steps": [
        {"renamed_classes": [{"from": "Room", "to": "Hall"}], "new_classes": ["Short"]},
        {"deleted_classes": ["Short"]},
    ]});
    let code = "export class Hall {}\nexport default {}";
    let hall = json!([{"name": "HALL", "type": "durable_object_namespace", "class_name": "Hall"}]);
    let metadata = json!({"migrations": steps, "bindings": hall});
    assert_eq!(upload_code(&served, "chat", metadata, code).await.ok()["migration_tag"], "v3");
    let after = served.get("workers/durable_objects/namespaces").await.ok();
    assert_eq!((&after[0]["id"], &after[0]["class"]), (&listed[0]["id"], &json!("Hall")));

    // A failed upload moves neither tag nor class.
    let bad = json!({"old_tag": "v3", "new_tag": "v4", "deleted_classes": ["Hall", "Nobody"]});
    upload(&served, "chat", json!({"migrations": bad})).await.fails(400, 10074);
    assert!(settings(&served, "chat").await.get("migration_tag").is_none());
    assert_eq!(served.get("workers/scripts").await.ok()[0]["migration_tag"], "v3");
    let moved = json!({"new_tag": "m1", "transferred_classes":
        [{"from": "Hall", "from_script": "chat", "to": "Room"}]});
    upload(&served, "next", json!({"migrations": moved})).await.ok();
    assert_eq!(served.get("workers/durable_objects/namespaces").await.ok()[0]["script"], "next");
    let gone = json!({"old_tag": "m1", "new_tag": "m2", "deleted_classes": ["Room"]});
    // Whoever is bound to a class keeps it, whoever has it by now.
    upload(&served, "next", json!({"migrations": gone})).await.fails(400, 10061);
    upload(&served, "chat", json!({})).await.ok();
    upload(&served, "next", json!({"migrations": gone})).await.ok();
    assert_eq!(served.get("workers/durable_objects/namespaces").await.ok(), json!([]));
}

#[tokio::test]
async fn exports_stand_in_place_of_migrations() {
    let served = Served::new().await;
    let listed = async || served.get("workers/durable_objects/namespaces").await.ok();
    let object =
        |state: &str| json!({"type": "durable-object", "storage": "sqlite", "state": state});
    let room = json!([{"name": "ROOM", "type": "durable_object_namespace", "class_name": "Room"}]);
    let exports = json!({"Room": object("created"), "Api": {"type": "worker"}});
    let both = json!({"exports": exports, "migrations": {"new_classes": ["Room"]}});
    upload(&served, "chat", both).await.fails(400, 10021);
    let metadata = json!({"exports": exports, "bindings": room});
    upload(&served, "chat", metadata.clone()).await.ok();
    upload(&served, "chat", metadata).await.ok();
    assert_eq!(listed().await[0]["use_sqlite"], true);
    upload(&served, "chat", json!({"exports": {}})).await.fails(400, 100_402);
    upload(&served, "chat", json!({"exports": {"Room": object("odd")}})).await.fails(400, 10021);
    let renamed = json!({"Room": {"type": "durable-object", "state": "renamed", "renamed_to": "Hall"},
                         "Hall": object("created")});
    let code = "export class Hall {}\nexport default {}";
    upload_code(&served, "chat", json!({"exports": renamed}), code).await.ok();
    assert_eq!(listed().await[0]["class"], "Hall");
    upload(&served, "chat", json!({"exports": {"Hall": object("deleted")}})).await.ok();
    assert_eq!(listed().await, json!([]));
}
