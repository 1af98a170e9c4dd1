//! `destroy --plan`: what a destroy would do, and nothing done.

use std::{collections::BTreeMap, fs, path::Path};

use envc_tests::{Listing, Ran, TestEnv};

use crate::common::{FIXED, ONE_KV, edit, files_below, in_folder, says};

/// A type for pull requests, whose names prove whose they are.
const PER_PR: &str = "project \"shop\" id=\"github.com/acme/shop\"\n\
    environment \"ephemeral\" default { when pr ; identity \"pr-{env.pr}\" ; ttl \"3d\" }\n\
    kv \"cache\"\n\
    r2 \"files\"\n\
    dotenv \".env\" { ID \"{kv.cache.id}\" }\n\
    allow \"unused_resource\"\n";

/// Everything that a command could change: each file of the checkout and of the user, git's included,
/// and what the account holds. The local cloud's own files are in the listing.
fn world(env: &TestEnv) -> (BTreeMap<String, Vec<u8>>, Listing) {
    let mut files = BTreeMap::new();
    let mut folders = vec![env.path()];
    while let Some(folder) = folders.pop() {
        if folder == env.cloud_dir() {
            continue;
        }
        for entry in fs::read_dir(&folder).expect("a folder can be read") {
            let path = entry.expect("an entry can be read").path();
            // Every command reads the registry under its lock, whose file stays and says who was last.
            if !path.ends_with("state/registry.lock") {
                files.insert(path.display().to_string(), content(&path));
            }
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
        }
    }
    (files, env.cloud_listing())
}

fn content(path: &Path) -> Vec<u8> {
    if path.is_file() { fs::read(path).expect("a file can be read") } else { Vec::new() }
}

/// Plans a destroy twice, for people and for programs, and sees that nothing is another after it.
#[track_caller]
fn planned(env: &TestEnv, args: &[&str]) -> (Ran, Ran) {
    let before = world(env);
    let people = env.envc(&[&["destroy", "--plan"], args].concat()).exits(0);
    let programs = env.envc(&[&["destroy", "--plan", "--json"], args].concat()).exits(0);
    let after = world(env);
    let differs: Vec<&String> = after
        .0
        .iter()
        .filter(|(path, bytes)| before.0.get(*path) != Some(bytes))
        .map(|it| it.0)
        .collect();
    assert!(differs.is_empty(), "{differs:?} differ after {people}");
    assert_eq!(after, before, "{people}");
    (people, programs)
}

#[test]
fn it_tells_what_goes_and_what_stays_and_changes_nothing() {
    let env = TestEnv::new("quickstart");
    env.envc(&["apply"]).exits(0);
    env.write(".env", "MINE=1\n");
    let (people, programs) = planned(&env, &["--keep", "d1.app"]);
    says(
        &people,
        &[
            "- delete kv.sessions",
            "< forget d1.app",
            "kept in the account, as asked for",
            "4 to delete, 1 to forget",
            "Files to remove: .dev.vars, wrangler.jsonc",
            ".env was edited, so it will stay",
        ],
    );
    let plan = programs.event("plan").expect("the plan is an event");
    assert_eq!(plan["counts"]["delete"], 4, "{programs}");
    let files = programs.event("files").expect("files are an event");
    assert_eq!(files["remove"], serde_json::json!([".dev.vars", "wrangler.jsonc"]));
    assert!(programs.event("destroyed").is_none(), "{programs}");
    // What it said is what happens.
    says(
        &env.envc(&["destroy", "--keep", "d1.app", "--yes"]).exits(0),
        &["4 resources deleted, 1 kept"],
    );
}

