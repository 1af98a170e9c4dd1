//! `envc state forget`: an account that is gone, or that nobody has a token of any more, is recorded no
//! longer.
//!
//! Invariant: no call is made, and what is given up is told before it is asked for.

use std::collections::BTreeSet;

use envc_core::counted;
use envc_exec::ports::{StateStore as _, Version};
use envc_plan::{State, StateKey};

use crate::{
    commands::shared::{NothingMade, not_approved, nothing_made, selection_of},
    host::{
        error::CommandError,
        exit_code::ExitCode,
        file_lock::{Attempt, Holder, Lock},
        interrupt::Interrupt,
    },
    operate::account,
    outputs::{local, out_dir, own},
    shell::{
        app::{App, block_on},
        args::StateForgetArgs,
        events::{Event, Forgotten},
    },
    state::{HeldStore as _, local::LocalStore},
    workspace::{
        choice::{CloudName, OnNewId, Selection},
        project::SpecFile,
        registry::AppliedTo,
        session::Session,
    },
};

pub(super) fn run(app: &App, args: &StateForgetArgs) -> Result<ExitCode, CommandError> {
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref(), &app.env)?;
    let cloud = args.target.cloud.clone();
    let cloud = cloud.or_else(|| Some(CloudName::Cloudflare.as_str().to_owned()));
    let selection = Selection { cloud, ..selection_of(&args.target) };
    let session = Session::open(&app.ui, &app.env, file, &selection, OnNewId::Absent)?;
    let Some(session) = session else {
        let NothingMade { why, others, .. } = nothing_made(app, &args.target, "state forget")?;
        let error = CommandError::new(ExitCode::UnknownEnvironment, why);
        return Err(others.into_iter().fold(error, CommandError::hint));
    };
    block_on(forget(&session, args))?
}

async fn forget(session: &Session<'_>, args: &StateForgetArgs) -> Result<ExitCode, CommandError> {
    let workspace = &session.workspace;
    let key = session.state_key(&args.account);
    let keys = LocalStore::list(&workspace.state_dir, &workspace.project.name)?;
    let has_state = keys.contains(&key);
    let Some(there) = recorded(session, &args.account, has_state) else {
        return Err(not_recorded(session, &args.account, &keys));
    };
    let id = &session.target.id;
    session.settle_here(there.clone());
    let lock = if has_state { Some(lock(session, &key)?) } else { None };
    let store = lock.map(|lock| LocalStore::locked(&workspace.state_dir, key, lock));
    let loaded = match &store {
        Some(store) => store.load().await.map_err(|error| store.explain(&error))?,
        None => None,
    };
    tell(session, &there, loaded.as_ref());
    let place = account::place(&there);
    if !args.yes {
        let question = format!("Forget `{id}` {place}?");
        let does = format!("forgets what is recorded of `{id}` {place}, and deletes nothing there");
        if !workspace.ui.confirm(&Interrupt::listen(), &question, &does).await? {
            return Err(not_approved());
        }
    }
    if let (Some(store), Some((_, version))) = (&store, &loaded) {
        store.remove(version).await.map_err(|error| store.explain(&error))?;
    }
    let files = own::take_away(session, &there)?;
    local::forget(session, &BTreeSet::new())?;
    let now_s = workspace.clock.unix_s();
    workspace.change_record(|copy| copy.forget(id, &there, &files, now_s))?;
    if let Some(store) = store {
        Box::new(store).release()?;
    }
    let account = &args.account;
    workspace.ui.event(&Event::Forgotten(Forgotten { env: id, cloud: &there.cloud, account }));
    workspace.ui.outcome(&format!("Forgot `{id}` {place}."));
    Ok(ExitCode::Done)
}

/// The account as the folder recorded it, else as the state tells it.
fn recorded(session: &Session<'_>, account: &str, has_state: bool) -> Option<AppliedTo> {
    let cloud = session.target.cloud.value.as_str();
    let is_it = |it: &AppliedTo| it.cloud == cloud && it.account.as_deref() == Some(account);
    let of_state =
        || AppliedTo { cloud: cloud.to_owned(), account: Some(account.to_owned()), api: None };
    session.applied().into_iter().find(is_it).or_else(|| has_state.then(of_state))
}

fn not_recorded(session: &Session<'_>, account: &str, keys: &[StateKey]) -> CommandError {
    let id = &session.target.id;
    let applied = session.applied().into_iter().filter_map(|it| Some((it.cloud, it.account?)));
    let states = keys.iter().filter(|key| key.env == *id);
    let states = states.map(|key| (key.cloud.clone(), key.account.clone()));
    let all: BTreeSet<(String, String)> = applied.chain(states).collect();
    let error = CommandError::new(
        ExitCode::UnknownEnvironment,
        format!("`{id}` is not recorded in the account {account}; nothing was changed"),
    );
    let error = all.into_iter().fold(error, |error, (cloud, account)| {
        let command = session.command_of_cloud(&format!("state forget {account}"));
        error.hint(format!("it is recorded in another one: {command} --cloud {cloud}"))
    });
    error.code("envc::cli::not_applied")
}

fn lock(session: &Session<'_>, key: &StateKey) -> Result<Lock, CommandError> {
    let path = LocalStore::lock_path(&session.workspace.state_dir, key)?;
    let me = Holder::me("envc state forget", session.workspace.clock.unix_s());
    match Lock::try_acquire(&path, &me)? {
        Attempt::Held(lock) => Ok(lock),
        Attempt::Busy(holder) => Err(CommandError::new(
            ExitCode::TryAgain,
            format!("{holder} works on `{}`; nothing was changed", session.target.id),
        )
        .hint("run the command again once that is done")),
    }
}

/// Says what is given up, and what stays.
fn tell(session: &Session<'_>, there: &AppliedTo, loaded: Option<&(State, Version)>) {
    let (ui, id, place) = (session.ui, &session.target.id, account::place(there));
    let state = loaded.map(|(state, _)| state);
    let resources = state.iter().flat_map(|state| &state.resources);
    let stays: Vec<String> =
        resources.map(|(address, it)| format!("  {address}  {}", it.name)).collect();
    if stays.is_empty() {
        ui.say(&format!("no resource of `{id}` is recorded {place}; nothing is deleted there"));
    } else {
        ui.say(&format!(
            "what stays {place}, if that is still there, and is known to nobody then ({}):",
            counted(stays.len(), "resource")
        ));
        for line in &stays {
            ui.say(line);
        }
    }
    for (pool, lease) in state.iter().flat_map(|state| &state.leases) {
        let held = lease.grant.as_ref().map_or("a preview ID", |grant| &grant.id);
        ui.say(&format!("  {held} of the pool {pool}, until its lease ends"));
    }
    for (key, _) in own::files_of(session, there) {
        ui.say(&format!("what goes from here: {}", out_dir::shown(session, &key)));
    }
    if session.shares_state() {
        ui.say("the state that the edge Worker keeps of it stays there, too");
    }
    if session.environment.edge.is_some() && there.cloud == CloudName::Cloudflare.as_str() {
        ui.say("the edge Worker's registry is not told");
    }
}
