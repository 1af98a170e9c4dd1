//! Whose environment a folder has.

use std::{fs, process::Command};

use envc_tests::{Ran, Running, ServedCloud, TestEnv, run_all};

use crate::common::{ONE_KV, edit, id, says};

fn in_folder(env: &TestEnv, folder: &std::path::Path, args: &[&str]) -> Ran {
    Running::start(env.command_in(folder, args)).end()
}

fn id_in(env: &TestEnv, folder: &std::path::Path) -> String {
    in_folder(env, folder, &["output", "--only", "env"]).exits(0).stdout.trim().to_owned()
}

#[test]
fn every_branch_gives_an_id() {
    let long = "feature/a-very-long-name-that-goes-on-and-on";
    let branches = [
        ("fix/login", "fix-login-t"),
        ("Füße/größe", "f"),
        ("日本語", ""),
        ("UPPER_case.dots", "upper-case-dots-t"),
        (long, "feature-a-very-long"),
    ];
    run_all(2, &branches, |(branch, start)| {
        let env = TestEnv::of_text(ONE_KV);
        let _switched = env.git(&["checkout", "--quiet", "-b", branch]);
        let _applied = env.envc(&["apply"]).exits(0);
        let id = id(&env);
        assert!(id.starts_with(start), "{branch}: {id}");
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(id.chars().all(good) && !id.contains("--") && id.len() <= 31, "{branch}: {id}");
        // The ID belongs to the folder, not to the branch that it is on today.
        let _switched = env.git(&["checkout", "--quiet", "-b", "another"]);
        says(&env.envc(&["apply"]).exits(0), &["Nothing to do", &id]);
    });
}

#[test]
fn a_detached_head_and_a_folder_without_git_have_one_too() {
    let env = TestEnv::of_text(ONE_KV);
    let _detached = env.git(&["checkout", "--quiet", "--detach"]);
    let _applied = env.envc(&["apply"]).exits(0);
    assert!(!id(&env).is_empty());

    let env = TestEnv::of_text(ONE_KV);
    fs::remove_dir_all(env.root().join(".git")).unwrap();
    let _applied = env.envc(&["apply"]).exits(0);
    let first = id(&env);
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do", &first]);
}

#[test]
fn a_moved_folder_keeps_its_environment_and_a_copied_one_gets_another() {
    let env = TestEnv::new("quickstart");
    let _applied = env.envc(&["apply"]).exits(0);
    let first = id(&env);
    let copied = env.path().join("copied");
    let status = Command::new("cp").arg("-a").args([env.root(), copied.clone()]).status().unwrap();
    assert!(status.success());
    let moved = env.path().join("moved");
    fs::rename(env.root(), &moved).unwrap();
    says(&in_folder(&env, &moved, &["apply"]).exits(0), &["Nothing to do"]);
    assert_eq!(id_in(&env, &moved), first);

    // What lies there is a copy of what envc wrote: nobody edited it.
    let _copy = in_folder(&env, &copied, &["apply"]).exits(0);
    assert_ne!(id_in(&env, &copied), first);
    assert_eq!(env.cloud_listing().names("d1").len(), 2);
    let config = fs::read_to_string(copied.join("wrangler.jsonc")).unwrap();
    assert!(!config.contains(&first), "{config}");
    let _gone = in_folder(&env, &copied, &["destroy", "--yes"]).exits(0);
    assert_eq!(env.cloud_listing().names("d1").len(), 1);
    says(&in_folder(&env, &moved, &["apply"]).exits(0), &["Nothing to do"]);
}

#[test]
fn nothing_is_lost_when_git_cleans_the_folder() {
    let env = TestEnv::new("quickstart");
    let _applied = env.envc(&["apply"]).exits(0);
    let first = id(&env);
    let _cleaned = env.git(&["clean", "-fdxq", "--exclude", ".secrets.env"]);
    says(&env.envc(&["apply"]).exits(0), &["wrote .env", &first]);
    assert_eq!(env.cloud_listing().names("d1").len(), 1);
}

