//! On an API with all the moods of the real one everything succeeds at the first try, one time after the other,
//! and waits little longer than the moods take.
//!
//! What they take is counted by the cloud: of each call, from its first refusal on, how long it is until what it
//! refers to is seen. What was waited is told by the command, as `waited_ms`. Both are sums over all calls,
//! whatever ran side by side, and neither depends on how fast the machine is: a slow one asks later, and
//! waits less. Beside the lags there are refusals that pass by themselves, each of which costs one wait.
//!
//! Durations are a fiftieth. Once, and as long as they are, with the figures of each command:
//! `ENVC_REALITY=1 cargo test -p envc-tests --test crash -- in_a_row --nocapture`

use std::{
    collections::BTreeMap,
    env,
    time::{Duration, Instant},
};

use envc_cloud::Delay;
use envc_tests::{Ran, ServedCloud, TestEnv, run_all, some_of};
use serde_json::Value as Json;

use crate::common::{BUNDLE, EVENTUALL, QUICKSTART, System};

/// Runs of each system, each with a seed of its own.
const RUNS: u64 = 20;
/// Scenarios at once: most of the time they wait.
const AT_ONCE: usize = 8;
const ZONES: [&str; 2] = ["shop.example", "eventuall.live"];

/// The wait before the first look at something that takes its time, in milliseconds.
const FIRST_LOOK_MS: u64 = 250;
/// The longest wait before the second try after a failure, in milliseconds.
const AGAIN_MS: u64 = 500;
/// The wait after a refusal of the token that may pass, in milliseconds.
const REFUSED_MS: u64 = 1_000;

/// The edge Worker's classes; what else it does is nothing to an API.
const EDGE: &str = "export class PoolObject {}\nexport class StatesObject {}\n\
    export class RegistryObject {}\nexport class TokensObject {}\n\
    export default { fetch() { return new Response(\"x\") }, scheduled(e) {} };\n";

