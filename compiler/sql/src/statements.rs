//! A text in statements, each with its place, read by SQLite's own grammar.
//!
//! Each statement is parsed alone: a text of many megabytes takes the memory of one statement, and one
//! that cannot be read hides no other.

use sqlite3_parser::{
    Bump, FallibleIterator as _,
    ast::{Cmd, Stmt},
    lexer::{
        Scanner,
        sql::{Error, Parser, Tokenizer},
    },
};

use crate::{
    STATEMENT_BYTES_MAX,
    cut::{Lack, Statement, closed, statements},
    finding::What,
};

/// The most brackets in each other: SQLite takes no deeper expression
/// (<https://www.sqlite.org/limits.html>), and a tree of any depth would take any stack.
const DEPTH_MAX: usize = 1_000;

/// Gives each statement of a text to `each`, or what is wrong with it.
pub(crate) fn each(text: &str, mut each: impl FnMut(&Statement, Result<&Stmt<'_>, What>)) {
    let mut bump = Bump::new();
    let mut last = None;
    for statement in statements(text) {
        let own = text.get(statement.bytes.clone()).unwrap_or_default();
        bump.reset();
        if own.len() > STATEMENT_BYTES_MAX {
            // Longer than D1 takes is not read: its memory would have no bound.
            each(&statement, Err(What::TooLong { bytes: own.len() }));
        } else if is_too_deep(own) {
            let reason = format!("more than {DEPTH_MAX} brackets in each other");
            each(&statement, Err(What::Unread { reason }));
        } else {
            match Parser::new(&bump, own.as_bytes()).next() {
                Ok(Some(Cmd::Stmt(read))) => each(&statement, Ok(&read)),
                // What is only explained, and what is empty.
                Ok(_) => {}
                // What is open at its end is told below.
                Err(_) if matches!(statement.lacks, Some(Lack::Quote | Lack::TriggerEnd)) => {}
                Err(error) => each(&statement, Err(What::Unread { reason: reason(&error) })),
            }
        }
        last = Some(statement);
    }
    if let Err(unclosed) = closed(text) {
        let end = last.map_or(0, |it| it.bytes.end);
        let place =
            Statement { line: unclosed.line, bytes: end..end, makes_trigger: false, lacks: None };
        each(&place, Err(What::Unclosed { what: unclosed.to_string() }));
    }
}

/// True where a statement has too many brackets in each other.
fn is_too_deep(text: &str) -> bool {
    let mut scanner = Scanner::new(Tokenizer::new());
    let mut depth = 0_usize;
    loop {
        match scanner.scan(text.as_bytes()) {
            Ok((_, Some((b"(", _)), _)) => depth += 1,
            Ok((_, Some((b")", _)), _)) => depth = depth.saturating_sub(1),
            // In the body of a trigger.
            Ok((_, Some((b";", _)), _)) => depth = 0,
            Ok((_, None, _)) | Err(_) => return false,
            Ok(_) => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
}

/// What the parser says, without its places: they are of the statement alone.
fn reason(error: &Error) -> String {
    match error {
        Error::UnrecognizedToken(_) => "an unknown character".to_owned(),
        Error::UnterminatedLiteral(_) => "a text without an end".to_owned(),
        Error::UnterminatedBracket(_) => "a `[` without an end".to_owned(),
        Error::UnterminatedBlockComment(_) => "a comment without an end".to_owned(),
        Error::BadVariableName(_) => "a variable without a name".to_owned(),
        Error::BadNumber(_) | Error::MalformedHexInteger(_) => "a number that is none".to_owned(),
        Error::ExpectedEqualsSign(_) => "`!` without `=`".to_owned(),
        Error::MalformedBlobLiteral(_) => "a blob that is none".to_owned(),
        Error::ParserError(error, _) => error.to_string(),
        _ => "it is no SQL of SQLite".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(usize, String, Result<(), What>)> {
        let mut found = Vec::new();
        each(text, |place, read| {
            found.push((
                place.line,
                text.get(place.bytes.clone()).unwrap().to_owned(),
                read.map(|_| ()),
            ));
        });
        found
    }

    #[test]
    fn statements_have_their_places_whatever_stands_between_them() {
        let text = "\u{feff}-- a;\r\nCREATE TABLE t (\n x); ;; /* ; */\n\nDELETE FROM t -- ;\n WHERE x = ';'\n;\nSELECT 1";
        let read = all(text);
        let shown: Vec<(usize, &str)> =
            read.iter().map(|(line, it, _)| (*line, it.as_str())).collect();
        assert_eq!(
            shown,
            [
                (2, "CREATE TABLE t (\n x);"),
                (5, "DELETE FROM t -- ;\n WHERE x = ';'\n;"),
                (8, "SELECT 1")
            ]
        );
        assert!(read.iter().all(|(_, _, it)| it.is_ok()));
    }

    #[test]
    fn a_trigger_is_one_statement_however_it_is_spelt() {
        let trigger = "create trigger x after insert on t begin update t set a = case when 1 then 2 end; \
                       delete from t where a = ';'; end;";
        let read = all(&format!("{trigger}\nSELECT 2;"));
        assert_eq!(read.len(), 2, "{read:?}");
        assert_eq!(read[0].1, trigger);
    }

    #[test]
    fn what_cannot_be_read_is_told_and_hides_nothing_behind_it() {
        let read = all("CREATE TABEL x;\nSELECT 1;\nSELECT 'open;\nSELECT 2;");
        assert_eq!(read.len(), 3, "{read:?}");
        assert!(matches!(read[0].2, Err(What::Unread { .. })), "{read:?}");
        assert!(read[1].2.is_ok());
        assert!(matches!(read[2].2, Err(What::Unclosed { .. })), "{read:?}");
        assert_eq!((read[0].0, read[1].0, read[2].0), (1, 2, 3));
    }

    #[test]
    fn a_statement_that_is_too_long_is_told_and_not_read() {
        let long = format!("INSERT INTO t VALUES ('{}');", "ä".repeat(60_000));
        let read = all(&format!("SELECT 1;{long}SELECT 2;"));
        assert_eq!(read.len(), 3, "{}", read.len());
        assert!(matches!(read[1].2, Err(What::TooLong { .. })));
    }

    #[test]
    fn however_deep_a_statement_is_it_takes_no_more_stack() {
        for (open, close) in
            [("(", ")"), ("(SELECT ", ")"), ("- ", ""), ("NOT ", ""), ("1+", ""), ("abs(", ")")]
        {
            for count in [900, 1_100, 12_000] {
                let text =
                    format!("SELECT {}1{};SELECT 2;", open.repeat(count), close.repeat(count));
                let read = all(&text);
                assert_eq!(read.len(), 2, "{open} {count}");
                assert!(read[1].2.is_ok(), "{open} {count}");
            }
        }
        let cases = format!(
            "SELECT {}1{};SELECT 2;",
            "CASE WHEN 1 THEN ".repeat(5_000),
            " END".repeat(5_000)
        );
        assert_eq!(all(&cases).len(), 2);
    }
}
