//! Whose a project is, and what is refused to another repository: two of them may name a project
//! alike, on one machine and in one account.

use std::path::Path;

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
        registry::{Belongs, Document, Whose, WorkingCopy},
        repository,
    },
};

/// The repository that the spec names, else the one that `origin` does.
pub(crate) fn named(spec: &Spec, folder: &Path, git: &GitView, env: &ProcessEnv) -> Option<String> {
    if let Some(id) = spec.project_id() {
        return Some(id.to_owned());
    }
    git.repository.as_ref()?;
    repository::of_origin(&git::origin(folder, env)?)
}

/// Tells what became of a working copy, and refuses one that was another repository's when things
/// were made from it. `named` is the repository that it is now.
/// `tracked`: git has its cache.
pub(crate) fn settle(
    ui: &Ui,
    copy: &WorkingCopy,
    named: Option<&str>,
    tracked: bool,
) -> Result<(), CommandError> {
    if tracked {
        let path = copy.cache_path();
        ui.warn(&format!(
            "git tracks {path}, which another user's envc wrote: it counts as absent; take it out of \
             the repository with: git rm --cached {path}"
        ));
    } else if let Some((first, _)) = copy.unfollowed().first_key_value() {
        ui.warn(&format!(
            "the cache in .envc was not written here by this user, so it is not followed; it \
             names {}, which --id reaches: --id {first}",
            copy.unfollowed().keys().cloned().collect::<Vec<_>>().join(", ")
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

/// Refuses a random ID in it that a working copy of another repository has.
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
