//! Observe, plan, run: what all commands that reach the cloud have in common.

mod asked;
mod ledgers;
mod live;
mod observe;
mod stand_ins;

pub(crate) use observe::is_whole;

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
};

use envc_core::{Address, Desired, Sealer, Vault};
use envc_exec::{
    Account, Client, Leasing, Report, Run,
    ports::{Clock as _, Entropy as _, Leased, Version},
};
use envc_plan::{
    Asked, CheckedPlan, Goal, MigrationFile, Observation, Ownership, Plan, PlanInputs, Refused,
    State, check, lookalikes, plan_apply, plan_destroy,
};

use self::stand_ins::StandIns;
use crate::{
    host::{error::CommandError, interrupt::interrupted},
    operate::{
        Refusals, account, admit,
        claim::{Claims, Made, Office, Standing, list_standing, not_listed},
        outcome::{finished, recorded},
        refusal::refused,
        site::Site,
    },
    outputs::bundle::Uploads,
    remote::{connection::is_about_ids, pools::SessionPools},
    state::{self, HeldStore, Hold},
    workspace::{identity, session::Session},
};

/// A state as it was loaded.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// The state, when there is one.
    pub(crate) state: Option<State>,
    version: Option<Version>,
    /// The state in memory differs from the stored one and must be saved.
    dirty: bool,
}

/// What a plan is made for, and from besides the state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlanRequest<'r> {
    /// Apply or destroy.
    pub(crate) goal: Goal,
    /// What is there.
    pub(crate) observation: &'r Observation,
    /// Addresses to leave in the account.
    pub(crate) keep: &'r BTreeSet<Address>,
    /// The migrations of each database that has a folder.
    pub(crate) migrations: &'r BTreeMap<Address, Vec<MigrationFile>>,
    /// The rows that databases begin with.
    pub(crate) seeds: &'r BTreeMap<Address, MigrationFile>,
}

/// A plan that was made, or the beginning of one.
#[derive(Clone, Debug)]
pub(crate) struct Drafted {
    /// The plan; where it is refused, what can be told of it, without steps.
    pub(crate) plan: Plan,
    /// Nothing of the plan itself is refused.
    pub(crate) is_whole: bool,
}

/// How a plan is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Running<'r> {
    /// The texts of the migrations that the plan names.
    pub(crate) migrations: &'r BTreeMap<Address, Vec<MigrationFile>>,
    /// The rows that databases begin with.
    pub(crate) seeds: &'r BTreeMap<Address, MigrationFile>,
    /// The texts of what is sealed in the plan.
    pub(crate) vault: &'r Vault,
    /// What is uploaded besides what stands in the plan.
    pub(crate) uploads: &'r Uploads,
    /// The plan is a part of what is to be done: what else was begun stays open.
    pub(crate) part: bool,
    /// Steps at once.
    pub(crate) parallelism: usize,
    /// The leases that stay, by pool.
    pub(crate) held: &'r BTreeMap<String, Leased>,
}

/// What a command has cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spent {
    /// The requests that were sent: the API's and the pools'.
    pub(crate) requests: u64,
    /// How long calls waited between two tries, added up.
    pub(crate) waited_ms: u64,
}

/// A session at work in its cloud: the account and the zones are known, and the state is held.
pub(crate) struct Engine<'a, 'u> {
    site: &'a Site<'a, 'u>,
    session: &'a Session<'u>,
    /// The API answered for account and zones.
    proven: AtomicBool,
    /// The client.
    pub(crate) client: Client<'a>,
    /// Account and zones.
    pub(crate) scope: Account,
    store: Box<dyn HeldStore + 'a>,
    /// Where preview IDs come from.
    pools: SessionPools<'a>,
    /// What proves a namesake ours.
    ownership: Ownership,
    /// What the command line asks for beside what the spec says.
    asked: Asked,
    /// The command writes down what is applied: an empty ledger is what it is for.
    marks: bool,
    /// Nothing comes of the plan: what the token may not read is left open.
    only_looks: bool,
    /// The claims of the project, as far as the last plan saw.
    claims: RefCell<Claims>,
    /// Seals what is seen as what is wanted is sealed.
    sealer: Sealer,
    /// The project was claimed since.
    claimed: Cell<bool>,
    /// What only looks ours, and was told.
    told: RefCell<BTreeSet<(Address, String)>>,
    /// The spec's resources and what others make of it, once a destroy asks.
    everything: OnceCell<BTreeMap<Address, Desired>>,
    /// The project's zone was looked for and is not seen.
    unseen_zone: bool,
    /// What stands in for what the spec says exists, once that is made.
    missing: StandIns,
}

