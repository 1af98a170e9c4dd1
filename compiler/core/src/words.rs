//! Small texts that several crates make: counts, hex digits, numbers to the base 36, texts from outside
//! that cannot move a cursor. Pure.

use std::{
    borrow::Cow,
    fmt::{Display, Write as _},
};

/// "1 file", "2 files".
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    format!("{count} {}", plural(count, what))
}

/// "file" of one, "files" of none or more.
pub fn plural<N: Copy + PartialEq + From<u8>>(count: N, what: &str) -> String {
    if count == N::from(1) { what.to_owned() } else { format!("{what}s") }
}

/// Two lower-case hex digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// The last digits of a number to the base 36, in lower case, with zeros in front.
pub fn base36(number: u64, digits: usize) -> String {
    let mut rest = number;
    let mut last_first = Vec::with_capacity(digits);
    for _ in 0..digits {
        // Less than 36, so it fits and is a digit.
        last_first.extend(char::from_digit(u32::try_from(rest % 36).unwrap_or_default(), 36));
        rest /= 36;
    }
    last_first.into_iter().rev().collect()
}

/// True for a character that changes what a terminal shows of others: control characters, but for line
/// end and tab, and those that turn the direction of a text around.
pub fn steers_a_terminal(char: char) -> bool {
    let turns = matches!(char,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (char.is_control() && !matches!(char, '\n' | '\t'))
}

/// The text with such characters spelled out, as `\u{1b}`: what came from a checkout, an API or another
/// user is only read. A carriage return before a line end is part of the end, and stays.
pub fn printable(text: &str) -> Cow<'_, str> {
    without_steering(text, |char, out| out.extend(char.escape_default()))
}

/// The same in as many bytes, for a text whose places are known by bytes: a mark in the place of each.
pub fn printable_in_place(text: &str) -> Cow<'_, str> {
    without_steering(text, |char, out| {
        out.push(match char.len_utf8() {
            1 => '?',
            2 => '\u{bf}',
            _ => char::REPLACEMENT_CHARACTER,
        });
    })
}

/// The text with something else in the place of each such character.
fn without_steering(text: &str, put: impl Fn(char, &mut String)) -> Cow<'_, str> {
    let mut found = steering(text).peekable();
    if found.peek().is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = 0;
    for (at, char) in found {
        out.push_str(text.get(rest..at).unwrap_or_default());
        put(char, &mut out);
        rest = at + char.len_utf8();
    }
    out.push_str(text.get(rest..).unwrap_or_default());
    Cow::Owned(out)
}

/// Where a text holds such a character, and which.
fn steering(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let is_end = |at: usize| text.get(at..).is_some_and(|rest| rest.starts_with("\r\n"));
    text.char_indices()
        .filter(move |(at, char)| steers_a_terminal(*char) && !(*char == '\r' && is_end(*at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_spelled_out_and_all_else_stays() {
        assert_eq!(printable("größe\t1\n"), "größe\t1\n");
        assert_eq!(printable("a\u{1b}]0;x\u{7}\r"), "a\\u{1b}]0;x\\u{7}\\r");
        assert_eq!(printable("\u{9b}2J\u{202e}"), "\\u{9b}2J\\u{202e}");
        for char in '\0'..=char::MAX {
            let text = format!("a{char}b\r\n");
            let shown = printable(&text);
            assert!(!shown.strip_suffix("\r\n").unwrap().contains(steers_a_terminal), "{char:?}");
            let in_place = printable_in_place(&text);
            assert_eq!(in_place.len(), text.len(), "{char:?}");
            let left = in_place.strip_suffix("\r\n").unwrap();
            assert!(!left.contains(steers_a_terminal), "{char:?}");
        }
    }

    #[test]
    fn one_is_no_plural_and_none_is() {
        assert_eq!(counted(0_usize, "file"), "0 files");
        assert_eq!(counted(1_u64, "preview ID"), "1 preview ID");
        assert_eq!(counted(2_u32, "file"), "2 files");
    }

    #[test]
    fn digits_have_their_width_and_read_back() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
        assert_eq!(base36(0, 2), "00");
        assert_eq!(base36(35, 1), "z");
        assert_eq!(base36(36 * 36 + 1, 2), "01", "what has no room is left out in front");
        let long = base36(u64::MAX, 13);
        assert_eq!(u64::from_str_radix(&long, 36), Ok(u64::MAX));
    }
}
