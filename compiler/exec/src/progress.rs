//! What exec tells while it works.

use envc_core::Address;
use envc_plan::{Subject, Verb};

/// Takes events. Must not block.
pub trait Progress: Send + Sync {
    /// One event.
    fn event(&self, event: Event<'_>);
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A step began.
    Begun {
        /// Its index in the plan.
        step: usize,
        /// What it does.
        verb: Verb,
        /// What it works on.
        address: Subject<'a>,
        /// Its physical name; of a lease the pool.
        name: &'a str,
    },
    /// A step succeeded.
    Done {
        /// Its index in the plan.
        step: usize,
        /// As in `begun`.
        verb: Verb,
        /// What it worked on.
        address: Subject<'a>,
        /// Its physical name.
        name: &'a str,
        /// The API's identifier, where there is one; of a lease the preview ID.
        id: Option<&'a str>,
        /// How long it took.
        ms: u64,
    },
    /// A step failed.
    Failed {
        /// Its index in the plan.
        step: usize,
        /// As in `begun`.
        verb: Verb,
        /// What it worked on.
        address: Subject<'a>,
        /// What happened.
        message: &'a str,
    },
    /// A migration file is in the ledger.
    Migrated {
        /// The database.
        address: &'a Address,
        /// The file.
        file: &'a str,
        /// True when another tool, or an earlier run, had applied it.
        already: bool,
    },
    /// The rows that a database begins with are in it.
    Seeded {
        /// The database.
        address: &'a Address,
        /// The file.
        file: &'a str,
    },
    /// A database gets no rows to begin with, because it held something before.
    NotSeeded {
        /// The database.
        address: &'a Address,
        /// The file.
        file: &'a str,
    },
    /// The bookmark of a database that is about to be migrated cannot be told.
    NoWayBack {
        /// The database.
        address: &'a Address,
        /// Why.
        reason: &'a str,
    },
    /// Objects were removed from a container that has to be empty.
    Emptied {
        /// The container.
        address: &'a Address,
        /// Objects removed so far.
        objects: usize,
    },
    /// A call is tried again.
    Retry {
        /// Method and path.
        call: &'a str,
        /// What went wrong.
        reason: &'a str,
        /// Milliseconds until the next try.
        wait_ms: u64,
        /// How many tries there were.
        attempt: u32,
    },
    /// No preview ID is free; this many wait before.
    Queued {
        /// The pool.
        pool: &'a str,
        /// How many are before: with 0 it is next.
        before: u32,
    },
    /// The rate limit holds calls back.
    Waiting {
        /// Milliseconds.
        wait_ms: u64,
    },
    /// The API does not see yet what this run did a moment ago; the call is repeated until it does.
    Unseen {
        /// Method and path.
        call: &'a str,
        /// What the API says.
        reason: &'a str,
        /// Milliseconds after which it is believed.
        wait_ms: u64,
    },
}

/// Drops every event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn event(&self, _event: Event<'_>) {}
}