impl<'a, 'u> Engine<'a, 'u> {
    /// Finds the account, takes hold of the state, loads it, and finds the zones that the spec
    /// and the state name.
    pub(crate) async fn open(
        site: &'a Site<'a, 'u>,
        hold: Hold,
    ) -> Result<(Self, Loaded), CommandError> {
        let Site { session, connection, reporter, stop, .. } = site;
        let client = connection.client(&session.workspace, reporter, stop.flag());
        let mut scope = connection.account(&client).await?;
        session.say_heading(Some(&scope.id));
        let missing = stand_ins::look(session, connection)?;
        account::admit(session, connection, &scope.id).await?;
        let key = session.state_key(&scope.id);
        let store = state::open(session, site.edge_of_state(), reporter, key, stop, hold).await?;
        if matches!(hold, Hold::Lock { .. }) {
            session.workspace.catch_up()?;
        }
        let loaded = load(session, &*store).await?;
        if let (Some(spec), Some(state)) = (&session.workspace.spec, &loaded.state) {
            let made_as = Some(state.env_type.as_str());
            identity::refuse_other_type(spec, &session.target.head, &session.target.id, made_as)?;
        }
        let desired = session.environment.resources.values().filter_map(|want| want.zone.clone());
        let recorded = loaded.state.iter().flat_map(|state| state.resources.values());
        let zones = desired.chain(recorded.filter_map(|recorded| recorded.zone.clone())).collect();
        connection.zones(&client, &mut scope, &zones).await?;
        let ownership = session.ownership()?;
        let engine = Self {
            site,
            session,
            proven: AtomicBool::new(false),
            client,
            scope,
            store,
            pools: site.pools(),
            ownership,
            asked: Asked::default(),
            marks: false,
            only_looks: false,
            claims: RefCell::default(),
            claimed: Cell::new(false),
            sealer: session.sealer(),
            told: RefCell::default(),
            everything: OnceCell::new(),
            unseen_zone: false,
            missing,
        };
        Ok((engine, loaded))
    }

    /// Takes an empty ledger as it is, whatever was one before.
    pub(crate) fn marks(&mut self) {
        self.marks = true;
    }

    /// Takes away namesakes of these that nothing proves ours: the user said so.
    pub(crate) fn take(&mut self, addresses: BTreeSet<Address>) {
        self.ownership.adopt = addresses;
    }

    /// All that a destroy takes away, as the spec has it.
    pub(crate) fn everything(&self) -> &BTreeMap<Address, Desired> {
        self.everything.get_or_init(|| self.session.environment.all())
    }

    /// How many resources were told that only look ours.
    pub(crate) fn left_alone(&self) -> usize {
        self.told.borrow().len()
    }

    /// Fails when the edge's registry has to be told of the environment and cannot be.
    pub(crate) fn demand_registry(&self) -> Result<(), CommandError> {
        self.site.demand_registry()
    }

    /// Fails when the environment has leases and no pool can be asked.
    pub(crate) fn demand_pools(&self) -> Result<(), CommandError> {
        if self.session.environment.leases.is_empty() { Ok(()) } else { self.pools.demand() }
    }

    /// What the command has cost so far.
    pub(crate) fn spent(&self) -> Spent {
        let requests = self.client.budget().sent + self.pools.requests();
        Spent { requests, waited_ms: self.client.waited_ms() }
    }

