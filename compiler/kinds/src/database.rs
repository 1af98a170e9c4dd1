//! SQL on a kind: how a text runs, and where its migrations are written down.

use serde_json::Value as Json;

use crate::{ApiMessage, Call, Place};

/// How SQL runs on a kind, and where its migrations are written down.
#[derive(Debug)]
pub struct Database {
    /// Runs a text on the one with this identifier: statements separated by `;`, all or nothing.
    pub query: fn(&Place, &str, &str) -> Call,
    /// Runs a text as a file: what `query` may cut into statements in wrong places.
    pub import: &'static Import,
    /// Where its applied migrations are written down.
    pub ledger: &'static LedgerTable,
    /// The text that runs a file with something before it and something behind it, each a statement of its
    /// own whatever the file's last characters are; or why there is none.
    pub whole: fn(&str, &str, &str) -> Result<String, SqlMistake>,
    /// Goes back to what it was.
    pub time_travel: &'static TimeTravel,
    /// Reads what a database holds, its ledger too: what `wipe` takes.
    pub objects: &'static str,
    /// The text that takes all of it away, and of how many objects; none where there is nothing. It
    /// may be repeated.
    pub wipe: fn(&Json) -> Option<(usize, String)>,
    /// Finds the mistake in a text that was refused, from the answer.
    pub mistake: fn(&str, &str) -> SqlMistake,
    /// How it is written down that the rows which it begins with are in it.
    pub seed: &'static SeedMark,
    /// The copy that wrangler works on without an account.
    pub local: &'static LocalCopy,
}

/// The table of applied migrations; each takes its name.
#[derive(Debug)]
pub struct LedgerTable {
    /// Its name where nobody names another.
    pub name: &'static str,
    /// Makes it where there is none.
    pub make: fn(&str) -> String,
    /// Reads the names of migrations from it, in order.
    pub read: fn(&str) -> String,
    /// Writes the name of one into it.
    pub row: fn(&str, &str) -> String,
}

/// How a database goes back to what it was. An instant has a bookmark.
#[derive(Debug)]
pub struct TimeTravel {
    /// Asks for the bookmark of the instant, in the form of RFC 3339; of now where none is given.
    pub bookmark: fn(&Place, &str, Option<&str>) -> Call,
    /// Goes back to a bookmark. What was there since is gone, but for the bookmark of before.
    pub restore: fn(&Place, &str, &str) -> Call,
    /// Reads the bookmark of an answer.
    pub read: fn(&Json) -> Option<String>,
}

/// How a text runs as a file: it is asked where to put it, put there, run, and asked how far that is.
#[derive(Debug)]
pub struct Import {
    /// True for a text that a query may cut in wrong places.
    pub is_needed: fn(&str) -> bool,
    /// True for the refusal of a query that was cut in a wrong place, by its words.
    pub is_cut: fn(&str) -> bool,
    /// A comment with a word of chance: a file that was imported before is answered without running.
    pub comment: fn(&str) -> String,
    /// Asks where to put the file with this MD5 digest, as hex digits.
    pub begin: fn(&Place, &str, &str) -> Call,
    /// Runs the file with this digest that was put there under this name.
    pub run: fn(&Place, &str, &str, &str) -> Call,
    /// Asks how far it is, by the bookmark of the answer before.
    pub poll: fn(&Place, &str, &str) -> Call,
    /// Reads the answer of any of these.
    pub read: fn(&Json) -> Imported,
}

/// How far an import is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imported {
    /// The file goes to this address, and is called by this name then.
    Put {
        /// Where.
        url: String,
        /// As what.
        name: String,
    },
    /// It runs.
    Running {
        /// What the next look names.
        bookmark: String,
    },
    /// It ran.
    Done,
    /// It was refused, and nothing of it is there.
    Failed(ApiMessage),
    /// The answer does not tell.
    Untold,
}

/// The copy of a database that `wrangler dev` works on, on this machine.
#[derive(Debug)]
pub struct LocalCopy {
    /// The folder of the copies, in that of wrangler's local state.
    pub folder: &'static str,
    /// The name of the file of the one that goes by this identifier, without what stands behind it.
    pub file: fn(&str) -> String,
    /// What stands behind it: of the file itself first.
    pub endings: &'static [&'static str],
    /// wrangler's words that migrate it.
    pub migrate: &'static [&'static str],
    /// wrangler's words that run a file of SQL in it.
    pub execute: &'static [&'static str],
}

/// How it is written down in a database that it is to get the rows which it begins with, and that it
/// has them. It stands there, and not in a record, so that it is true whoever lost a record.
#[derive(Debug)]
pub struct SeedMark {
    /// Makes the table of marks where there is none.
    pub table: &'static str,
    /// Writes that the rows are to come: with the first migration.
    pub due: &'static str,
    /// Writes that they are there, in one transaction with them. A second time it is refused.
    pub done: &'static str,
    /// What stands in the refusal then.
    pub refusal: &'static str,
    /// Reads one row: `marks`, separated by commas, and how many `tables` there are besides those of
    /// marks and migrations. Takes the name of the latter.
    pub look: fn(&str) -> String,
}

/// A mistake in a text of SQL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SqlMistake {
    /// The lines, from 1, of which one has it; none where that cannot be told.
    pub lines: Vec<usize>,
    /// What is wrong there, and what to write, where the answer does not tell.
    pub what: Option<String>,
}
