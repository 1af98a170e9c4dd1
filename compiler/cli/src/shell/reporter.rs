//! Tells people and programs what exec does: a bar and lines, or events as JSON.

use std::sync::{Mutex, PoisonError};

use envc_core::counted;
use envc_exec::{Event, Progress as EventSink};
use envc_plan::{Plan, Subject, Verb};

use crate::shell::{progress::Progress, ui::Ui};

/// Milliseconds above which a step's line tells how long it took.
const SLOW_MS: u64 = 1_000;

/// Shows exec's events. Before a run there is no bar, so retries of reads are plain lines.
pub(crate) struct Reporter<'a> {
    ui: &'a Ui,
    progress: Mutex<Option<Progress<'a>>>,
}

impl std::fmt::Debug for Reporter<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reporter")
    }
}

impl<'a> Reporter<'a> {
    /// A reporter without a bar.
    pub(crate) fn new(ui: &'a Ui) -> Self {
        Self { ui, progress: Mutex::new(None) }
    }

    /// Shows a bar over what this plan does from now on.
    pub(crate) fn begin(&self, plan: &Plan) {
        // A batch is one step, and each resource in it gets a line.
        let all: usize = plan.steps.iter().map(|step| step.work.operations().len()).sum();
        *self.lock() = (all > 0).then(|| Progress::new(self.ui, all));
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Progress<'a>>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, line: &str) {
        match self.lock().as_ref() {
            Some(progress) => progress.say(line),
            None => self.ui.say(line),
        }
    }
}

impl EventSink for Reporter<'_> {
    fn event(&self, event: Event<'_>) {
        self.tell_programs(&event);
        self.tell_people(&event);
    }
}

impl Reporter<'_> {
    fn tell_programs(&self, event: &Event<'_>) {
        let name = match event {
            Event::Begun { .. } => "step_begun",
            Event::Done { .. } => "step_done",
            Event::Failed { .. } => "step_failed",
            Event::Migrated { .. } => "migrated",
            Event::Emptied { .. } => "emptied",
            Event::Queued { .. } => "queued",
            Event::Retry { .. } => "retry",
            Event::Waiting { .. } => "waiting",
        };
        match serde_json::to_value(event) {
            Ok(mut fields) => {
                if let Some(fields) = fields.as_object_mut() {
                    fields.remove("event");
                }
                self.ui.event(name, fields);
            }
            // What is done goes on, and nobody takes an event without its fields for a whole one.
            Err(error) => {
                let what = format!("BUG: the event `{name}` cannot be written as JSON: {error}");
                self.ui.warn(&what);
            }
        }
    }

    fn tell_people(&self, event: &Event<'_>) {
        match event {
            Event::Begun { step, verb, address, .. } => {
                if let Some(progress) = self.lock().as_ref() {
                    progress.begin(&key(*step, address), &format!("{verb} {address}"));
                }
            }
            Event::Done { step, verb, address, name, id, ms } => {
                if let Some(progress) = self.lock().as_ref() {
                    progress.end(&key(*step, address), &done(*verb, address, name, *id, *ms));
                }
            }
            Event::Failed { step, verb, address, .. } => {
                if let Some(progress) = self.lock().as_ref() {
                    // Why is told at the end, once.
                    progress.end(&key(*step, address), &format!("could not {verb} {address}"));
                }
            }
            Event::Migrated { address, file, already: true } => {
                self.say(&format!("{address} had {file} already"));
            }
            Event::Migrated { address, file, already: false } => {
                self.say(&format!("migrated {address}  {file}"));
            }
            Event::Emptied { address, objects } => {
                self.say(&format!("emptying {address}: {} removed", counted(*objects, "object")));
            }
            Event::Queued { pool, before } => self.say(&match before {
                0 => format!("waiting for a preview ID of the pool {pool}: next in the queue"),
                before => format!(
                    "waiting for a preview ID of the pool {pool}: {} before",
                    counted(*before, "other")
                ),
            }),
            Event::Retry { call, reason, wait_ms, .. } => {
                self.say(&format!("{call}: {reason}; trying again in {}", seconds(*wait_ms)));
            }
            Event::Waiting { wait_ms } => self.say(&format!(
                "the rate limit of the API holds calls back for {} s",
                wait_ms.div_ceil(1_000)
            )),
        }
    }
}

/// The line of a step that is done; empty for what its own events told already.
fn done(verb: Verb, subject: &Subject<'_>, name: &str, id: Option<&str>, ms: u64) -> String {
    // Each migration told of itself; what is cleared is deleted next.
    if matches!(verb, Verb::Migrate | Verb::Clear) {
        return String::new();
    }
    if let Subject::Lease(_) = subject {
        return format!(
            "{} {subject}  {} of pool {name}",
            verb.past(),
            id.unwrap_or("what it had")
        );
    }
    let id = id.filter(|id| *id != name && verb == Verb::Create);
    let id = id.map(|id| format!(" ({id})")).unwrap_or_default();
    let time = if ms > SLOW_MS { format!(" in {}", seconds(ms)) } else { String::new() };
    format!("{} {subject}  {name}{id}{time}", verb.past())
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1_000, ms % 1_000 / 100)
}

fn key(step: usize, subject: &Subject<'_>) -> String {
    format!("{step} {subject}")
}
