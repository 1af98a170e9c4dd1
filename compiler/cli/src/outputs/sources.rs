//! What the generated files of a session are made from: templates are read, secrets looked up, and
//! the content is rendered.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Input, Inputs, Output, Part, Secret, limits::FILE_BYTES_MAX};
use envc_exec::{Account, Client, fetch_token};
use envc_plan::{FileInputs, needed_parts, render_files, template_paths};

use crate::{
    host::{error::CommandError, fsio},
    outputs::{files::RenderedFile, out_dir::OutDir},
    remote::pools::LeaseFacts,
    workspace::session::Session,
};

/// What the files are made from, read before anything is changed.
pub(crate) struct Sources {
    templates: BTreeMap<String, String>,
    inputs: Inputs,
    tokens_needed: BTreeSet<Address>,
    lease_secrets: bool,
    /// The spec's folder as seen from the one that the files go to.
    spec_folder: String,
    /// Some of the values from outside are not known, and something stands for them.
    incomplete: bool,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("templates", &self.templates.keys()).finish_non_exhaustive()
    }
}

/// What is known of the resources when files are rendered.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    /// API identifiers.
    pub(crate) ids: BTreeMap<Address, String>,
    /// Physical names as observed.
    pub(crate) names: BTreeMap<Address, String>,
    /// Tunnel tokens.
    pub(crate) tokens: BTreeMap<Address, Secret>,
    /// Preview IDs, by the lease's name.
    pub(crate) leases: BTreeMap<String, LeaseFacts>,
}

impl Sources {
    /// Reads templates, for files that go to the spec's folder or to another one. `incomplete`: some
    /// of what comes from outside is not known.
    pub(crate) fn read(
        session: &Session<'_>,
        inputs: Inputs,
        incomplete: bool,
        out_dir: Option<&OutDir>,
    ) -> Result<Self, CommandError> {
        let environment = &session.environment;
        let mut templates = BTreeMap::new();
        let reading = session.reading();
        for path in template_paths(environment) {
            if let Some(text) = reading.text(&path, FILE_BYTES_MAX)? {
                templates.insert(path, text);
            }
        }
        let mut tokens_needed = BTreeSet::new();
        let mut lease_secrets = false;
        for part in needed_parts(environment) {
            match part {
                Part::Out(reference) if reference.output == Output::Token => {
                    tokens_needed.insert(reference.address);
                }
                Part::In(Input::Lease { secret: true, .. }) => lease_secrets = true,
                Part::In(_) | Part::Out(_) | Part::Lit(_) => {}
            }
        }
        let way = out_dir.map(|out_dir| fsio::way(out_dir.path(), session.workspace.root()));
        let spec_folder = way.unwrap_or_default();
        Ok(Self { templates, inputs, tokens_needed, lease_secrets, spec_folder, incomplete })
    }

    /// Renders all files.
    pub(crate) fn render(
        &self,
        session: &Session<'_>,
        resources: &Resources,
    ) -> Result<Vec<RenderedFile>, CommandError> {
        let resolve = |part: &Part| match part {
            Part::Lit(text) => Some(text.clone()),
            // Into the files: `render_files` keeps secrets in private ones.
            Part::In(Input::Secret(name)) => {
                let known = self.inputs.secret(name).map(|secret| secret.expose().to_owned());
                known.or_else(|| self.stand_in_for(name))
            }
            Part::In(Input::Env(name)) => {
                self.inputs.variable(name).map(str::to_owned).or_else(|| self.stand_in_for(name))
            }
            Part::In(Input::Lease { lease, attribute, .. }) => {
                resources.leases.get(lease).and_then(|facts| facts.value(attribute))
            }
            Part::Out(reference) => match reference.output {
                Output::Id => resources.ids.get(&reference.address).cloned(),
                Output::Name => resources.names.get(&reference.address).cloned(),
                Output::Token => {
                    resources.tokens.get(&reference.address).map(|token| token.expose().to_owned())
                }
            },
        };
        let files = render_files(&FileInputs {
            env: &session.environment,
            ids: &resources.ids,
            resolve: &resolve,
            names: &resources.names,
            templates: &self.templates,
            dev_remote: session.environment.dev_remote,
            spec_folder: &self.spec_folder,
        })
        .map_err(|errors| wrong(&errors))?;
        Ok(files.into_iter().map(|file| made(session, file)).collect())
    }

    fn stand_in_for(&self, name: &str) -> Option<String> {
        self.incomplete.then(|| format!("not-known-here-{name}"))
    }

    /// True where something stands for values from outside: what is rendered is not what will be
    /// written, and only tells which files there will be.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    /// Fetches the tokens that files need and no create returned. A file whose fingerprint is the
    /// recorded one needs none.
    pub(crate) async fn fetch_tokens(
        &self,
        client: &Client<'_>,
        scope: &Account,
        resources: &mut Resources,
    ) -> Result<(), CommandError> {
        for address in &self.tokens_needed {
            if resources.tokens.contains_key(address) {
                continue;
            }
            let Some(id) = resources.ids.get(address) else { continue };
            let token = fetch_token(client, scope, address, id).await.map_err(|error| {
                CommandError::failed(format!("the token of {address} cannot be read"))
                    .because(&error)
            })?;
            if let Some(token) = token {
                resources.tokens.insert(address.clone(), token);
            }
        }
        Ok(())
    }

    /// Stands for tokens in fingerprints: the token of a tunnel changes with the tunnel alone, so
    /// its identifier tells as much, and saves a request.
    pub(crate) fn with_stand_ins(&self, resources: &Resources) -> Resources {
        let stand_in = |address: &Address| {
            let id = resources.ids.get(address).cloned().unwrap_or_default();
            (address.clone(), Secret::new(format!("token-of-{id}")))
        };
        Resources {
            ids: resources.ids.clone(),
            names: resources.names.clone(),
            tokens: self.tokens_needed.iter().map(stand_in).collect(),
            leases: resources.leases.iter().map(LeaseFacts::stand_in).collect(),
        }
    }

    /// True when any file holds what stand-ins stand for: a tunnel's token, a preview ID's secret.
    pub(crate) fn needs_secrets_of_the_cloud(&self) -> bool {
        !self.tokens_needed.is_empty() || self.lease_secrets
    }
}

fn made(session: &Session<'_>, file: envc_plan::GeneratedFile) -> RenderedFile {
    RenderedFile {
        fingerprint: session.workspace.digest.of(&file.content),
        path: file.path,
        bytes: file.content.into_bytes(),
        mode: file.mode,
        private: file.private,
        specific: file.specific,
        expanded: file.expanded,
    }
}

fn wrong(errors: &[envc_plan::FileError]) -> CommandError {
    let mut error = CommandError::failed(match errors {
        [one] => format!("{} cannot be made", one.path),
        many => format!("{} generated files have mistakes", many.len()),
    });
    for one in errors {
        error = error.because_text(one.to_string());
    }
    let hints: BTreeSet<&str> = errors.iter().map(|one| one.help.as_str()).collect();
    for hint in hints {
        error = error.hint(hint);
    }
    match errors.first() {
        Some(first) => error.code(first.code),
        None => error,
    }
}
