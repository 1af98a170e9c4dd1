//! `envc destroy`: take away all that belongs to the environment, and prove that nothing is left.

mod rounds;
mod told;

use std::collections::BTreeSet;

use envc_core::Address;
use envc_edge_api::Outcome;
use envc_plan::keep_with_needs;

use rounds::Done;

use super::shared::{NothingMade, nothing_made, say_heading, selection_of};
use crate::{
    host::{error::CommandError, exit_code::ExitCode, interrupt::Interrupt},
    operate::{
        account::still_there,
        engine::{Engine, Loaded, Spent},
        left_behind::beside,
        site::{Edge, Needs, Site},
    },
    outputs::{local, own},
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
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref(), &app.env)?;
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
            return self.nothing_there(&engine, &observation);
        }
        self.refuse_protected()?;
        // Where nothing is left in the account, an earlier destroy was killed before its end.
        let Done { deleted, released, unlisted, .. } = if over {
            Done { unlisted: first.unlisted, ..Done::default() }
        } else {
            self.approve(&engine, &first, &site.stop).await?;
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
        let Spent { requests, waited_ms } = engine.spent();
        let claim = engine.holds_claim();
        let left_alone = engine.left_alone();
        let elsewhere = self.elsewhere()?;
        self.clean_up()?;
        engine.release()?;
        if let Some(edge) = edge {
            self.tell_edge(edge, &site.stop).await;
        }
        let run = Some(DestroyRun { env: &session.target.id, released, requests, waited_ms });
        session.ui.event(&Event::Destroyed(Destroyed { deleted, run }));
        self.tell(deleted, left_alone, released, requests, &unlisted);
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
