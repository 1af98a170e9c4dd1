//! A process under observation: how long it runs, what it says, how much memory it takes.

use std::{
    fs,
    process::{Command, ExitStatus, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value as Json;

use crate::Result;

/// Between two looks at the memory of a process.
const LOOK: Duration = Duration::from_millis(2);

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Watched {
    /// From start to exit, in milliseconds.
    pub(crate) ms: f64,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Peak memory in MB, where it was looked at.
    pub(crate) peak_mb: f64,
}

/// Runs a process to its end, undisturbed.
pub(crate) fn run(command: &mut Command) -> Result<Watched> {
    let (watched, output) = run_to_end(command)?;
    if !output.status.success() {
        let (stdout, stderr) = (&watched.stdout, String::from_utf8_lossy(&output.stderr));
        return Err(format!("{command:?} ended with {}: {stdout}{stderr}", output.status));
    }
    Ok(watched)
}

/// The same where it is to find mistakes.
pub(crate) fn run_any(command: &mut Command) -> Result<Watched> {
    let (watched, output) = run_to_end(command)?;
    ends_by_itself(command, output.status)?;
    Ok(watched)
}

fn run_to_end(command: &mut Command) -> Result<(Watched, Output)> {
    let begun = Instant::now();
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let ms = millis(begun.elapsed());
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((Watched { ms, stdout, peak_mb: f64::NAN }, output))
}

fn ends_by_itself(command: &Command, status: ExitStatus) -> Result<()> {
    match status.code() {
        Some(_) => Ok(()),
        None => Err(format!("{command:?} ended with {status}")),
    }
}

/// Runs a process to its end and looks at its memory meanwhile.
pub(crate) fn run_for_memory(command: &mut Command) -> Result<Watched> {
    let (watched, status) = watch_memory(command)?;
    if !status.success() {
        return Err(format!("{command:?} ended with {status}"));
    }
    Ok(watched)
}

/// The same where it is to find mistakes.
pub(crate) fn run_for_memory_any(command: &mut Command) -> Result<Watched> {
    let (watched, status) = watch_memory(command)?;
    ends_by_itself(command, status)?;
    Ok(watched)
}

fn watch_memory(command: &mut Command) -> Result<(Watched, ExitStatus)> {
    let begun = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let mut peak_mb = f64::NAN;
    let status = loop {
        // The peak only rises, so the last look counts; a process that has ended has none.
        peak_mb = peak_of(&child.id().to_string()).unwrap_or(peak_mb);
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        thread::sleep(LOOK);
    };
    Ok((Watched { ms: millis(begun.elapsed()), stdout: String::new(), peak_mb }, status))
}

/// Peak memory of a process in MB; none where the system does not say.
pub(crate) fn peak_of(process: &str) -> Option<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kb: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kb * 1024.0 / 1e6)
}

/// Milliseconds with their fraction.
pub(crate) fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl Watched {
    /// The events of a run with `--json` that have this name.
    pub(crate) fn events(&self, name: &str) -> Vec<Json> {
        self.stdout
            .lines()
            .filter_map(|line| serde_json::from_str::<Json>(line).ok())
            .filter(|event| event.get("event").and_then(Json::as_str) == Some(name))
            .collect()
    }

    /// A number of the only event that has this name.
    pub(crate) fn number(&self, event: &str, field: &str) -> Result<f64> {
        let found = self.events(event);
        let number = found.last().and_then(|event| event.get(field)).and_then(Json::as_f64);
        number.ok_or_else(|| format!("no `{field}` in an event `{event}` in {}", self.stdout))
    }
}
