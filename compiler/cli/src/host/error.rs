//! The failure of a command: one message, the chain of its causes once, and what to do about it.

use std::error::Error;

use envc_core::printable;

use crate::host::exit_code::ExitCode;

/// Why a command did not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandError {
    /// What the process ends with.
    pub(crate) exit: ExitCode,
    /// What failed: a lowercase sentence without a full stop.
    pub(crate) message: String,
    /// The causes, the nearest first.
    pub(crate) chain: Vec<String>,
    /// What to do: each a sentence or a command.
    pub(crate) hints: Vec<String>,
    /// A stable code for programs, such as `envc::cli::not_approved`.
    pub(crate) code: Option<&'static str>,
}

impl CommandError {
    /// An error that ends with this exit code.
    pub(crate) fn new(exit: ExitCode, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), chain: Vec::new(), hints: Vec::new(), code: None }
    }

    /// Something that failed (exit 1).
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Failed, message)
    }

    /// A command line that cannot be followed (exit 64).
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    /// Adds an error and its sources to the chain. What the one before already says is left out.
    #[must_use]
    pub(crate) fn because(mut self, cause: &(dyn Error + 'static)) -> Self {
        let mut next = Some(cause);
        while let Some(error) = next {
            self = self.because_text(error.to_string());
            next = error.source();
        }
        self
    }

    /// Adds one cause to the chain, unless the line before already says it.
    #[must_use]
    pub(crate) fn because_text(mut self, cause: impl Into<String>) -> Self {
        let cause = cause.into();
        let before = self.chain.last().unwrap_or(&self.message);
        if !cause.is_empty() && !before.contains(&cause) {
            self.chain.push(cause);
        }
        self
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what to do, when there is something.
    #[must_use]
    pub(crate) fn hint_opt(self, hint: Option<impl Into<String>>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Names it for programs.
    #[must_use]
    pub(crate) fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// The same, told by a plan before the command refuses: "apply will refuse: …".
    #[must_use]
    pub(crate) fn told_before(mut self, command: &str) -> Self {
        self.message = format!("{command} will refuse: {}", self.message);
        self
    }

    /// The same without what would steer a terminal.
    #[must_use]
    pub(crate) fn printable(&self) -> Self {
        let clean = |all: &[String]| all.iter().map(|it| printable(it).into_owned()).collect();
        Self {
            exit: self.exit,
            message: printable(&self.message).into_owned(),
            chain: clean(&self.chain),
            hints: clean(&self.hints),
            code: self.code,
        }
    }

    /// What failed and why, without what to do: a clause of another sentence.
    pub(crate) fn to_words(&self) -> String {
        let parts = std::iter::once(&self.message).chain(&self.chain);
        parts.map(String::as_str).collect::<Vec<_>>().join(": ")
    }

    /// The text for people, without colour: `error: …`, the causes, `hint: …` lines.
    pub(crate) fn to_text(&self) -> String {
        self.lines("error:", "hint:")
    }

    /// The same in colour.
    pub(crate) fn to_colored_text(&self) -> String {
        let bold = anstyle::Style::new().bold();
        let error = bold.fg_color(Some(anstyle::AnsiColor::Red.into()));
        let hint = bold.fg_color(Some(anstyle::AnsiColor::Cyan.into()));
        self.lines(&format!("{error}error:{error:#}"), &format!("{hint}hint:{hint:#}"))
    }

    /// The same as a warning: what did not work, and did not matter to the result.
    pub(crate) fn to_warning(&self) -> String {
        self.lines("warning:", "hint:")
    }

    /// The same in colour.
    pub(crate) fn to_colored_warning(&self) -> String {
        let bold = anstyle::Style::new().bold();
        let warning = bold.fg_color(Some(anstyle::AnsiColor::Yellow.into()));
        let hint = bold.fg_color(Some(anstyle::AnsiColor::Cyan.into()));
        self.lines(&format!("{warning}warning:{warning:#}"), &format!("{hint}hint:{hint:#}"))
    }

    fn lines(&self, error: &str, hint: &str) -> String {
        let mut lines = vec![format!("{error} {}", indent(&self.message))];
        lines.extend(self.chain.iter().map(|cause| format!("  because: {}", indent(cause))));
        lines.extend(self.hints.iter().map(|text| format!("{hint} {}", indent(text))));
        let mut text = lines.join("\n");
        text.push('\n');
        text
    }
}

/// Lines after the first one stand to the right of it.
fn indent(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CommandError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] Inner);
    #[derive(Debug, thiserror::Error)]
    #[error("inner")]
    struct Inner;

    #[test]
    fn the_chain_is_printed_once_and_hints_come_last() {
        let error = CommandError::failed("cannot apply")
            .because(&Outer(Inner))
            .because_text("inner")
            .hint("run `envc plan`\nthen look")
            .hint_opt(None::<String>);
        assert_eq!(
            error.to_text(),
            "error: cannot apply\n  because: outer\n  because: inner\n\
             hint: run `envc plan`\n    then look\n"
        );
        assert!(error.to_colored_text().contains("\u{1b}[1m"));
    }
}
