//! Events about what is wrong: with the spec, or with the run.

use envc_core::Severity;
use envc_report::render;
use serde::Serialize;

use crate::host::error::CommandError;

/// The command failed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Error<'a> {
    /// What the process ends with; README.md lists the codes.
    exit: u8,
    /// What failed: one sentence without a full stop.
    message: &'a str,
    #[serde(flatten)]
    failure: Failure<'a>,
}

/// Something that the user should know.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Warning<'a> {
    /// What it is.
    message: &'a str,
    /// Absent where nothing failed.
    #[serde(flatten)]
    failure: Option<Failure<'a>>,
}

/// Why something failed, and what helps.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Failure<'a> {
    /// A stable code, such as `envc::cli::not_approved`; `null` where the failure has none.
    code: Option<&'static str>,
    /// The causes, the nearest first.
    causes: &'a [String],
    /// What to do: each a sentence or a command.
    hints: &'a [String],
}

impl<'a> From<&'a CommandError> for Error<'a> {
    fn from(error: &'a CommandError) -> Self {
        Self { exit: error.exit.number(), message: &error.message, failure: error.into() }
    }
}

impl<'a> From<&'a CommandError> for Warning<'a> {
    fn from(error: &'a CommandError) -> Self {
        Self { message: &error.message, failure: Some(error.into()) }
    }
}

impl<'a> From<&'a str> for Warning<'a> {
    fn from(message: &'a str) -> Self {
        Self { message, failure: None }
    }
}

impl<'a> From<&'a CommandError> for Failure<'a> {
    fn from(CommandError { code, chain, hints, exit: _, message: _ }: &'a CommandError) -> Self {
        Self { code: *code, causes: chain, hints }
    }
}

/// A mistake or a warning of the compiler.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Diagnostic<'a> {
    /// A stable code, such as `envc::spec::unknown_reference`; `envc check --explain CODE` explains
    /// it.
    code: &'static str,
    /// With an error nothing is compiled.
    #[cfg_attr(test, schemars(with = "String", extend("enum" = ["error", "warning"])))]
    severity: Severity,
    /// One sentence without a full stop.
    message: &'a str,
    /// The spec's file, as seen from the current folder.
    file: &'a str,
    /// Where it stands in the spec: the first label is the place of the mistake, the others are the
    /// other side of it.
    labels: Vec<Place<'a>>,
    /// Where it stands in another file, such as a template: the labels say how the spec leads there.
    /// `null` where the mistake stands in the spec.
    elsewhere: Option<OtherPlace<'a>>,
    /// What to write or to run; `null` where nobody can say.
    help: Option<&'a str>,
    /// The help as changes of the spec's text: with all of them made, the mistake is gone. What
    /// stands at each place is replaced by its `text`. Empty where it cannot be said that exactly.
    fix: Vec<Place<'a>>,
}

/// A place in a text.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Place<'a> {
    /// The first byte.
    start: usize,
    /// The byte after the last one.
    end: usize,
    /// The line of `start`, counted from 1.
    line: usize,
    /// The column of `start` in characters, counted from 1.
    column: usize,
    /// The line of `end`.
    end_line: usize,
    /// The column of `end`.
    end_column: usize,
    /// What is said of the place; in a fix, what comes there.
    text: &'a str,
}

/// A place in another file than the spec.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct OtherPlace<'a> {
    /// The file, as seen from the current folder.
    file: &'a str,
    #[serde(flatten)]
    place: Place<'a>,
}

impl<'a> From<&'a render::Located<'_>> for Diagnostic<'a> {
    fn from(found: &'a render::Located<'_>) -> Self {
        let render::Located { diagnostic, file, labels, elsewhere, fix } = found;
        Self {
            code: diagnostic.code,
            severity: diagnostic.severity,
            message: &diagnostic.message,
            file,
            labels: labels.iter().map(Place::from).collect(),
            elsewhere: elsewhere
                .as_ref()
                .map(|(file, place)| OtherPlace { file, place: Place::from(place) }),
            help: diagnostic.help.as_deref(),
            fix: fix.iter().map(Place::from).collect(),
        }
    }
}

impl<'a> From<&'a render::Place> for Place<'a> {
    fn from(place: &'a render::Place) -> Self {
        let render::Place { span, start, end, text } = place;
        Self {
            start: span.start,
            end: span.end,
            line: start.0,
            column: start.1,
            end_line: end.0,
            end_column: end.1,
            text,
        }
    }
}

/// A code of the compiler, with what it says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) struct Code<'a> {
    /// The whole code, such as `envc::spec::unknown_reference`.
    pub(crate) code: &'a str,
    /// One sentence.
    pub(crate) summary: &'a str,
}

#[cfg(test)]
mod tests {
    use crate::{host::error::CommandError, shell::events::Event};

    #[test]
    fn an_error_carries_everything_that_its_text_says_and_a_warning_no_exit_code() {
        let error = CommandError::usage("no").code("envc::cli::x").because_text("why").hint("do");
        assert_eq!(
            Event::Error((&error).into()).to_line().unwrap(),
            "{\"v\":1,\"event\":\"error\",\"causes\":[\"why\"],\"code\":\"envc::cli::x\",\"exit\":64,\
             \"hints\":[\"do\"],\"message\":\"no\"}"
        );
        let cautious = CommandError::failed("no").hint("do");
        assert_eq!(
            Event::Warning((&cautious).into()).to_line().unwrap(),
            "{\"v\":1,\"event\":\"warning\",\"causes\":[],\"code\":null,\"hints\":[\"do\"],\
             \"message\":\"no\"}"
        );
        let plain = Event::Warning("careful".into()).to_line().unwrap();
        assert_eq!(plain, "{\"v\":1,\"event\":\"warning\",\"message\":\"careful\"}");
        assert_eq!(Event::Stopped {}.to_line().unwrap(), "{\"v\":1,\"event\":\"stopped\"}");
    }
}
