//! Generated files in a working copy: what has to be done to each, and doing it.
//!
//! Nothing that a person wrote is lost: a file that is not as envc left it is a conflict. Nothing
//! is written outside of the project, and nothing that only one environment may see ends up in git.

mod in_git;

use std::path::Path;

use envc_core::{Digest, KeyedDigest, kept_by, limits::FILE_BYTES_MAX};
use envc_plan::WRITTEN_BY;
use similar::TextDiff;

pub(crate) use self::in_git::{GitConflict, git_conflicts, not_for_git};
use crate::{
    host::{
        error::CommandError,
        fsio::{self, FsError},
        git,
        spot::Spot,
    },
    workspace::registry::FileRecord,
};

/// Lines around a change in a diff.
const DIFF_CONTEXT_LINES: usize = 3;
/// Digits of a temporary file's name.
const TEMPORARY_DIGITS: usize = 24;

/// A file that a spec asks for, with its content.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RenderedFile {
    /// Relative to the project's root.
    pub(crate) path: String,
    /// Its content.
    pub(crate) bytes: Vec<u8>,
    /// Its permission bits; taken from group and others when it is private.
    pub(crate) mode: u32,
    /// It holds a secret: only its owner may read it, and it is never shown.
    pub(crate) private: bool,
    /// It holds something of one environment, so git may not have it.
    pub(crate) specific: bool,
    /// Its variables that readers which expand would take for others, where nobody says who reads it.
    pub(crate) expanded: Vec<String>,
    /// What it was made from; opaque, recorded with it.
    pub(crate) fingerprint: Digest,
}

/// What has to be done to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// There is none.
    Create,
    /// It is as envc left it, and something else is wanted now.
    Update,
    /// It is as wanted.
    Unchanged,
    /// A person wrote or edited it: it is overwritten by force alone.
    Edited {
        /// Who wrote what is there, as far as it can be told.
        of: Author,
        /// From what is there to what is wanted; none for a private file and for one that is not text.
        diff: Option<String>,
    },
}

/// Who wrote a file that is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    /// envc wrote an earlier version of it, and it was edited since.
    Editor,
    /// It begins as envc writes it, and nothing is recorded of it: another user wrote it, or this one
    /// with another state directory.
    AnotherEnvc,
    /// Nobody that envc knows.
    Somebody,
}

impl Author {
    fn why(self) -> &'static str {
        match self {
            Self::Editor => "was edited since envc wrote it",
            Self::AnotherEnvc => "begins as envc writes it, and nothing is recorded of it here",
            Self::Somebody => "was not written by envc",
        }
    }
}

/// What became of a file that had to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// It is gone.
    Removed,
    /// It was not there.
    Absent,
    /// A person edited it, so it stays.
    Kept,
    /// A link leads to it by now: nobody knows what it is.
    Unreached,
}

impl RenderedFile {
    fn mode(&self) -> u32 {
        if self.private { self.mode & 0o700 } else { self.mode & 0o777 }
    }
}

impl std::fmt::Debug for RenderedFile {
    /// Without the content: it may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RenderedFile")
            .field("path", &self.path)
            .field("bytes", &self.bytes.len())
            .finish_non_exhaustive()
    }
}

/// The generated files of one working copy.
#[derive(Debug)]
pub(crate) struct Files<'a> {
    /// The project's root.
    pub(crate) root: &'a Path,
    /// Makes the recorded digests.
    pub(crate) digest: &'a KeyedDigest,
}

