//! The migrations of an environment's databases, read from the folders that the spec names.

use std::collections::BTreeMap;

use envc_core::{Address, Desired};
use envc_plan::{MigrationFile, is_migration, sort_migrations};
use envc_spec::{Environment, MigrateMode, MigrationDir};

use crate::{host::error::CommandError, workspace::reading::Reading};

/// The migrations of databases, in the order in which they run.
pub(crate) type Migrations = BTreeMap<Address, Vec<MigrationFile>>;
/// The rows that databases begin with.
pub(crate) type Seeds = BTreeMap<Address, MigrationFile>;

/// Bytes of a migration file that is read: the API takes 100 KB a statement.
const MIGRATION_BYTES_MAX: usize = 16 * 1024 * 1024;

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
) -> Result<BTreeMap<Address, MigrationFile>, CommandError> {
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
pub(crate) fn none_in(address: &Address, dir: &MigrationDir) -> CommandError {
    CommandError::failed(format!("{address} has no migrations: {} holds no .sql files", dir.path))
        .hint(format!("write the first one, such as {}/0001_init.sql", dir.path))
        .hint("or correct `migrations` in environment.kdl, or remove it")
        .code("envc::cli::no_migrations")
}

/// Reads the migrations of each database that has a folder of them, in wrangler's order.
pub(crate) fn read(
    reading: &Reading,
    environment: &Environment,
    which: Databases,
) -> Result<BTreeMap<Address, Vec<MigrationFile>>, CommandError> {
    let mut all = BTreeMap::new();
    for (address, dir) in &environment.migrations {
        let managed = environment.resources.get(address).is_some_and(Desired::is_managed);
        let runs = which == Databases::All || (managed && environment.migrate == MigrateMode::Auto);
        let mut files = Vec::new();
        for name in reading.names(&dir.path)?.unwrap_or_default() {
            if !is_migration(&name) {
                continue;
            }
            let path = format!("{}/{name}", dir.path);
            let text = reading.text(&path, MIGRATION_BYTES_MAX)?;
            let text = text.ok_or_else(|| {
                CommandError::failed(format!("the migration {path} of {address} cannot be read"))
                    .because_text("it is a link that leads to nothing")
                    .hint("put back what it leads to (a submodule?), or remove it")
                    .code("envc::cli::no_migrations")
            })?;
            let text = unified(&text);
            files.push(MigrationFile { name, path, text });
        }
        if files.is_empty() && !runs {
            continue;
        }
        if files.is_empty() {
            return Err(none_in(address, dir));
        }
        sort_migrations(&mut files);
        all.insert(address.clone(), files);
    }
    Ok(all)
}
