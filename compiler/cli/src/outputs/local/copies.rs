//! Which local copies there are, and what is to be done about each.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use envc_core::{Address, Digest, join_path, limits::FILE_BYTES_MAX, relative_path};
use envc_kinds::{LocalCopy, SeedMark, Worker, declared, kind};
use envc_plan::{LocalEntry, MigrationFile, local_entries};

use super::state::{LocalState, enter};
use crate::{
    host::fsio,
    workspace::{
        migrations::{self, Migrations},
        session::Session,
    },
};

/// The configuration that wrangler reads.
const CONFIG: &str = "wrangler.jsonc";

/// What stands where a copy belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum There {
    /// Nothing: wrangler makes it.
    Nothing,
    /// A part that a run which was cut off left: it goes first.
    Part,
    /// A copy, from which wrangler goes on.
    Whole,
}

/// A copy that needs something.
#[derive(Clone, Debug)]
pub(super) struct Copy {
    /// The database.
    pub(super) address: Address,
    /// The API's identifier.
    pub(super) id: String,
    /// The folder of a Worker whose configuration names it.
    pub(super) folder: PathBuf,
    /// The same, relative to the spec's folder.
    below: String,
    /// The word by which wrangler finds it there.
    pub(super) word: String,
    /// How wrangler keeps it.
    pub(super) local: &'static LocalCopy,
    /// How its seed is marked.
    pub(super) mark: &'static SeedMark,
    /// Digest of its migrations.
    pub(super) digest: Digest,
    /// Digest of the migrations that it has.
    pub(super) migrated: Option<Digest>,
    /// The seed, where it is still to run.
    pub(super) seed: Option<MigrationFile>,
    /// Nothing is recorded of it in this folder.
    pub(super) is_new: bool,
    /// What stands where it belongs.
    pub(super) there: There,
    /// Somebody else made it, so that it gets no seed.
    pub(super) was_there: bool,
}

impl Copy {
    /// The same once its seed ran, or is no longer to run.
    pub(super) fn without_seed(&self) -> Self {
        Self { seed: None, ..self.clone() }
    }

    /// Where wrangler reads that it is there.
    pub(super) fn config(&self) -> PathBuf {
        self.folder.join(CONFIG)
    }

    /// The command that does by hand what apply does.
    pub(super) fn command(&self, state: &LocalState) -> String {
        let enter = enter(&self.below);
        let words = self.local.migrate.join(" ");
        let persist = if state.is_found_from(&self.folder) {
            String::new()
        } else {
            let way = relative_path(&self.below, &state.relative);
            format!(" --persist-to {}", fsio::for_shell(Path::new(&way)))
        };
        format!("{enter}npx wrangler {words} {} --local{persist}", self.word)
    }
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Copies {
    /// Those that need something.
    pub(super) to_do: Vec<Copy>,
    /// Those that wrangler does not see, and why.
    pub(super) unseen: Vec<(Address, String)>,
}

/// Looks at the copies of databases that have migrations: each once, whoever is bound to it.
pub(super) fn look(
    session: &Session<'_>,
    state: &LocalState,
    bound: &BTreeMap<Address, Vec<&Worker>>,
    ids: &BTreeMap<Address, String>,
    files: &Migrations,
) -> Copies {
    let mut copies = Copies::default();
    for (address, workers) in bound {
        let Some(dir) = session.environment.migrations.get(address) else { continue };
        // Those of `existing` databases, too: their copies are nobody else's.
        let looked = if let Some(files) = files.get(address) {
            look_at(session, state, (address, workers), ids, files)
        } else {
            let folder = migrations::look(&session.reading(), dir).unwrap_or_default();
            Err(migrations::none_in(address, dir, &folder).message)
        };
        match looked {
            Ok(copy) => copies.to_do.extend(copy),
            Err(why) => copies.unseen.push((address.clone(), why)),
        }
    }
    copies
}

/// What one copy needs, if anything; or why wrangler does not see it.
fn look_at(
    session: &Session<'_>,
    state: &LocalState,
    (address, workers): (&Address, &[&Worker]),
    ids: &BTreeMap<Address, String>,
    files: &[MigrationFile],
) -> Result<Option<Copy>, String> {
    let Some(database) = kind(address.kind()).database() else { return Ok(None) };
    let id = ids.get(address).ok_or_else(|| "its identifier is not known".to_owned())?;
    let (worker, entry) = named(session, address, workers, id)?;
    let word = entry.word.unwrap_or_default();
    let file = (database.local.file)(&entry.local_id);
    let ending = database.local.endings.first().copied().unwrap_or_default();
    let file = state.path.join(database.local.folder).join(format!("{file}{ending}"));
    let record = session.workspace.record();
    let known = record.local.databases.get(id);
    let recorded = known.filter(|it| it.folder == state.relative);
    let there = match (fsio::is_there(&file), recorded.is_some_and(|it| it.begun)) {
        (false, _) => There::Nothing,
        (true, true) => There::Part,
        (true, false) => There::Whole,
    };
    let is_there = there == There::Whole;
    let migrated = recorded.filter(|_| is_there).and_then(|it| it.migrated.clone());
    let has_seed = session.environment.seeds.contains_key(address);
    // What somebody else made is not seeded; what is gone is made anew.
    let seed_due = has_seed
        && match recorded {
            Some(recorded) if is_there => recorded.seed_due,
            _ => !is_there,
        };
    let digest = digest(files);
    let is_own = known.is_none_or(|it| it.env == session.target.id);
    if migrated.as_ref() == Some(&digest) && !seed_due && is_own {
        return Ok(None);
    }
    let root = session.workspace.root();
    let reading = session.reading();
    let seed = seed_due.then(|| migrations::read_seed(&reading, &session.environment, address));
    let below = join_path("", &worker.path);
    Ok(Some(Copy {
        address: address.clone(),
        id: id.clone(),
        folder: root.join(&below),
        below,
        word,
        local: database.local,
        mark: database.seed,
        digest,
        migrated,
        seed: seed.transpose().map_err(|error| error.message)?,
        is_new: recorded.is_none(),
        there,
        was_there: recorded.is_none() && is_there && has_seed,
    }))
}

/// The first Worker whose configuration names the database, and how.
fn named<'w>(
    session: &Session<'_>,
    address: &Address,
    workers: &[&'w Worker],
    id: &str,
) -> Result<(&'w Worker, LocalEntry), String> {
    let row = declared(address.kind()).and_then(|kind| kind.node().bindable);
    let section = row.map(|row| row.section).unwrap_or_default();
    let mut why = "no Worker is bound to it".to_owned();
    for worker in workers {
        let path = join_path(&worker.path, CONFIG);
        let text = fsio::inside(session.workspace.root(), &path)
            .ok()
            .and_then(|file| fsio::read_text(&file, FILE_BYTES_MAX).ok().flatten())
            .unwrap_or_default();
        let entries = local_entries(&text, section).into_iter();
        let found = entries
            .filter(|entry| entry.id.as_deref() == Some(id))
            .find(|entry| entry.word.is_some());
        if let Some(entry) = found {
            return Ok((*worker, entry));
        }
        why = match &worker.template {
            Some(template) => format!("{path} does not name it, because {template} leaves it out"),
            None => format!("{path} does not name it"),
        };
    }
    Err(why)
}

/// Digest of all migrations: names and texts, in order.
fn digest(files: &[MigrationFile]) -> Digest {
    let lines = files.iter().map(|file| format!("{} {}\n", Digest::of(&file.text), file.name));
    Digest::of(lines.collect::<String>())
}
