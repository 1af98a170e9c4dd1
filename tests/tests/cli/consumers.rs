//! Consumers of queues: what they hold on to, and what somebody else takes away from them.

use envc_tests::TestEnv;
use http::Method;
use serde_json::{Value as Json, json};

use crate::common::edit;

const APPLY: [&str; 2] = ["apply", "--yes"];
const CONSUME: &str = "consume \"jobs\" dead-letter=\"dead\" max-concurrency=3";

fn fresh() -> TestEnv {
    let env = TestEnv::of_text(&format!(
        "project \"shop\"\n\
         environment \"local\" default {{ identity branch max-length=20 unique }}\n\
         queue \"jobs\"\nqueue \"dead\"\n\
         worker \"web\" path=\".\" deploy=\"bundle\" bundle=\"dist\" \
         compatibility-date=\"2026-09-01\" {{ {CONSUME}; }}\n"
    ));
    env.write("dist/index.js", "export default { fetch() {}, queue() {} };\n");
    let _first = env.envc(&APPLY).exits(0);
    env
}

/// The only consumer, and where it is.
fn consumer(env: &TestEnv) -> (String, Json) {
    let queues = env.cloud().of_account(&Method::GET, "/queues", None);
    let mut all = queues.as_array().unwrap().iter().filter_map(|queue| {
        let consumer = queue.get("consumers")?.as_array()?.first()?;
        let id = |of: &Json, key: &str| of.get(key).and_then(Json::as_str).map(str::to_owned);
        let (queue, id) = (id(queue, "queue_id")?, id(consumer, "consumer_id")?);
        Some((format!("/queues/{queue}/consumers/{id}"), consumer.clone()))
    });
    all.next().expect("a consumer")
}

fn unchanged(env: &TestEnv) {
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn a_dead_letter_queue_is_taken_away_with_and_without_the_queue() {
    for goes in [true, false] {
        let env = fresh();
        edit(&env, CONSUME, "consume \"jobs\" max-concurrency=3");
        if goes {
            edit(&env, "queue \"dead\"\n", "");
        }
        let plan = env.envc(&["plan", "--detailed-exitcode"]).exits(2);
        assert!(plan.stdout.contains("dead-letter"), "{plan}");
        let _second = env.envc_with_faults("latency=40", &APPLY).exits(0);
        unchanged(&env);
        let (_, there) = consumer(&env);
        assert_eq!(there.get("dead_letter_queue"), None, "{there}");
        assert_eq!(there.pointer("/settings/max_concurrency"), Some(&json!(3)));
        assert_eq!(env.cloud_listing().names("queue").len(), if goes { 1 } else { 2 });
    }
}

#[test]
fn what_somebody_takes_away_from_a_consumer_is_told_and_set_again() {
    let env = fresh();
    let (path, before) = consumer(&env);
    let script = before.get("script").cloned();
    let body = json!({ "type": "worker", "script_name": script, "settings": {} });
    let _less = env.cloud().of_account(&Method::PUT, &path, Some(&body));
    let plan = env.envc(&["plan", "--detailed-exitcode"]).exits(2);
    for told in ["changed outside envc", "dead-letter", "max-concurrency"] {
        assert!(plan.stdout.contains(told), "{told} in {plan}");
    }
    let _again = env.envc(&APPLY).exits(0);
    let (_, after) = consumer(&env);
    assert_eq!(after, before);
    unchanged(&env);
}

#[test]
fn somebody_elses_consumer_is_refused_with_a_way_out_that_there_is() {
    let env = fresh();
    let spec = env.read("environment.kdl").unwrap().replace(
        "\"local\" default { identity branch max-length=20 unique }",
        "\"staging\" default { identity \"staging\" }",
    );
    env.write("environment.kdl", &spec.replace(&format!("{CONSUME};"), ""));
    let _staging = env.envc(&["apply", "staging", "--yes", "--rebind"]).exits(0);
    let queues = env.cloud().of_account(&Method::GET, "/queues", None);
    let queue =
        queues.as_array().unwrap().iter().find(|it| it["queue_name"] == "shop--jobs--staging");
    let path = format!("/queues/{}/consumers", queue.unwrap()["queue_id"].as_str().unwrap());
    let listing = env.cloud_listing();
    let theirs =
        listing.names("worker").into_iter().find(|name| !name.ends_with("staging")).unwrap();
    let theirs = json!({"type": "worker", "script_name": theirs});
    let _made = env.cloud().of_account(&Method::POST, &path, Some(&theirs));
    env.write("environment.kdl", &spec);
    let refused = env.envc(&["apply", "staging", "--yes"]).exits(1).to_string();
    assert!(refused.contains("remove that queue consumer first"), "{refused}");
    assert!(refused.contains("another queue") && !refused.contains("existing"), "{refused}");
}
