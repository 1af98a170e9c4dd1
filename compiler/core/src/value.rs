//! Values of fields, which may refer to what exists only after apply.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use crate::{
    Address,
    inputs::{self, Sealed},
};

/// What a resource offers to others once it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// The API's identifier.
    Id,
    /// The physical name in the account.
    Name,
    /// A tunnel's connector token: a secret.
    Token,
}

/// `{kind.name.output}`: a reference to another resource. The only thing that orders the graph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ref {
    /// The resource referred to.
    pub address: Address,
    /// Which of its outputs.
    pub output: Output,
}

/// A value that comes from outside the spec when envc runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Input {
    /// `(secret)"NAME"`: looked up through the providers of `secrets`.
    Secret(String),
    /// `(env)"NAME"`: a variable of envc's own process. Not a secret.
    Env(String),
    /// `{lease.NAME.id}` or `{lease.NAME.ATTRIBUTE}`.
    Lease {
        /// Name of the `lease` node.
        lease: String,
        /// `id`, or an attribute of the preview ID.
        attribute: String,
        /// True unless the pool declares the attribute public. The ID itself is public.
        secret: bool,
    },
}

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Text as it stands.
    Lit(String),
    /// An output of a resource.
    Out(Ref),
    /// A value from outside.
    In(Input),
}

/// Text with references: `{tunnel.dev.id}.cfargotunnel.com`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The pieces, in order; adjacent literals are joined.
    pub parts: Vec<Part>,
}

impl Text {
    /// Text without references.
    pub fn literal(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { parts: if text.is_empty() { Vec::new() } else { vec![Part::Lit(text)] } }
    }

    /// Text that is one reference.
    pub fn output(address: Address, output: Output) -> Self {
        Self { parts: vec![Part::Out(Ref { address, output })] }
    }

    /// Appends a piece, joining literals.
    pub fn push(&mut self, part: Part) {
        match (self.parts.last_mut(), part) {
            (Some(Part::Lit(last)), Part::Lit(more)) => last.push_str(&more),
            (_, Part::Lit(text)) if text.is_empty() => {}
            (_, part) => self.parts.push(part),
        }
    }

    /// Appends all pieces of another text.
    pub fn append(&mut self, other: Self) {
        for part in other.parts {
            self.push(part);
        }
    }

    /// The text itself, when it holds no reference.
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Lit(text)] => Some(text),
            _ => None,
        }
    }

    /// The references to resources, in order.
    pub fn refs(&self) -> impl Iterator<Item = &Ref> {
        self.parts.iter().filter_map(|part| match part {
            Part::Out(reference) => Some(reference),
            Part::Lit(_) | Part::In(_) => None,
        })
    }

    /// True when any piece is a secret. Taint: such a text may flow only into private places.
    pub fn is_secret(&self) -> bool {
        self.parts.iter().any(Part::is_secret)
    }

    /// True for a private text that is known only while an apply runs: secrets are sealed before.
    pub fn is_late(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Part::Out(_) | Part::In(Input::Lease { .. }) => true,
            Part::Lit(_) | Part::In(Input::Secret(_) | Input::Env(_)) => false,
        })
    }

    /// Replaces each reference by what `known` says; `None` as soon as one is not known.
    pub fn resolve(&self, mut known: impl FnMut(&Part) -> Option<String>) -> Option<String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Lit(text) => out.push_str(text),
                other => out.push_str(&known(other)?),
            }
        }
        Some(out)
    }
}

impl Part {
    /// True for a secret, a tunnel token, or a lease attribute that is not public.
    pub fn is_secret(&self) -> bool {
        match self {
            Self::Lit(_) | Self::In(Input::Env(_)) => false,
            Self::Out(reference) => reference.output == Output::Token,
            Self::In(Input::Secret(_)) => true,
            Self::In(Input::Lease { secret, .. }) => *secret,
        }
    }
}

/// The value of a field of a desired resource.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text, perhaps with references.
    Text(Text),
    /// Text that only the account may see, before it is sealed. It has no form on disk.
    #[serde(skip)]
    Private(Text),
    /// Text that only the account may see: its name, and a digest. Boxed: it is three times as large
    /// as the others, and maps of values are most of what a large spec takes.
    Sealed(Box<Sealed>),
    /// A list, in order.
    List(Vec<Self>),
    /// Named values.
    Map(BTreeMap<String, Self>),
}

