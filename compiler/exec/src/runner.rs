//! Runs the execution graph of a checked plan: as much at once as the graph and the limit allow.
//!
//! The runner makes no choice of its own: what, how and in which order stands in the plan. A step
//! that fails stops what needs it and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use envc_core::{Address, KeyedDigest, Secret};
use envc_kinds::{Meaning, Upload, kind};
use envc_plan::{
    Action, CheckedPlan, LeaseWork, MigrationFile, Ownership, Plan, ReleaseWork, State, Work,
};
use futures::{
    StreamExt as _,
    future::{BoxFuture, Either, select},
    stream::FuturesUnordered,
};

use crate::{
    client::{CallClass, CallError, Client},
    deed::{Context, StepError, lock},
    journal::{Journal, Outcome, Saving},
    leases,
    migrate::Migrations,
    ports::{Leased, PoolError, Pools, StateStore, StoreError, Version},
    progress::{Event, Subject},
    scope::Scope,
};

/// What a run works with.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The client.
    pub client: &'a Client<'a>,
    /// Account and zones.
    pub scope: &'a Scope,
    /// Where the state lives; its lock is held.
    pub store: &'a dyn StateStore,
    /// The plan.
    pub plan: &'a CheckedPlan,
    /// The texts of the migrations that the plan names.
    pub migrations: &'a BTreeMap<Address, Vec<MigrationFile>>,
    /// What is uploaded besides what stands in the plan, by the address of its resource.
    pub uploads: &'a BTreeMap<Address, Arc<Upload>>,
    /// Steps at once.
    pub parallelism: usize,
    /// The state knows more than is stored: it is stored even when there is nothing to do.
    pub news: bool,
    /// What proves a namesake ours.
    pub ownership: &'a Ownership,
    /// The pools that the plan's leases come from.
    pub leasing: Leasing<'a>,
}

/// What a run needs for leases.
#[derive(Clone, Copy)]
pub struct Leasing<'a> {
    /// The pools; none where no plan of the command has leases.
    pub pools: Option<&'a dyn Pools>,
    /// The leases that stay, by pool.
    pub held: &'a BTreeMap<String, Leased>,
    /// The pool of each lease that the spec has.
    pub pool_of: &'a BTreeMap<String, String>,
    /// Digests of secret attributes, for the record.
    pub digest: &'a KeyedDigest,
}

impl std::fmt::Debug for Leasing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Leasing").field("pool_of", &self.pool_of).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("parallelism", &self.parallelism).finish_non_exhaustive()
    }
}

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
    /// True when the user stopped the run.
    pub interrupted: bool,
}

/// One step that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What it worked on: addresses, or a lease.
    pub subjects: Vec<String>,
    /// What the step did: "create", "delete" …
    pub verb: &'static str,
    /// Method and path of the call.
    pub call: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// True when its effect is open; the next command looks.
    pub open: bool,
    /// What the pool said, of a lease or a release.
    pub pool: Option<(String, Box<PoolError>)>,
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

type StepResult = (usize, u64, Vec<Outcome>, Option<StepError>);

struct Graph {
    waiting: Vec<usize>,
    dependants: Vec<Vec<usize>>,
    ready: BTreeSet<usize>,
}

/// Runs a plan. `state` and `version` are what the plan was made from.
pub async fn run(
    run: &Run<'_>,
    state: State,
    version: Option<Version>,
) -> Result<Report, RunError> {
    let plan = run.plan.plan();
    let context = context(run, plan, &state);
    let mut state = state;
    let news = leases::keep(run, &mut state) || run.news;
    let mut journal = Journal::new(run.store, state, version, news);
    journal.begin(run.plan).await.map_err(RunError::NotBegun)?;
    let mut runner = Runner {
        run,
        context: &context,
        graph: Graph::new(plan),
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
        interrupted,
    })
}

fn context<'a>(run: &Run<'a>, plan: &Plan, state: &State) -> Context<'a> {
    let mut ids = BTreeMap::new();
    let mut names = BTreeMap::new();
    for change in plan.changes.iter().filter(|change| !change.deposed) {
        names.insert(change.address.clone(), change.name.clone());
        let stays = change.existing
            || matches!(change.action, Action::Keep | Action::Update | Action::Adopt);
        if let (true, Some(id)) = (stays, &change.id) {
            ids.insert(change.address.clone(), id.clone());
        }
    }
    Context {
        client: run.client,
        scope: run.scope,
        begun: Context::begun_before(state),
        ownership: run.ownership,
        uploads: run.uploads,
        ids: Mutex::new(ids),
        names,
        tokens: Mutex::new(BTreeMap::new()),
        leases: Mutex::new(run.leasing.held.clone()),
        pool_of: run.leasing.pool_of.clone(),
    }
}

