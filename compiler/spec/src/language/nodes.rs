//! Every node of every place, read from the grammar.

use envc_kinds::{Kind, Mutability};
use envc_syntax::rule::{ArgRule, FlagRule, NodeRule, Omitted, PropRule, Repeat};
use serde::Serialize;

use super::{
    forms::output_doc,
    kinds_of_values::{ValueType, value_type},
};
use crate::{
    grammar::{Children, Grammar},
    merge::{Merging, merging},
};

/// A part of the reference: nodes that one reads together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chapter {
    /// Its heading.
    pub title: &'static str,
    /// Its nodes, by id, without their children.
    pub nodes: Vec<String>,
}

/// A node in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeDoc {
    /// Its name, behind the ids of the nodes it stands in: `worker/bind`. A node that stands at the
    /// top or in an `environment` has its name alone.
    pub id: String,
    /// Its name; `*` is any identifier.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// What else there is to know, a paragraph each.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub notes: &'static [&'static str],
    /// What holds without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent: Option<&'static str>,
    /// Where it may stand: `top`, or the id of a node.
    pub stands_in: Vec<String>,
    /// `once`, `once_per_name` (its first argument), `any`.
    pub repeat: &'static str,
    /// How it merges with its namesake outside the `environment`; none where it can have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merges: Option<&'static str>,
    /// The arguments, in order.
    pub arguments: Vec<ArgumentDoc>,
    /// True where the last argument may be given any number of times.
    pub variadic: bool,
    /// The flags.
    pub flags: Vec<FlagDoc>,
    /// The properties.
    pub properties: Vec<PropertyDoc>,
    /// The nodes inside, by id.
    pub children: Vec<String>,
    /// What `{kind.NAME.…}` gives, for kinds of resources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Output>,
    /// A line or a block that is right.
    pub example: &'static str,
}

/// A positional argument.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ArgumentDoc {
    /// What messages call it.
    pub name: &'static str,
    /// What it takes.
    #[serde(rename = "type")]
    pub ty: ValueType,
    /// Must it be there?
    pub required: bool,
    /// What it says.
    pub doc: &'static str,
}

/// A bare word behind the arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FlagDoc {
    /// The word.
    pub name: &'static str,
    /// What it says.
    pub doc: &'static str,
}

/// A property.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PropertyDoc {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    #[serde(rename = "type")]
    pub ty: ValueType,
    /// Must it be there?
    pub required: bool,
    /// The value, written as KDL, that means the same as to leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<&'static str>,
    /// What holds when it is left out, in words, where no value says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<&'static str>,
    /// What a change does to a resource that exists: `in_place`, `replace`, `create_only`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<&'static str>,
    /// What it says.
    pub doc: &'static str,
}

/// What a resource gives to texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Output {
    /// The word behind the name.
    pub word: &'static str,
    /// What it is.
    pub doc: String,
}

/// The nodes that one reads together, behind those of the kinds whose chapter it is. What stands in
/// none of these lists makes the last chapter.
const CHAPTERS: &[(&str, &[&str])] = &[
    ("The project", &["project", "require", "secrets", "edge"]),
    (
        "Environments",
        &["environment", "identity", "when", "ttl", "protect", "migrate", "existing", "without"],
    ),
    ("Values", &["let", "lease", "port"]),
    ("Resources", &[]),
    ("Workers", &["dev"]),
    ("Files and commands", &["dotenv", "file", "run"]),
    ("Warnings", &["allow"]),
];
const REST: &str = "More";
/// How the top is written where the place of a node is asked for.
pub(super) const TOP: &str = "top";

/// All nodes, and the chapters that they make.
pub(super) fn nodes() -> (Vec<NodeDoc>, Vec<Chapter>) {
    let grammar = Grammar::new();
    let mut rules: Vec<&'static NodeRule> =
        grammar.top.values().chain(grammar.inner.values()).copied().collect();
    rules.sort_by_key(|rule| (chapter_of(rule.name), place_in_chapter(rule.name), rule.name));
    rules.dedup_by_key(|rule| rule.name);
    let mut reader = Reader { grammar: &grammar, rules: &rules, out: Vec::new() };
    let mut chapters: Vec<Chapter> = Vec::new();
    for rule in &rules {
        let mut stands_in = Vec::new();
        if grammar.top.contains_key(rule.name) {
            stands_in.push(TOP.to_owned());
        }
        if grammar.inner.contains_key(rule.name) {
            stands_in.push("environment".to_owned());
        }
        reader.node(rule, rule.name, stands_in, None);
        let title = CHAPTERS.get(chapter_of(rule.name)).map_or(REST, |(title, _)| title);
        match chapters.last_mut().filter(|chapter| chapter.title == title) {
            Some(chapter) => chapter.nodes.push(rule.name.to_owned()),
            None => chapters.push(Chapter { title, nodes: vec![rule.name.to_owned()] }),
        }
    }
    (reader.out, chapters)
}

/// The nodes at the top.
pub(super) fn top(nodes: &[NodeDoc]) -> Vec<String> {
    let at_top = nodes.iter().filter(|node| node.stands_in.iter().any(|place| place == TOP));
    at_top.map(|node| node.id.clone()).collect()
}

/// The names in the order of the chapters, each with its chapter's place.
fn in_chapters() -> impl Iterator<Item = (usize, &'static str)> {
    CHAPTERS.iter().enumerate().flat_map(|(chapter, (title, names))| {
        let kinds = envc_kinds::registry().iter().filter_map(|kind| kind.declared());
        let kinds = kinds.filter(move |kind| kind.node().chapter == *title);
        let names = kinds.map(|kind| kind.grammar().name).chain(names.iter().copied());
        names.map(move |name| (chapter, name))
    })
}

