//! The way back of a database: its bookmark of before, what it is to go back to, and what is written into
//! its ledger without being run.
//!
//! Invariant: the bookmark is recorded before the first statement runs on a database that was there before.

use envc_core::Address;
use envc_kinds::{Call, Place, kind};
use envc_plan::{State, WayBack, Work};

use super::{database, read_ledger};
use crate::{
    account::Account,
    client::{CallClass, CallError, Client},
    list::odd,
    progress::Event,
    run::context::Context,
};

impl Context<'_> {
    /// Writes down the bookmarks of the databases that the plan is about to change. One that cannot be told
    /// is no reason to leave a migration: it is told, and `envc migrate restore` takes an instant, too.
    pub(in crate::run) async fn note_ways_back(&self, state: &mut State) -> bool {
        let mut noted = false;
        for step in &self.run.plan.plan().steps {
            let Work::Migrate { address, files, fresh: false, reset, .. } = &step.work else {
                continue;
            };
            let id = self.id_of(address).filter(|_| *reset || !files.is_empty());
            let Some(id) = id.filter(|_| !self.client().stopped()) else { continue };
            let at_ms = self.client().clock().unix_ms();
            match bookmark(self.client(), self.run.account, address, &id, None).await {
                Ok(bookmark) => {
                    let before = files.first().filter(|_| !reset).map(|file| file.name.clone());
                    state.set_way_back(address, &id, WayBack { bookmark, at_ms, before });
                    noted = true;
                }
                Err(error) if error.class == CallClass::Interrupted => return noted,
                Err(error) => {
                    let reason = error.to_string();
                    self.client().progress().event(Event::NoWayBack { address, reason: &reason });
                }
            }
        }
        noted
    }
}

/// The bookmark of a database at an instant, in the form of RFC 3339; of now where none is given.
pub async fn bookmark(
    client: &Client<'_>,
    account: &Account,
    address: &Address,
    id: &str,
    at: Option<&str>,
) -> Result<String, CallError> {
    let Some((travel, place)) = travel(account, address) else { return Ok(String::new()) };
    let call = (travel.bookmark)(&place, id, at);
    let answer = client.call_repeatable(&call, Some(kind(address.kind()))).await?;
    let told = (travel.read)(&answer.result);
    told.ok_or_else(|| odd(&call, "the API's answer does not tell the bookmark"))
}

/// Takes a database back to a bookmark. Whoever calls has written down the one of before.
pub async fn restore(
    client: &Client<'_>,
    account: &Account,
    address: &Address,
    id: &str,
    bookmark: &str,
) -> Result<(), CallError> {
    let Some((travel, place)) = travel(account, address) else { return Ok(()) };
    let call = (travel.restore)(&place, id, bookmark);
    client.call_repeatable(&call, Some(kind(address.kind()))).await.map(|_| ())
}

/// Writes files into a database's ledger that are not run: all, or none.
pub async fn mark(
    client: &Client<'_>,
    account: &Account,
    address: &Address,
    (id, ledger): (&str, &str),
    files: &[String],
) -> Result<(), CallError> {
    let Some(database) = database(address) else { return Ok(()) };
    let table = database.ledger;
    let rows = files.iter().map(|file| (table.row)(ledger, file));
    let text: Vec<String> = std::iter::once((table.make)(ledger)).chain(rows).collect();
    let call: Call = (database.query)(&account.place(None), id, &text.join("\n"));
    match client.call_repeatable(&call, Some(kind(address.kind()))).await {
        Ok(_) => Ok(()),
        Err(error) if error.class == CallClass::Interrupted => Err(error),
        // An earlier try may have had its effect.
        Err(error) => match read_ledger(client, account, address, id, ledger).await {
            Ok(names) if files.iter().all(|file| names.contains(file)) => Ok(()),
            _ => Err(error),
        },
    }
}

fn travel(
    account: &Account,
    address: &Address,
) -> Option<(&'static envc_kinds::TimeTravel, Place)> {
    Some((database(address)?.time_travel, account.place(None)))
}
