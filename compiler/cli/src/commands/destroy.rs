//! `envc destroy`: take away all that belongs to the environment, and prove that nothing is left.

mod rounds;

use std::collections::BTreeSet;

use envc_core::{Address, KindId, counted};
use envc_edge_api::Outcome;
use envc_plan::{Action, Observation, Plan, keep_with_needs};

use rounds::Done;

use super::shared::{
    NothingMade, Told, not_approved, nothing_made, say_heading, say_summary, selection_of,
    show_drafted, show_plan,
};
use crate::{
    host::{error::CommandError, exit_code::ExitCode, interrupt::Interrupt},
    operate::{
        Refusals,
        account::still_there,
        engine::{Drafted, Engine, Loaded, checked},
        left_behind::beside,
        site::{Edge, Needs, Site},
    },
    outputs::{files::Removal, local, out_dir, own},
    remote::{edge::EdgeConnection, registry_report},
    shell::{
        app::{App, block_on},
        args::DestroyArgs,
        events::{DestroyRun, Destroyed, Event},
    },
    state::Hold,
    workspace::{
        choice::{CloudName, Moves, OnNewId, Selection},
        project::SpecFile,
        registry::FileRecord,
        session::Session,
    },
};

pub(super) fn run(app: &App, args: &DestroyArgs) -> Result<ExitCode, CommandError> {
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref())?;
    let selection = Selection {
        moves: Moves::ToRecorded,
        adopt: args.adopt.iter().cloned().collect(),
        ..selection_of(&args.change.target)
    };
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
    let NothingMade { why, others, .. } = nothing_made(app, &args.change.target, "destroy")?;
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

