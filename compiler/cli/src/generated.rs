//! The generated files of a session: templates read, secrets looked up, content rendered, and
//! what has to be done to each file in the working copy.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use envc_core::{Address, Digest, Input, Output, Part, Secret, Text};
use envc_exec::{Client, Scope, fetch_token};
use envc_plan::{FileInputs, needed_parts, render_files, template_paths};
use serde_json::json;

use crate::{
    error::CommandError,
    files::{self, Decision, Files, GeneratedFile},
    fsio,
    pools::LeaseFacts,
    secrets::Secrets,
    session::Session,
};

/// Bytes of a template.
pub(crate) const TEMPLATE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What the files are made from, read before anything is changed.
pub(crate) struct Sources {
    templates: BTreeMap<String, String>,
    secrets: BTreeMap<String, Secret>,
    tokens_needed: BTreeSet<Address>,
    lease_secrets: bool,
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

/// Where files go, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writing {
    /// Another folder than the spec's.
    pub(crate) out_dir: Option<PathBuf>,
    /// Overwrite what a person edited.
    pub(crate) force: bool,
}

/// What became of the files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Made or changed.
    pub(crate) written: Vec<String>,
    /// As they should be already.
    pub(crate) unchanged: Vec<String>,
}

impl Sources {
    /// Reads templates and secrets. All that is missing is told before anything is changed.
    pub(crate) fn read(session: &Session<'_>) -> Result<Self, CommandError> {
        let environment = &session.environment;
        let mut templates = BTreeMap::new();
        for path in template_paths(environment) {
            // Templates cannot read outside of the project: `inside` refuses.
            let file = fsio::inside(&session.root, &path)?;
            if let Some(text) = fsio::read_text(&file, TEMPLATE_BYTES_MAX)? {
                templates.insert(path, text);
            }
        }
        let mut names = BTreeSet::new();
        let mut tokens_needed = BTreeSet::new();
        let mut lease_secrets = false;
        for part in needed_parts(environment) {
            match part {
                Part::In(Input::Secret(name)) => {
                    names.insert(name);
                }
                Part::Out(reference) if reference.output == Output::Token => {
                    tokens_needed.insert(reference.address);
                }
                Part::In(Input::Lease { secret: true, .. }) => lease_secrets = true,
                Part::In(Input::Env(_) | Input::Lease { .. }) | Part::Out(_) | Part::Lit(_) => {}
            }
        }
        let secrets =
            Secrets::new(&environment.secrets, &session.root, session.env).resolve(&names)?;
        Ok(Self { templates, secrets, tokens_needed, lease_secrets })
    }

    /// The value of a text that is made of secrets and variables; `None` when a piece is not known.
    pub(crate) fn private_text(&self, session: &Session<'_>, text: &Text) -> Option<Secret> {
        let value = text.resolve(|part| match part {
            Part::Lit(text) => Some(text.clone()),
            // Into an upload's body, and nowhere else.
            Part::In(Input::Secret(name)) => {
                self.secrets.get(name).map(|secret| secret.expose().to_owned())
            }
            Part::In(Input::Env(name)) => session.env.var(name).map(str::to_owned),
            Part::In(Input::Lease { .. }) | Part::Out(_) => None,
        });
        value.map(Secret::new)
    }

