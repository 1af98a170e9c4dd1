//! Asks what a plan needs to know: lists side by side, then what is read per parent.

use std::collections::BTreeMap;

use envc_core::{Address, Desired, KindId, Secret};
use envc_kinds::{Listing, MarkerOf, Meaning, Observed, kind};
use envc_plan::{Observation, Ownership, Questions, State, markers_to_read, parents_to_read};
use futures::future::{join, join_all};
use serde_json::Value as Json;

use crate::{
    account::Account,
    client::{CallError, Client},
};

/// The kinds that a list tells of, each with its zone.
type Askers<'q> = Vec<(KindId, Option<&'q str>)>;

/// Observes. Two round trips at the most: all lists at once, then all children, and the markers of
/// what nobody recorded, at once. Costs pages, and never a request per recorded resource. Kinds
/// `besides` are listed whoever asks for them. What is only looked at for being in the way is left out
/// where the token may not list it: the call that it is in the way of says so then.
pub async fn observe(
    client: &Client<'_>,
    account: &Account,
    desired: &BTreeMap<Address, Desired>,
    state: Option<&State>,
    besides: &[KindId],
    ownership: &Ownership,
) -> Result<Observation, CallError> {
    let mut questions = Questions::of(desired.values(), state);
    questions.lists.extend(besides.iter().map(|id| (*id, None)));
    // Kinds that one list tells of share its call.
    let mut lists: Vec<(Listing, Askers<'_>)> = Vec::new();
    for (id, zone) in questions.lists.iter().chain(&questions.glances) {
        let Some(listing) = kind(*id).listing(&account.place(zone.as_deref())) else { continue };
        match lists.iter_mut().find(|(known, _)| *known == listing) {
            Some((_, askers)) => askers.push((*id, zone.as_deref())),
            None => lists.push((listing, vec![(*id, zone.as_deref())])),
        }
    }
    let told = join_all(lists.iter().map(|(listing, askers)| async move {
        let first = askers.first().map_or(KindId::ALL[0], |(id, _)| *id);
        client.items(listing, kind(first)).await
    }))
    .await;
    let mut observation = Observation::default();
    for ((_, askers), items) in lists.iter().zip(told) {
        let glance = |(id, zone): &(KindId, Option<&str>)| {
            questions.glances.contains(&(*id, zone.map(str::to_owned)))
        };
        let items = match items {
            Err(error) if error.means(Meaning::Auth) && askers.iter().all(glance) => continue,
            items => items?,
        };
        for (id, zone) in askers {
            let kind = kind(*id);
            let seen = items.iter().filter_map(|item| kind.observe(item)).collect();
            observation.add(*id, *zone, seen);
            let held = items.iter().filter_map(|item| kind.held(item));
            observation.held.extend(held.map(|held| (*id, held)));
        }
    }
    let children = parents_to_read(desired, state, &observation);
    let reads = join_all(children.iter().map(|(id, parent_id)| async move {
        let kind = kind(*id);
        let Some(parent) = kind.facts().of_parent else { return Ok(None) };
        let call = (parent.read)(&account.place(None), parent_id);
        match client.call(&call, Some(kind)).await {
            // What lives with its parent has its identifier; not every answer repeats it.
            Ok(answer) => Ok(kind
                .observe(&answer.result)
                .map(|seen| (*id, Observed { id: parent_id.clone(), ..seen }))),
            Err(error) if error.means(Meaning::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }));
    let unknown = markers_to_read(desired, state, &observation, ownership);
    let markers = join_all(unknown.iter().map(|(id, api_id)| async move {
        let kind = kind(*id);
        let Some(MarkerOf::Call { call, read, .. }) = kind.facts().marker else { return Ok(None) };
        match client.call(&call(&account.place(None), api_id), Some(kind)).await {
            Ok(answer) => Ok(read(&answer.result)),
            // Listed a moment ago, gone by now.
            Err(error) if error.means(Meaning::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }));
    let (reads, markers) = join(reads, markers).await;
    for read in reads {
        if let Some((id, seen)) = read? {
            observation.add(id, None, vec![seen]);
        }
    }
    for ((id, api_id), marker) in unknown.iter().zip(markers) {
        observation.mark(*id, api_id, marker?.as_ref());
    }
    Ok(observation)
}

/// The secret output of a resource, fetched. `None` when its kind has none.
pub async fn fetch_token(
    client: &Client<'_>,
    account: &Account,
    address: &Address,
    id: &str,
) -> Result<Option<Secret>, CallError> {
    let kind = kind(address.kind());
    let Some(token) = kind.facts().token else { return Ok(None) };
    let call = token(&account.place(None), id);
    let answer = client.call(&call, Some(kind)).await?;
    Ok(answer.result.as_str().map(Secret::new).or(match &answer.result {
        Json::Object(fields) => fields.get("token").and_then(Json::as_str).map(Secret::new),
        _ => None,
    }))
}
