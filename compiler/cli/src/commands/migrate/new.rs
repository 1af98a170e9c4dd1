//! `envc migrate new`: the next file of a database's migrations, under the name that its folder's order
//! asks for. Without a cloud.

use std::collections::BTreeSet;

use envc_core::Address;
use envc_plan::{Folder, JOURNAL};
use envc_report::look::sample_of;
use envc_spec::MigrationDir;

use crate::{
    host::{clock::SystemClock, error::CommandError, exit_code::ExitCode, fsio},
    shell::{app::App, args::MigrateNewArgs, events::Event},
    workspace::{migrations, project::SpecFile, reading::Reading},
};

/// What Prisma keeps beside its migrations.
const PRISMA: &str = "migration_lock.toml";
/// Digits of a first number, as wrangler writes it.
const DIGITS: usize = 4;

pub(super) fn run(app: &App, args: &MigrateNewArgs) -> Result<ExitCode, CommandError> {
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref(), &app.env)?;
    let dir = folder_of(app, &file, &args.address)?;
    let reading = Reading::of(&file.root, &file.top);
    let folder = migrations::look(&reading, &dir)?;
    refuse_others(&reading, &dir)?;
    let name = name_of(app, &dir, &folder, &args.words.join(" "))?;
    let shown = format!("{}/{name}", dir.path);
    let path = reading.resolve(&shown)?;
    if let Some(parent) = path.parent() {
        fsio::create_dirs(parent)?;
    }
    let text = format!("-- {}: {}\n", args.address, args.words.join(" "));
    if !fsio::create_new(&path, text.as_bytes(), 0o644)? {
        return Err(CommandError::failed(format!("{shown} is there already"))
            .hint("give the migration another name")
            .code("envc::cli::migration_name"));
    }
    app.ui.event(&Event::MigrationMade { address: args.address.to_string(), path: &shown });
    app.ui.outcome(&format!("Wrote {shown}: fill it, then `envc apply` runs it."));
    Ok(ExitCode::Done)
}

/// The folder of a database's migrations, of whichever type has it.
fn folder_of(app: &App, file: &SpecFile, address: &Address) -> Result<MigrationDir, CommandError> {
    let spec = file.load(&app.ui)?;
    let samples = spec.types().iter().filter_map(|head| sample_of(&spec, head).ok());
    let mut found: Vec<MigrationDir> = Vec::new();
    let mut all = BTreeSet::new();
    for environment in samples {
        all.extend(environment.migrations.keys().map(ToString::to_string));
        let dir = environment.migrations.get(address);
        let is_other = |dir: &&MigrationDir| found.iter().all(|it| it.path != dir.path);
        if let Some(dir) = dir.filter(is_other) {
            found.push(dir.clone());
        }
    }
    match found.as_slice() {
        [dir] => Ok(dir.clone()),
        [] => {
            let all: Vec<String> = all.into_iter().collect();
            Err(CommandError::usage(format!("{address} has no migrations in {}", file.name))
                .hint(if all.is_empty() {
                    format!("write migrations \"migrations\" in {address}")
                } else {
                    format!("what has: {}", all.join(", "))
                })
                .code("envc::cli::unknown_address"))
        }
        several => {
            let paths: Vec<&str> = several.iter().map(|dir| dir.path.as_str()).collect();
            Err(CommandError::failed(format!(
                "{address} has another folder in each type: {}",
                paths.join(", ")
            ))
            .hint("write the file by hand into the one that is meant")
            .code("envc::cli::migration_name"))
        }
    }
}

/// Folders whose files another tool makes, which keeps a list of them.
fn refuse_others(reading: &Reading, dir: &MigrationDir) -> Result<(), CommandError> {
    let is_there = |name: &str| {
        let path = reading.resolve(&format!("{}/{name}", dir.path));
        path.is_ok_and(|path| fsio::is_there(&path))
    };
    let (tool, command) = if is_there(JOURNAL) {
        ("drizzle", "npx drizzle-kit generate --custom --name NAME")
    } else if is_there(PRISMA) {
        ("Prisma", "npx prisma migrate dev --create-only --name NAME")
    } else {
        return Ok(());
    };
    Err(CommandError::failed(format!(
        "{tool} makes the migrations in {}, and would not know of another",
        dir.path
    ))
    .hint(format!("make it there: {command}"))
    .code("envc::cli::migration_name"))
}

/// The next name: a number in front, or a folder with the time in front.
fn name_of(
    app: &App,
    dir: &MigrationDir,
    folder: &Folder,
    words: &str,
) -> Result<String, CommandError> {
    let slug = slug(words);
    let refuse = |what: String, hint: &str| {
        Err(CommandError::failed(what).hint(hint).code("envc::cli::migration_name"))
    };
    if slug.is_empty() {
        return refuse(format!("`{words}` gives no name"), "say in letters what it does: add tags");
    }
    let name = match dir.pattern().split('/').collect::<Vec<_>>().as_slice() {
        [_] => format!("{}_{slug}.sql", next_number(&folder.names)),
        [_, file] if !file.contains(['*', '?']) => {
            let now = SystemClock::new(&app.env).unix_s();
            let time = i64::try_from(now).ok().and_then(|it| jiff::Timestamp::from_second(it).ok());
            let time = time.map(|it| it.strftime("%Y%m%d%H%M%S").to_string()).unwrap_or_default();
            format!("{time}_{slug}/{file}")
        }
        _ => String::new(),
    };
    if !dir.takes(&name) {
        let what = format!("`{}` takes no name that envc would give", dir.pattern());
        return refuse(what, "write the file by hand, as the others in the folder are called");
    }
    Ok(name)
}

/// One more than the highest number, with as many digits.
fn next_number(names: &[String]) -> String {
    let numbers = names.iter().filter_map(|name| {
        let digits = name.split(|c: char| !c.is_ascii_digit()).next()?;
        Some((digits.parse::<u128>().ok()?, digits.len()))
    });
    let (last, digits) = numbers.max().unwrap_or((0, DIGITS));
    format!("{:0digits$}", last.saturating_add(1))
}

/// Words as a part of a file's name.
fn slug(words: &str) -> String {
    let lower = words.to_lowercase();
    let parts = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_number_follows_the_highest_as_it_is_written() {
        let next =
            |names: &[&str]| next_number(&names.iter().map(|it| (*it).into()).collect::<Vec<_>>());
        assert_eq!(next(&[]), "0001");
        assert_eq!(next(&["0000_a.sql", "0009_b.sql", "x.sql"]), "0010");
        assert_eq!(next(&["1.sql", "2.sql"]), "3");
        assert_eq!(next(&["20260101120000_a.sql"]), "20260101120001");
    }

    #[test]
    fn words_become_a_name() {
        assert_eq!(slug("Add tags, again!"), "add_tags_again");
        assert_eq!(slug("../x"), "x");
        assert_eq!(slug("…"), "");
    }
}
