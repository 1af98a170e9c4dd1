//! The rows that a database begins with: once, after its first migrations.
//!
//! Invariant: whether they are to come, and whether they are there, stands in the database itself,
//! each written in one transaction with what makes it true. So no kill, no lost answer and no lost
//! record seeds twice or leaves it out, and what held something before is never seeded.

use std::collections::BTreeSet;

use envc_kinds::kind;
use envc_plan::{MigrationRef, Seed};
use serde_json::Value as Json;

use super::{
    On, explain,
    import::{Way, not_run},
    whole_text,
};
use crate::{
    progress::Event,
    run::{
        context::{Context, STEP_ATTEMPTS_MAX},
        error::StepError,
        journal::Outcome,
    },
};

/// What is to be done about a database's seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seeding {
    /// It has none.
    None,
    /// Nothing is in the database yet: its first migration writes down that the rows are to come.
    First,
    /// That is written down.
    Due,
    /// The rows are there.
    Done,
    /// The database held something before.
    Left,
}

impl Seeding {
    /// What a migration writes besides its row.
    pub(super) fn mark(self, on: &On<'_>) -> String {
        let mark = on.database.seed;
        match self {
            Self::First => format!("\n{}\n{}", mark.table, mark.due),
            Self::None | Self::Due | Self::Done | Self::Left => String::new(),
        }
    }
}

impl Context<'_> {
    /// What the database says. `ledger`: none for one that this run made.
    pub(super) async fn seeding(
        &self,
        on: &On<'_>,
        ledger: Option<&BTreeSet<String>>,
    ) -> Result<Seeding, StepError> {
        let Some(ledger) = ledger else { return Ok(Seeding::First) };
        let (marks, tables) = self.look_at_marks(on).await?;
        let has = |mark: &str| marks.split(',').any(|it| it == mark);
        Ok(if has("done") {
            Seeding::Done
        } else if has("due") {
            Seeding::Due
        } else if ledger.is_empty() && tables == 0 {
            Seeding::First
        } else {
            Seeding::Left
        })
    }

    /// Puts the rows in, where they are to come.
    pub(super) async fn seed(
        &self,
        on: &On<'_>,
        file: &MigrationRef,
        seeding: Seeding,
    ) -> Result<Outcome, StepError> {
        let address = on.address;
        let (seed, event) = match seeding {
            Seeding::First | Seeding::Due => {
                self.run_seed(on).await?;
                (Seed::Done, Some(Event::Seeded { address, file: &file.name }))
            }
            Seeding::Done => (Seed::Done, None),
            Seeding::Left | Seeding::None => {
                (Seed::Left, Some(Event::NotSeeded { address, file: &file.name }))
            }
        };
        if let Some(event) = event {
            self.client().progress().event(event);
        }
        Ok(Outcome::Seeded { address: address.clone(), seed })
    }

    async fn run_seed(&self, on: &On<'_>) -> Result<(), StepError> {
        let text = self.run.seeds.get(on.address);
        let text = text
            .ok_or_else(|| StepError::Bug(format!("{}: the seed's text is missing", on.address)))?;
        let mark = on.database.seed;
        let sql = whole_text(on, mark.table, text, mark.done)?;
        let mut way = Way::of(on, &sql);
        let mut attempt = 1;
        loop {
            if self.client().stopped() {
                return Err(StepError::Interrupted);
            }
            let error = match self.run_text(on, &sql, way).await {
                Ok(()) if way == Way::Query => return Ok(()),
                Ok(()) => None,
                // An earlier try, or another run, was there first.
                Err(error) if error.message.contains(mark.refusal) => return Ok(()),
                Err(error) if way == Way::Query && (on.database.import.is_cut)(&error.message) => {
                    way = Way::Import;
                    Some(error)
                }
                Err(error) if !error.is_unknown() => return Err(explain(error, on, text, None)),
                Err(error) => Some(error),
            };
            if let Some(error) = &error {
                self.wait_before_retry(error, attempt, self.client().backoff_ms(attempt)).await;
            }
            let (marks, _) = self.look_at_marks(on).await.map_err(StepError::opened)?;
            if marks.split(',').any(|it| it == "done") {
                return Ok(());
            }
            if attempt >= STEP_ATTEMPTS_MAX {
                return Err(StepError::open(error.unwrap_or_else(|| not_run(on, &sql))));
            }
            attempt += 1;
        }
    }

    /// The marks, and how many tables there are besides.
    async fn look_at_marks(&self, on: &On<'_>) -> Result<(String, u64), StepError> {
        let mark = on.database.seed;
        let sql = format!("{}\n{}", mark.table, (mark.look)(on.ledger));
        let kind = kind(on.address.kind());
        let answer = self.client().call_repeatable(&(on.query)(&sql), Some(kind)).await?;
        let last = answer.result.as_array().and_then(|results| results.last());
        let row = last.and_then(|last| last.pointer("/results/0"));
        let field = |name: &str| row.and_then(|row| row.get(name));
        let marks = field("marks").and_then(Json::as_str).unwrap_or_default().to_owned();
        // Without an answer nothing is put in.
        Ok((marks, field("tables").and_then(Json::as_u64).unwrap_or(u64::MAX)))
    }
}
