//! What pending migrations do to rows that are there: read before anything runs.
//!
//! Invariant: a file that loses rows is asked for, and in a protected environment exactly the files that
//! the user names lose any.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use envc_core::Address;
use envc_sql::{Before, File, Finding, What};
use serde::{Deserialize, Serialize};

use crate::migrations::{MigrationFile, Risk, Standing};

/// A file that may lose rows of one database: `d1.webapp:0002_drop.sql`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LossyFile {
    /// The database.
    pub database: Address,
    /// The file's name, as the ledger will hold it.
    pub file: String,
}

impl fmt::Display for LossyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.database, self.file)
    }
}

impl From<LossyFile> for String {
    fn from(it: LossyFile) -> Self {
        it.to_string()
    }
}

impl TryFrom<String> for LossyFile {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for LossyFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            "a database and a file of its migrations, such as d1.webapp:0002_drop.sql".to_owned()
        };
        let (database, file) = text.split_once(':').ok_or_else(wrong)?;
        let database = database.parse().map_err(|_| wrong())?;
        (!file.is_empty()).then(|| Self { database, file: file.to_owned() }).ok_or_else(wrong)
    }
}

/// Reads the pending files of a database. `is_new`: nothing is in it yet.
pub(crate) fn of(files: &[MigrationFile], standing: &Standing, is_new: bool) -> Vec<Risk> {
    let applied = |file: &MigrationFile| standing.applied.contains(&file.name);
    let read: Vec<&MigrationFile> =
        files.iter().filter(|file| applied(file) || standing.is_to_run(&file.name)).collect();
    if read.iter().all(|file| applied(file)) {
        return Vec::new();
    }
    let texts: Vec<File<'_>> =
        read.iter().map(|file| File { text: &file.text, applied: applied(file) }).collect();
    let before = if is_new { Before::Nothing } else { Before::Rows };
    let found = envc_sql::read(&texts, before).into_iter().filter(|it| {
        // What the same files put there and take away is their own business, unless they take it unawares.
        !matches!(it.what, What::Loses { old: false, .. }) || it.what.surprises()
    });
    found.filter_map(|it| Some(risk(read.get(it.file)?, &it))).collect()
}

/// What is wrong with files of which nobody knows which ran: what takes rows unawares, what D1 refuses, and
/// what cannot be read. What says itself that rows go is no mistake.
pub fn doubts(files: &[MigrationFile]) -> Vec<Risk> {
    let texts: Vec<File<'_>> =
        files.iter().map(|file| File { text: &file.text, applied: false }).collect();
    let found = envc_sql::read(&texts, Before::Unknown).into_iter().filter(|it| {
        it.what.surprises()
            || !matches!(it.what, What::Loses { .. } | What::NotNullWithoutDefault { .. })
    });
    found.filter_map(|it| Some(risk(files.get(it.file)?, &it))).collect()
}

fn risk(file: &MigrationFile, found: &Finding) -> Risk {
    Risk {
        file: file.name.clone(),
        line: found.line,
        what: found.what.to_string(),
        help: found.what.help(),
        loses: found.what.loses_rows(),
    }
}

/// The files that lose rows when the plan runs.
pub fn lossy_files(migrations: &BTreeMap<Address, Standing>) -> BTreeSet<LossyFile> {
    let run = migrations.iter().filter(|(_, standing)| standing.runs);
    let risks =
        run.flat_map(|(address, standing)| standing.risks.iter().map(move |it| (address, it)));
    let lossy = risks.filter(|(_, risk)| risk.loses);
    let files = lossy
        .map(|(address, risk)| LossyFile { database: address.clone(), file: risk.file.clone() });
    files.collect()
}
