//! Migrations of one database, with wrangler's ledger and order.
//!
//! A file's statements and its row in the ledger go in one text, which the API runs as one
//! transaction: applied and recorded, or neither, whatever the file's last characters are. After an unknown outcome the ledger is read, and
//! after a refusal, too: another run may have been quicker, and then the file is applied.

mod import;
mod ledger;
mod seed;
mod way_back;

use std::collections::{BTreeMap, BTreeSet};

use envc_core::Address;
use envc_kinds::{Call, Database, Place, SqlMistake, kind};
use envc_plan::{MigrationFile, MigrationRef};

use self::{
    import::{Way, not_run},
    ledger::{ledger_of, names_in},
    seed::Seeding,
};
pub use self::{
    ledger::{mark, read_ledger},
    way_back::{bookmark, restore},
};
use super::{
    context::{Context, STEP_ATTEMPTS_MAX},
    error::{MigrationError, StepError},
    journal::Outcome,
};
use crate::{
    client::{CallClass, CallError},
    progress::Event,
};

/// Lines of which one is meant that a message lists.
const LINES_MAX: usize = 5;
/// Characters of a statement that a message quotes.
const SHOWN_CHARS_MAX: usize = 80;

/// What to do on one database.
pub(super) struct Migrations<'a> {
    pub(super) address: &'a Address,
    pub(super) files: &'a [MigrationRef],
    /// True when this run made the database: there is no ledger to read.
    pub(super) fresh: bool,
    /// The rows that it begins with.
    pub(super) seed: Option<&'a MigrationRef>,
    /// True when all that the database holds goes first, its ledger with it.
    pub(super) reset: bool,
}

/// A database, and how it is asked.
struct On<'a> {
    address: &'a Address,
    database: &'static Database,
    query: &'a (dyn Fn(&str) -> Call + Sync),
    place: &'a Place,
    id: &'a str,
    /// This run made it: the API may not see it yet.
    fresh: bool,
    /// The name of its ledger.
    ledger: &'a str,
}

impl On<'_> {
    /// The text that reads the ledger, and makes it where there is none.
    fn read_ledger(&self) -> String {
        let ledger = self.database.ledger;
        format!("{}\n{}", (ledger.make)(self.ledger), (ledger.read)(self.ledger))
    }
}

