//! The real binary as a process: where it is, and how a test waits for it or ends it.

use std::{
    env,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::OnceLock,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{env::Ran, events};

/// A command that has not ended by then hangs.
const HANGS_AFTER: Duration = Duration::from_mins(2);
/// Between two looks at a process.
const LOOK: Duration = Duration::from_millis(2);

/// The binary under test: `ENVC_BIN`, else `envc` of the same build, built when it is not fresh.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| env::var_os("ENVC_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    let this = env::current_exe().expect("this program has a path");
    // target/{profile}/deps/{test}, or target/{profile}/{program}
    let mut folders = this.ancestors().skip(1).filter(|folder| !folder.ends_with("deps"));
    let folder = folders.next().expect("a program lies in a folder").to_owned();
    let target = folder.parent().expect("a profile's folder lies in the target folder");
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "-p", "envc", "--profile", profile, "--target-dir"])
        .arg(target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .status()
        .expect("cargo can be started");
    assert!(built.success(), "envc does not build");
    folder.join(format!("envc{}", env::consts::EXE_SUFFIX))
}

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    begun: Instant,
    line: String,
    /// Its standard output is events, which the test holds to their schema.
    prints_events: bool,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

impl Running {
    /// Starts a command; its output is collected as it comes.
    pub fn start(mut command: Command) -> Self {
        let line = format!("{:?}", command.get_args().collect::<Vec<_>>());
        let is_envc = command.get_program() == binary();
        let prints_events = is_envc && events::are_asked_for(&command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("envc can be started");
        let stdout = child.stdout.take().map(collect);
        let stderr = child.stderr.take().map(collect);
        Self { child, begun: Instant::now(), line, prints_events, stdout, stderr }
    }

    /// Time since the start.
    pub fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// True once the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_some()
    }

    /// Sends Ctrl-C.
    pub fn interrupt(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().expect("kill can be started");
        assert!(sent.success(), "process {id} takes no signal");
    }

    /// Ends the process as the power switch does: SIGKILL.
    pub fn kill(mut self) -> Ran {
        self.child.kill().expect("a child can be killed");
        self.end()
    }

    /// Waits for the end. Fails where the command printed an event that the schema forbids.
    pub fn end(mut self) -> Ran {
        let status = self.wait();
        let ms = self.begun.elapsed();
        let text = |pipe: Option<JoinHandle<Vec<u8>>>| {
            let bytes = pipe.and_then(|pipe| pipe.join().ok()).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let ran = Ran {
            line: self.line.clone(),
            code: status.code(),
            stdout: text(self.stdout.take()),
            stderr: text(self.stderr.take()),
            took: ms,
        };
        if self.prints_events {
            // A process that was killed leaves half a line behind.
            let whole = ran.stdout.rfind('\n').map_or(0, |end| end + 1);
            let lines =
                if ran.code.is_some() { Some(&*ran.stdout) } else { ran.stdout.get(..whole) };
            let _events = events::read(lines.unwrap_or_default());
        }
        ran
    }

    fn wait(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            if self.begun.elapsed() > HANGS_AFTER {
                drop(self.child.kill());
                drop(self.child.wait());
                panic!("envc {} hangs", self.line);
            }
            thread::sleep(LOOK);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A pipe that breaks has said all it had.
        let _end = pipe.read_to_end(&mut bytes);
        bytes
    })
}
