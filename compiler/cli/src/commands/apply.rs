//! `envc apply`: make the environment what the spec says.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use envc_core::{Address, Digest};
use envc_exec::{
    Client, Report, Run, Scope,
    ports::{Clock as _, Entropy as _, StateStore as _, Version},
};
use envc_plan::{Action, CheckedPlan, Goal, MigrationFile, Ownership, Plan, State, needs_approval};
use envc_spec::MigrateMode;
use serde_json::json;

use super::shared::{
    finished, lock, names_of, not_approved, refuse_later, selection_of, show_plan, stand_ins,
    state_error, zones_of,
};
use crate::{
    app::{App, block_on},
    args::ApplyArgs,
    connect::{Connection, interrupted},
    engine::{self, Databases, PlanRequest},
    error::CommandError,
    exit_code::ExitCode,
    fsio,
    generated::{self, Resources, Sources, Writing, Written},
    interrupt::Interrupt,
    project::SpecFile,
    reporter::Reporter,
    session::{OnNewId, Session},
    state_local::LocalStore,
    tools,
};

/// Bytes of a saved plan.
const PLAN_BYTES_MAX: usize = 256 * 1024 * 1024;

pub(super) fn run(app: &App, args: &ApplyArgs) -> Result<ExitCode, CommandError> {
    let saved = args.plan.as_deref().map(|path| read_plan(&app.cwd.join(path))).transpose()?;
    let mut selection = selection_of(&args.target);
    if let Some(plan) = &saved {
        selection.env_type = Some(plan.basis.env_type.clone());
        selection.id = Some(plan.basis.key.env.clone());
        selection.cloud = Some(plan.basis.key.cloud.clone());
    }
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref())?;
    let Some(session) = Session::open(&app.ui, &app.env, file, &selection, OnNewId::Mint)? else {
        return Err(CommandError::failed("BUG: no ID was minted"));
    };
    session.ui.say(&session.heading());
    refuse_later(&session)?;
    let out_dir = args.out_dir.as_ref().map(|dir| app.cwd.join(dir));
    block_on(async {
        let stop = Interrupt::listen();
        let writing = Writing { out_dir, force: args.force };
        Apply { session, args, writing, saved, stop }.run().await
    })?
}

struct Apply<'a> {
    session: Session<'a>,
    args: &'a ApplyArgs,
    writing: Writing,
    saved: Option<Plan>,
    stop: Interrupt,
}

/// Everything between observation and run.
struct Prepared {
    plan: CheckedPlan,
    state: State,
    version: Option<Version>,
    ownership: Ownership,
    migrations: BTreeMap<Address, Vec<MigrationFile>>,
}