    /// Renders all files.
    pub(crate) fn render(
        &self,
        session: &Session<'_>,
        resources: &Resources,
    ) -> Result<Vec<GeneratedFile>, CommandError> {
        let resolve = |part: &Part| match part {
            Part::Lit(text) => Some(text.clone()),
            // Into the files: `render_files` keeps secrets in private ones.
            Part::In(Input::Secret(name)) => {
                self.secrets.get(name).map(|secret| secret.expose().to_owned())
            }
            Part::In(Input::Env(name)) => session.env.var(name).map(str::to_owned),
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
        })
        .map_err(|errors| wrong(&errors))?;
        Ok(files.into_iter().map(|file| made(session, file)).collect())
    }

    /// Fetches the tokens that files need and no create returned. A file whose fingerprint is the
    /// recorded one needs none.
    pub(crate) async fn fetch_tokens(
        &self,
        client: &Client<'_>,
        scope: &Scope,
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

fn made(session: &Session<'_>, file: envc_plan::GeneratedFile) -> GeneratedFile {
    GeneratedFile {
        fingerprint: session.digest.of(&file.content),
        path: file.path,
        bytes: file.content.into_bytes(),
        mode: file.mode,
        private: file.private,
        specific: file.specific,
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

/// Looks at the files that will be written, before anything is changed: git must not get them,
/// and nothing that a person wrote may stand in their place.
pub(crate) fn precheck(
    session: &Session<'_>,
    files: &[GeneratedFile],
    final_content: bool,
    writing: &Writing,
) -> Result<(), CommandError> {
    if writing.out_dir.is_some() {
        return Ok(());
    }
    let conflicts = files::git_conflicts(&session.root, &session.git, session.env, files)?;
    if !conflicts.is_empty() {
        return Err(files::not_for_git(&conflicts));
    }
    if writing.force {
        return Ok(());
    }
    let handler = Files { root: &session.root, digest: &session.digest };
    let mut edited = Vec::new();
    for file in files {
        let record = session.record().files.get(&file.path).cloned();
        if let Decision::Edited { ours, diff } = handler.decide(file, record.as_ref())? {
            // With stand-ins for what is not known yet a diff would tell nonsense.
            edited.push((file, ours, diff.filter(|_| final_content)));
        }
    }
    if edited.is_empty() { Ok(()) } else { Err(files::edited(&edited)) }
}

/// True when every file is on disk as recorded, and recorded with the fingerprint that rendering
/// with stand-ins gives: nothing has to be fetched or written.
pub(crate) fn up_to_date(session: &Session<'_>, stand_ins: &[GeneratedFile]) -> bool {
    let records = &session.record().files;
    stand_ins.iter().all(|file| {
        let Some(record) = records.get(&file.path) else { return false };
        let on_disk = fsio::inside(&session.root, &file.path)
            .ok()
            .and_then(|path| fsio::read(&path, TEMPLATE_BYTES_MAX).ok().flatten());
        let same = on_disk.is_some_and(|bytes| session.digest.of(bytes) == record.digest);
        same && record.env == session.id && record.fingerprint == file.fingerprint
    })
}

/// Invariant: what will be written is recorded before any of it is. Killed in between, the next
/// command knows each file for its own: apply goes on, and destroy leaves no secret behind.
fn announce(
    session: &Session<'_>,
    handler: &Files<'_>,
    decided: &[(&GeneratedFile, Decision)],
) -> Result<(), CommandError> {
    handler.sweep(decided.iter().map(|(file, _)| file.path.as_str()))?;
    let known = session.record().files.clone();
    let records: BTreeMap<_, _> = decided
        .iter()
        .filter(|(_, decision)| *decision != Decision::Unchanged)
        .map(|(file, _)| {
            let old = known.get(&file.path).cloned();
            (file.path.clone(), Some(handler.announce(file, &session.id, old)))
        })
        .collect();
    if records.is_empty() {
        return Ok(());
    }
    session.change_record(|copy| copy.note_files(records, session.clock.unix_s()))
}

/// Writes the files, last of all and each atomically; unchanged ones are not touched.
pub(crate) fn write(
    session: &Session<'_>,
    files: &[GeneratedFile],
    fingerprints: &BTreeMap<String, Digest>,
    writing: &Writing,
) -> Result<Written, CommandError> {
    let root = match &writing.out_dir {
        Some(dir) => {
            fsio::create_dirs(dir)?;
            fsio::canonical(dir)?
        }
        None => session.root.clone(),
    };
    let handler = Files { root: &root, digest: &session.digest };
    let known = session.record().files.clone();
    let record_of =
        |file: &GeneratedFile| known.get(&file.path).filter(|_| writing.out_dir.is_none());
    let mut decided = Vec::new();
    for file in files {
        match handler.decide(file, record_of(file))? {
            Decision::Edited { ours, diff } if !writing.force => {
                return Err(files::edited(&[(file, ours, diff)]));
            }
            decision => decided.push((file, decision)),
        }
    }
    if writing.out_dir.is_none() {
        announce(session, &handler, &decided)?;
    }
    let mut written = Written::default();
    let mut records = BTreeMap::new();
    for (file, decision) in decided {
        let wrote = decision != Decision::Unchanged;
        let mut noted = match decision {
            Decision::Unchanged => {
                written.unchanged.push(file.path.clone());
                handler.record(file, &session.id)
            }
            Decision::Create | Decision::Update | Decision::Edited { .. } => {
                let noted = handler.write(file, &session.id)?;
                written.written.push(file.path.clone());
                session
                    .ui
                    .event("file_written", json!({ "path": file.path, "private": file.private }));
                noted
            }
        };
        if let Some(fingerprint) = fingerprints.get(&file.path) {
            noted.fingerprint = fingerprint.clone();
        }
        // What was announced is replaced; what was not written may be recorded as it is already.
        if wrote || record_of(file) != Some(&noted) {
            records.insert(file.path.clone(), Some(noted));
        }
    }
    if writing.out_dir.is_none() {
        // Files that the spec does not ask for any more.
        let wanted: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        let known = session.record().files.clone();
        let own = known.iter().filter(|(_, record)| record.env == session.id);
        for (path, record) in own.filter(|(path, _)| !wanted.contains(path.as_str())) {
            if handler.remove(path, record)? == files::Removal::Kept {
                session
                    .ui
                    .warn(&format!("{path} is not generated any more; it was edited, so it stays"));
            }
            records.insert(path.clone(), None);
        }
        if !records.is_empty() {
            session.change_record(|copy| copy.note_files(records, session.clock.unix_s()))?;
        }
    }
    Ok(written)
}