impl Files<'_> {
    /// What has to be done to a file; `record` is what envc recorded when it last wrote it.
    pub(crate) fn decide(
        &self,
        file: &RenderedFile,
        record: Option<&FileRecord>,
    ) -> Result<Decision, CommandError> {
        let spot = self.spot(&file.path)?;
        if file.bytes.len() > FILE_BYTES_MAX {
            return Err(too_large(file));
        }
        let Some(spot) = spot else { return Ok(Decision::Create) };
        let Some(there) = spot.read(FILE_BYTES_MAX)? else { return Ok(Decision::Create) };
        if there == file.bytes {
            // Wrong permission bits are put right without asking: nothing is lost by it.
            let as_wanted = is_mode(spot.mode(), file.mode());
            return Ok(if as_wanted { Decision::Unchanged } else { Decision::Update });
        }
        if record.is_some_and(|record| record.is_of(&self.digest.of(&there))) {
            return Ok(Decision::Update);
        }
        let diff = if file.private { None } else { diff(&file.path, &there, &file.bytes) };
        let first_line = there.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let of = match record {
            Some(_) => Author::Editor,
            None if String::from_utf8_lossy(first_line).contains(WRITTEN_BY) => Author::AnotherEnvc,
            None => Author::Somebody,
        };
        Ok(Decision::Edited { of, diff })
    }

    /// Writes a file, whatever stands there, and gives what is to be recorded of it.
    pub(crate) fn write(&self, file: &RenderedFile, env: &str) -> Result<FileRecord, CommandError> {
        self.refuse_kept(&file.path)?;
        let spot = Spot::make(self.root, &file.path).map_err(refused)?;
        let record = self.record(file, env);
        let temporary = self.temporary(&file.path, env, &record.digest);
        spot.write(&temporary, &file.bytes, file.mode(), true)?;
        Ok(record)
    }

    /// The name under which a content of a file is written first, before it is put in its place.
    ///
    /// It follows from what is recorded before anything is written, so that what a killed process
    /// left is known by its name; and from the user's key, so that nobody else has a file of that
    /// name. Two environments have two names, and one environment is worked on by one process.
    fn temporary(&self, path: &str, env: &str, content: &Digest) -> String {
        let digest = self.digest.of(format!("temporary\n{env}\n{path}\n{content}"));
        let digits = digest.as_str().get(..TEMPORARY_DIGITS).unwrap_or(digest.as_str());
        format!("{}{digits}", fsio::TEMPORARY)
    }

    /// What is to be recorded of a file that is as wanted.
    pub(crate) fn record(&self, file: &RenderedFile, env: &str) -> FileRecord {
        FileRecord {
            env: env.to_owned(),
            of: None,
            digest: self.digest.of(&file.bytes),
            fingerprint: file.fingerprint.clone(),
            mode: file.mode(),
            pending: None,
        }
    }

    /// What is recorded before a file is written.
    pub(crate) fn announce(
        &self,
        file: &RenderedFile,
        env: &str,
        old: Option<FileRecord>,
    ) -> FileRecord {
        let new = self.record(file, env);
        match old {
            Some(old) => FileRecord { env: new.env, pending: Some(new.digest), ..old },
            None => new,
        }
    }

    /// Removes what a killed run left half written of a file that is recorded.
    pub(crate) fn sweep(&self, path: &str, record: &FileRecord) -> Result<(), CommandError> {
        let Ok(Some(spot)) = self.spot(path) else { return Ok(()) };
        for content in std::iter::once(&record.digest).chain(&record.pending) {
            let name = self.temporary(path, &record.env, content);
            spot.remove_beside(&name)?;
        }
        Ok(())
    }

    /// Removes a file that envc wrote, unless a person edited it since.
    pub(crate) fn remove(&self, path: &str, record: &FileRecord) -> Result<Removal, CommandError> {
        let spot = match Spot::find(self.root, path) {
            Ok(Some(spot)) => spot,
            Ok(None) => return Ok(Removal::Absent),
            Err(error) if Spot::is_behind_link(&error) => return Ok(Removal::Unreached),
            Err(error) => return Err(refused(error)),
        };
        let Some(there) = spot.read(FILE_BYTES_MAX)? else { return Ok(Removal::Absent) };
        if !record.is_of(&self.digest.of(&there)) {
            return Ok(Removal::Kept);
        }
        Ok(if spot.remove()? { Removal::Removed } else { Removal::Absent })
    }

    /// What [`Files::remove`] would do. What cannot be read stays.
    pub(crate) fn would_remove(&self, path: &str, record: &FileRecord) -> Removal {
        let found = Spot::find(self.root, path);
        let read = found.and_then(|spot| spot.map_or(Ok(None), |spot| spot.read(FILE_BYTES_MAX)));
        match read {
            Ok(Some(there)) if record.is_of(&self.digest.of(&there)) => Removal::Removed,
            Ok(None) => Removal::Absent,
            Err(error) if Spot::is_behind_link(&error) => Removal::Unreached,
            Ok(Some(_)) | Err(_) => Removal::Kept,
        }
    }

    /// Where a file lies, to which no link leads; `None` where a folder on the way is not there.
    pub(crate) fn spot(&self, relative: &str) -> Result<Option<Spot>, CommandError> {
        self.refuse_kept(relative)?;
        Spot::find(self.root, relative).map_err(refused)
    }

    /// What git and envc keep for themselves is nobody else's to write.
    fn refuse_kept(&self, relative: &str) -> Result<(), CommandError> {
        let path = self.root.join(relative);
        let by_name = relative.split('/').find_map(kept_by);
        let keeps = by_name.or_else(|| git::git_directory_around(&path).map(|_| "git"));
        let Some(owner) = keeps else { return Ok(()) };
        Err(CommandError::failed(format!(
            "{relative} lies in a folder that {owner} keeps for itself"
        ))
        .hint("give the file another path")
        .code("envc::cli::path_kept"))
    }
}