    /// Saves a state that was changed without a plan, or removes it where nothing is left in it.
    pub(crate) async fn save(&self, loaded: Loaded) -> Result<Loaded, CommandError> {
        let Loaded { state, version, .. } = loaded;
        let Some(mut state) = state else { return Ok(Loaded::default()) };
        let saved = match &version {
            Some(version) if state.is_empty() => self.store.remove(version).await.map(|()| None),
            version => {
                state.serial += 1;
                self.store.save(&state, version.as_ref()).await.map(Some)
            }
        };
        let version = saved.map_err(|error| self.store.explain(&error))?;
        Ok(Loaded { state: version.is_some().then_some(state), version, dirty: false })
    }

    /// The state of an environment of which nothing is recorded yet.
    pub(crate) fn new_state(&self) -> State {
        let session = self.session;
        State::new(
            session.state_key(&self.scope.id),
            &session.workspace.project.repository,
            &session.target.head.name,
            session.workspace.entropy.hex(8),
        )
    }

    /// Loads the state again.
    pub(crate) async fn load(&self) -> Result<Loaded, CommandError> {
        load(self.session, &*self.store).await
    }

    fn office(&self) -> Office<'_> {
        let Session { workspace, target, .. } = self.session;
        let cloud = target.cloud.value;
        Office { workspace, cloud, client: &self.client, scope: &self.scope }
    }

    /// Claims the project where that is needed and nobody did, as far as the plan saw. Before
    /// anything is made.
    pub(crate) async fn claim(&self) -> Result<Made, CommandError> {
        if !self.session.needs_claim() {
            return Ok(Made::Known);
        }
        let seen = self.claims.borrow().clone();
        let made = self.office().make(&seen).await?;
        self.claimed.set(true);
        Ok(made)
    }

    /// Makes a plan and has it checked.
    pub(crate) async fn plan(
        &self,
        loaded: &Loaded,
        request: &PlanRequest<'_>,
    ) -> Result<CheckedPlan, CommandError> {
        let mut refusals = Refusals::default();
        let drafted = self.draft(loaded, request, &mut refusals).await?;
        refusals.stop(self.session.ui)?;
        checked(drafted.plan)
    }

    /// Makes a plan as far as that can be, and notes what is refused: what is drafted then is to look
    /// at, and has no steps. Invariant: which migrations are pending is what the ledgers in the
    /// databases say; one whose database only the lists found is read here.
    pub(crate) async fn draft(
        &self,
        loaded: &Loaded,
        request: &PlanRequest<'_>,
        refusals: &mut Refusals,
    ) -> Result<Drafted, CommandError> {
        if refusals.note(self.settle(request).await)?.is_none() {
            // Whose anything is cannot be told: nothing is planned.
            let (mut plan, _) = self.plan_from(loaded, request);
            plan.changes.clear();
            plan.steps.clear();
            return Ok(Drafted { plan, is_whole: false });
        }
        let ownership = self.ownership();
        if request.goal == Goal::Apply {
            let all = lookalikes(&self.inputs(loaded, request, &ownership), request.goal);
            self.tell_lookalikes(&all, request.goal);
        }
        let (mut plan, mut refused) = self.plan_from(loaded, request);
        let live = refusals.note(self.live(&plan, request.observation).await)?.flatten();
        let request =
            PlanRequest { observation: live.as_ref().unwrap_or(request.observation), ..*request };
        if live.is_some() {
            (plan, refused) = self.plan_from(loaded, &request);
        }
        refusals.note(self.refuse_to_cover(&plan, &request).await)?;
        if let Some(refused) = refused {
            refusals.add(refused);
            return Ok(Drafted { plan, is_whole: false });
        }
        let found = self.found_ledgers(&plan, request.migrations, request.observation).await?;
        if found.is_empty() {
            return Ok(Drafted { plan, is_whole: true });
        }
        let mut observation = request.observation.clone();
        observation.ledgers.extend(found);
        let request = PlanRequest { observation: &observation, ..request };
        let (plan, refused) = self.plan_from(loaded, &request);
        let is_whole = refused.is_none();
        refusals.extend(refused);
        Ok(Drafted { plan, is_whole })
    }

    /// Finds out whose the project is in this account, and refuses another repository's.
    async fn settle(&self, request: &PlanRequest<'_>) -> Result<(), CommandError> {
        let (session, observation) = (self.session, request.observation);
        if session.needs_claim() {
            let mut claims = Claims::of(&session.workspace, observation);
            // The lists are not of one instant: another run of this repository may have claimed
            // between them, and made what they show.
            let standing = || Standing::among(&session.workspace, observation);
            if !claims.are_ours() && !standing().is_empty() {
                claims = self.office().look().await?;
            }
            // Also a destroy of what is recorded: who claims may have taken it over by its name.
            let refused = claims.refuse_others(&session.workspace);
            self.claims.replace(claims);
            refused?;
        }
        Ok(())
    }

    /// Refuses an apply that would make a claim over what nobody here knows.
    async fn refuse_to_cover(
        &self,
        plan: &Plan,
        request: &PlanRequest<'_>,
    ) -> Result<(), CommandError> {
        if request.goal == Goal::Destroy || !self.is_unclaimed() {
            return Ok(());
        }
        let mut standing = Standing::among(&self.session.workspace, request.observation);
        // The claim will be a proof for kinds that the spec has later, too.
        let listed = request.observation.found.keys().copied().collect();
        let (more, unlisted) = list_standing(&self.office(), &listed).await;
        standing.join(more);
        if !unlisted.is_empty() {
            self.session.ui.warn(&not_listed(&unlisted));
        }
        let unknown = standing.unknown(self.session, &self.scope.id, plan).await;
        unknown.refuse(&self.session.workspace)
    }

    fn inputs<'i>(
        &'i self,
        loaded: &'i Loaded,
        request: &PlanRequest<'i>,
        ownership: &'i Ownership,
    ) -> PlanInputs<'i> {
        let session = self.session;
        PlanInputs {
            key: session.state_key(&self.scope.id),
            repository: session.workspace.project.repository.clone(),
            env_type: session.target.head.name.clone(),
            spec: session.workspace.spec_digest(),
            leases: &session.environment.leases,
            protect: session.environment.protect,
            sealer: &self.sealer,
            desired: match request.goal {
                Goal::Apply => &session.environment.resources,
                Goal::Destroy => self.everything(),
            },
            state: loaded.state.as_ref(),
            observation: request.observation,
            ownership,
            keep: request.keep,
            migrations: request.migrations,
            seeds: request.seeds,
            asked: self.asked.clone(),
        }
    }

    /// The plan, or its draft and why it is refused.
    fn plan_from(
        &self,
        loaded: &Loaded,
        request: &PlanRequest<'_>,
    ) -> (Plan, Option<CommandError>) {
        let ownership = self.ownership();
        let inputs = self.inputs(loaded, request, &ownership);
        let plan = match request.goal {
            Goal::Apply => plan_apply(&inputs),
            Goal::Destroy => plan_destroy(&inputs),
        };
        match plan {
            Ok(plan) => (plan, None),
            Err(Refused { refusals, draft }) => {
                let why = refused(
                    self.session,
                    &refusals,
                    request.goal,
                    self.is_unclaimed(),
                    &self.asked.replace,
                );
                (*draft, Some(why))
            }
        }
    }

    /// What proves a namesake ours. A pull request's name does where the project is claimed.
    fn ownership(&self) -> Ownership {
        Ownership { claimed: self.holds_claim(), ..self.ownership.clone() }
    }

    /// True when the project is claimed for this repository, as far as the last plan saw.
    pub(crate) fn holds_claim(&self) -> bool {
        self.claims.borrow().are_ours()
    }

    /// True where a claim would be a proof, and nobody has made it.
    fn is_unclaimed(&self) -> bool {
        self.session.needs_claim() && !self.holds_claim()
    }

    /// Runs a plan that was made from this state; what failed stands in the report.
    pub(crate) async fn run(
        &self,
        plan: &CheckedPlan,
        loaded: Loaded,
        running: Running<'_>,
    ) -> Result<Report, CommandError> {
        if self.client.stopped() {
            return Err(interrupted());
        }
        let session = self.session;
        let state = loaded.state.unwrap_or_else(|| self.new_state());
        // From the claim on nobody else makes anything of the project: what has a wanted name by now,
        // and had not when the lists were read, another run of this repository made.
        let mut ownership = self.ownership();
        ownership.claimed |= self.claimed.get();
        self.site.reporter.begin(plan.plan());
        let ledgers = session.environment.ledger_names();
        let leases = session.environment.leases.iter();
        let pool_of = leases.map(|(name, lease)| (name.clone(), lease.pool.clone())).collect();
        let outcome = envc_exec::run(
            &Run {
                client: &self.client,
                account: &self.scope,
                store: &*self.store,
                plan,
                migrations: running.migrations,
                seeds: running.seeds,
                ledgers: &ledgers,
                vault: running.vault,
                uploads: running.uploads,
                parallelism: running.parallelism,
                dirty: loaded.dirty,
                part: running.part,
                ownership: &ownership,
                leasing: Leasing {
                    pools: Some(&self.pools),
                    held: running.held,
                    pool_of: &pool_of,
                    digest: &session.state_digest(),
                },
            },
            state,
            loaded.version,
        )
        .await;
        self.site.reporter.end();
        recorded(outcome, self.store.lock_lost())
    }

    /// A report of a run that did all, or everything that failed as one error.
    pub(crate) fn finished(&self, report: Report) -> Result<Report, CommandError> {
        let now_ms = self.session.workspace.clock.unix_ms();
        // Of a lease's failure the edge is the cause, which has no part in these IDs.
        let calls = report.failures.iter().filter(|failure| failure.pool.is_none());
        let doubted = calls.map(|it| it.message.clone()).find(|message| is_about_ids(message));
        let finished =
            finished(report, &|what, pool, error| self.pools.explain(what, pool, error, now_ms));
        finished.map_err(|error| match doubted {
            Some(said) if !self.proven.load(Ordering::Relaxed) => {
                self.site.connection.forget_if_stale(error, &said, &self.scope)
            }
            Some(_) => {
                // Not every call names its zone where a list of it was read: the next command asks.
                self.site.connection.forget_all();
                error
            }
            None => error,
        })
    }

    /// Releases the lock and takes its file away: nothing is left that it guards.
    pub(crate) fn release(self) -> Result<(), CommandError> {
        self.store.release()
    }
}

