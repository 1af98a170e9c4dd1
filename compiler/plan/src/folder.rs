//! A folder of migrations: which files in it are migrations, in which order they run, and what else lies
//! there that looks like one.
//!
//! Names and order are wrangler's, but for drizzle's journal, which knows the order in which its files were
//! made. Source: wrangler's `d1 migrations apply`, version 4; drizzle-kit, `meta/_journal.json`.

use std::collections::BTreeSet;

use envc_core::counted;
use envc_spec::MigrationDir;
use serde::Deserialize;

/// Drizzle's journal, relative to the folder.
pub const JOURNAL: &str = "meta/_journal.json";
/// Folders in each other that are looked into for what looks like a migration.
const LOOK_DEPTH: usize = 2;
/// Names that are read of one folder, with those below it.
const NAMES_MAX: usize = 50_000;
/// Names that a message lists.
const SHOWN_MAX: usize = 3;

/// What is in a folder of migrations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    /// The migrations, in the order in which they run: paths relative to the folder.
    pub names: Vec<String>,
    /// What is odd about it.
    pub oddities: Vec<Oddity>,
}

/// Something in a folder of migrations that people should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// What.
    pub what: String,
    /// What to do.
    pub help: String,
}

#[derive(Deserialize)]
struct Journal {
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    idx: u64,
    tag: String,
}

/// Looks into the folder of a database's migrations. `list` gives the names in a folder below it, by its
/// path relative to the folder (`""` for itself), and none where there is no folder. `journal` is the text
/// of drizzle's, where there is one.
pub fn look_into(
    dir: &MigrationDir,
    list: &mut dyn FnMut(&str) -> Option<Vec<String>>,
    journal: Option<&str>,
) -> Folder {
    let depth = dir.pattern().split('/').count().max(LOOK_DEPTH);
    let (mut names, mut left) = (Vec::new(), Vec::new());
    let mut open = vec![(String::new(), 1)];
    let mut seen = 0;
    while let Some((folder, level)) = open.pop() {
        for name in list(&folder).unwrap_or_default() {
            seen += 1;
            if name.starts_with('.') || seen > NAMES_MAX {
                continue;
            }
            let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if dir.takes(&path) {
                names.push(path);
            } else if is_sql(&path) {
                left.push(path);
            } else if level < depth {
                open.push((path, level + 1));
            }
        }
    }
    names.sort_by(|a, b| compare(a, b));
    left.sort();
    let mut oddities = Vec::new();
    oddities.extend(not_taken(dir, &left));
    if let Some(text) = journal {
        in_order_of(text, &mut names, &mut oddities);
    }
    Folder { names, oddities }
}

/// As wrangler sorts: folder by folder, by the number that a name begins with, then by the name; names
/// without a number come last.
pub(crate) fn compare(a: &str, b: &str) -> std::cmp::Ordering {
    a.split('/').map(key).cmp(b.split('/').map(key))
}

fn key(name: &str) -> (u128, &str) {
    let digits: &str = name.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    (digits.parse().unwrap_or(u128::MAX), name)
}

fn is_sql(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, ending)| ending.eq_ignore_ascii_case("sql"))
}

/// Files of SQL that the pattern leaves out.
fn not_taken(dir: &MigrationDir, left: &[String]) -> Option<Oddity> {
    let first = left.first()?;
    let pattern = dir.pattern();
    // Where all have one name, each in a folder of its own, that name is the pattern.
    let ends: BTreeSet<&str> = left.iter().filter_map(|it| Some(it.rsplit_once('/')?.1)).collect();
    let nested = left.iter().filter(|it| it.contains('/')).count();
    let meant = match (nested, ends.len(), ends.first()) {
        (0, _, _) => "*.sql".to_owned(),
        (_, 1, Some(name)) => format!("*/{name}"),
        _ => "*/*.sql".to_owned(),
    };
    let help = if meant == pattern {
        format!("name them so that `{pattern}` takes them, or move them elsewhere")
    } else {
        format!(
            "if they are migrations, write migrations \"{}\" pattern=\"{meant}\"; else move them elsewhere",
            dir.path
        )
    };
    let which = match left.len() {
        1 => format!("`{first}` is"),
        _ => format!("{} are", shown(left.iter().map(String::as_str))),
    };
    Some(Oddity { what: format!("{which} no migration: `{pattern}` does not take it"), help })
}

/// Puts them into the order of drizzle's journal.
fn in_order_of(text: &str, names: &mut [String], oddities: &mut Vec<Oddity>) {
    let Ok(Journal { mut entries }) = serde_json::from_str::<Journal>(text) else {
        oddities.push(Oddity {
            what: format!("drizzle's journal, {JOURNAL}, cannot be read: its order is not known"),
            help: "make it anew with drizzle-kit, or take back what a merge left in it".to_owned(),
        });
        return;
    };
    entries.sort_by_key(|entry| entry.idx);
    let place = |name: &str| {
        let tag = name.strip_suffix(".sql")?;
        entries.iter().position(|entry| entry.tag == tag)
    };
    let strange: Vec<&str> =
        names.iter().filter(|name| place(name).is_none()).map(String::as_str).collect();
    if !strange.is_empty() {
        let verb = if strange.len() == 1 { "is" } else { "are" };
        oddities.push(Oddity {
            what: format!(
                "{} {verb} not in drizzle's journal, {JOURNAL}, and would run after all that are",
                shown(strange.into_iter())
            ),
            help: "make migrations with `drizzle-kit generate --custom`, or correct the journal"
                .to_owned(),
        });
    }
    let has = |tag: &str| names.iter().any(|name| name.strip_suffix(".sql") == Some(tag));
    let lost: Vec<&str> =
        entries.iter().map(|entry| entry.tag.as_str()).filter(|tag| !has(tag)).collect();
    if !lost.is_empty() {
        oddities.push(Oddity {
            what: format!(
                "drizzle's journal, {JOURNAL}, has {} that {} no file: {}",
                counted(lost.len(), "migration"),
                if lost.len() == 1 { "has" } else { "have" },
                shown(lost.into_iter())
            ),
            help: "put the files back, or correct the journal".to_owned(),
        });
    }
    let before = names.to_vec();
    // Stable: what the journal does not know stays in wrangler's order.
    names.sort_by_key(|name| place(name).unwrap_or(usize::MAX));
    let moved = before.iter().zip(names.iter()).find(|(a, b)| a != b);
    if let Some((_, first)) = moved {
        oddities.push(Oddity {
            what: format!(
                "they run in the order of drizzle's journal, {JOURNAL}: `{first}` comes earlier than its \
                 name says, and wrangler's own `d1 migrations apply` would run it later"
            ),
            help: "number the files as the journal does: \"prefix\": \"index\" in drizzle's \
                   configuration"
                .to_owned(),
        });
    }
}

