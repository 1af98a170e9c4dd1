//! Whose files lie in the spec's folder after an apply, and which environment it is bound to. Pure.
//!
//! Invariant: a folder holds the files of one environment. An apply that ends with success in CI has
//! written its files and bound the folder; anywhere else it has done so, or said that it would not
//! before it changed anything.

use envc_spec::TypeHead;

use crate::{
    host::error::CommandError,
    workspace::{registry::Bound, session::Session},
};

/// What an apply rests on that writes into the spec's folder.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(crate) struct FolderInputs<'a> {
    /// The folder is bound to another environment: this one.
    pub(crate) bound: Option<&'a Bound>,
    /// That one is of a pull request.
    pub(crate) bound_per_pr: bool,
    /// It is bound to this environment.
    pub(crate) own: bool,
    /// `--rebind`
    pub(crate) rebind: bool,
    /// `CI` is set.
    pub(crate) ci: bool,
    /// The environment is of a pull request.
    pub(crate) per_pr: bool,
    /// The environment is nobody's working copy: a developer does not get its files by accident.
    pub(crate) guarded: bool,
    /// The spec has other types.
    pub(crate) has_others: bool,
}

/// What becomes of the spec's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    /// Its files are written, and the folder is bound to it.
    Bound {
        /// The environment whose files lie there so far.
        replaces: Option<Bound>,
    },
    /// Nothing is written and the folder stays what it is.
    Left {
        /// What it is bound to.
        bound: Option<Bound>,
    },
    /// Nothing may be made: nobody would see that the files are another environment's.
    Refused {
        /// What it is bound to.
        bound: Bound,
    },
}

/// Decides what becomes of the folder.
pub(crate) fn choose_folder(inputs: &FolderInputs<'_>) -> Folder {
    let FolderInputs { bound, bound_per_pr, own, rebind, ci, per_pr, guarded, has_others } =
        *inputs;
    let bound = bound.cloned();
    match bound {
        replaces if rebind || ci => Folder::Bound { replaces },
        Some(bound) if per_pr && bound_per_pr => Folder::Bound { replaces: Some(bound) },
        Some(bound) if per_pr => Folder::Refused { bound },
        Some(bound) => Folder::Left { bound: Some(bound) },
        None if guarded && has_others && !own => Folder::Left { bound: None },
        None => Folder::Bound { replaces: None },
    }
}

impl Session<'_> {
    /// What an apply that writes into the spec's folder does with it.
    pub(crate) fn folder(&self, rebind: bool) -> Folder {
        let record = self.workspace.record();
        let spec = self.workspace.spec.as_deref();
        let (own, bound) = match &record.bound {
            Some(bound) if bound.id == self.target.id => (true, None),
            bound => (false, bound.as_ref()),
        };
        let head = |bound: &Bound| spec?.head(&bound.env_type);
        choose_folder(&FolderInputs {
            bound,
            bound_per_pr: bound.and_then(head).is_some_and(TypeHead::is_per_pr),
            own,
            rebind,
            ci: self.env.ci,
            per_pr: self.target.head.is_per_pr(),
            guarded: self.is_guarded(),
            has_others: spec.is_some_and(|spec| spec.types().len() > 1),
        })
    }
}

impl Folder {
    /// Refuses to apply an environment beside the files of another one.
    pub(crate) fn admit(&self, session: &Session<'_>) -> Result<(), CommandError> {
        let Self::Refused { bound } = self else { return Ok(()) };
        let (id, apply) = (&session.target.id, session.command("apply"));
        Err(CommandError::failed(format!(
            "this folder is bound to `{}` (type {}), and its files are for that one; nothing was \
             changed",
            bound.id, bound.env_type
        ))
        .hint(format!("to bind it to `{id}`, with its files here: {apply} --rebind"))
        .hint(format!("to write its files elsewhere: {apply} --out-dir DIR"))
        .code("envc::cli::bound_elsewhere"))
    }

    /// Why no files are written, and how one gets them, where none are.
    pub(crate) fn why_left(&self, session: &Session<'_>) -> Option<String> {
        let Self::Left { bound } = self else { return None };
        let why = match bound {
            Some(bound) => format!("this folder is bound to {} ({})", bound.id, bound.env_type),
            None => format!(
                "type `{}` {}, and this folder may become another environment's",
                session.target.head.name,
                if session.environment.protect { "is protected" } else { "uses what exists" }
            ),
        };
        Some(format!(
            "{why}; to bind it to `{}`: {apply} --rebind; to write them elsewhere: {apply} --out-dir DIR",
            session.target.id,
            apply = session.command("apply")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_by_table() {
        let bound = Bound { env_type: "pr".into(), id: "pr-80".into() };
        let here = |replaces: Option<&Bound>| Folder::Bound { replaces: replaces.cloned() };
        let left = |bound: Option<&Bound>| Folder::Left { bound: bound.cloned() };
        let refused = Folder::Refused { bound: bound.clone() };
        let none = FolderInputs { has_others: true, ..FolderInputs::default() };
        let other = FolderInputs { bound: Some(&bound), ..none };
        let table = [
            (none, here(None)),
            (FolderInputs { per_pr: true, ..none }, here(None)),
            (FolderInputs { own: true, ..none }, here(None)),
            (other, left(Some(&bound))),
            (FolderInputs { rebind: true, ..other }, here(Some(&bound))),
            (FolderInputs { ci: true, ..other }, here(Some(&bound))),
            // Of pull requests.
            (FolderInputs { per_pr: true, bound_per_pr: true, ..other }, here(Some(&bound))),
            (FolderInputs { per_pr: true, ..other }, refused),
            (FolderInputs { per_pr: true, rebind: true, ..other }, here(Some(&bound))),
            (FolderInputs { per_pr: true, ci: true, ..other }, here(Some(&bound))),
            (FolderInputs { bound_per_pr: true, ..other }, left(Some(&bound))),
            // Of production.
            (FolderInputs { guarded: true, ..none }, left(None)),
            (FolderInputs { guarded: true, has_others: false, ..none }, here(None)),
            (FolderInputs { guarded: true, own: true, ..none }, here(None)),
            (FolderInputs { guarded: true, rebind: true, ..none }, here(None)),
            (FolderInputs { guarded: true, ci: true, ..none }, here(None)),
            (FolderInputs { guarded: true, ..other }, left(Some(&bound))),
        ];
        for (inputs, expect) in table {
            assert_eq!(choose_folder(&inputs), expect, "{inputs:?}");
        }
    }
}
