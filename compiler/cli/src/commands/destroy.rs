//! `envc destroy`: take away all that belongs to the environment, and prove that nothing is left.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Vault, counted};
use envc_edge_api::Outcome;
use envc_exec::LeaseQuestion;
use envc_kinds::{kind, same_name};
use envc_plan::{
    Action, CheckedPlan, Goal, MigrationFile, Observation, Plan, Recorded, State, keep_with_needs,
};

use super::shared::{
    NothingMade, not_approved, nothing_made, say_heading, say_summary, selection_of, show_drafted,
    show_plan,
};
use crate::{
    host::{error::CommandError, exit_code::ExitCode, interrupt::Interrupt},
    operate::{
        Refusals,
        account::still_there,
        engine::{Drafted, Engine, Loaded, PlanRequest, Running, checked},
        site::{Edge, Needs, Site},
    },
    outputs::{files::Removal, local, out_dir},
    remote::{
        edge::EdgeConnection,
        registry_report::{self, Counts},
    },
    shell::{
        app::{App, block_on},
        args::DestroyArgs,
        events::{DestroyRun, Destroyed, Event},
    },
    state::Hold,
    workspace::{
        choice::{CloudName, Moves, OnNewId, Selection},
        project::SpecFile,
        registry::{AppliedTo, FileRecord},
        session::Session,
    },
};

/// A destroy leaves `protect` as it is, and runs no migrations.
static NONE: BTreeSet<Address> = BTreeSet::new();
static NO_MIGRATIONS: BTreeMap<Address, Vec<MigrationFile>> = BTreeMap::new();
static NO_SEEDS: BTreeMap<Address, MigrationFile> = BTreeMap::new();

/// Rounds of deleting and looking again before something left is an error.
const ROUNDS_MAX: u32 = 3;

pub(super) fn run(app: &App, args: &DestroyArgs) -> Result<ExitCode, CommandError> {
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref())?;
    let selection = Selection { moves: Moves::ToRecorded, ..selection_of(&args.target) };
    let session = match Session::open(&app.ui, &app.env, file.clone(), &selection, OnNewId::Absent)
    {
        Err(error) if error.exit == ExitCode::Spec => {
            let recorded = Session::open_recorded(&app.ui, &app.env, file, &selection)?;
            let Some(session) = recorded else {
                return Err(error.because_text(
                    "without the spec only an environment goes that is recorded here, has an ID of \
                     its own (`unique`), and is neither protected nor another than what is named",
                ));
            };
            app.ui.warn(&format!(
                "{}, so only what is recorded of `{}` is destroyed",
                error.message, session.target.id
            ));
            Some(session)
        }
        opened => opened?,
    };
    let Some(session) = session else {
        return nothing_here(app, args);
    };
    say_heading(&session);
    block_on(Destroy { session, args, keep: args.keep.iter().cloned().collect() }.run())?
}

/// The spec's environment was never made from this folder.
fn nothing_here(app: &App, args: &DestroyArgs) -> Result<ExitCode, CommandError> {
    let NothingMade { why, others, .. } = nothing_made(app, &args.target, "destroy")?;
    unknown(&app.ui, args, &why, &others)
}

/// Nothing knows the environment: exit 3, or 0 with `--if-exists`.
fn unknown(
    ui: &crate::shell::ui::Ui,
    args: &DestroyArgs,
    why: &str,
    elsewhere: &[String],
) -> Result<ExitCode, CommandError> {
    if args.if_exists {
        ui.event(&Event::Destroyed(Destroyed { deleted: 0, run: None }));
        ui.outcome(&format!("Nothing to destroy: {why}."));
        for there in elsewhere {
            ui.say(there);
        }
        return Ok(ExitCode::Done);
    }
    let error = CommandError::new(
        ExitCode::UnknownEnvironment,
        format!("there is nothing to destroy: {why}"),
    );
    let error = elsewhere.iter().fold(error, CommandError::hint);
    Err(error.hint("pass --if-exists where that is fine").code("envc::cli::nothing_known"))
}

struct Destroy<'a> {
    session: Session<'a>,
    args: &'a DestroyArgs,
    keep: BTreeSet<Address>,
}

