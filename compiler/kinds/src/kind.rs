//! What every kind of resource can do: the one trait between the engine and the products.

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use envc_core::{Desired, Diagnostic, KindId, Output, Secret, Value};
use envc_syntax::{Node, rule::NodeRule};
use serde_json::Value as Json;

use crate::{Answer, ApiFailure, Call, Lower, NameRule, Normal, Upload};

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
    /// What was there when the plan was made: of the fields that [`Kind::changes_from`] names, and,
    /// where [`Kind::writes_whole`], all that the spec does not set.
    pub before: BTreeMap<String, Json>,
    /// The texts of sealed fields, by field; of a map's by `field.key`. They go into the call, and
    /// nowhere else.
    pub secrets: BTreeMap<String, Secret>,
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
    /// Given by the server and recorded from its answer. No spec sets it; another value than the
    /// recorded one says that somebody else changed what no list shows.
    Witness,
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

/// What a failure means for the action that met it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The object is not there: success for a delete.
    NotFound,
    /// A namesake is there.
    Exists,
    /// Something inside must go first.
    NotEmpty,
    /// Something else still uses it; it may be let go of soon.
    InUse,
    /// It is another than the one that the call was made for: look again.
    Moved,
    /// The token is wrong or lacks a permission.
    Auth,
    /// Too many requests.
    RateLimited,
    /// May work when tried again; a mutating call may have had its effect.
    Transient,
    /// The request itself is wrong: trying again will not help.
    Refused,
}

/// Why something that is there cannot become what the spec wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    /// Stable code.
    pub code: &'static str,
    /// What is wrong, as a clause after the address.
    pub what: String,
    /// What to do.
    pub help: String,
}

/// How SQL runs on a kind, and where its migrations are written down.
#[derive(Debug)]
pub struct Database {
    /// Runs a text on the one with this identifier: statements separated by `;`, all or nothing.
    pub query: fn(&Place, &str, &str) -> Call,
    /// Makes the table of applied migrations where there is none.
    pub ledger: &'static str,
    /// Reads their names from it, in order.
    pub read: &'static str,
    /// Writes the name of one into it.
    pub row: fn(&str) -> String,
    /// Finds the mistake in a text that was refused, from the answer: where the answer alone does
    /// not tell.
    pub mistake: fn(&str, &str) -> Option<SqlMistake>,
}

/// A mistake in a text of SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlMistake {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there, and what to write.
    pub what: String,
}

/// A kind of resource. Sans I/O: it builds calls and reads answers.
pub trait Kind: Sync + fmt::Debug {
    /// Which kind it is.
    fn id(&self) -> KindId;

    /// What people call it: "D1 database".
    fn noun(&self) -> &'static str;

    /// The permission that a token needs for it, in the dashboard's words.
    fn permission(&self) -> &'static str;

    /// True when deleting it loses data: deletes and replaces are approved.
    fn holds_data(&self) -> bool {
        false
    }

    /// What of data is lost, each in words, when what was seen becomes what is wanted; without
    /// `wanted` it is deleted. For kinds where it depends; approved like what `holds_data`.
    fn loses(&self, _seen: &Fields<Json>, _wanted: Option<&Fields<Value>>) -> Vec<String> {
        Vec::new()
    }

    /// Why what was seen cannot become what is wanted: refused before any call.
    fn objection(&self, _seen: &Fields<Json>, _wanted: &Fields<Value>) -> Option<Objection> {
        None
    }

