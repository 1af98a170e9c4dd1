//! What has to come before what, read off a finished plan.
//!
//! The question is always the same: what does a live Worker, a consumer or a record have at the
//! moment at which a step is done, and is it still there, already there, and whole?

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Output};
use envc_kinds::kind;

use super::{Checker, before, targets};
use crate::{
    model::{Action, Change, Plan},
    verb::Verb,
    work::{Target, Work},
};

/// Where the plan does what, by address.
struct Places<'a> {
    plan: &'a Plan,
    made: BTreeMap<&'a Address, usize>,
    /// The update, and whether the name is another one after it.
    updated: BTreeMap<&'a Address, (usize, bool)>,
    gone: BTreeMap<&'a Address, Vec<usize>>,
    migrated: BTreeMap<&'a Address, usize>,
    /// Steps that change or delete what is there, by address and API identifier.
    lets_go: BTreeMap<(&'a Address, &'a str), Vec<usize>>,
    /// What an address becomes.
    wanted: BTreeMap<&'a Address, &'a Target>,
    /// Resources whose successor has their name.
    same_name: BTreeSet<&'a Address>,
}

impl<'a> Places<'a> {
    fn of(checker: &Checker<'a>) -> Self {
        let plan = checker.plan;
        let own = || plan.changes.iter().filter(|change| !change.deposed);
        let renamed: BTreeSet<&Address> = own()
            .filter(|change| change.fields.iter().any(|field| field.field == "name"))
            .map(|change| &change.address)
            .collect();
        let delete_first = own().filter(|change| change.action == Action::ReplaceDeleteFirst);
        let mut places = Self {
            plan,
            made: BTreeMap::new(),
            updated: BTreeMap::new(),
            gone: BTreeMap::new(),
            migrated: BTreeMap::new(),
            lets_go: BTreeMap::new(),
            wanted: targets(plan).map(|(_, target)| (&target.address, target)).collect(),
            same_name: delete_first.map(|change| &change.address).collect(),
        };
        for (address, id, verb, step) in checker.operations() {
            if verb != Verb::Create {
                places.lets_go.entry((address, id)).or_default().push(step);
            }
            match verb {
                Verb::Create => drop(places.made.insert(address, step)),
                Verb::Delete => places.gone.entry(address).or_default().push(step),
                _ => drop(places.updated.insert(address, (step, renamed.contains(address)))),
            }
        }
        for (step, it) in plan.steps.iter().enumerate() {
            if it.work.verb() == Verb::Migrate {
                places.migrated.extend(it.work.addresses().map(|address| (address, step)));
            }
        }
        places
    }

    /// Is this delete the one that makes room for the successor?
    fn makes_room(&self, address: &Address, gone: usize) -> bool {
        self.same_name.contains(address)
            && self.made.get(address).is_some_and(|made| before(self.plan, *made, gone))
    }

    /// May something be deleted at `gone`, when a step lets go of it or points at its successor?
    fn may_go(&self, address: &Address, gone: usize, step: usize) -> bool {
        let after_successor =
            || self.made.get(address).is_some_and(|made| before(self.plan, step, *made));
        before(self.plan, gone, step) || (self.makes_room(address, gone) && after_successor())
    }
}

impl Checker<'_> {
    /// Names, code, tables and bindings are what a step needs at the moment at which it is done.
    pub(super) fn sequence(&mut self) {
        let places = Places::of(self);
        let mut findings = Vec::new();
        for (step, target) in targets(self.plan) {
            of_target(&places, step, target, &mut findings);
        }
        for change in &self.plan.changes {
            of_change(&places, change, &mut findings);
        }
        of_replaced(&places, &mut findings);
        of_hosts(self, &places, &mut findings);
        of_clears_and_batches(self.plan, &mut findings);
        self.findings.extend(findings);
    }
}

