//! In which order the rules of a tunnel stand, and when two orders mean the same.
//!
//! cloudflared goes through the rules from the top and takes the first that fits
//! (`FindMatchingRule`). A host fits as it is written; `*.x` fits every host that ends in `.x`, of
//! any depth, and not `x` itself (`matchHost`); no host, or `*`, fits all. A path is a regular
//! expression that may match anywhere in the request's path, unless `^` binds it to its beginning
//! (`Matches`). Source: cloudflared's `ingress/ingress.go` and `ingress/rule.go`, checked November
//! 2026.
//!
//! So what is narrower stands before what is wider ([`ordered`]): a host before a wildcard, a
//! deeper wildcard before a wider one, and of one host a path before none. Of two hosts one holds
//! the other or they have nothing in common, so that this is whole. Of two paths of one host the one
//! that begins with more plain characters stands first, since a narrower one has at least as many;
//! where that says nothing, the spec's order stays.
//!
//! Two orders mean the same where one comes from the other by swapping neighbours that no request
//! fits both, or that lead to the same: [`canonical`] gives one order for all of these.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::Value as Json;

/// Rules with the narrower before the wider; `of` gives a rule's host and path, empty for none.
pub(super) fn ordered<T>(rules: Vec<T>, of: impl Fn(&T) -> (&str, &str)) -> Vec<T> {
    // The rules of one host stand together, where the first of them stood.
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    let mut placed = Vec::with_capacity(rules.len());
    for (at, rule) in rules.into_iter().enumerate() {
        let (host, path) = of(&rule);
        let at = *first.entry(host.to_owned()).or_insert(at);
        placed.push(((Host::of(host).breadth(), at, Path::of(path).breadth()), rule));
    }
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, rule)| rule).collect()
}

/// Rules of the API in the one order that stands for all which mean the same.
///
/// Invariant: the order of two rules that depend on each other is kept; it is the first of all such
/// orders, by the rules' texts.
pub(super) fn canonical(rules: &[Json]) -> Vec<Json> {
    let fits: Vec<Fits> = rules.iter().map(Fits::of).collect();
    let depend = |(one, a): (&Fits, &Json), (other, b): (&Fits, &Json)| {
        let same = |field: &str| a.get(field) == b.get(field);
        one.meets(other) && !(same("service") && same(super::origin::FIELD))
    };
    let all: Vec<(&Fits, &Json)> = fits.iter().zip(rules).collect();
    let mut before: Vec<usize> = Vec::with_capacity(all.len());
    for (at, rule) in all.iter().enumerate() {
        before.push(all.iter().take(at).filter(|other| depend(**other, *rule)).count());
    }
    let text = |at: usize| all.get(at).map(|(_, rule)| rule.to_string()).unwrap_or_default();
    let free = before.iter().enumerate().filter(|(_, before)| **before == 0);
    let mut ready: BTreeSet<(String, usize)> = free.map(|(at, _)| (text(at), at)).collect();
    let mut out = Vec::with_capacity(all.len());
    while let Some((_, at)) = ready.pop_first() {
        let Some(rule) = all.get(at) else { continue };
        out.push(rule.1.clone());
        for (later, other) in all.iter().enumerate().skip(at + 1) {
            let Some(left) = before.get_mut(later).filter(|_| depend(*rule, *other)) else {
                continue;
            };
            *left -= 1;
            if *left == 0 {
                ready.insert((text(later), later));
            }
        }
    }
    out
}

/// What a rule fits.
struct Fits {
    host: Host,
    path: Path,
}

impl Fits {
    fn of(rule: &Json) -> Self {
        let text = |field: &str| rule.get(field).and_then(Json::as_str).unwrap_or_default();
        Self { host: Host::of(text("hostname")), path: Path::of(text("path")) }
    }

    /// False where no request fits both.
    fn meets(&self, other: &Self) -> bool {
        self.host.meets(&other.host) && self.path.meets(&other.path)
    }
}

