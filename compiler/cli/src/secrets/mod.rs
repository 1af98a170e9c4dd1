//! Looks secrets up through the providers of the spec, in their order.

mod dotenv;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use envc_core::Secret;
use envc_spec::SecretProvider;

use crate::host::{env::ProcessEnv, error::CommandError, fsio};

/// Bytes of a dotenv file.
const DOTENV_BYTES_MAX: usize = 1024 * 1024;

/// Secrets that were found; and of those that were not, where they were looked for.
pub(crate) type Found = (BTreeMap<String, Secret>, BTreeMap<String, Vec<String>>);

/// The providers of a spec. A file is read when a lookup reaches it, and once.
#[derive(Debug)]
pub(crate) struct Secrets<'a> {
    providers: &'a [SecretProvider],
    root: PathBuf,
    env: &'a ProcessEnv,
    files: BTreeMap<String, Option<BTreeMap<String, Secret>>>,
}

impl<'a> Secrets<'a> {
    /// `root` is the spec's folder.
    pub(crate) fn new(providers: &'a [SecretProvider], root: &Path, env: &'a ProcessEnv) -> Self {
        Self { providers, root: root.to_owned(), env, files: BTreeMap::new() }
    }

    /// Looks all of these up; one error names all that are missing.
    pub(crate) fn resolve(
        &mut self,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Secret>, CommandError> {
        let (found, missing) = self.find(names)?;
        if missing.is_empty() { Ok(found) } else { Err(self.missing(&missing)) }
    }

    /// Looks all of these up. Of the missing ones it tells where they were looked for.
    pub(crate) fn find(&mut self, names: &BTreeSet<String>) -> Result<Found, CommandError> {
        let (mut found, mut missing) = (BTreeMap::new(), BTreeMap::new());
        for name in names {
            match self.lookup(name)? {
                Ok(secret) => {
                    found.insert(name.clone(), secret);
                }
                Err(places) => {
                    missing.insert(name.clone(), places);
                }
            }
        }
        Ok((found, missing))
    }

    /// What to do so that a secret is found by this command.
    pub(crate) fn way_out(&self, name: &str, apply: &str) -> String {
        for provider in self.providers {
            match provider {
                SecretProvider::Env { prefix } => {
                    return format!("set it for one run: {prefix}{name}=… {apply}");
                }
                SecretProvider::Dotenv { path, .. } => {
                    return format!("add a line to {path}: {name}=…");
                }
                SecretProvider::Unsupported { .. } => {}
            }
        }
        "say where secrets come from: secrets { env }".to_owned()
    }

    /// The secret, or the places where it was looked for.
    fn lookup(&mut self, name: &str) -> Result<Result<Secret, Vec<String>>, CommandError> {
        let mut places = Vec::new();
        for provider in self.providers {
            match provider {
                SecretProvider::Env { prefix } => {
                    let variable = format!("{prefix}{name}");
                    match self.env.filled(&variable) {
                        Ok(value) => return Ok(Ok(Secret::new(value))),
                        Err(is) => places.push(format!("the variable {variable} is {is}")),
                    }
                }
                SecretProvider::Dotenv { path, .. } => match self.file(path)? {
                    Some(values) => match values.get(name) {
                        Some(value) if value.expose().is_empty() => {
                            places.push(format!("its line in {path} is empty"));
                        }
                        Some(value) => return Ok(Ok(value.clone())),
                        None => places.push(format!("{path} has no line for it")),
                    },
                    None => places.push(format!("{path} is not there")),
                },
                SecretProvider::Unsupported { name: provider, .. } => {
                    return Err(later(name, provider, &places));
                }
            }
        }
        Ok(Err(places))
    }

    fn file(&mut self, path: &str) -> Result<Option<&BTreeMap<String, Secret>>, CommandError> {
        if !self.files.contains_key(path) {
            let text = fsio::read_text(&self.root.join(path), DOTENV_BYTES_MAX)?;
            let values = match text.as_deref().map(dotenv::parse).transpose() {
                Ok(values) => values,
                Err(error) => {
                    return Err(CommandError::failed(format!("{path} cannot be read"))
                        .because(&error)
                        .code("envc::cli::dotenv"));
                }
            };
            self.files.insert(path.to_owned(), values);
        }
        Ok(self.files.get(path).and_then(Option::as_ref))
    }

    fn missing(&self, missing: &BTreeMap<String, Vec<String>>) -> CommandError {
        let names: Vec<&str> = missing.keys().map(String::as_str).collect();
        let message = match names.as_slice() {
            [name] => format!("the secret {name} is not found"),
            _ => format!("{} secrets are not found: {}", names.len(), names.join(", ")),
        };
        let mut error = CommandError::failed(message).code("envc::cli::missing_secret");
        for (name, places) in missing {
            error = match places.as_slice() {
                [] => error.because_text(format!("{name}: the spec names no provider of secrets")),
                _ => error.because_text(format!("{name}: {}", places.join("; "))),
            };
        }
        error.hint(self.way_out(names.first().copied().unwrap_or_default(), "envc apply"))
    }
}

fn later(secret: &str, provider: &str, places: &[String]) -> CommandError {
    let error = CommandError::failed(format!(
        "the secret {secret} is looked for in `{provider}`, which this envc cannot ask yet"
    ))
    .code("envc::cli::provider_not_there");
    let error = places.iter().fold(error, |error, place| error.because_text(place.clone()));
    error.hint(format!("put a provider before it: secrets {{ env; {provider} … }}"))
}

#[cfg(test)]
mod tests {
    use envc_core::Span;

