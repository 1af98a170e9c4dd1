//! Preview IDs of the real Worker, as `envc` takes and gives them back.

use std::path::{Path, PathBuf};

use envc_edge_api::LeaseList;
use envc_tests::{Ran, Running};
use serde_json::json;

use crate::common::{admin, token};
use crate::team::Developer;
use crate::workerd::Workerd;

fn spec(edge: &Workerd) -> String {
    format!(
        r#"project "shop"
edge "http://{}" token=(secret)"EDGE_TOKEN" {{ pool "previews" public="livekit" }}
environment "local" default {{ identity branch max-length=20 unique }}
lease "preview" pool="previews"
kv "flags"
dotenv ".env" {{
    FLAGS "{{kv.flags.id}}"
    PREVIEW "{{lease.preview.id}}"
    LIVEKIT "{{lease.preview.livekit}}"
    KEY "{{lease.preview.api-key}}"
}}
"#,
        edge.address
    )
}

/// Somebody with two worktrees, and an edge whose pool has so many preview IDs.
fn start(members: usize) -> (Workerd, Developer, [PathBuf; 2]) {
    let edge = Workerd::start();
    let member = |number| {
        json!({
            "id": format!("preview-{number}"), "attributes": {"livekit": format!("p_{number}")},
            "secrets": {"api-key": format!("planted-{number}")},
        })
    };
    let members: Vec<_> = (1..=members).map(member).collect();
    let body = json!({"members": members, "settings": {"cool_down_seconds": 0}});
    let put = admin(edge.address, "PUT", "/v1/pools/previews/members", &body.to_string());
    assert_eq!(put.status, 200, "{put:?}");
    let mut alice = Developer::new(&spec(&edge), "");
    alice.env.set("EDGE_TOKEN", &token(edge.address, "team", "pool,report").token);
    let folders = ["one", "two"].map(|branch| alice.env.worktree(branch));
    (edge, alice, folders)
}

fn start_in(alice: &Developer, folder: &Path, args: &[&str]) -> Running {
    Running::start(alice.env.command_in(folder, args))
}

fn run_in(alice: &Developer, folder: &Path, args: &[&str]) -> Ran {
    start_in(alice, folder, args).end()
}

fn leases(edge: &Workerd) -> LeaseList {
    admin(edge.address, "GET", "/v1/pools/previews/leases", "").json()
}

fn dotenv(folder: &Path) -> String {
    std::fs::read_to_string(folder.join(".env")).unwrap_or_default()
}

#[test]
fn two_worktrees_applied_at_once_hold_different_preview_ids_and_give_them_back() {
    let (edge, alice, folders) = start(2);
    let running = folders.each_ref().map(|folder| start_in(&alice, folder, &["apply"]));
    for running in running {
        running.end().exits(0);
    }
    let mut numbers: Vec<usize> = folders
        .iter()
        .map(|folder| {
            let text = dotenv(folder);
            let has = |number: &usize| {
                let parts = [
                    format!("PREVIEW=preview-{number}"),
                    format!("LIVEKIT=p_{number}"),
                    format!("KEY=planted-{number}"),
                ];
                parts.iter().all(|part| text.contains(part))
            };
            (1..=2).find(has).unwrap_or_else(|| panic!("{text}"))
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
    let ran = run_in(&alice, &folders[0], &["apply"]).exits(0);
    assert!(ran.stdout.contains("Nothing to do"), "{ran}");
    for folder in &folders {
        let ran = run_in(&alice, folder, &["destroy", "--yes"]).exits(0);
        assert!(ran.stdout.contains("1 preview ID given back"), "{ran}");
    }
    assert!(leases(&edge).leases.is_empty());
    assert!(alice.cloud.view().listing().is_empty());
}

#[test]
fn who_finds_the_pool_empty_is_told_or_waits_through_a_restart_of_the_edge() {
    let (mut edge, alice, [one, two]) = start(1);
    run_in(&alice, &one, &["apply"]).exits(0);
    let empty = run_in(&alice, &two, &["apply"]).exits(75);
    assert!(empty.stderr.contains("preview-1 is held by shop/one-t"), "{empty}");
    let waiting = start_in(&alice, &two, &["apply", "--wait"]);
    while leases(&edge).queue.is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    run_in(&alice, &one, &["destroy", "--yes"]).exits(0);
    waiting.end().exits(0);
    assert!(dotenv(&two).contains("PREVIEW=preview-1"));
    // Everything is lost but the pool itself.
    alice.env.lose_states();
    edge.restart();
    let text = spec(&edge);
    std::fs::write(two.join("environment.kdl"), text).unwrap();
    let gone = run_in(&alice, &two, &["destroy", "--yes"]).exits(0);
    assert!(gone.stderr.contains("released lease.preview  preview-1"), "{gone}");
    assert!(leases(&edge).leases.is_empty());
}

#[test]
fn another_subjects_holder_and_a_token_that_may_not_are_told_and_nothing_is_created() {
    let (edge, mut alice, [one, two]) = start(2);
    run_in(&alice, &one, &["apply"]).exits(0);
    alice.env.set("EDGE_TOKEN", &token(edge.address, "other", "pool,report").token);
    let taken = run_in(&alice, &one, &["apply"]).exits(1);
    assert!(taken.stderr.contains("belongs to another token's subject"), "{taken}");
    alice.env.set("EDGE_TOKEN", &token(edge.address, "team", "report").token);
    let before = alice.cloud.view().listing();
    let refused = run_in(&alice, &two, &["apply"]).exits(1);
    assert!(refused.stderr.contains("scope pool"), "{refused}");
    assert_eq!(alice.cloud.view().listing(), before);
}
