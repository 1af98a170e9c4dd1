//! What a template may be: a text that a checkout brings, and that the compiler runs.
//!
//! The engine counts its steps and nothing else: a text that is put together with itself doubles with each,
//! a list of lists is compared as often as it has paths, and the engine's own compiler goes as deep as an
//! expression does. So what could grow is left out of the language, by its tokens and by its filters, and
//! what is left is counted:
//!
//! - a template has at most [`SOURCE_BYTES_MAX`], a tag [`TAG_TOKENS_MAX`], blocks stand at most
//!   [`NESTING_MAX`] deep in each other;
//! - `*` and `**` are not there: they make a long text of a short one;
//! - what was set is not set again from itself, and a loop goes over what the spec gives: values have the
//!   size of one expression;
//! - filters that widen a text are our own, and bounded; all that is written is, too.
//!
//! Invariant: a template ends within a second and a hundred megabytes, whatever it says.

use std::{
    collections::BTreeSet,
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

use envc_spec::nearest;
use minijinja::{
    Environment, Error, ErrorKind,
    machinery::{Token, tokenize},
    syntax::SyntaxConfig,
    value::{Value, ValueKind},
};

/// Bytes of a template.
pub(super) const SOURCE_BYTES_MAX: usize = 64 * 1024;
/// Tokens of one tag.
const TAG_TOKENS_MAX: usize = 200;
/// Blocks in each other.
const NESTING_MAX: usize = 32;
/// Bytes that a template writes, into the file and into what it sets; and that one filter makes.
pub(super) const WRITTEN_BYTES_MAX: usize = 1024 * 1024;
/// Bytes that all steps together may go over.
const WORK_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Steps of a template whose texts are short: some milliseconds, and far more than any file needs.
const STEPS_MAX: usize = 1_000_000;
/// Steps that every template may take.
const STEPS_MIN: usize = 4_000;

/// The blocks that there are; each with whether it begins one, goes on in it, or ends it.
const BLOCKS: &[(&str, Turn)] = &[
    ("if", Turn::In),
    ("elif", Turn::On),
    ("else", Turn::On),
    ("endif", Turn::Out),
    ("for", Turn::In),
    ("endfor", Turn::Out),
    ("set", Turn::On),
    ("endset", Turn::Out),
];

/// The filters that there are besides those that are our own: none of them makes a text or a list longer
/// than what it is given.
const FILTERS: &[&str] = &[
    "abs",
    "bool",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "int",
    "items",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "capitalize",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "split",
    "string",
    "title",
    "trim",
    "unique",
    "upper",
];

/// Our own filters.
const OWN: &[&str] = &["indent", "join", "json", "replace", "sh"];

/// Every filter of the engine, as far as it is not among them.
const LEFT_OUT: &[&str] = &[
    "attr",
    "batch",
    "chain",
    "e",
    "escape",
    "format",
    "groupby",
    "indent",
    "join",
    "pprint",
    "replace",
    "safe",
    "slice",
    "sum",
    "tojson",
    "urlencode",
    "zip",
];

/// Words that stand before an expression, and are none.
const WORDS: &[&str] = &["in", "and", "or", "not", "if", "else", "is"];

/// What a block does to the depth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    In,
    On,
    Out,
}

/// What is wrong with a template, before it is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    /// The bytes of the place.
    pub(super) range: std::ops::Range<usize>,
    /// What is wrong.
    pub(super) message: String,
    /// What to write.
    pub(super) help: String,
}

impl Unfit {
    fn new(
        range: std::ops::Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { range, message: message.into(), help: help.into() }
    }
}

/// One tag: its tokens, each with its bytes.
#[derive(Debug, Default)]
struct Tag<'s> {
    tokens: Vec<(Token<'s>, std::ops::Range<usize>)>,
}

/// Looks at a template without running it; gives the steps that it may take. `longest` are the bytes of the
/// longest text that it can read. What is no template is left to the engine, which says why.
pub(super) fn look(source: &str, syntax: &SyntaxConfig, longest: usize) -> Result<u64, Unfit> {
    if source.len() > SOURCE_BYTES_MAX {
        let message =
            format!("the template has {} bytes, and may have {SOURCE_BYTES_MAX}", source.len());
        return Err(Unfit::new(0..0, message, "a file that only copies needs no template"));
    }
    let mut shape = Shape { longest: longest.max(1024), ..Shape::default() };
    let mut tag: Option<Tag<'_>> = None;
    for token in tokenize(source, false, syntax.clone()) {
        let Ok((token, span)) = token else { break };
        let range = usize::try_from(span.start_offset).unwrap_or_default()
            ..usize::try_from(span.end_offset).unwrap_or_default();
        match (token, &mut tag) {
            (Token::TemplateData(text), _) => shape.longest = shape.longest.max(text.len()),
            (Token::VariableStart | Token::BlockStart, _) => tag = Some(Tag::default()),
            (Token::VariableEnd, _) => tag = None,
            (Token::BlockEnd, Some(block)) => {
                shape.block(block)?;
                tag = None;
            }
            (Token::Mul | Token::Pow, _) => {
                let sign = source.get(range.clone()).unwrap_or("*").to_owned();
                return Err(Unfit::new(
                    range,
                    format!("`{sign}` is not there in templates"),
                    "let the spec say the value, in a `let`",
                ));
            }
            (token, Some(tag)) => {
                tag.refuse_filter(&token, &range)?;
                tag.tokens.push((token, range.clone()));
                if tag.tokens.len() > TAG_TOKENS_MAX {
                    let message = format!("the tag has more than {TAG_TOKENS_MAX} words and signs");
                    return Err(Unfit::new(range, message, "part it into several"));
                }
            }
            _ => {}
        }
    }
    let steps = (WORK_BYTES_MAX / shape.longest).clamp(STEPS_MIN, STEPS_MAX);
    Ok(u64::try_from(steps).unwrap_or(u64::MAX))
}

