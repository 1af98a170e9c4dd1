//! What a record that others can write has to show before anything is done on its word.
//!
//! Whoever may write a shared state can write into it that another project's resource is this
//! environment's. Invariant: on the word of a shared record nothing is changed, deleted, migrated or
//! written into files. What was seen in the account has to say the same: it bears the environment's
//! marker, has its name, or belongs to something that does. Anything else the user names once, with
//! `--adopt`.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, KindId};
use envc_kinds::{kind, same_name};
use serde_json::Value as Json;

use super::differ::{Differ, Refusal};
use crate::{
    model::{Action, Change},
    observe::{Index, Seen},
    ownership::Ownership,
    state::State,
};

/// What is known of the account, beside what the record says.
struct Witness<'w, 'a> {
    index: &'w Index<'a>,
    ownership: &'w Ownership,
    named_today: &'w BTreeMap<Address, Desired>,
    /// By kind and identifier: what the user named, in this run or an earlier one.
    adopted: BTreeSet<(KindId, &'w str)>,
}

impl Differ<'_> {
    /// Refuses to act on what a shared record alone says.
    pub(super) fn refuse_unproven_records(&mut self) {
        if !self.ownership.shared {
            return;
        }
        let adopted = |address: &&Address| self.ownership.adopt.contains(*address);
        let known = self.ids.iter().filter(|(address, _)| adopted(address));
        let witness = Witness {
            index: &self.index,
            ownership: self.ownership,
            named_today: self.named_today,
            adopted: of_state(self.state, &self.ownership.adopt)
                .chain(known.map(|(address, id)| (address.kind(), *id)))
                .chain(self.ownership.adopted.iter().map(|(kind, id)| (*kind, &**id)))
                .collect(),
        };
        let unproven: Vec<Refusal> =
            self.out.changes.iter().filter_map(|change| witness.objects(change)).collect();
        self.out.refusals.extend(unproven);
    }
}

/// The identifiers that a record has under these addresses.
fn of_state<'s>(
    state: Option<&'s State>,
    addresses: &'s BTreeSet<Address>,
) -> impl Iterator<Item = (KindId, &'s str)> {
    let resources = state.into_iter().flat_map(|state| &state.resources);
    let recorded = resources.map(|(address, it)| (address, it.id.as_str()));
    let intents = state.into_iter().flat_map(|state| &state.intents);
    let begun = intents.filter_map(|it| Some((&it.address, it.id.as_deref()?)));
    let all = recorded.chain(begun).filter(|(address, _)| addresses.contains(*address));
    all.map(|(address, id)| (address.kind(), id))
}

impl Witness<'_, '_> {
    /// What is wrong with a change, where nothing but the record speaks for it.
    fn objects(&self, change: &Change) -> Option<Refusal> {
        let of = change.address.kind();
        let id = change.id.as_deref().filter(|_| !change.existing)?;
        match change.action {
            // The record goes, and nothing else is done.
            Action::Forget | Action::Create => return None,
            Action::Update
            | Action::Adopt
            | Action::ReplaceCreateFirst
            | Action::ReplaceDeleteFirst
            | Action::Delete
            | Action::Wait
            | Action::Keep => {}
        }
        if self.ownership.adopt.contains(&change.address) || self.adopted.contains(&(of, id)) {
            return None;
        }
        let seen = self.index.by_id(of, id);
        let proved = seen.is_some_and(|seen| self.proves(of, seen));
        (!proved).then(|| unproven(change, id, seen, self.ownership))
    }

    /// True where what was seen says by itself that it is this environment's.
    fn proves(&self, of: KindId, seen: &Seen) -> bool {
        let it = kind(of);
        let observed = &seen.observed;
        if self.adopted.contains(&(of, &observed.id)) {
            return true;
        }
        if let Some(parent) = it.lives_with() {
            // What lives with its parent has its identifier.
            let parent = self.index.by_id(parent, &observed.id).map(|seen| (parent, seen));
            return parent.is_some_and(|(of, seen)| self.proves(of, seen));
        }
        if self.ownership.anothers(observed).is_some() {
            return false;
        }
        let field = |name: &str| observed.fields.get(name).and_then(Json::as_str);
        observed.comment.as_deref().is_some_and(|it| self.ownership.is_of_environment(it))
            || self.names(of, &observed.name)
            || it.named_by().is_some_and(|(name, owner)| {
                let owner = field(name).and_then(|id| Some((owner, self.index.by_id(owner, id)?)));
                owner.is_some_and(|(of, seen)| self.proves(of, seen))
            })
            || it.serves().is_some_and(|(name, served)| {
                field(name).is_some_and(|name| self.serves(served, name))
            })
    }

    /// True for a name that this environment gives: it reads back into it, or the spec says it today.
    fn names(&self, of: KindId, name: &str) -> bool {
        let ours = self.ownership;
        let own = |address: &Address| address.kind() == of;
        let mut wanted = self.named_today.values().filter(|it| own(&it.address));
        wanted.any(|it| it.is_managed() && same_name(kind(of), &it.name, name))
            || ours.named_by(of, name).is_some()
            // Random digits that were drawn for this user are in nobody else's names.
            || (ours.registered && kind(of).is_named() && ours.may_be_named(name))
    }

    /// True for the name of something of ours that is served, whoever deployed it.
    fn serves(&self, served: KindId, name: &str) -> bool {
        let seen = self.index.by_name(served, name);
        seen.map_or_else(|| self.names(served, name), |seen| self.proves(served, seen))
    }
}

fn unproven(change: &Change, id: &str, seen: Option<&Seen>, ours: &Ownership) -> Refusal {
    let address = &change.address;
    let noun = kind(address.kind()).noun();
    let message = match seen {
        Some(seen) => format!(
            "the shared state says that {address} is the {noun} `{}` (ID {id}), and nothing in the \
             account says so: neither its name nor a marker is of `{}`",
            seen.observed.name, ours.env
        ),
        None => format!(
            "the shared state says that {address} is the {noun} with the ID {id}, and no list shows \
             that one"
        ),
    };
    Refusal {
        code: "envc::plan::unproven_record",
        address: address.clone(),
        message,
        help: "every token with the scope `state` can write such a record: where it is wrong, ask who \
               wrote it"
            .into(),
    }
}
