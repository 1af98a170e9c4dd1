//! What a destroy leaves: the resources that the user named with `--keep`, and those that they need.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired};

use crate::state::State;

/// The resources that the user asked to keep, with all that they refer to, by the record and by the
/// spec, and with their children: a Worker that is kept keeps its database and its cron triggers.
pub fn keep_with_needs(
    asked: &BTreeSet<Address>,
    desired: &BTreeMap<Address, Desired>,
    state: Option<&State>,
) -> BTreeSet<Address> {
    let recorded = || state.into_iter().flat_map(|state| &state.resources);
    let begun = || state.into_iter().flat_map(|state| &state.intents);
    let mut children: BTreeMap<&Address, BTreeSet<&Address>> = BTreeMap::new();
    let parents = desired.iter().filter_map(|(address, it)| Some((it.parent.as_ref()?, address)));
    let parents_then = recorded().filter_map(|(address, it)| Some((it.parent.as_ref()?, address)));
    for (parent, child) in parents.chain(parents_then) {
        children.entry(parent).or_default().insert(child);
    }
    let mut kept = BTreeSet::new();
    let mut open: Vec<&Address> = asked.iter().collect();
    while let Some(address) = open.pop() {
        if !kept.insert(address.clone()) {
            continue;
        }
        open.extend(desired.get(address).into_iter().flat_map(Desired::needs));
        let known = state.and_then(|state| state.resources.get(address));
        open.extend(known.into_iter().flat_map(|it| &it.needs));
        open.extend(begun().filter(|it| it.address == *address).flat_map(|it| &it.needs));
        open.extend(children.get(address).into_iter().flatten());
    }
    kept
}
