//! `envc check --explain`: the page of a code, or all codes.

use envc_report::explain::{self, Explanation};
use envc_spec::language::language;
use serde_json::json;

use crate::{
    host::{error::CommandError, exit_code::ExitCode},
    shell::app::App,
};

/// Shows the page of a code, whole or its last word; without one, all codes.
pub(super) fn run(app: &App, code: Option<&str>) -> Result<ExitCode, CommandError> {
    let style = app.ui.out_style();
    let Some(wanted) = code else {
        app.ui.result(&explain::list(style));
        app.ui.event("codes", json!({ "codes": language().diagnostics }));
        return Ok(ExitCode::Done);
    };
    let Some(found) = Explanation::of(wanted) else { return Err(unknown(wanted)) };
    app.ui.result(&found.text(style));
    app.ui.event(
        "explanation",
        json!({ "code": found.code.code, "summary": found.code.summary, "text": found.page }),
    );
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
