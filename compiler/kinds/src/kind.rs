//! What every kind of resource can do: the one trait between the engine and the products, and the
//! second one of the kinds that a node of a spec declares.

use std::{borrow::Cow, fmt};

use envc_core::{Desired, Diagnostic, KindId, Output, Secret, Value};
use envc_syntax::{Node, rule::NodeRule};
use serde_json::Value as Json;

use crate::{
    ApiFailure, Attr, Call, Database, Facts, Fields, Held, Listing, Lower, Meaning, NodeFacts,
    Objection, Observed, Place, Wanted,
};

/// A kind of resource. Sans I/O: it builds calls and reads answers.
pub trait Kind: Sync + fmt::Debug {
    /// What is always true of it, and what it can do beside the calls below.
    fn facts(&self) -> &'static Facts;

    /// The list that tells of all of them; none for what is read with its parent.
    fn listing(&self, _place: &Place) -> Option<Listing> {
        None
    }

    /// Reads one item of a list, or the result of a create or an update. `None`: the item does
    /// not count (a deleted tunnel), is another product's, or lacks its identifier. Invariant: what
    /// the API would tell if it was set, and does not tell, is null here or has its default; a field
    /// that is not here is one of which the list never tells.
    fn observe(&self, item: &Json) -> Option<Observed>;

    /// Reads the result of a create or an update, where the request tells what the answer may not.
    fn made(&self, _wanted: &Wanted, result: &Json) -> Option<Observed> {
        self.observe(result)
    }

    /// The one way to write a natural key: names that mean the same have one key.
    fn key<'n>(&self, name: &'n str) -> Cow<'n, str> {
        Cow::Borrowed(name)
    }

    /// True when a namesake with this natural key stands in the way of the wanted one.
    fn collides(&self, wanted: &str, found: &str) -> bool {
        self.key(wanted) == self.key(found)
    }

    /// The part of a natural key that two which collide have in common: of a record its host.
    fn contested<'n>(&self, name: &'n str) -> &'n str {
        name
    }

    /// Why the API would refuse what a field comes to, as a clause after "it", which repeats none of
    /// it: a value from outside is not known when the spec is checked. Blanks around a text do not
    /// count.
    fn problem(&self, _field: &str, _value: &Json, _beside: &Fields<Json>) -> Option<String> {
        None
    }

    /// Makes it.
    fn create(&self, place: &Place, wanted: &Wanted) -> Call;

    /// Changes these fields in place (`name` among them for a rename).
    fn update(&self, place: &Place, id: &str, wanted: &Wanted, changed: &[String]) -> Call;

    /// Removes it; `None` when no call does, because it goes with its parent.
    fn delete(&self, place: &Place, id: &str) -> Option<Call>;

    /// Reads one by its identifier: a list may not show yet what was just made. None for what is read
    /// with its parent. Most products answer a `GET` where they take the `DELETE`.
    fn read(&self, place: &Place, id: &str) -> Option<Call> {
        self.listing(place)?;
        Some(Call { method: http::Method::GET, ..self.delete(place, id)? })
    }

    /// What the answer of [`read`](Self::read) tells, as [`observe`](Self::observe) does of an item.
    fn observe_read(&self, result: &Json) -> Option<Observed> {
        self.observe(result)
    }

    /// True for an answer of [`read`](Self::read) that tells of what was deleted.
    fn is_deleted(&self, _result: &Json) -> bool {
        false
    }

    /// What this kind's codes mean, where the general rules do not tell.
    fn meaning(&self, _call: &Call, failure: &ApiFailure) -> Option<Meaning> {
        self.facts().errors.meaning(failure)
    }

    /// What a refusal asks for, where its code says more than its meaning: see [`cure`](crate::cure).
    fn cure(&self, failure: &ApiFailure) -> Option<String> {
        let mut cures = self.facts().cures.iter();
        cures.find(|(code, _)| failure.has(&[*code])).map(|(_, cure)| (*cure).to_owned())
    }
}

/// A kind that a node of a spec declares.
pub trait Declared: Kind {
    /// The node.
    fn grammar(&self) -> &'static NodeRule;

    /// What is always true of the node besides.
    fn node(&self) -> &'static NodeFacts;

    /// True where the node serves by being there, so that nothing has to refer to it.
    fn stands_alone(&self, _node: &Node) -> bool {
        false
    }

    /// A lint for this resource, such as for an unproxied record that points at a tunnel: makes a
    /// warning for the node, with a code of `envc::lint`.
    fn lint(&self, _desired: &Desired) -> Option<fn(&Node) -> Diagnostic> {
        None
    }

    /// Turns its node into desired resources: its own and those that live with it.
    fn lower(&self, node: &Node, cx: &mut dyn Lower) -> Vec<Desired>;

    /// What somebody else makes of the node: no apply makes or changes it, and a destroy looks for it.
    fn by_others(&self, _node: &Node, _cx: &mut dyn Lower) -> Vec<Desired> {
        Vec::new()
    }
}

