//! What could be of an environment by its name, and that nothing proves to be: told, and left alone.

use std::collections::BTreeSet;

use envc_core::{Address, KindId};
use envc_kinds::kind;

use crate::{model::Goal, observe::Index, planner::PlanInputs};

/// A resource that bears a name of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookalike {
    /// Which resource of the spec it could be.
    pub address: Address,
    /// What it is: "D1 database".
    pub noun: &'static str,
    /// Its name.
    pub name: String,
    /// The API's identifier.
    pub id: String,
    /// The marker of another repository that it bears.
    pub anothers: Option<String>,
}

/// What bears a name of the environment without a proof, and what of its record a destroy leaves to
/// another repository. An apply refuses where that is a name
/// that it needs; what bears one of the first version is in nobody's way.
pub fn lookalikes(inputs: &PlanInputs<'_>, goal: Goal) -> Vec<Lookalike> {
    let index = Index::new(inputs.observation);
    let resources = inputs.state.into_iter().flat_map(|state| &state.resources);
    let recorded: BTreeSet<(KindId, &str)> =
        resources.map(|(address, it)| (address.kind(), it.id.as_str())).collect();
    let ownership = inputs.ownership;
    let mut out = Vec::new();
    // An apply refuses what it wants of these, and its plan tells what it lets go.
    for (address, it) in inputs.state.iter().flat_map(|state| &state.resources) {
        let id = address.kind();
        let Some(seen) = index.by_id(id, &it.id).filter(|_| goal == Goal::Destroy) else {
            continue;
        };
        let lost = ownership.lost(inputs.state, address, &seen.observed);
        out.extend(lost.map(|found| Lookalike {
            address: address.clone(),
            noun: kind(id).noun(),
            name: seen.observed.name.clone(),
            id: it.id.clone(),
            anothers: Some(found.text.to_owned()),
        }));
    }
    for wanted in inputs.desired.values().filter(|wanted| wanted.is_managed()) {
        let id = wanted.address.kind();
        if wanted.parent.is_some() || ownership.adopt.contains(&wanted.address) {
            continue;
        }
        let now = (goal == Goal::Destroy).then(|| wanted.name.clone());
        for name in ownership.first_name(wanted).into_iter().chain(now) {
            let Some(seen) = index.by_name(id, &name) else { continue };
            let known = recorded.contains(&(id, seen.observed.id.as_str()));
            let anothers = ownership.anothers(&seen.observed);
            let ours = ownership.registered && name == wanted.name && anothers.is_none();
            if known || ours || ownership.proves_alone(&wanted.address, &seen.observed) {
                continue;
            }
            out.push(Lookalike {
                address: wanted.address.clone(),
                noun: kind(id).noun(),
                name,
                id: seen.observed.id.clone(),
                anothers: anothers.map(|found| found.text.to_owned()),
            });
        }
    }
    out
}
