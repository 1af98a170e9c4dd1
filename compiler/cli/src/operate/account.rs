//! The account that a command works on, once it is known: it has to be the one that the environment was
//! applied to.
//!
//! Invariant: what was applied to one account is neither made a second time in another one nor
//! forgotten by a command there, unless the user says that it moves.

use std::path::Path;

use envc_core::host_of;
use envc_exec::ports::StateStore as _;
use envc_plan::{State, StateKey};

use crate::{
    host::error::CommandError,
    remote::connection::Connection,
    state::local::LocalStore,
    workspace::{
        CLOUDFLARE_API, Workspace,
        choice::{AccountInputs, CloudName, other_account},
        registry::AppliedTo,
        session::Session,
    },
};

/// Notes what is worked on, and refuses another account, or another API, than the recorded one.
pub(crate) async fn admit(
    session: &Session<'_>,
    connection: &Connection,
    account: &str,
) -> Result<(), CommandError> {
    let here = AppliedTo {
        cloud: session.target.cloud.value.as_str().to_owned(),
        account: Some(account.to_owned()),
        api: connection.other_api().map(str::to_owned),
    };
    session.settle_here(here.clone());
    if session.target.cloud.value == CloudName::Local {
        return Ok(());
    }
    let recorded = session.applied();
    let states = recorded_by_states(session, &here).await?;
    let inputs =
        AccountInputs { here: &here, recorded: &recorded, states: &states, moves: session.moves };
    match other_account(&inputs) {
        None => Ok(()),
        // One that was only remembered is asked for once more.
        Some(there) => Err(connection.doubt(refused(session, &here, &there), account)),
    }
}

/// The accounts of this cloud in which this machine has a state of the environment, of this
/// repository.
async fn recorded_by_states(
    session: &Session<'_>,
    here: &AppliedTo,
) -> Result<Vec<AppliedTo>, CommandError> {
    let workspace = &session.workspace;
    let mut found = Vec::new();
    for key in LocalStore::list(&workspace.state_dir, &workspace.project.name)? {
        if key.env != session.target.id || key.cloud != here.cloud {
            continue;
        }
        let account = key.account.clone();
        if own_state(workspace, key).await.is_some() {
            found.push(AppliedTo { account: Some(account), ..here.clone() });
        }
    }
    Ok(found)
}

/// The environments of this repository that have a state on this machine, and that no folder which is there
/// is recorded for: a worktree was removed, or the registry was lost, or written anew.
pub(crate) async fn states_without_folder(
    workspace: &Workspace<'_>,
) -> Result<Vec<(String, String, AppliedTo)>, CommandError> {
    let document = workspace.registry_document()?;
    let mut found = Vec::new();
    for key in LocalStore::list(&workspace.state_dir, &workspace.project.name)? {
        if document.has_folder(&workspace.project.name, &key.env, &Path::exists) {
            continue;
        }
        let there =
            AppliedTo { cloud: key.cloud.clone(), account: Some(key.account.clone()), api: None };
        let id = key.env.clone();
        if let Some(state) = own_state(workspace, key).await {
            found.push((id, state.env_type, there));
        }
    }
    Ok(found)
}

/// A state of this repository; none where it cannot be read: then it tells nothing of whose it is.
async fn own_state(workspace: &Workspace<'_>, key: StateKey) -> Option<State> {
    let loaded = LocalStore::read_only(&workspace.state_dir, key).load().await;
    let (state, _) = loaded.ok().flatten()?;
    let is_ours = |it: &String| *it == workspace.project.repository || workspace.was(it);
    state.repository.as_ref().is_none_or(is_ours).then_some(state)
}

fn refused(session: &Session<'_>, here: &AppliedTo, there: &AppliedTo) -> CommandError {
    let id = &session.target.id;
    let is_other_api = there.api.as_deref().map(host_of) != here.api.as_deref().map(host_of);
    let of = |it: &AppliedTo| {
        let account = it.account.as_deref().unwrap_or_default();
        match &it.api {
            None if is_other_api => shown(account, Some(CLOUDFLARE_API)),
            api => shown(account, api.as_deref().filter(|_| is_other_api)),
        }
    };
    let (was, now) = (of(there), of(here));
    let apply = session.command("apply");
    CommandError::failed(format!(
        "`{id}` is recorded in another account than this one; nothing was changed"
    ))
    .because_text(format!("it was applied to {was}, and this is {now}"))
    .hint(match &there.api {
        Some(api) if is_other_api => {
            format!(
                "to go on there, use a token of it, with CLOUDFLARE_API_BASE_URL at {}",
                host_of(api)
            )
        }
        None if is_other_api => {
            "to go on there, use a token of it, without CLOUDFLARE_API_BASE_URL".to_owned()
        }
        _ => {
            let account = there.account.as_deref().unwrap_or_default();
            format!("to go on there, use a token of it, with CLOUDFLARE_ACCOUNT_ID={account}")
        }
    })
    .hint(format!(
        "to move, and work on it here from now on: {apply} --rebind; what is there stays until \
         `{}` with a token of it",
        session.command("destroy")
    ))
    .hint_opt(
        there
            .account
            .as_ref()
            .map(|it| format!("if that account is gone: {}", forget(session, it))),
    )
    .code("envc::cli::other_account")
}

/// The command that forgets an account.
fn forget(session: &Session<'_>, account: &str) -> String {
    session.command_of_cloud(&format!("state forget {account}"))
}

/// Says that an environment is in another account, too, and how to take it away there.
pub(crate) fn still_there(session: &Session<'_>, there: &AppliedTo) -> String {
    format!(
        "`{}` is still {}; to destroy it there: {}",
        session.target.id,
        place(there),
        destroy_there(session, there)
    )
}

/// The command that destroys an environment in another account.
fn destroy_there(session: &Session<'_>, there: &AppliedTo) -> String {
    let command = format!("{} --cloud {}", session.command_of_cloud("destroy"), there.cloud);
    if there.cloud == CloudName::Local.as_str() || session.target.cloud.value == CloudName::Local {
        return command;
    }
    let gone = there.account.as_ref().map(|account| forget(session, account));
    let gone = gone.map_or_else(String::new, |gone| format!("; if that one is gone: {gone}"));
    format!("{command}, with a token of that account{gone}")
}

/// Where something is that was applied there.
pub(crate) fn place(there: &AppliedTo) -> String {
    match (CloudName::parse(&there.cloud), &there.account) {
        (Some(CloudName::Local), _) => "on the local cloud".to_owned(),
        (_, Some(account)) => format!("in {}", shown(account, there.api.as_deref())),
        (_, None) => "on Cloudflare".to_owned(),
    }
}

/// An account, for people.
fn shown(account: &str, api: Option<&str>) -> String {
    match api {
        Some(api) => format!("the account {account} at {}", host_of(api)),
        None => format!("the account {account}"),
    }
}
