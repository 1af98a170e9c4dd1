//! Desired against observed and recorded: one change per resource, with its reason.
//!
//! Only fields that the spec sets are compared, after normalising; a server default is never a
//! diff. Nothing unowned is ever changed: a namesake without proof is a refusal.
//! - `differ`: what the comparison works with.
//! - `ownership`: the search for a proof that a namesake is ours, and what refuses.
//! - `fields`: the comparison of fields, and what is recorded.
//! - `leftover`: resources of ours that the spec does not want.
//! - `taken`: recorded resources that another repository took over.
//! - `waits`: what an apply does not delete yet, since live code is bound to it.
//! - `held`: the references that the changes let go of.
//! - `circles`: deletes that each would have to wait for the next.
//! - `believed`: what a record that others can write has to show.

mod believed;
mod circles;
mod differ;
mod fields;
mod held;
mod leftover;
mod ownership;
mod taken;
mod waits;

use std::collections::BTreeMap;

use envc_core::{Address, Desired, Mode};
use envc_kinds::{Kind, host_in_ascii, kind, same_name};

use crate::{
    graph,
    model::{Action, Change, FieldChange, Goal},
    observe::Seen,
    state::{IntentAction, Recorded},
};

pub use differ::Refusal;
pub use taken::taken_over;

pub(crate) use differ::{Diff, DiffInputs};

use differ::Differ;
use fields::{drift, drifted, kept, unknown};
use ownership::{not_ours, protected};

/// Compares for an apply.
pub(crate) fn diff(inputs: &DiffInputs<'_>) -> Diff {
    let mut differ = Differ::new(inputs);
    match graph::order(inputs.desired) {
        Ok(order) => order.into_iter().for_each(|wanted| differ.wanted(wanted)),
        Err(cycle) => differ.refuse_cycle(&cycle),
    }
    differ.dropped(inputs.desired, "the spec does not have it any more");
    differ.interrupted();
    differ.marked(Goal::Apply);
    differ.wait_for_deployments();
    differ.finish()
}

/// Finds all that is ours for a destroy: recorded resources, those that an interrupted run began to
/// make, and those with a name or a marker of this environment that are proved ours.
pub(crate) fn diff_destroy(inputs: &DiffInputs<'_>) -> Diff {
    let mut differ = Differ::new(inputs);
    let nothing = BTreeMap::new();
    differ.dropped(&nothing, "");
    for (address, recorded) in inputs.state.into_iter().flat_map(|state| &state.resources) {
        differ.ids.insert(address, &recorded.id);
    }
    differ.interrupted();
    // A recorded resource keeps its old name; another one of ours may have today's name.
    let names = inputs.desired.values().chain(inputs.named_today.values());
    for wanted in names.filter(|wanted| wanted.is_managed()) {
        differ.named(wanted);
    }
    differ.reads_back();
    differ.marked(Goal::Destroy);
    differ.serving();
    differ.finish()
}

impl<'a> Differ<'a> {
    fn finish(mut self) -> Diff {
        self.refuse_unproven_records();
        self.refuse_taken_names();
        self.refuse_held_names();
        self.refuse_held_hosts();
        self.tell_what_is_held();
        circles::cut(&mut self.out.changes);
        if self.protect {
            let leaves = |it: &&Change| {
                it.action == Action::Delete || (it.action == Action::Wait && it.needs_leave())
            };
            let deletes = self.out.changes.iter().filter(leaves);
            let refusals: Vec<Refusal> = deletes
                .filter(|change| !self.unprotect.contains(&change.address))
                .map(|change| protected(&change.address, "deleted", &change.reason))
                .collect();
            self.out.refusals.extend(refusals);
        }
        self.out
            .changes
            .sort_by(|a, b| (&a.address, a.deposed, &a.id).cmp(&(&b.address, b.deposed, &b.id)));
        self.out.refusals.sort_by(|a, b| a.address.cmp(&b.address));
        self.out
    }

    fn wanted(&mut self, wanted: &'a Desired) {
        match &wanted.mode {
            Mode::Managed => self.managed(wanted),
            Mode::ExistingId(id) => self.existing(wanted, &format!("with the ID {id}")),
            Mode::ExistingName => self.existing(wanted, &format!("named {}", wanted.name)),
        }
    }