/// What others ask of a kind's [`Facts`].
impl dyn Kind + '_ {
    /// Which kind it is.
    pub fn id(&self) -> KindId {
        self.facts().id
    }

    /// What people call it: "D1 database".
    pub fn noun(&self) -> &'static str {
        self.facts().noun
    }

    /// The permission that a token needs for it, in the dashboard's words.
    pub fn permission(&self) -> &'static str {
        self.facts().permission
    }

    /// Its attributes, besides the physical name.
    pub fn attrs(&self) -> &'static [Attr] {
        self.facts().attrs
    }

    /// True where code can be bound to it: by a row of `bind`, or as code that refers to code.
    pub fn can_be_bound(&self) -> bool {
        let bindable = self.declared().and_then(|declared| declared.node().bindable);
        bindable.is_some() || self.facts().circle.is_some()
    }

    /// The attribute of a field.
    pub fn attr(&self, field: &str) -> Option<&'static Attr> {
        self.attrs().iter().find(|attr| attr.name == field)
    }

    /// What a node declares it by; none for what only another kind makes.
    pub fn declared(&self) -> Option<&'static dyn Declared> {
        crate::declared(self.id())
    }

    /// What a text may refer to; nothing of what only another kind makes.
    pub fn outputs(&self) -> &'static [(&'static str, Output)] {
        self.declared().map(|kind| kind.node().outputs).unwrap_or_default()
    }

    /// True when deleting it loses data.
    pub fn holds_data(&self) -> bool {
        self.facts().holds_data
    }

    /// Data that a change destroys, one phrase each; without `wanted` it is deleted.
    pub fn data_loss(&self, seen: &Fields<Json>, wanted: Option<&Fields<Value>>) -> Vec<String> {
        self.facts().review.map_or_else(Vec::new, |review| (review.data_loss)(seen, wanted))
    }

    /// Why what was seen cannot become what is wanted.
    pub fn objection(&self, seen: &Fields<Json>, wanted: &Fields<Value>) -> Option<Objection> {
        self.facts().review.and_then(|review| (review.objection)(seen, wanted))
    }

    /// The fields of which an update has to name what was there.
    pub fn changes_from(&self) -> &'static [&'static str] {
        self.facts().changes_from
    }

    /// True where an update resets what it leaves out.
    pub fn writes_whole(&self) -> bool {
        self.facts().writes_whole
    }

    /// The field that names the resource which it serves, with that one's kind.
    pub fn serves(&self) -> Option<(&'static str, KindId)> {
        self.facts().serves
    }

    /// True for what lives in the account under a name that envc gives, unless the spec does.
    pub fn is_named(&self) -> bool {
        self.declared().is_some_and(|kind| kind.node().name_rule.is_some())
    }

    /// The field that refers to the resource whose name its natural key is, with that one's kind.
    pub fn named_by(&self) -> Option<(&'static str, KindId)> {
        self.facts().named_by
    }

    /// The fields that hold on to another resource by its name, each with that one's kind.
    pub fn holds_by_name(&self) -> &'static [(&'static str, KindId)] {
        self.facts().holds_by_name
    }

    /// The kind of what it lives and dies with, for kinds that are read with their parent.
    pub fn lives_with(&self) -> Option<KindId> {
        self.facts().of_parent.map(|parent| parent.kind)
    }

    /// True for what lives in a zone rather than in the account.
    pub fn in_zone(&self) -> bool {
        self.facts().in_zone
    }

    /// The fields that take the place of a private one which gives several in one text.
    pub fn parts(&self, field: &str) -> &'static [&'static str] {
        self.facts().whole.filter(|whole| whole.field == field).map_or(&[], |whole| whole.parts)
    }

    /// The text of each of [`parts`](Self::parts).
    pub fn split(&self, field: &str, text: &Secret) -> Result<Fields<Secret>, String> {
        let whole = self.facts().whole.filter(|whole| whole.field == field);
        whole.map_or_else(|| Ok(Fields::new()), |whole| (whole.split)(text))
    }

    /// True when the physical name can be changed in place.
    pub fn renames(&self) -> bool {
        self.facts().renames
    }

    /// True for what runs code.
    pub fn runs_code(&self) -> bool {
        self.facts().runs_code
    }

    /// True for what needs a part of the code that it refers to.
    pub fn needs_code(&self) -> bool {
        self.facts().needs_code
    }

    /// Reads an item of a list that another product holds.
    pub fn held(&self, item: &Json) -> Option<Held> {
        self.facts().hosts.and_then(|hosts| (hosts.held)(item))
    }

    /// The host whose addresses are those of what has this name.
    pub fn holds_host(&self, name: &str) -> Option<String> {
        self.facts().hosts.and_then(|hosts| (hosts.of)(name))
    }

    /// The kinds whose resources may be in the way of a new one's host.
    pub fn shares_hosts_with(&self) -> &'static [KindId] {
        self.facts().shares_hosts_with
    }

    /// The field with the host that the account connects to.
    pub fn dials(&self) -> Option<&'static str> {
        self.facts().dials
    }

    /// True for kinds that bear a marker, in a comment or in a variable.
    pub fn bears_marker(&self) -> bool {
        self.facts().marker.is_some()
    }

    /// The most items of one batch; one for kinds without a batch endpoint.
    pub fn batch_items_max(&self) -> usize {
        self.facts().batch.map_or(1, |batch| batch.items_max)
    }

    /// How SQL runs on it; none where none does.
    pub fn database(&self) -> Option<&'static Database> {
        self.facts().database
    }
}
