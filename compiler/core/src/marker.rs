//! The marker by which envc knows its own: `envc:PROJECT/ID/LABEL@REPOSITORY`, at the beginning of a
//! comment or in a variable.
//!
//! ```text
//! envc:shop/pr-1/web@3f2a9c01 the shop ........... a user's own words follow behind a blank
//! envc:~PROJECT-AND-ID/LABEL@3f2a9c01 ............ 16 hex digits each, where the other is too long
//! ```
//!
//! REPOSITORY is the first eight hex digits of the SHA-256 of the repository's identity, such as
//! `github.com/acme/shop`: two repositories may name a project alike, and fix the same ID.
//!
//! Invariant: two markers are the same text only where all four parts are the same; none of project,
//! ID and label holds a slash, a blank or an `@`, and no project begins with `~`. What accounts hold
//! is read by every later version, so the format does not change.

use std::fmt;

use crate::Digest;

/// Begins every marker.
const HEAD: &str = "envc:";
/// Stands for the project where digests take the place of the parts.
const DIGESTS: &str = "~";
/// Hex digits of each digest.
const DIGITS: usize = 16;
/// Stands before the repository.
const AT: char = '@';
/// Hex digits of the repository.
const REPOSITORY_DIGITS: usize = 8;

/// What a marker says of the repository: the first eight hex digits of the SHA-256 of its identity.
/// It tells repositories of one account apart; that somebody forges a marker it does not hinder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepositoryDigest(u32);

impl RepositoryDigest {
    /// Stands where no repository is known, because nothing is compared with an account:
    /// `00000000`.
    pub const UNKNOWN: Self = Self(0);

    /// Of a repository's identity.
    pub fn of(repository: &str) -> Self {
        let digest = Digest::of(repository);
        let digits = digest.as_str().get(..REPOSITORY_DIGITS).unwrap_or_default();
        Self::read(digits).unwrap_or_default()
    }

    /// Reads it as it is written, and in no other way.
    fn read(digits: &str) -> Option<Self> {
        let is_digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
        let written = digits.len() == REPOSITORY_DIGITS && digits.bytes().all(is_digit);
        u32::from_str_radix(digits, 16).ok().filter(|_| written).map(Self)
    }
}

impl fmt::Display for RepositoryDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$x}", self.0, width = REPOSITORY_DIGITS)
    }
}

/// What a marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker<'a> {
    /// The project's name.
    pub project: &'a str,
    /// The environment's ID.
    pub env: &'a str,
    /// The resource's name in the spec.
    pub label: &'a str,
    /// The repository whose project it is.
    pub repository: RepositoryDigest,
}

impl Marker<'_> {
    /// The text of at most so many characters: itself, else its digests.
    pub fn within(&self, max: usize) -> String {
        let text = self.to_string();
        if text.chars().count() <= max { text } else { self.digests() }
    }

    /// The digests that take its place.
    pub fn digests(&self) -> String {
        let Self { project, env, label, repository } = *self;
        format!("{}{}{AT}{repository}", digested(project, env), digest(label))
    }

    /// True when a text begins with exactly this marker, alone or followed by other words.
    pub fn begins(&self, text: &str) -> bool {
        let word = first_word(text);
        word.starts_with(HEAD) && (word == self.to_string() || word == self.digests())
    }
}

/// A marker as it is found: of a resource that nobody here may have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundMarker<'t> {
    /// The whole marker, without the words behind it.
    pub text: &'t str,
    /// The repository that it says it is of.
    pub repository: RepositoryDigest,
}

impl<'t> FoundMarker<'t> {
    /// The marker that a text begins with. One that names no repository is none.
    pub fn at_head(text: &'t str) -> Option<Self> {
        let text = first_word(text);
        let (parts, repository) = text.strip_prefix(HEAD)?.rsplit_once(AT)?;
        let repository = RepositoryDigest::read(repository)?;
        let mut each = parts.split('/');
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|it| it.is_ascii_graphic() && it != b'@')
        };
        let count = if parts.starts_with(DIGESTS) { 2 } else { 3 };
        let whole = each.clone().count() == count && each.all(is_part);
        whole.then_some(Self { text, repository })
    }

    /// True for one of this environment, whatever its label and its repository.
    pub fn is_of(&self, project: &str, env: &str) -> bool {
        let heads = [format!("{HEAD}{project}/{env}/"), digested(project, env)];
        heads.iter().any(|head| self.text.starts_with(head.as_str()))
    }
}