    /// Invariant: an `existing` resource is read and bound to, never created, changed or deleted.
    fn existing(&mut self, wanted: &'a Desired, which: &str) {
        let kind = kind(wanted.address.kind());
        let Some(seen) = self.existing_of(wanted) else {
            self.out.refusals.push(Refusal {
                code: "envc::plan::existing_missing",
                address: wanted.address.clone(),
                message: format!("the account has no {} {which}", kind.noun()),
                help: "correct it in the spec's `existing` block, or take it out of there so that \
                       envc creates one"
                    .into(),
            });
            return;
        };
        self.ids.insert(&wanted.address, &seen.observed.id);
        self.names.insert(&wanted.address, &seen.observed.name);
        let mut change = change(wanted, Action::Keep, "existing: bound to, never changed");
        change.name.clone_from(&seen.observed.name);
        change.id = Some(seen.observed.id.clone());
        change.existing = true;
        if self.recorded(&wanted.address).is_some() {
            change.action = Action::Forget;
            change.reason = "existing now: envc lets go of it and leaves it in the account".into();
        }
        self.out.changes.push(change);
    }

    fn managed(&mut self, wanted: &'a Desired) {
        let kind = kind(wanted.address.kind());
        // Not a resource that is `existing` now or that moved to another address.
        let recorded = self
            .recorded(&wanted.address)
            .filter(|it| !self.claimed.contains(&(wanted.address.kind(), it.id.as_str())));
        let known = match &wanted.parent {
            // A child is found by its parent's identifier.
            Some(parent) => self
                .ids
                .get(parent)
                .and_then(|id| self.index.by_id(wanted.address.kind(), id))
                .filter(|_| recorded.is_some()),
            None => {
                recorded.and_then(|recorded| self.index.by_id(wanted.address.kind(), &recorded.id))
            }
        };
        if let Some(seen) = known {
            if self.refuse_taken(wanted, seen) {
                self.ids.insert(&wanted.address, &seen.observed.id);
                self.claim(wanted.address.kind(), seen);
                return;
            }
            match self.made_by_interrupted_replace(wanted, kind, seen) {
                Some(made) => {
                    self.adopt(wanted, kind, made);
                    let needs = recorded.map(|it| it.needs.clone()).unwrap_or_default();
                    let why =
                        "an apply that was cut off left another one with the name that is wanted";
                    self.leftover(&wanted.address, seen, needs, why);
                }
                None => self.compare(wanted, kind, seen, recorded),
            }
            return;
        }
        let id = wanted.address.kind();
        let namesake = if let Some(parent) = &wanted.parent {
            self.ids.get(parent).and_then(|parent| self.index.by_id(id, parent))
        } else {
            let all = self.owned(wanted).into_iter().chain(self.index.namesakes(id, &wanted.name));
            all.into_iter().find(|seen| !self.is_claimed(id, seen))
        };
        match namesake {
            Some(seen) => self.adopt(wanted, kind, seen),
            None => self.create(wanted, recorded),
        }
    }

