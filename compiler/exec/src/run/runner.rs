//! Runs the execution graph of a checked plan: as much at once as the graph and the limit allow.
//!
//! The runner makes no choice of its own: what, how and in which order stands in the plan. A step
//! that fails stops what needs it and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Secret};
use envc_plan::{Dag, Operation, State, Step, Subject, Verb, Work};
use futures::{
    StreamExt as _,
    future::{BoxFuture, Either, select},
    stream::FuturesUnordered,
};

use super::{
    context::{Context, Run, lock},
    error::{Failure, StepError},
    journal::{Journal, Outcome, Saving},
    lease,
    migrate::Migrations,
};
use crate::{
    ports::{Leased, StoreError, Version},
    progress::Event,
};

/// What came of a run.
#[derive(Debug)]
#[must_use = "a run may have failed in part"]
pub struct Report {
    /// The state as recorded.
    pub state: State,
    /// API identifiers by address, existing resources included.
    pub ids: BTreeMap<Address, String>,
    /// Secrets that creates returned.
    pub tokens: BTreeMap<Address, Secret>,
    /// The leases that are held now, by pool.
    pub leases: BTreeMap<String, Leased>,
    /// Steps that succeeded.
    pub done: usize,
    /// What failed, in the order of the plan.
    pub failures: Vec<Failure>,
    /// Steps that were not begun because of a failure or an interrupt.
    pub skipped: usize,
    /// All that is wanted is there: what failed, and what was not begun, would have taken something
    /// away.
    pub is_made: bool,
    /// True when the user stopped the run.
    pub interrupted: bool,
}

/// A run that could not even begin, or whose record could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The intents could not be made durable: no call was made.
    #[error("nothing was changed, because what is about to be done could not be recorded")]
    NotBegun(#[source] StoreError),
    /// An outcome could not be recorded; the intents are there, so the next command finds it.
    #[error("an outcome could not be recorded; the next command looks at what is there")]
    NotRecorded(#[source] StoreError),
    /// The lock expired or was taken away.
    #[error("the lock on this environment's state was lost, so nothing more was begun")]
    LockLost,
}

/// What came of one step.
struct StepResult {
    index: usize,
    ms: u64,
    /// Also of a step that failed: what it did before.
    outcomes: Vec<Outcome>,
    error: Option<StepError>,
}

/// Runs a plan. `state` and `version` are what the plan was made from.
pub async fn run(
    run: &Run<'_>,
    mut state: State,
    version: Option<Version>,
) -> Result<Report, RunError> {
    let plan = run.plan.plan();
    let context = Context::new(run, &state);
    // Both are looked at: each changes the record.
    let noted = context.note_ways_back(&mut state).await;
    let dirty = lease::keep(run, &mut state) || noted || run.dirty;
    let mut journal = Journal::new(run.store, state, version, dirty);
    journal.begin(run.plan, run.part).await.map_err(RunError::NotBegun)?;
    let mut runner = Runner {
        run,
        context: &context,
        graph: Dag::new(plan.steps.iter().map(|step| step.needs.iter().copied())),
        journal,
        done: 0,
        skipped: BTreeSet::new(),
        failures: BTreeMap::new(),
        lock_lost: false,
    };
    let stored = runner.drive().await;
    let interrupted = run.client.stopped();
    let Runner { mut journal, done, skipped, failures, lock_lost, .. } = runner;
    for index in &skipped {
        if let Some(step) = plan.steps.get(*index) {
            journal.close_unbegun(&step.work);
        }
    }
    stored.map_err(RunError::NotRecorded)?;
    let state = journal.end().await.map_err(RunError::NotRecorded)?;
    if lock_lost {
        return Err(RunError::LockLost);
    }
    let left = skipped.iter().chain(failures.keys()).filter_map(|at| plan.steps.get(*at));
    let is_made = left.map(|step| step.work.verb()).all(Verb::takes_away) && !interrupted;
    let ids = lock(&context.ids).clone();
    let tokens = lock(&context.tokens).clone();
    let leases = lock(&context.leases).clone();
    Ok(Report {
        leases,
        state,
        ids,
        tokens,
        done,
        failures: failures.into_values().collect(),
        skipped: skipped.len(),
        is_made,
        interrupted,
    })
}

impl Context<'_> {
    /// Does a step; each sort of step has a file. `outcomes` has what was done, also where the rest
    /// failed.
    async fn execute(
        &self,
        step: &Step,
        lease_id: Option<&str>,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), StepError> {
        // What it refers to was made, changed or let go of a moment ago.
        let follows = !step.needs.is_empty();
        let all = match &step.work {
            Work::Create(target) => self.create(target, follows).await?,
            Work::Update { target, id, changed } => {
                self.update(target, id, changed, follows).await?
            }
            Work::Clear(target) => self.clear(target).await?,
            Work::Delete(target) => self.delete(target, follows).await?,
            Work::Batch { zone, items } => self.batch(zone.as_deref(), items).await?,
            Work::Migrate { address, files, fresh, reset, seed } => {
                let (fresh, reset, seed) = (*fresh, *reset, seed.as_ref());
                let work = Migrations { address, files, fresh, seed, reset };
                return self.migrate(&work, outcomes).await;
            }
            Work::Lease(work) => return self.lease(work, outcomes).await,
            Work::Release(work) => self.release(work, lease_id).await?,
        };
        outcomes.extend(all);
        Ok(())
    }

    /// The API's identifier of what a step worked on; of a lease the preview ID.
    fn id_after(&self, operation: &Operation<'_>) -> Option<String> {
        match operation.subject {
            Subject::Resource(address) => self.id_of(address),
            Subject::Lease(_) if operation.verb == Verb::Lease => self.preview_id(operation.name),
            Subject::Lease(_) => operation.id.map(str::to_owned),
        }
    }
}

