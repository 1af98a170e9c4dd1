//! The generated files of a spec as they would be, before anything exists: each type's files are
//! made with sample values by what apply makes them with, so that a mistake in a template is found
//! without an account. Pure.
//!
//! Way in: [`inspect`], then [`inspect_scripts`].

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Diagnostic, Diagnostics, Elsewhere, Input, Mode, Part, plural};
use envc_spec::{
    Environment, FileSpec, Spec,
    lint::{Facts, Words},
};
use serde_json::Value as Json;

use crate::{
    codes,
    files::{FileError, FileInputs, Made, TemplatePlace, make_files, wrangler_path},
    jsonc,
};

/// A template: its text, or why it cannot be read.
pub type Template = Result<String, String>;

/// Makes the files of sample environments, a few for each type, and says what is wrong with the
/// templates. What they use is added to the facts that warnings are made from.
///
/// `templates` holds what is there, by path; one that is not in it is missing.
pub fn inspect(
    spec: &Spec,
    samples: &[&Environment],
    templates: &BTreeMap<String, Template>,
    facts: &mut Facts,
) -> Diagnostics {
    let readable: BTreeMap<String, String> = templates
        .iter()
        .filter_map(|(path, template)| Some((path.clone(), template.as_ref().ok()?.clone())))
        .collect();
    let mut wrong: BTreeMap<FileError, Vec<&Environment>> = BTreeMap::new();
    let mut broken: BTreeSet<&str> = BTreeSet::new();
    let mut expanded: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let resolve = |part: &Part| match part {
        Part::Lit(text) => Some(text.clone()),
        Part::Out(_) | Part::In(_) => Some("sample".to_owned()),
    };
    for &env in samples {
        let made = sample_files(env, &readable, &resolve);
        facts.reads.extend(made.reads);
        for file in made.files.iter().filter(|file| !file.expanded.is_empty()) {
            let names = expanded.entry(file.path.clone()).or_default();
            names.extend(file.expanded.iter().cloned());
        }
        for error in made.errors {
            wrong.entry(error).or_default().push(env);
        }
        for worker in env.workers.iter().filter(|worker| worker.template.is_some()) {
            let path = wrangler_path(worker);
            let file = made.files.iter().find(|file| file.path == path);
            match file.and_then(|file| jsonc::parse(&file.content).ok()) {
                Some(json) => {
                    let words = facts.configurations.entry(worker.name.clone()).or_default();
                    words_of(&json, &mut Vec::new(), words);
                }
                None => {
                    broken.insert(&worker.name);
                }
            }
        }
    }
    // A configuration that one type lacks may be the one that uses everything.
    facts.configurations.retain(|worker, _| !broken.contains(worker.as_str()));
    facts.templates = readable;
    facts.expanded = Some(expanded);
    let mut found = Diagnostics::new();
    for (error, environments) in wrong {
        found.push(diagnostic(spec, templates, &error, &environments));
    }
    found
}

/// A branch's name that is no one word of a shell, for an environment whose scripts are looked at.
pub const ODD_BRANCH: &str = "envc'branch";
/// Values from outside that are none either.
const ODD_VARIABLE: &str = "envc'variable";
const ODD_ATTRIBUTE: &str = "envc'attribute";
/// Shells, as the first line of a script names them.
const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "ksh", "fish", "ash"];

/// Looks at the scripts of a sample environment on the branch [`ODD_BRANCH`]: what of outside stands in
/// them as it came, which one word of a shell would not be, is added to the facts.
pub fn inspect_scripts(env: &Environment, facts: &mut Facts) {
    let resolve = |part: &Part| match part {
        Part::Lit(text) => Some(text.clone()),
        Part::In(Input::Env(_)) => Some(ODD_VARIABLE.to_owned()),
        Part::In(Input::Lease { .. }) => Some(ODD_ATTRIBUTE.to_owned()),
        Part::In(Input::Secret(_)) | Part::Out(_) => Some("sample".to_owned()),
    };
    let made = sample_files(env, &facts.templates, &resolve);
    let scripts = facts.scripts.get_or_insert_default();
    for file in env.files.iter().filter(|file| is_run(file)) {
        let text = made.files.iter().find(|made| made.path == file.path);
        let Some(text) = text.map(|made| &made.content).filter(|text| is_for_a_shell(text)) else {
            continue;
        };
        let what = scripts.entry(file.path.clone()).or_default();
        for (odd, it_is) in [
            (ODD_BRANCH, "the branch's name"),
            (ODD_VARIABLE, "a variable's value"),
            (ODD_ATTRIBUTE, "an attribute of a preview ID"),
        ] {
            what.extend(text.to_ascii_lowercase().contains(odd).then_some(it_is));
        }
    }
}

