//! What is told of a statement.

use std::{fmt, ops::Range};

/// Something that whoever runs a file should know first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which file, by its place in the list.
    pub file: usize,
    /// The bytes of the statement in it.
    pub bytes: Range<usize>,
    /// The line on which the statement begins, from 1.
    pub line: usize,
    /// What it is.
    pub what: What,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Rows, or a column of them, go.
    Loses {
        /// Which, and how.
        loss: Loss,
        /// They were there before the first of the files ran; else one of the files put them there.
        old: bool,
    },
    /// A column that may not be null, without a default: SQLite refuses it where the table has rows.
    NotNullWithoutDefault {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// D1 refuses this statement: a migration is a transaction already.
    Refused {
        /// Its first word.
        word: &'static str,
    },
    /// The statement is longer than D1 takes.
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Something is open at the end of the file, so that nothing can be put behind it.
    Unclosed {
        /// What.
        what: String,
    },
    /// The statement cannot be read, so that nothing is known of what it does.
    Unread {
        /// What the parser says.
        reason: String,
    },
}

/// Rows that go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loss {
    /// `DROP TABLE`, and nothing has its rows.
    Table {
        /// The table.
        table: String,
    },
    /// `DELETE` without a condition.
    Rows {
        /// The table.
        table: String,
    },
    /// A column goes with all that is in it.
    Column {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Rows of other tables go, or lose what they refer to, with those of this one.
    Others {
        /// The table whose rows are deleted.
        table: String,
        /// How: `DROP TABLE`, `DELETE` or `REPLACE`.
        by: &'static str,
        /// The tables that refer to it, and what happens to their rows.
        others: Vec<(String, Fate)>,
        /// The line of a `PRAGMA foreign_keys=OFF` before it, in the same file, which does nothing.
        pragma: Option<usize>,
    },
}

/// What happens to rows that refer to one that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// They are deleted, too.
    Deleted,
    /// What they refer to becomes null.
    Nulled,
    /// What they refer to becomes the column's default.
    Defaulted,
}

impl What {
    /// True for what takes rows that were there before.
    pub fn loses_rows(&self) -> bool {
        matches!(self, Self::Loses { old: true, .. })
    }

    /// True for what takes rows without saying so: those of other tables.
    pub fn surprises(&self) -> bool {
        matches!(self, Self::Loses { loss: Loss::Others { .. }, .. })
    }

    /// What to write instead.
    pub fn help(&self) -> String {
        match self {
            Self::Loses { loss: Loss::Others { table, by: "REPLACE", .. }, .. } => format!(
                "write `INSERT INTO {table} … ON CONFLICT (…) DO UPDATE SET …`, which changes the row and \
                 deletes none"
            ),
            Self::Loses { loss: Loss::Others { table, others, .. }, .. } => {
                let names: Vec<&str> = others.iter().map(|(name, _)| name.as_str()).collect();
                format!(
                    "rebuild what refers to it first, so that nothing does when its rows go: copy {} into \
                     new tables that refer to the new `{table}`, drop the old ones, then `{table}`",
                    in_words(&names)
                )
            }
            Self::Loses { loss: Loss::Table { table }, .. } => {
                format!("to keep the rows, copy them before: INSERT INTO … SELECT … FROM {table};")
            }
            Self::Loses { loss: Loss::Rows { table }, .. } => {
                format!("to keep some, say which go: DELETE FROM {table} WHERE …;")
            }
            Self::Loses { loss: Loss::Column { table, column }, .. } => {
                format!(
                    "to keep what is in it, copy `{column}` of `{table}` to where it is needed first"
                )
            }
            Self::NotNullWithoutDefault { column, .. } => format!(
                "give it a default: `{column} … NOT NULL DEFAULT …`; or add it without NOT NULL, fill it, and \
                 rebuild the table"
            ),
            Self::Refused { word: "VACUUM" | "ATTACH" | "DETACH", .. } => "remove it".to_owned(),
            Self::Refused { .. } => {
                "remove it: each migration is one transaction, which ends whole or not at all"
                    .to_owned()
            }
            Self::TooLong { .. } => {
                "divide it: of a large INSERT make several, of some hundred rows each".to_owned()
            }
            Self::Unclosed { .. } => {
                "close it: a migration and its row in the ledger are one text, and envc runs no file \
                 behind which the row would be lost"
                    .to_owned()
            }
            Self::Unread { .. } => {
                "SQLite may refuse it; if not, see yourself whether it loses rows".to_owned()
            }
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loses { loss, .. } => loss.fmt(f),
            Self::NotNullWithoutDefault { table, column } => write!(
                f,
                "`{column}` is NOT NULL without a default, which SQLite refuses where `{table}` has rows"
            ),
            Self::Refused { word } => write!(f, "D1 refuses {word} in a migration"),
            Self::TooLong { bytes } => write!(
                f,
                "a statement of {bytes} bytes; D1 takes {} at the most",
                crate::STATEMENT_BYTES_MAX
            ),
            Self::Unclosed { what } => f.write_str(what),
            Self::Unread { reason } => write!(f, "this statement cannot be read: {reason}"),
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table { table } => write!(f, "the table `{table}` goes with all of its rows"),
            Self::Rows { table } => write!(f, "all rows of `{table}` are deleted"),
            Self::Column { table, column } => {
                write!(f, "the column `{column}` of `{table}` goes with all that is in it")
            }
            Self::Others { table, by, others, pragma } => {
                let with = |fate: Fate| {
                    let of_fate = others.iter().filter(move |(_, it)| *it == fate);
                    of_fate.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
                };
                write!(f, "{by} deletes rows of `{table}`")?;
                if *by == "DROP TABLE" {
                    f.write_str(", all of them,")?;
                }
                let fates = [
                    (Fate::Deleted, "with them go those of"),
                    (Fate::Nulled, "what refers to them becomes null in"),
                    (Fate::Defaulted, "what refers to them becomes its default in"),
                ];
                let mut and = " and ";
                for (fate, says) in fates {
                    let names = with(fate);
                    if !names.is_empty() {
                        write!(f, "{and}{says} {}", in_words(&names))?;
                        and = "; ";
                    }
                }
                if let Some(line) = pragma {
                    write!(
                        f,
                        " (`PRAGMA foreign_keys` in line {line} does nothing: D1 runs a migration in a \
                         transaction)"
                    )?;
                }
                Ok(())
            }
        }
    }
}

fn in_words(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
