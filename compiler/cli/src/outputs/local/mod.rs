//! wrangler's local copies of databases: what `wrangler dev` works on where it works on nothing of the
//! account. Apply has the project's own wrangler migrate and seed them, so that what was migrated is
//! what a developer sees; destroy takes them away.
//!
//! - `state`: the folder that all Workers share, and the links by which wrangler finds it by itself.
//! - `copies`: which copies there are, and what is to be done about each.
//! - `wrangler`: finding wrangler, and running it.
//!
//! Invariant: a copy or a link is recorded before it is made, so that a destroy knows it after a kill;
//! and only files that wrangler calls after a recorded database are removed.

mod copies;
mod state;
mod wrangler;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use envc_core::Address;

use self::{
    copies::{Copies, Copy, There},
    state::LocalState,
    wrangler::{Failed, Wrangler},
};
use crate::{
    host::{error::CommandError, fsio, git, interrupt::Interrupt},
    shell::events::Event,
    workspace::{
        migrations::Migrations,
        registry::{AppliedTo, LocalDatabase},
        session::Session,
    },
};

/// The folder in the working copy that a seed is put into while it runs.
const SEED_FOLDER: &str = ".envc";

/// What became of the local copies.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Copies that were migrated.
    pub(crate) migrated: usize,
    /// What is to be done by hand: told last.
    open: Vec<Open>,
    /// The user asked to stop.
    pub(crate) interrupted: bool,
}

/// Something that `wrangler dev` does not see as it should.
#[derive(Debug)]
struct Open {
    /// The database; none where it is a Worker's folder.
    address: Option<String>,
    /// What is so, as a sentence without its end.
    what: String,
    /// The command that does it, where there is one.
    command: Option<String>,
}

impl Told {
    /// Tells what is left to do, each with the command that does it.
    pub(crate) fn tell(&self, session: &Session<'_>) {
        for Open { address, what, command } in &self.open {
            session.ui.event(&Event::LocalOpen {
                address: address.as_deref(),
                what,
                command: command.as_deref(),
            });
            if !session.ui.is_json() {
                let command = command.as_ref().map(|it| format!("; do it with: {it}"));
                session.ui.warn(&format!("{what}{}", command.unwrap_or_default()));
            }
        }
    }

    fn open(&mut self, address: &Address, why: &str, command: Option<String>) {
        let what = format!("wrangler's local copy of {address} is not migrated: {why}");
        self.open.push(Open { address: Some(address.to_string()), what, command });
    }

    /// What a copy lacks after wrangler was asked.
    fn left(&mut self, copy: &Copy, state: &LocalState, failed: &Failed) {
        self.interrupted |= *failed == Failed::Interrupted;
        let Failed::Seed { path, why } = failed else {
            return self.open(&copy.address, &failed.to_string(), Some(copy.command(state)));
        };
        let address = copy.address.to_string();
        let what = format!(
            "wrangler's local copy of {address} is not seeded: {why}; correct {path}, then apply again"
        );
        self.open.push(Open { address: Some(address), what, command: None });
    }
}

/// Migrates the copies that need it. `ids` are the API's identifiers, `files` the migrations that the
/// apply read; the configurations are written. What
/// cannot be done is told, and fails nothing.
pub(crate) async fn migrate(
    session: &Session<'_>,
    stop: &Interrupt,
    ids: &BTreeMap<Address, String>,
    files: &Migrations,
) -> Result<Told, CommandError> {
    let mut told = Told::default();
    let bound = session.local_databases();
    if bound.is_empty() {
        return Ok(told);
    }
    let state = match LocalState::of(session) {
        Ok(state) => state,
        Err(error) => {
            for address in bound.keys() {
                told.open(address, &error.to_words(), None);
            }
            return Ok(told);
        }
    };
    let linked = state.link(session, &mut told)?;
    let Copies { to_do, unseen } = copies::look(session, &state, &bound, ids, files);
    for (address, why) in unseen {
        told.open(&address, &why, None);
    }
    let mut is_new = linked;
    for copy in to_do {
        if told.interrupted || stop.is_asked() {
            told.left(&copy, &state, &Failed::Interrupted);
            continue;
        }
        match bring_up(session, stop, &state, &copy).await? {
            Ok(()) => {
                told.migrated += 1;
                is_new |= copy.is_new;
            }
            Err(failed) => told.left(&copy, &state, &failed),
        }
    }
    if is_new {
        warn_of_git(session, &state)?;
    }
    Ok(told)
}

