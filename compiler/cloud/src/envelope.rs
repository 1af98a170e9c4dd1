//! Answers: the envelope of the v4 API, raw bodies, and failures.
//!
//! A JSON answer has the four keys `success`, `errors`, `messages`, `result`, and `result_info` when it
//! is a page; some failures have the first two alone, and some lists null in the place of empty arrays.
//! Failures carry codes that are scoped to their product.
//!
//! Source: the `api-response-common` schemas of Cloudflare's OpenAPI document.

use axum::body::Body;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};

/// A page as a firewall or a broken gateway would send it.
const HTML_TYPE: &str = "text/html; charset=UTF-8";

/// What a handler answers when the call succeeded.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: AnswerBody,
}

/// The body of an [`Answer`].
#[derive(Debug)]
pub(crate) enum AnswerBody {
    /// An envelope around a result. The result is JSON text already, since key order matters to
    /// the rows of a D1 query.
    Envelope {
        result: String,
        result_info: Option<Value>,
        messages: Vec<Value>,
        /// `errors` and `messages` are null where they are empty.
        null_arrays: bool,
    },
    /// Bytes as they are: KV values, R2 objects.
    Raw(Vec<u8>),
}

impl Answer {
    /// HTTP 200 with this result.
    pub(crate) fn ok(result: &Value) -> Self {
        Self::json_text(result.to_string())
    }

    /// HTTP 200 with a result that is JSON text.
    pub(crate) fn json_text(result: String) -> Self {
        let (result_info, messages) = (None, Vec::new());
        let body = AnswerBody::Envelope { result, result_info, messages, null_arrays: false };
        Self { status: 200, headers: Vec::new(), body }
    }

    /// HTTP 200 with `result: null`.
    pub(crate) fn null() -> Self {
        Self::ok(&Value::Null)
    }

    /// HTTP 200 with a page.
    pub(crate) fn page(result: &Value, info: Value) -> Self {
        let body = AnswerBody::Envelope {
            result: result.to_string(),
            result_info: Some(info),
            messages: Vec::new(),
            null_arrays: false,
        };
        Self { status: 200, headers: Vec::new(), body }
    }

    /// Bytes without an envelope.
    pub(crate) fn raw(bytes: Vec<u8>) -> Self {
        Self { status: 200, headers: Vec::new(), body: AnswerBody::Raw(bytes) }
    }

    /// The same answer with a message beside the result.
    pub(crate) fn with_message(mut self, message: Value) -> Self {
        if let AnswerBody::Envelope { messages, .. } = &mut self.body {
            messages.push(message);
        }
        self
    }

    /// The same list with null in the place of empty arrays, as some products send it.
    pub(crate) fn with_null_arrays(mut self) -> Self {
        if let AnswerBody::Envelope { result, result_info, null_arrays, .. } = &mut self.body {
            *null_arrays = result_info.is_some() || result.starts_with('[');
        }
        self
    }

    /// The same answer with one more header.
    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The HTTP response.
    pub(crate) fn into_response(self) -> Response<Body> {
        let (kind, body) = match self.body {
            AnswerBody::Raw(bytes) => ("application/octet-stream", Body::from(bytes)),
            AnswerBody::Envelope { result, result_info, messages, null_arrays } => {
                let errors = if null_arrays { "null" } else { "[]" };
                let is_null = null_arrays && messages.is_empty();
                let messages = if is_null { Value::Null } else { Value::Array(messages) };
                let info =
                    result_info.map(|info| format!(",\"result_info\":{info}")).unwrap_or_default();
                let text = format!(
                    "{{\"result\":{result},\"success\":true,\"errors\":{errors},\"messages\":{messages}{info}}}"
                );
                ("application/json", Body::from(text))
            }
        };
        let mut response = plain(self.status, kind, body);
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

/// One error of a failed call.
#[derive(Debug, Clone)]
struct Fault {
    /// Missing in some live answers (R2's "not empty").
    code: Option<i64>,
    message: String,
    /// Details of a validation.
    chain: Vec<(i64, String)>,
}

/// A failed call: an HTTP status and at least one error.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: u16,
    faults: Vec<Fault>,
    /// Neither `result` nor `messages` is sent.
    bare: bool,
    /// What really happened, for the log of the server's owner; never sent.
    pub(crate) cause: Option<String>,
}

impl Problem {
    /// A failure with one error.
    pub(crate) fn new(status: u16, code: i64, message: impl Into<String>) -> Self {
        let fault = Fault { code: Some(code), message: message.into(), chain: Vec::new() };
        Self { status, faults: vec![fault], bare: false, cause: None }
    }

