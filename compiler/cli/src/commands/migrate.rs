//! `envc migrate`: which migrations are applied, and applying them where apply does not.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Vault, counted};
use envc_exec::{help_for_call, read_ledger};
use envc_plan::{Action, Change, Goal, MigrationFile, Plan, Step, Verb};
use envc_spec::MigrateMode;

use super::shared::{known, not_approved, show_plan};
use crate::{
    host::{error::CommandError, exit_code::ExitCode},
    operate::{
        engine::{self, Engine, Loaded, PlanRequest, Running},
        site::{Needs, Site},
    },
    outputs::outside,
    shell::{
        app::{App, block_on},
        args::{MigrateApplyArgs, MigrateVerb, TargetArgs},
        events::Event,
    },
    state::Hold,
    workspace::{
        migrations::{self, Databases},
        session::Session,
    },
};

/// One database's migrations.
struct Status {
    address: Address,
    applied: Vec<String>,
    pending: Vec<String>,
    /// In the ledger, without a file.
    missing: Vec<String>,
}

pub(super) fn run(app: &App, verb: &MigrateVerb) -> Result<ExitCode, CommandError> {
    match verb {
        MigrateVerb::Status(args) => {
            let session = open(app, &args.target)?;
            let found = block_on(statuses(&session))??;
            tell(&session, &found);
            Ok(ExitCode::Done)
        }
        MigrateVerb::Check(args) => {
            let session = open(app, &args.target)?;
            let found = block_on(statuses(&session))??;
            tell(&session, &found);
            let open: usize = found.iter().map(|status| status.pending.len()).sum();
            if open == 0 {
                return Ok(ExitCode::Done);
            }
            let env_type = &session.target.head.name;
            session.ui.say(&format!(
                "Not applied: {}. `envc migrate apply {env_type}` applies them.",
                counted(open, "migration")
            ));
            Ok(ExitCode::Changes)
        }
        MigrateVerb::Apply(args) => {
            let session = open(app, &args.target)?;
            block_on(apply(&session, args))?
        }
    }
}

fn open<'a>(app: &'a App, target: &TargetArgs) -> Result<Session<'a>, CommandError> {
    let mut session = known(app, target)?;
    outside::leave_open(&mut session);
    session.ui.say(&session.heading());
    Ok(session)
}

async fn statuses(session: &Session<'_>) -> Result<Vec<Status>, CommandError> {
    let files = migrations::read(session.workspace.root(), &session.environment, Databases::All)?;
    let site = Site::open(session, Needs::STATE).await?;
    let (engine, mut loaded) = Engine::open(&site, Hold::Read).await?;
    let plan = plan(&engine, &mut loaded, &files, &BTreeMap::new()).await?;
    let reads = files.iter().map(|(address, files)| status(&engine, &plan, address, files));
    futures::future::join_all(reads).await.into_iter().collect()
}

async fn status(
    engine: &Engine<'_, '_>,
    plan: &Plan,
    address: &Address,
    files: &[MigrationFile],
) -> Result<Status, CommandError> {
    let ledger = match id_in(plan, address) {
        Some(id) => {
            read_ledger(&engine.client, &engine.scope, address, id).await.map_err(|error| {
                CommandError::failed(format!("the migrations of {address} cannot be read"))
                    .because(&error)
                    .hint_opt(help_for_call(&error, "D1 Write", false))
            })?
        }
        // Not made yet: nothing is applied.
        None => Vec::new(),
    };
    let names: BTreeSet<&String> = files.iter().map(|file| &file.name).collect();
    let is_applied = |name: &str| ledger.iter().any(|applied| applied == name);
    let pending = files.iter().filter(|file| !is_applied(&file.name));
    Ok(Status {
        address: address.clone(),
        pending: pending.map(|file| file.name.clone()).collect(),
        missing: ledger.iter().filter(|name| !names.contains(name)).cloned().collect(),
        applied: ledger,
    })
}