impl Context<'_> {
    /// Runs the files that the ledger lacks. `outcomes` has those that are applied, also where a
    /// later one failed.
    pub(super) async fn migrate(
        &self,
        work: &Migrations<'_>,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), StepError> {
        let address = work.address;
        let bug = |what: &str| StepError::Bug(format!("{address}: {what}"));
        let id = self.id_of(address).ok_or_else(|| bug("it has no identifier"))?;
        let database = database(address).ok_or_else(|| bug("it runs no migrations"))?;
        let place = self.place(None);
        let fresh = work.fresh;
        let query = |sql: &str| (database.query)(&place, &id, sql).following(fresh);
        let ledger = ledger_of(self.run.ledgers, address, database);
        let on = On { address, database, query: &query, place: &place, id: &id, fresh, ledger };
        let texts = self.run.migrations.get(address).map(Vec::as_slice).unwrap_or_default();
        let texts: BTreeMap<&str, &MigrationFile> =
            texts.iter().map(|file| (file.name.as_str(), file)).collect();
        let mut ledger = match work {
            Migrations { fresh: true, .. } => None,
            Migrations { reset: true, .. } => {
                self.wipe(&on).await?;
                None
            }
            _ => Some(self.ledger(&on).await?),
        };
        let seeding = match work.seed {
            Some(_) => self.seeding(&on, ledger.as_ref()).await?,
            None => Seeding::None,
        };
        for file in work.files {
            if self.client().stopped() {
                return Err(StepError::Interrupted);
            }
            let mut already = ledger.as_ref().is_some_and(|ledger| ledger.contains(&file.name));
            if !already {
                let text = texts.get(file.name.as_str());
                let text = text.ok_or_else(|| bug("a migration's text is missing"))?;
                already = !self.run_file(&on, text, seeding, &mut ledger).await?;
            }
            self.client().progress().event(Event::Migrated { address, file: &file.name, already });
            outcomes.push(Outcome::Migrated {
                address: address.clone(),
                id: id.clone(),
                name: file.name.clone(),
                digest: (!already).then(|| file.digest.clone()),
            });
        }
        if let Some(seed) = work.seed {
            outcomes.push(self.seed(&on, seed, seeding).await?);
        }
        let table = self.run.ledgers.get(address).cloned();
        outcomes.push(Outcome::AllMigrated { address: address.clone(), table });
        Ok(())
    }

    async fn ledger(&self, on: &On<'_>) -> Result<BTreeSet<String>, StepError> {
        let kind = kind(on.address.kind());
        let call = (on.query)(&on.read_ledger());
        let answer = self.client().call_repeatable(&call, Some(kind)).await?;
        Ok(names_in(&call, &answer.result)?.collect())
    }

    /// Takes everything out of a database. Repeated until it is certain.
    async fn wipe(&self, on: &On<'_>) -> Result<(), StepError> {
        let kind = kind(on.address.kind());
        let objects = (on.query)(on.database.objects);
        let objects = self.client().call_repeatable(&objects, Some(kind)).await?;
        if let Some((objects, sql)) = (on.database.wipe)(&objects.result) {
            self.client().call_repeatable(&(on.query)(&sql), Some(kind)).await?;
            let address = on.address;
            self.client().progress().event(Event::Emptied { address, objects });
        }
        Ok(())
    }

    /// Runs one file. False: another run was quicker.
    async fn run_file(
        &self,
        on: &On<'_>,
        file: &MigrationFile,
        seeding: Seeding,
        ledger: &mut Option<BTreeSet<String>>,
    ) -> Result<bool, StepError> {
        let table = on.database.ledger;
        let make = if ledger.is_none() { (table.make)(on.ledger) } else { String::new() };
        let row = format!("{}{}", (table.row)(on.ledger, &file.name), seeding.mark(on));
        let text = whole_text(on, &make, file, &row)?;
        let mut way = Way::of(on, &text);
        let mut attempt = 1;
        loop {
            let error = match self.run_text(on, &text, way).await {
                Ok(()) if way == Way::Query => {
                    ledger.get_or_insert_default().insert(file.name.clone());
                    return Ok(true);
                }
                Ok(()) => None,
                Err(error) if way == Way::Query && (on.database.import.is_cut)(&error.message) => {
                    way = Way::Import;
                    Some(error)
                }
                Err(error) if error.class == CallClass::Interrupted => return Err(error.into()),
                Err(error) if !error.is_unknown() => {
                    return self.refused(on, file, ledger, error).await;
                }
                Err(error) => Some(error),
            };
            if let Some(error) = &error {
                self.wait_before_retry(error, attempt, self.client().backoff_ms(attempt)).await;
            }
            let found = self.ledger(on).await.map_err(StepError::opened)?;
            let done = found.contains(&file.name);
            *ledger = Some(found);
            if done {
                return Ok(true);
            }
            if attempt >= STEP_ATTEMPTS_MAX || self.client().stopped() {
                return Err(StepError::open(error.unwrap_or_else(|| not_run(on, &text))));
            }
            attempt += 1;
        }
    }
}

