//! `envc completions SHELL`

use clap::CommandFactory as _;

use crate::{
    host::exit_code::ExitCode,
    shell::{
        app::App,
        args::{Cli, CompletionsArgs},
        events::Event,
    },
};

pub(super) fn run(app: &App, args: CompletionsArgs) -> ExitCode {
    // Into memory first: the generator cannot bear a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "envc", &mut script);
    let script = String::from_utf8_lossy(&script);
    app.ui.result(&script);
    app.ui.event(&Event::Completions { script: &script });
    ExitCode::Done
}