    use super::*;

    fn env_provider() -> SecretProvider {
        SecretProvider::Env { prefix: "SHOP_".into() }
    }

    fn file_provider() -> SecretProvider {
        SecretProvider::Dotenv { path: ".secrets".into(), span: Span::default() }
    }

    fn later_provider() -> SecretProvider {
        SecretProvider::Unsupported { name: "doppler".into(), span: Span::default() }
    }

    fn resolve(
        providers: &[SecretProvider],
        file: Option<&str>,
        names: &[&str],
    ) -> Result<Vec<(String, String)>, CommandError> {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            std::fs::write(folder.path().join(".secrets"), text).unwrap();
        }
        let env = ProcessEnv::from_pairs([("SHOP_A", "from env"), ("B", "no prefix")]);
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let found = Secrets::new(providers, folder.path(), &env).resolve(&names)?;
        Ok(found.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect())
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn the_first_provider_that_has_it_wins() {
        let providers = [env_provider(), file_provider()];
        let found = resolve(&providers, Some("A=file\nB='two words'\n"), &["A", "B"]);
        assert_eq!(found, Ok(vec![pair("A", "from env"), pair("B", "two words")]));
    }

    #[test]
    fn everything_missing_is_named_with_the_places_and_the_way_out() {
        let providers = [env_provider(), file_provider()];
        let error = resolve(&providers, None, &["A", "B", "C"]).unwrap_err();
        assert_eq!(
            error.to_text(),
            "error: 2 secrets are not found: B, C\n  \
             because: B: the variable SHOP_B is not set; .secrets is not there\n  \
             because: C: the variable SHOP_C is not set; .secrets is not there\n\
             hint: set it for one run: SHOP_B=… envc apply\n"
        );
        let error = resolve(&[], None, &["B"]).unwrap_err().to_text();
        assert!(error.contains("hint: say where secrets come from: secrets { env }"), "{error}");
    }

    #[test]
    fn an_empty_secret_is_none() {
        let env = ProcessEnv::from_pairs([("SHOP_A", "")]);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".secrets"), "A=\nB=\n").unwrap();
        let providers = [env_provider(), file_provider()];
        let names = BTreeSet::from(["A".to_owned(), "B".to_owned()]);
        let error = Secrets::new(&providers, folder.path(), &env).resolve(&names).unwrap_err();
        assert_eq!(
            error.chain,
            [
                "A: the variable SHOP_A is empty; its line in .secrets is empty",
                "B: the variable SHOP_B is not set; its line in .secrets is empty",
            ]
        );
    }

    #[test]
    fn a_provider_that_is_not_there_yet_is_an_error_only_when_reached() {
        let providers = [env_provider(), later_provider()];
        assert_eq!(resolve(&providers, None, &["A"]), Ok(vec![pair("A", "from env")]));
        let error = resolve(&providers, None, &["B"]).unwrap_err();
        assert!(error.message.contains("`doppler`"), "{error:?}");
        assert_eq!(error.chain, ["the variable SHOP_B is not set"]);
    }

    #[test]
    fn a_mistake_in_the_file_is_an_error_with_its_line() {
        let error = resolve(&[file_provider()], Some("A=1\nB='x\n"), &["A"]).unwrap_err();
        assert!(error.to_text().contains("line 2"), "{error:?}");
        assert!(!error.to_text().contains("'x"), "values stay out of messages");
    }
}
