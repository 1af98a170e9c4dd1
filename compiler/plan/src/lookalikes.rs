//! Resources that have a name of the environment and no proof: they are told, and left alone.

use std::collections::BTreeSet;

use envc_core::{Address, KindId, Mode};
use envc_kinds::{kind, same_name};

use crate::{
    model::Goal,
    observe::{Index, Observation, Seen},
    ownership::Ownership,
    planner::PlanInputs,
};

/// The resources of the environment that names in the account read back into, whoever made them.
pub fn named(observation: &Observation, ownership: &Ownership) -> BTreeSet<Address> {
    let all = observation.found.iter();
    let names = all.flat_map(|(of, seen)| seen.iter().map(|seen| (*of, &seen.observed.name)));
    names.filter_map(|(of, name)| ownership.named_by(of, name)).collect()
}

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
    /// Whose marker it bears, with the marker, where that is not this environment's.
    pub anothers: Option<String>,
}

/// Resources with a name of the environment and no proof, and recorded ones that a destroy leaves to
/// another repository. An apply refuses where it needs the name; a name of the first version is in
/// nobody's way. A destroy also tells what has such a name and is in no spec any more; what its plan
/// deletes for another reason may be among these.
pub fn lookalikes(inputs: &PlanInputs<'_>, goal: Goal) -> Vec<Lookalike> {
    let resources = inputs.state.into_iter().flat_map(|state| &state.resources);
    let looking = Looking {
        inputs,
        index: Index::new(inputs.observation),
        known: resources.map(|(address, it)| (address.kind(), it.id.as_str())).collect(),
    };
    let mut out = Vec::new();
    // An apply refuses those that it needs, and its plan tells those that it gives up.
    if goal == Goal::Destroy {
        looking.lost(&mut out);
    }
    looking.named_as_wanted(goal, &mut out);
    if goal == Goal::Destroy {
        looking.reading_back(&mut out);
    }
    out
}

struct Looking<'i> {
    inputs: &'i PlanInputs<'i>,
    index: Index<'i>,
    /// What is recorded.
    known: BTreeSet<(KindId, &'i str)>,
}

impl Looking<'_> {
    fn one(&self, address: &Address, seen: &Seen) -> Lookalike {
        let anothers = self.inputs.ownership.anothers(&seen.observed);
        Lookalike {
            address: address.clone(),
            noun: kind(address.kind()).noun(),
            name: seen.observed.name.clone(),
            id: seen.observed.id.clone(),
            anothers: anothers
                .map(|found| format!("{}, `{}`", self.inputs.ownership.whose(found), found.text)),
        }
    }

    /// True for what the user named: it is taken, or kept.
    fn is_asked(&self, address: &Address) -> bool {
        let PlanInputs { ownership, keep, .. } = self.inputs;
        ownership.adopt.contains(address) || keep.contains(address)
    }

    /// True for what an `existing` resource is bound to.
    fn is_bound(&self, of: KindId, seen: &Seen) -> bool {
        let mut near = self.inputs.desired.values().filter(|it| it.address.kind() == of);
        near.any(|wanted| match &wanted.mode {
            Mode::Managed => false,
            Mode::ExistingId(id) => *id == seen.observed.id,
            Mode::ExistingName => same_name(kind(of), &wanted.name, &seen.observed.name),
        })
    }

    /// What another repository or environment took over.
    fn lost(&self, out: &mut Vec<Lookalike>) {
        let PlanInputs { state, ownership, .. } = self.inputs;
        for (address, it) in state.iter().flat_map(|state| &state.resources) {
            let Some(seen) = self.index.by_id(address.kind(), &it.id) else { continue };
            if ownership.lost(*state, address, &seen.observed).is_some() {
                out.push(self.one(address, seen));
            }
        }
    }

    /// What has the name of something wanted: that of the first version, and for a destroy today's.
    fn named_as_wanted(&self, goal: Goal, out: &mut Vec<Lookalike>) {
        let ownership = self.inputs.ownership;
        for wanted in self.inputs.desired.values().filter(|wanted| wanted.is_managed()) {
            let (id, address) = (wanted.address.kind(), &wanted.address);
            if wanted.parent.is_some() || self.is_asked(address) {
                continue;
            }
            let now = (goal == Goal::Destroy).then(|| wanted.name.clone());
            for name in ownership.first_name(wanted).into_iter().chain(now) {
                let Some(seen) = self.index.by_name(id, &name) else { continue };
                let anothers = ownership.anothers(&seen.observed).is_some();
                let ours = ownership.registered && name == wanted.name && !anothers;
                let known = self.known.contains(&(id, seen.observed.id.as_str()));
                if !known && !ours && !ownership.proves_alone(address, &seen.observed) {
                    out.push(self.one(address, seen));
                }
            }
        }
    }

    /// What has a name that reads back, whatever the spec has.
    fn reading_back(&self, out: &mut Vec<Lookalike>) {
        let ownership = self.inputs.ownership;
        let told: BTreeSet<(KindId, String)> =
            out.iter().map(|one| (one.address.kind(), one.id.clone())).collect();
        for (of, seen) in self.index.all() {
            let Some(address) = ownership.named_by(of, &seen.observed.name) else { continue };
            let id = &seen.observed.id;
            let known = self.known.contains(&(of, id.as_str())) || told.contains(&(of, id.clone()));
            if known || self.is_asked(&address) || self.is_bound(of, seen) {
                continue;
            }
            let anothers = ownership.anothers(&seen.observed).is_some();
            let proved = ownership.registered || ownership.proves_alone(&address, &seen.observed);
            if anothers || !proved {
                out.push(self.one(&address, seen));
            }
        }
    }
}
