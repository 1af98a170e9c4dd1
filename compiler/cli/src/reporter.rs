//! Tells people and programs what exec does: a bar and lines, or events as JSON.

use std::sync::{Mutex, PoisonError};

use envc_exec::{Event, Progress as Hears};
use envc_plan::Plan;
use serde_json::json;

use crate::{progress::Progress, ui::Ui};

/// Milliseconds above which a step's line tells how long it took.
const SLOW_MS: u64 = 1_000;

/// Hears exec's events. Before a run there is no bar, so retries of reads are plain lines.
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
        // A batch is one step, and each resource in it is told apart.
        let all: usize = plan.steps.iter().map(|step| step.work.addresses().len()).sum();
        *self.lock() = (all > 0).then(|| self.ui.progress(all));
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

impl Hears for Reporter<'_> {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Begun { step, verb, address, name } => {
                self.ui.event(
                    "step_begun",
                    json!({ "step": step, "verb": verb, "address": address, "name": name }),
                );
                if let Some(progress) = self.lock().as_ref() {
                    progress.begin(&key(step, address), &format!("{verb} {address}"));
                }
            }
            Event::Done { step, verb, address, name, id, ms } => {
                self.ui.event(
                    "step_done",
                    json!({
                        "step": step, "verb": verb, "address": address, "name": name, "id": id,
                        "ms": ms
                    }),
                );
                let id = id.filter(|id| *id != name && verb == "create");
                let id = id.map(|id| format!(" ({id})")).unwrap_or_default();
                let time = if ms > SLOW_MS {
                    format!(" in {}.{} s", ms / 1_000, ms % 1_000 / 100)
                } else {
                    String::new()
                };
                // Each migration told of itself; what is cleared is deleted next.
                let line = match verb {
                    "migrate" | "clear" => String::new(),
                    _ => format!("{} {address}  {name}{id}{time}", past(verb)),
                };
                if let Some(progress) = self.lock().as_ref() {
                    progress.end(&key(step, address), &line);
                }
            }
            Event::Failed { step, verb, address, message } => {
                self.ui.event(
                    "step_failed",
                    json!({ "step": step, "verb": verb, "address": address, "message": message }),
                );
                if let Some(progress) = self.lock().as_ref() {
                    // Why is told at the end, once.
                    progress.end(&key(step, address), &format!("could not {verb} {address}"));
                }
            }
            Event::Migrated { address, file, already } => {
                self.ui.event(
                    "migrated",
                    json!({ "address": address, "file": file, "already": already }),
                );
                let line = if already {
                    format!("{address} had {file} already")
                } else {
                    format!("migrated {address}  {file}")
                };
                self.say(&line);
            }
            Event::Emptied { address, objects } => {
                self.ui.event("emptied", json!({ "address": address, "objects": objects }));
                self.say(&format!("emptying {address}: {objects} objects removed"));
            }
            Event::Retry { call, reason, wait_ms, attempt } => {
                self.ui.event(
                    "retry",
                    json!({ "call": call, "reason": reason, "wait_ms": wait_ms, "attempt": attempt }),
                );
                self.say(&format!(
                    "{call}: {reason}; trying again in {}.{} s",
                    wait_ms / 1_000,
                    wait_ms % 1_000 / 100
                ));
            }
            Event::Waiting { wait_ms } => {
                self.ui.event("waiting", json!({ "wait_ms": wait_ms }));
                self.say(&format!(
                    "the rate limit of the API holds calls back for {} s",
                    wait_ms.div_ceil(1_000)
                ));
            }
        }
    }
}

fn key(step: usize, address: &envc_core::Address) -> String {
    format!("{step} {address}")
}

fn past(verb: &str) -> String {
    match verb {
        "create" => "created".into(),
        "update" => "updated".into(),
        "delete" => "deleted".into(),
        other => other.into(),
    }
}
