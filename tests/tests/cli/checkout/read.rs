//! What is read of a checkout: its own files, no secrets, and no links to elsewhere.

use std::{fs, path::Path};

use envc_tests::TestEnv;

use super::{WITH_FILES, give, is_root, link, run_in};
use crate::common::says;

const LOCAL: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    allow \"unused_resource\"\n";

/// A spec in a folder of a repository, so that there is something between the two.
fn below(more: &str) -> (TestEnv, std::path::PathBuf) {
    let env = TestEnv::of_text(LOCAL);
    env.write("apps/shop/environment.kdl", &format!("{LOCAL}{more}"));
    env.write("apps/shop/.keep", "");
    let folder = env.root().join("apps/shop");
    fs::write(env.path().join("home/credentials"), "aws_secret = hunter2\n").unwrap();
    (env, folder)
}

/// Refused by the plan and by apply, with none of what lies outside told.
#[track_caller]
fn refused_in(env: &TestEnv, folder: &Path, words: &[&str]) {
    for args in [&["plan"][..], &["apply", "--yes"], &["check"]] {
        let ran = run_in(env, folder, args);
        assert!(!format!("{ran}").contains("hunter2"), "{ran}");
        if args != ["check"] {
            says(&ran, words);
        }
        assert!(!args.contains(&"apply") || ran.code == Some(1), "{ran}");
    }
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn what_is_read_stays_in_the_repository() {
    let d1 = "d1 \"app\" { migrations \"m\" ; seed \"s.sql\" }\n";
    let with_template = "kv \"cache\"\nfile \"out.txt\" template=\"t\"\n";
    let bundle = "worker \"web\" path=\".\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-01-01\"\n";
    for (spec, at) in [
        (d1, "m/0001_init.sql"),
        (d1, "m"),
        (d1, "s.sql"),
        (with_template, "t"),
        (bundle, "dist"),
        (bundle, "dist/more.txt"),
    ] {
        // Straight, over a link that stays inside, and through one outside that leads back.
        for way in ["straight", "over", "back"] {
            let (env, folder) = below(spec);
            let outside = env.path().join("home/credentials");
            for (path, text) in [
                ("m/0000_a.sql", "SELECT 1;"),
                ("s.sql", "SELECT 1;"),
                ("t", "x"),
                ("dist/index.js", "export default {}"),
            ] {
                env.write(&format!("apps/shop/{path}"), text);
            }
            let at = folder.join(at);
            let _old = fs::remove_dir_all(&at).or_else(|_| fs::remove_file(&at));
            match way {
                "straight" => link(&outside, &at),
                "over" => {
                    link(&outside, env.root().join("hop"));
                    link(env.root().join("hop"), &at);
                }
                _ => {
                    env.write("inside", "x");
                    let back = env.path().join("home/back");
                    link(env.root().join("inside"), &back);
                    link(back, &at);
                }
            }
            refused_in(&env, &folder, &["a link on the way leads out of the repository"]);
        }
    }
}

#[test]
fn what_is_read_may_lie_elsewhere_in_the_repository_but_not_in_gits_own() {
    let (env, folder) = below("d1 \"app\" { migrations \"m\" }\nfile \"out.txt\" template=\"t\"\n");
    env.write("shared/m/0001_init.sql", "CREATE TABLE a (b);\n");
    env.write("shared/t", "x");
    env.write(".gitignore", "out.txt\n.envc/\n");
    link("../../shared/m", folder.join("m"));
    link(env.root().join("shared/t"), folder.join("t"));
    let _applied = run_in(&env, &folder, &["apply"]).exits(0);
    let _gone = run_in(&env, &folder, &["destroy", "--yes"]).exits(0);
    // A token may stand in git's configuration.
    env.git(&["config", "http.extraheader", "hunter2"]);
    fs::remove_file(folder.join("t")).unwrap();
    link("../../.git/config", folder.join("t"));
    refused_in(&env, &folder, &["it leads into a folder that git keeps for itself"]);
    env.git(&["worktree", "add", "-q", "--detach", "../wt"]);
    let there = env.path().join("wt/apps/shop");
    fs::create_dir_all(&there).unwrap();
    fs::write(there.join("environment.kdl"), env.read("apps/shop/environment.kdl").unwrap())
        .unwrap();
    link(env.root().join("shared/t"), there.join("t"));
    link(env.root().join("shared/m"), there.join("m"));
    refused_in(&env, &there, &["a link on the way leads out of the repository"]);
}

#[test]
fn a_spec_that_leads_elsewhere_is_not_read_and_not_written() {
    let env = TestEnv::of_text(LOCAL);
    let spec = env.root().join("environment.kdl");
    let outside = env.path().join("home/other.kdl");
    let text = format!("{LOCAL}  kv   \"cache\"\n");
    fs::write(&outside, &text).unwrap();
    env.git(&["init", "-q", "--bare", "store"]);
    env.write("store/x.kdl", &text);
    env.write(".git/x.kdl", &text);
    for target in [outside.as_path(), Path::new(".git/x.kdl"), Path::new("store/x.kdl")] {
        fs::remove_file(&spec).unwrap();
        link(target, &spec);
        for args in [&["check"][..], &["fmt"], &["fmt", "environment.kdl"], &["plan"]] {
            let _refused = env.envc(args).exits(65);
        }
    }
    for kept in [outside, env.root().join(".git/x.kdl"), env.root().join("store/x.kdl")] {
        assert_eq!(fs::read_to_string(kept).unwrap(), text);
    }
    // One that stays in the working tree is formatted where it is.
    env.write("real/spec.kdl", &text);
    fs::remove_file(&spec).unwrap();
    link("real/spec.kdl", &spec);
    let _formatted = env.envc(&["fmt"]).exits(0);
    assert!(spec.is_symlink() && env.read("real/spec.kdl").unwrap().contains("\nkv \"cache\"\n"));
}

#[test]
fn secrets_come_through_no_link() {
    let mut env = TestEnv::of_text(&WITH_FILES.replace("env ; ", ""));
    let outside = env.path().join("home/s.env");
    fs::write(&outside, "SHOP_KEY=hunter2\n").unwrap();
    env.write("real/s.env", "SHOP_KEY=hunter2\n");
    for target in [outside.as_path(), Path::new("real/s.env")] {
        link(target, env.root().join(".secrets.env"));
        let ran = env.envc(&["apply"]).exits(1);
        says(&ran, &[".secrets.env is reached through a link"]);
        fs::remove_file(env.root().join(".secrets.env")).unwrap();
    }
    // As of a worktree, whose main working tree has it through a link.
    let worktree = env.worktree("fix");
    link(&outside, env.root().join(".secrets.env"));
    says(&run_in(&env, &worktree, &["apply"]).exits(1), &["is reached through a link"]);
    assert!(env.cloud_listing().is_empty());
    fs::remove_file(env.root().join(".secrets.env")).unwrap();
    env.write(".secrets.env", "SHOP_KEY=1\n");
    let _applied = run_in(&env, &worktree, &["apply"]).exits(0);
    // What belongs to somebody else is not taken either.
    if is_root(&env) {
        give(&env.root().join(".secrets.env"), 4711);
        says(&env.envc(&["apply"]).exits(1), &["belongs to another user"]);
        env.set("SUDO_UID", "4711");
        let _applied = env.envc(&["apply"]).exits(0);
    }
}

#[test]
fn no_file_of_secrets_is_a_template_a_migration_or_a_module_under_another_name() {
    let spec = "secrets { dotenv \".secrets.env\" }\nkv \"cache\"\nd1 \"app\" { migrations \"m\" }\n\
        worker \"web\" path=\".\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-01-01\"\n\
        dotenv \"conf/app.env\" { KEY (secret)\"KEY\" }\nfile \"public.txt\" template=\"t\"\n";
    for (secret, at) in [
        (".secrets.env", "t"),
        (".secrets.env", "m/0002_b.sql"),
        (".secrets.env", "dist/leak.txt"),
        ("apps/.dev.vars.production", "t"),
        ("apps/.dev.vars.production", "dist/leak.txt"),
        ("conf/app.env", "t"),
        ("conf/app.env", "dist/leak.txt"),
    ] {
        for hard in [false, true] {
            let env = TestEnv::of_text(&format!("{LOCAL}{spec}"));
            env.write(".gitignore", "*\n");
            for (path, text) in [
                ("m/0001_a.sql", "SELECT 1;"),
                ("dist/index.js", "export default {}"),
                ("t", "x"),
                (".secrets.env", "KEY=hunter2\n"),
                ("apps/.dev.vars.production", "KEY=hunter2\n"),
            ] {
                env.write(path, text);
            }
            // What an apply wrote is private in the next one.
            let _first = env.envc(&["apply"]).exits(0);
            let _gone = fs::remove_file(env.root().join(at));
            if hard {
                if secret.contains(".dev.vars") {
                    continue; // it is known by its name alone
                }
                fs::hard_link(env.root().join(secret), env.root().join(at)).unwrap();
            } else {
                link(env.root().join(secret), env.root().join(at));
            }
            let ran = env.envc(&["apply", "--yes"]);
            // A private file of envc's own is no module, and is passed over.
            let is_passed_over = secret == "conf/app.env" && at.starts_with("dist") && !hard;
            if is_passed_over {
                let _nothing = ran.exits(0);
            } else {
                says(&ran.exits(1), &["it is a file of secrets"]);
            }
            let public = env.read("public.txt").unwrap();
            assert!(!public.contains("hunter2"), "{public}");
            if at == "t" && secret == ".secrets.env" {
                says(&env.envc(&["check"]).exits(65), &["it is a file of secrets"]);
            }
        }
    }
}

#[test]
fn a_bundle_whose_links_lead_round_ends_with_an_error() {
    let spec = "worker \"web\" path=\".\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-01-01\"\n";
    for links in [
        &[("dist/a", ".")][..],
        &[("dist/a/b", "../a")],
        &[("dist/a/x", "../b"), ("dist/b/x", "../a")],
        &[("dist/a", "b"), ("dist/b", "a")],
        &[("dist/a", "..")],
    ] {
        let env = TestEnv::of_text(&format!("{LOCAL}{spec}"));
        env.write("dist/index.js", "export default {}");
        for (at, target) in links {
            let at = env.root().join(at);
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            link(target, at);
        }
        let ran = env.envc(&["apply", "--yes"]).exits(1);
        let told = format!("{ran}");
        assert!(told.contains("are one folder") || told.contains("leads to itself"), "{told}");
    }
}

/// All that is in a folder: each path with its content, or where it leads.
fn whole(folder: &Path) -> std::collections::BTreeMap<std::path::PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_symlink() {
                let target = fs::read_link(&path).unwrap();
                found.insert(path, target.into_os_string().into_encoded_bytes());
            } else if path.is_dir() {
                found.insert(path.clone(), Vec::new());
                open.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                found.insert(path, bytes);
            }
        }
    }
    found
}

#[test]
fn commands_that_read_write_nothing_into_the_checkout() {
    let pure: &[&[&str]] = &[&["check"], &["fmt", "--check"], &["schema"]];
    let reads: &[&[&str]] = &[
        &["plan"],
        &["show", "--json"],
        &["output"],
        &["migrate", "status"],
        &["destroy", "--plan"],
    ];
    let env = TestEnv::new("quickstart");
    let worktree = env.worktree("fix");
    let check = |all: &[&[&str]]| {
        for args in all {
            let before = (whole(&env.root()), whole(&worktree));
            let ran = run_in(&env, &worktree, args);
            assert!(before == (whole(&env.root()), whole(&worktree)), "{ran}");
        }
    };
    check(pure);
    // What is known of a folder is noted in it once; from then on looking at it changes nothing.
    let _applied = run_in(&env, &worktree, &["apply"]).exits(0);
    check(pure);
    check(reads);
}
