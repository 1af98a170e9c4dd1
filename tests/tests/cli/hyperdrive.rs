//! A database's password: it goes where the spec says, in one call and in one private file, and
//! stands in nothing that anybody reads.

use std::fs;

use envc_tests::{Object, Ran, TestEnv};
use http::Method;
use serde_json::{Value as Json, json};

use crate::common::{edit, files_below, id, mode, says};

/// Nothing else on earth says these.
const PASSWORD: &str = "planted-wombat-5512";
const CHANGED: &str = "planted-quokka-9021";
const LOCAL: &str = "planted-numbat-3344";

const SPEC: &str = "project \"shop\"\n\
    secrets { env }\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    hyperdrive \"pg\" local=(secret)\"LOCAL_DATABASE_URL\" {\n\
    \x20   origin (secret)\"DATABASE_URL\"\n\
    \x20   caching max-age=30\n\
    }\n\
    worker \"web\" path=\".\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-09-01\" {\n\
    \x20   bind \"PG\" hyperdrive=\"pg\"\n\
    }\n";

fn url(password: &str) -> String {
    format!("postgres://planted-user:{password}@planted-host.example.com:6432/planted-db")
}

fn fresh() -> TestEnv {
    let mut env = TestEnv::of_text(SPEC);
    env.write("dist/index.js", "export default { fetch() { return new Response(\"hi\") } };\n");
    env.set("DATABASE_URL", &url(PASSWORD));
    env.set("LOCAL_DATABASE_URL", &format!("postgres://dev:{LOCAL}$HOME@localhost:5432/dev"));
    env
}

fn configs(env: &TestEnv) -> Vec<Json> {
    let all = env.cloud().of_account(&Method::GET, "/hyperdrive/configs", None);
    all.as_array().unwrap().clone()
}

