//! Preview IDs, as those who work in worktrees meet them.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use envc_tests::{CloudView, Ran, Running, ServedCloud, TestEnv};
use http::Method;
use serde_json::{Value as Json, json};

use crate::common::{edit, says};

/// A namespace and a preview ID with a public attribute and a secret one.
const SPEC: &str = "project \"shop\"\n\
    edge \"https://edge.example.com\" token=(secret)\"EDGE_TOKEN\" {\n    \
        pool \"previews\" public=\"livekit\"\n}\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    lease \"preview\" pool=\"previews\"\n\
    kv \"cache\"\n\
    allow \"unused_resource\"\n\
    dotenv \".env\" {\n    \
        PREVIEW \"{lease.preview.id}\"\n    \
        LIVEKIT \"{lease.preview.livekit}\"\n    \
        KEY \"{lease.preview.api-key}\"\n}\n";

/// So many members with a public attribute and a secret one.
fn members(count: usize, secret: &str, cool_down_s: u32) -> Json {
    let member = |number| {
        json!({
            "id": format!("preview-{number}"), "attributes": {"livekit": format!("p_{number}")},
            "secrets": {"api-key": format!("{secret}-{number}")},
        })
    };
    let members: Vec<Json> = (1..=count).map(member).collect();
    json!({"members": members, "settings": {"cool_down_seconds": cool_down_s}})
}

fn put(cloud: &CloudView, members: &Json) {
    let (status, answer) = cloud.pool(&Method::PUT, "/previews/members", Some(members));
    assert_eq!(status, 200, "{answer}");
}

/// A checkout, and a local cloud with real members in its pool.
fn env(members: &Json) -> TestEnv {
    let env = TestEnv::of_text(SPEC);
    put(&env.cloud(), members);
    env
}

fn start_in(env: &TestEnv, folder: &Path, args: &[&str]) -> Running {
    Running::start(env.command_in(folder, args))
}

fn run_in(env: &TestEnv, folder: &Path, args: &[&str]) -> Ran {
    start_in(env, folder, args).end()
}

/// The lines of a worktree's `.env`.
fn dotenv(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(".env")).unwrap_or_default()
}

fn preview_id(folder: &Path) -> String {
    let text = dotenv(folder);
    let line = text.lines().find_map(|line| line.strip_prefix("PREVIEW="));
    line.unwrap_or_else(|| panic!("no preview ID in: {text}")).to_owned()
}

fn two_worktrees(env: &TestEnv) -> [PathBuf; 2] {
    ["one", "two"].map(|branch| env.worktree(branch))
}

#[test]
fn two_worktrees_applied_at_once_hold_different_preview_ids_and_give_them_back() {
    let env = env(&members(3, "k", 0));
    let folders = two_worktrees(&env);
    let running = folders.each_ref().map(|folder| start_in(&env, folder, &["apply"]));
    for running in running {
        says(&running.end().exits(0), &["leased lease.preview  preview-", "created kv.cache"]);
    }
    let ids = folders.each_ref().map(|folder| preview_id(folder));
    assert_ne!(ids[0], ids[1]);
    let held = env.cloud().leases("previews");
    let holders: Vec<&String> = held.keys().collect();
    assert!(holders[0].starts_with("shop/one-t") && holders[1].starts_with("shop/two-t"));
    for (folder, id) in folders.iter().zip(&ids) {
        let number = id.trim_start_matches("preview-");
        let text = dotenv(folder);
        assert!(text.contains(&format!("LIVEKIT=p_{number}")), "{text}");
        assert!(text.contains(&format!("KEY=k-{number}")), "{text}");
    }
    let running = folders.each_ref().map(|folder| start_in(&env, folder, &["destroy", "--yes"]));
    for running in running {
        says(&running.end().exits(0), &["released lease.preview", "1 preview ID given back"]);
    }
    assert!(env.cloud().leases("previews").is_empty());
}

#[test]
fn a_pool_of_the_local_cloud_without_members_gets_stand_ins() {
    let env = TestEnv::of_text(SPEC);
    let first = env.envc(&["apply"]).exits(0);
    says(&first, &["20 stand-in preview IDs", "leased lease.preview  local-01 of pool previews"]);
    let text = dotenv(&env.root());
    assert!(text.contains("LIVEKIT=stand-in-livekit-local-01"), "{text}");
    assert!(text.contains("KEY=stand-in-api-key-local-01"), "{text}");
    // An attribute that the spec names later is made up, too.
    edit(&env, "KEY \"", "MUX \"{lease.preview.mux}\"\n    KEY \"");
    let _again = env.envc(&["apply"]).exits(0);
    assert!(dotenv(&env.root()).contains("MUX=stand-in-mux-local-01"));
    assert_eq!(preview_id(&env.root()), "local-01");
}

