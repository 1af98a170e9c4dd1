//! `envc destroy`: take away all that belongs to the environment, and prove that nothing is left.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::Address;
use envc_exec::{
    Client, Report, Run, Scope,
    ports::{Entropy as _, StateStore as _, Version},
};
use envc_plan::{CheckedPlan, Goal, Observation, Ownership, State};
use serde_json::json;

use super::shared::{finished, lock, not_approved, selection_of, show_plan, state_error, zones_of};
use crate::{
    app::{App, block_on},
    args::DestroyArgs,
    cloud_choice::CloudName,
    connect::{Connection, interrupted},
    engine::{self, PlanRequest},
    error::CommandError,
    exit_code::ExitCode,
    files::{Files, Removal},
    interrupt::Interrupt,
    project::SpecFile,
    reporter::Reporter,
    session::{OnNewId, Session},
    state_local::LocalStore,
};

/// Rounds of deleting and looking again before something left is an error.
const ROUNDS_MAX: u32 = 3;

pub(super) fn run(app: &App, args: &DestroyArgs) -> Result<ExitCode, CommandError> {
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref())?;
    let selection = selection_of(&args.target);
    let session = Session::open(&app.ui, &app.env, file, &selection, OnNewId::Absent)?;
    let Some(session) = session else {
        return unknown(&app.ui, args, "no environment was ever made from this folder");
    };
    session.ui.say(&session.heading());
    block_on(async {
        let stop = Interrupt::listen();
        Destroy { session, args, stop, keep: args.keep.iter().cloned().collect() }.run().await
    })?
}

/// Nothing knows the environment: exit 3, or 0 with `--if-exists`.
fn unknown(ui: &crate::ui::Ui, args: &DestroyArgs, why: &str) -> Result<ExitCode, CommandError> {
    if args.if_exists {
        ui.event("destroyed", json!({ "deleted": 0 }));
        ui.result(&format!("Nothing to destroy: {why}."));
        return Ok(ExitCode::Done);
    }
    Err(CommandError::new(
        ExitCode::UnknownEnvironment,
        format!("there is nothing to destroy: {why}"),
    )
    .hint("pass --if-exists where that is fine")
    .code("envc::cli::nothing_known"))
}

struct Destroy<'a> {
    session: Session<'a>,
    args: &'a DestroyArgs,
    stop: Interrupt,
    keep: BTreeSet<Address>,
}

/// One round's plan and what it was made from.
struct Round {
    plan: CheckedPlan,
    state: Option<State>,
    version: Option<Version>,
    /// The plan was made from lists, not from the state alone.
    listed: bool,
}

