//! Whether two texts with open places can be one text: patterns of IDs, and of names that hold an
//! ID. Both are regular languages, so the states that the two can be in together are walked.

use std::collections::BTreeSet;

use envc_core::limits;

use crate::{Identity, TypeHead};

/// Stands in a pattern for the environment's ID. No spec holds it: names and identities with
/// control characters are mistakes.
pub(crate) const ID: char = '\u{1}';
/// Stands in a pattern for the number of a pull request.
pub(crate) const NUMBER: char = '\u{2}';
/// `{env.pr}` as the pattern of an identity has it.
const PR: &str = "{env.pr}";

/// The IDs that a type can give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// One ID, or one for each number; [`NUMBER`] stands for it.
    Text(String),
    /// Any branch's.
    Branch {
        /// With time and randomness at the end.
        unique: bool,
    },
}

impl Ids {
    /// The IDs of a type.
    pub(crate) fn of(head: &TypeHead) -> Self {
        match &head.identity {
            Identity::Text { pattern, .. } => Self::Text(pattern.replace(PR, "\u{2}")),
            Identity::Branch { unique, .. } => Self::Branch { unique: *unique },
        }
    }

    /// The one ID of a type whose ID is fixed.
    pub(crate) fn fixed(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()).filter(|text| !text.contains(NUMBER)),
            Self::Branch { .. } => None,
        }
    }

    /// A pattern with these IDs in it: what stays open is a branch's ID, or a number.
    pub(crate) fn put_into(&self, pattern: &str) -> String {
        match self {
            Self::Text(text) => pattern.replace(ID, text),
            Self::Branch { .. } => pattern.to_owned(),
        }
    }
}

/// True when an ID could be one of an identity's pattern.
pub(crate) fn fits(id: &str, pattern: &str) -> bool {
    patterns_meet(id, pattern)
}

/// True when two patterns of identities have an ID in common.
pub(crate) fn patterns_meet(a: &str, b: &str) -> bool {
    let none = Ids::Text(String::new());
    let read = |pattern: &str| Machine::of(&pattern.replace(PR, "\u{2}"), &none);
    read(a).meets(&read(b), &mut usize::MAX.clone()).unwrap_or(true)
}

/// A class of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Char(char),
    /// The first digit of a number: not 0.
    First,
    Digit,
    /// A random digit.
    Hex,
    /// What an ID holds besides dashes.
    Alnum,
}

impl Class {
    fn has(self, c: char) -> bool {
        match self {
            Self::Char(own) => own == c,
            Self::First => matches!(c, '1'..='9'),
            Self::Digit => c.is_ascii_digit(),
            Self::Hex => matches!(c, '0'..='9' | 'a'..='f'),
            Self::Alnum => c.is_ascii_digit() || c.is_ascii_lowercase(),
        }
    }

    /// True when one character is in both.
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Char(c), class) | (class, Self::Char(c)) => class.has(c),
            // Each of the others has the digits from 1 on.
            _ => true,
        }
    }
}

/// A pattern as steps from state to state. The last state is the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Machine {
    steps: Vec<Vec<(Class, usize)>>,
}

impl Machine {
    /// Reads a pattern whose IDs were put into it; what is open is a branch's ID or a number.
    pub(crate) fn of(pattern: &str, ids: &Ids) -> Self {
        let unique = matches!(ids, Ids::Branch { unique: true });
        let mut out = Self { steps: vec![Vec::new()] };
        for c in pattern.chars() {
            match c {
                ID => out.id(unique),
                NUMBER => {
                    out.step(Class::First);
                    out.stay(Class::Digit);
                }
                c => out.step(Class::Char(c)),
            }
        }
        out
    }

    fn end(&self) -> usize {
        self.steps.len().saturating_sub(1)
    }

    fn add(&mut self, from: usize, class: Class, to: usize) {
        if let Some(steps) = self.steps.get_mut(from) {
            steps.push((class, to));
        }
    }

    fn step(&mut self, class: Class) {
        let from = self.end();
        self.steps.push(Vec::new());
        self.add(from, class, from + 1);
    }

    /// Any number of further characters.
    fn stay(&mut self, class: Class) {
        let end = self.end();
        self.add(end, class, end);
    }

    /// Words with single dashes between them: an ID holds no `--`, and no dash at its ends.
    fn id(&mut self, unique: bool) {
        let begin = self.end();
        self.step(Class::Alnum);
        self.stay(Class::Alnum);
        let word = self.end();
        self.add(word, Class::Char('-'), begin);
        if unique {
            // A branch's part, a dash, six digits of time, four random ones.
            let digits = limits::ID_UNIQUE_CHARS - 1;
            self.step(Class::Char('-'));
            for digit in 0..digits {
                self.step(if digit < digits - CHANCE { Class::Alnum } else { Class::Hex });
            }
        }
    }

