//! `envc apply`: make the environment what the spec says.

mod saved;

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Digest, Vault, counted};
use envc_edge_api::Outcome;
use envc_exec::{LeaseAnswers, LeaseQuestion, Report, ports::Clock as _};
use envc_plan::{
    CheckedPlan, Goal, LeaseWork, MigrationFile, Observation, Plan, State, Work, needs_approval,
};
use envc_spec::StateStoreKind;

use super::shared::{
    names_of, not_approved, opened_anew, refuse_later, refuse_renamed, say_pending, say_warnings,
    selection_of, show_plan, show_summary, stand_ins, warn_notes,
};
use crate::{
    host::{
        error::CommandError,
        exit_code::ExitCode,
        interrupt::{Interrupt, interrupted},
    },
    operate::{
        claim,
        engine::{Engine, Loaded, PlanRequest, Running},
        site::{Edge, Needs, Site},
    },
    outputs::{
        bundle::{self, Uploads},
        generated::{self, Writing, Written},
        local,
        out_dir::OutDir,
        outside,
        sources::{Resources, Sources},
    },
    remote::{
        pools::{self, LeaseFacts},
        registry_report,
    },
    shell::{
        app::{App, block_on},
        args::ApplyArgs,
        events::{Applied, Event, Url},
    },
    state::Hold,
    workspace::{
        choice::CloudName,
        choice::OnNewId,
        migrations::{self, Databases},
        project::SpecFile,
        session::Session,
        tools,
    },
};

pub(super) fn run(app: &App, args: &ApplyArgs) -> Result<ExitCode, CommandError> {
    let saved = args.plan.as_deref().map(|path| saved::read(&app.cwd.join(path))).transpose()?;
    let mut selection = selection_of(&args.target);
    selection.adopt = args.adopt.iter().cloned().collect();
    if let Some(plan) = &saved {
        selection.env_type = Some(plan.basis.env_type.clone());
        selection.id = Some(plan.basis.key.env.clone());
        selection.cloud = Some(plan.basis.key.cloud.clone());
        selection.by_plan = true;
    }
    opened_anew(|| {
        let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref())?;
        let session = Session::open(&app.ui, &app.env, file, &selection, OnNewId::Mint)?;
        let Some(session) = session else {
            return Err(CommandError::failed("BUG: no ID was minted"));
        };
        if let Some(plan) = &saved {
            saved::refuse_others(&session, plan)?;
        }
        session.ui.say(&session.heading());
        say_warnings(&session);
        refuse_later(&session)?;
        claim::refuse_nobody(&session)?;
        let out_dir = match &args.out_dir {
            Some(dir) => OutDir::named(&session, &app.cwd.join(dir))?,
            None => None,
        };
        let writing = Writing { out_dir, force: args.force };
        block_on(Apply { session, args, writing, saved: saved.as_ref() }.run())?
    })
}

struct Apply<'a> {
    session: Session<'a>,
    args: &'a ApplyArgs,
    writing: Writing,
    saved: Option<&'a Plan>,
}

