//! What a kind's calls are about: where they go, what is wanted, what was seen.

use std::{collections::BTreeMap, sync::Arc};

use envc_core::{KindId, Secret};
use serde_json::Value as Json;

use crate::{Call, Upload};

/// Where a call goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The account's ID.
    pub account: String,
    /// The ID of the zone, for kinds that live in one.
    pub zone: String,
}

/// Fields by the names of a kind's attribute table.
pub type Fields<T> = BTreeMap<String, T>;

/// A resource to make or change, every reference replaced.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// The physical name.
    pub name: String,
    /// The fields that the spec sets.
    pub fields: BTreeMap<String, Json>,
    /// The API's identifier of the resource it lives and dies with; empty without one.
    pub parent_id: String,
    /// What was there when the plan was made: of the fields that [`Facts::changes_from`](crate::Facts) names, and,
    /// where it [`writes_whole`](crate::Facts), all that the spec does not set.
    pub before: BTreeMap<String, Json>,
    /// The texts of sealed fields, by field; of a map's by `field.key`. They go into the call, and
    /// nowhere else.
    pub secrets: BTreeMap<String, Secret>,
    /// A word of chance, by which what the call made is known again where its answer is lost.
    pub chance: String,
    /// The code that goes with the call and stands in no plan.
    pub upload: Option<Arc<Upload>>,
}

/// A resource as the API tells of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The API's identifier.
    pub id: String,
    /// The physical name (natural key).
    pub name: String,
    /// The fields that the answer holds, under the spec's names, as the API writes them.
    pub fields: BTreeMap<String, Json>,
    /// The text that may hold an ownership marker.
    pub comment: Option<String>,
    /// Other resources that it holds on to, by kind, and by name or identifier, where what tells its
    /// marker tells them.
    pub holds: Vec<(KindId, String)>,
    /// A secret that only a create returns.
    pub token: Option<Secret>,
}

/// What another of the provider's products made where a kind has its own, such as the DNS record of
/// a Worker's domain. The API changes it for nobody: it is never ours, and it may be in the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The API's identifier.
    pub id: String,
    /// The natural key.
    pub name: String,
    /// Whose it is: "a Worker's custom domain".
    pub by: &'static str,
    /// How its name becomes free.
    pub help: &'static str,
}

/// How a list is paged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// `page` from 1 and `per_page`; the items are `result`.
    Numbered {
        /// Items per page: the most that the API allows, within reason.
        per_page: u64,
    },
    /// `cursor` and `per_page`; the items are `result.<field>`.
    Cursor {
        /// Items per page.
        per_page: u64,
        /// The field of `result` that holds the items.
        field: &'static str,
    },
    /// One page with everything on it; the items are `result`.
    Whole,
}

/// A list that tells of all resources of a kind in one place.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// The first page's call, without paging.
    pub call: Call,
    /// How to go on.
    pub paging: Paging,
}

/// One entry of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchItem {
    /// Make it.
    Create(Wanted),
    /// Change it in place.
    Update {
        /// The API's identifier.
        id: String,
        /// The whole of what is wanted.
        wanted: Wanted,
    },
    /// Remove it.
    Delete {
        /// The API's identifier.
        id: String,
    },
}