#[test]
fn an_apply_renews_and_changes_nothing_and_a_plan_only_reads() {
    let env = env(&members(2, "k", 0));
    let _applied = env.envc(&["apply"]).exits(0);
    let days = 86_400_000;
    for _ in 0..3 {
        env.cloud().pools_ahead(6 * days);
        says(&env.envc(&["plan", "--detailed-exitcode"]).exits(0), &["No changes."]);
        says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
    }
    assert_eq!(preview_id(&env.root()), "preview-1");
    // A plan keeps nothing alive.
    env.cloud().pools_ahead(6 * days);
    let _read = env.envc(&["plan"]).exits(0);
    env.cloud().pools_ahead(2 * days);
    let over = env.envc(&["plan", "--detailed-exitcode"]).exits(2);
    says(&over, &["+ lease preview  from pool previews", "preview-1 is not held any more"]);
    assert!(env.cloud().leases("previews").is_empty());
}

#[test]
fn a_lease_that_was_taken_away_is_told_and_another_preview_id_is_leased() {
    let env = env(&members(2, "k", 600));
    let _applied = env.envc(&["apply"]).exits(0);
    let holder = env.cloud().leases("previews").into_keys().next().unwrap();
    let reclaim = json!({"class": "active", "holders": [holder], "reason": "for the demo"});
    let _taken = env.cloud().pool(&Method::POST, "/previews/reclaims", Some(&reclaim));
    let plan = env.path().join("plan.json");
    let out = env.envc(&["plan", "--out", plan.to_str().unwrap()]).exits(0);
    says(&out, &["preview-1 is not held any more", "Plan: 1 unchanged; 1 lease; 1 request."]);
    let again = env.envc(&["apply", "--plan", plan.to_str().unwrap()]).exits(0);
    says(&again, &["for the demo", "the preview ID changed from preview-1 to preview-2"]);
    let text = dotenv(&env.root());
    assert!(text.contains("PREVIEW=preview-2") && text.contains("KEY=k-2"), "{text}");
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
}

#[test]
fn a_secret_that_changed_in_the_pool_reaches_the_files_and_never_the_record() {
    let env = env(&members(1, "planted-one", 0));
    let _applied = env.envc(&["apply"]).exits(0);
    put(&env.cloud(), &members(1, "planted-two", 0));
    says(&env.envc(&["apply"]).exits(0), &["wrote .env"]);
    assert!(dotenv(&env.root()).contains("KEY=planted-two-1"));
    says(&env.envc(&["plan", "--detailed-exitcode"]).exits(0), &["No changes."]);
    let planned = env.envc(&["plan", "-v", "--json"]).exits(0);
    let mut texts = vec![planned.stdout, planned.stderr];
    texts.extend(env.states().values().map(ToString::to_string));
    texts.extend(env.envc(&["show", "--json"]).exits(0).stdout.lines().map(str::to_owned));
    texts.extend(env.envc(&["output"]).exits(0).stdout.lines().map(str::to_owned));
    for text in texts {
        assert!(!text.contains("planted"), "{text}");
    }
    let id = env.envc(&["output", "--only", "lease.preview.id"]).exits(0).stdout;
    assert_eq!(id.trim(), "preview-1");
}

#[test]
fn an_empty_pool_ends_with_75_and_nothing_is_created() {
    let env = env(&members(1, "k", 0));
    let [one, two] = two_worktrees(&env);
    let _applied = run_in(&env, &one, &["apply"]).exits(0);
    let before = env.cloud_listing();
    let refused = run_in(&env, &two, &["apply"]).exits(75);
    says(
        &refused,
        &[
            "could not lease lease.preview",
            "no preview ID of the pool `previews` is free",
            "preview-1 is held by shop/one-t",
            "hint: wait for one: --wait",
            "envc pool ls previews",
        ],
    );
    assert_eq!(env.cloud_listing(), before);
    assert_eq!(dotenv(&two), "");
    assert_eq!(env.states().len(), 1);
}

