//! What is always true of a kind, as a table, and what some kinds can do beside the calls that all
//! of them have.
//!
//! A kind writes its table once: `Facts { renames: true, ..Facts::of(…) }`. What is not said there
//! does not hold.

use envc_core::{KindId, Secret, Value};
use serde_json::Value as Json;

use crate::{
    Answer, Attr, BatchItem, Call, Database, Errors, Fields, Held, Observed, Place, Wanted,
};

/// What is always true of a kind.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each holds by itself, in any combination")]
pub struct Facts {
    /// Which kind it is.
    pub id: KindId,
    /// What people call it: "D1 database".
    pub noun: &'static str,
    /// The permission that a token needs for it, in the dashboard's words.
    pub permission: &'static str,
    /// Its attributes, besides the physical name.
    pub attrs: &'static [Attr],
    /// What its codes mean.
    pub errors: Errors,
    /// What a refusal with one of these codes asks for, where that is more than its meaning: a clause
    /// that "then run the command again" can follow.
    pub cures: &'static [(i64, &'static str)],

    /// Deleting it loses data: deletes and replaces are approved.
    pub holds_data: bool,
    /// It lives in a zone rather than in the account.
    pub in_zone: bool,
    /// The physical name can be changed in place.
    pub renames: bool,
    /// Why no change of a spec replaces it. Empty for kinds that are replaced: by another name, or
    /// by an attribute whose change says so.
    pub never_replaced: &'static str,
    /// Why nothing has to come before its delete, and nothing refuses it. Empty for kinds that are
    /// cleared or emptied before, or whose delete is refused while they are in use.
    pub freely_deleted: &'static str,
    /// An update writes the whole and resets what it leaves out: what the spec does not set is sent
    /// again as it was seen. See [`Wanted::before`](crate::Wanted).
    pub writes_whole: bool,
    /// The fields of which an update has to name what was there. See
    /// [`Wanted::before`](crate::Wanted).
    pub changes_from: &'static [&'static str],
    /// It runs code. Every update brings other code, so what refers to it comes after the update;
    /// and the databases that it is bound to are migrated before.
    pub runs_code: bool,
    /// It needs a part of the code that it refers to, such as a handler or a class. It lets go of
    /// code before an update takes that part away.
    pub needs_code: bool,

    /// Somebody else may make it from what envc writes, so that no record tells of it.
    pub made_by_others: bool,

    /// The physical name is the API's identifier: it is read by its name, also where no record tells of
    /// it.
    pub name_is_id: bool,

    /// The field that names the resource which it serves, as a route does its Worker, with that one's
    /// kind: what serves one of ours is ours.
    pub serves: Option<(&'static str, KindId)>,
    /// The field that refers to the resource whose name its natural key is, with that one's kind: it
    /// has the new name when that one has it, and is found by that one's identifier whatever the
    /// name.
    pub named_by: Option<(&'static str, KindId)>,
    /// The fields that hold on to another resource by its name, each with that one's kind: what envc
    /// set there is taken back when the spec sets it no more, so that the other one can go.
    pub holds_by_name: &'static [(&'static str, KindId)],
    /// The kinds whose resources may have the host that a new one takes, and are in its way then:
    /// they are looked at before it is made.
    pub shares_hosts_with: &'static [KindId],

    /// The field with the host that the account connects to, with the resource's private texts.
    pub dials: Option<&'static str>,

    /// It lives and dies with another resource, and is read there: no list tells it.
    pub of_parent: Option<OfParent>,
    /// It bears an ownership marker.
    pub marker: Option<MarkerOf>,
    /// It has a batch endpoint.
    pub batch: Option<Batch>,
    /// It is a container that must be empty to be deleted.
    pub contents: Option<Contents>,
    /// One of its private fields may give several others in one text.
    pub whole: Option<Whole>,
    /// Changes of it may lose data, or be impossible, depending on what is there.
    pub review: Option<Review>,
    /// SQL runs on it.
    pub database: Option<&'static Database>,
    /// It takes the addresses of hosts.
    pub hosts: Option<Hosts>,
    /// Fetches its secret output, such as a tunnel's token.
    pub token: Option<fn(&Place, &str) -> Call>,
    /// A call that must come before the delete, such as cleaning a tunnel's connections.
    pub before_delete: Option<fn(&Place, &str) -> Call>,
    /// Several of them may refer to each other in a circle, and none goes before the others.
    pub circle: Option<Circle>,
    /// Each create and each update makes a version, which the API keeps.
    pub versions: Option<Versions>,
}