impl Context<'_> {
    /// What a refusal means: nothing, where another run has applied the file meanwhile.
    async fn refused(
        &self,
        on: &On<'_>,
        file: &MigrationFile,
        ledger: &mut Option<BTreeSet<String>>,
        error: CallError,
    ) -> Result<bool, StepError> {
        let id = self.id_of(on.address).unwrap_or_default();
        let found = read_ledger(self.client(), self.run.account, on.address, &id, on.ledger).await;
        let found: BTreeSet<String> = found.unwrap_or_default().into_iter().collect();
        if found.contains(&file.name) {
            *ledger = Some(found);
            return Ok(false);
        }
        let known = ledger.get_or_insert_default();
        let standing = self.run.plan.plan().migrations.get(on.address);
        let missing = standing.map(|it| it.missing.as_slice()).unwrap_or_default();
        let help = if found.is_subset(known) {
            match error.message.contains("already exists") {
                true if !missing.is_empty() => Some(format!(
                    "applied, and without a file: {}. If {} is one of them under another name, give \
                     the file that name again",
                    missing.join(", "),
                    file.name
                )),
                true if found.is_empty() && self.can_be_reset(on.address) => Some(format!(
                    "the ledger in the database has no file, and what {} makes is there: where the \
                     ledger was lost, empty the database and migrate it anew, which deletes its \
                     data: envc migrate reset {}",
                    file.name, on.address
                )),
                _ => None,
            }
        } else {
            Some(
                "another run is applying migrations to this database: when it is done, run the \
                 command again"
                    .to_owned(),
            )
        };
        Err(explain(error, on, file, help))
    }

    /// True for a database of the environment's own that is not protected.
    fn can_be_reset(&self, address: &Address) -> bool {
        let plan = self.run.plan.plan();
        let mut changes = plan.changes.iter().filter(|it| it.address == *address);
        !plan.basis.protected && changes.all(|it| !it.existing && !it.protect)
    }
}

/// Names the file and, as far as the API's words and the text tell, the line.
fn explain(error: CallError, on: &On<'_>, file: &MigrationFile, help: Option<String>) -> StepError {
    let SqlMistake { lines, what } = (on.database.mistake)(&file.text, &error.message);
    let place = place_of(file, &lines);
    let (explanation, statement) = match lines.as_slice() {
        [line] => (what, line.checked_sub(1).and_then(|at| shown(file.text.lines().nth(at)?))),
        [] => (what, None),
        lines => (what.or_else(|| Some(one_of(lines))), None),
    };
    let database = on.address.clone();
    let failed = MigrationError { place, database, error, explanation, statement, help };
    StepError::Migration(Box::new(failed))
}

/// The file, with the line where it is one alone.
fn place_of(file: &MigrationFile, lines: &[usize]) -> String {
    match lines {
        [line] => format!("{}:{line}", file.path),
        _ => file.path.clone(),
    }
}

/// Lines of which one is meant.
fn one_of(lines: &[usize]) -> String {
    match lines {
        [first, .., last] if lines.len() > LINES_MAX => {
            format!("in one of {} lines from {first} to {last}", lines.len())
        }
        [others @ .., last] => {
            let others: Vec<String> = others.iter().map(usize::to_string).collect();
            format!("in line {} or {last}", others.join(", "))
        }
        [] => String::new(),
    }
}

/// The beginning of a line, as a message quotes it.
fn shown(line: &str) -> Option<String> {
    let line = line.trim();
    let short: String = line.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect();
    let cut = if short.len() < line.len() { " …" } else { "" };
    (!short.is_empty()).then(|| format!("{short}{cut}"))
}

fn database(address: &Address) -> Option<&'static Database> {
    kind(address.kind()).database()
}

/// The ledger where it is to be made, the file's statements, then its row in the ledger.
fn whole_text(
    on: &On<'_>,
    before: &str,
    file: &MigrationFile,
    behind: &str,
) -> Result<String, StepError> {
    (on.database.whole)(before, &file.text, behind).map_err(|mistake| {
        let place = place_of(file, &mistake.lines);
        let why = mistake.what.unwrap_or_default();
        StepError::Unclosed { place, database: on.address.clone(), why }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_which_one_is_meant_are_told() {
        assert_eq!(one_of(&[3, 7]), "in line 3 or 7");
        assert_eq!(one_of(&[1, 3, 7]), "in line 1, 3 or 7");
        let many: Vec<usize> = (1..=LINES_MAX + 1).collect();
        assert_eq!(one_of(&many), format!("in one of {0} lines from 1 to {0}", LINES_MAX + 1));
    }
}
