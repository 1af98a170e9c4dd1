//! The verbs, one file each.

mod apply;
mod check;
mod cloud;
mod completions;
mod destroy;
mod explain;
mod fmt;
mod losses;
mod migrate;
mod plan;
mod pool;
mod ready;
mod schema;
mod shared;
mod show;
mod state;
mod trust;

use crate::{
    host::{error::CommandError, exit_code::ExitCode},
    remote::connection::STALE_IDS,
    shell::{
        app::App,
        args::{CloudVerb, Verb},
    },
};

/// Runs one verb; a second time when it failed with IDs that were remembered and are forgotten now.
/// A command that failed can be run again, whatever it had done.
pub(crate) fn run(app: &App, verb: &Verb) -> Result<ExitCode, CommandError> {
    match once(app, verb) {
        Err(error) if error.code == Some(STALE_IDS) => {
            app.ui
                .say("the remembered IDs of account and zones do not hold: looking them up again");
            once(app, verb)
        }
        ended => ended,
    }
}

fn once(app: &App, verb: &Verb) -> Result<ExitCode, CommandError> {
    match verb {
        Verb::Check(args) => check::run(app, args),
        Verb::Fmt(args) => fmt::run(app, args),
        Verb::Cloud(CloudVerb::Serve(args)) => cloud::serve(app, args),
        Verb::Schema => schema::run(app),
        Verb::Completions(args) => Ok(completions::run(app, *args)),
        Verb::Apply(args) => apply::run(app, args),
        Verb::Plan(args) => plan::run(app, args),
        Verb::Destroy(args) => destroy::run(app, args),
        Verb::Show(args) => show::show(app, args),
        Verb::Output(args) => show::output(app, args),
        Verb::State(verb) => state::run(app, verb),
        Verb::Trust(args) => trust::run(app, args),
        Verb::Pool(verb) => pool::run(app, verb),
        Verb::Migrate(verb) => migrate::run(app, verb),
    }
}
