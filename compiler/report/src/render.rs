//! Shows diagnostics: as pictures of the source on a terminal, the same in plain characters
//! elsewhere, with lines and columns for programs, as annotations for GitHub.

mod excerpt;

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    sync::Arc,
};

use envc_core::{Diagnostic, Diagnostics, Severity, Span, printable, printable_in_place};
use envc_spec::lint::{codes::SECRET_IN_TEXT, slug};
use miette::{
    GraphicalTheme, LabeledSpan, MietteHandler, MietteHandlerOpts, Report, ReportHandler as _,
    SourceSpan, ThemeCharacters, ThemeStyles,
};

use excerpt::{LONG, Lines, SHOWN_MAX, Shown, boundary};

/// Columns of a picture where no terminal says how many it has.
const PLAIN_COLUMNS: usize = 100;

/// How a picture is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// Drawn with line characters, as wide as the terminal is; else in ASCII.
    pub terminal: bool,
    /// In colour.
    pub color: bool,
}

/// A text with the name it is shown under: relative to where the user stands.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The name.
    pub name: &'a str,
    /// The text.
    pub text: &'a str,
}

/// Pictures that are drawn; nobody scrolls through more.
pub const PICTURES_MAX: usize = 50;

/// Pictures of the first diagnostics, by their place in the source, and how many more there are. What looks like a secret is not
/// shown: pictures end up in the logs of CI.
pub fn pictures(diagnostics: Diagnostics, source: Source<'_>, style: Style) -> String {
    let handler = handler(style);
    let mut out = String::new();
    let diagnostics: Vec<Diagnostic> = diagnostics.into_sorted().into_iter().map(plain).collect();
    let text = masked(source.text, &diagnostics);
    let text: Arc<str> = printable_in_place(&text).into();
    let source = Source { name: &printable(source.name), text: source.text };
    let more = diagnostics.len().saturating_sub(PICTURES_MAX);
    for diagnostic in diagnostics.into_iter().take(PICTURES_MAX) {
        let spec = Shown { name: source.name.to_owned(), text: Arc::clone(&text) };
        let in_spec = labels(&diagnostic, &text);
        match diagnostic.elsewhere.clone() {
            None => draw(&handler, Picture { diagnostic, labels: in_spec }, spec, &mut out),
            Some(other) => {
                let name = beside(source.name, &other.file);
                let labels = vec![label(0, other.span, &other.label, &other.text)];
                let shown = Shown { name, text: other.text.into() };
                draw(&handler, Picture { diagnostic, labels }, shown, &mut out);
                draw(&handler, Way { labels: in_spec }, spec, &mut out);
            }
        }
    }
    if more > 0 {
        let _ = writeln!(out, "… and {more} more, which `--format json` lists\n");
    }
    out
}

/// The diagnostic without what would steer a terminal. Invariant: whatever lies in a checkout, a picture
/// holds no control character that the drawing did not put there.
fn plain(mut diagnostic: Diagnostic) -> Diagnostic {
    let clean = |text: &mut String| {
        if let Cow::Owned(cleaned) = printable(text) {
            *text = cleaned;
        }
    };
    clean(&mut diagnostic.message);
    diagnostic.help.as_mut().into_iter().for_each(clean);
    diagnostic.labels.iter_mut().for_each(|label| clean(&mut label.text));
    if let Some(other) = &mut diagnostic.elsewhere {
        clean(&mut other.file);
        clean(&mut other.label);
        other.text = printable_in_place(&other.text).into_owned();
    }
    diagnostic
}

fn draw(
    handler: &MietteHandler,
    picture: impl miette::Diagnostic + Send + Sync + 'static,
    shown: Shown,
    out: &mut String,
) {
    let report = Report::new(picture).with_source_code(shown);
    // Writing to a String cannot fail; where drawing does, the message is there at least.
    if write!(out, "{}", Drawn { handler, report: &report }).is_err() {
        let _ = writeln!(out, "{report}");
    }
    out.push('\n');
}

/// The text with stars in the place of what looks like a secret, byte for byte.
fn masked(text: &str, diagnostics: &[Diagnostic]) -> String {
    let secrets = diagnostics.iter().filter(|one| one.code == SECRET_IN_TEXT).map(Diagnostic::span);
    let secrets: Vec<Span> = secrets.collect();
    if secrets.is_empty() {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for (at, char) in text.char_indices() {
        let hidden = secrets.iter().any(|secret| secret.start <= at && at < secret.end);
        if hidden && !matches!(char, '\n' | '\r' | '"' | '#') {
            out.extend(std::iter::repeat_n('*', char.len_utf8()));
        } else {
            out.push(char);
        }
    }
    out
}

/// A file of the project as seen from where the user stands, as the spec's own name is.
fn beside(spec: &str, file: &str) -> String {
    let folder = std::path::Path::new(spec).parent();
    folder.unwrap_or(std::path::Path::new("")).join(file).display().to_string()
}

fn handler(style: Style) -> MietteHandler {
    let characters =
        if style.terminal { ThemeCharacters::unicode() } else { ThemeCharacters::ascii() };
    let styles = if style.color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    let options = MietteHandlerOpts::new()
        .force_graphical(true)
        .graphical_theme(GraphicalTheme { characters, styles })
        .terminal_links(false)
        .color(style.color);
    // On a terminal miette asks it for its width.
    if style.terminal { options.build() } else { options.width(PLAIN_COLUMNS).build() }
}

/// A report, drawn by a handler of ours: the process-wide one is left alone.
struct Drawn<'a> {
    handler: &'a MietteHandler,
    report: &'a Report,
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handler.debug(self.report.as_ref(), f)
    }
}

