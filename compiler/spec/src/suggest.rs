//! "Did you mean": the nearest of the words that would be right.

use envc_core::{Diagnostic, Span, Spanned};
use envc_syntax::{Scalar, ScalarValue};
use strsim::damerau_levenshtein;

/// Most candidates that are compared: a mistake in a spec of thousands of names stays cheap.
const CANDIDATES_MAX: usize = 1_000;

/// A longer word is none that anybody mistyped.
const WORD_BYTES_MAX: usize = 128;

/// The nearest candidate, when it is near enough to be meant.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    let allowed = (word.chars().count() / 3).max(1);
    // `!proxied` and the like say something of the word, and not another word.
    if word.starts_with(|c: char| c.is_ascii_punctuation() && c != '_') {
        return None;
    }
    let lower = word.to_lowercase();
    let letters = letters(&lower);
    known
        .into_iter()
        .take(CANDIDATES_MAX)
        .filter(|candidate| candidate.len() <= 2 * WORD_BYTES_MAX)
        .map(|candidate| (candidate.to_lowercase(), candidate))
        .filter(|(other, _)| may_be_near(&letters, other, allowed))
        .map(|(other, candidate)| (damerau_levenshtein(&lower, &other), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How often each letter stands in a word; letters share places, which makes words nearer only.
fn letters(word: &str) -> [i32; 64] {
    let mut counts = [0; 64];
    for c in word.chars() {
        if let Some(count) = counts.get_mut(u32::from(c) as usize % 64) {
            *count += 1;
        }
    }
    counts
}

/// Each change of a word changes at most two counts by one. Far cheaper than the distance.
fn may_be_near(letters_of_word: &[i32; 64], other: &str, allowed: usize) -> bool {
    let differ: i32 = letters(other).iter().zip(letters_of_word).map(|(a, b)| (a - b).abs()).sum();
    usize::try_from(differ).is_ok_and(|differ| differ <= 2 * allowed)
}

/// A word as it stands in the text: where, and how another one is written in its place.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) span: Span,
    before: String,
    after: String,
    /// False where escapes hide which bytes the word is made of.
    exact: bool,
}

impl Spot {
    /// A node's or a property's name, a tag: replaced as it stands.
    pub(crate) fn bare(name: &Spanned<String>) -> Self {
        let exact = name.span.len() == name.value.len();
        Self { span: name.span, before: String::new(), after: String::new(), exact }
    }

    /// An argument or a property's value; it keeps its quotes.
    pub(crate) fn scalar(scalar: &Scalar) -> Self {
        let bare = matches!(scalar.value, ScalarValue::Text { bare: true, .. });
        let quote = if bare { "" } else { "\"" };
        let exact = scalar.tag.is_none();
        Self { span: scalar.span, before: quote.into(), after: quote.into(), exact }
    }

    /// One part of `{path}`, counted from 0.
    pub(crate) fn reference(span: Span, path: &str, part: usize) -> Self {
        let parts = path.split('.');
        let before: String = parts.clone().take(part).flat_map(|part| [part, "."]).collect();
        let after: String = parts.skip(part + 1).flat_map(|part| [".", part]).collect();
        let exact = span.len() == path.len() + 2;
        Self { span, before: format!("{{{before}"), after: format!("{after}}}"), exact }
    }

    /// All of `{path}`.
    pub(crate) fn whole_reference(span: Span, path: &str) -> Self {
        let exact = span.len() == path.len() + 2;
        Self { span, before: "{".into(), after: "}".into(), exact }
    }

    /// Says which of the known words is meant, and puts it there; else which ones are possible, or
    /// `none` where there are none.
    pub(crate) fn suggest<'a>(
        &self,
        error: Diagnostic,
        word: &str,
        known: impl IntoIterator<Item = &'a str> + Clone,
        none: &str,
    ) -> Diagnostic {
        match nearest(word, known.clone()) {
            Some(near) => self.replace(error.help(format!("did you mean `{near}`?")), near),
            None => error.help(possible(known, none)),
        }
    }

    /// Puts another word there.
    pub(crate) fn replace(&self, error: Diagnostic, word: &str) -> Diagnostic {
        if !self.exact {
            return error;
        }
        error.fix(self.span, format!("{}{word}{}", self.before, self.after))
    }
}

/// "did you mean `x`?", else the words that would be right.
pub(crate) fn did_you_mean<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a str> + Clone,
    none: &str,
) -> String {
    if let Some(near) = nearest(word, known.clone()) {
        return format!("did you mean `{near}`?");
    }
    possible(known, none)
}

/// The words that would be right.
fn possible<'a>(known: impl IntoIterator<Item = &'a str>, none: &str) -> String {
    let mut all: Vec<&str> = known.into_iter().take(CANDIDATES_MAX).collect();
    all.sort_unstable();
    all.dedup();
    match all.as_slice() {
        [] => none.to_owned(),
        few if few.len() <= 24 => format!("possible here: {}", few.join(", ")),
        many => {
            let shown = many.get(..24).unwrap_or(many);
            format!("possible here: {} and {} more", shown.join(", "), many.len() - shown.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_suggested() {
        assert_eq!(nearest("migratons", ["migrations", "name"]), Some("migrations"));
        assert_eq!(nearest("DB", ["db", "kv"]), Some("db"));
        assert_eq!(nearest("foo", ["webapp"]), None);
        assert_eq!(did_you_mean("zzz", ["b", "a"], ""), "possible here: a, b");
        assert_eq!(did_you_mean("zzz", [], "nothing"), "nothing");
    }
}
