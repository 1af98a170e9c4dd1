//! Two machines at one pull request, whose states are not shared, so that neither knows of the other.

use envc_core::SplitMix64;
use envc_tests::{Listing, Ran, TestEnv, Turns, run_all, some_of};

/// Interleavings of the sweep.
const ORDERS: u64 = 64;
/// Scenarios at once: a machine waits for its turn most of the time.
const AT_ONCE: usize = 4;

const SPEC: &str = "project \"shop\"\n\
    environment \"pr\" default { when pr ; identity \"pr-{env.pr}\" ; ttl \"7d\" }\n\
    kv \"cache\"\nr2 \"files\"\nd1 \"app\" { migrations \"m\" }\nallow \"unused_resource\"\n";

/// A machine of its own, as this client of the cloud.
fn machine(turns: &Turns, client: usize) -> TestEnv {
    let mut env = TestEnv::of_text(SPEC);
    env.write("m/1.sql", "CREATE TABLE a (x);\n");
    env.git(&["remote", "add", "origin", "https://git.example/a/shop.git"]);
    turns.use_as(client, &mut env);
    env.set("CI", "true");
    env
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
#[test]
fn an_apply_and_a_destroy_of_two_machines_end_whole_or_say_so() {
    let mut numbers = SplitMix64(0x0f16);
    let orders: Vec<(u64, bool)> =
        (0..ORDERS).map(|n| (numbers.next_number(), n % 3 > 0)).collect();
    run_all(AT_ONCE, &some_of(orders), |(seed, begun)| {
        let host = TestEnv::of_text(SPEC);
        let turns = Turns::start(&host, 2, *seed);
        if *begun {
            apply(&machine(&turns, 0)).exits(0);
        }
        let before = turns.log().len();
        let machines = [machine(&turns, 0), machine(&turns, 1)];
        let [applied, destroyed] = std::thread::scope(|scope| {
            let [a, b] = &machines;
            let both = [scope.spawn(|| apply(a)), scope.spawn(|| destroy(b))];
            both.map(|one| one.join().expect("a run ends"))
        });
        let told = || format!("seed {seed:#x}\n{applied}\n{destroyed}\n{}", there(&turns));
        for ran in [&applied, &destroyed] {
            assert!(matches!(ran.code, Some(0 | 75)), "{}", told());
        }
        let log = turns.log();
        let log = log.get(before..).unwrap_or_default();
        let deletes = log.iter().position(|(who, line)| *who == 1 && line.starts_with("DELETE"));
        let is_whole = || there(&turns).objects.len() == 3;
        // A destroy that met what the apply made meanwhile says so.
        let end_well = [&applied, &destroyed].iter().all(|ran| ran.code == Some(0));
        if end_well && !is_whole() {
            let deletes = deletes.unwrap_or_else(|| panic!("nobody deleted: {}", told()));
            let after = log.iter().skip(deletes).filter(|(who, _)| *who == 0);
            let changes = after.filter(|(_, line)| !line.starts_with("GET")).count();
            assert_eq!(changes, 0, "{}\n{log:#?}", told());
        }
        // Whoever was told to runs it again.
        let healed = machine(&turns, 0);
        apply(&healed).exits(0);
        assert!(is_whole(), "{}", told());
        destroy(&healed).exits(0);
        assert!(there(&turns).is_empty(), "{}", told());
    });
}
