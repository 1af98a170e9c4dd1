//! One cheap pass over the text before the parser sees it.
//!
//! The parser recurses into blocks and nested comments, so hostile depth must be found before.
//! The scan knows strings and comments just well enough not to count the braces inside them.

use envc_core::Span;

/// What the pass found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nesting {
    /// The deepest nesting of blocks or of comments, whichever is deeper.
    pub(crate) depth: usize,
    /// The brace or comment that opened it.
    pub(crate) deepest: Span,
    /// How many `}` close nothing, and the first of them.
    pub(crate) stray: usize,
    /// The first `}` that closes nothing.
    pub(crate) first_stray: Option<Span>,
    /// How many `{` are not closed at the end.
    pub(crate) open: usize,
    /// True when `/-` stands anywhere: the parser may then read a block more than once.
    pub(crate) slashdash: bool,
}

impl Nesting {
    fn reached(&mut self, depth: usize, at: usize) {
        if depth > self.depth {
            self.depth = depth;
            self.deepest = Span::new(at, at + 1);
        }
    }
}

/// Measures a text.
pub(crate) fn nesting(text: &str) -> Nesting {
    let bytes = text.as_bytes();
    let mut found = Nesting::default();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let next = bytes.get(at + 1).copied();
        match (byte, next) {
            (b'{', _) => {
                depth += 1;
                found.reached(depth, at);
            }
            (b'}', _) if depth == 0 => {
                found.stray += 1;
                found.first_stray.get_or_insert(Span::new(at, at + 1));
            }
            (b'}', _) => depth -= 1,
            (b'"' | b'#', _) => {
                at = string_end(bytes, at);
                continue;
            }
            (b'/', Some(b'/')) => {
                at = line_end(bytes, at);
                continue;
            }
            (b'/', Some(b'*')) => {
                at = comment_end(bytes, at, &mut found);
                continue;
            }
            (b'/', Some(b'-')) => found.slashdash = true,
            _ => {}
        }
        at += 1;
    }
    found.open = depth;
    found
}

fn starts(bytes: &[u8], at: usize, what: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(what))
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).map_or(bytes.len(), |n| at + n)
}

/// One past a string that begins at `at`, or one past a `#` that begins none. A string of one
/// line that is not closed ends with its line: the parser recovers there, too.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let hashes =
        bytes.get(at..).unwrap_or_default().iter().take_while(|&&byte| byte == b'#').count();
    let open = at + hashes;
    if bytes.get(open) != Some(&b'"') {
        return open.max(at + 1);
    }
    let many = starts(bytes, open, b"\"\"\"");
    let quotes = if many { 3 } else { 1 };
    let mut here = open + quotes;
    while let Some(&byte) = bytes.get(here) {
        match byte {
            b'\\' if hashes == 0 => here += 1,
            b'\n' if !many => return here,
            b'"' if bytes
                .get(here..here + quotes)
                .is_some_and(|run| run.iter().all(|&b| b == b'"')) =>
            {
                let after = bytes.get(here + quotes..).unwrap_or_default();
                if after.iter().take(hashes).filter(|&&byte| byte == b'#').count() == hashes {
                    return here + quotes + hashes;
                }
            }
            _ => {}
        }
        here += 1;
    }
    bytes.len()
}

fn comment_end(bytes: &[u8], at: usize, found: &mut Nesting) -> usize {
    let mut depth = 0_usize;
    let mut here = at;
    while here < bytes.len() {
        if starts(bytes, here, b"/*") {
            depth += 1;
            found.reached(depth, here);
            here += 2;
        } else if starts(bytes, here, b"*/") {
            depth = depth.saturating_sub(1);
            here += 2;
            if depth == 0 {
                return here;
            }
        } else {
            here += 1;
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, depth: usize, stray: usize) {
        let found = nesting(text);
        assert_eq!((found.depth, found.stray), (depth, stray), "{text}");
    }

    #[test]
    fn braces_in_strings_and_comments_do_not_count() {
        check("a { b { c } }", 2, 0);
        check("a \"{{{\" { b #\"}\"{\"# }", 1, 0);
        check("a // {{{\n{ }", 1, 0);
        check("a /* {{{ */ { }", 1, 0);
        check("a \"\"\"\n  }{{ \"\n  \"\"\" { }", 1, 0);
        check("a \"\\\"{\" { }", 1, 0);
    }

    #[test]
    fn comments_nest_and_stray_braces_are_counted() {
        check("/* /* /* */ */ */ a", 3, 0);
        check("} a { } }", 1, 2);
        check("a \"open {\n b { }", 1, 0);
        check("#true { }", 1, 0);
    }
}
