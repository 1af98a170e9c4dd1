//! Renders one MiniJinja template: what is not defined is an error with a near name, nothing is
//! escaped, and what a template reads is watched, so that a secret is known to be in its text.
//!
//! There is no loader and no include: a template cannot read a file. What it may be made of, and how long
//! it may run, is in `bounds`. Pure. Way in: [`render`] with a tree of [`Group`]s.

mod bounds;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use envc_core::Span;
use envc_spec::nearest;
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior,
    syntax::SyntaxConfig,
    value::{Enumerator, Object, Value, ValueKind},
};
use serde_json::Value as Json;

/// Most names that an error lists.
const NAMES_SHOWN_MAX: usize = 24;

/// A rendered template.
pub(crate) struct Rendered {
    /// The text.
    pub(crate) text: String,
    /// True when it read a secret.
    pub(crate) secret: bool,
    /// What it read, as the spec writes it: `let.web-url`, `d1.webapp`.
    pub(crate) reads: BTreeSet<String>,
}

/// A template that cannot be rendered.
pub(crate) struct TemplateError {
    /// The line, from 1.
    pub(crate) line: usize,
    /// The bytes of the place.
    pub(crate) span: Span,
    /// What is wrong, without the line.
    pub(crate) message: String,
    /// The secret that it tried to read, as the spec writes it: `let.key`.
    pub(crate) secret: Option<String>,
    /// What to write.
    pub(crate) help: String,
}

/// What a template can read under one name.
enum Entry {
    Plain(Value),
    Secret(Value),
    /// Not to be had here, and why.
    Hidden(String),
    /// The same, because it is a secret.
    Forbidden(String),
}

/// What a template looked for.
#[derive(Default)]
struct Log {
    secret: bool,
    reads: BTreeSet<String>,
    missed: Option<Miss>,
    /// Bytes of the longest text that it could read.
    longest: usize,
}

#[derive(Clone)]
struct Miss {
    key: String,
    /// The key behind its group, as templates write it.
    path: String,
    message: String,
    help: String,
    /// The secret that it is.
    secret: Option<String>,
}

/// Names that belong together, such as all of `d1`. A name with `-` is also found with `_`.
pub(crate) struct Group {
    /// How a template writes it; empty for the root.
    path: String,
    /// How the spec writes it.
    plain: String,
    entries: BTreeMap<String, Entry>,
    log: Arc<Mutex<Log>>,
}

impl fmt::Debug for Group {
    /// Without the values: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Group({})", self.path)
    }
}

impl Group {
    /// The root of a context.
    pub(crate) fn root() -> Self {
        let (path, plain) = (String::new(), String::new());
        Self { path, plain, entries: BTreeMap::new(), log: Arc::default() }
    }

    /// An empty group that is to be put into this one.
    pub(crate) fn group(&self, name: &str) -> Self {
        let path = self.path_of(name);
        let plain = self.plain_of(name);
        Self { path, plain, entries: BTreeMap::new(), log: Arc::clone(&self.log) }
    }

    /// Puts a group under its name.
    pub(crate) fn put_group(&mut self, name: &str, group: Self) {
        self.put(name, Value::from_object(group));
    }

    /// Puts a value.
    pub(crate) fn put(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        self.note(&value);
        self.entries.insert(name.to_owned(), Entry::Plain(value));
    }

    /// Puts a secret: who reads it makes a private file.
    pub(crate) fn put_secret(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        self.note(&value);
        self.entries.insert(name.to_owned(), Entry::Secret(value));
    }

