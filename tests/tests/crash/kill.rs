//! The process dies, at every request and at instants of chance.

use std::sync::atomic::{AtomicUsize, Ordering};

use envc_tests::{TestEnv, run_all, some_of};

use crate::common::{
    BUNDLE, EVENTUALL, LEASED, MOODY_THREADS, QUICKSTART, System, THREADS, moods, requests,
};

/// How often a kill that came too late is tried again.
const KILLS_MAX: usize = 4;

/// What happens after the crash.
#[derive(Clone, Copy, Debug)]
enum Then {
    Apply,
    Destroy,
}

/// One crash.
#[derive(Clone, Copy, Debug)]
struct Crash {
    request: u64,
    when: &'static str,
    state_lost: bool,
    then: Then,
    /// The API has moods meanwhile, and afterwards.
    moody: bool,
}

impl Crash {
    /// Where it happens.
    fn env(&self, system: &System) -> TestEnv {
        let mut env = system.env();
        if self.moody {
            env.set("ENVC_CLOUD_FAULTS", &moods(self.request));
        }
        env
    }

    /// Kills a command at its request.
    fn kill(&self, env: &TestEnv, args: &[&str]) {
        let ran = env.envc_with_faults(&format!("crash-on={}:{}", self.request, self.when), args);
        // How often a moody API is asked depends on when: one with fewer requests has ended well.
        if !(self.moody && ran.code == Some(0)) {
            assert_eq!(ran.code, None, "it was to be killed: {ran}");
        }
        if self.state_lost {
            env.lose_states();
        }
    }
}

/// Crashes at every request.
fn crashes(requests: u64, moody: bool) -> Vec<Crash> {
    let mut all = Vec::new();
    for request in 1..=requests {
        for when in ["before", "after"] {
            for state_lost in [false, true] {
                for then in [Then::Apply, Then::Destroy] {
                    all.push(Crash { request, when, state_lost, then, moody });
                }
            }
        }
    }
    all
}

fn fresh_apply_requests(system: &System) -> u64 {
    let env = system.env();
    requests(&env.envc(&["apply", "--json"]).exits(0), "applied")
}

/// Invariant: killed at any request of a fresh apply, before or after its effect, with the state
/// kept or lost, the next apply completes the one set and the next destroy leaves nothing.
fn survives_apply(system: &System, crash: &Crash) {
    let env = crash.env(system);
    crash.kill(&env, &["apply"]);
    match crash.then {
        Then::Apply => {
            env.envc(&["apply"]).exits(0);
            system.check_settled(&env);
        }
        Then::Destroy => {
            env.envc(&["destroy", "--yes", "--if-exists"]).exits(0);
            system.check_gone(&env);
        }
    }
}

/// Invariant: killed at any request of a destroy, the next destroy leaves nothing, and an apply
/// instead makes one whole set again.
fn survives_destroy(system: &System, crash: &Crash) {
    let env = crash.env(system);
    env.envc(&["apply"]).exits(0);
    crash.kill(&env, &["destroy", "--yes"]);
    match crash.then {
        Then::Apply => {
            env.envc(&["apply"]).exits(0);
            system.check_settled(&env);
        }
        Then::Destroy => {
            env.envc(&["destroy", "--yes", "--if-exists"]).exits(0);
            system.check_gone(&env);
        }
    }
}

fn destroy_requests(system: &System) -> u64 {
    let env = system.env();
    env.envc(&["apply"]).exits(0);
    requests(&env.envc(&["destroy", "--yes", "--json"]).exits(0), "destroyed")
}

#[test]
fn an_apply_killed_at_any_request_is_completed_or_taken_away() {
    let all = some_of(crashes(fresh_apply_requests(&QUICKSTART), false));
    run_all(THREADS, &all, |crash| survives_apply(&QUICKSTART, crash));
}

#[test]
fn a_destroy_killed_at_any_request_is_completed_or_undone() {
    let all = some_of(crashes(destroy_requests(&QUICKSTART), false));
    run_all(THREADS, &all, |crash| survives_destroy(&QUICKSTART, crash));
}

#[test]
fn an_apply_with_a_lease_killed_at_any_request_is_completed_or_taken_away() {
    let all = some_of(crashes(fresh_apply_requests(&LEASED), false));
    run_all(THREADS, &all, |crash| survives_apply(&LEASED, crash));
}

