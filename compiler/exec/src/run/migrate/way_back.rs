//! The way back of a database: its bookmark of before, and what it is to go back to.
//!
//! Invariant: the bookmark is recorded before the first statement runs on a database that was there before.

use envc_core::Address;
use envc_kinds::{Place, TimeTravel, kind};
use envc_plan::{Intent, IntentAction, State, WayBack, Work};
use futures::stream::{self, StreamExt as _};

use super::database;
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
    /// They are asked side by side, before the run begins.
    pub(in crate::run) async fn note_ways_back(&self, state: &mut State) -> bool {
        let changed = self.run.plan.plan().steps.iter().filter_map(|step| match &step.work {
            Work::Migrate { address, files, fresh: false, reset, .. } => {
                if is_carried_on(state, address, *reset) {
                    return None;
                }
                let before = files.first().filter(|_| !reset).map(|file| file.name.clone());
                let id = self.id_of(address).filter(|_| *reset || !files.is_empty())?;
                Some((address, id, before))
            }
            _ => None,
        });
        let asked = stream::iter(changed.map(|(address, id, before)| async move {
            let at_ms = self.client().clock().unix_ms();
            let told = bookmark(self.client(), self.run.account, address, &id, None).await;
            let way_back = told.map(|bookmark| WayBack { bookmark, at_ms, before, to: None });
            (address, id, way_back)
        }));
        let told: Vec<_> = asked.buffered(self.run.parallelism.max(1)).collect().await;
        let mut noted = false;
        for (address, id, way_back) in told {
            match way_back {
                Ok(way_back) => {
                    state.set_way_back(address, &id, Some(way_back));
                    noted = true;
                }
                Err(error) if error.class == CallClass::Interrupted => {}
                Err(error) => {
                    let reason = error.to_string();
                    self.client().progress().event(Event::NoWayBack { address, reason: &reason });
                }
            }
        }
        noted
    }
}

/// True for what an interrupted run began, whose way back is recorded: what is there now is a part of it.
fn is_carried_on(state: &State, address: &Address, reset: bool) -> bool {
    let is_open = |it: &Intent| it.action == IntentAction::Migrate && it.address == *address;
    let known = state.resources.get(address).map(|it| it.id.as_str());
    let known = known.or(state.ledgers.get(address).map(|it| it.id.as_str()));
    let way_back = known.and_then(|id| state.way_back(address, id));
    // A reset that follows a migration which was cut off is a change of its own.
    let goes_on = way_back.is_some_and(|it| !reset || it.before.is_none());
    goes_on && state.intents.iter().any(is_open)
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

fn travel(account: &Account, address: &Address) -> Option<(&'static TimeTravel, Place)> {
    Some((database(address)?.time_travel, account.place(None)))
}