fn shown<'n>(mut names: impl ExactSizeIterator<Item = &'n str>) -> String {
    let more = names.len().saturating_sub(SHOWN_MAX);
    let first: Vec<String> =
        names.by_ref().take(SHOWN_MAX).map(|name| format!("`{name}`")).collect();
    match more {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn look(pattern: Option<&str>, files: &[&str], journal: Option<&str>) -> Folder {
        let dir = MigrationDir {
            path: "m".into(),
            pattern: pattern.map(Into::into),
            ledger: None,
            span: envc_core::Span::default(),
        };
        let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for file in files {
            let mut rest = *file;
            let mut whole = String::new();
            while let Some((name, behind)) = rest.split_once('/') {
                folders.entry(whole.clone()).or_default().insert(name.into());
                whole = if whole.is_empty() { name.into() } else { format!("{whole}/{name}") };
                rest = behind;
            }
            folders.entry(whole).or_default().insert(rest.into());
        }
        let mut list =
            |path: &str| Some(folders.get(path)?.iter().cloned().collect::<Vec<String>>());
        look_into(&dir, &mut list, journal)
    }

    fn odd(folder: &Folder) -> Vec<&str> {
        folder.oddities.iter().map(|it| it.what.as_str()).collect()
    }

    #[test]
    fn the_pattern_says_which_files_are_migrations_and_the_rest_is_told() {
        let plain = look(None, &["10_c.sql", "2_b.sql", "0001_a.sql", "note.md", ".x.sql"], None);
        assert_eq!(plain.names, ["0001_a.sql", "2_b.sql", "10_c.sql"]);
        assert_eq!(plain.oddities, []);
        let files = ["0.sql", "20260101_a/migration.sql", "20260101_a/snapshot.json"];
        let mixed = look(None, &files, None);
        assert_eq!(mixed.names, ["0.sql"]);
        assert_eq!(
            odd(&mixed),
            ["`20260101_a/migration.sql` is no migration: `*.sql` does not take it"]
        );
        assert!(mixed.oddities[0].help.contains("pattern=\"*/migration.sql\""), "{mixed:?}");
        let nested = look(Some("*/migration.sql"), &files, None);
        assert_eq!(nested.names, ["20260101_a/migration.sql"]);
        assert!(nested.oddities[0].help.contains("pattern=\"*.sql\""), "{nested:?}");
        let both = look(Some("*/up.sql"), &["1/up.sql", "1/down.sql", "x/.up.sql"], None);
        assert_eq!((both.names.len(), both.oddities.len()), (1, 1));
    }

    #[test]
    fn folders_are_sorted_as_wrangler_sorts_them() {
        let files = ["10_b/migration.sql", "9_a/migration.sql", "x/migration.sql"];
        let found = look(Some("*/migration.sql"), &files, None);
        assert_eq!(found.names, ["9_a/migration.sql", "10_b/migration.sql", "x/migration.sql"]);
    }

    #[test]
    fn drizzles_journal_gives_the_order_and_what_it_lacks_is_told() {
        let journal = r#"{"version":"7","dialect":"sqlite","entries":[
            {"idx":1,"version":"6","when":2,"tag":"amber_fox","breakpoints":true},
            {"idx":0,"version":"6","when":1,"tag":"zany_owl","breakpoints":true}]}"#;
        let files = ["amber_fox.sql", "zany_owl.sql", "meta/_journal.json"];
        let found = look(None, &files, Some(journal));
        assert_eq!(found.names, ["zany_owl.sql", "amber_fox.sql"]);
        assert!(odd(&found)[0].contains("`zany_owl.sql` comes earlier"), "{found:?}");
        let found = look(None, &["zany_owl.sql", "hand.sql"], Some(journal));
        assert_eq!(found.names, ["zany_owl.sql", "hand.sql"]);
        let told = odd(&found);
        assert!(told[0].starts_with("`hand.sql` is not in drizzle's journal"), "{told:?}");
        assert!(told[1].ends_with("1 migration that has no file: `amber_fox`"), "{told:?}");
        let found = look(None, &files, Some("<<<<<<< HEAD"));
        assert!(odd(&found)[0].contains("cannot be read"), "{found:?}");
        let numbered = journal.replace("amber", "0001_amber").replace("zany", "0000_zany");
        let files = ["0000_zany_owl.sql", "0001_amber_fox.sql"];
        assert_eq!(look(None, &files, Some(&numbered)).oddities, []);
    }
}
