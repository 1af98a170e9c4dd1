//! A text in statements, as SQLite cuts it, whatever is wrong in them.
//!
//! A `;` ends a statement outside of quotes, comments and the body of a trigger, which ends with
//! `;`, `END`, `;`. A NUL ends the text: SQLite reads nothing behind it. Source: SQLite's own
//! `sqlite3_complete` and its tokenizer.

use std::{borrow::Cow, fmt, ops::Range};

/// One statement of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The line of its first word, from 1.
    pub line: usize,
    /// Its bytes in the text, from its first word to its `;`.
    pub bytes: Range<usize>,
    /// It makes a trigger.
    pub makes_trigger: bool,
    /// What it lacks at its end.
    pub lacks: Option<Lack>,
}

/// What a statement lacks at its end, and the text ends with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// A `;`, which SQLite wants of none that is the last one.
    Semicolon,
    /// The end of a quote.
    Quote,
    /// The `END;` of a trigger.
    TriggerEnd,
}

/// A text behind which nothing can be put that runs by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unclosed {
    /// The line that it is about, from 1.
    pub line: usize,
    what: &'static str,
}

impl fmt::Display for Unclosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

/// The statements of a text, in order, in one pass.
pub fn statements(text: &str) -> Statements<'_> {
    Statements { text, at: 0, line: 1, open_comment: false }
}

/// False for a text of comments and blanks alone.
pub fn has_statement(text: &str) -> bool {
    statements(text).next().is_some()
}

/// The text, ended so that what is put behind it, on the next line, is a statement of its own: with the end
/// of its last statement and of its last comment, and without what SQLite does not read.
///
/// # Errors
///
/// A quote or a trigger that is open at the end, and a NUL with statements behind it, which would never run.
pub fn closed(text: &str) -> Result<Cow<'_, str>, Unclosed> {
    let (runs, behind) = text.split_once('\0').unwrap_or((text, ""));
    if has_statement(&behind.replace('\0', " ")) {
        let what = "there is a NUL byte in this line, at which SQLite stops reading: what is behind it would \
                    not run; remove it";
        return Err(Unclosed { line: 1 + lines(runs.as_bytes()), what });
    }
    let mut all = statements(runs);
    let last = all.by_ref().last();
    let lacks = last.as_ref().and_then(|it| it.lacks);
    let line = last.map_or(1, |it| it.line);
    let end = match (lacks, all.open_comment) {
        (Some(Lack::Quote), _) => {
            let what = "this statement has a quote that is not closed";
            return Err(Unclosed { line, what });
        }
        (Some(Lack::TriggerEnd), _) => {
            let what = "this statement makes a trigger, and its `END;` is missing";
            return Err(Unclosed { line, what });
        }
        (Some(Lack::Semicolon), true) => "*/\n;",
        (None, true) => "*/",
        (Some(Lack::Semicolon), _) => "\n;",
        (None, _) => "",
    };
    // SQLite takes other blanks for a part of a name.
    let runs = runs.trim_end_matches(|c: char| c.is_ascii_whitespace());
    Ok(if end.is_empty() { Cow::Borrowed(runs) } else { Cow::Owned(format!("{runs}{end}")) })
}

/// Gives the statements of a text.
#[derive(Clone, Debug)]
pub struct Statements<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    /// The text ends in a comment that does not.
    open_comment: bool,
}

impl Iterator for Statements<'_> {
    type Item = Statement;

    fn next(&mut self) -> Option<Statement> {
        let all = self.text.as_bytes();
        let mut open: Option<(Statement, Body)> = None;
        let mut quoted = false;
        loop {
            let rest = all.get(self.at..).unwrap_or_default();
            let first = rest.first().copied().unwrap_or_default();
            if first == 0 {
                break;
            }
            let (token, length) = token(first, rest);
            let bytes = rest.get(..length).unwrap_or(rest);
            self.open_comment |= token == Token::Comment { open: true };
            let (begin, line) = (self.at, self.line);
            self.at += bytes.len();
            self.line += lines(bytes);
            let is_blank = matches!(token, Token::Blank | Token::Comment { .. });
            let (mut statement, mut body) = match open.take() {
                None if is_blank || token == Token::End => continue,
                None => {
                    let bytes = begin..begin;
                    (Statement { line, bytes, makes_trigger: false, lacks: None }, Body::Begins)
                }
                Some(statement) => statement,
            };
            quoted |= token == Token::Other { open: true };
            if !is_blank {
                statement.bytes.end = self.at;
            }
            body = body.after(token, bytes);
            statement.makes_trigger |= body == Body::Trigger;
            if token == Token::End && body != Body::TriggerStatement {
                return Some(statement);
            }
            open = Some((statement, body));
        }
        let (mut statement, body) = open?;
        statement.lacks = Some(match body {
            _ if quoted => Lack::Quote,
            Body::Trigger | Body::TriggerStatement => Lack::TriggerEnd,
            _ => Lack::Semicolon,
        });
        Some(statement)
    }
}

