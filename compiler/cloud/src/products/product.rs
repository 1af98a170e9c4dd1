//! What a product says of itself, in its own file.

use super::{Ctx, zones::Zone};
use crate::envelope::{Answer, Problem};
use crate::request::{BODY_BYTES_MAX, Req};

/// A product: one row of the list.
pub(in crate::products) struct Product {
    /// The word by which its permission is denied.
    pub(crate) word: &'static str,
    /// Its path below the account or the zone.
    pub(crate) path: &'static [&'static str],
    /// Answers a call.
    pub(crate) handle: Handle,
    /// The tables that it keeps, where they are in no step of the schema. One that is there is left
    /// as it is: a change of it is a step.
    pub(crate) tables: &'static [Table],
    /// How a Worker is bound to it, where nothing but its key has to be there.
    pub(crate) bound: Option<Bound>,
    /// How it stands in for one of an account.
    pub(crate) stand_in: Option<StandIn>,
    /// Bytes that a body of a call may have, by its verb and the path that is left behind the product's
    /// own.
    pub(crate) body_bytes_max: fn(&http::Method, &[&str]) -> usize,
    /// Its lists.
    pub(crate) listed: &'static [Listed],
}

/// Who answers a call. The path is what is left behind the product's own.
pub(in crate::products) enum Handle {
    /// Below the account.
    Account(fn(&Ctx<'_>, &Req, &[&str]) -> Result<Answer, Problem>),
    /// Below a zone.
    Zone(fn(&Ctx<'_>, &Req, &Zone, &[&str]) -> Result<Answer, Problem>),
}

/// A table of the control plane.
pub(crate) struct Table {
    /// Its name.
    pub(crate) name: &'static str,
    /// Makes it.
    pub(crate) sql: &'static str,
}

/// A binding of a Worker's upload that names something by its key.
pub(in crate::products) struct Bound {
    /// The binding's `type`.
    pub(crate) api_type: &'static str,
    /// The field that holds the key.
    pub(crate) field: &'static str,
    /// Finds a row with the key.
    pub(crate) exists: &'static str,
    /// The code that says that it is not there.
    pub(crate) code: i64,
    /// The text that says so.
    pub(crate) missing: fn(&str) -> String,
}

/// An object that is made without a call, where a spec says that it exists. Its identifier is ?1, its
/// name ?2, the time ?3.
pub(in crate::products) struct StandIn {
    /// The kind's word, as in [`Listed`].
    pub(crate) kind: &'static str,
    /// The form of its identifier.
    pub(crate) id: IdForm,
    /// Finds a row that has the identifier or the name.
    pub(crate) exists: &'static str,
    /// Makes it.
    pub(crate) insert: &'static str,
}

/// The form of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::products) enum IdForm {
    /// 32 hexadecimal digits.
    Hex,
    /// A UUID with dashes.
    Uuid,
    /// The name.
    Name,
}

/// A list of objects, for whoever wants to know what a cloud holds.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// The word for its objects: `kv`.
    pub kind: &'static str,
    /// Its path behind the product's own.
    pub path: &'static str,
    /// The field of an object's name.
    pub name: &'static str,
    /// The field of its identifier.
    pub id: &'static str,
}

impl Product {
    /// What no product may leave out; the rest is none.
    pub(crate) const fn of(
        word: &'static str,
        path: &'static [&'static str],
        handle: Handle,
    ) -> Self {
        let body_bytes_max: fn(&http::Method, &[&str]) -> usize = |_, _| BODY_BYTES_MAX;
        Self {
            word,
            path,
            handle,
            tables: &[],
            bound: None,
            stand_in: None,
            body_bytes_max,
            listed: &[],
        }
    }
}
