//! JSON with comments and trailing commas, as wrangler reads its configuration. Pure.

use serde_json::Value as Json;

/// Text that is not JSON with comments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct NotJson {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What the reader said.
    pub(crate) reason: String,
}

/// Reads the text.
pub(crate) fn parse(text: &str) -> Result<Json, NotJson> {
    let plain = plain(text)?;
    serde_json::from_str(&plain).map_err(|error| {
        let reason = error.to_string();
        let reason = reason.split(" at line ").next().unwrap_or(&reason).to_owned();
        NotJson { line: error.line().max(1), reason }
    })
}

/// The same text with blanks for comments and trailing commas: lines keep their numbers.
fn plain(text: &str) -> Result<String, NotJson> {
    let mut out = String::with_capacity(text.len());
    // Where the last comma is in `out`, while only blanks follow it.
    let mut comma = None;
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            ('"', _) => {
                comma = None;
                out.push(char);
                copy_string(&mut chars, &mut out);
            }
            ('/', Some('/')) => while chars.next_if(|next| *next != '\n').is_some() {},
            ('/', Some('*')) => {
                let line = out.matches('\n').count() + 1;
                skip_block(&mut chars, &mut out)
                    .ok_or_else(|| NotJson { line, reason: "this comment has no end".into() })?;
            }
            _ => {
                match char {
                    ',' => comma = Some(out.len()),
                    ']' | '}' => {
                        if let Some(at) = comma.take() {
                            out.replace_range(at..=at, " ");
                        }
                    }
                    other if !other.is_whitespace() => comma = None,
                    _ => {}
                }
                out.push(char);
            }
        }
    }
    Ok(out)
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Copies up to the closing quote; a text that ends before it is the JSON reader's to report.
fn copy_string(chars: &mut Chars<'_>, out: &mut String) {
    while let Some(char) = chars.next() {
        out.push(char);
        match char {
            '"' => return,
            '\\' => out.extend(chars.next()),
            _ => {}
        }
    }
}

/// Drops a block comment but for its line breaks; nothing when it has no end.
fn skip_block(chars: &mut Chars<'_>, out: &mut String) -> Option<()> {
    let mut before = '\0';
    chars.next();
    for char in chars {
        if before == '*' && char == '/' {
            return Some(());
        }
        if char == '\n' {
            out.push('\n');
        }
        before = char;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn comments_and_trailing_commas_are_no_mistakes() {
        let text = "// head\n{ \"a\": [1, 2, /* x */ ], \"u\": \"http://x,]\\\"//\", // y\n}\n";
        assert_eq!(parse(text), Ok(json!({ "a": [1, 2], "u": "http://x,]\"//" })));
    }

    #[test]
    fn mistakes_are_told_by_line() {
        let line = |text: &str| parse(text).unwrap_err().line;
        assert_eq!(line("{\n /* a\n b */ \"a\": 1\n \"b\": 2 }"), 4);
        assert_eq!(line("{}\n/* "), 2);
        assert_eq!(line("[1,,]"), 1);
        assert_eq!(line(""), 1);
        assert_eq!(parse("{\n]").unwrap_err().to_string(), "line 2: key must be a string");
    }
}
