//! The language as data, for people and for editors: `specs/LANGUAGE.md` and `envc schema` are both
//! made from [`Language`], and it is read from the tables that the compiler checks specs with. Pure.
//!
//! It is a form of our own. KDL has a schema language, but its published version is of 2021 and
//! describes KDL 1, and the one for KDL 2 is a draft (kdl-org/kdl, issue 504, seen November 2026);
//! and neither can say what editors need most here: which text may hold which reference, that an
//! argument names a node declared elsewhere, how a node merges with its namesake. When a version for
//! KDL 2 is published, a file of it can be derived from this one.

mod facts;
mod forms;
mod kinds_of_values;
mod markdown;
mod nodes;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use facts::{Code, Limit, Naming, near_code};
pub use forms::Reference;
pub use kinds_of_values::{TypeDoc, ValueType};
pub use markdown::{PageError, fill};
pub use nodes::{ArgumentDoc, Chapter, FlagDoc, NodeDoc, Output, PropertyDoc};

/// The version of the form: raised when a program that reads it would misread it. New fields do
/// not raise it.
pub const VERSION: u32 = 1;

/// The whole language.
#[derive(Clone, Debug, Serialize)]
pub struct Language {
    /// [`VERSION`]
    pub version: u32,
    /// The name of the file that is written in it.
    pub file: &'static str,
    /// The version of KDL.
    pub kdl: u32,
    /// The nodes that may stand at the top, by [`NodeDoc::id`].
    pub top: Vec<String>,
    /// Every node of every place, parents before their children, in the order of the chapters.
    pub nodes: Vec<NodeDoc>,
    /// The chapters of the reference.
    #[serde(skip)]
    pub chapters: Vec<Chapter>,
    /// What a value can be, by the word that arguments and properties use.
    pub types: Vec<TypeDoc>,
    /// What a text may refer to.
    pub references: Vec<Reference>,
    /// What names may look like.
    pub names: Vec<Naming>,
    /// How large things may be.
    pub limits: Vec<Limit>,
    /// Every mistake and warning.
    pub diagnostics: Vec<Code>,
}

/// The language as this compiler checks it. The same every time.
pub fn language() -> Language {
    let (nodes, chapters) = nodes::nodes();
    Language {
        version: VERSION,
        file: "environment.kdl",
        kdl: 2,
        top: nodes::top(&nodes),
        nodes,
        chapters,
        types: kinds_of_values::types(),
        references: forms::references(),
        names: facts::names(),
        limits: facts::limits(),
        diagnostics: facts::codes(),
    }
}

impl Language {
    /// The node with this id.
    pub fn node(&self, id: &str) -> Option<&NodeDoc> {
        self.nodes.iter().find(|node| node.id == id)
    }
}
