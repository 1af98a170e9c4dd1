//! What is let through once its user said so: exactly that.

use crate::{
    everything,
    world::{BAIT, May, NOTES, World},
};

#[test]
fn a_host_that_is_approved_gets_the_credential_that_was_named_and_nothing_else() {
    let mut world = World::new(
        "project \"shop\" { state \"edge\" }\n\
         environment \"local\" default { identity branch max-length=20 unique }\n\
         edge \"http://$HOST\" token=(secret)\"EDGE_TOKEN\"\n\
         kv \"cache\"\n\
         allow \"unused_resource\"\n",
    );
    world.look();
    let address = world.host.address().to_owned();
    world.env.set("ENVC_TRUST", &address);
    let may = May { speak: true, write: &NOTES[..1], ..May::default() };
    for args in [&["plan"][..], &["show"], &["apply", "--yes"], &["destroy", "--yes"]] {
        world.run(args, may);
        let heard = world.host.heard().concat();
        assert_eq!(heard.matches(BAIT).count(), heard.matches("Bearer b41t-EDGE_TOKEN").count());
    }
    // Another host, by the same spec, is another thing; and so is the same one by another port.
    world.env.set("ENVC_TRUST", "127.0.0.1");
    world.look();
    world.env.set("ENVC_TRUST", "edge.shop.example,run:wrangler-local");
    world.look();
}

#[test]
fn a_program_that_is_approved_runs_and_no_other() {
    let mut world = everything::clone();
    world.env.set("ENVC_TRUST", "run:wrangler-local");
    world.look();
    let wrangler = world.env.root().join("node_modules/.bin/wrangler");
    let run = [wrangler];
    let write = ["project/", "ran"];
    let applied = world.run(&["apply", "--yes"], May { run: &run, write: &write, speak: false });
    assert_eq!(applied.ran.code, Some(0), "{}", applied.ran);
    let ran = world.ran().unwrap();
    assert!(ran.contains("d1 migrations apply"), "{ran}");
    assert!(ran.contains("has GITHUB_TOKEN"), "it has what its user's programs have: {ran}");
    for name in
        ["CLOUDFLARE_API_TOKEN", "CF_API_KEY", "CLOUDFLARE_API_USER_SERVICE_KEY", "SHOP_KEY"]
    {
        assert!(!ran.contains(&format!("has {name}")), "{name}: {ran}");
    }
    assert!(
        !ran.contains("/.bin/git") && !ran.contains("shoptool") && !ran.contains("spy"),
        "{ran}"
    );
}
