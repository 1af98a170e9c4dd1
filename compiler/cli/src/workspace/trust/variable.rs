//! `ENVC_TRUST`: what is approved where nobody can be asked.

use std::collections::BTreeSet;

use super::wants::{DIGITS, Item, Wants};
use crate::host::{env::names, error::CommandError};

/// What the variable says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// `spec`: all that the spec asks for.
    Spec,
    /// A digest: exactly that set.
    Set(String),
    /// Hosts, and `run:NAME`s.
    List(BTreeSet<String>),
}

impl Given {
    /// Reads the variable.
    pub(super) fn read(text: &str) -> Result<Self, CommandError> {
        let words: BTreeSet<String> = text
            .split([',', ' ', '\t', '\n'])
            .filter(|word| !word.is_empty())
            .map(|word| word.trim_end_matches('/').to_ascii_lowercase())
            .collect();
        let is_digest =
            |word: &String| word.len() == DIGITS && word.bytes().all(|b| b.is_ascii_hexdigit());
        let mut each = words.iter();
        if let (Some(word), None) = (each.next(), each.next()) {
            if word == "spec" {
                return Ok(Self::Spec);
            }
            if is_digest(word) {
                return Ok(Self::Set(word.clone()));
            }
        }
        match words.iter().find(|word| !is_host(word) && !is_run(word)) {
            Some(wrong) => Err(CommandError::usage(format!(
                "{} cannot be read: `{wrong}` is neither a host nor `run:NAME`",
                names::ENVC_TRUST
            ))
            .hint("a digest as `envc trust --print` gives it, or hosts and programs with commas between: edge.example.com,run:wrangler-local; or `spec` alone")
            .code("envc::cli::bad_trust")),
            None => Ok(Self::List(words)),
        }
    }

    /// True where it approves this.
    pub(super) fn approves(&self, item: &Item, wants: &Wants) -> bool {
        match self {
            Self::Spec => true,
            Self::Set(digest) => *digest == wants.digest(),
            Self::List(words) => words.contains(&item.in_variable()),
        }
    }
}

fn is_run(word: &str) -> bool {
    word.strip_prefix("run:").is_some_and(|name| !name.is_empty())
}

/// A host as it stands in an origin, with its port where it is not the scheme's own.
fn is_host(word: &str) -> bool {
    (word == "localhost" || word.contains(['.', ':']))
        && !word.starts_with("run:")
        && word.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(to: &str) -> Item {
        Item::Send { credential: "the secret A".into(), to: to.into() }
    }

    fn run(name: &str) -> Item {
        Item::Run { name: name.into(), command: "x".into() }
    }

    #[test]
    fn a_list_approves_what_it_names_and_nothing_else() {
        let wants =
            Wants { items: [send("https://a.example"), run("x")].into(), ..Wants::default() };
        let given = Given::read("A.example, run:x http://b").unwrap_err();
        assert!(given.message.contains("http://b"), "{given:?}");
        let given = Given::read("A.example").unwrap();
        assert!(given.approves(&send("https://a.example"), &wants));
        for other in [
            send("https://a.example:8443"),
            send("https://b.a.example"),
            send("https://a.example.evil.example"),
            run("a.example"),
            run("x"),
        ] {
            assert!(!given.approves(&other, &wants), "{other:?}");
        }
        let given = Given::read("a.example:8443 run:x").unwrap();
        assert!(given.approves(&send("https://a.example:8443"), &wants));
        assert!(given.approves(&run("x"), &wants) && !given.approves(&run("xy"), &wants));
    }

    #[test]
    fn a_digest_approves_exactly_its_set() {
        let wants =
            Wants { items: [send("https://a.example"), run("x")].into(), ..Wants::default() };
        let given = Given::read(&wants.digest().to_uppercase()).unwrap();
        assert!(wants.items.iter().all(|item| given.approves(item, &wants)));
        for other in [
            Wants { items: [send("https://a.example")].into(), ..Wants::default() },
            Wants {
                items: [send("https://a.example"), run("x"), run("y")].into(),
                ..Wants::default()
            },
        ] {
            assert!(other.items.iter().all(|item| !given.approves(item, &other)));
        }
    }

    #[test]
    fn spec_stands_alone_and_other_words_are_refused() {
        assert_eq!(Given::read(" spec "), Ok(Given::Spec));
        for wrong in ["spec,a.example", "all", "*", "run:", "https://a.example", "true", "1"] {
            let error = Given::read(wrong).unwrap_err();
            assert_eq!(error.code, Some("envc::cli::bad_trust"), "{wrong}");
        }
        assert_eq!(
            Given::read("localhost:8787").unwrap(),
            Given::List(["localhost:8787".into()].into())
        );
    }
}