/// Loads a state, and refuses another repository's.
async fn load(session: &Session<'_>, store: &dyn HeldStore) -> Result<Loaded, CommandError> {
    Ok(match store.load().await.map_err(|error| store.explain(&error))? {
        Some((mut state, version)) => {
            let dirty = admit::admit(session, &mut state)?;
            Loaded { state: Some(state), version: Some(version), dirty }
        }
        None => Loaded::default(),
    })
}

/// What is recorded of the session's environment, read without a lock.
pub(crate) async fn recorded_state(site: &Site<'_, '_>) -> Result<Option<State>, CommandError> {
    let Site { session, connection, reporter, stop, .. } = site;
    let client = connection.client(&session.workspace, reporter, stop.flag());
    let account = connection.account(&client).await?.id;
    account::admit(session, connection, &account).await?;
    let key = session.state_key(&account);
    let store = state::open(session, site.edge_of_state(), reporter, key, stop, Hold::Read).await?;
    Ok(load(session, &*store).await?.state)
}

/// Has a plan checked.
pub(crate) fn checked(plan: Plan) -> Result<CheckedPlan, CommandError> {
    check(plan).map_err(|unsound| {
        CommandError::failed("BUG: the checker refuses this plan, so nothing was done")
            .because(&unsound)
            .hint("please report it with the spec and the output of `envc plan --json`")
            .code("envc::plan::unsound")
    })
}
