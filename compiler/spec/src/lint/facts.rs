//! What the outside knows of a project, as plain data.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// A day of the calendar: year, month, day of the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(u16, u8, u8);

impl Day {
    /// A day, not checked against the calendar.
    pub fn new(year: u16, month: u8, day: u8) -> Self {
        Self(year, month, day)
    }

    /// Reads `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        let good = year.len() == 4 && month.len() == 2 && day.len() == 2 && parts.next().is_none();
        good.then_some(())?;
        Some(Self::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?))
    }

    /// The same day of the year before.
    #[must_use]
    pub fn a_year_before(self) -> Self {
        let Self(year, month, day) = self;
        Self(year.saturating_sub(1), month, day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(year, month, day) = self;
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// The names, texts and numbers of a configuration, each with the keys that lead to it, such as
/// `triggers.crons`. Lists count as what they hold, and an `env.NAME` as the top.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(BTreeSet<(String, String)>);

impl Words {
    /// Adds one.
    pub fn add(&mut self, keys: &str, word: impl Into<String>) {
        self.0.insert((keys.to_owned(), word.into()));
    }

    /// True where a word stands anywhere.
    pub fn holds(&self, word: &str) -> bool {
        self.0.iter().any(|(_, known)| known == word)
    }

    /// True where a word stands under these keys.
    pub fn holds_at(&self, keys: &str, word: &str) -> bool {
        self.0.contains(&(keys.to_owned(), word.to_owned()))
    }
}

/// A folder of migrations: its path in the spec, and the pattern of its files, where there is one.
pub type FolderOf = (String, Option<String>);

/// What is known of a folder of migrations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderFacts {
    /// It is there.
    pub is_there: bool,
    /// How many migrations it holds.
    pub count: usize,
    /// What is odd about it, each with what to do.
    pub oddities: Vec<(String, String)>,
    /// What a line of a file does, each with what to write instead; none where the files were not read.
    pub doubts: Option<Vec<(String, String)>>,
}

/// What the outside knows. Nothing is known by default: then only the text is looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The day of the check.
    pub today: Option<Day>,
    /// The text of each template that could be read, by its path in the spec.
    pub templates: BTreeMap<String, String>,
    /// What templates read, such as `let.web-url` or `d1.webapp`.
    pub reads: BTreeSet<String>,
    /// What stands in the configuration that each worker's template makes, over all types;
    /// a worker whose template was not rendered is left out.
    pub configurations: BTreeMap<String, Words>,
    /// The variables of dotenv files whose `$` begins a name to readers that expand, by the file's path,
    /// where it is not said who reads it. None: no file was made for this.
    pub expanded: Option<BTreeMap<String, BTreeSet<String>>>,
    /// What is read before a file that envc writes, or in its place, by that one's path: what is so, and
    /// what to do. None: nobody looked.
    pub outranked: Option<BTreeMap<String, Vec<(String, String)>>>,
    /// The files that are run by a shell, by their paths in the spec, each with what stands in it as
    /// whoever gave it wrote it: "the branch's name". None: no file was rendered for this.
    pub scripts: Option<BTreeMap<String, BTreeSet<&'static str>>>,
    /// What is known of each folder of migrations, by its path in the spec and its pattern. One that was
    /// not looked at is left out.
    pub migrations: BTreeMap<FolderOf, FolderFacts>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_compared_and_written() {
        let day = Day::parse("2026-11-22").unwrap();
        assert_eq!(day.to_string(), "2026-11-22");
        assert_eq!(day.a_year_before().to_string(), "2025-11-22");
        assert!(Day::parse("2026-09-01") < Some(day));
        for text in ["2026-1-22", "2026-11", "2026-11-22-1", "x", "20261122"] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }
}