fn config(env: &TestEnv) -> Json {
    let mut all = configs(env);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn patch(env: &TestEnv, body: &Json) {
    let config = config(env);
    let id = config.get("id").and_then(Json::as_str).unwrap();
    let path = format!("/hyperdrive/configs/{id}");
    let _config = env.cloud().of_account(&Method::PATCH, &path, Some(body));
}

/// No part of the connection string was told.
#[track_caller]
fn silent(ran: &Ran) {
    for text in [PASSWORD, CHANGED, LOCAL, "planted-user", "planted-host", "planted-db"] {
        assert!(!ran.stdout.contains(text) && !ran.stderr.contains(text), "{text} in: {ran}");
    }
}

/// The files below the test's folder that hold a text.
fn holders(env: &TestEnv, text: &str) -> Vec<String> {
    let top = env.path();
    let holds = |path: &std::path::PathBuf| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let name = |path: std::path::PathBuf| path.strip_prefix(&top).unwrap().display().to_string();
    files_below(&top).into_iter().filter(holds).map(name).collect()
}

/// Every command that reads or tells.
fn every_command(env: &TestEnv) {
    for args in [
        &["plan", "-vv", "--out", "plan.json"][..],
        &["plan", "--json"],
        &["apply", "-vv"],
        &["apply", "--json"],
        &["show", "-v"],
        &["show", "--json"],
        &["output"],
        &["output", "--json"],
    ] {
        silent(&env.envc(args).exits(0));
    }
}

#[test]
fn a_database_is_made_bound_and_taken_away_and_its_password_is_told_to_nobody() {
    let env = fresh();
    silent(&env.envc(&["plan", "-v"]).exits(0));
    let ran = env.envc(&["apply", "--json"]).exits(0);
    silent(&ran);
    let config = config(&env);
    let origin = json!({
        "scheme": "postgres", "host": "planted-host.example.com", "port": 6432,
        "database": "planted-db", "user": "planted-user",
    });
    assert_eq!(config["origin"], origin);
    assert_eq!(config["caching"], json!({ "disabled": false, "max_age": 30 }));
    every_command(&env);

    // The local cloud keeps it, as the real one does, and says it in no answer.
    assert!(!config.to_string().contains(PASSWORD));
    let stored = holders(&env, PASSWORD);
    assert!(!stored.is_empty(), "the password has to arrive");
    assert!(stored.iter().all(|path| path.starts_with("state/cloud/")), "{stored:?}");
    assert_eq!(holders(&env, LOCAL), ["project/.env.local"]);

    // The Worker sees it, in the upload and in `wrangler dev`.
    let script = format!("/workers/scripts/shop--web--{}/settings", id(&env));
    let settings = env.cloud().of_account(&Method::GET, &script, None);
    let bound = settings["bindings"].as_array().unwrap().iter().find(|it| it["name"] == "PG");
    assert_eq!(
        bound.map(|it| (&it["type"], &it["id"])),
        Some((&json!("hyperdrive"), &config["id"]))
    );
    let wrangler = env.read("wrangler.jsonc").unwrap();
    assert!(
        wrangler.contains("\"hyperdrive\"") && wrangler.contains(config["id"].as_str().unwrap())
    );
    let local = env.read(".env.local").unwrap();
    let line = format!(
        "CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_PG=postgres://dev:{LOCAL}%24HOME@localhost:5432/dev"
    );
    assert!(local.lines().any(|it| it == line), "{local}");
    assert_eq!(mode(&env, ".env.local"), 0o600);

    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    silent(&env.envc(&["destroy", "--yes", "-vv"]).exits(0));
    assert_eq!(env.cloud_listing().objects, Vec::<Object>::new());
    assert_eq!(env.read(".env.local"), None);
}

#[test]
fn a_changed_password_alone_is_an_update_and_an_unchanged_one_is_nothing() {
    let mut env = fresh();
    let _first = env.envc(&["apply"]).exits(0);
    let before = config(&env);
    env.set("DATABASE_URL", &url(CHANGED));
    let plan = env.envc(&["plan", "--detailed-exitcode"]).exits(2);
    silent(&plan);
    says(&plan, &["~ update hyperdrive.pg", "password: DATABASE_URL changed", "1 to update"]);
    assert!(!plan.stdout.contains("host:") && !plan.stdout.contains("worker.web"), "{plan}");
    silent(&env.envc(&["apply", "-vv"]).exits(0));
    assert_eq!(config(&env)["id"], before["id"]);
    assert!(!holders(&env, CHANGED).is_empty(), "the new password has to arrive");
    every_command(&env);
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn what_somebody_changed_of_the_origin_is_noticed_put_right_and_not_told() {
    let env = fresh();
    let _first = env.envc(&["apply"]).exits(0);
    patch(&env, &json!({ "origin": { "host": "other.example.com", "port": 1 } }));
    let plan = env.envc(&["plan", "-v"]).exits(0);
    silent(&plan);
    says(
        &plan,
        &["Changed outside envc", "host: DATABASE_URL changed", "port: DATABASE_URL changed"],
    );
    assert!(!plan.stdout.contains("user:"), "{plan}");
    silent(&env.envc(&["apply"]).exits(0));
    assert_eq!(config(&env)["origin"]["host"], json!("planted-host.example.com"));
    assert_eq!(config(&env)["origin"]["port"], json!(6432));
    patch(&env, &json!({ "caching": { "disabled": true } }));
    let plan = env.envc(&["plan", "-v"]).exits(0);
    says(&plan, &["caching-disabled: true → false"]);
    let _again = env.envc(&["apply"]).exits(0);
    assert_eq!(config(&env)["caching"], json!({ "disabled": false, "max_age": 30 }));
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_config_that_no_record_knows_is_adopted_with_its_password_set_again() {
    let env = fresh();
    let _first = env.envc(&["apply"]).exits(0);
    let before = config(&env);
    env.lose_states();
    let plan = env.envc(&["plan"]).exits(0);
    silent(&plan);
    says(&plan, &["> adopt hyperdrive.pg", "password: DATABASE_URL set"]);
    silent(&env.envc(&["apply"]).exits(0));
    assert_eq!(config(&env)["id"], before["id"]);
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn its_parts_can_be_given_one_by_one_and_renamed_in_place() {
    let mut env = fresh();
    edit(
        &env,
        "origin (secret)\"DATABASE_URL\"",
        "origin host=\"db.example.com\" database=\"app\" user=\"web\" password=(secret)\"DB_PASSWORD\"",
    );
    env.set("DB_PASSWORD", PASSWORD).unset("DATABASE_URL");
    silent(&env.envc(&["apply", "-vv"]).exits(0));
    let first = config(&env);
    assert_eq!(first["origin"]["host"], json!("db.example.com"));
    assert_eq!(
        (&first["origin"]["port"], &first["origin"]["scheme"]),
        (&json!(5432), &json!("postgres"))
    );
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    env.set("DB_PASSWORD", CHANGED);
    says(&env.envc(&["plan"]).exits(0), &["password: DB_PASSWORD changed", "1 to update"]);
    silent(&env.envc(&["apply"]).exits(0));
    edit(&env, "hyperdrive \"pg\" local", "hyperdrive \"pg\" name=\"renamed-{env}\" local");
    edit(&env, "host=\"db.example.com\"", "host=\"db2.example.com\"");
    let plan = env.envc(&["plan"]).exits(0);
    says(&plan, &["\"db.example.com\" → \"db2.example.com\""]);
    silent(&env.envc(&["apply"]).exits(0));
    let last = config(&env);
    assert_eq!(last["id"], first["id"]);
    assert_eq!(last["name"], json!(format!("renamed-{}", id(&env))));
    assert_eq!(last["origin"]["host"], json!("db2.example.com"));
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn what_exists_is_bound_to_and_needs_no_password() {
    let mut env = fresh();
    let body = json!({
        "name": "theirs",
        "origin": {
            "scheme": "mysql", "host": "h.example.com", "port": 3306, "database": "d", "user": "u",
            "password": "p",
        },
    });
    let made = env.cloud().of_account(&Method::POST, "/hyperdrive/configs", Some(&body));
    env.unset("DATABASE_URL").unset("LOCAL_DATABASE_URL");
    edit(&env, " local=(secret)\"LOCAL_DATABASE_URL\"", "");
    edit(&env, "unique }", "unique ; existing { hyperdrive \"pg\" name=\"theirs\" } }");
    let _applied = env.envc(&["apply"]).exits(0);
    assert!(env.read("wrangler.jsonc").unwrap().contains(made["id"].as_str().unwrap()));
    assert_eq!(env.read(".env.local"), None);
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert_eq!(config(&env), made);
}

#[test]
fn a_refused_database_leaves_nothing_and_no_error_repeats_the_password() {
    let env = fresh();
    let ran = env.envc_with_faults("unreachable-origin=true", &["apply", "-vv"]).exits(1);
    silent(&ran);
    says(&ran, &["could not create hyperdrive.pg", "Failed to connect", "code 2015"]);
    assert_eq!(configs(&env), Vec::<Json>::new());
    // Also where the API itself repeats it.
    let fault = format!(
        "fail=POST:/hyperdrive/configs:400:2015:no way to {} as {PASSWORD}",
        url(PASSWORD).replace(':', ";")
    );
    let ran = env.envc_with_faults(&fault, &["apply", "-vv"]).exits(1);
    silent(&ran);
    says(&ran, &["(hidden)"]);
    silent(&env.envc_with_faults(&fault, &["apply", "--json"]).exits(1));
    let _healed = env.envc(&["apply"]).exits(0);
    every_command(&env);
}

#[test]
fn a_lost_answer_is_healed_and_tells_nothing() {
    let mut env = fresh();
    for call in 1..10 {
        let faults = format!("lose-response-on={call}");
        silent(&env.envc_with_faults(&faults, &["apply", "-vv", "--parallelism", "1"]).exits(0));
        let _one = config(&env);
        let password = if call % 2 == 0 { CHANGED } else { PASSWORD };
        env.set("DATABASE_URL", &url(password));
        silent(&env.envc_with_faults(&faults, &["apply", "--json"]).exits(0));
        let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
        silent(&env.envc(&["destroy", "--yes"]).exits(0));
        env.set("DATABASE_URL", &url(PASSWORD));
    }
}

#[test]
fn a_connection_string_with_a_mistake_is_refused_before_anything_and_not_told() {
    let mut env = fresh();
    for (text, what) in [
        (
            format!("https://u:{PASSWORD}@h/d"),
            "is the address of no PostgreSQL and no MySQL database",
        ),
        (format!("postgres://u:{PASSWORD}@h"), "names no database"),
        (PASSWORD.to_owned(), "is no connection string"),
    ] {
        env.set("DATABASE_URL", &text);
        let place = "DATABASE_URL, for `origin` of hyperdrive.pg: it";
        for args in [&["apply", "-vv"][..], &["plan", "--out", "plan.json"]] {
            let ran = env.envc(args).exits(1);
            silent(&ran);
            says(&ran, &["a secret cannot be used", place, what]);
        }
        let ran = env.envc(&["plan", "-vv"]).exits(0);
        silent(&ran);
        says(
            &ran,
            &["apply will refuse: a secret cannot be used", place, what, "+ create hyperdrive.pg"],
        );
    }
    assert_eq!(configs(&env), Vec::<Json>::new());
    // Without it a plan says that it is not known.
    env.unset("DATABASE_URL");
    let ran = env.envc(&["plan"]).exits(0);
    says(
        &ran,
        &["+ create hyperdrive.pg", "apply will refuse: the secret DATABASE_URL is not found"],
    );
}

#[test]
fn a_host_may_be_written_in_any_way_also_in_a_connection_string() {
    let mut env = fresh();
    for host in ["xn--bcher-kva.example.com", "DB.Example.com.", "db.example.com"] {
        env.set("DATABASE_URL", &format!("postgres://u:{PASSWORD}@{host}/d"));
        silent(&env.envc(&["apply"]).exits(0));
        let plan = env.envc(&["plan", "-v", "--detailed-exitcode"]).exits(0);
        assert!(plan.stdout.contains("\nNo changes."), "{host}: {plan}");
    }
}

#[test]
fn a_plan_without_the_connection_string_cannot_tell_whether_it_changed() {
    let mut env = fresh();
    let _first = env.envc(&["apply"]).exits(0);
    env.unset("DATABASE_URL");
    let ran = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    silent(&ran);
    says(
        &ran,
        &[
            "apply will refuse: the secret DATABASE_URL is not found",
            "whether hyperdrive.pg changed cannot be told: DATABASE_URL is not known here",
            "No changes that can be told",
        ],
    );
    edit(&env, "max-age=30", "max-age=40");
    let ran = env.envc(&["plan"]).exits(0);
    says(&ran, &["max-age: 30 → 40", "1 to update"]);
    assert!(!ran.stdout.contains("password:"), "{ran}");
    let _refused = env.envc(&["plan", "--out", "plan.json"]).exits(1);
}

#[test]
fn a_part_of_the_origin_that_somebody_takes_away_is_told_and_set_again() {
    let env = fresh();
    let _first = env.envc(&["apply", "--yes"]).exits(0);
    let before = config(&env);
    patch(&env, &json!({ "origin": { "host": "planted-host.example.com" } }));
    let plan = env.envc(&["plan", "--detailed-exitcode"]).exits(2);
    assert!(plan.stdout.contains("port"), "{plan}");
    silent(&plan);
    silent(&env.envc(&["apply", "--yes"]).exits(0));
    assert_eq!(config(&env).get("origin"), before.get("origin"));
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}
