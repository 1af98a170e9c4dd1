//! Recorded resources that another repository, or another environment, took over since.

use std::collections::BTreeSet;

use envc_core::{Address, Desired, FoundMarker, KindId};
use envc_kinds::{Observed, kind};

use super::{
    differ::{Differ, Refusal},
    ownership::anothers_marker,
};
use crate::{
    observe::{Index, Observation, Seen},
    ownership::Ownership,
    state::{Recorded, State},
};

impl Ownership {
    /// Another's marker on a resource, which makes it theirs even if it is recorded here.
    /// A marker that the record has, too, is no other one's: we wrote it, under a former name of
    /// our repository.
    pub(crate) fn taken<'o>(
        &self,
        state: Option<&State>,
        id: KindId,
        seen: &'o Observed,
    ) -> Option<FoundMarker<'o>> {
        let found = self.anothers(seen)?;
        let recorded = state.into_iter().flat_map(|state| &state.resources);
        let mut recorded = recorded.filter(|(it, kept)| it.kind() == id && kept.id == seen.id);
        let has_it = |kept: &Recorded| {
            let texts = kept.fields.values().filter_map(|value| value.as_str());
            texts.filter_map(FoundMarker::at_head).any(|it| it.text == found.text)
        };
        (!recorded.any(|(_, kept)| has_it(kept))).then_some(found)
    }

    /// The same, unless the user takes it back.
    pub(crate) fn lost<'o>(
        &self,
        state: Option<&State>,
        address: &Address,
        seen: &'o Observed,
    ) -> Option<FoundMarker<'o>> {
        let found = self.taken(state, address.kind(), seen)?;
        (!self.adopt.contains(address)).then_some(found)
    }
}

/// The addresses of recorded resources that another repository took over, with their children and
/// what serves them, as a route does its Worker: the record proves none of these.
pub fn taken_over(
    state: &State,
    observation: &Observation,
    ownership: &Ownership,
) -> BTreeSet<Address> {
    among(state, &Index::new(observation), ownership)
}

pub(super) fn among(state: &State, index: &Index<'_>, ownership: &Ownership) -> BTreeSet<Address> {
    let is_taken = |(address, recorded): &(&Address, &Recorded)| {
        let seen = index.by_id(address.kind(), &recorded.id);
        seen.is_some_and(|seen| ownership.lost(Some(state), address, &seen.observed).is_some())
    };
    let all = || state.resources.iter();
    let mut taken: BTreeSet<Address> = all().filter(is_taken).map(|(it, _)| it.clone()).collect();
    if taken.is_empty() {
        return taken;
    }
    let goes_along = |(address, recorded): &(&Address, &Recorded)| {
        let serves = kind(address.kind()).serves().is_some();
        recorded.parent.as_ref().is_some_and(|parent| taken.contains(parent))
            || (serves && recorded.needs.iter().any(|needed| taken.contains(needed)))
    };
    let along: Vec<Address> = all().filter(goes_along).map(|(it, _)| it.clone()).collect();
    taken.extend(along);
    taken
}

impl Differ<'_> {
    /// A recorded resource with another repository's marker is not ours until the user adopts it.
    pub(super) fn taken<'s>(&self, id: KindId, seen: &'s Seen) -> Option<FoundMarker<'s>> {
        self.ownership.taken(self.state, id, &seen.observed)
    }

    /// Invariant: an apply changes nothing that another repository took over.
    pub(super) fn refuse_taken(&mut self, wanted: &Desired, seen: &Seen) -> bool {
        let found = self.ownership.lost(self.state, &wanted.address, &seen.observed);
        let Some(found) = found else { return false };
        let (noun, name) = (kind(wanted.address.kind()).noun(), &seen.observed.name);
        let (why, help) = anothers_marker(found, self.ownership);
        self.out.refusals.push(Refusal {
            code: "envc::plan::not_ours",
            address: wanted.address.clone(),
            message: format!(
                "the {noun} `{name}` (ID {}) is recorded here as {}, and was taken over in the \
                 account: {why}",
                seen.observed.id, wanted.address
            ),
            help: format!(
                "{help}; what is taken out of environment.kdl stays in the account, and its record goes"
            ),
        });
        true
    }

    /// Why something that is recorded stays in the account, and is recorded no more.
    pub(super) fn why_taken(&self, recorded: &Recorded, address: &Address) -> String {
        let seen = self.index.by_id(address.kind(), &recorded.id);
        match seen.and_then(|seen| self.taken(address.kind(), seen)) {
            Some(found) => {
                format!("taken over: it bears {}, `{}`", self.ownership.whose(found), found.text)
            }
            None => "stays with what was taken over".to_owned(),
        }
    }
}