impl Destroy<'_> {
    async fn run(mut self) -> Result<ExitCode, CommandError> {
        let session = &self.session;
        // A destroy needs none of the spec's secrets, but for the one that leads to its state.
        let needs = Needs { edge: Edge::RegistryIfThere, wait: false };
        let site = Site::open(session, needs).await?;
        let hold = if self.args.plan {
            Hold::Read
        } else {
            Hold::Lock { purpose: "envc destroy", wait: !self.args.change.no_wait }
        };
        let (mut engine, loaded) = Engine::open(&site, hold).await?;
        let edge = site.registry();
        self.is_recorded(&loaded)?;
        let reach = engine.reach(loaded.state.as_ref());
        engine.find_zone(reach).await?;
        engine.take(self.args.adopt.iter().cloned().collect());
        self.keep = keep_with_needs(&self.keep, engine.everything(), loaded.state.as_ref());
        let observation = self.look(&engine, &loaded, reach).await?;
        self.knows_what_is_asked(&engine, &loaded, &observation)?;
        if self.args.plan {
            return self.tell_plan(&engine, loaded, &observation, edge.is_some()).await;
        }
        let first = self.round(&engine, loaded, &observation).await?;
        let over = first.is_over();
        if over && !first.unproven.is_empty() {
            return Err(self.nothing_proves(&engine, &first.unproven, 0));
        }
        if over && !self.left_something() {
            if let Some(edge) = edge {
                registry_report::tell_gone(session, edge, &site.stop).await;
            }
            return self.nothing_there(&engine, &first.unlisted);
        }
        // Where nothing is left in the account, an earlier destroy was killed before its end.
        let Done { deleted, released, unlisted, .. } = if over {
            Done { unlisted: first.unlisted, ..Done::default() }
        } else {
            self.approve(first.plan.plan(), &site.stop).await?;
            let mut left = registry_report::counts(first.loaded.state.as_ref());
            let done = self.rounds(&engine, first, reach, &mut left).await;
            let done = done.and_then(|done| match done.unproven.as_slice() {
                [] => Ok(done),
                unproven => Err(self.nothing_proves(&engine, unproven, done.deleted)),
            });
            if let (Some(edge), Err(_)) = (edge, &done) {
                registry_report::tell(session, edge, &site.stop, Outcome::DestroyFailed, left)
                    .await;
            }
            done?
        };
        self.tell_unlisted(&unlisted);
        let requests = engine.requests();
        let claim = engine.holds_claim();
        let left_alone = engine.left_alone();
        let elsewhere = self.elsewhere()?;
        self.clean_up()?;
        engine.release()?;
        if let Some(edge) = edge {
            self.tell_edge(edge, &site.stop).await;
        }
        let run = Some(DestroyRun { env: &session.target.id, released, requests });
        session.ui.event(&Event::Destroyed(Destroyed { deleted, run }));
        let none = if unlisted.is_empty() { "none left" } else { "none left of what was listed" };
        self.tell(deleted, left_alone, released, requests, none);
        if claim {
            self.tell_claim();
        }
        for there in &elsewhere {
            session.ui.say(there);
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

    fn tell(&self, deleted: usize, left_alone: usize, released: usize, requests: u64, none: &str) {
        let given_back = match released {
            0 => String::new(),
            some => format!(", {} given back", counted(some, "preview ID")),
        };
        let left = match (self.keep.len(), left_alone) {
            (0, 0) => none.to_owned(),
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

    /// Asks before anything is deleted, on every cloud. Where nothing is, nobody is asked.
    async fn approve(&self, plan: &Plan, stop: &Interrupt) -> Result<(), CommandError> {
        let session = &self.session;
        let deletes = plan.changes.iter().any(|change| change.action == Action::Delete);
        let asks = deletes && !self.args.change.yes;
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
        observation: &Observation,
        tells_edge: bool,
    ) -> Result<ExitCode, CommandError> {
        let session = &self.session;
        let mut refusals = Refusals::default();
        let request = self.request(observation);
        let drafted = engine.draft(&loaded, &request, &mut refusals).await?;
        let Drafted { plan, is_whole } = drafted;
        let unproven = engine.unproven(&loaded, &request, &plan);
        let is_over = refusals.is_empty() && plan.steps.is_empty() && loaded.state.is_none();
        if is_over && !unproven.is_empty() {
            refusals.add(self.nothing_proves(engine, &unproven, 0));
        } else if is_over && !self.left_something() {
            return self.nothing_there(engine, &observation.unlisted);
        }
        self.tell_unlisted(&observation.unlisted);
        let plan = if refusals.is_empty() { checked(plan)?.plan().clone() } else { plan };
        let is_whole = is_whole && refusals.is_empty();
        show_drafted(session.ui, &plan, if is_whole { Told::Whole } else { Told::Draft })?;
        refusals.tell(session.ui, "destroy");
        if !is_over && !unproven.is_empty() {
            session.ui.warn(&format!(
                "nothing proves that these are this environment's, so they will stay, and the destroy \
                 will fail: {}",
                rounds::names_of(&unproven)
            ));
        }
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
    fn nothing_there(
        &self,
        engine: &Engine<'_, '_>,
        unlisted: &BTreeSet<KindId>,
    ) -> Result<ExitCode, CommandError> {
        let session = &self.session;
        self.tell_unlisted(unlisted);
        let id = &session.target.id;
        let why = match (engine.left_alone(), unlisted.is_empty()) {
            (0, true) => format!("the account has nothing of `{id}`"),
            (0, false) => format!("what was listed has nothing of `{id}`"),
            _ => format!("what is named as `{id}` is another repository's"),
        };
        unknown(session.ui, self.args, &why, &self.elsewhere()?)
    }

    /// Where else it was applied to, and may still be, and what else was made from this folder that the
    /// spec does not lead to: each in a sentence.
    fn elsewhere(&self) -> Result<Vec<String>, CommandError> {
        let session = &self.session;
        let mut all = session.applied();
        all.retain(|there| session.here().is_some_and(|here| !there.is(here)));
        let told = all.iter().map(|there| still_there(session, there));
        Ok(told.chain(beside(session)?).collect())
    }

    /// True when this folder still knows that the environment was applied to this account.
    fn left_something(&self) -> bool {
        let all = self.session.applied();
        let here = self.session.here();
        all.iter().any(|there| here.is_some_and(|here| there.is(here)))
            || !self.own_files().is_empty()
    }

    /// The files that envc wrote from this folder for the environment in this account.
    fn own_files(&self) -> Vec<(String, FileRecord)> {
        self.session.here().map(|here| own::files_of(&self.session, here)).unwrap_or_default()
    }

    /// Takes away the files that envc wrote for it, its ports, its ID.
    fn clean_up(&self) -> Result<(), CommandError> {
        let session = &self.session;
        // An apply of another environment in this folder may have taken the files over meanwhile.
        session.workspace.catch_up()?;
        let Some(here) = session.here() else { return Ok(()) };
        let keys = own::take_away(session, here)?;
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
