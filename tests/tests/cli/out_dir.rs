//! `--out-dir`: generated files in another folder.

use std::fs;

use envc_tests::{Ran, TestEnv};

use crate::common::{check, edit, mode, says};

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
