//! Changes to steps: the execution graph, in an order in which every step comes after its needs.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, KindId};
use envc_kinds::kind;
use serde_json::Value as Json;

use crate::leases::Leasing;
use crate::model::{Action, BatchWork, Change, Doomed, MigrationRef, Step, Target, Work};

/// Migrations to run on one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MigrationWork {
    pub(crate) address: Address,
    pub(crate) files: Vec<MigrationRef>,
    pub(crate) fresh: bool,
}

/// A step before it has its number.
struct Draft {
    work: Work,
    /// Drafts that must come before, by index.
    after: BTreeSet<usize>,
}

#[derive(Default)]
struct Builder {
    drafts: Vec<Draft>,
    /// The step after which an address has its outputs.
    made_by: BTreeMap<Address, usize>,
    /// The steps that touch an address, and what that address refers to.
    touched: Vec<(Vec<Address>, usize, Touch)>,
    /// Deletes, with the address that goes.
    deletes: Vec<(Address, usize)>,
    batches: BTreeMap<(KindId, Option<String>), Vec<BatchEntry>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    Made,
    Removed,
}

struct BatchEntry {
    work: BatchWork,
    needs: Vec<Address>,
    touch: Touch,
}

/// Builds the graph. `None` when the changes cannot be ordered, which the checker's author
/// believes impossible; the caller reports it as a bug.
pub(crate) fn steps(
    changes: &[Change],
    desired: &BTreeMap<Address, Desired>,
    migrations: Vec<MigrationWork>,
    leasing: Leasing,
) -> Option<Vec<Step>> {
    let mut builder = Builder::default();
    for change in changes {
        builder.change(change, desired.get(&change.address));
    }
    builder.flush_batches();
    builder.link();
    for work in migrations {
        let after = builder.made_by.get(&work.address).copied().into_iter().collect();
        builder.drafts.push(Draft {
            work: Work::Migrate { address: work.address, files: work.files, fresh: work.fresh },
            after,
        });
    }
    builder.lease(leasing);
    number(builder.drafts)
}

impl Builder {
    fn change(&mut self, change: &Change, wanted: Option<&Desired>) {
        match (change.action, wanted) {
            (Action::Create, Some(wanted)) => self.make(wanted),
            (Action::Adopt | Action::Update, Some(wanted)) if !change.fields.is_empty() => {
                self.update(change, wanted);
            }
            (Action::ReplaceDeleteFirst, Some(wanted)) => {
                let batched = kind(change.address.kind()).batch_items_max() > 1;
                let old = self.remove(change, Vec::new(), true);
                self.make(wanted);
                if let (false, Some(old), Some(new)) =
                    (batched, old, self.made_by.get(&change.address))
                    && let Some(draft) = self.drafts.get_mut(*new)
                {
                    draft.after.insert(old);
                }
            }
            (Action::ReplaceCreateFirst, Some(wanted)) => {
                self.make(wanted);
                let made = self.made_by.get(&change.address).copied();
                if let (Some(old), Some(new)) = (self.remove(change, Vec::new(), true), made)
                    && let Some(draft) = self.drafts.get_mut(old)
                {
                    draft.after.insert(new);
                }
            }
            (Action::Delete, _) => {
                let needs =
                    change.record.as_ref().map(|record| record.needs.clone()).unwrap_or_default();
                self.remove(change, needs, change.deposed);
            }
            _ => {}
        }
    }

    fn make(&mut self, wanted: &Desired) {
        let needs: Vec<Address> = wanted.needs().into_iter().cloned().collect();
        let target = target(wanted);
        if kind(wanted.address.kind()).batch_items_max() > 1 {
            self.batched(wanted.zone.clone(), BatchWork::Create(target), needs, Touch::Made);
            return;
        }
        let index = self.push(Work::Create(target));
        self.made_by.insert(wanted.address.clone(), index);
        self.touched.push((needs, index, Touch::Made));
    }

    fn update(&mut self, change: &Change, wanted: &Desired) {
        let needs: Vec<Address> = wanted.needs().into_iter().cloned().collect();
        let mut target = target(wanted);
        target.before = before(change);
        let id = change.id.clone().unwrap_or_default();
        if kind(wanted.address.kind()).batch_items_max() > 1 {
            self.batched(wanted.zone.clone(), BatchWork::Update { target, id }, needs, Touch::Made);
            return;
        }
        let changed = change.fields.iter().map(|field| field.field.clone()).collect();
        let index = self.push(Work::Update { target, id, changed });
        self.touched.push((needs, index, Touch::Made));
    }

