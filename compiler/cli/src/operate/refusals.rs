//! What stands in the way of a command, all of it, before anything is changed.
//!
//! A command and its plan go the same way and note each refusal on it: the command stops with them, and
//! the plan tells them. So that a refusal is in both, it is noted where both pass, and nowhere else.

use crate::{
    host::{error::CommandError, exit_code::ExitCode},
    shell::ui::Ui,
};

/// Refusals, in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    found: Vec<CommandError>,
    told: usize,
}

impl Refusals {
    /// Notes a refusal, once.
    pub(crate) fn add(&mut self, refusal: CommandError) {
        if !self.found.contains(&refusal) {
            self.found.push(refusal);
        }
    }

    /// Notes several.
    pub(crate) fn extend(&mut self, refusals: impl IntoIterator<Item = CommandError>) {
        for refusal in refusals {
            self.add(refusal);
        }
    }

    /// The value, or none and the refusal noted. Who asks to stop is no refusal.
    pub(crate) fn note<T>(
        &mut self,
        result: Result<T, CommandError>,
    ) -> Result<Option<T>, CommandError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.exit == ExitCode::Interrupted => Err(error),
            Err(error) => {
                self.add(error);
                Ok(None)
            }
        }
    }

    /// True when nothing is refused so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.found.len()
    }

    /// What is refused, in a line each.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.found.iter().map(|refusal| refusal.message.as_str())
    }

    /// Ends the command where anything is refused: each is an error, and the last one its end.
    pub(crate) fn stop(&mut self, ui: &Ui) -> Result<(), CommandError> {
        let Some(last) = self.found.pop() else { return Ok(()) };
        for refusal in self.found.drain(..) {
            ui.error(&refusal);
        }
        Err(last)
    }

    /// Tells what was not told yet: what the `command` will refuse.
    pub(crate) fn tell(&mut self, ui: &Ui, command: &str) {
        for refusal in self.found.iter().skip(self.told) {
            ui.caution(&refusal.clone().told_before(command));
        }
        self.told = self.found.len();
    }
}
