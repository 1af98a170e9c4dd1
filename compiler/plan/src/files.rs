//! The files of a working copy: wrangler configurations, `.dev.vars`, dotenv files, files from
//! templates. Pure: the caller reads the templates and writes what comes out.
//!
//! A secret stands only in a file without permissions for group and others, and never in a
//! `wrangler.jsonc`. All that is wrong with any file is told in one run.
//!
//! Way in: [`template_paths`] and [`needed_parts`] say what to read, [`render_files`] does it.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use envc_core::{Address, Input, Output, Part, Ref, Span, Text};
use envc_kinds::{MARKER_VARIABLE, Worker};
use envc_spec::{Dotenv, DotenvReader, Environment, FileSpec};
use serde_json::Value as Json;

use crate::{
    codes,
    context::context,
    foreign, jsonc,
    known::Known,
    template::{self, TemplateError},
    wrangler::{Config, Problem, rebased, with_crons},
};

mod variables;

pub use variables::variable_files;

/// Permissions of a file that may hold a secret.
const PRIVATE: u32 = 0o600;
/// Permissions of a file that may not.
const PUBLIC: u32 = 0o644;

/// Stands in the first line of each file that envc writes and nobody gave a template for.
pub const WRITTEN_BY: &str = "Written by envc";

/// What the files are made of.
pub struct FileInputs<'a> {
    /// The environment.
    pub env: &'a Environment,
    /// The API's identifier of each resource; all are known once it is applied.
    pub ids: &'a BTreeMap<Address, String>,
    /// Gives secrets, environment variables, lease attributes and tunnel tokens: what
    /// [`needed_parts`] lists. IDs and names are not asked for.
    pub resolve: &'a dyn Fn(&Part) -> Option<String>,
    /// Physical names as observed, for existing resources that the spec finds by ID.
    pub names: &'a BTreeMap<Address, String>,
    /// The text of each template, by its path in the spec.
    pub templates: &'a BTreeMap<String, String>,
    /// Bindings get `remote: true`: `wrangler dev` works on what was provisioned.
    pub dev_remote: bool,
    /// The spec's folder as seen from the one that the files go to, such as `..`; a whole path where
    /// no way leads there, and empty where it is the same. Paths in a generated configuration are
    /// right from where it lies.
    pub spec_folder: &'a str,
}

impl fmt::Debug for FileInputs<'_> {
    /// Without what `resolve` gives.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileInputs")
            .field("env", &self.env.instance.id)
            .field("templates", &self.templates.keys())
            .field("dev_remote", &self.dev_remote)
            .finish_non_exhaustive()
    }
}

/// A file to write.
#[derive(Clone, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Relative to the spec's folder.
    pub path: String,
    /// Unix permission bits.
    pub mode: u32,
    /// Its text.
    pub content: String,
    /// It holds a secret.
    pub private: bool,
    /// It carries something of this environment: git may not track it.
    pub specific: bool,
    /// Its variables whose `$` begins a name to readers that expand, where the spec does not say who
    /// reads the file.
    pub expanded: Vec<String>,
}

impl fmt::Debug for GeneratedFile {
    /// Without the content of a private file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeneratedFile")
            .field("path", &self.path)
            .field("mode", &format_args!("{:#o}", self.mode))
            .field("content", if self.private { &"…" } else { &self.content })
            .field("private", &self.private)
            .field("specific", &self.specific)
            .field("expanded", &self.expanded)
            .finish()
    }
}

/// Why a file cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{path}: {}{message}", line(.place.as_deref()))]
pub struct FileError {
    /// The generated file, or the template where the mistake is in it.
    pub path: String,
    /// Where in the template it is, when that is known.
    pub place: Option<Box<TemplatePlace>>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
    /// Stable code, such as `envc::files::template`.
    pub code: &'static str,
}

/// A place in a template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TemplatePlace {
    /// The line, from 1.
    pub line: usize,
    /// The bytes of it.
    pub span: Span,
    /// The secret that is read there, as the spec writes it: `let.key`.
    pub secret: Option<String>,
}

