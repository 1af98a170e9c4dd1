//! JSON with comments and trailing commas, as wrangler reads its configuration. Pure.
//!
//! `jsonc-parser` reads it. It takes more than wrangler does, so what it takes is looked through
//! once more: a template that puts a line break into a text must not pass here and fail there.

use jsonc_parser::{
    CollectOptions, ParseOptions, Scanner, ScannerOptions, ast::Value, errors::ParseError,
    parse_to_ast, parse_to_serde_value, tokens::Token,
};
use serde_json::Value as Json;

/// What wrangler takes beyond JSON, and nothing else of what the parser could read.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// Text that is not JSON with comments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct NotJson {
    /// The line, from 1.
    pub(crate) line: usize,
    /// What the reader said.
    pub(crate) reason: String,
}

/// Reads the text. A byte order mark in front of it is passed over, as wrangler does; of two
/// properties with one name the last one counts.
pub(crate) fn parse(text: &str) -> Result<Json, NotJson> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value: Option<Json> = parse_to_serde_value(text, &OPTIONS)?;
    only_what_wrangler_takes(text)?;
    value.ok_or_else(|| NotJson { line: 1, reason: "there is no value in it".into() })
}

/// The tree of a text, with the place of each value in it; none where it is not JSON with comments.
pub(crate) fn tree(text: &str) -> Option<Value<'_>> {
    parse_to_ast(text, &CollectOptions::default(), &OPTIONS).ok()?.value
}

/// Refuses control characters in texts, and blanks that are none to JSON.
fn only_what_wrangler_takes(text: &str) -> Result<(), NotJson> {
    let mut scanner = Scanner::new(text, &ScannerOptions::default());
    let refuse = |from: usize, to: usize, wrong: fn(char) -> bool, reason: &str| match text
        .get(from..to)
        .and_then(|part| part.find(wrong))
    {
        Some(at) => Err(NotJson { line: line_of(text, from + at), reason: reason.into() }),
        None => Ok(()),
    };
    let mut end = 0;
    while let Some(token) = scanner.scan()? {
        let start = scanner.token_start();
        let blank = |c| !matches!(c, ' ' | '\t' | '\r' | '\n');
        refuse(end, start, blank, "a blank that JSON does not know")?;
        end = scanner.token_end();
        if matches!(token, Token::String(_)) {
            let reason = "a text holds a line break or another control character";
            refuse(start, end, |c| c < ' ', reason)?;
        }
    }
    Ok(())
}

/// The line, from 1, on which this byte stands.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

impl From<ParseError> for NotJson {
    fn from(error: ParseError) -> Self {
        // The parser's messages begin with a capital letter; ours go on in a sentence.
        let said = error.kind().to_string();
        let mut chars = said.chars();
        let first = chars.next().map(|first| first.to_ascii_lowercase());
        let reason = first.into_iter().chain(chars).collect();
        Self { line: error.line_display(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn comments_and_trailing_commas_are_no_mistakes() {
        let text = "// head\n{ \"a\": [1, 2, /* x */ ], \"u\": \"http://x,]\\\"//\", // y\n}\n";
        assert_eq!(parse(text), Ok(json!({ "a": [1, 2], "u": "http://x,]\"//" })));
        assert_eq!(parse("[1, /* a\r\n , */ 2,\r\n] // end"), Ok(json!([1, 2])));
        assert_eq!(parse("\u{feff}{\"a\": 1}"), Ok(json!({ "a": 1 })));
        assert_eq!(parse("{\"a\": 1, \"b\": 2, \"a\": 3}"), Ok(json!({ "a": 3, "b": 2 })));
        assert_eq!(parse("[\"\\u00e9\\n\\/\", -1.5e3]"), Ok(json!(["é\n/", -1500.0])));
    }

    #[test]
    fn mistakes_are_told_by_line() {
        let check = |text: &str, said: &str| {
            let error = parse(text).expect_err(text);
            assert_eq!(error.to_string(), said, "{text:?}");
        };
        check("{\n /* a\n b */ \"a\": 1\n \"b\": 2 }", "line 3: expected comma");
        check("{}\n/* ", "line 2: unterminated comment block");
        check("[1,,]", "line 1: unexpected comma");
        check("", "line 1: there is no value in it");
        check(" // nothing\n", "line 1: there is no value in it");
        check("{\n]", "line 2: unexpected token in object");
        check("{}\n{}", "line 2: text cannot contain more than one JSON value");
        check("{\n\"a\": \"b", "line 2: unterminated string literal");
        check("{\"a\":\n\"\\q\"}", "line 2: invalid escape");
        check("{\n\"a\": 1e999}", "line 2: number is out of range");
    }

    #[test]
    fn what_wrangler_does_not_take_is_a_mistake_here() {
        let line = |text: &str| parse(text).expect_err(text).line;
        assert_eq!(line("{\"a\":\n\"b\nc\"}"), 2, "a line break in a text");
        assert_eq!(line("{\"a\":\n\n\"b\tc\"}"), 3, "a tab in a text");
        assert_eq!(line("{\n\u{a0}}"), 2, "a no-break space");
        assert_eq!(line("[\n1, \u{feff}2]"), 2, "a byte order mark within");
        for text in ["{a: 1}", "['a']", "[0x1]", "[+1]", "[.5]", "[NaN]", "[01]", "[1 2]", "[,]"] {
            assert_eq!(line(text), 1, "{text}");
        }
    }

    #[test]
    fn a_bomb_of_brackets_is_refused() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let bomb = open.repeat(100_000) + "1" + &close.repeat(100_000);
            assert_eq!(parse(&bomb).unwrap_err().reason, "maximum nesting depth exceeded");
            let deep = open.repeat(100) + "1" + &close.repeat(100);
            assert!(parse(&deep).is_ok());
        }
    }
}