/// What is known of a template so far.
#[derive(Debug, Default)]
struct Shape {
    depth: usize,
    /// What was set, and what loops go over it.
    made: BTreeSet<String>,
    /// All names that a template gives.
    given: BTreeSet<String>,
    longest: usize,
}

impl Shape {
    fn block(&mut self, tag: &Tag<'_>) -> Result<(), Unfit> {
        let Some((Token::Ident(word), range)) = tag.tokens.first() else { return Ok(()) };
        let Some((_, turn)) = BLOCKS.iter().find(|(name, _)| name == word) else {
            return Err(Unfit::new(
                range.clone(),
                format!("`{word}` is not there in templates"),
                "there are {% if %}, {% for %} and {% set %}",
            ));
        };
        match (*word, *turn) {
            ("set", _) => self.set(tag)?,
            ("for", _) => self.loops(tag)?,
            _ => {}
        }
        let opens = *turn == Turn::In || (*word == "set" && !tag.assigns());
        if opens {
            self.depth += 1;
        } else if *turn == Turn::Out {
            self.depth = self.depth.saturating_sub(1);
        }
        if self.depth > NESTING_MAX {
            let message = format!("more than {NESTING_MAX} blocks stand in each other");
            return Err(Unfit::new(range.clone(), message, "take some of them apart"));
        }
        Ok(())
    }

    /// `set NAME = EXPRESSION`, or `set NAME` with a text up to `endset`, which is counted as it is written.
    fn set(&mut self, tag: &Tag<'_>) -> Result<(), Unfit> {
        let at = tag.tokens.iter().position(|(token, _)| matches!(token, Token::Assign));
        let Some(at) = at else {
            self.given.extend(tag.names(1..tag.tokens.len()).map(|(name, _)| name));
            self.longest = self.longest.max(WRITTEN_BYTES_MAX / 4);
            return Ok(());
        };
        if let Some((name, range)) =
            tag.names(at..tag.tokens.len()).find(|(name, _)| self.made.contains(name))
        {
            return Err(Unfit::new(
                range,
                format!("`{name}` was set here, and nothing is set from it"),
                format!(
                    "take what the spec gives, or set a text: {{% set x %}}{{{{ {name} }}}}{{% endset %}}"
                ),
            ));
        }
        let names: Vec<String> = tag.names(1..at).map(|(name, _)| name).collect();
        self.made.extend(names.iter().cloned());
        self.given.extend(names);
        Ok(())
    }

    /// `for NAMES in EXPRESSION`.
    fn loops(&mut self, tag: &Tag<'_>) -> Result<(), Unfit> {
        let is_in = |(token, _): &(Token<'_>, _)| matches!(token, Token::Ident("in"));
        let Some(at) = tag.tokens.iter().position(is_in) else { return Ok(()) };
        let all = at + 1..tag.tokens.len();
        let found = tag.names(all.clone()).find(|(name, _)| self.given.contains(name));
        if let (Some((name, range)), true) = (&found, tag.makes_a_list(all.clone())) {
            return Err(Unfit::new(
                range.clone(),
                format!("a loop over a list that is made of `{name}`, which the template gave"),
                "loop over what the spec gives",
            ));
        }
        if let Some((_, range)) = tag.names(all.clone()).find(|(name, _)| name == "recursive") {
            return Err(Unfit::new(
                range,
                "`recursive` is not there in templates",
                "write a loop for each level",
            ));
        }
        let names: Vec<String> = tag.names(1..at).map(|(name, _)| name).collect();
        if tag.names(all).any(|(name, _)| self.made.contains(&name)) {
            self.made.extend(names.iter().cloned());
        }
        self.given.extend(names);
        Ok(())
    }
}

impl Tag<'_> {
    /// Refuses a filter that is not there. Invariant: one that a later engine brings is not, until somebody
    /// looked at it.
    fn refuse_filter(
        &self,
        token: &Token<'_>,
        range: &std::ops::Range<usize>,
    ) -> Result<(), Unfit> {
        let (Token::Ident(name), Some((Token::Pipe, _))) = (token, self.tokens.last()) else {
            return Ok(());
        };
        if FILTERS.contains(name) || OWN.contains(name) {
            return Ok(());
        }
        let all: Vec<&str> = FILTERS.iter().chain(OWN).copied().collect();
        let help = match nearest(name, all.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}", all.join(", ")),
        };
        Err(Unfit::new(range.clone(), format!("there is no filter `{name}` in templates"), help))
    }

    fn assigns(&self) -> bool {
        self.tokens.iter().any(|(token, _)| matches!(token, Token::Assign))
    }

    /// The names in a part of it. One behind a dot is a part of another, and counts as well: it costs
    /// nothing but another name.
    fn names(
        &self,
        part: std::ops::Range<usize>,
    ) -> impl Iterator<Item = (String, std::ops::Range<usize>)> + '_ {
        let tokens = self.tokens.get(part).unwrap_or_default();
        tokens.iter().filter_map(|(token, range)| match token {
            Token::Ident(name) if !WORDS.contains(name) => {
                Some(((*name).to_owned(), range.clone()))
            }
            _ => None,
        })
    }

    /// True where a list, a map or a pair is written down in a part of it.
    fn makes_a_list(&self, part: std::ops::Range<usize>) -> bool {
        let tokens = self.tokens.get(part).unwrap_or_default();
        let before = std::iter::once(None).chain(tokens.iter().map(|(token, _)| Some(token)));
        tokens.iter().zip(before).any(|((token, _), before)| {
            let is_index = match before {
                Some(Token::Ident(word)) => !WORDS.contains(word),
                Some(Token::BracketClose | Token::ParenClose) => true,
                _ => false,
            };
            match token {
                Token::BraceOpen => true,
                Token::BracketOpen | Token::ParenOpen => !is_index,
                _ => false,
            }
        })
    }
}