pub(crate) fn lines(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count() - 1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Blank,
    /// Open: the text ends in it.
    Comment {
        open: bool,
    },
    Word,
    /// `;`
    End,
    /// Open: a quote without an end.
    Other {
        open: bool,
    },
}

/// What a statement is so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// Nothing, or `EXPLAIN`, which may stand before everything.
    Begins,
    /// `CREATE`, or `CREATE TEMP`.
    Creates,
    /// A trigger: a `;` does not end it.
    Trigger,
    /// In a trigger, after a `;`.
    TriggerStatement,
    /// In a trigger, after `; END`.
    TriggerEnd,
    /// Anything else.
    Plain,
}

impl Body {
    fn after(self, token: Token, bytes: &[u8]) -> Self {
        let is = |word: &str| token == Token::Word && bytes.eq_ignore_ascii_case(word.as_bytes());
        match (self, token) {
            (_, Token::Blank | Token::Comment { .. }) => self,
            (Self::Begins, _) if is("explain") || is("query") || is("plan") => Self::Begins,
            (Self::Begins, _) if is("create") => Self::Creates,
            (Self::Creates, _) if is("temp") || is("temporary") => Self::Creates,
            (Self::Creates, _) if is("trigger") => Self::Trigger,
            (Self::Begins | Self::Creates | Self::Plain, _) | (Self::TriggerEnd, Token::End) => {
                Self::Plain
            }
            (Self::TriggerStatement, _) if is("end") => Self::TriggerEnd,
            (Self::Trigger | Self::TriggerStatement, Token::End) => Self::TriggerStatement,
            (Self::Trigger | Self::TriggerStatement | Self::TriggerEnd, _) => Self::Trigger,
        }
    }
}

/// What stands at the beginning of this text, and how long it is.
fn token(first: u8, rest: &[u8]) -> (Token, usize) {
    // The length, and whether the text ends first.
    let until = |from: usize, end: &[u8]| {
        let tail = rest.get(from..).unwrap_or_default();
        let at = tail.windows(end.len()).position(|window| window == end);
        at.map_or((rest.len(), true), |at| (from + at + end.len(), false))
    };
    let run = |is: fn(u8) -> bool| rest.iter().position(|byte| !is(*byte)).unwrap_or(rest.len());
    match first {
        b';' => (Token::End, 1),
        b'-' if rest.starts_with(b"--") => {
            let (length, _) = until(2, b"\n");
            (Token::Comment { open: false }, length)
        }
        b'/' if rest.starts_with(b"/*") => {
            let (length, open) = until(2, b"*/");
            (Token::Comment { open }, length)
        }
        // A quote inside is doubled: two quoted texts side by side are as long.
        b'\'' | b'"' | b'`' | b'[' => {
            let (length, open) =
                until(1, if first == b'[' { b"]" } else { rest.get(..1).unwrap_or_default() });
            (Token::Other { open }, length)
        }
        // At the beginning of a word SQLite skips a byte-order mark.
        _ if rest.starts_with("\u{feff}".as_bytes()) => (Token::Blank, "\u{feff}".len()),
        _ if first.is_ascii_whitespace() => (Token::Blank, run(|byte| byte.is_ascii_whitespace())),
        _ if is_word(first) => (Token::Word, run(is_word)),
        _ => (Token::Other { open: false }, 1),
    }
}

