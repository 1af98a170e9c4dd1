//! What proves that something is ours, and the refusals where nothing does.

use std::collections::BTreeSet;

use envc_core::{Address, Desired, KindId};
use envc_kinds::{Place, kind};

use super::Differ;
use crate::{
    model::{Action, Change},
    observe::Seen,
};

/// What proves that an unrecorded namesake is ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ownership {
    /// `envc:{project}/{env}`
    pub marker: String,
    /// The environment's ID was minted by this user and is in their registry.
    pub registered: bool,
    /// The identity holds the pull request's number: the name is proof enough.
    pub per_pr: bool,
    /// `--adopt`: the user said so.
    pub adopt: bool,
}

/// Why a plan cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Stable code.
    pub code: &'static str,
    /// The resource.
    pub address: Address,
    /// What happened.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl Differ<'_> {
    pub(super) fn proof(&self, wanted: &Desired, seen: &Seen) -> Option<&'static str> {
        let kind = wanted.address.kind();
        let ours = self.ownership;
        if wanted.parent.is_some() {
            return Some("it lives with a resource of ours");
        }
        let key = envc_kinds::kind(kind).key(&seen.observed.name);
        if self.creates.contains(&(kind, key)) {
            return Some("an apply that was interrupted made it");
        }
        if self.deletes.contains(seen.observed.id.as_str()) {
            return Some("an apply that was interrupted was replacing it");
        }
        if self.is_recorded(kind, seen) {
            return Some("it is recorded under another address");
        }
        if has_marker(seen, &ours.marker) {
            return Some("it carries this environment's marker");
        }
        if ours.registered {
            return Some("it has this environment's name, which only this user's registry gives");
        }
        if ours.per_pr {
            return Some("it has this pull request's name");
        }
        ours.adopt.then_some("taken over, as asked for")
    }
}

impl Differ<'_> {
    /// Invariant: a name that something else has is refused in the plan, not found out half way.
    /// Only a batch deletes before it gives names out.
    pub(super) fn refuse_taken_names(&mut self) {
        let leaving: BTreeSet<(KindId, &str)> = self
            .out
            .changes
            .iter()
            .filter(|change| match change.action {
                Action::Delete | Action::ReplaceCreateFirst | Action::ReplaceDeleteFirst => true,
                Action::Create | Action::Update | Action::Adopt | Action::Forget | Action::Keep => {
                    false
                }
            })
            .filter(|change| kind(change.address.kind()).batch_items_max() > 1)
            .filter_map(|change| Some((change.address.kind(), change.id.as_deref()?)))
            .collect();
        let mut refusals = Vec::new();
        for change in &self.out.changes {
            let id = change.address.kind();
            let named = match change.action {
                Action::Create | Action::ReplaceCreateFirst | Action::ReplaceDeleteFirst => true,
                Action::Update | Action::Adopt => {
                    change.fields.iter().any(|field| field.field == "name")
                }
                Action::Delete | Action::Forget | Action::Keep => false,
            };
            if !named {
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
            _ => {
                "undo the change in the spec, keep the resource with `existing`, or remove \
                 `protect` from the environment on purpose"
            }
        }
        .into(),
    }
}

/// True when what was seen carries exactly this marker, alone or followed by the user's words.
pub(super) fn has_marker(seen: &Seen, marker: &str) -> bool {
    seen.observed
        .comment
        .as_deref()
        .and_then(|comment| comment.strip_prefix(marker))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}
