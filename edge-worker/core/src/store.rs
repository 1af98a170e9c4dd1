//! What a state machine asks of the place that keeps it: rows by name, and one alarm.
//!
//! A machine lives in memory and tells what to write; whoever runs it writes all of it in one
//! transaction before the answer leaves, or throws the machine away and loads it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// One change of the stored rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Sets a row, whether it is there or not.
    Put {
        /// The row's name.
        name: String,
        /// What it holds: JSON text.
        value: String,
    },
    /// Removes a row, whether it is there or not.
    Delete {
        /// The row's name.
        name: String,
    },
}

/// One change of the stored blobs: contents that a machine does not keep in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blob {
    /// Sets a blob that is not there yet.
    Put {
        /// The blob's name.
        name: String,
        /// What it holds; may be larger than a database takes in one row.
        bytes: Vec<u8>,
    },
    /// Removes a blob, whether it is there or not.
    Delete {
        /// The blob's name.
        name: String,
    },
}

/// What is to be done before an answer may leave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "effects that are not performed are lost with the machine"]
pub struct Effects {
    /// Rows to write, all in one transaction with the blobs.
    pub writes: Vec<Write>,
    /// Blobs to write.
    pub blobs: Vec<Blob>,
    /// When something happens next by the clock alone; `None` if never. Only a hint: a machine
    /// does what is due whenever it is asked anything, so a late or a lost alarm harms nothing.
    pub alarm_at_ms: Option<u64>,
}

/// A row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The row's name.
    pub row: String,
    /// What is wrong with it; never its content.
    pub reason: String,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the stored row `{}` cannot be read: {}", self.row, self.reason)
    }
}

impl std::error::Error for Damaged {}

/// Reads one row.
pub(crate) fn read<T: DeserializeOwned>(name: &str, value: &str) -> Result<T, Damaged> {
    serde_json::from_str(value).map_err(|error| Damaged {
        row: name.to_owned(),
        reason: format!("line {} column {}", error.line(), error.column()),
    })
}

/// The names of rows that changed; each is rendered once, as it is in the end.
#[derive(Debug, Default)]
pub(crate) struct Dirty(BTreeSet<String>);

impl Dirty {
    pub(crate) fn mark(&mut self, name: impl Into<String>) {
        self.0.insert(name.into());
    }

    /// Renders every marked row; `None` from `row` means that it is gone.
    pub(crate) fn writes(self, row: impl Fn(&str) -> Option<String>) -> Vec<Write> {
        let render = |name: String| match row(&name) {
            Some(value) => Write::Put { name, value },
            None => Write::Delete { name },
        };
        self.0.into_iter().map(render).collect()
    }
}

/// Writes a row's value. Rows are plain structs with string keys, which always can be written;
/// `null` would be refused when it is read.
pub(crate) fn value<T: Serialize>(row: &T) -> String {
    serde_json::to_string(row).unwrap_or_else(|_| "null".to_owned())
}

/// Does to stored rows what the shell does; for tests and for whoever keeps them in memory.
pub fn apply(rows: &mut BTreeMap<String, String>, writes: &[Write]) {
    for write in writes {
        match write {
            Write::Put { name, value } => rows.insert(name.clone(), value.clone()),
            Write::Delete { name } => rows.remove(name),
        };
    }
}
