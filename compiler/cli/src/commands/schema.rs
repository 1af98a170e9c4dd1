//! `envc schema`: the language as JSON, for editors.

use envc_spec::language::language;

use crate::{
    host::{error::CommandError, exit_code::ExitCode},
    shell::{app::App, events::Event},
};

pub(super) fn run(app: &App) -> Result<ExitCode, CommandError> {
    // Texts, numbers and lists: serialising cannot fail.
    let failed = |error: serde_json::Error| {
        CommandError::failed("BUG: the language cannot be written as JSON").because(&error)
    };
    let language = language();
    if app.ui.is_json() {
        app.ui.event(&Event::Schema { schema: &language });
    } else {
        app.ui.result(&serde_json::to_string_pretty(&language).map_err(failed)?);
    }
    Ok(ExitCode::Done)
}