impl fmt::Display for Marker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { project, env, label, repository } = *self;
        write!(f, "{HEAD}{project}/{env}/{label}{AT}{repository}")
    }
}

/// What the digests of all markers of an environment begin with.
fn digested(project: &str, env: &str) -> String {
    format!("{HEAD}{DIGESTS}{}/", digest(&format!("{project}/{env}")))
}

fn digest(text: &str) -> String {
    Digest::of(text).as_str().chars().take(DIGITS).collect()
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const SHOP: &str = "github.com/acme/shop";
    const SHOP_DIGEST: &str = "c566806a";

    fn marker() -> Marker<'static> {
        let repository = RepositoryDigest::of(SHOP);
        Marker { project: "shop", env: "pr-1", label: "web", repository }
    }

    fn is_of(text: &str, project: &str, env: &str) -> bool {
        FoundMarker::at_head(text).is_some_and(|found| found.is_of(project, env))
    }

    #[test]
    fn the_repository_is_the_beginning_of_its_published_digest() {
        // printf %s github.com/acme/shop | sha256sum
        assert_eq!(RepositoryDigest::of(SHOP).to_string(), SHOP_DIGEST);
        // FIPS 180-2, and leading zeros are written.
        assert_eq!(RepositoryDigest::of("abc").to_string(), "ba7816bf");
        assert_eq!(RepositoryDigest(0xab).to_string(), "000000ab");
        assert_eq!(RepositoryDigest::UNKNOWN.to_string(), "00000000");
    }

    #[test]
    fn a_marker_is_known_alone_and_before_other_words_and_no_other_is_taken_for_it() {
        let own = format!("envc:shop/pr-1/web@{SHOP_DIGEST}");
        assert_eq!(marker().to_string(), own);
        for good in [own.clone(), format!("{own} the shop @ home/x"), marker().digests()] {
            assert!(marker().begins(&good) && is_of(&good, "shop", "pr-1"), "{good}");
            let found = FoundMarker::at_head(&good).unwrap();
            assert_eq!(found.repository, marker().repository);
            assert!(good.starts_with(found.text) && !found.text.contains(' '), "{good}");
        }
        for other in [
            "",
            "envc:shop/pr-1/web",
            "envc:shop/pr-1/web the shop",
            "envc:shop/pr-1/web@",
            "envc:shop/pr-1/web@ffffffff",
            "envc:shop/pr-1/we@SHOP",
            "envc:shop/pr-1/webs@SHOP",
            "envc:shop/pr-1/web@SHOP0",
            "envc:shop/pr-1/web@0SHOP",
            "envc:shop/pr-1/web@@SHOP",
            "envc:shop/pr-1/web@SHOP@SHOP",
            "envc:shop/pr-1/web@SHOP,x",
            "envc:shop/pr-1/web@SHOP/x",
            "envc:shop/pr-1/web@SHOP\tx",
            "envc:shop/pr-11/web@SHOP",
            "envc:shop-pr-1/web@SHOP",
            "x envc:shop/pr-1/web@SHOP",
            " envc:shop/pr-1/web@SHOP",
            "shop/pr-1/web@SHOP",
            "ENVC:shop/pr-1/web@SHOP",
        ] {
            let other = other.replace("SHOP", SHOP_DIGEST);
            assert!(!marker().begins(&other), "{other}");
        }
    }

    #[test]
    fn what_is_found_is_a_marker_only_as_it_is_written() {
        for other in [
            "",
            "envc:",
            "envc:@SHOP",
            "envc:shop@SHOP",
            "envc:shop/pr-1@SHOP",
            "envc:shop/pr-1/@SHOP",
            "envc:shop//web@SHOP",
            "envc:shop/pr-1/web/x@SHOP",
            "envc:shop/pr-1/w\u{1b}b@SHOP",
            "envc:~1/2/3@SHOP",
            "envc:~1@SHOP",
            "envc:shop/pr-1/web",
            "envc:shop/pr-1/web@1234567",
            "envc:shop/pr-1/web@+1234567",
            "envc:shop/pr-1/web@1234567G",
            "envc:shop/pr-1/web@1234567A",
            "words envc:shop/pr-1/web@SHOP",
        ] {
            let other = other.replace("SHOP", SHOP_DIGEST);
            assert_eq!(FoundMarker::at_head(&other), None, "{other}");
        }
        let of = |text: &str| is_of(&format!("{text}@{SHOP_DIGEST} x"), "shop", "pr-1");
        assert!(of("envc:shop/pr-1/other") && of("envc:shop/pr-1/tunnel.web"));
        for other in ["envc:shop/pr-11/web", "envc:shop-pr/1/web", "envc:shop2/pr-1/web"] {
            assert!(!of(other), "{other}");
        }
    }

    #[test]
    fn what_is_too_long_is_digests_of_one_length_that_tell_all_parts_apart() {
        let (label, env) = ("l".repeat(127), "e".repeat(40));
        let long = Marker { project: "p", env: &env, label: &label, ..marker() };
        let text = long.within(100);
        assert_eq!(text.len(), marker().digests().len());
        assert!(text.len() <= 48 && long.begins(&format!("{text} own words")), "{text}");
        assert!(is_of(&text, "p", &env) && !is_of(&text, "q", &env));
        let other = Marker { label: "m", ..long };
        assert!(!other.begins(&text) && is_of(&other.digests(), "p", &env));
        let elsewhere = Marker { repository: RepositoryDigest::of("b"), ..long };
        assert!(!elsewhere.begins(&text));
        assert_ne!(elsewhere.digests(), text);
        let fits = marker().to_string().len();
        assert_eq!(marker().within(fits), marker().to_string());
        assert_eq!(marker().within(fits - 1), marker().digests());
    }

    /// Parts and repositories from a seed, of which many are alike.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(self.0 >> 33).unwrap() % end
        }

        fn part(&mut self) -> String {
            const PIECES: [&str; 9] = ["a", "b", "-", "--", "1", ".", "ab", "_", "A"];
            let pieces: String =
                (0..self.below(4)).map(|_| PIECES[self.below(PIECES.len())]).collect();
            if self.below(40) == 0 { format!("x{pieces}").repeat(30) } else { format!("x{pieces}") }
        }
    }

    #[test]
    fn four_other_parts_are_another_marker_in_every_form() {
        let mut numbers = Numbers(7);
        let mut made: BTreeMap<String, ([String; 3], RepositoryDigest)> = BTreeMap::new();
        let repositories: Vec<RepositoryDigest> =
            [SHOP, "github.com/acme/shop-web", "a", "b"].map(RepositoryDigest::of).to_vec();
        let mut all = BTreeSet::new();
        for round in 0..5_000 {
            let parts = [numbers.part(), numbers.part(), numbers.part()];
            let repository = repositories[numbers.below(repositories.len())];
            let [project, env, label] = &parts;
            let marker = Marker { project, env, label, repository };
            let texts = [marker.to_string(), marker.digests()];
            let beginning = format!("envc:{project}/{env}/{label}");
            assert!(texts[0].starts_with(&beginning) && texts[1].len() == 48, "{texts:?}");
            for text in texts {
                for told in [text.clone(), format!("{text} own words@1"), format!("{text} ")] {
                    assert!(marker.begins(&told), "{told}");
                    let found = FoundMarker::at_head(&told).unwrap();
                    assert_eq!((found.text, found.repository), (text.as_str(), repository));
                    assert!(found.is_of(project, env), "{told}");
                }
                let before = made.entry(text).or_insert_with(|| (parts.clone(), repository));
                assert_eq!(*before, (parts.clone(), repository));
            }
            all.insert((parts.clone(), repository));
            // Each against some of the others.
            if round % 50 == 0 {
                for (text, theirs) in made.iter().step_by(37) {
                    let same = *theirs == (parts.clone(), repository);
                    assert_eq!(marker.begins(text), same, "{marker}: {text}");
                    let found = FoundMarker::at_head(text).unwrap();
                    let of_one = theirs.0[..2] == parts[..2];
                    assert_eq!(found.is_of(project, env), of_one, "{marker}: {text}");
                }
            }
        }
        // Two texts of each, and some came again.
        assert_eq!(made.len(), 2 * all.len());
        assert!(all.len() > 2_000 && all.len() < 5_000, "{}", all.len());
    }

    #[test]
    fn no_text_panics() {
        const PIECES: [&str; 11] =
            ["envc:a/b/c@", "envc:", "/", "@", "~", "a", " ", "ö", "3f2a9c01", "\0", "-"];
        let mut numbers = Numbers(3);
        let mut all = 0;
        for _ in 0..20_000 {
            let text: String =
                (0..numbers.below(12)).map(|_| PIECES[numbers.below(PIECES.len())]).collect();
            if let Some(found) = FoundMarker::at_head(&text) {
                assert!(text.starts_with(found.text) && found.text.starts_with("envc:"));
                assert!(found.text.ends_with(&format!("@{}", found.repository)));
                all += 1;
            }
        }
        assert!(all > 20, "only {all} texts had a marker");
    }
}
