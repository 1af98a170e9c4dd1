//! SQL on a kind: how a text runs, and where its migrations are written down.

use serde_json::Value as Json;

use crate::{Call, Place};

/// How SQL runs on a kind, and where its migrations are written down.
#[derive(Debug)]
pub struct Database {
    /// Runs a text on the one with this identifier: statements separated by `;`, all or nothing.
    pub query: fn(&Place, &str, &str) -> Call,
    /// Makes the table of applied migrations where there is none.
    pub ledger: &'static str,
    /// Reads their names from it, in order.
    pub read: &'static str,
    /// Writes the name of one into it.
    pub row: fn(&str) -> String,
    /// Reads what a database holds, its ledger too: what `wipe` takes.
    pub objects: &'static str,
    /// The text that takes all of it away, and of how many objects; none where there is nothing. It
    /// may be repeated.
    pub wipe: fn(&Json) -> Option<(usize, String)>,
    /// Finds the mistake in a text that was refused, from the answer: where the answer alone does
    /// not tell.
    pub mistake: fn(&str, &str) -> Option<SqlMistake>,
}

/// A mistake in a text of SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlMistake {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there, and what to write.
    pub what: String,
}
