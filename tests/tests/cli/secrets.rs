//! A planted secret is found where the spec put it, and nowhere else.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use envc_tests::{Ran, ServedCloud, TestEnv};

use crate::common::{A, files_below, in_folder, says, with_origin};

/// Nothing else on earth says this.
const PLANTED: &str = "planted-wombat-7731";

fn holders(folder: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    for path in files_below(folder) {
        let bytes = fs::read(&path).unwrap_or_default();
        if bytes.windows(PLANTED.len()).any(|window| window == PLANTED.as_bytes()) {
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            let path = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
            found.push((path, mode));
        }
    }
    found
}

#[track_caller]
fn silent(ran: &Ran) {
    assert!(!ran.stdout.contains(PLANTED) && !ran.stderr.contains(PLANTED), "{ran}");
}

fn every_command(env: &TestEnv) {
    for args in [
        &["plan", "-v", "--out", "plan.json"][..],
        &["apply", "-vv"],
        &["apply", "--json"],
        &["plan", "--json"],
        &["show", "-v"],
        &["show", "--json"],
        &["output"],
        &["output", "--json"],
        &["migrate", "status", "--json"],
    ] {
        silent(&env.envc(args).exits(0));
    }
}

#[test]
fn quickstart_keeps_its_secret() {
    let mut env = TestEnv::new("quickstart");
    env.set("QUICKSTART_SESSION_KEY", PLANTED);
    every_command(&env);
    let expect = [("project/.dev.vars".to_owned(), 0o600), ("project/.env".to_owned(), 0o600)];
    assert_eq!(holders(&env.path()), expect);
    // A changed secret is noticed, and still not told.
    env.set("QUICKSTART_SESSION_KEY", &format!("{PLANTED}-2"));
    let ran = env.envc(&["apply"]).exits(0);
    assert!(ran.stderr.contains("wrote .env"), "{ran}");
    silent(&ran);
    env.write(".env", &format!("{}# mine\n", env.read(".env").unwrap()));
    silent(&env.envc(&["apply"]).exits(1));
    silent(&env.envc(&["destroy", "--yes"]).exits(0));
}

#[test]
fn eventuall_keeps_its_secret_and_its_tunnels_token() {
    let mut env = TestEnv::new("eventuall");
    env.set("EVENTUALL_AUTH_SECRET", PLANTED).set("EVENTUALL_EDGE_TOKEN", PLANTED);
    every_command(&env);
    let expect =
        [("project/.env".to_owned(), 0o600), ("project/apps/webapp/.dev.vars".to_owned(), 0o600)];
    assert_eq!(holders(&env.path()), expect);

    let dotenv = env.read(".env").unwrap();
    let token = dotenv.lines().find_map(|line| line.strip_prefix("TUNNEL_TOKEN=")).unwrap();
    let token = token.trim_matches('\'');
    assert!(token.len() > 40, "{dotenv}");
    for path in files_below(&env.path()) {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
        let may = path.ends_with("project/.env") || path.starts_with(env.cloud_dir());
        assert!(may || !text.contains(token), "{}", path.display());
    }
}

#[test]
fn an_api_token_is_written_nowhere() {
    let mut env = TestEnv::new("quickstart");
    let cloud = ServedCloud::start(&mut env, "", &[]);
    let _applied = env.envc(&["apply", "-vv"]).exits(0);
    drop(cloud);
    env.set("CLOUDFLARE_API_TOKEN", PLANTED);
    silent(&env.envc(&["plan", "-vv"]).exits(1));
    assert_eq!(holders(&env.path()), []);
}

/// A secret inside of a longer text is hidden by itself, too.
#[test]
fn an_error_that_repeats_a_part_of_a_private_text_is_told_without_it() {
    const BARE: &str = "planted-bare-wombat";
    let mut env = TestEnv::of_text(
        "project \"shop\"\n\
         environment \"local\" default { identity branch max-length=20 unique }\n\
         secrets { env }\n\
         let k (secret)\"K\"\n\
         worker \"w\" path=\".\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-09-01\" {\n\
         \x20   secret \"S\" \"Bearer {let.k}\"\n}\n",
    );
    env.write("dist/index.js", "export default { fetch() {} };\n");
    env.set("K", BARE);
    let fault = format!("fail=PUT:/workers/scripts/:400:10021:odd token {BARE}");
    for args in [&["apply", "-vv"][..], &["apply", "--json"]] {
        let ran = env.envc_with_faults(&fault, args).exits(1);
        assert!(!ran.stdout.contains(BARE) && !ran.stderr.contains(BARE), "{ran}");
        assert!(format!("{ran}").contains("odd token (hidden)"), "{ran}");
    }
}

/// A Worker's secret, from a variable or from a file that git ignores.
const FROM_FILE: &str = "project \"shop\"\n\
    secrets { env prefix=\"SHOP_\" ; dotenv \".secrets.env\" }\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    worker \"api\" path=\"apps/api\" main=\"index.ts\" { secret \"AUTH_KEY\" }\n";

