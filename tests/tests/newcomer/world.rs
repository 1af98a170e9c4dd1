//! Machines with homes of their own, one repository between them, and a Cloudflare.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::{fs::symlink, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use envc_tests::{CloudServer, CloudView, Listing, Ran, Running, binary, copy_source};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::readme::FirstScreen;

/// Longest that `wrangler dev` takes until it serves, on a machine that does other things as well.
const READY: Duration = Duration::from_mins(2);
/// Between two tries.
const LOOK: Duration = Duration::from_millis(200);

/// Everything of one test, in a folder that goes with it.
#[derive(Debug)]
pub(crate) struct World {
    folder: TempDir,
}

/// A computer with one user: a home, and variables.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    home: PathBuf,
    vars: Vec<(String, String)>,
}

/// A served cloud that stands for Cloudflare. Dropping it ends the server.
#[derive(Debug)]
pub(crate) struct Cloudflare {
    data: PathBuf,
    server: CloudServer,
}

/// A command that runs until it is dropped, with all that it started.
#[derive(Debug)]
pub(crate) struct Background {
    child: Child,
    log: PathBuf,
}

impl World {
    /// An empty world.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder can be made") }
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().expect("the world is there").join(name)
    }

    /// A machine that nobody used before.
    pub(crate) fn machine(&self, name: &str) -> Machine {
        let home = self.path(&format!("home of {name}"));
        fs::create_dir_all(home.join("bin")).expect("a home can be made");
        symlink(binary(), home.join("bin/envc")).expect("a program can be put there");
        let git = "[user]\nname = New\nemail = new@example.com\n[init]\ndefaultBranch = main\n\
                   [advice]\ndetachedHead = false\n[protocol \"file\"]\nallow = always\n";
        fs::write(home.join(".gitconfig"), git).expect("git can be configured");
        Machine { home, vars: Vec::new() }
    }

    /// A repository that machines clone, with a copy of this folder of the project as its content.
    /// Its address is `https://github.com/acme/NAME`, which every machine of this world knows.
    pub(crate) fn repository(&self, machine: &Machine, source: &str, name: &str) -> PathBuf {
        let work = self.copy(machine, source, &format!("{name}-first"));
        let bare = self.path(&format!("{name}.git"));
        let bare_text = bare.display().to_string();
        machine.run(&work, &format!("git clone --quiet --bare . '{bare_text}'")).exits(0);
        fs::remove_dir_all(&work).expect("the first checkout goes");
        bare
    }

    /// A copy of a folder of the project, as a repository of its own.
    pub(crate) fn copy(&self, machine: &Machine, source: &str, name: &str) -> PathBuf {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(source);
        let folder = self.path(name);
        copy_source(&from, &folder);
        let line = "git init --quiet && git add --all && git commit --quiet --message start";
        machine.run(&folder, line).exits(0);
        folder
    }

    /// A clone, as a machine or a job makes it.
    pub(crate) fn clone(
        &self,
        machine: &Machine,
        bare: &Path,
        name: &str,
        git_ref: &str,
    ) -> PathBuf {
        let folder = self.path(name);
        let of = bare.file_stem().and_then(|it| it.to_str()).expect("repositories have names");
        let line = format!(
            "git clone --quiet '{}' '{}' && cd '{}' && git checkout --quiet '{git_ref}' && \
             git remote set-url origin https://github.com/acme/{of}",
            bare.display(),
            folder.display(),
            folder.display()
        );
        machine.run(&self.path("."), &line).exits(0);
        folder
    }

    /// Serves a Cloudflare with one zone.
    pub(crate) fn cloudflare(&self, name: &str) -> Cloudflare {
        let data = self.path(&format!("cloudflare {name}"));
        let mut command = Command::new(binary());
        command
            .args(["cloud", "serve", "--listen", "127.0.0.1:0", "--json", "--zone", "shop.example"])
            .arg("--cloud-dir")
            .arg(&data)
            .current_dir(self.path("."))
            .env("HOME", self.path("."));
        Cloudflare { data, server: CloudServer::start(command) }
    }
}

impl Cloudflare {
    /// All that is there.
    pub(crate) fn listing(&self) -> Listing {
        CloudView::open(&self.data).listing()
    }

