//! Production, whose resources exist, with a migration.

use http::Method;
use serde_json::json;

use crate::world::World;

#[test]
#[ignore = "takes minutes: run it with `cargo xtask newcomer`"]
fn production_is_migrated_from_a_developers_machine_and_deployed_from_ci() {
    let world = World::new();
    let cloudflare = world.cloudflare("of acme");
    let view = cloudflare.view();
    let account = format!("/accounts/{}", view.account());
    for (path, body) in [
        ("/d1/database", json!({"name": "orders"})),
        ("/storage/kv/namespaces", json!({"title": "flags"})),
        ("/r2/buckets", json!({"name": "shop-images"})),
        ("/queues", json!({"queue_name": "jobs"})),
    ] {
        let (status, answer) = view.call(&Method::POST, &format!("{account}{path}"), Some(&body));
        assert_eq!(status, 200, "{answer}");
    }
    let before = cloudflare.names();

    // On a developer's machine nothing of production lands in the folder.
    let laptop = world.machine("developer").on(&cloudflare).with("SHOP_AUTH_KEY", "one");
    let bare = world.repository(&laptop, "tests/fixtures/newcomer", "shop");
    let folder = world.clone(&laptop, &bare, "shop", "main");
    let ran = laptop.run(&folder, "envc apply production").exits(0);
    assert!(ran.stdout.contains("no files"), "{ran}");
    assert!(ran.stdout.contains("1 migration"), "pending ones are mentioned: {ran}");
    let ignored = laptop.run(&folder, "git status --porcelain --ignored").exits(0);
    assert!(!ignored.stdout.contains("wrangler.jsonc"), "{ignored}");
    let ran = laptop.run(&folder, "envc migrate status production").exits(0);
    assert!(ran.stdout.contains("0 applied, 1 pending"), "{ran}");
    // Without a terminal nobody can be asked.
    laptop.run(&folder, "envc migrate apply production").exits(1);
    laptop.run(&folder, "envc migrate apply production --yes").exits(0);
    let ran = laptop.run(&folder, "envc migrate status production").exits(0);
    assert!(ran.stdout.contains("1 applied, 0 pending"), "{ran}");
    let ran = laptop.run(&folder, "envc migrate apply production --yes").exits(0);
    assert!(ran.stdout.contains("Nothing to do"), "{ran}");
    // The developer's own environment is made there as if nothing had been.
    laptop.run(&folder, "envc apply").exits(0);
    laptop.run(&folder, "envc destroy --yes").exits(0);
    assert_eq!(cloudflare.names(), before);

    // In CI the files are production's.
    let runner = world.machine("runner").on(&cloudflare).with("CI", "true");
    let runner = runner.with("SHOP_AUTH_KEY", "one");
    let job = world.clone(&runner, &bare, "job", "main");
    runner.run(&job, "envc apply production --yes").exits(0);
    let api = "cd apps/api && wrangler deploy --secrets-file .dev.vars";
    runner.run(&job, api).exits(0);
    runner.run(&job, "cd apps/web && wrangler deploy").exits(0);
    let scripts = cloudflare.listing();
    assert_eq!(scripts.names("worker"), ["shop--api--production", "shop--web--production"]);

    // A migration more, and one that was edited after it ran: both are told.
    let more = "echo 'CREATE TABLE notes (text TEXT);' >apps/api/drizzle/0001_notes.sql";
    laptop.run(&folder, more).exits(0);
    let edit = "echo '-- edited' >>apps/api/drizzle/0000_init.sql";
    laptop.run(&folder, edit).exits(0);
    let ran = laptop.run(&folder, "envc migrate status production").exits(0);
    assert!(ran.stdout.contains("1 applied, 1 pending"), "{ran}");
    assert!(ran.stdout.contains("0000_init.sql (edited since"), "{ran}");
    laptop.run(&folder, "envc migrate apply production --yes").exits(0);
    let ran = laptop.run(&folder, "envc migrate status production").exits(0);
    assert!(ran.stdout.contains("2 applied, 0 pending"), "{ran}");
}
