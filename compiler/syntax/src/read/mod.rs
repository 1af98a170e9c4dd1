//! The reader of KDL 2: text to nodes, and every mistake explained.
//!
//! One pass from the beginning to the end, in time and memory that grow with the text. After a
//! mistake it goes on where the structure of the text does, so that one mistake is reported once
//! and the next one is found, too. What it accepts is held equal to the KDL crate by tests.

mod cursor;
mod nodes;
mod text;
mod value;
mod why;

use envc_core::{Diagnostic, Diagnostics, Span, limits};

use crate::{Document, codes};

/// A block that is not closed yet.
struct Open {
    /// Its `{`.
    brace: usize,
    /// It belongs to a node.
    has_node: bool,
    /// Columns before the node that it belongs to, where that begins a line.
    indent: Option<usize>,
    /// The first node inside of it that is not indented further than its own: a `}` may be
    /// missing before it.
    outdented: Option<usize>,
}

/// A `}` that stands further left than the block it closes: one may be missing before it.
struct Suspect {
    open: usize,
    /// Where the line of the `}`, or of an outdented node, begins.
    line: usize,
    indent: usize,
}

/// A text on the way to its nodes.
struct Reader<'t> {
    text: &'t str,
    at: usize,
    /// Nodes so far.
    count: usize,
    /// Arguments and properties so far.
    values: usize,
    /// Reading ended early: what is missing at the end is no mistake of its own.
    stopped: bool,
    open: Vec<Open>,
    suspects: Vec<Suspect>,
    /// The first `}` that stands further right than the block it closes: a `{` may be missing
    /// before it.
    deeper: Option<usize>,
    mistakes: Vec<Diagnostic>,
}

/// Reads a text. With any mistake the document is empty.
pub(crate) fn document(text: &str) -> (Document, Diagnostics) {
    let mut found = Diagnostics::new();
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader = Reader {
        text,
        at: start,
        count: 0,
        values: 0,
        stopped: false,
        open: Vec::new(),
        suspects: Vec::new(),
        deeper: None,
        mistakes: Vec::new(),
    };
    reader.forbidden(start);
    let nodes = reader.document();
    reader.unclosed_blocks();
    if reader.mistakes.is_empty() {
        return (Document { nodes }, found);
    }
    for mistake in reader.mistakes {
        found.push(mistake);
    }
    (Document::default(), found)
}

impl Reader<'_> {
    /// Keeps a mistake. With very many of them reading ends.
    fn report(&mut self, mistake: Diagnostic) {
        if self.stopped {
            return;
        }
        let span = mistake.span();
        self.mistakes.push(mistake);
        if self.mistakes.len() >= limits::SYNTAX_MISTAKES_MAX {
            self.mistakes.push(why::rest_is_not_read(Span::new(span.end, span.end)));
            self.stop();
        }
    }

    /// Characters that may stand nowhere, each run of them once.
    fn forbidden(&mut self, start: usize) {
        let mut run: Option<Span> = None;
        let rest = self.text.get(start..).unwrap_or_default();
        for (at, c) in rest.char_indices().filter(|(_, c)| cursor::is_forbidden(*c)) {
            let (from, to) = (start + at, start + at + c.len_utf8());
            match &mut run {
                Some(span) if span.end == from => span.end = to,
                Some(span) => {
                    let done = std::mem::replace(span, Span::new(from, to));
                    self.report(why::forbidden(self.text, done));
                    if self.stopped {
                        return;
                    }
                }
                None => run = Some(Span::new(from, to)),
            }
        }
        if let Some(span) = run {
            self.report(why::forbidden(self.text, span));
        }
    }

    /// Blocks that are open at the end: each missing `}` is one mistake. Which block it belongs to
    /// is told by the indentation, where that is at odds with the braces.
    fn unclosed_blocks(&mut self) {
        if self.stopped {
            return;
        }
        let missing = self.open.len();
        let mut suspects = std::mem::take(&mut self.suspects);
        for open in &self.open {
            if let (Some(line), Some(indent)) = (open.outdented, open.indent) {
                suspects.push(Suspect { open: open.brace, line, indent });
            }
        }
        suspects.truncate(missing);
        let mut rest = missing - suspects.len();
        let mut told: Vec<usize> = Vec::new();
        for suspect in suspects {
            told.push(suspect.open);
            let edit = format!("{}}}\n", " ".repeat(suspect.indent));
            self.report(why::unclosed(
                self.text,
                suspect.open,
                Span::new(suspect.line, suspect.line),
                &edit,
            ));
        }
        let end = Span::new(self.text.len(), self.text.len());
        let edit = if self.text.ends_with('\n') { "}\n" } else { "\n}\n" };
        let open: Vec<usize> = self.open.iter().rev().map(|open| open.brace).collect();
        for brace in open.into_iter().filter(|brace| !told.contains(brace)) {
            if rest == 0 {
                return;
            }
            rest -= 1;
            self.report(why::unclosed(self.text, brace, end, edit));
        }
    }

    /// Too many nodes or values to go on.
    fn too_many(&mut self, what: &str, max: usize, span: Span) {
        let message =
            format!("the spec has more than {max} {what}, which is the most that is read");
        let mistake = Diagnostic::error(codes::TOO_MANY_NODES, span, message);
        self.report(mistake.at("one too many").help("split the project into several specs"));
        self.stop();
    }
}

#[cfg(test)]
mod tests;