    /// The resource that takes its name from the same one as the wanted, whatever that name is now.
    fn owned(&self, wanted: &Desired) -> Option<&'a Seen> {
        let (field, _) = kind(wanted.address.kind()).named_by()?;
        let owner = wanted.fields.get(field)?.resolve(&mut |part| self.known(part))?;
        self.index.by_owner(wanted.address.kind(), owner.as_str()?)
    }

    /// The other half of an interrupted replace: the new resource while the old one is recorded, or
    /// the old one, wanted again, while the new one is recorded.
    fn made_by_interrupted_replace(
        &self,
        wanted: &Desired,
        kind: &dyn Kind,
        recorded: &Seen,
    ) -> Option<&'a Seen> {
        let id = wanted.address.kind();
        let replaced = !same_name(kind, &recorded.observed.name, &wanted.name) && !kind.renames();
        if !replaced {
            return None;
        }
        let other = self.index.by_name(id, &wanted.name)?;
        let made = self.creates.contains(&(id, kind.key(&wanted.name)));
        let ours =
            (made || self.was_replaced(&wanted.address, other)) && self.taken(id, other).is_none();
        (ours && wanted.parent.is_none() && !self.is_claimed(id, other)).then_some(other)
    }

    /// True when an interrupted replace was about to delete it.
    fn was_replaced(&self, address: &Address, seen: &Seen) -> bool {
        let mut intents = self.state.into_iter().flat_map(|state| &state.intents);
        !self.is_recorded(address.kind(), seen)
            && intents.any(|intent| {
                intent.action == IntentAction::Delete
                    && intent.address == *address
                    && intent.id.as_ref() == Some(&seen.observed.id)
            })
    }

    fn create(&mut self, wanted: &'a Desired, recorded: Option<&Recorded>) {
        let parent = wanted.parent.as_ref();
        let reason = match (recorded, parent.filter(|parent| !self.ids.contains_key(*parent))) {
            (Some(_), Some(parent)) => format!("{parent} is made anew, and this with it"),
            (Some(recorded), None) => {
                format!("{} is gone: it was deleted outside envc", recorded.id)
            }
            (None, _) => String::new(),
        };
        let mut change = change(wanted, Action::Create, &reason);
        let mut intents = self.state.into_iter().flat_map(|state| &state.intents);
        // What an interrupted run deleted was not deleted outside envc.
        let gone = recorded.filter(|_| parent.is_none_or(|it| self.ids.contains_key(it)));
        let gone = gone.filter(|_| !intents.any(|intent| intent.address == wanted.address));
        change.drift = gone
            .into_iter()
            .map(|recorded| FieldChange {
                field: "id".to_owned(),
                before: Some(recorded.id.clone().into()),
                after: None,
                forces_replace: false,
            })
            .collect();
        change.fields = wanted
            .fields
            .iter()
            .map(|(field, value)| FieldChange {
                field: field.clone(),
                before: None,
                after: value.resolve(&mut |part| self.known(part)),
                forces_replace: false,
            })
            .collect();
        self.out.changes.push(change);
    }

    /// Invariant: nothing unowned is ever changed or deleted. See [`Ownership`].
    fn adopt(&mut self, wanted: &'a Desired, kind: &dyn Kind, seen: &'a Seen) {
        let Some(proof) = self.proof(wanted, seen) else {
            let is = if same_name(kind, &seen.observed.name, &wanted.name) {
                format!("a {} named `{}`", kind.noun(), wanted.name)
            } else {
                format!(
                    "the {} `{}`, which excludes `{}`",
                    kind.noun(),
                    seen.observed.name,
                    wanted.name
                )
            };
            self.out.refusals.push(not_ours(wanted, seen, &is, self.ownership));
            return;
        };
        // A child is found by its parent's identifier and has no name of its own.
        let namesake = same_name(kind, &seen.observed.name, &wanted.name);
        let follows = self.owned(wanted).is_some_and(|it| it.observed.id == seen.observed.id);
        let same = wanted.parent.is_some() || namesake || follows;
        if same {
            self.ids.insert(&wanted.address, &seen.observed.id);
        }
        self.claim(wanted.address.kind(), seen);
        self.refuse_impossible(wanted, kind, seen);
        let (mut fields, replace) = self.field_changes(wanted, kind, seen, None);
        let asked = self.replace.contains(&wanted.address);
        let goes = replace || asked || !same;
        if follows && !namesake {
            fields.insert(0, renamed(wanted, seen, false));
        }
        let mut change = change(wanted, Action::Adopt, proof);
        change.id = Some(seen.observed.id.clone());
        change.record = Some(self.record(wanted, seen, &fields));
        change.loses = data_loss(kind, wanted, seen, goes);
        change.fields = fields;
        if !change.fields.is_empty() {
            let kept = kept(kind, wanted, seen, None, &change.fields);
            self.out.kept.insert(wanted.address.clone(), kept);
        }
        if goes {
            change.action = Action::ReplaceDeleteFirst;
            change.reason = if asked {
                format!("{proof}, and --replace names it")
            } else {
                format!("{proof}, but it is `{}`", seen.observed.name)
            };
            self.ids.remove(&wanted.address);
            self.refuse_if_protected(wanted, "replaced", &change.reason);
        }
        self.out.changes.push(change);
    }

    fn compare(
        &mut self,
        wanted: &'a Desired,
        kind: &dyn Kind,
        seen: &'a Seen,
        recorded: Option<&Recorded>,
    ) {
        self.ids.insert(&wanted.address, &seen.observed.id);
        self.claim(wanted.address.kind(), seen);
        self.refuse_impossible(wanted, kind, seen);
        let (mut fields, mut replace) = self.field_changes(wanted, kind, seen, recorded);
        // Kinds whose natural key is made of fields have a `name` attribute of their own.
        let own_name = kind.attrs().iter().any(|attr| attr.name == "name");
        let renamed = !same_name(kind, &seen.observed.name, &wanted.name);
        if renamed && wanted.parent.is_none() && !own_name {
            let forces_replace = !kind.renames();
            replace |= forces_replace;
            fields.insert(0, self::renamed(wanted, seen, forces_replace));
        }
        let asked = self.replace.contains(&wanted.address);
        replace |= asked;
        // No call reaches from one zone into another: it is made there, and then goes here.
        let moves = moves(wanted, seen);
        if moves {
            replace = true;
            fields.insert(0, moved(wanted, seen));
        }
        let action = match (fields.is_empty(), replace) {
            (true, false) => Action::Keep,
            (false, false) => Action::Update,
            (_, true) if !moves && kind.collides(&wanted.name, &seen.observed.name) => {
                Action::ReplaceDeleteFirst
            }
            (_, true) => Action::ReplaceCreateFirst,
        };
        // Where a run was interrupted, a difference may be its own work and is no drift.
        let in_doubt = self.updates.contains(&wanted.address);
        let reason = match (action, fields.iter().find(|field| field.forces_replace)) {
            (Action::Keep, _) => "as the spec says".to_owned(),
            (Action::Update, _) if self.taken(wanted.address.kind(), seen).is_some() => {
                "taken back, as asked for".to_owned()
            }
            (Action::Update, _) if in_doubt => "an update of it was interrupted".to_owned(),
            (_, Some(field)) => format!("`{}` cannot be changed in place", field.field),
            _ if asked => "because --replace names it".to_owned(),
            _ => match recorded {
                Some(recorded) if drifted(kind, &fields, &self.known_fields(wanted), recorded) => {
                    "changed outside envc".to_owned()
                }
                _ => "the spec changed".to_owned(),
            },
        };
        if action == Action::Update {
            let kept = kept(kind, wanted, seen, recorded, &fields);
            self.out.kept.insert(wanted.address.clone(), kept);
        }
        let mut change = change(wanted, action, &reason);
        change.id = Some(seen.observed.id.clone());
        let outside = recorded.filter(|_| !in_doubt);
        let outside = outside.map(|recorded| drift(kind, seen, recorded, self.sealer));
        change.drift = outside.unwrap_or_default();
        change.loses = data_loss(kind, wanted, seen, replace);
        // The old half of a replace has its own name and zone, so the plan tells them, too.
        change.record = match action {
            Action::Keep => Some(self.record(wanted, seen, &[])),
            _ if replace => Some(self.record(wanted, seen, &fields)),
            _ => None,
        };
        change.fields = fields;
        if replace {
            self.ids.remove(&wanted.address);
            self.refuse_if_protected(wanted, "replaced", &reason);
        }
        self.out.changes.push(change);
    }

    /// Invariant: a change that the API would refuse, or get wrong, is refused in the plan.
    fn refuse_impossible(&mut self, wanted: &Desired, kind: &dyn Kind, seen: &Seen) {
        let objection = kind.objection(&seen.observed.fields, &wanted.fields);
        self.out.refusals.extend(objection.map(|objection| Refusal {
            code: objection.code,
            address: wanted.address.clone(),
            message: format!("{} cannot be changed: {}", wanted.address, objection.what),
            help: objection.help,
        }));
    }

    /// Invariant: `protect` refuses delete and replace, before any call, but of what the user took it from
    /// for this one run.
    fn refuse_if_protected(&mut self, wanted: &Desired, what: &str, reason: &str) {
        if wanted.protect && !self.unprotect.contains(&wanted.address) {
            self.out.refusals.push(protected(&wanted.address, what, reason));
        }
    }

    fn refuse_cycle(&mut self, cycle: &[Address]) {
        let Some(first) = cycle.first() else { return };
        let path: Vec<String> = cycle.iter().map(ToString::to_string).collect();
        self.out.refusals.push(Refusal {
            code: "envc::plan::cycle",
            address: first.clone(),
            message: format!("these resources refer to each other: {}", path.join(" → ")),
            help: "remove one of the references".into(),
        });
    }
}

