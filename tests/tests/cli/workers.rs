//! Workers that envc deploys, from the first upload to the destroy.

use envc_core::RepositoryDigest;
use envc_tests::{Object, Ran, TestEnv};
use http::Method;
use serde_json::{Value as Json, json};

use crate::common::{check, edit, id, says};

/// One step after the other, so that the lines of a transcript have one order.
const APPLY: [&str; 4] = ["apply", "--parallelism", "1", "--yes"];

fn fresh() -> TestEnv {
    let mut env = TestEnv::new("../tests/fixtures/bundle");
    env.set("KEY", "the-planted-secret");
    env.set("DATABASE_URL", "postgres://web:planted-password@db.example.com/app");
    env.set("LOCAL_DATABASE_URL", "postgres://web:web@localhost/app");
    env
}

fn applied() -> TestEnv {
    let env = fresh();
    let _first = env.envc(&APPLY).exits(0);
    env
}

fn script(env: &TestEnv) -> String {
    format!("shop--web--{}", id(env))
}

/// The list tells it, and the settings do not.
fn migration_tag(env: &TestEnv) -> Json {
    let scripts = env.cloud().of_account(&Method::GET, "/workers/scripts", None);
    scripts.pointer("/0/migration_tag").cloned().unwrap_or_default()
}

fn settings(env: &TestEnv) -> Json {
    let path = format!("/workers/scripts/{}/settings", script(env));
    env.cloud().of_account(&Method::GET, &path, None)
}

/// The one update that a run announces, and nothing else.
fn updates_only(ran: &Ran, address: &str) {
    let plan = ran.event("plan").expect("a plan is told");
    let all = plan.get("changes").and_then(Json::as_array).expect("a plan has changes").iter();
    let deeds: Vec<_> = all
        .map(|change| (change.get("address"), change.get("action")))
        .filter(|(_, action)| *action != Some(&json!("keep")))
        .collect();
    assert_eq!(deeds, [(Some(&json!(address)), Some(&json!("update")))], "{ran}");
}

#[test]
fn a_bundle_is_deployed_with_all_that_stands_before_it_and_the_next_apply_has_nothing_to_do() {
    let env = fresh();
    check("worker_plan", &env, &env.envc(&["plan"]));
    check("worker_apply", &env, &env.envc(&APPLY));
    check("worker_again", &env, &env.envc(&APPLY));

    let settings = settings(&env);
    let bindings = settings["bindings"].as_array().unwrap();
    let names: Vec<&str> = bindings.iter().filter_map(|it| it["name"].as_str()).collect();
    let wanted = ["CACHE", "DB", "ENVC", "GREETING", "JOBS", "PG", "ROOM", "KEY"];
    assert_eq!(names, wanted, "{settings}");
    assert!(!settings.to_string().contains("the-planted-secret"));
    assert_eq!(migration_tag(&env), json!("v1"));
    for (name, state) in env.some_states() {
        assert!(!state.to_string().contains("the-planted-secret"), "{name}");
    }
    let path = format!("/workers/scripts/{}/schedules", script(&env));
    let schedules = env.cloud().of_account(&Method::GET, &path, None);
    assert_eq!(schedules["schedules"][0]["cron"], json!("0 6 * * *"));

    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert_eq!(env.cloud_listing().objects, Vec::<Object>::new());
}