#[test]
fn two_worktrees_share_nothing() {
    let env = TestEnv::new("quickstart");
    let other = env.worktree("feature/two");
    let _first = env.envc(&["apply"]).exits(0);
    let _second = in_folder(&env, &other, &["apply"]).exits(0);
    let (one, two) = (id(&env), id_in(&env, &other));
    assert!(two.starts_with("feature-two-t") && one != two, "{one} {two}");
    let port =
        |text: &str| text.lines().find(|line| line.starts_with("API_PORT")).map(str::to_owned);
    let there = fs::read_to_string(other.join(".env")).unwrap();
    assert_ne!(port(&env.read(".env").unwrap()), port(&there));
    assert_eq!(env.cloud_listing().counts()["queue"], 4);
    let _gone = in_folder(&env, &other, &["destroy", "--yes"]).exits(0);
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
}

/// A clone or a worktree that comes to lie where another one lay has nothing of it.
#[test]
fn a_new_clone_or_worktree_at_the_path_of_another_has_an_environment_of_its_own() {
    let env = TestEnv::of_text(ONE_KV);
    let git = |args: &[&str]| {
        let status = Command::new("git").current_dir(env.root()).args(args).status().unwrap();
        assert!(status.success(), "{args:?}");
    };
    let commit = ["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "x"];
    git(&["add", "environment.kdl"]);
    git(&[&commit[..], &["--allow-empty"]].concat());
    let (shop, old) = (env.path().join("clone"), env.path().join("clone-old"));
    let clone = || git(&["clone", "--quiet", ".", shop.to_str().unwrap()]);
    clone();
    let _applied = in_folder(&env, &shop, &["apply"]).exits(0);
    let first = id_in(&env, &shop);
    fs::rename(&shop, &old).unwrap();
    clone();
    let _applied = in_folder(&env, &shop, &["apply"]).exits(0);
    assert_ne!(id_in(&env, &shop), first);
    says(&in_folder(&env, &old, &["apply"]).exits(0), &["Nothing to do", &first]);
    let _gone = in_folder(&env, &shop, &["destroy", "--yes"]).exits(0);
    assert_eq!(env.cloud_listing().names("kv").len(), 1);
    says(&in_folder(&env, &old, &["apply"]).exits(0), &["Nothing to do", &first]);

    let tree = env.path().join("tree");
    let path = tree.to_str().unwrap();
    git(&["worktree", "add", "--quiet", path, "-b", "f1"]);
    let _applied = in_folder(&env, &tree, &["apply"]).exits(0);
    let first = id_in(&env, &tree);
    git(&["worktree", "remove", "--force", path]);
    git(&["worktree", "add", "--quiet", path, "-b", "f2"]);
    let _applied = in_folder(&env, &tree, &["apply"]).exits(0);
    assert_ne!(id_in(&env, &tree), first);
}

#[test]
fn a_copied_worktree_keeps_its_own_environment_when_the_other_is_gone() {
    let env = TestEnv::of_text(ONE_KV);
    let one = env.worktree("one");
    let _applied = in_folder(&env, &one, &["apply"]).exits(0);
    let two = env.path().join("two");
    let status = Command::new("cp").arg("-a").args([&one, &two]).status().unwrap();
    assert!(status.success());
    let _applied = in_folder(&env, &two, &["apply"]).exits(0);
    let (first, second) = (id_in(&env, &one), id_in(&env, &two));
    assert_ne!(first, second);
    fs::remove_dir_all(&one).unwrap();
    says(&in_folder(&env, &two, &["destroy", "--yes"]).exits(0), &["Destroyed", &second]);
    says(&env.envc(&["destroy", "--yes", "--id", &first]).exits(0), &["Destroyed", &first]);
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn an_environment_whose_folder_is_gone_is_destroyed_by_its_id() {
    let env = TestEnv::new("quickstart");
    let other = env.worktree("gone");
    let _applied = in_folder(&env, &other, &["apply"]).exits(0);
    let lost = id_in(&env, &other);
    fs::remove_dir_all(&other).unwrap();
    let ran = env.envc(&["destroy", "--yes", "--id", &lost]).exits(0);
    says(&ran, &["Destroyed", &lost]);
    assert!(env.cloud_listing().is_empty());
    let _unknown = env.envc(&["destroy", "--yes", "--id", &lost]).exits(3);
}

const PROTECTED: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    environment \"production\" { identity \"production\" ; protect }\n\
    kv \"cache\"\n";

/// Invariant: `protect` cannot be passed by with another type's name.
#[test]
fn an_environment_is_worked_on_as_its_own_type_alone() {
    let env = TestEnv::of_text(PROTECTED);
    env.envc(&["apply", "production", "--cloud", "local", "--yes"]).exits(0);
    env.envc(&["destroy", "--id", "production", "--yes"]).exits(1);
    for verb in ["apply", "plan", "destroy", "show", "output"] {
        let yes: &[&str] = if matches!(verb, "apply" | "destroy") { &["--yes"] } else { &[] };
        let ran = env.envc(&[&[verb, "local", "--id", "production"][..], yes].concat()).exits(64);
        says(&ran, &["`production` is no environment of type `local`"]);
    }
    says(
        &env.envc(&["apply", "production", "--id", "elsewhere"]).exits(64),
        &["those have the ID `production`"],
    );
    assert_eq!(env.cloud_listing().objects.len(), 1);
    // What was made as one type is none of another, whoever recorded it.
    env.envc(&["apply", "local", "--id", "demo", "--yes"]).exits(0);
    let other = PROTECTED.replace("kv ", "environment \"other\" { identity branch unique }\nkv ");
    env.write("environment.kdl", &other);
    says(
        &env.envc(&["destroy", "other", "--id", "demo", "--yes"]).exits(64),
        &["it was made as type `local`", "local --id demo"],
    );
    env.envc(&["destroy", "--id", "demo", "--yes"]).exits(0);
}

const BRANCH: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch }\n\
    kv \"cache\"\n\
    allow \"unused_resource\"\n";

/// Invariant: only chance that was drawn proves a namesake ours.
#[test]
fn a_spec_that_says_unique_later_makes_no_branch_a_proof() {
    let mut env = TestEnv::of_text(BRANCH);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    env.envc(&["apply", "--yes"]).exits(0);
    assert_eq!(id(&env), "main");
    let theirs = cloud.view().listing();
    // The state is gone: what has the name now could be another developer's.
    fs::remove_dir_all(env.state_dir().join("state")).unwrap();
    edit(&env, "identity branch", "identity branch unique");
    says(&env.envc(&["apply", "--yes"]).exits(1), &["--adopt kv.cache"]);
    env.envc(&["destroy", "--id", "main", "--yes"]).exits(1);
    assert_eq!(cloud.view().listing(), theirs);
}

const TWO_TYPES: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch unique }\n\
    environment \"ephemeral\" { identity \"pr-{env.pr}\" }\n\
    environment \"demo\" { identity branch unique }\n\
    kv \"cache\"\n\
    allow \"unused_resource\"\n";

