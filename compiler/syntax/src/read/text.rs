//! Quoted and raw texts, of one line and of several.

use envc_core::Span;

use super::{
    Reader,
    cursor::{char_at, newline_len, space_len},
    why,
};

/// Quotation marks of word processors and of other languages that a text may begin with, each
/// with the mark that closes it.
const MARKS: [(char, char); 9] = [
    ('\'', '\''),
    ('`', '`'),
    ('\u{201c}', '\u{201d}'),
    ('\u{201d}', '\u{201d}'),
    ('\u{201e}', '\u{201c}'),
    ('\u{2018}', '\u{2019}'),
    ('\u{2019}', '\u{2019}'),
    ('\u{ab}', '\u{bb}'),
    ('\u{ff02}', '\u{ff02}'),
];

/// A line of a text of several lines: where it begins, and what is on it.
struct Line {
    at: usize,
    text: String,
}

impl Reader<'_> {
    /// A text that begins with `"` or with `#`s and `"`. `None` after a mistake.
    pub(super) fn quoted(&mut self) -> Option<(String, bool)> {
        let start = self.at;
        let hashes = self.rest().iter().take_while(|byte| **byte == b'#').count();
        let open = start + hashes;
        if self.text.get(open..)?.starts_with("\"\"\"") {
            let after = open + 3;
            if newline_len(self.text, after) > 0 {
                return self.lines(start, hashes).map(|text| (text, hashes > 0));
            }
            self.lines_on_one_line(start, open, hashes);
            return None;
        }
        let Some(end) = self.closing(open + 1, hashes) else {
            self.unclosed_text(start, open);
            return None;
        };
        let inner = self.slice(open + 1, end).to_owned();
        self.at = end + 1 + hashes;
        if hashes > 0 {
            return Some((inner, true));
        }
        Some((self.unescaped(&inner, open + 1)?, false))
    }

    /// The quote that closes a text of one line.
    fn closing(&self, from: usize, hashes: usize) -> Option<usize> {
        let bytes = self.text.as_bytes();
        let mut at = from;
        loop {
            match *bytes.get(at)? {
                b'"' if closes(bytes, at + 1, hashes) => return Some(at),
                b'\\' if hashes == 0 => {
                    let blank = blank_len(self.text, at + 1);
                    at += 1;
                    at += if blank > 0 {
                        blank
                    } else {
                        char_at(self.text, at).map_or(0, char::len_utf8)
                    };
                }
                b'\n' | b'\r' | 0x0b | 0x0c => return None,
                byte if !byte.is_ascii() && newline_len(self.text, at) > 0 => return None,
                _ => at += 1,
            }
        }
    }

    /// A text without its closing quote: reading goes on where the line's structure does.
    fn unclosed_text(&mut self, start: usize, open: usize) {
        let end = self.line_end(open);
        if let Some(close) = self.closing_in_next_line(end).filter(|_| open == start) {
            self.at = close + 1;
            let newline = Span::new(end, end + newline_len(self.text, end));
            self.report(why::broken_text(Span::new(start, self.at), newline));
            return;
        }
        let line = self.slice(open + 1, end).trim_end();
        let mut close = open + 1 + line.len();
        if let Some(before) = line.strip_suffix('{') {
            close = open + 1 + before.trim_end().len();
        } else {
            let count = |what: char| line.matches(what).count();
            let mut left = line;
            for _ in 0..count('}').saturating_sub(count('{')) {
                let Some(before) = left.strip_suffix('}') else { break };
                left = before.trim_end().trim_end_matches(';').trim_end();
            }
            close = close.min(open + 1 + left.len());
        }
        let hashes = "#".repeat(open - start);
        let has_quote = close > open + 1 && !hashes.is_empty() && line.ends_with('"');
        let end = if has_quote { hashes } else { format!("\"{hashes}") };
        self.report(why::unclosed_text(self.text, Span::new(start, close), &end));
        self.at = close;
    }

    /// A quote in the next line that looks as if it closed the text of this one.
    fn closing_in_next_line(&self, end: usize) -> Option<usize> {
        let next = end + newline_len(self.text, end);
        let line = self.slice(next, self.line_end(next));
        let (before, after) = line.split_once('"').filter(|_| next > end)?;
        let ends = after.is_empty() || after.starts_with([' ', '\t', ';', '}']);
        let goes_on = !before.is_empty() && !before.ends_with([' ', '\t', '=', '{', '#', '(', ')']);
        (ends && goes_on && after.matches('"').count() % 2 == 0).then_some(next + before.len())
    }

    /// Resolves the escapes of a text. Reports those that there are none of; `None` then.
    fn unescaped(&mut self, inner: &str, from: usize) -> Option<String> {
        if !inner.contains('\\') {
            return Some(inner.to_owned());
        }
        let mut wrong = Vec::new();
        let text = unescape(inner, from, &mut wrong);
        if wrong.is_empty() {
            return Some(text);
        }
        self.report(why::bad_escape(self.text, inner, from, &wrong));
        None
    }

    /// `"""` with something behind it.
    fn lines_on_one_line(&mut self, start: usize, open: usize, hashes: usize) {
        let line = self.line_end(open);
        let close = format!("\"\"\"{}", "#".repeat(hashes));
        let found = self.slice(open + 3, line).find(&close).map(|at| open + 3 + at);
        let after = self.slice(line, self.text.len()).find(&close).map(|at| line + at);
        self.at = line;
        if let Some(end) = found {
            self.at = end + close.len();
            let inner = Span::new(open + 3, end);
            self.report(why::lines_on_one_line(self.text, Span::new(start, self.at), inner));
        } else if let Some(end) = after {
            self.at = end + close.len();
            self.report(why::lines_begin(self.text, Span::new(start, open + 3), end));
        } else {
            self.report(why::unclosed_lines(Span::new(start, line), hashes));
        }
    }

    /// A text of several lines. The last line is blank before its `"""`, and every other one
    /// begins with the same blanks, which go; blank lines are empty.
    fn lines(&mut self, start: usize, hashes: usize) -> Option<String> {
        let open = start + hashes + 3;
        let body = open + newline_len(self.text, open);
        let Some((lines, end)) = self.collect(body, hashes) else {
            self.report(why::unclosed_lines(Span::new(start, open), hashes));
            self.stop();
            return None;
        };
        self.at = end + 3 + hashes;
        let (last, others) = lines.split_last()?;
        let prefix = last.text.as_str();
        if !is_blank(prefix) {
            self.report(why::lines_end(self.text, Span::new(end, self.at)));
            return None;
        }
        let mut text = String::new();
        let mut wrong = Vec::new();
        for (index, line) in others.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            match line.text.strip_prefix(prefix) {
                _ if is_blank(&line.text) => {}
                Some(inner) => text.push_str(inner),
                None => wrong.push(line.at),
            }
        }
        if !wrong.is_empty() {
            self.report(why::lines_indent(self.text, &wrong, prefix, Span::new(end, self.at)));
            return None;
        }
        if hashes > 0 || !text.contains('\\') {
            return Some(text);
        }
        let inner = self.slice(body, end).to_owned();
        self.unescaped(&inner, body)?;
        Some(unescape(&text, 0, &mut Vec::new()))
    }

    /// The lines of a text, with those put together that a `\` at the end joins, and where the
    /// closing quotes stand.
    fn collect(&self, body: usize, hashes: usize) -> Option<(Vec<Line>, usize)> {
        let bytes = self.text.as_bytes();
        let mut lines = vec![Line { at: body, text: String::new() }];
        let mut at = body;
        loop {
            let byte = *bytes.get(at)?;
            let line = lines.last_mut()?;
            let newline = newline_len(self.text, at);
            if newline > 0 {
                at += newline;
                lines.push(Line { at, text: String::new() });
            } else if byte == b'"'
                && bytes.get(at..)?.starts_with(b"\"\"\"")
                && closes(bytes, at + 3, hashes)
            {
                return Some((lines, at));
            } else if byte == b'\\' && hashes == 0 {
                let blank = blank_len(self.text, at + 1);
                if blank > 0 {
                    at += 1 + blank;
                } else {
                    let escaped = char_at(self.text, at + 1)?;
                    line.text.push('\\');
                    line.text.push(escaped);
                    at += 1 + escaped.len_utf8();
                }
            } else {
                let c = char_at(self.text, at)?;
                line.text.push(c);
                at += c.len_utf8();
            }
        }
    }

    /// A word that begins with another mark than `"`: all up to the mark that closes it, or the
    /// word. Says whether there was one.
    pub(super) fn other_marks(&mut self) -> bool {
        let Some(open) = char_at(self.text, self.at) else { return false };
        let Some((_, close)) = MARKS.iter().find(|(mark, _)| *mark == open) else { return false };
        let start = self.at;
        let inner = start + open.len_utf8();
        let line = self.slice(inner, self.line_end(inner));
        let ends = |at: usize| {
            let after = inner + at + close.len_utf8();
            let next = self.text.as_bytes().get(after);
            next.is_none_or(|byte| matches!(byte, b';' | b'{' | b'}' | b')' | b'=' | b','))
                || space_len(self.text, after) + newline_len(self.text, after) > 0
        };
        let found = line.match_indices(*close).map(|(at, _)| at).find(|at| ends(*at));
        let (end, after) = if let Some(at) = found {
            (inner + at, inner + at + close.len_utf8())
        } else {
            let end = self.glued(inner).max(inner);
            (end, end)
        };
        self.report(why::other_marks(self.text, Span::new(start, after), Span::new(inner, end)));
        self.at = after;
        true
    }
}