    /// The same failure with a detail in the chain of its last error.
    pub(crate) fn chain(mut self, code: i64, message: impl Into<String>) -> Self {
        if let Some(fault) = self.faults.last_mut() {
            fault.chain.push((code, message.into()));
        }
        self
    }

    /// The same failure with one more error.
    pub(crate) fn and(mut self, code: i64, message: impl Into<String>) -> Self {
        self.faults.push(Fault { code: Some(code), message: message.into(), chain: Vec::new() });
        self
    }

    /// The same failure with the codes left out, as some live answers have it.
    pub(crate) fn without_code(mut self) -> Self {
        for fault in &mut self.faults {
            fault.code = None;
        }
        self
    }

    /// What happened, for the server's owner.
    pub(crate) fn why(&self) -> String {
        self.cause.clone().unwrap_or_else(|| self.first_text())
    }

    /// The text of its first error.
    pub(crate) fn first_text(&self) -> String {
        self.faults.first().map(|fault| fault.message.clone()).unwrap_or_default()
    }

    /// The same failure in a body of `success` and `errors` alone, as some live answers have it.
    pub(crate) fn bare(mut self) -> Self {
        self.bare = true;
        self
    }

    /// The same failure with the causes in the place of what they stand in a chain of.
    pub(crate) fn without_wrapper(mut self) -> Self {
        let causes = |fault: &Fault| match (fault.code, fault.chain.is_empty()) {
            (Some(1004), false) => {
                let cause = |(code, message): &(i64, String)| Fault {
                    code: Some(*code),
                    message: message.clone(),
                    chain: Vec::new(),
                };
                fault.chain.iter().map(cause).collect()
            }
            _ => vec![fault.clone()],
        };
        self.faults = self.faults.iter().flat_map(causes).collect();
        self
    }

    /// HTTP 400, 7003 and 7000: the path is unknown or an identifier in it has a wrong form.
    pub(crate) fn no_route(path: &str) -> Self {
        Self::new(
            400,
            7003,
            format!("Could not route to {path}, perhaps your object identifier is invalid?"),
        )
        .and(7000, "No route for that URI")
    }

    /// HTTP 405, 7001: the path exists, the verb does not.
    pub(crate) fn method(method: &http::Method) -> Self {
        Self::new(405, 7001, format!("Method {method} not available for that URI."))
    }

    /// HTTP 500, 10001: something broke inside the local cloud itself.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        let mut problem = Self::new(500, 10001, "internal error");
        problem.cause = Some(cause.to_string());
        problem
    }

    /// The HTTP response.
    pub(crate) fn into_response(self) -> Response<Body> {
        let errors: Vec<Value> = self.faults.iter().map(fault_json).collect();
        let mut body = json!({"success": false, "errors": errors});
        if let Some(map) = body.as_object_mut().filter(|_| !self.bare) {
            map.insert("messages".to_owned(), json!([]));
            map.insert("result".to_owned(), Value::Null);
        }
        plain(self.status, "application/json", Body::from(body.to_string()))
    }
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(error)
    }
}

fn fault_json(fault: &Fault) -> Value {
    let mut out = json!({"message": fault.message});
    if let Some(map) = out.as_object_mut() {
        if let Some(code) = fault.code {
            map.insert("code".to_owned(), json!(code));
        }
        if !fault.chain.is_empty() {
            let chain: Vec<Value> =
                fault.chain.iter().map(|(c, m)| json!({"code": c, "message": m})).collect();
            map.insert("error_chain".to_owned(), Value::Array(chain));
        }
    }
    out
}

/// An HTML page instead of an API answer.
pub(crate) fn html(status: u16, title: &str) -> Response<Body> {
    let page = format!(
        "<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    );
    plain(status, HTML_TYPE, Body::from(page))
}

/// A response with a body and its type.
pub(crate) fn plain(status: u16, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
