//! Resources of ours that the spec does not want: dropped from it, left by an interrupted run, or
//! found by name or marker.

use std::{borrow::Cow, collections::BTreeMap};

use envc_core::{Address, Desired, KindId, Mode, Span};
use envc_kinds::{Place, kind};
use serde_json::Value as Json;

use super::{differ::Differ, taken};
use crate::{
    model::{Action, Change, Goal, Record},
    observe::Seen,
    state::{Intent, IntentAction, Recorded},
};

/// Why something is deleted that nobody has seen.
const UNLISTED: &str = "no list shows it, so it is deleted by its identifier";

impl<'a> Differ<'a> {
    /// Recorded resources that the spec dropped.
    pub(super) fn dropped(&mut self, desired: &BTreeMap<Address, Desired>, why: &'static str) {
        let Some(state) = self.state else { return };
        // Both come in the order of addresses.
        let mut wanted = desired.keys().peekable();
        let taken = taken::among(state, &self.index, self.ownership);
        for (address, recorded) in &state.resources {
            while wanted.next_if(|next| *next < address).is_some() {}
            if wanted.next_if_eq(&address).is_some() {
                continue;
            }
            let seen = self.index.by_id(address.kind(), &recorded.id);
            let bound = self.bound.contains(&(address.kind(), recorded.id.as_str()));
            let moved = !self.claimed.insert((address.kind(), &recorded.id));
            let parent_stays =
                recorded.parent.as_ref().is_some_and(|parent| desired.contains_key(parent));
            let kind = kind(address.kind());
            let dies_with_parent = kind.lives_with().is_some()
                && (!parent_stays || kind.delete(&Place::default(), "x").is_none());
            let kept = self.keep.contains(address);
            let stays_with = recorded.parent.as_ref().filter(|it| self.keep.contains(*it));
            let (action, reason): (_, Cow<'_, str>) = match (seen, stays_with) {
                (_, Some(parent)) => (Action::Forget, format!("stays with {parent}").into()),
                _ if dies_with_parent => {
                    (Action::Forget, "goes with the resource it belongs to".into())
                }
                // Invariant: an `existing` resource stays, even if envc made it once.
                _ if bound => (Action::Forget, "existing now: it stays in the account".into()),
                // Invariant: a resource that moved to another address is never deleted under the old one.
                _ if moved => (Action::Forget, "another address has it now".into()),
                // Invariant: a resource that another repository took over stays.
                _ if taken.contains(address) => {
                    (Action::Forget, self.why_taken(recorded, address).into())
                }
                _ if kept => (Action::Forget, self.why_kept(address).into()),
                _ if seen.is_none() && self.is_gone(address, recorded) => {
                    (Action::Forget, "gone already: it was deleted outside envc".into())
                }
                // Invariant: a list that lags proves nothing gone.
                (None, _) => (Action::Delete, UNLISTED.into()),
                (Some(_), _) => (Action::Delete, why.into()),
            };
            let mut change = removed(address, recorded, action, &reason);
            if let (Action::Delete, Some(seen)) = (action, seen) {
                change.loses = kind.data_loss(&seen.observed.fields, None);
            }
            self.out.changes.push(change);
        }
    }

    /// Why a resource is kept: the user asked for it, or another kept one needs it.
    fn why_kept(&self, address: &Address) -> String {
        let recorded = self.state.into_iter().flat_map(|state| &state.resources);
        // A child is kept with its parent.
        let recorded = recorded.filter(|(_, it)| it.parent.as_ref() != Some(address));
        let recorded = recorded.filter(|(_, it)| it.needs.contains(address)).map(|(by, _)| by);
        let wanted = self.desired.values().filter(|it| it.parent.as_ref() != Some(address));
        let wanted = wanted.filter(|it| it.needs().contains(&address));
        let mut users = recorded.chain(wanted.map(|it| &it.address));
        match users.find(|by| self.keep.contains(*by)) {
            Some(by) => format!("kept in the account: {by}, which is kept, refers to it"),
            None => "kept in the account, as asked for".to_owned(),
        }
    }

