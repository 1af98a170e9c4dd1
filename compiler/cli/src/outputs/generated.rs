//! The generated files of a session in the working copy: what has to be done to each, and doing it.
//! What they hold comes from [`super::sources`].

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use envc_core::{Digest, limits::FILE_BYTES_MAX};

use crate::{
    host::{error::CommandError, fsio, spot::Spot},
    outputs::{
        files::{self, Decision, Files, Removal, RenderedFile},
        origins::Origins,
        out_dir::{self, OutDir},
    },
    shell::events::Event,
    workspace::{
        registry::{AppliedTo, FileRecord},
        session::Session,
    },
};

/// Where files go, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writing {
    /// Another folder than the spec's.
    pub(crate) out_dir: Option<OutDir>,
    /// Overwrite what a person edited.
    pub(crate) force: bool,
    /// The environment whose files lie in the spec's folder so far: these replace them.
    pub(crate) replaces: Option<String>,
}

impl Writing {
    /// The folder that the files' paths are relative to.
    pub(crate) fn root<'a>(&'a self, session: &'a Session<'_>) -> &'a Path {
        self.out_dir.as_ref().map_or(session.workspace.root(), |out_dir| out_dir.path())
    }

    /// Under what a file is recorded.
    fn key(&self, path: &str) -> String {
        self.out_dir.as_ref().map_or_else(|| path.to_owned(), |out_dir| out_dir.key(path))
    }

    /// The path of a file that is recorded as one of this folder's.
    fn path_of<'k>(&self, session: &Session<'_>, key: &'k str) -> Option<&'k str> {
        match &self.out_dir {
            None => out_dir::is_of_specs_folder(session, key).then_some(key),
            Some(out_dir) => out_dir.path_of(key),
        }
    }

    /// How people are told of a file.
    pub(crate) fn shown(&self, path: &str) -> String {
        match &self.out_dir {
            None => path.to_owned(),
            Some(out_dir) => out_dir.path().join(path).display().to_string(),
        }
    }
}

/// What became of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Made or changed.
    pub(crate) made: Vec<String>,
    /// As they should be already.
    pub(crate) unchanged: Vec<String>,
    /// Not asked for any more, and taken away.
    pub(crate) removed: Vec<String>,
}

/// What an apply would do to files.
#[derive(Debug, Default)]
pub(crate) struct Outlook {
    /// Made or changed.
    pub(crate) write: Vec<String>,
    /// Not asked for any more.
    pub(crate) remove: Vec<String>,
}

impl Outlook {
    /// True where an apply changes no file.
    pub(crate) fn is_empty(&self) -> bool {
        self.write.is_empty() && self.remove.is_empty()
    }
}

/// Looks at the files that will be written, before anything is changed: git must not get them,
/// and nothing that a person wrote may stand in their place. Gives all that an apply refuses.
pub(crate) fn precheck(
    session: &Session<'_>,
    files: &[RenderedFile],
    final_content: bool,
    writing: &Writing,
) -> Vec<CommandError> {
    let mut refusals = Vec::new();
    // Of what lies behind a link nothing else can be told.
    let mut placed = Vec::new();
    let origins = Origins::of(session);
    for file in files {
        match refuse_misplaced(session, file, writing, &origins) {
            Ok(()) => placed.push(file.clone()),
            Err(refusal) => refusals.push(refusal),
        }
    }
    let files = placed.as_slice();
    refusals.extend(not_for_git(session, files, writing).err());
    if !writing.force {
        refusals.extend(not_another_environments(session, files, writing).err());
        refusals.extend(not_edited(session, files, final_content, writing).err());
    }
    refusals
}

/// Refuses what does not lie where its path says, or where nothing may be written, and what is read by
/// the spec.
fn refuse_misplaced(
    session: &Session<'_>,
    file: &RenderedFile,
    writing: &Writing,
    origins: &Origins,
) -> Result<(), CommandError> {
    let handler = Files { root: writing.root(session), digest: &session.workspace.digest };
    let spot = handler.spot(&file.path)?;
    let is_envcs = session.workspace.record().files.contains_key(&writing.key(&file.path));
    origins.refuse(&writing.shown(&file.path), spot.as_ref(), is_envcs)
}

/// Git must not get what only one environment may see.
fn not_for_git(
    session: &Session<'_>,
    files: &[RenderedFile],
    writing: &Writing,
) -> Result<(), CommandError> {
    let conflicts = match &writing.out_dir {
        Some(out_dir) => out_dir.git_conflicts(session.env, files)?,
        None => files::git_conflicts(
            session.workspace.root(),
            &session.workspace.git,
            session.env,
            files,
        )?,
    };
    if conflicts.is_empty() { Ok(()) } else { Err(files::not_for_git(&conflicts)) }
}