/// Migrates one copy, and puts its seed in where nobody made it before.
async fn bring_up(
    session: &Session<'_>,
    stop: &Interrupt,
    state: &LocalState,
    copy: &Copy,
) -> Result<Result<(), Failed>, CommandError> {
    let wrangler = match Wrangler::find(session, &copy.folder) {
        Ok(wrangler) => wrangler,
        Err(failed) => return Ok(Err(failed)),
    };
    fsio::create_dirs(&state.path)?;
    if copy.there == There::Part {
        let address = &copy.address;
        remove_copy(session.workspace.root(), &state.relative, address, &copy.id)?;
        session.ui.say(&format!(
            "wrangler's local copy of {address} was left half made by a run that was cut off: it is \
             made anew"
        ));
    }
    note(session, state, copy, copy.migrated.clone(), copy.there != There::Whole)?;
    session.ui.say(&format!("migrating wrangler's local copy of {} …", copy.address));
    if copy.migrated.as_ref() != Some(&copy.digest) {
        if let Err(failed) = wrangler.run(copy, state, copy.local.migrate, None, stop).await {
            // What wrangler left by itself it goes on from.
            if !matches!(failed, Failed::Interrupted | Failed::TookTooLong(_)) {
                note(session, state, copy, copy.migrated.clone(), false)?;
            }
            return Ok(Err(failed));
        }
        note(session, state, copy, Some(copy.digest.clone()), false)?;
    }
    let mut seeded = false;
    if let Some(seed) = &copy.seed {
        let text = format!("{}\n{}\n{}\n", copy.mark.table, copy.mark.done, seed.text);
        let file = seed_file(session, &copy.id)?;
        fsio::write_cache(&file, text.as_bytes(), fsio::PRIVATE)?;
        let ran = wrangler.run(copy, state, copy.local.execute, Some(&file), stop).await;
        fsio::remove(&file)?;
        match ran {
            // An earlier try put it in, and was killed before that was recorded.
            Err(Failed::Refused(words)) if words.contains(copy.mark.refusal) => {}
            Err(Failed::Refused(words)) => {
                let path = seed.path.clone();
                return Ok(Err(Failed::Seed { path, why: Failed::Refused(words).to_string() }));
            }
            Err(failed) => return Ok(Err(failed)),
            Ok(()) => seeded = true,
        }
    }
    note(session, state, &copy.without_seed(), Some(copy.digest.clone()), false)?;
    let address = copy.address.to_string();
    session.ui.event(&Event::LocalMigrated { address, folder: &state.relative, seeded });
    let and = if seeded { " and seeded" } else { "" };
    session.ui.say(&format!("migrated{and} wrangler's local copy of {}", copy.address));
    if copy.was_there {
        session.ui.say(&format!(
            "wrangler's local copy of {} was there before, so its seed is not run in it",
            copy.address
        ));
    }
    Ok(Ok(()))
}

/// Where a seed is put while it runs. What a kill leaves there is written over by the next try.
fn seed_file(session: &Session<'_>, id: &str) -> Result<PathBuf, CommandError> {
    let root = session.workspace.root();
    let file = fsio::inside_without_links(root, &format!("{SEED_FOLDER}/seed-{id}.sql"))?;
    if let Some(folder) = file.parent() {
        fsio::create_dirs(folder)?;
    }
    Ok(file)
}

/// Records a copy; `begun` while wrangler makes it.
fn note(
    session: &Session<'_>,
    state: &LocalState,
    copy: &Copy,
    migrated: Option<envc_core::Digest>,
    begun: bool,
) -> Result<(), CommandError> {
    let known = session.workspace.record().local.databases.get(&copy.id).cloned();
    let mut formerly = known.as_ref().map(|it| it.formerly.clone()).unwrap_or_default();
    formerly.extend(known.as_ref().map(|it| it.folder.clone()));
    formerly.remove(&state.relative);
    let new = LocalDatabase {
        env: session.target.id.clone(),
        of: session.here().map(AppliedTo::key),
        address: copy.address.to_string(),
        folder: state.relative.clone(),
        formerly,
        migrated,
        begun,
        seed_due: copy.seed.is_some(),
    };
    if known.as_ref() == Some(&new) {
        return Ok(());
    }
    session.workspace.change_record(|record| {
        record.note_local(session.workspace.clock.unix_s(), |local| {
            local.databases.insert(copy.id.clone(), new);
        })
    })
}

/// Says what git would take in.
fn warn_of_git(session: &Session<'_>, state: &LocalState) -> Result<(), CommandError> {
    if session.workspace.git.repository.is_none() {
        return Ok(());
    }
    let record = session.workspace.record().local.links.clone();
    let inside = format!("{}/v3", state.relative);
    let paths: Vec<&str> = record.keys().map(String::as_str).chain([inside.as_str()]).collect();
    let ignored = git::ignored(session.workspace.root(), session.env, &paths)?;
    let open: Vec<&str> = paths
        .into_iter()
        .filter(|path| !ignored.contains(*path))
        .map(|path| path.strip_suffix("/v3").unwrap_or(path))
        .collect();
    if !open.is_empty() {
        session.ui.warn(&format!(
            "git does not ignore what is wrangler's own: {}; write `.wrangler/` into .gitignore, or \
             the folder that `persist=` names",
            open.join(", ")
        ));
    }
    Ok(())
}