impl Removal {
    /// Why a file stays, as a clause.
    pub(crate) fn why_it_stays(self) -> Option<&'static str> {
        match self {
            Self::Removed | Self::Absent => None,
            Self::Kept => Some("was edited"),
            Self::Unreached => Some("is reached through a link"),
        }
    }
}

/// The error of a path that leads elsewhere than it says.
fn refused(error: FsError) -> CommandError {
    if Spot::is_behind_link(&error) {
        return CommandError::from(error)
            .hint("generated files are written where their path says: give the real path")
            .code("envc::cli::path_link");
    }
    CommandError::from(error)
        .hint("generated files stay inside the folder of environment.kdl")
        .code("envc::cli::path_outside")
}

/// False for permission bits that are not the wanted ones; not every system has them.
fn is_mode(there: Option<u32>, wanted: u32) -> bool {
    there.is_none_or(|there| there == wanted)
}

fn too_large(file: &RenderedFile) -> CommandError {
    let path = &file.path;
    CommandError::failed(format!("{path} would be too large"))
        .because_text(format!(
            "it would have {} bytes, and envc reads and writes at most {FILE_BYTES_MAX}",
            file.bytes.len()
        ))
        .hint("let its template repeat less, or write several files")
        .code("envc::cli::file_too_large")
}

/// The error for files that a person edited, with what would change.
/// `shown` is how people are told of a path.
pub(crate) fn edited(
    edited: &[(&RenderedFile, Author, Option<String>)],
    shown: &dyn Fn(&str) -> String,
) -> CommandError {
    let names: Vec<String> = edited.iter().map(|(file, ..)| shown(&file.path)).collect();
    let mut error = CommandError::failed(match names.as_slice() {
        [name] => format!("{name} would be overwritten"),
        _ => format!("{} files would be overwritten: {}", names.len(), names.join(", ")),
    });
    for (file, of, diff) in edited {
        let why = of.why();
        error = error.because_text(match diff {
            Some(diff) => format!("{} {why}:\n{diff}", shown(&file.path)),
            None if file.private => {
                format!("{} {why} (it holds secrets: no diff)", shown(&file.path))
            }
            None => format!("{} {why}", shown(&file.path)),
        });
    }
    if edited.iter().any(|(_, of, _)| *of == Author::AnotherEnvc) {
        error = error.hint(
            "where another user or another state directory (ENVC_STATE_DIR) wrote it and nobody \
             edited it, --force loses nothing: it is written anew, and recorded here from then on",
        );
    }
    error
        .hint("move your changes to the spec or its template, or let apply overwrite them with --force")
        .code("envc::cli::file_edited")
}

fn diff(path: &str, there: &[u8], wanted: &[u8]) -> Option<String> {
    let (there, wanted) = (std::str::from_utf8(there).ok()?, std::str::from_utf8(wanted).ok()?);
    let diff = TextDiff::from_lines(there, wanted);
    Some(
        diff.unified_diff()
            .context_radius(DIFF_CONTEXT_LINES)
            .header(&format!("{path} (as it is)"), &format!("{path} (as envc would write it)"))
            .to_string(),
    )
}

#[cfg(test)]
mod tests;
