//! A planted secret is found where the spec put it, and nowhere else.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use envc_tests::{Ran, TestEnv};

use crate::common::files_below;

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
    let cloud = envc_tests::ServedCloud::start(&mut env, "", &[]);
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
