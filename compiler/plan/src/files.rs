//! The files of a working copy: wrangler configurations, `.dev.vars`, dotenv files, files from
//! templates. Pure: the caller reads the templates and writes what comes out.
//!
//! A secret stands only in a file without permissions for group and others, and never in a
//! `wrangler.jsonc`. All that is wrong with any file is told in one run.
//!
//! Way in: [`template_paths`] and [`needed_parts`] say what to read, [`render_files`] does it.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use envc_core::{Address, Input, Output, Part, Ref, Span, Text};
use envc_kinds::{MARKER_VARIABLE, Worker};
use envc_spec::{Dotenv, Environment, FileSpec};
use serde_json::Value as Json;

use crate::{
    codes,
    context::context,
    dotenv::dotenv_text,
    foreign, jsonc,
    known::Known,
    template::{self, TemplateError},
    wrangler::{Config, Problem},
};

/// Permissions of a file that may hold a secret.
const PRIVATE: u32 = 0o600;
/// The file of a Worker's folder that wrangler reads its own variables from.
const LOCAL_ENV: &str = ".env.local";
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
            take(maker.variables(&path, worker.secrets.iter()));
        }
        if env.has_local_connection(worker) {
            take(maker.local_connections(worker));
        }
    }
    for Dotenv { path, vars, span: _ } in &env.dotenvs {
        take(maker.variables(path, vars.iter().map(|(name, text)| (name, text))));
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
                self.wrangler_template(template, &config).map_err(|error| vec![error])?
            }
        };
        let specific = self.is_specific(&content);
        Ok(GeneratedFile { path, mode: PUBLIC, content, private: false, specific })
    }

    fn wrangler_template(&self, path: &str, config: &Config<'_>) -> Result<String, FileError> {
        let text = self.render(path, Some(config))?.text;
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
        let done = self.render(template, None).map_err(|error| vec![error])?;
        let mode = if done.secret { mode & 0o7700 } else { *mode };
        let specific = done.secret || self.is_specific(&done.text);
        let path = path.clone();
        Ok(GeneratedFile { path, mode, content: done.text, private: done.secret, specific })
    }

    fn render(
        &self,
        path: &str,
        worker: Option<&Config<'_>>,
    ) -> Result<template::Rendered, FileError> {
        let Some(source) = self.templates.get(path) else {
            let message = "the template was not found".to_owned();
            let help = "create it, or correct its path; it is relative to environment.kdl";
            return Err(FileError::new(codes::TEMPLATE_MISSING, path, message, help));
        };
        let mut done = template::render(source, context(&self.known, worker))
            .map_err(|error| FileError::template(path, error))?;
        self.reads.borrow_mut().append(&mut done.reads);
        Ok(done)
    }

    /// A file of variables: dotenv files and `.dev.vars` are of one format.
    fn variables<'t>(
        &self,
        path: &str,
        vars: impl Iterator<Item = (&'t String, &'t Text)>,
    ) -> Result<GeneratedFile, Vec<FileError>> {
        let (mut private, mut outside) = (false, false);
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for (name, text) in vars {
            private |= text.is_secret();
            outside |= text.as_literal().is_none();
            match self.known.text(text) {
                Ok(value) => values.push((name.clone(), value)),
                Err(unknown) => {
                    errors.push(FileError::unresolved(path, format!("`{name}`: {unknown}")));
                }
            }
        }
        let text = dotenv_text(&values).map_err(|problems| {
            let help = "use another value, such as its base64 form";
            let problems = problems.into_iter().map(|problem| problem.to_string());
            problems.map(|text| FileError::new(codes::UNQUOTABLE, path, text, help)).collect()
        });
        let content = match text {
            Ok(text) if errors.is_empty() => text,
            Ok(_) => return Err(errors),
            Err(problems) => {
                let problems: Vec<FileError> = problems;
                errors.extend(problems);
                return Err(errors);
            }
        };
        let specific = outside || self.is_specific(&content);
        Ok(GeneratedFile { path: path.to_owned(), mode: PRIVATE, content, private, specific })
    }

    /// What `wrangler dev` connects to. It reads these variables from its own environment and from
    /// `.env.local` in the folder where it runs, and not from `.dev.vars`. Source: wrangler 4.164,
    /// `applyHyperdriveEnvVars` and the loading of `.env` files in its main program.
    fn local_connections(&self, worker: &Worker) -> Result<GeneratedFile, Vec<FileError>> {
        const PREFIX: &str = "CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_";
        let path = join(&worker.path, LOCAL_ENV);
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for binding in &worker.bindings {
            let Some(text) = self.known.env.local_connections.get(&binding.target) else {
                continue;
            };
            let name = format!("{PREFIX}{}", binding.name);
            match self.known.text(text) {
                // wrangler expands `$NAME` in whatever quotes; in a connection string this is the same.
                Ok(value) => values.push((name, value.replace('$', "%24"))),
                Err(unknown) => {
                    errors.push(FileError::unresolved(&path, format!("`{name}`: {unknown}")));
                }
            }
        }
        let content = dotenv_text(&values).map_err(|problems| {
            let help = "write the character as % and its code, such as %27";
            let texts = problems.into_iter().map(|problem| problem.to_string());
            errors.extend(texts.map(|text| FileError::new(codes::UNQUOTABLE, &path, text, help)));
        });
        match content {
            Ok(content) if errors.is_empty() => {
                Ok(GeneratedFile { path, mode: PRIVATE, content, private: true, specific: true })
            }
            _ => Err(errors),
        }
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