    /// The fields of which an update has to name what was there: see [`Wanted::before`].
    fn changes_from(&self) -> &'static [&'static str] {
        &[]
    }

    /// True where an update writes the whole and resets what it leaves out: what the spec does not
    /// set is sent again as it was seen. See [`Wanted::before`].
    fn writes_whole(&self) -> bool {
        false
    }

    /// True for what goes by itself when its parent goes.
    fn dies_with_parent(&self) -> bool {
        self.delete(&Place::default(), "x").is_none()
    }

    /// The field that names the resource which it serves, as a route does its Worker: what serves one
    /// of ours is ours.
    fn serves(&self) -> Option<&'static str> {
        None
    }

    /// The field that refers to the resource whose name its natural key is, with that one's kind: it
    /// has the new name when that one has it, and is found by that one's identifier whatever the name.
    fn named_by(&self) -> Option<(&'static str, KindId)> {
        None
    }

    /// The fields that hold on to another resource by its name, each with that one's kind: what envc
    /// set there is taken back when the spec sets it no more, so that the other one can go.
    fn holds_by_name(&self) -> &'static [(&'static str, KindId)] {
        &[]
    }

    /// The kind of what it lives with, under the same label, for kinds that are read per parent.
    fn lives_with(&self) -> Option<KindId> {
        None
    }

    /// True for what lives in a zone rather than in the account.
    fn in_zone(&self) -> bool {
        false
    }

    /// The node that declares it; none for what only another kind makes.
    fn grammar(&self) -> Option<&'static NodeRule> {
        None
    }

    /// Its row inside `existing`; none for what cannot be bound to.
    fn existing(&self) -> Option<&'static NodeRule> {
        None
    }

    /// What its physical name may look like; none for what is named otherwise: by a host, or by its
    /// parent.
    fn name_rule(&self) -> Option<&'static NameRule> {
        None
    }

    /// What a text or a template may refer to, by the word after the name: `{d1.webapp.id}`. None
    /// for what only another kind makes, and for what nobody has to name.
    fn outputs(&self) -> &'static [(&'static str, Output)] {
        &[]
    }

    /// True where the node serves by being there, so that nothing has to refer to it.
    fn stands_alone(&self, _node: &Node) -> bool {
        false
    }

    /// What is most likely not meant of a resource that a node declares: a warning for the node,
    /// with a code of `envc::lint`.
    fn doubt(&self, _desired: &Desired) -> Option<fn(&Node) -> Diagnostic> {
        None
    }

    /// Turns its node into desired resources: its own and those that live with it.
    fn lower(&self, node: &Node, cx: &mut dyn Lower) -> Vec<Desired>;

    /// The fields that take the place of a private one, where the spec gives several in one text: a
    /// connection string.
    fn parts(&self, _field: &str) -> &'static [&'static str] {
        &[]
    }

    /// The text of each of [`Kind::parts`]. The error says what is wrong with the whole as a clause
    /// after "it", and repeats none of it.
    fn split(&self, _field: &str, _text: &Secret) -> Result<Fields<Secret>, String> {
        Ok(Fields::new())
    }

    /// Why the API would refuse what a field comes to, as a clause after "it", which repeats none of
    /// it: a value from outside is not known when the spec is checked. Blanks around a text are not
    /// of it.
    fn problem(&self, _field: &str, _value: &Json, _beside: &Fields<Json>) -> Option<String> {
        None
    }

    /// Its attributes, besides the physical name.
    fn attrs(&self) -> &'static [Attr];

    /// True when the physical name can be changed in place.
    fn renames(&self) -> bool {
        false
    }

    /// True for what runs code. Every update brings other code, so what refers to it comes after
    /// the update; and the databases that it is bound to are migrated before.
    fn runs_code(&self) -> bool {
        false
    }

    /// True for what needs a part of the code that it refers to, such as a handler or a class. It
    /// lets go of code before an update takes that part away.
    fn needs_code(&self) -> bool {
        false
    }

    /// The list that tells of all of them; none for what is read per parent.
    fn listing(&self, place: &Place) -> Option<Listing>;

    /// Reads the one that lives with this parent, whose identifier becomes its own; for kinds
    /// without a list.
    fn read_of_parent(&self, _place: &Place, _parent_id: &str) -> Option<Call> {
        None
    }

    /// Reads one item of a list, or the result of a create or an update. `None`: the item does
    /// not count (a deleted tunnel), is [`Kind::held`], or lacks its identifier. Invariant: what the
    /// API would tell if it was set, and does not tell, is null here or has its default; a field that
    /// is not here is one of which the list never tells.
    fn observe(&self, item: &Json) -> Option<Observed>;

    /// Reads an item of a list that another product holds.
    fn held(&self, _item: &Json) -> Option<Held> {
        None
    }

    /// The host whose addresses are those of what has this name, so that nothing of another kind can
    /// have any there. A natural key, or what a `name` field holds.
    fn holds_host(&self, _name: &str) -> Option<String> {
        None
    }

    /// The kinds whose resources may have the host that a new one takes, and are in its way then: they
    /// are looked at before it is made.
    fn shares_hosts_with(&self) -> &'static [KindId] {
        &[]
    }

    /// Reads the result of a create or an update, where the request tells what the answer may not.
    fn made(&self, _wanted: &Wanted, result: &Json) -> Option<Observed> {
        self.observe(result)
    }

    /// The one way to write a natural key: names that mean the same have one key.
    fn key<'n>(&self, name: &'n str) -> Cow<'n, str> {
        Cow::Borrowed(name)
    }

    /// True for kinds that bear a marker, in a comment or in a variable.
    fn bears_marker(&self) -> bool {
        false
    }

    /// What a list tells of a marker without proving it: where it is worth to look.
    fn marker_hint<'o>(&self, _seen: &'o Observed) -> Option<&'o str> {
        None
    }

    /// Reads the marker of one of them, for kinds whose lists do not tell it.
    fn marker_call(&self, _place: &Place, _id: &str) -> Option<Call> {
        None
    }

    /// The marker in the answer of [`Kind::marker_call`].
    fn marker_in(&self, _result: &Json) -> Option<String> {
        None
    }

    /// True when a namesake with this natural key stands in the way of the wanted one.
    fn collides(&self, wanted: &str, found: &str) -> bool {
        self.key(wanted) == self.key(found)
    }

    /// Makes it.
    fn create(&self, place: &Place, wanted: &Wanted) -> Call;

    /// Changes these fields in place (`name` among them for a rename).
    fn update(&self, place: &Place, id: &str, wanted: &Wanted, changed: &[String]) -> Call;

    /// A call that must come before the delete, such as cleaning a tunnel's connections.
    fn before_delete(&self, _place: &Place, _id: &str) -> Option<Call> {
        None
    }

    /// Removes it; `None` when it dies with its parent.
    fn delete(&self, place: &Place, id: &str) -> Option<Call>;

    /// The first page of what is inside, for containers that must be empty to be deleted.
    fn contents(&self, _place: &Place, _id: &str) -> Option<Call> {
        None
    }

    /// Removes what a page of `contents` tells of; `None` when the page is empty.
    fn empty(&self, _place: &Place, _id: &str, _page: &Answer) -> Option<Call> {
        None
    }

    /// All changes of one zone in one call, for kinds that have a batch endpoint.
    fn batch(&self, _place: &Place, _items: &[BatchItem]) -> Option<Call> {
        None
    }

    /// The most items of one batch.
    fn batch_items_max(&self) -> usize {
        1
    }

    /// Reads a batch's answer: one entry for each item, in the items' order.
    fn batch_answer(&self, _items: &[BatchItem], _result: &Json) -> Vec<Option<Observed>> {
        Vec::new()
    }

    /// Fetches the secret output (a tunnel's token).
    fn token(&self, _place: &Place, _id: &str) -> Option<Call> {
        None
    }

    /// How SQL runs on it; none where none does.
    fn database(&self) -> Option<&'static Database> {
        None
    }

    /// What this kind's codes mean, where the general rules do not tell.
    fn meaning(&self, _call: &Call, _failure: &ApiFailure) -> Option<Meaning> {
        None
    }
}

