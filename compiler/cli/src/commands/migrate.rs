//! `envc migrate`: which migrations are applied, applying them where apply does not, and applying
//! all of them anew.

mod mark;
mod new;
mod reset;
mod restore;

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Vault, counted};
use envc_exec::Report;
use envc_plan::{Action, Change, CheckedPlan, Goal, MigrationFile, Plan, Standing, Step, Verb};
use envc_spec::MigrateMode;

use super::{
    losses,
    shared::{known, not_approved, refuse_renamed, say_heading, show_plan, warn_notes},
};
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
        migrations::{self, Databases, Seeds},
        session::Session,
    },
};

/// The migrations of each database that has a folder.
type Files = BTreeMap<Address, Vec<MigrationFile>>;
/// How the migrations of each database stand.
type Standings = BTreeMap<Address, Standing>;

pub(super) fn run(app: &App, verb: &MigrateVerb) -> Result<ExitCode, CommandError> {
    match verb {
        MigrateVerb::Status(args) => {
            let session = open(app, &args.target, "migrate status", true)?;
            let found = block_on(standings(&session))??;
            tell(&session, &found);
            Ok(ExitCode::Done)
        }
        MigrateVerb::Check(args) => {
            let session = open(app, &args.target, "migrate check", true)?;
            let found = block_on(standings(&session))??;
            tell(&session, &found);
            Ok(check(&session, &found))
        }
        MigrateVerb::Apply(args) => {
            let session = open(app, &args.change.target, "migrate apply", false)?;
            block_on(apply(&session, args))?
        }
        MigrateVerb::New(args) => new::run(app, args),
        MigrateVerb::Mark(args) => {
            let session = open(app, &args.change.target, "migrate mark", false)?;
            block_on(mark::run(&session, args))?
        }
        MigrateVerb::Restore(args) => {
            let session = open(app, &args.change.target, "migrate restore", false)?;
            block_on(restore::run(&session, args))?
        }
        MigrateVerb::Reset(args) => {
            let session = open(app, &args.change.target, "migrate reset", false)?;
            block_on(reset::run(&session, args))?
        }
    }
}

fn open<'a>(
    app: &'a App,
    target: &TargetArgs,
    verb: &str,
    looks: bool,
) -> Result<Session<'a>, CommandError> {
    let mut session = known(app, target, verb, looks)?;
    outside::leave_open(&mut session);
    say_heading(&session);
    Ok(session)
}

async fn standings(session: &Session<'_>) -> Result<Standings, CommandError> {
    let reading = session.reading();
    let files = migrations::read(&reading, &session.environment, Databases::All)?;
    for (address, dir) in &session.environment.migrations {
        for odd in migrations::look(&reading, dir)?.oddities {
            session.ui.warn(&format!("{address}: in {}: {}; {}", dir.path, odd.what, odd.help));
        }
    }
    let site = Site::open(session, Needs::STATE).await?;
    let (mut engine, loaded) = Engine::open(&site, Hold::Read).await?;
    engine.migrates_all();
    engine.tell_stand_ins();
    Ok(plan(&engine, &loaded, &files, &BTreeMap::new()).await?.migrations)
}

fn tell(session: &Session<'_>, found: &Standings) {
    let mut lines = Vec::new();
    for (address, standing) in found {
        let Standing { applied, pending, missing, edited, late, renamed, lacking, risks, .. } =
            standing;
        lines.push(format!("{address}: {} applied, {} pending", applied.len(), pending.len()));
        lines.extend(applied.iter().map(|name| {
            let note = if missing.contains(name) {
                " (its file is missing)"
            } else if edited.contains(name) {
                " (edited since: the edit is not applied)"
            } else {
                ""
            };
            format!("  applied  {name}{note}")
        }));
        lines.extend(pending.iter().flat_map(|name| {
            let note = match (renamed.get(name), late.get(name)) {
                (Some(was), _) => format!(" (has the content of {was}: rename it back)"),
                (None, Some(after)) => format!(" (comes before {after}, which is applied)"),
                (None, None) if lacking.contains(name) => " (was recorded as applied)".to_owned(),
                (None, None) => String::new(),
            };
            let risks = risks.iter().filter(move |risk| risk.file == *name);
            let risks = risks.map(|it| format!("           line {}: {}", it.line, it.what));
            std::iter::once(format!("  pending  {name}{note}")).chain(risks)
        }));
        session.ui.event(&Event::Migrations {
            address: address.to_string(),
            applied,
            pending,
            missing,
            edited,
            late,
            renamed,
            lacking,
            risks: risks.iter().map(Into::into).collect(),
        });
    }
    if found.is_empty() {
        lines.push("No database of this environment has migrations.".to_owned());
    }
    session.ui.result(&lines.join("\n"));
}

/// The gate before a deployment: files and ledgers say the same.
fn check(session: &Session<'_>, found: &Standings) -> ExitCode {
    if found.values().all(Standing::is_clean) {
        return ExitCode::Done;
    }
    let all = |of: fn(&Standing) -> &Vec<String>| -> Vec<String> {
        let each = found.iter().flat_map(|(address, standing)| {
            of(standing).iter().map(move |name| format!("{address} {name}"))
        });
        each.collect()
    };
    let pending = all(|it| &it.pending);
    if !pending.is_empty() {
        session.ui.say(&format!(
            "Not applied: {}. `{}` applies {}.",
            counted(pending.len(), "migration"),
            session.command("migrate apply"),
            if pending.len() == 1 { "it" } else { "them" }
        ));
    }
    for (what, names, help) in [
        ("Edited after it was applied", all(|it| &it.edited), "put the edit into a new migration"),
        ("Applied, and without a file", all(|it| &it.missing), "put the file back"),
    ] {
        if !names.is_empty() {
            session.ui.say(&format!("{what}: {}; {help}.", names.join(", ")));
        }
    }
    for (address, standing) in found {
        for renamed in standing.renames() {
            session.ui.say(&format!("{address}: {renamed}."));
        }
    }
    ExitCode::Changes
}

