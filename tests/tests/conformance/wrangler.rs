//! wrangler's own commands, product by product.

use serde_json::{Value as Json, json};

use crate::served::{Served, says, text};

#[test]
fn whoami_and_d1() {
    let served = Served::empty();
    let ran = served.wrangler(&["whoami"]).exits(0);
    says(&ran.stdout, &["You are logged in with an User API Token", "Local cloud"]);

    let ran = served.wrangler(&["d1", "create", "conf", "--location", "weur"]).exits(0);
    says(&ran.stdout, &["Successfully created DB 'conf' in region WEUR", "\"database_id\""]);
    let listed = served.wrangler_json(&["d1", "list", "--json"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(text(&listed, "/0/name"), "conf");
    let info = served.wrangler_json(&["d1", "info", "conf", "--json"]);
    assert_eq!(text(&info, "/uuid"), text(&listed, "/0/uuid"));
    assert_eq!(text(&info, "/read_replication/mode"), "disabled");
    assert_eq!(info.get("num_tables"), Some(&json!(0)), "{info}");

    let sql = "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, NULL); \
               SELECT * FROM t";
    let execute = ["d1", "execute", "conf", "--remote", "--yes", "--json", "--command"];
    let answer = served.wrangler_json(&[&execute[..], &[sql]].concat());
    assert_eq!(answer.pointer("/1/meta/changes"), Some(&json!(2)), "{answer}");
    let rows = json!([{"a": 1, "b": "x"}, {"a": 2, "b": null}]);
    assert_eq!(answer.pointer("/2/results"), Some(&rows), "{answer}");
    let ran = served.wrangler(&[&execute[..], &["SELEC"]].concat()).exits(1);
    says(&format!("{ran}"), &["near \\\"SELEC\\\": syntax error at offset 0: SQLITE_ERROR"]);

    let ran = served.wrangler(&["d1", "create", "conf"]).exits(1);
    says(&ran.stderr, &["A database with that name already exists"]);
    served.wrangler(&["d1", "delete", "conf", "--skip-confirmation"]).exits(0);
    let ran = served.wrangler(&["d1", "info", "conf"]).exits(1);
    says(&ran.stderr, &["Couldn't find a D1 DB with name or binding 'conf'"]);
}

/// Files go by import, and an export makes the same database again.
#[test]
fn d1_files_exports_and_time_travel() {
    let served = Served::empty();
    let d1 = |args: &[&str]| served.wrangler(&[&["d1"], args].concat());
    d1(&["create", "conf"]).exits(0);
    let trigger = "CREATE TABLE t (a INTEGER);\nCREATE TRIGGER tr AFTER INSERT ON t begin\n  \
                   UPDATE t SET a = CASE WHEN a > 1 THEN 9 ELSE a END;\nend;\n\
                   INSERT INTO t VALUES (1), (2);\n";
    served.env.write("init.sql", trigger);
    let file = ["execute", "conf", "--remote", "--yes", "--json", "--file"];
    let ran = d1(&[&file[..], &["init.sql"]].concat()).exits(0);
    // What it does meanwhile stands before it.
    let told = ran.stdout.find('[').and_then(|at| ran.stdout.get(at..)).unwrap_or_default();
    let done: Json = serde_json::from_str(told).expect("wrangler tells JSON");
    assert_eq!(done.pointer("/0/results/0/Total queries executed"), Some(&json!(3)), "{ran}");
    served.env.write("wrong.sql", "INSERT INTO t VALUES (3); INSERT INTO u VALUES (1);");
    let ran = d1(&[&file[..], &["wrong.sql"]].concat()).exits(1);
    says(&format!("{ran}"), &["no such table: u: SQLITE_ERROR"]);
    let rows = |database: &str| {
        let asked = ["d1", "execute", database, "--remote", "--yes", "--json", "--command"];
        let told = served.wrangler_json(&[&asked[..], &["SELECT a FROM t"]].concat());
        told.pointer("/0/results").cloned()
    };
    let before = Some(json!([{"a": 1}, {"a": 9}]));
    assert_eq!(rows("conf"), before);

    d1(&["export", "conf", "--remote", "--output", "dump.sql"]).exits(0);
    d1(&["create", "copy"]).exits(0);
    d1(&["execute", "copy", "--remote", "--yes", "--file", "dump.sql"]).exits(0);
    assert_eq!(rows("copy"), before);

    let told = served.wrangler_json(&["d1", "time-travel", "info", "conf", "--json"]);
    let bookmark = text(&told, "/bookmark").to_owned();
    d1(&["execute", "conf", "--remote", "--yes", "--command", "DELETE FROM t"]).exits(0);
    assert_eq!(rows("conf"), Some(json!([])));
    d1(&["time-travel", "restore", "conf", "--json", "--bookmark", &bookmark]).exits(0);
    assert_eq!(rows("conf"), before);
}

#[test]
fn kv() {
    let served = Served::empty();
    served.wrangler(&["kv", "namespace", "create", "conf"]).exits(0);
    let listed = served.wrangler_json(&["kv", "namespace", "list"]);
    assert_eq!(text(&listed, "/0/title"), "conf");
    let id = text(&listed, "/0/id");
    let of = |args: &[&str]| served.wrangler(&[args, &["--namespace-id", id, "--remote"]].concat());

    let labels = ["--metadata", "{\"n\":1}", "--ttl", "3600"];
    of(&[&["kv", "key", "put", "a/b c", "hello"], &labels[..]].concat()).exits(0);
    let ran = of(&["kv", "key", "get", "a/b c", "--text"]).exits(0);
    assert_eq!(ran.stdout.trim_end(), "hello");
    served.env.write(
        "pairs.json",
        r#"[{"key": "k1", "value": "v1"}, {"key": "k2", "value": "djI=", "base64": true}]"#,
    );
    of(&["kv", "bulk", "put", "pairs.json"]).exits(0);
    let ran = of(&["kv", "key", "list"]).exits(0);
    let keys: Json = serde_json::from_str(&ran.stdout).expect("the keys are JSON");
    let names: Vec<&str> = (0..3).map(|n| text(&keys, &format!("/{n}/name"))).collect();
    assert_eq!(names, ["a/b c", "k1", "k2"]);
    assert_eq!(keys.pointer("/0/metadata"), Some(&json!({"n": 1})), "{keys}");
    assert!(keys.pointer("/0/expiration").is_some_and(Json::is_u64), "{keys}");

    of(&["kv", "key", "delete", "k1"]).exits(0);
    let ran = of(&["kv", "key", "get", "k1", "--text"]).exits(1);
    says(&ran.stderr, &["404: Not Found"]);
    let ran = served.wrangler(&["kv", "namespace", "create", "conf"]).exits(1);
    says(&ran.stderr, &["A KV namespace with the title \"conf\" already exists."]);
    served
        .wrangler(&["kv", "namespace", "delete", "--namespace-id", id, "--skip-confirmation"])
        .exits(0);
    assert_eq!(served.wrangler_json(&["kv", "namespace", "list"]), json!([]));
}

#[test]
fn r2() {
    let served = Served::empty();
    let ran = served.wrangler(&["r2", "bucket", "create", "conf", "--location", "weur"]).exits(0);
    says(&ran.stdout, &["Created bucket 'conf' with location hint WEUR"]);
    let ran = served.wrangler(&["r2", "bucket", "list"]).exits(0);
    says(&ran.stdout, &["name:           conf\n", "creation_date:"]);
    let info = served.wrangler_json(&["r2", "bucket", "info", "conf", "--json"]);
    assert_eq!(text(&info, "/location"), "WEUR");
    assert_eq!(text(&info, "/default_storage_class"), "Standard");

    served.env.write("o.txt", "hello");
    let object = |verb: &str, more: &[&str]| {
        served.wrangler(&[&["r2", "object", verb, "conf/dir/o.txt", "--remote"], more].concat())
    };
    object("put", &["--file", "o.txt", "--content-type", "text/plain"]).exits(0);
    assert_eq!(object("get", &["--pipe"]).exits(0).stdout, "hello");
    let ran = served.wrangler(&["r2", "bucket", "delete", "conf"]).exits(1);
    says(&ran.stderr, &["is not empty"]);
    object("delete", &[]).exits(0);
    let ran = object("get", &["--pipe"]).exits(1);
    says(&ran.stderr, &["The specified key does not exist."]);
    served.wrangler(&["r2", "bucket", "delete", "conf"]).exits(0);
    let ran = served.wrangler(&["r2", "bucket", "info", "conf"]).exits(1);
    says(&ran.stderr, &["The specified bucket does not exist.", "[code: 10006]"]);
}

#[test]
fn queues_and_tunnels() {
    let served = Served::empty();
    let queues = |args: &[&str]| served.wrangler(&[&["queues"], args].concat());
    queues(&["create", "conf"]).exits(0);
    let ran = queues(&["list"]).exits(0);
    says(&ran.stdout, &["│ conf │"]);
    assert!(!ran.stdout.contains("jurisdiction"), "{ran}");
    queues(&["consumer", "http", "add", "conf"]).exits(0);
    let ran = queues(&["consumer", "http", "add", "conf"]).exits(1);
    says(&ran.stderr, &["Queue 'conf' already has a consumer. [code: 11004]"]);
    let ran = queues(&["info", "conf"]).exits(0);
    says(&ran.stdout, &["Queue Name: conf", "Number of Consumers: 1", "HTTP Pull Consumer"]);
    let ran = queues(&["create", "conf"]).exits(1);
    says(&ran.stderr, &["Queue name 'conf' is already taken.", "[code: 11009]"]);
    queues(&["consumer", "http", "remove", "conf"]).exits(0);
    queues(&["delete", "conf"]).exits(0);
    let ran = queues(&["info", "conf"]).exits(1);
    says(&ran.stderr, &["Queue \"conf\" does not exist."]);

    served.wrangler(&["tunnel", "create", "conf"]).exits(0);
    let ran = served.wrangler(&["tunnel", "info", "conf"]).exits(0);
    says(&ran.stdout, &["Name: conf", "Status: inactive", "Type: cfd_tunnel"]);
    served.wrangler(&["tunnel", "delete", "conf", "--force"]).exits(0);
    let ran = served.wrangler(&["tunnel", "info", "conf"]).exits(1);
    says(&ran.stderr, &["conf"]);
}
