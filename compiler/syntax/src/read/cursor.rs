//! Moving over the text: spaces, line ends, comments.

use envc_core::Span;

use super::{Reader, why};

/// Bytes of the space that begins here, 0 for none.
pub(super) fn space_len(text: &str, at: usize) -> usize {
    match text.as_bytes().get(at) {
        Some(b' ' | b'\t') => 1,
        Some(byte) if byte.is_ascii() => 0,
        _ => char_at(text, at).filter(|c| is_unicode_space(*c)).map_or(0, char::len_utf8),
    }
}

/// Bytes of the line end that begins here, 0 for none.
pub(super) fn newline_len(text: &str, at: usize) -> usize {
    match text.as_bytes().get(at) {
        Some(b'\r') if text.as_bytes().get(at + 1) == Some(&b'\n') => 2,
        Some(b'\n' | b'\r' | 0x0b | 0x0c) => 1,
        Some(byte) if byte.is_ascii() => 0,
        _ => match char_at(text, at) {
            Some('\u{85}') => 2,
            Some('\u{2028}' | '\u{2029}') => 3,
            _ => 0,
        },
    }
}

fn is_unicode_space(c: char) -> bool {
    matches!(
        c,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// Characters that may stand nowhere in a spec: control characters, and those that change the
/// direction of what is read. A mark at the very beginning is allowed.
pub(super) fn is_forbidden(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{8}'
            | '\u{e}'..='\u{1f}'
            | '\u{7f}'
            | '\u{200e}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// The character that begins here.
pub(super) fn char_at(text: &str, at: usize) -> Option<char> {
    text.get(at..).and_then(|rest| rest.chars().next())
}

/// Can this byte be part of a word without quotes? Those of characters beyond ASCII are looked at
/// one by one.
pub(super) fn is_word_byte(byte: u8) -> bool {
    !matches!(
        byte,
        b'\\'
            | b'/'
            | b'('
            | b')'
            | b'{'
            | b'}'
            | b'['
            | b']'
            | b';'
            | b'"'
            | b'#'
            | b'='
            | b' '
            | b'\t'
            | b'\n'
            | b'\r'
            | 0x0b
            | 0x0c
    )
}

impl Reader<'_> {
    pub(super) fn peek(&self) -> Option<u8> {
        self.ahead(0)
    }

    /// Once reading ended, there is nothing any more: whoever goes back to a place ends, too.
    pub(super) fn ahead(&self, by: usize) -> Option<u8> {
        if self.stopped {
            return None;
        }
        self.text.as_bytes().get(self.at + by).copied()
    }

    pub(super) fn rest(&self) -> &[u8] {
        if self.stopped {
            return &[];
        }
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    pub(super) fn slice(&self, from: usize, to: usize) -> &str {
        self.text.get(from..to).unwrap_or_default()
    }

    pub(super) fn is_newline(&self) -> bool {
        newline_len(self.text, self.at) > 0
    }

    /// Where the line of a place ends, without its line end.
    pub(super) fn line_end(&self, from: usize) -> usize {
        let bytes = self.text.as_bytes().get(from..).unwrap_or_default();
        let mut at = from;
        for byte in bytes {
            let stops = matches!(byte, b'\n' | b'\r' | 0x0b | 0x0c);
            if stops || (!byte.is_ascii() && newline_len(self.text, at) > 0) {
                return at;
            }
            at += 1;
        }
        at
    }

    /// Spaces, `/* */` comments and line ends behind a `\`. Says whether there were any.
    pub(super) fn blanks(&mut self) -> bool {
        let start = self.at;
        loop {
            match (self.peek(), self.ahead(1)) {
                (Some(b' ' | b'\t'), _) => self.at += 1,
                (Some(b'/'), Some(b'*')) => self.block_comment(),
                (Some(b'\\'), _) => match self.continued() {
                    Some(end) => self.at = end,
                    None => break,
                },
                (Some(byte), _) if byte.is_ascii() => break,
                (Some(_), _) => match space_len(self.text, self.at) {
                    0 => break,
                    len => self.at += len,
                },
                (None, _) => break,
            }
        }
        self.at > start
    }

    /// Where the line after a `\` begins; `None` where something stands behind the `\`.
    pub(super) fn continued(&self) -> Option<usize> {
        let mut at = self.at + 1;
        loop {
            let len = space_len(self.text, at);
            let bytes = self.text.as_bytes().get(at..).unwrap_or_default();
            if len > 0 {
                at += len;
            } else if bytes.starts_with(b"/*") {
                at += comment_len(bytes)?;
            } else if bytes.starts_with(b"//") {
                at = self.line_end(at);
            } else if bytes.is_empty() {
                return Some(at);
            } else {
                let len = newline_len(self.text, at);
                return (len > 0).then_some(at + len);
            }
        }
    }

    fn block_comment(&mut self) {
        let start = self.at;
        if let Some(len) = comment_len(self.rest()) {
            self.at += len;
        } else {
            self.report(why::unclosed_comment(start));
            self.stop();
        }
    }

    /// Blanks, line ends and all comments.
    pub(super) fn line_space(&mut self) {
        loop {
            self.blanks();
            match newline_len(self.text, self.at) {
                0 if self.rest().starts_with(b"//") => self.at = self.line_end(self.at),
                0 => return,
                len => self.at += len,
            }
        }
    }

    /// Reads nothing more.
    pub(super) fn stop(&mut self) {
        self.at = self.text.len();
        self.stopped = true;
    }

    /// One past what is written without a gap from here on, in one line: words, quoted texts and
    /// references in braces.
    pub(super) fn glued(&self, from: usize) -> usize {
        let mut at = from;
        let mut line = None;
        while let Some(&byte) = self.text.as_bytes().get(at) {
            match byte {
                b';' | b'}' | b')' => break,
                b'{' => match reference_len(self.text.get(at..).unwrap_or_default()) {
                    Some(len) => at += len,
                    None => break,
                },
                b'"' => {
                    let end = *line.get_or_insert_with(|| self.line_end(at));
                    let rest = self.text.as_bytes().get(at + 1..end).unwrap_or_default();
                    at += rest.iter().position(|byte| *byte == b'"').map_or(1, |len| len + 2);
                }
                _ if space_len(self.text, at) > 0 || newline_len(self.text, at) > 0 => break,
                _ => at += char_at(self.text, at).map_or(1, char::len_utf8),
            }
        }
        at
    }

    /// The span of a place's next character, empty at the end.
    pub(super) fn one(&self) -> Span {
        Span::new(self.at, self.at + char_at(self.text, self.at).map_or(0, char::len_utf8))
    }
}

/// Bytes of a comment with those inside of it; `None` where it is not closed.
fn comment_len(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
}

/// Bytes of a reference such as `{d1.main.id}` that a text begins with.
pub(super) fn reference_len(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('{')?;
    let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)))?;
    (end > 0 && inner.get(end..)?.starts_with('}')).then_some(end + 2)
}
