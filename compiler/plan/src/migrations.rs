//! Which migrations of a database are to run. Ledger and order are wrangler's own, so that both
//! tools can be used on one database.

use std::path::Path;

use envc_core::{Address, Digest};

use crate::{order::MigrationWork, state::AppliedMigration, work::MigrationRef};

/// A migration file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationFile {
    /// Its name relative to the folder, with extension: what the ledger holds.
    pub name: String,
    /// Its path as the spec names the folder, for messages.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl MigrationFile {
    /// Name and digest.
    pub fn reference(&self) -> MigrationRef {
        MigrationRef { name: self.name.clone(), digest: Digest::of(&self.text) }
    }
}

/// True for the name of a migration's file.
pub fn is_migration(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "sql")
}

/// Sorts as wrangler does: by the number a name begins with, then by the name; names without a
/// number come last. Source: wrangler's `d1 migrations apply`, version 4.
pub fn sort_migrations(files: &mut [MigrationFile]) {
    files.sort_by(|a, b| key(&a.name).cmp(&key(&b.name)));
}

fn key(name: &str) -> (u128, &str) {
    let digits: &str = name.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    (digits.parse().unwrap_or(u128::MAX), name)
}

/// The migrations to run on one database; none when there is nothing to do. `applied` are the
/// recorded ones; `seed` are the rows that it begins with, where it is not recorded what became of
/// them; `fresh` is true when the plan makes the database.
///
/// The record saves a request: exec reads the ledger only when a file is not recorded.
pub(crate) fn decide(
    address: &Address,
    files: &[MigrationFile],
    applied: &[AppliedMigration],
    seed: Option<&MigrationFile>,
    fresh: bool,
    notes: &mut Vec<String>,
) -> Option<MigrationWork> {
    let find = |name: &str| applied.iter().find(|migration| migration.name == name);
    let mut pending = Vec::new();
    for file in files {
        let reference = file.reference();
        match find(&file.name).map(|migration| migration.digest.as_ref()) {
            None => {
                let later = files.iter().skip_while(|other| other.name != file.name).skip(1);
                if let Some(later) = later.into_iter().find(|later| find(&later.name).is_some()) {
                    notes.push(format!(
                        "{address}: {} comes before {}, which is applied already; it runs all the \
                         same, as wrangler would",
                        file.name, later.name
                    ));
                }
                pending.push(reference);
            }
            Some(Some(digest)) if *digest != reference.digest => notes.push(format!(
                "{address}: {} was edited after it was applied ({} then, {} now); the edit is not \
                 run. Put it into a new migration",
                file.name,
                short(digest),
                short(&reference.digest)
            )),
            Some(_) => {}
        }
    }
    for migration in applied {
        if !files.iter().any(|file| file.name == migration.name) {
            notes
                .push(format!("{address}: {} is applied, and its file is missing", migration.name));
        }
    }
    let seed = seed.map(MigrationFile::reference);
    (!pending.is_empty() || seed.is_some()).then(|| MigrationWork {
        address: address.clone(),
        files: pending,
        seed,
        fresh,
    })
}

fn short(digest: &Digest) -> &str {
    digest.as_str().get(..8).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_wranglers() {
        let names = ["10_c.sql", "2_b.sql", "readme.sql", "0001_a.sql", "1_a.sql"];
        let mut files: Vec<MigrationFile> = names
            .iter()
            .map(|name| MigrationFile {
                name: (*name).into(),
                path: String::new(),
                text: String::new(),
            })
            .collect();
        sort_migrations(&mut files);
        let sorted: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(sorted, ["0001_a.sql", "1_a.sql", "2_b.sql", "10_c.sql", "readme.sql"]);
    }
}
