//! The plan: what will be done, why, and in which order. Immutable data, written to a file whole.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Digest, Value, of_newer};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::state::StateKey;

/// The format version of a plan document.
///
/// 2: the basis names the repository, and changes say what they hold. A plan of format 1 lacks the
/// order that follows from it.
pub const PLAN_FORMAT: u32 = 2;

/// A plan. The same inputs give the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Format version.
    pub format: u32,
    /// What it was made from.
    pub basis: Basis,
    /// One entry per resource, by address; `keep` included.
    pub changes: Vec<Change>,
    /// The execution graph: apply runs these and makes no choice of its own.
    pub steps: Vec<Step>,
    /// What is to be said besides.
    pub notes: Vec<String>,
}

/// What a plan was made from: where any of it has moved, the plan is stale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// Whose plan.
    pub key: StateKey,
    /// The repository whose project it is.
    pub repository: String,
    /// The environment's type.
    pub env_type: String,
    /// Apply or destroy.
    pub goal: Goal,
    /// The state's lineage; empty when there was none.
    pub lineage: String,
    /// The state's serial; 0 when there was none.
    pub serial: u64,
    /// Digest of the spec's text.
    pub spec: Digest,
    /// Changes are approved: the type is protected.
    pub protected: bool,
}

/// What a plan is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// Make the environment what the spec says.
    Apply,
    /// Remove it.
    Destroy,
}

/// What happens to one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The resource.
    pub address: Address,
    /// Its physical name.
    pub name: String,
    /// The API's identifier of what is there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What is done.
    pub action: Action,
    /// Why. For people only: nothing branches on it.
    pub reason: String,
    /// Field by field, for `create`, `adopt`, `update` and `replace`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// What changed outside envc: recorded against observed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<FieldChange>,
    /// A leftover of an interrupted replace: not the address' own resource any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deposed: bool,
    /// Read and bound to, never changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub existing: bool,
    /// Refuses delete and replace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protect: bool,
    /// The variables and secrets whose values are not known, where they decide of it: it cannot be
    /// told whether what they stand in changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// What of data is lost by it, each in words, where the kind alone does not say so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loses: Vec<String>,
    /// What the resource that is there refers to: a change lets go of it, and what goes is deleted
    /// after that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Address>,
    /// What to record at once, before any call: `adopt` and `keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
}

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Made.
    Create,
    /// Recorded as ours, and changed where it differs.
    Adopt,
    /// Changed in place.
    Update,
    /// Made anew, the new one first.
    ReplaceCreateFirst,
    /// Made anew, the old one gone first because both have one name.
    ReplaceDeleteFirst,
    /// Removed.
    Delete,
    /// No longer recorded; it stays in the account, or is gone already.
    Forget,
    /// Nothing.
    Keep,
}

/// A resource as it is to be recorded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Physical name.
    pub name: String,
    /// The API's identifier.
    pub id: String,
    /// Fields as they are in the account.
    pub fields: BTreeMap<String, Json>,
    /// Its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The resource it dies with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Address>,
    /// What it refers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Address>,
}

/// One field, before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldChange {
    /// The field.
    pub field: String,
    /// What is there; none for a new resource, or where the API does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Json>,
    /// What will be there; none where it is known only after apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Json>,
    /// True when this field forces a replace.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forces_replace: bool,
}

/// One step of the execution graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The steps that must have succeeded before, by their index in the plan; always lower.
    pub needs: Vec<usize>,
    /// What it does.
    pub work: Work,
}

/// What a step does: one request, but for migrations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Makes a resource.
    Create(Target),
    /// Changes fields of one in place.
    Update {
        /// The whole of what is wanted.
        target: Target,
        /// The API's identifier.
        id: String,
        /// The fields that differ.
        changed: Vec<String>,
    },
    /// What must come before a delete.
    Clear(Doomed),
    /// Removes a resource.
    Delete(Doomed),
    /// Several changes in one request.
    Batch {
        /// The zone, by name.
        zone: Option<String>,
        /// The changes, in order.
        items: Vec<BatchWork>,
    },
    /// Runs migrations of a database.
    Migrate {
        /// The database.
        address: Address,
        /// The files to run, in order.
        files: Vec<MigrationRef>,
        /// True when the database is made by this plan: there is no ledger to read.
        fresh: bool,
    },
    /// Takes a preview ID from a pool; the one that the holder has, where it has one.
    Lease(LeaseWork),
    /// Gives a preview ID back, or whatever the holder has of the pool.
    Release(ReleaseWork),
}

/// A preview ID to lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaseWork {
    /// The pool.
    pub pool: String,
    /// What the spec calls the lease; one name as a rule.
    pub names: Vec<String>,
    /// Who leases it: `project/env`.
    pub holder: String,
    /// The attributes that it must have; each with whether the spec takes it for a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, bool>,
    /// The preview ID that the environment had before, and has lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
}