/// The identifier of a database that is there.
fn id_in<'p>(plan: &'p Plan, address: &Address) -> Result<&'p str, CommandError> {
    let mut changes = plan.changes.iter().filter(|change| change.address == *address);
    changes.find_map(Change::staying_id).ok_or_else(|| {
        CommandError::failed(format!("{address} is not there yet"))
            .hint("make it first: envc apply")
            .code("envc::cli::no_database")
    })
}

/// The files of one database, where it has a folder of them.
fn files_of(session: &Session<'_>, address: &Address) -> Result<Files, CommandError> {
    let mut files = migrations::read(&session.reading(), &session.environment, Databases::All)?;
    files.retain(|of, _| of == address);
    Ok(files)
}

/// A plan of the whole environment: its changes tell which databases are there, and the ledgers
/// what they lack.
async fn plan(
    engine: &Engine<'_, '_>,
    loaded: &Loaded,
    files: &Files,
    seeds: &Seeds,
) -> Result<Plan, CommandError> {
    let state = loaded.state.as_ref();
    let (observed, ledgers) =
        futures::join!(engine.observe(state), engine.known_ledgers(state, files));
    let mut observation = observed?;
    observation.ledgers = ledgers?;
    let request = PlanRequest {
        goal: Goal::Apply,
        observation: &observation,
        keep: &BTreeSet::new(),
        migrations: files,
        seeds,
    };
    Ok(engine.plan(loaded, &request).await?.plan().clone())
}

async fn apply(session: &Session<'_>, args: &MigrateApplyArgs) -> Result<ExitCode, CommandError> {
    let reading = session.reading();
    let files = migrations::read(&reading, &session.environment, Databases::All)?;
    let seeds = migrations::read_seeds(&reading, &session.environment)?;
    let site = Site::open(session, Needs::STATE).await?;
    let hold = Hold::Lock { purpose: "envc migrate apply", wait: !args.change.no_wait };
    let (mut engine, loaded) = Engine::open(&site, hold).await?;
    engine.migrates_all();
    engine.allow_loss(&args.allow_loss.iter().cloned().collect());
    let whole = plan(&engine, &loaded, &files, &seeds).await?;
    let plan = engine::checked(migrations_alone(whole, &files)?)?;
    refuse_renamed(plan.plan())?;
    losses::refuse_needless(session, &args.allow_loss, plan.plan())?;
    losses::refuse(session, "migrate apply", plan.plan())?;
    if plan.plan().steps.is_empty() {
        warn_notes(session.ui, plan.plan());
        session.ui.event(&Event::MigratedAll { steps: 0 });
        session.ui.outcome("Nothing to do: every migration is applied.");
        return Ok(ExitCode::Done);
    }
    show_plan(session.ui, plan.plan(), false)?;
    let lossy = losses::open(plan.plan(), &args.allow_loss);
    let asks = session.environment.protect
        || session.environment.migrate == MigrateMode::Manual
        || !lossy.is_empty();
    let question = format!("Run these migrations on `{}`?", session.target.id);
    let does = match lossy.as_slice() {
        [] => format!("runs migrations on `{}`", session.target.id),
        lossy => {
            let names: Vec<String> = lossy.iter().map(ToString::to_string).collect();
            format!(
                "runs migrations on `{}` that lose rows: {}",
                session.target.id,
                names.join(", ")
            )
        }
    };
    if asks && !args.change.yes && !session.ui.confirm(&site.stop, &question, &does).await? {
        return Err(not_approved());
    }
    let report = run_plan(&engine, &plan, loaded, (&files, &seeds)).await?;
    session.ui.event(&Event::MigratedAll { steps: report.done });
    session.ui.outcome(&format!(
        "Migrated {} of `{}`.",
        counted(report.done, "database"),
        session.target.id
    ));
    Ok(ExitCode::Done)
}

/// Runs a plan of migrations alone.
async fn run_plan(
    engine: &Engine<'_, '_>,
    plan: &CheckedPlan,
    loaded: Loaded,
    (files, seeds): (&Files, &Seeds),
) -> Result<Report, CommandError> {
    engine.stand_in()?;
    let running = Running {
        migrations: files,
        seeds,
        vault: &Vault::default(),
        uploads: &BTreeMap::new(),
        part: true,
        parallelism: envc_core::limits::PARALLELISM,
        held: &BTreeMap::new(),
    };
    engine.finished(engine.run(plan, loaded, running).await?)
}

/// The same plan with nothing but its migrations; a database that is not there has to be made by
/// an apply first.
fn migrations_alone(plan: Plan, files: &Files) -> Result<Plan, CommandError> {
    for address in files.keys() {
        id_in(&plan, address)?;
    }
    let changes = kept(plan.changes, |address| files.contains_key(address));
    let steps = plan
        .steps
        .into_iter()
        .filter(|step| step.work.verb() == Verb::Migrate)
        .map(|step| Step { needs: Vec::new(), work: step.work })
        .collect();
    Ok(Plan { changes, steps, ..plan })
}

/// The changes of some databases, made into none.
fn kept(mut changes: Vec<Change>, of: impl Fn(&Address) -> bool) -> Vec<Change> {
    changes.retain(|change| of(&change.address) && !change.deposed);
    for change in &mut changes {
        change.action = Action::Keep;
        change.fields.clear();
        change.unknown.clear();
        change.loses.clear();
        // What is recorded of it stays as it is.
        change.record = None;
    }
    changes
}
