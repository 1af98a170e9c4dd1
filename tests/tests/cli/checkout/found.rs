//! Which spec is taken: none beyond the repository, and none of somebody else's.

use std::fs;

use envc_tests::TestEnv;

use super::{WITH_FILES, give, is_root, link, run_in};
use crate::common::says;

#[test]
fn a_spec_is_not_looked_for_beyond_the_repository_worktree_or_submodule() {
    let env = TestEnv::of_text(WITH_FILES);
    let nested = env.root().join("vendor/lib");
    env.git(&["init", "-q", nested.to_str().unwrap()]);
    fs::create_dir_all(nested.join("deep")).unwrap();
    // As a submodule has it.
    let module = env.root().join("vendor/module");
    fs::create_dir_all(&module).unwrap();
    fs::write(module.join(".git"), "gitdir: ../../.git/modules/module\n").unwrap();
    // A worktree within its repository, of a branch without a spec.
    let worktree = env.root().join("wt");
    env.git(&["worktree", "add", "-q", "--detach", "wt"]);
    fs::remove_file(worktree.join("environment.kdl")).unwrap();
    for folder in [&nested, &nested.join("deep"), &module, &worktree] {
        for verb in [&["plan"][..], &["check"], &["fmt", "--check"], &["show"]] {
            let ran = run_in(&env, folder, verb).exits(65);
            let root = env.root();
            says(&ran, &["there is no environment.kdl", &format!("envc -C {} …", root.display())]);
        }
    }
    // Who names it gets it, and a folder of the repository itself climbs.
    let _named = run_in(&env, &nested, &["-C", env.root().to_str().unwrap(), "check"]).exits(0);
    let _above = run_in(&env, &env.root().join("vendor"), &["check"]).exits(0);
}

#[test]
fn a_spec_of_another_user_is_refused_as_git_refuses_its_repository() {
    let mut env = TestEnv::of_text(WITH_FILES);
    if !is_root(&env) {
        return; // nobody else can have files made that are another user's
    }
    let global = env.path().join("gitconfig");
    env.set("GIT_CONFIG_GLOBAL", global.to_str().unwrap());
    let (spec, root) = (env.root().join("environment.kdl"), env.root());
    let line = format!("git config --global --add safe.directory {}", root.display());
    let refused = |env: &TestEnv| {
        for verb in [&["plan"][..], &["check"], &["fmt"], &["show"], &["apply"]] {
            says(&env.envc(verb).exits(65), &["another user's", &line]);
        }
    };
    let other = 4711;
    // The spec, its folder, a link to it.
    for path in [&spec, &root] {
        give(path, other);
        refused(&env);
        give(path, 0);
    }
    fs::rename(&spec, root.join("real.kdl")).unwrap();
    link("real.kdl", &spec);
    let _taken = env.envc(&["check"]).exits(0);
    give(&spec, other);
    refused(&env);
    // What the repository says of itself does not count, what the user says does, as does sudo's.
    env.git(&["config", "safe.directory", "*"]);
    refused(&env);
    env.set("SUDO_UID", "4711");
    let _taken = env.envc(&["check"]).exits(0);
    env.set("SUDO_UID", "4712");
    refused(&env);
    fs::write(&global, format!("[safe]\n\tdirectory = {}\n", root.display())).unwrap();
    let _taken = env.envc(&["check"]).exits(0);
    fs::write(&global, "[safe]\n\tdirectory = *\n\tdirectory =\n").unwrap();
    refused(&env);
}

#[test]
fn without_a_repository_the_search_ends_with_the_users_own_folders() {
    let env = TestEnv::of_text(WITH_FILES);
    if !is_root(&env) {
        return; // nobody else can have files made that are another user's
    }
    let outer = env.path().join("shared");
    let inner = outer.join("mine/deep");
    fs::create_dir_all(&inner).unwrap();
    fs::write(outer.join("environment.kdl"), WITH_FILES).unwrap();
    let _found = run_in(&env, &inner, &["check"]).exits(0);
    give(&outer, 4711);
    let ran = run_in(&env, &inner, &["plan"]).exits(65);
    says(
        &ran,
        &["there is no environment.kdl", "mine/deep or above it, up to", "is not this user's"],
    );
    give(&outer.join("environment.kdl"), 4711);
    let _same = run_in(&env, &inner, &["plan"]).exits(65);
    // A bind mount of another user's checkout: git's rule, and one line that says what to set.
    give(&env.root().join(".git"), 4711);
    says(&env.envc(&["apply"]).exits(1), &["git config --global --add safe.directory"]);
}
