//! Every event of `--json`, shown once. That each line is as `specs/events.json` says is part of
//! every test that runs a command with `--json`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use envc_tests::{Ran, TestEnv, events};
use http::Method;
use serde_json::json;

use crate::{
    common::{A, runner},
    local::{TWO, two},
    repositories::{PR, served},
};

/// Events that no command can be made to print within a test, each with why.
const NOT_SHOWN: &[(&str, &str)] =
    &[("waiting", "the rate limit of the local cloud holds calls back for minutes")];

const POOL: &str = "project \"shop\"\n\
    edge \"https://edge.example.com\" token=(secret)\"EDGE_TOKEN\" { pool \"previews\" }\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    kv \"cache\"\n\
    allow \"unused_resource\"\n";

/// How often each event was printed.
#[derive(Default)]
struct Shown(BTreeMap<String, usize>);

impl Shown {
    fn note(&mut self, ran: &Ran) {
        for event in ran.events() {
            let name = event.get("event").unwrap().as_str().unwrap().to_owned();
            *self.0.entry(name).or_default() += 1;
        }
    }

    /// Runs the command with `--json`.
    #[track_caller]
    fn run(&mut self, env: &TestEnv, args: &[&str], code: i32) -> Ran {
        let ran = env.envc(&[args, &["--json"]].concat()).exits(code);
        self.note(&ran);
        ran
    }
}

#[test]
fn every_event_is_shown_or_has_a_reason_why_not() {
    let mut shown = Shown::default();
    show_texts(&mut shown);
    show_a_life(&mut shown);
    show_local_copies(&mut shown);
    show_what_is_not_seen_yet(&mut shown);
    show_a_claim(&mut shown);
    show_a_pool(&mut shown);
    show_trust(&mut shown);
    show_a_served_cloud(&mut shown);
    let printed: BTreeSet<String> = shown.0.into_keys().collect();
    let excused = NOT_SHOWN.iter().map(|(name, _)| (*name).to_owned());
    let excused: BTreeSet<String> = excused.collect();
    let told: BTreeSet<String> = printed.union(&excused).cloned().collect();
    let missing: Vec<_> = events::names().difference(&told).cloned().collect();
    assert_eq!(missing, [""; 0], "show these events, or say why they cannot be shown");
    let needless: Vec<_> = printed.intersection(&excused).collect();
    assert!(needless.is_empty(), "shown, so they need no reason: {needless:?}");
}

/// What is read of the spec alone.
fn show_texts(shown: &mut Shown) {
    let env = TestEnv::of_text("project \"shop\"\nkv  \"cache\" wrong=#true\n");
    shown.run(&env, &["check"], 65);
    shown.run(&env, &["check", "--explain"], 0);
    shown.run(&env, &["check", "--explain", "unknown_reference"], 0);
    shown.run(&env, &["schema"], 0);
    shown.run(&env, &["completions", "bash"], 0);
    shown.run(&env, &["fmt", "--check"], 1);
}

/// One environment from its beginning to its end.
fn show_a_life(shown: &mut Shown) {
    let mut env = TestEnv::new("quickstart");
    shown.run(&env, &["check"], 0);
    shown.run(&env, &["show", "--resolved"], 0);
    shown.run(&env, &["plan"], 0);
    env.write(".secrets.env", "");
    shown.run(&env, &["plan"], 0);
    env.set("QUICKSTART_SESSION_KEY", "k");
    env.set("ENVC_CLOUD_FAULTS", "fail=POST:/queues:400:10005:no more queues");
    shown.run(&env, &["apply"], 1);
    env.set("ENVC_CLOUD_FAULTS", "throttle-on=2");
    shown.run(&env, &["apply"], 0);
    env.unset("ENVC_CLOUD_FAULTS");
    shown.run(&env, &["show"], 0);
    shown.run(&env, &["output"], 0);
    shown.run(&env, &["migrate", "status"], 0);
    shown.run(&env, &["migrate", "apply"], 0);
    shown.run(&env, &["migrate", "new", "d1.app", "tags"], 0);
    env.set("ENVC_CLOUD_FAULTS", "fail=GET:/time_travel:400:7400:no history");
    shown.run(&env, &["migrate", "apply"], 0);
    env.unset("ENVC_CLOUD_FAULTS");
    shown.run(&env, &["migrate", "mark", "d1.app", "--yes"], 0);
    shown.run(&env, &["migrate", "reset", "d1.app", "--yes"], 0);
    shown.run(&env, &["migrate", "restore", "d1.app", "--undo", "--yes"], 0);
    shown.run(&env, &["state", "rm", "kv.sessions", "--yes"], 0);
    shown.run(&env, &["apply"], 0);
    let spec = env.read("environment.kdl").unwrap();
    env.write("environment.kdl", spec.split("dotenv \".env\"").next().unwrap());
    shown.run(&env, &["apply"], 0);
    let bucket = env.cloud_listing().names("r2").first().copied().unwrap().to_owned();
    let object = format!("/accounts/{}/r2/buckets/{bucket}/objects/a", env.cloud().account());
    let (status, _) = env.cloud().call(&Method::PUT, &object, Some(&json!({})));
    assert_eq!(status, 200, "an object can be put into {bucket}");
    shown.run(&env, &["destroy", "--yes"], 0);
}

