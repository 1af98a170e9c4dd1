//! Two processes, two worktrees, and a user who wants to stop.

use std::{thread, time::Duration};

use envc_core::SplitMix64;
use envc_tests::{Running, TestEnv, run_all};
use serde_json::Value as Json;

use crate::common::{QUICKSTART, System, THREADS};

/// Milliseconds that a slow cloud takes for each answer: long enough to act in between.
const SLOW: &str = "latency=150";
/// The seed of the kill test: the same instants in every run.
const SEED: u64 = 0x5eed;

/// Waits until something is true; fails when it is not in time.
fn until(mut is: impl FnMut() -> bool) {
    for _ in 0..4_000 {
        if is() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("it did not happen in 20 s");
}

/// The intents are recorded: mutating calls are being made.
fn until_begun(env: &TestEnv, running: &mut Running) {
    until(|| !env.states().is_empty() || running.has_ended());
}

/// Invariant: two applies of one environment never make two sets; the second waits and then finds
/// nothing to do.
#[test]
fn two_applies_at_once_make_one_set() {
    run_all(THREADS, &[1, 2, 3, 4], |_| {
        let env = QUICKSTART.env();
        let both = [SLOW, SLOW].map(|faults| env.start_with_faults(faults, &["apply", "--json"]));
        let ended = both.map(|running| running.end().exits(0));
        let steps = |ran: &envc_tests::Ran| {
            let applied = ran.event("applied").expect("an apply tells what it did");
            applied.get("steps").and_then(Json::as_u64).expect("an apply counts its steps")
        };
        let mut done = ended.each_ref().map(steps);
        done.sort_unstable();
        assert_eq!(done[0], 0, "{}\n{}", ended[0], ended[1]);
        QUICKSTART.check_settled(&env);
    });
}

/// Invariant: an apply and a destroy of one environment come one after the other, whichever is
/// first; nothing is left in between.
#[test]
fn an_apply_and_a_destroy_at_once_come_one_after_the_other() {
    let env = QUICKSTART.env();
    env.envc(&["apply"]).exits(0);
    let mut destroy = env.start_with_faults(SLOW, &["destroy", "--yes"]);
    until(|| destroy.age() > Duration::from_millis(200) || destroy.has_ended());
    let apply = env.start(&["apply"]);
    destroy.end().exits(0);
    apply.end();
    env.envc(&["apply"]).exits(0);
    QUICKSTART.check_settled(&env);
    env.envc(&["destroy", "--yes"]).exits(0);
    QUICKSTART.check_gone(&env);
}

/// Invariant: two worktrees of one repository are two environments: no ID, name, port or file is
/// shared, and destroying one leaves the other whole.
#[test]
fn two_worktrees_at_once_are_two_environments() {
    let env = QUICKSTART.env();
    let folders = [env.worktree("feature/one"), env.worktree("feature/two")];
    let started = folders.each_ref().map(|folder| {
        let mut command = env.command_in(folder, &["apply", "--json"]);
        command.env("ENVC_CLOUD_FAULTS", SLOW);
        Running::start(command)
    });
    let ended = started.map(|running| running.end().exits(0));
    let ids = ended.each_ref().map(|ran| {
        let applied = ran.event("applied").expect("an apply tells what it did");
        applied.get("env").and_then(Json::as_str).expect("it names its environment").to_owned()
    });
    assert_ne!(ids[0], ids[1]);
    let listing = env.cloud_listing();
    for (kind, count) in System::objects(&env) {
        let names = listing.names(kind);
        assert_eq!(names.len(), count * 2, "{listing}");
        for id in &ids {
            let own = names.iter().filter(|name| name.ends_with(id.as_str())).count();
            assert_eq!(own, count, "{listing}");
        }
    }
    let read = |folder: &std::path::Path, path| {
        std::fs::read_to_string(folder.join(path)).expect("envc wrote it")
    };
    let port = |folder: &std::path::Path| {
        let text = read(folder, ".env");
        let line = text.lines().find(|line| line.starts_with("API_PORT=")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("no port: {text}"))
    };
    assert_ne!(port(&folders[0]), port(&folders[1]));
    for (folder, [own, other]) in folders.iter().zip([[&ids[0], &ids[1]], [&ids[1], &ids[0]]]) {
        let text = read(folder, "wrangler.jsonc");
        assert!(text.contains(own.as_str()) && !text.contains(other.as_str()), "{text}");
    }
    Running::start(env.command_in(&folders[0], &["destroy", "--yes"])).end().exits(0);
    let left = env.cloud_listing();
    assert!(left.objects.iter().all(|object| object.name.ends_with(ids[1].as_str())), "{left}");
    assert_eq!(left.counts(), System::objects(&env), "{left}");
    Running::start(env.command_in(&folders[1], &["plan", "--detailed-exitcode"])).end().exits(0);
}

/// Invariant: Ctrl-C lets calls in flight finish, records them, and exits 130; the next apply
/// completes the one set.
#[test]
fn ctrl_c_during_an_apply_exits_130_and_the_next_apply_goes_on() {
    let env = QUICKSTART.env();
    let mut running = env.start_with_faults("latency=400", &["apply"]);
    until_begun(&env, &mut running);
    running.interrupt();
    running.end().exits(130);
    let made = env.cloud_listing();
    let recorded: usize = env
        .states()
        .values()
        .filter_map(|state| state.get("resources").and_then(Json::as_object))
        .map(serde_json::Map::len)
        .sum();
    assert_eq!(recorded, made.objects.len(), "what was in flight is recorded: {made}");
    env.envc(&["apply"]).exits(0);
    QUICKSTART.check_settled(&env);
}

/// Invariant: a second Ctrl-C ends the process at once with 130, whatever it waits for.
#[test]
fn a_second_ctrl_c_exits_130_at_once() {
    let env = QUICKSTART.env();
    let mut running = env.start_with_faults("latency=5000", &["apply"]);
    // The first request is on its way, and no answer comes for seconds.
    until(|| env.cloud_dir().join("cloud.sqlite").exists() || running.has_ended());
    // Signals that come close together are one to a process that had no time to look.
    until(|| {
        running.interrupt();
        thread::sleep(Duration::from_millis(100));
        running.has_ended()
    });
    let ended = running.end().exits(130);
    assert!(ended.took < Duration::from_secs(4), "{ended}");
    env.envc(&["apply"]).exits(0);
    QUICKSTART.check_settled(&env);
}

/// Invariant: killed at any instant, the next apply completes the one set and the next destroy
/// leaves nothing.
#[test]
fn a_kill_at_any_instant_is_healed() {
    let mut numbers = SplitMix64(SEED);
    let instants: Vec<(u64, bool)> =
        (0..12_u64).map(|n| (numbers.next_number() % 900, n % 2 == 0)).collect();
    run_all(THREADS, &instants, |(ms, destroy)| {
        let env = QUICKSTART.env();
        let mut running = env.start_with_faults("latency=60", &["apply"]);
        until(|| running.age() > Duration::from_millis(*ms) || running.has_ended());
        running.kill();
        if *destroy {
            env.envc(&["destroy", "--yes", "--if-exists"]).exits(0);
            assert!(env.cloud_listing().is_empty());
        } else {
            env.envc(&["apply"]).exits(0);
            QUICKSTART.check_settled(&env);
            let mut running = env.start_with_faults("latency=60", &["destroy", "--yes"]);
            until(|| running.age() > Duration::from_millis(*ms) || running.has_ended());
            running.kill();
            env.envc(&["destroy", "--yes", "--if-exists"]).exits(0);
            QUICKSTART.check_gone(&env);
        }
    });
}
