//! `envc migrate reset`: a database is emptied in its place, and all of its migrations run anew. Its
//! identifier and its bindings stay.

use std::collections::BTreeMap;

use envc_core::{Address, Desired};
use envc_kinds::kind;
use envc_plan::{MigrationFile, Plan, Standing, Step, Work};

use super::{files_of, id_in, plan, run_plan};
use crate::{
    commands::shared::{not_approved, show_plan},
    host::{error::CommandError, exit_code::ExitCode},
    operate::{
        engine::{self, Engine},
        site::{Needs, Site},
    },
    outputs::local,
    shell::{args::MigrateResetArgs, events::Event},
    state::Hold,
    workspace::{migrations, session::Session},
};

pub(super) async fn run(
    session: &Session<'_>,
    args: &MigrateResetArgs,
) -> Result<ExitCode, CommandError> {
    let address = &args.address;
    let id = &session.target.id;
    let files = files_of(session, address)?;
    let mut seeds = migrations::read_seeds(&session.reading(), &session.environment)?;
    seeds.retain(|of, _| of == address);
    let site = Site::open(session, Needs::STATE).await?;
    let hold = Hold::Lock { purpose: "envc migrate reset", wait: !args.change.no_wait };
    let (mut engine, loaded) = Engine::open(&site, hold).await?;
    refuse(session, &engine, address)?;
    engine.migrates_all();
    let whole = plan(&engine, &loaded, &files, &seeds).await?;
    id_in(&whole, address)?;
    let all = files.get(address).map(Vec::as_slice).unwrap_or_default();
    let plan = engine::checked(emptied(whole, address, all, seeds.get(address)))?;
    show_plan(session.ui, plan.plan(), false)?;
    let question = format!("Delete all data of {address} of `{id}`?");
    let does = format!("deletes all data of {address}");
    if !args.change.yes && !session.ui.confirm(&site.stop, &question, &does).await? {
        return Err(not_approved());
    }
    let _report = run_plan(&engine, &plan, loaded, (&files, &seeds)).await?;
    local::reset(session, address)?;
    session.ui.event(&Event::DatabaseReset { address: address.to_string(), migrations: all.len() });
    session.ui.outcome(&format!(
        "{address} of `{id}` is empty, and has all of its migrations ({}).",
        all.len()
    ));
    Ok(ExitCode::Done)
}

/// Invariant: what is protected or `existing` is never emptied. Before any call.
fn refuse(
    session: &Session<'_>,
    engine: &Engine<'_, '_>,
    address: &Address,
) -> Result<(), CommandError> {
    let wanted = &session.environment.resources;
    let is_database = |it: &Desired| kind(it.address.kind()).database().is_some();
    let Some(database) = wanted.get(address).filter(|it| is_database(it)) else {
        let all = wanted.values().filter(|it| is_database(it) && it.is_managed());
        let all: Vec<String> = all.map(|it| it.address.to_string()).collect();
        return Err(engine.unknown_address(address, "to reset", &all));
    };
    let why = if !database.is_managed() {
        "it is `existing`, and envc never deletes what it holds"
    } else if database.protect || session.environment.protect {
        "it is protected"
    } else {
        return Ok(());
    };
    Err(CommandError::failed(format!("{address} is not reset: {why}; nothing was changed"))
        .code("envc::cli::not_resettable"))
}

/// The plan that empties one database and runs all of its migrations, and nothing else.
fn emptied(
    plan: Plan,
    address: &Address,
    files: &[MigrationFile],
    seed: Option<&MigrationFile>,
) -> Plan {
    let standing = Standing {
        pending: files.iter().map(|file| file.name.clone()).collect(),
        runs: true,
        ..Standing::default()
    };
    let work = Work::Migrate {
        address: address.clone(),
        files: files.iter().map(|file| file.reference(address)).collect(),
        fresh: false,
        reset: true,
        seed: seed.map(|seed| seed.reference(address)),
    };
    Plan {
        changes: super::kept(plan.changes, |it| it == address),
        steps: vec![Step { needs: Vec::new(), work }],
        notes: Vec::new(),
        migrations: BTreeMap::from([(address.clone(), standing)]),
        ..plan
    }
}
