//! Changes of several resources in one request.

use std::collections::BTreeSet;

use envc_kinds::{Answer, BatchItem, Kind, Meaning, Observed, Wanted, kind, same, same_name};
use envc_plan::BatchWork;

use super::{
    context::{Context, STEP_ATTEMPTS_MAX},
    error::StepError,
    journal::Outcome,
    operation::Outcomes,
};
use crate::client::{CallClass, CallError};

impl Context<'_> {
    /// All changes of one zone. The endpoint is atomic: after an unknown outcome a list tells
    /// whether all of it happened or none.
    pub(super) async fn batch(&self, zone: Option<&str>, items: &[BatchWork]) -> Outcomes {
        let first = items.first().and_then(|item| item.operation().subject.address());
        let Some(kind) = first.map(|address| kind(address.kind())) else {
            return Ok(Vec::new());
        };
        let Some(endpoint) = kind.facts().batch else { return Ok(Vec::new()) };
        let place = self.place(zone);
        let mut sent = Vec::with_capacity(items.len());
        for item in items {
            sent.push(match item {
                BatchWork::Create(target) => BatchItem::Create(self.wanted(target)?),
                BatchWork::Update { target, id } => {
                    BatchItem::Update { id: id.clone(), wanted: self.wanted(target)? }
                }
                BatchWork::Delete(target) => BatchItem::Delete { id: target.id.clone() },
            });
        }
        let mut attempt = 1;
        loop {
            let still: Vec<BatchItem> =
                sent.iter().filter(|item| !is_done(item)).cloned().collect();
            let call = (endpoint.call)(&place, &still);
            let error = match self.client().call(&call, Some(kind)).await {
                Ok(answer) => {
                    let mut told = (endpoint.read)(&still, &answer.result).into_iter();
                    let seen: Vec<_> = sent
                        .iter()
                        .map(|item| if is_done(item) { None } else { told.next().flatten() })
                        .collect();
                    if let Some(outcomes) = self.batch_outcomes(items, &sent, &seen) {
                        return Ok(outcomes);
                    }
                    let message = "the answer does not name every record";
                    CallError::new(&call, CallClass::Unknown, message)
                }
                Err(error) => error,
            };
            // A delete just before may not have reached every server of the API.
            let late = error.means(Meaning::Exists);
            let missing = error.means(Meaning::NotFound);
            if !(error.is_unknown() || late || missing)
                || attempt >= STEP_ATTEMPTS_MAX
                || self.client().stopped()
            {
                return Err(error.into());
            }
            self.wait_before_retry(&error, attempt, self.client().backoff_ms(attempt)).await;
            let found = self.batch_found(kind, zone, &sent).await?;
            if found.iter().all(|(done, _)| *done) {
                let seen: Vec<_> = found.iter().map(|(_, seen)| seen.clone()).collect();
                if let Some(outcomes) = self.batch_outcomes(items, &sent, &seen) {
                    return Ok(outcomes);
                }
            }
            if missing {
                // A record that was to be deleted is gone already: leave its delete out.
                for (item, (done, _)) in sent.iter_mut().zip(&found) {
                    if *done && let BatchItem::Delete { id } = item {
                        id.clear();
                    }
                }
                if sent.iter().all(is_done) {
                    let none = vec![None; items.len()];
                    return Ok(self.batch_outcomes(items, &sent, &none).unwrap_or_default());
                }
            }
            attempt += 1;
        }
    }

    /// For each item: has it happened, and what is there now?
    async fn batch_found(
        &self,
        kind: &dyn Kind,
        zone: Option<&str>,
        sent: &[BatchItem],
    ) -> Result<Vec<(bool, Option<Observed>)>, StepError> {
        let Some(listing) = kind.listing(&self.place(zone)) else { return Ok(Vec::new()) };
        let items = self.client().list(&listing, kind).await.map_err(StepError::open)?;
        let gone = self.gone(kind, zone, sent, &items).await?;
        let matches = |wanted: &Wanted, seen: &Observed| {
            wanted.fields.iter().all(|(field, value)| {
                let told = seen.fields.get(field);
                told.is_some_and(|told| {
                    same(kind, field, (value, &wanted.fields), (told, &seen.fields))
                })
            })
        };
        Ok(sent
            .iter()
            .map(|item| match item {
                BatchItem::Create(wanted) => {
                    let seen = items.iter().find(|seen| {
                        same_name(kind, &seen.name, &wanted.name) && matches(wanted, seen)
                    });
                    (seen.is_some(), seen.cloned())
                }
                BatchItem::Update { id, wanted } => {
                    let seen = items.iter().find(|seen| seen.id == *id && matches(wanted, seen));
                    (seen.is_some(), seen.cloned())
                }
                BatchItem::Delete { id } => (gone.contains(id), None),
            })
            .collect())
    }

    /// What of these deletes is done. Invariant: a list that lags proves nothing gone, so what it does
    /// not show is asked for by its identifier.
    async fn gone(
        &self,
        kind: &dyn Kind,
        zone: Option<&str>,
        sent: &[BatchItem],
        listed: &[Observed],
    ) -> Result<BTreeSet<String>, StepError> {
        let place = self.place(zone);
        let mut gone = BTreeSet::new();
        for item in sent {
            let BatchItem::Delete { id } = item else { continue };
            if listed.iter().any(|seen| seen.id == *id) {
                continue;
            }
            let call = kind.read(&place, id).filter(|_| !id.is_empty());
            let read = match &call {
                Some(call) => self.client().call(call, Some(kind)).await,
                None => Ok(Answer::default()),
            };
            match read {
                Ok(answer) if call.is_some() && !kind.is_deleted(&answer.result) => {}
                Err(error) if !error.means(Meaning::NotFound) => {
                    return Err(StepError::open(error));
                }
                _ => {
                    gone.insert(id.clone());
                }
            }
        }
        Ok(gone)
    }

    fn batch_outcomes(
        &self,
        items: &[BatchWork],
        sent: &[BatchItem],
        seen: &[Option<Observed>],
    ) -> Option<Vec<Outcome>> {
        let mut outcomes = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let seen = seen.get(index).and_then(Option::as_ref);
            outcomes.push(match (item, sent.get(index)?) {
                (BatchWork::Create(target), BatchItem::Create(wanted))
                | (BatchWork::Update { target, .. }, BatchItem::Update { wanted, .. }) => {
                    self.made(target, wanted.clone(), seen?)
                }
                (BatchWork::Delete(target), _) => {
                    Outcome::Gone { address: target.address.clone(), id: target.id.clone() }
                }
                _ => return None,
            });
        }
        Some(outcomes)
    }
}

/// True for a delete that is left out because its record is gone already.
fn is_done(item: &BatchItem) -> bool {
    matches!(item, BatchItem::Delete { id } if id.is_empty())
}