#[test]
fn only_the_script_is_uploaded_when_code_a_binding_or_a_secret_changes() {
    let mut env = applied();
    env.write("dist/lib/answer.js", "export const answer = \"43\";\n");
    updates_only(&env.envc(&["plan", "--json"]), "worker.web");
    let _code = env.envc(&APPLY).exits(0);
    edit(&env, "hello {env}", "good morning");
    updates_only(&env.envc(&["plan", "--json"]), "worker.web");
    let _bindings = env.envc(&APPLY).exits(0);
    env.set("KEY", "another");
    let ran = env.envc(&APPLY).exits(0);
    says(&ran, &["secrets: KEY changed"]);
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn crons_routes_domains_and_consumers_go_when_the_spec_drops_them() {
    let env = applied();
    let dropped = ["    cron \"0 6 * * *\"\n", "    route \"{env}.{zone}/*\"\n"];
    for line in dropped.into_iter().chain([
        "    domain \"{env}-web\" name=\"own\"\n",
        "    consume \"jobs\" batch-size=5 max-batch-timeout=2 dead-letter=\"dead\"\n",
    ]) {
        edit(&env, line, "");
    }
    let ran = env.envc(&APPLY).exits(0);
    says(&ran, &["4 to delete"]);
    let listing = env.cloud_listing();
    for kind in ["worker-crons", "worker-route", "worker-domain", "queue-consumer"] {
        assert_eq!(listing.names(kind), Vec::<&str>::new(), "{listing}");
    }
    assert_eq!(listing.names("worker"), [script(&env)]);
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_deployment_by_somebody_else_is_a_difference_and_is_put_right() {
    let env = applied();
    let path = format!("/workers/scripts/{}/content", script(&env));
    let module = |text: &str| {
        format!(
            "--x\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n\
             {{\"main_module\":\"index.js\"}}\r\n--x\r\nContent-Disposition: form-data; \
             name=\"index.js\"; filename=\"index.js\"\r\nContent-Type: \
             application/javascript+module\r\n\r\n{text}\r\n--x--\r\n"
        )
    };
    let theirs = module("export class Room {}\nexport default { fetch() {}, queue() {} };");
    let answer = env.cloud().form_of_account(&Method::PUT, &path, "x", theirs.into());
    assert_eq!(answer.0, 200, "{answer:?}");
    let plan = env.envc(&["plan"]).exits(0);
    says(&plan, &["Changed outside envc", "~ update worker.web", "etag:"]);
    let _mended = env.envc(&APPLY).exits(0);
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn the_deployed_tag_decides_which_migrations_run_and_losing_objects_is_asked_for() {
    let env = applied();
    edit(
        &env,
        "    migration tag=\"v1\" { new-sqlite-classes \"Room\" }\n",
        "    migration tag=\"v1\" { new-sqlite-classes \"Room\" }\n    \
         migration tag=\"v2\" { new-sqlite-classes \"Hall\" }\n    \
         migration tag=\"v3\" { deleted-classes \"Room\" }\n",
    );
    edit(&env, "durable-object \"ROOM\" class=\"Room\"", "durable-object \"HALL\" class=\"Hall\"");
    env.write(
        "dist/index.js",
        "export class Hall {}\nexport default { fetch() {}, queue() {} };\n",
    );
    check("worker_loses_objects", &env, &env.envc(&["apply"]));
    assert_eq!(migration_tag(&env), json!("v1"), "nothing was changed");
    let _approved = env.envc(&APPLY).exits(0);
    assert_eq!(migration_tag(&env), json!("v3"));
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);

    edit(&env, "tag=\"v3\"", "tag=\"v4\"");
    check("worker_unknown_tag", &env, &env.envc(&["apply"]));
}

#[test]
fn a_script_of_somebody_elses_is_never_uploaded_over() {
    let mut env = fresh();
    edit(&env, "identity branch max-length=20 unique", "identity \"main\"");
    env.set("ENVC_CLOUD", "local");
    let body = "--x\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n\
                {\"main_module\":\"a.js\"}\r\n--x\r\nContent-Disposition: form-data; \
                name=\"a.js\"; filename=\"a.js\"\r\nContent-Type: \
                application/javascript+module\r\n\r\nexport default { fetch() {} };\r\n--x--\r\n";
    let path = "/workers/scripts/shop--web--main";
    let answer = env.cloud().form_of_account(&Method::PUT, path, "x", body.into());
    assert_eq!(answer.0, 200, "{answer:?}");
    let refused = env.envc(&APPLY).exits(1);
    says(
        &refused,
        &["already has a Worker named `shop--web--main`", "envc apply local --adopt worker.web"],
    );
    assert_eq!(env.cloud_listing().counts().len(), 1, "nothing was made");
    let adopted: Vec<&str> = APPLY.into_iter().chain(["--adopt", "worker.web"]).collect();
    let _taken = env.envc(&adopted).exits(0);
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_script_is_known_by_its_variable_whoever_recorded_it() {
    let mut env = fresh();
    edit(&env, "identity branch max-length=20 unique", "identity \"main\"");
    env.set("ENVC_CLOUD", "local");
    let _made = env.envc(&APPLY).exits(0);
    let state = env.states().into_values().next().unwrap();
    let repository = RepositoryDigest::of(state["repository"].as_str().unwrap());
    let text = format!("envc:shop/main/web@{repository}");
    let marker = json!({ "type": "plain_text", "name": "ENVC", "text": text });
    let settings =
        || env.cloud().of_account(&Method::GET, "/workers/scripts/shop--web--main/settings", None);
    let bindings = settings()["bindings"].as_array().cloned().unwrap_or_default();
    assert!(bindings.contains(&marker), "{bindings:?}");
    // A fixed ID proves nothing: what has no marker has to be named.
    env.lose_states();
    let ran = env.envc(&APPLY).exits(1);
    let stores = ["d1.main", "kv.cache", "queue.dead", "queue.jobs", "hyperdrive.pg"];
    let adopt: Vec<&str> = stores.into_iter().flat_map(|store| ["--adopt", store]).collect();
    // The script proves itself, and what serves it goes with it.
    says(&ran, &[&format!("envc apply local {}\n", adopt.join(" "))]);
    let before = env.cloud_listing();
    let _taken = env.envc(&[&APPLY[..], &adopt].concat()).exits(0);
    assert_eq!(env.cloud_listing(), before);
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_bundle_that_cannot_be_uploaded_is_told_before_any_call() {
    let env = fresh();
    std::fs::rename(env.root().join("dist/index.js"), env.root().join("dist/entry.js")).unwrap();
    check("worker_no_main_module", &env, &env.envc(&APPLY));
    edit(&env, "bundle=\"dist\"", "bundle=\"dist\" main=\"dist/entry.js\"");
    let _named = env.envc(&["plan"]).exits(0);
    // Noise that no compressor makes small.
    let mut seed = 1_u32;
    let noise = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    });
    let noise: Vec<u8> = noise.take(12 * 1024 * 1024).collect();
    std::fs::write(env.root().join("dist/data.bin"), noise).unwrap();
    let large = env.envc(&APPLY).exits(1);
    says(&large, &["worker \"web\" is too large: 3 modules, 12.5 MB, 12.5 MB compressed"]);
    std::fs::remove_dir_all(env.root().join("dist")).unwrap();
    check("worker_no_bundle", &env, &env.envc(&APPLY));
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn an_update_that_was_cut_off_is_not_told_as_somebody_elses() {
    for when in ["before", "after"] {
        let env = applied();
        let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
        env.write("dist/index.js", &format!("{}// more\n", env.read("dist/index.js").unwrap()));
        let begun = |state: &Json| state["intents"].as_array().is_some_and(|all| !all.is_empty());
        let cut = (1..30).find(|request| {
            let _ran = env.envc_with_faults(&format!("crash-on={request}:{when}"), &APPLY);
            env.states().iter().any(|(_, state)| begun(state))
        });
        assert!(cut.is_some());
        let plan = env.envc(&["plan"]).exits(0);
        says(&plan, &["update worker.web", "an update of it was interrupted"]);
        for wrong in ["outside envc", "the spec changed", "etag"] {
            assert!(!plan.stdout.contains(wrong), "{wrong}: {plan}");
        }
        let _healed = env.envc(&APPLY).exits(0);
        let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    }
}

#[test]
fn the_triggers_of_a_renamed_worker_are_made_anew_with_it() {
    let env = applied();
    edit(&env, "worker \"web\"", "worker \"web\" name=\"w-{env}\"");
    let plan = env.envc(&["plan"]).exits(0);
    says(&plan, &["create worker-crons.web", "worker.web is made anew, and this with it"]);
    assert!(!plan.stdout.contains("outside envc"), "{plan}");
    let _renamed = env.envc(&APPLY).exits(0);
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    // Taken away by somebody, they are told as that.
    let path = format!("/workers/scripts/w-{}/schedules", id(&env));
    let _none = env.cloud().of_account(&Method::PUT, &path, Some(&json!([])));
    says(&env.envc(&["plan"]).exits(0), &["create worker-crons.web", "deleted outside envc"]);
}

#[test]
fn a_worker_that_is_kept_keeps_what_it_is_bound_to_and_its_triggers() {
    for lost in [false, true] {
        let env = applied();
        let (script, id) = (script(&env), id(&env));
        if lost {
            env.lose_states();
        }
        let ran = env.envc(&["destroy", "--yes", "--keep", "worker.web"]).exits(0);
        let left = env.cloud_listing();
        for (kind, names) in [
            ("worker", vec![script.clone()]),
            ("kv", vec![format!("shop--cache--{id}")]),
            ("d1", vec![format!("shop--main--{id}")]),
        ] {
            assert_eq!(left.names(kind), names, "{ran}");
        }
        assert_eq!(left.names("hyperdrive").len(), 1, "{ran}");
        let path = format!("/workers/scripts/{script}/schedules");
        let schedules = env.cloud().of_account(&Method::GET, &path, None);
        assert_eq!(schedules["schedules"].as_array().map(Vec::len), Some(1));
        if !lost {
            says(&ran, &["forget kv.cache", "worker.web, which is kept, refers to it"]);
            says(&ran, &["stays with worker.web", "as asked for"]);
        }
        let _gone = env.envc(&["destroy", "--yes"]).exits(0);
        assert_eq!(env.cloud_listing().objects, Vec::<Object>::new());
    }
}

#[test]
fn what_is_kept_stays_though_the_spec_calls_it_otherwise_or_does_not_have_it_any_more() {
    const HEAD: &str = "project \"shop\" { zone \"shop.example\" }\n\
                        environment \"local\" default { identity branch max-length=20 unique }\n";
    let record = |name: &str| {
        format!("dns \"{name}\" type=\"A\" name=\"x.{{env}}\" content=\"192.0.2.1\"\n")
    };
    for now in [String::new(), record("new")] {
        let env = TestEnv::of_text(&format!("{HEAD}queue \"jobs\"\n{}", record("old")));
        let _first = env.envc(&["apply", "--yes"]).exits(0);
        env.write("environment.kdl", &format!("{HEAD}queue \"jobs\"\n{now}"));
        let ran = env.envc(&["destroy", "--yes", "--keep", "dns.old"]).exits(0);
        assert_eq!(env.cloud_listing().counts().get("dns"), Some(&1), "{ran}");
        assert_eq!(env.cloud_listing().counts().get("queue"), None, "{ran}");
    }
}

/// What envc writes lies where the Worker's modules are: it is no module, in no environment.
#[test]
fn what_envc_writes_is_never_uploaded() {
    let mut env = TestEnv::of_text(
        "project \"shop\"\n\
         environment \"local\" default { identity branch max-length=20 unique }\n\
         worker \"web\" path=\"w\" main=\"index.js\" deploy=\"bundle\" bundle=\".\" \
         compatibility-date=\"2026-09-01\" { secret \"KEY\" }\n\
         dotenv \"w/./env.txt\" { KEY (secret)\"KEY\" }\n",
    );
    env.set("KEY", "the-planted-secret");
    env.write(".gitignore", "*\n");
    env.write("w/index.js", "export default { fetch() { return new Response(\"web\") } }\n");
    env.envc(&APPLY).exits(0);
    // A link does not make it one.
    std::os::unix::fs::symlink("env.txt", env.root().join("w/linked.txt")).unwrap();
    for args in [&APPLY[..], &["apply", "--yes", "--out-dir", "w/gen"]] {
        env.envc(args).exits(0);
        says(&env.envc(&["plan"]).exits(0), &["No changes."]);
    }
    let planned = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(!planned.to_string().contains("modules"), "{planned}");
    let path = format!("/workers/scripts/{}/content/v2", script(&env));
    let (_, code) = env.cloud().bytes_of_account(&path);
    let code = String::from_utf8_lossy(&code);
    assert!(code.contains("new Response") && !code.contains("planted"), "{code}");
    // The spec drops it: it lies there until the next apply has looked.
    edit(&env, "dotenv \"w/./env.txt\" { KEY (secret)\"KEY\" }\n", "");
    let dropped = env.envc(&APPLY).exits(0);
    assert!(!dropped.to_string().contains("modules"), "{dropped}");
}
