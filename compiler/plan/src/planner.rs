//! Inputs to plan: the one way in for apply and destroy.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, Digest, KindId, Sealer};
use envc_kinds::Fields;
use envc_spec::Lease;
use serde_json::Value as Json;

use crate::{
    diff::{self, DiffInputs, Refusal},
    kept::kept,
    leases,
    migrations::{self, MigrationFile},
    model::{Action, Basis, Change, Goal, PLAN_FORMAT, Plan},
    observe::Observation,
    order,
    ownership::Ownership,
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
    /// The migrations of each database that has a folder, sorted; empty when they are not to run.
    pub migrations: &'a BTreeMap<Address, Vec<MigrationFile>>,
    /// The rows that each of them begins with, of those that have a seed.
    pub seeds: &'a BTreeMap<Address, MigrationFile>,
}

/// Plans an apply, or says why it cannot be.
pub fn plan_apply(inputs: &PlanInputs<'_>) -> Result<Plan, Vec<Refusal>> {
    make(inputs, Goal::Apply)
}

/// Plans a destroy, or says why it cannot be.
pub fn plan_destroy(inputs: &PlanInputs<'_>) -> Result<Plan, Vec<Refusal>> {
    make(inputs, Goal::Destroy)
}

fn make(inputs: &PlanInputs<'_>, goal: Goal) -> Result<Plan, Vec<Refusal>> {
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
    };
    let diff = match goal {
        Goal::Apply => diff::diff(&diff_inputs),
        Goal::Destroy => diff::diff_destroy(&diff_inputs),
    };
    if !diff.refusals.is_empty() {
        return Err(diff.refusals);
    }
    let mut notes = Vec::new();
    let mut work = Vec::new();
    if goal == Goal::Apply {
        for change in &diff.changes {
            let Some(files) = inputs.migrations.get(&change.address) else { continue };
            let fresh = matches!(
                change.action,
                Action::Create | Action::ReplaceCreateFirst | Action::ReplaceDeleteFirst
            );
            if change.deposed || matches!(change.action, Action::Delete | Action::Forget) {
                continue;
            }
            // Migrations that are recorded of another database at this address do not count for this one.
            let recorded = inputs.state.and_then(|state| state.resources.get(&change.address));
            let recorded = recorded.filter(|it| !fresh && change.id.as_ref() == Some(&it.id));
            let applied = recorded.map(|it| it.migrations.as_slice()).unwrap_or_default();
            let address = &change.address;
            let told = recorded.and_then(|it| it.seed);
            let seed = inputs.seeds.get(address).filter(|_| told.is_none());
            work.extend(migrations::decide(address, files, applied, seed, fresh, &mut notes));
        }
    }
    let mut steps = order::steps(&diff.changes, &desired, work, leasing)
        .map_err(|cycle| vec![no_order(&cycle, &diff.changes)])?;
    keep(&mut steps, diff.kept);
    Ok(Plan {
        format: PLAN_FORMAT,
        basis: Basis {
            key: inputs.key.clone(),
            repository: inputs.repository.clone(),
            env_type: inputs.env_type.clone(),
            goal,
            lineage: inputs.state.map(|state| state.lineage.clone()).unwrap_or_default(),
            serial: inputs.state.map_or(0, |state| state.serial),
            spec: inputs.spec.clone(),
            protected: inputs.protect,
        },
        changes: diff.changes,
        steps,
        notes,
    })
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
