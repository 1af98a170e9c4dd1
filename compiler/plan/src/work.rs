//! The steps of a plan: what each does, to what, and what it leaves on record while it is under way.
//!
//! All that differs from one sort of step to another is asked here, of [`Work`]; exec has one file
//! for how each is carried out. A new sort is a variant of [`Work`] and of [`Verb`].

use std::{collections::BTreeMap, slice};

use envc_core::{Address, Digest, Value};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    state::{Intent, IntentAction},
    verb::{Subject, Verb},
};

/// What a step does to one resource, or to one lease. A batch has several; its own verb is
/// [`Verb::Change`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operation<'a> {
    /// What is done.
    pub verb: Verb,
    /// To what.
    pub subject: Subject<'a>,
    /// Its physical name; of a lease the pool.
    pub name: &'a str,
    /// The API's identifier of what is there already; of a release the preview ID, where it is known.
    pub id: Option<&'a str>,
    /// The resource as it is to be, for a create and an update.
    pub target: Option<&'a Target>,
    /// The zone, by name.
    pub zone: Option<&'a str>,
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
#[serde(rename_all = "snake_case", deny_unknown_fields)]
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
    /// What the API asks for before a delete: a tunnel's connections are closed first.
    Clear(DeleteTarget),
    /// Removes a resource.
    Delete(DeleteTarget),
    /// Several changes in one request.
    Batch {
        /// The zone, by name.
        zone: Option<String>,
        /// The changes, in order.
        items: Vec<BatchWork>,
    },
    /// Runs the migrations of a database.
    Migrate {
        /// The database.
        address: Address,
        /// The files to run, in order.
        files: Vec<MigrationRef>,
        /// True when the database is made by this plan: there is no ledger to read.
        fresh: bool,
        /// True when all that the database holds is taken out of it first, as was asked for.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        reset: bool,
        /// The rows that it begins with, where it may have yet to get them: what stands in the
        /// database decides.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seed: Option<MigrationRef>,
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
#[serde(rename_all = "snake_case", deny_unknown_fields)]
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
    Delete(DeleteTarget),
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
    /// What is there now, for the fields that the call has to name the old value of, and for those
    /// that it would reset.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, Json>,
    /// Its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The resource it lives with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Address>,
}

/// A resource to delete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeleteTarget {
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
    /// What it may go before, though they refer to it: see [`Change::circle`](crate::Change).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub circle: Vec<String>,
}

/// A migration file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MigrationRef {
    /// The file's name, as wrangler records it.
    pub name: String,
    /// Digest of its text.
    pub digest: Digest,
    /// It runs as a file, which takes more than one request.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
}

/// Requests of a text that runs as a file: where it goes, that it runs, how far it is, and a look at what it
/// wrote down. The file itself goes elsewhere.
const IMPORT_REQUESTS: usize = 4;

impl MigrationRef {
    fn requests(&self) -> usize {
        if self.imported { IMPORT_REQUESTS } else { 1 }
    }
}

impl Target {
    /// What it refers to, and what it lives with: sorted, each once.
    pub fn needs(&self) -> Vec<Address> {
        let refs = self.fields.values().flat_map(Value::addresses);
        let mut needs: Vec<Address> = refs.chain(self.parent.as_ref()).cloned().collect();
        needs.sort();
        needs.dedup();
        needs
    }
}

impl<'a> Operation<'a> {
    fn make(target: &'a Target) -> Self {
        Self {
            verb: Verb::Create,
            subject: Subject::Resource(&target.address),
            name: &target.name,
            id: None,
            target: Some(target),
            zone: target.zone.as_deref(),
        }
    }

    fn update(target: &'a Target, id: &'a str) -> Self {
        Self { verb: Verb::Update, id: Some(id), ..Self::make(target) }
    }

    fn on(verb: Verb, target: &'a DeleteTarget) -> Self {
        Self {
            verb,
            subject: Subject::Resource(&target.address),
            name: &target.name,
            id: Some(&target.id),
            target: None,
            zone: target.zone.as_deref(),
        }
    }

    fn pool(verb: Verb, pool: &'a str, names: &'a [String], id: Option<&'a str>) -> Self {
        let subject = Subject::Lease(names.first().map_or(pool, String::as_str));
        Self { verb, subject, name: pool, id, target: None, zone: None }
    }

