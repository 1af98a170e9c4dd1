//! `envc migrate mark`: files are written into a database's ledger without being run, because what they do
//! was done otherwise.

use std::collections::BTreeMap;

use envc_core::counted;
use envc_exec::mark;

use super::{files_of, id_in, plan};
use crate::{
    commands::shared::not_approved,
    host::{error::CommandError, exit_code::ExitCode},
    operate::{
        engine::Engine,
        site::{Needs, Site},
    },
    remote::connection::code_of,
    shell::{args::MigrateMarkArgs, events::Event},
    state::Hold,
    workspace::session::Session,
};

pub(super) async fn run(
    session: &Session<'_>,
    args: &MigrateMarkArgs,
) -> Result<ExitCode, CommandError> {
    let (address, env) = (&args.address, &session.target.id);
    let files = files_of(session, address)?;
    let site = Site::open(session, Needs::STATE).await?;
    let hold = Hold::Lock { purpose: "envc migrate mark", wait: !args.change.no_wait };
    let (mut engine, mut loaded) = Engine::open(&site, hold).await?;
    let Some(known) = files.get(address) else {
        let all: Vec<String> =
            session.environment.migrations.keys().map(ToString::to_string).collect();
        return Err(engine.unknown_address(address, "with migrations", &all));
    };
    if let Some(unknown) = args.files.iter().find(|name| known.iter().all(|it| it.name != **name)) {
        let all: Vec<&str> = known.iter().map(|file| file.name.as_str()).collect();
        return Err(CommandError::usage(format!("{address} has no migration {unknown}"))
            .hint(format!("it has: {}", all.join(", ")))
            .code("envc::cli::unknown_address"));
    }
    engine.migrates_all();
    engine.marks();
    let whole = plan(&engine, &loaded, &files, &BTreeMap::new()).await?;
    let id = id_in(&whole, address)?;
    let pending = whole.migrations.get(address).map(|it| it.pending.as_slice()).unwrap_or_default();
    let is_meant = |name: &&String| args.files.is_empty() || args.files.contains(name);
    let marked: Vec<String> = pending.iter().filter(is_meant).cloned().collect();
    if marked.is_empty() {
        session.ui.event(&Event::Marked { address: address.to_string(), files: &marked });
        session.ui.outcome(&format!("Nothing to do: the ledger of {address} has them."));
        return Ok(ExitCode::Done);
    }
    for name in &marked {
        session.ui.say(&format!("{address}  {name} counts as applied, and is not run"));
    }
    let question = format!("Write {} into the ledger?", counted(marked.len(), "migration"));
    let does = format!("writes migrations of {address} of `{env}` down as applied");
    if !args.change.yes && !session.ui.confirm(&site.stop, &question, &does).await? {
        return Err(not_approved());
    }
    let at = (id, engine.ledger_name(address));
    mark(&engine.client, &engine.scope, address, at, &marked).await.map_err(|error| {
        CommandError::failed(format!("the ledger of {address} is as it was"))
            .because(&error)
            .code(code_of(&error))
    })?;
    if let Some(state) = &mut loaded.state {
        // From here on this one is the ledger, whatever was one before.
        let dir = session.environment.migrations.get(address);
        state.set_table(address, dir.and_then(|dir| dir.ledger.as_deref()));
        engine.save(loaded).await?;
    }
    session.ui.event(&Event::Marked { address: address.to_string(), files: &marked });
    session.ui.outcome(&format!(
        "{address} of `{env}`: {} marked as applied.",
        counted(marked.len(), "migration")
    ));
    Ok(ExitCode::Done)
}
