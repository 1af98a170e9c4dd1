//! Looks for a proof that something is ours, and refuses where there is none.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, FoundMarker, KindId};
use envc_kinds::{Held, Kind, Place, kind};

use super::differ::{Differ, Refusal};
use crate::{
    hosts,
    model::{Action, Change},
    observe::Seen,
    ownership::Ownership,
};

impl Differ<'_> {
    pub(super) fn proof(&self, wanted: &Desired, seen: &Seen) -> Option<&'static str> {
        let kind = wanted.address.kind();
        let ours = self.ownership;
        if wanted.parent.is_some() {
            return Some("it lives with a resource of ours");
        }
        let asked = || ours.adopt.contains(&wanted.address).then_some("taken over, as asked for");
        if self.taken(kind, seen).is_some() {
            return asked();
        }
        if self.deletes.contains(&(kind, seen.observed.id.as_str())) {
            return Some("a run that was interrupted was deleting it");
        }
        if self.is_recorded(kind, seen) {
            return Some("it is recorded under another address");
        }
        let key = envc_kinds::kind(kind).key(&seen.observed.name);
        let begun = self.begun.contains(&(kind, seen.observed.id.as_str()));
        if begun || self.creates.contains(&(kind, key)) {
            return Some("an apply that was interrupted made it");
        }
        if ours.marks(&wanted.address, &seen.observed) {
            return Some("it carries this environment's marker");
        }
        // A name of the first version does not tell the label, even one that holds a random ID.
        let by_name = ours.first_name(wanted).is_none_or(|old| old != seen.observed.name);
        if ours.registered && by_name {
            return Some("it has this environment's name, which only this user's registry gives");
        }
        if ours.reads_back(&wanted.address, &seen.observed.name) {
            return Some("it has this pull request's name");
        }
        if self.serves_ours(wanted, seen) {
            return Some("it belongs to a resource of ours");
        }
        asked()
    }

    /// True for what serves a resource of ours, as a route does its Worker.
    fn serves_ours(&self, wanted: &Desired, seen: &Seen) -> bool {
        let Some((field, _)) = kind(wanted.address.kind()).serves() else { return false };
        let Some(value) = wanted.fields.get(field) else { return false };
        let ours = value.addresses().into_iter().all(|address| self.ids.contains_key(address));
        let known = value.resolve(&mut |part| self.known(part));
        ours && known.is_some() && known.as_ref() == seen.observed.fields.get(field)
    }
}

impl Differ<'_> {
    /// Invariant: a name that another resource has is refused in the plan, not by the API half way
    /// through the apply. Only a batch deletes before it creates.
    pub(super) fn refuse_taken_names(&mut self) {
        let leaving: BTreeSet<(KindId, &str)> = self
            .out
            .changes
            .iter()
            .filter(|change| match change.action {
                Action::Delete | Action::ReplaceCreateFirst | Action::ReplaceDeleteFirst => true,
                Action::Create
                | Action::Update
                | Action::Adopt
                | Action::Forget
                | Action::Wait
                | Action::Keep => false,
            })
            .filter(|change| kind(change.address.kind()).batch_items_max() > 1)
            .filter_map(|change| Some((change.address.kind(), change.id.as_deref()?)))
            .collect();
        let mut refusals = Vec::new();
        for change in &self.out.changes {
            let id = change.address.kind();
            if !hosts::is_new_name(change) {
                continue;
            }
            let near = self.index.namesakes(id, &change.name).into_iter();
            let listed = || kind(id).listing(&Place::default()).is_some();
            let taken = near.filter(|_| listed()).find(|seen| {
                let other = seen.observed.id.as_str();
                change.id.as_deref() != Some(other) && !leaving.contains(&(id, other))
            });
            refusals.extend(taken.map(|seen| taken_name(change, seen)));
        }
        self.out.refusals.extend(refusals);
    }
}

impl Differ<'_> {
    /// Invariant: what another product holds is in nobody's way only where this plan takes the host
    /// from that product.
    pub(super) fn refuse_held_names(&mut self) {
        if self.another_products.is_empty() {
            return;
        }
        let changes = &self.out.changes;
        let freed: BTreeSet<(KindId, String)> = changes
            .iter()
            .filter_map(|change| Some((change.address.kind(), hosts::frees(change)?)))
            .collect();
        let mut refusals = Vec::new();
        for change in changes.iter().filter(|change| hosts::is_new_name(change)) {
            let id = change.address.kind();
            let host = kind(id).holds_host(&change.name);
            let near = self.another_products.iter().filter(|(of, _)| *of == id);
            let in_the_way = near.map(|(_, held)| held).find(|held| {
                let its_host = kind(id).holds_host(&held.name);
                let leaves =
                    freed.iter().any(|(by, it)| *by != id && Some(it) == its_host.as_ref());
                let same_host = host.is_some() && host == its_host;
                (same_host || kind(id).collides(&change.name, &held.name)) && !leaves
            });
            refusals.extend(in_the_way.map(|held| held_name(change, held)));
        }
        self.out.refusals.extend(refusals);
    }

    /// Invariant: a host that something of another kind has is refused in the plan, unless this plan
    /// takes it from there.
    pub(super) fn refuse_held_hosts(&mut self) {
        let changes = &self.out.changes;
        let mut hosts_of: BTreeMap<KindId, BTreeMap<String, Vec<&Seen>>> = BTreeMap::new();
        let mut refusals = Vec::new();
        for change in changes {
            let others = kind(change.address.kind()).shares_hosts_with();
            if others.is_empty() {
                continue;
            }
            let Some(host) = hosts::takes(change) else { continue };
            let goes = |id: KindId, seen: &Seen| {
                changes.iter().any(|other| {
                    other.address.kind() == id
                        && other.id.as_ref() == Some(&seen.observed.id)
                        && hosts::frees(other).as_ref() == Some(&host)
                })
            };
            let in_the_way = others.iter().find_map(|id| {
                let by_host = hosts_of.entry(*id).or_insert_with(|| self.index.by_host(*id));
                let mut near = by_host.get(&host).into_iter().flatten().copied();
                Some((*id, near.find(|seen| !goes(*id, seen))?))
            });
            refusals.extend(in_the_way.map(|(id, seen)| held_host(change, id, seen)));
        }
        self.out.refusals.extend(refusals);
    }
}

