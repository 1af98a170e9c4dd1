//! `--out-dir`: generated files in another folder.

use std::{fs, path::Path};

use envc_tests::{Ran, Running, TestEnv};

use crate::common::{check, edit, files_below, mode, says};

/// A type that everybody knows, and a second one.
fn start() -> TestEnv {
    let env = TestEnv::new("quickstart");
    let spec = env.read("environment.kdl").unwrap();
    let types = "environment \"production\" { identity \"production\" }\n\
        environment \"staging\" { identity \"staging\" }\n";
    env.write("environment.kdl", &format!("{spec}{types}"));
    env
}

fn apply(env: &TestEnv, env_type: &str, out_dir: &str) -> Ran {
    env.envc(&["apply", env_type, "--yes", "--out-dir", out_dir])
}

#[test]
fn its_files_are_known_again_updated_and_taken_away() {
    let env = start();
    // Beside the checkout, where git has no say.
    let first = apply(&env, "production", "../out/new").exits(0);
    assert_eq!(mode(&env, "../out/new/.env"), 0o600);
    let whole = env.path().join("out/new");
    says(&first, &[&format!("wrote {}", whole.join(".env").display())]);
    says(&apply(&env, "production", "../out/new").exits(0), &["Nothing to do"]);
    // With other content: the files are envc's own, and nobody has to force it.
    edit(&env, "var \"ENVIRONMENT\"", "var \"STAGE\"");
    let second = apply(&env, "production", "../out/new").exits(0);
    says(&second, &[&format!("wrote {}", whole.join("wrangler.jsonc").display())]);
    assert!(env.read("../out/new/wrangler.jsonc").unwrap().contains("STAGE"));
    // What a person edited is theirs, there as well, and nothing is made before they are asked.
    env.write("../out/new/.env", "MINE=1\n");
    let edited = apply(&env, "production", "../out/new").exits(1);
    says(&edited, &[".env was edited since envc wrote it", "--force"]);
    says(
        &env.envc(&["show", "production"]).exits(0),
        &[&format!("  {}", whole.join(".env").display())],
    );

    let gone = env.envc(&["destroy", "production", "--yes"]).exits(0);
    says(&gone, &[&format!("removed {}", whole.join("wrangler.jsonc").display())]);
    says(&gone, &[&format!("{} was edited, so it stays", whole.join(".env").display())]);
    assert_eq!(fs::read_dir(&whole).unwrap().count(), 1);
    // This folder was never bound to it.
    assert!(env.read(".env").is_none());
}

const MOVED: &str = "project \"shop\"\n\
    environment \"production\" { identity \"production\" }\n\
    kv \"cache\"\n\
    dotenv \".env\" { CACHE \"{kv.cache.id}\" }\n\
    dotenv \"deep/.env\" { CACHE \"{kv.cache.name}\" }\n\
    allow \"unprotected_production\"\n";

#[test]
fn a_folder_inside_a_checkout_moves_with_it() {
    // Of a spec at the top and of one below it; in git and without it.
    for (below, out_dir) in [("", "gen/deep"), ("apps", "gen"), ("apps", "../gen")] {
        for in_git in [true, false] {
            let env = TestEnv::of_text(MOVED);
            let old = env.path().join("checkout");
            let new = env.path().join("moved/here");
            fs::create_dir_all(old.join(below)).unwrap();
            fs::create_dir(new.parent().unwrap()).unwrap();
            fs::write(old.join(below).join("environment.kdl"), MOVED).unwrap();
            fs::write(old.join(".gitignore"), "gen/\n.envc/\n.env\nwrangler.jsonc\n").unwrap();
            if in_git {
                env.git(&["init", "--quiet", old.to_str().unwrap()]);
            }
            let run = |top: &Path, args: &[&str]| {
                Running::start(env.command_in(&top.join(below), args)).end()
            };
            let apply = ["apply", "production", "--yes", "--out-dir", out_dir];
            run(&old, &apply).exits(0);
            let whole = files_below(&old.join(below).join(out_dir)).len();
            assert_eq!(whole, 2);
            fs::rename(&old, &new).unwrap();
            // Without git a folder above the spec's is not of the working copy.
            let is_inside = in_git || !out_dir.starts_with("..");
            if !is_inside {
                continue;
            }
            says(&run(&new, &apply).exits(0), &["Nothing to do"]);
            let changed = MOVED.replace("CACHE", "STORE");
            fs::write(new.join(below).join("environment.kdl"), changed).unwrap();
            says(&run(&new, &apply).exits(0), &["wrote "]);
            run(&new, &["destroy", "production", "--yes"]).exits(0);
            assert!(files_below(&new.join(below).join(out_dir)).is_empty());
        }
    }
}

