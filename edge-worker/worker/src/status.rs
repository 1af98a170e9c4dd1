//! The status: put together from the registry and every pool.

use std::time::Duration;

use envc_edge_api::Status;
use envc_edge_core::status::{badge, digest, json, metrics, page, status};
use envc_edge_core::{Response, StatusResource};
use futures::stream;
use worker::{Delay, Env, Headers, ResponseBuilder, console_error};

use crate::http::respond;
use crate::lists::counts;
use crate::probe::snapshot;
use crate::store::now_ms;

/// How often a stream looks for news.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// How many requests a stream makes before it ends; the browser then comes again.
const REQUESTS_MAX: usize = 45;

/// Answers with the status in one of its forms.
pub(crate) async fn serve(
    env: &Env,
    resource: &StatusResource,
) -> Result<worker::Response, Response> {
    let now = assemble(env).await.map_err(|error| {
        console_error!("envc-edge: status: {error}");
        Response::unavailable("the status could not be put together")
    })?;
    let response = match resource {
        StatusResource::Json => json(&now),
        StatusResource::Page => page(&now),
        StatusResource::Metrics => metrics(&now),
        StatusResource::Badge(id) => badge(id, now.environments.iter().find(|it| it.id == *id)),
        StatusResource::Events => {
            return events(env, &now).map_err(|error| {
                console_error!("envc-edge: events: {error}");
                Response::unavailable("the stream could not be opened")
            });
        }
    };
    respond(response).map_err(|_| Response::unavailable("the answer could not be made"))
}

async fn assemble(env: &Env) -> worker::Result<Status> {
    let snapshot = snapshot(env).await?;
    let pools = counts(env, &snapshot).await?;
    Ok(status(snapshot, pools, now_ms()))
}

/// A stream that says `changed` whenever there is news: server-sent events.
fn events(env: &Env, now: &Status) -> worker::Result<worker::Response> {
    let looks = REQUESTS_MAX / (now.pools.len() + 1);
    let begin = (env.clone(), digest(now), looks);
    let news = stream::unfold(begin, |(env, known, looks)| async move {
        let looks = looks.checked_sub(1)?;
        Delay::from(LOOK_EVERY).await;
        let (line, known) = match assemble(&env).await {
            Ok(now) if digest(&now) != known => {
                let news = digest(&now);
                (format!("event: changed\ndata: {news}\n\n"), news)
            }
            // A comment keeps the connection from being taken for dead.
            Ok(_) | Err(_) => (": nothing new\n\n".to_owned(), known),
        };
        Some((Ok::<_, worker::Error>(line.into_bytes()), (env, known, looks)))
    });
    let first = stream::iter([Ok(b"retry: 3000\n\n".to_vec())]);
    let headers = Headers::new();
    headers.set("content-type", "text/event-stream")?;
    headers.set("cache-control", "no-store")?;
    headers.set("x-content-type-options", "nosniff")?;
    let builder = ResponseBuilder::new().with_headers(headers);
    builder.from_stream(futures::StreamExt::chain(first, news))
}
