//! Generated files: whose they are, who may read them, and when they are left alone.

use std::{fs, time::SystemTime};

use envc_tests::TestEnv;
use serde_json::Value as Json;

use crate::common::{check, edit, id, mode, says};

const FILES: [&str; 3] = [".env", ".dev.vars", "wrangler.jsonc"];

fn applied() -> TestEnv {
    let env = TestEnv::new("quickstart");
    let _first = env.envc(&["apply"]).exits(0);
    env
}

fn times(env: &TestEnv) -> Vec<SystemTime> {
    let time = |path: &str| fs::metadata(env.root().join(path)).unwrap().modified().unwrap();
    FILES.map(time).to_vec()
}

#[test]
fn secrets_are_private_and_the_configuration_names_what_was_made() {
    let env = applied();
    assert_eq!((mode(&env, ".env"), mode(&env, ".dev.vars")), (0o600, 0o600));
    assert!(env.read(".env").unwrap().contains("SESSION_KEY=placeholder-not-a-secret\n"));
    let text = env.read("wrangler.jsonc").unwrap();
    let json: String = text.lines().filter(|line| !line.starts_with("//")).collect();
    let config: Json = serde_json::from_str(&json).unwrap();
    let listing = env.cloud_listing();
    let id = id(&env);
    let at = |path: &str| config.pointer(path).and_then(Json::as_str).map(str::to_owned);
    let of = |kind, name: &str| {
        listing.id(kind, &format!("quickstart--{name}--{id}")).map(str::to_owned)
    };
    assert_eq!(at("/d1_databases/0/database_id"), of("d1", "app"));
    assert_eq!(at("/kv_namespaces/0/id"), of("kv", "sessions"));
    assert_eq!(at("/r2_buckets/0/bucket_name"), of("r2", "uploads"));
    assert_eq!(
        at("/queues/producers/0/queue").as_deref(),
        Some(&*format!("quickstart--jobs--{id}"))
    );
    // Nobody is asked to commit anything.
    assert_eq!(env.git(&["status", "--porcelain"]), "");
}

#[test]
fn unchanged_files_are_not_touched_and_lost_ones_come_back() {
    let env = applied();
    let before = times(&env);
    let _again = env.envc(&["apply"]).exits(0);
    assert_eq!(times(&env), before);
    fs::remove_file(env.root().join(".env")).unwrap();
    says(&env.envc(&["plan"]).exits(0), &["Files to write: .env"]);
    says(&env.envc(&["apply"]).exits(0), &["wrote .env"]);
    assert_eq!(times(&env)[1..], before[1..]);
}

#[test]
fn a_plan_tells_of_files_what_an_apply_would_do() {
    let env = applied();
    let counted = &["plan", "--detailed-exitcode"];
    assert_eq!(env.envc(counted).exits(0).stdout, "No changes.\n");
    // Edited: apply refuses, and so the plan is no promise that it has nothing to do.
    let whole = env.read("wrangler.jsonc").unwrap();
    env.write("wrangler.jsonc", &format!("{whole}// mine\n"));
    let ran = env.envc(counted).exits(2);
    says(&ran, &["apply will refuse: wrangler.jsonc would be overwritten", "-// mine", "--force"]);
    assert!(!ran.stdout.contains("Files to write"), "{ran}");
    says(&env.envc(&["plan", "--json"]).exits(0), &["\"event\":\"warning\"", "file_edited"]);
    let _refused = env.envc(&["apply"]).exits(1);
    env.write("wrangler.jsonc", &whole);
    // What it would hold has changed, and it is as envc left it.
    edit(&env, "var \"ENVIRONMENT\"", "var \"STAGE\"");
    says(&env.envc(counted).exits(2), &["Files to write: wrangler.jsonc"]);
    let _applied = env.envc(&["apply"]).exits(0);
    // Git would commit it.
    let _added = env.git(&["add", "-f", ".env"]);
    says(&env.envc(counted).exits(2), &["apply will refuse", "git rm --cached .env"]);
    let _taken = env.git(&["rm", "-q", "--cached", ".env"]);
    assert_eq!(env.envc(counted).exits(0).stdout, "No changes.\n");
}

