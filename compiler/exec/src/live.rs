//! Asks what code is bound to that somebody else deployed and that is live.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, KindId};
use envc_kinds::{Listing, MarkerOf, Meaning, Observed, kind};
use envc_plan::{Live, Observation, Questions};
use futures::future::{join, join_all};
use serde_json::Value as Json;

use crate::{
    account::Account,
    client::{CallError, Client},
};

/// Asks for each of these that others deploy what it is bound to, under the name that envc gave it: one
/// call each, and one for each list of what serves them and may hold on to something of the kinds that
/// are `going`. What is not there was not deployed, or is deleted by now.
pub async fn observe_live(
    client: &Client<'_>,
    account: &Account,
    by_others: &BTreeMap<Address, Desired>,
    going: &BTreeSet<KindId>,
    observation: &mut Observation,
) -> Result<(), CallError> {
    let reads = join_all(by_others.values().map(|wanted| read(client, account, wanted)));
    let questions = Questions::holding(going, observation);
    let lists = questions
        .lists
        .iter()
        .filter_map(|(id, zone)| Some((*id, kind(*id).listing(&account.place(zone.as_deref()))?)));
    let lists = join_all(lists.map(|(id, listing)| list(client, id, listing)));
    let (reads, lists) = join(reads, lists).await;
    for read in reads {
        observation.live.extend(read?);
    }
    let scripts: BTreeSet<(KindId, String)> =
        observation.live.iter().map(|(of, live)| (of.kind(), live.id.clone())).collect();
    for told in lists {
        let (id, mut items) = told?;
        let Some((field, of)) = kind(id).serves() else { continue };
        items.retain(|item| {
            let name = item.fields.get(field).and_then(Json::as_str);
            name.is_some_and(|name| scripts.contains(&(of, name.to_owned())))
        });
        observation.add(id, None, items);
    }
    Ok(())
}

/// The name of what others deploy is its identifier.
async fn read(
    client: &Client<'_>,
    account: &Account,
    wanted: &Desired,
) -> Result<Option<(Address, Live)>, CallError> {
    let kind = kind(wanted.address.kind());
    let Some(MarkerOf::Call { call, holds, .. }) = kind.facts().marker else { return Ok(None) };
    match client.call(&call(&account.place(None), &wanted.name), Some(kind)).await {
        Ok(answer) => {
            let (id, wanted_fields) = (wanted.name.clone(), wanted.fields.clone());
            let live = Live { id, holds: holds(&answer.result), wanted: wanted_fields };
            Ok(Some((wanted.address.clone(), live)))
        }
        Err(error) if error.means(Meaning::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn list(
    client: &Client<'_>,
    id: KindId,
    listing: Listing,
) -> Result<(KindId, Vec<Observed>), CallError> {
    Ok((id, client.list(&listing, kind(id)).await?))
}