    fn note(&self, value: &Value) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.longest = log.longest.max(value.as_str().map_or(0, str::len));
    }

    /// Puts a name that may not be read, and says why: a clause after "`x` ".
    pub(crate) fn hide(&mut self, name: &str, why: impl Into<String>) {
        self.entries.insert(name.to_owned(), Entry::Hidden(why.into()));
    }

    /// Puts a secret that may not be read, and says why: a clause after "`x` ".
    pub(crate) fn forbid(&mut self, name: &str, why: impl Into<String>) {
        self.entries.insert(name.to_owned(), Entry::Forbidden(why.into()));
    }

    /// Puts a JSON value; its objects become groups, so that their names are watched too.
    pub(crate) fn put_json(&mut self, name: &str, json: &Json) {
        let value = self.json_value(name, json);
        self.put(name, value);
    }

    fn json_value(&self, name: &str, json: &Json) -> Value {
        match json {
            Json::Object(map) => {
                let mut group = self.group(name);
                for (key, item) in map {
                    group.put_json(key, item);
                }
                Value::from_object(group)
            }
            Json::Array(items) => {
                items.iter().map(|item| self.json_value(name, item)).collect::<Vec<_>>().into()
            }
            Json::String(text) => {
                let text = Value::from(text.as_str());
                self.note(&text);
                text
            }
            Json::Bool(flag) => Value::from(*flag),
            // Whole numbers only: nothing in a configuration of ours is a fraction.
            Json::Number(number) => Value::from(number.as_i64()),
            Json::Null => Value::from(()),
        }
    }

    fn plain_of(&self, name: &str) -> String {
        if self.plain.is_empty() { name.to_owned() } else { format!("{}.{name}", self.plain) }
    }

    fn path_of(&self, name: &str) -> String {
        let word = name.chars().all(|char| char.is_alphanumeric() || char == '_');
        match (self.path.as_str(), word) {
            ("", _) => name.to_owned(),
            (path, true) => format!("{path}.{name}"),
            (path, false) => format!("{path}[\"{name}\"]"),
        }
    }

    /// The entry of a name, or of the only one that is the same but for `-` and `_`.
    fn find(&self, name: &str) -> Option<(&String, &Entry)> {
        self.entries.get_key_value(name).or_else(|| {
            let mut same = self.entries.iter().filter(|(key, _)| key.replace('-', "_") == name);
            same.next().filter(|_| same.next().is_none())
        })
    }

    fn miss(&self, name: &str) -> Miss {
        let message = format!("`{}` is not defined", self.path_of(name));
        let names: BTreeSet<&str> = self.entries.keys().map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let near = nearest(name, names.iter().copied());
        let help = match (near, names.as_slice()) {
            (Some(near), _) => format!("did you mean `{}`?", self.path_of(near)),
            (None, []) => format!("the spec declares nothing under `{}`", self.path),
            (None, names) => {
                let shown: Vec<&str> = names.iter().take(NAMES_SHOWN_MAX).copied().collect();
                let more = names.len().saturating_sub(shown.len());
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("possible here: {}{more}", shown.join(", "))
            }
        };
        Miss { key: name.to_owned(), path: self.path_of(name), message, help, secret: None }
    }

    fn hidden(&self, name: &str, key: &str, why: &str, secret: bool) -> Miss {
        let message = format!("`{}` {why}", self.path_of(key));
        let help = if secret {
            "leave it out: a worker gets it by secret \"NAME\" in the spec, a program by a `dotenv`"
        } else {
            "leave it out of this template"
        };
        let help = help.to_owned();
        let secret = secret.then(|| self.plain_of(key));
        Miss { key: name.to_owned(), path: self.path_of(name), message, help, secret }
    }
}

impl Object for Group {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        match self.find(name) {
            Some((key, Entry::Plain(value))) => {
                log.reads.insert(self.plain_of(key));
                Some(value.clone())
            }
            Some((key, Entry::Secret(value))) => {
                log.reads.insert(self.plain_of(key));
                log.secret = true;
                Some(value.clone())
            }
            Some((key, Entry::Hidden(why))) => {
                log.missed = Some(self.hidden(name, key, why, false));
                None
            }
            Some((key, Entry::Forbidden(why))) => {
                log.missed = Some(self.hidden(name, key, why, true));
                None
            }
            None => {
                log.missed = Some(self.miss(name));
                None
            }
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let readable = |entry: &Entry| !matches!(entry, Entry::Hidden(_) | Entry::Forbidden(_));
        let shown = self.entries.iter().filter(|(_, entry)| readable(entry));
        Enumerator::Values(shown.map(|(name, _)| Value::from(name.as_str())).collect())
    }
}

/// Renders a template with a context.
pub(crate) fn render(source: &str, root: Group) -> Result<Rendered, TemplateError> {
    let log = Arc::clone(&root.log);
    let longest = log.lock().unwrap_or_else(PoisonError::into_inner).longest;
    let rendered = syntax().map_err(|error| explain(&error, source, None)).and_then(|syntax| {
        let steps = bounds::look(source, &syntax, longest).map_err(|it| unfit(it, source))?;
        Ok((steps, run(source, root, syntax, steps)))
    });
    let (steps, rendered) = rendered?;
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    let reads = std::mem::take(&mut log.reads);
    match rendered {
        Ok(text) => Ok(Rendered { text, secret: log.secret, reads }),
        Err(error) if error.kind() == ErrorKind::OutOfFuel => {
            let wrong = explain(&error, source, None);
            let message = format!("the template takes more than {steps} steps");
            Err(TemplateError { message, help: "loop over fewer things".into(), ..wrong })
        }
        Err(error) => Err(explain(&error, source, log.missed.as_ref())),
    }
}

fn run(source: &str, root: Group, syntax: SyntaxConfig, steps: u64) -> Result<String, Error> {
    let engine = engine(syntax, steps);
    let mut out = bounds::Bounded::default();
    engine.template_from_str(source)?.render_captured_to(Value::from_object(root), &mut out)?;
    Ok(out.into_text())
}