fn with_secrets(root: &str) -> TestEnv {
    let env = TestEnv::of_text("project \"other\"\n");
    env.write(&format!("{root}environment.kdl"), FROM_FILE);
    env.write(".gitignore", ".envc/\n.dev.vars\nwrangler.jsonc\n.secrets.env\n");
    env.git(&["add", "--all"]);
    env.git(&["commit", "--quiet", "--message", "shop"]);
    with_origin(env, A)
}

fn auth_key(folder: &Path) -> String {
    fs::read_to_string(folder.join("apps/api/.dev.vars")).unwrap_or_default()
}

/// Invariant: a new worktree needs nothing, also where there is a secret.
#[test]
fn a_worktree_has_the_secrets_of_the_main_working_tree() {
    for root in ["", "shop/"] {
        let env = with_secrets(root);
        env.write(&format!("{root}.secrets.env"), "AUTH_KEY=main\n");
        let worktree = env.worktree("feat/a").join(root);
        in_folder(&env, &worktree, &["apply"]).exits(0);
        assert!(auth_key(&worktree).contains("main"));
        // Its own file comes first, name by name.
        fs::write(worktree.join(".secrets.env"), "AUTH_KEY=own\n").unwrap();
        in_folder(&env, &worktree, &["apply"]).exits(0);
        assert!(auth_key(&worktree).contains("own"));
        fs::write(worktree.join(".secrets.env"), "AUTH_KEY=\"\"\nOTHER=1\n").unwrap();
        in_folder(&env, &worktree, &["apply"]).exits(0);
        assert!(auth_key(&worktree).contains("main"));
        // A link is not followed, and where it leads is not read.
        let main = env.root().join(root).join(".secrets.env");
        fs::rename(&main, env.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(env.path().join("elsewhere"), &main).unwrap();
        let ran = in_folder(&env, &worktree, &["apply"]).exits(1);
        says(&ran, &["the secret AUTH_KEY is not found", "is reached through a link"]);
    }
}

#[test]
fn the_users_folder_has_the_secrets_of_all_clones_and_the_error_names_all_places() {
    let mut env = with_secrets("shop/");
    let worktree = env.worktree("feat/a").join("shop");
    let ran = in_folder(&env, &worktree, &["apply"]).exits(1);
    let main = env.root().join("shop/.secrets.env").display().to_string();
    let users = "~/.config/envc/github.com/acme/shop/shop/.secrets.env";
    says(
        &ran,
        &["the variable SHOP_AUTH_KEY is not set", ".secrets.env is not there", &main, users],
    );
    says(&ran, &[&format!("for all worktrees, add a line to {main}: AUTH_KEY=…")]);
    assert!(env.cloud_listing().is_empty());
    let file = env.path().join("home/.config/envc/github.com/acme/shop/shop/.secrets.env");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "AUTH_KEY=users\n").unwrap();
    for folder in [&worktree, &env.root().join("shop")] {
        in_folder(&env, folder, &["apply"]).exits(0);
        assert!(auth_key(folder).contains("users"));
    }
    // The XDG scheme names another base.
    let base = env.path().join("xdg");
    env.set("XDG_CONFIG_HOME", base.to_str().unwrap());
    let ran = in_folder(&env, &worktree, &["apply"]).exits(1);
    says(&ran, &[base.join("envc/github.com/acme/shop/shop/.secrets.env").to_str().unwrap()]);
}

#[test]
fn a_file_with_secrets_in_git_is_an_error_on_an_account_and_told_on_the_local_cloud() {
    let mut env = with_secrets("");
    env.write(".secrets.env", "AUTH_KEY=v\n");
    env.git(&["add", "--force", ".secrets.env"]);
    let told = "git tracks .secrets.env";
    for args in [&["plan"][..], &["apply"]] {
        let near = env.envc(args).exits(0);
        says(&near, &["warning: git tracks .secrets.env", "git rm --cached .secrets.env"]);
    }
    env.envc(&["destroy", "--yes"]).exits(0);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    for args in [&["plan"][..], &["apply", "--yes"]] {
        let far = env.envc(args).exits(1);
        says(&far, &[told, "git rm --cached .secrets.env", ".gitignore"]);
        assert!(cloud.requests().is_empty(), "{far}");
    }
    // What comes from elsewhere does not come from that file.
    env.set("SHOP_AUTH_KEY", "variable");
    env.envc(&["plan"]).exits(0);
    env.unset("SHOP_AUTH_KEY");
    env.git(&["rm", "--quiet", "--cached", ".secrets.env"]);
    env.envc(&["apply", "--yes"]).exits(0);
}

#[test]
fn an_empty_variable_is_no_secret() {
    let mut env = with_secrets("");
    env.set("SHOP_AUTH_KEY", "");
    says(&env.envc(&["apply"]).exits(1), &["the variable SHOP_AUTH_KEY is empty"]);
    assert!(env.cloud_listing().is_empty() && auth_key(&env.root()).is_empty());
    env.write(".secrets.env", "AUTH_KEY=file\n");
    env.envc(&["apply"]).exits(0);
    assert!(auth_key(&env.root()).contains("file"));
}