#[test]
fn a_file_that_the_spec_drops_goes_with_the_next_apply_whatever_else_stays() {
    let env = applied();
    let text = env.read("environment.kdl").unwrap();
    let begin = text.find("dotenv \".env\"").unwrap();
    let end = begin + text.get(begin..).unwrap().find("\n}").unwrap() + 2;
    let without = format!("{}{}", text.get(..begin).unwrap(), text.get(end..).unwrap());
    env.write("environment.kdl", &without);
    says(&env.envc(&["plan", "--detailed-exitcode"]).exits(2), &["Files to remove: .env\n"]);
    says(&env.envc(&["apply"]).exits(0), &["removed .env", "Applied"]);
    assert_eq!(env.read(".env"), None);
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    // One that a person edited stays, and is theirs from then on.
    env.write("environment.kdl", &text);
    let _back = env.envc(&["apply"]).exits(0);
    env.write(".env", "MINE=1\n");
    env.write("environment.kdl", &without);
    let _none = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    says(&env.envc(&["apply"]).exits(0), &["it was edited, so it stays", "Nothing to do"]);
    assert_eq!(env.read(".env").as_deref(), Some("MINE=1\n"));
    assert!(!format!("{}", env.envc(&["apply"]).exits(0)).contains("edited"));
}

#[test]
fn what_a_person_edited_is_not_overwritten_without_force() {
    let env = applied();
    let edited = env.read("wrangler.jsonc").unwrap().replace("\"dev\"", "\"mine\"");
    env.write("wrangler.jsonc", &edited);
    edit(&env, "var \"ENVIRONMENT\"", "var \"STAGE\"");
    check("file_edited", &env, &env.envc(&["apply"]));
    assert_eq!(env.read("wrangler.jsonc").unwrap(), edited);
    says(&env.envc(&["apply", "--force"]).exits(0), &["wrote wrangler.jsonc"]);
    assert!(env.read("wrangler.jsonc").unwrap().contains("STAGE"));

    let secret = format!("{}MINE=hidden-words\n", env.read(".env").unwrap());
    env.write(".env", &secret);
    let ran = env.envc(&["apply"]).exits(1);
    says(&ran, &[".env was edited", "--force"]);
    assert!(!format!("{ran}").contains("hidden-words"), "{ran}");
}

#[test]
fn a_file_of_somebody_else_stops_the_apply_before_anything_is_made() {
    let env = TestEnv::new("quickstart");
    env.write("wrangler.jsonc", "{}\n");
    says(&env.envc(&["apply"]).exits(1), &["wrangler.jsonc", "--force"]);
    assert!(env.cloud_listing().is_empty());
    assert_eq!(env.read("wrangler.jsonc").unwrap(), "{}\n");
}

#[test]
fn nothing_of_one_environment_gets_into_git() {
    let env = TestEnv::new("quickstart");
    let ignore = env.read(".gitignore").unwrap();
    env.write(".gitignore", &ignore.replace("wrangler.jsonc\n", ""));
    env.write(".env", "");
    let _added = env.git(&["add", "--force", ".env"]);
    check("file_for_git", &env, &env.envc(&["apply"]));
    assert!(env.cloud_listing().is_empty());
}

/// Names that begin as those of envc's own temporary files do and did.
#[test]
fn nothing_of_the_users_is_swept() {
    let env = TestEnv::new("quickstart");
    let names = [".envc-config", ".envc-tokens", ".envc-aB3xYz", ".envc-tmp-0123456789ab"];
    let path = |name: &str| env.root().join(name);
    let hour = std::time::Duration::from_hours(1);
    for name in names {
        env.write(name, "mine\n");
        let file = fs::File::options().append(true).open(path(name)).unwrap();
        file.set_modified(SystemTime::now() - hour).unwrap();
    }
    fs::create_dir(path(".envc-folder")).unwrap();
    std::os::unix::fs::symlink("environment.kdl", path(".envc-linked")).unwrap();
    for args in [&["apply"][..], &["apply", "--force"], &["destroy", "--yes"]] {
        let _ran = env.envc(args).exits(0);
        for name in names {
            assert_eq!(env.read(name).as_deref(), Some("mine\n"), "{name} after {args:?}");
        }
        assert!(path(".envc-folder").is_dir() && path(".envc-linked").is_symlink(), "{args:?}");
    }
}

