//! Real requests and responses.

use envc_edge_api::FENCE_HEADER;
use envc_edge_core::{Caller, Preconditions, Response};
use futures::StreamExt as _;
use worker::js_sys::Uint8Array;
use worker::{Headers, RequestInit, ResponseBuilder, Stub};

/// Carries the checked caller from the Worker to an object. A header of that name in a request
/// from outside goes nowhere: the request to the object is made anew.
const CALLER: &str = "envc-caller";

/// Makes a real response.
pub(crate) fn respond(response: Response) -> worker::Result<worker::Response> {
    let Response { status, content_type, headers: pairs, body } = response;
    let headers = Headers::new();
    if !content_type.is_empty() {
        headers.set("content-type", content_type)?;
    }
    headers.set("x-content-type-options", "nosniff")?;
    for (name, value) in pairs {
        headers.set(name, &value)?;
    }
    let builder = ResponseBuilder::new().with_status(status).with_headers(headers);
    Ok(if body.is_empty() { builder.empty() } else { builder.fixed(body) })
}

/// Takes the body away from an object's response, for `HEAD`.
pub(crate) fn without_body(response: &worker::Response) -> worker::Response {
    let headers = response.headers().clone();
    ResponseBuilder::new().with_status(response.status_code()).with_headers(headers).empty()
}

/// Reads a body of at most `max` bytes and not one byte further than needed to know.
pub(crate) async fn body(request: &mut worker::Request, max: usize) -> Result<Vec<u8>, Response> {
    let failed = || Response::unavailable("the body could not be read to its end");
    let length = request.headers().get("content-length").ok().flatten();
    let length = length.and_then(|text| text.parse::<usize>().ok());
    if length.is_some_and(|length| length > max) {
        return Err(Response::body_too_large(max));
    }
    // As long as it says, and so within the bound: read at once, which takes a third of the time
    // that a stream does.
    if length.is_some() {
        let bytes = request.bytes().await.map_err(|_| failed())?;
        return if bytes.len() > max { Err(Response::body_too_large(max)) } else { Ok(bytes) };
    }
    let mut bytes = Vec::new();
    // A request without a body has no stream.
    let Ok(mut stream) = request.stream() else { return Ok(bytes) };
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| failed())?;
        if bytes.len().saturating_add(chunk.len()) > max {
            return Err(Response::body_too_large(max));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Reads the headers that make a request conditional.
pub(crate) fn preconditions(request: &worker::Request) -> Preconditions {
    let read = |name| request.headers().get(name).ok().flatten();
    Preconditions {
        if_match: read("if-match"),
        if_none_match: read("if-none-match"),
        fence: read(FENCE_HEADER),
    }
}

/// What goes to an object with a request from outside.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) preconditions: &'a Preconditions,
}

/// Sends a request to an object.
pub(crate) async fn ask(
    stub: &Stub,
    method: worker::Method,
    path: &str,
    told: Option<Told<'_>>,
    body: &[u8],
) -> worker::Result<worker::Response> {
    let headers = Headers::new();
    if let Some(Told { caller, preconditions }) = told {
        headers.set(CALLER, &serde_json::to_string(caller)?)?;
        let Preconditions { if_match, if_none_match, fence } = preconditions;
        for (name, value) in
            [("if-match", if_match), ("if-none-match", if_none_match), (FENCE_HEADER, fence)]
        {
            if let Some(value) = value {
                headers.set(name, value)?;
            }
        }
    }
    let mut init = RequestInit::new();
    let has_body = !body.is_empty() && method != worker::Method::Get;
    init.with_method(method).with_headers(headers);
    if has_body {
        init.with_body(Some(Uint8Array::from(body).into()));
    }
    // The host is a placeholder: the stub decides who is asked.
    let url = format!("https://object{path}");
    stub.fetch_with_request(worker::Request::new_with_init(&url, &init)?).await
}

/// The body of a request that [`ask`] made.
pub(crate) async fn asked_body(request: &mut worker::Request) -> worker::Result<Vec<u8>> {
    if request.inner().body().is_none() { Ok(Vec::new()) } else { request.bytes().await }
}

/// Who calls, as the Worker found it. `None` would be a fault of the Worker's own.
pub(crate) fn caller(request: &worker::Request) -> Option<Caller> {
    let text = request.headers().get(CALLER).ok().flatten()?;
    serde_json::from_str(&text).ok()
}
