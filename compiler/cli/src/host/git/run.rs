//! How git is run: the user's own, without what a checkout could switch on, and for a bounded time.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use super::top;
use crate::host::{env::ProcessEnv, fsio, programs::Programs};

/// How long git may take. It reads a few files; a pipe among them it would wait for without end.
const BOUND: Duration = Duration::from_secs(10);
/// Between two looks at a git that has said all.
const LOOK: Duration = Duration::from_millis(1);
/// The repositories in which git did not answer: it is not asked there again.
static SILENT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// What a repository's own configuration may not switch on: commands and other programs. What comes
/// first on the command line is stronger than any file.
const WITHOUT_PROGRAMS: [&str; 11] = [
    "--no-pager",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    // One that is nobody's `.git` is a folder that a clone brought.
    "-c",
    "safe.bareRepository=explicit",
    "-c",
    "core.sshCommand=false",
    "-c",
    "credential.helper=",
];
/// The same, and that git changes and asks nothing, for variables: what is missing of a partial clone
/// is fetched by no command, not even by one that only asks.
const BY_VARIABLE: [(&str, &str); 5] = [
    ("LC_ALL", "C"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_ALLOW_PROTOCOL", "none"),
    ("GIT_TERMINAL_PROMPT", "0"),
];
/// The variables that git gets: where programs and the user's own configuration are. Not among them
/// are credentials, secrets, and what a hook's environment says of another repository.
const VARIABLES: [&str; 32] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    // By which root knows whose checkouts are its own.
    "SUDO_UID",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "DEVELOPER_DIR",
    "SDKROOT",
    "GIT_EXEC_PATH",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "ALLUSERSPROFILE",
    "APPDATA",
    "COMSPEC",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "PATHEXT",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERNAME",
    "USERPROFILE",
    "WINDIR",
    "MSYSTEM",
];
/// Begins the variables of the user's own configuration.
const CONFIGURATION: &str = "GIT_CONFIG_";

/// Runs git on a folder, which alone decides what is asked; messages come in English.
pub(super) fn run<A: AsRef<OsStr>>(
    folder: &Path,
    env: &ProcessEnv,
    arguments: &[A],
    input: &[u8],
) -> io::Result<Output> {
    let bound = env.test_git_bound_s.map_or(BOUND, Duration::from_secs);
    let repository = top(folder).unwrap_or(folder);
    let silent = || SILENT.lock().unwrap_or_else(PoisonError::into_inner);
    if silent().contains(repository) {
        return Err(no_answer(repository, bound));
    }
    let programs = Programs::around(folder, env);
    let mut command = Command::new(users_git(&programs)?);
    command.current_dir(folder).args(WITHOUT_PROGRAMS).args(arguments);
    for name in env.named("").iter().filter(|name| !is_for_git(name)) {
        command.env_remove(name);
    }
    command.envs(BY_VARIABLE).env("PATH", programs.path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let answer = answer(command.spawn()?, input, bound)?;
    if answer.is_none() {
        silent().insert(repository.to_owned());
    }
    answer.ok_or_else(|| no_answer(repository, bound))
}

/// The git that is the user's.
fn users_git(programs: &Programs) -> io::Result<PathBuf> {
    programs.users("git").ok_or_else(|| {
        let why = match programs.brought("git") {
            Some(file) => format!(
                "{} is one that the checkout brings, and there is no other on the PATH",
                file.display()
            ),
            None => "there is none on the PATH".to_owned(),
        };
        io::Error::new(io::ErrorKind::NotFound, why)
    })
}

/// The error of a git that was ended.
fn no_answer(repository: &Path, bound: Duration) -> io::Error {
    let why = format!(
        "it gave no answer within {} s, as where a pipe lies in place of a file; to look for one: \
         find {} -type p",
        bound.as_secs(),
        fsio::for_shell(repository)
    );
    io::Error::new(io::ErrorKind::TimedOut, why)
}

/// What it says until its end; `None` where its time was over, and it was ended.
fn answer(mut child: Child, input: &[u8], bound: Duration) -> io::Result<Option<Output>> {
    let until = Instant::now() + bound;
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_owned();
        // Git reads all of it before it answers, or none of it and closes the pipe.
        in_background(move || drop(stdin.write_all(&input)))?;
    }
    let said = [read(child.stdout.take())?, read(child.stderr.take())?];
    let mut texts = Vec::new();
    for from in said {
        match from.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(bytes) => texts.push(bytes),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                end(&mut child);
                return Ok(None);
            }
        }
    }
    loop {
        if let Some(status) = child.try_wait()? {
            let mut texts = texts.into_iter();
            let mut text = || texts.next().unwrap_or_default();
            return Ok(Some(Output { status, stdout: text(), stderr: text() }));
        }
        if Instant::now() > until {
            end(&mut child);
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
}

/// Ends it at once; there is nothing of it to be saved.
fn end(child: &mut Child) {
    let _ended = child.kill();
    let _status = child.wait();
}

/// Reads to the end, beside the others: who writes much into one of two pipes waits for its reader.
fn read(from: Option<impl Read + Send + 'static>) -> io::Result<Receiver<Vec<u8>>> {
    let (sender, receiver) = channel();
    in_background(move || {
        let mut bytes = Vec::new();
        // A pipe that breaks has said all that it had.
        let _read = from.map(|mut from| from.read_to_end(&mut bytes));
        let _gone = sender.send(bytes);
    })?;
    Ok(receiver)
}

fn in_background(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().spawn(work).map(drop)
}

/// True for a variable that git gets.
pub(super) fn is_for_git(name: &str) -> bool {
    let same = |known: &&str| {
        if cfg!(windows) { known.eq_ignore_ascii_case(name) } else { *known == name }
    };
    name.starts_with(CONFIGURATION) || VARIABLES.iter().any(same)
}
