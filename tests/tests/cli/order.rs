//! What comes before what: where steps that only an update orders ran side by side, an API refuses
//! them or a live Worker misses something.

use std::collections::BTreeSet;

use envc_tests::TestEnv;
use http::Method;
use serde_json::Value as Json;

use crate::common::{check, edit, id, says};

const APPLY: [&str; 2] = ["apply", "--yes"];
/// Whatever may run at once does.
const SLOW: &str = "latency=40";
const REFUSED: &str = "fail=PUT:/workers/scripts/:400:10021:Uncaught SyntaxError";
const READS: &str = "export default { fetch() {}, queue() {} };\n";
const MUTE: &str = "export default { fetch() {} };\n";

/// A Worker with this inside, and this beside it.
fn env(beside: &str, inside: &str, code: &str) -> TestEnv {
    let env = TestEnv::of_text(&spec(beside, inside));
    env.write("dist/index.js", code);
    env
}

fn spec(beside: &str, inside: &str) -> String {
    format!(
        "project \"shop\" {{ zone \"shop.example\" }}\n\
         environment \"local\" default {{ identity branch max-length=20 unique }}\n\
         {beside}\n\
         worker \"web\" path=\".\" deploy=\"bundle\" bundle=\"dist\" \
         compatibility-date=\"2026-09-01\" {{\n{inside}\n}}\n"
    )
}

/// The steps of the plan that would be done: each in words, with what it waits for.
struct Steps(Vec<(String, BTreeSet<usize>)>);

impl Steps {
    fn of(env: &TestEnv) -> Self {
        let _planned = env.envc(&["plan", "--out", "plan.json"]).exits(0);
        let plan: Json = serde_json::from_str(&env.read("plan.json").unwrap()).unwrap();
        let mut steps: Vec<(String, BTreeSet<usize>)> = Vec::new();
        for step in list(&plan, "steps") {
            let mut all = BTreeSet::new();
            for need in list(step, "needs") {
                let need = usize::try_from(need.as_u64().unwrap()).unwrap();
                all.insert(need);
                all.extend(steps.get(need).unwrap().1.iter().copied());
            }
            let work = step.get("work").and_then(Json::as_object).unwrap();
            let (verb, work) = work.iter().next().unwrap();
            let address = work.get("target").unwrap_or(work).get("address");
            steps.push((format!("{verb} {}", address.and_then(Json::as_str).unwrap()), all));
        }
        Self(steps)
    }

    fn at(&self, step: &str) -> usize {
        let found = self.0.iter().position(|(words, _)| words == step);
        found.unwrap_or_else(|| panic!("no `{step}` in {:?}", self.0))
    }

    /// Each of these waits for the one before it.
    #[track_caller]
    fn come_in_order(&self, order: &[&str]) {
        for (first, then) in order.iter().zip(order.iter().skip(1)) {
            let waits = self.waits(then).contains(&self.at(first));
            assert!(waits, "{then} does not wait for {first} in {:?}", self.0);
        }
    }

    /// What a step waits for, directly or not.
    fn waits(&self, step: &str) -> BTreeSet<usize> {
        self.0.get(self.at(step)).unwrap().1.clone()
    }
}

fn list<'a>(json: &'a Json, field: &str) -> &'a [Json] {
    json.get(field).and_then(Json::as_array).unwrap()
}

fn script(env: &TestEnv) -> String {
    let listing = env.cloud_listing();
    listing.names("worker").first().map(|name| (*name).to_owned()).expect("a script")
}

/// What a live script is bound to, by the name of the binding.
fn bound(env: &TestEnv, key: &str) -> Vec<String> {
    let path = format!("/workers/scripts/{}/settings", script(env));
    let settings = env.cloud().of_account(&Method::GET, &path, None);
    list(&settings, "bindings")
        .iter()
        .filter_map(|it| Some(it.get(key)?.as_str()?.to_owned()))
        .collect()
}

fn live_code(env: &TestEnv) -> String {
    let path = format!("/workers/scripts/{}/content/v2", script(env));
    let (_, body) = env.cloud().bytes_of_account(&path);
    String::from_utf8_lossy(&body).into_owned()
}