/// Waits until somebody stands in the queue, or nobody does.
fn until_queued(env: &TestEnv, count: usize) {
    let begun = Instant::now();
    loop {
        let (_, answer) = env.cloud().pool(&Method::GET, "/previews/leases", None);
        let queue = answer.get("queue").and_then(Json::as_array);
        if queue.is_some_and(|queue| queue.len() == count) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "never {count} in: {answer}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn who_waits_gets_the_preview_id_that_is_given_back() {
    let env = env(&members(1, "k", 0));
    let [one, two] = two_worktrees(&env);
    let _applied = run_in(&env, &one, &["apply"]).exits(0);
    let waiting = start_in(&env, &two, &["apply", "--wait"]);
    until_queued(&env, 1);
    let _gone = run_in(&env, &one, &["destroy", "--yes"]).exits(0);
    says(&waiting.end().exits(0), &["next in the queue", "leased lease.preview  preview-1"]);
    assert_eq!(preview_id(&two), "preview-1");
}

#[test]
fn who_stops_waiting_leaves_the_queue() {
    let env = env(&members(1, "k", 0));
    let [one, two] = two_worktrees(&env);
    let _applied = run_in(&env, &one, &["apply"]).exits(0);
    let waiting = start_in(&env, &two, &["apply", "--wait"]);
    until_queued(&env, 1);
    waiting.interrupt();
    let _stopped = waiting.end().exits(130);
    until_queued(&env, 0);
    assert_eq!(env.states().len(), 1);
}

#[test]
fn destroy_gives_back_what_no_state_knows_and_what_has_no_resources_any_more() {
    let env = env(&members(1, "k", 0));
    let _applied = env.envc(&["apply"]).exits(0);
    env.lose_states();
    let gone = env.envc(&["destroy", "--yes"]).exits(0);
    says(&gone, &["released lease.preview  preview-1 of pool previews"]);
    assert!(env.cloud().leases("previews").is_empty());

    let _applied = env.envc(&["apply"]).exits(0);
    let cloud = env.cloud();
    for id in env.cloud_listing().objects.iter().map(|object| &object.id) {
        let _deleted =
            cloud.of_account(&Method::DELETE, &format!("/storage/kv/namespaces/{id}"), None);
    }
    says(&env.envc(&["destroy", "--yes"]).exits(0), &["released lease.preview"]);
    assert!(env.cloud().leases("previews").is_empty());

    // The state is lost and the resources are gone: the pool alone knows.
    let _applied = env.envc(&["apply"]).exits(0);
    for id in env.cloud_listing().objects.iter().map(|object| &object.id) {
        let path = format!("/storage/kv/namespaces/{id}");
        let _deleted = cloud.of_account(&Method::DELETE, &path, None);
    }
    env.lose_states();
    says(&env.envc(&["destroy", "--yes"]).exits(0), &["released lease.preview"]);
    assert!(env.cloud().leases("previews").is_empty());
    let _nothing = env.envc(&["destroy", "--yes"]).exits(3);
}

#[test]
fn a_lease_that_the_spec_does_not_have_any_more_is_given_back_by_apply() {
    let env = env(&members(1, "k", 0));
    let _applied = env.envc(&["apply"]).exits(0);
    let spec = env.read("environment.kdl").unwrap();
    let (before, rest) = spec.split_once("lease \"preview\"").unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let (rest, _) = rest.split_once("dotenv").unwrap();
    env.write("environment.kdl", &format!("{before}{rest}"));
    says(&env.envc(&["plan"]).exits(0), &["- release preview-1  to pool previews"]);
    says(&env.envc(&["apply"]).exits(0), &["released lease.previews  preview-1"]);
    assert!(env.cloud().leases("previews").is_empty());
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
}

#[test]
fn a_preview_id_without_what_the_spec_asks_of_it_is_told_before_anything_is_created() {
    let lacking = json!({"members": [{"id": "preview-1", "attributes": {"livekit": "p"}}]});
    let env = env(&lacking);
    let ran = env.envc(&["apply"]).exits(1);
    says(&ran, &["`preview-1` of the pool `previews` has no `api-key`; its attributes: livekit"]);
    assert!(env.cloud_listing().is_empty());
    let public =
        json!({"members": [{"id": "preview-1", "secrets": {"livekit": "p", "api-key": "k"}}]});
    put(&env.cloud(), &public);
    let ran = env.envc(&["apply"]).exits(1);
    says(&ran, &["`livekit` of the preview ID `preview-1` is a secret in the pool `previews`"]);
    assert!(env.cloud_listing().is_empty());
    put(&env.cloud(), &members(1, "k", 0));
    let _applied = env.envc(&["apply"]).exits(0);
    says(&env.envc(&["destroy", "--yes"]).exits(0), &["1 preview ID given back"]);
}

#[test]
fn a_public_attribute_may_stand_in_a_resource() {
    let env = env(&members(1, "k", 0));
    edit(&env, "project \"shop\"", "project \"shop\" { zone \"shop.example\" }");
    let record = "dns \"room\" type=\"TXT\" name=\"{env}\" content=\"{lease.preview.livekit}\"\n";
    edit(&env, "kv \"cache\"\n", &format!("kv \"cache\"\n{record}"));
    says(&env.envc(&["plan"]).exits(0), &["+ create dns.room"]);
    let _applied = env.envc(&["apply"]).exits(0);
    says(&env.envc(&["plan", "--detailed-exitcode"]).exits(0), &["No changes."]);
    let moved = json!({"members": [
        {"id": "preview-1", "attributes": {"livekit": "p_9"}, "secrets": {"api-key": "k-1"}},
    ]});
    put(&env.cloud(), &moved);
    says(&env.envc(&["apply"]).exits(0), &["updated dns.room", "p_1", "p_9", "wrote .env"]);
    says(&env.envc(&["plan", "--detailed-exitcode"]).exits(0), &["No changes."]);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn the_example_of_worktrees_applies_without_an_account() {
    let env = TestEnv::new("eventuall");
    let folder = env.worktree("fix/login");
    says(&run_in(&env, &folder, &["apply"]).exits(0), &["(type worktree)", "leased lease.preview"]);
    let text = dotenv(&folder);
    assert!(text.contains("PREVIEW_ID=local-01"), "{text}");
    assert!(text.contains("LIVEKIT_API_SECRET=stand-in-livekit-api-secret-local-01"), "{text}");
    says(&run_in(&env, &folder, &["plan", "--detailed-exitcode"]).exits(0), &["No changes."]);
    says(
        &run_in(&env, &folder, &["destroy", "--yes"]).exits(0),
        &["none left, 1 preview ID given back"],
    );
}

/// On Cloudflare the pools are the edge's; here both are one served cloud.
fn on_cloudflare() -> (TestEnv, ServedCloud) {
    let mut env = TestEnv::of_text(SPEC);
    let served = ServedCloud::start(&mut env, "", &[]);
    let edge = served.base_url().trim_end_matches("/client/v4").to_owned();
    edit(&env, "https://edge.example.com", &edge);
    let token = env.var("CLOUDFLARE_API_TOKEN");
    env.set("EDGE_TOKEN", &token);
    (env, served)
}

#[test]
fn on_cloudflare_the_pool_is_the_edges_and_a_missing_one_is_no_reason_to_make_one() {
    let (env, served) = on_cloudflare();
    let ran = env.envc(&["apply"]).exits(1);
    says(&ran, &["has no pool `previews`", "envc pool members previews FILE"]);
    assert!(served.view().listing().is_empty());
    put(served.view(), &members(1, "k", 0));
    says(&env.envc(&["apply"]).exits(0), &["leased lease.preview  preview-1"]);
    says(&env.envc(&["destroy", "--yes"]).exits(0), &["1 preview ID given back"]);
    assert!(served.view().leases("previews").is_empty());
}

#[test]
fn without_a_good_token_nothing_is_created() {
    let (mut env, served) = on_cloudflare();
    put(served.view(), &members(1, "k", 0));
    env.set("EDGE_TOKEN", "envc_wrong");
    let ran = env.envc(&["apply"]).exits(1);
    says(&ran, &["refused the token", "EDGE_TOKEN"]);
    env.unset("EDGE_TOKEN");
    says(&env.envc(&["apply"]).exits(1), &["the secret EDGE_TOKEN is not found"]);
    edit(&env, "http://127.0.0.1:", "http://127.0.0.1:1/");
    env.set("EDGE_TOKEN", "envc_wrong");
    says(&env.envc(&["apply"]).exits(1), &["cannot be reached"]);
    assert!(served.view().listing().is_empty());
}

#[test]
fn without_the_pools_credentials_a_destroy_deletes_all_else_and_names_the_lease() {
    let (mut env, served) = on_cloudflare();
    put(served.view(), &members(1, "k", 0));
    let _applied = env.envc(&["apply"]).exits(0);
    let token = env.var("EDGE_TOKEN");
    env.unset("EDGE_TOKEN");
    let left = env.envc(&["destroy", "--yes"]).exits(1);
    says(&left, &["deleted kv.cache", "could not release lease.preview", "EDGE_TOKEN"]);
    assert!(served.view().listing().is_empty());
    assert_eq!(served.view().leases("previews").len(), 1);
    env.set("EDGE_TOKEN", &token);
    says(&env.envc(&["destroy", "--yes"]).exits(0), &["released lease.preview"]);
    assert!(served.view().leases("previews").is_empty());
}
