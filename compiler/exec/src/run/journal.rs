//! The record of a run: intents before the first mutating call, outcomes as they come.
//!
//! Invariant: whatever happens at whatever instant, the stored state tells the truth or names the
//! resource whose outcome is open. Outcomes are written as fast as the store takes them, several
//! in one write when it is slower than the API; the write in flight never blocks the run.

use std::collections::BTreeMap;

use envc_core::{Address, Digest};
use envc_plan::{
    Action, AppliedMigration, Change, CheckedPlan, Goal, Grant, Intent, IntentAction, Record,
    Recorded, RecordedLease, Seed, Standing, State, Target, Work,
};
use futures::future::BoxFuture;
use serde_json::Value as Json;

use crate::ports::{StateStore, StoreError, Version};

/// What a step did.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// It is there, with these fields.
    Made {
        /// Its address.
        address: Address,
        /// As it is now.
        record: Record,
    },
    /// It is gone.
    Gone {
        /// Its address.
        address: Address,
        /// The identifier of what is gone.
        id: String,
    },
    /// A preview ID is held.
    Leased {
        /// The pool.
        pool: String,
        /// What was granted.
        grant: Grant,
    },
    /// A preview ID is given back.
    Released {
        /// The pool.
        pool: String,
    },
    /// All migrations of a step are in the ledger.
    AllMigrated {
        /// The database.
        address: Address,
        /// The table of the ledger, where it is not wrangler's own.
        table: Option<String>,
    },
    /// One migration is in the ledger.
    Migrated {
        /// The database.
        address: Address,
        /// The API's identifier of the database.
        id: String,
        /// The file.
        name: String,
        /// Its digest, when this run applied it.
        digest: Option<Digest>,
    },
    /// It is known what became of a database's seed.
    Seeded {
        /// The database.
        address: Address,
        /// What.
        seed: Seed,
    },
}

/// The journal of one run.
pub(super) struct Journal<'a> {
    store: &'a dyn StateStore,
    state: State,
    version: Option<Version>,
    dirty: bool,
}

/// A write in flight.
pub(super) type Saving<'a> = BoxFuture<'a, Result<Version, StoreError>>;

impl<'a> Journal<'a> {
    /// Takes the state as it was loaded, or a new one.
    pub(super) fn new(
        store: &'a dyn StateStore,
        state: State,
        version: Option<Version>,
        dirty: bool,
    ) -> Self {
        Self { store, state, version, dirty }
    }

    /// Records what needs no call (adopt, keep, forget) and everything that is about to be done.
    /// Durable when it returns: no mutating call comes before it. Of a `part` of what is to be done,
    /// what else was begun stays open.
    pub(super) async fn begin(&mut self, plan: &CheckedPlan, part: bool) -> Result<(), StoreError> {
        let before = self.state.clone();
        let plan = plan.plan();
        self.state.env_type.clone_from(&plan.basis.env_type);
        if plan.basis.goal == Goal::Destroy {
            // What is known of databases of others goes with the environment.
            self.state.ledgers.clear();
        }
        for change in &plan.changes {
            match (change.action, &change.record) {
                (Action::Forget, _) => self.forget(&change.address),
                (Action::Adopt | Action::Keep, Some(record)) => {
                    self.put(&change.address, record.clone());
                }
                _ => {}
            }
        }
        for change in &plan.changes {
            self.may_hold(change);
            self.learn_ledger(change, plan.migrations.get(&change.address));
        }
        for step in &plan.steps {
            // What becomes of a seed is open until the step told it: a reset may be cut off.
            if let Work::Migrate { address, seed: Some(_), .. } = &step.work
                && let Some(recorded) = self.state.resources.get_mut(address)
            {
                recorded.seed = None;
            }
            if let Work::Lease(work) = &step.work {
                let asked = RecordedLease { holder: work.holder.clone(), grant: None };
                self.state.leases.insert(work.pool.clone(), asked);
            }
        }
        let open = std::mem::take(&mut self.state.intents);
        let intents = plan.steps.iter().flat_map(|step| step.work.intents());
        self.state.intents =
            intents.chain(plan.changes.iter().filter_map(Change::intent)).collect();
        if part {
            let others: Vec<_> =
                open.into_iter().filter(|it| !self.state.intents.contains(it)).collect();
            self.state.intents.extend(others);
        }
        if self.state == before && !self.dirty {
            return Ok(());
        }
        self.dirty = true;
        self.flush().await
    }

    /// Records what the resource refers to now, beside what the change makes of it: if the run is
    /// interrupted, the next one has to expect both.
    fn may_hold(&mut self, change: &Change) {
        let Some(recorded) = self.state.resources.get_mut(&change.address) else { return };
        if change.deposed || change.id.as_ref() != Some(&recorded.id) {
            return;
        }
        for held in &change.holds {
            if !recorded.needs.contains(held) {
                recorded.needs.push(held.clone());
            }
        }
        recorded.needs.sort();
    }

    /// Records what the ledger of a database holds that stays.
    fn learn_ledger(&mut self, change: &Change, standing: Option<&Standing>) {
        let Some(standing) = standing.filter(|_| !change.deposed) else { return };
        let Some(id) = change.staying_id() else { return };
        let is_recorded = match self.state.resources.get(&change.address) {
            Some(recorded) => recorded.id == id,
            // Somebody else's database: where envc ran nothing on it, its ledger says all.
            None => !self.state.migrations_of(&change.address, id).is_empty(),
        };
        if is_recorded {
            self.state.learn_ledger(&change.address, id, &standing.applied);
        }
    }