/// A character of a name, as SQLite has it.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(usize, usize)> {
        statements(text).map(|it| (it.line, it.bytes.len())).collect()
    }

    #[test]
    fn a_semicolon_in_quotes_comments_and_triggers_ends_nothing() {
        assert_eq!(cut(""), []);
        assert_eq!(cut(" ;; -- nothing; at all\n/* ; */"), []);
        assert_eq!(cut("SELECT 1;SELECT 2"), [(1, 9), (1, 8)]);
        assert_eq!(
            cut("-- a; b\n\nSELECT 'it''s;\n';\r\nSELECT \";\", [;], `;` --;"),
            [(3, 17), (5, 20)]
        );
        let trigger = "create temp trigger t after insert on a begin\n\
             update b set x = case when 1 then 2 end;\n\
             delete from c; -- ;\nend;";
        assert_eq!(cut(&format!("{trigger}\nSELECT 1;")), [(1, trigger.len()), (5, 9)]);
        // A column may have any of these names.
        assert_eq!(cut("CREATE TABLE trigger_end (\"end\");SELECT 1;").len(), 2);
        assert_eq!(cut("INSERT INTO t VALUES ('ä;');\nSELECT 1").len(), 2);
    }

    #[test]
    fn a_trigger_is_known_by_its_first_words_alone() {
        for (text, makes) in [
            ("create trigger t after insert on a begin select 1; end;", true),
            ("/* x */ Create Temporary\nTRIGGER t BEGIN SELECT 1; END", true),
            ("CREATE TABLE \"trigger\" (x);", false),
            ("CREATE TABLE a (x); -- CREATE TRIGGER", false),
            ("DROP TRIGGER t;", false),
            ("INSERT INTO a VALUES ('CREATE TRIGGER t');", false),
        ] {
            assert_eq!(statements(text).any(|it| it.makes_trigger), makes, "{text}");
        }
    }

    #[test]
    fn what_is_never_closed_goes_to_the_end() {
        for text in ["SELECT 'a;b;", "SELECT 1 /* ; ", "SELECT [a;", "create trigger t begin a; b;"]
        {
            assert_eq!(cut(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn a_text_without_a_statement_has_none() {
        for text in ["", "-- a\n", "/* a */ -- b", " ;\n;", "/* open", "-- open", "\0", "\u{feff}"]
        {
            assert!(!has_statement(text), "{text}");
        }
        for text in ["SELECT 1", "-- a\nSELECT 1;", "/* a */;SELECT 1", "-", "\u{feff}SELECT 1"] {
            assert!(has_statement(text), "{text}");
        }
    }

    #[test]
    fn a_text_is_closed_whatever_its_last_characters_are() {
        for (text, as_closed) in [
            ("SELECT 1;\n\n", "SELECT 1;"),
            ("SELECT 1 -- done\n", "SELECT 1 -- done\n;"),
            ("SELECT 1 -- done;", "SELECT 1 -- done;\n;"),
            ("SELECT 1; -- done", "SELECT 1; -- done"),
            ("SELECT 1;\n/* undo", "SELECT 1;\n/* undo*/"),
            ("SELECT 1 /* undo *", "SELECT 1 /* undo **/\n;"),
            ("SELECT 1 /*/", "SELECT 1 /*/*/\n;"),
            ("SELECT 1;\0", "SELECT 1;"),
            ("SELECT 1\0\n-- done\0", "SELECT 1\n;"),
            ("SELECT '--', \"/*\"", "SELECT '--', \"/*\"\n;"),
            ("", ""),
            ("-- nothing", "-- nothing"),
        ] {
            assert_eq!(closed(text).unwrap(), as_closed, "{text:?}");
        }
    }

    #[test]
    fn what_cannot_be_closed_is_refused_with_its_line() {
        for (text, line, says) in [
            ("SELECT 1;\nSELECT 'a", 2, "a quote"),
            ("SELECT [a;", 1, "a quote"),
            ("\n\ncreate trigger t after insert on a begin select 1;", 3, "`END;`"),
            ("SELECT 1;\nSELECT\0 2;", 2, "NUL"),
            ("SELECT 1;\0\0SELECT 2", 1, "NUL"),
        ] {
            let found = closed(text).unwrap_err();
            assert_eq!(found.line, line, "{text:?}");
            assert!(found.to_string().contains(says), "{found}");
        }
    }
}
