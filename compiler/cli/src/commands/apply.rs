//! `envc apply`: make the environment what the spec says.

mod meanwhile;
mod record;
mod saved;

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Digest, counted};
use envc_edge_api::Outcome;
use envc_exec::{LeaseAnswers, LeaseQuestion, Report, ports::Clock as _};
use envc_plan::{CheckedPlan, Counts, LeaseWork, LossyFile, Plan, State, Work, needs_approval};
use envc_spec::StateStoreKind;

use super::{
    losses,
    ready::{self, Asked, Draft, Outside},
    shared::{
        Opening, names_of, not_approved, opened_anew, refuse_needless, refuse_unknown_approval,
        say_pending, selection_of, show_plan, show_summary, tell_deployed_by_wrangler,
        tell_waiting, warn_notes,
    },
};
use crate::{
    host::{
        error::CommandError,
        exit_code::ExitCode,
        interrupt::{Interrupt, interrupted},
    },
    operate::{
        Refusals,
        engine::{Engine, Loaded, Running, Spent, checked},
        site::{Edge, Needs, Site},
        unfollowed,
    },
    outputs::{
        generated::{self, Writing, Written},
        local,
        out_dir::OutDir,
        readers,
        sources::{Resources, Sources},
    },
    remote::{pools, registry_report},
    shell::{
        app::{App, block_on},
        args::ApplyArgs,
        events::{Applied, Event, Url, Waiting},
    },
    state::Hold,
    workspace::{
        choice::{CloudName, Moves, OnNewId},
        folder::Folder,
        migrations::Migrations,
        project::SpecFile,
        session::Session,
        tools::Runs,
        trust,
    },
};

pub(super) fn run(app: &App, args: &ApplyArgs) -> Result<ExitCode, CommandError> {
    let saved = args.plan.as_deref().map(|path| saved::read(&app.cwd.join(path))).transpose()?;
    let mut selection = selection_of(&args.change.target);
    selection.adopt = args.adopt.iter().cloned().collect();
    if args.rebind {
        selection.moves = Moves::Anywhere;
    }
    if let Some(plan) = &saved {
        selection.env_type = Some(plan.basis.env_type.clone());
        selection.id = Some(plan.basis.key.env.clone());
        selection.cloud = Some(plan.basis.key.cloud.clone());
        selection.by_plan = true;
    }
    let mut opening = Opening::default();
    opened_anew(|| {
        let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref(), &app.env)?;
        let session = Session::open(&app.ui, &app.env, file, &selection, OnNewId::Mint)?;
        let Some(session) = session else {
            return Err(CommandError::failed("BUG: no ID was minted"));
        };
        if let Some(plan) = &saved {
            saved::refuse_others(&session, plan)?;
        }
        opening.say_if_settled(&session)?;
        let out_dir = match &args.out_dir {
            Some(dir) => opening.before(&session, OutDir::named(&session, &app.cwd.join(dir)))?,
            None => None,
        };
        let folder = session.folder(args.rebind);
        let mut writing = Writing { out_dir, force: args.force, replaces: None };
        if writing.out_dir.is_none() {
            opening.before(&session, folder.admit(&session))?;
            if let Folder::Bound { replaces: Some(other) } = &folder {
                writing.replaces = Some(other.id.clone());
            }
        }
        let mut apply = Apply { session, args, writing, folder, saved: saved.as_ref() };
        let ran = block_on(apply.run(&mut opening))?;
        opening.before(&apply.session, ran)
    })
}

struct Apply<'a> {
    session: Session<'a>,
    args: &'a ApplyArgs,
    writing: Writing,
    folder: Folder,
    saved: Option<&'a Plan>,
}

