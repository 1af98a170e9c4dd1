//! Where a secret flows: the way it took into a place that others can see.

use envc_core::{Diagnostic, KindId, Label, Output, Span};
use envc_syntax::{Scalar, ScalarValue};

use crate::{
    codes,
    interpolate::{Segment, place, segments},
    refs::Purpose,
    resolver::{Resolved, Resolver, Slot},
};

/// Most hops that are shown.
const HOPS_MAX: usize = 16;

/// A step of the way, and what is to be said of it.
pub(crate) type Hop = (Span, String);

/// What a path is by itself, when it is the source that is looked for: its name, and what is said
/// at its place.
pub(crate) type Source<'s> = dyn Fn(&str) -> Option<(String, &'static str)> + 's;

impl Resolver<'_> {
    /// Reports a secret in a public place, with each hop that it took.
    pub(crate) fn leak(&mut self, scalar: &Scalar, into: Purpose) {
        if self.found.has(codes::SECRET_IN_PUBLIC, scalar.span) {
            return; // said already, of another use of the same text
        }
        let mut hops = Vec::new();
        let source = |path: &str| self.secret_source(path);
        let carries = |value: &Resolved| value.text.is_secret();
        let source = self.trace(scalar, &source, &carries, &mut hops);
        let source = source.unwrap_or_else(|| "a secret".into());
        let what = match into {
            Purpose::Public(what) => what,
            Purpose::Var(_) => "a plain variable",
            Purpose::Local => "the address of a service",
            Purpose::Name | Purpose::Private => "a name, a host or an identity",
        };
        let message = format!("{source} would be seen by others in {what}");
        let mut error = Diagnostic::error(codes::SECRET_IN_PUBLIC, scalar.span, message)
            .at("a secret ends here");
        for (span, text) in hops {
            if span == scalar.span {
                error = error.at(text);
            } else {
                error = error.label(span, text);
            }
        }
        self.error(match into {
            Purpose::Var(word) => {
                let error = error.help(
                    "write `secret` instead of `var`: the worker sees it under the same name",
                );
                match word {
                    Some(word) => error.fix(word, "secret"),
                    None => error,
                }
            }
            Purpose::Public("a command line") => error.help(
                "give it to the command in its environment: run … { env NAME (secret)\"NAME\" }",
            ),
            Purpose::Public(_) | Purpose::Local | Purpose::Name | Purpose::Private => error.help(
                "a secret may stand in a `dotenv`, in a worker's `secret`, in a hyperdrive's `origin`, and in the `env` of a `run`",
            ),
        });
    }

    /// Each hop of a secret that something outside the spec reads by a reference.
    pub(crate) fn way_of_secret(&mut self, reference: &str) -> Vec<Label> {
        let merged = self.given.merged;
        let words: Vec<&str> = reference.split('.').collect();
        match words.as_slice() {
            ["let", name] => {
                let Some(node) = merged.get("let", name) else { return Vec::new() };
                let Some(value) = node.args.get(1) else { return Vec::new() };
                // The `let`s that it goes through have to be resolved to be told apart.
                let _resolved = self.let_value(name, node.label_span());
                let mut hops = vec![(node.label_span(), "this is what the template reads".into())];
                let source = |path: &str| self.secret_source(path);
                let carries = |value: &Resolved| value.text.is_secret();
                let _what = self.trace(value, &source, &carries, &mut hops);
                hops.into_iter().map(|(span, text)| Label { span, text }).collect()
            }
            [kind, name, _] => {
                let node = merged.get(kind, name);
                let text = "this is where the secret comes from".to_owned();
                node.map(|node| Label { span: node.label_span(), text }).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// A reference that is a secret by itself.
    fn secret_source(&self, path: &str) -> Option<(String, &'static str)> {
        let words: Vec<&str> = path.split('.').collect();
        match words.as_slice() {
            [word, _, output] if token_of(word, output).is_some() => {
                let noun = token_of(word, output)?;
                Some((format!("the {noun} token `{{{path}}}`"), "the secret comes from here"))
            }
            ["lease", name, attribute] if self.is_secret_attribute(name, attribute) => Some((
                format!("the lease attribute `{{{path}}}`"),
                "not among the pool's public= attributes",
            )),
            _ => None,
        }
    }

    /// Follows what a text carries back through the `let`s to where it comes from. Says what that
    /// is; the way there is added to `hops`.
    pub(crate) fn trace(
        &self,
        scalar: &Scalar,
        source: &Source<'_>,
        carries: &dyn Fn(&Resolved) -> bool,
        hops: &mut Vec<Hop>,
    ) -> Option<String> {
        let ScalarValue::Text { text, raw, .. } = &scalar.value else { return None };
        match scalar.tag() {
            Some("secret") => {
                hops.push((scalar.span, "the secret comes from here".into()));
                return Some(format!("the secret `{text}`"));
            }
            Some(_) => {
                hops.push((scalar.span, "not known before apply".into()));
                return None;
            }
            None => {}
        }
        if *raw || hops.len() >= HOPS_MAX {
            return None;
        }
        for segment in segments(text) {
            let Segment::Reference(path, start, end) = segment else { continue };
            let span = place(scalar, start, end);
            if let Some((name, text)) = source(path) {
                hops.push((span, text.into()));
                return Some(name);
            }
            let Some(name) = path.strip_prefix("let.") else { continue };
            let value = self.given.merged.get("let", name).and_then(|node| node.args.get(1));
            let through = match self.lets.get(name) {
                Some(Slot::Done(value)) => carries(value),
                Some(Slot::New | Slot::Busy) | None => false,
            };
            if let Some(value) = value.filter(|_| through) {
                hops.push((span, format!("through {{{path}}}")));
                return self.trace(value, source, carries, hops);
            }
        }
        None
    }
}

/// The noun of a kind whose output of this word is a secret.
fn token_of(word: &str, output: &str) -> Option<&'static str> {
    let kind = envc_kinds::kind(KindId::parse(word)?);
    let secret = |(word, what): &(&str, Output)| *word == output && *what == Output::Token;
    kind.outputs().iter().any(secret).then(|| kind.noun())
}
