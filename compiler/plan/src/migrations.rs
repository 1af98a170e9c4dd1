//! How the migrations of a database stand, and which are to run. Ledger and order are wrangler's
//! own, so that both tools can be used on one database.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Digest, counted};
use envc_kinds::kind;
use serde::{Deserialize, Serialize};

use crate::{folder, state::AppliedMigration, work::MigrationRef};

/// A migration file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationFile {
    /// Its name relative to the folder, with extension: what the ledger holds.
    pub name: String,
    /// Its path as the spec names the folder, for messages.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl MigrationFile {
    /// Name and digest, and how it runs on this database.
    pub fn reference(&self, database: &Address) -> MigrationRef {
        let import = kind(database.kind()).database().map(|database| database.import);
        let imported = import.is_some_and(|import| (import.is_needed)(&self.text));
        MigrationRef { name: self.name.clone(), digest: Digest::of(&self.text), imported }
    }
}

/// Sorts as wrangler does: see [`crate::look_into`], which gives them in the order in which they run.
pub fn sort_migrations(files: &mut [MigrationFile]) {
    files.sort_by(|a, b| folder::compare(&a.name, &b.name));
}

/// Whose pending migrations a plan runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Migrate {
    /// Those of the databases that the environment owns: an apply never changes an existing one.
    #[default]
    Managed,
    /// None: the spec says that they run by hand.
    ByHand,
    /// All: the user asked for it.
    All,
}

impl Migrate {
    pub(crate) fn runs(self, existing: bool) -> bool {
        match self {
            Self::Managed => !existing,
            Self::ByHand => false,
            Self::All => true,
        }
    }
}

/// Something that is to be known of a pending file before it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// The file's name, as the ledger will hold it.
    pub file: String,
    /// The line on which the statement begins, from 1.
    pub line: usize,
    /// What the statement does.
    pub what: String,
    /// What to write instead.
    pub help: String,
    /// Rows that are there go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loses: bool,
}

/// How the files of one database, its ledger and the record stand to each other.
///
/// Invariant: the ledger counts. What it has does not run, what it lacks runs, and nothing else is
/// said to be pending; the record only tells what changed since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// What the ledger holds, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<String>,
    /// Files that the ledger lacks, in the order in which they run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<String>,
    /// Pending files that come before an applied one, each with the last such.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub late: BTreeMap<String, String>,
    /// Pending files with the content of an applied one that has no file, each with that one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub renamed: BTreeMap<String, String>,
    /// Applied files with another content than when envc applied them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edited: Vec<String>,
    /// In the ledger, without a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Recorded as applied, and not in the ledger.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<String>,
    /// What is to be known of pending files before they run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risks: Vec<Risk>,
    /// True when the plan runs what is pending.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub runs: bool,
}

impl Standing {
    /// Compares. `recorded` are the migrations that are recorded of this very database.
    pub fn of(files: &[MigrationFile], ledger: &[String], recorded: &[AppliedMigration]) -> Self {
        let applied: BTreeSet<&str> = ledger.iter().map(String::as_str).collect();
        let names: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
        let then: BTreeMap<&str, &Digest> = recorded
            .iter()
            .filter_map(|known| Some((known.name.as_str(), known.digest.as_ref()?)))
            .collect();
        let missing: Vec<String> =
            ledger.iter().filter(|name| !names.contains(name.as_str())).cloned().collect();
        let mut standing = Self { applied: ledger.to_vec(), ..Self::default() };
        let mut last = None;
        for file in files.iter().rev() {
            let now = Digest::of(&file.text);
            if applied.contains(file.name.as_str()) {
                last = last.or(Some(&file.name));
                if then.get(file.name.as_str()).is_some_and(|then| **then != now) {
                    standing.edited.push(file.name.clone());
                }
                continue;
            }
            standing.pending.push(file.name.clone());
            if let Some(last) = last {
                standing.late.insert(file.name.clone(), last.clone());
            }
            // Two files without a statement say nothing of each other.
            let was = missing.iter().find(|name| then.get(name.as_str()) == Some(&&now));
            if let Some(was) = was.filter(|_| envc_sql::has_statement(&file.text)) {
                standing.renamed.insert(file.name.clone(), was.clone());
            }
        }
        standing.pending.reverse();
        standing.edited.reverse();
        standing.missing = missing;
        let lacking = recorded.iter().filter(|known| !applied.contains(known.name.as_str()));
        standing.lacking = lacking.map(|known| known.name.clone()).collect();
        standing
    }

