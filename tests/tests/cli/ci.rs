//! What a CI job is refused: what no other job would find again, and what nobody would notice.

use std::fs;

use envc_tests::{Ran, ServedCloud, TestEnv};
use serde_json::Value as Json;

use crate::common::{ONE_KV, edit, id, says};

const BRANCH: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch }\n\
    kv \"cache\"\n\
    allow \"unused_resource\"\n";

/// The IDs that the registry knows of the folder's project.
fn recorded_ids(env: &TestEnv) -> Vec<String> {
    let text = fs::read(env.state_dir().join("registry.json")).unwrap_or_default();
    let registry: Json = serde_json::from_slice(&text).unwrap_or_default();
    let places = registry.get("places").and_then(Json::as_object).cloned().unwrap_or_default();
    let ids = |place: &Json| {
        let environments = place.pointer("/projects/shop/environments")?.as_object()?;
        Some(environments.keys().cloned().collect::<Vec<String>>())
    };
    places.values().filter_map(ids).flatten().collect()
}

fn in_ci(env: &TestEnv, args: &[&str]) -> Ran {
    let mut command = env.command(args);
    command.env("CI", "true");
    envc_tests::Running::start(command).end()
}

#[test]
fn without_a_branch_ci_is_refused_and_a_developer_is_told() {
    let detached = TestEnv::of_text(BRANCH);
    detached.git(&["checkout", "--quiet", "--detach"]);
    let without = TestEnv::of_text(BRANCH);
    fs::remove_dir_all(without.root().join(".git")).unwrap();
    let mut missing = TestEnv::of_text(BRANCH);
    missing.set("PATH", "/nonexistent");
    let broken = TestEnv::of_text(BRANCH);
    fs::remove_dir_all(broken.root().join(".git")).unwrap();
    fs::write(broken.root().join(".git"), "gitdir: /nonexistent\n").unwrap();
    let cases = [
        (&detached, "no branch is checked out"),
        (&without, "in no git repository"),
        (&missing, "git cannot be run"),
        (&broken, "/nonexistent"),
    ];
    for (env, why) in cases {
        let refused = in_ci(env, &["apply", "--yes"]).exits(1);
        says(&refused, &[why, "--id ID"]);
        assert_eq!(recorded_ids(env), Vec::<String>::new());
        assert!(env.cloud_listing().is_empty());
        let told = env.envc(&["apply"]).exits(0);
        says(&told, &["so the ID is made without one", why]);
        // Told once: the ID is this folder's from now on.
        let again = env.envc(&["apply"]).exits(0);
        assert!(!again.stderr.contains("made without one"), "{again}");
        // Nobody's record makes it a branch.
        says(&in_ci(env, &["apply", "--yes"]).exits(1), &[why, "--id ID"]);
    }
}

/// Invariant: without `unique` no two branches share an environment, on a runner that is kept, too.
#[test]
fn each_branch_has_its_own_environment_on_a_runner_that_is_kept() {
    let mut env = TestEnv::of_text(BRANCH);
    env.git(&["checkout", "--quiet", "--detach"]);
    env.set("CI", "true").set("GITHUB_REF_NAME", "main");
    env.envc(&["apply", "--yes"]).exits(0);
    assert_eq!(id(&env), "main");
    env.set("GITHUB_HEAD_REF", "fix").set("GITHUB_REF_NAME", "7/merge");
    env.envc(&["apply", "--yes"]).exits(0);
    assert_eq!(env.cloud_listing().names("kv"), ["shop--cache--fix", "shop--cache--main"]);
    says(&env.envc(&["destroy", "--yes"]).exits(0), &["Destroyed `fix`"]);
    assert_eq!(env.cloud_listing().names("kv"), ["shop--cache--main"]);
}

#[test]
fn the_forge_names_the_branch_of_a_commit_that_is_checked_out() {
    for (name, value) in [
        ("GITHUB_HEAD_REF", "topic"),
        ("GITHUB_REF_NAME", "topic"),
        ("CI_COMMIT_REF_NAME", "topic"),
    ] {
        let mut env = TestEnv::of_text(BRANCH);
        env.git(&["checkout", "--quiet", "--detach"]);
        env.set("CI", "true").set(name, value);
        env.envc(&["apply", "--yes"]).exits(0);
        assert_eq!(id(&env), "topic", "{name}");
    }
}

