//! The checker: looks at a finished plan and knows nothing of how it was made.
//!
//! It runs after planning, after loading a saved plan, and before apply. It proves: steps only
//! need earlier steps; every reference has a producer before its user; names, code and tables are
//! there when they are needed, and what is deleted was let go of (`sequence`); each change that
//! needs work has exactly its steps, and no step works on anything else; nothing protected,
//! `existing` or wanted under another address is deleted or replaced, but for the protected ones that
//! the plan names as unprotected; no secret stands in a field;
//! a lease comes before everything else, and a release after everything else; a database's migrations
//! are the ones that its ledger lacks, and no data of a protected or `existing` one goes before them.

mod sequence;

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, KindId, Sealed};
use envc_kinds::{Mutability, kind};
use serde_json::Value as Json;

use crate::{
    model::{Action, Change, Goal, Plan},
    verb::Verb,
    work::{Target, Work},
};

/// A plan that passed. The only thing that exec takes.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a checked plan does nothing until it is applied"]
pub struct CheckedPlan(Plan);

impl CheckedPlan {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.0
    }
}

/// What is wrong with a plan, in words. Any finding is a bug of the planner, or a damaged file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plan is not sound: {}", findings.join("; "))]
pub struct Unsound {
    /// All findings.
    pub findings: Vec<String>,
}

/// Checks a plan.
pub fn check(plan: Plan) -> Result<CheckedPlan, Unsound> {
    let mut checker = Checker { plan: &plan, findings: Vec::new() };
    checker.order();
    checker.coverage();
    checker.references();
    checker.sequence();
    checker.forbidden();
    checker.secrets();
    checker.leases();
    checker.migrations();
    let findings = checker.findings;
    if findings.is_empty() { Ok(CheckedPlan(plan)) } else { Err(Unsound { findings }) }
}

struct Checker<'a> {
    plan: &'a Plan,
    findings: Vec<String>,
}

impl<'a> Checker<'a> {
    fn find(&mut self, finding: String) {
        self.findings.push(finding);
    }

    fn order(&mut self) {
        for (index, step) in self.plan.steps.iter().enumerate() {
            if let Some(wrong) = step.needs.iter().find(|need| **need >= index) {
                self.find(format!("step {index} needs step {wrong}, which is not before it"));
            }
        }
    }

    /// What steps do to resources: (address, API identifier or "", verb, step).
    fn operations(&self) -> Vec<(&'a Address, &'a str, Verb, usize)> {
        let steps = self.plan.steps.iter().enumerate();
        let all = steps.flat_map(|(index, step)| {
            step.work.operations().into_iter().map(move |operation| (index, operation))
        });
        all.filter(|(_, it)| matches!(it.verb, Verb::Create | Verb::Update | Verb::Delete))
            .filter_map(|(index, it)| {
                Some((it.subject.address()?, it.id.unwrap_or_default(), it.verb, index))
            })
            .collect()
    }

    /// Changes and steps say the same.
    fn coverage(&mut self) {
        let mut wanted: BTreeMap<(&Address, &str, Verb), usize> = BTreeMap::new();
        for change in &self.plan.changes {
            let id = change.id.as_deref().unwrap_or_default();
            let operations: &[(&str, Verb)] = match change.action {
                Action::Create => &[("", Verb::Create)],
                Action::Adopt if change.fields.is_empty() => &[],
                Action::Update | Action::Adopt => &[(id, Verb::Update)],
                Action::ReplaceCreateFirst | Action::ReplaceDeleteFirst => {
                    &[("", Verb::Create), (id, Verb::Delete)]
                }
                Action::Delete => &[(id, Verb::Delete)],
                Action::Forget | Action::Wait | Action::Keep => &[],
            };
            for (id, verb) in operations {
                *wanted.entry((&change.address, id, *verb)).or_default() += 1;
            }
        }
        let mut found: BTreeMap<(&Address, &str, Verb), usize> = BTreeMap::new();
        for (address, id, verb, _) in self.operations() {
            *found.entry((address, id, verb)).or_default() += 1;
        }
        let keys: BTreeSet<_> = wanted.keys().chain(found.keys()).copied().collect();
        for key in keys {
            let (want, have) = (wanted.get(&key).unwrap_or(&0), found.get(&key).unwrap_or(&0));
            if want != have || *want > 1 {
                let (address, _, verb) = key;
                self.find(format!("{address}: {want} × {verb} planned, {have} in the steps"));
            }
        }
    }

