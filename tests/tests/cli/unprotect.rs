//! `--unprotect`: one resource of a protected type goes, and nothing else of it.

use std::fs;

use envc_tests::TestEnv;

use crate::common::{edit, says};

const SPEC: &str = "project \"shop\"\n\
    environment \"production\" default { identity \"production\" ; protect }\n\
    kv \"cache\"\n\
    kv \"flags\"\n\
    r2 \"files\"\n\
    allow \"unused_resource\"\n";

/// Two namespaces and a bucket that are protected; the spec lacks one and renames the other.
fn env() -> TestEnv {
    let env = TestEnv::of_text(SPEC);
    env.envc(&["apply", "--yes"]).exits(0);
    edit(&env, "kv \"flags\"\n", "");
    edit(&env, "r2 \"files\"", "r2 \"files\" name=\"other-{env}\"");
    env
}

#[test]
fn the_refusal_names_the_way_and_the_way_lets_go_of_exactly_that() {
    let env = env();
    let before = env.cloud_listing();
    let way = "envc apply production --unprotect kv.flags --unprotect r2.files";
    says(&env.envc(&["apply", "--yes"]).exits(1), &[way]);
    // One of them alone leaves the other protected, and nothing is changed.
    let refused = env.envc(&["apply", "--yes", "--unprotect", "kv.flags"]).exits(1);
    says(&refused, &["r2.files would be replaced", "envc apply production --unprotect r2.files"]);
    assert!(!refused.stderr.contains("kv.flags would be deleted"), "{refused}");
    assert_eq!(env.cloud_listing(), before);
    let both = ["--unprotect", "kv.flags", "--unprotect", "r2.files"];
    says(&env.envc(&[&["plan"][..], &both].concat()).exits(0), &["- delete kv.flags", "± replace"]);
    // It is asked for all the same.
    says(&env.envc(&[&["apply"][..], &both].concat()).exits(1), &["not approved", "--yes"]);
    assert_eq!(env.cloud_listing(), before);
    env.envc(&[&["apply", "--yes"][..], &both].concat()).exits(0);
    let after = env.cloud_listing();
    assert_eq!(after.names("kv"), ["shop--cache--production"]);
    assert_eq!(after.names("r2"), ["other-production"]);
    // It was for that run alone.
    edit(&env, "kv \"cache\"\n", "");
    says(&env.envc(&["apply", "--yes"]).exits(1), &["kv.cache would be deleted"]);
}

#[test]
fn an_address_that_needs_no_leave_is_an_error_that_lists_those_that_do() {
    let env = env();
    let before = env.cloud_listing();
    for address in ["kv.cache", "kv.nope"] {
        for verb in [&["plan"][..], &["apply", "--yes"]] {
            let refused = env.envc(&[verb, &["--unprotect", address]].concat()).exits(64);
            says(
                &refused,
                &[&format!("{address} of `production`"), "what would be: kv.flags, r2.files"],
            );
        }
    }
    edit(&env, " ; protect", "");
    let refused = env.envc(&["apply", "--yes", "--unprotect", "kv.flags"]).exits(64);
    says(&refused, &["`production` is not protected"]);
    // Nor does an approval of what is not there pass in silence.
    let refused = env.envc(&["apply", "--yes", "--allow", "d1.nope"]).exits(64);
    says(&refused, &["no d1.nope to approve", "what needs approval: kv.flags, r2.files"]);
    assert_eq!(env.cloud_listing(), before);
}

#[test]
fn a_saved_plan_carries_it_and_one_that_was_made_to_carry_it_is_refused() {
    let env = env();
    let saved = ["--out", "p.json", "--unprotect", "kv.flags", "--unprotect", "r2.files"];
    env.envc(&[&["plan"][..], &saved].concat()).exits(0);
    let text = env.read("p.json").unwrap();
    assert!(text.contains("\"unprotected\""), "{text}");
    // A plan that says of itself that it may is held against what is there, like any other.
    let forged =
        text.replace("      \"kv.flags\",\n", "      \"kv.cache\",\n      \"kv.flags\",\n");
    assert_ne!(forged, text);
    env.write("forged.json", &forged);
    let refused = env.envc(&["apply", "--plan", "forged.json"]).exits(1);
    says(&refused, &["the saved plan is stale", "nothing was changed"]);
    env.envc(&["apply", "--plan", "p.json"]).exits(0);
    assert_eq!(env.cloud_listing().names("kv"), ["shop--cache--production"]);
    // Done is done: the same plan again finds that something moved.
    says(&env.envc(&["apply", "--plan", "p.json"]).exits(1), &["stale"]);
    fs::remove_file(env.root().join("p.json")).unwrap();
}
