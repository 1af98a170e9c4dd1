//! Inputs to plan: the one way in for apply and destroy.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, Digest, KindId, Sealer, Veils};
use envc_kinds::Fields;
use envc_spec::Lease;
use serde_json::Value as Json;

use crate::{
    diff::{self, DiffInputs, Refusal},
    kept::kept,
    leases,
    migrations::{Migrate, MigrationFile, Standing},
    model::{Action, Basis, Change, Goal, PLAN_FORMAT, Plan},
    observe::Observation,
    order::{self, MigrationWork},
    ownership::Ownership,
    risks::{self, LossyFile, lossy_files},
    state::{State, StateKey},
    work::Step,
};

/// All that a plan is made from. The same inputs give the same bytes.
#[derive(Debug)]
pub struct PlanInputs<'a> {
    /// Whose plan.
    pub key: StateKey,
    /// The repository whose project it is.
    pub repository: String,
    /// The environment's type.
    pub env_type: String,
    /// Digest of the spec's text.
    pub spec: Digest,
    /// Refuses delete and replace.
    pub protect: bool,
    /// The preview IDs that the spec asks for, by name; for a destroy it may be empty.
    pub leases: &'a BTreeMap<String, Lease>,
    /// Seals observed values, to compare them with sealed ones.
    pub sealer: &'a Sealer,
    /// The desired graph; for a destroy it may be empty.
    pub desired: &'a BTreeMap<Address, Desired>,
    /// What is recorded.
    pub state: Option<&'a State>,
    /// What is there.
    pub observation: &'a Observation,
    /// What proves a namesake ours.
    pub ownership: &'a Ownership,
    /// Addresses to leave in the account.
    pub keep: &'a BTreeSet<Address>,
    /// The migrations of each database that has a folder, sorted.
    pub migrations: &'a BTreeMap<Address, Vec<MigrationFile>>,
    /// The rows that each of them begins with, of those that have a seed.
    pub seeds: &'a BTreeMap<Address, MigrationFile>,
    /// What the user asked for besides.
    pub asked: Asked,
}

/// What the command line asks for beside what the spec says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Whose pending migrations run.
    pub migrate: Migrate,
    /// Resources to make anew though nothing of them differs.
    pub replace: BTreeSet<Address>,
    /// Migrations that may lose rows in this one run though the type is protected.
    pub allow_loss: BTreeSet<LossyFile>,
    /// Addresses that may be deleted or replaced in this one run though the type is protected.
    pub unprotect: BTreeSet<Address>,
}

/// Why there is no plan that can be run.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// All that stands in the way, by address.
    pub refusals: Vec<Refusal>,
    /// What would be done where nothing stood in the way, as far as it can be told. It has no steps, so
    /// that nobody runs it.
    pub draft: Box<Plan>,
}

/// Plans an apply, or says why it cannot be.
pub fn plan_apply(inputs: &PlanInputs<'_>) -> Result<Plan, Refused> {
    make(inputs, Goal::Apply)
}

/// Plans a destroy, or says why it cannot be.
pub fn plan_destroy(inputs: &PlanInputs<'_>) -> Result<Plan, Refused> {
    make(inputs, Goal::Destroy)
}

fn make(inputs: &PlanInputs<'_>, goal: Goal) -> Result<Plan, Refused> {
    let leasing =
        leases::decide(goal, &inputs.key, inputs.leases, inputs.state, inputs.observation);
    let desired = kept(inputs.desired, inputs.state, inputs.observation, inputs.ownership);
    let diff_inputs = DiffInputs {
        leases: &leasing.values,
        sealer: inputs.sealer,
        desired: &desired,
        named_today: inputs.desired,
        state: inputs.state,
        observation: inputs.observation,
        ownership: inputs.ownership,
        keep: inputs.keep,
        protect: inputs.protect,
        replace: &inputs.asked.replace,
        unprotect: &inputs.asked.unprotect,
    };
    let diff = match goal {
        Goal::Apply => diff::diff(&diff_inputs),
        Goal::Destroy => diff::diff_destroy(&diff_inputs),
    };
    let draft = |changes| Refused::draft(inputs, goal, changes);
    if !diff.refusals.is_empty() {
        return Err(Refused { refusals: diff.refusals, draft: draft(diff.changes) });
    }
    let migrations = match goal {
        Goal::Apply => standings(inputs, &diff.changes),
        Goal::Destroy => BTreeMap::new(),
    };
    let notes = migrations.iter().flat_map(|(address, it)| it.notes(address)).collect();
    let work =
        migrations.iter().filter_map(|(address, it)| run(inputs, &diff.changes, address, it));
    let mut steps = match order::steps(&diff.changes, &desired, work.collect(), leasing) {
        Ok(steps) => steps,
        Err(cycle) => {
            let refusals = vec![no_order(&cycle, &diff.changes)];
            return Err(Refused { refusals, draft: draft(diff.changes) });
        }
    };
    keep(&mut steps, diff.kept);
    let mut basis = basis(inputs, goal, &diff.changes);
    if inputs.protect {
        let allowed = lossy_files(&migrations).into_iter();
        basis.lossy = allowed.filter(|it| inputs.asked.allow_loss.contains(it)).collect();
    }
    let changes = diff.changes;
    let veils = Veils::new();
    Ok(Plan { format: PLAN_FORMAT, basis, changes, steps, notes, migrations, veils })
}