/// "line 9: "
fn line(place: Option<&TemplatePlace>) -> String {
    place.map(|place| format!("line {}: ", place.line)).unwrap_or_default()
}

impl FileError {
    fn new(code: &'static str, path: &str, message: String, help: impl Into<String>) -> Self {
        Self { path: path.to_owned(), place: None, message, help: help.into(), code }
    }

    fn template(path: &str, error: TemplateError) -> Self {
        let TemplateError { line, span, message, secret, help } = error;
        let code = if secret.is_some() { codes::SECRET_IN_PUBLIC_FILE } else { codes::TEMPLATE };
        let place = Some(Box::new(TemplatePlace { line, span, secret }));
        Self { path: path.to_owned(), place, message, help, code }
    }

    fn unresolved(path: &str, unknown: String) -> Self {
        Self::new(codes::UNRESOLVED, path, unknown, "give it a value, then apply again")
    }
}

/// The templates to read, sorted, as the spec writes their paths.
pub fn template_paths(env: &Environment) -> Vec<String> {
    let workers = env.workers.iter().filter_map(|worker| worker.template.as_ref());
    let all: BTreeSet<&String> =
        workers.chain(env.files.iter().map(|file| &file.template)).collect();
    all.into_iter().cloned().collect()
}

/// Everything from outside that a file may need: inputs and tunnel tokens, sorted.
pub fn needed_parts(env: &Environment) -> Vec<Part> {
    let (mut inputs, mut tokens) = (BTreeSet::<&Input>::new(), BTreeSet::<&Ref>::new());
    for part in file_texts(env).into_iter().flat_map(|(_, text)| &text.parts) {
        match part {
            Part::Lit(_) => {}
            Part::In(input) => {
                inputs.insert(input);
            }
            Part::Out(reference) => {
                if reference.output == Output::Token {
                    tokens.insert(reference);
                }
            }
        }
    }
    let tokens = tokens.into_iter().cloned().map(Part::Out);
    inputs.into_iter().cloned().map(Part::In).chain(tokens).collect()
}

/// The texts that files are made of, each with the place that it stands in. Which `let`s a template
/// reads shows only when it is rendered, so where there are templates all are listed.
pub(crate) fn file_texts(env: &Environment) -> Vec<(String, &Text)> {
    let mut out = Vec::new();
    for worker in &env.workers {
        let place =
            |node: &str, name: &str| format!("{node} `{name}` of worker \"{}\"", worker.name);
        out.extend(worker.secrets.iter().map(|(name, text)| (place("secret", name), text)));
        out.extend(worker.vars.iter().map(|(name, text)| (place("var", name), text)));
        out.extend(worker.bindings.iter().filter_map(|bind| {
            let text = env.local_connections.get(&bind.target)?;
            Some((format!("`local` of {}", bind.target), text))
        }));
    }
    for dotenv in &env.dotenvs {
        let vars = dotenv.vars.iter();
        out.extend(vars.map(|(name, text)| (format!("`{name}` of {}", dotenv.path), text)));
    }
    let all_lets = !env.files.is_empty();
    let public_lets = env.workers.iter().any(|worker| worker.template.is_some());
    let lets = env.lets.iter().filter(|(_, text)| all_lets || (public_lets && !text.is_secret()));
    out.extend(lets.map(|(name, text)| (format!("let \"{name}\""), text)));
    out
}

