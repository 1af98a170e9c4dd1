//! A checkout is data, not its user: what lies in it runs nothing, is not read through links to
//! elsewhere, and does not decide where something is written.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use envc_tests::{Ran, Running, TestEnv};

use crate::common::says;

/// Files with and without secrets, and no resource that an account is asked for.
const WITH_FILES: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    secrets { env ; dotenv \".secrets.env\" }\n\
    kv \"cache\"\n\
    dotenv \".env\" { ID \"{kv.cache.id}\" ; KEY (secret)\"SHOP_KEY\" }\n";

fn run_in(env: &TestEnv, folder: &Path, args: &[&str]) -> Ran {
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

/// True for whoever may give files to somebody else.
fn is_root(env: &TestEnv) -> bool {
    std::os::unix::fs::MetadataExt::uid(&fs::metadata(env.root()).unwrap()) == 0
}

fn give(path: &Path, owner: u32) {
    std::os::unix::fs::lchown(path, Some(owner), None).unwrap();
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

fn link(target: impl AsRef<Path>, at: impl AsRef<Path>) {
    std::os::unix::fs::symlink(target, at).unwrap();
}

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