#[test]
fn a_fresh_runner_plans_for_a_pull_request_and_leaves_no_trace() {
    let env = TestEnv::of_text(PER_PR);
    env.envc(&["apply", "--pr", "7"]).exits(0);
    // Another machine: the same account and another checkout, of which nothing is recorded. Its user
    // ran envc before: the very first command makes the key.
    let fresh = TestEnv::of_text(PER_PR);
    fresh.envc(&["destroy", "--pr", "8", "--if-exists"]).exits(0);
    fs::remove_dir_all(fresh.cloud_dir()).expect("a folder can be removed");
    copy(&env.cloud_dir(), &fresh.cloud_dir());
    let (people, _) = planned(&fresh, &["--pr", "7"]);
    says(
        &people,
        &["- delete kv.cache", "- delete r2.files", "2 to delete", "claim of the project"],
    );
    fresh.envc(&["destroy", "--plan", "--pr", "8"]).exits(3);
    says(&planned(&fresh, &["--pr", "8", "--if-exists"]).0, &["Nothing to destroy"]);
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder can be read") {
        let entry = entry.expect("an entry can be read");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

#[test]
fn a_broken_spec_is_no_obstacle() {
    let env = TestEnv::of_text(ONE_KV);
    env.envc(&["apply"]).exits(0);
    env.write("environment.kdl", "project \"shop\"\nkv {");
    let (people, _) = planned(&env, &[]);
    says(&people, &["- delete kv.cache", "so only what is recorded"]);
}

#[test]
fn what_a_destroy_refuses_its_plan_tells() {
    let env = TestEnv::of_text(FIXED);
    env.envc(&["apply", "--cloud", "local"]).exits(0);
    edit(&env, "identity \"production\"", "identity \"production\" ; protect");
    let refused = env.envc(&["destroy", "--yes"]).exits(1);
    let (people, programs) = planned(&env, &[]);
    let said = refused.stderr.lines().find_map(|line| line.strip_prefix("error: "));
    says(&people, &[&format!("destroy will refuse: {}", said.expect("an error"))]);
    let warning = programs.event("warning").expect("a warning is an event");
    assert_eq!(warning["code"], "envc::plan::protected", "{programs}");
    env.lose_states();
    let refused = env.envc(&["destroy", "--yes"]).exits(1);
    says(&refused, &["nothing proves"]);
    says(&planned(&env, &[]).0, &["destroy will refuse: nothing proves"]);
}

#[test]
fn a_destroy_asks_on_the_local_cloud_too_and_of_nothing_it_does_not() {
    let env = TestEnv::of_text(ONE_KV);
    env.envc(&["apply"]).exits(0);
    let before = world(&env);
    let refused = env.envc(&["destroy"]).exits(1);
    says(&refused, &["not approved", "deletes all of `", "pass --yes"]);
    assert_eq!(world(&env).1, before.1);
    // Nothing is deleted where all is kept, so nobody is asked.
    env.envc(&["destroy", "--keep", "kv.cache"]).exits(0);
}

/// Invariant: of a protected type nothing goes, not even the files of one that only binds to what exists.
#[test]
fn a_protected_type_that_only_binds_to_what_exists_is_refused_whole() {
    let spec = "project \"shop\"\n\
        environment \"production\" default { identity \"production\" ; protect\n\
            existing { kv \"cache\" name=\"theirs\" } }\n\
        kv \"cache\"\n\
        dotenv \".env\" { ID \"{kv.cache.id}\" }\n\
        allow \"unused_resource\"\n";
    let env = TestEnv::of_text(spec);
    let title = serde_json::json!({ "title": "theirs" });
    env.cloud().of_account(&http::Method::POST, "/storage/kv/namespaces", Some(&title));
    env.envc(&["apply", "--yes"]).exits(0);
    assert!(env.read(".env").is_some());
    let refused = env.envc(&["destroy", "--yes"]).exits(1);
    says(&refused, &["`production` is protected", "remove `protect`"]);
    assert!(env.read(".env").is_some());
    let (people, _) = planned(&env, &[]);
    says(&people, &["destroy will refuse: `production` is protected"]);
    assert!(!people.stdout.contains("Files to remove"), "{people}");
    edit(&env, " ; protect", "");
    env.envc(&["destroy", "--yes"]).exits(0);
    assert_eq!(env.read(".env"), None);
    assert_eq!(env.cloud_listing().names("kv"), ["theirs"]);
}

#[test]
fn a_machine_without_the_record_that_keeps_all_says_what_it_kept() {
    let env = TestEnv::of_text(PER_PR);
    env.envc(&["apply", "--pr", "7"]).exits(0);
    let fresh = TestEnv::of_text(PER_PR);
    fresh.envc(&["destroy", "--pr", "8", "--if-exists"]).exits(0);
    fs::remove_dir_all(fresh.cloud_dir()).expect("a folder can be removed");
    copy(&env.cloud_dir(), &fresh.cloud_dir());
    let keep = ["destroy", "--pr", "7", "--keep", "kv.cache", "--keep", "r2.files"];
    says(
        &fresh.envc(&keep).exits(0),
        &["all that was found of `pr-7` is kept: kv.cache, r2.files"],
    );
    let none = ["destroy", "--pr", "9", "--keep", "kv.cache", "--if-exists"];
    says(&fresh.envc(&none).exits(0), &["the account has nothing of `pr-9`"]);
}

#[test]
fn after_a_destroy_nobody_is_told_that_nothing_was_ever_made() {
    let env = TestEnv::of_text(ONE_KV);
    env.envc(&["apply"]).exits(0);
    env.envc(&["destroy", "--yes"]).exits(0);
    says(
        &env.envc(&["destroy", "--yes"]).exits(3),
        &["none was made from it, or all were destroyed"],
    );
}

/// Every file below the checkout, git's own included.
fn checkout(env: &TestEnv) -> BTreeMap<String, Vec<u8>> {
    let all = files_below(&env.root()).into_iter();
    all.map(|path| (path.display().to_string(), content(&path))).collect()
}

/// Invariant: a command that only looks leaves no byte in the folder, also as the first one there.
#[test]
fn a_first_look_leaves_the_folder_as_it_is() {
    let looks: &[&[&str]] = &[
        &["destroy", "--plan"],
        &["destroy", "--plan", "--if-exists"],
        &["show"],
        &["show", "--resolved"],
        &["output"],
        &["migrate", "status"],
        &["check"],
        &["plan"],
        &["plan", "--rebind"],
        // The plan drew an ID.
        &["show"],
        &["destroy", "--plan"],
        &["migrate", "check"],
    ];
    for with_git in [true, false] {
        let env = TestEnv::new("quickstart");
        if !with_git {
            fs::remove_dir_all(env.root().join(".git")).unwrap();
        }
        let before = checkout(&env);
        for look in looks {
            let ran = env.envc(look);
            assert_eq!(checkout(&env), before, "{ran}");
        }
        // What the plan showed is what the apply makes.
        let id = |ran: &Ran| ran.stderr.split('`').nth(1).map(str::to_owned);
        let (planned, applied) = (env.envc(&["plan"]).exits(0), env.envc(&["apply"]).exits(0));
        assert!(id(&planned).is_some() && id(&planned) == id(&applied), "{planned} {applied}");
        // A moved folder is known again, and left as it is by a look.
        let moved = env.path().join("moved");
        fs::rename(env.root(), &moved).unwrap();
        let files = |folder: &Path| {
            let all = files_below(folder).into_iter();
            all.map(|path| (path.clone(), content(&path))).collect::<Vec<_>>()
        };
        let before = files(&moved);
        says(&in_folder(&env, &moved, &["plan"]).exits(0), &["No changes"]);
        assert_eq!(files(&moved), before);
    }
}