/// A system, how it is checked out, and how it is changed.
type Spec = (&'static str, fn() -> TestEnv, fn(&TestEnv));

const SPECS: [Spec; 4] = [
    ("quickstart", || QUICKSTART.env(), change_quickstart),
    ("eventuall", || EVENTUALL.env(), add_a_table),
    ("edge", edge, change_code),
    ("a Worker with everything", || BUNDLE.env(), change_code),
];

fn edge() -> TestEnv {
    let mut env = TestEnv::new("edge");
    env.write("dist/index.js", EDGE);
    env.set("EDGE_BOOTSTRAP_TOKEN", &"b".repeat(32));
    env.set("EDGE_SEAL_KEY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    env
}

fn add_a_table(env: &TestEnv) {
    env.write("apps/workers/migrations/0003_more.sql", "CREATE TABLE more (x);\n");
}

fn change_quickstart(env: &TestEnv) {
    let spec = env.read("environment.kdl").expect("there is a spec");
    env.write("environment.kdl", &format!("{spec}\nkv \"flags\"\n"));
    let trigger = "CREATE TRIGGER noted AFTER INSERT ON notes begin\n  SELECT 1;\nend;\n";
    env.write("migrations/0003_noted.sql", trigger);
}

fn change_code(env: &TestEnv) {
    let code = env.read("dist/index.js").expect("there is a bundle");
    env.write("dist/index.js", &format!("{code}// changed\n"));
}

/// The edge that a spec names is the served cloud, as far as that goes; no program but git has to be there.
fn at_home(env: &mut TestEnv, cloud: &ServedCloud) {
    let spec = env.read("environment.kdl").expect("there is a spec");
    let edge = cloud.base_url().trim_end_matches("/client/v4");
    let spec = spec.replace("https://edge.eventuall.live", edge);
    let needed = |line: &&str| !line.starts_with("require ");
    let spec: Vec<&str> = spec.lines().filter(needed).collect();
    env.write("environment.kdl", &(spec.join("\n") + "\n"));
    let token = env.var("CLOUDFLARE_API_TOKEN");
    env.set("EVENTUALL_EDGE_TOKEN", &token);
}

/// What a command waited, and what it had to.
struct Waits {
    waited: Duration,
    /// What the lags took.
    lags: Duration,
    /// What it may wait beside one and a half times that.
    more: Duration,
}

impl Waits {
    /// Of the calls since these numbers of them.
    fn of(ran: &Ran, event: &str, cloud: &ServedCloud, since: (usize, usize)) -> Self {
        let told = ran.event(event).unwrap_or_else(|| panic!("no `{event}`: {ran}"));
        let waited_ms = told.get("waited_ms").and_then(Json::as_u64).expect("it counts its waits");
        let delays = cloud.delays().split_off(since.0);
        let mut calls: BTreeMap<&str, (Instant, Instant)> = BTreeMap::new();
        for Delay { call, at, left, .. } in delays.iter().filter(|it| !it.left.is_zero()) {
            let until = *at + *left;
            let (_, last) = calls.entry(call).or_insert((*at, until));
            *last = until.max(*last);
        }
        let lags: Duration = calls.values().map(|(first, last)| *last - *first).sum();
        let others = delays.iter().filter(|it| it.left.is_zero());
        let others: u64 = others.map(|it| own_ms(it.mood)).sum();
        // A file of SQL runs beside the call that asks for it, and is looked at.
        let imports = cloud.requests().split_off(since.1);
        let imports = imports.iter().filter(|it| it.path.ends_with("/import")).count();
        let looks = u64::try_from(calls.len() + imports).expect("a small number");
        let more = Duration::from_millis(others + looks * FIRST_LOOK_MS);
        Self { waited: Duration::from_millis(waited_ms), lags, more }
    }
}

/// What a refusal costs that passes by itself.
fn own_ms(mood: &str) -> u64 {
    match mood {
        "passing-auth" => REFUSED_MS,
        "upload-404" | "d1-again" => AGAIN_MS,
        // It was over in the moment in which it was met.
        _ => FIRST_LOOK_MS,
    }
}

#[test]
fn everything_succeeds_at_the_first_try_many_times_in_a_row_and_waits_no_longer_than_it_has_to() {
    let whole = env::var("ENVC_REALITY").ok();
    let scale = whole.as_deref().unwrap_or("1/50");
    let runs = if whole.is_some() { 1 } else { RUNS };
    let all = SPECS.iter().flat_map(|(name, ..)| (1..=runs).map(move |seed| (*name, seed)));
    let all: Vec<(&str, u64)> = all.collect();
    let cases = if whole.is_some() { all } else { some_of(all) };
    run_all(AT_ONCE, &cases, |(name, seed)| {
        let (_, checkout, change) =
            SPECS.iter().find(|(it, ..)| it == name).expect("it is one of them");
        let mut env = checkout();
        let faults = format!("reality={scale},seed={seed}");
        let cloud = ServedCloud::start(&mut env, &faults, &ZONES);
        at_home(&mut env, &cloud);
        let run = |what: &str, args: &[&str], event: &str| {
            let since = (cloud.delays().len(), cloud.requests().len());
            let ran = env.envc(&[args, &["--yes", "--json"]].concat()).exits(0);
            let Waits { waited, lags, more } = Waits::of(&ran, event, &cloud, since);
            println!(
                "{name}, seed {seed}, {what}: waited {waited:?} for lags of {lags:?} and {more:?} \
                 more, in {:?}",
                ran.took
            );
            assert!(waited <= lags * 3 / 2 + more, "{what}: {waited:?}, {lags:?}, {more:?}: {ran}");
        };
        run("a fresh apply", &["apply"], "applied");
        assert_eq!(cloud.view().listing().counts(), System::objects(&env), "{name}");
        change(&env);
        run("an update", &["apply"], "applied");
        assert_eq!(cloud.view().listing().counts(), System::objects(&env), "{name}");
        run("a destroy", &["destroy"], "destroyed");
        let left = cloud.view().listing();
        assert!(left.is_empty(), "{name}: {left}");
    });
}
