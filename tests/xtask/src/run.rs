//! Running other programs, and telling what happens.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// Why a task stopped.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command line asks for something that is not there.
    Usage(String),
    /// The work itself failed.
    Task(String),
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(crate) fn task(message: impl Into<String>) -> Self {
        Self::Task(message.into())
    }

    /// Writes the failure to standard error and picks the exit code: 64 for a wrong command
    /// line, 1 for everything else.
    pub(crate) fn report(&self) -> ExitCode {
        let (text, code) = match self {
            Self::Usage(message) => (format!("{message}; try `cargo xtask --help`"), 64),
            Self::Task(message) => (message.clone(), 1),
        };
        // With standard error gone there is nobody left to tell.
        drop(writeln!(io::stderr().lock(), "xtask: {text}"));
        ExitCode::from(code)
    }
}

/// What every task gives back.
pub(crate) type Done = Result<(), Failure>;

/// Writes a line to standard output.
pub(crate) fn say(line: &str) -> Done {
    writeln!(io::stdout().lock(), "{line}")
        .map_err(|error| Failure::task(format!("failed to write to standard output: {error}")))
}

/// The repository's root folder.
pub(crate) fn root() -> Result<PathBuf, Failure> {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_path_buf).ok_or_else(
        || Failure::task("tests/xtask has moved: mend `root` in tests/xtask/src/run.rs"),
    )
}

/// A command of the PATH, to be run in the repository's root.
///
/// What the outer `cargo xtask` set for itself is taken out, so that an inner cargo of another
/// toolchain does not pick up this one's.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Result<Command, Failure> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root()?).env_remove("CARGO").env_remove("LD_LIBRARY_PATH");
    Ok(command)
}

/// A command that runs inside the environment of `.ci/wasm-toolchain.sh`, which installs what is
/// missing. `part` is `--rust` (a wasm build) or `--node` (serving).
pub(crate) fn command_with_tools(part: &str, arguments: &[&str]) -> Result<Command, Failure> {
    let mut command = command("bash", &[".ci/wasm-toolchain.sh", part, "--"])?;
    command.args(arguments);
    Ok(command)
}

/// Runs a command to its end, showing it and its output.
pub(crate) fn run(command: &mut Command) -> Done {
    let shown = shown(command);
    say(&format!("$ {shown}"))?;
    let status = command
        .status()
        .map_err(|error| Failure::task(format!("failed to start `{shown}`: {error}")))?;
    if status.success() { Ok(()) } else { Err(Failure::task(format!("`{shown}`: {status}"))) }
}

/// Runs a command to its end and gives its standard output.
pub(crate) fn output(command: &mut Command) -> Result<Vec<u8>, Failure> {
    let shown = shown(command);
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| Failure::task(format!("failed to start `{shown}`: {error}")))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(Failure::task(format!("`{shown}`: {}", output.status)))
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