/// Removes the copies of an environment's databases in this account, but for those that are kept, and the links to
/// them where no other environment of this folder has any. Nothing else that lies there is touched.
pub(crate) fn forget(session: &Session<'_>, keep: &BTreeSet<Address>) -> Result<(), CommandError> {
    let local = session.workspace.record().local.clone();
    let root = session.workspace.root();
    let (own, others): (Vec<_>, Vec<_>) =
        local.databases.iter().partition(|(_, database)| is_own(session, database));
    let mut gone = BTreeSet::new();
    for (id, database) in own {
        let Ok(address) = database.address.parse::<Address>() else { continue };
        if keep.contains(&address) {
            continue;
        }
        let folders = database.formerly.iter().chain([&database.folder]);
        let mut removed = false;
        for folder in folders {
            removed |= remove_copy(root, folder, &address, id)?;
        }
        if let Ok(file) = seed_file(session, id) {
            fsio::remove(&file)?;
        }
        if removed {
            session.ui.say(&format!("removed wrangler's local copy of {address}"));
        }
        gone.insert(id.clone());
    }
    if !gone.is_empty() {
        session.workspace.change_record(|record| {
            record.note_local(session.workspace.clock.unix_s(), |local| {
                local.databases.retain(|id, _| !gone.contains(id));
            })
        })?;
    }
    if others.is_empty() && keep.is_empty() {
        state::unlink(session, &local.links)?;
    }
    Ok(())
}

/// The files that [`forget`] would remove, by database.
pub(crate) fn would_forget(
    session: &Session<'_>,
    keep: &BTreeSet<Address>,
) -> BTreeMap<Address, Vec<String>> {
    let mut all: BTreeMap<Address, Vec<String>> = BTreeMap::new();
    for (id, database) in &session.workspace.record().local.databases {
        let Ok(address) = database.address.parse::<Address>() else { continue };
        if !is_own(session, database) || keep.contains(&address) {
            continue;
        }
        for folder in database.formerly.iter().chain([&database.folder]) {
            let there = files_of_copy(session.workspace.root(), folder, &address, id).into_iter();
            let there = there.filter(|(_, file)| fsio::is_there(file)).map(|(path, _)| path);
            all.entry(address.clone()).or_default().extend(there);
        }
    }
    all.retain(|_, files| !files.is_empty());
    all
}

/// True for a copy of this environment's database in this account.
fn is_own(session: &Session<'_>, database: &LocalDatabase) -> bool {
    let here = session.here().map(AppliedTo::key);
    database.env == session.target.id && (database.of.is_none() || database.of == here)
}

/// Removes the local copy of a database that was emptied: the next apply makes it anew, with its seed.
pub(crate) fn reset(session: &Session<'_>, address: &Address) -> Result<(), CommandError> {
    let databases = session.workspace.record().local.databases.clone();
    for (id, database) in databases {
        let is_it = database.env == session.target.id && database.address == address.to_string();
        if is_it && remove_copy(session.workspace.root(), &database.folder, address, &id)? {
            session.ui.say(&format!(
                "removed wrangler's local copy of {address}; `envc apply` makes it anew"
            ));
        }
    }
    Ok(())
}

fn remove_copy(
    root: &Path,
    folder: &str,
    address: &Address,
    id: &str,
) -> Result<bool, CommandError> {
    let mut removed = false;
    for (_, file) in files_of_copy(root, folder, address, id) {
        removed |= fsio::remove(&file)?;
    }
    Ok(removed)
}

/// The files that wrangler calls after a database, in a folder of local copies: each below the spec's
/// folder, and whole.
fn files_of_copy(root: &Path, folder: &str, address: &Address, id: &str) -> Vec<(String, PathBuf)> {
    let Some(database) = envc_kinds::kind(address.kind()).database() else { return Vec::new() };
    let local = database.local;
    // Where a link stands on the way by now, it is not known whose the files are.
    let below = format!("{folder}/{}", local.folder);
    let Ok(within) = fsio::inside_without_links(root, &below) else { return Vec::new() };
    let name = (local.file)(id);
    let file = |ending: &&str| format!("{name}{ending}");
    local.endings.iter().map(file).map(|it| (format!("{below}/{it}"), within.join(it))).collect()
}
