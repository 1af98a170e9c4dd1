//! What migrations do to rows, read before anything runs.
//!
//! D1 runs a migration in one transaction, with foreign keys enforced: `PRAGMA foreign_keys=OFF` does
//! nothing there (<https://developers.cloudflare.com/d1/sql-api/foreign-keys/>), so `DROP TABLE`, which
//! deletes all rows first, takes along the rows of every table that refers to it with `ON DELETE CASCADE`
//! (<https://www.sqlite.org/foreignkeys.html#fk_schemacommands>). An ORM's rebuild of a table empties
//! others that way, and reports success.
//!
//! - [`cut`]: a text in statements, each with its place, and ended so that something can follow it.
//! - [`statements`]: each of them, parsed by SQLite's own grammar.
//! - [`schema`]: the tables, what refers to what, and where rows are, as the statements make them.
//! - [`effects`]: what a statement does to both.
//! - [`finding`]: what is told of it.
//! - [`locate`]: where a statement stands that a database refused.
//!
//! What is known of a database is what its files say. A table that was made otherwise is not known, nor is
//! what refers to it.

mod cut;
mod effects;
mod finding;
mod locate;
mod schema;
mod statements;

pub use cut::{Lack, Statement, Statements, Unclosed, closed, has_statement, statements};
pub use finding::{Finding, Loss, What};
pub use locate::locate;

use effects::Reader;

/// The most bytes of one statement that D1 takes
/// (<https://developers.cloudflare.com/d1/platform/limits/>).
pub const STATEMENT_BYTES_MAX: usize = 100_000;

/// One file of SQL.
#[derive(Clone, Copy, Debug)]
pub struct File<'f> {
    /// Its text.
    pub text: &'f str,
    /// It ran already: it tells what tables there are, and nothing else of it is said.
    pub applied: bool,
}

/// What is in the database before the first file runs that has not run yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing: it is made anew.
    Nothing,
    /// Tables with rows: those that applied files made, and others that no file tells of.
    Rows,
    /// Nobody knows which files ran: each could be the first that has not.
    Unknown,
}

