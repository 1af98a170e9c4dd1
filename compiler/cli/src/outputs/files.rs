//! Generated files in a working copy: what has to be done to each, and doing it.
//!
//! Nothing that a person wrote is lost: a file that is not as envc left it is a conflict. Nothing
//! is written outside of the project, and nothing that only one environment may see ends up in git.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use envc_core::{Digest, KeyedDigest, kept_by, limits::FILE_BYTES_MAX};
use envc_plan::WRITTEN_BY;
use similar::TextDiff;

use crate::{
    host::{
        env::ProcessEnv,
        error::CommandError,
        fsio::{self, FsError},
        git::{self, GitView},
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

/// Why git and a generated file do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GitConflict {
    /// Git tracks it.
    Tracked(String),
    /// Git does not ignore it: the next `git add` would take it in.
    NotIgnored(String),
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

/// Which of the files that hold something of one environment git has or would take in, each asked of
/// the repository that it lies in: one in a submodule is not its parent's to tell of. Where a
/// repository is there and git does not tell of it, none of them may be written.
pub(crate) fn git_conflicts(
    root: &Path,
    git: &GitView,
    env: &ProcessEnv,
    files: &[RenderedFile],
) -> Result<Vec<GitConflict>, CommandError> {
    let mut by_top: BTreeMap<PathBuf, Vec<&str>> = BTreeMap::new();
    for file in files.iter().filter(|file| file.specific || file.private) {
        let path = root.join(&file.path);
        let there = path.ancestors().skip(1).find(|folder| fsio::is_folder(folder));
        let top = there.and_then(git::top).unwrap_or(root);
        by_top.entry(top.to_owned()).or_default().push(&file.path);
    }
    let mut conflicts = Vec::new();
    for (top, paths) in by_top {
        let is_known = Some(top.as_path()) == git::top(root).or(Some(root));
        let view = if is_known { git.clone() } else { git::look(&top, env) };
        match (&view.repository, &view.warning) {
            (Some(_), _) => conflicts.extend(conflicts_in(root, &top, env, &paths)?),
            (None, None) => {}
            (None, Some(warning)) => return Err(no_answer(&top, warning, &paths)),
        }
    }
    Ok(conflicts)
}

/// As [`git_conflicts`], of paths below `root` that lie in the repository of this top.
fn conflicts_in(
    root: &Path,
    top: &Path,
    env: &ProcessEnv,
    paths: &[&str],
) -> Result<Vec<GitConflict>, CommandError> {
    let from_top = |path: &str| {
        let whole = root.join(git::plain(path));
        let below = whole.strip_prefix(top).unwrap_or(Path::new(path));
        below.to_string_lossy().replace('\\', "/")
    };
    let asked: Vec<(&str, String)> = paths.iter().map(|path| (*path, from_top(path))).collect();
    let names: Vec<&str> = asked.iter().map(|(_, name)| name.as_str()).collect();
    let ignored = git::ignored(top, env, &names)?;
    let rest: Vec<&(&str, String)> =
        asked.iter().filter(|(_, name)| !ignored.contains(name)).collect();
    let names: Vec<&str> = rest.iter().map(|(_, name)| name.as_str()).collect();
    let tracked = git::tracked(top, env, &names)?;
    let conflict = |(path, name): &(&str, String)| {
        if tracked.contains(name) {
            GitConflict::Tracked((*path).to_owned())
        } else {
            GitConflict::NotIgnored((*path).to_owned())
        }
    };
    Ok(rest.into_iter().map(conflict).collect())
}

/// The error for files of which git does not say whether it would take them in.
fn no_answer(root: &Path, warning: &str, paths: &[&str]) -> CommandError {
    let top = git::top(root).unwrap_or(root);
    CommandError::failed(format!(
        "git does not say whether it would take in what is generated: {}",
        paths.join(", ")
    ))
    .because_text(warning)
    .hint(format!(
        "if git refuses because the folder is another user's: git config --global --add \
         safe.directory {}",
        fsio::for_shell(top)
    ))
    .hint("if git is missing, install it; nothing was changed")
    .code("envc::cli::git_unknown")
}

/// The error for files that git has or would take in.
pub(crate) fn not_for_git(conflicts: &[GitConflict]) -> CommandError {
    let mut tracked = Vec::new();
    let mut open = Vec::new();
    for conflict in conflicts {
        match conflict {
            GitConflict::Tracked(path) => tracked.push(path.as_str()),
            GitConflict::NotIgnored(path) => open.push(path.as_str()),
        }
    }
    let all = [tracked.as_slice(), open.as_slice()].concat();
    let mut error = CommandError::failed(format!(
        "generated files of one environment would end up in git: {}",
        all.join(", ")
    ))
    .code("envc::cli::file_in_git");
    if !tracked.is_empty() {
        error = error.hint(format!("take out of git: git rm --cached {}", tracked.join(" ")));
    }
    // A line each: blanks would make one pattern of all.
    error.hint(format!("add them to .gitignore: printf '%s\\n' {} >> .gitignore", all.join(" ")))
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
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    struct Project {
        _keep: tempfile::TempDir,
        root: PathBuf,
        digest: KeyedDigest,
    }

    impl Project {
        fn new() -> Self {
            let keep = tempfile::tempdir().unwrap();
            let root = keep.path().canonicalize().unwrap();
            Self { _keep: keep, root, digest: KeyedDigest::new("k") }
        }

        fn files(&self) -> Files<'_> {
            Files { root: &self.root, digest: &self.digest }
        }
    }

    fn file(path: &str, content: &str, private: bool) -> RenderedFile {
        RenderedFile {
            path: path.into(),
            bytes: content.into(),
            mode: 0o644,
            private,
            specific: true,
            fingerprint: Digest::of("inputs"),
        }
    }

    #[test]
    fn a_file_is_created_kept_and_updated_while_nobody_edits_it() {
        let project = Project::new();
        let files = project.files();
        let first = file("apps/web/.env", "A=1\n", true);
        assert_eq!(files.decide(&first, None).unwrap(), Decision::Create);
        let record = files.write(&first, "main-1").unwrap();
        let path = project.root.join("apps/web/.env");
        assert_eq!(fsio::mode(&path), Some(0o600));
        assert_eq!(record.mode, 0o600);
        assert_eq!(files.decide(&first, Some(&record)).unwrap(), Decision::Unchanged);
        // Without a record the same content still needs nothing.
        assert_eq!(files.decide(&first, None).unwrap(), Decision::Unchanged);
        let second = file("apps/web/.env", "A=2\n", true);
        assert_eq!(files.decide(&second, Some(&record)).unwrap(), Decision::Update);
    }

    #[test]
    fn an_edited_file_is_a_conflict_with_a_diff_unless_it_is_private() {
        let project = Project::new();
        let files = project.files();
        for private in [false, true] {
            let first = file("x.jsonc", "one\ntwo\n", private);
            let record = files.write(&first, "e").unwrap();
            fs::write(project.root.join("x.jsonc"), "one\nmine\n").unwrap();
            let wanted = file("x.jsonc", "one\nthree\n", private);
            let Decision::Edited { of, diff } = files.decide(&wanted, Some(&record)).unwrap()
            else {
                panic!("it was edited");
            };
            assert_eq!(of, Author::Editor);
            assert_eq!(diff.is_some(), !private);
            let error = edited(&[(&wanted, of, diff)], &str::to_owned).to_text();
            assert_eq!(error.contains("-mine"), !private, "{error}");
            assert!(error.contains("--force"), "{error}");
            fs::remove_file(project.root.join("x.jsonc")).unwrap();
        }
        fs::write(project.root.join("y"), "theirs").unwrap();
        let decision = files.decide(&file("y", "ours", false), None).unwrap();
        assert!(matches!(decision, Decision::Edited { of: Author::Somebody, .. }));
    }

    #[test]
    fn what_a_kill_left_half_written_is_known_by_the_record_alone() {
        let project = Project::new();
        let files = project.files();
        let (old, new) = (file("apps/.env", "A=1\n", true), file("apps/.env", "A=2\n", true));
        let written = files.write(&old, "e").unwrap();
        let folder = project.root.join("apps");
        let names = || fsio::names_in(&folder).unwrap();
        // A person's files, one of a former version, another environment's at this moment.
        let others = [".envc-config", ".envc-tmp-0123456789ab", ".envc-aB3xYz"];
        let other_env = files.temporary("apps/.env", "f", &written.digest);
        for name in others.into_iter().chain([other_env.as_str()]) {
            fs::write(folder.join(name), "").unwrap();
        }
        let before = names();
        let announced = files.announce(&new, "e", Some(written.clone()));
        for (record, content) in [(&written, "A=1\n"), (&announced, "A=1\n"), (&announced, "A=2\n")]
        {
            let left = files.temporary("apps/.env", "e", &project.digest.of(content));
            fs::write(folder.join(&left), content).unwrap();
            files.sweep("apps/.env", record).unwrap();
            assert_eq!(names(), before, "{content:?}");
        }
        // Another file, or another user, has another name for the same content.
        let mut all = BTreeSet::new();
        for (path, key) in [(".env", "k"), (".env.local", "k"), (".env", "l")] {
            let files = Files { root: &project.root, digest: &KeyedDigest::new(key) };
            all.insert(files.temporary(path, "e", &written.digest));
        }
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn wrong_permissions_are_put_right() {
        let project = Project::new();
        let files = project.files();
        let mut script = file("start.sh", "#!/bin/sh\n", false);
        let record = files.write(&script, "e").unwrap();
        script.mode = 0o755;
        assert_eq!(files.decide(&script, Some(&record)).unwrap(), Decision::Update);
        files.write(&script, "e").unwrap();
        assert!(fsio::is_executable(&project.root.join("start.sh")));
    }

    #[test]
    fn permissions_count_where_the_system_has_them() {
        assert!(is_mode(Some(0o600), 0o600) && !is_mode(Some(0o644), 0o600));
        // Elsewhere a private file would be written again by every apply.
        assert!(is_mode(None, 0o600) && is_mode(None, 0o755));
    }

    #[test]
    fn what_would_be_too_large_to_be_read_again_is_not_written() {
        let project = Project::new();
        let files = project.files();
        let most = file("most", &"a".repeat(FILE_BYTES_MAX), false);
        let record = files.write(&most, "e").unwrap();
        assert_eq!(files.decide(&most, Some(&record)).unwrap(), Decision::Unchanged);
        let more = file("more", &"a".repeat(FILE_BYTES_MAX + 1), false);
        let error = files.decide(&more, None).unwrap_err().to_text();
        assert!(error.contains("more would be too large"), "{error}");
    }

    #[test]
    fn removal_spares_what_a_person_edited() {
        let project = Project::new();
        let files = project.files();
        let record = files.write(&file(".env", "A=1\n", true), "e").unwrap();
        fs::write(project.root.join(".env"), "A=1\nMINE=1\n").unwrap();
        assert_eq!(files.remove(".env", &record).unwrap(), Removal::Kept);
        fs::write(project.root.join(".env"), "A=1\n").unwrap();
        assert_eq!(files.remove(".env", &record).unwrap(), Removal::Removed);
        assert_eq!(files.remove(".env", &record).unwrap(), Removal::Absent);
    }

    #[test]
    fn nothing_is_written_outside_of_the_project() {
        let project = Project::new();
        for path in ["../x", "/tmp/x", "a/../../x"] {
            let error = project.files().write(&file(path, "", false), "e").unwrap_err();
            assert_eq!(error.code, Some("envc::cli::path_outside"), "{path}");
        }
    }

    #[test]
    fn files_of_one_environment_stay_out_of_git() {
        let project = Project::new();
        let env = ProcessEnv::capture();
        let git = |arguments: &[&str]| {
            let status = std::process::Command::new("git")
                .current_dir(&project.root)
                .args(arguments)
                .status()
                .unwrap();
            assert!(status.success());
        };
        git(&["init", "-q"]);
        fs::write(project.root.join(".gitignore"), ".env\n").unwrap();
        fs::write(project.root.join("tracked.json"), "{}").unwrap();
        git(&["add", "tracked.json"]);
        let view = git::look(&project.root, &env);
        let mut same_everywhere = file("start.sh", "", false);
        same_everywhere.specific = false;
        let files = [
            file("./.env", "", true),
            file("tracked.json", "", false),
            file("open.json", "", false),
            same_everywhere,
        ];
        let conflicts = git_conflicts(&project.root, &view, &env, &files).unwrap();
        assert_eq!(
            conflicts,
            [
                GitConflict::Tracked("tracked.json".into()),
                GitConflict::NotIgnored("open.json".into())
            ]
        );
        let error = not_for_git(&conflicts).to_text();
        assert!(error.contains("git rm --cached tracked.json"), "{error}");
        assert_eq!(git_conflicts(&project.root, &GitView::default(), &env, &files), Ok(Vec::new()));
    }
}
