//! What a spec asks for of what is its user's.

use std::collections::BTreeSet;

use envc_core::{Desired, Digest, Input, Part, Secret, Text, Value, host_of, names_of};
use envc_kinds::kind;
use envc_spec::SecretProvider;
use serde::{Deserialize, Serialize};

use crate::workspace::session::Session;

/// The name of wrangler's migrations of its local copies.
pub(crate) const LOCAL_MIGRATIONS: &str = "wrangler-local";
/// What they run.
const LOCAL_MIGRATIONS_COMMAND: &str =
    "wrangler d1 migrations apply --local, and d1 execute --local for a seed";
/// Hex digits of the digest of a set: nobody finds a second set for 128 bits.
pub(super) const DIGITS: usize = 32;

/// One thing that a spec asks for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Item {
    /// A credential goes to a host.
    Send {
        /// What it is read from, such as `the secret EDGE_TOKEN (the variable SHOP_EDGE_TOKEN)`: where
        /// another one is read, another thing is asked for.
        credential: String,
        /// Scheme, host and port, such as `https://edge.example.com`.
        to: String,
    },
    /// A program of the checkout runs.
    Run {
        /// Its name, by which it is approved.
        name: String,
        /// What is run.
        command: String,
    },
}

impl Item {
    /// True for a credential that goes to a host.
    pub(crate) fn is_send(&self) -> bool {
        matches!(self, Self::Send { .. })
    }

    /// True for a program.
    pub(crate) fn is_run(&self) -> bool {
        matches!(self, Self::Run { .. })
    }

    /// True for the program of this name.
    pub(crate) fn is_run_of(&self, wanted: &str) -> bool {
        matches!(self, Self::Run { name, .. } if name == wanted)
    }

    /// How `ENVC_TRUST` names it.
    pub(super) fn in_variable(&self) -> String {
        match self {
            Self::Send { to, .. } => host_of(to).to_owned(),
            Self::Run { name, .. } => format!("run:{name}"),
        }
    }

    /// As people read it.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Send { credential, to } => format!("send {credential} to {to}"),
            Self::Run { name, command } => format!("run {command} (run:{name})"),
        }
    }
}

/// All that a spec asks for, for one environment, whichever cloud it is in: one question lists it all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    /// Each thing once.
    pub(crate) items: BTreeSet<Item>,
    /// What is only told: it goes into the account, as all that a spec says.
    pub(crate) told: BTreeSet<Told>,
}

/// A credential that the account hands on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Told {
    /// The secrets and variables that it is made of.
    pub(crate) credential: String,
    /// The host, as the spec says it.
    pub(crate) to: String,
}

impl Told {
    /// As people read it.
    pub(crate) fn line(&self) -> String {
        let Self { credential, to } = self;
        format!("the account sends {credential} to {to}")
    }
}

impl Wants {
    /// What the environment of a session asks for.
    pub(crate) fn of(session: &Session<'_>) -> Self {
        let mut items = BTreeSet::new();
        if let Some(edge) = &session.environment.edge {
            let held = edge.token.parts.iter().find_map(|part| match part {
                Part::In(Input::Secret(name)) => Some(secret(name, &session.environment.secrets)),
                Part::In(Input::Env(name)) => Some(format!("the variable {name}")),
                _ => None,
            });
            let credential = held.unwrap_or_else(|| "its token".to_owned());
            items.insert(Item::Send { credential, to: origin_of(&edge.url) });
        }
        let migrations = &session.environment.migrations;
        if session.databases_of_dev().keys().any(|address| migrations.contains_key(address)) {
            items.insert(Item::Run {
                name: LOCAL_MIGRATIONS.to_owned(),
                command: LOCAL_MIGRATIONS_COMMAND.to_owned(),
            });
        }
        let resources = session.environment.resources.values();
        let told = resources.filter(|it| it.is_managed()).flat_map(handed_on).collect();
        Self { items, told }
    }

    /// The digest of exactly this set.
    pub(crate) fn digest(&self) -> String {
        // Invariant: no two sets give one text: each line is JSON, and holds no line end.
        let lines: Vec<String> =
            self.items.iter().map(|item| serde_json::to_string(item).unwrap_or_default()).collect();
        let digest = Digest::of(format!("envc trust\n{}", lines.join("\n")));
        digest.as_str().get(..DIGITS).unwrap_or_default().to_owned()
    }

    /// A line for each; those that are not approved yet say so.
    pub(crate) fn lines(&self, open: &BTreeSet<Item>) -> Vec<String> {
        let line = |item: &Item| {
            let new = if open.contains(item) { "   new" } else { "" };
            format!("{}{new}", item.line())
        };
        self.items.iter().map(line).collect()
    }
}

/// A secret, and what it is read from.
fn secret(name: &str, providers: &[SecretProvider]) -> String {
    let places: Vec<String> = providers
        .iter()
        .map(|provider| match provider {
            SecretProvider::Env { prefix } => format!("the variable {prefix}{name}"),
            SecretProvider::Dotenv { path, .. } => path.clone(),
            SecretProvider::Unsupported { name, .. } => name.clone(),
        })
        .collect();
    format!("the secret {name} ({})", places.join(", else "))
}

