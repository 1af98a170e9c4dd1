//! "Did you mean": the nearest of the words that would be right.

use strsim::damerau_levenshtein;

/// Most candidates that are compared: a mistake in a spec of thousands of names stays cheap.
const CANDIDATES_MAX: usize = 2_000;

/// The nearest candidate, when it is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    let lower = word.to_lowercase();
    known
        .into_iter()
        .take(CANDIDATES_MAX)
        .map(|candidate| (damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
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