/// What a change lets go of.
fn of_change(places: &Places<'_>, change: &Change, findings: &mut Vec<String>) {
    let plan = places.plan;
    let id = change.id.as_deref().unwrap_or_default();
    let wanted = places.wanted.get(&change.address).filter(|_| !change.deposed);
    let stays =
        |held: &Address| wanted.is_some_and(|it| refs(it).iter().any(|(it, _)| *it == held));
    for step in places.lets_go.get(&(&change.address, id)).into_iter().flatten().copied() {
        for held in &change.holds {
            for gone in places.gone.get(held).into_iter().flatten() {
                if !places.may_go(held, *gone, step) {
                    findings.push(format!(
                        "step {gone} deletes {held} before step {step} lets go of it"
                    ));
                }
            }
            let needs_code = kind(change.address.kind()).needs_code()
                && kind(held.kind()).runs_code()
                && !stays(held);
            if let (true, Some((update, _))) = (needs_code, places.updated.get(held))
                && !before(plan, *update, step)
            {
                findings.push(format!(
                    "step {update} brings other code of {held} before {} lets go of it in \
                     step {step}",
                    change.address
                ));
            }
        }
    }
}

/// The two halves of a replace, and the tables of the new one.
fn of_replaced(places: &Places<'_>, findings: &mut Vec<String>) {
    let plan = places.plan;
    for change in plan.changes.iter().filter(|change| !change.deposed) {
        let address = &change.address;
        let id = change.id.as_deref().unwrap_or_default();
        let gone = places.lets_go.get(&(address, id)).into_iter().flatten();
        for (gone, made) in gone.filter_map(|gone| Some((*gone, *places.made.get(address)?))) {
            let ordered = match change.action {
                Action::ReplaceCreateFirst => before(plan, gone, made),
                Action::ReplaceDeleteFirst => before(plan, made, gone),
                _ => true,
            };
            if !ordered {
                findings.push(format!(
                    "{address} is replaced, and steps {gone} and {made} have no order"
                ));
            }
        }
    }
    for (address, migrate) in &places.migrated {
        if places.made.get(address).is_some_and(|made| !before(plan, *migrate, *made)) {
            findings.push(format!("step {migrate} migrates {address} before it is there"));
        }
        for gone in places.gone.get(address).into_iter().flatten() {
            if !before(plan, *gone, *migrate) && !places.makes_room(address, *gone) {
                findings.push(format!(
                    "step {gone} deletes the old {address} before step {migrate} gives the new \
                     one its tables"
                ));
            }
        }
    }
}

/// What a step refers to is there, under the name that it uses, with the code that it needs, and
/// with its tables where code is what refers to it.
fn of_target(places: &Places<'_>, step: usize, target: &Target, findings: &mut Vec<String>) {
    let plan = places.plan;
    let key = kind(target.address.kind()).named_by().and_then(|(it, _)| target.fields.get(it));
    let key = key.map(envc_core::Value::addresses).unwrap_or_default();
    for (need, output) in refs(target) {
        // Its own natural key is the name of that one.
        let by_name = output == Some(Output::Name) || key.contains(&need);
        if let Some((update, renamed)) = places.updated.get(need)
            && (kind(need.kind()).runs_code() || (*renamed && by_name))
            && !before(plan, step, *update)
        {
            let what = if *renamed { "its new name" } else { "its new code" };
            findings.push(format!(
                "{} refers to {need} in step {step}, which may come before {what} in step {update}",
                target.address
            ));
        }
        if let Some(migrate) = places.migrated.get(need)
            && kind(target.address.kind()).runs_code()
            && !before(plan, step, *migrate)
        {
            findings.push(format!(
                "step {step} makes code of {} live before step {migrate} migrates {need}",
                target.address
            ));
        }
        for gone in places.gone.get(need).into_iter().flatten() {
            if !places.may_go(need, *gone, step) {
                findings.push(format!(
                    "step {gone} deletes the old {need} before step {step} points {} at the new one",
                    target.address
                ));
            }
        }
    }
}

