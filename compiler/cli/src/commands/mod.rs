//! The verbs, one file each.

mod check;
mod cloud;
mod completions;

use crate::{
    app::App,
    args::{CloudVerb, Verb},
    error::CommandError,
    exit_code::ExitCode,
};

/// Runs one verb.
pub(crate) fn run(app: &App, verb: Verb) -> Result<ExitCode, CommandError> {
    match verb {
        Verb::Check(args) => check::run(app, &args),
        Verb::Cloud(CloudVerb::Serve(args)) => cloud::serve(app, &args),
        Verb::Completions(args) => Ok(completions::run(app, args)),
        Verb::Apply(_) => not_there("apply"),
        Verb::Plan(_) => not_there("plan"),
        Verb::Destroy(_) => not_there("destroy"),
        Verb::Show(_) => not_there("show"),
        Verb::Output(_) => not_there("output"),
        Verb::Migrate(_) => not_there("migrate"),
    }
}

fn not_there(verb: &str) -> Result<ExitCode, CommandError> {
    Err(CommandError::failed(format!("`envc {verb}` is not there yet")))
}
