//! What a comparison works with, and what it has found so far.

use std::{
    borrow::Cow,
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
};

use envc_core::{Address, Desired, KindId, Mode, Sealer};
use envc_kinds::{Fields, Held, kind};
use serde_json::Value as Json;

use crate::{
    leases::LeaseValues,
    model::Change,
    observe::{Index, Live, Observation, Seen},
    ownership::Ownership,
    state::{IntentAction, Recorded, State},
};

/// Changes and refusals, by address.
pub(crate) struct Diff {
    pub(crate) changes: Vec<Change>,
    pub(crate) refusals: Vec<Refusal>,
    /// The values that an update has to send although the spec does not set them, since its call
    /// resets what it leaves out.
    pub(crate) kept: BTreeMap<Address, Fields<Json>>,
}

pub(super) struct Differ<'a> {
    pub(super) state: Option<&'a State>,
    pub(super) keep: &'a BTreeSet<Address>,
    pub(super) protect: bool,
    pub(super) replace: &'a BTreeSet<Address>,
    pub(super) unprotect: &'a BTreeSet<Address>,
    pub(super) index: Index<'a>,
    /// What the API does not have by its identifier.
    gone: &'a BTreeSet<(KindId, String)>,
    pub(super) another_products: &'a [(KindId, Held)],
    /// Code that others deployed and that is live.
    pub(super) live: &'a BTreeMap<Address, Live>,
    pub(super) ownership: &'a Ownership,
    /// Identifiers known before apply, by address.
    pub(super) ids: BTreeMap<&'a Address, &'a str>,
    /// Names in the account that differ from the wanted one.
    pub(super) names: BTreeMap<&'a Address, &'a str>,
    pub(super) desired: &'a BTreeMap<Address, Desired>,
    /// The same under the names that the spec gives today.
    pub(super) named_today: &'a BTreeMap<Address, Desired>,
    pub(super) leases: &'a LeaseValues,
    pub(super) sealer: &'a Sealer,
    /// Identifiers that the state holds, under whatever address; made when one is asked for.
    pub(super) recorded_ids: OnceCell<BTreeSet<(KindId, &'a str)>>,
    /// What an interrupted run was about to create, and to delete.
    pub(super) creates: BTreeSet<(KindId, Cow<'a, str>)>,
    pub(super) deletes: BTreeSet<(KindId, &'a str)>,
    /// What it did create, as far as the resource that gives the name shows it.
    pub(super) begun: BTreeSet<(KindId, &'a str)>,
    /// What an interrupted run was about to change: its record may be out of date.
    pub(super) updates: BTreeSet<&'a Address>,
    /// Identifiers of `existing` resources, which are never changed.
    pub(super) bound: BTreeSet<(KindId, &'a str)>,
    /// Identifiers that belong to a resource of the plan already.
    pub(super) claimed: BTreeSet<(KindId, &'a str)>,
    pub(super) out: Diff,
}

/// What is compared.
pub(crate) struct DiffInputs<'a> {
    /// Public values of the leases that stay.
    pub(crate) leases: &'a LeaseValues,
    /// Seals observed values, to compare them with sealed ones.
    pub(crate) sealer: &'a Sealer,
    pub(crate) desired: &'a BTreeMap<Address, Desired>,
    /// The desired graph under the names that the spec gives today, before recorded names are kept.
    pub(crate) named_today: &'a BTreeMap<Address, Desired>,
    pub(crate) state: Option<&'a State>,
    pub(crate) observation: &'a Observation,
    pub(crate) ownership: &'a Ownership,
    /// Addresses that are not deleted, only no longer recorded.
    pub(crate) keep: &'a BTreeSet<Address>,
    /// The environment refuses deletes and replaces.
    pub(crate) protect: bool,
    /// But for these.
    pub(crate) unprotect: &'a BTreeSet<Address>,
    /// Addresses that are made anew, whatever differs.
    pub(crate) replace: &'a BTreeSet<Address>,
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

impl<'a> Differ<'a> {
    pub(super) fn new(inputs: &DiffInputs<'a>) -> Self {
        let intents = |action| {
            let all = inputs.state.into_iter().flat_map(|state| &state.intents);
            all.filter(move |intent| intent.action == action)
        };
        let mut differ = Self {
            state: inputs.state,
            keep: inputs.keep,
            protect: inputs.protect,
            replace: inputs.replace,
            unprotect: inputs.unprotect,
            index: Index::new(inputs.observation),
            gone: &inputs.observation.gone,
            another_products: &inputs.observation.held,
            live: &inputs.observation.live,
            ownership: inputs.ownership,
            ids: BTreeMap::new(),
            names: BTreeMap::new(),
            desired: inputs.desired,
            named_today: inputs.named_today,
            leases: inputs.leases,
            sealer: inputs.sealer,
            recorded_ids: OnceCell::new(),
            creates: intents(IntentAction::Create)
                .map(|intent| {
                    let id = intent.address.kind();
                    (id, kind(id).key(&intent.name))
                })
                .collect(),
            deletes: intents(IntentAction::Delete)
                .filter_map(|intent| Some((intent.address.kind(), intent.id.as_deref()?)))
                .collect(),
            begun: BTreeSet::new(),
            updates: intents(IntentAction::Update).map(|intent| &intent.address).collect(),
            bound: BTreeSet::new(),
            claimed: BTreeSet::new(),
            out: Diff {
                changes: Vec::with_capacity(inputs.desired.len()),
                refusals: Vec::new(),
                kept: BTreeMap::new(),
            },
        };
        for wanted in inputs.desired.values() {
            let id = wanted.address.kind();
            differ.bound.extend(differ.existing_of(wanted).map(|seen| (id, &*seen.observed.id)));
        }
        differ.claimed.clone_from(&differ.bound);
        let begun = intents(IntentAction::Create).filter(|intent| intent.owner().is_some());
        let begun = begun.filter_map(|it| Some((it.address.kind(), differ.made_by(it)?)));
        differ.begun = begun.map(|(id, seen)| (id, &*seen.observed.id)).collect();
        differ
    }

    /// What an `existing` resource is bound to.
    pub(super) fn existing_of(&self, wanted: &Desired) -> Option<&'a Seen> {
        match &wanted.mode {
            Mode::Managed => None,
            Mode::ExistingId(id) => self.index.by_id(wanted.address.kind(), id),
            Mode::ExistingName => self.index.by_name(wanted.address.kind(), &wanted.name),
        }
    }

    pub(super) fn claim(&mut self, kind: KindId, seen: &'a Seen) -> bool {
        self.claimed.insert((kind, &seen.observed.id))
    }

    pub(super) fn is_claimed(&self, kind: KindId, seen: &Seen) -> bool {
        self.claimed.contains(&(kind, seen.observed.id.as_str()))
    }

    pub(super) fn is_recorded(&self, kind: KindId, seen: &Seen) -> bool {
        let ids = self.recorded_ids.get_or_init(|| {
            let recorded = self.state.into_iter().flat_map(|state| &state.resources);
            recorded.map(|(address, it)| (address.kind(), it.id.as_str())).collect()
        });
        ids.contains(&(kind, seen.observed.id.as_str()))
    }

    /// True for what the API said is gone. What lives with something else is read there: it is gone
    /// where that one is.
    pub(super) fn is_gone(&self, address: &Address, recorded: &Recorded) -> bool {
        kind(address.kind()).lives_with().is_some()
            || self.gone.contains(&(address.kind(), recorded.id.clone()))
    }

    pub(super) fn recorded(&self, address: &Address) -> Option<&'a Recorded> {
        self.state.and_then(|state| state.resources.get(address))
    }
}
