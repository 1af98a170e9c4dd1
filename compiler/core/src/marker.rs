//! The marker by which envc knows its own: `envc:PROJECT/ID/LABEL`, at the beginning of a comment or
//! in a variable.
//!
//! Invariant: two markers are the same text only where project, ID and label are the same; none of
//! the three holds a slash. Where the text is too long for a comment, digests of the same length
//! whatever they stand for take its place, one of project and ID, one of the label.

use std::fmt;

use crate::Digest;

/// Begins every marker.
const HEAD: &str = "envc:";
/// Begins the digests: no project does.
const DIGESTS: &str = "envc:~";
/// Hex digits of each digest.
const DIGITS: usize = 16;

/// What a marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker<'a> {
    /// The project's name.
    pub project: &'a str,
    /// The environment's ID.
    pub env: &'a str,
    /// The resource's name in the spec.
    pub label: &'a str,
}

impl Marker<'_> {
    /// The text of at most so many characters: itself, else its digests.
    pub fn within(&self, max: usize) -> String {
        let text = self.to_string();
        if text.chars().count() <= max { text } else { self.digests() }
    }

    /// The digests that take its place.
    pub fn digests(&self) -> String {
        format!("{}{}", environment(self.project, self.env), digest(self.label))
    }

    /// True when a text begins with exactly this marker, alone or followed by other words.
    pub fn begins(&self, text: &str) -> bool {
        first_word(text).is_some_and(|word| word == self.to_string() || word == self.digests())
    }

    /// True when a text begins with a marker of this environment, whatever its label.
    pub fn is_of(text: &str, project: &str, env: &str) -> bool {
        let heads = [format!("{HEAD}{project}/{env}/"), environment(project, env)];
        let label = |head: &String| first_word(text)?.strip_prefix(head.as_str());
        heads.iter().filter_map(label).any(|label| !label.is_empty() && !label.contains('/'))
    }
}

impl fmt::Display for Marker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HEAD}{}/{}/{}", self.project, self.env, self.label)
    }
}

/// What the digests of all markers of an environment begin with.
fn environment(project: &str, env: &str) -> String {
    format!("{DIGESTS}{}/", digest(&format!("{project}/{env}")))
}

fn digest(text: &str) -> String {
    Digest::of(text).as_str().chars().take(DIGITS).collect()
}

fn first_word(text: &str) -> Option<&str> {
    text.split(' ').next().filter(|word| word.starts_with(HEAD))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: Marker<'_> = Marker { project: "shop", env: "pr-1", label: "web" };

    #[test]
    fn a_marker_is_known_alone_and_before_other_words_and_no_other_is_taken_for_it() {
        assert_eq!(MARKER.to_string(), "envc:shop/pr-1/web");
        for good in ["envc:shop/pr-1/web", "envc:shop/pr-1/web the shop", &MARKER.digests()] {
            assert!(MARKER.begins(good) && Marker::is_of(good, "shop", "pr-1"), "{good}");
        }
        for other in [
            "",
            "envc:shop/pr-1",
            "envc:shop/pr-1/",
            "envc:shop/pr-1/webs",
            "envc:shop/pr-1/we",
            "envc:shop/pr-11/web",
            "envc:shop-pr-1/web",
            "x envc:shop/pr-1/web",
            "shop/pr-1/web",
            "envc:shop/pr-1/web/x",
            "envc:shop/pr-1/web,x",
        ] {
            assert!(!MARKER.begins(other), "{other}");
        }
        for other in
            ["envc:shop/pr-1", "envc:shop/pr-1/", "envc:shop/pr-1 x", "envc:shop/pr-11/web"]
        {
            assert!(!Marker::is_of(other, "shop", "pr-1"), "{other}");
        }
        assert!(Marker::is_of("envc:shop/pr-1/other x", "shop", "pr-1"));
    }

    #[test]
    fn what_is_too_long_is_digests_of_one_length_that_tell_labels_and_environments_apart() {
        let (label, env) = ("l".repeat(127), "e".repeat(40));
        let long = Marker { project: "p", env: &env, label: &label };
        let text = long.within(100);
        assert_eq!(text.len(), MARKER.digests().len());
        assert!(text.len() <= 40 && long.begins(&format!("{text} own words")), "{text}");
        assert!(Marker::is_of(&text, "p", &env) && !Marker::is_of(&text, "q", &env));
        let other = Marker { label: "m", ..long };
        assert!(!other.begins(&text) && Marker::is_of(&other.digests(), "p", &env));
        let fits = MARKER.to_string().len();
        assert_eq!(MARKER.within(fits), MARKER.to_string());
        assert_eq!(MARKER.within(fits - 1), MARKER.digests());
    }
}