    /// Intents whose resource is neither wanted nor recorded: leftovers of interrupted runs.
    pub(super) fn interrupted(&mut self) {
        let Some(state) = self.state else { return };
        for intent in &state.intents {
            let seen = match (&intent.id, intent.action) {
                (Some(id), IntentAction::Delete) => self.index.by_id(intent.address.kind(), id),
                (_, IntentAction::Create) => self.made_by(intent),
                (_, IntentAction::Update | IntentAction::Migrate | IntentAction::Delete) => None,
            };
            // With another repository's marker it is not what this run began, or not ours any more.
            let is_ours = |seen: &&Seen| self.taken(intent.address.kind(), seen).is_none();
            if let Some(seen) = seen.filter(is_ours) {
                let recorded = self.recorded(&intent.address);
                let replaced = intent.action == IntentAction::Delete
                    && recorded.is_some_and(|it| it.id != seen.observed.id);
                let from = if replaced { "a replace" } else { "an interrupted run" };
                let reason = format!("left over from {from}");
                self.leftover(&intent.address, seen, intent.needs.clone(), &reason);
            }
        }
    }

    /// The resource that an interrupted create made. Invariant: it is looked for under its parent, or
    /// under the resource that gives it its name, by that one's identifier: the name of that one may
    /// have changed, and another resource may have it.
    pub(super) fn made_by(&self, intent: &Intent) -> Option<&'a Seen> {
        let id = intent.address.kind();
        let Some(owner) = intent.owner() else { return self.index.by_name(id, &intent.name) };
        let recorded = self.recorded(owner).map(|it| it.id.as_str());
        let made = self.state.into_iter().flat_map(|state| &state.intents);
        let made = made.filter(|it| it.address == *owner && it.action == IntentAction::Create);
        let made = made.filter_map(|it| self.index.by_name(owner.kind(), &it.name));
        let made = made.map(|seen| seen.observed.id.as_str());
        let mut owners = recorded.into_iter().chain(made).peekable();
        if owners.peek().is_none() {
            return self.index.by_name(id, &intent.name);
        }
        let goes_with_it = kind(id).delete(&Place::default(), "x").is_none()
            || (kind(id).lives_with().is_some() && !self.desired.contains_key(owner));
        owners.filter(|_| !goes_with_it).find_map(|owner| self.index.by_owner(id, owner))
    }

    /// Takes a resource with a name of this environment, if something proves it ours.
    pub(super) fn named(&mut self, wanted: &'a Desired) {
        let Some(seen) = self.index.by_name(wanted.address.kind(), &wanted.name) else { return };
        if let Some(proof) = self.proof(wanted, seen) {
            self.ids.entry(&wanted.address).or_insert(&seen.observed.id);
            let needs = wanted.needs().into_iter().cloned().collect();
            self.leftover(&wanted.address, seen, needs, proof);
        }
    }

    /// Takes what has a name of this environment and is in no spec any more, if something proves it ours.
    pub(super) fn reads_back(&mut self) {
        for (kind, seen) in self.index.all() {
            let Some(address) = self.ownership.named_by(kind, &seen.observed.name) else {
                continue;
            };
            let recorded = self.is_recorded(kind, seen);
            if recorded || self.is_claimed(kind, seen) {
                continue;
            }
            let wanted = Desired {
                name: seen.observed.name.clone(),
                default_name: true,
                mode: Mode::Managed,
                protect: self.protect,
                fields: BTreeMap::new(),
                zone: None,
                parent: None,
                span: Span::default(),
                address,
            };
            if let Some(proof) = self.proof(&wanted, seen) {
                self.leftover(&wanted.address, seen, Vec::new(), proof);
            }
        }
    }

    /// Takes what serves a resource that goes, such as the consumer of a Worker: it is nobody's
    /// without it, and may be in its way.
    pub(super) fn serving(&mut self) {
        let goes = self.out.changes.iter().filter(|change| change.action == Action::Delete);
        let goes: BTreeMap<(KindId, String), Address> = goes
            .filter_map(|change| {
                let seen = self.index.by_id(change.address.kind(), change.id.as_deref()?)?;
                let key = (change.address.kind(), seen.observed.name.clone());
                Some((key, change.address.clone()))
            })
            .collect();
        for (id, seen) in self.index.all() {
            let Some((field, served)) = kind(id).serves() else { continue };
            let Some(name) = seen.observed.fields.get(field).and_then(Json::as_str) else {
                continue;
            };
            let Some(owner) = goes.get(&(served, name.to_owned())) else { continue };
            if self.is_recorded(id, seen) || self.taken(id, seen).is_some() {
                continue;
            }
            let label = format!("{}.{}", owner.name(), key(id, &seen.observed.name));
            let reason = "it belongs to a resource that goes";
            self.leftover(&Address::new(id, label), seen, vec![owner.clone()], reason);
        }
    }

    /// Resources with this environment's marker that are neither wanted nor recorded. An apply leaves
    /// those that the spec names and others deploy; a destroy takes all.
    pub(super) fn marked(&mut self, goal: Goal) {
        let ours = self.ownership;
        for (kind, seen) in self.index.all() {
            if goal == Goal::Apply && ours.is_deployed_by_others(kind, &seen.observed) {
                continue;
            }
            let comment = seen.observed.comment.as_deref();
            // A kept resource may be in no record and no spec: its marker tells its label.
            let mut kept = self.keep.iter().filter(|address| address.kind() == kind);
            if kept.any(|address| ours.marks(address, &seen.observed)) {
                continue;
            }
            if comment.is_some_and(|comment| ours.is_of_environment(comment)) {
                let address = Address::new(kind, key(kind, &seen.observed.name));
                let reason = "carries this environment's marker, and the spec does not know it";
                self.leftover(&address, seen, Vec::new(), reason);
            }
        }
    }

    /// Deletes a resource that no address records.
    pub(super) fn leftover(
        &mut self,
        address: &Address,
        seen: &'a Seen,
        needs: Vec<Address>,
        reason: &str,
    ) {
        // A kept resource is claimed, so that no other proof leads to its delete.
        if !self.claim(address.kind(), seen) || self.keep.contains(address) {
            return;
        }
        let recorded = Recorded {
            name: seen.observed.name.clone(),
            id: seen.observed.id.clone(),
            zone: seen.zone.clone(),
            needs,
            ..Recorded::default()
        };
        let mut change = removed(address, &recorded, Action::Delete, reason);
        change.deposed = true;
        change.loses = kind(address.kind()).data_loss(&seen.observed.fields, None);
        self.out.changes.push(change);
    }
}

/// The normal form of a natural key, by which a resource without an address is known.
pub(super) fn key(id: KindId, name: &str) -> String {
    kind(id).key(name).into_owned()
}

/// The change that deletes or forgets a recorded resource.
fn removed(address: &Address, recorded: &Recorded, action: Action, reason: &str) -> Change {
    Change {
        address: address.clone(),
        name: recorded.name.clone(),
        id: Some(recorded.id.clone()),
        action,
        reason: reason.to_owned(),
        fields: Vec::new(),
        drift: Vec::new(),
        deposed: false,
        existing: false,
        protect: false,
        unknown: Vec::new(),
        loses: Vec::new(),
        holds: Vec::new(),
        circle: Vec::new(),
        waits_for: Vec::new(),
        record: Some(Record {
            name: recorded.name.clone(),
            id: recorded.id.clone(),
            fields: BTreeMap::new(),
            zone: recorded.zone.clone(),
            parent: recorded.parent.clone(),
            needs: recorded.needs.clone(),
        }),
    }
}
