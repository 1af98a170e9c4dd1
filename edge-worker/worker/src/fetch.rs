//! One request, from the outside to the object that decides and back.

use envc_edge_core::{
    Method, PoolResource, Preconditions, Request, Resource, Response, Route, StateResource,
    TokenResource, health, openapi, route,
};
use worker::{Context, Env, Stub, console_error, event};

use crate::http::{Told, ask, body, preconditions, respond, without_body};
use crate::{VERSION, gate, lists, probe, status};

/// Answers one HTTP request.
#[event(fetch)]
async fn fetch(
    request: worker::Request,
    env: Env,
    _context: Context,
) -> worker::Result<worker::Response> {
    // The library reads a method it does not know as GET, so the name itself is asked for.
    let method = Method::from_name(&request.inner().method());
    let response = match answer(request, method, &env).await {
        Ok(response) => response,
        Err(response) => respond(response)?,
    };
    Ok(if method == Method::Head { without_body(&response) } else { response })
}

/// Answers a request, or refuses it.
async fn answer(
    mut request: worker::Request,
    method: Method,
    env: &Env,
) -> Result<worker::Response, Response> {
    let path = request.path();
    let route = route(&Request { method, path: &path })?;
    if route.resource == Resource::Health {
        return Err(health(VERSION));
    }
    if route.resource == Resource::OpenApi {
        return Err(openapi());
    }
    let caller = gate::pass(&request, env, &route).await?;
    if let Resource::Status(resource) = &route.resource {
        return status::serve(env, resource).await;
    }
    if route.resource == Resource::AllPools {
        return lists::pools(env).await;
    }
    if route.resource == Resource::AllStates {
        return lists::states(&request, env).await;
    }
    if route.resource == Resource::RunProbes {
        let ran = probe::run(env).await.and_then(|ran| worker::Response::from_json(&ran));
        return ran.map_err(|error| {
            console_error!("envc-edge: probes: {error}");
            Response::unavailable("the probes could not be run")
        });
    }
    // What only asks has no body that anybody reads.
    let body = match method {
        Method::Get | Method::Head => Vec::new(),
        _ => body(&mut request, route.body_bytes_max).await?,
    };
    let conditions = match route.resource {
        Resource::State(..) => preconditions(&request),
        _ => Preconditions::default(),
    };
    let asked = async {
        let stub = object(env, &route)?;
        let method = match method {
            Method::Head | Method::Get | Method::Other => worker::Method::Get,
            Method::Post => worker::Method::Post,
            Method::Put => worker::Method::Put,
            Method::Delete => worker::Method::Delete,
        };
        let told = Told { caller: &caller, preconditions: &conditions };
        ask(&stub, method, &path, Some(told), &body).await
    };
    let answer = asked.await.map_err(|error| {
        console_error!("envc-edge: {path}: {error}");
        Response::unavailable("the object that decides did not answer")
    });
    if let Resource::Pool(name, PoolResource::Members) = &route.resource
        && method == Method::Put
        && answer.as_ref().is_ok_and(|answer| answer.status_code() == 200)
    {
        probe::tell_pool(env, name).await;
    }
    if let Resource::State(project, StateResource::Lock(_)) = &route.resource
        && method == Method::Post
        && answer.as_ref().is_ok_and(|answer| matches!(answer.status_code(), 200 | 201))
    {
        probe::tell_project(env, &project.key).await;
    }
    if let Resource::Tokens(TokenResource::Token(id)) = route.resource {
        gate::forget(id);
    }
    answer
}

/// The object that a resource lives in.
fn object(env: &Env, route: &Route<'_>) -> worker::Result<Stub> {
    match &route.resource {
        Resource::Pool(name, _) => env.durable_object("POOLS")?.get_by_name(name.as_str()),
        Resource::State(project, _) => env.durable_object("STATES")?.get_by_name(&project.key),
        Resource::Registry(_) => probe::registry(env),
        Resource::Tokens(_) => gate::tokens(env),
        Resource::Health
        | Resource::OpenApi
        | Resource::AllPools
        | Resource::AllStates
        | Resource::RunProbes
        | Resource::Status(_) => Err(worker::Error::from("no object has this resource")),
    }
}
