//! What happens to a request between the socket and its product.
//!
//! Order: count, wait, let in by the head, read the body, faults before the effect, moods, products,
//! faults after the effect, headers, log. Products run on blocking threads: SQLite blocks.
//!
//! Paths below `/v1` are the edge's pools, those below `/transfers` the texts that D1 is sent and
//! fetched from beside the API. All other ones outside of `/client/v4` are the hooks listed at the
//! crate's root; their bodies are not read.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use http::{HeaderValue, Method, Request, Response};

use crate::cloud::{Cloud, Inner, RequestLog};
use crate::envelope::{Answer, Problem};
use crate::faults::Early;
use crate::request::Req;
use crate::serve::ConnectionLost;
use crate::throttle::Budget;
use crate::{clock, moods, pools, products, throttle};

impl Cloud {
    /// The routes, for serving in process; see [`crate::serve`] for a bound port.
    ///
    /// A connection that a fault closes shows as a response with the extension
    /// [`crate::ConnectionLost`]. The whole API is one fallback: paths are matched by the products,
    /// so that an unknown path or a malformed identifier is answered as Cloudflare does.
    pub fn router(&self) -> axum::Router {
        axum::Router::new().fallback(respond).with_state(self.clone())
    }
}

async fn respond(State(cloud): State<Cloud>, request: Request<Body>) -> Response<Body> {
    let inner = cloud.0;
    let is_edge = pools::is_edge(request.uri().path());
    if !is_edge && !request.uri().path().starts_with("/client/v4/") {
        return outside(inner, request).await;
    }
    let call = inner.next_call();
    // The account's limit is the API's alone.
    let budget = if is_edge { None } else { inner.injector.book() };
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    // As long as the call is under way.
    let turn = inner.injector.take_turn(&method, &path);
    let latency_ms = inner.injector.faults.latency_ms;
    if latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(latency_ms)).await;
    }
    let read = read(&inner, request, is_edge).await;
    let response = match inner.injector.before(call, &method, &path, (budget, &turn)) {
        Some(Early::HangUp) => None,
        Some(Early::Answer(response)) => Some(*response),
        None => {
            let response = match read {
                Ok(req) => handle(Arc::clone(&inner), req).await,
                Err(refused) => *refused,
            };
            (!inner.injector.loses_answer(call)).then_some(response)
        }
    };
    let status = response.as_ref().map_or(0, |response| response.status().as_u16());
    let response = match response {
        Some(response) if is_edge => response,
        Some(response) => with_headers(response, &inner, budget, (&method, &path)),
        None => lost(),
    };
    drop(turn);
    inner.record(RequestLog { seq: call, method, path, status });
    response
}

/// Reads a request whose sender is let in; nothing is kept of anybody else's.
async fn read(
    cloud: &Inner,
    request: Request<Body>,
    is_edge: bool,
) -> Result<Req, Box<Response<Body>>> {
    let refused = |problem: Problem| Box::new(problem.into_response());
    let (head, body) = request.into_parts();
    let mut req = Req::of_head(head).map_err(refused)?;
    let bytes_max = if is_edge {
        pools::admit(cloud, &req)?
    } else {
        products::admit(cloud, &req).map_err(refused)?
    };
    match req.read_body(body, bytes_max).await {
        Ok(()) => Ok(req),
        Err(_) if is_edge => Err(Box::new(pools::too_large(bytes_max))),
        Err(problem) => Err(refused(problem)),
    }
}

/// Runs the product on a blocking thread, which learns from `gone` that nobody waits for it: a
/// thread cannot be stopped from outside, and would hold its locks to its end.
async fn handle(cloud: Arc<Inner>, req: Req) -> Response<Body> {
    let _waiting = req.gone.when_dropped();
    let work = move || {
        let response = if pools::is_edge(&req.path) {
            pools::answer(&cloud, &req)
        } else {
            moods::answer(&cloud, &req)
        };
        if may_delete(&req) {
            cloud.store.forget_deleted();
        }
        response
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(response) => response,
        Err(error) => Problem::internal(error).into_response(),
    }
}

/// True for calls by which something may go, or take the place of what was there.
fn may_delete(req: &Req) -> bool {
    let last = req.path.rsplit('/').next().unwrap_or_default();
    match req.method {
        Method::DELETE | Method::PUT | Method::PATCH => true,
        _ => req.method == Method::POST && matches!(last, "ack" | "delete" | "purge" | "import"),
    }
}

/// Paths that are not Cloudflare's.
async fn outside(cloud: Arc<Inner>, request: Request<Body>) -> Response<Body> {
    if let Some(id) = request.uri().path().strip_prefix(products::TRANSFERS) {
        let id = id.to_owned();
        return transfer(cloud, id, request).await;
    }
    let req = match Req::of_head(request.into_parts().0) {
        Ok(req) => req,
        Err(problem) => return problem.into_response(),
    };
    blocking(move || products::local_hook(&cloud, &req)).await
}

/// A text that D1 is sent or fetched from by an address that it gave out: whoever has that is let in.
async fn transfer(cloud: Arc<Inner>, id: String, request: Request<Body>) -> Response<Body> {
    let (head, body) = request.into_parts();
    let mut req = match Req::of_head(head) {
        Ok(req) => req,
        Err(problem) => return problem.into_response(),
    };
    let (known, method) = (Arc::clone(&cloud), req.method.clone());
    let (asked, admitted) = (
        id.clone(),
        tokio::task::spawn_blocking(move || products::admit_transfer(&known, &method, &id)),
    );
    let bytes_max = match admitted.await {
        Ok(Ok(bytes_max)) => bytes_max,
        Ok(Err(problem)) => return problem.into_response(),
        Err(error) => return Problem::internal(error).into_response(),
    };
    if let Err(problem) = req.read_body(body, bytes_max).await {
        return problem.into_response();
    }
    blocking(move || products::carry_transfer(&cloud, &req, &asked)).await
}

/// Answers on a blocking thread.
async fn blocking(
    work: impl FnOnce() -> Result<Answer, Problem> + Send + 'static,
) -> Response<Body> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(answer)) => answer.into_response(),
        Ok(Err(problem)) => problem.into_response(),
        Err(error) => Problem::internal(error).into_response(),
    }
}

fn with_headers(
    mut response: Response<Body>,
    cloud: &Inner,
    budget: Option<Budget>,
    (method, path): (&str, &str),
) -> Response<Body> {
    let ray = clock::new_hex_id().chars().take(16).collect::<String>() + "-LOC";
    let limit = throttle::headers(cloud.injector.faults.limit_headers, budget, method, path);
    for (name, value) in limit.into_iter().flatten().chain([("cf-ray", ray)]) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn lost() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(ConnectionLost);
    response
}
