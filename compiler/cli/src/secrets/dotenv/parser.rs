//! Reads dotenv files: `NAME=value`, `export`, comments, both kinds of quotes, values over several
//! lines, escapes in double quotes, a byte order mark and both kinds of line ends.

use std::collections::BTreeMap;

use envc_core::Secret;

/// A dotenv file that cannot be read. Values stay out of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(super) struct DotenvError {
    /// The line, from 1.
    pub(super) line: usize,
    /// What is wrong.
    pub(super) reason: &'static str,
}

/// The values by name; of two lines with one name the last one counts.
pub(super) fn parse(text: &str) -> Result<BTreeMap<String, Secret>, DotenvError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut reader = Reader { rest: &text, line: 1 };
    let mut values = BTreeMap::new();
    while let Some((name, value)) = reader.entry()? {
        values.insert(name, Secret::new(value));
    }
    Ok(values)
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    fn entry(&mut self) -> Result<Option<(String, String)>, DotenvError> {
        self.skip_blank_lines();
        if self.rest.is_empty() {
            return Ok(None);
        }
        if let Some(after) = self.rest.strip_prefix("export")
            && after.starts_with([' ', '\t'])
        {
            self.rest = after.trim_start_matches([' ', '\t']);
        }
        let end = self
            .rest
            .find(|character: char| !(character.is_alphanumeric() || "_.-".contains(character)))
            .unwrap_or(self.rest.len());
        let (name, after) = self.rest.split_at(end);
        if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(self.wrong("a name is expected, such as NAME=value"));
        }
        let after = after.trim_start_matches([' ', '\t']);
        let Some(after) = after.strip_prefix('=') else {
            return Err(self.wrong("`=` is expected after the name"));
        };
        self.rest = after.trim_start_matches([' ', '\t']);
        let value = match self.rest.chars().next() {
            Some('\'') => self.quoted('\'')?,
            Some('"') => self.quoted('"')?,
            _ => self.plain(),
        };
        Ok(Some((name.to_owned(), value)))
    }

    /// To the end of the line, or to a ` #`.
    fn plain(&mut self) -> String {
        let end = self.rest.find('\n').unwrap_or(self.rest.len());
        let (line, after) = self.rest.split_at(end);
        self.rest = after;
        let begins_comment = |(at, _): &(usize, &str)| {
            line.get(..*at).is_some_and(|before| before.is_empty() || before.ends_with([' ', '\t']))
        };
        let comment = line.match_indices('#').find(begins_comment);
        let value = comment.and_then(|(at, _)| line.get(..at)).unwrap_or(line);
        value.trim_end().to_owned()
    }

    /// To the closing quote, over line ends; after it only a comment may stand.
    fn quoted(&mut self, quote: char) -> Result<String, DotenvError> {
        let mut value = String::new();
        let mut lines = 0;
        let mut characters = self.rest.char_indices().skip(1);
        let end = loop {
            let Some((at, character)) = characters.next() else {
                return Err(self.wrong("the closing quote is missing"));
            };
            match character {
                _ if character == quote => break at + quote.len_utf8(),
                '\\' if quote == '"' => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, 'r')) => value.push('\r'),
                    Some((_, 't')) => value.push('\t'),
                    Some((_, escaped @ ('"' | '\\' | '$' | '`' | '\''))) => value.push(escaped),
                    Some((_, other)) => {
                        lines += usize::from(other == '\n');
                        value.extend(['\\', other]);
                    }
                    None => return Err(self.wrong("the closing quote is missing")),
                },
                _ => {
                    lines += usize::from(character == '\n');
                    value.push(character);
                }
            }
        };
        self.line += lines;
        self.rest = self.rest.get(end..).unwrap_or_default().trim_start_matches([' ', '\t']);
        if self.rest.is_empty() || self.rest.starts_with(['\n', '#']) {
            Ok(value)
        } else {
            Err(self.wrong("only a comment may stand after the closing quote"))
        }
    }

    /// Skips line ends, blanks and comments, and counts lines.
    fn skip_blank_lines(&mut self) {
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t', '\r']);
            if self.rest.starts_with('#') {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.rest = self.rest.get(end..).unwrap_or_default();
            }
            match self.rest.strip_prefix('\n') {
                Some(after) => {
                    self.rest = after;
                    self.line += 1;
                }
                None => return,
            }
        }
    }

    fn wrong(&self, reason: &'static str) -> DotenvError {
        DotenvError { line: self.line, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(&str, &str)]) {
        let values = parse(text).unwrap();
        let found: Vec<(&str, &str)> =
            values.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        assert_eq!(found, expect, "{text:?}");
    }

    #[test]
    fn plain_values_comments_and_export() {
        check("", &[]);
        check("A=1", &[("A", "1")]);
        check("\u{feff}A=1\r\nB=2\r\n", &[("A", "1"), ("B", "2")]);
        check("# c\n\n  export A = two words # c\n", &[("A", "two words")]);
        check("A=a#b\nB=#c\nC=\n", &[("A", "a#b"), ("B", ""), ("C", "")]);
        check("A=1\nA=2", &[("A", "2")]);
        check("exported=1", &[("exported", "1")]);
        check("URL=https://x.y/?a=b&c='d'", &[("URL", "https://x.y/?a=b&c='d'")]);
    }

    #[test]
    fn quotes_and_escapes() {
        check(r"A='a\n$b # c' # d", &[("A", r"a\n$b # c")]);
        check(r#"A="a\n\"b\" \\ \$c \q""#, &[("A", "a\n\"b\" \\ $c \\q")]);
        check("A=\"one\ntwo\"\nB=3", &[("A", "one\ntwo"), ("B", "3")]);
        check("A='é日'\n", &[("A", "é日")]);
        check("A=''\n", &[("A", "")]);
    }

    #[test]
    fn mistakes_carry_their_line() {
        let check = |text: &str, line: usize, words: &str| {
            let error = parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}");
            assert!(error.reason.contains(words), "{error}");
        };
        check("A=1\nB", 2, "`=` is expected");
        check("A=1\n=2", 2, "a name is expected");
        check("1A=2", 1, "a name is expected");
        check("A='x\ny", 1, "closing quote");
        check("A=\"x\\", 1, "closing quote");
        check("A=\"1\n2\"\nB='x'y", 3, "only a comment");
    }
}
