//! The rounds of a destroy: a look, a plan, its run, and a look again, until one finds nothing.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, KindId, Vault, counted};
use envc_exec::Look;
use envc_plan::{
    Action, CheckedPlan, Goal, Lookalike, MigrationFile, Observation, Reach, Recorded, State,
};

use super::Destroy;
use crate::{
    host::{error::CommandError, exit_code::ExitCode},
    operate::engine::{Engine, Loaded, PlanRequest, Running, is_whole},
    remote::registry_report::{self, Counts},
};

/// A destroy leaves `protect` as it is, and runs no migrations.
static NO_MIGRATIONS: BTreeMap<Address, Vec<MigrationFile>> = BTreeMap::new();
static NO_SEEDS: BTreeMap<Address, MigrationFile> = BTreeMap::new();

/// Rounds of deleting and looking again before something left is an error.
const ROUNDS_MAX: u32 = 3;

/// One round's plan and what it was made from.
pub(super) struct Round {
    pub(super) plan: CheckedPlan,
    pub(super) loaded: Loaded,
    /// What has the name of something of this environment, and no proof that it is that.
    pub(super) unproven: Vec<Lookalike>,
    /// What was looked for and could not be listed.
    pub(super) unlisted: BTreeSet<KindId>,
}

/// What all rounds came to.
#[derive(Default)]
pub(super) struct Done {
    pub(super) deleted: usize,
    pub(super) released: usize,
    /// What the last look left, since nothing proves it ours.
    pub(super) unproven: Vec<Lookalike>,
    pub(super) unlisted: BTreeSet<KindId>,
}

impl Round {
    /// Nothing is there and nothing is recorded.
    pub(super) fn is_over(&self) -> bool {
        self.plan.plan().steps.is_empty() && self.loaded.state.is_none()
    }
}

