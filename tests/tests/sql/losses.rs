//! Migrations are run on SQLite with rows in every table, as D1 runs them: foreign keys are enforced, and
//! each file is one transaction. What is lost is counted, and compared with what was told before.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use envc_core::SplitMix64;
use envc_sql::{Before, File, Finding, What, read};
use rusqlite::{Connection, types::Value};

/// Rows in each table.
const ROWS: usize = 3;

/// A database of D1's kind.
fn open() -> Connection {
    let database = Connection::open_in_memory().unwrap();
    database.execute_batch("PRAGMA foreign_keys=ON").unwrap();
    database
}

/// Runs a file as D1 does: in one transaction, whole or not at all.
fn run(database: &Connection, text: &str) -> bool {
    database.execute_batch("BEGIN").unwrap();
    let done = database.execute_batch(text).is_ok() && database.execute_batch("COMMIT").is_ok();
    if !done {
        drop(database.execute_batch("ROLLBACK"));
    }
    done
}

fn texts(database: &Connection, query: &str) -> Vec<String> {
    let mut statement = database.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// Every text that stands anywhere in the database, with how often. Each row of a test holds texts that
/// stand nowhere else, so that what is missing afterwards was lost.
fn everything(database: &Connection) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for table in texts(database, "SELECT name FROM sqlite_schema WHERE type = 'table'") {
        let mut statement = database.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                if let Value::Text(text) = row.get(column).unwrap() {
                    *all.entry(text).or_default() += 1;
                }
            }
        }
    }
    all
}

/// Texts that stood somewhere and stand nowhere any more. A reference is told by `child>parent`.
fn lost(before: &BTreeMap<String, usize>, after: &BTreeMap<String, usize>) -> BTreeSet<String> {
    before.keys().filter(|text| !after.contains_key(*text)).cloned().collect()
}

/// Some tables that refer to each other, with rows.
struct World {
    numbers: SplitMix64,
    /// The parent of each, and what happens when that goes.
    parents: Vec<Option<(usize, &'static str)>>,
}

const NAMES: [&str; 4] = ["a", "b", "c d", "e"];
const FATES: [&str; 5] =
    ["ON DELETE CASCADE", "on delete set null", "ON DELETE RESTRICT", "ON UPDATE CASCADE", ""];

impl World {
    fn new(seed: u64) -> Self {
        let mut numbers = SplitMix64(seed);
        let mut below = |end: usize| usize::try_from(numbers.next_number() % end as u64).unwrap();
        let parents = (0..NAMES.len())
            .map(|at| (at > 0 && below(3) > 0).then(|| (below(at), FATES[below(FATES.len())])));
        let parents = parents.collect();
        Self { numbers, parents }
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.numbers.next_number() % end as u64).unwrap()
    }

    /// The definition of a table under some name; what it refers to may have another one by now.
    fn create(&self, at: usize, name: &str, parent_name: Option<&str>) -> String {
        let refers = self.parents[at].map(|(parent, fate)| {
            let parent = parent_name.unwrap_or(NAMES[parent]);
            format!(" REFERENCES \"{parent}\"(id) {fate}")
        });
        let refers = refers.unwrap_or_default();
        format!(
            "CREATE TABLE \"{name}\" (id INTEGER PRIMARY KEY, own TEXT, more, ref INTEGER{refers});\n"
        )
    }

    /// All tables, and rows in each that refer to their parents' rows.
    fn base(&self) -> String {
        let mut text = String::new();
        for (at, name) in NAMES.iter().enumerate() {
            text.push_str(&self.create(at, name, None));
            for row in 1..=ROWS {
                let refers =
                    if self.parents[at].is_some() { row.to_string() } else { "NULL".into() };
                writeln!(text, "INSERT INTO \"{name}\" VALUES ({row}, 'own-{at}-{row}', 'more-{at}-{row}', {refers});").unwrap();
            }
        }
        text
    }

    /// A name in one of its spellings.
    fn spelt(&mut self, name: &str) -> String {
        let name = if self.below(3) == 0 { name.to_uppercase() } else { name.to_owned() };
        match self.below(4) {
            0 => format!("[{name}]"),
            1 => format!("`{name}`"),
            2 if !name.contains(' ') => name,
            _ => format!("\"{name}\""),
        }
    }

