//! One step against the API, made safe: ensure instead of create, look before trying again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use envc_core::{Address, Input, KindId, Output, Part, Secret, Value, Vault};
use envc_kinds::{
    BatchItem, Call, Kind, Meaning, Mutability, Observed, Upload, Wanted, kind, same, same_name,
};
use envc_plan::{BatchWork, Doomed, Ownership, State, Target};
use serde_json::Value as Json;

use crate::{
    client::{CallClass, CallError, Client},
    journal::{Outcome, record_of},
    ports::{Leased, PoolError},
    progress::Event,
    scope::Scope,
};

/// Tries of one step beyond what the client tries for one call.
pub(crate) const STEP_ATTEMPTS_MAX: u32 = 5;
/// Pages of contents that are removed before a container counts as filled faster than emptied.
const EMPTYING_ROUNDS_MAX: usize = 100_000;

/// What steps share.
pub(crate) struct Context<'a> {
    pub(crate) client: &'a Client<'a>,
    pub(crate) scope: &'a Scope,
    /// What was begun before this run: a namesake of these is ours.
    pub(crate) begun: BTreeSet<(KindId, String)>,
    /// What proves a namesake ours.
    pub(crate) ownership: &'a Ownership,
    /// The texts of the plan's sealed values.
    pub(crate) vault: &'a Vault,
    /// What is uploaded besides what stands in the plan.
    pub(crate) uploads: &'a BTreeMap<Address, Arc<Upload>>,
    /// API identifiers by address; grows as steps succeed.
    pub(crate) ids: Mutex<BTreeMap<Address, String>>,
    /// Physical names by address.
    pub(crate) names: BTreeMap<Address, String>,
    /// Secrets that creates returned.
    pub(crate) tokens: Mutex<BTreeMap<Address, Secret>>,
    /// The leases of this environment, by pool; grows as steps succeed.
    pub(crate) leases: Mutex<BTreeMap<String, Leased>>,
    /// The pool of each lease that the spec has.
    pub(crate) pool_of: BTreeMap<String, String>,
}

/// Why a step did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StepError {
    /// The call that failed, when there was one.
    pub(crate) error: CallError,
    /// True when the effect is open: the intent stays.
    pub(crate) open: bool,
    /// The pool's own words.
    pub(crate) pool: Option<Box<PoolError>>,
}

impl From<PoolError> for StepError {
    fn from(error: PoolError) -> Self {
        let class = match &error {
            error if error.is_unknown() => CallClass::Unknown,
            error if error.is_interrupted() => CallClass::Interrupted,
            _ => CallClass::Api(Meaning::Refused),
        };
        let (call, message) = match error.call() {
            Some(call) => (call.call.clone(), call.message.clone()),
            None => ("the pool".to_owned(), error.to_string()),
        };
        let open = class == CallClass::Unknown;
        Self { error: CallError { call, class, message }, open, pool: Some(Box::new(error)) }
    }
}

impl From<CallError> for StepError {
    fn from(error: CallError) -> Self {
        let open = error.is_unknown();
        Self { error, open, pool: None }
    }
}

pub(crate) type Outcomes = Result<Vec<Outcome>, StepError>;

