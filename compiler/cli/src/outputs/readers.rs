//! Who reads the generated files, and what comes before them: told, and refused where wrangler would work
//! on something else. A destroy needs none of it.

use std::path::Path;

use envc_core::limits::FILE_BYTES_MAX;
use envc_spec::lint::codes;

use crate::{
    host::{error::CommandError, fsio},
    outputs::{files::RenderedFile, generated::Writing, out_dir::OutDir},
    workspace::{
        outranked::{Outranked, Place, Weight},
        session::Session,
    },
};

/// What comes before the files that will be written: what is refused of it; the rest is told.
pub(crate) fn look(
    session: &Session<'_>,
    files: &[RenderedFile],
    writing: &Writing,
) -> Vec<CommandError> {
    let is_told = !allows(session, codes::EXPANDED_DOLLAR);
    for file in files.iter().filter(|_| is_told) {
        for name in &file.expanded {
            session.ui.warn(&told_of_expanded(&writing.shown(&file.path), name));
        }
    }
    let text = |path: &str| {
        let file = files.iter().find(|file| file.path == path)?;
        String::from_utf8(file.bytes.clone()).ok()
    };
    let found = place(session, writing).look(&session.environment, &text).into_iter();
    let (refused, told): (Vec<_>, Vec<_>) = found.partition(|one| one.weight == Weight::Refused);
    let is_told = !allows(session, codes::OUTRANKED_FILE);
    for one in told.iter().filter(|one| is_told && one.weight == Weight::Told) {
        session.ui.caution(&error(one));
    }
    refused.iter().map(error).collect()
}

/// Tells of builds that are older than the files that lie there now.
pub(crate) fn tell_old_builds(session: &Session<'_>, writing: &Writing) {
    if allows(session, codes::OUTRANKED_FILE) {
        return;
    }
    let root = writing.root(session);
    let written = |path: &str| fsio::read_text(&root.join(path), FILE_BYTES_MAX).ok().flatten();
    for one in place(session, writing).look(&session.environment, &written) {
        if one.weight == Weight::OldBuild {
            session.ui.caution(&error(&one));
        }
    }
}

/// True where the spec says that a warning is meant so.
fn allows(session: &Session<'_>, code: &str) -> bool {
    let spec = session.workspace.spec.as_ref();
    spec.is_some_and(|spec| spec.allows(&session.target.head.name, code))
}

fn place<'p>(session: &'p Session<'_>, writing: &'p Writing) -> Place<'p> {
    let out_dir: Option<&Path> = writing.out_dir.as_ref().map(OutDir::path);
    let file = &session.workspace.file;
    out_dir.map_or(Place { root: &file.root, top: &file.top }, |root| Place { root, top: root })
}

fn error(one: &Outranked) -> CommandError {
    let Outranked { message, because, hint, .. } = one;
    let error = CommandError::failed(message.clone());
    let error = because.iter().fold(error, CommandError::because_text);
    error.hint(hint.clone()).code("envc::cli::outranked")
}

fn told_of_expanded(path: &str, name: &str) -> String {
    format!(
        "`{name}` of {path} holds a `$`, which Vite, Next.js and wrangler take for the name of a \
         variable; say in the spec who reads the file: for=\"vite\", or for=\"node\" or another one \
         that expands nothing"
    )
}
