//! Asks what a plan needs to know: lists side by side, then what is read per parent.

use std::collections::BTreeMap;

use envc_core::{Address, Desired};
use envc_kinds::{Meaning, kind};
use envc_plan::{Observation, Questions, State, parents_to_read};
use futures::future::join_all;

use crate::{
    client::{CallError, Client},
    scope::Scope,
};

/// Observes. Two round trips at the most: all lists at once, then all children at once. Costs
/// pages, never a request per resource.
pub async fn observe(
    client: &Client<'_>,
    scope: &Scope,
    desired: &BTreeMap<Address, Desired>,
    state: Option<&State>,
) -> Result<Observation, CallError> {
    let questions = Questions::of(desired.values(), state);
    let lists = join_all(questions.lists.iter().map(|(id, zone)| async move {
        let kind = kind(*id);
        let place = scope.place(zone.as_deref());
        let items = match kind.listing(&place) {
            Some(listing) => client.list(&listing, kind).await?,
            None => Vec::new(),
        };
        Ok::<_, CallError>((*id, zone.as_deref(), items))
    }))
    .await;
    let mut observation = Observation::default();
    for list in lists {
        let (id, zone, items) = list?;
        observation.add(id, zone, items);
    }
    let children = parents_to_read(desired, state, &observation);
    let reads = join_all(children.iter().map(|(id, parent_id)| async move {
        let kind = kind(*id);
        let Some(call) = kind.read_of_parent(&scope.place(None), parent_id) else {
            return Ok(None);
        };
        match client.call(&call, Some(kind)).await {
            Ok(answer) => Ok(kind.observe(&answer.result).map(|seen| (*id, seen))),
            Err(error) if error.means(Meaning::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }))
    .await;
    for read in reads {
        if let Some((id, seen)) = read? {
            observation.add(id, None, vec![seen]);
        }
    }
    Ok(observation)
}
