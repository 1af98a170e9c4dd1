//! Pools of preview IDs over the edge's API, asked as one holder.

use std::fmt;

use envc_core::Secret;
use envc_edge_api::{
    Holder, Lease, LeaseList, LeaseRequest, Name, ProblemType, RenewRequest, Ticket,
};
use futures::future::BoxFuture;

use super::{
    call::{EdgeAnswer, EdgeCall},
    client::EdgeClient,
    error::EdgeError,
};
use crate::{
    ports::{Leased, PoolError, Pools, Renewal},
    progress::{Event, Progress},
};

/// The pools of an edge Worker.
pub struct EdgePools<'a> {
    client: EdgeClient<'a>,
    /// Used after Ctrl-C, to give up our place in the queue: that does not stop this client.
    shutdown: EdgeClient<'a>,
    progress: &'a dyn Progress,
    /// Queue where nothing is free.
    wait: bool,
}

impl fmt::Debug for EdgePools<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgePools").field("wait", &self.wait).finish_non_exhaustive()
    }
}

impl<'a> EdgePools<'a> {
    /// Pools that answer with an error when they are empty. The user's Ctrl-C must not stop
    /// `shutdown`.
    pub fn new(
        client: EdgeClient<'a>,
        shutdown: EdgeClient<'a>,
        progress: &'a dyn Progress,
    ) -> Self {
        Self { client, shutdown, progress, wait: false }
    }

    /// The same pools; who finds one empty waits in its queue if `wait` is set.
    #[must_use]
    pub fn waiting(mut self, wait: bool) -> Self {
        self.wait = wait;
        self
    }

    /// The client, for other calls.
    pub fn client(&self) -> &EdgeClient<'a> {
        &self.client
    }

    async fn find_now(&self, pool: &str, holder: &str) -> Result<Option<String>, PoolError> {
        let answer = self.client.call(&EdgeCall::get(&["v1", "pools", pool, "leases"])).await;
        let list: LeaseList = match answer {
            Ok(answer) => answer.read()?,
            // What is not there holds nothing.
            Err(error) if error.is(ProblemType::NotFound) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let held = list.leases.into_iter().find(|lease| lease.holder.as_str() == holder);
        Ok(held.map(|lease| lease.id.as_str().to_owned()))
    }

    /// Invariant: the same holder gets the same lease until it is over, so that the question may be
    /// repeated after a lost answer, and after a kill by the next command.
    async fn lease_now(&self, pool: &str, holder: &str) -> Result<Leased, PoolError> {
        name(pool)?;
        let holder = Holder::parse(holder).map_err(|error| PoolError::Name(error.to_string()))?;
        let body = LeaseRequest { holder, ttl_seconds: None, wait: self.wait };
        let call = EdgeCall::post(&["v1", "pools", pool, "leases"]).repeatable().json(&body);
        let mut told = None;
        let mut ticket_id: Option<String> = None;
        loop {
            let answer = match self.client.call(&call).await {
                Ok(answer) => answer,
                Err(error) => {
                    self.leave(pool, ticket_id.as_deref()).await;
                    return Err(error.into());
                }
            };
            if answer.status != 202 {
                return Ok(leased(&answer)?);
            }
            // A queue is for those who asked for one: nobody else would know what it waits for.
            if !self.wait {
                return Err(answer.unexpected("a place in a queue that nobody asked for").into());
            }
            let ticket: Ticket = answer.read()?;
            if told != Some(ticket.position) {
                told = Some(ticket.position);
                self.progress.event(Event::Queued { pool, before: ticket.position });
            }
            ticket_id = Some(ticket.ticket_id);
            self.client.pause(u64::from(ticket.retry_after_seconds.clamp(1, 5)) * 1_000).await;
        }
    }

    /// Gives the place in the queue up; it is lost a minute later anyway.
    async fn leave(&self, pool: &str, ticket_id: Option<&str>) {
        let Some(ticket_id) = ticket_id.filter(|_| self.client.stopped()) else { return };
        let call = EdgeCall::delete(&["v1", "pools", pool, "tickets", ticket_id]);
        let _left: Result<EdgeAnswer, EdgeError> = self.shutdown.call(&call).await;
    }

    async fn renew_now(&self, pool: &str, lease_id: &str) -> Result<Renewal, PoolError> {
        let call = EdgeCall::put(&["v1", "pools", pool, "leases", lease_id]);
        match self.client.call(&call.json(&RenewRequest::default())).await {
            Ok(answer) => Ok(Renewal::Renewed(leased(&answer)?)),
            Err(error) if error.is(ProblemType::LeaseGone) => {
                let problem = error.problem().and_then(|it| it.problem.detail.clone());
                Ok(Renewal::Over(problem.unwrap_or_else(|| "it is over".to_owned())))
            }
            Err(error) if error.is(ProblemType::NotFound) => {
                Ok(Renewal::Over("the pool is not there any more".to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn release_now(&self, pool: &str, lease_id: &str) -> Result<(), PoolError> {
        let call = EdgeCall::delete(&["v1", "pools", pool, "leases", lease_id]);
        match self.client.call(&call).await {
            Ok(_) => Ok(()),
            // What is not there holds nothing.
            Err(error) if error.is(ProblemType::NotFound) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Pools for EdgePools<'_> {
    fn find<'a>(
        &'a self,
        pool: &'a str,
        holder: &'a str,
    ) -> BoxFuture<'a, Result<Option<String>, PoolError>> {
        Box::pin(self.find_now(pool, holder))
    }

    fn lease<'a>(
        &'a self,
        pool: &'a str,
        holder: &'a str,
    ) -> BoxFuture<'a, Result<Leased, PoolError>> {
        Box::pin(self.lease_now(pool, holder))
    }

    fn renew<'a>(
        &'a self,
        pool: &'a str,
        lease_id: &'a str,
    ) -> BoxFuture<'a, Result<Renewal, PoolError>> {
        Box::pin(self.renew_now(pool, lease_id))
    }

    fn release<'a>(
        &'a self,
        pool: &'a str,
        lease_id: &'a str,
    ) -> BoxFuture<'a, Result<(), PoolError>> {
        Box::pin(self.release_now(pool, lease_id))
    }
}

/// A name that cannot be one would be told as a path that is not there.
fn name(pool: &str) -> Result<(), PoolError> {
    Name::parse(pool).map(drop).map_err(|error| PoolError::Name(error.to_string()))
}

fn leased(answer: &EdgeAnswer) -> Result<Leased, EdgeError> {
    let lease: Lease = answer.read()?;
    Ok(Leased {
        id: lease.id.as_str().to_owned(),
        lease_id: lease.lease_id,
        attributes: lease.attributes,
        secrets: lease.secrets.into_iter().map(|(name, text)| (name, Secret::new(text))).collect(),
    })
}
