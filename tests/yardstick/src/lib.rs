//! What a call to a Durable Object costs at least: a Worker that passes every request on to one
//! object, which answers from memory, or first writes one small row.
//!
//! `cargo xtask bench edge` serves it beside the edge Worker, by the same runtime, and
//! `plain.js` beside both: the same without Rust. It answers about as much as a lease is, and
//! checks nothing.

mod room;

use worker::{Context, Env, Request, Response, event};

/// Passes a request on.
#[event(fetch)]
async fn fetch(request: Request, env: Env, _context: Context) -> worker::Result<Response> {
    env.durable_object("ROOMS")?.get_by_name("room")?.fetch_with_request(request).await
}
