//! Changes to steps: the execution graph, in an order in which every step comes after its needs.
//! `edges` says which steps need which, and why.

mod edges;

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, KindId, Output, Value};
use envc_kinds::kind;
use serde_json::Value as Json;

use crate::{
    dag::Dag,
    leases::Leasing,
    model::{Action, Change},
    verb::Verb,
    work::{BatchWork, DeleteTarget, MigrationRef, Step, Target, Work},
};

/// Migrations to run on one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MigrationWork {
    pub(crate) address: Address,
    pub(crate) files: Vec<MigrationRef>,
    /// The rows that it begins with.
    pub(crate) seed: Option<MigrationRef>,
    pub(crate) fresh: bool,
}

/// A step that has no number yet.
struct Draft {
    work: Work,
    /// The drafts that it waits for, by index.
    after: BTreeSet<usize>,
}

#[derive(Default)]
struct Builder {
    drafts: Vec<Draft>,
    /// The step after which an address has its outputs.
    made_by: BTreeMap<Address, usize>,
    /// The step that changes an address in place.
    updated_by: BTreeMap<Address, Update>,
    /// Steps that refer to others, or let go of them.
    uses: Vec<Use>,
    removals: Vec<Removal>,
    batches: BTreeMap<(KindId, Option<String>), Vec<BatchEntry>>,
    /// What is replaced, by address and identifier; true where its successor comes first.
    replaced: BTreeMap<(Address, String), bool>,
}

/// An update of an address.
struct Update {
    step: usize,
    renames: bool,
}

/// The resources that a step refers to or stops referring to.
struct Use {
    step: usize,
    kind: KindId,
    /// What its resource refers to once the step is done.
    needs: Vec<Need>,
    /// What its resource refers to before.
    holds: Vec<Address>,
    /// The part of `holds` that no resource at the same address refers to afterwards.
    lets_go: Vec<Address>,
}

#[derive(Clone)]
struct Need {
    address: Address,
    by_name: bool,
}

/// The delete of a resource.
struct Removal {
    address: Address,
    id: String,
    step: usize,
    /// True when another resource has its address, or will have it: a replace.
    deposed: bool,
}

struct BatchEntry {
    work: BatchWork,
    needs: Vec<Need>,
    holds: Vec<Address>,
}

impl Use {
    fn new(step: usize, kind: KindId, needs: Vec<Need>, holds: Vec<Address>) -> Self {
        let stays: BTreeSet<&Address> = needs.iter().map(|need| &need.address).collect();
        let lets_go = holds.iter().filter(|held| !stays.contains(held)).cloned().collect();
        Self { step, kind, needs, holds, lets_go }
    }
}

/// Steps that wait for each other, so that none of them can be the first.
#[derive(Debug)]
pub(crate) struct Cycle {
    /// The resource that one of them works on.
    pub(crate) address: Option<Address>,
    /// In words, each waiting for the next, the first again at the end.
    pub(crate) steps: Vec<String>,
}

/// Builds the graph.
pub(crate) fn steps(
    changes: &[Change],
    desired: &BTreeMap<Address, Desired>,
    migrations: Vec<MigrationWork>,
    leasing: Leasing,
) -> Result<Vec<Step>, Cycle> {
    let mut builder = Builder::default();
    for change in changes {
        builder.change(change, desired.get(&change.address));
    }
    builder.flush_batches();
    builder.order_halves();
    let migrated = builder.migrate(migrations);
    builder.link(&migrated, changes);
    builder.lease(leasing);
    number(builder.drafts)
}

impl Builder {
    fn change(&mut self, change: &Change, wanted: Option<&Desired>) {
        let old = (change.address.clone(), change.id.clone().unwrap_or_default());
        match (change.action, wanted) {
            (Action::Create, Some(wanted)) => self.make(wanted),
            (Action::Adopt | Action::Update, Some(wanted)) if !change.fields.is_empty() => {
                self.update(change, wanted);
            }
            (Action::ReplaceDeleteFirst, Some(wanted)) => {
                self.remove(change, Some(wanted));
                self.make(wanted);
                self.replaced.insert(old, false);
            }
            (Action::ReplaceCreateFirst, Some(wanted)) => {
                self.make(wanted);
                self.remove(change, Some(wanted));
                self.replaced.insert(old, true);
            }
            (Action::Delete, _) => {
                self.remove(change, None);
            }
            _ => {}
        }
    }

    /// Makes `step` wait for `before`.
    fn after(&mut self, step: usize, before: usize) {
        if let Some(draft) = self.drafts.get_mut(step).filter(|_| step != before) {
            draft.after.insert(before);
        }
    }

    fn make(&mut self, wanted: &Desired) {
        let (kind_id, needs) = (wanted.address.kind(), needs(wanted));
        let target = target(wanted);
        if kind(kind_id).batch_items_max() > 1 {
            self.batched(wanted.zone.clone(), BatchWork::Create(target), needs, Vec::new());
            return;
        }
        let step = self.push(Work::Create(target));
        self.made_by.insert(wanted.address.clone(), step);
        self.uses.push(Use::new(step, kind_id, needs, Vec::new()));
    }