impl Apply<'_> {
    async fn run(self) -> Result<ExitCode, CommandError> {
        let started_ms = self.session.clock.monotonic_ms();
        let session = &self.session;
        let (sources, tools) = (
            Sources::read(session)?,
            tools::check(&session.environment.requires, session.cloud.value, session.env).await?,
        );
        tools.iter().for_each(|line| session.ui.say(line));
        let migrations = match session.environment.migrate {
            MigrateMode::Auto => {
                engine::read_migrations(&session.root, &session.environment, Databases::Managed)?
            }
            MigrateMode::Manual => BTreeMap::new(),
        };
        let reporter = Reporter::new(session.ui);
        let connection = Connection::open(session).await?;
        let client = connection.client(session, &reporter, self.stop.flag());
        let scope = connection.scope(&client, &zones_of(session)).await?;
        let store = lock(session, &scope, &self.stop, "envc apply").await?;
        let prepared = self.prepare(&client, &scope, &store, migrations).await?;
        let names = names_of(prepared.plan.plan());
        let files = !self.skips_files();
        if files {
            self.precheck(&sources, prepared.plan.plan())?;
        }
        self.approve(prepared.plan.plan())?;
        let report = self.execute(&client, &scope, &store, prepared, &reporter).await?;
        let mut resources =
            Resources { ids: report.ids.clone(), names, tokens: report.tokens.clone() };
        let written = if files {
            Some(self.write(&client, &scope, &sources, &mut resources).await?)
        } else {
            None
        };
        self.note()?;
        let ms = self.session.clock.monotonic_ms().saturating_sub(started_ms);
        self.tell(&report, written.as_ref(), ms, client.budget().sent);
        drop(store);
        Ok(ExitCode::Done)
    }

    /// Files of another environment than the one the folder is bound to are not written here:
    /// production's identifiers never land in a developer's `.env` by accident.
    fn skips_files(&self) -> bool {
        self.writing.out_dir.is_none()
            && !self.args.rebind
            && self.session.bound_elsewhere().is_some()
    }

    async fn prepare(
        &self,
        client: &Client<'_>,
        scope: &Scope,
        store: &LocalStore,
        migrations: BTreeMap<Address, Vec<MigrationFile>>,
    ) -> Result<Prepared, CommandError> {
        let session = &self.session;
        let loaded = store.load().await.map_err(|error| state_error(&error))?;
        let (state, version) = match loaded {
            Some((state, version)) => (Some(state), Some(version)),
            None => (None, None),
        };
        let resources = &session.environment.resources;
        let observation = engine::look(client, scope, resources, state.as_ref()).await?;
        let ownership = session.ownership(self.args.adopt)?;
        let plan = engine::make_plan(
            session,
            &PlanRequest {
                goal: Goal::Apply,
                scope,
                state: state.as_ref(),
                observation: &observation,
                ownership: &ownership,
                keep: &BTreeSet::new(),
                migrations: &migrations,
            },
        )?;
        let plan = match &self.saved {
            None => plan,
            Some(saved) if saved == plan.plan() => plan,
            Some(saved) => return Err(stale(saved, plan.plan())),
        };
        let state = state.unwrap_or_else(|| {
            let lineage = session.entropy.hex(8);
            State::new(session.state_key(&scope.account), &session.head.name, lineage)
        });
        Ok(Prepared { plan, state, version, ownership, migrations })
    }

    /// Before anything is changed: would any file be in the way?
    fn precheck(&self, sources: &Sources, plan: &Plan) -> Result<(), CommandError> {
        let complete = plan.steps.is_empty();
        let stand_ins = stand_ins(&self.session, sources, plan);
        let files = sources.render(&self.session, &stand_ins)?;
        generated::precheck(
            &self.session,
            &files,
            complete && !sources.needs_tokens(),
            &self.writing,
        )
    }

    fn approve(&self, plan: &Plan) -> Result<(), CommandError> {
        let ui = self.session.ui;
        if !plan.is_empty() {
            show_plan(ui, plan, false);
        }
        // An applied saved plan counts as approved.
        let open: Vec<_> = needs_approval(plan)
            .into_iter()
            .filter(|change| !self.args.allow.contains(&change.address))
            .collect();
        if open.is_empty() || self.args.yes || self.saved.is_some() {
            return Ok(());
        }
        let names: Vec<String> = open.iter().map(|change| change.address.to_string()).collect();
        let question = if plan.basis.protected {
            format!("Change the protected environment `{}`?", plan.basis.key.env)
        } else {
            format!("Delete data of {}?", names.join(", "))
        };
        if ui.confirm(&question)? { Ok(()) } else { Err(not_approved()) }
    }

    async fn execute(
        &self,
        client: &Client<'_>,
        scope: &Scope,
        store: &LocalStore,
        prepared: Prepared,
        reporter: &Reporter<'_>,
    ) -> Result<Report, CommandError> {
        let Prepared { plan, state, version, ownership, migrations } = prepared;
        if self.stop.is_asked() {
            return Err(interrupted());
        }
        reporter.begin(plan.plan().steps.len());
        let outcome = envc_exec::run(
            &Run {
                client,
                scope,
                store,
                plan: &plan,
                migrations: &migrations,
                parallelism: usize::from(self.args.calls.parallelism),
                names_are_proof: ownership.registered || ownership.per_pr,
            },
            state,
            version,
        )
        .await;
        reporter.end();
        finished(outcome)
    }

    async fn write(
        &self,
        client: &Client<'_>,
        scope: &Scope,
        sources: &Sources,
        resources: &mut Resources,
    ) -> Result<Written, CommandError> {
        let stand_ins = sources.render(&self.session, &sources.with_stand_ins(resources))?;
        let fingerprints: BTreeMap<String, Digest> =
            stand_ins.iter().map(|file| (file.path.clone(), file.fingerprint.clone())).collect();
        if self.writing.out_dir.is_none() && generated::up_to_date(&self.session, &stand_ins) {
            let unchanged = stand_ins.into_iter().map(|file| file.path).collect();
            return Ok(Written { unchanged, ..Written::default() });
        }
        sources.fetch_tokens(client, scope, resources).await?;
        let files = sources.render(&self.session, resources)?;
        generated::write(&self.session, &files, &fingerprints, &self.writing)
    }

    /// Records the cloud, and binds the folder where it is not bound to another environment.
    fn note(&self) -> Result<(), CommandError> {
        let session = &self.session;
        let (env_type, id) = (&session.head.name, &session.id);
        let cloud = session.cloud.value.as_str();
        let record = session.record().clone();
        let known = record.environments.get(id).and_then(|record| record.cloud.as_deref());
        let bound = record.bound.as_ref();
        let bind = (bound.is_none() || self.args.rebind)
            && self.writing.out_dir.is_none()
            && bound.is_none_or(|bound| bound.id != *id || bound.env_type != *env_type);
        session.change_record(|copy| {
            let now_s = session.clock.unix_s();
            if known.is_none() {
                copy.note_cloud(env_type, id, cloud, now_s)?;
            }
            if bind {
                copy.bind(env_type, id, now_s)?;
            }
            Ok(())
        })
    }

    fn tell(&self, report: &Report, written: Option<&Written>, ms: u64, requests: u64) {
        let session = &self.session;
        if written.is_none()
            && let Some(other) = session.bound_elsewhere()
        {
            session.ui.say(&format!(
                "no files were written: this folder is bound to {other}; \
                 --rebind binds it to `{}`, --out-dir DIR writes them elsewhere",
                session.id
            ));
        }
        let written = written.cloned().unwrap_or_default();
        for path in &written.written {
            session.ui.say(&format!("wrote {path}"));
        }
        let endpoints: Vec<_> = session
            .environment
            .endpoints
            .iter()
            .map(|endpoint| json!({ "name": endpoint.name, "url": endpoint.url }))
            .collect();
        session.ui.event(
            "applied",
            json!({
                "env": session.id, "type": session.head.name, "cloud": session.cloud.value.as_str(),
                "steps": report.done, "requests": requests, "ms": ms,
                "files": written.written, "files_unchanged": written.unchanged,
                "urls": endpoints,
            }),
        );
        let nothing = report.done == 0 && written.written.is_empty();
        let mut lines = Vec::new();
        for endpoint in session.environment.endpoints.iter().filter(|_| !nothing) {
            lines.push(format!("  {:<14} {}", endpoint.name, endpoint.url));
        }
        lines.push(if nothing {
            format!(
                "Nothing to do: `{}` is as the spec says ({} resources, {} files).",
                session.id,
                report.state.resources.len(),
                written.unchanged.len()
            )
        } else {
            format!(
                "Applied `{}`: {} resources, {} files written, {} requests, {}.{} s.",
                session.id,
                report.state.resources.len(),
                written.written.len(),
                requests,
                ms / 1_000,
                ms % 1_000 / 100
            )
        });
        session.ui.result(&lines.join("\n"));
    }
}