#[test]
fn an_id_of_chance_is_for_no_job_on_an_account() {
    let mut env = TestEnv::of_text(ONE_KV);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    for args in [&["apply", "--yes"][..], &["plan"]] {
        let refused = in_ci(&env, args).exits(1);
        says(&refused, &["an ID of its own, and this is a CI job", "pr-{env.pr}"]);
        assert_eq!(recorded_ids(&env), Vec::<String>::new());
    }
    assert!(cloud.view().listing().is_empty());
    // What a developer made can be cleaned up from a job that is told its ID.
    env.envc(&["apply", "--yes"]).exits(0);
    let made = id(&env);
    in_ci(&env, &["destroy", "--id", &made, "--yes"]).exits(0);
    assert!(cloud.view().listing().is_empty());
    // The local cloud goes with the job.
    in_ci(&env, &["apply", "--cloud", "local"]).exits(0);
}

#[test]
fn a_pull_request_needs_a_type_for_it() {
    let env = TestEnv::of_text(ONE_KV);
    for args in
        [&["apply", "--pr", "5"][..], &["apply", "local", "--pr", "5"], &["plan", "--pr", "5"]]
    {
        let refused = env.envc(args).exits(64);
        says(&refused, &["type `local`", "when pr"]);
    }
    assert!(env.cloud_listing().is_empty());
    edit(
        &env,
        "kv \"cache\"",
        "environment \"ephemeral\" { identity \"pr-{env.pr}\" }\nkv \"cache\"",
    );
    says(&env.envc(&["apply", "--pr", "5"]).exits(64), &["name one that has: ephemeral"]);
    env.envc(&["apply", "ephemeral", "--pr", "5", "--yes"]).exits(0);
}

#[test]
fn a_job_without_a_repository_claims_nothing() {
    let env = TestEnv::of_text(
        "project \"shop\"\nenvironment \"e\" { when pr ; identity \"pr-{env.pr}\" }\nkv \"cache\"\n\
         allow \"unused_resource\" \"pr_without_ttl\"\n",
    );
    let refused = in_ci(&env, &["apply", "--pr", "1", "--yes"]).exits(1);
    says(&refused, &["project \"shop\" id="]);
    let told = in_ci(&env, &["plan", "--pr", "1"]).exits(0);
    says(&told, &["apply will refuse: it is not known", "project \"shop\" id="]);
    assert!(env.cloud_listing().is_empty());
    edit(&env, "project \"shop\"", "project \"shop\" id=\"acme/shop\"");
    in_ci(&env, &["apply", "--pr", "1", "--yes"]).exits(0);
    assert!(env.cloud_listing().names("kv").contains(&"envc claim shop acme/shop"));
}

#[test]
fn where_git_gives_no_answer_nothing_of_one_environment_is_written() {
    let spec = format!("{ONE_KV}dotenv \".env\" {{ CACHE \"{{kv.cache.id}}\" }}\n");
    let mut env = TestEnv::of_text(&spec);
    let path = env.var("PATH");
    env.set("PATH", "/nonexistent");
    let refused = env.envc(&["apply"]).exits(1);
    says(&refused, &[".env", "safe.directory"]);
    assert_eq!(env.read(".env"), None);
    env.set("PATH", &path);
    env.envc(&["apply"]).exits(0);
}

#[test]
fn an_id_is_recorded_only_after_what_can_be_refused_before() {
    let refusals: [(&str, &str); 3] = [
        ("run \"seed\" after=\"apply\" command=\"true\"\n", "cannot do all"),
        ("d1 \"orders\" { migrations \"nowhere\" }\n", "orders"),
        ("dotenv \".env\" { KEY (secret)\"NOT_THERE\" }\n", "NOT_THERE"),
    ];
    for (node, why) in refusals {
        let env = TestEnv::of_text(&format!("{ONE_KV}{node}"));
        let refused = env.envc(&["apply"]);
        assert!(refused.code != Some(0), "{refused}");
        says(&refused, &[why]);
        assert_eq!(recorded_ids(&env), Vec::<String>::new(), "{node}");
        env.write("environment.kdl", ONE_KV);
        env.envc(&["apply"]).exits(0);
        assert_eq!(recorded_ids(&env), [id(&env)]);
    }
    // Reading records nothing either.
    let env = TestEnv::of_text(ONE_KV);
    env.envc(&["show"]).exits(3);
    env.envc(&["destroy", "--yes", "--if-exists"]).exits(0);
    assert_eq!(recorded_ids(&env), Vec::<String>::new());
}
