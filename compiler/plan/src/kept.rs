//! Names that stay: a recorded resource keeps the name that it was made with, until the spec gives
//! it another one with `name=`. So a project's new short form renames nothing, and neither does a
//! version that names things otherwise.

use std::{borrow::Cow, collections::BTreeMap};

use envc_core::{Address, Desired};

use crate::{
    observe::{Index, Observation},
    ownership::Ownership,
    state::State,
};

/// The desired graph with the names that stay. What is to be adopted under a name of the first
/// version keeps that one.
pub(crate) fn kept<'d>(
    desired: &'d BTreeMap<Address, Desired>,
    state: Option<&State>,
    observation: &Observation,
    ownership: &Ownership,
) -> Cow<'d, BTreeMap<Address, Desired>> {
    let mut out = Cow::Borrowed(desired);
    let index = Index::new(observation);
    for (address, wanted) in desired {
        if !wanted.default_name || !wanted.is_managed() || owner(wanted).is_some() {
            continue;
        }
        let recorded = state.and_then(|state| state.resources.get(address));
        let name = match recorded {
            // What is gone is made anew, under the name of today.
            Some(recorded) if index.by_id(address.kind(), &recorded.id).is_none() => continue,
            Some(recorded) => recorded.name.clone(),
            None => {
                let Some(old) = ownership.first_name(wanted) else { continue };
                let kind = address.kind();
                let asked = ownership.adopt.contains(address);
                if !asked || index.by_name(kind, &wanted.name).is_some() {
                    continue;
                }
                if index.by_name(kind, &old).is_none() {
                    continue;
                }
                old
            }
        };
        if name != wanted.name
            && !name.is_empty()
            && let Some(wanted) = out.to_mut().get_mut(address)
        {
            wanted.name = name;
        }
    }
    follow(&mut out);
    out
}

/// What has its name from another one has that one's, kept or not.
fn follow(out: &mut Cow<'_, BTreeMap<Address, Desired>>) {
    let named = out.values().filter_map(|wanted| {
        let name = &out.get(owner(wanted)?)?.name;
        (*name != wanted.name).then(|| (wanted.address.clone(), name.clone()))
    });
    let named: Vec<(Address, String)> = named.collect();
    for (address, name) in named {
        if let Some(wanted) = out.to_mut().get_mut(&address) {
            wanted.name = name;
        }
    }
}

/// What gives it its name.
fn owner(wanted: &Desired) -> Option<&Address> {
    let (field, _) = envc_kinds::kind(wanted.address.kind()).named_by()?;
    wanted.fields.get(field)?.addresses().into_iter().next()
}
