//! Text to tokens, comments and line ends included; only blanks are left out.
//!
//! It is given texts that parse, with `\n` for every line end, and finds the borders of what
//! stands in them; what a token means is none of its business. On other texts it still ends.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An identifier, a string of any form, a number or a keyword.
    Word,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `=`
    Equals,
    /// `{`
    OpenBlock,
    /// `}`
    CloseBlock,
    /// `;`
    Semicolon,
    /// `/-`
    Slashdash,
    /// `\`, which takes the line's end with it.
    Continuation,
    /// The end of a line.
    Newline,
    /// `// …` without the line's end.
    LineComment,
    /// `/* … */`
    BlockComment,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
    /// Its first byte.
    pub(super) start: usize,
}

/// All tokens of a text.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut out = Vec::new();
    let mut start = 0;
    while let Some(rest) = text.get(start..)
        && let Some(first) = rest.chars().next()
    {
        if first.is_whitespace() && !is_newline(first) {
            start += first.len_utf8();
            continue;
        }
        let (kind, length) = token(rest, first);
        let end = (start + length.max(first.len_utf8())).min(text.len());
        out.push(Token { kind, text: text.get(start..end).unwrap_or_default(), start });
        start = end;
    }
    out
}

/// The characters that end a line in KDL; all other white space is a blank.
pub(super) fn is_newline(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What `rest` begins with, and its length in bytes.
fn token(rest: &str, first: char) -> (Kind, usize) {
    match first {
        '(' => (Kind::Open, 1),
        ')' => (Kind::Close, 1),
        '=' => (Kind::Equals, 1),
        '{' => (Kind::OpenBlock, 1),
        '}' => (Kind::CloseBlock, 1),
        ';' => (Kind::Semicolon, 1),
        '\\' => (Kind::Continuation, 1),
        '/' if rest.starts_with("/-") => (Kind::Slashdash, 2),
        '/' if rest.starts_with("//") => {
            (Kind::LineComment, rest.find(is_newline).unwrap_or(rest.len()))
        }
        '/' if rest.starts_with("/*") => (Kind::BlockComment, block_comment(rest)),
        '"' => (Kind::Word, quoted(rest)),
        '#' => (Kind::Word, hashed(rest)),
        _ if is_newline(first) => (Kind::Newline, first.len_utf8()),
        _ => (Kind::Word, bare(rest)),
    }
}

fn bare(rest: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || "\\/(){}[];\"#=".contains(c);
    rest.find(ends).unwrap_or(rest.len())
}

/// Comments nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(next) = rest.as_bytes().get(at..at + 2) {
        match next {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// `"…"`, or `"""` with lines between.
fn quoted(rest: &str) -> usize {
    let quotes = if rest.starts_with("\"\"\"") { "\"\"\"" } else { "\"" };
    let bytes = rest.as_bytes();
    let mut at = quotes.len();
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' if bytes.get(at..).is_some_and(|rest| rest.starts_with(quotes.as_bytes())) => {
                return at + quotes.len();
            }
            _ => {}
        }
        at += 1;
    }
    rest.len()
}

/// A raw string, or a keyword such as `#true`.
fn hashed(rest: &str) -> usize {
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let after = rest.get(hashes..).unwrap_or_default();
    if !after.starts_with('"') {
        return hashes + bare(after);
    }
    let is_many = after.strip_prefix("\"\"\"").is_some_and(|lines| lines.starts_with(is_newline));
    let quotes = if is_many { "\"\"\"" } else { "\"" };
    let close = format!("{quotes}{}", "#".repeat(hashes));
    let body = hashes + quotes.len();
    let end = rest.get(body..).and_then(|inner| inner.find(&close));
    end.map_or(rest.len(), |length| body + length + close.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: &[&str]) {
        let found: Vec<&str> = tokens(text).into_iter().map(|token| token.text).collect();
        assert_eq!(found, wanted, "{text}");
    }

    #[test]
    fn strings_of_all_forms_are_one_token() {
        check(r#"a "x \" { // y" b"#, &["a", r#""x \" { // y""#, "b"]);
        check(r##"#"a"b"# #"""x"# c"##, &[r##"#"a"b"#"##, r##"#"""x"#"##, "c"]);
        check("\"\"\"\n \" \\\"\"\" }\n \"\"\" x", &["\"\"\"\n \" \\\"\"\" }\n \"\"\"", "x"]);
        check("##\"\"\"\n \"\"\"#\n \"\"\"## x", &["##\"\"\"\n \"\"\"#\n \"\"\"##", "x"]);
        check("\"a \\ \n  b\" \"\" x", &["\"a \\ \n  b\"", "\"\"", "x"]);
    }

    #[test]
    fn words_and_signs_stand_apart() {
        check("a=1 (t)b{c;}\n", &["a", "=", "1", "(", "t", ")", "b", "{", "c", ";", "}", "\n"]);
        check("#true #-inf -1_0.5e-3 é,x", &["#true", "#-inf", "-1_0.5e-3", "é,x"]);
        check("/-a /* x /* y */ */ \\ // z", &["/-", "a", "/* x /* y */ */", "\\", "// z"]);
        check("a\u{a0}b\u{2028}c", &["a", "b", "\u{2028}", "c"]);
    }

    #[test]
    fn what_does_not_parse_has_an_end_all_the_same() {
        for text in ["\"a", "#\"a", "/* /*", "\"\"\"\n", "[", "\\", "/", "#", "\"\\", "]é"] {
            let length: usize = tokens(text).iter().map(|token| token.text.len()).sum();
            assert_eq!(length, text.len(), "{text}");
        }
    }
}