/// Stands for what is not known here in a connection string.
const STAND_IN: &str = "envc-stand-in";

/// The private texts of a resource that the account sends to a host which the spec names. A host that is
/// part of the secret is its giver's choice.
fn handed_on(resource: &Desired) -> Vec<Told> {
    let kind = kind(resource.address.kind());
    let Some(field) = kind.dials() else { return Vec::new() };
    let spelt = |text: &Text| {
        let host = text.resolve(|part| Some(stand_in(part)))?;
        (!host.is_empty() && !host.contains(STAND_IN)).then_some(host)
    };
    let whole = |name: &str, text: &Text| {
        let whole = text.resolve(|part| Some(stand_in(part)))?;
        let mut parts = kind.split(name, &Secret::new(whole)).ok()?;
        let host = parts.remove(field)?.expose().to_owned();
        (!host.contains(STAND_IN)).then_some(host)
    };
    let mut host = None;
    if let Some(Value::Text(text)) = resource.fields.get(field) {
        host = spelt(text);
    }
    let private = resource.fields.iter().filter_map(|(name, value)| {
        if let Value::Private(text) = value {
            let is_whole = !kind.parts(name).is_empty();
            let to = if is_whole { whole(name, text) } else { host.clone() };
            return Some((names_of(text), to?));
        }
        let Value::Sealed(sealed) = value else { return None };
        Some((sealed.name.clone(), host.clone()?))
    });
    private
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, to)| Told { credential: format!("the secret {names}"), to })
        .collect()
}

/// A piece of a host as the spec says it.
fn stand_in(part: &Part) -> String {
    match part {
        Part::Lit(text) => text.clone(),
        Part::In(Input::Env(name)) => format!("$({name})"),
        Part::In(Input::Secret(_) | Input::Lease { .. }) | Part::Out(_) => STAND_IN.to_owned(),
    }
}

/// Scheme, host and port: no user, no path. A text that is no URL stands for itself.
fn origin_of(url: &str) -> String {
    match reqwest::Url::parse(url) {
        Ok(url) => url.origin().ascii_serialization(),
        Err(_) => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(to: &str) -> Item {
        Item::Send { credential: "the secret A".into(), to: to.into() }
    }

    #[test]
    fn an_origin_is_what_is_connected_to() {
        for (url, origin) in [
            ("https://edge.example.com", "https://edge.example.com"),
            ("https://EDGE.example.com:443/a?b#c", "https://edge.example.com"),
            ("https://user:pass@edge.example.com:8443/", "https://edge.example.com:8443"),
            ("http://127.0.0.1:9902", "http://127.0.0.1:9902"),
            ("https://edge.example.com@evil.example/", "https://evil.example"),
        ] {
            assert_eq!(origin_of(url), origin);
        }
    }

    #[test]
    fn every_difference_of_a_set_is_one_of_its_digest() {
        let run = |command: &str| Item::Run { name: "x".into(), command: command.into() };
        let sets = [
            vec![],
            vec![send("https://a")],
            vec![send("https://b")],
            vec![send("https://a"), send("https://b")],
            vec![run("a")],
            vec![run("a\nb")],
            vec![Item::Send { credential: "the variable A".into(), to: "https://a".into() }],
        ];
        let digests: BTreeSet<String> = sets
            .iter()
            .map(|items| {
                Wants { items: items.iter().cloned().collect(), ..Wants::default() }.digest()
            })
            .collect();
        assert_eq!(digests.len(), sets.len());
        assert!(digests.iter().all(|digest| digest.len() == DIGITS));
    }

    #[test]
    fn a_secret_that_is_read_from_elsewhere_is_another_one() {
        let env = |prefix: &str| SecretProvider::Env { prefix: prefix.into() };
        let file = |path: &str| SecretProvider::Dotenv {
            path: path.into(),
            span: envc_core::Span::default(),
        };
        let all = [
            vec![],
            vec![env("")],
            vec![env("SHOP_")],
            vec![env("SHOP_"), file(".a")],
            vec![file(".a"), env("SHOP_")],
            vec![file(".b")],
        ];
        let told: BTreeSet<String> = all.iter().map(|it| secret("KEY", it)).collect();
        assert_eq!(told.len(), all.len(), "{told:?}");
        assert!(told.contains("the secret KEY (the variable SHOP_KEY, else .a)"), "{told:?}");
    }

    #[test]
    fn what_is_new_is_marked() {
        let wants =
            Wants { items: [send("https://a"), send("https://b")].into(), ..Wants::default() };
        let lines = wants.lines(&BTreeSet::from([send("https://b")]));
        assert_eq!(
            lines,
            ["send the secret A to https://a", "send the secret A to https://b   new"]
        );
    }
}
