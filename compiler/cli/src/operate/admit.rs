//! Which state a command may go on with: one of this repository's.

use std::collections::BTreeSet;

use envc_core::Address;
use envc_plan::State;

use crate::{
    host::{error::CommandError, fsio},
    workspace::{registry::Applied, session::Session, whose::other},
};

/// Refuses a state of another repository. True: it was taken over, and has to be written.
pub(crate) fn admit(session: &Session<'_>, state: &mut State) -> Result<bool, CommandError> {
    let ours = &session.workspace.project.repository;
    match &state.repository {
        Some(theirs) if theirs == ours => return Ok(false),
        Some(theirs) if session.workspace.was(theirs) => {}
        Some(theirs) => {
            let error = other(&format!("the environment `{}`", session.target.id), theirs, ours);
            let document = session.workspace.registry_document()?;
            return Err(match document.folder_of(theirs) {
                Some(folder) => {
                    error.hint(format!("that one is worked on in {}", folder.display()))
                }
                None => error,
            });
        }
        None => admit_unsaid(session, state)?,
    }
    state.repository = Some(ours.clone());
    Ok(true)
}

/// Admits a state that does not say whose it is: the first version wrote it. It is believed where it
/// was applied from this clone, or where the user names all that it holds.
fn admit_unsaid(session: &Session<'_>, state: &State) -> Result<(), CommandError> {
    let applied = session.applied_from()?;
    let wanted = &session.environment.resources;
    let managed = |address: &Address| {
        wanted.get(address).is_some_and(|it| it.is_managed() && it.parent.is_none())
    };
    let begun = state.intents.iter().map(|intent| &intent.address);
    let held: BTreeSet<&Address> =
        state.resources.keys().chain(begun).filter(|address| managed(address)).collect();
    let held: Vec<&Address> = held.into_iter().collect();
    let is_named = !held.is_empty() && held.iter().all(|address| session.adopt.contains(*address));
    if applied == Applied::Here || is_named {
        return Ok(());
    }
    let error = CommandError::failed(format!(
        "the record of `{}` does not say whose it is; nothing was changed",
        session.target.id
    ))
    .code("envc::cli::repository_unknown");
    let error = match applied {
        Applied::Elsewhere(folder) => error
            .because_text(format!(
                "an older envc wrote it, and it was applied from {}",
                folder.display()
            ))
            .hint(format!(
                "run the command there once: envc -C {} apply",
                fsio::for_shell(&folder)
            )),
        Applied::Gone(folder) => error.because_text(format!(
            "an older envc wrote it, and it was applied from {}, which is gone",
            folder.display()
        )),
        Applied::Here | Applied::Unknown => {
            error.because_text("an older envc wrote it, and from which folder is recorded nowhere")
        }
    };
    if held.is_empty() {
        return Err(error.hint(
            "if it is this repository's, take its resources back into environment.kdl; then the \
             command that says so is told here",
        ));
    }
    Err(error.hint(format!(
        "if it is this repository's, name what it holds: {}",
        session.apply_command(&held)
    )))
}
