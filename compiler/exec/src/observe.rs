//! Asks what a plan needs to know: lists side by side, then what is read per parent.

use std::collections::{BTreeMap, BTreeSet};

use envc_core::{Address, Desired, KindId, Secret};
use envc_kinds::{Listing, MarkerOf, Meaning, Observed, kind};
use envc_plan::{
    Observation, Ownership, Questions, Reach, State, Unlisted, markers_to_read, parents_to_read,
    unlisted,
};
use futures::future::{join_all, join3};
use serde_json::Value as Json;

use crate::{
    account::Account,
    client::{CallError, Client},
};

/// The kinds that a list tells of, each with its zone.
type Askers = Vec<(KindId, Option<String>)>;

/// What is asked for beside what the spec and the record name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look<'a> {
    /// Kinds that are listed in any case.
    pub besides: &'a [KindId],
    /// How far the look goes. A list beyond the spec and the record may be refused.
    pub reach: Reach,
    /// What no list shows is not asked for by its identifier: the API has answered for its delete.
    pub lists_alone: bool,
}

/// Observes, in two round trips at the most: all lists at once; then all children and the markers of
/// unrecorded resources at once, with the lists of what serves these. What no list shows and may be
/// there is asked for by its identifier in between; where the lists show all that they should, a look
/// costs pages, and never a request per recorded resource. A list that only shows what may be in the way, or that a far look asks for,
/// is left out where the token may not read it: the observation says which.
pub async fn observe(
    client: &Client<'_>,
    account: &Account,
    desired: &BTreeMap<Address, Desired>,
    state: Option<&State>,
    look: Look<'_>,
    ownership: &Ownership,
) -> Result<Observation, CallError> {
    let mut questions = Questions::of(desired.values(), state);
    questions.lists.extend(look.besides.iter().map(|id| (*id, None)));
    let zones: Vec<String> = account.zones.keys().cloned().collect();
    questions.reach(look.reach, &zones);
    let mut lists = lists_of(account, &questions);
    // What one of these lists tells costs no call of its own.
    let serving = Questions::serving(look.reach, |_| true, &zones);
    for (listing, askers) in lists_of(account, &serving) {
        let known = lists.iter_mut().find(|(known, _)| *known == listing);
        if let Some((_, known)) = known {
            known.extend(askers.into_iter().filter(|asker| !questions.asks(asker)));
        }
    }
    let mut observation = Observation::default();
    let told = ask(client, &lists).await;
    read(&mut observation, &questions, lists, told, look.reach)?;
    if !look.lists_alone {
        let asked = unlisted(desired, state, &observation, look.reach);
        read_unlisted(client, account, &mut observation, asked, look.reach).await?;
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
    let unknown = markers_to_read(desired, state, &observation, ownership, look.reach);
    let markers = join_all(unknown.iter().map(|(id, api_id)| async move {
        let kind = kind(*id);
        let Some(MarkerOf::Call { call, read, holds, .. }) = kind.facts().marker else {
            return Ok(None);
        };
        match client.call(&call(&account.place(None), api_id), Some(kind)).await {
            Ok(answer) => Ok(Some((read(&answer.result), holds(&answer.result)))),
            // Listed a moment ago, gone by now.
            Err(error) if error.means(Meaning::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }));
    let found = |served: KindId| unknown.iter().any(|(id, _)| *id == served);
    let mut late = Questions::serving(look.reach, found, &zones);
    late.glances.retain(|(id, zone)| !observation.listed.contains(&(*id, zone.clone())));
    let lists = lists_of(account, &late);
    let (reads, markers, told) = join3(reads, markers, ask(client, &lists)).await;
    read(&mut observation, &late, lists, told, look.reach)?;
    for read in reads {
        if let Some((id, seen)) = read? {
            observation.add(id, None, vec![seen]);
        }
    }
    for ((id, api_id), answer) in unknown.iter().zip(markers) {
        let (marker, held) = answer?.unwrap_or_default();
        observation.mark(*id, api_id, marker.as_ref());
        observation.hold(*id, api_id, &held);
    }
    Ok(observation)
}

/// The lists that answer questions. Kinds that one list tells of share its call.
fn lists_of(account: &Account, questions: &Questions) -> Vec<(Listing, Askers)> {
    let mut lists: Vec<(Listing, Askers)> = Vec::new();
    for (id, zone) in questions.lists.iter().chain(&questions.glances) {
        let Some(listing) = kind(*id).listing(&account.place(zone.as_deref())) else { continue };
        let asker = (*id, zone.clone());
        match lists.iter_mut().find(|(known, _)| *known == listing) {
            Some((_, askers)) => askers.push(asker),
            None => lists.push((listing, vec![asker])),
        }
    }
    lists
}

async fn ask(
    client: &Client<'_>,
    lists: &[(Listing, Askers)],
) -> Vec<Result<Vec<Json>, CallError>> {
    join_all(lists.iter().map(|(listing, askers)| async move {
        let first = askers.first().map_or(KindId::ALL[0], |(id, _)| *id);
        client.items(listing, kind(first)).await
    }))
    .await
}

/// Reads what lists told.
fn read(
    observation: &mut Observation,
    questions: &Questions,
    lists: Vec<(Listing, Askers)>,
    told: Vec<Result<Vec<Json>, CallError>>,
    reach: Reach,
) -> Result<(), CallError> {
    for ((_, askers), items) in lists.into_iter().zip(told) {
        let optional = askers.iter().all(|asker| !questions.lists.contains(asker));
        let items = match items {
            Err(error) if optional && is_refused(&error, reach) => {
                observation.unlisted.extend(askers.into_iter().map(|(id, _)| id));
                continue;
            }
            items => items?,
        };
        for (id, zone) in askers {
            let kind = kind(id);
            let seen = items.iter().filter_map(|item| kind.observe(item)).collect();
            observation.add(id, zone.as_deref(), seen);
            let held = items.iter().filter_map(|item| kind.held(item));
            observation.held.extend(held.map(|held| (id, held)));
            observation.listed.insert((id, zone));
        }
    }
    Ok(())
}

/// Asks for what no list shows. What the answer leaves open is neither there nor gone.
async fn read_unlisted(
    client: &Client<'_>,
    account: &Account,
    observation: &mut Observation,
    asked: BTreeSet<Unlisted>,
    reach: Reach,
) -> Result<(), CallError> {
    let reads = join_all(asked.iter().map(|one| async move {
        let call = kind(one.kind).read(&account.place(one.zone.as_deref()), &one.id)?;
        Some(client.call(&call, Some(kind(one.kind))).await)
    }));
    let reads = reads.await;
    for (Unlisted { kind: id, zone, id: api_id, recorded }, read) in asked.into_iter().zip(reads) {
        let Some(read) = read else { continue };
        match read {
            Ok(answer) if kind(id).is_deleted(&answer.result) => {
                observation.gone.insert((id, api_id));
            }
            Ok(answer) => {
                let seen = kind(id).observe_read(&answer.result);
                let seen = seen.filter(|seen| seen.id == api_id);
                observation.add(id, zone.as_deref(), seen.into_iter().collect());
            }
            Err(error) if error.means(Meaning::NotFound) => {
                observation.gone.insert((id, api_id));
            }
            Err(error) if recorded && error.means(Meaning::Refused) => {}
            Err(error) if !recorded && is_refused(&error, reach) => {
                observation.unlisted.insert(id);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// True for a list that the token may not read; a far look also asks for products that the account
/// may not have. An API that is sick has refused nothing.
fn is_refused(error: &CallError, reach: Reach) -> bool {
    error.means(Meaning::Auth) || (reach != Reach::Named && error.means(Meaning::Refused))
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