fn unchanged(env: &TestEnv) {
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_consumer_comes_after_the_upload_that_brings_its_handler() {
    let env = env("queue \"jobs\"", "", MUTE);
    let _first = env.envc(&APPLY).exits(0);
    env.write("dist/index.js", READS);
    env.write("environment.kdl", &spec("queue \"jobs\"", "consume \"jobs\""));
    Steps::of(&env).come_in_order(&["update worker.web", "create queue-consumer.web.jobs"]);
    let _both = env.envc_with_faults(SLOW, &APPLY).exits(0);
    unchanged(&env);

    // And it is gone before the upload that takes the handler away.
    env.write("dist/index.js", MUTE);
    env.write("environment.kdl", &spec("queue \"jobs\"", ""));
    Steps::of(&env).come_in_order(&["delete queue-consumer.web.jobs", "update worker.web"]);
    let _neither = env.envc_with_faults(SLOW, &APPLY).exits(0);
    unchanged(&env);
    assert_eq!(env.cloud_listing().names("queue-consumer"), [""; 0]);
    assert_eq!(env.cloud_listing().names("queue").len(), 1);
}

#[test]
fn a_consumer_that_is_left_keeps_its_code_live() {
    let env = env("queue \"jobs\"", "consume \"jobs\"", READS);
    let _first = env.envc(&APPLY).exits(0);
    env.write("dist/index.js", MUTE);
    says(&env.envc(&APPLY).exits(1), &["11001", "Queue handler is missing"]);
    assert!(live_code(&env).contains("queue()"), "the old code stays live");
    env.write("dist/index.js", READS);
    let _right = env.envc(&APPLY).exits(0);
    unchanged(&env);
}

#[test]
fn a_consumer_moves_to_another_worker_and_another_queue_takes_the_place_of_one() {
    let other = |inside: &str| {
        format!(
            "queue \"jobs\"\nworker \"api\" path=\"api\" deploy=\"bundle\" bundle=\"api\" \
             compatibility-date=\"2026-09-01\" {{ {inside} }}"
        )
    };
    let env = env(&other(""), "consume \"jobs\"", READS);
    env.write("api/index.js", MUTE);
    env.write("api/api/index.js", MUTE);
    let _first = env.envc(&APPLY).exits(0);
    env.write("dist/index.js", MUTE);
    env.write("api/index.js", READS);
    env.write("api/api/index.js", READS);
    env.write("environment.kdl", &spec(&other("consume \"jobs\""), ""));
    Steps::of(&env).come_in_order(&[
        "update worker.api",
        "update queue-consumer.api.jobs",
        "update worker.web",
    ]);
    let _moved = env.envc_with_faults(SLOW, &APPLY).exits(0);
    unchanged(&env);

    // Another queue, and nothing of the old one is left.
    let beside = other("consume \"work\"\nbind \"W\" queue=\"work\"").replace("jobs", "work");
    env.write("environment.kdl", &spec(&beside, ""));
    let steps = Steps::of(&env);
    let consumer = "delete queue-consumer.api.jobs";
    steps.come_in_order(&["create queue.work", "update worker.api"]);
    steps.come_in_order(&[consumer, "update worker.api", "create queue-consumer.api.work"]);
    steps.come_in_order(&[consumer, "delete queue.jobs"]);
    let _replaced = env.envc_with_faults(SLOW, &APPLY).exits(0);
    unchanged(&env);
    assert_eq!(env.cloud_listing().names("queue").len(), 1);

    // The other Worker lets go of the consumer, under whatever name it is renamed to.
    env.write(
        "environment.kdl",
        &spec(&beside.replace("\"api\" path", "\"api\" name=\"a-{env}\" path"), ""),
    );
    let _renamed = env.envc_with_faults(SLOW, &APPLY).exits(0);
    unchanged(&env);
    let _gone = env.envc_with_faults(SLOW, &["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty(), "{}", env.cloud_listing());
}

#[test]
fn what_is_unbound_goes_after_the_upload_that_unbinds_it_and_never_without_it() {
    let beside = "kv \"old\"\nd1 \"data\"\nr2 \"files\"\nqueue \"jobs\"";
    let inside = "bind \"KV\" kv=\"old\"\nbind \"DB\" d1=\"data\"\nbind \"R2\" r2=\"files\"\n\
                  bind \"Q\" queue=\"jobs\"";
    let stores = ["kv", "d1", "r2", "queue"];
    for next in ["apply", "destroy"] {
        let env = env(beside, inside, MUTE);
        let _first = env.envc(&APPLY).exits(0);
        let before = env.cloud_listing();
        env.write("environment.kdl", &spec("", ""));
        let steps = Steps::of(&env);
        for gone in ["delete kv.old", "delete d1.data", "delete r2.files", "delete queue.jobs"] {
            steps.come_in_order(&["update worker.web", gone]);
        }
        for refused in ["apply", next] {
            // A destroy deletes the script, which is refused just so.
            let faults = if refused == "destroy" {
                REFUSED.replace("PUT", "DELETE")
            } else {
                REFUSED.into()
            };
            let _failed = env.envc_with_faults(&faults, &[refused, "--yes"]).exits(1);
            let after = env.cloud_listing();
            for kind in stores {
                assert_eq!(after.names(kind), before.names(kind), "{refused}: {after}");
            }
            // Four, and the marker.
            assert_eq!(bound(&env, "name").len(), 5);
        }
        let _done = env.envc_with_faults(SLOW, &[next, "--yes"]).exits(0);
        let after = env.cloud_listing();
        for kind in stores {
            assert_eq!(after.names(kind), [""; 0], "{next}: {after}");
        }
        if next == "apply" {
            unchanged(&env);
        }
    }
}

#[test]
fn a_rename_comes_before_what_names_it() {
    let inside = "bind \"Q\" queue=\"jobs\"\nconsume \"jobs\"";
    let env = env("queue \"jobs\"", inside, READS);
    let _first = env.envc(&APPLY).exits(0);
    edit(&env, "queue \"jobs\"\n", "queue \"jobs\" name=\"renamed-{env}\"\n");
    Steps::of(&env).come_in_order(&["update queue.jobs", "update worker.web"]);
    let _renamed = env.envc_with_faults(SLOW, &APPLY).exits(0);
    unchanged(&env);
    assert_eq!(bound(&env, "queue_name"), [format!("renamed-{}", id(&env))]);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn a_consumer_comes_after_the_rename_of_its_queue_and_not_without_it() {
    let env = env("queue \"jobs\"", "", MUTE);
    let _first = env.envc(&APPLY).exits(0);
    env.write("dist/index.js", READS);
    env.write("environment.kdl", &spec("queue \"jobs\" name=\"jj-{env}\"", "consume \"jobs\""));
    Steps::of(&env).come_in_order(&["update queue.jobs", "create queue-consumer.web.jobs"]);
    let refused = "fail=PATCH:/queues/:400:1:no,lose-response-on=5";
    let ran = env.envc_with_faults(refused, &APPLY).exits(1);
    assert!(!ran.stderr.contains("11004"), "{ran}");
    assert_eq!(env.cloud_listing().names("queue-consumer"), [""; 0]);

    // Back to what was there, and on again.
    env.write("dist/index.js", MUTE);
    env.write("environment.kdl", &spec("queue \"jobs\"", ""));
    let _back = env.envc(&APPLY).exits(0);
    unchanged(&env);
    env.write("dist/index.js", READS);
    env.write("environment.kdl", &spec("queue \"jobs\" name=\"jj-{env}\"", "consume \"jobs\""));
    let _both = env.envc_with_faults(SLOW, &APPLY).exits(0);
    unchanged(&env);
    assert_eq!(env.cloud_listing().names("queue-consumer"), [format!("jj-{}", id(&env))]);
}

#[test]
fn two_resources_that_trade_names_are_refused_with_a_way_out() {
    let named = |a: &str, b: &str| {
        format!("queue \"a\" name=\"{a}-{{env}}\"\nqueue \"b\" name=\"{b}-{{env}}\"")
    };
    let inside = "bind \"A\" queue=\"a\"\nbind \"B\" queue=\"b\"";
    let env = env(&named("one", "two"), inside, MUTE);
    let _first = env.envc(&APPLY).exits(0);
    env.write("environment.kdl", &spec(&named("two", "one"), inside));
    let refused = env.envc(&["apply", "--yes", "--json"]).exits(1);
    says(&refused, &["envc::plan::name_taken", "give one of them a third name"]);
    env.write("environment.kdl", &spec(&named("three", "two"), inside));
    let _third = env.envc(&APPLY).exits(0);
    unchanged(&env);
}

#[test]
fn consumers_that_trade_workers_are_refused_with_a_way_out() {
    let both = |a: &str, b: &str| {
        (
            format!(
                "queue \"a\"\nqueue \"b\"\nworker \"api\" path=\"api\" deploy=\"bundle\" \
                 bundle=\"api\" compatibility-date=\"2026-09-01\" {{ consume \"{a}\" }}"
            ),
            format!("consume \"{b}\""),
        )
    };
    let (beside, inside) = both("a", "b");
    let env = env(&beside, &inside, READS);
    let write = |code: &str| {
        for path in ["dist/index.js", "api/index.js", "api/api/index.js"] {
            env.write(path, code);
        }
    };
    write(READS);
    let _first = env.envc(&APPLY).exits(0);
    let (beside, inside) = both("b", "a");
    env.write("environment.kdl", &spec(&beside, &inside));
    write(&format!("{READS}// newer\n"));
    let refused = env.envc(&["apply", "--yes", "--json"]).exits(1);
    says(&refused, &["envc::plan::no_order", "each has to wait for the next", "two applies"]);
    // The code first: then nothing stands in the way.
    write(READS);
    let _traded = env.envc_with_faults(SLOW, &APPLY).exits(0);
    unchanged(&env);
}

const DATABASE: &str = "d1 \"main\" { migrations \"m\" }";
const BROKEN: &str = "CREATE TABEL more (name TEXT);\n";

#[test]
fn code_goes_live_after_the_migrations_of_what_it_is_bound_to_and_not_without_them() {
    let env = env(DATABASE, "bind \"DB\" d1=\"main\"", MUTE);
    env.write("m/1.sql", BROKEN);
    Steps::of(&env).come_in_order(&["create d1.main", "migrate d1.main", "create worker.web"]);
    says(&env.envc(&APPLY).exits(1), &["could not migrate d1.main"]);
    assert_eq!(env.cloud_listing().names("worker"), [""; 0], "nothing went live");
    env.write("m/1.sql", "CREATE TABLE notes (id INTEGER);\n");
    let _first = env.envc_with_faults(SLOW, &APPLY).exits(0);
    unchanged(&env);

    // Only the code changed, and a migration that fails.
    env.write("dist/index.js", &format!("{MUTE}// newer\n"));
    env.write("m/2.sql", BROKEN);
    Steps::of(&env).come_in_order(&["migrate d1.main", "update worker.web"]);
    says(&env.envc(&APPLY).exits(1), &["could not migrate d1.main"]);
    assert!(!live_code(&env).contains("newer"), "the old code stays live");
    env.write("m/2.sql", "CREATE TABLE more (name TEXT);\n");
    let _second = env.envc_with_faults(SLOW, &APPLY).exits(0);
    assert!(live_code(&env).contains("newer"));
    unchanged(&env);
}

#[test]
fn databases_that_no_worker_is_bound_to_keep_nothing_waiting() {
    let beside = "d1 \"a\" { migrations \"m\" }\nd1 \"b\" { migrations \"m\" }\nkv \"cache\"";
    let env = env(beside, "bind \"KV\" kv=\"cache\"", MUTE);
    env.write("m/1.sql", "CREATE TABLE notes (id INTEGER);\n");
    let steps = Steps::of(&env);
    for (step, needs) in [
        ("migrate d1.a", "create d1.a"),
        ("migrate d1.b", "create d1.b"),
        ("create worker.web", "create kv.cache"),
    ] {
        assert_eq!(steps.waits(step), BTreeSet::from([steps.at(needs)]), "{step}");
    }
}

#[test]
fn a_replaced_database_stays_until_its_successor_is_migrated_and_bound() {
    let env = env(DATABASE, "bind \"DB\" d1=\"main\"", MUTE);
    env.write("m/1.sql", "CREATE TABLE notes (id INTEGER);\n");
    let _first = env.envc(&APPLY).exits(0);
    let old = bound(&env, "database_id");
    edit(&env, "d1 \"main\" {", "d1 \"main\" name=\"next-{env}\" {");
    let steps = Steps::of(&env);
    let order = ["create d1.main", "migrate d1.main", "update worker.web", "delete d1.main"];
    steps.come_in_order(&order);

    env.write("m/1.sql", BROKEN);
    let _not_migrated = env.envc(&APPLY).exits(1);
    let has_old = || {
        let listing = env.cloud_listing();
        assert_eq!(listing.names("d1").len(), 2, "{listing}");
        assert_eq!(bound(&env, "database_id"), old, "the Worker has its database");
    };
    has_old();
    env.write("m/1.sql", "CREATE TABLE notes (id INTEGER);\n");
    let _not_bound = env.envc_with_faults(REFUSED, &APPLY).exits(1);
    has_old();
    // Back to the old one, and then on to the new one after all.
    edit(&env, "d1 \"main\" name=\"next-{env}\" {", "d1 \"main\" name=\"shop--main--{env}\" {");
    let _back = env.envc(&APPLY).exits(0);
    assert_eq!(bound(&env, "database_id"), old);
    assert_eq!(env.cloud_listing().names("d1").len(), 1);
    unchanged(&env);
    edit(&env, "d1 \"main\" name=\"shop--main--{env}\" {", "d1 \"main\" name=\"next-{env}\" {");
    let _not_bound = env.envc_with_faults(REFUSED, &APPLY).exits(1);
    has_old();
    let _done = env.envc_with_faults(SLOW, &APPLY).exits(0);
    let listing = env.cloud_listing();
    let names = listing.names("d1");
    assert_eq!(names, [format!("next-{}", id(&env))]);
    let new = listing.id("d1", names[0]).unwrap();
    assert_eq!(bound(&env, "database_id"), [new]);
    assert_eq!(env.cloud().ledger(new), ["1.sql"]);
    unchanged(&env);
}

/// No call reaches from one zone into another.
#[test]
fn a_project_that_moves_to_another_zone_is_made_there_and_gone_here() {
    let spec = "project \"shop\" { zone \"a.example\" }\n\
        environment \"local\" default { identity \"dev\" }\n\
        tunnel \"t\" { ingress \"w\" host=\"x\" service=\"http://localhost:1\" }\n\
        dns \"mail\" type=\"TXT\" name=\"m\" content=\"hello\"\n\
        worker \"api\" path=\"api\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-09-01\" {\n\
        \x20   route \"x.{zone}/api/*\"\n    domain \"api.{zone}\"\n}\n\
        allow \"unused_resource\"\n";
    let env = TestEnv::of_text(spec);
    env.write("api/dist/index.js", "export default { fetch() { return new Response('ok'); } };\n");
    env.envc(&["apply", "--yes"]).exits(0);
    let old = env.cloud_listing().names("dns").len();
    assert!(env.cloud_listing().names("dns").iter().all(|name| name.contains("a.example")));
    env.write("environment.kdl", &spec.replace("a.example", "b.example"));
    check("zone_moves", &env, &env.envc(&["plan"]).exits(0));
    env.envc(&["apply", "--yes"]).exits(0);
    let listing = env.cloud_listing();
    assert_eq!(listing.names("dns").len(), old, "{:?}", listing.names("dns"));
    assert!(listing.names("dns").iter().all(|name| name.contains("b.example")));
    says(&env.envc(&["plan", "--detailed-exitcode"]).exits(0), &["No changes."]);
    // Another type of record on the way: both are of the same name.
    let spec = spec.replace(
        "type=\"TXT\" name=\"m\" content=\"hello\"",
        "type=\"A\" name=\"m\" content=\"192.0.2.1\"",
    );
    env.write("environment.kdl", &spec);
    env.envc(&["apply", "--yes"]).exits(0);
    says(&env.envc(&["plan", "--detailed-exitcode"]).exits(0), &["No changes."]);
    env.envc(&["destroy", "--yes"]).exits(0);
    assert_eq!(env.cloud_listing().names("dns"), [""; 0]);
}