/// All files, ordered by path; or everything that is wrong with any.
pub fn render_files(inputs: &FileInputs<'_>) -> Result<Vec<GeneratedFile>, Vec<FileError>> {
    let Made { files, errors, reads: _ } = make_files(inputs);
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

/// The files that were made, and the mistakes in the others.
pub(crate) struct Made {
    /// Those that could be made, ordered by path.
    pub(crate) files: Vec<GeneratedFile>,
    /// The mistakes in the others.
    pub(crate) errors: Vec<FileError>,
    /// What templates read, as the spec writes it.
    pub(crate) reads: BTreeSet<String>,
}

/// Makes all files that can be made.
pub(crate) fn make_files(inputs: &FileInputs<'_>) -> Made {
    let FileInputs { env, ids, resolve, names, templates, dev_remote, spec_folder } = *inputs;
    let known = Known { env, ids, names, resolve, spec_folder };
    let (marks, reads) = (foreign::marks(&known), RefCell::default());
    let maker = Maker { marks, known, templates, remote: dev_remote, reads };
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    let mut take = |made: Result<GeneratedFile, Vec<FileError>>| match made {
        Ok(file) => files.push(file),
        Err(wrong) => errors.extend(wrong),
    };
    for worker in &env.workers {
        take(maker.wrangler(worker));
        if !worker.secrets.is_empty() {
            let path = join(&worker.path, ".dev.vars");
            // wrangler reads it with dotenv, and expands nothing. Source: wrangler 4.164,
            // `tryLoadDotDevDotVars`.
            take(maker.variables(&path, Some(DotenvReader::Dotenv), worker.secrets.iter()));
        }
        if env.has_local_connection(worker) {
            take(maker.local_connections(worker));
        }
    }
    for Dotenv { path, vars, reader, span: _ } in &env.dotenvs {
        let vars = vars.iter().map(|(name, text)| (name, text));
        take(maker.variables(path, *reader, vars));
    }
    for file in &env.files {
        take(maker.templated(file));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    errors.sort();
    errors.dedup();
    Made { files, errors, reads: maker.reads.into_inner() }
}

struct Maker<'a> {
    known: Known<'a>,
    templates: &'a BTreeMap<String, String>,
    remote: bool,
    /// Texts that only this environment has.
    marks: BTreeSet<String>,
    /// What templates read.
    reads: RefCell<BTreeSet<String>>,
}

impl Maker<'_> {
    fn wrangler(&self, worker: &Worker) -> Result<GeneratedFile, Vec<FileError>> {
        let path = wrangler_path(worker);
        let config = Config::of(worker, &self.known, self.remote).map_err(|problems| {
            problems.into_iter().map(|problem| wrangler_error(&path, problem)).collect::<Vec<_>>()
        })?;
        let content = match &worker.template {
            None => config.to_text().map_err(|problem| vec![wrangler_error(&path, problem)])?,
            Some(template) => {
                let text =
                    self.wrangler_template(template, &config).map_err(|error| vec![error])?;
                if worker.crons.is_empty() { with_crons(&text) } else { text }
            }
        };
        // Whoever wrote them, its paths are relative to the Worker's folder.
        let content = match self.known.spec_folder {
            "" => content,
            _ => rebased(&content, &|to| self.known.path_from(&worker.path, to)),
        };
        let specific = self.is_specific(&content);
        let expanded = Vec::new();
        Ok(GeneratedFile { path, mode: PUBLIC, content, private: false, specific, expanded })
    }

    fn wrangler_template(&self, path: &str, config: &Config<'_>) -> Result<String, FileError> {
        let text = self.render(path, Some(config), true)?.text;
        let json = jsonc::parse(&text).map_err(|error| {
            FileError::new(
                codes::NOT_JSON,
                path,
                format!(
                    "it makes no JSON: {} of the result: {}",
                    format_args!("line {}", error.line),
                    error.reason
                ),
                "write texts as \"{{ value }}\", and lists and groups as {{ value | json }}",
            )
        })?;
        if !json.is_object() {
            let message = "it makes JSON that is no object".to_owned();
            return Err(FileError::new(codes::NOT_JSON, path, message, "begin it with {"));
        }
        let mut known = self.own_texts(config);
        foreign::account_ids(&json, &mut known);
        match foreign::foreign_id(&text, &known) {
            None => marked(path, config, &json).map(|()| text),
            Some((line, id)) => Err(FileError::new(
                codes::FOREIGN_ID,
                path,
                format!(
                    "line {line} of the result holds `{id}`: no ID of another environment may appear"
                ),
                "refer to the resource instead, such as {{ d1.NAME.id }}; a text that is no \
                 resource's ID belongs into a `var` or a `let` of the spec",
            )),
        }
    }

    fn templated(&self, file: &FileSpec) -> Result<GeneratedFile, Vec<FileError>> {
        let FileSpec { path, template, mode, span: _ } = file;
        let is_run = mode & 0o111 != 0;
        let done = self.render(template, None, is_run).map_err(|error| vec![error])?;
        let mode = if done.secret { mode & 0o7700 } else { *mode };
        let specific = done.secret || self.is_specific(&done.text);
        let (path, expanded) = (path.clone(), Vec::new());
        let (content, private) = (done.text, done.secret);
        Ok(GeneratedFile { path, mode, content, private, specific, expanded })
    }

    /// `plain`: with the line ends of Unix, whatever the template's are.
    fn render(
        &self,
        path: &str,
        worker: Option<&Config<'_>>,
        plain: bool,
    ) -> Result<template::Rendered, FileError> {
        let Some(source) = self.templates.get(path) else {
            let message = "the template was not found".to_owned();
            let help = "create it, or correct its path; it is relative to environment.kdl";
            return Err(FileError::new(codes::TEMPLATE_MISSING, path, message, help));
        };
        let render = |text: &str| template::render(text, context(&self.known, worker));
        let text = if plain { plain_text(source) } else { Cow::Borrowed(source.as_str()) };
        let mut done = render(&text).map_err(|error| {
            // Places are told of the text as it stands there.
            let as_it_stands = (*text != **source).then(|| render(source).err()).flatten();
            FileError::template(path, as_it_stands.unwrap_or(error))
        })?;
        self.reads.borrow_mut().append(&mut done.reads);
        Ok(done)
    }

    fn is_specific(&self, text: &str) -> bool {
        self.marks.iter().any(|mark| foreign::holds_word(text, mark))
    }

    /// The texts of this environment in which an ID may stand.
    fn own_texts(&self, config: &Config<'_>) -> BTreeSet<String> {
        let lets = self.known.env.lets.values().filter(|text| !text.is_secret());
        let lets = lets.filter_map(|text| self.known.text(text).ok());
        let vars = config.vars.values().cloned();
        self.marks.iter().cloned().chain(lets).chain(vars).collect()
    }
}

