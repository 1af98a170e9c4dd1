//! What no list shows and may be there all the same.
//!
//! A list lags behind: what was made seconds ago may not stand in it yet. So a list alone never proves
//! that something recorded is gone, and what has its name for an identifier is there or not by that.
//! Nothing of this is asked where the lists show all that they should.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, KindId};
use envc_kinds::kind;

use crate::{
    observe::{Index, Observation, Reach},
    state::State,
};

/// One resource to ask for by its identifier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unlisted {
    /// Its kind.
    pub kind: KindId,
    /// The zone it lives in.
    pub zone: Option<String>,
    /// The API's identifier.
    pub id: String,
    /// It is recorded, or an interrupted run was about to delete it: that it is gone has to be known.
    pub recorded: bool,
}

/// What has to be asked for by its identifier, once the lists are read:
/// - what is recorded, or was about to be deleted, and stands in no list;
/// - what was about to be made, and for a far look what the spec names, where its name is its
///   identifier.
pub fn unlisted(
    desired: &BTreeMap<Address, Desired>,
    state: Option<&State>,
    observation: &Observation,
    reach: Reach,
) -> BTreeSet<Unlisted> {
    let index = Index::new(observation);
    let was_listed =
        |of: KindId, zone: Option<&String>| observation.listed.contains(&(of, zone.cloned()));
    let mut asked = BTreeSet::new();
    let mut ask = |address: &Address, zone: Option<&String>, id: &str, recorded: bool| {
        let kind = address.kind();
        if was_listed(kind, zone) && index.by_id(kind, id).is_none() {
            let (zone, id) = (zone.cloned(), id.to_owned());
            asked.insert(Unlisted { kind, zone, id, recorded });
        }
    };
    let named = |address: &Address| kind(address.kind()).facts().name_is_id;
    for (address, recorded) in state.into_iter().flat_map(|state| &state.resources) {
        ask(address, recorded.zone.as_ref(), &recorded.id, true);
    }
    for intent in state.into_iter().flat_map(|state| &state.intents) {
        match &intent.id {
            Some(id) => ask(&intent.address, intent.zone.as_ref(), id, true),
            None if named(&intent.address) => {
                ask(&intent.address, intent.zone.as_ref(), &intent.name, false);
            }
            None => {}
        }
    }
    let is_recorded =
        |address: &Address| state.is_some_and(|state| state.resources.contains_key(address));
    let wanted = desired.values().filter(|it| reach != Reach::Named && it.is_managed());
    for wanted in wanted.filter(|it| named(&it.address) && !is_recorded(&it.address)) {
        ask(&wanted.address, wanted.zone.as_ref(), &wanted.name, false);
    }
    asked
}
