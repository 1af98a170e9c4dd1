//! Laws over the registry: what every kind has to say of itself. A new kind is found by itself, and
//! each law is shown to catch a kind that breaks it.

use envc_core::{Desired, KindId};
use envc_kinds::{
    Attr, Bindable, Call, Codes, Declared, Entry, Errors, Facts, Kind, Listing, Lower, Mutability,
    NodeFacts, Normal, Observed, Paging, Place, Wanted, declared, registry,
};
use envc_syntax::{
    Node,
    rule::{EMPTY, LABEL, NodeRule},
};
use serde_json::Value as Json;

/// What the documents say that a token needs.
const README: &str = include_str!("../../../README.md");

/// A law: its name, and what a kind does that breaks it.
type Law = (&'static str, fn(&dyn Kind, Option<&dyn Declared>) -> bool);

const LAWS: [Law; 11] = [
    ("a kind has a noun", |kind, _| kind.noun().is_empty()),
    ("a kind has a permission, which README.md names", |kind, _| {
        kind.permission().is_empty() || !README.contains(kind.permission())
    }),
    ("a kind is replaced by a change of something, or says why it never is", |kind, _| {
        let replaces = |attr: &Attr| attr.mutability == Mutability::Replace;
        let replaced = !kind.renames() || kind.attrs().iter().any(replaces);
        replaced != kind.facts().never_replaced.is_empty()
    }),
    (
        "something comes before a delete or refuses it, or the kind says why nothing does",
        |kind, _| {
            let facts = kind.facts();
            let guarded = facts.contents.is_some()
                || facts.before_delete.is_some()
                || !facts.errors.in_use.is_empty();
            guarded != facts.freely_deleted.is_empty()
        },
    ),
    ("a kind says by which codes it exists, or why the API never says so", |kind, _| {
        is_silent(kind.facts().errors.exists)
    }),
    ("a kind says by which codes it is missing, or why the API never says so", |kind, _| {
        is_silent(kind.facts().errors.missing)
    }),
    ("a kind is told by a list, or read with its parent", |kind, _| {
        kind.listing(&Place::default()).is_some() == kind.facts().of_parent.is_some()
    }),
    ("a kind that a list tells of is read by its identifier", |kind, _| {
        let place = Place::default();
        let read = kind.read(&place, "x");
        let mutates = read.as_ref().is_some_and(Call::mutates);
        mutates || kind.listing(&place).is_some() != read.is_some()
    }),
    ("a node has the word of its kind", |kind, node| {
        node.is_some_and(|node| node.grammar().name != kind.id().as_str())
    }),
    ("a node has a sample, called `x`", |kind, node| {
        node.is_some_and(|node| !is_one_node(node.node().sample, kind.id().as_str()))
    }),
    ("what holds data can be in `existing`", |kind, node| {
        node.is_some_and(|node| kind.holds_data() && node.node().existing.is_none())
    }),
];

/// What a binding has to say.
fn binding_is_whole(row: &Bindable) -> bool {
    let texts = [row.doc, row.api_type, row.api_field];
    let said = |texts: &[&str]| texts.iter().all(|text| !text.is_empty());
    let listed = !row.section.is_empty() && !row.entry.is_empty();
    said(&texts) && said(row.section) && listed && row.missing > 0
}

fn is_silent(codes: Codes) -> bool {
    match codes {
        Codes::Any(codes) => codes.is_empty(),
        Codes::Never(why) => why.is_empty(),
    }
}

fn is_one_node(text: &str, word: &str) -> bool {
    let (document, mistakes) = envc_syntax::parse(text);
    let nodes = document.nodes;
    let [node] = nodes.as_slice() else { return false };
    !mistakes.has_errors() && node.name.value == word && node.label() == Some("x")
}

/// The laws that a kind breaks.
fn broken(kind: &dyn Kind, node: Option<&dyn Declared>) -> Vec<&'static str> {
    let mut broken: Vec<&str> =
        LAWS.iter().filter(|(_, breaks)| breaks(kind, node)).map(|(law, _)| *law).collect();
    if node.and_then(|kind| kind.node().bindable).is_some_and(|row| !binding_is_whole(row)) {
        broken.push("a binding says all of itself");
    }
    broken
}

#[test]
fn every_kind_keeps_the_laws() {
    for kind in registry() {
        let node = declared(kind.id()).map(|node| node as &dyn Declared);
        assert_eq!(broken(*kind, node), [""; 0], "{}", kind.id());
    }
}

/// A kind that is made up. It keeps every law, until a test breaks one.
#[derive(Debug)]
struct Fake {
    facts: &'static Facts,
    lists: bool,
    reads: bool,
    grammar: &'static NodeRule,
    node: &'static NodeFacts,
}

const ATTRS: &[Attr] = &[Attr {
    name: "size",
    mutability: Mutability::Replace,
    samples: &["1", "2"],
    normal: Normal::One("a number"),
}];

static GRAMMAR: NodeRule = NodeRule { name: "kv", args: &[LABEL], ..EMPTY };

const ERRORS: Errors =
    Errors { in_use: &[3], ..Errors::of(Codes::Any(&[1]), Codes::Never("it is always there")) };

