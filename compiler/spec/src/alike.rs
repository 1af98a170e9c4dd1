//! Names that two environments could share: pattern against pattern, over all IDs of all types.
//!
//! A type is resolved with one ID, so equal names inside it show by themselves. That `shop-{env}`
//! of the branch `blue` is the `shop-blue` of production shows here.

use std::{borrow::Cow, collections::BTreeMap};

use envc_core::{Diagnostic, Diagnostics, KindId, PhysicalName, Span};
use envc_kinds::kind;

use crate::{
    Environment, TypeHead, codes,
    collisions::declared,
    meet::{ID, Ids, Machine, NUMBER},
    resolver::Patterns,
};

/// What all comparisons of one spec may cost: a pair of names 1, a pair of states [`STATES_COST`].
/// A spec of 10,000 names as people write them takes a thousandth of it.
const BUDGET: usize = 4_000_000;
/// A pair of states costs as much as so many looks at two texts.
const STATES_COST: usize = 20;
/// So much it costs to read two patterns.
const READING_COST: usize = 200;

/// The names of all types.
#[derive(Debug, Default)]
pub(crate) struct Alike {
    types: Vec<(String, Ids)>,
    /// By what is named and the pattern: who has it.
    names: BTreeMap<(What, String), Vec<Holder>>,
}

/// What has a name: names of different things never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Kind(KindId),
    Script,
    Route,
    Domain,
}

impl What {
    fn noun(self) -> &'static str {
        match self {
            Self::Kind(id) => kind(id).noun(),
            Self::Script => "Worker script",
            Self::Route => "route",
            Self::Domain => "domain",
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Kind(_) | Self::Script => codes::NAME_COLLISION,
            Self::Route | Self::Domain => codes::HOST_COLLISION,
        }
    }
}

/// A type in which something has a name.
#[derive(Clone, Debug)]
struct Holder {
    /// Its place among the types.
    of: usize,
    /// The name with the ID that the type was resolved with.
    sample: String,
    span: Span,
}

/// A pattern with its holders; what stands before and behind the open places.
#[derive(Debug)]
struct Name<'n> {
    what: What,
    pattern: &'n str,
    before: &'n str,
    behind: &'n str,
    holders: &'n [Holder],
}

impl Alike {
    /// Adds the names of a type.
    pub(crate) fn add(&mut self, head: &TypeHead, environment: &Environment, patterns: &Patterns) {
        let of = self.types.len();
        self.types.push((head.name.clone(), Ids::of(head)));
        let mut put = |what, sample: &str, pattern: String, span| {
            let holder = Holder { of, sample: sample.to_owned(), span };
            self.names.entry((what, pattern)).or_default().push(holder);
        };
        for desired in declared(environment).filter(|it| it.is_managed()) {
            if desired.name.is_empty() || desired.parent.is_some() {
                continue;
            }
            let what = What::Kind(desired.address.kind());
            if desired.default_name {
                let label = desired.address.name();
                let pattern = default_pattern(&environment.prefix, label);
                put(what, &desired.name, pattern, desired.span);
                continue;
            }
            let host = host_of(what, &desired.name);
            let tag = desired.name.strip_suffix(host).unwrap_or_default();
            for pattern in patterns.of(host) {
                put(what, &desired.name, format!("{tag}{pattern}"), desired.span);
            }
        }
        for worker in &environment.workers {
            let script = [(What::Script, &worker.script)].into_iter();
            let routes = worker.routes.iter().map(|host| (What::Route, host));
            let domains = worker.domains.iter().map(|host| (What::Domain, host));
            for (what, name) in script.chain(routes).chain(domains) {
                if what == What::Script && worker.default_name {
                    let pattern = default_pattern(&environment.prefix, &worker.name);
                    put(what, name, pattern, worker.span);
                    continue;
                }
                for pattern in patterns.of(name) {
                    put(what, name, pattern.to_owned(), worker.span);
                }
            }
        }
    }

