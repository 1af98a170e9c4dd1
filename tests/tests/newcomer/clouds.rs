//! One folder that works on the local cloud and on Cloudflare in turn, and in two accounts.

use crate::world::{World, config};

#[test]
#[ignore = "takes minutes: run it with `cargo xtask newcomer`"]
fn local_and_cloudflare_in_turn_forget_nothing() {
    let world = World::new();
    let cloudflare = world.cloudflare("of acme");
    let other = world.cloudflare("of somebody else");
    let offline = world.machine("developer");
    let online = offline.on(&cloudflare);
    let folder = world.copy(&offline, "specs/quickstart", "quickstart");
    let id = || config(&folder).pointer("/d1_databases/0/database_id").cloned();

    offline.run(&folder, "envc apply").exits(0);
    let local = id();
    // A token alone does not move it: the environment is on the local cloud.
    let ran = online.run(&folder, "envc apply").exits(0);
    assert!(ran.stdout.contains("Nothing to do"), "{ran}");
    assert_eq!(cloudflare.names(), Vec::<String>::new());

    // What is asked for binds: plan, apply and destroy work there from now on.
    online.run(&folder, "envc apply --cloud cloudflare").exits(0);
    let there = id();
    assert_ne!(there, local);
    let all = cloudflare.names();
    assert_eq!(all.len(), 5, "{all:#?}");
    let ran = online.run(&folder, "envc apply").exits(0);
    assert!(ran.stdout.contains("Nothing to do"), "{ran}");
    assert_eq!(id(), there);

    // Somebody else's account is refused, and nothing is made or forgotten.
    let ran = offline.on(&other).run(&folder, "envc apply");
    assert_ne!(ran.code, Some(0), "{ran}");
    let ran = offline.on(&other).run(&folder, "envc destroy --yes");
    assert_ne!(ran.code, Some(0), "{ran}");
    assert_eq!(other.names(), Vec::<String>::new());
    assert_eq!(cloudflare.names(), all);

    let ran = online.run(&folder, "envc destroy --yes").exits(0);
    assert_eq!(cloudflare.names(), Vec::<String>::new(), "{ran}");
    assert!(ran.stdout.contains("local"), "it names what is left: {ran}");
    let ran = offline.run(&folder, "envc destroy --yes").exits(0);
    assert!(ran.stdout.contains("5 resources deleted"), "{ran}");
    let status = offline.run(&folder, "git status --porcelain --ignored").exits(0);
    assert!(!status.stdout.contains("wrangler.jsonc"), "{status}");
}
