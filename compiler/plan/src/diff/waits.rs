//! What an apply does not delete yet, since live code is still bound to it.
//!
//! envc writes the configuration of a Worker that somebody else deploys, and what was deployed stays
//! live until they deploy anew. Invariant: what such code is bound to outlives its place in the spec
//! until then; with it stays what it refers to itself. It stays on record, and the apply after the
//! deployment deletes it. What envc uploads itself needs none of this: the upload comes before the
//! delete (`held`).
//!
//! Code that left the spec is deployed by nobody any more: what it is bound to waits until somebody deletes
//! it, and what serves it goes, since that would keep it.
//!
//! A deployment changes what reads a queue, and takes away nothing that left the spec: such a reader
//! goes with its queue, or with what it holds on to.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, KindId, Value};
use envc_kinds::{kind, same_name};
use serde_json::Value as Json;

use super::{differ::Differ, leftover::key};
use crate::{
    model::{Action, Change},
    observe::{Live, Seen},
};

/// Live code that stays as it is in this run, by address.
type Code<'a> = BTreeMap<&'a Address, &'a Live>;

/// Something that serves live code, as a consumer does a Worker.
struct Server<'a> {
    kind: KindId,
    seen: &'a Seen,
    of: &'a Address,
    /// What the spec has of the code says that it stays.
    is_wanted: bool,
    /// The code left the spec. It can be deleted only once nothing serves it.
    left: bool,
}

impl<'a> Differ<'a> {
    /// Makes deletes wait for the deployments that let go of what they delete.
    pub(super) fn wait_for_deployments(&mut self) {
        let code = self.code_that_stays();
        if code.is_empty() {
            return;
        }
        let mut changes = std::mem::take(&mut self.out.changes);
        let mut old_halves = Vec::new();
        for change in &mut changes {
            let users = users(&code, change);
            if users.is_empty() {
                continue;
            }
            let are = if users.len() == 1 { "is" } else { "are" };
            match change.action {
                Action::Delete => wait(change, users, &format!("which {are} bound to it")),
                Action::ReplaceCreateFirst => {
                    let mut old = old_half(change);
                    wait(&mut old, users, &format!("which {are} bound to this old one"));
                    old_halves.push(old);
                }
                // The name is free for the new one only once the old one is gone.
                Action::ReplaceDeleteFirst => {
                    let (why, names) = (&change.reason, in_words(&users));
                    change.reason = format!(
                        "{why}; {names} {are} bound to the old one, and without it until the next \
                         deployment"
                    );
                }
                _ => {}
            }
        }
        changes.extend(old_halves);
        let servers = self.servers(&code);
        while wait_with_others(&servers, &mut changes) {}
        let gone: Vec<&Server<'_>> =
            servers.iter().filter(|server| server.goes(&changes)).collect();
        self.out.changes = changes;
        for Server { kind: id, seen, of, .. } in gone {
            let label = format!("{}.{}", of.name(), key(*id, &seen.observed.name));
            let reason = "no deployment takes it away";
            self.leftover(&Address::new(*id, label), seen, Vec::new(), reason);
        }
    }

    /// The live code that is not deleted in this plan.
    fn code_that_stays(&self) -> Code<'a> {
        let deletes = self.out.changes.iter().filter(|it| it.action == Action::Delete);
        let goes: BTreeSet<(KindId, &str)> =
            deletes.filter_map(|it| Some((it.address.kind(), it.id.as_deref()?))).collect();
        let stays = |(of, live): &(&Address, &Live)| !goes.contains(&(of.kind(), &*live.id));
        self.live.iter().filter(stays).collect()
    }

    /// What serves live code and that no record has.
    fn servers(&self, code: &Code<'a>) -> Vec<Server<'a>> {
        let mut found = Vec::new();
        for (id, seen) in self.index.all() {
            let Some((field, served)) = kind(id).serves() else { continue };
            let name = seen.observed.fields.get(field).and_then(Json::as_str);
            let of = code.iter().find(|(of, live)| of.kind() == served && name == Some(&*live.id));
            let Some((of, live)) = of else { continue };
            if !self.is_recorded(id, seen) && !self.is_claimed(id, seen) {
                let is_wanted = self.is_wanted(id, seen, live);
                found.push(Server { kind: id, seen, of, is_wanted, left: live.left });
            }
        }
        found
    }

    /// True where the code will have it after the next deployment, too.
    fn is_wanted(&self, id: KindId, seen: &Seen, live: &Live) -> bool {
        let Some((field, _)) = kind(id).named_by() else { return true };
        let owner = seen.observed.fields.get(field).and_then(Json::as_str);
        let names_owner = |value: &Value| {
            let mut owners = value.addresses().into_iter();
            owner.is_some() && owners.any(|it| self.ids.get(it).copied() == owner)
        };
        let items = live.wanted.values().filter_map(|value| match value {
            Value::List(items) => Some(items),
            _ => None,
        });
        items.flatten().any(|item| match item {
            Value::Map(item) => item.get(field).is_some_and(names_owner),
            _ => false,
        })
    }
}

