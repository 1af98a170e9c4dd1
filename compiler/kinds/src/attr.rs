//! The attributes of a kind: what a change of each means.

use crate::Normal;

/// What a change of an attribute means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutability {
    /// Changed in place.
    InPlace,
    /// Another value needs another resource.
    Replace,
    /// Counts at creation only; never a diff (the API does not promise to keep it).
    CreateOnly,
    /// Changed in place, and never told by the API: a sealed value, or a map of them. What is
    /// recorded is compared, and only names are shown.
    WriteOnly,
    /// Set by the server, such as an etag, and recorded from its answer. No spec sets it; another
    /// value later means that somebody else deployed.
    ServerAssigned,
}

/// One attribute of a kind. Diff, reference and generators of tests read this table.
#[derive(Debug)]
pub struct Attr {
    /// The field's name, as in the spec.
    pub name: &'static str,
    /// What a change means.
    pub mutability: Mutability,
    /// Values that the API takes, for generators: JSON. The first is the server's default.
    pub samples: &'static [&'static str],
    /// How values that mean the same are written: both sides of every comparison pass it.
    pub normal: Normal,
}