static BINDABLE: Bindable = Bindable {
    doc: "A thing.",
    api_type: "thing",
    api_field: "id",
    output: envc_core::Output::Id,
    section: &["things"],
    entry: &[("id", Entry::Id)],
    remote: false,
    missing: 4,
};

static NODE: NodeFacts = NodeFacts { bindable: Some(&BINDABLE), ..NodeFacts::of("kv \"x\"") };

const fn facts() -> Facts {
    Facts { renames: true, ..Facts::of(KindId::Kv, "thing", "D1 Write", ATTRS, ERRORS) }
}

fn fake(facts: Facts) -> Fake {
    Fake {
        facts: Box::leak(Box::new(facts)),
        lists: true,
        reads: true,
        grammar: &GRAMMAR,
        node: &NODE,
    }
}

impl Kind for Fake {
    fn facts(&self) -> &'static Facts {
        self.facts
    }

    fn listing(&self, _place: &Place) -> Option<Listing> {
        self.lists.then(|| Listing { call: Call::get(&["things"]), paging: Paging::Whole })
    }

    fn observe(&self, _item: &Json) -> Option<Observed> {
        None
    }

    fn create(&self, _place: &Place, _wanted: &Wanted) -> Call {
        Call::get(&[])
    }

    fn update(&self, place: &Place, _id: &str, wanted: &Wanted, _changed: &[String]) -> Call {
        self.create(place, wanted)
    }

    fn delete(&self, _place: &Place, _id: &str) -> Option<Call> {
        None
    }

    fn read(&self, _place: &Place, id: &str) -> Option<Call> {
        self.reads.then(|| Call::get(&["things", id]))
    }
}

impl Declared for Fake {
    fn grammar(&self) -> &'static NodeRule {
        self.grammar
    }

    fn node(&self) -> &'static NodeFacts {
        self.node
    }

    fn lower(&self, _node: &Node, _cx: &mut dyn Lower) -> Vec<Desired> {
        Vec::new()
    }
}

#[test]
fn each_law_catches_a_kind_that_breaks_it() {
    let whole = || fake(facts());
    assert_eq!(broken(&whole(), Some(&whole())), [""; 0], "the made-up kind is right");
    let errors = |exists, missing| Errors { exists, missing, ..ERRORS };
    let silent = Codes::Any(&[]);
    let of_facts = [
        ("a kind has a noun", Facts { noun: "", ..facts() }),
        ("a kind has a permission", Facts { permission: "", ..facts() }),
        ("a kind has a permission", Facts { permission: "Nobody Knows Write", ..facts() }),
        ("a kind is replaced", Facts { attrs: &[], ..facts() }),
        ("a kind is replaced", Facts { never_replaced: "it is", ..facts() }),
        (
            "something comes before a delete",
            Facts { errors: Errors { in_use: &[], ..ERRORS }, ..facts() },
        ),
        ("something comes before a delete", Facts { freely_deleted: "it is not", ..facts() }),
        (
            "a kind says by which codes it exists",
            Facts { errors: errors(silent, ERRORS.missing), ..facts() },
        ),
        (
            "a kind says by which codes it is missing",
            Facts { errors: errors(ERRORS.exists, silent), ..facts() },
        ),
        (
            "a kind says by which codes it is missing",
            Facts { errors: errors(ERRORS.exists, Codes::Never("")), ..facts() },
        ),
        ("what holds data", Facts { holds_data: true, ..facts() }),
    ];
    let node = |sample: &'static str, bindable| {
        let node = NodeFacts { sample, bindable: Some(bindable), ..NODE };
        Fake { node: Box::leak(Box::new(node)), ..whole() }
    };
    let others = [
        ("a kind is told by a list", Fake { lists: false, reads: false, ..whole() }),
        ("a kind that a list tells of is read", Fake { reads: false, ..whole() }),
        ("a node has the word", Fake { grammar: &EMPTY_RULE, ..whole() }),
        ("a node has a sample", node("", &BINDABLE)),
        ("a node has a sample", node("kv \"y\"", &BINDABLE)),
        ("a node has a sample", node("d1 \"x\"", &BINDABLE)),
        ("a binding says", node(NODE.sample, &NOWHERE)),
    ];
    let all = of_facts.map(|(law, facts)| (law, fake(facts))).into_iter().chain(others);
    let mut caught = std::collections::BTreeSet::new();
    for (law, kind) in all {
        let found = broken(&kind, Some(&kind));
        let [only] = found.as_slice() else { panic!("{law}: {found:?}") };
        assert!(only.starts_with(law), "{law}: {only}");
        caught.insert(*only);
    }
    for (law, _) in LAWS {
        assert!(caught.contains(law), "nothing breaks it here: {law}");
    }
}

static EMPTY_RULE: NodeRule = EMPTY;
static NOWHERE: Bindable = Bindable {
    doc: "A thing.",
    api_type: "thing",
    api_field: "id",
    output: envc_core::Output::Id,
    section: &[],
    entry: &[("id", Entry::Id)],
    remote: false,
    missing: 4,
};