/// Takes out of the engine what could grow, and puts our own in its place.
pub(super) fn restrict(engine: &mut Environment<'_>) {
    for name in LEFT_OUT {
        engine.remove_filter(name);
    }
    for name in ["dict", "debug", "namespace"] {
        engine.remove_global(name);
    }
    engine.add_filter("join", join);
    engine.add_filter("replace", replace);
    engine.add_filter("indent", indent);
    engine.add_filter("sh", sh);
}

/// Counts what a template writes.
#[derive(Debug, Default)]
pub(super) struct Written(AtomicUsize);

impl Written {
    /// Counts some bytes more; an error where they are too many.
    pub(super) fn add(&self, bytes: usize) -> Result<(), Error> {
        let before = self.0.fetch_add(bytes, Ordering::Relaxed);
        bounded(before.saturating_add(bytes))
    }
}

/// An error for more bytes than a template may make.
pub(super) fn bounded(bytes: usize) -> Result<(), Error> {
    if bytes <= WRITTEN_BYTES_MAX {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InvalidOperation, too_many()))
}

/// A text that is written to its bound.
#[derive(Debug, Default)]
pub(super) struct Bounded(Vec<u8>);

impl Bounded {
    /// The text.
    pub(super) fn into_text(self) -> String {
        String::from_utf8(self.0).unwrap_or_default()
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        bounded(self.0.len().saturating_add(bytes.len())).map_err(io::Error::other)?;
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What too many bytes are told as.
pub(super) fn too_many() -> String {
    format!("the template makes more than {WRITTEN_BYTES_MAX} bytes")
}

/// A value that has a text of its own.
fn text_of(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::String | ValueKind::Number | ValueKind::Bool => Ok(value.to_string()),
        _ => Err(Error::new(ErrorKind::InvalidOperation, "only texts and numbers can be joined")),
    }
}

/// `| join(", ")`
fn join(values: &Value, between: Option<&str>) -> Result<String, Error> {
    if values.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let between = between.unwrap_or_default();
    let mut out = String::new();
    for (at, value) in values.try_iter()?.enumerate() {
        let text = text_of(&value)?;
        bounded(out.len() + text.len() + between.len())?;
        if at > 0 {
            out.push_str(between);
        }
        out.push_str(&text);
    }
    Ok(out)
}

/// `| replace("a", "b")`
fn replace(value: &str, from: &str, to: &str) -> Result<String, Error> {
    let times = value.matches(from).count();
    bounded(times.saturating_mul(to.len()).saturating_add(value.len()))?;
    Ok(value.replace(from, to))
}

/// `| indent(4)`: the lines after the first one further in.
fn indent(value: &str, width: usize) -> Result<String, Error> {
    let lines = value.matches('\n').count();
    bounded((lines + 1).saturating_mul(width).saturating_add(value.len()))?;
    Ok(value.replace('\n', &format!("\n{}", " ".repeat(width))))
}

/// `| sh`: one word of a shell, whatever it holds.
/// Source: POSIX.1-2024, Shell Command Language, 2.2.2 Single-Quotes.
fn sh(value: &Value) -> Result<String, Error> {
    let text = text_of(value)?;
    if text.contains('\0') {
        return Err(Error::new(ErrorKind::InvalidOperation, "no word of a shell holds a NUL"));
    }
    bounded(text.len().saturating_mul(4))?;
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}

#[cfg(test)]
mod tests;
