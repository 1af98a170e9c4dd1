//! Whose a project is, and what is refused to another repository: two of them may name a project
//! alike, on one machine and in one account.

use std::{collections::BTreeSet, path::Path};

use envc_core::Address;
use envc_plan::State;
use envc_spec::{Spec, takes_identity};

use crate::{
    host::{
        env::ProcessEnv,
        error::CommandError,
        fsio,
        git::{self, GitView},
    },
    shell::ui::Ui,
    workspace::{
        registry::{Applied, Belongs, Document, Whose, WorkingCopy},
        repository,
        session::Session,
    },
};

/// The repository that the spec names, else the one that `origin` does.
pub(crate) fn named(
    spec: Option<&Spec>,
    folder: &Path,
    git: &GitView,
    env: &ProcessEnv,
) -> Option<String> {
    if let Some(id) = spec.and_then(Spec::project_id) {
        return Some(id.to_owned());
    }
    git.repository.as_ref()?;
    repository::of_origin(&git::origin(folder, env)?)
}

/// Tells what became of a working copy, and refuses one that was another repository's when things
/// were made from it. `named` is the repository that it is now.
pub(crate) fn settle(ui: &Ui, copy: &WorkingCopy, named: Option<&str>) -> Result<(), CommandError> {
    if let [first, ..] = copy.unfollowed() {
        ui.warn(&format!(
            "the cache in .envc was not written here by this user, so it is not followed; it \
             names {}, which --id reaches: --id {first}",
            copy.unfollowed().join(", ")
        ));
    }
    let now = named.unwrap_or_default();
    match copy.belongs() {
        Belongs::Same => Ok(()),
        Belongs::Gained { was } => {
            ui.say(&format!("this folder is of {now} now; what was recorded of {was} goes along"));
            Ok(())
        }
        Belongs::Moved { was } => Err(other("what was made from this folder", was, now)
            .hint("or take all of it along, for good: envc state claim")),
    }
}

/// The error of something that is another repository's.
pub(crate) fn other(what: &str, theirs: &str, ours: &str) -> CommandError {
    // A digest stands for a name that was too long for a title, and is nobody's `id=`. Nor is what the
    // compiler refuses: a claim's title is whatever somebody wrote in the account.
    let id = if theirs.starts_with("sha256:") {
        Some("id= with the name that it had, such as id=\"github.com/acme/shop\"".to_owned())
    } else {
        takes_identity(theirs).then(|| format!("id=\"{theirs}\""))
    };
    CommandError::failed(format!("{what} belongs to another repository; nothing was changed"))
        .because_text(format!("it is of {theirs}, and this is {ours}"))
        .hint_opt(
            id.map(|id| format!("if they are one, renamed or moved, say so in `project`: {id}")),
        )
        .hint("if they are two, give this project another name")
        .code("envc::cli::another_repository")
}

/// Refuses an ID with chance in it that a working copy of another repository has.
pub(crate) fn refuse_minted_elsewhere(
    document: &Document,
    whose: &Whose<'_>,
    id: &str,
) -> Result<(), CommandError> {
    match document.minted_elsewhere(whose, id) {
        Some((theirs, folder)) => Err(other(&format!("`{id}`"), theirs, whose.repository)
            .hint(format!("work on it from its folder: envc -C {}", fsio::for_shell(folder)))),
        None => Ok(()),
    }
}

/// Refuses a state of another repository. True: it was taken over, and has to be written.
pub(crate) fn admit(session: &Session<'_>, state: &mut State) -> Result<bool, CommandError> {
    let ours = &session.repository;
    match &state.repository {
        Some(theirs) if theirs == ours => return Ok(false),
        Some(theirs) if session.was(theirs) => {}
        Some(theirs) => {
            let error = other(&format!("the environment `{}`", session.id), theirs, ours);
            let document = session.registry_document()?;
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
        session.id
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_names_an_id_that_the_compiler_takes() {
        let told = |theirs: &str| other("it", theirs, "git.example/a/b").to_text();
        assert!(told("git.example/a/old").contains("id=\"git.example/a/old\""));
        let long = told("sha256:00ff");
        assert!(long.contains("the name that it had") && !long.contains("id=\"sha256"), "{long}");
        let copy = told("working-copy:0123456789abcdef");
        assert!(copy.contains("id=\"working-copy:0123456789abcdef\""), "{copy}");
        for odd in ["GitHub.com/Acme/Odd6", "git.example/a/b.git", "a//b", "a b", "https://x/y", ""]
        {
            let odd = told(odd);
            assert!(!odd.contains("id=") && odd.contains("another name"), "{odd}");
        }
    }
}