    /// Reports each name that could be another one's.
    pub(crate) fn report(&self, found: &mut Diagnostics) {
        let mut budget = BUDGET;
        let all: Vec<Name<'_>> =
            self.names.iter().map(|(key, holders)| name(key, holders)).collect();
        for names in all.chunk_by(|a, b| a.what == b.what) {
            for (a, b) in pairs(names, &mut budget) {
                if found.is_full() {
                    return;
                }
                if budget == 0 {
                    break;
                }
                found.extend(self.clash(a, b, &mut budget));
            }
            if budget == 0 {
                let Some(holder) = names.first().and_then(|name| name.holders.first()) else {
                    return;
                };
                let Some(what) = names.first().map(|name| name.what) else { return };
                let message = format!(
                    "the names of {} {}s are too much alike to be compared",
                    names.len(),
                    what.noun()
                );
                found.push(
                    Diagnostic::error(what.code(), holder.span, message)
                        .help("leave `name=` out, or begin each name with something of its own"),
                );
                return;
            }
        }
    }

    /// The mistake of two patterns that could give one name, once.
    fn clash(&self, a: &Name<'_>, b: &Name<'_>, budget: &mut usize) -> Option<Diagnostic> {
        for one in a.holders {
            for other in b.holders {
                let types = self.types.get(one.of).zip(self.types.get(other.of));
                let Some(((type_a, ids_a), (type_b, ids_b))) = types else { continue };
                let same_type = one.of == other.of;
                // Reported where the type is resolved, or where fixed types are compared.
                let seen = same_type && collide(a.what, &one.sample, &other.sample);
                if seen || (ids_a.fixed().is_some() && ids_b.fixed().is_some()) {
                    continue;
                }
                let (first, second) = (ids_a.put_into(a.pattern), ids_b.put_into(b.pattern));
                if !tags_collide(a.what, &first, &second) {
                    continue;
                }
                // The types' IDs never meet: that one name with the other's own ID is no case.
                let with = |pattern: &str, id: Option<&str>| id.map(|id| pattern.replace(ID, id));
                let own = with(a.pattern, ids_b.fixed()).is_some_and(|name| name == second)
                    || with(b.pattern, ids_a.fixed()).is_some_and(|name| name == first);
                if own && !same_type {
                    continue;
                }
                // Two IDs with randomness in them never end alike.
                let random = [ids_a, ids_b].iter().all(|ids| **ids == Ids::Branch { unique: true });
                if random && a.behind.len() == b.behind.len() && !a.is_fixed() && !b.is_fixed() {
                    continue;
                }
                *budget = budget.saturating_sub(READING_COST);
                let (one_host, other_host) = (host_of(a.what, &first), host_of(b.what, &second));
                let mut states = *budget / STATES_COST;
                let before = states;
                let read = Machine::of(one_host, ids_a);
                let meet = read.meets(&Machine::of(other_host, ids_b), &mut states);
                *budget = budget.saturating_sub((before - states) * STATES_COST);
                match meet {
                    Some(false) => {}
                    Some(true) => return Some(mistake(a, one, type_a, b, other, type_b)),
                    None => {
                        *budget = 0;
                        return None;
                    }
                }
            }
        }
        None
    }
}

impl Name<'_> {
    /// True where nothing is open.
    fn is_fixed(&self) -> bool {
        !self.pattern.contains([ID, NUMBER])
    }
}

fn default_pattern(prefix: &str, label: &str) -> String {
    PhysicalName { project: prefix, label, env: "\u{1}" }.to_string()
}

fn name<'n>((what, pattern): &'n (What, String), holders: &'n [Holder]) -> Name<'n> {
    let host = host_of(*what, pattern);
    let hole = |c| matches!(c, ID | NUMBER);
    let (before, behind) = match (host.find(hole), host.rfind(hole)) {
        (Some(first), Some(last)) => {
            (host.get(..first).unwrap_or_default(), host.get(last + 1..).unwrap_or_default())
        }
        _ => (host, host),
    };
    Name { what: *what, pattern, before, behind, holders }
}

