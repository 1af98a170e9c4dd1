//! Lists over many objects: every pool, every state.

use envc_edge_api::limits::PROJECTS_PAGE;
use envc_edge_api::{AllStates, Name, PoolList, PoolStats, ProjectStates, Scope, StateList};
use envc_edge_core::registry::Snapshot;
use envc_edge_core::{Caller, Preconditions, Response};
use futures::future::join_all;
use serde::de::DeserializeOwned;
use worker::{Env, Method, Stub, console_error};

use crate::http::{Told, ask, respond};
use crate::probe::{PROJECTS, registry, snapshot};

/// Every pool.
pub(crate) async fn pools(env: &Env) -> Result<worker::Response, Response> {
    let listed = async { counts(env, &snapshot(env).await?).await };
    told(listed.await.map(|pools| Response::json(&PoolList { pools })))
}

/// Every pool's counts.
pub(crate) async fn counts(env: &Env, snapshot: &Snapshot) -> worker::Result<Vec<PoolStats>> {
    let asked = snapshot.pools.iter().map(|name| async move {
        let stub = env.durable_object("POOLS")?.get_by_name(name.as_str())?;
        read(&stub, &format!("/v1/pools/{name}"), Scope::Read).await
    });
    join_all(asked).await.into_iter().collect()
}

/// Every state and lock: a page of projects.
pub(crate) async fn states(
    request: &worker::Request,
    env: &Env,
) -> Result<worker::Response, Response> {
    let after = request.url().ok().and_then(|url| {
        let mut query = url.query_pairs();
        query.find_map(|(name, value)| (name == "after").then(|| value.into_owned()))
    });
    told(page(env, &after.unwrap_or_default()).await.map(|page| Response::json(&page)))
}

async fn page(env: &Env, after: &str) -> worker::Result<AllStates> {
    let body = serde_json::to_vec(after)?;
    let mut answer = ask(&registry(env)?, Method::Post, PROJECTS, None, &body).await?;
    let mut keys: Vec<String> = answer.json().await?;
    let is_last = keys.len() <= PROJECTS_PAGE;
    keys.truncate(PROJECTS_PAGE);
    let asked = keys.iter().map(|key| async move {
        let stub = env.durable_object("STATES")?.get_by_name(key)?;
        let StateList { environments } =
            read(&stub, &format!("/v1/state/{key}"), Scope::State).await?;
        let mut names = key.split('/').filter_map(|name| Name::parse(name).ok());
        let (Some(cloud), Some(account), Some(project)) =
            (names.next(), names.next(), names.next())
        else {
            return Err(worker::Error::from("a project has three names"));
        };
        Ok(ProjectStates { cloud, account, project, environments })
    });
    let projects = join_all(asked).await.into_iter().collect::<worker::Result<Vec<_>>>()?;
    let next = keys.pop().filter(|_| !is_last);
    // One whose locks ran out before anything was written has nothing to show.
    let projects = projects.into_iter().filter(|it| !it.environments.is_empty()).collect();
    Ok(AllStates { projects, next })
}

/// Reads something of an object as the Worker itself, which has checked who asks.
async fn read<T: DeserializeOwned>(stub: &Stub, path: &str, scope: Scope) -> worker::Result<T> {
    let subject = Name::parse("worker").map_err(|error| worker::Error::from(error.to_string()))?;
    let caller = Caller { subject, scopes: vec![scope], alive: None };
    let told = Told { caller: &caller, preconditions: &Preconditions::default() };
    ask(stub, Method::Get, path, Some(told), &[]).await?.json().await
}

fn told(listed: worker::Result<Response>) -> Result<worker::Response, Response> {
    let response = listed.map_err(|error| {
        console_error!("envc-edge: list: {error}");
        Response::unavailable("the list could not be put together")
    })?;
    respond(response).map_err(|_| Response::unavailable("the answer could not be made"))
}
