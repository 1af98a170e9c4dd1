//! Asks what code is bound to that somebody else deployed and that is live.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, KindId, Value};
use envc_kinds::{Fields, Listing, MarkerOf, Meaning, Observed, kind};
use envc_plan::{Live, Observation, Questions};
use futures::future::{join, join_all};
use serde_json::Value as Json;

use crate::{
    account::Account,
    client::{CallError, Client},
};

/// What others may have deployed for an environment.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "a question has no text")]
pub struct ByOthers<'a> {
    /// What the spec has, by address, with the names that envc gave it.
    pub wanted: &'a BTreeMap<Address, Desired>,
    /// True for a name that envc gave to what the spec has no more.
    pub left: &'a dyn Fn(&str) -> bool,
}

/// Asks for each of these that others deploy what it is bound to, under the name that envc gave it: one
/// call each, one for the list of all scripts, and one for each list of what serves them and may hold on
/// to something of the kinds that are `going`. What is not there was not deployed, or is deleted by now.
pub async fn observe_live(
    client: &Client<'_>,
    account: &Account,
    by_others: ByOthers<'_>,
    going: &BTreeSet<KindId>,
    observation: &mut Observation,
) -> Result<(), CallError> {
    let left = left(client, account, by_others).await?;
    let reads = by_others.wanted.values();
    let reads = reads.map(|it| (it.address.clone(), &it.name, Some(&it.fields)));
    let reads = reads.chain(left.iter().map(|(address, name)| (address.clone(), name, None)));
    let reads = join_all(reads.map(|of| read(client, account, of)));
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

/// The code that the spec has no more and that is there still: nobody deploys it anew, and what it is
/// bound to may be going. Its name stands for it.
async fn left(
    client: &Client<'_>,
    account: &Account,
    by_others: ByOthers<'_>,
) -> Result<Vec<(Address, String)>, CallError> {
    let code = KindId::ALL.into_iter().filter(|id| kind(*id).runs_code());
    let lists = code.filter_map(|id| Some((id, kind(id).listing(&account.place(None))?)));
    let mut found = Vec::new();
    for told in join_all(lists.map(|(id, listing)| list(client, id, listing))).await {
        let (id, items) = told?;
        let names = items.into_iter().map(|item| item.name).filter(|name| (by_others.left)(name));
        found.extend(names.map(|name| (Address::new(id, name.clone()), name)));
    }
    Ok(found)
}

/// The name of what others deploy is its identifier.
async fn read(
    client: &Client<'_>,
    account: &Account,
    (address, name, wanted): (Address, &String, Option<&Fields<Value>>),
) -> Result<Option<(Address, Live)>, CallError> {
    let kind = kind(address.kind());
    let Some(MarkerOf::Call { call, holds, .. }) = kind.facts().marker else { return Ok(None) };
    match client.call(&call(&account.place(None), name), Some(kind)).await {
        Ok(answer) => {
            let (id, holds, left) = (name.clone(), holds(&answer.result), wanted.is_none());
            let wanted = wanted.cloned().unwrap_or_default();
            Ok(Some((address, Live { id, holds, wanted, left })))
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