    /// The account, for changes and questions behind everybody's back.
    pub(crate) fn view(&self) -> CloudView {
        CloudView::open(&self.data)
    }

    /// Names of all that is there, but for what a claim leaves in the account.
    pub(crate) fn names(&self) -> Vec<String> {
        let objects = self.listing().without_claims().objects;
        objects.iter().map(|it| format!("{} {}", it.kind, it.name)).collect()
    }
}

impl Machine {
    /// The same machine where a variable is set.
    #[must_use]
    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut this = self.clone();
        this.vars.push((name.to_owned(), value.to_owned()));
        this
    }

    /// The same machine where the token of a Cloudflare is set.
    #[must_use]
    pub(crate) fn on(&self, cloudflare: &Cloudflare) -> Self {
        let mut this = self.clone();
        let vars = cloudflare.server.vars().iter();
        this.vars.extend(vars.map(|(name, value)| ((*name).to_owned(), value.clone())));
        this
    }

    /// Runs a line in a shell, its two outputs as a terminal would show them.
    #[track_caller]
    pub(crate) fn run(&self, folder: &Path, line: &str) -> Ran {
        FirstScreen::get().shows(line);
        Running::start(self.shell(folder, &format!("exec 2>&1\n{line}"))).end()
    }

    /// Starts a line that goes on, such as `wrangler dev`.
    #[track_caller]
    pub(crate) fn start(&self, folder: &Path, line: &str) -> Background {
        FirstScreen::get().shows(line);
        let log = self.home.join("background.log");
        let file = fs::File::create(&log).expect("a log can be made");
        let copy = file.try_clone().expect("a file can be shared");
        let child = self
            .shell(folder, &format!("exec {line}"))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .spawn()
            .expect("a shell can be started");
        Background { child, log }
    }

    fn shell(&self, folder: &Path, line: &str) -> Command {
        let path = env::var_os("PATH").unwrap_or_default();
        let bin = self.home.join("bin");
        let path = env::join_paths([bin].into_iter().chain(env::split_paths(&path)));
        let mut command = Command::new("bash");
        command
            .args(["-c", line])
            .current_dir(folder)
            .env_clear()
            .env("PATH", path.expect("paths can be joined"))
            .env("HOME", &self.home)
            // The newcomer reads the spec and approves what it asks for, where nobody can be asked.
            .env("ENVC_TRUST", "spec")
            .envs([("NO_COLOR", "1"), ("WRANGLER_SEND_METRICS", "false")])
            // No look-up at start, and compiling wrangler takes half of its time.
            .env("CLOUDFLARE_CF_FETCH_ENABLED", "false")
            .env("NODE_COMPILE_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("node"))
            .envs(self.vars.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Background {
    /// Waits until it answers on this port.
    #[track_caller]
    pub(crate) fn serves(&mut self, port: u16) {
        let begun = Instant::now();
        while get(port).is_none() {
            let ended = self.child.try_wait().expect("a child can be asked");
            assert!(
                ended.is_none() && begun.elapsed() < READY,
                "nothing answers on {port} ({ended:?}):\n{}",
                fs::read_to_string(&self.log).unwrap_or_default()
            );
            std::thread::sleep(LOOK);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // The group: wrangler has children of its own.
        let group = format!("-{}", self.child.id());
        drop(Command::new("kill").args(["-INT", "--", &group]).status());
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                break;
            }
            std::thread::sleep(LOOK);
        }
        drop(Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status());
        drop(self.child.wait());
    }
}

/// Any answer at all.
fn get(port: u16) -> Option<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream
        .write_all(b"GET /favicon.ico HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .ok()?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).ok()?;
    answer.starts_with(b"HTTP/1.1 ").then_some(())
}

/// The port that `wrangler dev` takes in this folder.
#[track_caller]
pub(crate) fn dev_port(folder: &Path) -> u16 {
    let config = config(folder);
    let port = config.pointer("/dev/port").and_then(Json::as_u64);
    port.and_then(|port| u16::try_from(port).ok()).unwrap_or_else(|| panic!("no port: {config}"))
}

/// A folder's generated wrangler.jsonc.
#[track_caller]
pub(crate) fn config(folder: &Path) -> Json {
    let path = folder.join("wrangler.jsonc");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let json: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {text}"))
}
