//! What the resources in the account refer to now. An update, a replace and a delete let go of it;
//! the deletes of what they referred to come after them.
//!
//! The record tells it, and the intents of an interrupted update, and a part of it the lists. The
//! bindings of code without a record, or of code that somebody else deployed, are not known: it is
//! taken to be bound to everything that this plan deletes.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, KindId};
use envc_kinds::{Mutability, kind};

use super::differ::Differ;
use crate::{
    model::{Action, Change},
    observe::Seen,
    state::{Intent, IntentAction, Recorded},
};

/// The address that has each identifier now, and the record under each identifier.
#[derive(Default)]
struct Holders<'a> {
    now: BTreeMap<(KindId, String), Address>,
    /// True when the plan deletes an unrecorded resource: a recorded reference may mean that one.
    strays: bool,
    recorded: BTreeMap<(KindId, &'a str), (&'a Address, &'a Recorded)>,
    /// Creates and updates of an interrupted run; they may have happened.
    begun: BTreeMap<&'a Address, Vec<&'a Intent>>,
    /// What this plan deletes and code can be bound to.
    going: Vec<Address>,
}

impl Differ<'_> {
    /// Fills in what each change lets go of.
    pub(super) fn tell_what_is_held(&mut self) {
        if !self.out.changes.iter().any(lets_go) {
            return;
        }
        let holders = self.holders();
        let held: Vec<Vec<Address>> =
            self.out.changes.iter().map(|change| self.held(&holders, change)).collect();
        for (change, held) in self.out.changes.iter_mut().zip(held) {
            change.holds = held;
        }
    }

    fn holders(&self) -> Holders<'_> {
        let mut holders = Holders::default();
        for change in &self.out.changes {
            let Some(id) = change.id.clone() else { continue };
            if change.action != Action::Forget || change.existing {
                let key = (change.address.kind(), id);
                if change.deposed {
                    holders.now.entry(key).or_insert_with(|| change.address.clone());
                } else {
                    holders.now.insert(key, change.address.clone());
                }
            }
            let goes = matches!(
                change.action,
                Action::Delete | Action::ReplaceCreateFirst | Action::ReplaceDeleteFirst
            );
            if goes && !kind(change.address.kind()).outputs().is_empty() {
                holders.going.push(change.address.clone());
            }
        }
        for (address, recorded) in self.state.into_iter().flat_map(|state| &state.resources) {
            holders.recorded.insert((address.kind(), &recorded.id), (address, recorded));
        }
        let mut deletes = self.out.changes.iter().filter(|it| it.action == Action::Delete);
        holders.strays = deletes.any(|change| {
            let id = change.id.as_deref().unwrap_or_default();
            !holders.recorded.contains_key(&(change.address.kind(), id))
        });
        let intents = self.state.into_iter().flat_map(|state| &state.intents);
        let makes = [IntentAction::Create, IntentAction::Update];
        for intent in intents.filter(|intent| makes.contains(&intent.action)) {
            holders.begun.entry(&intent.address).or_default().push(intent);
        }
        holders
    }

    fn held(&self, holders: &Holders<'_>, change: &Change) -> Vec<Address> {
        let (true, Some(id)) = (lets_go(change), change.id.as_deref()) else { return Vec::new() };
        let kind_id = change.address.kind();
        let known = holders.recorded.get(&(kind_id, id));
        let mut held: BTreeSet<Address> = BTreeSet::new();
        if let Some((_, recorded)) = known {
            held.extend(recorded.needs.iter().cloned());
        }
        if let (Action::Delete, Some(record)) = (change.action, &change.record) {
            held.extend(record.needs.iter().cloned());
        }
        let mut held: BTreeSet<Address> =
            held.into_iter().map(|address| self.now_at(holders, address)).collect();
        let was_at = known.map(|(address, _)| *address).filter(|was| **was != change.address);
        for address in [Some(&change.address), was_at].into_iter().flatten() {
            let begun = holders.begun.get(address).into_iter().flatten();
            held.extend(begun.flat_map(|intent| intent.needs.iter().cloned()));
        }
        let shows = !kind(kind_id).holds_by_name().is_empty();
        // What it is bound to was asked for.
        let shows = shows
            || self.index.by_id(kind_id, id).is_some_and(|seen| !seen.observed.holds.is_empty());
        let doubt = shows || known.is_none() || holders.strays || !change.drift.is_empty();
        if let (true, Some(seen)) = (doubt, self.index.by_id(kind_id, id)) {
            held.extend(self.shown(holders, seen));
        }
        if kind(kind_id).runs_code() && (known.is_none() || is_anothers(change)) {
            held.extend(holders.going.iter().cloned());
        }
        held.remove(&change.address);
        held.into_iter().collect()
    }

    /// The address that a recorded resource has now.
    fn now_at(&self, holders: &Holders<'_>, address: Address) -> Address {
        let recorded = self.recorded(&address);
        let now = recorded.and_then(|it| holders.now.get(&(address.kind(), it.id.clone())));
        now.cloned().unwrap_or(address)
    }

    /// References that a list shows and the record does not have: a text that is the identifier or the
    /// name of another resource here.
    fn shown(&self, holders: &Holders<'_>, seen: &Seen) -> Vec<Address> {
        let held = seen.observed.holds.iter();
        let mut found: Vec<Address> = held
            .filter_map(|(kind_id, text)| {
                let at = |id: String| holders.now.get(&(*kind_id, id)).cloned();
                let named = || Some(self.index.by_name(*kind_id, text)?.observed.id.clone());
                at(text.clone()).or_else(|| at(named()?))
            })
            .collect();
        for text in seen.observed.fields.values().filter_map(|it| it.as_str()) {
            for kind_id in KindId::ALL {
                let named = || Some(self.index.by_name(kind_id, text)?.observed.id.clone());
                let at = |id: String| holders.now.get(&(kind_id, id));
                found.extend(at(text.to_owned()).or_else(|| at(named()?)).cloned());
            }
        }
        found
    }
}

fn lets_go(change: &Change) -> bool {
    match change.action {
        Action::Update
        | Action::ReplaceCreateFirst
        | Action::ReplaceDeleteFirst
        | Action::Delete => true,
        Action::Adopt => !change.fields.is_empty(),
        Action::Create | Action::Forget | Action::Wait | Action::Keep => false,
    }
}

/// True when somebody else deployed: no list shows what changed.
fn is_anothers(change: &Change) -> bool {
    let attrs = kind(change.address.kind()).attrs();
    let witness = |field: &str| {
        attrs.iter().any(|attr| attr.name == field && attr.mutability == Mutability::ServerAssigned)
    };
    change.fields.iter().any(|field| witness(&field.field))
}
