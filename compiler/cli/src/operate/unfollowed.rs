//! A cache that this user's envc did not write, and what the account has of the environments that it
//! names: the folder of a container that was made anew, of another user, or of somebody who wants what
//! is theirs taken for his.
//!
//! Invariant: such a cache proves nothing, and where something is there that it names, nobody draws
//! another ID in silence: whose it is, the user says.

use envc_core::{KindId, PhysicalName};
use envc_kinds::kind;

use super::site::Site;
use crate::{
    host::{error::CommandError, interrupt::interrupted},
    workspace::session::Session,
};

/// Names that are told.
const NAMES_SHOWN_MAX: usize = 4;

/// The refusal to draw a new ID where the account has what an unfollowed cache names; none where there
/// is nothing, or the ID was not drawn anew.
pub(crate) async fn look(site: &Site<'_, '_>) -> Result<Option<CommandError>, CommandError> {
    let session = site.session;
    let named = session.unfollowed();
    if named.is_empty() || !session.target.minted {
        return Ok(None);
    }
    let workspace = &session.workspace;
    let client = site.connection.client(workspace, &site.reporter, site.stop.flag());
    let scope = site.connection.account(&client).await?;
    let mut found: Vec<String> = Vec::new();
    let mut id = None;
    for of in kinds_of(session) {
        let Some(listing) = kind(of).listing(&scope.place(None)) else { continue };
        let listed = match client.list(&listing, kind(of)).await {
            Ok(listed) => listed,
            Err(_) if site.stop.is_asked() => return Err(interrupted()),
            // The apply itself says what it may not list.
            Err(_) => continue,
        };
        for seen in listed {
            let Some(env) = env_of(session, &seen.name).filter(|env| named.contains(env)) else {
                continue;
            };
            id.get_or_insert(env);
            found.push(format!("{} `{}`", kind(of).noun(), seen.name.escape_debug()));
        }
    }
    Ok(id.map(|id| refusal(session, &id, &found)))
}

/// The kinds of what the environment has.
fn kinds_of(session: &Session<'_>) -> std::collections::BTreeSet<KindId> {
    session.environment.resources.keys().map(envc_core::Address::kind).collect()
}

/// The ID in a name of this project.
fn env_of(session: &Session<'_>, name: &str) -> Option<String> {
    let read = PhysicalName::parse(name)?;
    (read.project == session.workspace.project.prefix).then(|| read.env.to_owned())
}

fn refusal(session: &Session<'_>, id: &str, found: &[String]) -> CommandError {
    let mut shown: Vec<String> = found.iter().take(NAMES_SHOWN_MAX).cloned().collect();
    if found.len() > NAMES_SHOWN_MAX {
        shown.push(format!("{} more", found.len() - NAMES_SHOWN_MAX));
    }
    let shown = shown.join(", ");
    let env_type = &session.target.head.name;
    let adopt: Vec<String> = session
        .environment
        .resources
        .values()
        .filter(|it| it.is_managed())
        .map(|it| format!(" --adopt {}", it.address))
        .collect();
    CommandError::failed("whose environment this folder has is not certain; nothing was changed")
        .because_text(format!(
            "the cache in .envc was not written by this user on this machine, and names `{id}`"
        ))
        .because_text(format!("of that the account has: {shown}"))
        .hint(format!(
            "if it is this folder's, go on with it: envc apply {env_type} --id {id}{}",
            adopt.concat()
        ))
        .hint(format!("if it is somebody else's, get one of its own: envc apply {env_type} --new"))
        .code("envc::cli::foreign_cache")
}
