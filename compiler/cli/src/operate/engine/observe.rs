//! What is there, before anything is planned: lists, leases, and what only looks like the
//! environment's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
};

use envc_core::{Address, Desired, KindId};
use envc_exec::{
    LeaseAnswers, LeaseQuestion, ask_leases, lacking, observe,
    ports::{Clock as _, Leased},
};
use envc_plan::{Goal, Observation, PlanInputs, Seen, State, lookalikes, taken_over};

use super::Engine;
use crate::{
    host::{error::CommandError, interrupt::interrupted},
    operate::{claim::Claims, refusal::call_failed},
    remote::pools::pools_of,
};

impl Engine<'_, '_> {
    /// Tells what bears a name of the environment and proves itself by nothing.
    pub(super) fn tell_lookalikes(&self, inputs: &PlanInputs<'_>, goal: Goal) {
        for one in lookalikes(inputs, goal) {
            if !self.told.borrow_mut().insert((one.address.clone(), one.id.clone())) {
                continue;
            }
            let session = self.session;
            let but = match &one.anothers {
                Some(marker) => format!("it bears another repository's marker, `{marker}`"),
                None => "nothing proves it".to_owned(),
            };
            session.ui.warn(&format!(
                "the {} `{}` (ID {}) could be {} of `{}`, but {but}, so it is left alone; if it \
                 is, {} takes it over",
                one.noun,
                one.name,
                one.id,
                one.address,
                session.target.id,
                session.apply_command(&[&one.address]),
            ));
        }
    }

    /// Observes, and asks the pools beside the lists. What was asked of the pools comes back apart.
    pub(crate) async fn observe_with_leases(
        &self,
        state: Option<&State>,
        question: LeaseQuestion,
    ) -> Result<(Observation, LeaseAnswers), CommandError> {
        let (observation, leases) =
            futures::join!(self.observe(state), self.ask_leases(state, question));
        let (mut observation, leases) = (observation?, leases?);
        observation.leases.clone_from(&leases.seen);
        Ok((observation, leases))
    }

    /// Asks the pools what the environment holds.
    pub(crate) async fn ask_leases(
        &self,
        state: Option<&State>,
        question: LeaseQuestion,
    ) -> Result<LeaseAnswers, CommandError> {
        let leases = &self.session.environment.leases;
        if leases.is_empty() {
            return Ok(LeaseAnswers::default());
        }
        let key = self.session.state_key(&self.scope.id);
        let asked = ask_leases(&self.pools, question, &pools_of(leases), state, &key).await;
        asked.map_err(|(pool, error)| {
            if error.is_interrupted() {
                return interrupted();
            }
            let what = format!(
                "what `{}` holds of the pool `{pool}` is not known",
                self.session.target.id
            );
            self.pools.explain(what, &pool, &error, self.session.workspace.clock.unix_ms())
        })
    }

    /// Looks whether leases that stay have what the spec asks of them.
    pub(crate) fn check_leases(&self, held: &BTreeMap<String, Leased>) -> Result<(), CommandError> {
        for (name, lease) in &self.session.environment.leases {
            let Some(leased) = held.get(&lease.pool) else { continue };
            let needed = lease.attributes.iter().filter(|(_, attribute)| attribute.needed);
            let needed = needed.map(|(name, attribute)| (name.clone(), attribute.secret)).collect();
            if let Some(error) = lacking(&lease.pool, &needed, leased) {
                let what = format!("the lease `{name}` has not what environment.kdl asks of it");
                let now_ms = self.session.workspace.clock.unix_ms();
                return Err(self.pools.explain(what, &lease.pool, &error, now_ms));
            }
        }
        Ok(())
    }

    /// Observes what the environment and the state name.
    pub(crate) async fn observe(&self, state: Option<&State>) -> Result<Observation, CommandError> {
        let desired = &self.session.environment.resources;
        self.observe_of(desired, state).await
    }

    async fn observe_of(
        &self,
        desired: &BTreeMap<Address, Desired>,
        state: Option<&State>,
    ) -> Result<Observation, CommandError> {
        // Claims are namespaces: where the spec has some, they come with their list.
        let besides: &[KindId] = if self.session.needs_claim() { &[KindId::Kv] } else { &[] };
        let sent_before = self.client.budget().sent;
        match observe(&self.client, &self.scope, desired, state, besides, &self.ownership).await {
            Ok(observation) => {
                // Where nothing was asked, nothing was answered.
                if self.client.budget().sent > sent_before {
                    self.proven.store(true, Ordering::Relaxed);
                    self.site.connection.remember(&self.scope);
                }
                Ok(observation)
            }
            Err(error) => {
                let failed = call_failed(&error, desired, besides);
                Err(self.site.connection.forget_if_stale(failed, &error.message, &self.scope))
            }
        }
    }

    /// Takes what is recorded for what is there, and looks at once for who claims the project and
    /// which markers stand there by now. Invariant: what another repository claims, or took over, is
    /// not ours to delete though it is recorded.
    pub(crate) async fn recorded_unless_taken(
        &self,
        state: &State,
    ) -> Result<Observation, CommandError> {
        let mut observation = Observation::from_state(state);
        let mut bearers = state.clone();
        bearers.resources.retain(|address, _| envc_kinds::kind(address.kind()).bears_marker());
        if bearers.resources.is_empty() && !self.session.needs_claim() {
            return Ok(observation);
        }
        let now = self.observe_of(&BTreeMap::new(), Some(&bearers)).await?;
        Claims::of(&self.session.workspace, &now).refuse_others(&self.session.workspace)?;
        for (id, seen) in now.found {
            for Seen { observed, .. } in seen {
                observation.mark(id, &observed.id, observed.comment.as_ref());
            }
        }
        Ok(observation)
    }

    /// What is recorded and another repository took over.
    pub(crate) fn taken_over(&self, state: &State, observation: &Observation) -> BTreeSet<Address> {
        taken_over(state, observation, &self.ownership)
    }
}
