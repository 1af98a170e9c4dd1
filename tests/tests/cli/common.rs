//! Transcripts and the small specs of these tests.

use std::{fs, path::Path};

use envc_tests::{Ran, Running, TestEnv};

/// One namespace: the least that an apply can make.
pub(crate) const ONE_KV: &str = "project \"shop\"\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    kv \"cache\"\n\
    allow \"unused_resource\"\n";

/// A type whose name is known to everybody.
pub(crate) const FIXED: &str = "project \"shop\"\n\
    environment \"production\" default { identity \"production\" }\n\
    kv \"cache\"\n\
    allow \"unused_resource\" \"unprotected_production\"\n";

/// The origin of a repository.
pub(crate) const A: &str = "git@github.com:acme/shop.git";
/// That of another one.
pub(crate) const B: &str = "https://gitlab.com/other/group/shop";

/// What differs from run to run, and what stands for it.
const FILTERS: &[(&str, &str)] = &[
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "[UUID]"),
    (r"\b[0-9a-f]{32}\b", "[ID]"),
    (r"\b\d+\.\d s\b", "[TIME]"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]"),
    (r#"(api +|port\.api=|"port": )\d{4}\b"#, "${1}[PORT]"),
    (r"main-t[0-9a-z]{5,6}[0-9a-f]{4}\b", "main-[MINTED]"),
    (r#"(envc:[^ "@]+)@[0-9a-f]{8}\b"#, "${1}@[REPOSITORY]"),
    (r"/state/state/.*\.json", "/state/[STATE]"),
    (r"cf-ray [0-9a-z-]+", "cf-ray [RAY]"),
    (r"\(os error \d+\)", "(os error)"),
];

/// The transcript of a run: exit code, standard output, standard error.
pub(crate) fn transcript(env: &TestEnv, ran: &Ran) -> String {
    let Ran { code, stdout, stderr, .. } = ran;
    let code = code.map_or_else(|| "none".to_owned(), |code| code.to_string());
    let text = format!("exit {code}\n--- stdout\n{stdout}--- stderr\n{stderr}");
    let tmp = env.path();
    text.replace(tmp.to_str().expect("test paths are text"), "[TMP]")
}

/// Compares a transcript with the one in `snapshots/cli/`.
#[track_caller]
pub(crate) fn check(name: &str, env: &TestEnv, ran: &Ran) {
    let text = transcript(env, ran);
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../snapshots/cli"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (pattern, stand_in) in FILTERS {
        settings.add_filter(pattern, *stand_in);
    }
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// All words stand in the run's talk or result.
#[track_caller]
pub(crate) fn says(ran: &Ran, words: &[&str]) {
    for word in words {
        assert!(ran.stdout.contains(word) || ran.stderr.contains(word), "no `{word}` in: {ran}");
    }
}

/// The permission bits of a file of the checkout.
pub(crate) fn mode(env: &TestEnv, path: &str) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(env.root().join(path)).expect("the file is there").permissions().mode() & 0o777
}

/// Replaces a text of the spec; it has to be there.
#[track_caller]
pub(crate) fn edit(env: &TestEnv, from: &str, to: &str) {
    let text = env.read("environment.kdl").expect("there is a spec");
    assert!(text.contains(from), "{from} is not in:\n{text}");
    env.write("environment.kdl", &text.replace(from, to));
}

/// All files below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => panic!("{}: {error}", folder.display()),
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The ID of the folder's environment.
pub(crate) fn id(env: &TestEnv) -> String {
    env.envc(&["output", "--only", "env"]).exits(0).stdout.trim().to_owned()
}

/// The repository has this origin from now on.
pub(crate) fn with_origin(env: TestEnv, origin: &str) -> TestEnv {
    env.git(&["remote", "add", "origin", origin]);
    env
}

/// A spec in a repository, whose commands reach the served cloud as Cloudflare. Nothing else is
/// shared: a fresh runner.
pub(crate) fn runner(spec: &str, origin: &str, cloud: &TestEnv) -> TestEnv {
    let mut env = with_origin(TestEnv::of_text(spec), origin);
    env.unset("ENVC_CLOUD");
    for name in ["CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"] {
        env.set(name, &cloud.var(name));
    }
    env.set("CI", "true");
    env
}

/// Runs a command in another folder.
pub(crate) fn in_folder(env: &TestEnv, folder: &Path, args: &[&str]) -> Ran {
    Running::start(env.command_in(folder, args)).end()
}