    /// Every reference is known when its step runs.
    fn references(&mut self) {
        let known: BTreeSet<&Address> = self
            .plan
            .changes
            .iter()
            .filter(|change| {
                matches!(change.action, Action::Keep | Action::Update | Action::Adopt)
                    || change.existing
            })
            .map(|change| &change.address)
            .collect();
        let made: BTreeMap<&Address, usize> = self
            .operations()
            .into_iter()
            .filter(|(_, _, verb, _)| *verb == Verb::Create)
            .map(|(address, _, _, step)| (address, step))
            .collect();
        let mut findings = Vec::new();
        for (index, target) in targets(self.plan) {
            let refs = target.fields.values().flat_map(envc_core::Value::addresses);
            let names: BTreeSet<&Address> = refs.chain(target.parent.as_ref()).collect();
            for need in names {
                let ok = known.contains(need)
                    || made.get(need).is_some_and(|step| before(self.plan, index, *step));
                if !ok {
                    findings.push(format!(
                        "{} refers to {need}, which is not there before step {index}",
                        target.address
                    ));
                }
            }
        }
        self.findings.extend(findings);
    }

    /// Checks that every step waits for the leases, and every release for all other steps.
    fn leases(&mut self) {
        let plan = self.plan;
        let mut findings = Vec::new();
        let mut pools: BTreeSet<&str> = BTreeSet::new();
        for (index, step) in plan.steps.iter().enumerate() {
            let Some(pool) = step.work.pool() else { continue };
            let is_lease = step.work.verb() == Verb::Lease;
            if !pools.insert(pool) {
                findings.push(format!("the pool {pool} is asked twice"));
            }
            if is_lease && plan.basis.goal == Goal::Destroy {
                findings.push(format!("a destroy would lease from {pool}"));
            }
            for (other, before_or_after) in plan.steps.iter().enumerate() {
                let ordered = match before_or_after.work.verb() {
                    Verb::Lease => is_lease || before(plan, index, other),
                    Verb::Release => !is_lease || before(plan, other, index),
                    _ if is_lease => before(plan, other, index),
                    _ => before(plan, index, other),
                };
                if !ordered {
                    let side = if is_lease { "before the lease" } else { "after the release" };
                    findings.push(format!("step {other} may come {side} of {pool}"));
                }
            }
        }
        self.findings.extend(findings);
    }

    /// Checks that what the ledger has does not run, what it lacks does, and nothing that stays is
    /// emptied.
    fn migrations(&mut self) {
        let mut findings = Vec::new();
        let mut migrated = BTreeSet::new();
        for step in &self.plan.steps {
            let Work::Migrate { address, files, reset, .. } = &step.work else { continue };
            let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
            if !migrated.insert(address) {
                findings.push(format!("{address} is migrated twice"));
            }
            let own = self.plan.changes.iter().filter(|it| it.address == *address && !it.deposed);
            let stays = |it: &Change| it.existing || it.protect || self.plan.basis.protected;
            if *reset && own.clone().any(stays) {
                findings.push(format!("{address} would be emptied, and it is not to lose data"));
            }
            let Some(standing) = self.plan.migrations.get(address).filter(|_| !reset) else {
                continue;
            };
            let pending = standing.pending.iter().filter(|file| standing.is_to_run(file));
            if !standing.runs || !pending.eq(&names) {
                findings.push(format!("{address} would run other migrations than it lacks"));
            }
        }
        for (address, standing) in &self.plan.migrations {
            let pending = standing.pending.iter().any(|file| standing.is_to_run(file));
            if standing.runs && pending && !migrated.contains(address) {
                findings.push(format!("{address} lacks migrations that no step runs"));
            }
        }
        self.findings.extend(findings);
    }

