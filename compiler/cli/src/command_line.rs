//! One run of the command: arguments in, exit code out.

use std::ffi::OsString;

use clap::{CommandFactory as _, FromArgMatches as _, error::ErrorKind};

use crate::{
    commands,
    host::{
        env::{self, ProcessEnv},
        error::CommandError,
        exit_code::ExitCode,
    },
    shell::{
        app::App,
        args::{Cli, CommonArgs},
        ui::{Ui, UiOptions},
    },
};

/// Runs the command line `arguments`, the program's name first.
pub fn run(arguments: &[OsString], env: ProcessEnv) -> ExitCode {
    let cli = match parse(arguments, &env) {
        Ok(cli) => cli,
        Err(exit) => return exit,
    };
    let ui = Ui::new(options(&cli.common), &env);
    let cwd = match env::current_dir() {
        Ok(cwd) => cwd,
        Err(error) => {
            let error = CommandError::failed("the current folder is not there any more")
                .because(&error)
                .hint("go to a folder that exists");
            ui.error(&error);
            return error.exit;
        }
    };
    let app = App { env, ui, cwd, common: cli.common };
    let exit = commands::run(&app, &cli.verb).unwrap_or_else(|error| {
        app.ui.error(&error);
        error.exit
    });
    match app.ui.finish() {
        // A result that nobody got is no success.
        Err(error) if exit == ExitCode::Done => {
            app.ui.error(&error);
            error.exit
        }
        _ => exit,
    }
}

fn options(common: &CommonArgs) -> UiOptions {
    let CommonArgs { json, no_color, quiet, verbose, chdir: _ } = common;
    UiOptions { json: *json, quiet: *quiet, verbose: *verbose, no_color: *no_color }
}

fn parse(arguments: &[OsString], env: &ProcessEnv) -> Result<Cli, ExitCode> {
    // What stands before the mistake must count, so these two are looked for by hand.
    let given = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let plain = given("--no-color") || env.no_color || env.ci || env.term_dumb;
    let color = if plain { clap::ColorChoice::Never } else { clap::ColorChoice::Auto };
    let parsed = Cli::command()
        .color(color)
        .try_get_matches_from(arguments)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        #[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum that grows")]
        let exit = match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::Done,
            _ => ExitCode::Usage,
        };
        if given("--json") && exit == ExitCode::Usage {
            let options = UiOptions { json: true, ..UiOptions::default() };
            let text = error.render().to_string();
            let message = text.trim().trim_start_matches("error: ");
            Ui::new(options, env).error(&CommandError::usage(message).code("envc::cli::usage"));
        } else {
            // A closed pipe: the reader had enough.
            let _written = error.print();
        }
        exit
    })
}
