//! Values from outside, for all kinds of resources and all files: looked up once, before anything is
//! planned. From here on a variable is a literal and a secret is sealed.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Input, Inputs, Vault};
use envc_plan::{Unusable, needed_inputs, settle};

use crate::{
    host::{error::CommandError, http::HttpTransport},
    secrets::{self, Lookup},
    workspace::session::Session,
};

/// What was not found.
#[derive(Debug, Default)]
pub(crate) struct Missing {
    /// In words: what it is, where it is used, where it was looked for.
    lines: Vec<String>,
    names: Vec<String>,
    secrets: bool,
    hints: Vec<String>,
    /// What the first of the variables is, as a clause after "is".
    is: Option<&'static str>,
}

/// Looks up all that the environment needs.
pub(crate) async fn look_up(session: &Session<'_>) -> Result<(Inputs, Missing), CommandError> {
    let environment = &session.environment;
    let needed = needed_inputs(environment);
    let names: BTreeSet<String> = needed
        .keys()
        .filter_map(|input| match input {
            Input::Secret(name) => Some(name.clone()),
            Input::Env(_) | Input::Lease { .. } => None,
        })
        .collect();
    let transport = HttpTransport::default();
    let providers = session.secrets(&transport);
    let Lookup { found, missing: not_found, warnings } = providers.find(&names).await?;
    for warning in &warnings {
        session.ui.warn(warning);
    }
    let mut missing = Missing::default();
    let apply = session.apply_command(&[]);
    let mut variables = BTreeMap::new();
    for (input, uses) in &needed {
        let uses: Vec<&str> = uses.iter().map(String::as_str).collect();
        let uses = uses.join(", ");
        match input {
            Input::Secret(name) => {
                let Some(places) = not_found.get(name) else { continue };
                let places = match places.as_slice() {
                    [] => "the spec names no provider of secrets".to_owned(),
                    places => places.join("; "),
                };
                let line = format!("{name}, for {uses}: {places}");
                missing.add(name, line, true, || {
                    let way_out = providers.way_out(name, &apply);
                    let for_good = providers.for_good(name, &way_out);
                    std::iter::once(way_out).chain(for_good).collect()
                });
            }
            Input::Env(name) => {
                let is = match session.env.filled(name) {
                    Ok(value) => {
                        variables.insert(name.clone(), value.to_owned());
                        continue;
                    }
                    Err(is) => is,
                };
                missing.is.get_or_insert(is);
                let line = format!("{name}, for {uses}: the variable is {is}");
                missing.add(name, line, false, || vec![secrets::way_out(name, &apply)]);
            }
            Input::Lease { .. } => {}
        }
    }
    Ok((Inputs::new(variables, found, session.sealer()), missing))
}

/// Leaves open all that comes from outside, for commands that make and change no resource.
pub(crate) fn leave_open(session: &mut Session<'_>) {
    let nothing = Inputs::new(BTreeMap::new(), BTreeMap::new(), session.sealer());
    let _unfit = put_in(session, &nothing);
}

/// Puts the values into the desired graph; what was sealed is in the vault.
pub(crate) fn put_in(session: &mut Session<'_>, inputs: &Inputs) -> (Vault, Unfit) {
    let (vault, unusable) = settle(&mut session.environment.resources, inputs);
    (vault, Unfit(unusable))
}

/// The values that no apply can use.
#[derive(Debug, Default)]
pub(crate) struct Unfit(Vec<Unusable>);

impl Unfit {
    /// True when all can be used.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What each is, where it is used, and what is wrong with it; nothing of its text.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|Unusable { names, address, field, what, .. }| {
            let of = if names.is_empty() { "the text" } else { names };
            format!("{of}, for `{field}` of {address}: it {what}")
        })
    }

    fn message(&self) -> String {
        let secrets = self.0.iter().filter(|it| it.private).count();
        match (self.0.len(), secrets) {
            (1, 1) => "a secret cannot be used".to_owned(),
            (1, _) => "a value cannot be used".to_owned(),
            (all, secrets) if all == secrets => format!("{all} secrets cannot be used"),
            (all, _) => format!("{all} values cannot be used"),
        }
    }

    /// Refuses to go on with what cannot be used: one error for all of it.
    pub(crate) fn refuse(&self) -> Result<(), CommandError> {
        if self.is_empty() {
            return Ok(());
        }
        let secret = self.0.iter().any(|it| it.private);
        let code = if secret { "envc::cli::bad_secret" } else { "envc::cli::bad_value" };
        let error = CommandError::failed(self.message()).code(code);
        let error = self.lines().fold(error, CommandError::because_text);
        Err(error
            .hint("nothing was changed; correct it where it comes from, and run the command again"))
    }
}

/// Why an apply does not go on, if it does not: what is missing, and what cannot be used, in one.
pub(crate) fn refuse(missing: &Missing, unfit: &Unfit) -> Result<(), CommandError> {
    if missing.is_empty() {
        return unfit.refuse();
    }
    missing.refuse(unfit)
}

impl Missing {
    fn add(&mut self, name: &str, line: String, secret: bool, hints: impl Fn() -> Vec<String>) {
        if self.names.is_empty() || (secret && !self.secrets) {
            self.hints = hints();
        }
        self.secrets |= secret;
        self.names.push(name.to_owned());
        self.lines.push(line);
    }

    /// True when everything was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The names of what is missing.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// What is missing, in a line.
    fn message(&self) -> String {
        match (self.names.as_slice(), self.secrets) {
            ([name], true) => format!("the secret {name} is not found"),
            ([name], false) => {
                format!("the environment variable {name} is {}", self.is.unwrap_or("not set"))
            }
            (names, _) => {
                format!("{} values from outside are not found: {}", names.len(), names.join(", "))
            }
        }
    }

    /// Refuses to go on without what is missing: one error for all of it.
    fn refuse(&self, unfit: &Unfit) -> Result<(), CommandError> {
        let code =
            if self.secrets { "envc::cli::missing_secret" } else { "envc::cli::missing_variable" };
        let message = if unfit.is_empty() {
            self.message()
        } else {
            format!("{}, and {}", self.message(), unfit.message())
        };
        let error = CommandError::failed(message).code(code);
        let lines = self.lines.iter().cloned().chain(unfit.lines());
        let error = lines.fold(error, CommandError::because_text);
        Err(self.hints.iter().fold(error, CommandError::hint))
    }
}
