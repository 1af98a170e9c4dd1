//! What is wrong with a spec, as data; rendering is the command line's business.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{Span, limits};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing is compiled.
    Error,
    /// Said, and compiled all the same.
    Warning,
}

/// A place and what is to be said of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Label {
    /// The bytes it stands at.
    pub span: Span,
    /// A short fragment, such as "first defined here".
    pub text: String,
}

/// A change of the text: what stands at `span` is replaced by `text`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Edit {
    /// The bytes that go; empty where something is only put in.
    pub span: Span,
    /// What comes in their place.
    pub text: String,
}

/// A place in another file of the project than the spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Elsewhere {
    /// The file, relative to the spec's folder.
    pub file: String,
    /// Its text.
    pub text: String,
    /// The bytes of the place.
    pub span: Span,
    /// A short fragment, as of a [`Label`].
    pub label: String,
}

/// One mistake: what, where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Stable code, such as `envc::spec::unknown_reference`.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// One sentence without a full stop.
    pub message: String,
    /// The first label is the place of the mistake; the others are the other side of it.
    pub labels: Vec<Label>,
    /// Set where the mistake stands in another file, such as a template: then the labels say how
    /// the spec leads there.
    pub elsewhere: Option<Elsewhere>,
    /// What to write or to run.
    pub help: Option<String>,
    /// The help as changes of the text, where it can be said that exactly: with all of them made,
    /// this mistake is gone. In the order of their places; no two overlap.
    pub fix: Vec<Edit>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: bounded(message.into()),
            labels: vec![Label { span, text: "here".into() }],
            elsewhere: None,
            help: None,
            fix: Vec::new(),
        }
    }

    /// Says something at the place of the mistake instead of "here".
    #[must_use]
    pub fn at(mut self, text: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.text = bounded(text.into());
        }
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: bounded(text.into()) });
        self
    }

    /// Says that the mistake stands in another file.
    #[must_use]
    pub fn elsewhere(mut self, place: Elsewhere) -> Self {
        self.elsewhere = Some(place);
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(bounded(text.into()));
        self
    }

    /// Adds a change of the text that mends it.
    #[must_use]
    pub fn fix(mut self, span: Span, text: impl Into<String>) -> Self {
        self.fix.push(Edit { span, text: text.into() });
        self.fix.sort();
        self
    }

    /// Turns it into a warning.
    #[must_use]
    pub fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// The place of the mistake.
    pub fn span(&self) -> Span {
        self.labels.first().map(|label| label.span).unwrap_or_default()
    }
}

/// A text that a person reads: a name of a megabyte inside of it is cut.
fn bounded(mut text: String) -> String {
    if text.len() > limits::MESSAGE_BYTES_MAX {
        let mut end = limits::MESSAGE_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

/// The text with all changes made; `None` where one lies outside of it or overlaps another.
pub fn apply_edits(text: &str, edits: &[Edit]) -> Option<String> {
    let mut sorted: Vec<&Edit> = edits.iter().collect();
    sorted.sort();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in sorted {
        out.push_str(text.get(at..edit.span.start)?);
        out.push_str(&edit.text);
        at = edit.span.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// All that was found in one run, kept in the order of their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
    /// Where in `items` those of a place and code are.
    places: BTreeMap<(Span, &'static str), Vec<usize>>,
    /// How many errors are kept, and how many warnings.
    kept: [usize; 2],
}

impl Diagnostics {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one; the same mistake at the same place is kept once. Beyond the limit none is kept:
    /// nobody reads them.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let place = (diagnostic.span(), diagnostic.code);
        let [errors, warnings] = &mut self.kept;
        let kept = if diagnostic.severity == Severity::Error { errors } else { warnings };
        if *kept >= limits::MISTAKES_MAX {
            return;
        }
        let known = self.places.entry(place).or_default();
        if !known.iter().any(|at| self.items.get(*at) == Some(&diagnostic)) {
            *kept += 1;
            known.push(self.items.len());
            self.items.push(diagnostic);
        }
    }

    /// Adds all of another run.
    pub fn extend(&mut self, others: impl IntoIterator<Item = Diagnostic>) {
        for item in others {
            self.push(item);
        }
    }

    /// True when no further error is kept: looking for more is of no use.
    pub fn is_full(&self) -> bool {
        let [errors, _] = self.kept;
        errors >= limits::MISTAKES_MAX
    }

    /// True when there is one of this code at this place.
    pub fn has(&self, code: &'static str, span: Span) -> bool {
        self.places.contains_key(&(span, code))
    }

    /// True when any is an error.
    pub fn has_errors(&self) -> bool {
        let [errors, _] = self.kept;
        errors > 0
    }

    /// True when nothing was found.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many were found.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// All of them, ordered by place, then code.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.items
            .sort_by(|a, b| (a.span(), a.code, &a.message).cmp(&(b.span(), b.code, &b.message)));
        self.items
    }

    /// All of them, as found.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.items.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    /// All of them, as found.
    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_is_not_kept() {
        let mut found = Diagnostics::new();
        for at in 0..5_000 {
            let error = Diagnostic::error("code", Span::new(at, at), "é".repeat(100_000));
            found.push(if at < 2_500 { error.warning() } else { error });
        }
        assert!(found.is_full() && found.has_errors());
        assert_eq!(found.len(), 2 * limits::MISTAKES_MAX);
        assert!(found.iter().all(|one| one.message.len() < 2 * limits::MESSAGE_BYTES_MAX));
    }

    #[test]
    fn edits_are_made_in_the_order_of_their_places() {
        let edit = |start, end, text: &str| Edit { span: Span::new(start, end), text: text.into() };
        let edits = [edit(4, 5, "E"), edit(0, 1, "A"), edit(2, 2, "-")];
        assert_eq!(apply_edits("abcde", &edits).as_deref(), Some("Ab-cdE"));
        assert_eq!(apply_edits("abc", &[edit(0, 2, ""), edit(1, 3, "")]), None);
        assert_eq!(apply_edits("abc", &[edit(2, 9, "")]), None);
    }
}
