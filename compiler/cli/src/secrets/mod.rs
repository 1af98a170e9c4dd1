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
pub(crate) use self::{
    dotenv::{OtherFolders, read as read_dotenv},
    env::way_out,
};
use crate::host::{env::ProcessEnv, error::CommandError, git::GitView};

/// A place where secrets come from.
trait Provider: Debug + Send + Sync {
    /// Looks all of these names up, with one request where it is a request.
    fn fetch<'f>(
        &'f self,
        names: &'f BTreeSet<String>,
    ) -> BoxFuture<'f, Result<Found, CommandError>>;

    /// What the user does so that this provider has the secret, before running `apply` again.
    fn way_out(&self, name: &str, apply: &str) -> String;

    /// What the user does so that this provider has it from now on, in every worktree; `None` where
    /// that is the same, or nothing can be said.
    fn for_good(&self, name: &str) -> Option<String> {
        let _ = name;
        None
    }
}

/// What a provider answers: of each name the secret, or why it has none.
#[derive(Debug, Default)]
struct Found {
    secrets: BTreeMap<String, Secret>,
    lacking: BTreeMap<String, String>,
    /// The files that some of them come from, and that git tracks.
    tracked: Vec<String>,
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
    /// Where dotenv files are looked for besides.
    pub(crate) others: &'a OtherFolders,
    /// What git says of the spec's folder.
    pub(crate) git: &'a GitView,
    /// A secret that comes from a file which git tracks is an error, and not only told.
    pub(crate) refuse_tracked: bool,
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
    refuse_tracked: bool,
}

/// A provider that the spec declares.
#[derive(Debug)]
enum Declared<'a> {
    /// One that this envc can ask.
    Supported(Box<dyn Provider + 'a>),
    /// One that it cannot ask yet, by its name in the spec: an error only when it is reached.
    Unsupported(&'a str),
}

/// What a look-up came to.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    /// The secrets that were found.
    pub(crate) found: BTreeMap<String, Secret>,
    /// Of those that were not, where they were looked for.
    pub(crate) missing: BTreeMap<String, Vec<String>>,
    /// What to tell: files that git has, and should not.
    pub(crate) warnings: Vec<String>,
}

impl<'a> Secrets<'a> {
    /// The providers that a spec declares.
    pub(crate) fn new(declared: &'a [SecretProvider], means: Means<'a>) -> Self {
        let Means { root, others, git, refuse_tracked, env, .. } = means;
        let providers = declared.iter().map(|provider| match provider {
            SecretProvider::Env { prefix } => {
                Declared::Supported(Box::new(EnvProvider { prefix, env }))
            }
            SecretProvider::Dotenv { path, .. } => {
                Declared::Supported(Box::new(DotenvProvider { path, root, others, git, env }))
            }
            SecretProvider::Unsupported { name, .. } => Declared::Unsupported(name),
        });
        Self { providers: providers.collect(), refuse_tracked }
    }

    /// Looks all of these up; one error names all that are missing.
    pub(crate) async fn resolve(
        &self,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, Secret>, CommandError> {
        let Lookup { found, missing, warnings: _ } = self.find(names).await?;
        if missing.is_empty() { Ok(found) } else { Err(self.missing(&missing)) }
    }

    /// Looks all of these up. Of the missing ones it tells where they were looked for.
    pub(crate) async fn find(&self, names: &BTreeSet<String>) -> Result<Lookup, CommandError> {
        let (mut found, mut warnings) = (BTreeMap::new(), Vec::new());
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
            let Found { secrets, lacking, tracked } = provider.fetch(&still).await?;
            for file in tracked {
                let error = in_git(&file);
                if self.refuse_tracked {
                    return Err(error);
                }
                warnings.push(format!("{}; {}", error.message, error.hints.join("; ")));
            }
            missing.retain(|name, _| !secrets.contains_key(name));
            found.extend(secrets);
            for (name, why) in lacking {
                missing.entry(name).or_default().push(why);
            }
        }
        Ok(Lookup { found, missing, warnings })
    }

    /// What to do so that it is found from now on, in every worktree, where that is something else.
    pub(crate) fn for_good(&self, name: &str, way_out: &str) -> Option<String> {
        let all = self.providers.iter().filter_map(|declared| match declared {
            Declared::Supported(provider) => provider.for_good(name),
            Declared::Unsupported(_) => None,
        });
        all.into_iter().next().filter(|it| it != way_out)
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
        let first = names.first().copied().unwrap_or_default();
        let way_out = self.way_out(first, "envc apply");
        let for_good = self.for_good(first, &way_out);
        error.hint(way_out).hint_opt(for_good)
    }
}

