//! Looks secrets up through the providers of the spec, in their order.
//!
//! A provider is a file of this room: it gets all names that are still missing in one request, and
//! nobody is asked when nothing is missing.

mod dotenv;
mod env;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    path::Path,
};

use envc_core::Secret;
use envc_exec::ports::{Clock, Transport};
use envc_spec::SecretProvider;
use futures::future::BoxFuture;

use self::{dotenv::DotenvProvider, env::EnvProvider};
use crate::host::{env::ProcessEnv, error::CommandError};

/// A place where secrets come from.
trait Provider: Debug + Send + Sync {
    /// Looks all of these names up, with one request where it is a request.
    fn fetch<'f>(
        &'f self,
        names: &'f BTreeSet<String>,
    ) -> BoxFuture<'f, Result<Found, CommandError>>;

    /// What the user does so that this provider has the secret, before running `apply` again.
    fn way_out(&self, name: &str, apply: &str) -> String;
}

/// What a provider answers: of each name the secret, or why it has none.
#[derive(Debug, Default)]
struct Found {
    secrets: BTreeMap<String, Secret>,
    lacking: BTreeMap<String, String>,
}

impl Found {
    fn add(&mut self, name: &str, secret: Secret) {
        self.secrets.insert(name.to_owned(), secret);
    }

    /// `why` is a clause, such as "the variable A is not set".
    fn lacks(&mut self, name: &str, why: String) {
        self.lacking.insert(name.to_owned(), why);
    }
}

/// What providers work with.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    /// The spec's folder.
    pub(crate) root: &'a Path,
    /// The process's variables.
    pub(crate) env: &'a ProcessEnv,
    /// Sends the requests of a provider that is a service.
    #[expect(dead_code, reason = "both providers of today are on this machine")]
    pub(crate) transport: &'a dyn Transport,
    /// The time, for a provider whose requests are signed.
    #[expect(dead_code, reason = "both providers of today are on this machine")]
    pub(crate) clock: &'a dyn Clock,
}

/// The providers of a spec.
#[derive(Debug)]
pub(crate) struct Secrets<'a> {
    providers: Vec<Declared<'a>>,
}