/// What a target refers to; its parent without an output.
fn refs(target: &Target) -> Vec<(&Address, Option<Output>)> {
    let mut found: Vec<(&Address, Option<Output>)> = Vec::new();
    for value in target.fields.values() {
        value.each_text(&mut |text| {
            found.extend(text.refs().map(|it| (&it.address, Some(it.output))));
        });
    }
    found.extend(target.parent.iter().map(|parent| (parent, None)));
    found
}

/// A host that has the addresses of one kind of resource is let go of by it before another kind's
/// takes it: by the names in the steps, and by what a rename says that it was.
fn of_hosts(checker: &Checker<'_>, places: &Places<'_>, findings: &mut Vec<String>) {
    let plan = places.plan;
    let (renamed, deleted) = (renamed(plan), deleted(plan));
    let mut given_up: BTreeMap<String, Vec<(&Address, usize)>> = BTreeMap::new();
    let mut takes = Vec::new();
    for (address, id, verb, step) in checker.operations() {
        let host = |name: &str| kind(address.kind()).holds_host(name);
        let name = places.wanted.get(address).map(|target| target.name.as_str());
        let (old, new) = match verb {
            Verb::Create => (None, name),
            Verb::Delete => (deleted.get(&(address, id)).copied(), None),
            // What holds no host under its new name held none under the old one.
            _ => {
                let old = renamed.get(&(address, id)).copied();
                let new = name.filter(|name| old.is_some() && host(name).is_some());
                (old.filter(|_| new.is_some()), new)
            }
        };
        if let Some(host) = old.and_then(host) {
            given_up.entry(host).or_default().push((address, step));
        }
        takes.extend(new.and_then(host).map(|host| (host, address, step)));
    }
    for (host, address, step) in &takes {
        let near = given_up.get(host).into_iter().flatten();
        for (by, gone) in near.filter(|(by, _)| by.kind() != address.kind()) {
            if !before(plan, *step, *gone) {
                findings.push(format!(
                    "step {step} takes {host} for {address} before step {gone} takes it from {by}"
                ));
            }
        }
    }
}

/// What is renamed in place, with what its name field held.
fn renamed<'a>(plan: &'a Plan) -> BTreeMap<(&'a Address, &'a str), &'a str> {
    let name = |change: &'a Change| change.fields.iter().find(|field| field.field == "name");
    let changes = plan.changes.iter();
    changes
        .filter_map(|change| {
            let before = name(change)?.before.as_ref()?.as_str()?;
            Some(((&change.address, change.id.as_deref()?), before))
        })
        .collect()
}

/// What is deleted, with its name.
fn deleted(plan: &Plan) -> BTreeMap<(&Address, &str), &str> {
    let operations = plan.steps.iter().flat_map(|step| step.work.operations());
    operations
        .filter(|it| it.verb == Verb::Delete)
        .filter_map(|it| Some(((it.subject.address()?, it.id.unwrap_or_default()), it.name)))
        .collect()
}

/// A tunnel's connections are cleared before it goes; and one zone takes one batch at a time.
fn of_clears_and_batches(plan: &Plan, findings: &mut Vec<String>) {
    let mut last: BTreeMap<Option<&str>, usize> = BTreeMap::new();
    let mut clears: BTreeMap<(&Address, &str), usize> = BTreeMap::new();
    for (step, it) in plan.steps.iter().enumerate() {
        if let Work::Clear(target) = &it.work {
            clears.insert((&target.address, &target.id), step);
        }
    }
    for (step, it) in plan.steps.iter().enumerate() {
        match &it.work {
            Work::Delete(target) => {
                if let Some(clear) = clears.get(&(&target.address, target.id.as_str()))
                    && !before(plan, step, *clear)
                {
                    findings.push(format!("step {step} deletes what step {clear} has to clear"));
                }
            }
            Work::Batch { zone, .. } => {
                if let Some(other) = last.insert(zone.as_deref(), step)
                    && !before(plan, step, other)
                {
                    findings.push(format!("steps {other} and {step} change one zone at once"));
                }
            }
            _ => {}
        }
    }
}