    /// What is recorded before the step begins, so that the next command finds what was cut off. A
    /// lease needs none: asking the pool again gives the same one.
    fn intent(&self) -> Option<Intent> {
        let action = match self.verb {
            Verb::Create => IntentAction::Create,
            Verb::Update => IntentAction::Update,
            Verb::Delete => IntentAction::Delete,
            Verb::Migrate => IntentAction::Migrate,
            Verb::Clear | Verb::Change | Verb::Lease | Verb::Release => return None,
        };
        Some(Intent {
            address: self.subject.address()?.clone(),
            name: self.name.to_owned(),
            action,
            id: self.id.map(str::to_owned),
            zone: self.zone.map(str::to_owned),
            needs: self.target.map(Target::needs).unwrap_or_default(),
        })
    }
}

impl BatchWork {
    /// What it does.
    pub fn operation(&self) -> Operation<'_> {
        match self {
            Self::Create(target) => Operation::make(target),
            Self::Update { target, id } => Operation::update(target, id),
            Self::Delete(target) => Operation::on(Verb::Delete, target),
        }
    }
}

impl Work {
    /// What the step does.
    pub fn verb(&self) -> Verb {
        match self {
            Self::Create(_) => Verb::Create,
            Self::Update { .. } => Verb::Update,
            Self::Clear(_) => Verb::Clear,
            Self::Delete(_) => Verb::Delete,
            Self::Batch { .. } => Verb::Change,
            Self::Migrate { .. } => Verb::Migrate,
            Self::Lease(_) => Verb::Lease,
            Self::Release(_) => Verb::Release,
        }
    }

    /// What it does to each resource, or to its lease.
    pub fn operations(&self) -> Vec<Operation<'_>> {
        vec![match self {
            Self::Create(target) => Operation::make(target),
            Self::Update { target, id, .. } => Operation::update(target, id),
            Self::Clear(target) | Self::Delete(target) => Operation::on(self.verb(), target),
            Self::Batch { items, .. } => return items.iter().map(BatchWork::operation).collect(),
            Self::Migrate { address, .. } => Operation {
                verb: Verb::Migrate,
                subject: Subject::Resource(address),
                name: address.name(),
                id: None,
                target: None,
                zone: None,
            },
            Self::Lease(LeaseWork { pool, names, .. }) => {
                Operation::pool(Verb::Lease, pool, names, None)
            }
            Self::Release(ReleaseWork { pool, names, id, .. }) => {
                Operation::pool(Verb::Release, pool, names, id.as_deref())
            }
        }]
    }

    /// The addresses of the resources that it works on.
    pub fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.operations().into_iter().filter_map(|operation| operation.subject.address())
    }

    /// What it leaves on record while it is under way, by resource.
    pub fn intents(&self) -> Vec<Intent> {
        self.operations().iter().filter_map(Operation::intent).collect()
    }

    /// Requests that it sends when all goes well.
    pub fn requests(&self) -> usize {
        match self {
            Self::Migrate { files, fresh, reset, seed, .. } => {
                let seed =
                    seed.as_ref().map_or(0, |seed| seed.requests() + usize::from(!fresh && !reset));
                // The bookmark of before, and the ledger or what goes.
                let changes = *reset || !files.is_empty();
                let first = if *fresh { 0 } else { 1 + usize::from(changes) };
                let files: usize = files.iter().map(MigrationRef::requests).sum();
                files + first + usize::from(*reset) + seed
            }
            _ => 1,
        }
    }

    /// The migrations that it runs.
    pub fn migrations(&self) -> &[MigrationRef] {
        match self {
            Self::Migrate { files, .. } => files,
            _ => &[],
        }
    }

    /// The pool that it asks.
    pub fn pool(&self) -> Option<&str> {
        match self {
            Self::Lease(LeaseWork { pool, .. }) | Self::Release(ReleaseWork { pool, .. }) => {
                Some(pool)
            }
            _ => None,
        }
    }

    /// What its updates ask for.
    pub(crate) fn updates_mut(&mut self) -> impl Iterator<Item = &mut Target> {
        let (one, items) = match self {
            Self::Update { target, .. } => (Some(target), slice::IterMut::default()),
            Self::Batch { items, .. } => (None, items.iter_mut()),
            _ => (None, slice::IterMut::default()),
        };
        one.into_iter().chain(items.filter_map(|item| match item {
            BatchWork::Update { target, .. } => Some(target),
            BatchWork::Create(_) | BatchWork::Delete(_) => None,
        }))
    }
}