/// Invariant: a destroy without a spec takes what the command line names, or nothing.
#[test]
fn a_destroy_without_a_spec_takes_no_other_environment_than_the_named_one() {
    let mut env = TestEnv::of_text(TWO_TYPES);
    env.envc(&["apply"]).exits(0);
    env.envc(&["apply", "ephemeral", "--pr", "42", "--out-dir", "../pr"]).exits(0);
    env.envc(&["apply", "demo"]).exits(0);
    let before = env.cloud_listing();
    env.write("environment.kdl", &format!("{TWO_TYPES}kv \"a\" {{\n"));
    let own = id_of(&env, "local");
    for args in [
        &["ephemeral", "--pr", "42"][..],
        &["ephemeral"],
        &["--pr", "42"],
        &["--id", "pr-42"],
        &["local", "--pr", "42"],
        &["nothing"],
        &["demo", "--id", &own],
        &["--id", "elsewhere"],
    ] {
        let ran = env.envc(&[&["destroy", "--yes"][..], args].concat()).exits(65);
        says(&ran, &["only an environment goes that is recorded here"]);
        assert_eq!(env.cloud_listing(), before, "{args:?}");
    }
    env.set("ENVC_ENV", "ephemeral");
    env.envc(&["destroy", "--yes"]).exits(65);
    env.unset("ENVC_ENV");
    let demo = id_of(&env, "demo");
    says(&env.envc(&["destroy", "demo", "--yes"]).exits(0), &["Destroyed", &demo]);
    says(&env.envc(&["destroy", "local", "--id", &own, "--yes"]).exits(0), &["Destroyed", &own]);
}

/// The ID that the registry has for a type.
fn id_of(env: &TestEnv, env_type: &str) -> String {
    let text = fs::read(env.state_dir().join("registry.json")).unwrap();
    let registry: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let places = registry.get("places").and_then(serde_json::Value::as_object).unwrap();
    let of_type = |place: &serde_json::Value| {
        let environments = place.pointer("/projects/shop/environments")?.as_object()?;
        let found = environments.iter().find(|(_, it)| {
            it.get("env_type").and_then(serde_json::Value::as_str) == Some(env_type)
        });
        found.map(|(id, _)| id.clone())
    };
    places.values().find_map(of_type).unwrap()
}