fn tell(session: &Session<'_>, found: &[Status]) {
    let mut lines = Vec::new();
    for Status { address, applied, pending, missing } in found {
        lines.push(format!("{address}: {} applied, {} pending", applied.len(), pending.len()));
        lines.extend(applied.iter().map(|name| {
            let note = if missing.contains(name) { " (its file is missing)" } else { "" };
            format!("  applied  {name}{note}")
        }));
        lines.extend(pending.iter().map(|name| format!("  pending  {name}")));
        session.ui.event(&Event::Migrations {
            address: address.to_string(),
            applied,
            pending,
            missing,
        });
    }
    if found.is_empty() {
        lines.push("No database of this environment has migrations.".to_owned());
    }
    session.ui.result(&lines.join("\n"));
}

fn id_in<'p>(plan: &'p Plan, address: &Address) -> Option<&'p str> {
    plan.changes.iter().filter(|change| change.address == *address).find_map(Change::staying_id)
}

/// A plan of the whole environment: its changes tell which databases are there.
async fn plan(
    engine: &Engine<'_, '_>,
    loaded: &mut Loaded,
    migrations: &BTreeMap<Address, Vec<MigrationFile>>,
    seeds: &BTreeMap<Address, MigrationFile>,
) -> Result<Plan, CommandError> {
    let request = PlanRequest {
        goal: Goal::Apply,
        observation: &engine.observe(loaded.state.as_ref()).await?,
        keep: &BTreeSet::new(),
        migrations,
        seeds,
    };
    Ok(engine.plan(loaded, &request).await?.plan().clone())
}

async fn apply(session: &Session<'_>, args: &MigrateApplyArgs) -> Result<ExitCode, CommandError> {
    let root = session.workspace.root();
    let files = migrations::read(root, &session.environment, Databases::All)?;
    let seeds = migrations::read_seeds(root, &session.environment)?;
    let site = Site::open(session, Needs::STATE).await?;
    let hold = Hold::Lock { purpose: "envc migrate apply", wait: !args.no_wait };
    let (engine, mut loaded) = Engine::open(&site, hold).await?;
    let whole = plan(&engine, &mut loaded, &files, &seeds).await?;
    let plan = engine::checked(migrations_alone(whole, &files)?)?;
    if plan.plan().steps.is_empty() {
        session.ui.event(&Event::MigratedAll { steps: 0 });
        session.ui.outcome("Nothing to do: every migration is applied.");
        return Ok(ExitCode::Done);
    }
    show_plan(session.ui, plan.plan(), false)?;
    let asks = session.environment.protect || session.environment.migrate == MigrateMode::Manual;
    let question = format!("Run these migrations on `{}`?", session.target.id);
    let does = format!("runs migrations on `{}`", session.target.id);
    if asks && !args.yes && !session.ui.confirm(&question, &does)? {
        return Err(not_approved());
    }
    let no_leases = BTreeMap::new();
    let running = Running {
        migrations: &files,
        seeds: &seeds,
        vault: &Vault::default(),
        uploads: &BTreeMap::new(),
        parallelism: envc_core::limits::PARALLELISM,
        held: &no_leases,
    };
    let report = engine.finished(engine.run(&plan, loaded, running).await?)?;
    session.ui.event(&Event::MigratedAll { steps: report.done });
    session.ui.outcome(&format!(
        "Migrated {} of `{}`.",
        counted(report.done, "database"),
        session.target.id
    ));
    Ok(ExitCode::Done)
}

/// The same plan with nothing but its migrations; a database that is not there has to be made by
/// an apply first.
fn migrations_alone(
    plan: Plan,
    files: &BTreeMap<Address, Vec<MigrationFile>>,
) -> Result<Plan, CommandError> {
    for address in files.keys() {
        if id_in(&plan, address).is_none() {
            return Err(CommandError::failed(format!("{address} is not there yet"))
                .hint("make it first: envc apply")
                .code("envc::cli::no_database"));
        }
    }
    let mut changes = plan.changes;
    changes.retain(|change| files.contains_key(&change.address) && !change.deposed);
    for change in &mut changes {
        change.action = Action::Keep;
        change.fields.clear();
        change.unknown.clear();
        // What is recorded of it stays as it is.
        change.record = None;
    }
    let steps = plan
        .steps
        .into_iter()
        .filter(|step| step.work.verb() == Verb::Migrate)
        .map(|step| Step { needs: Vec::new(), work: step.work })
        .collect();
    Ok(Plan { changes, steps, ..plan })
}