impl Value {
    /// Text without references.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text::literal(text))
    }

    /// Calls `f` for every text inside.
    pub fn each_text<'a>(&'a self, f: &mut dyn FnMut(&'a Text)) {
        match self {
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Sealed(_) => {}
            Self::Text(text) | Self::Private(text) => f(text),
            Self::List(items) => items.iter().for_each(|item| item.each_text(f)),
            Self::Map(items) => items.values().for_each(|item| item.each_text(f)),
        }
    }

    /// True when any piece of it is for the account alone.
    pub fn is_private(&self) -> bool {
        match self {
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Text(_) => false,
            Self::Private(_) | Self::Sealed(_) => true,
            Self::List(items) => items.iter().any(Self::is_private),
            Self::Map(items) => items.values().any(Self::is_private),
        }
    }

    /// True when nothing in it may be said: what there is of texts is sealed.
    pub fn is_sealed(&self) -> bool {
        match self {
            Self::Null | Self::Sealed(_) => true,
            Self::Bool(_) | Self::Int(_) | Self::Text(_) | Self::Private(_) => false,
            Self::List(items) => items.iter().all(Self::is_sealed),
            Self::Map(items) => items.values().all(Self::is_sealed),
        }
    }

    /// The variables and secrets in it whose values are not known.
    pub fn unknown(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.find_unknown(&mut found);
        found
    }

    fn find_unknown(&self, found: &mut BTreeSet<String>) {
        match self {
            Self::Null | Self::Bool(_) | Self::Int(_) => {}
            Self::Text(text) | Self::Private(text) => {
                let from_outside =
                    |part: &&Part| matches!(part, Part::In(Input::Env(_) | Input::Secret(_)));
                found.extend(text.parts.iter().filter(from_outside).filter_map(inputs::name_of));
            }
            Self::Sealed(sealed) => {
                found.extend(sealed.digest.is_none().then(|| sealed.name.clone()));
            }
            Self::List(items) => items.iter().for_each(|item| item.find_unknown(found)),
            Self::Map(items) => items.values().for_each(|item| item.find_unknown(found)),
        }
    }

    /// The value as JSON, with references replaced by what `known` says; `None` when one is not.
    pub fn resolve(
        &self,
        known: &mut dyn FnMut(&Part) -> Option<String>,
    ) -> Option<serde_json::Value> {
        Some(match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(flag) => (*flag).into(),
            Self::Int(number) => (*number).into(),
            Self::Text(text) => text.resolve(&mut *known)?.into(),
            Self::Private(_) => return None,
            Self::Sealed(sealed) => sealed.to_json(),
            Self::List(items) => {
                items.iter().map(|item| item.resolve(known)).collect::<Option<Vec<_>>>()?.into()
            }
            Self::Map(items) => {
                let mut map = serde_json::Map::new();
                for (name, item) in items {
                    map.insert(name.clone(), item.resolve(known)?);
                }
                map.into()
            }
        })
    }

    /// The addresses that any text inside refers to.
    pub fn addresses(&self) -> Vec<&Address> {
        let mut found = Vec::new();
        self.each_text(&mut |text| found.extend(text.refs().map(|reference| &reference.address)));
        found
    }
}

impl fmt::Debug for Value {
    /// Of a private text the names that it is made of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Bool(flag) => f.debug_tuple("Bool").field(flag).finish(),
            Self::Int(number) => f.debug_tuple("Int").field(number).finish(),
            Self::Text(text) => f.debug_tuple("Text").field(text).finish(),
            Self::Private(text) => write!(f, "Private({})", inputs::names_of(text)),
            Self::Sealed(sealed) => f.debug_tuple("Sealed").field(sealed).finish(),
            Self::List(items) => f.debug_tuple("List").field(items).finish(),
            Self::Map(items) => f.debug_tuple("Map").field(items).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KindId;

    #[test]
    fn literals_join_and_references_stay_apart() {
        let mut text = Text::literal("a");
        text.push(Part::Lit("b".into()));
        text.append(Text::output(Address::new(KindId::Tunnel, "dev"), Output::Id));
        text.push(Part::Lit(String::new()));
        assert_eq!(text.parts.len(), 2);
        assert_eq!(text.as_literal(), None);
        assert_eq!(text.resolve(|_| Some("X".into())).as_deref(), Some("abX"));
        assert_eq!(text.resolve(|_| None), None);
    }

    #[test]
    fn tokens_and_secrets_taint_the_text_they_stand_in() {
        assert!(Text::output(Address::new(KindId::Tunnel, "dev"), Output::Token).is_secret());
        assert!(!Text::output(Address::new(KindId::Tunnel, "dev"), Output::Id).is_secret());
        let mut text = Text::literal("key=");
        text.push(Part::In(Input::Secret("K".into())));
        assert!(text.is_secret());
    }
}