struct Runner<'r, 'a> {
    run: &'r Run<'a>,
    context: &'r Context<'a>,
    graph: Dag,
    journal: Journal<'a>,
    done: usize,
    skipped: BTreeSet<usize>,
    failures: BTreeMap<usize, Failure>,
    lock_lost: bool,
}

impl<'r, 'a> Runner<'r, 'a> {
    /// Starts what is ready, waits for whatever comes first, records it, goes on.
    async fn drive(&mut self) -> Result<(), StoreError> {
        let mut flying: FuturesUnordered<BoxFuture<'r, StepResult>> = FuturesUnordered::new();
        let mut saving: Option<Saving<'a>> = None;
        let mut broken: Option<StoreError> = None;
        loop {
            if saving.is_none() && broken.is_none() {
                saving = self.journal.start_saving();
            }
            let halt = broken.is_some() || self.halted();
            while !halt && flying.len() < self.run.parallelism.max(1) {
                let Some(index) = self.graph.take() else { break };
                flying.extend(self.start(index));
            }
            match (flying.is_empty(), saving.take()) {
                (true, None) => break,
                (true, Some(write)) => self.settle(write.await, &mut broken),
                (false, None) => {
                    if let Some(result) = flying.next().await {
                        self.finish(result);
                    }
                }
                (false, Some(write)) => match select(flying.next(), write).await {
                    Either::Left((result, write)) => {
                        saving = Some(write);
                        if let Some(result) = result {
                            self.finish(result);
                        }
                    }
                    Either::Right((written, _)) => self.settle(written, &mut broken),
                },
            }
        }
        self.skipped.extend(self.graph.left());
        match broken {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn settle(&mut self, written: Result<Version, StoreError>, broken: &mut Option<StoreError>) {
        match written {
            Ok(version) => self.journal.saved(version),
            Err(error) => *broken = Some(error),
        }
    }

    /// Invariant: the lock is looked at before each mutating call is begun.
    fn halted(&mut self) -> bool {
        if !self.run.store.lock_held() {
            self.lock_lost = true;
        }
        self.lock_lost || self.run.client.stopped()
    }

    fn start(&self, index: usize) -> Option<BoxFuture<'r, StepResult>> {
        let context = self.context;
        let step = self.run.plan.plan().steps.get(index)?;
        let work = &step.work;
        let lease_id = work.pool().and_then(|pool| self.journal.lease_id(pool));
        Some(Box::pin(async move {
            let client = context.client();
            let begun_ms = client.clock().monotonic_ms();
            for Operation { verb, subject, name, .. } in work.operations() {
                client.progress().event(Event::Begun { step: index, verb, address: subject, name });
            }
            let mut outcomes = Vec::new();
            let result = context.execute(step, lease_id.as_deref(), &mut outcomes).await;
            let ms = client.clock().monotonic_ms().saturating_sub(begun_ms);
            StepResult { index, ms, outcomes, error: result.err() }
        }))
    }

    fn finish(&mut self, StepResult { index, ms, outcomes, error }: StepResult) {
        let Some(step) = self.run.plan.plan().steps.get(index) else { return };
        self.journal.record(outcomes);
        if let Some(error) = error {
            self.fail(index, &step.work, error);
            return;
        }
        for operation in step.work.operations() {
            let Operation { verb, subject: address, name, .. } = operation;
            let id = self.context.id_after(&operation);
            let id = id.as_deref();
            let event = Event::Done { step: index, verb, address, name, id, ms };
            self.run.client.progress().event(event);
        }
        self.done += 1;
        self.graph.done(index);
    }

    fn fail(&mut self, index: usize, work: &Work, error: StepError) {
        self.skipped.extend(self.graph.after(index));
        if !error.is_open() {
            // It certainly did not happen, so nothing has to be looked for.
            self.journal.close_unbegun(work);
        }
        if error.is_interrupted() {
            if !error.is_open() {
                self.skipped.insert(index);
            }
            return;
        }
        let message = error.to_string();
        for Operation { verb, subject: address, .. } in work.operations() {
            let event = Event::Failed { step: index, verb, address, message: &message };
            self.run.client.progress().event(event);
        }
        self.failures.insert(index, error.into_failure(work));
    }
}