/// One round's plan and what it was made from.
struct Round {
    plan: CheckedPlan,
    loaded: Loaded,
    /// What has the name of something of this environment, and no proof that it is that.
    unproven: Vec<(Address, String)>,
}

impl Round {
    /// Nothing is there and nothing is recorded.
    fn is_over(&self) -> bool {
        self.plan.plan().steps.is_empty() && self.loaded.state.is_none()
    }
}

impl Destroy<'_> {
    async fn run(mut self) -> Result<ExitCode, CommandError> {
        let session = &self.session;
        // A destroy needs none of the spec's secrets, but for the one that leads to its state.
        let needs = Needs { edge: Edge::RegistryIfThere, wait: false };
        let site = Site::open(session, needs).await?;
        let hold = if self.args.plan {
            Hold::Read
        } else {
            Hold::Lock { purpose: "envc destroy", wait: !self.args.no_wait }
        };
        let (engine, loaded) = Engine::open(&site, hold).await?;
        let edge = site.registry();
        self.is_recorded(&loaded)?;
        self.knows_what_to_keep(&loaded)?;
        let wanted = &session.environment.resources;
        self.keep = keep_with_needs(&self.keep, wanted, loaded.state.as_ref());
        if self.args.plan {
            return self.tell_plan(&engine, loaded, edge.is_some()).await;
        }
        let first = self.first(&engine, loaded).await?;
        let over = first.is_over();
        if over && !first.unproven.is_empty() {
            return Err(self.nothing_proves(&first.unproven));
        }
        if over && !self.left_something() {
            if let Some(edge) = edge {
                registry_report::tell_gone(session, edge, &site.stop).await;
            }
            return self.nothing_there();
        }
        // Where nothing is left in the account, an earlier destroy was killed before its end.
        let (deleted, released) = if over {
            (0, 0)
        } else {
            self.approve(first.plan.plan(), &site.stop).await?;
            let mut left = registry_report::counts(first.loaded.state.as_ref());
            let deleted = self.rounds(&engine, first, &mut left).await;
            if let (Some(edge), Err(_)) = (edge, &deleted) {
                registry_report::tell(session, edge, &site.stop, Outcome::DestroyFailed, left)
                    .await;
            }
            deleted?
        };
        let requests = engine.requests();
        let claim = engine.holds_claim();
        let left_alone = engine.left_alone();
        let elsewhere = self.elsewhere();
        self.clean_up()?;
        engine.release()?;
        if let Some(edge) = edge {
            self.tell_edge(edge, &site.stop).await;
        }
        let run = Some(DestroyRun { env: &session.target.id, released, requests });
        session.ui.event(&Event::Destroyed(Destroyed { deleted, run }));
        self.tell(deleted, left_alone, released, requests);
        if claim {
            self.tell_claim();
        }
        for there in &elsewhere {
            session.ui.say(&still_there(session, there));
        }
        Ok(ExitCode::Done)
    }

    /// A spec with mistakes does not tell where a state is kept that is not here.
    fn is_recorded(&self, loaded: &Loaded) -> Result<(), CommandError> {
        let session = &self.session;
        let is_here =
            session.workspace.spec.is_some() || session.target.cloud.value == CloudName::Local;
        if is_here || loaded.state.is_some() {
            return Ok(());
        }
        Err(CommandError::new(
            ExitCode::Spec,
            format!(
                "nothing is recorded here of `{}`, and the spec has mistakes",
                session.target.id
            ),
        )
        .hint("mend environment.kdl first: envc check")
        .code("envc::cli::nothing_recorded"))
    }

    /// An environment of which something was kept is there with that, so that nobody takes it for
    /// an orphan.
    async fn tell_edge(&self, edge: &EdgeConnection, stop: &Interrupt) {
        if self.keep.is_empty() {
            return registry_report::tell_gone(&self.session, edge, stop).await;
        }
        let kept = registry_report::counts_of(&self.keep);
        registry_report::tell(&self.session, edge, stop, Outcome::Applied, kept).await;
    }

    /// A misspelt `--keep` would delete what it should keep.
    fn knows_what_to_keep(&self, loaded: &Loaded) -> Result<(), CommandError> {
        let wanted = &self.session.environment.resources;
        let recorded = loaded.state.as_ref().map(|state| &state.resources);
        let known = |address: &Address| {
            wanted.contains_key(address)
                || recorded.is_some_and(|recorded| recorded.contains_key(address))
        };
        let Some(unknown) = self.keep.iter().find(|address| !known(address)) else {
            return Ok(());
        };
        let all: BTreeSet<String> = wanted
            .keys()
            .chain(recorded.into_iter().flat_map(BTreeMap::keys))
            .map(ToString::to_string)
            .collect();
        Err(CommandError::usage(format!(
            "`{}` has no {unknown} to keep; nothing was changed",
            self.session.target.id
        ))
        .hint(format!("it has: {}", all.into_iter().collect::<Vec<_>>().join(", ")))
        .code("envc::cli::unknown_address"))
    }

    /// Deletes, looks again, and goes on until a look finds nothing: that is the proof.
    /// `left` is what is recorded at its end.
    async fn rounds(
        &self,
        engine: &Engine<'_, '_>,
        first: Round,
        left: &mut Counts,
    ) -> Result<(usize, usize), CommandError> {
        // What was there at the start: each of these must be gone from the lists at the end.
        let witness = first.loaded.state.clone();
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
                    .map(|change| (change.address.clone(), change.id.clone())),
            );
            released += round.plan.plan().counts().release;
            let (none, no_seeds, held) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
            let parallelism = usize::from(self.args.calls.parallelism);
            let running = Running {
                migrations: &none,
                seeds: &no_seeds,
                vault: &Vault::default(),
                uploads: &BTreeMap::new(),
                parallelism,
                held: &held,
            };
            let report = engine.run(&round.plan, round.loaded, running).await?;
            *left = registry_report::counts(Some(&report.state));
            let _report = engine.finished(report)?;
            round = self.prove(engine, witness.as_ref()).await?;
            if round.is_over() {
                return Ok((deleted.len(), released));
            }
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

    async fn first(&self, engine: &Engine<'_, '_>, loaded: Loaded) -> Result<Round, CommandError> {
        let observation = self.look(engine, &loaded).await?;
        self.round(engine, loaded, &observation).await
    }

    /// A whole state tells what there is and saves the lists, but for those that tell who claims the
    /// project and whose marker stands there; anything else is looked up.
    async fn look(
        &self,
        engine: &Engine<'_, '_>,
        loaded: &Loaded,
    ) -> Result<Observation, CommandError> {
        let whole = loaded
            .state
            .as_ref()
            .filter(|state| state.intents.is_empty() && !state.resources.is_empty());
        if let Some(state) = whole {
            return engine.recorded_unless_taken(state).await;
        }
        let state = loaded.state.as_ref();
        Ok(engine.observe_with_leases(state, LeaseQuestion::Search).await?.0)
    }

    /// Lists everything again. What is still listed is recorded again, so that the next round
    /// deletes it once more.
    async fn prove(
        &self,
        engine: &Engine<'_, '_>,
        witness: Option<&State>,
    ) -> Result<Round, CommandError> {
        let mut loaded = engine.load().await?;
        let state = loaded.state.as_ref();
        let (observation, leases) = futures::join!(
            engine.observe(witness.or(state)),
            engine.ask_leases(state, LeaseQuestion::Search),
        );
        let mut observation = observation?;
        observation.leases = leases?.seen;
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

    async fn round(
        &self,
        engine: &Engine<'_, '_>,
        loaded: Loaded,
        observation: &Observation,
    ) -> Result<Round, CommandError> {
        let plan = engine.plan(&loaded, &self.request(observation)).await?;
        let unproven = self.unproven(plan.plan(), observation);
        Ok(Round { plan, loaded, unproven })
    }

    fn request<'r>(&'r self, observation: &'r Observation) -> PlanRequest<'r> {
        PlanRequest {
            goal: Goal::Destroy,
            observation,
            keep: &self.keep,
            unprotect: &NONE,
            migrations: &NO_MIGRATIONS,
            seeds: &NO_SEEDS,
        }
    }

    /// What has the name of something of this environment, and no proof that it is that.
    fn unproven(&self, plan: &Plan, observation: &Observation) -> Vec<(Address, String)> {
        let wanted = self.session.environment.resources.values();
        let known: BTreeSet<&str> =
            plan.changes.iter().filter_map(|change| change.id.as_deref()).collect();
        wanted
            .filter(|wanted| wanted.is_managed() && wanted.parent.is_none())
            .filter(|wanted| !self.keep.contains(&wanted.address))
            .filter(|wanted| {
                let id = wanted.address.kind();
                let seen = observation.found.get(&id).into_iter().flatten();
                seen.map(|seen| &seen.observed).any(|seen| {
                    same_name(kind(id), &seen.name, &wanted.name)
                        && !known.contains(seen.id.as_str())
                })
            })
            .map(|wanted| (wanted.address.clone(), wanted.name.clone()))
            .collect()
    }

    fn tell(&self, deleted: usize, left_alone: usize, released: usize, requests: u64) {
        let given_back = match released {
            0 => String::new(),
            some => format!(", {} given back", counted(some, "preview ID")),
        };
        let left = match (self.keep.len(), left_alone) {
            (0, 0) => "none left".to_owned(),
            (kept, 0) => format!("{kept} kept"),
            (0, alone) => format!("{alone} left alone"),
            (kept, alone) => format!("{kept} kept, {alone} left alone"),
        };
        self.session.ui.outcome(&format!(
            "Destroyed `{}`: {} deleted, {left}{given_back}; {}.",
            self.session.target.id,
            counted(deleted, "resource"),
            counted(requests, "request")
        ));
    }

    /// The claim is the project's: other environments may need it.
    fn tell_claim(&self) {
        self.session.ui.say(&format!(
            "the claim of the project `{}` stays in the account for its other environments; \
             `envc state claim --release` takes it away",
            self.session.workspace.project.name
        ));
    }

    /// The error of a destroy that found names of its own, and no proof: "there is nothing" would
    /// not be true.
    fn nothing_proves(&self, unproven: &[(Address, String)]) -> CommandError {
        let session = &self.session;
        let names: Vec<String> =
            unproven.iter().map(|(address, name)| format!("{address} `{name}`")).collect();
        let addresses: Vec<&Address> = unproven.iter().map(|(address, _)| address).collect();
        let error = CommandError::failed(format!(
            "nothing proves that what is named as `{}` is this environment's; nothing was deleted",
            session.target.id
        ))
        .because_text(names.join(", "))
        .code("envc::cli::unproven");
        if session.needs_claim() {
            return error.hint(format!(
                "if it is, and the project `{}` is of this repository alone, claim it: envc state \
                 claim; then destroy again",
                session.workspace.project.name
            ));
        }
        error
            .hint("run the command on the machine that made it")
            .hint(format!("or take it over first: {}", session.apply_command(&addresses)))
    }

    /// Asks before anything is deleted, on every cloud. Where nothing is, nobody is asked.
    async fn approve(&self, plan: &Plan, stop: &Interrupt) -> Result<(), CommandError> {
        let session = &self.session;
        let deletes = plan.changes.iter().any(|change| change.action == Action::Delete);
        let asks = deletes && !self.args.yes;
        if asks || !self.keep.is_empty() || session.ui.is_verbose() {
            show_plan(session.ui, plan, false)?;
        } else {
            say_summary(session.ui, plan)?;
        }
        let question = format!("Delete all of `{}` for good?", session.target.id);
        let does = format!("deletes all of `{}` for good", session.target.id);
        let approved = !asks || session.ui.confirm(stop, &question, &does).await?;
        if approved { Ok(()) } else { Err(not_approved()) }
    }

    /// Says what a destroy would do. Nothing is changed: neither in the account, nor in the folder, nor
    /// in what is recorded.
    async fn tell_plan(
        &self,
        engine: &Engine<'_, '_>,
        loaded: Loaded,
        tells_edge: bool,
    ) -> Result<ExitCode, CommandError> {
        let session = &self.session;
        let observation = self.look(engine, &loaded).await?;
        let mut refusals = Refusals::default();
        let request = self.request(&observation);
        let drafted = engine.draft(&loaded, &request, &mut refusals).await?;
        let Drafted { plan, is_whole } = drafted;
        let unproven = self.unproven(&plan, &observation);
        if refusals.is_empty() && plan.steps.is_empty() && loaded.state.is_none() {
            if !unproven.is_empty() {
                refusals.add(self.nothing_proves(&unproven));
            } else if !self.left_something() {
                return self.nothing_there();
            }
        }
        let plan = if refusals.is_empty() { checked(plan)?.plan().clone() } else { plan };
        show_drafted(session.ui, &plan, is_whole && refusals.is_empty())?;
        refusals.tell(session.ui, "destroy");
        let mut remove = Vec::new();
        for (key, record) in self.own_files() {
            let path = out_dir::shown(session, &key);
            match out_dir::would_remove_recorded(session, &key, &record) {
                Removal::Removed => remove.push(path),
                Removal::Absent => {}
                Removal::Kept => session.ui.warn(&format!("{path} was edited, so it will stay")),
            }
        }
        if !remove.is_empty() {
            session.ui.event(&Event::Files { write: &[], remove: &remove });
            session.ui.result(&format!("Files to remove: {}", remove.join(", ")));
        }
        if tells_edge {
            let kept = if self.keep.is_empty() { "it is gone" } else { "what is kept of it" };
            session.ui.result(&format!("The edge Worker's registry will be told: {kept}."));
        }
        if engine.holds_claim() {
            self.tell_claim();
        }
        Ok(ExitCode::Done)
    }

    /// The account has nothing of the environment; others may.
    fn nothing_there(&self) -> Result<ExitCode, CommandError> {
        let session = &self.session;
        let why = format!("the account has nothing of `{}`", session.target.id);
        let others = self.elsewhere();
        let others = others.iter().map(|there| still_there(session, there));
        unknown(session.ui, self.args, &why, &others.collect::<Vec<_>>())
    }

    /// Where else it was applied to, and may still be.
    fn elsewhere(&self) -> Vec<AppliedTo> {
        let mut all = self.session.applied();
        all.retain(|there| self.session.here().is_some_and(|here| !there.is(here)));
        all
    }

    /// True when this folder still knows that the environment was applied to this account.
    fn left_something(&self) -> bool {
        let all = self.session.applied();
        let here = self.session.here();
        all.iter().any(|there| here.is_some_and(|here| there.is(here)))
            || !self.own_files().is_empty()
    }

    /// The files that envc wrote from this folder for the environment in this account. Those of which
    /// that is not recorded are of the account that the folder works on.
    fn own_files(&self) -> Vec<(String, FileRecord)> {
        let session = &self.session;
        let Some(here) = session.here() else { return Vec::new() };
        let all = session.applied();
        let works_here = all.last().is_none_or(|last| last.is(here));
        let key = here.key();
        let record = session.workspace.record();
        let own = record.files.iter().filter(|(_, file)| {
            file.is_for(&session.target.id, Some(&key)) && (file.of.is_some() || works_here)
        });
        own.map(|(key, file)| (key.clone(), file.clone())).collect()
    }

    /// Takes away the files that envc wrote for it, its ports, its ID.
    fn clean_up(&self) -> Result<(), CommandError> {
        let session = &self.session;
        let own = self.own_files();
        let keys: BTreeSet<String> = own.iter().map(|(key, _)| key.clone()).collect();
        for (key, record) in own {
            let path = out_dir::shown(session, &key);
            match out_dir::remove_recorded(session, &key, &record)? {
                Removal::Removed => session.ui.say(&format!("removed {path}")),
                Removal::Absent => {}
                Removal::Kept => session.ui.warn(&format!("{path} was edited, so it stays")),
            }
        }
        let Some(here) = session.here() else { return Ok(()) };
        local::forget(session, &self.keep)?;
        session.workspace.change_record(|copy| {
            let (id, now_s) = (&session.target.id, session.workspace.clock.unix_s());
            // While something is kept, its name is the proof that it is ours: the ID stays known.
            if self.keep.is_empty() {
                copy.forget(id, here, &keys, now_s)
            } else {
                copy.leave(id, here, &keys, now_s)
            }
        })
    }
}
