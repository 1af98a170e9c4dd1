//! The migrations of an environment's databases, read from the folders that the spec names.

use std::collections::BTreeMap;

use envc_core::{Address, Desired};
use envc_plan::{Folder, JOURNAL, MigrationFile, look_into};
use envc_spec::{Environment, MigrateMode, MigrationDir};

use crate::{host::error::CommandError, workspace::reading::Reading};

/// The migrations of databases, in the order in which they run.
pub(crate) type Migrations = BTreeMap<Address, Vec<MigrationFile>>;
/// The rows that databases begin with.
pub(crate) type Seeds = BTreeMap<Address, MigrationFile>;

/// Bytes of a file of SQL that is read: the API takes 100 KB a statement.
const MIGRATION_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of drizzle's journal.
const JOURNAL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Of which databases a folder without migrations is a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Databases {
    /// Of those that an apply migrates: it never changes an existing database without being asked,
    /// and none where the spec says that migrations run by hand. It tells what is pending there.
    Managed,
    /// `envc migrate` is the asking.
    All,
}

/// Reads the rows that each database begins with, of those that this environment has made. A database
/// of somebody else's gets none, whoever asks.
pub(crate) fn read_seeds(
    reading: &Reading,
    environment: &Environment,
) -> Result<Seeds, CommandError> {
    let managed =
        |address: &&Address| environment.resources.get(address).is_some_and(Desired::is_managed);
    let seeds = environment.seeds.keys().filter(managed);
    seeds.map(|address| Ok((address.clone(), read_seed(reading, environment, address)?))).collect()
}

/// Reads the seed of a database that has one.
pub(crate) fn read_seed(
    reading: &Reading,
    environment: &Environment,
    address: &Address,
) -> Result<MigrationFile, CommandError> {
    let path = environment.seeds.get(address).map(|seed| seed.path.clone()).unwrap_or_default();
    let text = reading.text(&path, MIGRATION_BYTES_MAX)?.ok_or_else(|| {
        CommandError::failed(format!("the seed of {address} is not there: {path}"))
            .hint("write it, or correct `seed` in environment.kdl, or remove it")
            .code("envc::cli::no_seed")
    })?;
    Ok(MigrationFile { name: path.clone(), path, text: unified(&text) })
}

/// Line ends as the API's splitter likes them; the same digest on every system.
fn unified(text: &str) -> String {
    text.trim_start_matches('\u{feff}').replace("\r\n", "\n")
}

/// The error of a folder without migrations.
pub(crate) fn none_in(address: &Address, dir: &MigrationDir, folder: &Folder) -> CommandError {
    let what = match &dir.pattern {
        Some(pattern) => format!("holds no file that `{pattern}` takes"),
        None => "holds no .sql files".to_owned(),
    };
    let error = CommandError::failed(format!("{address} has no migrations: {} {what}", dir.path));
    let error = match folder.oddities.first() {
        Some(odd) => error.because_text(odd.what.clone()).hint(odd.help.clone()),
        None => error.hint(format!("write the first one: envc migrate new {address} init")),
    };
    error
        .hint("or correct `migrations` in environment.kdl, or remove it")
        .code("envc::cli::no_migrations")
}

/// Looks into the folder of a database's migrations.
pub(crate) fn look(reading: &Reading, dir: &MigrationDir) -> Result<Folder, CommandError> {
    let top = reading.names(&dir.path)?.unwrap_or_default();
    let below = |folder: &str| format!("{}/{folder}", dir.path);
    // One that cannot be read gives no order, and that is told.
    let journal =
        reading.text(&below(JOURNAL), JOURNAL_BYTES_MAX).unwrap_or_else(|_| Some(String::new()));
    let mut list = |folder: &str| match folder {
        "" => Some(top.clone()),
        // What is no folder, and what cannot be read, holds no migrations.
        folder => reading.names(&below(folder)).ok().flatten(),
    };
    Ok(look_into(dir, &mut list, journal.as_deref()))
}

/// Reads the migrations of each database that has a folder of them, in the order in which they run.
pub(crate) fn read(
    reading: &Reading,
    environment: &Environment,
    which: Databases,
) -> Result<Migrations, CommandError> {
    let mut all = BTreeMap::new();
    for (address, dir) in &environment.migrations {
        let managed = environment.resources.get(address).is_some_and(Desired::is_managed);
        let runs = which == Databases::All || (managed && environment.migrate == MigrateMode::Auto);
        let folder = look(reading, dir)?;
        if folder.names.is_empty() && !runs {
            continue;
        }
        if folder.names.is_empty() {
            return Err(none_in(address, dir, &folder));
        }
        let files = folder.names.into_iter().map(|name| read_file(reading, address, dir, name));
        all.insert(address.clone(), files.collect::<Result<_, _>>()?);
    }
    Ok(all)
}

fn read_file(
    reading: &Reading,
    address: &Address,
    dir: &MigrationDir,
    name: String,
) -> Result<MigrationFile, CommandError> {
    let path = format!("{}/{name}", dir.path);
    let text = reading.text(&path, MIGRATION_BYTES_MAX)?.ok_or_else(|| {
        CommandError::failed(format!("the migration {path} of {address} cannot be read"))
            .because_text("it is a link that leads to nothing")
            .hint("put back what it leads to (a submodule?), or remove it")
            .code("envc::cli::no_migrations")
    })?;
    Ok(MigrationFile { name, path, text: unified(&text) })
}
