//! Deletes that each would have to wait for the next: Workers that are bound to each other. None of
//! these waits for another one of its circle; each says which others it may go before.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::Address;
use envc_kinds::kind;

use crate::model::{Action, Change};

/// Takes the references inside circles out of what deletes wait for.
///
/// Invariant: only what goes in the same plan is gone before, and only inside a circle.
pub(super) fn cut(changes: &mut [Change]) {
    let goes = |change: &&Change| {
        change.action == Action::Delete && kind(change.address.kind()).facts().circle.is_some()
    };
    let mut holds: BTreeMap<Address, BTreeSet<Address>> = BTreeMap::new();
    let mut ids: BTreeMap<Address, BTreeSet<String>> = BTreeMap::new();
    for change in changes.iter().filter(goes) {
        holds.entry(change.address.clone()).or_default().extend(change.holds.iter().cloned());
        ids.entry(change.address.clone()).or_default().extend(change.id.clone());
    }
    let reach: BTreeMap<&Address, BTreeSet<&Address>> =
        holds.keys().map(|address| (address, reached(&holds, address))).collect();
    let circle_of = |address: &Address| -> BTreeSet<Address> {
        let near = reach.get(address).into_iter().flatten().copied();
        let back = |other: &Address| reach.get(other).is_some_and(|it| it.contains(address));
        near.filter(|other| *other != address && back(other)).cloned().collect()
    };
    let circles: BTreeMap<Address, BTreeSet<Address>> =
        holds.keys().map(|address| (address.clone(), circle_of(address))).collect();
    for change in changes.iter_mut().filter(|change| goes(&&**change)) {
        let Some(circle) = circles.get(&change.address).filter(|it| !it.is_empty()) else {
            continue;
        };
        change.holds.retain(|held| !circle.contains(held));
        change.circle = circle.iter().filter_map(|it| ids.get(it)).flatten().cloned().collect();
    }
}

/// What is reached from one by what holds what.
fn reached<'h>(
    holds: &'h BTreeMap<Address, BTreeSet<Address>>,
    from: &Address,
) -> BTreeSet<&'h Address> {
    let mut seen = BTreeSet::new();
    let mut look: Vec<&Address> = holds.get(from).into_iter().flatten().collect();
    while let Some(at) = look.pop() {
        let Some((at, next)) = holds.get_key_value(at) else { continue };
        if seen.insert(at) {
            look.extend(next);
        }
    }
    seen
}