fn chapter_of(name: &str) -> usize {
    in_chapters().find(|(_, known)| *known == name).map_or(CHAPTERS.len(), |(chapter, _)| chapter)
}

fn place_in_chapter(name: &str) -> usize {
    in_chapters().position(|(_, known)| known == name).unwrap_or(usize::MAX)
}

struct Reader<'g> {
    grammar: &'g Grammar,
    /// The rules of the top and of `environment`, in the order of the chapters.
    rules: &'g [&'static NodeRule],
    out: Vec<NodeDoc>,
}

impl Reader<'_> {
    /// Adds a node and those inside of it. `parent` says how the node around it merges.
    fn node(
        &mut self,
        rule: &'static NodeRule,
        id: &str,
        stands_in: Vec<String>,
        parent: Option<&'static str>,
    ) {
        let inner = self.inner(rule, id);
        let merges = merges(rule, &stands_in, parent);
        let kind = envc_kinds::registry().iter().copied();
        let kind = kind.filter(|_| parent.is_none()).find(|kind| kind.id().as_str() == rule.name);
        self.out.push(NodeDoc {
            name: rule.name,
            doc: rule.doc,
            notes: rule.notes,
            absent: Some(rule.absent).filter(|text| !text.is_empty()),
            repeat: repeat(rule.repeat),
            merges,
            stands_in,
            arguments: rule.args.iter().map(argument).collect(),
            variadic: rule.variadic,
            flags: rule.flags.iter().map(flag).collect(),
            properties: rule.props.iter().map(|prop| property(prop, kind)).collect(),
            children: inner.iter().map(|(id, _)| id.clone()).collect(),
            outputs: kind.map(outputs).unwrap_or_default(),
            example: rule.example,
            id: id.to_owned(),
        });
        if rule.name == "environment" {
            return; // what stands in it stands at its own place in the list
        }
        for (child_id, child) in inner {
            self.node(child, &child_id, vec![id.to_owned()], Some(merges.unwrap_or(REPLACED)));
        }
    }

    /// The nodes inside one, with their ids.
    fn inner(&self, rule: &'static NodeRule, id: &str) -> Vec<(String, &'static NodeRule)> {
        match self.grammar.children(rule) {
            Children::Set(set) if rule.name == "environment" => {
                let inner = self.rules.iter().filter(|one| set.contains_key(one.name));
                inner.map(|one| (one.name.to_owned(), *one)).collect()
            }
            Children::Set(set) => {
                set.values().map(|one| (format!("{id}/{}", one.name), *one)).collect()
            }
            Children::List(list) => {
                list.iter().map(|one| (format!("{id}/{}", one.name), *one)).collect()
            }
        }
    }
}

fn repeat(repeat: Repeat) -> &'static str {
    match repeat {
        Repeat::Once => "once",
        Repeat::PerLabel => "once_per_name",
        Repeat::Many => "any",
    }
}

/// What stands in for the word of a node that merges with nothing.
const REPLACED: &str = "";

/// How a node merges, a word that the reference explains. What stands in a node that is replaced
/// has nothing to merge with.
fn merges(
    rule: &NodeRule,
    stands_in: &[String],
    parent: Option<&'static str>,
) -> Option<&'static str> {
    if stands_in == [TOP] || parent.is_some_and(|parent| parent != "part_by_part") {
        return None;
    }
    Some(match (rule.name, merging(rule)) {
        // What the types of `extends=` drop stays dropped.
        ("without", _) => "with_those_of_extends",
        ("when" | "protect", _) => "with_nothing",
        (_, Merging::Whole) => "as_a_whole",
        (_, Merging::Set) => "as_a_set",
        (_, Merging::Choice) => "as_a_choice",
        (_, Merging::Parts) => "part_by_part",
    })
}

fn argument(arg: &ArgRule) -> ArgumentDoc {
    ArgumentDoc { name: arg.name, ty: value_type(arg.ty), required: arg.required, doc: arg.doc }
}

fn flag(flag: &FlagRule) -> FlagDoc {
    FlagDoc { name: flag.name, doc: flag.doc }
}

fn property(prop: &PropRule, kind: Option<&dyn Kind>) -> PropertyDoc {
    let (default, otherwise) = match prop.default {
        Some(Omitted::Value(value)) => (Some(value), None),
        Some(Omitted::Words(words)) => (None, Some(words)),
        None => (None, None),
    };
    let attrs = kind.map(<dyn Kind>::attrs).unwrap_or_default();
    let attr = attrs.iter().find(|attr| attr.name == prop.name).map(|attr| attr.mutability);
    // A physical name is no attribute: the kind says whether it can change.
    let attr = attr.or_else(|| {
        let kind = kind.filter(|_| prop.name == "name")?;
        Some(if kind.renames() { Mutability::InPlace } else { Mutability::Replace })
    });
    PropertyDoc {
        name: prop.name,
        ty: value_type(prop.ty),
        required: prop.required,
        default,
        otherwise,
        change: attr.map(|mutability| match mutability {
            Mutability::InPlace | Mutability::WriteOnly | Mutability::ServerAssigned => "in_place",
            Mutability::Replace => "replace",
            Mutability::CreateOnly => "create_only",
        }),
        doc: prop.doc,
    }
}

fn outputs(kind: &'static dyn Kind) -> Vec<Output> {
    let outputs = kind.outputs().iter();
    outputs.map(|(word, output)| Output { word, doc: output_doc(kind.noun(), *output) }).collect()
}
