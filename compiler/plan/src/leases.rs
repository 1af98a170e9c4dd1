//! Which preview IDs are to be leased and which are to be given back.
//!
//! A lease belongs to the environment, not to a resource: at the pool its holder is
//! `project/env`, and the same holder gets the same lease until it is over. That is why an
//! interrupted lease needs no search: asking again is enough.

use std::collections::BTreeMap;

use envc_core::{Input, Part};
use envc_spec::Lease;

use crate::{
    model::Goal,
    observe::{LeaseSeen, Observation},
    state::{Grant, State, StateKey},
    work::{LeaseWork, ReleaseWork},
};

/// What the pools are told that the environment is: `project/env`.
pub fn holder(key: &StateKey) -> String {
    format!("{}/{}", key.project, key.env)
}

/// What a plan does at the pools, by pool.
#[derive(Debug, Default)]
pub(crate) struct Leasing {
    pub(crate) leases: Vec<LeaseWork>,
    pub(crate) releases: Vec<ReleaseWork>,
    /// What is known of the leases that stay, by lease and attribute; nothing in it is secret.
    pub(crate) values: LeaseValues,
}

/// Public values of leases: by the lease's name, then by attribute, `id` included.
pub type LeaseValues = BTreeMap<String, BTreeMap<String, String>>;

/// What is known of the leases of a state, as it was recorded.
pub fn recorded_values(leases: &BTreeMap<String, Lease>, state: Option<&State>) -> LeaseValues {
    let grant = |lease: &Lease| state?.leases.get(&lease.pool)?.grant.as_ref();
    leases
        .iter()
        .filter_map(|(name, lease)| {
            let grant = grant(lease)?;
            Some((name.clone(), values(&grant.id, &grant.attributes)))
        })
        .collect()
}

/// The public value that a piece of a text stands for.
pub(crate) fn value_of(values: &LeaseValues, part: &Part) -> Option<String> {
    match part {
        Part::In(Input::Lease { lease, attribute, secret: false }) => {
            values.get(lease)?.get(attribute).cloned()
        }
        Part::In(_) | Part::Out(_) | Part::Lit(_) => None,
    }
}

/// The public values of one lease.
pub fn values(id: &str, attributes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut values = attributes.clone();
    values.insert("id".to_owned(), id.to_owned());
    values
}

/// Decides.
pub(crate) fn decide(
    goal: Goal,
    key: &StateKey,
    wanted: &BTreeMap<String, Lease>,
    state: Option<&State>,
    observation: &Observation,
) -> Leasing {
    let mut out = Leasing::default();
    let pools = by_pool(wanted, key);
    for work in pools.values() {
        let grant = state.and_then(|state| state.leases.get(&work.pool)?.grant.as_ref());
        let seen = observation.leases.get(&work.pool);
        match goal {
            Goal::Apply => match (grant, seen) {
                (Some(grant), Some(LeaseSeen::Held { id, attributes })) if *id == grant.id => {
                    let attributes = attributes.as_ref().unwrap_or(&grant.attributes);
                    for name in &work.names {
                        out.values.insert(name.clone(), values(id, attributes));
                    }
                }
                (grant, _) => {
                    let was = grant.map(|grant| grant.id.clone());
                    out.leases.push(LeaseWork { was, ..work.clone() });
                }
            },
            Goal::Destroy => out.releases.extend(lost(work, state, seen)),
        }
    }
    for (pool, recorded) in state.into_iter().flat_map(|state| &state.leases) {
        if goal == Goal::Destroy || !pools.contains_key(pool.as_str()) {
            out.releases.push(ReleaseWork {
                pool: pool.clone(),
                names: pools.get(pool.as_str()).map(|work| work.names.clone()).unwrap_or_default(),
                holder: recorded.holder.clone(),
                id: recorded.grant.as_ref().map(|grant: &Grant| grant.id.clone()),
            });
        }
    }
    out.releases.sort_by(|a, b| a.pool.cmp(&b.pool));
    out
}

/// A lease that no state records: what the pool says decides, and where it does not say, it is
/// given back all the same.
fn lost(work: &LeaseWork, state: Option<&State>, seen: Option<&LeaseSeen>) -> Option<ReleaseWork> {
    if state.is_some_and(|state| state.leases.contains_key(&work.pool)) {
        return None;
    }
    let id = match seen? {
        LeaseSeen::Held { id, .. } => Some(id.clone()),
        LeaseSeen::Unknown => None,
        LeaseSeen::Absent => return None,
    };
    let LeaseWork { pool, names, holder, .. } = work.clone();
    Some(ReleaseWork { pool, names, holder, id })
}

/// One lease for each pool, whatever the spec calls it.
fn by_pool<'a>(
    wanted: &'a BTreeMap<String, Lease>,
    key: &StateKey,
) -> BTreeMap<&'a str, LeaseWork> {
    let mut pools: BTreeMap<&str, LeaseWork> = BTreeMap::new();
    for (name, lease) in wanted {
        let work = pools.entry(&lease.pool).or_insert_with(|| LeaseWork {
            pool: lease.pool.clone(),
            names: Vec::new(),
            holder: holder(key),
            attributes: BTreeMap::new(),
            was: None,
        });
        work.names.push(name.clone());
        let needed = lease.attributes.iter().filter(|(_, attribute)| attribute.needed);
        work.attributes.extend(needed.map(|(name, attribute)| (name.clone(), attribute.secret)));
    }
    pools
}