/// The hosts that a rule fits.
#[derive(Debug, PartialEq, Eq)]
enum Host {
    One(String),
    /// All that end like this; it begins with a dot.
    Below(String),
    All,
}

impl Host {
    fn of(text: &str) -> Self {
        match text {
            "" | "*" => Self::All,
            _ => match text.strip_prefix('*').filter(|rest| rest.starts_with('.')) {
                Some(end) => Self::Below(end.to_owned()),
                None => Self::One(text.to_owned()),
            },
        }
    }

    /// Smaller where it is narrower, of two that meet.
    fn breadth(&self) -> (u8, Reverse<usize>) {
        match self {
            Self::One(_) => (0, Reverse(0)),
            Self::Below(end) => (1, Reverse(end.matches('.').count())),
            Self::All => (2, Reverse(0)),
        }
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, _) | (_, Self::All) => true,
            (Self::One(a), Self::One(b)) => a == b,
            (Self::One(host), Self::Below(end)) | (Self::Below(end), Self::One(host)) => {
                host.ends_with(end)
            }
            (Self::Below(a), Self::Below(b)) => a.ends_with(b) || b.ends_with(a),
        }
    }
}

/// What follows the plain characters of an expression, the narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rest {
    /// The end of the path.
    End,
    /// What may match this or that.
    More,
    /// Nothing: they are the whole expression.
    Nothing,
}

/// The paths that a rule fits, as far as its expression says so by plain characters.
#[derive(Debug, PartialEq, Eq)]
struct Path {
    /// It begins where the request's path begins.
    anchored: bool,
    /// The characters that a match begins with.
    plain: String,
    /// What follows them.
    rest: Rest,
    /// No expression, or one that says nothing: every path.
    all: bool,
}

impl Path {
    fn of(text: &str) -> Self {
        if has_branches(text) {
            return Self { anchored: false, plain: String::new(), rest: Rest::More, all: false };
        }
        let (anchored, rest) = match text.strip_prefix('^') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (plain, rest) = beginning(rest);
        // Every path begins with a slash.
        let all = rest == Rest::Nothing && matches!(&*plain, "" | "/");
        Self { anchored, plain, rest, all }
    }

    /// Smaller where it is narrower, as far as that shows.
    fn breadth(&self) -> (bool, Reverse<usize>, Rest, bool) {
        (self.all, Reverse(self.plain.len()), self.rest, !self.anchored)
    }

    fn meets(&self, other: &Self) -> bool {
        let both = self.anchored && other.anchored;
        !both || self.plain.starts_with(&other.plain) || other.plain.starts_with(&self.plain)
    }
}

/// True where an expression is several, one of which has to match.
fn has_branches(text: &str) -> bool {
    let (mut depth, mut in_class, mut chars) = (0_usize, false, text.chars());
    while let Some(character) = chars.next() {
        match character {
            // What is quoted to its end is not looked into.
            '\\' if chars.next() == Some('Q') => return true,
            '\\' => {}
            '[' => in_class = true,
            ']' => in_class = false,
            _ if in_class => {}
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

/// The plain characters that every match of an expression begins with, and what follows them.
fn beginning(text: &str) -> (String, Rest) {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(character) = chars.next() {
        match character {
            '\\' => match chars.next().filter(char::is_ascii_punctuation) {
                Some(escaped) => plain.push(escaped),
                None => return (plain, Rest::More), // a class, such as \d
            },
            // What stands before it need not be there.
            '*' | '?' | '{' => {
                plain.pop();
                return (plain, Rest::More);
            }
            '$' if chars.as_str().is_empty() => return (plain, Rest::End),
            '.' | '[' | ']' | '(' | ')' | '+' | '}' | '|' | '^' | '$' => {
                return (plain, Rest::More);
            }
            _ => plain.push(character),
        }
    }
    (plain, Rest::Nothing)
}

#[cfg(test)]
mod tests;