/// Reads the files of one database, in the order in which they run. The findings are of files that did not
/// run yet, in their order.
pub fn read(files: &[File<'_>], before: Before) -> Vec<Finding> {
    let mut reader = Reader::new(before);
    let all = || files.iter().enumerate();
    for (index, file) in all().filter(|(_, file)| file.applied) {
        reader.file(index, file.text);
    }
    // What applied files do is history.
    reader.begin();
    for (index, file) in all().filter(|(_, file)| !file.applied) {
        reader.file(index, file.text);
    }
    reader.findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of texts of which the first `applied` ran already, in short.
    fn told(files: &[&str], applied: usize, before: Before) -> Vec<String> {
        let files: Vec<File<'_>> = files
            .iter()
            .enumerate()
            .map(|(index, text)| File { text, applied: index < applied })
            .collect();
        read(&files, before)
            .iter()
            .map(|it| format!("{}:{} {}", it.file, it.line, it.what))
            .collect()
    }

    const PARENT: &str = "CREATE TABLE a (id INTEGER PRIMARY KEY); \
                          CREATE TABLE b (a REFERENCES \"A\"(id) ON DELETE CASCADE);\n\
                          INSERT INTO a VALUES (1); INSERT INTO b VALUES (1);";
    const REBUILD: &str = "PRAGMA foreign_keys=OFF;\nCREATE TABLE n (id INTEGER PRIMARY KEY);\n\
                           INSERT INTO n SELECT id FROM a;\nDROP TABLE a;\nALTER TABLE n RENAME TO a;\n\
                           PRAGMA foreign_keys=ON;";

    #[test]
    fn a_rebuild_that_empties_another_table_is_told_with_its_line() {
        let says = "1:4 DROP TABLE deletes rows of `a`, all of them, and with them go those of `b` (`PRAGMA \
                    foreign_keys` in line 1 does nothing: D1 runs a migration in a transaction)";
        for before in [Before::Nothing, Before::Rows, Before::Unknown] {
            assert_eq!(told(&[PARENT, REBUILD], 0, before), [says]);
            assert_eq!(told(&[PARENT, REBUILD], 1, before), [says]);
            assert_eq!(told(&[PARENT, REBUILD], 2, before), [""; 0]);
        }
    }

    #[test]
    fn a_rebuild_of_what_nothing_refers_to_is_no_loss() {
        let alone = "CREATE TABLE a (id INTEGER PRIMARY KEY); INSERT INTO a VALUES (1);";
        assert_eq!(told(&[alone, REBUILD], 1, Before::Rows), [""; 0]);
        let restricts = PARENT.replace("ON DELETE CASCADE", "ON DELETE RESTRICT");
        assert_eq!(told(&[&restricts, REBUILD], 1, Before::Rows), [""; 0]);
    }

    #[test]
    fn a_rebuild_that_takes_what_refers_to_it_along_is_no_loss() {
        let whole = "CREATE TABLE n (id INTEGER PRIMARY KEY); INSERT INTO n SELECT * FROM a;\n\
                     CREATE TABLE m (a REFERENCES n(id) ON DELETE CASCADE); INSERT INTO m SELECT * FROM b;\n\
                     DROP TABLE b; DROP TABLE a;\n\
                     ALTER TABLE n RENAME TO a; ALTER TABLE m RENAME TO b;";
        assert_eq!(told(&[PARENT, whole], 1, Before::Rows), [""; 0]);
        // And the next rebuild is one that empties it again.
        assert_eq!(told(&[PARENT, whole, REBUILD], 2, Before::Rows).len(), 1);
    }

    /// Tables of which some refer to others.
    const BASE: &str = "CREATE TABLE t (x, [y z], \"Q\"); CREATE TABLE p (id PRIMARY KEY); \
                    CREATE TABLE c (p REFERENCES p ON DELETE SET NULL, q, \
                    FOREIGN KEY (q) REFERENCES w(x) ON DELETE SET DEFAULT); \
                    CREATE TABLE w (x PRIMARY KEY);";

    /// What one statement comes to.
    const TOLD: &[(&str, &str)] = &[
        ("DROP TABLE T;", "1:1 the table `t` goes with all of its rows"),
        ("drop table if exists `t`;", "1:1 the table `t` goes with all of its rows"),
        ("DELETE FROM c;", "1:1 all rows of `c` are deleted"),
        ("DELETE FROM c WHERE (1=1);", "1:1 all rows of `c` are deleted"),
        ("WITH x AS (SELECT 1) DELETE FROM c WHERE TRUE", "1:1 all rows of `c` are deleted"),
        ("DELETE FROM c WHERE q = 1;", ""),
        ("DELETE FROM c WHERE 0;", ""),
        ("DELETE FROM c LIMIT 1;", ""),
        ("DROP INDEX t; DROP VIEW t; DROP TRIGGER t;", ""),
        ("ALTER TABLE t DROP \"y z\";", "1:1 the column `y z` of `t` goes with all that is in it"),
        (
            "ALTER TABLE t ADD n NOT NULL;",
            "1:1 `n` is NOT NULL without a default, which SQLite refuses where `t` has rows",
        ),
        (
            "ALTER TABLE t ADD n NOT NULL DEFAULT NULL;",
            "1:1 `n` is NOT NULL without a default, which SQLite refuses where `t` has rows",
        ),
        ("ALTER TABLE t ADD n NOT NULL DEFAULT 0;", ""),
        ("ALTER TABLE t ADD n;", ""),
        ("ALTER TABLE t RENAME x TO z;", ""),
        ("\n\nBEGIN;", "1:3 D1 refuses BEGIN in a migration"),
        ("COMMIT;", "1:1 D1 refuses COMMIT in a migration"),
        ("END TRANSACTION;", "1:1 D1 refuses COMMIT in a migration"),
        ("SAVEPOINT s;", "1:1 D1 refuses SAVEPOINT in a migration"),
        ("vacuum;", "1:1 D1 refuses VACUUM in a migration"),
        (
            "REPLACE INTO p VALUES (1);",
            "1:1 REPLACE deletes rows of `p` and what refers to them becomes null in `c`",
        ),
        ("INSERT OR REPLACE INTO c VALUES (1, 2);", ""),
        (
            "DELETE FROM p;",
            "1:1 all rows of `p` are deleted|1:1 DELETE deletes rows of `p` and what refers to them becomes null in `c`",
        ),
        ("DROP TABLE elsewhere;", "1:1 the table `elsewhere` goes with all of its rows"),
        ("CREATE TEMP TABLE s AS SELECT * FROM t; DROP TABLE s;", ""),
        ("CREATE TABLE s (x); DROP TABLE s;", ""),
        ("CREATE TABLE s AS SELECT * FROM c; DROP TABLE c;", ""),
        (
            "CREATE TABLE s AS SELECT p FROM c; DROP TABLE c;",
            "1:1 the column `q` of `c` goes with all that is in it",
        ),
        (
            "CREATE TABLE s AS SELECT * FROM c WHERE p; DROP TABLE c;",
            "1:1 the table `c` goes with all of its rows",
        ),
        (
            "CREATE TABLE s AS SELECT * FROM c; DROP TABLE c; DROP TABLE s;",
            "1:1 the table `s` goes with all of its rows",
        ),
        ("ALTER TABLE c RENAME TO d; DROP TABLE d;", "1:1 the table `d` goes with all of its rows"),
        (
            "ALTER TABLE p RENAME TO o; CREATE TABLE p (id); INSERT INTO p SELECT id FROM o; DROP TABLE o;",
            "1:1 DROP TABLE deletes rows of `o`, all of them, and what refers to them becomes null in `c`",
        ),
        ("CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM c; END;", ""),
        ("EXPLAIN DELETE FROM c;", ""),
    ];

    #[test]
    fn what_goes_is_told_and_what_stays_is_not() {
        for (text, says) in TOLD {
            assert_eq!(told(&[BASE, text], 1, Before::Rows).join("|"), *says, "{text}");
        }
    }

    #[test]
    fn rows_that_the_same_files_made_are_no_loss_of_what_was_there() {
        let text = "CREATE TABLE t (x); INSERT INTO t VALUES (1); DROP TABLE t;";
        let files = [File { text, applied: false }];
        let found = read(&files, Before::Nothing);
        assert!(found.iter().all(|it| !it.what.loses_rows()), "{found:?}");
        let base = File { text: "CREATE TABLE t (x);", applied: true };
        let drop = File { text: "DROP TABLE t;", applied: false };
        assert!(read(&[base, drop], Before::Rows)[0].what.loses_rows());
    }

    #[test]
    fn rows_that_follow_others_follow_these_too() {
        let base = "CREATE TABLE a (id PRIMARY KEY); CREATE TABLE b (id PRIMARY KEY, a REFERENCES a ON DELETE \
                    CASCADE); CREATE TABLE c (b REFERENCES b ON DELETE CASCADE); CREATE TABLE d (c REFERENCES \
                    c ON DELETE SET NULL, a REFERENCES a ON DELETE SET NULL);";
        let says = "1:1 DELETE deletes rows of `a` and with them go those of `b` and `c`; what refers to them \
                    becomes null in `d`";
        assert_eq!(told(&[base, "DELETE FROM a;"], 1, Before::Rows)[1], says);
    }
}