impl Destroy<'_> {
    /// A misspelt `--keep` would delete what it should keep. Who takes away what is gone already has
    /// what they want: a run that was cut off is repeated with the same words.
    pub(super) fn knows_what_is_asked(
        &self,
        engine: &Engine<'_, '_>,
        loaded: &Loaded,
        observation: &Observation,
    ) -> Result<(), CommandError> {
        let recorded = loaded.state.iter().flat_map(|state| state.resources.keys());
        let named = engine.named(observation);
        let all: BTreeSet<&Address> =
            engine.everything().keys().chain(recorded).chain(&named).collect();
        for unknown in self.args.adopt.iter().filter(|address| !all.contains(address)) {
            let env = &self.session.target.id;
            self.session
                .ui
                .warn(&format!("nothing in the account has the name of {unknown} of `{env}`"));
        }
        let Some(unknown) = self.args.keep.iter().find(|address| !all.contains(address)) else {
            return Ok(());
        };
        let all: Vec<String> = all.into_iter().map(ToString::to_string).collect();
        Err(CommandError::usage(format!(
            "`{}` has no {unknown} to keep; nothing was changed",
            self.session.target.id
        ))
        .hint(format!("it has: {}", all.join(", ")))
        .code("envc::cli::unknown_address"))
    }

    /// Deletes, looks again, and goes on until a look finds nothing: that is the proof.
    /// `left` is what is recorded at its end.
    pub(super) async fn rounds(
        &self,
        engine: &Engine<'_, '_>,
        first: Round,
        reach: Reach,
        left: &mut Counts,
    ) -> Result<Done, CommandError> {
        // What was there at the start: each of these must be gone from the lists at the end.
        let witness = first.loaded.state.clone();
        let known = known(&first);
        let mut deleted = BTreeSet::new();
        let mut released = 0;
        let mut round = first;
        for number in 1..=ROUNDS_MAX {
            if number > 1 {
                // What was just deleted may still be listed for a moment.
                engine.client.pause(engine.client.backoff_ms(number)).await;
            }
            let changes = round.plan.plan().changes.iter();
            deleted.extend(
                changes
                    .filter(|change| change.action == Action::Delete)
                    .map(|change| (change.address.kind(), change.id.clone())),
            );
            released += round.plan.plan().counts().release;
            let (none, no_seeds, held) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
            let parallelism = usize::from(self.args.calls.parallelism);
            let running = Running {
                migrations: &none,
                seeds: &no_seeds,
                vault: &Vault::default(),
                uploads: &BTreeMap::new(),
                part: false,
                parallelism,
                held: &held,
            };
            let report = engine.run(&round.plan, round.loaded, running).await?;
            *left = registry_report::counts(Some(&report.state));
            let in_use = report.failures.iter().any(|failure| failure.in_use);
            if let Err(error) = engine.finished(report) {
                // What another run made meanwhile may be what uses it.
                if in_use && let Ok(next) = self.prove(engine, witness.as_ref(), reach).await {
                    refuse_unseen(&next, &known)?;
                }
                return Err(error);
            }
            round = self.prove(engine, witness.as_ref(), reach).await?;
            if round.is_over() {
                let Round { unproven, unlisted, .. } = round;
                return Ok(Done { deleted: deleted.len(), released, unproven, unlisted });
            }
            refuse_unseen(&round, &known)?;
        }
        let left: Vec<String> = round
            .plan
            .plan()
            .changes
            .iter()
            .map(|change| format!("{} `{}`", change.address, change.name))
            .collect();
        let are = if left.len() == 1 { "is" } else { "are" };
        Err(CommandError::failed(format!("{} {are} left", counted(left.len(), "resource")))
            .because_text(left.join(", "))
            .hint("run the command again; if they stay, delete them in the dashboard")
            .code("envc::cli::left"))
    }

    /// A whole record that is the only one, and that nobody else can write, tells what there is and saves
    /// the lists, but for those that tell who claims the project, whose marker stands there, and what
    /// others made; anything else is looked up.
    pub(super) async fn look(
        &self,
        engine: &Engine<'_, '_>,
        loaded: &Loaded,
        reach: Reach,
    ) -> Result<Observation, CommandError> {
        let state = loaded.state.as_ref();
        let tells =
            |state: &&State| is_whole(state) && reach != Reach::All && !self.session.shares_state();
        if let Some(state) = state.filter(tells) {
            return engine.recorded_unless_taken(state).await;
        }
        engine.look_with_leases(state, state, Look { reach, ..Look::default() }).await
    }

    /// Lists everything again. What is still listed is recorded again, so that the next round
    /// deletes it once more.
    async fn prove(
        &self,
        engine: &Engine<'_, '_>,
        witness: Option<&State>,
        reach: Reach,
    ) -> Result<Round, CommandError> {
        let mut loaded = engine.load().await?;
        let state = loaded.state.as_ref();
        // The API has answered for each delete.
        let look = Look { reach, lists_alone: true, ..Look::default() };
        let mut observation = engine.look_with_leases(witness.or(state), state, look).await?;
        if let Some(witness) = witness {
            let mut left = loaded.state.take().unwrap_or_else(|| witness.without_resources());
            let theirs = engine.taken_over(witness, &observation);
            for (address, recorded) in &witness.resources {
                let listed = observation.holds(address.kind(), &recorded.id);
                if self.is_kept(address, recorded) || theirs.contains(address) {
                    // It is recorded no more, so that its name or its marker would tell it a leftover.
                    observation.hide(address.kind(), &recorded.id);
                } else if listed {
                    left.resources.insert(address.clone(), recorded.clone());
                }
            }
            loaded.state = Some(left).filter(|left| !left.is_empty());
        }
        self.round(engine, loaded, &observation).await
    }

    /// True for what is kept, and for what lives with it.
    fn is_kept(&self, address: &Address, recorded: &Recorded) -> bool {
        let with_parent =
            || recorded.parent.as_ref().is_some_and(|parent| self.keep.contains(parent));
        self.keep.contains(address) || with_parent()
    }

    pub(super) async fn round(
        &self,
        engine: &Engine<'_, '_>,
        loaded: Loaded,
        observation: &Observation,
    ) -> Result<Round, CommandError> {
        let request = self.request(observation);
        let plan = engine.plan(&loaded, &request).await?;
        let unproven = engine.unproven(&loaded, &request, plan.plan());
        Ok(Round { plan, loaded, unproven, unlisted: observation.unlisted.clone() })
    }

    pub(super) fn request<'r>(&'r self, observation: &'r Observation) -> PlanRequest<'r> {
        PlanRequest {
            goal: Goal::Destroy,
            observation,
            keep: &self.keep,
            migrations: &NO_MIGRATIONS,
            seeds: &NO_SEEDS,
        }
    }
}

/// What the user was shown, or what is recorded: by kind and identifier.
fn known(first: &Round) -> BTreeSet<(KindId, String)> {
    let changes = first.plan.plan().changes.iter();
    let shown = changes.filter_map(|it| Some((it.address.kind(), it.id.clone()?)));
    let recorded = first.loaded.state.iter().flat_map(|state| &state.resources);
    let recorded = recorded.map(|(address, it)| (address.kind(), it.id.clone()));
    shown.chain(recorded).collect()
}

/// Invariant: nothing is deleted that stood neither in the plan that was approved nor in the record.
fn refuse_unseen(round: &Round, known: &BTreeSet<(KindId, String)>) -> Result<(), CommandError> {
    let is_known = |id: &Option<String>, kind: KindId| {
        id.as_ref().is_none_or(|id| known.contains(&(kind, id.clone())))
    };
    let changes = round.plan.plan().changes.iter();
    let unseen: Vec<String> = changes
        .filter(|it| it.action == Action::Delete && !is_known(&it.id, it.address.kind()))
        .map(|it| format!("{} `{}`", it.address, it.name))
        .collect();
    if unseen.is_empty() {
        return Ok(());
    }
    let are = if unseen.len() == 1 { "is" } else { "are" };
    let count = counted(unseen.len(), "resource");
    let message = format!("{count} {are} left that the plan did not show");
    Err(CommandError::new(ExitCode::TryAgain, message)
        .because_text(unseen.join(", "))
        .hint("run the command again: it shows them first")
        .code("envc::cli::left"))
}
