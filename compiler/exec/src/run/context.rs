//! What a run is given, and what its steps share while it grows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use envc_core::{Address, Input, KeyedDigest, KindId, Output, Part, Secret, Value, Vault};
use envc_kinds::{Call, Mutability, Observed, Place, Upload, Wanted, kind};
use envc_plan::{CheckedPlan, IntentAction, MigrationFile, Ownership, State, Target};

use super::{
    error::StepError,
    journal::{Outcome, record_of},
};
use crate::{
    account::Account,
    client::{CallError, Client},
    ports::{Leased, Pools, StateStore},
    progress::Event,
};

/// Tries of one step beyond what the client tries for one call.
pub(super) const STEP_ATTEMPTS_MAX: u32 = 5;

/// What a run works with.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The client.
    pub client: &'a Client<'a>,
    /// The account and its zones.
    pub account: &'a Account,
    /// Where the state lives; its lock is held.
    pub store: &'a dyn StateStore,
    /// The plan.
    pub plan: &'a CheckedPlan,
    /// The texts of the migrations that the plan names.
    pub migrations: &'a BTreeMap<Address, Vec<MigrationFile>>,
    /// The texts of the seeds that the plan names.
    pub seeds: &'a BTreeMap<Address, MigrationFile>,
    /// The names of ledgers that are called otherwise than wrangler calls them.
    pub ledgers: &'a BTreeMap<Address, String>,
    /// The texts of the plan's sealed values: they are put in at the call.
    pub vault: &'a Vault,
    /// What is uploaded besides what stands in the plan, by the address of its resource.
    pub uploads: &'a BTreeMap<Address, Arc<Upload>>,
    /// Steps at once.
    pub parallelism: usize,
    /// The state in memory differs from the stored one: it is saved even when there is nothing to
    /// do.
    pub dirty: bool,
    /// The plan is a part of what is to be done: what else was begun stays open.
    pub part: bool,
    /// What proves a namesake ours.
    pub ownership: &'a Ownership,
    /// The pools that the plan's leases come from.
    pub leasing: Leasing<'a>,
}

/// What a run needs for leases.
#[derive(Clone, Copy)]
pub struct Leasing<'a> {
    /// The pools; none where no plan of the command has leases.
    pub pools: Option<&'a dyn Pools>,
    /// The leases that stay, by pool.
    pub held: &'a BTreeMap<String, Leased>,
    /// The pool of each lease that the spec has.
    pub pool_of: &'a BTreeMap<String, String>,
    /// Digests of secret attributes, for the record.
    pub digest: &'a KeyedDigest,
}

impl fmt::Debug for Leasing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leasing").field("pool_of", &self.pool_of).finish_non_exhaustive()
    }
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("parallelism", &self.parallelism).finish_non_exhaustive()
    }
}

/// What steps share. Its maps grow as steps succeed.
pub(super) struct Context<'a> {
    pub(super) run: Run<'a>,
    /// The natural keys of what an earlier run began to create: a namesake of these is ours.
    pub(super) begun: BTreeSet<(KindId, String)>,
    /// API identifiers by address.
    pub(super) ids: Mutex<BTreeMap<Address, String>>,
    /// Physical names by address.
    names: BTreeMap<Address, String>,
    /// Secrets that creates returned.
    pub(super) tokens: Mutex<BTreeMap<Address, Secret>>,
    /// The leases of this environment, by pool.
    pub(super) leases: Mutex<BTreeMap<String, Leased>>,
}

impl<'a> Context<'a> {
    /// What is known before the first step.
    pub(super) fn new(run: &Run<'a>, state: &State) -> Self {
        let mut ids = BTreeMap::new();
        let mut names = BTreeMap::new();
        for change in run.plan.plan().changes.iter().filter(|change| !change.deposed) {
            names.insert(change.address.clone(), change.name.clone());
            if let Some(id) = change.staying_id() {
                ids.insert(change.address.clone(), id.to_owned());
            }
        }
        let creates = state.intents.iter().filter(|it| it.action == IntentAction::Create);
        Self {
            run: *run,
            begun: creates.map(|intent| key_of(&intent.address, &intent.name)).collect(),
            ids: Mutex::new(ids),
            names,
            tokens: Mutex::default(),
            leases: Mutex::new(run.leasing.held.clone()),
        }
    }

    /// The client.
    pub(super) fn client(&self) -> &'a Client<'a> {
        self.run.client
    }

    /// Where calls for something in this zone (or in none) go.
    pub(super) fn place(&self, zone: Option<&str>) -> Place {
        self.run.account.place(zone)
    }

