//! What is said of each mistake: the place, what KDL 2 wants there, and the text that is right.

mod blocks;
mod texts;
mod words;

pub(super) use blocks::*;
pub(super) use texts::*;
pub(super) use words::*;

use envc_core::Span;

/// Characters of the user's own text that a message repeats.
const SHOWN_MAX: usize = 60;

/// A piece of the text as it stands.
fn at(text: &str, span: Span) -> &str {
    text.get(span.start..span.end).unwrap_or_default()
}

/// An empty place.
fn point(at: usize) -> Span {
    Span::new(at, at)
}

/// A text as it is quoted in KDL.
fn quote(inner: &str) -> String {
    format!("\"{}\"", inner.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Is a text short enough to repeat it in a sentence?
fn is_short(text: &str) -> bool {
    text.len() <= SHOWN_MAX && !text.chars().any(char::is_control)
}

/// A text for a sentence, the end of a long one left out.
fn shown(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if is_short(line) {
        return line.to_owned();
    }
    let cut = line.chars().filter(|c| !c.is_control()).take(SHOWN_MAX / 2).collect::<String>();
    format!("{cut}…")
}