/// What `wrangler dev` works on.
fn show_local_copies(shown: &mut Shown) {
    let env = two(TWO);
    shown.run(&env, &["apply"], 0);
    shown.run(&env, &["destroy", "--yes"], 0);
}

/// A Worker's triggers, where the API does not see the Worker at once.
fn show_what_is_not_seen_yet(shown: &mut Shown) {
    let mut env = TestEnv::of_text(
        "project \"shop\"\n\
         environment \"local\" default { identity branch max-length=20 unique }\n\
         worker \"api\" path=\".\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-09-01\" {\n\
         \x20   cron \"0 * * * *\"\n}\n",
    );
    env.write("dist/index.js", "export default { scheduled(e) {} };\n");
    env.set("ENVC_CLOUD_FAULTS", "lag-tries=schedules:1");
    shown.run(&env, &["apply"], 0);
}

/// A project in an account that several repositories share.
fn show_a_claim(shown: &mut Shown) {
    let (owner, _cloud) = served("");
    let env = runner(PR, A, &owner);
    shown.run(&env, &["plan", "--pr", "1"], 0);
    shown.run(&env, &["state", "claim", "--yes"], 0);
    shown.run(&env, &["state", "claim", "--release", "--yes"], 0);
    shown.run(&env, &["state", "claim", "--release", "--yes"], 0);
    shown.run(&env, &["apply", "--pr", "1", "--yes"], 0);
    let account = owner.var("CLOUDFLARE_ACCOUNT_ID");
    shown.run(&env, &["state", "forget", &account, "--pr", "1", "--yes"], 0);
}

/// A pool with one preview ID for two.
fn show_a_pool(shown: &mut Shown) {
    let env = TestEnv::of_text(POOL);
    shown.run(&env, &["pool", "ls"], 0);
    let members = json!({"members": [{"id": "a", "secrets": {"key": "k"}}]});
    env.write("members.json", &members.to_string());
    shown.run(&env, &["pool", "members", "previews", "members.json"], 0);
    let claim = ["pool", "claim", "previews", "--show-secrets", "--holder"];
    shown.run(&env, &[&claim[..], &["shop/one"]].concat(), 0);
    let waits = [&claim[..], &["shop/two", "--wait", "--json"]].concat();
    let waiting = env.start(&waits);
    let begun = Instant::now();
    let is_queued = |ran: &Ran| ran.event("pool").unwrap().get("queue") != Some(&json!([]));
    while !is_queued(&shown.run(&env, &["pool", "ls"], 0)) {
        assert!(begun.elapsed() < Duration::from_mins(1), "nobody waits");
    }
    waiting.interrupt();
    shown.note(&waiting.end().exits(130));
    shown.run(&env, &["pool", "release", "previews", "--holder", "shop/one"], 0);
    shown.run(&env, &["pool", "members", "previews"], 0);
}

/// What a spec asks for of what is its user's.
fn show_trust(shown: &mut Shown) {
    let env = TestEnv::of_text(POOL);
    shown.run(&env, &["trust", "--print"], 0);
    shown.run(&env, &["trust"], 0);
    shown.run(&env, &["trust", "ls"], 0);
    shown.run(&env, &["trust", "revoke"], 0);
}

fn show_a_served_cloud(shown: &mut Shown) {
    let env = TestEnv::of_text(POOL);
    let serving = env.start(&["cloud", "serve", "--listen", "127.0.0.1:0", "--json"]);
    // It listens once its folder is there; an interrupt that comes earlier is heard, too.
    let begun = Instant::now();
    while !env.cloud_dir().exists() {
        assert!(begun.elapsed() < Duration::from_mins(1), "nobody listens");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(500));
    serving.interrupt();
    shown.note(&serving.end());
}