/// One line for each diagnostic, for commands that have other things to say: its place, what it is,
/// and the last part of its code.
pub fn lines(diagnostics: Diagnostics, source: Source<'_>) -> Vec<String> {
    let places = Lines::new(source.text);
    let line = |diagnostic: Diagnostic| {
        let (line, column) = places.position(diagnostic.span().start);
        let Diagnostic { code, message, .. } = diagnostic;
        format!("{}:{line}:{column}: {message} ({})", source.name, slug(code))
    };
    diagnostics.into_sorted().into_iter().map(line).collect()
}

/// A diagnostic for programs: its places are lines and columns, too.
#[derive(Clone, Debug)]
pub struct Located<'a> {
    /// The diagnostic.
    pub diagnostic: Diagnostic,
    /// The spec, by the name it is shown under.
    pub file: &'a str,
    /// The places of its labels.
    pub labels: Vec<Place>,
    /// The other file where it stands, such as a template, and the place there.
    pub elsewhere: Option<(String, Place)>,
    /// The places of its fix: what stands at each is replaced by its text.
    pub fix: Vec<Place>,
}

/// A place in a text.
#[derive(Clone, Debug)]
pub struct Place {
    /// The bytes.
    pub span: Span,
    /// Line and column of its start, counted from 1, the column in characters.
    pub start: (usize, usize),
    /// Line and column of its end.
    pub end: (usize, usize),
    /// What a label says of the place, or what a fix puts there.
    pub text: String,
}

/// The diagnostics with their places as lines and columns, by their place in the source.
pub fn located(diagnostics: Diagnostics, source: Source<'_>) -> Vec<Located<'_>> {
    let lines = Lines::new(source.text);
    let place = |lines: &Lines<'_>, span: Span, text: &str| Place {
        span,
        start: lines.position(span.start),
        end: lines.position(span.end),
        text: text.to_owned(),
    };
    let locate = |diagnostic: Diagnostic| Located {
        file: source.name,
        labels: diagnostic.labels.iter().map(|it| place(&lines, it.span, &it.text)).collect(),
        elsewhere: diagnostic.elsewhere.as_ref().map(|other| {
            let there = place(&Lines::new(&other.text), other.span, &other.label);
            (beside(source.name, &other.file), there)
        }),
        fix: diagnostic.fix.iter().map(|edit| place(&lines, edit.span, &edit.text)).collect(),
        diagnostic,
    };
    diagnostics.into_sorted().into_iter().map(locate).collect()
}

/// GitHub's workflow commands, one line each: they become annotations of a pull request.
/// Source: <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>
pub fn github(diagnostics: Diagnostics, source: Source<'_>) -> String {
    let mut out = String::new();
    let lines = Lines::new(source.text);
    for diagnostic in diagnostics.into_sorted() {
        let (name, lines, span) = match &diagnostic.elsewhere {
            Some(other) => (beside(source.name, &other.file), &Lines::new(&other.text), other.span),
            None => (source.name.to_owned(), &lines, diagnostic.span()),
        };
        let (line, column) = lines.position(span.start);
        let (end_line, end_column) = lines.position(span.end);
        let level = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut message = diagnostic.message;
        if let Some(help) = diagnostic.help {
            message.push_str("\nhelp: ");
            message.push_str(&help);
        }
        let _ = writeln!(
            out,
            "::{level} file={},line={line},endLine={end_line},col={column},endColumn={end_column},\
             title={}::{}",
            escape(&name, true),
            escape(diagnostic.code, true),
            escape(&message, false),
        );
    }
    out
}

fn escape(text: &str, property: bool) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    if property { text.replace(':', "%3A").replace(',', "%2C") } else { text }
}

/// A diagnostic as miette sees it.
#[derive(Debug)]
struct Picture {
    diagnostic: Diagnostic,
    labels: Vec<LabeledSpan>,
}

fn labels(diagnostic: &Diagnostic, whole: &str) -> Vec<LabeledSpan> {
    let labels = diagnostic.labels.iter().enumerate();
    labels.map(|(index, one)| label(index, one.span, &one.text, whole)).collect()
}

