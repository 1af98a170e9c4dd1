//! A text in statements, each with its place.
//!
//! Each statement is parsed alone: a text of many megabytes takes the memory of one statement, and one
//! that cannot be read hides no other. SQLite's own grammar says where it ends, so that a trigger is one.

use std::ops::Range;

use sqlite3_parser::{
    Bump, FallibleIterator as _,
    ast::{Cmd, Stmt},
    lexer::{
        Scanner,
        sql::{Error, Parser, Tokenizer},
    },
};

use crate::{STATEMENT_BYTES_MAX, finding::What};

/// The most brackets in each other: SQLite takes no deeper expression
/// (<https://www.sqlite.org/limits.html>), and a tree of any depth would take any stack.
const DEPTH_MAX: usize = 1_000;

/// Where a statement stands.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) bytes: Range<usize>,
    pub(crate) line: usize,
}

/// Gives each statement of a text to `each`, or what is wrong with it.
pub(crate) fn each(text: &str, mut each: impl FnMut(&Place, Result<&Stmt<'_>, What>)) {
    let mut bump = Bump::new();
    let mut place = Place { bytes: 0..0, line: 1 };
    if let Some(rest) = text.strip_prefix('\u{feff}') {
        place.bytes = text.len() - rest.len()..0;
    }
    loop {
        let from = place.bytes.start;
        let begins = from + blank(text.get(from..).unwrap_or_default());
        place.line += lines(text.get(from..begins).unwrap_or_default());
        place.bytes = begins..begins;
        let rest = text.get(begins..).unwrap_or_default();
        if rest.is_empty() {
            return;
        }
        // Longer than D1 takes is not read: its memory would have no bound.
        let most = rest.floor_char_boundary(STATEMENT_BYTES_MAX + 1);
        let head = rest.get(..most).unwrap_or(rest);
        bump.reset();
        let length = if is_too_deep(head) {
            let (length, _) = to_its_end(rest);
            place.bytes.end = begins + length;
            let reason = format!("more than {DEPTH_MAX} brackets in each other");
            each(&place, Err(What::Unread { reason }));
            length
        } else {
            let mut parser = Parser::new(&bump, head.as_bytes());
            let parsed = parser.next();
            let end = offset(head, &parser);
            match parsed {
                // An empty statement.
                Ok(None) => end,
                Ok(Some(cmd)) if end <= STATEMENT_BYTES_MAX => {
                    place.bytes.end = begins + end;
                    if let Cmd::Stmt(statement) = &cmd {
                        each(&place, Ok(statement));
                    }
                    end
                }
                parsed => {
                    let (length, whole) = to_its_end(rest);
                    place.bytes.end = begins + length;
                    let wrong = match parsed {
                        _ if length > STATEMENT_BYTES_MAX => {
                            What::TooLong { bytes: STATEMENT_BYTES_MAX }
                        }
                        Err(error) => What::Unread { reason: reason(&error) },
                        Ok(_) => What::Unread { reason: "it does not end".to_owned() },
                    };
                    each(&place, Err(wrong));
                    if !whole {
                        return;
                    }
                    length
                }
            }
        };
        // Each round goes on, whatever the parser says.
        let length = length.max(1);
        let end = rest.ceil_char_boundary(length);
        place.line += lines(rest.get(..end).unwrap_or_default());
        place.bytes = begins + end..begins + end;
    }
}

/// The bytes of a parser's position.
fn offset(text: &str, parser: &Parser<'_>) -> usize {
    let at = parser.position();
    let before: usize =
        text.split_inclusive('\n').take(at.line.saturating_sub(1)).map(str::len).sum();
    (before + at.column.saturating_sub(1)).min(text.len())
}

/// True where the first statement has too many brackets in each other.
fn is_too_deep(text: &str) -> bool {
    let mut scanner = Scanner::new(Tokenizer::new());
    let mut depth = 0_usize;
    loop {
        match scanner.scan(text.as_bytes()) {
            Ok((_, Some((b"(", _)), _)) => depth += 1,
            Ok((_, Some((b")", _)), _)) => depth = depth.saturating_sub(1),
            Ok((_, Some((b";", _)) | None, _)) | Err(_) => return false,
            Ok(_) => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
}

/// How long a statement is that cannot be read: to the next semicolon outside of quotes. False where none
/// comes, so that nothing behind it can be read either.
fn to_its_end(text: &str) -> (usize, bool) {
    let mut scanner = Scanner::new(Tokenizer::new());
    loop {
        match scanner.scan(text.as_bytes()) {
            Ok((_, Some((b";", _)), end)) => return (end, true),
            Ok((_, Some(_), _)) => {}
            Ok((_, None, _)) | Err(_) => return (text.len(), false),
        }
    }
}

/// The bytes of blanks, comments and lone semicolons at the head of a text.
fn blank(text: &str) -> usize {
    let mut rest = text;
    loop {
        let now = rest.trim_start_matches(|it: char| it.is_ascii_whitespace() || it == ';');
        let now = if let Some(comment) = now.strip_prefix("--") {
            comment.split_once('\n').map_or("", |(_, behind)| behind)
        } else if let Some(comment) = now.strip_prefix("/*") {
            // An open comment ends with the text, as SQLite has it.
            comment.split_once("*/").map_or("", |(_, behind)| behind)
        } else {
            now
        };
        if now.len() == rest.len() {
            return text.len() - rest.len();
        }
        rest = now;
    }
}

fn lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
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
        assert!(matches!(read[2].2, Err(What::Unread { .. })), "{read:?}");
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
