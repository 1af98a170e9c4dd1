//! The name of a resource in the account: `{project}--{label}--{env}`.
//!
//! Invariant: no part holds `--`, and none begins or ends with `-`. So three other parts make
//! another name, and a name reads back into the parts that it was made of: the first two dashes
//! that stand together end the project, the next two the label. Whoever makes a name checks its
//! parts with [`PartProblem::of`] first.

use std::fmt;

/// Stands between the parts of a name.
pub const SEPARATOR: &str = "--";

/// The parts of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhysicalName<'a> {
    /// The project, or the short form that takes its place.
    pub project: &'a str,
    /// The label of the resource in the spec.
    pub label: &'a str,
    /// The environment's ID.
    pub env: &'a str,
}

/// Why a text cannot be a part of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartProblem {
    /// Nothing.
    Empty,
    /// It holds what stands between parts.
    Separator,
    /// It begins or ends with a dash, which would stand beside the separator.
    Edge,
}

impl PartProblem {
    /// What is wrong with a text as a part of a name, or nothing.
    pub fn of(part: &str) -> Option<Self> {
        if part.is_empty() {
            return Some(Self::Empty);
        }
        if part.contains(SEPARATOR) {
            return Some(Self::Separator);
        }
        (part.starts_with('-') || part.ends_with('-')).then_some(Self::Edge)
    }
}

impl<'a> PhysicalName<'a> {
    /// Reads a name back. `None` for a name that is not of this form: it was made by somebody
    /// else, by a user's own `name=`, or by a version that joined the parts with one dash.
    pub fn parse(name: &'a str) -> Option<Self> {
        let mut parts = name.split(SEPARATOR);
        let (project, label, env) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = parts.next().is_none();
        let good = |part: &str| PartProblem::of(part).is_none();
        (whole && [project, label, env].into_iter().all(good)).then_some(Self {
            project,
            label,
            env,
        })
    }

    /// The name that the first version gave: one dash between the parts, so that other parts may
    /// give it, too. It tells where to look, and proves nothing.
    pub fn of_first_version(&self) -> String {
        format!("{}-{}-{}", self.project, self.label, self.env)
    }
}

impl fmt::Display for PhysicalName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{SEPARATOR}{}{SEPARATOR}{}", self.project, self.label, self.env)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::SplitMix64;

    /// The same numbers in every run.
    struct Numbers(SplitMix64);

    impl Numbers {
        fn below(&mut self, end: usize) -> usize {
            usize::try_from(self.0.next_number() % end as u64).unwrap()
        }

        /// A short part of few characters, so that parts meet often.
        fn part(&mut self) -> String {
            const PIECES: [&str; 10] = ["-", "--", "a", "b", "0", "1", "xn", "_", "a-b", "---"];
            (0..self.below(6)).map(|_| PIECES[self.below(PIECES.len())]).collect()
        }
    }

    #[test]
    fn what_is_not_refused_is_injective_and_reads_back() {
        let mut numbers = Numbers(SplitMix64(10));
        let mut made: BTreeMap<String, [String; 3]> = BTreeMap::new();
        let (mut good, mut refused) = (0, 0);
        for _ in 0..60_000 {
            let parts = [numbers.part(), numbers.part(), numbers.part()];
            if parts.iter().any(|part| PartProblem::of(part).is_some()) {
                refused += 1;
                continue;
            }
            good += 1;
            let [project, label, env] = &parts;
            let name = PhysicalName { project, label, env };
            let text = name.to_string();
            assert_eq!(PhysicalName::parse(&text), Some(name), "{text}");
            let before = made.entry(text).or_insert_with(|| parts.clone());
            assert_eq!(*before, parts);
        }
        assert!(good > 2_000 && refused > 2_000, "{good} {refused}");
        // Fewer names than triples: the same triple came again, and gave the same name.
        assert!(made.len() < good);
    }

    #[test]
    fn dashes_at_every_place_of_every_part_are_refused_or_read_back() {
        let parts = |dashes: &'static str| {
            ["ab", "a", "xn", "7", "p0"].into_iter().flat_map(move |word| {
                (0..=word.len()).map(move |at| {
                    let (before, after) = word.split_at(at);
                    format!("{before}{dashes}{after}")
                })
            })
        };
        for dashes in ["-", "--", "---"] {
            for odd in parts(dashes) {
                for place in 0..3 {
                    let mut texts = ["shop".to_owned(), "db".to_owned(), "pr-1".to_owned()];
                    texts[place].clone_from(&odd);
                    let [project, label, env] = &texts;
                    let name = PhysicalName { project, label, env };
                    let inside = !odd.starts_with('-') && !odd.ends_with('-');
                    let fine = inside && dashes == "-";
                    assert_eq!(PartProblem::of(&odd).is_none(), fine, "{odd}");
                    let read = PhysicalName::parse(&name.to_string()).map(|name| name.to_string());
                    assert_eq!(
                        PhysicalName::parse(&name.to_string()) == Some(name),
                        fine,
                        "{name} reads as {read:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn other_names_do_not_read_back() {
        for other in [
            "",
            "shop",
            "shop-db-pr-1",
            "shop--db",
            "--db--pr-1",
            "shop----pr-1",
            "shop--db--",
            "shop--db--pr--1",
            "shop---db--pr-1",
            "shop--db---pr-1",
            "shop--db--pr-1-",
        ] {
            assert_eq!(PhysicalName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn names_of_the_first_version_are_the_same_for_other_parts() {
        let one = PhysicalName { project: "shop", label: "api-db", env: "pr-1" };
        let other = PhysicalName { project: "shop-api", label: "db", env: "pr-1" };
        assert_eq!(one.of_first_version(), other.of_first_version());
        assert_ne!(one.to_string(), other.to_string());
    }
}