fn closes(bytes: &[u8], from: usize, hashes: usize) -> bool {
    bytes.get(from..from + hashes).is_some_and(|found| found.iter().all(|byte| *byte == b'#'))
}

/// Bytes of the spaces and line ends from here on.
fn blank_len(text: &str, from: usize) -> usize {
    let mut at = from;
    loop {
        match space_len(text, at) + newline_len(text, at) {
            0 => return at - from,
            len => at += len,
        }
    }
}

fn is_blank(text: &str) -> bool {
    let mut at = 0;
    while at < text.len() {
        match space_len(text, at) {
            0 => return false,
            len => at += len,
        }
    }
    true
}

/// Replaces escapes by what they mean; those that mean nothing are collected. `from` is where
/// `inner` begins.
fn unescape(inner: &str, from: usize, wrong: &mut Vec<Span>) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let start = from + inner.len() - escape.len();
        let blank = blank_len(escape, 1);
        let second = char_at(escape, 1);
        let mut len = 1 + second.map_or(0, char::len_utf8);
        match second {
            _ if blank > 0 => len = 1 + blank,
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('s') => out.push(' '),
            Some('b') => out.push('\u{8}'),
            Some('f') => out.push('\u{c}'),
            Some(c @ ('\\' | '"')) => out.push(c),
            Some('u') => match unicode(escape) {
                Some((c, end)) => {
                    out.push(c);
                    len = end;
                }
                None => wrong.push(Span::new(start, start + unicode_len(escape))),
            },
            _ => wrong.push(Span::new(start, start + len)),
        }
        rest = escape.get(len..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

/// `\u{1f600}`: the character, and how long its escape is.
fn unicode(escape: &str) -> Option<(char, usize)> {
    let inner = escape.strip_prefix("\\u{")?;
    let end = inner.find('}').filter(|end| (1..=6).contains(end))?;
    let digits =
        inner.get(..end).filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
    Some((c, end + 4))
}

/// How much of a wrong `\u` belongs to it.
fn unicode_len(escape: &str) -> usize {
    let braced = escape.get(2..).is_some_and(|rest| rest.starts_with('{'));
    let digits = escape.bytes().skip(if braced { 3 } else { 2 }).take_while(u8::is_ascii_hexdigit);
    let len =
        2 + usize::from(braced) + if braced { digits.count() } else { digits.take(4).count() };
    len + usize::from(braced && escape.as_bytes().get(len) == Some(&b'}'))
}