impl Context<'_> {
    pub(crate) fn begun_before(state: &State) -> BTreeSet<(KindId, String)> {
        state
            .intents
            .iter()
            .filter(|intent| intent.action == envc_plan::IntentAction::Create)
            .map(|intent| key_of(&intent.address, &intent.name))
            .collect()
    }

    pub(crate) fn id_of(&self, address: &Address) -> Option<String> {
        lock(&self.ids).get(address).cloned()
    }

    fn learn(&self, address: &Address, observed: &Observed) {
        lock(&self.ids).insert(address.clone(), observed.id.clone());
        if let Some(token) = &observed.token {
            lock(&self.tokens).insert(address.clone(), token.clone());
        }
    }

    fn resolve(&self, part: &Part) -> Option<String> {
        match part {
            Part::Lit(text) => Some(text.clone()),
            Part::Out(reference) => match reference.output {
                Output::Id => self.id_of(&reference.address),
                Output::Name => self.names.get(&reference.address).cloned(),
                Output::Token => None,
            },
            Part::In(Input::Lease { lease, attribute, secret: false }) => {
                let all = lock(&self.leases);
                let leased = all.get(self.pool_of.get(lease)?)?;
                if attribute == "id" {
                    return Some(leased.id.clone());
                }
                leased.attributes.get(attribute).cloned()
            }
            Part::In(_) => None,
        }
    }

    /// Every reference replaced. The checker proved that all of them are known by now.
    fn wanted(&self, target: &Target) -> Result<Wanted, StepError> {
        let bug = |what: String| StepError {
            error: CallError {
                call: target.address.to_string(),
                class: CallClass::Api(Meaning::Refused),
                message: format!("BUG: {what}; please report it"),
            },
            open: false,
            pool: None,
        };
        let unknown = |field: &str| bug(format!("`{field}` refers to something that is not known"));
        let (mut fields, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        for (field, value) in &target.fields {
            if value.is_private() {
                self.open(field, value, &mut secrets).ok_or_else(|| unknown(field))?;
                continue;
            }
            let value = value.resolve(&mut |part| self.resolve(part));
            fields.insert(field.clone(), value.ok_or_else(|| unknown(field))?);
        }
        let parent_id = match &target.parent {
            Some(parent) => {
                self.id_of(parent).ok_or_else(|| bug(format!("{parent} has no identifier yet")))?
            }
            None => String::new(),
        };
        Ok(Wanted {
            name: target.name.clone(),
            fields,
            parent_id,
            before: target.before.clone(),
            secrets,
            upload: self.uploads.get(&target.address).cloned(),
        })
    }

    /// The call, of which no message repeats a text that was sealed, nor a secret inside of one.
    fn hiding(&self, call: Call, wanted: &Wanted) -> Call {
        if wanted.secrets.is_empty() {
            return call;
        }
        call.hiding(wanted.secrets.values()).hiding(self.vault.secrets())
    }

    /// The texts of a sealed field, or of a map of them.
    fn open(
        &self,
        field: &str,
        value: &Value,
        secrets: &mut BTreeMap<String, Secret>,
    ) -> Option<()> {
        match value {
            Value::Sealed(sealed) => {
                secrets.insert(field.to_owned(), self.vault.open(sealed)?.clone());
                Some(())
            }
            Value::Map(items) => items
                .iter()
                .try_for_each(|(key, item)| self.open(&format!("{field}.{key}"), item, secrets)),
            _ => None,
        }
    }

    fn made(&self, target: &Target, wanted: Wanted, observed: &Observed) -> Outcome {
        self.learn(&target.address, observed);
        let mut fields = wanted.fields;
        for (field, value) in target.fields.iter().filter(|(_, value)| value.is_private()) {
            // As it is sealed: what is recorded is what the plan says.
            let sealed = value.resolve(&mut |_| None);
            fields.extend(sealed.map(|sealed| (field.clone(), sealed)));
        }
        let attrs = kind(target.address.kind()).attrs().iter();
        for attr in attrs.filter(|attr| attr.mutability == Mutability::ServerAssigned) {
            let told = observed.fields.get(attr.name);
            fields.extend(told.map(|value| (attr.name.to_owned(), value.clone())));
        }
        Outcome::Made {
            address: target.address.clone(),
            record: record_of(target, &observed.id, fields),
        }
    }

    /// Invariant: no create happens twice. After an unknown outcome, and when a namesake is in the
    /// way, the resource is looked up by its name; only what was begun by us is taken for ours.
    pub(crate) async fn create(&self, target: &Target) -> Outcomes {
        let kind = kind(target.address.kind());
        let place = self.scope.place(target.zone.as_deref());
        let wanted = self.wanted(target)?;
        let call = self.hiding(kind.create(&place, &wanted), &wanted);
        if kind.listing(&place).is_none() {
            // Writes the whole of something that lives with its parent: may be repeated.
            let answer = self.client.call_repeatable(&call, Some(kind)).await?;
            let observed = kind.made(&wanted, &answer.result).unwrap_or_else(|| Observed {
                id: wanted.parent_id.clone(),
                ..Observed::default()
            });
            return Ok(vec![self.made(target, wanted, &observed)]);
        }
        let key = key_of(&target.address, &target.name);
        let mut ours =
            self.ownership.name_proves(&target.address, &target.name) || self.begun.contains(&key);
        let mut attempt = 1;
        loop {
            let error = match self.client.call(&call, Some(kind)).await {
                Ok(answer) => match kind.made(&wanted, &answer.result) {
                    Some(observed) => return Ok(vec![self.made(target, wanted, &observed)]),
                    None => CallError {
                        call: crate::client::name_of(&call),
                        class: CallClass::Unknown,
                        message: "the answer names no identifier".into(),
                    },
                },
                Err(error) => error,
            };
            let exists = error.means(Meaning::Exists);
            if error.is_unknown() {
                ours = true;
            }
            if !(error.is_unknown() || (exists && ours)) {
                return Err(error.into());
            }
            self.wait_before_retry(&error, attempt, self.client.backoff_ms(attempt)).await;
            if let Some(observed) = self.find(kind, target).await? {
                return Ok(vec![self.made(target, wanted, &observed)]);
            }
            if attempt >= STEP_ATTEMPTS_MAX || self.client.stopped() {
                return Err(StepError { error, open: true, pool: None });
            }
            attempt += 1;
        }
    }

    /// Looks a resource up by its physical name, in a list.
    async fn find(&self, kind: &dyn Kind, target: &Target) -> Result<Option<Observed>, StepError> {
        let place = self.scope.place(target.zone.as_deref());
        let Some(listing) = kind.listing(&place) else { return Ok(None) };
        match self.client.list(&listing, kind).await {
            Ok(items) => {
                Ok(items.into_iter().find(|seen| same_name(kind, &seen.name, &target.name)))
            }
            // The create's outcome stays open.
            Err(error) => Err(StepError { error, open: true, pool: None }),
        }
    }

    /// Sets the same fields again and again until it is certain: an update may be repeated.
    pub(crate) async fn update(&self, target: &Target, id: &str, changed: &[String]) -> Outcomes {
        let kind = kind(target.address.kind());
        let place = self.scope.place(target.zone.as_deref());
        let wanted = self.wanted(target)?;
        let call = self.hiding(kind.update(&place, id, &wanted, changed), &wanted);
        let observed = match self.client.call_repeatable(&call, Some(kind)).await {
            Ok(answer) => kind.made(&wanted, &answer.result),
            // An earlier try may have had its effect, and moved what this one starts from.
            Err(error) if error.means(Meaning::Moved) => {
                let found = self.find(kind, target).await?;
                let done = found
                    .filter(|seen| changed.iter().all(|field| is_set(kind, &wanted, seen, field)));
                Some(done.ok_or(StepError { error, open: false, pool: None })?)
            }
            Err(error) => return Err(error.into()),
        };
        let observed =
            observed.unwrap_or_else(|| Observed { id: id.to_owned(), ..Observed::default() });
        Ok(vec![self.made(target, wanted, &observed)])
    }

    /// What must come before a delete. Not there is as good as done.
    pub(crate) async fn clear(&self, doomed: &Doomed) -> Outcomes {
        let kind = kind(doomed.address.kind());
        let place = self.scope.place(doomed.zone.as_deref());
        if let Some(before_delete) = kind.facts().before_delete {
            let call = before_delete(&place, &doomed.id);
            match self.client.call_repeatable(&call, Some(kind)).await {
                Err(error) if !error.means(Meaning::NotFound) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(Vec::new())
    }

    /// Removes; not there is as good as done. A container that is not empty is emptied first;
    /// something still in use is tried again for a while.
    pub(crate) async fn delete(&self, doomed: &Doomed) -> Outcomes {
        let kind = kind(doomed.address.kind());
        let place = self.scope.place(doomed.zone.as_deref());
        let gone =
            || vec![Outcome::Gone { address: doomed.address.clone(), id: doomed.id.clone() }];
        let Some(call) = kind.delete(&place, &doomed.id) else { return Ok(gone()) };
        let mut attempt = 1;
        loop {
            let error = match self.client.call_repeatable(&call, Some(kind)).await {
                Ok(_) => return Ok(gone()),
                Err(error) if error.means(Meaning::NotFound) => return Ok(gone()),
                Err(error) => error,
            };
            let again = error.means(Meaning::NotEmpty) || error.means(Meaning::InUse);
            if !again || attempt >= STEP_ATTEMPTS_MAX || self.client.stopped() {
                return Err(error.into());
            }
            if error.means(Meaning::NotEmpty) {
                self.empty(kind, doomed).await?;
            } else {
                let wait_ms = self.client.backoff_ms(attempt + 1);
                self.wait_before_retry(&error, attempt, wait_ms).await;
                self.clear(doomed).await?;
            }
            attempt += 1;
        }
    }

    async fn empty(&self, kind: &dyn Kind, doomed: &Doomed) -> Result<(), StepError> {
        let place = self.scope.place(doomed.zone.as_deref());
        let Some(contents) = kind.facts().contents else { return Ok(()) };
        let list = (contents.list)(&place, &doomed.id);
        let mut objects = 0;
        for _ in 0..EMPTYING_ROUNDS_MAX {
            let page = self.client.call(&list, Some(kind)).await?;
            let Some(remove) = (contents.empty)(&place, &doomed.id, &page) else { return Ok(()) };
            self.client.call_repeatable(&remove, Some(kind)).await?;
            objects += page.result.as_array().map_or(0, Vec::len);
            self.client.progress().event(Event::Emptied { address: &doomed.address, objects });
        }
        Ok(())
    }

    /// All changes of one zone. The endpoint is atomic: after an unknown outcome a list tells
    /// whether all of it happened or none.
    pub(crate) async fn batch(&self, zone: Option<&str>, items: &[BatchWork]) -> Outcomes {
        let Some(kind) = items.first().map(|item| kind(address_of(item).kind())) else {
            return Ok(Vec::new());
        };
        let Some(endpoint) = kind.facts().batch else { return Ok(Vec::new()) };
        let place = self.scope.place(zone);
        let mut sent = Vec::with_capacity(items.len());
        for item in items {
            sent.push(match item {
                BatchWork::Create(target) => BatchItem::Create(self.wanted(target)?),
                BatchWork::Update { target, id } => {
                    BatchItem::Update { id: id.clone(), wanted: self.wanted(target)? }
                }
                BatchWork::Delete(doomed) => BatchItem::Delete { id: doomed.id.clone() },
            });
        }
        let mut attempt = 1;
        loop {
            let still: Vec<BatchItem> =
                sent.iter().filter(|item| !is_done(item)).cloned().collect();
            let call = (endpoint.call)(&place, &still);
            let error = match self.client.call(&call, Some(kind)).await {
                Ok(answer) => {
                    let mut told = (endpoint.read)(&still, &answer.result).into_iter();
                    let seen: Vec<_> = sent
                        .iter()
                        .map(|item| if is_done(item) { None } else { told.next().flatten() })
                        .collect();
                    if let Some(outcomes) = self.batch_outcomes(items, &sent, &seen) {
                        return Ok(outcomes);
                    }
                    CallError {
                        call: crate::client::name_of(&call),
                        class: CallClass::Unknown,
                        message: "the answer does not name every record".into(),
                    }
                }
                Err(error) => error,
            };
            // A delete just before may not have reached every server of the API.
            let late = error.means(Meaning::Exists);
            let missing = error.means(Meaning::NotFound);
            if !(error.is_unknown() || late || missing)
                || attempt >= STEP_ATTEMPTS_MAX
                || self.client.stopped()
            {
                return Err(error.into());
            }
            self.wait_before_retry(&error, attempt, self.client.backoff_ms(attempt)).await;
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
        let open = |error| StepError { error, open: true, pool: None };
        let Some(listing) = kind.listing(&self.scope.place(zone)) else { return Ok(Vec::new()) };
        let items = self.client.list(&listing, kind).await.map_err(open)?;
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
                BatchItem::Delete { id } => (!items.iter().any(|seen| seen.id == *id), None),
            })
            .collect())
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
                (BatchWork::Delete(doomed), _) => {
                    Outcome::Gone { address: doomed.address.clone(), id: doomed.id.clone() }
                }
                _ => return None,
            });
        }
        Some(outcomes)
    }

    /// Says how long the wait is, and waits as long: a wait is drawn once, since half of it is
    /// chance.
    pub(crate) async fn wait_before_retry(&self, error: &CallError, attempt: u32, wait_ms: u64) {
        let (call, reason) = (&error.call, &error.message);
        self.client.progress().event(Event::Retry { call, reason, wait_ms, attempt });
        self.client.pause(wait_ms).await;
    }
}

