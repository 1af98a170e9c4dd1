//! Creates, updates and deletes of one resource, made safe: ensure instead of create, look before
//! trying again.

use std::collections::BTreeSet;

use envc_core::limits;
use envc_kinds::{
    Answer, Call, Contents, Kind, Meaning, Observed, Versions, Wanted, kind, same, same_name,
};
use envc_plan::{Action, DeleteTarget, Target};

use super::{
    context::{Context, STEP_ATTEMPTS_MAX, key_of},
    error::StepError,
    journal::Outcome,
};
use crate::{
    client::{CallClass, CallError},
    progress::Event,
    retry::poll_ms,
};

/// Pages of contents that are removed before a container counts as filled faster than emptied.
const EMPTYING_ROUNDS_MAX: usize = 100_000;
/// How often a page may come back as it was after what it tells of was removed.
const UNCHANGED_MAX: u32 = 3;

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
    pub(super) async fn create(&self, target: &Target, follows: bool) -> Outcomes {
        let kind = kind(target.address.kind());
        let place = self.place(target.zone.as_deref());
        let wanted = self.wanted(target)?;
        let mut call = self.hiding(kind.create(&place, &wanted), &wanted).following(follows);
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
                    None => {
                        CallError::new(&call, CallClass::Unknown, "the answer names no identifier")
                    }
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
            let found = match kind.facts().versions {
                Some(versions) => {
                    // It may have failed because of another upload at the same time.
                    call = call.one_at_a_time();
                    self.uploaded(kind, versions, target, &wanted).await?
                }
                None => self.find(kind, target).await?,
            };
            if let Some(observed) = found {
                return Ok(vec![self.made(target, wanted, &observed)]);
            }
            if attempt >= STEP_ATTEMPTS_MAX || self.client().stopped() {
                return Err(StepError::open(error));
            }
            attempt += 1;
        }
    }

    /// What an upload made whose answer was lost; none where it made nothing.
    async fn uploaded(
        &self,
        kind: &dyn Kind,
        versions: Versions,
        target: &Target,
        wanted: &Wanted,
    ) -> Result<Option<Observed>, StepError> {
        let place = self.place(target.zone.as_deref());
        let list = (versions.list)(&place, wanted);
        match self.client().call(&list, Some(kind)).await {
            Ok(answer) if (versions.has)(wanted, &answer.result) => {}
            Ok(_) => return Ok(None),
            Err(error) if error.means(Meaning::NotFound) => return Ok(None),
            Err(error) => return Err(StepError::open(error)),
        }
        // A list may tell for a moment of what was there before.
        if let Some(read) = kind.read(&place, &target.name) {
            match self.client().call(&read, Some(kind)).await {
                Ok(answer) => return Ok(kind.observe_read(&answer.result)),
                Err(error) if error.means(Meaning::NotFound) => {}
                Err(error) => return Err(StepError::open(error)),
            }
        }
        self.find(kind, target).await
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

    /// Sets the same fields again and again until it is certain: an update may be repeated. One that
    /// makes a version each time is looked for before.
    pub(super) async fn update(
        &self,
        target: &Target,
        id: &str,
        changed: &[String],
        follows: bool,
    ) -> Outcomes {
        let kind = kind(target.address.kind());
        let place = self.place(target.zone.as_deref());
        let wanted = self.wanted(target)?;
        let call = self.hiding(kind.update(&place, id, &wanted, changed), &wanted);
        let call = call.following(follows);
        let answer = match kind.facts().versions {
            Some(versions) => match self.upload(kind, versions, target, &wanted, call).await? {
                Uploaded::Answered(answer) => answer,
                Uploaded::Found(observed) => return Ok(vec![self.made(target, wanted, &observed)]),
            },
            None => self.client().call_repeatable(&call, Some(kind)).await,
        };
        let observed = match answer {
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

    /// Sends an upload, and again where its answer was lost and its version is not there.
    async fn upload(
        &self,
        kind: &dyn Kind,
        versions: Versions,
        target: &Target,
        wanted: &Wanted,
        mut call: Call,
    ) -> Result<Uploaded, StepError> {
        let mut attempt = 1;
        loop {
            let answer = self.client().call(&call, Some(kind)).await;
            let error = match answer {
                Err(error) if error.is_unknown() => error,
                answer => return Ok(Uploaded::Answered(answer)),
            };
            self.wait_before_retry(&error, attempt, self.client().backoff_ms(attempt)).await;
            if let Some(found) = self.uploaded(kind, versions, target, wanted).await? {
                return Ok(Uploaded::Found(found));
            }
            call = call.one_at_a_time();
            if attempt >= STEP_ATTEMPTS_MAX || self.client().stopped() {
                return Err(StepError::open(error));
            }
            attempt += 1;
        }
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
    /// first, and a resource in use is tried again for a while: longer where this run took away before
    /// what used it.
    pub(super) async fn delete(&self, target: &DeleteTarget, follows: bool) -> Outcomes {
        let kind = kind(target.address.kind());
        let place = self.place(target.zone.as_deref());
        let gone =
            || vec![Outcome::Gone { address: target.address.clone(), id: target.id.clone() }];
        let Some(call) = kind.delete(&place, &target.id) else { return Ok(gone()) };
        let begun_ms = self.client().clock().monotonic_ms();
        let mut attempt = 1;
        let mut unlisted = None;
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
            let waited_ms = self.client().clock().monotonic_ms().saturating_sub(begun_ms);
            let again = match error.class {
                CallClass::Api(Meaning::InUse) if follows => waited_ms < limits::LET_GO_MS_MAX,
                CallClass::Api(Meaning::InUse | Meaning::NotEmpty) => attempt < STEP_ATTEMPTS_MAX,
                _ => false,
            };
            if !again || self.client().stopped() {
                let cure =
                    unlisted.filter(|_| error.means(Meaning::NotEmpty)).or(error.cure.clone());
                return Err(CallError { cure, ..error }.into());
            }
            let wait_ms =
                if follows { poll_ms(attempt) } else { self.client().backoff_ms(attempt + 1) };
            if error.means(Meaning::InUse) {
                self.wait_before_retry(&error, attempt, wait_ms).await;
                self.clear(target).await?;
            } else if let Some(contents) = kind.facts().contents
                && self.empty(kind, contents, target).await? == 0
            {
                // What no list shows keeps it from being empty, or the last objects are not yet gone.
                unlisted = Some(contents.unlisted.to_owned());
                self.wait_before_retry(&error, attempt, wait_ms).await;
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

    /// Removes what is inside, page after page, and gives how much that was. It ends where a page stays as
    /// it was, whatever the API answers to the removal.
    async fn empty(
        &self,
        kind: &dyn Kind,
        contents: Contents,
        target: &DeleteTarget,
    ) -> Result<usize, StepError> {
        let place = self.place(target.zone.as_deref());
        let list = (contents.list)(&place, &target.id);
        let (mut objects, mut unchanged) = (0, 0);
        let mut before = None;
        for _ in 0..EMPTYING_ROUNDS_MAX {
            let page = self.client().call(&list, Some(kind)).await?;
            let remove = (contents.empty)(&place, &target.id, &page);
            let Some(remove) = remove.filter(|_| !self.client().stopped()) else {
                return Ok(objects);
            };
            let count = page.result.as_array().map_or(0, Vec::len);
            if before.as_ref() == Some(&page.result) {
                unchanged += 1;
                if unchanged >= UNCHANGED_MAX {
                    let message = format!(
                        "the API says that it removed what is inside, and the same {} there",
                        if count == 1 {
                            "object is".to_owned()
                        } else {
                            format!("{count} objects are")
                        }
                    );
                    let error = CallError::new(&remove, CallClass::Api(Meaning::Refused), message);
                    return Err(CallError { cure: Some(contents.kept.to_owned()), ..error }.into());
                }
                self.client().pause(poll_ms(unchanged)).await;
            }
            self.client().call_repeatable(&remove, Some(kind)).await?;
            if before.as_ref() != Some(&page.result) {
                objects += count;
                let address = &target.address;
                self.client().progress().event(Event::Emptied { address, objects });
            }
            before = Some(page.result);
        }
        Ok(objects)
    }
}

/// What came of an upload.
enum Uploaded {
    /// The API answered.
    Answered(Result<Answer, CallError>),
    /// Its answer was lost, and this is what it made.
    Found(Observed),
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