#[test]
fn another_type_in_a_bound_folder_writes_no_files() {
    let env = applied();
    let spec = env.read("environment.kdl").unwrap();
    let production = "environment \"production\" { identity \"production\" }\n";
    env.write("environment.kdl", &format!("{spec}{production}"));
    let before = times(&env);
    let ran = env.envc(&["apply", "production"]).exits(0);
    says(&ran, &["no files were written", "--rebind", "--out-dir"]);
    assert_eq!(times(&env), before);
    assert!(!env.read(".env").unwrap().contains("production"));

    let _elsewhere = env.envc(&["apply", "production", "--out-dir", "../dist"]).exits(0);
    assert_eq!(mode(&env, "../dist/.env"), 0o600);
    assert!(env.read("../dist/wrangler.jsonc").unwrap().contains("quickstart--app--production"));
    assert_eq!(times(&env), before);

    let _rebound = env.envc(&["apply", "production", "--rebind"]).exits(0);
    assert!(env.read("wrangler.jsonc").unwrap().contains("quickstart--app--production"));
    says(&env.envc(&["show"]).exits(0), &["`production` (type production)"]);
}

#[test]
fn destroy_removes_files_but_not_what_was_edited() {
    let env = applied();
    env.write(".env", "MINE=1\n");
    let ran = env.envc(&["destroy", "--yes"]).exits(0);
    says(&ran, &["removed wrangler.jsonc", "removed .dev.vars", ".env was edited, so it stays"]);
    assert_eq!(env.read(".env").as_deref(), Some("MINE=1\n"));
    assert_eq!((env.read(".dev.vars"), env.read("wrangler.jsonc")), (None, None));
}

#[test]
fn a_file_that_cannot_be_written_says_where_and_the_next_apply_carries_on() {
    let env = TestEnv::new("quickstart");
    // Also root cannot write below a file.
    edit(&env, "dotenv \".env\"", "dotenv \"config/.env\"");
    env.write("config", "in the way");
    let ran = env.envc(&["apply"]).exits(1);
    says(&ran, &["config"]);
    fs::remove_file(env.root().join("config")).unwrap();
    let _second = env.envc(&["apply"]).exits(0);
    assert_eq!(mode(&env, "config/.env"), 0o600);
    assert_eq!(env.cloud_listing().counts().values().sum::<usize>(), 5);
}

#[test]
fn a_generated_file_as_large_as_a_template_may_be_is_up_to_date_at_once() {
    let env = TestEnv::of_text(
        r#"
project "large" { zone "eventuall.live" }
environment "local" default { identity branch max-length=20 unique }
kv "cache"
file ".env.large" template="large.txt"
"#,
    );
    let lines = "0123456789abcdef\n".repeat(60);
    env.write(
        "large.txt",
        &format!("{{{{ kv.cache.id }}}}\n{{% for at in range(1000) %}}\n{lines}{{% endfor %}}"),
    );
    let _first = env.envc(&["apply"]).exits(0);
    assert!(env.read(".env.large").unwrap().len() > 1_000_000);
    let again = env.envc(&["apply", "--json"]).exits(0);
    assert!(again.event("file_written").is_none(), "{again}");
    says(&env.envc(&["apply"]).exits(0), &["Nothing to do"]);
}

#[test]
fn a_file_that_another_envc_wrote_is_told_so_with_the_way_out() {
    let mut env = applied();
    let before = env.read("wrangler.jsonc").unwrap();
    // The same folder, and a user whose state directory is another one.
    env.set("ENVC_STATE_DIR", env.path().join("other").to_str().unwrap());
    let refused = env.envc(&["apply"]).exits(1);
    says(
        &refused,
        &[
            "wrangler.jsonc begins as envc writes it, and nothing is recorded of it here",
            "ENVC_STATE_DIR",
            "--force loses nothing",
        ],
    );
    assert!(!refused.stderr.contains("was edited"), "{refused}");
    assert_eq!(env.read("wrangler.jsonc").unwrap(), before);
}