impl Facts {
    /// What no kind may leave out; everything else does not hold, until the kind says so.
    pub const fn of(
        id: KindId,
        noun: &'static str,
        permission: &'static str,
        attrs: &'static [Attr],
        errors: Errors,
    ) -> Self {
        Self {
            id,
            noun,
            permission,
            attrs,
            errors,
            cures: &[],
            holds_data: false,
            in_zone: false,
            renames: false,
            never_replaced: "",
            freely_deleted: "",
            writes_whole: false,
            changes_from: &[],
            runs_code: false,
            needs_code: false,
            made_by_others: false,
            name_is_id: false,
            serves: None,
            named_by: None,
            holds_by_name: &[],
            shares_hosts_with: &[],
            dials: None,
            of_parent: None,
            marker: None,
            batch: None,
            contents: None,
            whole: None,
            review: None,
            database: None,
            hosts: None,
            token: None,
            before_delete: None,
            circle: None,
            versions: None,
        }
    }
}

/// How a kind is read that lives with another resource, under the same label.
#[derive(Clone, Copy, Debug)]
pub struct OfParent {
    /// The kind of that resource.
    pub kind: KindId,
    /// Reads the one that lives with the parent of this identifier, which becomes its own.
    pub read: fn(&Place, &str) -> Call,
}

/// Where a kind bears its ownership marker.
#[derive(Clone, Copy, Debug)]
pub enum MarkerOf {
    /// In [`Observed::comment`]: a list tells it.
    Comment,
    /// Where no list tells it.
    Call {
        /// What a list tells of it without proving it: where it is worth to look.
        hint: fn(&Observed) -> Option<&str>,
        /// Asks for it.
        call: fn(&Place, &str) -> Call,
        /// Finds it in the answer.
        read: fn(&Json) -> Option<String>,
        /// Finds in the same answer what else the resource holds on to, by kind, and by name or
        /// identifier: its delete comes before theirs.
        holds: fn(&Json) -> Vec<(KindId, String)>,
    },
}

/// All changes of one zone in one call.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// The most items of one batch.
    pub items_max: usize,
    /// The call.
    pub call: fn(&Place, &[BatchItem]) -> Call,
    /// Reads its answer: one entry for each item, in the items' order.
    pub read: fn(&[BatchItem], &Json) -> Vec<Option<Observed>>,
}

/// How a container is emptied.
#[derive(Clone, Copy, Debug)]
pub struct Contents {
    /// The first page of what is inside.
    pub list: fn(&Place, &str) -> Call,
    /// Removes what a page tells of; none when the page is empty.
    pub empty: fn(&Place, &str, &Answer) -> Option<Call>,
    /// What is inside where the list is empty and the delete is refused all the same, and the way out.
    pub unlisted: &'static str,
    /// Why what the list tells of may stay though it was removed, and the way out.
    pub kept: &'static str,
}

/// How a circle of resources that refer to each other is cut, when all of them go.
#[derive(Clone, Copy, Debug)]
pub struct Circle {
    /// Asks who refers to the one of this identifier.
    pub users: fn(&Place, &str) -> Call,
    /// The identifiers of those in the answer.
    pub read: fn(&Json) -> Vec<String>,
    /// Removes it though others refer to it.
    pub delete: fn(&Place, &str) -> Call,
}

/// How the version of an upload is known again whose answer was lost.
#[derive(Clone, Copy, Debug)]
pub struct Versions {
    /// Asks for the versions, the newest first.
    pub list: fn(&Place, &Wanted) -> Call,
    /// True where the answer has the version of exactly this call, by [`Wanted::chance`].
    pub has: fn(&Wanted, &Json) -> bool,
}

/// A private text that is several fields, such as a connection string.
#[derive(Clone, Copy, Debug)]
pub struct Whole {
    /// The field of the text.
    pub field: &'static str,
    /// The fields that take its place.
    pub parts: &'static [&'static str],
    /// The text of each of them. The error says what is wrong with the whole as a clause after "it",
    /// and repeats none of it.
    pub split: fn(&Secret) -> Result<Fields<Secret>, String>,
}

/// What a change means for what is there.
#[derive(Clone, Copy, Debug)]
pub struct Review {
    /// Data that this change destroys, one phrase each, for the approval prompt. Without `wanted` it
    /// is deleted. What loses data needs approval, as what holds data does.
    pub data_loss: fn(&Fields<Json>, Option<&Fields<Value>>) -> Vec<String>,
    /// Why what was seen cannot become what is wanted: refused before any call.
    pub objection: fn(&Fields<Json>, &Fields<Value>) -> Option<Objection>,
}

/// Which host's addresses a resource takes, so that nothing of another kind can have any there.
#[derive(Clone, Copy, Debug)]
pub struct Hosts {
    /// The host of what has this name: a natural key, or what a `name` field holds.
    pub of: fn(&str) -> Option<String>,
    /// Reads an item of the list that another product holds.
    pub held: fn(&Json) -> Option<Held>,
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
