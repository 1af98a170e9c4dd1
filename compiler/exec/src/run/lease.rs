//! Preview IDs, taken and given back.

use envc_plan::{LeaseWork, ReleaseWork, State};

use super::{
    context::{Context, Run, lock},
    error::StepError,
    journal::Outcome,
    operation::Outcomes,
};
use crate::{
    leases::{grant_of, lacking},
    ports::{PoolError, Pools},
};

/// Gives a preview ID back. Where it is not known which lease it is, the pool is asked as the same
/// holder: that gives the one that is held. Nothing is leased only to be given back.
async fn release(
    pools: &dyn Pools,
    work: &ReleaseWork,
    lease_id: Option<&str>,
) -> Result<(), PoolError> {
    let ReleaseWork { pool, holder, .. } = work;
    if let Some(lease_id) = lease_id {
        return pools.release(pool, lease_id).await;
    }
    if pools.find(pool, holder).await?.is_none() {
        return Ok(());
    }
    let leased = match pools.lease(pool, holder).await {
        Ok(leased) => leased,
        // It ended in between, and somebody else has it now.
        Err(error) if error.is_empty() => return Ok(()),
        Err(error) => return Err(error),
    };
    pools.release(pool, &leased.lease_id).await
}

/// Records what renewals told: the attributes of a preview ID may have changed. True when those of
/// one did, so that the state has to be saved.
pub(super) fn keep(run: &Run<'_>, state: &mut State) -> bool {
    let mut dirty = false;
    for (pool, leased) in run.leasing.held {
        if let Some(recorded) = state.leases.get_mut(pool) {
            let grant = Some(grant_of(leased, run.leasing.digest));
            dirty |= recorded.grant != grant;
            recorded.grant = grant;
        }
    }
    dirty
}

impl Context<'_> {
    /// Takes a preview ID. One that lacks what the spec asks of it is held all the same, and
    /// recorded: the next destroy gives it back.
    pub(super) async fn lease(
        &self,
        work: &LeaseWork,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), StepError> {
        let leased = self.pools()?.lease(&work.pool, &work.holder).await?;
        let grant = grant_of(&leased, self.run.leasing.digest);
        let error = lacking(&work.pool, &work.attributes, &leased);
        lock(&self.leases).insert(work.pool.clone(), leased);
        outcomes.push(Outcome::Leased { pool: work.pool.clone(), grant });
        error.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Gives a preview ID back; `lease_id` is the recorded one.
    pub(super) async fn release(&self, work: &ReleaseWork, lease_id: Option<&str>) -> Outcomes {
        release(self.pools()?, work, lease_id).await?;
        Ok(vec![Outcome::Released { pool: work.pool.clone() }])
    }

    /// The preview ID that is held of a pool.
    pub(super) fn preview_id(&self, pool: &str) -> Option<String> {
        lock(&self.leases).get(pool).map(|leased| leased.id.clone())
    }

    fn pools(&self) -> Result<&dyn Pools, StepError> {
        let missing = || StepError::Bug("nobody said where the pools are".to_owned());
        self.run.leasing.pools.ok_or_else(missing)
    }
}
