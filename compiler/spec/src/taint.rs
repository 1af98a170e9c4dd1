//! Where a secret flows: the way it took into a place that others can see.

use envc_core::{Diagnostic, Span};
use envc_syntax::{Scalar, ScalarValue};

use crate::{
    codes,
    interpolate::{Segment, place, segments},
    scope::Scope,
};

/// Most hops that are shown.
const HOPS_MAX: usize = 16;

impl Scope<'_> {
    /// Reports a secret in a public place, with each hop that it took.
    pub(crate) fn leak(&mut self, scalar: &Scalar, what: &str) {
        let mut hops = Vec::new();
        let source = self.trace(scalar, &mut hops);
        let mut error = Diagnostic::error(
            codes::SECRET_IN_PUBLIC,
            scalar.span,
            format!("{source} would be seen by others in {what}"),
        )
        .at("a secret ends here");
        for (span, text) in hops {
            error = error.label(span, text);
        }
        self.error(error.help(
            "put it into a `dotenv`, or give it to the worker as secret \"NAME\" instead of a var",
        ));
    }

    /// Follows a secret back to where it comes from; says what it is.
    fn trace(&self, scalar: &Scalar, hops: &mut Vec<(Span, String)>) -> String {
        let ScalarValue::Text { text, raw, .. } = &scalar.value else { return "a secret".into() };
        if scalar.tag().is_some() {
            hops.push((scalar.span, "the secret comes from here".into()));
            return format!("the secret `{text}`");
        }
        if *raw || hops.len() >= HOPS_MAX {
            return "a secret".into();
        }
        for segment in segments(text) {
            let Segment::Reference(path, start, end) = segment else { continue };
            let span = place(scalar, start, end);
            if let Some(name) = path.strip_prefix("let.") {
                let value = self.given.merged.get("let", name).and_then(|node| node.args.get(1));
                let secret = match self.lets.get(name) {
                    Some(crate::scope::Slot::Done(value)) => value.text.is_secret(),
                    Some(crate::scope::Slot::New | crate::scope::Slot::Busy) | None => false,
                };
                if let Some(value) = value.filter(|_| secret) {
                    hops.push((span, format!("through {{{path}}}")));
                    return self.trace(value, hops);
                }
            }
            let words: Vec<&str> = path.split('.').collect();
            if matches!(words.as_slice(), ["tunnel", _, "token"]) {
                hops.push((span, "the secret comes from here".into()));
                return format!("the tunnel token `{{{path}}}`");
            }
            if let ["lease", name, attribute] = words.as_slice()
                && self.is_secret_attribute(name, attribute)
            {
                hops.push((span, "not among the pool's public= attributes".into()));
                return format!("the lease attribute `{{{path}}}`");
            }
        }
        "a secret".into()
    }
}