    fn update(&mut self, change: &Change, wanted: &Desired) {
        let (kind_id, needs) = (wanted.address.kind(), needs(wanted));
        let mut target = target(wanted);
        target.before = before(change);
        let id = change.id.clone().unwrap_or_default();
        let holds = change.holds.clone();
        if kind(kind_id).batch_items_max() > 1 {
            let work = BatchWork::Update { target, id };
            self.batched(wanted.zone.clone(), work, needs, holds);
            return;
        }
        let changed: Vec<String> = change.fields.iter().map(|field| field.field.clone()).collect();
        let renames = changed.iter().any(|field| field == "name");
        let step = self.push(Work::Update { target, id, changed });
        self.updated_by.insert(wanted.address.clone(), Update { step, renames });
        self.uses.push(Use::new(step, kind_id, needs, holds));
    }

    /// Adds the delete of a resource.
    fn remove(&mut self, change: &Change, successor: Option<&Desired>) {
        let deposed = change.deposed || successor.is_some();
        let stays = successor.map(needs).unwrap_or_default();
        let target = DeleteTarget {
            address: change.address.clone(),
            name: change.record.as_ref().map_or(&change.name, |record| &record.name).clone(),
            id: change.id.clone().unwrap_or_default(),
            zone: change.record.as_ref().and_then(|record| record.zone.clone()),
            deposed,
            circle: change.circle.clone(),
        };
        let (kind_id, holds) = (change.address.kind(), change.holds.clone());
        let kind = kind(kind_id);
        if kind.batch_items_max() > 1 {
            let zone = target.zone.clone();
            self.batched(zone, BatchWork::Delete(target), Vec::new(), holds);
            return;
        }
        let clear = kind.facts().before_delete.map(|_| self.push(Work::Clear(target.clone())));
        let (address, id) = (target.address.clone(), target.id.clone());
        let step = self.push(Work::Delete(target));
        if let Some(clear) = clear {
            self.after(step, clear);
        }
        self.removals.push(Removal { address, id, step, deposed });
        let lets_go = Use::new(step, kind_id, stays, holds.clone()).lets_go;
        self.uses.push(Use { step, kind: kind_id, needs: Vec::new(), holds, lets_go });
    }

    /// The halves of each replace in their order, be they in one batch, in those of two zones, or alone.
    fn order_halves(&mut self) {
        let halves = self.removals.iter().filter_map(|gone| {
            let made = *self.made_by.get(&gone.address)?;
            let made_first = self.replaced.get(&(gone.address.clone(), gone.id.clone()))?;
            Some(if *made_first { (gone.step, made) } else { (made, gone.step) })
        });
        for (later, earlier) in halves.collect::<Vec<_>>() {
            self.after(later, earlier);
        }
    }

    /// Migrations come after the database is there. Gives the step of each database.
    fn migrate(&mut self, migrations: Vec<MigrationWork>) -> BTreeMap<Address, usize> {
        let mut migrated = BTreeMap::new();
        for MigrationWork { address, files, seed, fresh } in migrations {
            let step = {
                let address = address.clone();
                self.push(Work::Migrate { address, files, fresh, reset: false, seed })
            };
            if let Some(made) = self.made_by.get(&address).copied() {
                self.after(step, made);
            }
            migrated.insert(address, step);
        }
        migrated
    }

    /// Invariant: a lease comes before everything else, and a release after everything else. Who
    /// gets no preview ID has made nothing; who gave one back has left nothing behind.
    fn lease(&mut self, leasing: Leasing) {
        let others = self.drafts.len();
        let Leasing { leases, releases, values: _ } = leasing;
        for work in leases {
            let index = self.push(Work::Lease(work));
            for draft in self.drafts.iter_mut().take(others) {
                draft.after.insert(index);
            }
        }
        let others = self.drafts.len();
        for work in releases {
            let index = self.push(Work::Release(work));
            if let Some(draft) = self.drafts.get_mut(index) {
                draft.after.extend(0..others);
            }
        }
    }

    fn push(&mut self, work: Work) -> usize {
        self.drafts.push(Draft { work, after: BTreeSet::new() });
        self.drafts.len() - 1
    }

    fn batched(
        &mut self,
        zone: Option<String>,
        work: BatchWork,
        needs: Vec<Need>,
        holds: Vec<Address>,
    ) {
        let Some(address) = work.operation().subject.address() else { return };
        self.batches.entry((address.kind(), zone)).or_default().push(BatchEntry {
            work,
            needs,
            holds,
        });
    }