/// The pairs that have nothing fixed at their ends that tells them apart. They are walked in the
/// order of whichever end tells more of them apart; the back is looked at only where the front
/// does not tell nearly all apart.
fn pairs<'p, 'n>(names: &'p [Name<'n>], budget: &mut usize) -> Vec<(&'p Name<'n>, &'p Name<'n>)> {
    type Ends<'e> = Vec<(Cow<'e, str>, usize)>;
    let front = |name: &Name<'n>| Cow::Borrowed(name.before);
    let back = |name: &Name<'n>| Cow::Owned(name.behind.chars().rev().collect::<String>());
    let sorted = |end: &dyn Fn(&Name<'n>) -> Cow<'n, str>| {
        let mut all: Ends<'n> =
            names.iter().enumerate().map(|(at, name)| (end(name), at)).collect();
        all.sort();
        all
    };
    // Those whose end begins with this one's follow it.
    let runs = |all: &Ends<'_>| -> Vec<usize> {
        let run = |(at, (end, _)): (usize, &(Cow<'_, str>, usize))| {
            let rest = all.get(at + 1..).unwrap_or_default();
            rest.partition_point(|(other, _)| other.starts_with(end.as_ref()))
        };
        all.iter().enumerate().map(run).collect()
    };
    let cost = |runs: &[usize]| runs.iter().sum::<usize>();
    let mut all = sorted(&front);
    let mut runs_of = runs(&all);
    if cost(&runs_of) > names.len() {
        let by_back = sorted(&back);
        let backs = runs(&by_back);
        if cost(&backs) < cost(&runs_of) {
            (all, runs_of) = (by_back, backs);
        }
    }
    let mut out = Vec::new();
    // Whether it can be paid is known before any of it is done.
    *budget = budget.saturating_sub(cost(&runs_of));
    if *budget == 0 {
        return out;
    }
    for (at, ((_, one), run)) in all.iter().zip(&runs_of).enumerate() {
        for (_, other) in all.iter().skip(at + 1).take(*run) {
            let Some((a, b)) = names.get(*one).zip(names.get(*other)) else { continue };
            if may_meet(a, b) {
                out.push((a, b));
            }
        }
    }
    out
}

fn may_meet(a: &Name<'_>, b: &Name<'_>) -> bool {
    let (short, long) = if a.before.len() < b.before.len() { (a, b) } else { (b, a) };
    if !long.before.starts_with(short.before) {
        return false;
    }
    let (short, long) = if a.behind.len() < b.behind.len() { (a, b) } else { (b, a) };
    long.behind.ends_with(short.behind)
}

/// The part of a natural key that holds the name: what follows a record's type, else all.
fn host_of(what: What, name: &str) -> &str {
    match what {
        What::Kind(id) => kind(id).contested(name),
        What::Script | What::Route | What::Domain => name,
    }
}

/// True when two names of a kind stand in each other's way.
fn collide(what: What, a: &str, b: &str) -> bool {
    match what {
        What::Kind(id) => kind(id).collides(a, b),
        What::Script | What::Route | What::Domain => a == b,
    }
}

/// True when two records of these types would collide under one host; other kinds always do.
fn tags_collide(what: What, a: &str, b: &str) -> bool {
    let tag = |name: &str| name.strip_suffix(host_of(what, name)).unwrap_or_default().to_owned();
    collide(what, &format!("{}host", tag(a)), &format!("{}host", tag(b)))
}

fn mistake(
    a: &Name<'_>,
    one: &Holder,
    type_a: &str,
    b: &Name<'_>,
    other: &Holder,
    type_b: &str,
) -> Diagnostic {
    // The one that is declared later is the mistake.
    let ((late, at, of), (early, place, others)) = if one.span.start < other.span.start {
        ((b, other, type_b), (a, one, type_a))
    } else {
        ((a, one, type_a), (b, other, type_b))
    };
    let shown = |name: &Name<'_>| {
        host_of(name.what, name.pattern).replace(ID, "{env}").replace(NUMBER, "{env.pr}")
    };
    let whose = if of == others {
        format!("two environments of `{of}`")
    } else {
        format!("an environment of `{of}` and one of `{others}`")
    };
    let message = format!(
        "{whose} could have one {}: `{}` can be `{}`",
        late.what.noun(),
        shown(late),
        shown(early)
    );
    Diagnostic::error(late.what.code(), at.span, message)
        .at(format!("`{}`, with one ID", shown(late)))
        .label(place.span, format!("`{}`, with another", shown(early)))
        .help(
            "keep them apart by two dashes, which no ID holds, such as \"worker--{env}\", or by \
             `unique` in the identity; without `name=` no two names meet",
        )
}