/// What a failure means: the general rules first, then the kind's own codes.
///
/// Source: Cloudflare's published error codes and the retry rules of its official clients, save
/// that a 409 is never worth a retry.
pub fn classify(kind: &dyn Kind, call: &Call, failure: &ApiFailure) -> Meaning {
    general(call, failure).unwrap_or_else(|| {
        kind.meaning(call, failure).unwrap_or(match failure.status {
            404 => Meaning::NotFound,
            409 if call.method == http::Method::POST => Meaning::Exists,
            _ => Meaning::Refused,
        })
    })
}

/// The rules that hold for every product; `None` where the product's codes decide.
pub fn general(call: &Call, failure: &ApiFailure) -> Option<Meaning> {
    const INTERNAL: &[&str] = &["internal error", "Internal error", "Internal Server Error"];
    const LOST: &[&str] = &["Request timeout", "Network connection lost"];
    if failure.status == 429 || failure.has(&[971]) {
        return Some(Meaning::RateLimited);
    }
    if failure.status >= 500 || matches!(failure.status, 408 | 425) {
        return Some(Meaning::Transient);
    }
    if failure.garbled.is_some() {
        // A challenge page or nonsense with a 2xx or 4xx status says nothing of the effect.
        return Some(Meaning::Transient);
    }
    if failure.has(&[1000, 7500, 10001, 10013])
        && INTERNAL.iter().chain(LOST).any(|text| failure.says(text))
    {
        return Some(Meaning::Transient);
    }
    // 10064 says that something is still in use, of Workers with 403 as well.
    let refused = matches!(failure.status, 401 | 403) && !failure.has(&[10064]);
    let auth = failure.has(&[6003, 9103, 9106]) || refused;
    if auth || (failure.has(&[10000]) && call.mutates() && failure.status == 400) {
        return Some(Meaning::Auth);
    }
    None
}