impl Apply<'_> {
    /// `None`: the session has to be opened anew.
    async fn run(mut self) -> Result<Option<ExitCode>, CommandError> {
        let started_ms = self.session.workspace.clock.monotonic_ms();
        let (vault, sources, uploads) = self.look_outside().await?;
        let session = &self.session;
        let root = session.workspace.root();
        let migrations = migrations::read(root, &session.environment, Databases::Managed)?;
        let seeds = migrations::read_seeds(root, &session.environment)?;
        // All is refused that can be without a call: from here on there is an environment.
        if !session.record_environment()? {
            return Ok(None);
        }
        let needs = Needs { edge: Edge::Registry, wait: self.args.wait };
        let site = Site::open(session, needs).await?;
        let hold = Hold::Lock { purpose: "envc apply", wait: !self.args.no_wait };
        let (mut engine, loaded) = Engine::open(&site, hold).await?;
        engine.demand_pools()?;
        self.say_where_state_stays(&loaded);
        if !session.is_known() {
            return Err(destroyed_meanwhile(&session.target.id));
        }
        self.ask(&mut engine, loaded.state.as_ref())?;
        // Asking tools for their versions takes as long as a round trip, so both are done at once.
        let state = loaded.state.as_ref();
        let (observed, ledgers, tools) = tokio::join!(
            engine.observe_with_leases(state, LeaseQuestion::Renew),
            engine.known_ledgers(state, &migrations),
            tools::check(&session.environment.requires, session.target.cloud.value, session.env)
        );
        for line in tools? {
            session.ui.say(&line);
        }
        let (mut observation, leases) = observed?;
        observation.ledgers = ledgers?;
        self.tell_lost_leases(&leases, loaded.state.as_ref());
        engine.check_leases(&leases.renewed)?;
        let plan = self.plan(&engine, &loaded, &observation, (&migrations, &seeds)).await?;
        refuse_renamed(plan.plan())?;
        if !self.skips_files() {
            let known = pools::facts(session, &leases.renewed, None);
            self.precheck(&sources, plan.plan(), known)?;
        }
        say_pending(session, plan.plan());
        self.approve(plan.plan())?;
        engine.claim().await?;
        let running = Running {
            migrations: &migrations,
            seeds: &seeds,
            vault: &vault,
            uploads: &uploads,
            parallelism: usize::from(self.args.calls.parallelism),
            held: &leases.renewed,
        };
        self.record_cloud()?;
        let mut counts = registry_report::counts(loaded.state.as_ref());
        let ran = engine.run(&plan, loaded, running).await;
        if let Ok(report) = &ran {
            counts = registry_report::counts(Some(&report.state));
        }
        let ended = match ran.and_then(|report| engine.finished(report)) {
            Ok(report) => self.finish(&engine, &plan, &sources, report).await,
            Err(error) => Err(error),
        };
        if let Some(edge) = site.registry() {
            let outcome = if ended.is_ok() { Outcome::Applied } else { Outcome::ApplyFailed };
            registry_report::tell(session, edge, &site.stop, outcome, counts).await;
        }
        let pending = plan.plan().counts().pending;
        let counted = (pending, started_ms, engine.requests());
        self.end(&site.stop, ended?, counted).await.map(Some)
    }

    /// What follows once the environment is applied: wrangler's local copies, and the last lines.
    async fn end(
        &self,
        stop: &Interrupt,
        (report, written): (Report, Option<Written>),
        (pending, started_ms, requests): (usize, u64, u64),
    ) -> Result<ExitCode, CommandError> {
        self.tell_files(written.as_ref());
        let local = self.local_copies(stop, &report, written.is_some()).await;
        let ms = self.session.workspace.clock.monotonic_ms().saturating_sub(started_ms);
        self.tell(&report, written.as_ref(), (&local, pending), (ms, requests));
        local.tell(&self.session);
        if local.interrupted { Err(interrupted()) } else { Ok(ExitCode::Done) }
    }

    /// Brings wrangler's local copies up to what was migrated, where the files of this folder are this
    /// environment's. The environment is applied: what goes wrong here is told, and is no failure.
    async fn local_copies(&self, stop: &Interrupt, report: &Report, files: bool) -> local::Told {
        if !files || self.writing.out_dir.is_some() {
            return local::Told::default();
        }
        match local::migrate(&self.session, stop, &report.ids).await {
            Ok(told) => told,
            Err(error) => {
                self.session.ui.caution(&error);
                local::Told::default()
            }
        }
    }

    /// Tells the engine what the command line, or the saved plan, asks for.
    fn ask(&self, engine: &mut Engine<'_, '_>, state: Option<&State>) -> Result<(), CommandError> {
        engine.migrates_as_the_spec_says();
        engine.adopt(&self.args.adopt, state)?;
        engine.replace(&match self.saved {
            Some(saved) => saved.basis.replace.clone(),
            None => self.args.replace.iter().cloned().collect(),
        })
    }

    /// What comes from outside the spec: values, templates and bundles.
    async fn look_outside(&mut self) -> Result<(Vault, Sources, Uploads), CommandError> {
        let (inputs, missing) = outside::look_up(&self.session).await?;
        let (vault, unfit) = outside::put_in(&mut self.session, &inputs);
        outside::refuse(missing, &unfit)?;
        let sources = Sources::read(&self.session, inputs)?;
        Ok((vault, sources, bundle::read(&mut self.session)?))
    }

    /// What follows the last change in the account: files, and whose folder it is.
    async fn finish(
        &self,
        engine: &Engine<'_, '_>,
        plan: &CheckedPlan,
        sources: &Sources,
        report: Report,
    ) -> Result<(Report, Option<Written>), CommandError> {
        let mut resources = Resources {
            ids: report.ids.clone(),
            names: names_of(plan.plan()),
            tokens: report.tokens.clone(),
            leases: pools::facts(&self.session, &report.leases, None),
        };
        self.tell_changed_leases(plan.plan(), &report);
        let written = if self.skips_files() {
            None
        } else {
            Some(self.write(engine, sources, &mut resources).await?)
        };
        self.bind()?;
        Ok((report, written))
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

    /// A saved plan is done exactly, or refused when anything moved since.
    async fn plan(
        &self,
        engine: &Engine<'_, '_>,
        loaded: &Loaded,
        observation: &Observation,
        (migrations, seeds): (
            &BTreeMap<Address, Vec<MigrationFile>>,
            &BTreeMap<Address, MigrationFile>,
        ),
    ) -> Result<CheckedPlan, CommandError> {
        let keep = BTreeSet::new();
        let request =
            PlanRequest { goal: Goal::Apply, observation, keep: &keep, migrations, seeds };
        let plan = engine.plan(loaded, &request).await?;
        match self.saved {
            Some(saved) if saved != plan.plan() => Err(saved::stale(saved, plan.plan())),
            Some(_) | None => Ok(plan),
        }
    }

    /// Files of another environment than the one the folder is bound to are not written here:
    /// production's identifiers never land in a developer's `.env` by accident.
    fn skips_files(&self) -> bool {
        self.writing.out_dir.is_none()
            && !self.args.rebind
            && self.session.bound_elsewhere().is_some()
    }

    /// Before anything is changed: would any file be in the way?
    fn precheck(
        &self,
        sources: &Sources,
        plan: &Plan,
        leases: BTreeMap<String, LeaseFacts>,
    ) -> Result<(), CommandError> {
        let complete = plan.steps.is_empty();
        let stand_ins = stand_ins(&self.session, sources, plan, leases);
        let files = sources.render(&self.session, &stand_ins)?;
        generated::precheck(
            &self.session,
            &files,
            complete && !sources.needs_secrets_of_the_cloud(),
            &self.writing,
        )
    }

    fn approve(&self, plan: &Plan) -> Result<(), CommandError> {
        let ui = self.session.ui;
        // An applied saved plan counts as approved.
        let open: Vec<_> = needs_approval(plan)
            .into_iter()
            .filter(|change| !self.args.allow.contains(&change.address))
            .collect();
        if open.is_empty() || self.args.yes || self.saved.is_some() {
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
            let names = names.join(", ");
            (format!("Delete data of {names}?"), format!("deletes data of {names}"))
        };
        if ui.confirm(&question, &does)? { Ok(()) } else { Err(not_approved()) }
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

    /// Records the cloud before anything is made in it: an apply that is killed goes on there.
    fn record_cloud(&self) -> Result<(), CommandError> {
        let session = &self.session;
        let known = session
            .workspace
            .record()
            .environments
            .get(&session.target.id)
            .cloned()
            .unwrap_or_default();
        if known.cloud.is_some() {
            return Ok(());
        }
        let cloud = session.target.cloud.value.as_str();
        session.workspace.change_record(|copy| {
            copy.record_cloud(
                &session.target.head.name,
                &session.target.id,
                cloud,
                session.workspace.clock.unix_s(),
            )
        })
    }

    /// Binds the folder where it is not bound to another environment.
    fn bind(&self) -> Result<(), CommandError> {
        let session = &self.session;
        let (env_type, id) = (&session.target.head.name, &session.target.id);
        let bound = session.workspace.record().bound.clone();
        let bound = bound.as_ref();
        let bind = (bound.is_none() || self.args.rebind)
            && self.writing.out_dir.is_none()
            && bound.is_none_or(|bound| bound.id != *id || bound.env_type != *env_type);
        if !bind {
            return Ok(());
        }
        session
            .workspace
            .change_record(|copy| copy.bind(env_type, id, session.workspace.clock.unix_s()))
    }

    /// Says what became of files, before anything takes its time.
    fn tell_files(&self, written: Option<&Written>) {
        let session = &self.session;
        if written.is_none()
            && let Some(other) = session.bound_elsewhere()
        {
            session.ui.say(&format!(
                "no files were written: this folder is bound to {other}; \
                 --rebind binds it to `{}`, --out-dir DIR writes them elsewhere",
                session.target.id
            ));
        }
        let Some(written) = written else { return };
        for path in &written.made {
            session.ui.say(&format!("wrote {path}"));
        }
        for path in &written.removed {
            session.ui.say(&format!("removed {path}"));
        }
    }

    fn tell(
        &self,
        report: &Report,
        written: Option<&Written>,
        (local, pending): (&local::Told, usize),
        (ms, requests): (u64, u64),
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
            ms,
            files: &written.made,
            files_unchanged: &written.unchanged,
            files_removed: &written.removed,
            urls: endpoints.map(|end| Url { name: &end.name, url: &end.url }).collect(),
            leases: leases.map(|(pool, leased)| (pool.as_str(), leased.id.as_str())).collect(),
        }));
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
                "Nothing to do: `{}` is as the spec says ({}, {}{}).",
                session.target.id,
                counted(report.state.resources.len(), "resource"),
                counted(written.unchanged.len(), "file"),
                match pending {
                    0 => String::new(),
                    some => format!(", {}", counted(some, "pending migration")),
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
    }
}

/// The error of an apply that waited for a destroy of its own environment.
fn destroyed_meanwhile(id: &str) -> CommandError {
    let message = format!("`{id}` was destroyed while this command waited for it");
    CommandError::new(ExitCode::TryAgain, message)
        .hint("run the command again: it makes a new environment")
        .code("envc::cli::destroyed_meanwhile")
}
