//! Inputs to plan: the one way in for apply and destroy.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, Digest};
use envc_spec::Lease;

use crate::{
    diff::{self, DiffInputs, Ownership, Refusal},
    kept::kept,
    leases,
    migrations::{self, MigrationFile},
    model::{Action, Basis, Goal, PLAN_FORMAT, Plan},
    observe::Observation,
    order,
    state::{State, StateKey},
};

/// All that a plan is made from. The same inputs give the same bytes.
#[derive(Debug)]
pub struct Inputs<'a> {
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
}

/// Plans an apply, or says why it cannot be.
pub fn plan_apply(inputs: &Inputs<'_>) -> Result<Plan, Vec<Refusal>> {
    make(inputs, Goal::Apply)
}

/// Plans a destroy, or says why it cannot be.
pub fn plan_destroy(inputs: &Inputs<'_>) -> Result<Plan, Vec<Refusal>> {
    make(inputs, Goal::Destroy)
}

fn make(inputs: &Inputs<'_>, goal: Goal) -> Result<Plan, Vec<Refusal>> {
    let leasing =
        leases::decide(goal, &inputs.key, inputs.leases, inputs.state, inputs.observation);
    let desired = kept(inputs.desired, inputs.state, inputs.observation, inputs.ownership);
    let diff_inputs = DiffInputs {
        leases: &leasing.values,
        desired: &desired,
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
            work.extend(migrations::decide(
                &change.address,
                files,
                inputs.state,
                fresh,
                &mut notes,
            ));
        }
    }
    let Some(steps) = order::steps(&diff.changes, &desired, work, leasing) else {
        return Err(vec![Refusal {
            code: "envc::plan::bug",
            address: diff.changes.first().map_or_else(
                || Address::new(envc_core::KindId::ALL[0], "?"),
                |change| change.address.clone(),
            ),
            message: "BUG: the steps of this plan go round in a circle".into(),
            help: "please report it with the spec and the output of `envc plan --json`".into(),
        }]);
    };
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
