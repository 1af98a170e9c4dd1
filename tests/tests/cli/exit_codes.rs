//! Every exit code of the documentation, each by its plainest way.

use std::{thread, time::Duration};

use envc_tests::TestEnv;
use serde_json::Value as Json;

use crate::common::{ONE_KV, check, files_below, says};

/// Looks until it is so, however slow the machine is.
#[track_caller]
fn until(is_so: impl Fn() -> bool) {
    for _ in 0..3_000 {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came to that");
}

#[test]
fn done_failed_changes_unknown_usage_and_spec() {
    let env = TestEnv::of_text(ONE_KV);
    let table: [(&[&str], i32); 10] = [
        (&["destroy", "--yes"], 3),
        (&["show"], 3),
        (&["plan", "--detailed-exitcode"], 2),
        (&["apply"], 0),
        (&["apply"], 0),
        (&["plan", "--detailed-exitcode"], 0),
        (&["apply", "nope"], 64),
        (&["apply", "--nope"], 64),
        (&["migrate", "check"], 0),
        (&["destroy", "--yes"], 0),
    ];
    for (args, code) in table {
        let _ran = env.envc(args).exits(code);
    }
    env.write("environment.kdl", "project \"shop\"\nkvv \"cache\"\n");
    for verb in ["check", "plan", "apply"] {
        let _wrong = env.envc(&[verb]).exits(65);
    }
    env.write("environment.kdl", ONE_KV);
    let refused = env.envc_with_faults("fail=POST:/storage/kv:400:10001:no", &["apply"]);
    says(&refused.exits(1), &["could not create kv.cache", "no (code 10001)"]);
}

#[test]
fn an_unknown_verb_and_a_wrong_flag_say_what_there_is() {
    let env = TestEnv::of_text(ONE_KV);
    check("usage_verb", &env, &env.envc(&["aply"]));
    check("usage_flag", &env, &env.envc(&["apply", "--cloud", "aws"]));
    check("usage_type", &env, &env.envc(&["apply", "nope"]));
    check("usage_id", &env, &env.envc(&["destroy", "--yes", "--id", "../x"]));
}

#[test]
fn help_is_found_the_way_people_look_for_it() {
    let env = TestEnv::of_text(ONE_KV);
    for args in [&["help"][..], &["--help"], &["-h"], &["help", "apply"], &["apply", "--help"]] {
        let ran = env.envc(args).exits(0);
        assert!(ran.stdout.contains("Usage: envc"), "{ran}");
    }
    says(&env.envc(&["cloud", "serve", "--help"]).exits(0), &["lose-response-on", "deny=d1"]);
    check("usage_nothing", &env, &env.envc(&[]));
}

#[test]
fn the_second_apply_waits_and_says_for_whom() {
    let env = TestEnv::of_text(ONE_KV);
    let first = env.start_with_faults("latency=1500", &["apply"]);
    let locks = || files_below(&env.state_dir().join("state"));
    until(|| locks().iter().any(|path| path.extension().is_some_and(|it| it == "lock")));
    let second = env.start(&["apply"]);
    says(&env.envc(&["apply", "--no-wait"]).exits(75), &["is at work on this environment"]);
    let second = second.end().exits(0);
    says(&second, &["waiting for", "envc apply", "Nothing to do"]);
    let _first = first.end().exits(0);
    assert_eq!(env.cloud_listing().names("kv").len(), 1);
}

#[test]
fn ctrl_c_lets_calls_in_flight_finish_and_the_next_run_carries_on() {
    let env = TestEnv::new("quickstart");
    let running = env.start_with_faults("latency=500", &["apply", "--parallelism", "1"]);
    let is_made = |state: &Json| state["resources"].as_object().is_some_and(|all| !all.is_empty());
    until(|| env.states().values().any(is_made));
    running.interrupt();
    let ran = running.end().exits(130);
    says(&ran, &["interrupted", "run the command again"]);
    let made = env.cloud_listing();
    assert!(!made.is_empty() && made.names("queue").len() < 2, "{made}\n{ran}");
    let _carries_on = env.envc(&["apply"]).exits(0);
    assert_eq!(env.cloud_listing().counts().values().sum::<usize>(), 5);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty());
}
