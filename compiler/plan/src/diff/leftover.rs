//! What is there and not wanted any more: dropped from the spec, left by an interrupted run, or
//! found by name or marker.

use std::{borrow::Cow, collections::BTreeMap};

use envc_core::{Address, Desired, KindId};
use envc_kinds::{Place, kind};

use super::{differ::Differ, taken};
use crate::{
    model::{Action, Change, Goal, Record},
    observe::Seen,
    state::{Intent, IntentAction, Recorded},
};

impl<'a> Differ<'a> {
    /// What is recorded and not wanted any more.
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
                // Invariant: what is `existing` stays, also where envc made it once.
                _ if bound => (Action::Forget, "existing now: it stays in the account".into()),
                // Invariant: what another address took over is never deleted under the old one.
                _ if moved => (Action::Forget, "another address has it now".into()),
                // Invariant: what another repository took over stays, whatever is recorded of it.
                _ if taken.contains(address) => {
                    (Action::Forget, self.why_taken(recorded, address).into())
                }
                _ if kept => (Action::Forget, self.why_kept(address).into()),
                (None, _) => (Action::Forget, "gone already: it was deleted outside envc".into()),
                (Some(_), _) => (Action::Delete, why.into()),
            };
            let mut change = removed(address, recorded, action, &reason);
            if let (Action::Delete, Some(seen)) = (action, seen) {
                change.loses = kind.data_loss(&seen.observed.fields, None);
            }
            self.out.changes.push(change);
        }
    }

    /// What is kept is asked for, or another one that is kept needs it.
    fn why_kept(&self, address: &Address) -> String {
        let recorded = self.state.into_iter().flat_map(|state| &state.resources);
        // What lives with it goes and stays with it.
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
            // What bears another repository's marker is not what was begun, or not ours any more.
            let is_ours = |seen: &&Seen| self.taken(intent.address.kind(), seen).is_none();
            if let Some(seen) = seen.filter(is_ours) {
                let reason = "left over from an interrupted run";
                self.leftover(&intent.address, seen, intent.needs.clone(), reason);
            }
        }
    }

    /// What a create that was begun has made. Invariant: what gives it its place, or its name, is
    /// where it is looked for; that one may have another name by now, and another one this name.
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

    /// What has the name of a resource of this environment, when something proves it ours.
    pub(super) fn named(&mut self, wanted: &'a Desired) {
        let Some(seen) = self.index.by_name(wanted.address.kind(), &wanted.name) else { return };
        if let Some(proof) = self.proof(wanted, seen) {
            self.ids.entry(&wanted.address).or_insert(&seen.observed.id);
            let needs = wanted.needs().into_iter().cloned().collect();
            self.leftover(&wanted.address, seen, needs, proof);
        }
    }

    /// What carries this environment's marker and is neither wanted nor recorded. An apply leaves
    /// what the spec has and others deploy; a destroy leaves nothing of the environment.
    pub(super) fn marked(&mut self, goal: Goal) {
        let ours = self.ownership;
        for (kind, seen) in self.index.all() {
            if goal == Goal::Apply && ours.is_deployed_by_others(kind, &seen.observed) {
                continue;
            }
            let comment = seen.observed.comment.as_deref();
            // What is kept may be recorded no more, and stands in no spec: its marker says its label.
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

    /// Removes something that no address records.
    pub(super) fn leftover(
        &mut self,
        address: &Address,
        seen: &'a Seen,
        needs: Vec<Address>,
        reason: &str,
    ) {
        // What is kept is claimed, so that nothing else that tells it ours deletes it.
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

/// The one way to write a natural key: what has no address is known by it.
fn key(id: KindId, name: &str) -> String {
    kind(id).key(name).into_owned()
}

/// The change that removes or forgets what is recorded.
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