/// True for a file that may be run.
pub fn is_run(file: &FileSpec) -> bool {
    file.mode & 0o111 != 0
}

/// True for a text that a shell runs: its first line names one, or no program at all.
fn is_for_a_shell(text: &str) -> bool {
    let Some(line) = text.strip_prefix("#!").and_then(|text| text.lines().next()) else {
        return true;
    };
    line.split(['/', ' ', '\t']).any(|word| SHELLS.contains(&word))
}

/// The files with values that nobody takes for real ones.
fn sample_files(
    env: &Environment,
    templates: &BTreeMap<String, String>,
    resolve: &dyn Fn(&Part) -> Option<String>,
) -> Made {
    let mut ids: BTreeMap<Address, String> = BTreeMap::new();
    let mut names = BTreeMap::new();
    for (address, desired) in &env.resources {
        if let Mode::ExistingId(id) = &desired.mode {
            ids.insert(address.clone(), id.clone());
            names.insert(address.clone(), format!("sample-name-of-{address}"));
        } else {
            ids.insert(address.clone(), format!("sample-id-of-{address}"));
        }
    }
    make_files(&FileInputs {
        env,
        ids: &ids,
        resolve,
        names: &names,
        templates,
        dev_remote: env.dev_remote,
        spec_folder: "",
    })
}

/// All names, texts and numbers of a configuration.
fn words_of<'j>(json: &'j Json, keys: &mut Vec<&'j str>, words: &mut Words) {
    let path = |keys: &[&str]| match keys {
        ["env", _, own @ ..] | own => own.join("."),
    };
    match json {
        Json::Object(map) => {
            for (name, value) in map {
                words.add(&path(keys.as_slice()), name.as_str());
                keys.push(name);
                words_of(value, keys, words);
                keys.pop();
            }
        }
        Json::Array(items) => items.iter().for_each(|item| words_of(item, keys, words)),
        Json::String(text) => words.add(&path(keys.as_slice()), text.as_str()),
        Json::Number(number) => words.add(&path(keys.as_slice()), number.to_string()),
        Json::Null | Json::Bool(_) => {}
    }
}

/// A mistake of a file as one of the spec that asks for it.
fn diagnostic(
    spec: &Spec,
    templates: &BTreeMap<String, Template>,
    error: &FileError,
    environments: &[&Environment],
) -> Diagnostic {
    let FileError { path, place, message, help, code } = error;
    let places = spec.places_of(path);
    let (first, others) = places.split_first().map_or((None, &[][..]), |(a, b)| (Some(*a), b));
    let missing = *code == codes::TEMPLATE_MISSING;
    let (message, help) = match templates.get(path) {
        Some(Err(reason)) => (
            format!("the template `{path}` cannot be read: {reason}"),
            "templates are UTF-8 text inside the project".to_owned(),
        ),
        None if missing => (format!("there is no template `{path}`"), help.clone()),
        Some(Ok(_)) if place.is_none() => {
            (format!("the template `{path}`: {message}"), help.clone())
        }
        Some(Ok(_)) => (message.clone(), help.clone()),
        None => (format!("the file `{path}`: {message}"), help.clone()),
    };
    let message = format!("{message}{}", only_in(spec, environments));
    let mut found = Diagnostic::error(code, first.unwrap_or_default(), message).help(help);
    found = found.at(if missing { "not found" } else { "rendered here" });
    for other in others {
        found = found.label(*other, "and here");
    }
    if let (Some(TemplatePlace { span, secret, .. }), Some(Ok(text))) =
        (place.as_deref(), templates.get(path))
    {
        found = found.elsewhere(Elsewhere {
            file: path.clone(),
            text: text.clone(),
            span: *span,
            label: if secret.is_some() { "a secret ends here" } else { "here" }.to_owned(),
        });
        let of_secret = secret.as_deref().zip(environments.first());
        let way = of_secret.map(|(secret, env)| spec.way_of_secret(env, secret));
        for hop in way.into_iter().flatten() {
            found = found.label(hop.span, hop.text);
        }
    }
    found
}

/// " (in environment `x`)", where it is not so in all types.
fn only_in(spec: &Spec, environments: &[&Environment]) -> String {
    let names: BTreeSet<&str> = environments.iter().map(|env| env.type_name.as_str()).collect();
    if names.len() == spec.types().len() {
        return String::new();
    }
    let word = plural(names.len(), "environment");
    let list: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    format!(" (in {word} {})", list.join(", "))
}