/// What a resource of this name is found by.
fn key_of(address: &Address, name: &str) -> (KindId, String) {
    let id = address.kind();
    (id, kind(id).key(name).into_owned())
}

/// False for a field that is told to be another than what is wanted.
fn is_set(kind: &dyn Kind, wanted: &Wanted, seen: &Observed, field: &str) -> bool {
    match (wanted.fields.get(field), seen.fields.get(field)) {
        (Some(value), Some(told)) => {
            same(kind, field, (value, &wanted.fields), (told, &seen.fields))
        }
        _ => true,
    }
}

fn is_done(item: &BatchItem) -> bool {
    matches!(item, BatchItem::Delete { id } if id.is_empty())
}

pub(crate) fn address_of(item: &BatchWork) -> &Address {
    match item {
        BatchWork::Create(target) | BatchWork::Update { target, .. } => &target.address,
        BatchWork::Delete(doomed) => &doomed.address,
    }
}

/// A poisoned map of plain values is still right: every insert is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The secret output of a resource, fetched. `None` when its kind has none.
pub async fn fetch_token(
    client: &Client<'_>,
    scope: &Scope,
    address: &Address,
    id: &str,
) -> Result<Option<Secret>, CallError> {
    let kind = kind(address.kind());
    let Some(token) = kind.facts().token else { return Ok(None) };
    let answer = client.call(&token(&scope.place(None), id), Some(kind)).await?;
    Ok(answer.result.as_str().map(Secret::new).or(match &answer.result {
        Json::Object(fields) => fields.get("token").and_then(Json::as_str).map(Secret::new),
        _ => None,
    }))
}
