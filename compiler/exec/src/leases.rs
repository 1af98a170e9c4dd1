//! What the environment holds of its pools: asked beside the lists, before a plan is made.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::KeyedDigest;
use envc_plan::{Grant, LeaseSeen, State, holder};
use futures::future::join_all;

use crate::ports::{Leased, PoolError, Pools, Renewal};

/// What is asked of the pools before a plan is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseQuestion {
    /// For an apply: what is recorded is renewed. Never leases anything.
    Renew,
    /// For a plan: reads.
    Look,
    /// For a destroy: what the environment holds without a record of it. A pool that cannot be
    /// asked is no error.
    Search,
}

/// What the pools said.
#[derive(Debug, Default)]
pub struct LeaseAnswers {
    /// For the plan, by pool.
    pub seen: BTreeMap<String, LeaseSeen>,
    /// The leases that were renewed, by pool.
    pub renewed: BTreeMap<String, Leased>,
    /// Why recorded leases are over, by pool.
    pub over: BTreeMap<String, String>,
}

/// Asks the wanted pools, all at once; no more than one request for each. An error
/// comes with its pool.
pub async fn ask_leases(
    pools: &dyn Pools,
    question: LeaseQuestion,
    wanted: &BTreeSet<&str>,
    state: Option<&State>,
    key: &envc_plan::StateKey,
) -> Result<LeaseAnswers, (String, PoolError)> {
    let me = &holder(key);
    let grant = |pool: &str| state?.leases.get(pool)?.grant.as_ref();
    let recorded = |pool: &str| state.is_some_and(|state| state.leases.contains_key(pool));
    let asked = wanted.iter().copied().filter(|pool| match question {
        LeaseQuestion::Renew | LeaseQuestion::Look => grant(pool).is_some(),
        LeaseQuestion::Search => !recorded(pool),
    });
    let found = join_all(asked.map(|pool| async move {
        let seen = |found: Option<String>| match found {
            Some(id) => LeaseSeen::Held { id, attributes: None },
            None => LeaseSeen::Absent,
        };
        let answer = match (question, grant(pool)) {
            (LeaseQuestion::Renew, Some(grant)) => {
                pools.renew(pool, &grant.lease_id).await.map(Found::Renewal)
            }
            _ => pools.find(pool, me).await.map(|found| Found::Seen(seen(found))),
        };
        (pool, answer)
    }))
    .await;
    let mut answers = LeaseAnswers::default();
    for (pool, answer) in found {
        let seen = match answer {
            Ok(Found::Seen(seen)) => seen,
            Ok(Found::Renewal(Renewal::Over(why))) => {
                answers.over.insert(pool.to_owned(), why);
                LeaseSeen::Absent
            }
            Ok(Found::Renewal(Renewal::Renewed(leased))) => {
                let seen = LeaseSeen::Held {
                    id: leased.id.clone(),
                    attributes: Some(leased.attributes.clone()),
                };
                answers.renewed.insert(pool.to_owned(), leased);
                seen
            }
            Err(error) if question == LeaseQuestion::Search && !error.is_interrupted() => {
                LeaseSeen::Unknown
            }
            Err(error) => return Err((pool.to_owned(), error)),
        };
        answers.seen.insert(pool.to_owned(), seen);
    }
    Ok(answers)
}

enum Found {
    Seen(LeaseSeen),
    Renewal(Renewal),
}

/// What is recorded of a lease: no secret, but digests of them.
pub fn grant_of(leased: &Leased, digest: &KeyedDigest) -> Grant {
    Grant {
        id: leased.id.clone(),
        lease_id: leased.lease_id.clone(),
        attributes: leased.attributes.clone(),
        secrets: leased
            .secrets
            .iter()
            .map(|(name, secret)| (name.clone(), digest.of(secret.expose())))
            .collect(),
    }
}

/// What the spec asks of a preview ID and it has not, in words; none: it has everything.
/// `attributes` tells of each whether the spec takes it for a secret.
pub fn lacking(
    pool: &str,
    attributes: &BTreeMap<String, bool>,
    leased: &Leased,
) -> Option<PoolError> {
    let id = &leased.id;
    for (attribute, secret) in attributes {
        if leased.attributes.contains_key(attribute) {
            continue;
        }
        if !leased.secrets.contains_key(attribute) {
            let has: Vec<&str> =
                leased.attributes.keys().chain(leased.secrets.keys()).map(String::as_str).collect();
            let has = if has.is_empty() { "none".to_owned() } else { has.join(", ") };
            return Some(PoolError::Lacking {
                message: format!(
                    "the preview ID `{id}` of the pool `{pool}` has no `{attribute}`; its \
                     attributes: {has}"
                ),
                help: format!(
                    "give every member of the pool a `{attribute}`: envc pool members {pool} \
                     FILE; or correct the reference"
                ),
            });
        }
        if !secret {
            return Some(PoolError::Lacking {
                message: format!(
                    "`{attribute}` of the preview ID `{id}` is a secret in the pool `{pool}`, and \
                     environment.kdl says that it is public"
                ),
                help: format!(
                    "take `{attribute}` out of `public=` of the pool, or put it among the \
                     members' public attributes"
                ),
            });
        }
    }
    None
}