impl Graph {
    fn new(plan: &Plan) -> Self {
        let mut dependants = vec![Vec::new(); plan.steps.len()];
        for (index, step) in plan.steps.iter().enumerate() {
            for need in &step.needs {
                if let Some(list) = dependants.get_mut(*need) {
                    list.push(index);
                }
            }
        }
        let waiting: Vec<usize> = plan.steps.iter().map(|step| step.needs.len()).collect();
        let ready = waiting.iter().enumerate().filter(|(_, n)| **n == 0).map(|(i, _)| i).collect();
        Self { waiting, dependants, ready }
    }

    fn finished(&mut self, index: usize) {
        for dependant in self.dependants.get(index).into_iter().flatten() {
            if let Some(count) = self.waiting.get_mut(*dependant) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.ready.insert(*dependant);
                }
            }
        }
    }

    /// All steps that need this one, directly or not.
    fn after(&self, index: usize) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut look = vec![index];
        while let Some(at) = look.pop() {
            for dependant in self.dependants.get(at).into_iter().flatten() {
                if found.insert(*dependant) {
                    look.push(*dependant);
                }
            }
        }
        found
    }
}

struct Runner<'r, 'a> {
    run: &'r Run<'a>,
    context: &'r Context<'a>,
    graph: Graph,
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
                let Some(index) = self.graph.ready.pop_first() else { break };
                flying.push(self.start(index));
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
        let left: Vec<usize> = (0..self.graph.waiting.len())
            .filter(|index| {
                self.graph.ready.contains(index)
                    || self.graph.waiting.get(*index).is_some_and(|count| *count > 0)
            })
            .collect();
        self.skipped.extend(left);
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

    fn start(&self, index: usize) -> BoxFuture<'r, StepResult> {
        let (run, context) = (self.run, self.context);
        let lease_id = match run.plan.plan().steps.get(index).map(|step| &step.work) {
            Some(Work::Release(work)) => self.journal.lease_id(&work.pool),
            _ => None,
        };
        Box::pin(async move {
            let client = run.client;
            let Some(step) = run.plan.plan().steps.get(index) else {
                return (index, 0, Vec::new(), None);
            };
            let begun_ms = client.clock().monotonic_ms();
            for (address, verb, name) in subjects(&step.work) {
                client.progress().event(Event::Begun { step: index, verb, address, name });
            }
            let result = match &step.work {
                Work::Create(target) => context.create(target).await,
                Work::Update { target, id, changed } => context.update(target, id, changed).await,
                Work::Clear(doomed) => context.clear(doomed).await,
                Work::Delete(doomed) => context.delete(doomed).await,
                Work::Batch { zone, items } => context.batch(zone.as_deref(), items).await,
                Work::Migrate { address, files, fresh } => {
                    let work = Migrations { address, files, fresh: *fresh, texts: run.migrations };
                    let result = context.migrate(&work).await;
                    let ms = client.clock().monotonic_ms().saturating_sub(begun_ms);
                    return (index, ms, result.outcomes, result.error);
                }
                Work::Lease(work) => {
                    let (outcomes, error) = context.lease(run, work).await;
                    let ms = client.clock().monotonic_ms().saturating_sub(begun_ms);
                    return (index, ms, outcomes, error);
                }
                Work::Release(work) => context.release(run, work, lease_id.as_deref()).await,
            };
            let ms = client.clock().monotonic_ms().saturating_sub(begun_ms);
            match result {
                Ok(outcomes) => (index, ms, outcomes, None),
                Err(error) => (index, ms, Vec::new(), Some(error)),
            }
        })
    }

    fn finish(&mut self, (index, ms, outcomes, error): StepResult) {
        let Some(step) = self.run.plan.plan().steps.get(index) else { return };
        self.journal.record(outcomes);
        match error {
            None => {
                if let Work::Migrate { address, .. } = &step.work {
                    self.journal.close_migrations(address);
                }
                for (address, verb, name) in subjects(&step.work) {
                    let id = match address {
                        Subject::Resource(address) => self.context.id_of(address),
                        Subject::Lease(_) => self.context.preview_id(&step.work),
                    };
                    let id = id.as_deref();
                    self.run.client.progress().event(Event::Done {
                        step: index,
                        verb,
                        address,
                        name,
                        id,
                        ms,
                    });
                }
                self.done += 1;
                self.graph.finished(index);
            }
            Some(error) => self.fail(index, &step.work, error),
        }
    }

    fn fail(&mut self, index: usize, work: &Work, error: StepError) {
        self.skipped.extend(self.graph.after(index));
        if !error.open {
            // It certainly did not happen, so nothing has to be looked for.
            self.journal.close_unbegun(work);
        }
        if error.error.class == CallClass::Interrupted {
            if !error.open {
                self.skipped.insert(index);
            }
            return;
        }
        let subjects = subjects(work);
        for (address, verb, _) in &subjects {
            let message = error.error.to_string();
            self.run.client.progress().event(Event::Failed {
                step: index,
                verb,
                address: *address,
                message: &message,
            });
        }
        let failure = Failure {
            subjects: subjects.iter().map(|(subject, _, _)| subject.to_string()).collect(),
            pool: error.pool.clone().and_then(|said| Some((pool_of(work)?.to_owned(), said))),
            verb: subjects.first().map_or("change", |(_, verb, _)| *verb),
            help: help_for(&error, work),
            call: error.error.call,
            message: error.error.message,
            open: error.open,
        };
        self.failures.insert(index, failure);
    }
}