#[test]
fn a_destroy_with_a_lease_killed_at_any_request_is_completed_or_undone() {
    let all = some_of(crashes(destroy_requests(&LEASED), false));
    run_all(THREADS, &all, |crash| survives_destroy(&LEASED, crash));
}

#[test]
fn an_apply_with_a_tunnel_killed_at_any_request_is_completed_or_taken_away() {
    let all = some_of(crashes(fresh_apply_requests(&EVENTUALL), false));
    run_all(THREADS, &all, |crash| survives_apply(&EVENTUALL, crash));
}

#[test]
fn a_destroy_with_a_tunnel_killed_at_any_request_is_completed_or_undone() {
    let all = some_of(crashes(destroy_requests(&EVENTUALL), false));
    run_all(THREADS, &all, |crash| survives_destroy(&EVENTUALL, crash));
}

#[test]
fn an_apply_that_deploys_a_worker_killed_at_any_request_is_completed_or_taken_away() {
    let all = some_of(crashes(fresh_apply_requests(&BUNDLE), false));
    run_all(THREADS, &all, |crash| survives_apply(&BUNDLE, crash));
}

#[test]
fn a_destroy_of_a_deployed_worker_killed_at_any_request_is_completed_or_undone() {
    let all = some_of(crashes(destroy_requests(&BUNDLE), false));
    run_all(THREADS, &all, |crash| survives_destroy(&BUNDLE, crash));
}

/// Systems of which one has what the others have not.
const MOODY: [System; 3] = [LEASED, EVENTUALL, BUNDLE];

/// A share of all crashes of all of these on an API with moods.
fn moody(requests: fn(&System) -> u64) -> Vec<(System, Crash)> {
    let of = |system: System| {
        // Some calls are refused first, and come again.
        let most = requests(&system) * 5 / 4;
        crashes(most, true).into_iter().map(move |crash| (system, crash))
    };
    some_of(MOODY.into_iter().flat_map(of).collect())
}

#[test]
fn an_apply_on_a_moody_api_killed_at_any_request_is_completed_or_taken_away() {
    let all = moody(fresh_apply_requests);
    run_all(MOODY_THREADS, &all, |(system, crash)| survives_apply(system, crash));
}

#[test]
fn a_destroy_on_a_moody_api_killed_at_any_request_is_completed_or_undone() {
    let all = moody(destroy_requests);
    run_all(MOODY_THREADS, &all, |(system, crash)| survives_destroy(system, crash));
}

/// Invariant: killed while it writes files, the next apply knows them for its own, and what is half
/// written as well; destroy leaves none: they hold secrets.
#[test]
fn an_apply_killed_while_it_writes_files_is_completed_or_taken_away() {
    const FILES: [&str; 4] = [".env", ".env.ports", "apps/webapp/.dev.vars", "start-dev.sh"];
    let kills: Vec<(&str, bool)> =
        FILES.iter().flat_map(|file| [(*file, false), (*file, true)]).collect();
    let hits = AtomicUsize::new(0);
    run_all(THREADS, &kills, |(file, destroys)| {
        let mut env = EVENTUALL.env();
        for attempt in 0..KILLS_MAX {
            if attempt > 0 {
                env = EVENTUALL.env();
            }
            let mut running = env.start(&["apply"]);
            while !running.has_ended() && env.read(file).is_none() {
                std::thread::yield_now();
            }
            // Quicker than the kill, it was an apply like any other.
            if running.kill().code.is_none() {
                hits.fetch_add(1, Ordering::Relaxed);
                break;
            }
        }
        if *destroys {
            env.envc(&["destroy", "--yes"]).exits(0);
            let left: Vec<&str> =
                FILES.into_iter().filter(|file| env.read(file).is_some()).collect();
            assert_eq!(left, Vec::<&str>::new(), "killed at {file}");
        } else {
            env.envc(&["apply"]).exits(0);
            let again = env.envc(&["apply"]).exits(0);
            assert!(again.stdout.contains("Nothing to do"), "killed at {file}: {again}");
        }
        for folder in ["", "apps/webapp"] {
            let names = std::fs::read_dir(env.root().join(folder)).unwrap();
            let mut names = names.map(|entry| entry.unwrap().file_name());
            assert!(names.all(|name| !name.to_string_lossy().contains("envc-tmp")), "{file}");
        }
    });
    // Behind the last file hardly anything is left to be done, so that one may always be quicker.
    let hits = hits.into_inner();
    assert!(hits * 2 >= kills.len(), "only {hits} of {} kills hit", kills.len());
}
