//! Pull requests: opened, pushed, cancelled and closed, on fresh runners and on one that is used
//! again.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::world::{Cloudflare, Machine, World, config};

/// A job of a forge: a new machine, a new clone.
fn job(world: &World, cloudflare: &Cloudflare, bare: &Path, name: &str) -> (Machine, PathBuf) {
    let runner = runner(world, cloudflare, name);
    let folder = world.clone(&runner, bare, &format!("job {name}"), "main");
    (runner, folder)
}

fn runner(world: &World, cloudflare: &Cloudflare, name: &str) -> Machine {
    world
        .machine(&format!("runner {name}"))
        .on(cloudflare)
        .with("CI", "true")
        .with("SHOP_AUTH_KEY", "not-a-real-key")
}

#[track_caller]
fn deploy(runner: &Machine, folder: &Path) {
    let api = "cd apps/api && wrangler deploy --secrets-file .dev.vars";
    runner.run(folder, api).exits(0);
    runner.run(folder, "cd apps/web && wrangler deploy").exits(0);
}

/// The names of what one pull request has in the account.
fn of(cloudflare: &Cloudflare, number: u32) -> Vec<String> {
    let ends = format!("--pr-{number}");
    let host = format!("pr-{number}.");
    let mut names = cloudflare.names();
    names.retain(|name| {
        name.ends_with(&ends) || name.contains(&host) || name.contains(&format!("{ends} "))
    });
    names
}

#[test]
#[ignore = "takes minutes: run it with `cargo xtask newcomer`"]
fn a_pull_request_lives_and_goes_on_fresh_runners() {
    let world = World::new();
    let cloudflare = world.cloudflare("of acme");
    let bare = world.repository(&world.machine("founder"), "tests/fixtures/newcomer", "shop");

    // Opened.
    let (runner, folder) = job(&world, &cloudflare, &bare, "opened");
    runner.run(&folder, "envc apply --pr 42 --yes").exits(0);
    deploy(&runner, &folder);
    let (other, elsewhere) = job(&world, &cloudflare, &bare, "of another");
    other.run(&elsewhere, "envc apply --pr 7 --yes").exits(0);
    deploy(&other, &elsewhere);
    let seven = of(&cloudflare, 7);
    assert!(seven.iter().any(|name| name == "worker shop--api--pr-7"), "{seven:#?}");

    // Pushed: the spec has a namespace less, and a table more.
    let (runner, folder) = job(&world, &cloudflare, &bare, "pushed");
    let spec = std::fs::read_to_string(folder.join("environment.kdl")).expect("there is a spec");
    let without_flags =
        |line: &&str| !line.contains("kv \"flags\"") && !line.contains("kv=\"flags\"");
    let spec = spec.lines().filter(without_flags).collect::<Vec<_>>().join("\n") + "\n";
    std::fs::write(folder.join("environment.kdl"), spec).expect("the spec can be written");
    let more = "echo 'CREATE TABLE notes (text TEXT);' >apps/api/drizzle/0001_notes.sql";
    runner.run(&folder, more).exits(0);
    runner.run(&folder, "envc apply --pr 42 --yes").exits(0);
    deploy(&runner, &folder);

    // Cancelled: the forge ends the job in the middle of an apply, and the next one carries on.
    let (runner, folder) = job(&world, &cloudflare, &bare, "cancelled");
    let cancelled = runner.start(&folder, "envc apply --pr 43 --yes");
    std::thread::sleep(Duration::from_millis(150));
    drop(cancelled);
    let (runner, folder) = job(&world, &cloudflare, &bare, "after it");
    runner.run(&folder, "envc apply --pr 43 --yes").exits(0);
    deploy(&runner, &folder);

    // Closed, by jobs that know nothing but the repository's main branch; one is run twice.
    for (job_number, number) in [42, 43, 42].into_iter().enumerate() {
        let name = format!("closing {job_number}");
        let (runner, folder) = job(&world, &cloudflare, &bare, &name);
        let line = format!("envc destroy --pr {number} --yes --if-exists");
        let ran = runner.run(&folder, &line).exits(0);
        assert_eq!(of(&cloudflare, number), Vec::<String>::new(), "{ran}");
    }
    assert_eq!(of(&cloudflare, 7), seven, "the other pull request is whole");
    assert_eq!(cloudflare.names(), seven);
}

#[test]
#[ignore = "takes minutes: run it with `cargo xtask newcomer`"]
fn a_runner_that_is_used_again_works_on_the_pull_request_that_is_named() {
    let world = World::new();
    let cloudflare = world.cloudflare("of acme");
    let bare = world.repository(&world.machine("founder"), "tests/fixtures/newcomer", "shop");
    let (runner, folder) = job(&world, &cloudflare, &bare, "used again");
    for number in [80, 81, 80] {
        runner.run(&folder, &format!("envc apply --pr {number} --yes")).exits(0);
        let name = format!("shop--api--pr-{number}");
        assert_eq!(config(&folder.join("apps/api"))["name"], name.as_str());
        deploy(&runner, &folder);
        assert!(of(&cloudflare, number).contains(&format!("worker {name}")));
        runner.run(&folder, "git clean --quiet -d --force -x").exits(0);
    }
    for number in [80, 81] {
        let line = format!("envc destroy --pr {number} --yes --if-exists");
        runner.run(&folder, &line).exits(0);
        assert_eq!(of(&cloudflare, number), Vec::<String>::new());
    }
    assert_eq!(cloudflare.names(), Vec::<String>::new());
}