    fn forbidden(&mut self) {
        let mut findings = Vec::new();
        let staying: BTreeSet<(KindId, &str)> = self
            .plan
            .changes
            .iter()
            .filter(|change| {
                change.existing
                    || matches!(
                        change.action,
                        Action::Keep | Action::Update | Action::Adopt | Action::Wait
                    )
            })
            .filter_map(|change| Some((change.address.kind(), change.id.as_deref()?)))
            .collect();
        for (address, id, verb, _) in self.operations() {
            if verb == Verb::Delete && staying.contains(&(address.kind(), id)) {
                findings.push(format!("{address} ({id}) would be deleted, and it stays"));
            }
        }
        for change in &self.plan.changes {
            let destroys = change.needs_leave();
            let is_protected = change.protect || self.plan.basis.protected;
            let unprotected = self.plan.basis.unprotected.contains(&change.address);
            if destroys && is_protected && !unprotected {
                findings.push(format!("{} is protected and would be lost", change.address));
            }
            if change.existing && !matches!(change.action, Action::Keep | Action::Forget) {
                findings.push(format!("{} is `existing` and would be changed", change.address));
            }
            if self.plan.basis.goal == Goal::Destroy
                && !matches!(change.action, Action::Delete | Action::Forget)
            {
                findings.push(format!("{} would be made by a destroy", change.address));
            }
        }
        // A leave that nothing needs could be used by what comes to be planned later.
        for address in &self.plan.basis.unprotected {
            let mut changes = self.plan.changes.iter();
            let is_lost = changes.any(|it| it.address == *address && it.needs_leave());
            if !is_lost || !self.plan.basis.protected {
                findings.push(format!("{address} is not protected here, and is not lost"));
            }
        }
        if self.plan.basis.goal == Goal::Destroy && !self.plan.basis.unprotected.is_empty() {
            findings.push("a destroy takes no protection from single resources".to_owned());
        }
        self.findings.extend(findings);
    }

    /// Checks that no secret stands in a field: private values are sealed, and write-only fields hold
    /// nothing but sealed values.
    fn secrets(&mut self) {
        let mut findings = BTreeSet::new();
        let write_only = |address: &Address, field: &str| {
            let mut attrs = kind(address.kind()).attrs().iter();
            attrs.any(|attr| attr.name == field && attr.mutability == Mutability::WriteOnly)
        };
        for (_, Target { address, fields, .. }) in targets(self.plan) {
            for (field, value) in fields {
                let mut secret = write_only(address, field) && !value.is_sealed();
                // A private text is there before it is sealed, and never after.
                secret |=
                    value.is_private() && value.resolve(&mut |_| Some(String::new())).is_none();
                value.each_text(&mut |text| secret |= text.is_secret());
                if secret {
                    findings.insert(format!("{address} has a secret in a field"));
                }
            }
        }
        for Change { address, fields, .. } in &self.plan.changes {
            let shown = fields.iter().filter(|it| write_only(address, &it.field));
            if shown.filter_map(|it| it.after.as_ref()).any(|after| !is_sealed(after)) {
                findings.insert(format!("{address} tells a secret"));
            }
        }
        self.findings.extend(findings);
    }
}

fn targets(plan: &Plan) -> impl Iterator<Item = (usize, &Target)> {
    plan.steps.iter().enumerate().flat_map(|(index, step)| {
        let operations = step.work.operations().into_iter();
        operations.filter_map(move |operation| Some((index, operation.target?)))
    })
}

/// True for a value that is sealed, or made of sealed ones alone.
fn is_sealed(json: &Json) -> bool {
    Sealed::from_json(json).is_some()
        || match json {
            Json::Null => true,
            Json::Object(items) => items.values().all(is_sealed),
            Json::Array(items) => items.iter().all(is_sealed),
            Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
        }
}

/// Does one step come before another, by its needs or by theirs? Nearly always by its own, which
/// is looked at first: what lies further back is only searched where that gives no answer.
fn before(plan: &Plan, index: usize, earlier: usize) -> bool {
    let needs = |index: usize| plan.steps.get(index).map_or(&[][..], |step| step.needs.as_slice());
    if index == earlier || needs(index).binary_search(&earlier).is_ok() {
        return true;
    }
    let mut seen: BTreeSet<usize> = BTreeSet::new();
    let mut look = vec![index];
    while let Some(at) = look.pop() {
        for need in needs(at) {
            if *need == earlier {
                return true;
            }
            // Needs are lower than the step, so below the one looked for there is nothing.
            if *need > earlier && *need < at && seen.insert(*need) {
                look.push(*need);
            }
        }
    }
    false
}

/// The changes that an apply has to ask for: data that goes, and any change of a protected
/// environment.
pub fn needs_approval(plan: &Plan) -> Vec<&Change> {
    plan.changes
        .iter()
        .filter(|change| {
            let holds_data = kind(change.address.kind()).holds_data();
            let loses = !change.loses.is_empty();
            match change.action {
                Action::Delete | Action::ReplaceCreateFirst | Action::ReplaceDeleteFirst => {
                    holds_data || loses || plan.basis.protected
                }
                Action::Create | Action::Adopt | Action::Update => loses || plan.basis.protected,
                Action::Forget | Action::Wait | Action::Keep => false,
            }
        })
        .collect()
}
