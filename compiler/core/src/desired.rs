//! What the spec wants of one resource.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Address, Span, Value};

/// Whether envc owns the resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Created, changed and deleted by envc.
    Managed,
    /// Read and bound to, never created, changed or deleted; found by its API identifier.
    ExistingId(String),
    /// The same, found by its physical name.
    ExistingName,
}

/// One node of the desired graph. Only the fields that the spec sets are here: what it does not
/// set is not managed, so a server default is never a diff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// Its address in the spec.
    pub address: Address,
    /// Its natural key: the physical name that a list of this kind is searched for. For DNS the
    /// type and the host (`CNAME app.example.com`), for a tunnel's configuration the tunnel's name.
    pub name: String,
    /// The spec does not give the name: it is `{project}--{label}--{env}`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default_name: bool,
    /// Whether envc owns it.
    pub mode: Mode,
    /// Refuses delete and replace.
    pub protect: bool,
    /// The fields that the spec sets, by the names of the kind's attribute table.
    pub fields: BTreeMap<String, Value>,
    /// The zone it lives in, for kinds that live in one.
    pub zone: Option<String>,
    /// The resource it lives and dies with (a tunnel's configuration: the tunnel).
    pub parent: Option<Address>,
    /// Where the spec declares it.
    pub span: Span,
}

impl Desired {
    /// True when envc creates, changes and deletes it.
    pub fn is_managed(&self) -> bool {
        self.mode == Mode::Managed
    }

    /// The addresses it refers to, with its parent: these come first.
    pub fn needs(&self) -> Vec<&Address> {
        let mut needs: Vec<&Address> =
            self.fields.values().flat_map(Value::addresses).chain(self.parent.as_ref()).collect();
        needs.sort();
        needs.dedup();
        needs
    }
}