/// Data that the change destroys, one phrase each: the resource that was seen becomes the wanted one,
/// or goes.
fn data_loss(kind: &dyn Kind, wanted: &Desired, seen: &Seen, goes: bool) -> Vec<String> {
    kind.data_loss(&seen.observed.fields, (!goes).then_some(&wanted.fields))
}

/// The change of a name.
fn renamed(wanted: &Desired, seen: &Seen, forces_replace: bool) -> FieldChange {
    FieldChange {
        field: "name".into(),
        before: Some(seen.observed.name.clone().into()),
        after: Some(wanted.name.clone().into()),
        forces_replace,
    }
}

/// True for a resource of another zone than the wanted.
fn moves(wanted: &Desired, seen: &Seen) -> bool {
    let (Some(wanted), Some(seen)) = (&wanted.zone, &seen.zone) else { return false };
    host_in_ascii(wanted) != host_in_ascii(seen)
}

fn moved(wanted: &Desired, seen: &Seen) -> FieldChange {
    let zone = |zone: &Option<String>| zone.clone().map(Into::into);
    FieldChange {
        field: "zone".into(),
        before: zone(&seen.zone),
        after: zone(&wanted.zone),
        forces_replace: true,
    }
}

fn change(wanted: &Desired, action: Action, reason: &str) -> Change {
    Change {
        address: wanted.address.clone(),
        name: wanted.name.clone(),
        id: None,
        action,
        reason: reason.to_owned(),
        fields: Vec::new(),
        drift: Vec::new(),
        deposed: false,
        existing: false,
        protect: wanted.protect,
        unknown: if wanted.is_managed() { unknown(wanted) } else { Vec::new() },
        loses: Vec::new(),
        holds: Vec::new(),
        circle: Vec::new(),
        waits_for: Vec::new(),
        record: None,
    }
}
