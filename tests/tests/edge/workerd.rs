//! A workerd of one's own, on a free port, with what it keeps in a folder of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::http::{Ask, ask};

/// How long the runtime may take until it listens.
const START_MAX: Duration = Duration::from_secs(30);

/// The Worker's secrets in every test.
pub(crate) const BOOTSTRAP_TOKEN: &str = "bootstrap-token-of-the-edge-tests";
/// 32 bytes, in base64.
pub(crate) const SEAL_KEY: &str = "c2VhbC1rZXktb2YtdGhlLWVkZ2UtdGVzdHMtMzJieXQ=";

/// A running workerd that serves the Worker. Dropping it ends the process and its storage.
pub(crate) struct Workerd {
    child: Child,
    pub(crate) address: SocketAddr,
    /// Where a request runs the cron, if it was started with one.
    pub(crate) cron: Option<SocketAddr>,
    disk: TempDir,
}

/// What `workerd serve` is given: the Worker alone.
const ALONE: &[&str] = &["workerd.capnp"];
/// The Worker, and beside it one whose every request runs the cron. Handlers of other Workers
/// may be called with an experimental flag alone.
const WITH_CRON: &[&str] = &["../../tests/tests/edge/cron/cron.capnp", "--experimental"];

impl Workerd {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Serves what stands in another folder than the build's, with a `workerd.capnp` of its own.
    pub(crate) fn start_in(folder: &Path) -> Self {
        let disk = TempDir::new().expect("a folder can be made");
        let (child, sockets) = serve_in(folder, ALONE, disk.path(), &[], 1);
        Self { child, address: sockets["http"], cron: None, disk }
    }

    /// Starts it with other values in its environment; an empty one takes the value away.
    pub(crate) fn start_with(environment: &[(&str, &str)]) -> Self {
        let disk = TempDir::new().expect("a folder can be made");
        let (child, sockets) = serve(ALONE, disk.path(), environment, 1);
        Self { child, address: sockets["http"], cron: None, disk }
    }

    /// Starts it behind a clock that goes ahead when it is told to.
    pub(crate) fn start_with_clock() -> Self {
        let disk = TempDir::new().expect("a folder can be made");
        let config = disk.path().join("ahead.capnp");
        std::fs::write(&config, with_clock()).expect("a file can be written");
        std::fs::create_dir(disk.path().join("kept")).expect("a folder can be made");
        let config = config.to_str().expect("test paths are text");
        let what = [config, "--import-path=/"];
        let (child, sockets) = serve(&what, &disk.path().join("kept"), &[], 1);
        Self { child, address: sockets["http"], cron: None, disk }
    }

    /// Lets so much time go by. Alarms do not ring for it.
    pub(crate) fn go_ahead(&self, ms: u64) {
        let target = format!("/ahead/{ms}");
        let answer = ask(self.address, Ask { method: "POST", target: &target, ..Ask::default() });
        assert_eq!(answer.status, 204, "{answer:?}");
    }

    /// Starts it with a cron.
    pub(crate) fn start_with_cron(environment: &[(&str, &str)]) -> Self {
        let disk = TempDir::new().expect("a folder can be made");
        let (child, sockets) = serve(WITH_CRON, disk.path(), environment, 2);
        Self { child, address: sockets["http"], cron: Some(sockets["cron"]), disk }
    }

    /// Ends the process as a power cut would; what it kept stays.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("workerd can be killed");
        self.child.wait().expect("a killed process ends");
    }

    /// Starts it again, on another port, with what it had kept.
    pub(crate) fn restart(&mut self) {
        self.restart_with(&[]);
    }

    pub(crate) fn restart_with(&mut self, environment: &[(&str, &str)]) {
        self.kill();
        let (child, sockets) = serve(ALONE, self.disk.path(), environment, 1);
        (self.child, self.address, self.cron) = (child, sockets["http"], None);
    }

    /// Everything that is on its disk.
    pub(crate) fn stored_bytes(&self) -> Vec<u8> {
        fn read(folder: &Path, bytes: &mut Vec<u8>) {
            for entry in folder.read_dir().unwrap().map(Result::unwrap) {
                if entry.path().is_dir() {
                    read(&entry.path(), bytes);
                } else {
                    bytes.extend(std::fs::read(entry.path()).unwrap());
                }
            }
        }
        let mut bytes = Vec::new();
        read(self.disk.path(), &mut bytes);
        bytes
    }
}

/// By name.
type Sockets = BTreeMap<String, SocketAddr>;

/// The Worker's folder.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../edge-worker/worker")
}

/// The Worker's configuration with the clock's module in front of its own.
fn with_clock() -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/edge/ahead/ahead.js");
    let text = std::fs::read_to_string(folder().join("workerd.capnp")).expect("it is there");
    let first = "modules = [";
    assert!(text.contains(first), "{text}");
    let clock =
        format!("{first}\n    (name = \"ahead.js\", esModule = embed \"{}\"),", tests.display());
    let build = folder().canonicalize().expect("it is there").join("build");
    text.replace(first, &clock).replace("embed \"build/", &format!("embed \"{}/", build.display()))
}

fn serve(
    what: &[&str],
    disk: &Path,
    environment: &[(&str, &str)],
    sockets: usize,
) -> (Child, Sockets) {
    serve_in(&folder(), what, disk, environment, sockets)
}

fn serve_in(
    folder: &Path,
    what: &[&str],
    disk: &Path,
    environment: &[(&str, &str)],
    sockets: usize,
) -> (Child, Sockets) {
    let program = std::env::var_os("WORKERD_BIN")
        .expect("WORKERD_BIN is not set: run this test with `cargo xtask test`");
    assert!(
        folder.join("build/index_bg.wasm").is_file(),
        "the Worker is not built: run `cargo xtask worker`"
    );
    let mut child = Command::new(program)
        .arg("serve")
        .args(what)
        .args(["--control-fd", "1"])
        .arg(format!("--directory-path=disk={}", disk.display()))
        .current_dir(folder)
        .env("BOOTSTRAP_TOKEN", BOOTSTRAP_TOKEN)
        .env("SEAL_KEY", SEAL_KEY)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("workerd can be started");
    let events = child.stdout.take().expect("standard output is piped");
    let sockets = wait_for_sockets(BufReader::new(events), sockets);
    (child, sockets)
}

impl Drop for Workerd {
    fn drop(&mut self) {
        // KILL at once: workerd does not end on TERM while a request hangs, and what it keeps
        // goes with it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads the runtime's control channel until it told so many ports: one JSON object a line,
/// `{"event":"listen","socket":"http","port":40123}`.
fn wait_for_sockets(events: impl BufRead + Send + 'static, count: usize) -> Sockets {
    let (sender, receiver) = mpsc::channel();
    // The thread ends with the process whose output it reads.
    let _reader = thread::spawn(move || {
        for line in events.lines().map_while(Result::ok) {
            let event: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            let port = event["port"].as_u64().and_then(|port| u16::try_from(port).ok());
            if let (Some(socket), Some(port)) = (event["socket"].as_str(), port) {
                drop(sender.send((socket.to_owned(), (Ipv4Addr::LOCALHOST, port).into())));
            }
        }
    });
    let wait = || receiver.recv_timeout(START_MAX).expect("workerd listens within half a minute");
    (0..count).map(|_| wait()).collect()
}
