//! A checkout is data, not its user: what lies in it runs nothing, is not read through links to
//! elsewhere, and does not decide where something is written.
//!
//! - here: what git is asked, and what of it runs.
//! - `found`: which spec is taken, and whose.
//! - `read`: what is read for it, and that looking writes nothing.
//! - `written`: where generated files go.

mod found;
mod read;
mod written;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use envc_tests::{Ran, Running, TestEnv};

use crate::common::says;

/// Files with and without secrets, and no resource that an account is asked for.
pub(super) const WITH_FILES: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    secrets { env ; dotenv \".secrets.env\" }\n\
    kv \"cache\"\n\
    dotenv \".env\" { ID \"{kv.cache.id}\" ; KEY (secret)\"SHOP_KEY\" }\n";

pub(super) fn run_in(env: &TestEnv, folder: &Path, args: &[&str]) -> Ran {
    Running::start(env.command_in(folder, args)).end()
}

/// Writes a program.
fn program(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn nothing_that_a_checkout_names_to_git_is_run() {
    let mut env = TestEnv::of_text(WITH_FILES);
    env.set("SHOP_KEY", "1");
    let ran = env.path().join("ran");
    let spy = env.path().join("spy");
    program(&spy, &format!("env >'{}'", ran.display()));
    // A bare repository in a folder, which a clone can bring.
    env.write("sub/HEAD", "ref: refs/heads/main\n");
    env.write("sub/objects/.keep", "");
    env.write("sub/refs/.keep", "");
    let config = format!("[core]\n\tworktree = ./\n\tfsmonitor = {}\n", spy.display());
    env.write("sub/config", &config);
    env.write("sub/environment.kdl", WITH_FILES);
    let refused = run_in(&env, &env.root().join("sub"), &["apply"]).exits(1);
    says(&refused, &[".env lies in a folder that git keeps for itself"]);
    assert!(!ran.exists());
    // In the repository itself, as an archive brings it, and in a worktree of it.
    env.git(&["config", "core.fsmonitor", spy.to_str().unwrap()]);
    let worktree = env.path().join("worktree-fix");
    env.git(&["-c", "core.fsmonitor=false", "worktree", "add", "-q", worktree.to_str().unwrap()]);
    let _removed = fs::remove_file(&ran);
    let _here = env.envc(&["apply"]).exits(0);
    let _there = run_in(&env, &worktree, &["apply"]).exits(0);
    assert!(!ran.exists(), "{}", fs::read_to_string(&ran).unwrap());
}

#[test]
fn git_gets_neither_credentials_nor_secrets() {
    let mut env = TestEnv::of_text(WITH_FILES);
    let bin = env.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let told = env.path().join("told");
    let path = env.var("PATH");
    program(
        &bin.join("git"),
        &format!("env >>'{}'\nPATH='{path}'\nexport PATH\nexec git \"$@\"", told.display()),
    );
    env.set("PATH", &format!("{}:{path}", bin.display()));
    env.set("SHOP_KEY", "the-key").set("CLOUDFLARE_API_TOKEN", "the-token");
    env.set("GIT_DIR", "/nonexistent").set("GIT_SSH_COMMAND", "the-command");
    let _applied = env.envc(&["apply"]).exits(0);
    let told = fs::read_to_string(told).unwrap();
    assert!(told.contains("HOME="), "{told}");
    for word in ["the-key", "the-token", "the-command", "GIT_DIR="] {
        assert!(!told.contains(word), "{told}");
    }
}

#[test]
fn where_git_does_not_answer_no_file_with_a_secret_is_written() {
    let mut env = TestEnv::of_text(WITH_FILES);
    env.set("SHOP_KEY", "1");
    let path = env.var("PATH");
    let sub = env.root().join("apps/api");
    env.git(&["init", "-q", sub.to_str().unwrap()]);
    let nested = WITH_FILES.replace("\".env\"", "\"apps/api/conf/app.env\"");
    env.write("environment.kdl", &nested);
    // A repository within this one decides of what lies in it.
    says(&env.envc(&["apply"]).exits(1), &["would end up in git: apps/api/conf/app.env"]);
    env.write("apps/api/.gitignore", "app.env\n");
    let _ignored = env.envc(&["apply"]).exits(0);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    // One that is broken does not: its parent is not asked in its place.
    fs::remove_file(sub.join(".git/HEAD")).unwrap();
    env.write(".gitignore", "*.env\n.envc/\n");
    says(&env.envc(&["apply"]).exits(1), &["git does not say whether"]);
    env.write("environment.kdl", WITH_FILES);
    // Without git, in the checkout, in a worktree, and in a folder of it that is named.
    let worktree = env.worktree("fix");
    fs::write(worktree.join("environment.kdl"), WITH_FILES).unwrap();
    env.set("PATH", "/nonexistent");
    says(&env.envc(&["apply"]).exits(1), &["git cannot be run", "install it"]);
    says(&run_in(&env, &worktree, &["apply"]).exits(1), &["git cannot be run"]);
    let out = ["apply", "--out-dir", worktree.to_str().unwrap()];
    says(&env.envc(&out).exits(1), &["git cannot be run"]);
    assert!(env.read(".env").is_none() && !worktree.join(".env").exists());
    env.set("PATH", &path);
    assert!(env.cloud_listing().is_empty());
}

/// True for whoever may give files to somebody else.
pub(super) fn is_root(env: &TestEnv) -> bool {
    std::os::unix::fs::MetadataExt::uid(&fs::metadata(env.root()).unwrap()) == 0
}

pub(super) fn give(path: &Path, owner: u32) {
    std::os::unix::fs::lchown(path, Some(owner), None).unwrap();
}

pub(super) fn link(target: impl AsRef<Path>, at: impl AsRef<Path>) {
    std::os::unix::fs::symlink(target, at).unwrap();
}
