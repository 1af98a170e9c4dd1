//! `envc cloud serve` as a user starts it, and the clients pointed at it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use envc_tests::{CloudServer, Ran, Running, TestEnv};
use serde_json::Value as Json;

/// A served cloud with one zone, and a checkout beside it. Dropping it ends the server.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) env: TestEnv,
    server: CloudServer,
}

impl Served {
    /// Serves the user's cloud; `envc` works on it as on Cloudflare.
    pub(crate) fn start(mut env: TestEnv) -> Self {
        let arguments =
            ["cloud", "serve", "--listen", "127.0.0.1:0", "--json", "--zone", "eventuall.live"];
        let server = CloudServer::start(env.command(&arguments));
        env.unset("ENVC_CLOUD");
        for (name, value) in server.vars() {
            env.set(name, value);
        }
        Self { env, server }
    }

    /// Serves an empty cloud.
    pub(crate) fn empty() -> Self {
        Self::start(TestEnv::of_text("project \"conformance\"\n"))
    }

    /// Runs wrangler in a folder below the checkout.
    pub(crate) fn wrangler_in(&self, folder: &str, args: &[&str]) -> Ran {
        self.run("wrangler", folder, args)
    }

    /// Runs wrangler in the checkout.
    pub(crate) fn wrangler(&self, args: &[&str]) -> Ran {
        self.wrangler_in(".", args)
    }

    /// Runs wrangler for its JSON.
    #[track_caller]
    pub(crate) fn wrangler_json(&self, args: &[&str]) -> Json {
        let ran = self.wrangler(args).exits(0);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
    }

    /// Runs a script of this folder that uses the SDK.
    pub(crate) fn node(&self, script: &str, args: &[&str]) -> Ran {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
        let script = folder.join(script);
        let mut all = vec![script.to_str().expect("the repository's path is text")];
        all.extend(args);
        self.run("node", ".", &all)
    }

    /// Runs a script of this folder that uses the SDK for Python.
    pub(crate) fn python(&self, script: &str) -> Ran {
        let python = env::var("SDK_PYTHON");
        let python = python.expect("SDK_PYTHON is not set: run this test with `cargo xtask test`");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
        let script = folder.join(script);
        self.run(&python, ".", &[script.to_str().expect("the repository's path is text")])
    }

    /// Starts wrangler in the checkout.
    pub(crate) fn start_wrangler(&self, args: &[&str]) -> Running {
        self.begin("wrangler", ".", args)
    }

    fn run(&self, program: &str, folder: &str, args: &[&str]) -> Ran {
        self.begin(program, folder, args).end()
    }

    fn begin(&self, program: &str, folder: &str, args: &[&str]) -> Running {
        let home = self.env.path().join("home");
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.env.root().join(folder))
            .env_clear()
            .envs(self.server.vars().iter().map(|(name, value)| (name, value)))
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", &home)
            // No question is asked, nothing is coloured, nobody is told.
            .envs([("CI", "1"), ("NO_COLOR", "1"), ("WRANGLER_SEND_METRICS", "false")])
            .env("NODE_PATH", node_modules())
            // Compiling wrangler takes half of its time.
            .env("NODE_COMPILE_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("node"));
        Running::start(command)
    }
}

/// Runs a script of this folder beside an environment, without any cloud.
pub(crate) fn node_of(env: &TestEnv, script: &str, args: &[&str]) -> Ran {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(script);
    let mut command = Command::new("node");
    command
        .arg(script)
        .args(args)
        .current_dir(env.root())
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", env.path().join("home"))
        .envs([("CI", "1"), ("NO_COLOR", "1"), ("WRANGLER_SEND_METRICS", "false")])
        .env("NODE_PATH", node_modules())
        .env("NODE_COMPILE_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("node"));
    Running::start(command).end()
}

/// Where npm put wrangler, and with it the SDK.
fn node_modules() -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).find(|folder| folder.join("wrangler").is_file());
    let bin = found.expect("wrangler is not on the PATH: run this test with `cargo xtask test`");
    bin.parent().expect("npm's commands lie in node_modules/.bin").to_owned()
}

/// A field of some JSON, as text.
#[track_caller]
pub(crate) fn text<'a>(json: &'a Json, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Json::as_str).unwrap_or_else(|| panic!("no {pointer}: {json}"))
}

/// Asserts that all these words stand in a text.
#[track_caller]
pub(crate) fn says(told: &str, wanted: &[&str]) {
    for words in wanted {
        assert!(told.contains(words), "no {words:?} in\n{told}");
    }
}