impl Destroy<'_> {
    async fn run(self) -> Result<ExitCode, CommandError> {
        let session = &self.session;
        let reporter = Reporter::new(session.ui);
        let connection = Connection::open(session).await?;
        let client = connection.client(session, &reporter, self.stop.flag());
        let scope = connection.scope(&client, &zones_of(session)).await?;
        let store = lock(session, &scope, &self.stop, "envc destroy").await?;
        let ownership = session.ownership(false)?;
        let round = self.plan(&client, &scope, &store, &ownership, false).await?;
        if round.plan.plan().changes.is_empty() && round.state.is_none() {
            drop(store);
            let why = format!("the account has nothing of `{}`", session.id);
            return unknown(session.ui, self.args, &why);
        }
        self.approve(&round)?;
        let deleted = self.rounds(&client, &scope, &store, &ownership, round, &reporter).await?;
        self.clean_up(store)?;
        let session = &self.session;
        let requests = client.budget().sent;
        session.ui.event(
            "destroyed",
            json!({ "env": session.id, "deleted": deleted, "requests": requests }),
        );
        session.ui.result(&format!(
            "Destroyed `{}`: {deleted} resources deleted, none left; {requests} requests.",
            session.id
        ));
        Ok(ExitCode::Done)
    }

    /// Deletes, looks again, and goes on until a look finds nothing.
    async fn rounds(
        &self,
        client: &Client<'_>,
        scope: &Scope,
        store: &LocalStore,
        ownership: &Ownership,
        first: Round,
        reporter: &Reporter<'_>,
    ) -> Result<usize, CommandError> {
        let mut deleted = 0;
        let mut round = first;
        for number in 1..=ROUNDS_MAX {
            let nothing = round.plan.plan().changes.is_empty();
            if !nothing || round.state.is_some() {
                deleted += round.plan.plan().counts().delete;
                let _report = self.execute(client, scope, store, round, reporter).await?;
            } else if round.listed {
                return Ok(deleted);
            }
            if number > 1 {
                // What was just deleted may still be listed for a moment.
                client.pause(client.backoff_ms(number)).await;
            }
            round = self.plan(client, scope, store, ownership, true).await?;
            if round.plan.plan().counts().delete == 0 && round.state.is_none() {
                return Ok(deleted);
            }
        }
        let left: Vec<String> = round
            .plan
            .plan()
            .changes
            .iter()
            .map(|change| format!("{} `{}`", change.address, change.name))
            .collect();
        Err(CommandError::failed(format!("{} resources are left", left.len()))
            .because_text(left.join(", "))
            .hint("run the command again; if they stay, delete them in the dashboard")
            .code("envc::cli::left"))
    }

    /// A whole state tells what there is and saves the lists; anything else is looked up.
    async fn plan(
        &self,
        client: &Client<'_>,
        scope: &Scope,
        store: &LocalStore,
        ownership: &Ownership,
        must_list: bool,
    ) -> Result<Round, CommandError> {
        let session = &self.session;
        let (state, version) = match store.load().await.map_err(|error| state_error(&error))? {
            Some((state, version)) => (Some(state), Some(version)),
            None => (None, None),
        };
        let whole = state
            .as_ref()
            .filter(|state| !must_list && state.intents.is_empty() && !state.resources.is_empty());
        let resources = &session.environment.resources;
        let observation = match whole {
            Some(state) => Observation::from_state(state),
            None => engine::look(client, scope, resources, state.as_ref()).await?,
        };
        let plan = engine::make_plan(
            session,
            &PlanRequest {
                goal: Goal::Destroy,
                scope,
                state: state.as_ref(),
                observation: &observation,
                ownership,
                keep: &self.keep,
                migrations: &BTreeMap::new(),
            },
        )?;
        let listed = whole.is_none();
        Ok(Round { plan, state, version, listed })
    }

    fn approve(&self, round: &Round) -> Result<(), CommandError> {
        let session = &self.session;
        show_plan(session.ui, round.plan.plan(), false);
        let asks = session.cloud.value == CloudName::Cloudflare && !self.args.yes;
        let question = format!("Delete all of `{}` for good?", session.id);
        if !asks || session.ui.confirm(&question)? { Ok(()) } else { Err(not_approved()) }
    }

    async fn execute(
        &self,
        client: &Client<'_>,
        scope: &Scope,
        store: &LocalStore,
        round: Round,
        reporter: &Reporter<'_>,
    ) -> Result<Report, CommandError> {
        if self.stop.is_asked() {
            return Err(interrupted());
        }
        let Round { plan, state, version, .. } = round;
        let session = &self.session;
        let state = state.unwrap_or_else(|| {
            let key = session.state_key(&scope.account);
            State::new(key, &session.head.name, session.entropy.hex(8))
        });
        reporter.begin(plan.plan().steps.len());
        let outcome = envc_exec::run(
            &Run {
                client,
                scope,
                store,
                plan: &plan,
                migrations: &BTreeMap::new(),
                parallelism: usize::from(self.args.calls.parallelism),
                names_are_proof: false,
            },
            state,
            version,
        )
        .await;
        reporter.end();
        finished(outcome)
    }

    /// Files that envc wrote for it, its ports, its ID, its lock.
    fn clean_up(&self, store: LocalStore) -> Result<(), CommandError> {
        let session = &self.session;
        let handler = Files { root: &session.root, digest: &session.digest };
        let own: Vec<_> = session
            .record()
            .files
            .iter()
            .filter(|(_, record)| record.env == session.id)
            .map(|(path, record)| (path.clone(), record.clone()))
            .collect();
        for (path, record) in own {
            match handler.remove(&path, &record)? {
                Removal::Removed => session.ui.say(&format!("removed {path}")),
                Removal::Absent => {}
                Removal::Kept => session.ui.warn(&format!("{path} was edited, so it stays")),
            }
        }
        // While something is kept, its name is the proof that it is ours: the ID stays known.
        if self.keep.is_empty() {
            session.change_record(|copy| copy.forget(&session.id, session.clock.unix_s()))?;
        }
        if let Some(lock) = store.into_lock() {
            lock.release_and_remove()?;
        }
        Ok(())
    }
}
