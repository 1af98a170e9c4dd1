//! What is there, before anything is planned: lists, leases, and what only looks like the
//! environment's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::Ordering,
};

use envc_core::{Address, Desired, KindId};
use envc_exec::{
    LeaseAnswers, LeaseQuestion, Look, ask_leases, lacking, observe,
    ports::{Clock as _, Leased},
};
use envc_plan::{
    Goal, Lookalike, Observation, Plan, Reach, Seen, State, lookalikes, named, taken_over,
};
use envc_spec::StateStoreKind;

use super::{Engine, Loaded, PlanRequest};
use crate::{
    host::{error::CommandError, interrupt::interrupted},
    operate::{claim::Claims, refusal::call_failed},
    remote::pools::pools_of,
};

impl Engine<'_, '_> {
    /// Tells what bears a name of the environment and proves itself by nothing.
    pub(super) fn tell_lookalikes(&self, all: &[Lookalike], goal: Goal) {
        let (verb, takes) = match goal {
            Goal::Apply => ("apply", "takes it over"),
            Goal::Destroy => ("destroy", "takes it away"),
        };
        for one in all {
            if !self.told.borrow_mut().insert((one.address.clone(), one.id.clone())) {
                continue;
            }
            let session = self.session;
            let but = match &one.anothers {
                Some(marker) => format!("it bears {marker}"),
                None => "nothing proves it".to_owned(),
            };
            session.ui.warn(&format!(
                "the {} `{}` (ID {}) could be {} of `{}`, but {but}, so it is left alone; if it \
                 is, {} {takes}",
                one.noun,
                one.name,
                one.id,
                one.address,
                session.target.id,
                session.command_with(verb, "adopt", [&one.address]),
            ));
        }
    }