/// A label in the text `whole`, never behind its end. What is far longer than a picture is shown by
/// its beginning.
fn label(index: usize, span: Span, text: &str, whole: &str) -> LabeledSpan {
    let start = span.start.min(whole.len());
    let end = span.end.clamp(start, whole.len());
    let end = if end - start > LONG { boundary(whole, start + SHOWN_MAX / 2) } else { end };
    let span = SourceSpan::new(start.into(), end - start);
    let text = Some(text.to_owned());
    if index == 0 {
        LabeledSpan::new_primary_with_span(text, span)
    } else {
        LabeledSpan::new_with_span(text, span)
    }
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Picture {}

impl miette::Diagnostic for Picture {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.diagnostic.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.diagnostic.help.as_deref()?;
        Some(Box::new(help))
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

/// The labels in the spec of a mistake that stands in another file.
#[derive(Debug)]
struct Way {
    labels: Vec<LabeledSpan>,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this leads there")
    }
}

impl std::error::Error for Way {}

impl miette::Diagnostic for Way {
    fn severity(&self) -> Option<miette::Severity> {
        Some(miette::Severity::Advice)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "project \"shöp\"\nd1 \"weeb\"\nkv \"{d1.web.id}\"\n";
    const SOURCE: Source<'_> = Source { name: "environment.kdl", text: TEXT };

    fn diagnostics() -> Diagnostics {
        let at = |word: &str| {
            let start = TEXT.find(word).unwrap();
            Span::new(start, start + word.len())
        };
        let mut found = Diagnostics::new();
        found.push(
            Diagnostic::error("envc::spec::unknown_reference", at("d1.web.id"), "no `d1.web`")
                .at("not declared")
                .label(at("\"weeb\""), "did you mean this")
                .help("write {d1.weeb.id}"),
        );
        found.push(Diagnostic::error("envc::spec::x", Span::new(9_999, 10_000), "far").warning());
        found
    }

    #[test]
    fn a_picture_shows_a_piece_of_a_very_long_line() {
        let text = format!("kv \"a\"\n{} x \"é\"{}", "é ".repeat(100_000), " b".repeat(100_000));
        let at = text.find('x').unwrap();
        let mut found = Diagnostics::new();
        found.push(Diagnostic::error("envc::spec::x", Span::new(at, at + 1), "short"));
        found.push(Diagnostic::error("envc::spec::y", Span::new(at, text.len()), "long"));
        let shown =
            pictures(found, Source { name: "environment.kdl", text: &text }, Style::default());
        assert!(shown.len() < 6_000, "{}", shown.len());
        assert!(
            shown.contains("environment.kdl:2:") && shown.contains("é é  x \"é\" b"),
            "{shown}"
        );
    }

    #[test]
    fn only_so_many_pictures_are_drawn() {
        let mut found = Diagnostics::new();
        for at in 0..PICTURES_MAX + 7 {
            found.push(Diagnostic::error("envc::spec::x", Span::new(at % 20, at), format!("{at}")));
        }
        let shown = pictures(found, SOURCE, Style::default());
        assert_eq!(shown.matches("envc::spec::x").count(), PICTURES_MAX);
        assert!(shown.ends_with("… and 7 more, which `--format json` lists\n\n"), "{shown}");
    }

    #[test]
    fn pictures_show_the_place_in_plain_characters_off_a_terminal() {
        let style = Style { terminal: false, color: false };
        let text = pictures(diagnostics(), SOURCE, style);
        for part in [
            "environment.kdl:3:6",
            "no `d1.web`",
            "not declared",
            "did you mean this",
            "write {d1.weeb.id}",
            "envc::spec::unknown_reference",
            "far",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(!text.contains('╭'), "{text}");
    }

    #[test]
    fn pictures_are_coloured_on_request() {
        let style = Style { terminal: true, color: true };
        let text = pictures(diagnostics(), SOURCE, style);
        assert!(text.contains('\u{1b}') && text.contains('╭'), "{text}");
    }

    #[test]
    fn places_are_lines_and_columns_in_characters() {
        let found = located(diagnostics(), SOURCE);
        assert_eq!(found[0].labels[0].start, (3, 6));
        assert_eq!(found[0].labels[1].start.0, 2);
        assert_eq!(found[0].diagnostic.severity, Severity::Error);
        assert_eq!(found[1].diagnostic.severity, Severity::Warning);
        let lines = Lines::new(TEXT);
        assert_eq!(lines.position(TEXT.find('p').unwrap()), (1, 1));
        assert_eq!(lines.position(TEXT.find("p\"").unwrap()), (1, 13));
    }

    #[test]
    fn annotations_are_one_line_each() {
        let text = github(diagnostics(), SOURCE);
        assert_eq!(
            text.lines().next(),
            Some(
                "::error file=environment.kdl,line=3,endLine=3,col=6,endColumn=15,\
                 title=envc%3A%3Aspec%3A%3Aunknown_reference::no `d1.web`%0Ahelp: write {d1.weeb.id}"
            )
        );
        assert_eq!(text.lines().count(), 2);
    }
}