fn read_plan(path: &Path) -> Result<Plan, CommandError> {
    let bytes = fsio::read(path, PLAN_BYTES_MAX)?.ok_or_else(|| {
        CommandError::usage(format!("there is no plan {}", path.display()))
            .hint("write one: envc plan --out FILE")
    })?;
    Plan::parse(&bytes).map_err(|error| {
        CommandError::usage(format!("{} cannot be used", path.display()))
            .because_text(error)
            .hint("write it again: envc plan --out FILE")
            .code("envc::cli::plan_unreadable")
    })
}

/// Says what moved since a plan was saved.
fn stale(saved: &Plan, now: &Plan) -> CommandError {
    let moved = if saved.basis.spec != now.basis.spec {
        "the spec was changed"
    } else if (&saved.basis.lineage, saved.basis.serial) != (&now.basis.lineage, now.basis.serial) {
        "the environment was applied or destroyed"
    } else {
        "what is in the account was changed"
    };
    let count =
        |plan: &Plan| plan.changes.iter().filter(|change| change.action != Action::Keep).count();
    CommandError::failed("the saved plan is stale; nothing was changed")
        .because_text(format!("{moved} since it was made"))
        .because_text(format!("it has {} changes, and now there are {}", count(saved), count(now)))
        .hint("plan again: envc plan --out FILE")
        .code("envc::cli::stale_plan")
}