fn held_host(change: &Change, id: KindId, seen: &Seen) -> Refusal {
    let noun = kind(id).noun();
    Refusal {
        code: "envc::plan::name_taken",
        address: change.address.clone(),
        message: format!(
            "{} cannot be named `{}`: the {noun} `{}` (ID {}) has that host",
            change.address, change.name, seen.observed.name, seen.observed.id
        ),
        help: format!("remove that {noun} first where nobody needs it, or choose another host"),
    }
}

fn held_name(change: &Change, held: &Held) -> Refusal {
    Refusal {
        code: "envc::plan::name_taken",
        address: change.address.clone(),
        message: format!(
            "{} cannot be named `{}`: {} has the {} `{}` (ID {}) there, which nobody else can change",
            change.address,
            change.name,
            held.by,
            kind(change.address.kind()).noun(),
            held.name,
            held.id
        ),
        help: held.help.into(),
    }
}

fn taken_name(change: &Change, seen: &Seen) -> Refusal {
    Refusal {
        code: "envc::plan::name_taken",
        address: change.address.clone(),
        message: format!(
            "{} cannot be named `{}`: the {} `{}` (ID {}) is in the way",
            change.address,
            change.name,
            kind(change.address.kind()).noun(),
            seen.observed.name,
            seen.observed.id
        ),
        help: "rename or remove that one first, or choose another name; where two resources trade \
               names, give one of them a third name and apply in between"
            .into(),
    }
}

/// The refusal of what has the name of something wanted; `is` says what it is.
pub(super) fn not_ours(wanted: &Desired, seen: &Seen, is: &str, ours: &Ownership) -> Refusal {
    let (why, help) = match ours.anothers(&seen.observed) {
        Some(found) => anothers_marker(found, ours),
        None => (
            "nothing proves that this environment made it".to_owned(),
            way_out(kind(wanted.address.kind())),
        ),
    };
    Refusal {
        code: "envc::plan::not_ours",
        address: wanted.address.clone(),
        message: format!("the account already has {is} (ID {}), and {why}", seen.observed.id),
        help,
    }
}

/// What a marker says that is not this environment's, and what to do about it.
pub(super) fn anothers_marker(found: FoundMarker<'_>, ours: &Ownership) -> (String, String) {
    let (whose, text) = (ours.whose(found), found.text);
    if ours.is_ours(found.repository) {
        return (
            format!("it bears {whose}, `{text}`"),
            "destroy that environment first, or choose another name".to_owned(),
        );
    }
    (
        format!("it bears {whose}, `{text}`, where this one's ends with `@{}`", ours.repository),
        "if the two repositories are one, renamed or moved, say in `project` what it was, as in \
         id=\"github.com/acme/shop\"; if they are two, give this project another name"
            .to_owned(),
    )
}

/// What to do about something that is not ours and in the way.
fn way_out(it: &dyn Kind) -> String {
    let noun = it.noun();
    match it.named_by() {
        _ if it.declared().is_some_and(|it| it.node().existing.is_some()) => {
            "bind to it with `existing` in the spec, or choose another name".into()
        }
        Some((_, by)) => {
            let by = kind(by).noun();
            format!("remove that {noun} first where nobody needs it, or choose another {by}")
        }
        None if it.in_zone() => {
            format!("remove that {noun} first where nobody needs it, or choose another host")
        }
        None => format!("remove that {noun} first where nobody needs it, or choose another name"),
    }
}

/// The refusal of a change that `protect` forbids.
pub(super) fn protected(address: &Address, what: &str, reason: &str) -> Refusal {
    Refusal {
        code: "envc::plan::protected",
        address: address.clone(),
        message: match reason {
            "" => format!("{address} would be {what}, and its environment is protected"),
            why => format!("{address} would be {what} ({why}), and its environment is protected"),
        },
        help: match reason {
            "" => "remove `protect` from the environment on purpose, then destroy it",
            _ => "undo the change in the spec, or keep the resource with `existing`",
        }
        .into(),
    }
}
