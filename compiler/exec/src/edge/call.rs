//! A request to the edge Worker, and its answer.

use bytes::Bytes;
use envc_kinds::{unsafe_segment, url_segment};
use http::Method;
use serde::{Serialize, de::DeserializeOwned};

use super::error::{EdgeClass, EdgeError};

/// A request to the edge Worker.
#[derive(Clone, Debug)]
pub struct EdgeCall {
    pub(super) method: Method,
    /// From the first slash on.
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Bytes>,
    /// Why it cannot be written as it says: nothing is sent then.
    pub(super) unwritable: Option<String>,
    /// It may be sent again whatever its outcome was.
    pub(super) repeatable: bool,
}

impl EdgeCall {
    /// Reads. `segments` are the parts of the path; each is encoded as it has to be.
    pub fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, segments, true)
    }

    /// Sets the same thing however often it is sent.
    pub fn put(segments: &[&str]) -> Self {
        Self::new(Method::PUT, segments, true)
    }

    /// Deletes; deleting twice is deleting once.
    pub fn delete(segments: &[&str]) -> Self {
        Self::new(Method::DELETE, segments, true)
    }

    /// Does something new each time it is sent. Use [`Self::repeatable`] where that is not so.
    pub fn post(segments: &[&str]) -> Self {
        Self::new(Method::POST, segments, false)
    }

    fn new(method: Method, segments: &[&str], repeatable: bool) -> Self {
        let path = segments.iter().flat_map(|part| std::iter::once("/").chain(url_segment(part)));
        let path = path.collect();
        let unwritable = segments.iter().find_map(|part| unsafe_segment(part)).map(str::to_owned);
        Self { method, path, headers: Vec::new(), body: None, unwritable, repeatable }
    }

    /// A POST that is safe to repeat: the Worker recognises it by its body.
    #[must_use]
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// Adds a header; its name is in lower case.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Sends this as JSON.
    #[must_use]
    pub fn json<T: Serialize>(mut self, body: &T) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => self.bytes(body),
            Err(error) => {
                self.unwritable = Some(error.to_string());
                self
            }
        }
    }

    /// Sends these bytes of JSON.
    #[must_use]
    pub fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Method and path, for messages. Paths hold names and identifiers; the identifier of a
    /// lease or of a lock is as good as the thing itself and is left out.
    pub fn name(&self) -> String {
        let mut parts: Vec<&str> = self.path.split('/').collect();
        let secret_after = |part: &&str| matches!(*part, "leases" | "lock" | "tickets");
        if let Some(at) = parts.iter().rposition(secret_after)
            && let Some(secret) = parts.get_mut(at + 1)
        {
            *secret = "…";
        }
        format!("{} {}", self.method, parts.join("/"))
    }
}

/// A good answer of the edge Worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EdgeAnswer {
    /// Method and path that it answers, for messages.
    pub call: String,
    /// 200 to 299.
    pub status: u16,
    /// The `ETag` header, with its quotes.
    pub etag: Option<String>,
    /// The `Retry-After` header, in seconds: when to ask again.
    pub retry_after_s: Option<u64>,
    /// The body: JSON, or nothing.
    pub body: Bytes,
}

impl EdgeAnswer {
    /// The error of an answer that no edge Worker gives; `message` says what is wrong with it.
    pub fn unexpected(&self, message: impl Into<String>) -> EdgeError {
        EdgeError::new(self.call.clone(), EdgeClass::UnexpectedResponder, message)
    }

    /// Reads the body. The edge Worker answers with what was asked for: whoever does not is another
    /// server.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, EdgeError> {
        serde_json::from_slice(&self.body).map_err(|error| {
            self.unexpected(format!("the answer does not say what it should: {error}"))
        })
    }
}