/// What is wrong with a template that is not run.
fn unfit(unfit: bounds::Unfit, source: &str) -> TemplateError {
    let bounds::Unfit { range, message, help } = unfit;
    let before = source.get(..range.start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    TemplateError { line, span: Span::new(range.start, range.end), message, secret: None, help }
}

fn syntax() -> Result<SyntaxConfig, Error> {
    SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
}

fn engine(syntax: SyntaxConfig, steps: u64) -> Environment<'static> {
    let mut engine = Environment::new();
    // Debug output shows values, and some are secrets.
    engine.set_debug(false);
    // Strict, but for `{% if tunnel.dev %}`: a type may drop what another one has.
    engine.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    engine.set_auto_escape_callback(|_| AutoEscape::None);
    engine.set_fuel(Some(steps));
    engine.set_syntax(syntax);
    let written = bounds::Written::default();
    engine.set_formatter(move |out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value| {
        write_value(out, value, &written)
    });
    bounds::restrict(&mut engine);
    engine.add_filter("json", json);
    engine
}

/// Writes a value; a group, a list or nothing has no text of its own, and would go unnoticed.
fn write_value(
    out: &mut Output<'_>,
    value: &Value,
    written: &bounds::Written,
) -> Result<(), Error> {
    let wrong = |what: &str| {
        Err(Error::new(
            ErrorKind::InvalidOperation,
            format!("{what} has no text of its own: write one of its values, or add `| json`"),
        ))
    };
    match value.kind() {
        ValueKind::Undefined => Err(Error::from(ErrorKind::UndefinedError)),
        ValueKind::None => wrong("nothing (none)"),
        ValueKind::Map => wrong("a group of values"),
        ValueKind::Seq | ValueKind::Iterable => wrong("a list"),
        _ => {
            let text = value.to_string();
            written.add(text.len())?;
            out.write_str(&text).map_err(Error::from)
        }
    }
}

/// `| json` on one line; `| json(4)` over several, those after the first 4 columns further in.
fn json(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    let wrong = |error: serde_json::Error| {
        if error.is_io() {
            return Error::new(ErrorKind::InvalidOperation, bounds::too_many());
        }
        Error::new(ErrorKind::BadSerialization, format!("it is no JSON: {error}"))
    };
    let mut out = bounds::Bounded::default();
    let Some(indent) = indent else {
        serde_json::to_writer(&mut out, value).map_err(wrong)?;
        return Ok(out.into_text());
    };
    serde_json::to_writer_pretty(&mut out, value).map_err(wrong)?;
    let (text, indent) = (out.into_text(), indent.min(80));
    let longer = text.matches('\n').count().saturating_mul(indent);
    bounds::bounded(text.len().saturating_add(longer))?;
    Ok(text.replace('\n', &format!("\n{:indent$}", "")))
}

/// What went wrong, with its line; for what is not defined, the name and one like it.
fn explain(error: &Error, source: &str, missed: Option<&Miss>) -> TemplateError {
    let line = error.line().unwrap_or(1);
    let (start, at) = line_of(source, line);
    let range = error.range().filter(|range| source.get(range.clone()).is_some());
    let (indent, text) = (at.len() - at.trim_start().len(), at.trim());
    let span = match range.filter(|range| !range.is_empty()) {
        Some(range) => Span::new(range.start, range.end),
        None => Span::new(start + indent, start + indent + text.len()),
    };
    let wrong =
        |message: String, help: String, secret| TemplateError { line, span, message, secret, help };
    if error.kind() == ErrorKind::UndefinedError {
        if let Some(miss) = missed.filter(|miss| at.contains(&miss.key)) {
            // The engine names the filter that met what is not defined; it is the name that counts.
            let name = [&miss.path, &miss.key].into_iter().find_map(|it| Some((at.find(it)?, it)));
            let (column, name) = name.unwrap_or((indent, &miss.key));
            let span = Span::new(start + column, start + column + name.len());
            let Miss { message, help, secret, .. } = miss.clone();
            return TemplateError { line, span, message, secret, help };
        }
        let expression = source.get(span.start..span.end).unwrap_or(text);
        let help = "set it before, or test it with {% if … %}";
        return wrong(format!("`{expression}` is not defined"), help.into(), None);
    }
    if error.kind() == ErrorKind::WriteFailure {
        return wrong(bounds::too_many(), "loop over fewer things".into(), None);
    }
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    let help = "the template language is MiniJinja's: {{ value }}, {% if %}, {% for %}";
    wrong(detail, help.into(), None)
}

/// The byte at which a line begins, counted from 1, and the line.
fn line_of(source: &str, line: usize) -> (usize, &str) {
    let mut start = 0;
    for (number, text) in (1..).zip(source.split_inclusive('\n')) {
        if number == line {
            return (start, text.trim_end_matches(['\n', '\r']));
        }
        start += text.len();
    }
    (source.len(), "")
}

#[cfg(test)]
mod tests;
