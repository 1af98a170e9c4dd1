//! The edge Worker's shell: turns real requests into the core's and its answers into real ones.
//!
//! Invariants: no decision is made here, and nothing panics: a Worker that panics in an async
//! handler leaves its caller without an answer. A failure to build the answer is itself answered
//! by the runtime with a plain 500.
//!
//! Nobody imports this crate. Built by `cargo xtask worker`; run in the real runtime by
//! `cargo xtask test`.

use envc_edge_core::{Method, Request, Response, handle};
use worker::{Context, Env, Headers, ResponseBuilder, event};

/// The version that `/healthz` tells.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Answers one HTTP request.
#[event(fetch)]
async fn fetch(
    request: worker::Request,
    _env: Env,
    _context: Context,
) -> worker::Result<worker::Response> {
    // The library reads a method it does not know as GET, so the name itself is asked for.
    let method = Method::from_name(&request.inner().method());
    let path = request.path();
    respond(handle(&Request { method, path: &path }, VERSION))
}

fn respond(response: Response) -> worker::Result<worker::Response> {
    let Response { status, content_type, headers: pairs, body } = response;
    let headers = Headers::new();
    headers.set("content-type", content_type)?;
    for (name, value) in pairs {
        headers.set(name, &value)?;
    }
    let builder = ResponseBuilder::new().with_status(status).with_headers(headers);
    Ok(if body.is_empty() { builder.empty() } else { builder.fixed(body) })
}