    /// A migration: one of the ways in which people change tables.
    fn migration(&mut self) -> String {
        let at = self.below(NAMES.len());
        let name = NAMES[at];
        let it = self.spelt(name);
        let pragma =
            ["PRAGMA foreign_keys=OFF;", "pragma defer_foreign_keys = on;", ""][self.below(3)];
        let columns = ["id, own, more, ref", "*", "id, own, more, ref"][self.below(3)];
        match self.below(11) {
            0 => format!("DROP TABLE {it};"),
            1 => format!("DROP TABLE IF EXISTS main.{it};"),
            2 => format!("DELETE FROM {it};"),
            3 => format!("/* all */ DELETE FROM {it} WHERE TRUE;"),
            4 => format!("ALTER TABLE {it} DROP COLUMN more;"),
            5 => format!("ALTER TABLE {it} ADD COLUMN fresh NOT NULL DEFAULT 0;"),
            6 => format!("ALTER TABLE {it} RENAME COLUMN own TO mine;"),
            // A rebuild, as the documents of SQLite have it.
            7 => {
                let new = self.create(at, "new", None);
                format!(
                    "{pragma}\n{new}INSERT INTO new SELECT {columns} FROM {it};\nDROP TABLE {it};\n\
                     ALTER TABLE new RENAME TO \"{name}\";"
                )
            }
            // One that renames first.
            8 => {
                let new = self.create(at, name, None);
                format!(
                    "{pragma}\nALTER TABLE {it} RENAME TO old;\n{new}\
                     INSERT INTO {it} SELECT {columns} FROM old;\nDROP TABLE old;"
                )
            }
            // One that leaves a column behind.
            9 => {
                let new = self.create(at, "new", None);
                format!(
                    "{new}INSERT INTO new (id, own, ref) SELECT id, own, ref FROM {it};\nDROP TABLE {it};\n\
                     ALTER TABLE new RENAME TO \"{name}\";"
                )
            }
            // One that takes along what refers to it.
            _ => {
                let children: Vec<usize> = (0..NAMES.len())
                    .filter(|child| self.parents[*child].is_some_and(|(parent, _)| parent == at))
                    .collect();
                let mut text = self.create(at, "new", None);
                writeln!(text, "INSERT INTO new SELECT * FROM {it};").unwrap();
                for child in &children {
                    let copy = format!("new{child}");
                    text.push_str(&self.create(*child, &copy, Some("new")));
                    writeln!(text, "INSERT INTO {copy} SELECT * FROM \"{}\";", NAMES[*child])
                        .unwrap();
                }
                for child in children.iter().rev() {
                    writeln!(text, "DROP TABLE \"{}\";", NAMES[*child]).unwrap();
                }
                writeln!(text, "DROP TABLE {it};\nALTER TABLE new RENAME TO \"{name}\";").unwrap();
                for child in children {
                    writeln!(text, "ALTER TABLE new{child} RENAME TO \"{}\";", NAMES[child])
                        .unwrap();
                }
                text
            }
        }
    }
}

/// References are numbers; as texts they can be missed when they are nulled.
fn with_references(database: &Connection) -> BTreeMap<String, usize> {
    let mut all = everything(database);
    for table in texts(database, "SELECT name FROM sqlite_schema WHERE type = 'table'") {
        let columns = texts(database, &format!("SELECT name FROM pragma_table_info('{table}')"));
        let own = columns.iter().find(|it| ["own", "mine"].contains(&it.as_str()));
        if let Some(own) = own.filter(|_| columns.contains(&"ref".to_owned())) {
            let query =
                format!("SELECT {own} || '>' || ref FROM \"{table}\" WHERE ref IS NOT NULL");
            for reference in texts(database, &query) {
                *all.entry(reference).or_default() += 1;
            }
        }
    }
    all
}

fn told(base: &str, migration: &str) -> Vec<Finding> {
    let files = [File { text: base, applied: true }, File { text: migration, applied: false }];
    read(&files, Before::Rows)
}

/// Invariant: a file that SQLite runs and that loses anything was told to, and one that was told to lose
/// rows loses some.
#[test]
fn what_sqlite_loses_was_told_and_what_was_told_is_lost() {
    let (mut lossy, mut harmless, mut refused) = (0, 0, 0);
    for seed in 0..2_000 {
        let mut world = World::new(seed);
        let base = world.base();
        let migration = world.migration();
        let database = open();
        assert!(run(&database, &base), "{base}");
        let before = with_references(&database);
        if !run(&database, &migration) {
            refused += 1;
            continue;
        }
        let lost = lost(&before, &with_references(&database));
        let findings = told(&base, &migration);
        let tells = findings.iter().any(|it| it.what.loses_rows());
        assert_eq!(tells, !lost.is_empty(), "{base}\n{migration}\n{lost:#?}\n{findings:#?}");
        let unread = findings.iter().any(|it| matches!(it.what, What::Unread { .. }));
        assert!(!unread, "{migration}\n{findings:#?}");
        lossy += usize::from(tells);
        harmless += usize::from(!tells);
    }
    assert!(lossy > 400 && harmless > 400 && refused > 25, "{lossy} {harmless} {refused}");
}

/// What is told of a column without a default, and of transactions, SQLite refuses.
#[test]
fn what_is_told_to_be_refused_sqlite_refuses() {
    for (migration, is_refused) in [
        ("ALTER TABLE a ADD x NOT NULL;", true),
        ("ALTER TABLE a ADD x NOT NULL DEFAULT NULL;", true),
        ("ALTER TABLE a ADD x NOT NULL DEFAULT 'x';", false),
        ("ALTER TABLE a ADD x NOT NULL GENERATED ALWAYS AS (id) VIRTUAL;", false),
        ("BEGIN; COMMIT;", true),
        ("VACUUM;", true),
    ] {
        let world = World::new(1);
        let database = open();
        assert!(run(&database, &world.base()));
        assert_eq!(run(&database, migration), !is_refused, "{migration}");
        assert_eq!(told(&world.base(), migration).is_empty(), !is_refused, "{migration}");
    }
}

/// A `REPLACE` deletes the row that is in its way, with all that refers to it.
#[test]
fn a_replace_that_takes_rows_of_others_is_told() {
    let base = "CREATE TABLE a (id INTEGER PRIMARY KEY, own TEXT); INSERT INTO a VALUES (1, 'x');\n\
                CREATE TABLE b (own TEXT, ref REFERENCES a ON DELETE CASCADE); INSERT INTO b VALUES ('y', 1);";
    for migration in
        ["REPLACE INTO a VALUES (1, 'x');", "insert or replace into [A] select 1, 'x';"]
    {
        let database = open();
        assert!(run(&database, base) && run(&database, migration));
        assert_eq!(texts(&database, "SELECT own FROM b"), [""; 0]);
        assert!(told(base, migration).iter().any(|it| it.what.loses_rows()), "{migration}");
    }
}
