//! Pieces of a text for pictures, and the lines and columns of its places.

use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// Bytes of a line that are shown around a mistake, where the line is far longer.
pub(super) const SHOWN_MAX: usize = 400;
/// From here on a piece is too long to be shown whole.
pub(super) const LONG: usize = 8 * SHOWN_MAX;

/// A text to draw from. miette's own sources count the lines of all that stands before a snippet to
/// the snippet, so that it would draw everything between two places in one piece; and they show a
/// line of a megabyte whole.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) text: Arc<str>,
}

impl SourceCode for Shown {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text: &str = &self.text;
        let mut read = text.read_span(span, before, after)?;
        if read.data().len() > LONG {
            read = text.read_span(&window(text, span), 0, 0)?;
        }
        let lines = read.data().split(|byte| *byte == b'\n').skip(1).count();
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            read.data(),
            *read.span(),
            read.line(),
            read.column(),
            lines,
        )))
    }
}

/// A place with a little of what stands around it.
fn window(text: &str, span: &SourceSpan) -> SourceSpan {
    let line = text.get(..span.offset()).and_then(|before| before.rfind('\n'));
    let start = boundary(text, span.offset().saturating_sub(SHOWN_MAX / 4));
    let start = start.max(line.map_or(0, |end| end + 1));
    let wanted = start + SHOWN_MAX.max(span.len() + SHOWN_MAX / 4);
    (start, boundary(text, wanted).saturating_sub(start)).into()
}

/// The last place up to this one where a character begins.
pub(super) fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Where the lines of a text begin.
pub(super) struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    /// Line and column of a byte, both from 1; columns are characters.
    pub(super) fn position(&self, byte: usize) -> (usize, usize) {
        let end = boundary(self.text, byte);
        let line = self.starts.partition_point(|start| *start <= end);
        let start = line.checked_sub(1).and_then(|line| self.starts.get(line)).copied();
        let before = self.text.get(start.unwrap_or_default()..end).unwrap_or_default();
        (line, before.chars().count() + 1)
    }
}
