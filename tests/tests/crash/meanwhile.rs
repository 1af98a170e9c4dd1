//! Two machines at one pull request, whose states are not shared, so that neither knows of the other.

use envc_core::SplitMix64;
use envc_tests::{Listing, Ran, TestEnv, Turns, all_or_none, run_all, some_of};
use http::Method;
use serde_json::json;

/// Interleavings of the sweep.
const ORDERS: u64 = 64;
/// Scenarios at once: a machine waits for its turn most of the time.
const AT_ONCE: usize = 4;

const SPEC: &str = "project \"shop\"\n\
    environment \"pr\" default { when pr ; identity \"pr-{env.pr}\" ; ttl \"7d\" }\n\
    kv \"cache\"\nr2 \"files\"\nd1 \"app\" { migrations \"m\" }\nallow \"unused_resource\"\n";
/// The kinds of what there is of it.
const KINDS: [&str; 3] = ["d1", "kv", "r2"];

/// The same with what hangs together: a Worker, what it is bound to and what stands before it, and with a
/// preview ID.
const MORE: &str = "queue \"jobs\"\n\
    lease \"preview\" pool=\"previews\"\n\
    dotenv \".env.preview\" { ID \"{lease.preview.id}\"; }\n\
    worker \"api\" path=\".\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-09-01\" {\n\
    \x20   bind \"KV\" kv=\"cache\"\n    bind \"R2\" r2=\"files\"\n    bind \"DB\" d1=\"app\"\n\
    \x20   bind \"JOBS\" queue=\"jobs\"\n    consume \"jobs\"\n    cron \"0 * * * *\"\n}\n";
const MORE_KINDS: [&str; 7] =
    ["d1", "kv", "queue", "queue-consumer", "r2", "worker", "worker-crons"];

/// What two machines work on.
#[derive(Clone, Copy, Debug)]
struct System {
    /// Beside [`SPEC`].
    more: &'static str,
    kinds: &'static [&'static str],
    leases: usize,
}

const SMALL: System = System { more: "", kinds: &KINDS, leases: 0 };
const LARGE: System = System { more: MORE, kinds: &MORE_KINDS, leases: 1 };

impl System {
    /// A machine of its own, as this client of the cloud.
    fn machine(&self, turns: &Turns, client: usize) -> TestEnv {
        let edge = match self.leases {
            0 => String::new(),
            _ => format!(
                "edge \"http://{}\" token=(secret)\"EDGE_TOKEN\" {{ pool \"previews\"; }}\n",
                turns.address(client)
            ),
        };
        let mut env = TestEnv::of_text(&format!("{SPEC}{edge}{}", self.more));
        env.write("m/1.sql", "CREATE TABLE a (x);\n");
        env.write("dist/index.js", "export default { queue(b) {}, scheduled(e) {} };\n");
        env.git(&["remote", "add", "origin", "https://git.example/a/shop.git"]);
        turns.use_as(client, &mut env);
        let token = env.var("CLOUDFLARE_API_TOKEN");
        env.set("EDGE_TOKEN", &token);
        env.set("CI", "true");
        env
    }

    fn is_whole(&self, turns: &Turns) -> bool {
        let there = there(turns);
        let kinds: Vec<&str> = there.objects.iter().map(|object| object.kind).collect();
        kinds == self.kinds && turns.view().leases("previews").len() == self.leases
    }

    fn is_gone(turns: &Turns) -> bool {
        there(turns).is_empty() && turns.view().leases("previews").is_empty()
    }
}

fn apply(env: &TestEnv) -> Ran {
    env.envc(&["apply", "--pr", "8", "--yes"])
}

fn destroy(env: &TestEnv) -> Ran {
    env.envc(&["destroy", "--pr", "8", "--yes", "--if-exists"])
}

fn there(turns: &Turns) -> Listing {
    turns.view().listing().without_claims()
}

/// Invariant: of an apply and a destroy of one pull request at once, whichever requests of theirs follow
/// each other, each ends well or with exit 75. Where both end well, the apply has left all of it, unless the
/// destroy began to delete only when the apply was at its last look; and the next apply makes it whole.
fn both_end_whole_or_say_so(system: System, orders: &[(u64, bool)]) {
    run_all(AT_ONCE, orders, |(seed, begun)| {
        let host = TestEnv::of_text(SPEC);
        let turns = Turns::start(&host, 2, *seed);
        if system.leases > 0 {
            let member = |n| json!({ "id": format!("preview-{n}") });
            let members: Vec<_> = (1..=2).map(member).collect();
            let members = json!({ "members": members, "settings": { "cool_down_seconds": 0 } });
            let (status, answer) =
                turns.view().pool(&Method::PUT, "/previews/members", Some(&members));
            assert_eq!(status, 200, "{answer}");
        }
        if *begun {
            apply(&system.machine(&turns, 0)).exits(0);
        }
        let before = turns.log().len();
        let machines = [system.machine(&turns, 0), system.machine(&turns, 1)];
        let [applied, destroyed] = std::thread::scope(|scope| {
            let [a, b] = &machines;
            let both = [scope.spawn(|| apply(a)), scope.spawn(|| destroy(b))];
            both.map(|one| one.join().expect("a run ends"))
        });
        let told = || {
            let leases = turns.view().leases("previews");
            format!("seed {seed:#x}\n{applied}\n{destroyed}\n{}{leases:?}", there(&turns))
        };
        let log = turns.log();
        let log = log.get(before..).unwrap_or_default();
        for ran in [&applied, &destroyed] {
            assert!(matches!(ran.code, Some(0 | 75)), "{}\n{log:#?}", told());
        }
        // A destroy that met what the apply made meanwhile says so.
        let end_well = [&applied, &destroyed].iter().all(|ran| ran.code == Some(0));
        if end_well && !system.is_whole(&turns) {
            let takes = |(who, line): &(usize, String)| *who == 1 && line.starts_with("DELETE");
            let first = log.iter().position(takes);
            let first = first.unwrap_or_else(|| panic!("nobody deleted: {}", told()));
            let after = log.iter().skip(first).filter(|(who, _)| *who == 0);
            // The registry hears how it ended.
            let changes =
                after.filter(|(_, line)| !line.starts_with("GET") && !line.contains("/v1/e"));
            assert_eq!(changes.count(), 0, "{}\n{log:#?}", told());
        }
        // Whoever was told to runs it again.
        let healed = system.machine(&turns, 0);
        apply(&healed).exits(0);
        assert!(system.is_whole(&turns), "{}", told());
        destroy(&healed).exits(0);
        assert!(System::is_gone(&turns), "{}", told());
    });
}

/// Of each the number that decides who is next, and whether the environment is there before.
fn orders(seed: u64) -> Vec<(u64, bool)> {
    let mut numbers = SplitMix64(seed);
    (0..ORDERS).map(|n| (numbers.next_number(), n % 3 > 0)).collect()
}

#[test]
fn an_apply_and_a_destroy_of_two_machines_end_whole_or_say_so() {
    both_end_whole_or_say_so(SMALL, &some_of(orders(0x0f16)));
}

/// Where both try again, the clock decides who is next, and not the number alone.
#[test]
fn an_apply_and_a_destroy_of_a_worker_its_queue_and_a_preview_id_end_whole_or_say_so() {
    both_end_whole_or_say_so(LARGE, &all_or_none(orders(0x1f16)));
}
