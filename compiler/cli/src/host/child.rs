//! The one place that starts programs, but for git.
//!
//! A program has no terminal to ask at, gets none of envc's credentials, and runs in a process group
//! of its own: when its time is over, or the user pressed Ctrl-C, all that it started ends with it.

use std::{
    collections::{BTreeSet, VecDeque},
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use envc_core::CREDENTIALS;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
    task::JoinHandle,
};

use crate::host::interrupt::Interrupt;

/// Bytes of what a program says that are kept: the last ones.
const OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// How long a program that is asked to end may take for it.
const GRACE: Duration = Duration::from_secs(2);
/// How long what a program left behind may hold its output open.
const LINGER: Duration = Duration::from_millis(500);

/// A program to run.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Its file.
    pub(crate) file: PathBuf,
    /// Its arguments.
    pub(crate) args: Vec<OsString>,
    /// The folder that it runs in; this process's where there is none.
    pub(crate) folder: Option<PathBuf>,
    /// Variables that it does not get, besides envc's own credentials.
    pub(crate) without: BTreeSet<String>,
    /// Variables that it gets besides the others.
    pub(crate) with: Vec<(&'static str, &'static str)>,
    /// How long it may take.
    pub(crate) bound: Duration,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By itself.
    Exited {
        /// It says that all went well.
        well: bool,
        /// The end of its standard output.
        stdout: String,
        /// The end of its standard error.
        stderr: String,
    },
    /// It took too long, and was ended.
    TookTooLong,
    /// The user asked to stop, and it was ended.
    Interrupted,
    /// It could not be started.
    NotStarted(io::Error),
}

impl Program {
    /// One without arguments that gets what this process has.
    pub(crate) fn new(file: &Path, bound: Duration) -> Self {
        Self {
            file: file.to_owned(),
            args: Vec::new(),
            folder: None,
            without: BTreeSet::new(),
            with: Vec::new(),
            bound,
        }
    }

    /// Runs it to its end.
    pub(crate) async fn run(&self, stop: Option<&Interrupt>) -> Ended {
        let mut child = match self.command().spawn() {
            Ok(child) => child,
            Err(error) => return Ended::NotStarted(error),
        };
        let stdout = child.stdout.take().map(keep_end);
        let stderr = child.stderr.take().map(keep_end);
        let asked = async {
            match stop {
                Some(stop) => stop.asked().await,
                None => std::future::pending().await,
            }
        };
        let early = tokio::select! {
            status = child.wait() => match status {
                Ok(status) => {
                    let well = status.success();
                    let (stdout, stderr) = futures::join!(text(stdout), text(stderr));
                    return Ended::Exited { well, stdout, stderr };
                }
                Err(error) => Ended::NotStarted(error),
            },
            () = asked => Ended::Interrupted,
            () = tokio::time::sleep(self.bound) => Ended::TookTooLong,
        };
        end(&mut child).await;
        early
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.file);
        command
            .args(&self.args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        for name in CREDENTIALS.iter().copied().chain(self.without.iter().map(String::as_str)) {
            command.env_remove(name);
        }
        command.envs(self.with.iter().copied());
        command
    }
}

/// Ends a program and all that is in its group: politely first.
#[cfg(unix)]
async fn end(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    // None: it has ended just now.
    let number = child.id().and_then(|id| i32::try_from(id).ok());
    let Some(group) = number.and_then(Pid::from_raw) else { return };
    let _gone = kill_process_group(group, Signal::TERM);
    let _ended = tokio::time::timeout(GRACE, child.wait()).await;
    // Also what outlives the program itself: while one of them is there, nobody else has the number.
    let _gone = kill_process_group(group, Signal::KILL);
    let _ended = tokio::time::timeout(GRACE, child.wait()).await;
}

#[cfg(not(unix))]
async fn end(child: &mut Child) {
    let _ended = tokio::time::timeout(GRACE, child.kill()).await;
}

/// Reads to the end, and keeps the last bytes.
fn keep_end(mut from: impl AsyncRead + Unpin + Send + 'static) -> JoinHandle<Vec<u8>> {
    tokio::spawn(async move {
        let (mut kept, mut buffer) = (VecDeque::new(), [0; 8 * 1024]);
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            kept.extend(buffer.iter().take(count));
            let over = kept.len().saturating_sub(OUTPUT_BYTES_MAX);
            kept.drain(..over);
        }
        kept.into()
    })
}

/// What was read. A process that is left behind may hold the output open; nobody waits for it.
async fn text(reading: Option<JoinHandle<Vec<u8>>>) -> String {
    let Some(reading) = reading else { return String::new() };
    let read = tokio::time::timeout(LINGER, reading).await;
    let bytes = read.ok().and_then(Result::ok).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, bound: Duration) -> Program {
        Program {
            args: vec!["-c".into(), script.into()],
            ..Program::new(Path::new("/bin/sh"), bound)
        }
    }

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn a_program_says_how_it_ended() {
        let ended = shell("echo out; echo err >&2; exit 3", LONG).run(None).await;
        let Ended::Exited { well: false, stdout, stderr } = ended else { panic!("{ended:?}") };
        assert_eq!((stdout.as_str(), stderr.as_str()), ("out\n", "err\n"));
        let ended = Program::new(Path::new("/nonexistent"), LONG).run(None).await;
        assert!(matches!(ended, Ended::NotStarted(_)), "{ended:?}");
    }

    #[tokio::test]
    async fn only_the_end_of_what_it_says_is_kept_and_what_it_left_is_not_waited_for() {
        let ended = shell("head -c 300000 /dev/zero | tr '\\0' x; echo end", LONG).run(None).await;
        let Ended::Exited { stdout, .. } = ended else { panic!("{ended:?}") };
        assert!(stdout.len() == OUTPUT_BYTES_MAX && stdout.ends_with("xend\n"));
        let begun = std::time::Instant::now();
        let ended = shell("sleep 20 & exit 0", LONG).run(None).await;
        assert!(matches!(ended, Ended::Exited { well: true, .. }), "{ended:?}");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[tokio::test]
    async fn one_that_hangs_is_ended_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let script =
            format!("trap '' TERM; sleep 60 & echo $! >{}; wait; sleep 60", file.display());
        let ended = shell(&script, Duration::from_millis(500)).run(None).await;
        assert!(matches!(ended, Ended::TookTooLong), "{ended:?}");
        let pid = std::fs::read_to_string(&file).unwrap();
        // What was killed takes a moment until it is gone.
        let begun = std::time::Instant::now();
        let is_left = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            state.is_ok_and(|it| !it.contains(") Z "))
        };
        while is_left() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{pid} is left");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