    /// True for a file that a plan which runs this database's migrations runs. One that was renamed
    /// after it was applied is refused instead.
    pub fn is_to_run(&self, file: &str) -> bool {
        self.pending.iter().any(|pending| pending == file) && !self.renamed.contains_key(file)
    }

    /// True when files and ledger say the same: nothing is pending, edited or missing.
    pub fn is_clean(&self) -> bool {
        self.pending.is_empty() && self.edited.is_empty() && self.missing.is_empty()
    }

    /// Each file that was renamed after it was applied, in words.
    pub fn renames(&self) -> impl Iterator<Item = String> {
        self.renamed.iter().map(|(file, was)| {
            format!(
                "{file} has the content of {was}, which is applied and has no file: rename it back"
            )
        })
    }

    /// What people have to know before anything runs.
    pub(crate) fn notes(&self, address: &Address) -> Vec<String> {
        let mut notes = Vec::new();
        if !self.lacking.is_empty() {
            let mut again = self.lacking.iter().filter(|name| self.pending.contains(name));
            let then = match (again.next(), self.runs) {
                (None, _) => "there is no file of them to run",
                (Some(_), true) => "what it lacks runs again",
                (Some(_), false) => "what it lacks is pending again",
            };
            notes.push(format!(
                "{address}: the database lacks {} that {} recorded as applied ({}): it was \
                 restored, emptied or replaced; {then}",
                counted(self.lacking.len(), "migration"),
                if self.lacking.len() == 1 { "was" } else { "were" },
                self.lacking.join(", ")
            ));
        }
        notes.extend(self.edited.iter().map(|name| {
            format!(
                "{address}: {name} was edited after it was applied; the edit is not run. Put it \
                 into a new migration"
            )
        }));
        notes.extend(
            self.missing
                .iter()
                .map(|name| format!("{address}: {name} is applied, and its file is missing")),
        );
        if !self.runs {
            // Where they would run they are refused.
            notes.extend(self.renames().map(|renamed| format!("{address}: {renamed}")));
        }
        let late = self.late.iter().filter(|(file, _)| !self.renamed.contains_key(*file));
        notes.extend(late.map(|(file, after)| {
            format!(
                "{address}: {file} comes before {after}, which is applied already; it runs all the \
                 same, as wrangler would"
            )
        }));
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_wranglers() {
        let names = ["10_c.sql", "2_b.sql", "readme.sql", "0001_a.sql", "1_a.sql"];
        let mut files: Vec<MigrationFile> = names
            .iter()
            .map(|name| MigrationFile {
                name: (*name).into(),
                path: String::new(),
                text: String::new(),
            })
            .collect();
        sort_migrations(&mut files);
        let sorted: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(sorted, ["0001_a.sql", "1_a.sql", "2_b.sql", "10_c.sql", "readme.sql"]);
    }

    fn file(name: &str, text: &str) -> MigrationFile {
        MigrationFile { name: name.into(), path: format!("m/{name}"), text: text.into() }
    }

    fn recorded(name: &str, text: Option<&str>) -> AppliedMigration {
        AppliedMigration { name: name.into(), digest: text.map(Digest::of) }
    }

    #[test]
    fn what_was_renamed_edited_lost_or_is_late_is_told() {
        let files = [
            file("1.sql", "CREATE TABLE a (x); -- edited"),
            file("2.sql", "CREATE TABLE b (x);"),
            file("3.sql", "CREATE TABLE c (x);"),
        ];
        let ledger = ["1.sql".to_owned(), "0.sql".to_owned(), "3.sql".to_owned()];
        let known = [
            recorded("1.sql", Some("CREATE TABLE a (x);")),
            recorded("0.sql", Some("CREATE TABLE b (x);")),
            recorded("3.sql", None),
            recorded("9.sql", None),
        ];
        let standing = Standing::of(&files, &ledger, &known);
        assert_eq!(standing.edited, ["1.sql"]);
        assert_eq!(standing.missing, ["0.sql"]);
        assert_eq!(standing.pending, ["2.sql"]);
        assert_eq!(standing.late["2.sql"], "3.sql");
        assert_eq!(standing.renamed["2.sql"], "0.sql");
        assert_eq!(standing.lacking, ["9.sql"]);
        assert!(!standing.is_to_run("2.sql") && !standing.is_clean());
    }
}
