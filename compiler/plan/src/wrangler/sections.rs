//! The sections of a `wrangler.jsonc`, under wrangler's own names. What is not set is left out.

use envc_kinds::bindables;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};

/// An entry of a list: its fields, in order.
pub(super) type Item = Vec<(&'static str, Json)>;
/// The keys that lead to a list.
type Path = &'static [&'static str];

/// The queues that the Worker consumes.
pub(super) const CONSUMERS: Path = &["queues", "consumers"];

/// The lists of what a Worker is bound to, in the order of the registry, and its consumers.
#[derive(Debug)]
pub(super) struct Lists(Vec<(Path, Vec<Item>)>);

impl Lists {
    /// All lists, empty.
    pub(super) fn new() -> Self {
        let mut lists: Vec<(Path, Vec<Item>)> = Vec::new();
        for path in bindables().map(|(_, row)| row.section).chain([CONSUMERS]) {
            if lists.iter().all(|(known, _)| *known != path) {
                lists.push((path, Vec::new()));
            }
        }
        Self(lists)
    }

    /// Adds an entry to a list.
    pub(super) fn push(&mut self, path: Path, item: Item) {
        match self.0.iter_mut().find(|(known, _)| *known == path) {
            Some((_, items)) => items.push(item),
            None => self.0.push((path, vec![item])),
        }
    }

    /// Each first key, once, with the lists below it.
    fn sections(&self) -> Vec<(&'static str, Section<'_>)> {
        let mut sections: Vec<(&'static str, Section<'_>)> = Vec::new();
        for (path, items) in &self.0 {
            let (Some(head), inner) = (path.first(), path.get(1)) else { continue };
            let list = (inner.copied(), items.as_slice());
            match sections.iter_mut().find(|(known, _)| known == head) {
                Some((_, section)) => section.0.push(list),
                None => sections.push((head, Section(vec![list]))),
            }
        }
        sections
    }

    /// All sections, the empty ones too.
    pub(super) fn to_json(&self) -> Map<String, Json> {
        let sections = self.sections().into_iter();
        sections.map(|(head, section)| (head.to_owned(), section.to_json())).collect()
    }
}

impl Serialize for Lists {
    /// The sections that hold something.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sections = self.sections().into_iter();
        serializer.collect_map(sections.filter(|(_, section)| !section.is_empty()))
    }
}

/// The lists under one key: one without a key of its own, or several with one.
#[derive(Debug)]
struct Section<'l>(Vec<(Option<&'static str>, &'l [Item])>);

impl Section<'_> {
    fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, items)| items.is_empty())
    }

    fn to_json(&self) -> Json {
        let list = |items: &[Item]| items.iter().map(object).collect::<Json>();
        match self.0.as_slice() {
            [(None, items)] => list(items),
            lists => lists
                .iter()
                .map(|(key, items)| (key.unwrap_or_default().to_owned(), list(items)))
                .collect(),
        }
    }
}

impl Serialize for Section<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [(None, items)] => serializer.collect_seq(items.iter().map(Ordered)),
            lists => serializer.collect_map(lists.iter().filter_map(|(key, items)| {
                let items: Vec<Ordered<'_>> = items.iter().map(Ordered).collect();
                (!items.is_empty()).then_some((key.unwrap_or_default(), items))
            })),
        }
    }
}

/// An entry with its fields in their order.
struct Ordered<'i>(&'i Item);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(field, value)| (field, value)))
    }
}

fn object(item: &Item) -> Json {
    item.iter().map(|(field, value)| ((*field).to_owned(), value.clone())).collect()
}

/// `durable_objects`
#[derive(Debug, Serialize)]
pub(super) struct Objects<'a> {
    pub(super) bindings: Vec<Object<'a>>,
}

impl Objects<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.bindings.is_empty()
    }
}

/// A Durable Object binding.
#[derive(Debug, Serialize)]
pub(super) struct Object<'a> {
    pub(super) name: &'a str,
    pub(super) class_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) script_name: Option<String>,
}

/// A Durable Object migration.
#[derive(Debug, Serialize)]
pub(super) struct Migration<'a> {
    pub(super) tag: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) new_sqlite_classes: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) new_classes: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) renamed_classes: Vec<Renamed<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(super) deleted_classes: &'a [String],
}

/// A class with another name.
#[derive(Debug, Serialize)]
pub(super) struct Renamed<'a> {
    pub(super) from: &'a str,
    pub(super) to: &'a str,
}

/// `triggers`
#[derive(Debug, Serialize)]
pub(super) struct Triggers<'a> {
    pub(super) crons: &'a [String],
}

/// A route or a custom domain.
#[derive(Debug, Serialize)]
pub(super) struct Route<'a> {
    pub(super) pattern: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) zone_name: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) custom_domain: bool,
}

/// `dev`: what `wrangler dev` listens on.
#[derive(Debug, Serialize)]
pub(super) struct Dev {
    pub(super) port: u16,
}
