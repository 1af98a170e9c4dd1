//! Tells people and programs what exec does: a bar and lines, or events as JSON.

use std::sync::{Mutex, PoisonError};

use envc_core::{Address, counted};
use envc_exec::{Event as RunEvent, Progress as EventSink};
use envc_plan::{Plan, Subject, Verb};

use crate::shell::{events::Event, progress::Progress, ui::Ui};

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
    fn event(&self, event: RunEvent<'_>) {
        self.tell_programs(&event);
        self.tell_people(&event);
    }
}

impl Reporter<'_> {
    fn tell_programs(&self, event: &RunEvent<'_>) {
        if self.ui.is_json() {
            self.ui.event(&wire(event));
        }
    }

    fn tell_people(&self, event: &RunEvent<'_>) {
        match event {
            RunEvent::Begun { step, verb, address, .. } => {
                if let Some(progress) = self.lock().as_ref() {
                    progress.begin(&key(*step, address), &format!("{verb} {address}"));
                }
            }
            RunEvent::Done { step, verb, address, name, id, ms } => {
                if let Some(progress) = self.lock().as_ref() {
                    progress.end(&key(*step, address), &done(*verb, address, name, *id, *ms));
                }
            }
            RunEvent::Failed { step, verb, address, .. } => {
                if let Some(progress) = self.lock().as_ref() {
                    // Why is told at the end, once.
                    progress.end(&key(*step, address), &format!("could not {verb} {address}"));
                }
            }
            RunEvent::Migrated { address, file, already: true } => {
                self.say(&format!("{address} had {file} already"));
            }
            RunEvent::Migrated { address, file, already: false } => {
                self.say(&format!("migrated {address}  {file}"));
            }
            RunEvent::Seeded { address, file } => self.say(&format!("seeded {address}  {file}")),
            RunEvent::NotSeeded { address, file } => self.say(&not_seeded(address, file)),
            RunEvent::NoWayBack { address, reason } => self.say(&format!(
                "{address}: no bookmark to go back to was told ({reason}); \
                 `envc migrate restore {address} --at` takes a time"
            )),
            RunEvent::Emptied { address, objects } => {
                self.say(&format!("emptying {address}: {} removed", counted(*objects, "object")));
            }
            RunEvent::Queued { pool, before } => self.say(&match before {
                0 => format!("waiting for a preview ID of the pool {pool}: next in the queue"),
                before => format!(
                    "waiting for a preview ID of the pool {pool}: {} before",
                    counted(*before, "other")
                ),
            }),
            RunEvent::Retry { call, reason, wait_ms, .. } => {
                self.say(&format!("{call}: {reason}; trying again in {}", seconds(*wait_ms)));
            }
            RunEvent::Waiting { wait_ms } => self.say(&format!(
                "the rate limit of the API holds calls back for {} s",
                wait_ms.div_ceil(1_000)
            )),
            RunEvent::Unseen { call, reason, wait_ms } => self.say(&format!(
                "{call}: {reason}; what was just made may not be seen yet: waiting for up to {} s",
                wait_ms.div_ceil(1_000)
            )),
        }
    }
}

/// What exec tells, as programs read it.
fn wire<'a>(event: &RunEvent<'a>) -> Event<'a> {
    match *event {
        RunEvent::Begun { step, verb, ref address, name } => {
            Event::StepBegun { step, verb: verb.word(), address: address.to_string(), name }
        }
        RunEvent::Done { step, verb, ref address, name, id, ms } => {
            Event::StepDone { step, verb: verb.word(), address: address.to_string(), name, id, ms }
        }
        RunEvent::Failed { step, verb, ref address, message } => {
            Event::StepFailed { step, verb: verb.word(), address: address.to_string(), message }
        }
        RunEvent::Migrated { address, file, already } => {
            Event::Migrated { address: address.to_string(), file, already }
        }
        RunEvent::Seeded { address, file } => {
            Event::Seeded { address: address.to_string(), file, done: true }
        }
        RunEvent::NotSeeded { address, file } => {
            Event::Seeded { address: address.to_string(), file, done: false }
        }
        RunEvent::NoWayBack { address, reason } => {
            Event::NoWayBack { address: address.to_string(), reason }
        }
        RunEvent::Emptied { address, objects } => {
            Event::Emptied { address: address.to_string(), objects }
        }
        RunEvent::Queued { pool, before } => Event::Queued { pool, before },
        RunEvent::Retry { call, reason, wait_ms, attempt } => {
            Event::Retry { call, reason, wait_ms, attempt }
        }
        RunEvent::Waiting { wait_ms } => Event::Waiting { wait_ms },
        RunEvent::Unseen { call, reason, wait_ms } => Event::Unseen { call, reason, wait_ms },
    }
}

/// The line of a database that gets no rows to begin with.
fn not_seeded(address: &Address, file: &str) -> String {
    format!(
        "{address} had tables before it had this seed, so {file} is not run in it; \
         `envc migrate reset {address}` empties it and runs it"
    )
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