    /// What a destroy leaves though it has a name of the environment, since nothing proves it ours.
    /// What another's marker proves theirs is told, and not among these.
    pub(crate) fn unproven(
        &self,
        loaded: &Loaded,
        request: &PlanRequest<'_>,
        plan: &Plan,
    ) -> Vec<Lookalike> {
        let ownership = self.ownership();
        let goes: BTreeSet<(KindId, &str)> = plan
            .changes
            .iter()
            .filter_map(|change| Some((change.address.kind(), change.id.as_deref()?)))
            .collect();
        let all = lookalikes(&self.inputs(loaded, request, &ownership), request.goal);
        let (theirs, unproven): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|one| one.anothers.is_some());
        self.tell_lookalikes(&theirs, request.goal);
        let stays = |one: &Lookalike| !goes.contains(&(one.address.kind(), one.id.as_str()));
        unproven.into_iter().filter(stays).collect()
    }

    /// How far a destroy has to look. A record that is whole tells all that envc made, where nobody
    /// can have made more of this environment without writing it there.
    pub(crate) fn reach(&self, state: Option<&State>) -> Reach {
        let whole = state.is_some_and(is_whole);
        let shared = self.session.environment.state_store != StateStoreKind::Local;
        if whole && (shared || self.ownership.registered) { Reach::Unrecorded } else { Reach::All }
    }

    /// Looks for all that the spec, the record, or others who work with what envc wrote, may have made.
    async fn look(
        &self,
        state: Option<&State>,
        look: Look<'_>,
    ) -> Result<Observation, CommandError> {
        let mut seen = self.observe_of(self.everything(), state, look).await?;
        self.leave_out_zone(&mut seen);
        Ok(seen)
    }

    /// Looks for what `there` and the spec name, and asks the pools beside the lists.
    pub(crate) async fn look_with_leases(
        &self,
        there: Option<&State>,
        state: Option<&State>,
        look: Look<'_>,
    ) -> Result<Observation, CommandError> {
        let leases = self.ask_leases(state, LeaseQuestion::Search);
        let (observation, leases) = futures::join!(self.look(there, look), leases);
        let mut observation = observation?;
        observation.leases = leases?.seen;
        Ok(observation)
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
        self.observe_of(desired, state, Look::default()).await
    }

    async fn observe_of(
        &self,
        desired: &BTreeMap<Address, Desired>,
        state: Option<&State>,
        look: Look<'_>,
    ) -> Result<Observation, CommandError> {
        // Claims are namespaces: where the spec has some, they come with their list.
        let besides: &[KindId] = if self.session.needs_claim() { &[KindId::Kv] } else { &[] };
        let sent_before = self.client.budget().sent;
        let look = Look { besides, ..look };
        match observe(&self.client, &self.scope, desired, state, look, &self.ownership).await {
            Ok(mut observation) => {
                self.add_missing(&mut observation);
                // Where nothing was asked, nothing was answered.
                if self.client.budget().sent > sent_before {
                    self.proven.store(true, Ordering::Relaxed);
                    self.site.connection.remember(&self.scope);
                }
                Ok(observation)
            }
            Err(error) => {
                let recorded = state.into_iter().flat_map(|state| state.resources.keys());
                let kinds = desired.keys().chain(recorded).map(Address::kind);
                let failed = call_failed(&error, kinds.chain(besides.iter().copied()));
                Err(self.site.connection.forget_if_stale(failed, &error.message, &self.scope))
            }
        }
    }

    /// Takes what is recorded for what is there, and looks at once for who claims the project, which
    /// markers stand there by now, and what others made that no record tells of. Invariant: what another
    /// repository claims, or took over, is not ours to delete though it is recorded.
    pub(crate) async fn recorded_unless_taken(
        &self,
        state: &State,
    ) -> Result<Observation, CommandError> {
        let mut observation = Observation::from_state(state);
        let mut bearers = state.clone();
        bearers.resources.retain(|address, _| envc_kinds::kind(address.kind()).bears_marker());
        let by_others = &self.session.environment.by_others;
        let look = Look { reach: Reach::Unrecorded, ..Look::default() };
        let mut now = self.observe_of(by_others, Some(&bearers), look).await?;
        self.leave_out_zone(&mut now);
        let resources = state.resources.iter();
        let recorded: BTreeSet<(KindId, &str)> =
            resources.map(|(address, it)| (address.kind(), it.id.as_str())).collect();
        Claims::of(&self.session.workspace, &now).refuse_others(&self.session.workspace)?;
        for (id, seen) in now.found {
            for Seen { observed, zone } in seen {
                if recorded.contains(&(id, &*observed.id)) {
                    observation.mark(id, &observed.id, observed.comment.as_ref());
                    observation.hold(id, &observed.id, &observed.holds);
                } else {
                    observation.add(id, zone.as_deref(), vec![observed]);
                }
            }
        }
        for (id, api_id) in &now.gone {
            observation.hide(*id, api_id);
        }
        observation.gone = now.gone;
        observation.unlisted = now.unlisted;
        Ok(observation)
    }

    /// Finds the project's zone, where something may stand that no record tells of.
    pub(crate) async fn find_zone(&mut self, reach: Reach) -> Result<(), CommandError> {
        let environment = &self.session.environment;
        if self.session.workspace.spec.is_none() && self.scope.zones.is_empty() {
            // A spec with mistakes does not tell its zone.
            self.unseen_zone = true;
        }
        let looks = reach == Reach::All || !environment.by_others.is_empty();
        let Some(zone) = environment.zone.as_ref().filter(|_| looks) else { return Ok(()) };
        if !self.site.connection.zone(&self.client, &mut self.scope, zone).await? {
            let mut workers = environment.workers.iter();
            let routed = workers.find(|it| {
                !it.routes.is_empty() && environment.by_others.contains_key(&it.address())
            });
            if let Some(worker) = routed {
                // Invariant: what the spec says may stand somewhere is looked for there, or nothing goes.
                return Err(CommandError::failed(format!(
                    "the zone {zone} cannot be read, and routes of {} may stand there; nothing was \
                     deleted",
                    worker.address()
                ))
                .because_text("it is not in the account, or the token may not read it")
                .hint(format!("give the token `Zone Read` for {zone}, then run the command again"))
                .code("envc::cli::zone_unread"));
            }
            self.unseen_zone = true;
            self.session.ui.warn(&format!(
                "the zone {zone} is not in the account, or the token may not read it, so nothing \
                 is looked for there"
            ));
        }
        Ok(())
    }

    /// What is in a zone that is not seen is not known.
    fn leave_out_zone(&self, observation: &mut Observation) {
        if self.unseen_zone {
            let in_zone = KindId::ALL.into_iter().filter(|id| envc_kinds::kind(*id).in_zone());
            observation.unlisted.extend(in_zone);
        }
    }

    /// The resources that names in the account read back into.
    pub(crate) fn named(&self, observation: &Observation) -> BTreeSet<Address> {
        named(observation, &self.ownership)
    }

    /// Those of these addresses that the account has something of, by a name of theirs.
    pub(crate) fn found<'k>(
        &self,
        observation: &Observation,
        addresses: &'k BTreeSet<Address>,
    ) -> Vec<&'k Address> {
        let named = self.named(observation);
        let is_there = |address: &Address| {
            let Some(wanted) = self.everything().get(address) else { return false };
            let mut seen = observation.found.get(&address.kind()).into_iter().flatten();
            let of_kind = envc_kinds::kind(address.kind());
            seen.any(|seen| envc_kinds::same_name(of_kind, &seen.observed.name, &wanted.name))
        };
        addresses.iter().filter(|it| named.contains(*it) || is_there(it)).collect()
    }

    /// True where the environment's ID was drawn for this user, and is nobody else's.
    pub(crate) fn is_registered(&self) -> bool {
        self.ownership.registered
    }

    /// What is recorded and another repository took over.
    pub(crate) fn taken_over(&self, state: &State, observation: &Observation) -> BTreeSet<Address> {
        taken_over(state, observation, &self.ownership)
    }
}

/// True for a record without anything that was begun: it tells all that envc made with it.
pub(crate) fn is_whole(state: &State) -> bool {
    state.intents.is_empty() && !state.resources.is_empty()
}