    /// Writes what is not written yet, and waits for it.
    pub(super) async fn flush(&mut self) -> Result<(), StoreError> {
        if let Some(saving) = self.start_saving() {
            let version = saving.await?;
            self.saved(version);
        }
        Ok(())
    }

    /// Begins a write when there is something to write.
    pub(super) fn start_saving(&mut self) -> Option<Saving<'a>> {
        if !self.dirty {
            return None;
        }
        self.dirty = false;
        self.state.serial += 1;
        let snapshot = self.state.clone();
        let expected = self.version.clone();
        let store = self.store;
        Some(Box::pin(async move { store.save(&snapshot, expected.as_ref()).await }))
    }

    /// A write came through.
    pub(super) fn saved(&mut self, version: Version) {
        self.version = Some(version);
    }

    /// Records outcomes in memory; the next write carries them.
    pub(super) fn record(&mut self, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            self.dirty = true;
            self.apply(outcome);
        }
    }

    fn apply(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Made { address, record } => {
                self.close(&address, &[IntentAction::Create, IntentAction::Update], None);
                self.put(&address, record);
            }
            Outcome::Gone { address, id } => {
                self.close(&address, &[IntentAction::Delete], Some(&id));
                let own = self.state.resources.get(&address).is_some_and(|own| own.id == id);
                if own {
                    // What lives with it died with it.
                    self.forget(&address);
                }
            }
            Outcome::Leased { pool, grant } => {
                if let Some(recorded) = self.state.leases.get_mut(&pool) {
                    recorded.grant = Some(grant);
                }
            }
            Outcome::Released { pool } => {
                self.state.leases.remove(&pool);
            }
            Outcome::AllMigrated { address, table } => {
                self.state.set_table(&address, table.as_deref());
                self.close(&address, &[IntentAction::Migrate], None);
            }
            Outcome::Seeded { address, seed } => {
                if let Some(recorded) = self.state.resources.get_mut(&address) {
                    recorded.seed = Some(seed);
                }
            }
            Outcome::Migrated { address, id, name, digest } => {
                let migrations = self.state.migrations_of_mut(&address, &id);
                migrations.retain(|migration| migration.name != name);
                migrations.push(AppliedMigration { name, digest });
            }
        }
    }

    /// Takes a resource out of the record, and what lives with it: no child stands there alone.
    fn forget(&mut self, address: &Address) {
        self.state.resources.remove(address);
        self.state.resources.retain(|_, recorded| recorded.parent.as_ref() != Some(address));
    }

    /// The lease that is recorded of a pool.
    pub(super) fn lease_id(&self, pool: &str) -> Option<String> {
        Some(self.state.leases.get(pool)?.grant.as_ref()?.lease_id.clone())
    }

    /// Closes the intents of a step that was skipped. The delete of a resource that nothing else
    /// records stays open, such as the old half of a replace: the next command has to find it.
    pub(super) fn close_unbegun(&mut self, work: &Work) {
        if let Work::Lease(work) = work
            && self.state.leases.get(&work.pool).is_some_and(|it| it.grant.is_none())
        {
            self.dirty = true;
            self.state.leases.remove(&work.pool);
        }
        for intent in work.intents() {
            if intent.action == IntentAction::Delete && !self.records(&intent) {
                continue;
            }
            self.dirty = true;
            self.state.intents.retain(|open| *open != intent);
        }
    }

    fn records(&self, intent: &Intent) -> bool {
        let recorded = self.state.resources.get(&intent.address);
        recorded.is_some_and(|it| Some(&it.id) == intent.id.as_ref())
    }

    fn close(&mut self, address: &Address, actions: &[IntentAction], id: Option<&str>) {
        self.state.intents.retain(|intent| {
            let same = intent.address == *address
                && actions.contains(&intent.action)
                && id.is_none_or(|id| intent.id.as_deref() == Some(id));
            !same
        });
    }

    fn put(&mut self, address: &Address, record: Record) {
        let Record { name, id, fields, zone, parent, needs } = record;
        let migrations = self.state.migrations_of(address, &id).to_vec();
        let way_back = self.state.way_back(address, &id).cloned();
        let table = self.state.table_of(address, &id).map(str::to_owned);
        let known = self.state.resources.remove(address).filter(|known| known.id == id);
        let seed = known.and_then(|known| known.seed);
        // What was somebody else's is the environment's now.
        self.state.ledgers.remove(address);
        let recorded =
            Recorded { name, id, fields, zone, parent, needs, migrations, seed, table, way_back };
        self.state.resources.insert(address.clone(), recorded);
    }

    /// Ends the record: an environment of which nothing is left has no state.
    pub(super) async fn end(mut self) -> Result<State, StoreError> {
        if self.state.is_empty() {
            if let Some(version) = &self.version {
                self.store.remove(version).await?;
            }
            return Ok(self.state);
        }
        self.flush().await?;
        Ok(self.state)
    }
}

/// The record of a resource that was made or changed.
pub(super) fn record_of(target: &Target, id: &str, fields: BTreeMap<String, Json>) -> Record {
    Record {
        name: target.name.clone(),
        id: id.to_owned(),
        fields,
        zone: target.zone.clone(),
        parent: target.parent.clone(),
        needs: target.needs(),
    }
}
