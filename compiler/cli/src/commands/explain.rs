//! `envc check --explain`: the page of a code, or all codes.

use envc_report::explain::{self, Explanation};
use envc_spec::language::language;

use crate::{
    host::{error::CommandError, exit_code::ExitCode},
    shell::{
        app::App,
        events::{Code, Event},
    },
};

/// Shows the page of a code, whole or its last word; without one, all codes.
pub(super) fn run(app: &App, code: Option<&str>) -> Result<ExitCode, CommandError> {
    let style = app.ui.out_style();
    let Some(wanted) = code else {
        app.ui.result_painted(&explain::list(style));
        let language = language();
        let codes = language.diagnostics.iter();
        let codes = codes.map(|code| Code { code: code.code, summary: code.summary }).collect();
        app.ui.event(&Event::Codes { codes });
        return Ok(ExitCode::Done);
    };
    let Some(found) = Explanation::of(wanted) else { return Err(unknown(wanted)) };
    app.ui.result_painted(&found.text(style));
    let envc_spec::language::Code { code, summary } = found.code;
    app.ui.event(&Event::Explanation { code, summary, text: found.page });
    Ok(ExitCode::Done)
}

fn unknown(wanted: &str) -> CommandError {
    let error = CommandError::usage(format!("there is no code `{wanted}`"));
    let error = match explain::near(wanted) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error,
    };
    error.hint("all codes: envc check --explain").code("envc::cli::unknown_code")
}