    /// True when some text fits both. Each pair of states costs one of the budget; `None` when it
    /// is spent.
    pub(crate) fn meets(&self, other: &Self, budget: &mut usize) -> Option<bool> {
        let mut seen = BTreeSet::new();
        let mut open = vec![(0, 0)];
        while let Some((i, j)) = open.pop() {
            if !seen.insert((i, j)) {
                continue;
            }
            *budget = budget.checked_sub(1)?;
            if i == self.end() && j == other.end() {
                return Some(true);
            }
            let steps = self.steps.get(i).zip(other.steps.get(j));
            for (one, to) in steps.iter().flat_map(|(steps, _)| steps.iter()) {
                for (class, next) in steps.iter().flat_map(|(_, steps)| steps.iter()) {
                    if one.meets(*class) {
                        open.push((*to, *next));
                    }
                }
            }
        }
        Some(false)
    }
}

/// Random hex digits at the end of an ID.
const CHANCE: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_meet_where_one_number_can_be_the_other() {
        assert!(patterns_meet("pr-{env.pr}", "pr-{env.pr}"));
        assert!(patterns_meet("pr-{env.pr}", "pr-1{env.pr}"));
        assert!(patterns_meet("pr-{env.pr}", "pr-12"));
        assert!(patterns_meet("{env.pr}0", "1{env.pr}"));
        assert!(!patterns_meet("pr-{env.pr}", "pr-0"));
        assert!(!patterns_meet("pr-{env.pr}", "pr-012"));
        assert!(!patterns_meet("pr-{env.pr}", "pr-"));
        assert!(!patterns_meet("pr-{env.pr}", "pr-{env.pr}-x"));
        assert!(!patterns_meet("a-{env.pr}", "b-{env.pr}"));
        assert!(fits("pr-7", "pr-{env.pr}") && !fits("pr-7", "pr-8") && fits("x", "x"));
    }

    fn names_meet(a: &str, a_ids: &Ids, b: &str, b_ids: &Ids) -> bool {
        let read = |pattern: &str, ids: &Ids| {
            Machine::of(&ids.put_into(&pattern.replace("{env}", "\u{1}")), ids)
        };
        read(a, a_ids).meets(&read(b, b_ids), &mut usize::MAX.clone()).unwrap()
    }

    #[test]
    fn names_meet_where_an_id_can_end_as_another_name_does() {
        let branch = Ids::Branch { unique: false };
        let unique = Ids::Branch { unique: true };
        let pr = Ids::Text("pr-\u{2}".into());
        let one = Ids::Text("production".into());
        for (a, ids, b, others, meet) in [
            // `pr-11` with a 1 behind it less.
            ("shop-{env}1", &pr, "shop-{env}", &pr, true),
            ("shop-{env}-1", &pr, "shop-{env}", &pr, false),
            ("shop-{env}-x", &branch, "shop-{env}", &branch, true),
            ("shop-{env}-x", &unique, "shop-{env}", &unique, false),
            ("shop-{env}-1234560abc", &unique, "shop-{env}", &unique, true),
            ("shop-{env}-123456wxyz", &unique, "shop-{env}", &unique, false),
            ("{env}", &branch, "api", &one, true),
            ("{env}", &unique, "api", &one, false),
            ("{env}", &pr, "pr-api", &one, false),
            ("x-{env}", &branch, "{env}-y", &branch, true),
            // No ID holds two dashes, so they keep names apart.
            ("x--{env}", &branch, "{env}", &branch, false),
            ("x--{env}", &branch, "{env}--y", &branch, true),
            ("x--a--{env}", &branch, "x--b--{env}", &branch, false),
            ("x--a--{env}", &branch, "x-{env}", &branch, false),
            ("x-{env}", &one, "x-production", &branch, true),
        ] {
            assert_eq!(names_meet(a, ids, b, others), meet, "{a} {ids:?} and {b} {others:?}");
            assert_eq!(names_meet(b, others, a, ids), meet, "{b} {others:?} and {a} {ids:?}");
        }
    }

    #[test]
    fn a_spent_budget_is_no_answer() {
        let read = |text: &str| Machine::of(text, &Ids::Branch { unique: false });
        assert_eq!(read("a\u{1}").meets(&read("a\u{1}"), &mut 1), None);
    }
}