/// What a step works on: subject, verb, physical name or pool.
fn subjects(work: &Work) -> Vec<(Subject<'_>, &'static str, &str)> {
    use envc_plan::BatchWork;
    let one = |address, verb, name| vec![(Subject::Resource(address), verb, name)];
    match work {
        Work::Create(target) => one(&target.address, "create", target.name.as_str()),
        Work::Update { target, .. } => one(&target.address, "update", &target.name),
        Work::Clear(doomed) => one(&doomed.address, "clear", &doomed.name),
        Work::Delete(doomed) => one(&doomed.address, "delete", &doomed.name),
        Work::Batch { items, .. } => items
            .iter()
            .map(|item| match item {
                BatchWork::Create(target) => (&target.address, "create", target.name.as_str()),
                BatchWork::Update { target, .. } => {
                    (&target.address, "update", target.name.as_str())
                }
                BatchWork::Delete(doomed) => (&doomed.address, "delete", doomed.name.as_str()),
            })
            .map(|(address, verb, name)| (Subject::Resource(address), verb, name))
            .collect(),
        Work::Migrate { address, .. } => one(address, "migrate", address.name()),
        Work::Lease(LeaseWork { pool, names, .. }) => {
            vec![(Subject::Lease(names.first().unwrap_or(pool)), "lease", pool)]
        }
        Work::Release(ReleaseWork { pool, names, .. }) => {
            vec![(Subject::Lease(names.first().unwrap_or(pool)), "release", pool)]
        }
    }
}

fn pool_of(work: &Work) -> Option<&str> {
    match work {
        Work::Lease(LeaseWork { pool, .. }) | Work::Release(ReleaseWork { pool, .. }) => Some(pool),
        _ => None,
    }
}

fn help_for(error: &StepError, work: &Work) -> Option<String> {
    if matches!(work, Work::Migrate { .. }) && error.error.means(Meaning::Refused) {
        return Some("correct the migration, then run the command again".into());
    }
    let kind = work.addresses().first().map(|address| kind(address.kind()))?;
    help_for_call(&error.error, kind.permission(), error.open)
}

/// What to do about a failed call.
pub fn help_for_call(error: &CallError, permission: &str, open: bool) -> Option<String> {
    Some(match &error.class {
        CallClass::Api(Meaning::Auth) => format!(
            "check that the API token is right and has the permission `{permission}` for this \
             account, then run the command again"
        ),
        CallClass::Api(Meaning::RateLimited) => {
            "the account's limit of 1,200 requests in 5 minutes is spent; run the command again in \
             5 minutes"
                .to_owned()
        }
        CallClass::Api(Meaning::Exists) => {
            "something with this name was made meanwhile; run the command again to see whose it is"
                .to_owned()
        }
        CallClass::Api(Meaning::InUse) => {
            "something outside this environment still uses it; remove that use, then run the \
             command again"
                .to_owned()
        }
        CallClass::Api(Meaning::Moved) => {
            "it was changed meanwhile, and this call had no effect; run the command again: it looks \
             at what is there first"
                .to_owned()
        }
        CallClass::Unknown | CallClass::Api(Meaning::Transient) if open => {
            "it is not known whether the call had its effect; run the command again: it looks \
             before it does anything"
                .to_owned()
        }
        CallClass::Unreachable | CallClass::Unknown | CallClass::Api(Meaning::Transient) => {
            "the API is not reachable or not well; run the command again later".to_owned()
        }
        CallClass::Interrupted => "run the command again: it carries on".to_owned(),
        CallClass::Api(Meaning::NotFound | Meaning::NotEmpty | Meaning::Refused) => return None,
    })
}