/// The error of a file with secrets that git has.
fn in_git(file: &str) -> CommandError {
    CommandError::failed(format!("git tracks {file}, which secrets come from"))
        .because_text("whoever can read the repository has them")
        .hint(format!("take it out of git: git rm --cached {file}; and add it to .gitignore"))
        .hint("secrets that were pushed are known: make new ones")
        .code("envc::cli::secrets_in_git")
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
        let secrets = Secrets { providers, refuse_tracked: false };
        let find = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            secrets.find(&names).now_or_never().unwrap()
        };
        let Lookup { found, missing, .. } = find(&["A", "B", "C", "D"]).unwrap();
        assert_eq!((found.len(), missing.len()), (4, 0));
        assert_eq!(*asked.lock().unwrap(), ["A B C D", "C D"]);
        assert!(find(&[]).unwrap().found.is_empty());
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
        let means = Means {
            root,
            others: &OtherFolders::default(),
            git: &GitView::default(),
            refuse_tracked: true,
            env,
            transport: &transport,
            clock: &clock,
        };
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
             hint: set it for one run: SHOP_B=… envc apply\n\
             hint: add a line to .secrets: B=…\n"
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
    fn what_is_empty_falls_through_to_the_next_provider() {
        let bare = SecretProvider::Env { prefix: String::new() };
        let folder = tempfile::tempdir().unwrap();
        let write = |line: &str| {
            std::fs::write(folder.path().join(".secrets"), format!("{line}\n")).unwrap();
        };
        let names = BTreeSet::from(["A".to_owned()]);
        let find = |providers: &[SecretProvider], pairs: &[(&str, &str)]| {
            let env = ProcessEnv::from_pairs(pairs.iter().copied());
            resolved(providers, folder.path(), &env, &names)
                .map(|found| found["A"].expose().to_owned())
                .map_err(|error| error.chain.join(", "))
        };
        let empty = [("SHOP_A", ""), ("A", "")];
        write("A=file");
        for first in [env_provider(), bare.clone()] {
            assert_eq!(find(&[first.clone(), file_provider()], &empty), Ok("file".to_owned()));
        }
        assert_eq!(
            find(&[env_provider(), bare.clone()], &[("SHOP_A", ""), ("A", "x")]),
            Ok("x".into())
        );
        for line in ["A=", "A=\"\"", "A=''", "export A=  # nothing"] {
            write(line);
            assert_eq!(
                find(&[file_provider(), bare.clone()], &[("A", "x")]),
                Ok("x".into()),
                "{line}"
            );
            let all = [bare.clone(), env_provider(), file_provider()];
            let missing = find(&all, &empty).unwrap_err();
            assert!(
                missing.contains("A is empty") && missing.contains("its line in .secrets is empty"),
                "{missing}"
            );
        }
    }

    #[test]
    fn a_name_is_looked_for_in_each_folder_in_turn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        for (file, text) in [
            ("wt/apps/.secrets", "A=own\nB=\n"),
            ("main/apps/.secrets", "A=main\nB=main\n"),
            ("user/.secrets", "A=user\nB=user\nC=user\n"),
        ] {
            let file = path.join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let others = OtherFolders {
            main: Some((path.join("main"), "apps".into())),
            user: Some((path.join("user"), "~/user".to_owned())),
        };
        let env = ProcessEnv::default();
        let (transport, clock) = (HttpTransport::default(), SystemClock::new(&env));
        let root = path.join("wt/apps");
        let find = |names: &[&str]| {
            let means = Means {
                root: &root,
                others: &others,
                git: &GitView::default(),
                refuse_tracked: true,
                env: &env,
                transport: &transport,
                clock: &clock,
            };
            let providers = [file_provider()];
            let names = names.iter().map(|name| (*name).to_owned()).collect();
            let found = Secrets::new(&providers, means).resolve(&names).now_or_never().unwrap();
            found.map(|found| {
                found.into_values().map(|it| it.expose().to_owned()).collect::<Vec<_>>()
            })
        };
        assert_eq!(find(&["A", "B", "C"]).unwrap(), ["own", "main", "user"]);
        let missing = find(&["D"]).unwrap_err().to_text();
        let main = path.join("main/apps/.secrets").display().to_string();
        for told in [".secrets has no line", &main, "~/user/.secrets has no line"] {
            assert!(missing.contains(told), "no {told} in {missing}");
        }
        // Not through a link, wherever it is on the way.
        #[cfg(unix)]
        {
            std::fs::rename(path.join("main/apps"), path.join("elsewhere")).unwrap();
            std::os::unix::fs::symlink(path.join("elsewhere"), path.join("main/apps")).unwrap();
            assert_eq!(find(&["B"]).unwrap(), ["user"]);
            assert!(find(&["D"]).unwrap_err().to_text().contains("is reached through a link"));
        }
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