#[test]
fn what_older_builds_recorded_of_a_folder_inside_is_read() {
    let env = start();
    env.write(".gitignore", "/.env*\n/.dev.vars\n/.envc/\n/wrangler.jsonc\n/gen/\n");
    let _applied = apply(&env, "production", "gen").exits(0);
    let registry = env.state_dir().join("registry.json");
    let text = fs::read_to_string(&registry).unwrap();
    let folder = env.root().join("gen");
    let older = text.replace("\"//here/gen//", &format!("\"{}//", folder.display()));
    assert_ne!(text, older);
    let older = older.replace("\"schema\": 4", "\"schema\": 2");
    fs::write(&registry, older).unwrap();
    says(&apply(&env, "production", "gen").exits(0), &["Nothing to do"]);
    assert_eq!(fs::read_to_string(&registry).unwrap(), text);
    let _gone = env.envc(&["destroy", "production", "--yes"]).exits(0);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn two_folders_of_one_environment_are_kept_apart() {
    let env = start();
    for folder in ["../one", "../one/two", "../one"] {
        let _applied = apply(&env, "production", folder).exits(0);
    }
    // A file that the spec does not ask for any more goes from the folder that is written.
    edit(&env, "dotenv \".env\"", "dotenv \".env.local\"");
    let _applied = apply(&env, "production", "../one").exits(0);
    assert!(env.read("../one/.env").is_none() && env.read("../one/.env.local").is_some());
    assert!(env.read("../one/two/.env").is_some());
    // All of it goes with the environment, though one of the folders is gone already.
    fs::remove_dir_all(env.path().join("one/two")).unwrap();
    let _gone = env.envc(&["destroy", "production", "--yes"]).exits(0);
    assert_eq!(fs::read_dir(env.path().join("one")).unwrap().count(), 0);
}

#[test]
fn two_environments_in_one_folder_are_refused() {
    let env = start();
    let _production = apply(&env, "production", "../out").exits(0);
    let before = env.read("../out/wrangler.jsonc").unwrap();
    let refused = apply(&env, "staging", "../out");
    check("out_dir_of_another", &env, &refused);
    assert_eq!(env.read("../out/wrangler.jsonc").unwrap(), before);
    assert_eq!(env.cloud_listing().names("kv").len(), 1, "nothing was made");
    let _forced =
        env.envc(&["apply", "staging", "--yes", "--out-dir", "../out", "--force"]).exits(0);
    // They are the other one's now.
    let _gone = env.envc(&["destroy", "production", "--yes"]).exits(0);
    assert!(env.read("../out/wrangler.jsonc").unwrap().contains("staging"));
    let _gone = env.envc(&["destroy", "staging", "--yes"]).exits(0);
    assert_eq!(fs::read_dir(env.path().join("out")).unwrap().count(), 0);
}

#[test]
fn gits_rule_holds_in_whichever_repository_it_lies() {
    let env = start();
    env.write(".gitignore", "/.env*\n/.dev.vars\n/.envc/\n/wrangler.jsonc\n");
    // Below the checkout, in a folder that no line of .gitignore has.
    check("out_dir_in_git", &env, &apply(&env, "production", "gen/deep"));
    assert!(env.cloud_listing().is_empty() && !env.root().join("gen").exists());
    let ignore = env.read(".gitignore").unwrap();
    env.write(".gitignore", &format!("{ignore}/gen/\n"));
    let _ignored = apply(&env, "production", "gen/deep").exits(0);
    assert_eq!(mode(&env, "gen/deep/.env"), 0o600);
    // A link to it is the same folder.
    std::os::unix::fs::symlink("gen/deep", env.root().join("link")).unwrap();
    says(&apply(&env, "production", "link").exits(0), &["Nothing to do"]);

    // In another repository, which ignores nothing.
    let other = env.path().join("other");
    fs::create_dir(&other).unwrap();
    env.git(&["init", "--quiet", other.to_str().unwrap()]);
    let refused = apply(&env, "staging", "../other/conf").exits(1);
    says(&refused, &["would end up in git", "conf/.env"]);
    fs::write(other.join(".gitignore"), "*\n").unwrap();
    let _ignored = apply(&env, "staging", "../other/conf").exits(0);
    says(&apply(&env, "staging", ".git/conf").exits(64), &["git's own"]);
    says(&apply(&env, "staging", "environment.kdl").exits(1), &["environment.kdl"]);
}

#[test]
fn the_specs_own_folder_is_no_other_folder() {
    let env = TestEnv::new("quickstart");
    let here = env.root();
    let _bound = env.envc(&["apply", "--out-dir", here.to_str().unwrap()]).exits(0);
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
    let spec = env.read("environment.kdl").unwrap();
    let production = "environment \"production\" { identity \"production\" }\n";
    env.write("environment.kdl", &format!("{spec}{production}"));
    let other = env.envc(&["apply", "production", "--yes", "--out-dir", "."]).exits(0);
    says(&other, &["no files were written: this folder is bound to"]);
}
