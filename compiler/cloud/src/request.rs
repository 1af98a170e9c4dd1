//! One request as the products see it: decoded path, query, headers, body, multipart parts.
//!
//! Facts: ids and names inside a path are percent-encoded; dotted query keys are flat; JSON is
//! parsed whatever the content type says, because wrangler often leaves the type out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Request, header};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::envelope::Problem;

/// Bytes that the body of a call may have, where its product says nothing else
/// (`products/product.rs`): a hundred records of a zone, a thousand names of objects.
pub(crate) const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The query string, decoded, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `application/x-www-form-urlencoded` text.
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (form_decode(key), form_decode(value))
        });
        Self(pairs.collect())
    }

    /// The first value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// All values of a key.
    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// All pairs.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

fn form_decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// One part of a multipart body.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) filename: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) bytes: Bytes,
}

/// A request.
#[derive(Debug)]
pub(crate) struct Req {
    pub(crate) method: Method,
    /// The path as it was sent.
    pub(crate) path: String,
    /// The decoded segments after `/client/v4/`, empty ones kept; `None` outside of it.
    pub(crate) segments: Option<Vec<String>>,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The parts, when the body is `multipart/form-data`.
    pub(crate) parts: Option<Vec<Part>>,
    /// Whether anybody still waits for the answer.
    pub(crate) gone: Gone,
}

/// Says whether the client gave a request up: it closed the connection before its answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gone(Arc<AtomicBool>);

impl Gone {
    /// True once nobody waits any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// What says so when it is dropped, as all is that waits for an answer when its connection
    /// closes.
    pub(crate) fn when_dropped(&self) -> Waiting {
        Waiting(self.clone())
    }
}

/// Somebody waits for an answer.
#[derive(Debug)]
pub(crate) struct Waiting(Gone);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

impl Req {
    /// Decodes the head. Nothing of the body is read: see [`Self::read_body`].
    pub(crate) fn of_head(head: Parts) -> Result<Self, Problem> {
        let path = head.uri.path().to_owned();
        let segments = segments(&path)?;
        let query = Query::parse(head.uri.query().unwrap_or(""));
        let (method, headers, body) = (head.method, head.headers, Bytes::new());
        let gone = Gone::default();
        Ok(Self { method, path, segments, query, headers, body, parts: None, gone })
    }

    /// Reads the body. One that is said to have more than this many bytes is not read at all, and one
    /// that has them no further.
    pub(crate) async fn read_body(&mut self, body: Body, bytes_max: usize) -> Result<(), Problem> {
        let too_large = || Problem::new(413, 6007, "Request body is too large or incomplete");
        let said = self.header(header::CONTENT_LENGTH.as_str());
        let fits = |said: &str| said.parse::<usize>().is_ok_and(|said| said <= bytes_max);
        if !said.is_none_or(fits) {
            return Err(too_large());
        }
        self.body = axum::body::to_bytes(body, bytes_max).await.map_err(|_| too_large())?;
        let is_form = self
            .header(header::CONTENT_TYPE.as_str())
            .is_some_and(|kind| kind.starts_with("multipart/form-data"));
        if is_form {
            self.parts = Some(read_parts(&self.headers, self.body.clone()).await?);
        }
        Ok(())
    }

    /// The decoded segments after `/client/v4/`.
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.segments.iter().flatten().map(String::as_str).collect()
    }

    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header_str(&self.headers, name)
    }

    /// The JSON body; an unreadable one is the product's own failure.
    pub(crate) fn json(&self, malformed: impl FnOnce(String) -> Problem) -> Result<Value, Problem> {
        serde_json::from_slice(&self.body).map_err(|error| malformed(error.to_string()))
    }

    /// The JSON body, or an empty object when there is none.
    pub(crate) fn json_or_empty(
        &self,
        malformed: impl FnOnce(String) -> Problem,
    ) -> Result<Value, Problem> {
        if self.body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        self.json(malformed)
    }

    /// The failure for a path that nothing serves.
    pub(crate) fn no_route(&self) -> Problem {
        Problem::no_route(&self.path)
    }

    /// The failure for a verb that the path does not have.
    pub(crate) fn bad_method(&self) -> Problem {
        Problem::method(&self.method)
    }
}

fn header_str<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn segments(path: &str) -> Result<Option<Vec<String>>, Problem> {
    let Some(rest) = path.strip_prefix("/client/v4/") else {
        return Ok(None);
    };
    let decode = |segment: &str| {
        percent_decode_str(segment)
            .decode_utf8()
            .map(std::borrow::Cow::into_owned)
            .map_err(|_| Problem::no_route(path))
    };
    rest.split('/').map(decode).collect::<Result<Vec<_>, _>>().map(Some)
}

async fn read_parts(headers: &HeaderMap, body: Bytes) -> Result<Vec<Part>, Problem> {
    let bad = |error: &dyn std::fmt::Display| Problem::new(400, 6007, error.to_string());
    let body = with_crlf(headers, &body).unwrap_or(body);
    let mut request = Request::new(Body::from(body));
    *request.headers_mut() = headers.clone();
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, &()).await.map_err(|e| bad(&e))?;
    let mut parts = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|e| bad(&e))? {
        let name = field.name().unwrap_or("").to_owned();
        let filename = field.file_name().map(str::to_owned);
        let content_type = field.content_type().map(str::to_owned);
        let bytes = field.bytes().await.map_err(|e| bad(&e))?;
        parts.push(Part { name, filename, content_type, bytes });
    }
    Ok(parts)
}

/// A form whose own lines end in LF alone, with CRLF in their place; the contents stay as they are.
fn with_crlf(headers: &HeaderMap, body: &[u8]) -> Option<Bytes> {
    let kind = header_str(headers, header::CONTENT_TYPE.as_str())?;
    let boundary = kind.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    let first = format!("--{}\n", boundary.trim_matches('"'));
    let delimiter = format!("\n--{}", boundary.trim_matches('"'));
    if !body.starts_with(first.as_bytes()) {
        return None;
    }
    let mut out = Vec::with_capacity(body.len() + 256);
    // What stands before the first delimiter is nothing.
    let mut rest = body.get(first.len() - 1..)?;
    out.extend_from_slice(first.trim_end().as_bytes());
    while let Some(part) = rest.strip_prefix(b"\n") {
        let end = find(part, delimiter.as_bytes())?;
        let (part, after) = part.split_at_checked(end)?;
        let blank = find(part, b"\n\n")?;
        let (head, content) = part.split_at_checked(blank)?;
        for line in head.split(|byte| *byte == b'\n') {
            out.extend_from_slice(b"\r\n");
            out.extend_from_slice(line);
        }
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(content.get(2..)?);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(delimiter.trim_start().as_bytes());
        rest = after.get(delimiter.len()..)?;
    }
    out.extend_from_slice(rest);
    Some(out.into())
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, wanted)
}

/// A text field of a JSON object.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_keys_are_flat_and_decoded() {
        let query = Query::parse("account.id=a&name=x%2Fy+z&name=2&flag");
        assert_eq!(query.get("account.id"), Some("a"));
        assert_eq!(query.all("name").collect::<Vec<_>>(), ["x/y z", "2"]);
        assert_eq!(query.get("flag"), Some(""));
        assert_eq!(query.get("account"), None);
    }

    #[test]
    fn segments_are_decoded_once_and_empty_ones_are_kept() {
        let found = segments("/client/v4/a/b%2Fc//d%2541/").unwrap().unwrap();
        assert_eq!(found, ["a", "b/c", "", "d%41", ""]);
        assert!(segments("/other").unwrap().is_none());
    }
}