impl Server<'_> {
    /// The change of the resource whose name it has.
    fn owner<'c>(&self, changes: &'c [Change]) -> Option<&'c Change> {
        let (field, of) = kind(self.kind).named_by()?;
        let id = self.seen.observed.fields.get(field)?.as_str();
        changes.iter().find(|it| it.address.kind() == of && it.id.as_deref() == id)
    }

    /// True for a delete of what it names.
    fn names(&self, change: &Change) -> bool {
        change.action == Action::Delete
            && kind(self.kind).holds_by_name().iter().any(|(field, of)| {
                let name = self.seen.observed.fields.get(*field).and_then(Json::as_str);
                change.address.kind() == *of
                    && name.is_some_and(|it| same_name(kind(*of), it, name_of(change)))
            })
    }

    /// True where it stays in any case: its owner stays, or waits.
    fn stays(&self, changes: &[Change]) -> bool {
        match self.owner(changes).map(|owner| owner.action) {
            _ if self.left => false,
            Some(Action::Delete) => false,
            Some(Action::Wait) => true,
            _ => self.is_wanted,
        }
    }

    fn goes(&self, changes: &[Change]) -> bool {
        let owner = self.owner(changes);
        !self.stays(changes)
            && ((self.left && owner.is_some())
                || owner.is_some_and(|it| it.action == Action::Delete)
                || changes.iter().any(|change| self.names(change)))
    }
}

/// Makes wait what is named by something that stays, and what a resource that waits refers to or is the
/// parent of; true when there was any.
fn wait_with_others(servers: &[Server<'_>], changes: &mut [Change]) -> bool {
    let mut found: Vec<(usize, BTreeSet<Address>, String)> = Vec::new();
    let waiting: Vec<&Change> = changes.iter().filter(|it| it.action == Action::Wait).collect();
    let parent = |change: &Change| change.record.as_ref().and_then(|it| it.parent.clone());
    for (index, change) in changes.iter().enumerate() {
        let child = change.action == Action::Forget && !change.existing;
        let user = waiting.iter().find(|waiting| {
            let mut needs = waiting.record.iter().flat_map(|record| &record.needs);
            (change.action == Action::Delete && needs.any(|need| *need == change.address))
                || (child && parent(change).as_ref() == Some(&waiting.address))
        });
        let server = servers.iter().find(|it| it.names(change) && it.stays(changes));
        if let Some(user) = user {
            let why = format!("as {} does, which needs it", user.address);
            found.push((index, user.waits_for.iter().cloned().collect(), why));
        } else if let Some(server) = server {
            let (noun, name) = (kind(server.kind).noun(), &server.seen.observed.name);
            let why = format!("whose {noun} `{name}` names it");
            found.push((index, BTreeSet::from([server.of.clone()]), why));
        }
    }
    let any = !found.is_empty();
    for (index, users, why) in found {
        if let Some(change) = changes.get_mut(index) {
            wait(change, users, &why);
        }
    }
    any
}

/// The code that is bound to what the change takes away.
fn users(code: &Code<'_>, change: &Change) -> BTreeSet<Address> {
    let Some(id) = change.id.as_deref().filter(|_| change.action.loses_resource()) else {
        return BTreeSet::new();
    };
    let of = change.address.kind();
    let is_it = |(held, text): &(KindId, String)| {
        *held == of && (text == id || same_name(kind(of), text, name_of(change)))
    };
    let users = code.iter().filter(|(address, live)| {
        // Code may use its own classes.
        let itself = address.kind() == of && live.id == id;
        !itself && live.holds.iter().any(is_it)
    });
    users.map(|(address, _)| (*address).clone()).collect()
}

/// The name in the account.
fn name_of(change: &Change) -> &str {
    change.record.as_ref().map_or(&change.name, |record| &record.name)
}

/// Takes the delete of the old one out of a replace: the new one is made, and the old one is a change
/// of its own.
fn old_half(change: &mut Change) -> Change {
    let old = Change {
        name: name_of(change).to_owned(),
        fields: Vec::new(),
        drift: Vec::new(),
        unknown: Vec::new(),
        deposed: true,
        ..change.clone()
    };
    change.action = Action::Create;
    change.id = None;
    change.record = None;
    change.loses.clear();
    for field in &mut change.fields {
        (field.before, field.forces_replace) = (None, false);
    }
    old
}

fn wait(change: &mut Change, users: BTreeSet<Address>, why: &str) {
    change.action = Action::Wait;
    change.reason = format!("waits for {}, {why}", in_words(&users));
    change.loses.clear();
    change.waits_for = users.into_iter().collect();
}

fn in_words(users: &BTreeSet<Address>) -> String {
    users.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}
