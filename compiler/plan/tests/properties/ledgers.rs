//! Files, ledgers and records of one database, each at random: the ledger counts.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::Digest;
use envc_plan::{AppliedMigration, MigrationFile, Standing, sort_migrations};
use proptest::{collection::vec, prelude::*};

/// Names that files, ledgers and records have in common.
const NAMES: [&str; 7] = ["0_a.sql", "1_b.sql", "1_c.sql", "2_d.sql", "10_e.sql", "f.sql", "g.sql"];

/// What a database is, and what is known of it: for each name a content of the file, whether the
/// ledger has it, and a content that is recorded.
#[derive(Clone, Debug)]
struct Case {
    files: Vec<MigrationFile>,
    ledger: Vec<String>,
    recorded: Vec<AppliedMigration>,
}

fn text(content: u8) -> String {
    if content == 0 { "-- nothing yet".into() } else { format!("CREATE TABLE t{content} (x);") }
}

fn case() -> impl Strategy<Value = Case> {
    let file = prop::option::of(0..4_u8);
    let recorded = prop::option::of(prop::option::of(0..4_u8));
    let all = vec((file, any::<bool>(), recorded), NAMES.len());
    (all, any::<prop::sample::Index>()).prop_map(|(all, turn)| {
        let named = || NAMES.iter().map(|name| (*name).to_owned()).zip(&all);
        let mut files: Vec<MigrationFile> = named()
            .filter_map(|(name, (file, _, _))| {
                Some(MigrationFile { path: name.clone(), name, text: text((*file)?) })
            })
            .collect();
        sort_migrations(&mut files);
        let mut ledger: Vec<String> =
            named().filter(|(_, (_, applied, _))| *applied).map(|(name, _)| name).collect();
        // The order in which they ran may be any.
        let middle = turn.index(ledger.len() + 1);
        ledger.rotate_left(middle);
        let recorded = named().filter_map(|(name, (_, _, recorded))| {
            let digest = (*recorded)?.map(|content| Digest::of(text(content)));
            Some(AppliedMigration { name, digest })
        });
        Case { recorded: recorded.collect(), files, ledger }
    })
}

proptest! {
    /// Invariants: nothing runs that the ledger has, what it lacks runs, in wrangler's order, and
    /// nothing is said to be pending that is not. A file that was renamed is pending, and refused.
    #[test]
    fn the_ledger_counts(case in case()) {
        let Case { files, ledger, recorded } = &case;
        let standing = Standing::of(files, ledger, recorded);
        let lacks: Vec<&String> =
            files.iter().map(|file| &file.name).filter(|name| !ledger.contains(name)).collect();
        prop_assert_eq!(standing.pending.iter().collect::<Vec<_>>(), lacks.clone());
        for file in files {
            let runs = standing.is_to_run(&file.name);
            let renamed = standing.renamed.contains_key(&file.name);
            prop_assert_eq!(runs || renamed, lacks.contains(&&file.name));
            prop_assert!(!(runs && renamed));
        }
        prop_assert_eq!(&standing.applied, ledger);
        // Whatever is recorded, the same is pending.
        let without = Standing::of(files, ledger, &[]);
        prop_assert_eq!(&without.pending, &standing.pending);
        prop_assert!(without.edited.is_empty() && without.renamed.is_empty());
        prop_assert!(without.lacking.is_empty());
    }

    /// Invariant: what is told besides is exactly so, written from the rules and not from the code.
    #[test]
    fn what_is_told_is_so(case in case()) {
        let Case { files, ledger, recorded } = &case;
        let standing = Standing::of(files, ledger, recorded);
        let then: BTreeMap<&String, &Digest> =
            recorded.iter().filter_map(|it| Some((&it.name, it.digest.as_ref()?))).collect();
        let has_file = |name: &String| files.iter().any(|file| file.name == *name);
        for (at, file) in files.iter().enumerate() {
            let applied = ledger.contains(&file.name);
            let now = Digest::of(&file.text);
            let edited = applied && then.get(&file.name).is_some_and(|then| **then != now);
            prop_assert_eq!(standing.edited.contains(&file.name), edited);
            let later = files[at + 1..].iter().any(|later| ledger.contains(&later.name));
            prop_assert_eq!(standing.late.contains_key(&file.name), !applied && later);
            let was = ledger.iter().any(|name| !has_file(name) && then.get(name) == Some(&&now));
            let renamed = !applied && was && file.text.starts_with("CREATE");
            prop_assert_eq!(standing.renamed.contains_key(&file.name), renamed);
        }
        let missing: BTreeSet<&String> = ledger.iter().filter(|name| !has_file(name)).collect();
        prop_assert_eq!(standing.missing.iter().collect::<BTreeSet<_>>(), missing);
        let lacking = recorded.iter().map(|it| &it.name).filter(|name| !ledger.contains(name));
        prop_assert!(standing.lacking.iter().eq(lacking));
    }

    /// Invariant: once what is pending has run, nothing is, and another look says the same.
    #[test]
    fn what_has_run_is_settled(case in case()) {
        let Case { files, mut ledger, recorded } = case;
        let standing = Standing::of(&files, &ledger, &recorded);
        let run = files.iter().filter(|file| standing.is_to_run(&file.name));
        ledger.extend(run.map(|file| file.name.clone()));
        let after = Standing::of(&files, &ledger, &recorded);
        let pending: BTreeSet<&String> = after.pending.iter().collect();
        prop_assert_eq!(pending, standing.renamed.keys().collect::<BTreeSet<_>>());
    }
}