/// A provider that the spec declares.
#[derive(Debug)]
enum Declared<'a> {
    /// One that this envc can ask.
    Supported(Box<dyn Provider + 'a>),
    /// One that it cannot ask yet, by its name in the spec: an error only when it is reached.
    Unsupported(&'a str),
}

/// Secrets that were found; and of those that were not, where they were looked for.
pub(crate) type Lookup = (BTreeMap<String, Secret>, BTreeMap<String, Vec<String>>);

impl<'a> Secrets<'a> {
    /// The providers that a spec declares.
    pub(crate) fn new(declared: &'a [SecretProvider], means: Means<'a>) -> Self {
        let Means { root, env, .. } = means;
        let providers = declared.iter().map(|provider| match provider {
            SecretProvider::Env { prefix } => {
                Declared::Supported(Box::new(EnvProvider { prefix, env }))
            }
            SecretProvider::Dotenv { path, .. } => {
                Declared::Supported(Box::new(DotenvProvider { path, root }))
            }
            SecretProvider::Unsupported { name, .. } => Declared::Unsupported(name),
        });
        Self { providers: providers.collect() }
    }

    /// Looks all of these up; one error names all that are missing.
    pub(crate) async fn resolve(
        &self,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Secret>, CommandError> {
        let (found, missing) = self.find(names).await?;
        if missing.is_empty() { Ok(found) } else { Err(self.missing(&missing)) }
    }

    /// Looks all of these up. Of the missing ones it tells where they were looked for.
    pub(crate) async fn find(&self, names: &BTreeSet<String>) -> Result<Lookup, CommandError> {
        let mut found = BTreeMap::new();
        let mut missing: BTreeMap<String, Vec<String>> =
            names.iter().map(|name| (name.clone(), Vec::new())).collect();
        for declared in &self.providers {
            let Some((first, places)) = missing.first_key_value() else { break };
            let provider = match declared {
                Declared::Supported(provider) => provider,
                Declared::Unsupported(provider) => {
                    return Err(unsupported(first, provider, places));
                }
            };
            let still = missing.keys().cloned().collect();
            let Found { secrets, lacking } = provider.fetch(&still).await?;
            missing.retain(|name, _| !secrets.contains_key(name));
            found.extend(secrets);
            for (name, why) in lacking {
                missing.entry(name).or_default().push(why);
            }
        }
        Ok((found, missing))
    }

    /// What to do so that a secret is found by this command.
    pub(crate) fn way_out(&self, name: &str, apply: &str) -> String {
        let first = self.providers.iter().find_map(|declared| match declared {
            Declared::Supported(provider) => Some(provider),
            Declared::Unsupported(_) => None,
        });
        match first {
            Some(provider) => provider.way_out(name, apply),
            None => "say where secrets come from: secrets { env }".to_owned(),
        }
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

fn unsupported(secret: &str, provider: &str, places: &[String]) -> CommandError {
    let error = CommandError::failed(format!(
        "the secret {secret} is looked for in `{provider}`, which this envc cannot ask yet"
    ))
    .code("envc::cli::provider_not_there");
    let error = places.iter().fold(error, |error, place| error.because_text(place.clone()));
    error.hint(format!("put a provider before it: secrets {{ env; {provider} … }}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use envc_core::Span;
    use futures::FutureExt as _;

    use super::*;
    use crate::host::{clock::SystemClock, http::HttpTransport};

    /// A service that has some secrets, and notes what it is asked for.
    #[derive(Debug)]
    struct Service<'a> {
        has: &'a [&'a str],
        asked: &'a Mutex<Vec<String>>,
    }

    impl Provider for Service<'_> {
        fn fetch<'f>(
            &'f self,
            names: &'f BTreeSet<String>,
        ) -> BoxFuture<'f, Result<Found, CommandError>> {
            Box::pin(async {
                let all: Vec<&str> = names.iter().map(String::as_str).collect();
                self.asked.lock().unwrap().push(all.join(" "));
                let mut found = Found::default();
                for name in all {
                    if self.has.contains(&name) {
                        found.add(name, Secret::new(name));
                    } else {
                        found.lacks(name, format!("not in {:?}", self.has));
                    }
                }
                Ok(found)
            })
        }

        fn way_out(&self, name: &str, _apply: &str) -> String {
            format!("put {name} there")
        }
    }

    #[test]
    fn each_provider_is_asked_once_for_all_that_is_missing_and_nobody_for_nothing() {
        let asked = Mutex::new(Vec::new());
        let service = |has| Declared::Supported(Box::new(Service { has, asked: &asked }));
        let providers =
            vec![service(&["A", "B"]), service(&["C", "D"]), Declared::Unsupported("doppler")];
        let secrets = Secrets { providers };
        let find = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            secrets.find(&names).now_or_never().unwrap()
        };
        let (found, missing) = find(&["A", "B", "C", "D"]).unwrap();
        assert_eq!((found.len(), missing.len()), (4, 0));
        assert_eq!(*asked.lock().unwrap(), ["A B C D", "C D"]);
        assert!(find(&[]).unwrap().0.is_empty());
        find(&["B"]).unwrap();
        assert_eq!(asked.lock().unwrap().split_off(2), ["B"]);
        let error = find(&["A", "E"]).unwrap_err();
        assert_eq!(error.chain, ["not in [\"A\", \"B\"]", "not in [\"C\", \"D\"]"]);
        assert_eq!(secrets.way_out("E", "envc apply"), "put E there");
    }

    fn env_provider() -> SecretProvider {
        SecretProvider::Env { prefix: "SHOP_".into() }
    }

    fn file_provider() -> SecretProvider {
        SecretProvider::Dotenv { path: ".secrets".into(), span: Span::default() }
    }

    fn unsupported_provider() -> SecretProvider {
        SecretProvider::Unsupported { name: "doppler".into(), span: Span::default() }
    }

    fn resolved(
        providers: &[SecretProvider],
        root: &Path,
        env: &ProcessEnv,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Secret>, CommandError> {
        let (transport, clock) = (HttpTransport::default(), SystemClock::new(env));
        let means = Means { root, env, transport: &transport, clock: &clock };
        Secrets::new(providers, means).resolve(names).now_or_never().unwrap()
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
        let found = resolved(providers, folder.path(), &env, &names)?;
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
        let error = resolved(&providers, folder.path(), &env, &names).unwrap_err();
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
        let providers = [env_provider(), unsupported_provider()];
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