fn wrangler_error(path: &str, problem: Problem) -> FileError {
    match problem {
        Problem::Unknown(unknown) => FileError::unresolved(path, unknown),
        Problem::Secret(name) => FileError::new(
            codes::SECRET_IN_PUBLIC_FILE,
            path,
            format!("the variable `{name}` is a secret, and this file is not private"),
            format!("write secret \"{name}\" instead of var \"{name}\""),
        ),
        Problem::Unwritable(reason) => FileError::new(
            codes::NOT_JSON,
            path,
            format!("BUG: it cannot be written as JSON: {reason}"),
            "please report it with the spec",
        ),
    }
}

/// Checks that a configuration that a template made carries the marker.
fn marked(path: &str, config: &Config<'_>, json: &Json) -> Result<(), FileError> {
    let variable = json.get("vars").and_then(|vars| vars.get(MARKER_VARIABLE));
    if config.marker.is_none() || variable.and_then(Json::as_str) == config.marker {
        return Ok(());
    }
    let message =
        format!("it leaves out the variable `{MARKER_VARIABLE}`, by which envc knows the Worker");
    let help = "write \"vars\": {{ worker.vars | json }}, or \"ENVC\": {{ worker.vars.ENVC | json }} \
                among its own variables; `marker #false` in the worker leaves it out on purpose";
    Err(FileError::new(codes::TEMPLATE_UNMARKED, path, message, help))
}

/// A text without carriage returns at the ends of its lines and without a byte order mark: with one of
/// them no system finds the program in a script's first line.
fn plain_text(text: &str) -> Cow<'_, str> {
    if !text.contains('\r') && !text.starts_with('\u{feff}') {
        return Cow::Borrowed(text);
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text.split('\n').map(|line| line.trim_end_matches('\r')).collect();
    Cow::Owned(lines.join("\n"))
}

/// Where the configuration of a Worker goes.
pub fn wrangler_path(worker: &Worker) -> String {
    join(&worker.path, "wrangler.jsonc")
}

fn join(folder: &str, name: &str) -> String {
    match folder.trim_end_matches('/') {
        "" | "." => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

#[cfg(test)]
mod tests;
