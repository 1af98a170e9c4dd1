//! What this process remembers for its moods (`moods.rs`): what was made in it, which calls had their
//! passing refusal, and whom all of that held up. What was made before it began is not here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;

/// It remembers this many refused calls, then forgets the oldest.
const DELAYS_MAX: usize = 100_000;

/// What a mark is of; its key is a name or an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Made {
    /// A namespace.
    Kv,
    /// A bucket.
    R2,
    /// A database.
    D1,
    /// A queue.
    Queue,
    /// A Hyperdrive config.
    Hyperdrive,
    /// A Vectorize index.
    Vectorize,
    /// A script, by its first upload.
    Script,
    /// A script's Durable Objects, by an upload with migrations.
    Classes,
    /// A script's handler of queues, by any upload that has one.
    Handler,
    /// A script that is no consumer any more.
    Released,
    /// A script that was deleted.
    Gone,
    /// A tunnel whose last connection closed.
    Closed,
}

/// One thing that was made.
#[derive(Debug)]
pub(crate) struct Mark {
    /// When.
    pub(crate) at: Instant,
    /// Which of all it was: what is drawn for it comes from this.
    pub(crate) number: u64,
    /// By pair, how often it was asked for.
    pub(crate) tries: BTreeMap<&'static str, u32>,
}

/// Which calls had their passing refusal.
#[derive(Debug, Default)]
pub(crate) struct Passed {
    /// How often each kind of call came.
    pub(crate) kinds: BTreeMap<String, u64>,
    /// The calls that were refused.
    pub(crate) refused: BTreeSet<String>,
    /// Uploads that were answered with a bare 404, by script.
    pub(crate) uploads: BTreeMap<String, u32>,
}

/// A call that a mood refused, and that its caller has to repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// Method and path.
    pub call: String,
    /// The mood, by its word in faults: `kv` of a lag, `passing-auth`.
    pub mood: &'static str,
    /// When it was refused.
    pub at: Instant,
    /// For how long it will be refused from then on. Nothing where the next one is served.
    pub left: Duration,
}

/// What was made, by what it is and its key.
type Marks = BTreeMap<(Made, String), Mark>;

/// All of it.
#[derive(Debug)]
pub(crate) struct Memory {
    /// When the process began.
    pub(crate) opened_us: i64,
    marks: Mutex<Marks>,
    passed: Mutex<Passed>,
    delays: Mutex<Vec<Delay>>,
}

impl Memory {
    /// Remembers nothing.
    pub(crate) fn new() -> Self {
        let (marks, passed) = (Mutex::new(BTreeMap::new()), Mutex::new(Passed::default()));
        Self { opened_us: clock::now_us(), marks, passed, delays: Mutex::default() }
    }

    /// What was made.
    pub(crate) fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which calls were refused.
    pub(crate) fn passed(&self) -> MutexGuard<'_, Passed> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls that were refused, oldest first.
    pub(crate) fn delays(&self) -> Vec<Delay> {
        self.delays.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers that a call was refused, and for how long it will be.
    pub(crate) fn delay(&self, call: String, mood: &'static str, left: Duration) {
        let mut all = self.delays.lock().unwrap_or_else(PoisonError::into_inner);
        // A server for rehearsals may run for days.
        if all.len() >= DELAYS_MAX {
            all.drain(..DELAYS_MAX / 2);
        }
        all.push(Delay { call, mood, at: Instant::now(), left });
    }

    /// Remembers that something was made.
    pub(crate) fn mark(&self, made: Made, key: String, at: Instant) {
        let mut all = self.marks();
        let number = u64::try_from(all.len()).unwrap_or_default();
        all.insert((made, key), Mark { at, number, tries: BTreeMap::new() });
    }
}