impl Apply<'_> {
    /// `None`: the session has to be opened anew.
    async fn run(&mut self, opening: &mut Opening) -> Result<Option<ExitCode>, CommandError> {
        let started_ms = self.session.workspace.clock.monotonic_ms();
        let ui = self.session.ui;
        let mut refusals = Refusals::default();
        let out_dir = self.writing.out_dir.as_ref();
        let outside = Outside::look(&mut self.session, out_dir, &mut refusals).await?;
        if !refusals.is_empty() {
            opening.say(&self.session)?;
        }
        refusals.stop(ui)?;
        let session = &self.session;
        let needs = Needs { edge: Edge::Registry, wait: self.args.wait };
        let site = Site::open(session, needs).await?;
        if !self.args.new
            && let Some(refusal) = unfollowed::look(&site).await?
        {
            opening.say(session)?;
            return Err(refusal);
        }
        // All is refused that can be before: from here on there is an environment.
        if !session.record_environment()? {
            return Ok(None);
        }
        opening.say(session)?;
        self.settle(&site).await?;
        let hold = Hold::Lock { purpose: "envc apply", wait: !self.args.change.no_wait };
        let (mut engine, loaded) = Engine::open(&site, hold).await?;
        self.say_where_state_stays(&loaded);
        if !session.is_known() {
            return Err(destroyed_meanwhile(&session.target.id));
        }
        let (plan, leases) = self.draft(&mut engine, &loaded, &outside, refusals).await?;
        self.say_without_files(plan.plan());
        say_pending(session, plan.plan());
        self.begin(&engine, plan.plan(), &site.stop).await?;
        let Outside { vault, sources: Some(sources), uploads, migrations, seeds, .. } = &outside
        else {
            return Err(CommandError::failed("BUG: what files are made of is not known"));
        };
        let running = Running {
            migrations,
            seeds,
            vault,
            uploads,
            part: false,
            parallelism: usize::from(self.args.calls.parallelism),
            held: &leases.renewed,
        };
        let before = self.record_account()?;
        self.note_adopted(plan.plan())?;
        let mut counts = registry_report::counts(loaded.state.as_ref());
        let was_recorded = loaded.state.is_some();
        let ran = engine.run(&plan, loaded, running).await;
        if let Ok(report) = &ran {
            counts = registry_report::counts(Some(&report.state));
        }
        let ran = self.refuse_if_taken(&engine, plan.plan(), was_recorded, ran).await;
        let ended = match ran {
            Ok(report) => self.finish(&engine, &plan, sources, report).await,
            Err(error) => Err(error),
        };
        if let Some(edge) = site.registry() {
            let outcome = if ended.is_ok() { Outcome::Applied } else { Outcome::ApplyFailed };
            registry_report::tell(session, edge, &site.stop, outcome, counts).await;
        }
        let counted = (started_ms, engine.spent());
        let code = self.end(&site.stop, (plan.plan(), migrations), ended?, counted).await?;
        self.tell_others(&before);
        Ok(Some(code))
    }

    /// What is settled before any call: without the token of the registry nothing is applied, and whoever
    /// can be asked says what may run.
    async fn settle(&self, site: &Site<'_, '_>) -> Result<(), CommandError> {
        site.demand_registry()?;
        if !self.skips_files() && !self.session.local_databases().is_empty() {
            trust::settle(&self.session, trust::Need::Runs, &site.stop).await?;
        }
        Ok(())
    }

    /// What follows once the environment is applied: wrangler's local copies, and the last lines.
    async fn end(
        &self,
        stop: &Interrupt,
        (plan, migrations): (&Plan, &Migrations),
        (report, written): (Report, Option<Written>),
        (started_ms, spent): (u64, Spent),
    ) -> Result<ExitCode, CommandError> {
        self.tell_files(written.as_ref());
        let local = if written.is_some() && self.writing.out_dir.is_none() {
            self.local_copies(stop, &report, migrations).await
        } else {
            local::Told::default()
        };
        let ms = self.session.workspace.clock.monotonic_ms().saturating_sub(started_ms);
        self.tell(&report, written.as_ref(), (&local, plan), (ms, spent));
        let folder = self.writing.out_dir.as_ref().map(OutDir::path);
        tell_waiting(&self.session, plan, folder);
        local.tell(&self.session);
        if local.interrupted { Err(interrupted()) } else { Ok(ExitCode::Done) }
    }

    /// Brings wrangler's local copies up to what was migrated, where the files of this folder are this
    /// environment's. The environment is applied: what goes wrong here is told, and is no failure.
    async fn local_copies(
        &self,
        stop: &Interrupt,
        report: &Report,
        migrations: &Migrations,
    ) -> local::Told {
        match local::migrate(&self.session, stop, &report.ids, migrations).await {
            Ok(told) => told,
            Err(error) => {
                self.session.ui.caution(&error);
                local::Told::default()
            }
        }
    }

    /// The plan, unless anything is refused.
    async fn draft(
        &self,
        engine: &mut Engine<'_, '_>,
        loaded: &Loaded,
        outside: &Outside,
        mut refusals: Refusals,
    ) -> Result<(CheckedPlan, LeaseAnswers), CommandError> {
        let session = &self.session;
        let asked = Asked {
            adopt: &self.adopted(),
            replace: &self.replaced(),
            unprotect: &self.unprotected(),
            allow_loss: &self.allowed_losses(),
            writing: (!self.skips_files()).then_some(&self.writing),
            leases: LeaseQuestion::Renew,
            runs: Runs::Versions,
        };
        let look = (session, outside);
        let Draft { plan, leases, .. } =
            ready::draft(engine, loaded, look, &asked, &mut refusals).await?;
        self.tell_lost_leases(&leases, loaded.state.as_ref());
        refuse_needless(session, &self.args.unprotect, &plan)?;
        losses::refuse_needless(session, &self.args.allow_loss, &plan)?;
        refuse_unknown_approval(session, &self.args.allow, &plan)?;
        refusals.stop(session.ui)?;
        if let Some(saved) = self.saved.filter(|saved| **saved != plan) {
            return Err(saved::stale(saved, &plan));
        }
        Ok((checked(plan)?, leases))
    }

    /// What is taken over, though nothing proves it: a saved plan says it of itself.
    fn adopted(&self) -> Vec<Address> {
        match self.saved {
            Some(saved) => saved.basis.adopted.iter().cloned().collect(),
            None => self.args.adopt.clone(),
        }
    }

    /// What is made anew, whatever differs: a saved plan says it of itself.
    fn replaced(&self) -> BTreeSet<Address> {
        match self.saved {
            Some(saved) => saved.basis.replace.clone(),
            None => self.args.replace.iter().cloned().collect(),
        }
    }

    /// The migrations that may lose rows though it is protected: a saved plan says it of itself.
    fn allowed_losses(&self) -> BTreeSet<LossyFile> {
        match self.saved {
            Some(saved) => saved.basis.lossy.clone(),
            None => self.args.allow_loss.iter().cloned().collect(),
        }
    }

    /// What may be deleted or replaced though it is protected: a saved plan says it of itself.
    fn unprotected(&self) -> BTreeSet<Address> {
        match self.saved {
            Some(saved) => saved.basis.unprotected.clone(),
            None => self.args.unprotect.iter().cloned().collect(),
        }
    }

    /// What follows the last change in the account. Invariant: files need what was made, so that nothing
    /// which could not be taken away keeps them from being written: the Worker that still uses it can be
    /// deployed without it then.
    async fn finish(
        &self,
        engine: &Engine<'_, '_>,
        plan: &CheckedPlan,
        sources: &Sources,
        report: Report,
    ) -> Result<(Report, Option<Written>), CommandError> {
        if !report.is_made {
            return Ok((engine.finished(report)?, None));
        }
        let written = self.put_files(engine, plan, sources, &report).await;
        match engine.finished(report) {
            Ok(report) => Ok((report, written?)),
            Err(error) => {
                match written {
                    Ok(written) => self.tell_files(written.as_ref()),
                    Err(unwritten) => self.session.ui.caution(&unwritten),
                }
                Err(error)
            }
        }
    }

    /// Writes the files, and says whose folder it is.
    async fn put_files(
        &self,
        engine: &Engine<'_, '_>,
        plan: &CheckedPlan,
        sources: &Sources,
        report: &Report,
    ) -> Result<Option<Written>, CommandError> {
        let mut resources = Resources {
            ids: report.ids.clone(),
            names: names_of(plan.plan()),
            tokens: report.tokens.clone(),
            leases: pools::facts(&self.session, &report.leases, None),
        };
        self.tell_changed_leases(plan.plan(), report);
        let written = if self.skips_files() {
            None
        } else {
            Some(self.write(engine, sources, &mut resources).await?)
        };
        self.bind()?;
        self.note_existing(plan.plan())?;
        Ok(written)
    }

    /// Says which preview IDs were lost, and why.
    fn tell_lost_leases(&self, leases: &LeaseAnswers, state: Option<&State>) {
        let recorded = |pool: &str| Some(&state?.leases.get(pool)?.grant.as_ref()?.id);
        for (pool, why) in &leases.over {
            let id = recorded(pool).map_or("a preview ID", String::as_str);
            self.session.ui.warn(&format!("{id} of the pool {pool} is not held any more: {why}"));
        }
    }

    /// Says which preview IDs are others than before.
    fn tell_changed_leases(&self, plan: &Plan, report: &Report) {
        for step in &plan.steps {
            let Work::Lease(LeaseWork { pool, was: Some(was), .. }) = &step.work else { continue };
            if let Some(leased) = report.leases.get(pool).filter(|leased| leased.id != *was) {
                let now = &leased.id;
                self.session.ui.say(&format!("the preview ID changed from {was} to {now}"));
            }
        }
    }

    /// Said when an environment begins: what the spec asks for holds on Cloudflare alone.
    fn say_where_state_stays(&self, loaded: &Loaded) {
        let session = &self.session;
        let stays = session.environment.state_store == StateStoreKind::Edge
            && session.target.cloud.value == CloudName::Local;
        if stays && loaded.state.is_none() {
            session.ui.say("its state stays on this machine: the local cloud's is never shared");
        }
    }

    /// Files of another environment than the one the folder is bound to are not written here:
    /// production's identifiers never land in a developer's `.env` by accident.
    fn skips_files(&self) -> bool {
        self.writing.out_dir.is_none() && matches!(self.folder, Folder::Left { .. })
    }

    /// Said before anything is approved: whoever applies production from their folder knows then
    /// what they will have in it.
    fn say_without_files(&self, plan: &Plan) {
        let guarded = self.skips_files() && self.session.is_guarded() && !plan.is_empty();
        if let Some(why) = self.folder.why_left(&self.session).filter(|_| guarded) {
            self.session.ui.say(&format!("no files will be written: {why}"));
        }
    }

    /// Asks where that is needed, and makes what has to be there before anything else is made.
    async fn begin(
        &self,
        engine: &Engine<'_, '_>,
        plan: &Plan,
        stop: &Interrupt,
    ) -> Result<(), CommandError> {
        self.approve(plan, stop).await?;
        engine.claim().await?;
        engine.stand_in()
    }

    async fn approve(&self, plan: &Plan, stop: &Interrupt) -> Result<(), CommandError> {
        let ui = self.session.ui;
        // An applied saved plan counts as approved.
        let open: Vec<_> = needs_approval(plan)
            .into_iter()
            .filter(|change| !self.args.allow.contains(&change.address))
            .collect();
        let lossy = losses::open(plan, &self.args.allow_loss);
        if (open.is_empty() && lossy.is_empty()) || self.args.change.yes || self.saved.is_some() {
            if plan.is_empty() {
                warn_notes(ui, plan);
            } else {
                show_summary(ui, plan)?;
            }
            return Ok(());
        }
        show_plan(ui, plan, false)?;
        let names: Vec<String> = open.iter().map(|change| change.address.to_string()).collect();
        let (question, does) = if plan.basis.protected {
            let env = &plan.basis.key.env;
            (
                format!("Change the protected environment `{env}`?"),
                format!("changes the protected environment `{env}`"),
            )
        } else {
            let names = names.into_iter().chain(lossy.iter().map(ToString::to_string));
            let names = names.collect::<Vec<_>>().join(", ");
            (format!("Delete data of {names}?"), format!("deletes data of {names}"))
        };
        if ui.confirm(stop, &question, &does).await? { Ok(()) } else { Err(not_approved()) }
    }

    async fn write(
        &self,
        engine: &Engine<'_, '_>,
        sources: &Sources,
        resources: &mut Resources,
    ) -> Result<Written, CommandError> {
        let stand_ins = sources.render(&self.session, &sources.with_stand_ins(resources))?;
        let fingerprints: BTreeMap<String, Digest> =
            stand_ins.iter().map(|file| (file.path.clone(), file.fingerprint.clone())).collect();
        if generated::nothing_to_do(&self.session, &stand_ins, &self.writing) {
            let unchanged = stand_ins.into_iter().map(|file| file.path).collect();
            return Ok(Written { unchanged, ..Written::default() });
        }
        sources.fetch_tokens(&engine.client, &engine.scope, resources).await?;
        let files = sources.render(&self.session, resources)?;
        generated::write(&self.session, &files, &fingerprints, &self.writing)
    }

    /// Says what became of files, before anything takes its time.
    fn tell_files(&self, written: Option<&Written>) {
        let session = &self.session;
        if written.is_none()
            && let Some(why) = self.folder.why_left(session)
        {
            session.ui.say(&format!("no files were written: {why}"));
        }
        let Some(written) = written else { return };
        for path in &written.made {
            session.ui.say(&format!("wrote {path}"));
        }
        for path in &written.removed {
            session.ui.say(&format!("removed {path}"));
        }
        readers::tell_old_builds(session, &self.writing);
    }

    fn tell(
        &self,
        report: &Report,
        written: Option<&Written>,
        (local, plan): (&local::Told, &Plan),
        (ms, Spent { requests, waited_ms }): (u64, Spent),
    ) {
        let session = &self.session;
        let written = written.cloned().unwrap_or_default();
        let endpoints = session.environment.endpoints.iter();
        let leases = report.leases.iter();
        session.ui.event(&Event::Applied(Applied {
            env: &session.target.id,
            r#type: &session.target.head.name,
            cloud: session.target.cloud.value.as_str(),
            steps: report.done,
            requests,
            waited_ms,
            ms,
            files: &written.made,
            files_unchanged: &written.unchanged,
            files_removed: &written.removed,
            urls: endpoints.map(|end| Url { name: &end.name, url: &end.url }).collect(),
            leases: leases.map(|(pool, leased)| (pool.as_str(), leased.id.as_str())).collect(),
            waiting: plan.waiting().map(Waiting::of).collect(),
        }));
        let Counts { pending, wait, .. } = plan.counts();
        let nothing = report.done == 0
            && written.made.is_empty()
            && written.removed.is_empty()
            && local.migrated == 0;
        let mut lines = Vec::new();
        for endpoint in session.environment.endpoints.iter().filter(|_| !nothing) {
            lines.push(format!("  {:<14} {}", endpoint.name, endpoint.url));
        }
        lines.push(if nothing {
            format!(
                "Nothing to do: `{}` is as the spec says ({}, {}{}{}).",
                session.target.id,
                counted(report.state.resources.len(), "resource"),
                counted(written.unchanged.len(), "file"),
                match pending {
                    0 => String::new(),
                    some => format!(", {}", counted(some, "pending migration")),
                },
                match wait {
                    0 => String::new(),
                    some => format!(", {some} waiting to be deleted"),
                },
            )
        } else {
            format!(
                "Applied `{}`: {}, {}{}, {}.{} s.",
                session.target.id,
                counted(report.state.resources.len(), "resource"),
                match written.made.len() {
                    0 => String::new(),
                    files => format!("{} written, ", counted(files, "file")),
                },
                counted(requests, "request"),
                ms / 1_000,
                ms % 1_000 / 100
            )
        });
        session.ui.outcome(&lines.join("\n"));
        if !nothing && self.writing.out_dir.is_none() && !self.skips_files() {
            tell_deployed_by_wrangler(session);
        }
    }
}

/// The error of an apply that waited for a destroy of its own environment.
fn destroyed_meanwhile(id: &str) -> CommandError {
    let message = format!("`{id}` was destroyed while this command waited for it");
    CommandError::new(ExitCode::TryAgain, message)
        .hint("run the command again: it makes a new environment")
        .code("envc::cli::destroyed_meanwhile")
}
