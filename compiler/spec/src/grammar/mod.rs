//! The grammar of every node that no kind owns, as tables, and the whole language put together
//! with the tables of the kinds.

mod allow;
mod environment;
mod files;
mod project;

use std::collections::BTreeMap;

use envc_syntax::rule::{EMPTY, NodeRule, Repeat};

pub(crate) use allow::ALLOW;
pub(crate) use environment::{DEV, IDENTITY_WORD};

/// Rules by the name of their node.
pub(crate) type RuleSet = BTreeMap<&'static str, &'static NodeRule>;

/// The whole language.
#[derive(Debug)]
pub(crate) struct Grammar {
    /// What may stand at the top.
    pub(crate) top: RuleSet,
    /// What may stand in an `environment`.
    pub(crate) inner: RuleSet,
    /// What may stand in `existing`: each kind's own row.
    pub(crate) existing: RuleSet,
    /// What may be dropped by `without`.
    pub(crate) droppable: Vec<&'static str>,
}

/// Nodes at the top only.
const TOP: &[&NodeRule] = &[&project::PROJECT, &environment::ENVIRONMENT];
/// Nodes of an `environment` only.
const INNER: &[&NodeRule] = &[
    &environment::IDENTITY,
    &environment::WHEN,
    &environment::TTL,
    &environment::PROTECT,
    &environment::MIGRATE,
    &environment::EXISTING,
    &environment::WITHOUT,
];
/// Nodes of both places that nothing but the node's kind names.
const SETTINGS: &[&NodeRule] = &[&project::EDGE, &project::SECRETS, &DEV, &ALLOW];
/// Nodes of both places that have a name.
const NAMED: &[&NodeRule] = &[
    &project::REQUIRE,
    &environment::LET,
    &environment::LEASE,
    &files::DOTENV,
    &files::FILE,
    &files::PORT,
    &files::RUN,
];

impl Grammar {
    /// The language with all kinds of the registry.
    pub(crate) fn new() -> Self {
        let declared = || envc_kinds::registry().iter().filter_map(|kind| kind.declared());
        let kinds = || declared().map(envc_kinds::Declared::grammar);
        let shared = || SETTINGS.iter().chain(NAMED).copied().chain(kinds());
        let set = |own: &'static [&'static NodeRule]| {
            own.iter().copied().chain(shared()).map(|rule| (rule.name, rule)).collect()
        };
        Self {
            top: set(TOP),
            inner: set(INNER),
            existing: declared()
                .filter_map(|kind| kind.node().existing)
                .map(|rule| (rule.name, rule))
                .collect(),
            droppable: NAMED.iter().copied().chain(kinds()).map(|rule| rule.name).collect(),
        }
    }

    /// True for the rules inside `existing`.
    pub(crate) fn is_existing(&self, rule: &NodeRule) -> bool {
        self.existing.values().any(|one| std::ptr::eq(*one, rule))
    }

    /// Where a node of this name may stand, in words: "in a `worker`". Empty for a name that the
    /// language does not have.
    pub(crate) fn homes(&self, name: &str) -> Vec<String> {
        let mut homes = Vec::new();
        if self.top.contains_key(name) {
            homes.push("at the top of the file".to_owned());
        }
        if self.inner.contains_key(name) {
            homes.push("in an `environment`".to_owned());
        }
        let mut open: Vec<&NodeRule> =
            self.top.values().chain(self.inner.values()).copied().collect();
        while let Some(rule) = open.pop() {
            let home = format!("in a `{}`", rule.name);
            if rule.children.iter().any(|child| child.name == name) && !homes.contains(&home) {
                homes.push(home);
            }
            open.extend(rule.children);
        }
        homes.sort();
        homes.dedup();
        homes
    }

    /// The rules inside a node.
    pub(crate) fn children(&self, rule: &'static NodeRule) -> Children<'_> {
        if rule.name == environment::ENVIRONMENT.name {
            Children::Set(&self.inner)
        } else if rule.name == environment::EXISTING.name {
            Children::Set(&self.existing)
        } else {
            Children::List(rule.children)
        }
    }
}

/// The rules inside a node, whichever way they are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Children<'a> {
    /// By name.
    Set(&'a RuleSet),
    /// A short list, perhaps with the wildcard `*`.
    List(&'static [&'static NodeRule]),
}

impl Children<'_> {
    /// The rule for a node of this name. `allow` may stand in every block but among variables.
    pub(crate) fn get(self, name: &str) -> Option<&'static NodeRule> {
        let known = match self {
            Self::Set(set) => set.get(name).copied(),
            Self::List(list) => {
                list.iter().copied().find(|rule| rule.name == name || rule.name == ANY.name)
            }
        };
        known.or_else(|| (name == ALLOW.name).then_some(&ALLOW))
    }

    /// The names that are possible.
    pub(crate) fn names(self) -> Vec<&'static str> {
        match self {
            Self::Set(set) => set.keys().copied().collect(),
            Self::List(list) => list.iter().map(|rule| rule.name).collect(),
        }
    }
}

/// A node of any name: the variables of a `dotenv`.
pub(crate) const ANY: NodeRule = NodeRule { name: "*", repeat: Repeat::Once, ..EMPTY };