/// What a person wrote or edited is not overwritten.
fn not_edited(
    session: &Session<'_>,
    files: &[RenderedFile],
    final_content: bool,
    writing: &Writing,
) -> Result<(), CommandError> {
    let root = writing.root(session);
    if !fsio::is_folder(root) {
        return Ok(());
    }
    let handler = Files { root, digest: &session.workspace.digest };
    let mut edited = Vec::new();
    for file in files {
        let record = session.workspace.record().files.get(&writing.key(&file.path)).cloned();
        if let Decision::Edited { of, diff } = handler.decide(file, record.as_ref())? {
            // With stand-ins for what is not known yet a diff would tell nonsense.
            edited.push((file, of, diff.filter(|_| final_content)));
        }
    }
    if edited.is_empty() {
        Ok(())
    } else {
        Err(files::edited(&edited, &|path| writing.shown(path)))
    }
}

/// The spec's folder is bound to one environment; another folder is whose files lie in it.
fn not_another_environments(
    session: &Session<'_>,
    files: &[RenderedFile],
    writing: &Writing,
) -> Result<(), CommandError> {
    let Some(out_dir) = &writing.out_dir else { return Ok(()) };
    let known = &session.workspace.record().files;
    let other = files.iter().find_map(|file| {
        let record = known.get(&writing.key(&file.path))?;
        let is_there = out_dir.path().join(&file.path).exists();
        (record.env != session.target.id && is_there).then(|| (file, record.env.clone()))
    });
    let Some((file, env)) = other else { return Ok(()) };
    Err(CommandError::failed(format!(
        "{} is a file of the environment `{env}`",
        writing.shown(&file.path)
    ))
    .hint(format!("name another folder for `{}` with --out-dir", session.target.id))
    .hint("or pass --force: the files are for this environment from then on")
    .code("envc::cli::out_dir_taken"))
}

/// True when every file is on disk as recorded, and recorded with the fingerprint that rendering
/// with stand-ins gives: nothing has to be fetched or written.
fn up_to_date(session: &Session<'_>, stand_ins: &[RenderedFile], writing: &Writing) -> bool {
    let records = &session.workspace.record().files;
    let root = writing.root(session);
    let of = session.here().map(AppliedTo::key);
    stand_ins.iter().all(|file| {
        let Some(record) = records.get(&writing.key(&file.path)) else { return false };
        let spot = Spot::find(root, &file.path).ok().flatten();
        let on_disk = spot.and_then(|spot| spot.read(FILE_BYTES_MAX).ok().flatten());
        let same = on_disk.is_some_and(|bytes| session.workspace.digest.of(bytes) == record.digest);
        let is_of_it = record.is_for(&session.target.id, of.as_deref());
        same && is_of_it && record.fingerprint == file.fingerprint
    })
}

/// The files of this environment that the spec does not ask for any more, and those of the one that
/// they replace: where they are recorded, and their paths.
fn unwanted<'r>(
    session: &Session<'_>,
    files: &[RenderedFile],
    writing: &Writing,
    known: &'r BTreeMap<String, FileRecord>,
) -> Vec<(&'r String, &'r str, &'r FileRecord)> {
    let wanted: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
    let replaced = writing.replaces.as_ref();
    let own = known
        .iter()
        .filter(|(_, record)| record.env == session.target.id || replaced == Some(&record.env));
    own.filter_map(|(key, record)| Some((key, writing.path_of(session, key)?, record)))
        .filter(|(_, path, _)| !wanted.contains(path))
        .collect()
}

/// True where nothing has to be fetched, written or taken away.
pub(crate) fn nothing_to_do(
    session: &Session<'_>,
    stand_ins: &[RenderedFile],
    writing: &Writing,
) -> bool {
    let known = session.workspace.record().files.clone();
    up_to_date(session, stand_ins, writing)
        && unwanted(session, stand_ins, writing, &known).is_empty()
}

/// What an apply would do to the files, by their content with stand-ins.
pub(crate) fn outlook(
    session: &Session<'_>,
    stand_ins: &[RenderedFile],
    writing: &Writing,
) -> Outlook {
    let known = session.workspace.record().files.clone();
    let handler = Files { root: writing.root(session), digest: &session.workspace.digest };
    let is_written = |file: &&RenderedFile| {
        let record = known.get(&writing.key(&file.path));
        !up_to_date(session, std::slice::from_ref(*file), writing)
            && matches!(handler.decide(file, record), Ok(Decision::Create | Decision::Update))
    };
    let unwanted = unwanted(session, stand_ins, writing, &known).into_iter();
    Outlook {
        write: stand_ins.iter().filter(is_written).map(|file| writing.shown(&file.path)).collect(),
        remove: unwanted
            .filter(|(_, path, record)| handler.would_remove(path, record) == Removal::Removed)
            .map(|(_, path, _)| writing.shown(path))
            .collect(),
    }
}

