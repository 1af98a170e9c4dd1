//! What is known of an environment once it is applied: outputs of resources, values from outside.

use std::{cell::RefCell, collections::BTreeMap};

use envc_core::{Address, Input, Mode, Output, Part, Ref, Text, join_path, relative_path};
use envc_spec::Environment;

/// Finds the values of references.
pub(crate) struct Known<'a> {
    pub(crate) env: &'a Environment,
    pub(crate) ids: &'a BTreeMap<Address, String>,
    pub(crate) names: &'a BTreeMap<Address, String>,
    pub(crate) resolve: &'a dyn Fn(&Part) -> Option<String>,
    /// The spec's folder, as seen from the one that the files go to; empty where it is that.
    pub(crate) spec_folder: &'a str,
}

impl Known<'_> {
    /// A path as seen from a folder of the spec, as a file has to write it that goes to the place of that
    /// folder in another one.
    pub(crate) fn path_from(&self, folder: &str, path: &str) -> String {
        let path = without_climbs(&join_path(folder, path));
        let seen = match self.spec_folder {
            "" => relative_path(folder, &path),
            whole if whole.starts_with('/') || whole.contains(':') => format!("{whole}/{path}"),
            // From the file's folder up to the one that all files go to, and from there.
            way => {
                let up = join_path(folder, ".").split('/').filter(|it| !it.is_empty()).count();
                format!("{}{way}/{path}", "../".repeat(up))
            }
        };
        // The spec's folder itself has no path below it.
        if path.is_empty() { seen.trim_end_matches('/').to_owned() } else { seen }
    }

    /// The API's identifier of a resource.
    pub(crate) fn id(&self, address: &Address) -> Option<String> {
        if let Some(id) = self.ids.get(address) {
            return Some(id.clone());
        }
        match &self.env.resources.get(address)?.mode {
            Mode::ExistingId(id) => Some(id.clone()),
            Mode::Managed | Mode::ExistingName => None,
        }
    }

    /// The physical name of a resource: what it has in the account, or will have.
    pub(crate) fn name(&self, address: &Address) -> Option<String> {
        let desired = self.env.resources.get(address)?;
        let known = self.names.get(address);
        let name = match desired.mode {
            Mode::ExistingId(_) => known?,
            Mode::Managed | Mode::ExistingName => known.unwrap_or(&desired.name),
        };
        Some(name.clone()).filter(|name| !name.is_empty())
    }

    /// The value of one piece of a text.
    pub(crate) fn part(&self, part: &Part) -> Option<String> {
        match part {
            Part::Lit(text) => Some(text.clone()),
            Part::Out(Ref { address, output: Output::Id }) => self.id(address),
            Part::Out(Ref { address, output: Output::Name }) => self.name(address),
            Part::Out(Ref { output: Output::Token, .. }) | Part::In(_) => (self.resolve)(part),
        }
    }

    /// The text; or which piece of it is not known, as a clause.
    pub(crate) fn text(&self, text: &Text) -> Result<String, String> {
        let missing = RefCell::new(String::new());
        let found = text.resolve(|part| {
            let value = self.part(part);
            if value.is_none() {
                missing.replace(unknown(part));
            }
            value
        });
        found.ok_or_else(|| missing.into_inner())
    }
}

/// A path without `..`, as far as it can be.
fn without_climbs(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match (part, parts.last()) {
            ("..", Some(last)) if *last != ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// "the secret `X` is not known"
fn unknown(part: &Part) -> String {
    match part {
        Part::Lit(_) => "a text is not known".to_owned(),
        Part::Out(Ref { address, output }) => {
            let output = match output {
                Output::Id => "ID",
                Output::Name => "name",
                Output::Token => "token",
            };
            format!("the {output} of {address} is not known")
        }
        Part::In(Input::Secret(name)) => format!("the secret `{name}` is not known"),
        Part::In(Input::Env(name)) => format!("the environment variable `{name}` is not set"),
        Part::In(Input::Lease { lease, attribute, .. }) => {
            format!("`{attribute}` of the lease `{lease}` is not known")
        }
    }
}