    /// One request per zone, as far as the endpoint's limit allows; deletes go first, so that a
    /// new record never meets the old one of its name.
    fn flush_batches(&mut self) {
        for ((id, zone), mut entries) in std::mem::take(&mut self.batches) {
            entries.sort_by_key(|entry| match entry.work {
                BatchWork::Delete(_) => 0,
                BatchWork::Update { .. } => 1,
                BatchWork::Create(_) => 2,
            });
            let mut before: Option<usize> = None;
            while !entries.is_empty() {
                let rest = entries.split_off(entries.len().min(kind(id).batch_items_max()));
                let chunk = std::mem::replace(&mut entries, rest);
                let index = self.drafts.len();
                let mut items = Vec::with_capacity(chunk.len());
                for BatchEntry { work, needs, holds } in chunk {
                    self.uses.push(Use::new(index, id, needs, holds));
                    match &work {
                        BatchWork::Create(target) => {
                            self.made_by.insert(target.address.clone(), index);
                        }
                        BatchWork::Delete(DeleteTarget { address, id, deposed, .. }) => {
                            let (address, id) = (address.clone(), id.clone());
                            let (step, deposed) = (index, *deposed);
                            self.removals.push(Removal { address, id, step, deposed });
                        }
                        BatchWork::Update { .. } => {}
                    }
                    items.push(work);
                }
                self.push(Work::Batch { zone: zone.clone(), items });
                if let Some(before) = before {
                    self.after(index, before);
                }
                before = Some(index);
            }
        }
    }
}

/// What a resource refers to, each once, and whether by its name: then a rename has to come first.
/// A resource that takes its natural key from another one, as a consumer does from its queue, refers
/// to that one by name.
fn needs(wanted: &Desired) -> Vec<Need> {
    let mut all: BTreeMap<&Address, bool> = BTreeMap::new();
    let kind = kind(wanted.address.kind());
    let parent = wanted.parent.iter().map(|parent| (parent, false));
    let key = kind.named_by().and_then(|(field, _)| wanted.fields.get(field));
    let key = key.into_iter().flat_map(refs_of).map(|(address, _)| (address, true));
    let refs = wanted.fields.values().flat_map(refs_of);
    for (address, by_name) in refs.chain(parent).chain(key) {
        *all.entry(address).or_default() |= by_name;
    }
    let need = |(address, by_name): (&Address, bool)| Need { address: address.clone(), by_name };
    all.into_iter().map(need).collect()
}

fn refs_of(value: &Value) -> Vec<(&Address, bool)> {
    let mut found = Vec::new();
    value.each_text(&mut |text| {
        found.extend(text.refs().map(|it| (&it.address, it.output == Output::Name)));
    });
    found
}

fn target(wanted: &Desired) -> Target {
    Target {
        address: wanted.address.clone(),
        name: wanted.name.clone(),
        fields: wanted.fields.clone(),
        before: BTreeMap::new(),
        zone: wanted.zone.clone(),
        parent: wanted.parent.clone(),
    }
}

/// The old values that the call of an update has to name.
fn before(change: &Change) -> BTreeMap<String, Json> {
    let named = kind(change.address.kind()).changes_from();
    let fields = change.fields.iter().filter(|field| named.contains(&field.field.as_str()));
    fields.map(|field| (field.field.clone(), field.before.clone().unwrap_or_default())).collect()
}

/// Numbers the steps so that needs are always lower.
fn number(drafts: Vec<Draft>) -> Result<Vec<Step>, Cycle> {
    let order = Dag::new(drafts.iter().map(|draft| draft.after.iter().copied())).order();
    let order = order.map_err(|path| Cycle::of(&path, &drafts))?;
    let mut numbers: Vec<usize> = vec![0; drafts.len()];
    for (number, index) in order.iter().enumerate() {
        if let Some(slot) = numbers.get_mut(*index) {
            *slot = number;
        }
    }
    let mut steps: Vec<(usize, Step)> = drafts
        .into_iter()
        .zip(&numbers)
        .map(|(draft, number)| {
            let needs = draft.after.iter().filter_map(|before| numbers.get(*before).copied());
            let mut needs: Vec<usize> = needs.collect();
            needs.sort_unstable();
            (*number, Step { needs, work: draft.work })
        })
        .collect();
    steps.sort_by_key(|(number, _)| *number);
    Ok(steps.into_iter().map(|(_, step)| step).collect())
}

impl Cycle {
    fn of(path: &[usize], drafts: &[Draft]) -> Self {
        let work = |index: &usize| drafts.get(*index).map(|draft| &draft.work);
        let first = path.first().and_then(work);
        Self {
            address: first.and_then(|work| work.addresses().next()).cloned(),
            steps: path.iter().filter_map(work).map(in_words).collect(),
        }
    }
}

/// `update worker.web`, `lease from previews`
fn in_words(work: &Work) -> String {
    let verb = work.verb();
    match (work.pool(), verb) {
        (Some(pool), Verb::Release) => format!("{verb} to {pool}"),
        (Some(pool), _) => format!("{verb} from {pool}"),
        (None, _) => {
            let addresses: Vec<String> = work.addresses().map(ToString::to_string).collect();
            format!("{verb} {}", addresses.join(", "))
        }
    }
}
