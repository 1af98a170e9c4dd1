//! Creates, updates and deletes of one resource, made safe: ensure instead of create, look before
//! trying again.

use std::collections::BTreeSet;

use envc_kinds::{Call, Kind, Meaning, Observed, Wanted, kind, same, same_name};
use envc_plan::{Action, DeleteTarget, Target};

use super::{
    context::{Context, STEP_ATTEMPTS_MAX, key_of},
    error::StepError,
    journal::Outcome,
};
use crate::{
    client::{CallClass, CallError, name_of},
    progress::Event,
};

/// Pages of contents that are removed before a container counts as filled faster than emptied.
const EMPTYING_ROUNDS_MAX: usize = 100_000;

/// Who refers to something that cannot be deleted for that.
enum Users {
    /// Nobody is known to, or what this run takes away: the next try may succeed.
    Open,
    /// Those alone that go with it and cannot go before it: the call removes it all the same.
    Circle(Call),
    /// What this run leaves as it is, for people.
    Stay(String),
}

/// What came of a step that does all or nothing.
pub(super) type Outcomes = Result<Vec<Outcome>, StepError>;

impl Context<'_> {
    /// Invariant: no create happens twice. After an unknown outcome, and when the API says that the
    /// name is taken, a list is searched for the name; only a resource that we began to make is taken
    /// for ours.
    pub(super) async fn create(&self, target: &Target) -> Outcomes {
        let kind = kind(target.address.kind());
        let place = self.place(target.zone.as_deref());
        let wanted = self.wanted(target)?;
        let call = self.hiding(kind.create(&place, &wanted), &wanted);
        if kind.listing(&place).is_none() {
            // Writes the whole of something that lives with its parent: may be repeated.
            let answer = self.client().call_repeatable(&call, Some(kind)).await?;
            let observed = kind.made(&wanted, &answer.result).unwrap_or_else(|| Observed {
                id: wanted.parent_id.clone(),
                ..Observed::default()
            });
            return Ok(vec![self.made(target, wanted, &observed)]);
        }
        let key = key_of(&target.address, &target.name);
        let mut ours = self.run.ownership.name_proves(&target.address, &target.name)
            || self.begun.contains(&key);
        let mut attempt = 1;
        loop {
            let error = match self.client().call(&call, Some(kind)).await {
                Ok(answer) => match kind.made(&wanted, &answer.result) {
                    Some(observed) => return Ok(vec![self.made(target, wanted, &observed)]),
                    None => CallError {
                        call: name_of(&call),
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
            self.wait_before_retry(&error, attempt, self.client().backoff_ms(attempt)).await;
            if let Some(observed) = self.find(kind, target).await? {
                return Ok(vec![self.made(target, wanted, &observed)]);
            }
            if attempt >= STEP_ATTEMPTS_MAX || self.client().stopped() {
                return Err(StepError::open(error));
            }
            attempt += 1;
        }
    }

    /// Looks a resource up by its physical name, in a list.
    async fn find(&self, kind: &dyn Kind, target: &Target) -> Result<Option<Observed>, StepError> {
        let place = self.place(target.zone.as_deref());
        let Some(listing) = kind.listing(&place) else { return Ok(None) };
        match self.client().list(&listing, kind).await {
            Ok(items) => {
                Ok(items.into_iter().find(|seen| same_name(kind, &seen.name, &target.name)))
            }
            // The create's outcome stays open.
            Err(error) => Err(StepError::open(error)),
        }
    }

    /// Sets the same fields again and again until it is certain: an update may be repeated.
    pub(super) async fn update(&self, target: &Target, id: &str, changed: &[String]) -> Outcomes {
        let kind = kind(target.address.kind());
        let place = self.place(target.zone.as_deref());
        let wanted = self.wanted(target)?;
        let call = self.hiding(kind.update(&place, id, &wanted, changed), &wanted);
        let observed = match self.client().call_repeatable(&call, Some(kind)).await {
            Ok(answer) => kind.made(&wanted, &answer.result),
            // An earlier try may have had its effect, and moved what this one starts from.
            Err(error) if error.means(Meaning::Moved) => {
                let found = self.find(kind, target).await?;
                let done = found
                    .filter(|seen| changed.iter().all(|field| is_set(kind, &wanted, seen, field)));
                Some(done.ok_or(StepError::closed(error))?)
            }
            Err(error) => return Err(error.into()),
        };
        let observed =
            observed.unwrap_or_else(|| Observed { id: id.to_owned(), ..Observed::default() });
        Ok(vec![self.made(target, wanted, &observed)])
    }

    /// Makes a resource ready for its delete; one that is gone is ready.
    pub(super) async fn clear(&self, target: &DeleteTarget) -> Outcomes {
        let kind = kind(target.address.kind());
        let place = self.place(target.zone.as_deref());
        if let Some(before_delete) = kind.facts().before_delete {
            let call = before_delete(&place, &target.id);
            match self.client().call_repeatable(&call, Some(kind)).await {
                Err(error) if !error.means(Meaning::NotFound) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(Vec::new())
    }

    /// Deletes; a resource that is gone counts as deleted. A container that is not empty is emptied
    /// first, and a resource in use is tried again for a while.
    pub(super) async fn delete(&self, target: &DeleteTarget) -> Outcomes {
        let kind = kind(target.address.kind());
        let place = self.place(target.zone.as_deref());
        let gone =
            || vec![Outcome::Gone { address: target.address.clone(), id: target.id.clone() }];
        let Some(call) = kind.delete(&place, &target.id) else { return Ok(gone()) };
        let mut attempt = 1;
        loop {
            let mut answer = self.client().call_repeatable(&call, Some(kind)).await;
            let in_use = answer.as_ref().is_err_and(|error| error.means(Meaning::InUse));
            let users = if in_use { self.users(kind, target).await? } else { Users::Open };
            if let Users::Circle(forced) = &users {
                answer = self.client().call_repeatable(forced, Some(kind)).await;
            }
            let error = match answer {
                Ok(_) => return Ok(gone()),
                Err(error) if error.means(Meaning::NotFound) => return Ok(gone()),
                Err(error) => error,
            };
            if let Users::Stay(names) = users {
                // However often it is tried: nobody takes these away meanwhile.
                let message = format!("{}; it is referred to by {names}", error.message);
                return Err(CallError { message, ..error }.into());
            }
            let again = error.means(Meaning::NotEmpty) || error.means(Meaning::InUse);
            if !again || attempt >= STEP_ATTEMPTS_MAX || self.client().stopped() {
                return Err(error.into());
            }
            if error.means(Meaning::NotEmpty) {
                self.empty(kind, target).await?;
            } else {
                let wait_ms = self.client().backoff_ms(attempt + 1);
                self.wait_before_retry(&error, attempt, wait_ms).await;
                self.clear(target).await?;
            }
            attempt += 1;
        }
    }

    /// Who refers to what cannot be deleted for that. Invariant: nothing is removed from under anybody
    /// else.
    async fn users(&self, kind: &dyn Kind, target: &DeleteTarget) -> Result<Users, StepError> {
        let Some(circle) = kind.facts().circle else { return Ok(Users::Open) };
        let place = self.place(target.zone.as_deref());
        let call = (circle.users)(&place, &target.id);
        let users = match self.client().call(&call, Some(kind)).await {
            Ok(answer) => (circle.read)(&answer.result),
            Err(error) if error.means(Meaning::NotFound) => return Ok(Users::Open),
            Err(error) => return Err(error.into()),
        };
        let goes = |user: &&String| **user == target.id || target.circle.contains(*user);
        // The API has just said that somebody refers to it: an answer that names nobody is no proof.
        if !users.is_empty() && !target.circle.is_empty() && users.iter().all(|user| goes(&user)) {
            return Ok(Users::Circle((circle.delete)(&place, &target.id)));
        }
        // What this run deletes or changes may let go of it in a moment.
        let alike = self.run.plan.plan().changes.iter();
        let alike = alike.filter(|it| it.address.kind() == target.address.kind());
        let touched: BTreeSet<&str> = alike
            .filter(|it| !matches!(it.action, Action::Keep | Action::Forget))
            .filter_map(|it| it.id.as_deref())
            .collect();
        let stay = users.iter().filter(|user| !goes(user) && !touched.contains(user.as_str()));
        let names: BTreeSet<String> = stay.map(|user| format!("`{user}`")).collect();
        if names.is_empty() {
            return Ok(Users::Open);
        }
        let names: Vec<String> = names.into_iter().collect();
        Ok(Users::Stay(format!("{} {}", kind.noun(), names.join(", "))))
    }

    async fn empty(&self, kind: &dyn Kind, target: &DeleteTarget) -> Result<(), StepError> {
        let place = self.place(target.zone.as_deref());
        let Some(contents) = kind.facts().contents else { return Ok(()) };
        let list = (contents.list)(&place, &target.id);
        let mut objects = 0;
        for _ in 0..EMPTYING_ROUNDS_MAX {
            let page = self.client().call(&list, Some(kind)).await?;
            let Some(remove) = (contents.empty)(&place, &target.id, &page) else { return Ok(()) };
            self.client().call_repeatable(&remove, Some(kind)).await?;
            objects += page.result.as_array().map_or(0, Vec::len);
            self.client().progress().event(Event::Emptied { address: &target.address, objects });
        }
        Ok(())
    }
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