#[test]
fn a_spec_that_nobody_can_read_unprotects_nothing() {
    for identity in ["identity branch", "identity branch unique"] {
        let spec =
            TWO_TYPES.replacen("identity branch unique", &format!("{identity} ; protect"), 1);
        let env = TestEnv::of_text(&spec);
        env.envc(&["apply", "--yes"]).exits(0);
        env.envc(&["destroy", "--yes"]).exits(1);
        env.write("environment.kdl", &format!("{spec}kv \"a\" {{\n"));
        env.envc(&["destroy", "--yes"]).exits(65);
        assert_eq!(env.cloud_listing().objects.len(), 1, "{identity}");
    }
}

#[test]
fn an_id_and_a_number_of_two_pull_requests_are_refused() {
    let env = TestEnv::of_text(TWO_TYPES);
    for verb in ["plan", "apply", "destroy"] {
        let ran = env.envc(&[verb, "ephemeral", "--id", "pr-1", "--pr", "2"]).exits(64);
        says(&ran, &["--id pr-1 and --pr 2", "is `pr-2`"]);
    }
    env.envc(&["plan", "ephemeral", "--id", "pr-1", "--pr", "1"]).exits(0);
}

/// Invariant: the files of a folder are of the environment that it is bound to, whatever branch is
/// checked out.
#[test]
fn another_branch_is_another_environment_and_leaves_the_files() {
    let env =
        TestEnv::of_text(&format!("{BRANCH}dotenv \".env\" {{ CACHE \"{{kv.cache.id}}\" }}\n"));
    env.envc(&["apply"]).exits(0);
    let of_main = env.read(".env");
    env.git(&["checkout", "--quiet", "-b", "feature"]);
    says(&env.envc(&["plan"]).exits(0), &["`feature` (type local)", "create kv.cache"]);
    says(
        &env.envc(&["apply"]).exits(0),
        &["no files were written: this folder is bound to main (local)", "--rebind"],
    );
    assert_eq!(env.read(".env"), of_main);
    assert_eq!(env.cloud_listing().names("kv"), ["shop--cache--feature", "shop--cache--main"]);
    env.envc(&["apply", "--rebind"]).exits(0);
    let of_feature = env.read(".env");
    assert_ne!(of_feature, of_main);
    env.git(&["checkout", "--quiet", "main"]);
    says(&env.envc(&["apply"]).exits(0), &["this folder is bound to feature (local)"]);
    says(&env.envc(&["destroy", "--yes"]).exits(0), &["Destroyed `main`"]);
    assert_eq!(env.read(".env"), of_feature);
    assert_eq!(env.cloud_listing().names("kv"), ["shop--cache--feature"]);
}

/// Invariant: a heading's ID is the environment's. Of several first applies at once, those that another
/// one was quicker than draw another ID.
#[test]
fn the_heading_of_first_applies_at_once_has_the_id_that_is_used() {
    let spec = "project \"shop\"\n\
        environment \"local\" default { identity branch max-length=20 unique }\n\
        kv \"cache\"\nport \"web\" \"3000-3999\"\n\
        dotenv \".env\" { CACHE \"{kv.cache.id}\" ; WEB \"{port.web}\" }\n\
        kv \"idle\"\n";
    let env = TestEnv::of_text(spec);
    let folders: Vec<_> = (0..6).map(|number| env.worktree(&format!("fix-{number}"))).collect();
    // Two of them for one folder each: the second one works on what the first one made.
    let start = |folder: &std::path::PathBuf| {
        [0, 1].map(|_| Running::start(env.command_in(folder, &["apply"])))
    };
    let running: Vec<_> = folders.iter().map(start).collect();
    for (folder, running) in folders.iter().zip(running) {
        for ran in running.map(Running::end) {
            let ran = ran.exits(0);
            let id = id_in(&env, folder);
            let lines = ran.stderr.lines();
            let told: Vec<&str> = lines.filter(|line| line.contains("(type local)")).collect();
            assert!(matches!(told.as_slice(), [one] if one.contains(&format!("`{id}`"))), "{ran}");
            assert_eq!(ran.stderr.matches("kv.idle` (unused").count(), 1, "{ran}");
        }
    }
}