    /// Says what went wrong and how long the wait is, and waits as long. The caller draws the wait
    /// once, since half of it is random.
    pub(super) async fn wait_before_retry(&self, error: &CallError, attempt: u32, wait_ms: u64) {
        let (call, reason) = (&error.call, &error.message);
        self.client().progress().event(Event::Retry { call, reason, wait_ms, attempt });
        self.client().pause(wait_ms).await;
    }

    /// The API's identifier of what is there by now.
    pub(super) fn id_of(&self, address: &Address) -> Option<String> {
        lock(&self.ids).get(address).cloned()
    }

    fn learn(&self, address: &Address, observed: &Observed) {
        lock(&self.ids).insert(address.clone(), observed.id.clone());
        if let Some(token) = &observed.token {
            lock(&self.tokens).insert(address.clone(), token.clone());
        }
    }

    fn resolve(&self, part: &Part) -> Option<String> {
        match part {
            Part::Lit(text) => Some(text.clone()),
            Part::Out(reference) => match reference.output {
                Output::Id => self.id_of(&reference.address),
                Output::Name => self.names.get(&reference.address).cloned(),
                Output::Token => None,
            },
            Part::In(Input::Lease { lease, attribute, secret: false }) => {
                let all = lock(&self.leases);
                let leased = all.get(self.run.leasing.pool_of.get(lease)?)?;
                if attribute == "id" {
                    return Some(leased.id.clone());
                }
                leased.attributes.get(attribute).cloned()
            }
            Part::In(_) => None,
        }
    }

    /// Every reference replaced. The checker proved that all of them are known by now.
    pub(super) fn wanted(&self, target: &Target) -> Result<Wanted, StepError> {
        let bug = StepError::Bug;
        let unknown = |field: &str| bug(format!("`{field}` refers to something that is not known"));
        let (mut fields, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        for (field, value) in &target.fields {
            if value.is_private() {
                self.open(field, value, &mut secrets).ok_or_else(|| unknown(field))?;
                continue;
            }
            let value = value.resolve(&mut |part| self.resolve(part));
            fields.insert(field.clone(), value.ok_or_else(|| unknown(field))?);
        }
        let parent_id = match &target.parent {
            Some(parent) => {
                self.id_of(parent).ok_or_else(|| bug(format!("{parent} has no identifier yet")))?
            }
            None => String::new(),
        };
        Ok(Wanted {
            name: target.name.clone(),
            fields,
            parent_id,
            before: target.before.clone(),
            secrets,
            chance: self.client().chance(),
            upload: self.run.uploads.get(&target.address).cloned(),
        })
    }

    /// The call; no message about it repeats a sealed text of this run, even where the API does.
    pub(super) fn hiding(&self, call: Call, wanted: &Wanted) -> Call {
        if wanted.secrets.is_empty() {
            return call;
        }
        call.hiding(wanted.secrets.values()).hiding(self.run.vault.secrets())
    }

    /// The texts of a sealed field, or of a map of them.
    fn open(
        &self,
        field: &str,
        value: &Value,
        secrets: &mut BTreeMap<String, Secret>,
    ) -> Option<()> {
        match value {
            Value::Sealed(sealed) => {
                secrets.insert(field.to_owned(), self.run.vault.open(sealed)?.clone());
                Some(())
            }
            Value::Map(items) => items
                .iter()
                .try_for_each(|(key, item)| self.open(&format!("{field}.{key}"), item, secrets)),
            _ => None,
        }
    }

    /// What is recorded of a resource that was made or changed; its identifier and its token are
    /// known to the steps that follow.
    pub(super) fn made(&self, target: &Target, wanted: Wanted, observed: &Observed) -> Outcome {
        self.learn(&target.address, observed);
        let mut fields = wanted.fields;
        for (field, value) in target.fields.iter().filter(|(_, value)| value.is_private()) {
            // As it is sealed: what is recorded is what the plan says.
            let sealed = value.resolve(&mut |_| None);
            fields.extend(sealed.map(|sealed| (field.clone(), sealed)));
        }
        let attrs = kind(target.address.kind()).attrs().iter();
        for attr in attrs.filter(|attr| attr.mutability == Mutability::ServerAssigned) {
            let told = observed.fields.get(attr.name);
            fields.extend(told.map(|value| (attr.name.to_owned(), value.clone())));
        }
        Outcome::Made {
            address: target.address.clone(),
            record: record_of(target, &observed.id, fields),
        }
    }
}

/// The natural key of a resource, by which a list is searched for it.
pub(super) fn key_of(address: &Address, name: &str) -> (KindId, String) {
    let id = address.kind();
    (id, kind(id).key(name).into_owned())
}

/// A poisoned map of plain values is still right: every insert is whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