    /// The index of the delete, unless it goes into a batch.
    fn remove(&mut self, change: &Change, needs: Vec<Address>, deposed: bool) -> Option<usize> {
        let doomed = Doomed {
            address: change.address.clone(),
            name: change.record.as_ref().map_or(&change.name, |record| &record.name).clone(),
            id: change.id.clone().unwrap_or_default(),
            zone: change.record.as_ref().and_then(|record| record.zone.clone()),
            deposed,
        };
        let kind = kind(change.address.kind());
        if kind.batch_items_max() > 1 {
            let zone = doomed.zone.clone();
            self.batched(zone, BatchWork::Delete(doomed), needs, Touch::Removed);
            return None;
        }
        let place = envc_kinds::Place::default();
        let clear = kind.before_delete(&place, "x").map(|_| self.push(Work::Clear(doomed.clone())));
        let index = self.push(Work::Delete(doomed));
        if let (Some(clear), Some(draft)) = (clear, self.drafts.get_mut(index)) {
            draft.after.insert(clear);
        }
        self.deletes.push((change.address.clone(), index));
        self.touched.push((needs, index, Touch::Removed));
        Some(index)
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
        needs: Vec<Address>,
        touch: Touch,
    ) {
        let id = match &work {
            BatchWork::Create(target) | BatchWork::Update { target, .. } => target.address.kind(),
            BatchWork::Delete(doomed) => doomed.address.kind(),
        };
        self.batches.entry((id, zone)).or_default().push(BatchEntry { work, needs, touch });
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
                for entry in chunk {
                    self.touched.push((entry.needs, index, entry.touch));
                    if let BatchWork::Create(target) = &entry.work {
                        self.made_by.insert(target.address.clone(), index);
                    }
                    items.push(entry.work);
                }
                self.push(Work::Batch { zone: zone.clone(), items });
                if let (Some(before), Some(draft)) = (before, self.drafts.get_mut(index)) {
                    draft.after.insert(before);
                }
                before = Some(index);
            }
        }
    }

    /// Edges: what is made or changed comes after what it refers to is made; what is removed
    /// comes after all that referred to it is removed or changed.
    fn link(&mut self) {
        let mut edges: Vec<(usize, usize)> = Vec::new();
        let mut referrers: BTreeMap<&Address, Vec<usize>> = BTreeMap::new();
        for (needs, index, touch) in &self.touched {
            for need in needs {
                referrers.entry(need).or_default().push(*index);
                if *touch == Touch::Made
                    && let Some(made) = self.made_by.get(need)
                {
                    edges.push((*index, *made));
                }
            }
        }
        for (address, delete) in &self.deletes {
            // Where the new one waits for the old one's delete, its referrers cannot come first.
            let waits = self.made_by.get(address).is_some_and(|made| {
                self.drafts.get(*made).is_some_and(|draft| draft.after.contains(delete))
            });
            if waits {
                continue;
            }
            for referrer in referrers.get(address).into_iter().flatten() {
                edges.push((*delete, *referrer));
            }
        }
        for (index, before) in edges {
            if index != before
                && let Some(draft) = self.drafts.get_mut(index)
            {
                draft.after.insert(before);
            }
        }
    }
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

/// What an update has to say that it changes from.
fn before(change: &Change) -> BTreeMap<String, Json> {
    let named = kind(change.address.kind()).changes_from();
    let fields = change.fields.iter().filter(|field| named.contains(&field.field.as_str()));
    fields.map(|field| (field.field.clone(), field.before.clone().unwrap_or_default())).collect()
}

/// Numbers the steps so that needs are always lower; `None` when they go round in a circle.
fn number(drafts: Vec<Draft>) -> Option<Vec<Step>> {
    let mut waiting: Vec<usize> = drafts.iter().map(|draft| draft.after.len()).collect();
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); drafts.len()];
    for (index, draft) in drafts.iter().enumerate() {
        for before in &draft.after {
            dependants.get_mut(*before)?.push(index);
        }
    }
    let mut ready: BTreeSet<usize> =
        waiting.iter().enumerate().filter(|(_, count)| **count == 0).map(|(i, _)| i).collect();
    let mut numbers: Vec<Option<usize>> = vec![None; drafts.len()];
    let mut order = Vec::with_capacity(drafts.len());
    while let Some(index) = ready.pop_first() {
        *numbers.get_mut(index)? = Some(order.len());
        order.push(index);
        for dependant in dependants.get(index)? {
            let count = waiting.get_mut(*dependant)?;
            *count = count.checked_sub(1)?;
            if *count == 0 {
                ready.insert(*dependant);
            }
        }
    }
    if order.len() != drafts.len() {
        return None;
    }
    let mut drafts: Vec<Option<Draft>> = drafts.into_iter().map(Some).collect();
    let mut steps = Vec::with_capacity(order.len());
    for index in order {
        let draft = drafts.get_mut(index)?.take()?;
        let mut needs: Vec<usize> = draft
            .after
            .iter()
            .map(|before| numbers.get(*before).copied().flatten())
            .collect::<Option<_>>()?;
        needs.sort_unstable();
        steps.push(Step { needs, work: draft.work });
    }
    Some(steps)
}