/// A preview ID to give back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseWork {
    /// The pool.
    pub pool: String,
    /// What the spec calls the lease, where it still does.
    pub names: Vec<String>,
    /// Who has it: `project/env`.
    pub holder: String,
    /// The preview ID, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// One entry of a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchWork {
    /// Makes it.
    Create(Target),
    /// Changes it in place.
    Update {
        /// The whole of what is wanted.
        target: Target,
        /// The API's identifier.
        id: String,
    },
    /// Removes it.
    Delete(Doomed),
}

/// A resource to make or change; references are replaced when the step runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The resource.
    pub address: Address,
    /// Its physical name.
    pub name: String,
    /// Its fields.
    pub fields: BTreeMap<String, Value>,
    /// What was there of the fields from which the call has to change.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, Json>,
    /// Its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The resource it lives with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Address>,
}

/// A resource to remove.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doomed {
    /// Its address.
    pub address: Address,
    /// Its physical name.
    pub name: String,
    /// The API's identifier.
    pub id: String,
    /// Its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// A leftover of a replace: the address has another resource by now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deposed: bool,
}

/// A migration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MigrationRef {
    /// The file's name, as wrangler records it.
    pub name: String,
    /// Digest of its text.
    pub digest: Digest,
}

/// How many of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Made.
    pub create: usize,
    /// Taken over.
    pub adopt: usize,
    /// Changed in place.
    pub update: usize,
    /// Made anew.
    pub replace: usize,
    /// Removed.
    pub delete: usize,
    /// No longer recorded.
    pub forget: usize,
    /// Left alone.
    pub keep: usize,
    /// Migration files to run.
    pub migrate: usize,
    /// Preview IDs to lease.
    pub lease: usize,
    /// Preview IDs to give back.
    pub release: usize,
    /// Requests that apply will send at the least.
    pub requests: usize,
}

impl Work {
    /// The addresses that the step changes.
    pub fn addresses(&self) -> Vec<&Address> {
        match self {
            Self::Create(target) | Self::Update { target, .. } => vec![&target.address],
            Self::Clear(doomed) | Self::Delete(doomed) => vec![&doomed.address],
            Self::Batch { items, .. } => items
                .iter()
                .map(|item| match item {
                    BatchWork::Create(target) | BatchWork::Update { target, .. } => &target.address,
                    BatchWork::Delete(doomed) => &doomed.address,
                })
                .collect(),
            Self::Migrate { address, .. } => vec![address],
            Self::Lease(_) | Self::Release(_) => Vec::new(),
        }
    }

    /// Requests that the step sends when all goes well.
    pub fn requests(&self) -> usize {
        match self {
            Self::Migrate { files, fresh, .. } => files.len() + usize::from(!fresh),
            Self::Create(_)
            | Self::Update { .. }
            | Self::Clear(_)
            | Self::Delete(_)
            | Self::Batch { .. }
            | Self::Lease(_)
            | Self::Release(_) => 1,
        }
    }
}

impl Plan {
    /// True when apply would find nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.changes.iter().all(|change| change.action == Action::Keep)
    }

    /// The variables and secrets that are not known and that some of it depends on.
    pub fn unknown(&self) -> BTreeSet<&str> {
        self.changes.iter().flat_map(|change| &change.unknown).map(String::as_str).collect()
    }

    /// How many of what.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for change in &self.changes {
            let count = match change.action {
                Action::Create => &mut counts.create,
                Action::Adopt => &mut counts.adopt,
                Action::Update => &mut counts.update,
                Action::ReplaceCreateFirst | Action::ReplaceDeleteFirst => &mut counts.replace,
                Action::Delete => &mut counts.delete,
                Action::Forget => &mut counts.forget,
                Action::Keep => &mut counts.keep,
            };
            *count += 1;
        }
        for step in &self.steps {
            counts.requests += step.work.requests();
            match &step.work {
                Work::Migrate { files, .. } => counts.migrate += files.len(),
                Work::Lease(_) => counts.lease += 1,
                Work::Release(_) => counts.release += 1,
                Work::Create(_)
                | Work::Update { .. }
                | Work::Clear(_)
                | Work::Delete(_)
                | Work::Batch { .. } => {}
            }
        }
        counts
    }

    /// The plan document's bytes; the error says why it has none.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        let mut bytes = serde_json::to_vec_pretty(self).map_err(|error| error.to_string())?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a plan document; the error says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let json: Json = serde_json::from_slice(bytes)
            .map_err(|error| format!("it is not a plan document: {error}"))?;
        match json.get("format").and_then(Json::as_u64) {
            Some(format) if format == u64::from(PLAN_FORMAT) => {}
            Some(format) => {
                return Err(format!(
                    "it has format version {format}, and this envc reads {PLAN_FORMAT}"
                ));
            }
            None => return Err("it is not a plan document".into()),
        }
        serde_json::from_value(json).map_err(|error| match of_newer(&error) {
            Some(what) => {
                format!("it has {what}, which this envc does not know: use the one that wrote it")
            }
            None => format!("it is damaged: {error}"),
        })
    }
}
