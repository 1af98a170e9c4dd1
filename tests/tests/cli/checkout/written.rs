//! Where generated files go: where their paths say, and never into git's own or over what is read.

use std::fs;

use envc_tests::TestEnv;

use super::{link, run_in};
use crate::common::says;

/// A spec that writes the template `t` to this path.
fn writing(path: &str) -> String {
    format!(
        "project \"shop\"\nenvironment \"local\" default {{ identity branch max-length=20 unique }}\n\
         kv \"cache\"\nallow \"unused_resource\"\nfile \"{path}\" template=\"t\" mode=\"0755\"\n"
    )
}

#[test]
fn a_generated_file_is_never_written_through_a_link() {
    let env = TestEnv::of_text(&writing("h/pre-commit"));
    env.write("t", "#!/bin/sh\necho PWNED\n");
    link(".git/hooks", env.root().join("h"));
    link("environment.kdl", env.root().join("spec"));
    link("nothing", env.root().join("dangling"));
    env.write("a/b/.keep", "");
    link("..", env.root().join("a/b/up"));
    let hooks = env.root().join(".git/hooks");
    link(&hooks, env.root().join("whole"));
    let before = fs::read_dir(&hooks).map_or(0, Iterator::count);
    for path in ["h/pre-commit", "spec", "dangling", "a/b/up/x", "whole/pre-commit"] {
        env.write("environment.kdl", &writing(path));
        for args in [&["apply"][..], &["apply", "--force"]] {
            says(&env.envc(args).exits(1), &["a link stands on the way", "give the real path"]);
        }
        says(&env.envc(&["plan"]).exits(0), &["apply will refuse", "a link stands on the way"]);
        assert_eq!(env.read("environment.kdl"), Some(writing(path)));
    }
    assert_eq!(fs::read_dir(&hooks).map_or(0, Iterator::count), before);
    // In a worktree, whose hooks are the repository's.
    let worktree = env.worktree("fix");
    fs::write(worktree.join("environment.kdl"), writing("h/pre-commit")).unwrap();
    fs::write(worktree.join("t"), "x").unwrap();
    link(&hooks, worktree.join("h"));
    says(&run_in(&env, &worktree, &["apply"]).exits(1), &["a link stands on the way"]);
    assert!(env.cloud_listing().is_empty());
    // What was written before the link came is not looked for behind it.
    env.write("environment.kdl", &writing("out/x"));
    let _applied = env.envc(&["apply"]).exits(0);
    fs::rename(env.root().join("out"), env.root().join("moved")).unwrap();
    link("moved", env.root().join("out"));
    let gone = env.envc(&["destroy", "--yes"]).exits(0);
    says(&gone, &["out/x is reached through a link, so it stays"]);
    assert!(env.root().join("moved/x").exists());
}

#[test]
fn nothing_is_written_into_a_git_directory_whatever_it_is_called() {
    let env = TestEnv::of_text(&writing("x"));
    env.write("t", "x");
    // In each spelling that a file system may take for git's or envc's own.
    for path in [".GIT/hooks/x", "a/.git./x", "git~1/hooks/x", ".ENVC/x", "a/.envc/x"] {
        env.write("environment.kdl", &writing(path));
        says(&env.envc(&["apply"]).exits(65), &["keeps for itself"]);
    }
    // A bare repository, one of a submodule, one that worktrees share.
    for store in ["store", "vendor/lib.git"] {
        env.git(&["init", "-q", "--bare", env.root().join(store).to_str().unwrap()]);
        env.write("environment.kdl", &writing(&format!("{store}/hooks/post-checkout")));
        says(&env.envc(&["apply", "--force"]).exits(1), &["git keeps for itself"]);
    }
    env.write("environment.kdl", &writing("x"));
    let shared = env.root().join("store");
    for folder in [shared.join("hooks"), env.root().join(".git/worktrees/x"), shared] {
        let out = ["apply", "--out-dir", folder.to_str().unwrap()];
        says(&env.envc(&out).exits(64), &["it is git's own"]);
    }
    let own = ["apply", "--out-dir", ".ENVC"];
    says(&env.envc(&own).exits(64), &["it is envc's own"]);
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn what_the_spec_is_read_from_is_never_written_over() {
    let env = TestEnv::of_text(&writing("x"));
    env.write("t", "x");
    env.write("dist/index.js", "export default {}");
    env.write("dist/other.js", "export default {}");
    let spec = env.root().join("environment.kdl");
    let refused = |path: &str, more: &str, what: &str| {
        let text = format!("{}{more}", writing(path));
        fs::write(env.root().join("real.kdl"), &text).unwrap();
        let ran = env.envc(&["apply", "--force", "--yes"]).exits(1);
        says(&ran, &["would be written over what is read", what]);
        assert_eq!(fs::read_to_string(&spec).unwrap(), text);
    };
    // The spec under its real name, a template under a second one, a module, a secrets' file.
    fs::remove_file(&spec).unwrap();
    link("real.kdl", &spec);
    refused("real.kdl", "", "the spec itself");
    fs::hard_link(env.root().join("t"), env.root().join("second")).unwrap();
    refused("second", "", "read from: t");
    let bundle = "worker \"web\" path=\".\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-01-01\"\n";
    refused("dist/other.js", bundle, "a module of a bundle");
    env.write("s.env", "A=1\n");
    fs::hard_link(env.root().join("s.env"), env.root().join("s2.env")).unwrap();
    refused("s2.env", "secrets { dotenv \"s.env\" }\n", "read from: s.env");
    // A file in a folder of migrations would be the next one.
    let text = format!("{}d1 \"app\" {{ migrations \"m\" }}\n", writing("m/0002_x.sql"));
    env.write("real.kdl", &text);
    says(&env.envc(&["check"]).exits(65), &["would be written over what it is read from"]);
}

#[test]
fn the_cache_follows_no_link_and_replaces_nothing_but_a_cache() {
    let env = TestEnv::of_text(&writing("x"));
    env.write("t", "x");
    let config = env.root().join(".git/config");
    let before = fs::read_to_string(&config).unwrap();
    let cache = env.root().join(".envc");
    // The file, the folder, and a name of its own for another spec.
    fs::create_dir(&cache).unwrap();
    link("../.git/config", cache.join("working-copy.json"));
    link("../.git/config", cache.join(".gitignore"));
    let _plan = env.envc(&["plan"]).exits(0);
    let _applied = env.envc(&["apply"]).exits(0);
    fs::remove_dir_all(&cache).unwrap();
    link(".git", &cache);
    let _plan = env.envc(&["plan"]).exits(0);
    let _applied = env.envc(&["apply"]).exits(0);
    assert_eq!(fs::read_to_string(&config).unwrap(), before);
    assert!(!env.root().join(".git/working-copy.json").exists());
    fs::remove_file(&cache).unwrap();
    for text in ["mine", "{\"a\": 1}", "[]"] {
        env.write(".envc/working-copy.json", text);
        let _destroyed = env.envc(&["destroy", "--yes"]).exits(0);
        let _applied = env.envc(&["apply"]).exits(0);
        assert_eq!(env.read(".envc/working-copy.json").as_deref(), Some(text));
    }
}