impl Refused {
    /// What would be done, as far as it can be told.
    fn draft(inputs: &PlanInputs<'_>, goal: Goal, changes: Vec<Change>) -> Box<Plan> {
        Box::new(Plan {
            format: PLAN_FORMAT,
            basis: basis(inputs, goal, &changes),
            changes,
            steps: Vec::new(),
            notes: Vec::new(),
            migrations: BTreeMap::new(),
            veils: Veils::new(),
        })
    }
}

fn basis(inputs: &PlanInputs<'_>, goal: Goal, changes: &[Change]) -> Basis {
    // What is not lost needs no leave: a plan says of each address that it was given one it needed.
    let lost = changes.iter().filter(|change| inputs.protect && change.needs_leave());
    let unprotected =
        lost.map(|change| &change.address).filter(|it| inputs.asked.unprotect.contains(*it));
    Basis {
        key: inputs.key.clone(),
        repository: inputs.repository.clone(),
        env_type: inputs.env_type.clone(),
        goal,
        lineage: inputs.state.map(|state| state.lineage.clone()).unwrap_or_default(),
        serial: inputs.state.map_or(0, |state| state.serial),
        spec: inputs.spec.clone(),
        protected: inputs.protect,
        replace: inputs.asked.replace.clone(),
        adopted: inputs.ownership.adopt.clone(),
        lossy: BTreeSet::new(),
        unprotected: unprotected.cloned().collect(),
    }
}

/// How the migrations stand of each database that is there when the plan is done.
fn standings(inputs: &PlanInputs<'_>, changes: &[Change]) -> BTreeMap<Address, Standing> {
    let mut all = BTreeMap::new();
    for change in changes {
        let Some(files) = inputs.migrations.get(&change.address) else { continue };
        if change.deposed || (!makes(change) && change.staying_id().is_none()) {
            continue;
        }
        // What is recorded of another database at this address does not count for this one.
        let recorded = inputs.state.zip(change.staying_id());
        let recorded = recorded.map(|(state, id)| state.migrations_of(&change.address, id));
        let recorded = recorded.unwrap_or_default();
        let key = change.staying_id().map(|id| (change.address.kind(), id.to_owned()));
        let runs = inputs.asked.migrate.runs(change.existing);
        let standing = match key.and_then(|key| inputs.observation.ledgers.get(&key)) {
            Some(Some(ledger)) => Standing::of(files, ledger, recorded),
            // The token may not read it: nothing can be said.
            Some(None) => continue,
            None => {
                let ledger: Vec<String> = recorded.iter().map(|it| it.name.clone()).collect();
                Standing::of(files, &ledger, recorded)
            }
        };
        // An empty ledger of a database that envc made: nothing ran there yet.
        let made_here = matches!(change.action, Action::Keep | Action::Update) && !change.existing;
        let is_new = makes(change) || (made_here && standing.applied.is_empty());
        let risks = risks::of(files, &standing, is_new);
        all.insert(change.address.clone(), Standing { risks, runs, ..standing });
    }
    all
}

/// True for what has no data yet when the plan begins to work on it.
fn makes(change: &Change) -> bool {
    matches!(
        change.action,
        Action::Create | Action::ReplaceCreateFirst | Action::ReplaceDeleteFirst
    )
}

/// The migrations to run on one database; none when there is nothing to do.
fn run(
    inputs: &PlanInputs<'_>,
    changes: &[Change],
    address: &Address,
    standing: &Standing,
) -> Option<MigrationWork> {
    let files = inputs.migrations.get(address)?.iter();
    let files = files.filter(|file| standing.runs && standing.is_to_run(&file.name));
    let files: Vec<_> = files.map(|file| file.reference(address)).collect();
    let mut own = changes.iter().filter(|it| it.address == *address && !it.deposed);
    let fresh = own.clone().any(makes);
    let recorded = inputs.state.and_then(|state| state.resources.get(address));
    let recorded = recorded.filter(|it| own.any(|change| change.staying_id() == Some(&it.id)));
    // What the ledger lacks of what was recorded was emptied since: its seed may be gone as well.
    let is_known = recorded.is_some_and(|it| it.seed.is_some());
    let is_open = !is_known || standing.applied.is_empty() || !standing.lacking.is_empty();
    let seed = inputs.seeds.get(address).filter(|_| standing.runs && is_open);
    let seed = seed.map(|seed| seed.reference(address));
    let is_some = !files.is_empty() || seed.is_some();
    is_some.then(|| MigrationWork { address: address.clone(), files, seed, fresh })
}

/// Gives each update the values that its call has to send although the spec does not set them.
fn keep(steps: &mut [Step], mut kept: BTreeMap<Address, Fields<Json>>) {
    for target in steps.iter_mut().flat_map(|step| step.work.updates_mut()) {
        target.before.extend(kept.remove(&target.address).unwrap_or_default());
    }
}

/// Changes that wait for each other.
fn no_order(cycle: &order::Cycle, changes: &[Change]) -> Refusal {
    let first = changes.first().map(|change| &change.address);
    let address = cycle.address.as_ref().or(first).cloned();
    Refusal {
        code: "envc::plan::no_order",
        address: address.unwrap_or_else(|| Address::new(KindId::ALL[0], "?")),
        message: format!(
            "these changes cannot be ordered, since each has to wait for the next: {}",
            cycle.steps.join(" → ")
        ),
        help: "make them in two applies: take one of the references, or one of the new names, out \
               of the spec, apply, then put it back and apply again"
            .into(),
    }
}
