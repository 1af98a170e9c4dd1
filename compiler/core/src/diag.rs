//! What is wrong with a spec, as data; rendering is the command line's business.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Span;

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
    /// What to write or to run.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: vec![Label { span, text: "here".into() }],
            help: None,
        }
    }

    /// Says something at the place of the mistake instead of "here".
    #[must_use]
    pub fn at(mut self, text: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.text = text.into();
        }
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
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

/// All that was found in one run, kept in the order of their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
    /// Where in `items` those of a place and code are.
    places: BTreeMap<(Span, &'static str), Vec<usize>>,
}

impl Diagnostics {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one; the same mistake at the same place is kept once.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let known = self.places.entry((diagnostic.span(), diagnostic.code)).or_default();
        if !known.iter().any(|at| self.items.get(*at) == Some(&diagnostic)) {
            known.push(self.items.len());
            self.items.push(diagnostic);
        }
    }

    /// Adds all of another run.
    pub fn extend(&mut self, other: Self) {
        for item in other.items {
            self.push(item);
        }
    }

    /// True when any is an error.
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error)
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
