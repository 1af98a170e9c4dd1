//! What went wrong with a state or a run, for people.

use std::collections::BTreeSet;

use envc_core::counted;
use envc_exec::{Failure, Report, RunError, ports::PoolError};
use envc_plan::Verb;

use crate::host::{error::CommandError, interrupt::interrupted};

/// What came of a run whose record could be kept; what failed stands in the report.
/// `lost` says what may have happened to a lock that was lost.
pub(crate) fn recorded(
    outcome: Result<Report, RunError>,
    lost: &str,
) -> Result<Report, CommandError> {
    outcome.map_err(|error| {
        CommandError::failed(error.to_string())
            .because_text(
                std::error::Error::source(&error)
                    .map_or_else(|| lost.to_owned(), ToString::to_string),
            )
            .hint("run the command again: it looks at what is there and carries on")
            .code("envc::cli::record")
    })
}

/// A report of a run that did all, or everything that failed as one error.
///
/// `explain` tells what a pool said: what could not be done, of which pool, and the pool's words.
pub(crate) fn finished(
    report: Report,
    explain: &dyn Fn(String, &str, &PoolError) -> CommandError,
) -> Result<Report, CommandError> {
    if !report.failures.is_empty() {
        return Err(failed(&report, explain));
    }
    if report.interrupted {
        return Err(interrupted().because_text(format!(
            "{} done, {} not begun",
            counted(report.done, "step"),
            report.skipped
        )));
    }
    Ok(report)
}

fn failed(
    report: &Report,
    explain: &dyn Fn(String, &str, &PoolError) -> CommandError,
) -> CommandError {
    let Report { failures, done, skipped, .. } = report;
    let name = |failure: &Failure| failure.subjects.join(", ");
    if let [Failure { verb, pool: Some((pool, said)), .. }] = failures.as_slice() {
        let one = failures.first().map(name).unwrap_or_default();
        let error = explain(format!("could not {verb} {one}"), pool, said);
        return match verb {
            Verb::Lease if *done == 0 => {
                error.hint("nothing was created; the same command carries on")
            }
            _ => error.hint(format!(
                "all else is done ({done} done, {skipped} not begun): the same command carries on"
            )),
        };
    }
    let mut error = CommandError::failed(match failures.as_slice() {
        [one] => format!("could not {} {}", one.verb, name(one)),
        many => format!("{} steps failed", many.len()),
    });
    for failure in failures {
        // Of a migration the message names its file and its database.
        error = error.because_text(match failure.verb {
            _ if failures.len() == 1 => failure.message.clone(),
            Verb::Migrate => failure.message.clone(),
            _ => format!("{}: {}", name(failure), failure.message),
        });
    }
    let hints: BTreeSet<&str> =
        failures.iter().filter_map(|failure| failure.help.as_deref()).collect();
    for hint in hints {
        error = error.hint(hint);
    }
    error
        .hint(format!(
            "what was done is recorded ({done} done, {skipped} not begun): the same command \
             carries on"
        ))
        .code("envc::cli::step_failed")
}
