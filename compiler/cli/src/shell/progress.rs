//! How the steps of a run get on: a bar on a terminal, a line per finished step elsewhere.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::shell::ui::Ui;
use envc_core::printable;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often the bar moves while nothing happens.
const TICK: Duration = Duration::from_millis(120);
/// Steps that are named beside the bar.
const NAMED_STEPS_MAX: usize = 3;

/// The steps of one run. Dropping it takes the bar away.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    ui: &'a Ui,
    bar: Option<ProgressBar>,
    /// What each running step does, by its name.
    running: Mutex<BTreeMap<String, String>>,
}

impl<'a> Progress<'a> {
    /// Starts to show how `steps` steps get on.
    pub(crate) fn new(ui: &'a Ui, steps: usize) -> Self {
        let bar = ui.is_live().then(|| {
            let length = u64::try_from(steps).unwrap_or(u64::MAX);
            let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
            let template = if ui.err_style().color {
                "{spinner:.cyan} {pos}/{len} {wide_msg}"
            } else {
                "{spinner} {pos}/{len} {wide_msg}"
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.enable_steady_tick(TICK);
            bar
        });
        Self { ui, bar, running: Mutex::new(BTreeMap::new()) }
    }

    /// A step begins: `what` is "create d1.webapp".
    pub(crate) fn begin(&self, step: &str, what: &str) {
        self.change(|running| {
            running.insert(step.to_owned(), what.to_owned());
        });
        if self.bar.is_none() {
            self.ui.detail(&format!("begun: {what}"));
        }
    }

    /// A step ended; `line` says how, for people: "created d1.webapp in 0.4 s".
    /// An empty one says nothing.
    pub(crate) fn end(&self, step: &str, line: &str) {
        self.change(|running| {
            running.remove(step);
        });
        if let Some(bar) = &self.bar {
            bar.inc(1);
        }
        if !line.is_empty() {
            self.say(line);
        }
    }

    /// A line of talk above the bar.
    pub(crate) fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.ui.say(line)),
            None => self.ui.say(line),
        }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, String>)) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut running);
        if let Some(bar) = &self.bar {
            bar.set_message(printable(&message(&running)).into_owned());
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn message(running: &BTreeMap<String, String>) -> String {
    let named: Vec<&str> = running.values().take(NAMED_STEPS_MAX).map(String::as_str).collect();
    let more = running.len().saturating_sub(NAMED_STEPS_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::ui::{UiOptions, tests::ui};

    #[test]
    fn off_a_terminal_each_finished_step_is_a_line() {
        let (ui, out, err) = ui(UiOptions::default());
        let progress = Progress::new(&ui, 2);
        progress.begin("1", "create d1.web");
        progress.end("1", "created d1.web");
        progress.end("2", "");
        progress.end("3", "d1.x was refused");
        drop(progress);
        assert_eq!(err.text(), "created d1.web\nd1.x was refused\n");
        assert_eq!(out.text(), "");
    }

    #[test]
    fn the_bar_names_a_few_steps_and_counts_the_rest() {
        let running = (1..=5).map(|number| (number.to_string(), format!("step {number}")));
        assert_eq!(message(&running.collect()), "step 1, step 2, step 3 and 2 more");
    }
}
