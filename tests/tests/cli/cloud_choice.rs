//! Where a command goes, and that it is said.

use envc_tests::{ServedCloud, TestEnv};

use crate::common::{FIXED, ONE_KV, says};

#[test]
fn the_served_cloud_and_the_embedded_one_are_asked_the_same() {
    // Those that change something tell how many requests it took.
    let verbs: [(&[&str], bool); 4] = [
        (&["apply"], true),
        (&["plan"], false),
        (&["apply"], false),
        (&["destroy", "--yes"], true),
    ];
    let mut env = TestEnv::new("quickstart");
    let cloud = ServedCloud::start(&mut env, "", &[]);
    let embedded = TestEnv::new("quickstart");
    for (args, tells) in verbs {
        let before = cloud.requests().len();
        let far = env.envc(args).exits(0);
        let sent = cloud.requests().len() - before;
        let near = embedded.envc(args).exits(0);
        let result = |text: &str| text.split(',').next().unwrap_or_default().len();
        assert_eq!(result(&far.stdout), result(&near.stdout), "{far}\n{near}");
        let told = tells.then_some(sent);
        assert_eq!(requests(&near.stdout), told, "{args:?}\n{far}\n{near}");
    }
    assert!(cloud.view().listing().is_empty());
    assert!(embedded.cloud_listing().is_empty());
}

/// "… 11 requests …"
fn requests(text: &str) -> Option<usize> {
    let before = text.split(" requests").next().filter(|before| *before != text)?;
    before.rsplit(' ').next()?.parse().ok()
}

#[test]
fn the_first_cloud_is_remembered() {
    let mut env = TestEnv::of_text(ONE_KV);
    env.unset("ENVC_CLOUD");
    let first = env.envc(&["apply", "-v"]).exits(0);
    says(&first, &["on the local cloud", "is `local` because CLOUDFLARE_API_TOKEN is not set"]);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    // A token that is set later does not move an environment.
    let ran = env.envc(&["apply", "-v"]).exits(0);
    says(&ran, &["because this environment was applied there", "Nothing to do"]);
    assert!(cloud.requests().is_empty());
    let ran = env.envc(&["apply", "-v", "--cloud", "cloudflare"]).exits(0);
    says(&ran, &["is `cloudflare` because --cloud says so"]);
    assert_eq!(cloud.view().listing().names("kv").len(), 1);
    env.set("ENVC_CLOUD", "cloudflare");
    says(&env.envc(&["plan", "-v"]).exits(0), &["because ENVC_CLOUD says so", "No changes"]);
}

#[test]
fn the_local_cloud_is_no_silent_stand_in() {
    let fixed = FIXED.to_owned();
    let protected = FIXED.replace("\"production\" }", "\"production\" ; protect }");
    let table = [
        (ONE_KV.to_owned(), "CI", "1", "this is a CI job"),
        (fixed, "X", "", "fixed identity"),
        (protected, "X", "", "protected"),
    ];
    for (spec, name, value, why) in table {
        let mut env = TestEnv::of_text(&spec);
        env.unset("ENVC_CLOUD").set(name, value);
        for args in [&["apply", "--yes"][..], &["plan"], &["destroy", "--yes", "--if-exists"]] {
            let ran = env.envc(args).exits(1);
            says(&ran, &["no cloud is chosen", why, "CLOUDFLARE_API_TOKEN", "--cloud local"]);
        }
        let _named = env.envc(&["apply", "--yes", "--cloud", "local"]).exits(0);
        let _remembered = env.envc(&["plan"]).exits(0);
    }
}

#[test]
fn a_cloud_of_another_name_is_a_mistake() {
    let mut env = TestEnv::of_text(ONE_KV);
    env.set("ENVC_CLOUD", "aws");
    says(&env.envc(&["apply"]).exits(64), &["`aws` is not a cloud", "`cloudflare` or `local`"]);
    env.set("ENVC_CLOUD", "local").set("ENVC_ENV", "nope");
    says(&env.envc(&["apply"]).exits(64), &["the spec has no type `nope`", "it has: local"]);
}

#[test]
fn on_cloudflare_it_is_said_which_workers_wait_for_wrangler() {
    let spec = "project \"shop\"\nenvironment \"local\" default { identity branch unique }\n\
        worker \"api\" path=\"apps/api\" main=\"index.ts\" compatibility-date=\"2026-09-01\"\n";
    let line = "deployed by `wrangler deploy`, not by envc: worker.api in apps/api";
    let local = TestEnv::of_text(spec).envc(&["apply"]).exits(0);
    assert!(!local.stderr.contains("wrangler deploy"), "{local}");
    let mut env = TestEnv::of_text(spec);
    let _cloud = ServedCloud::start(&mut env, "", &[]);
    for verb in ["plan", "apply"] {
        says(&env.envc(&[verb]).exits(0), &[line]);
    }
    // Where nothing is done, nothing has to be deployed.
    let again = env.envc(&["apply"]).exits(0);
    assert!(!again.stderr.contains(line), "{again}");
}