/// Invariant: what will be written is recorded before any of it is. Killed in between, the next
/// command knows each file for its own, and what is half written by its name: apply goes on, and
/// destroy leaves no secret behind.
fn announce(
    session: &Session<'_>,
    handler: &Files<'_>,
    decided: &[(&RenderedFile, Decision)],
    writing: &Writing,
) -> Result<(), CommandError> {
    let known = session.workspace.record().files.clone();
    let of = session.here().map(AppliedTo::key);
    let mut records = BTreeMap::new();
    for (file, decision) in decided {
        let key = writing.key(&file.path);
        let old = known.get(&key).cloned();
        // Before it is recorded anew: the name follows from the record.
        if let Some(old) = &old {
            handler.sweep(&file.path, old)?;
        }
        if *decision != Decision::Unchanged {
            let announced = handler.announce(file, &session.target.id, old);
            records.insert(key, Some(FileRecord { of: of.clone(), ..announced }));
        }
    }
    if records.is_empty() {
        return Ok(());
    }
    session
        .workspace
        .change_record(|copy| copy.note_files(records, session.workspace.clock.unix_s()))
}

/// Writes the files, last of all and each atomically; unchanged ones are not touched.
pub(crate) fn write(
    session: &Session<'_>,
    files: &[RenderedFile],
    fingerprints: &BTreeMap<String, Digest>,
    writing: &Writing,
) -> Result<Written, CommandError> {
    let root = writing.root(session);
    fsio::create_dirs(root)?;
    let handler = Files { root, digest: &session.workspace.digest };
    // Looked at again: between the check and the writing resources were made.
    let origins = Origins::of(session);
    files.iter().try_for_each(|file| refuse_misplaced(session, file, writing, &origins))?;
    let known = session.workspace.record().files.clone();
    let mut decided = Vec::new();
    for file in files {
        match handler.decide(file, known.get(&writing.key(&file.path)))? {
            Decision::Edited { of, diff } if !writing.force => {
                return Err(files::edited(&[(file, of, diff)], &|path| writing.shown(path)));
            }
            decision => decided.push((file, decision)),
        }
    }
    announce(session, &handler, &decided, writing)?;
    let mut written = Written::default();
    let mut records = BTreeMap::new();
    for (file, decision) in decided {
        let (key, shown) = (writing.key(&file.path), writing.shown(&file.path));
        let wrote = decision != Decision::Unchanged;
        let mut noted = match decision {
            Decision::Unchanged => {
                written.unchanged.push(shown);
                handler.record(file, &session.target.id)
            }
            Decision::Create | Decision::Update | Decision::Edited { .. } => {
                let noted = handler.write(file, &session.target.id)?;
                let private = file.private;
                session.ui.event(&Event::FileWritten { path: &shown, private });
                written.made.push(shown);
                noted
            }
        };
        noted.of = session.here().map(AppliedTo::key);
        if let Some(fingerprint) = fingerprints.get(&file.path) {
            noted.fingerprint = fingerprint.clone();
        }
        // What was announced is replaced; what was not written may be recorded as it is already.
        if wrote || known.get(&key) != Some(&noted) {
            records.insert(key, Some(noted));
        }
    }
    written.removed = remove_unwanted(session, &handler, files, writing, &mut records)?;
    if !records.is_empty() {
        session
            .workspace
            .change_record(|copy| copy.note_files(records, session.workspace.clock.unix_s()))?;
    }
    Ok(written)
}

/// Removes the files that the spec does not ask for any more; those that were there come back.
fn remove_unwanted(
    session: &Session<'_>,
    handler: &Files<'_>,
    files: &[RenderedFile],
    writing: &Writing,
    records: &mut BTreeMap<String, Option<FileRecord>>,
) -> Result<Vec<String>, CommandError> {
    let mut removed = Vec::new();
    let known = session.workspace.record().files.clone();
    for (key, path, record) in unwanted(session, files, writing, &known) {
        handler.sweep(path, record)?;
        let shown = writing.shown(path);
        match handler.remove(path, record)? {
            stays @ (Removal::Kept | Removal::Unreached) => {
                let why = stays.why_it_stays().unwrap_or_default();
                session
                    .ui
                    .warn(&format!("{shown} is not generated any more; it {why}, so it stays"));
            }
            Removal::Removed => {
                session.ui.event(&Event::FileRemoved { path: &shown });
                removed.push(shown);
            }
            Removal::Absent => {}
        }
        records.insert(key.clone(), None);
    }
    Ok(removed)
}
