//! A text of SQL, cut into statements as SQLite cuts it: as far as somebody has to be told which one
//! is meant.
//!
//! A `;` ends a statement outside of quotes, comments and the body of a trigger, which ends with
//! `;`, `END`, `;`. Source: SQLite's own `sqlite3_complete`.

/// One statement of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// The line of its first word, from 1.
    pub(crate) line: usize,
    /// Its bytes, from its first word to its `;`.
    pub(crate) bytes: usize,
    /// It makes a trigger.
    pub(crate) makes_trigger: bool,
}

/// The statements of a text, in order. One pass.
pub(crate) fn statements(text: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut open: Option<(Statement, Body)> = None;
    let mut line = 1;
    let mut rest = text.as_bytes();
    while let Some(&first) = rest.first() {
        let (token, length) = token(first, rest);
        let (bytes, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        rest = after;
        let (mut statement, mut body) = match (open.take(), token) {
            (None, Token::Blank | Token::End) => {
                line += lines(bytes);
                continue;
            }
            (None, Token::Word | Token::Other) => {
                (Statement { line, bytes: 0, makes_trigger: false }, Body::Begins)
            }
            (Some(statement), _) => statement,
        };
        line += lines(bytes);
        statement.bytes += bytes.len();
        body = body.after(token, bytes);
        statement.makes_trigger |= body == Body::Trigger;
        if token == Token::End && body != Body::TriggerStatement {
            found.push(statement);
        } else {
            open = Some((statement, body));
        }
    }
    found.extend(open.map(|(statement, _)| statement));
    found
}

fn lines(bytes: &[u8]) -> usize {
    bytes.split(|byte| *byte == b'\n').count() - 1
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    /// Spaces and comments.
    Blank,
    Word,
    /// `;`
    End,
    Other,
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
            (_, Token::Blank) => self,
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
    let until = |from: usize, end: &[u8]| {
        let tail = rest.get(from..).unwrap_or_default();
        let at = tail.windows(end.len()).position(|window| window == end);
        at.map_or(rest.len(), |at| from + at + end.len())
    };
    let run = |is: fn(u8) -> bool| rest.iter().position(|byte| !is(*byte)).unwrap_or(rest.len());
    match first {
        b';' => (Token::End, 1),
        b'-' if rest.starts_with(b"--") => (Token::Blank, until(2, b"\n")),
        b'/' if rest.starts_with(b"/*") => (Token::Blank, until(2, b"*/")),
        // A quote inside is doubled: two quoted texts side by side are as long.
        b'\'' | b'"' | b'`' => (Token::Other, until(1, &[first])),
        b'[' => (Token::Other, until(1, b"]")),
        _ if first.is_ascii_whitespace() => (Token::Blank, run(|byte| byte.is_ascii_whitespace())),
        _ if is_word(first) => (Token::Word, run(is_word)),
        _ => (Token::Other, 1),
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<(usize, usize)> {
        statements(text).into_iter().map(|it| (it.line, it.bytes)).collect()
    }

    #[test]
    fn a_semicolon_in_quotes_comments_and_triggers_ends_nothing() {
        assert_eq!(cut(""), []);
        assert_eq!(cut(" ;; -- nothing; at all\n/* ; */"), []);
        assert_eq!(cut("SELECT 1;SELECT 2"), [(1, 9), (1, 8)]);
        assert_eq!(
            cut("-- a; b\n\nSELECT 'it''s;\n';\r\nSELECT \";\", [;], `;` --;"),
            [(3, 17), (5, 24)]
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
            assert_eq!(statements(text).iter().any(|it| it.makes_trigger), makes, "{text}");
        }
    }

    #[test]
    fn what_is_never_closed_goes_to_the_end() {
        for text in ["SELECT 'a;b;", "SELECT 1 /* ; ", "SELECT [a;", "create trigger t begin a; b;"]
        {
            assert_eq!(cut(text).len(), 1, "{text}");
        }
    }
}
