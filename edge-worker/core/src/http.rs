//! The little of HTTP that the core needs, as plain data.

use envc_edge_api::{Problem, ProblemType, Scope};
use serde::Serialize;

/// What the core sees of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// The path as it stands in the URL: still percent-encoded, without query and fragment.
    pub path: &'a str,
}

/// A request method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
    /// Any other; no resource accepts it.
    Other,
}

impl Method {
    /// Reads a method's name. Names are case-sensitive (RFC 9110, section 9.1).
    pub fn from_name(name: &str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            _ => Self::Other,
        }
    }

    /// The method's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Other => "OTHER",
        }
    }
}

/// A whole response.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a response that is not sent leaves the caller waiting"]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The `Content-Type` header; none when it is empty.
    pub content_type: &'static str,
    /// Every other header, with lower-case names.
    pub headers: Vec<(&'static str, String)>,
    /// The body; empty in the answer to `HEAD`.
    pub body: Vec<u8>,
}

impl Response {
    /// Answers `200` with a JSON document that no cache keeps.
    pub fn json<T: Serialize>(document: &T) -> Self {
        Self::document(200, "application/json", document)
    }

    /// Answers `201` with a JSON document.
    pub(crate) fn created<T: Serialize>(document: &T) -> Self {
        Self::document(201, "application/json", document)
    }

    /// Answers `202` with a JSON document.
    pub(crate) fn accepted<T: Serialize>(document: &T) -> Self {
        Self::document(202, "application/json", document)
    }

    /// Answers `204`.
    pub(crate) fn no_content() -> Self {
        let headers = vec![("cache-control", "no-store".to_owned())];
        Self { status: 204, content_type: "", headers, body: Vec::new() }
    }

    /// Answers with a problem document and the status it states.
    pub fn problem(problem: &Problem) -> Self {
        Self::problem_with(problem.status, problem)
    }

    /// Answers with a problem document that has members of its own.
    pub(crate) fn problem_with<T: Serialize>(status: u16, document: &T) -> Self {
        Self::document(status, Problem::CONTENT_TYPE, document)
    }

    /// Tells when to ask again.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.headers.push(("retry-after", seconds.to_string()));
        self
    }

    /// Refuses a request that has no valid token.
    pub fn unauthenticated() -> Self {
        let mut response = Self::problem(&Problem::new(
            ProblemType::Unauthenticated,
            "send `Authorization: Bearer TOKEN` with a token that an admin made and nobody revoked",
        ));
        response.headers.push(("www-authenticate", "Bearer".to_owned()));
        response
    }

    /// Refuses a browser that shows no valid token: it then asks for a password, which is one.
    pub fn page_unauthenticated() -> Self {
        let mut response = Self::unauthenticated();
        response.headers.retain(|(name, _)| *name != "www-authenticate");
        let ask = "Basic realm=\"envc: a token as password\", charset=\"UTF-8\"";
        response.headers.push(("www-authenticate", ask.to_owned()));
        response
    }

    /// Refuses a token that lacks the scope.
    pub fn forbidden(any_of: &[Scope]) -> Self {
        let names: Vec<&str> = any_of.iter().map(|scope| scope.name()).collect();
        let needed = names.join(" or ");
        Self::problem(&Problem::new(
            ProblemType::Forbidden,
            format!("this needs a token with the scope {needed}"),
        ))
    }

    /// Refuses a body that is longer than `max` bytes.
    pub fn body_too_large(max: usize) -> Self {
        let detail = format!("this resource reads at most {max} bytes");
        Self::problem(&Problem::new(ProblemType::BodyTooLarge, detail))
    }

    /// Refuses a token that has used up its requests; `wait_ms` says when it has one again.
    pub fn rate_limited(wait_ms: u64) -> Self {
        let problem =
            Problem::new(ProblemType::RateLimited, "this token has used up its requests for now");
        let seconds = u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
        Self::problem(&problem).retry_after(seconds)
    }

    /// Tells that the object which decides did not answer.
    pub fn unavailable(detail: &str) -> Self {
        Self::problem(&Problem::new(ProblemType::Unavailable, detail)).retry_after(1)
    }

    /// Answers `200` with JSON that is written already.
    pub(crate) fn json_text(body: Vec<u8>) -> Self {
        let headers = vec![("cache-control", "no-store".to_owned())];
        Self { status: 200, content_type: "application/json", headers, body }
    }

    /// Answers `200` with a text.
    pub(crate) fn text(content_type: &'static str, text: String) -> Self {
        let headers = vec![("cache-control", "no-store".to_owned())];
        Self { status: 200, content_type, headers, body: text.into_bytes() }
    }

    /// Answers `304`.
    pub(crate) fn not_modified() -> Self {
        Self { status: 304, ..Self::no_content() }
    }

    /// Tells the entity tag, quotes included.
    pub(crate) fn etag(mut self, etag: String) -> Self {
        self.headers.push(("etag", etag));
        self
    }

    /// Takes the body away, as `HEAD` wants it; status and headers stay those of `GET`.
    pub fn without_body(mut self) -> Self {
        self.body.clear();
        self
    }

    fn document<T: Serialize>(status: u16, content_type: &'static str, document: &T) -> Self {
        let headers = vec![("cache-control", "no-store".to_owned())];
        match serde_json::to_vec(document) {
            Ok(body) => Self { status, content_type, headers, body },
            Err(_) => Self {
                status: ProblemType::Internal.status(),
                content_type: Problem::CONTENT_TYPE,
                headers,
                body: UNWRITABLE.to_vec(),
            },
        }
    }
}

/// Sent when a document cannot be written as JSON; a constant, because this must not fail too.
const UNWRITABLE: &[u8] = br#"{"type":"urn:envc:problem:internal","title":"The Worker failed","status":500,"detail":"the answer could not be written as JSON"}"#;

#[cfg(test)]
mod tests {
    use serde::Serializer;

    use super::*;

    /// A document whose writing fails.
    struct Unwritable;

    impl Serialize for Unwritable {
        fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }

    #[test]
    fn an_unwritable_document_becomes_a_problem() {
        let response = Response::json(&Unwritable);
        assert_eq!((response.status, response.content_type), (500, Problem::CONTENT_TYPE));
        let problem: Problem = serde_json::from_slice(&response.body).unwrap();
        let detail = problem.detail.clone().unwrap();
        assert_eq!(problem, Problem::new(ProblemType::Internal, detail));
    }

    #[test]
    fn method_names_are_case_sensitive() {
        for (name, method) in [
            ("GET", Method::Get),
            ("HEAD", Method::Head),
            ("POST", Method::Post),
            ("PUT", Method::Put),
            ("DELETE", Method::Delete),
            ("get", Method::Other),
            ("PROPFIND", Method::Other),
        ] {
            assert_eq!(Method::from_name(name), method, "{name}");
        }
    }
}
