//! What the ledgers in the databases say of migrations: they count, and not what is recorded.

use std::collections::BTreeMap;

use envc_core::{Address, KindId, Mode, counted, limits::PARALLELISM};
use envc_exec::{CallClass, CallError, help_for_call, read_ledger};
use envc_kinds::{Meaning, kind};
use envc_plan::{Change, MigrationFile, Observation, Plan, State};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::Engine;
use crate::{
    host::{error::CommandError, interrupt::interrupted},
    remote::connection::code_of,
};

/// The migrations of each database that has a folder.
type Files = BTreeMap<Address, Vec<MigrationFile>>;
/// Ledgers, by the API's identifier of their database.
type Ledgers = BTreeMap<(KindId, String), Option<Vec<String>>>;

impl Engine<'_, '_> {
    /// The ledgers of the databases whose identifiers are known before anything is listed: they are
    /// asked beside the lists, so that they cost no round trip. One that is gone is left out; the
    /// list tells that.
    pub(crate) async fn known_ledgers(
        &self,
        state: Option<&State>,
        files: &Files,
    ) -> Result<Ledgers, CommandError> {
        let recorded = |address: &Address| Some(state?.resources.get(address)?.id.as_str());
        let of = |address: &Address| match &self.session.environment.resources.get(address)?.mode {
            Mode::ExistingId(id) => Some(id.clone()),
            Mode::ExistingName => None,
            Mode::Managed => recorded(address).map(str::to_owned),
        };
        let asked = files.keys().filter_map(|address| Some((address.clone(), of(address)?)));
        let ledgers = self.ledgers(asked.collect()).await?;
        for ((kind, id), names) in &ledgers {
            let is_it =
                |address: &&Address| address.kind() == *kind && of(address).as_ref() == Some(id);
            if let (Some(state), Some(names), Some(address)) =
                (state, names, files.keys().find(is_it))
            {
                self.refuse_moved(state, address, (id, names))?;
            }
        }
        Ok(ledgers)
    }

    /// A ledger that was another table, and lacks what is applied: that would run a second time.
    fn refuse_moved(
        &self,
        state: &State,
        address: &Address,
        (id, names): (&str, &[String]),
    ) -> Result<(), CommandError> {
        let known = state.migrations_of(address, id);
        let lacks = known.iter().filter(|it| !names.contains(&it.name)).count();
        let own = kind(address.kind()).database().map_or("", |it| it.ledger.name);
        let was = state.table_of(address, id).unwrap_or(own);
        let is = self.ledger_name(address);
        if lacks == 0 || was == is || self.marks {
            return Ok(());
        }
        Err(CommandError::failed(format!(
            "the ledger of {address} was the table {was}, and {is} lacks {}: what is applied would run \
             again; nothing was changed",
            counted(lacks, "migration")
        ))
        .hint(format!("to go on with {is}, write down what is applied: envc migrate mark {address}"))
        .hint(format!("or write table=\"{was}\" in its `migrations`"))
        .code("envc::cli::ledger_moved"))
    }

    /// The ledgers of databases that the lists found, and that nobody has asked yet.
    pub(super) async fn found_ledgers(
        &self,
        plan: &Plan,
        files: &Files,
        observation: &Observation,
    ) -> Result<Ledgers, CommandError> {
        let with_files = plan.changes.iter().filter(|it| files.contains_key(&it.address));
        let found = with_files.filter_map(|change: &Change| {
            let id = change.staying_id()?.to_owned();
            let asked = observation.ledgers.contains_key(&(change.address.kind(), id.clone()));
            (!asked).then(|| (change.address.clone(), id))
        });
        self.ledgers(found.collect()).await
    }

    /// The table that is a database's ledger.
    pub(crate) fn ledger_name(&self, address: &Address) -> &str {
        let named = self.session.environment.migrations.get(address);
        let own = kind(address.kind()).database().map_or("", |it| it.ledger.name);
        named.and_then(|dir| dir.ledger.as_deref()).unwrap_or(own)
    }

    /// Side by side: one after the other, each database would be a round trip more.
    async fn ledgers(&self, asked: Vec<(Address, String)>) -> Result<Ledgers, CommandError> {
        let reads = stream::iter(asked.into_iter().map(|(address, id)| async move {
            let ledger = self.ledger_name(&address);
            let read = read_ledger(&self.client, &self.scope, &address, &id, ledger).await;
            let ledger = match read {
                Ok(names) => Some(names),
                // What will stand in begins empty.
                Err(error) if error.means(Meaning::NotFound) => {
                    let is_missing = self.is_missing(address.kind(), &id);
                    return Ok(is_missing.then(|| ((address.kind(), id), Some(Vec::new()))));
                }
                Err(error) if error.means(Meaning::Auth) && self.only_looks => {
                    self.session.ui.warn(&format!(
                        "which migrations of {address} are pending is not known: the API token may \
                         not read that, as apply needs it (`{}`)",
                        kind(address.kind()).permission()
                    ));
                    None
                }
                Err(error) => return Err(unreadable(&address, &error)),
            };
            Ok(Some(((address.kind(), id), ledger)))
        }));
        let read: Vec<_> = reads.buffered(PARALLELISM).try_collect().await?;
        Ok(read.into_iter().flatten().collect())
    }
}

fn unreadable(address: &Address, error: &CallError) -> CommandError {
    if error.class == CallClass::Interrupted {
        return interrupted();
    }
    CommandError::failed(format!("which migrations {address} has cannot be read"))
        .because(error)
        .hint_opt(help_for_call(error, kind(address.kind()).permission(), false))
        .code(code_of(error))
}
