//! The plan: what will be done, why, and in which order. Immutable data, written to a file whole.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Digest, of_newer};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    migrations::Standing,
    risks::LossyFile,
    state::{Intent, IntentAction, StateKey},
    verb::Verb,
    work::Step,
};

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
    /// The state, the spec and the goal that it was made from.
    pub basis: Basis,
    /// One entry per resource, by address; `keep` included.
    pub changes: Vec<Change>,
    /// The execution graph: apply runs these and makes no choice of its own.
    pub steps: Vec<Step>,
    /// Notes for people, such as an edited migration.
    pub notes: Vec<String>,
    /// How the migrations of each database stand that stays and has a folder of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub migrations: BTreeMap<Address, Standing>,
}

/// What a plan was made from. A saved plan is stale once any of it has changed.
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
    /// The resources that the user asked to have made anew.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub replace: BTreeSet<Address>,
    /// What the user said to be this environment's (`--adopt`).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub adopted: BTreeSet<Address>,
    /// The migrations that lose rows all the same, because the user said so of exactly this plan.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub lossy: BTreeSet<LossyFile>,
    /// What may be deleted or replaced all the same, because the user said so of exactly this plan.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unprotected: BTreeSet<Address>,
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
    /// Variables and secrets whose values `envc plan` does not know: it cannot tell whether the fields
    /// with them change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// Data that the change destroys, one phrase each, where the kind alone does not say so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loses: Vec<String>,
    /// What the resource in the account refers to now. The deletes of these wait for this change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Address>,
    /// The identifiers of others that go in the same plan, and that this one cannot wait for, since
    /// they refer to each other: it goes though they still refer to it, but nobody else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub circle: Vec<String>,
    /// The code that has to be deployed anew before it goes, for `wait`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<Address>,
    /// What to record at once, before any call: `adopt` and `keep`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
}

impl Change {
    /// True where a protected resource goes, now or once nothing waits any more.
    pub fn needs_leave(&self) -> bool {
        self.action.loses_resource() || (self.action == Action::Wait && !self.deposed)
    }

    /// What stays on record of a leftover that waits, which nothing else records: its delete.
    pub fn intent(&self) -> Option<Intent> {
        let waits = self.deposed && self.action == Action::Wait;
        let record = self.record.as_ref().filter(|_| waits)?;
        Some(Intent {
            address: self.address.clone(),
            name: record.name.clone(),
            action: IntentAction::Delete,
            id: self.id.clone(),
            zone: record.zone.clone(),
            needs: record.needs.clone(),
        })
    }

    /// The API's identifier of what is there now and stays there; none of what is made, replaced,
    /// deleted, or left over from a replace.
    pub fn staying_id(&self) -> Option<&str> {
        let stays =
            self.existing || matches!(self.action, Action::Keep | Action::Update | Action::Adopt);
        self.id.as_deref().filter(|_| stays && !self.deposed)
    }
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
    /// Nothing yet: it is to be removed, and live code is still bound to it.
    Wait,
    /// Nothing.
    Keep,
}

impl Action {
    /// True where the resource that is there goes in this run.
    pub fn loses_resource(self) -> bool {
        match self {
            Self::Delete | Self::ReplaceCreateFirst | Self::ReplaceDeleteFirst => true,
            Self::Create | Self::Adopt | Self::Update | Self::Forget | Self::Wait | Self::Keep => {
                false
            }
        }
    }
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
    /// To be removed once code is deployed anew.
    pub wait: usize,
    /// Left alone.
    pub keep: usize,
    /// Migration files to run.
    pub migrate: usize,
    /// Migration files that the databases lack, and that this plan does not run.
    pub pending: usize,
    /// Preview IDs to lease.
    pub lease: usize,
    /// Preview IDs to give back.
    pub release: usize,
    /// Requests that apply will send at the least.
    pub requests: usize,
}

impl Plan {
    /// True when apply would find nothing to do.
    pub fn is_empty(&self) -> bool {
        let is_nothing = |change: &Change| matches!(change.action, Action::Keep | Action::Wait);
        self.steps.is_empty() && self.changes.iter().all(is_nothing)
    }

    /// What is to be removed and waits for code to be deployed anew.
    pub fn waiting(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.action == Action::Wait)
    }

    /// The files that a database lacks and that this plan does not run, by database.
    pub fn left_pending(&self) -> impl Iterator<Item = (&Address, &[String])> {
        let left = self.migrations.iter().filter(|(_, standing)| !standing.runs);
        let left = left.map(|(address, standing)| (address, standing.pending.as_slice()));
        left.filter(|(_, files)| !files.is_empty())
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
                Action::Wait => &mut counts.wait,
                Action::Keep => &mut counts.keep,
            };
            *count += 1;
        }
        counts.pending = self.left_pending().map(|(_, files)| files.len()).sum();
        for step in &self.steps {
            counts.requests += step.work.requests();
            counts.migrate += step.work.migrations().len();
            match step.work.verb() {
                Verb::Lease => counts.lease += 1,
                Verb::Release => counts.release += 1,
                _ => {}
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
