//! Messages of the Cloudflare v4 API: a call to make, and an answer read leniently.
//!
//! Unknown fields never matter, arrays may be null, codes may be missing: the API grows without
//! notice. Source of the envelope: Cloudflare's OpenAPI document and its official SDKs.

use std::fmt;

use envc_core::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use serde_json::Value as Json;

use crate::{
    form::{self, FormPart},
    skip,
};

/// Characters that do not stand in a path segment as they are: all but RFC 3986's unreserved ones.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A text as one segment of a URL's path, or as a part of its query.
pub fn url_segment(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, SEGMENT)
}

/// Why a text cannot be a segment of a path. An empty one would make another path: `DELETE /zones/Z/`
/// of `DELETE /zones/Z/ID`. So would `.` and `..`, encoded or not: readers of URLs take `%2E%2E` for `..`
/// (WHATWG URL, "double-dot URL path segment"). Neither is an identifier of anything.
pub fn unsafe_segment(text: &str) -> Option<&'static str> {
    match text {
        "" => Some("an identifier in its path is empty"),
        "." | ".." => Some("an identifier in its path is `.` or `..`"),
        _ => None,
    }
}

/// One request, relative to the base URL (`…/client/v4`).
#[derive(Clone, PartialEq)]
pub struct Call {
    /// The method.
    pub method: http::Method,
    /// Path with its leading slash; segments are percent-encoded already.
    pub path: String,
    /// Query pairs, not yet encoded.
    pub query: Vec<(String, String)>,
    /// Extra headers.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON body; it may hold secrets, so it is never printed.
    pub body: Option<Json>,
    /// The parts of a form, in place of a JSON body.
    pub form: Vec<FormPart>,
    /// Members of this name are not read of the answer.
    pub skips: Option<&'static str>,
    /// Texts of the body that no message may repeat, whatever the API answers.
    pub secrets: Vec<Secret>,
    /// Why it is never sent: its path would be another one than it says.
    pub unsendable: Option<&'static str>,
    /// What it refers to was made, changed or removed earlier in the same run: the API may not see that
    /// yet.
    pub follows: bool,
    /// It is sent while no other one of these is under way.
    pub alone: bool,
}

/// Fewest characters of a secret that is looked for in messages: shorter ones stand in any word.
const HIDDEN_CHARS_MIN: usize = 4;

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body.as_ref().map(|body| format!("{} bytes", body.to_string().len()));
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query", &self.query)
            .field("body", &body)
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

impl Call {
    /// A call without query and body. Segments are percent-encoded. One that no encoding keeps makes a
    /// call that is never sent: see [`unsafe_segment`].
    pub fn new(method: http::Method, segments: &[&str]) -> Self {
        let mut path = String::new();
        for segment in segments {
            path.push('/');
            path.extend(url_segment(segment));
        }
        Self {
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            form: Vec::new(),
            secrets: Vec::new(),
            skips: None,
            unsendable: segments.iter().find_map(|segment| unsafe_segment(segment)),
            follows: false,
            alone: false,
        }
    }

    /// `GET`
    pub fn get(segments: &[&str]) -> Self {
        Self::new(http::Method::GET, segments)
    }

    /// `POST` with a body.
    pub fn post(segments: &[&str], body: Json) -> Self {
        Self { body: Some(body), ..Self::new(http::Method::POST, segments) }
    }

    /// `PUT` with a body.
    pub fn put(segments: &[&str], body: Json) -> Self {
        Self { body: Some(body), ..Self::new(http::Method::PUT, segments) }
    }

    /// `PUT` with a form.
    pub fn put_form(segments: &[&str], form: Vec<FormPart>) -> Self {
        Self { form, ..Self::new(http::Method::PUT, segments) }
    }

    /// The content type and the bytes of the body, if there is one.
    pub fn content(&self) -> Option<(String, Vec<u8>)> {
        if !self.form.is_empty() {
            return Some(form::encode(&self.form));
        }
        let body = self.body.as_ref()?;
        Some(("application/json".to_owned(), body.to_string().into_bytes()))
    }

    /// `PATCH` with a body.
    pub fn patch(segments: &[&str], body: Json) -> Self {
        Self { body: Some(body), ..Self::new(http::Method::PATCH, segments) }
    }

    /// `DELETE`
    pub fn delete(segments: &[&str]) -> Self {
        Self::new(http::Method::DELETE, segments)
    }

    /// Adds a query pair.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The call with texts that no message about it may repeat.
    #[must_use]
    pub fn hiding<'s>(mut self, secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        self.secrets.extend(secrets.into_iter().cloned());
        self
    }

    /// The call of a step that follows another one of the same run, or does not.
    #[must_use]
    pub fn following(self, follows: bool) -> Self {
        Self { follows, ..self }
    }

    /// The call, sent while no other one of these is under way: the API fails where several come at once.
    #[must_use]
    pub fn one_at_a_time(self) -> Self {
        Self { alone: true, ..self }
    }

    /// A message about the call, without what is hidden.
    pub fn hide(&self, message: String) -> String {
        let mut secrets: Vec<&str> = self.secrets.iter().map(Secret::expose).collect();
        secrets.retain(|secret| secret.chars().count() >= HIDDEN_CHARS_MIN);
        // A longer one may hold a shorter one.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets.into_iter().fold(message, |message, secret| {
            let escaped = url_segment(secret).to_string();
            message.replace(secret, "(hidden)").replace(&escaped, "(hidden)")
        })
    }

    /// True when the call may change something.
    pub fn mutates(&self) -> bool {
        self.method != http::Method::GET
    }

    /// Path with its query, encoded.
    pub fn target(&self) -> String {
        let mut target = self.path.clone();
        for (index, (name, value)) in self.query.iter().enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            target.extend(url_segment(name));
            target.push('=');
            target.extend(url_segment(value));
        }
        target
    }
}

/// A successful answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// `result`
    pub result: Json,
    /// `result_info`
    pub page: PageInfo,
    /// Bytes of the body.
    pub bytes: usize,
}

/// Where in a list an answer stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageInfo {
    /// All items of the list, when the API says so.
    pub total_count: Option<u64>,
    /// Items per page, as the API understood it.
    pub per_page: Option<u64>,
    /// The next page, for lists by cursor.
    pub cursor: Option<String>,
}

/// One entry of `errors`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiMessage {
    /// The product's code; 0 when it is missing. Codes collide between products.
    pub code: i64,
    /// The text.
    pub message: String,
}

/// How long the API asks to wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryAfter {
    /// In the words of `Retry-After`: seconds, or a date. Else the seconds of the body's `retry_after`.
    pub text: String,
    /// What time it is for the server, in the words of `Date`.
    pub date: Option<String>,
}

/// An answer that is not a success.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.summary())]
pub struct ApiFailure {
    /// HTTP status.
    pub status: u16,
    /// `errors` with their chains, flattened: outer first.
    pub errors: Vec<ApiMessage>,
    /// The `cf-ray` header, for Cloudflare's support.
    pub ray: Option<String>,
    /// How long to wait, where the answer says so.
    pub retry_after: Option<Box<RetryAfter>>,
    /// The beginning of a body that is not an API answer.
    pub garbled: Option<String>,
}

impl ApiFailure {
    /// One line: the API's words, or what was wrong with the answer.
    pub fn summary(&self) -> String {
        if let Some(start) = &self.garbled {
            return format!(
                "the API answered HTTP {} with something that is not an API answer: {start}",
                self.status
            );
        }
        let mut words: Vec<String> = self
            .errors
            .iter()
            .map(|error| match error.code {
                0 => error.message.clone(),
                code => format!("{} (code {code})", error.message),
            })
            .collect();
        if words.is_empty() {
            words.push("no reason given".into());
        }
        format!("the API answered HTTP {}: {}", self.status, words.join("; "))
    }

    /// True when any error has one of these codes.
    pub fn has(&self, codes: &[i64]) -> bool {
        self.errors.iter().any(|error| codes.contains(&error.code))
    }

    /// True when no error has a code.
    pub fn is_bare(&self) -> bool {
        self.garbled.is_none() && self.errors.iter().all(|error| error.code == 0)
    }

    /// True when any error's text holds this.
    pub fn says(&self, text: &str) -> bool {
        self.errors.iter().any(|error| error.message.contains(text))
    }
}

/// Reads an answer's envelope.
///
/// `null`, HTML, an empty body of a 2xx other than 204/205 and JSON without `success` are not API
/// answers: they come back as a failure with `garbled` set, never as an empty success.
pub fn read_answer(
    call: &Call,
    status: u16,
    headers: &http::HeaderMap,
    body: &[u8],
) -> Result<Answer, ApiFailure> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let mut failure =
        ApiFailure { status, ray: header("cf-ray").map(str::to_owned), ..ApiFailure::default() };
    if matches!(status, 204 | 205) && body.is_empty() {
        return Ok(Answer::default());
    }
    let json = match call.skips {
        Some(name) => skip::read_without(name, body),
        None => serde_json::from_slice(body),
    };
    let mut json = json.unwrap_or(Json::Null);
    let ok = (200..300).contains(&status);
    let told = || json.get("retry_after").and_then(Json::as_u64).map(|seconds| seconds.to_string());
    failure.retry_after = header("retry-after").map(str::to_owned).or_else(told).map(|text| {
        let date = header("date").map(str::to_owned);
        Box::new(RetryAfter { text, date })
    });
    match json.get("success").and_then(Json::as_bool) {
        Some(true) if ok => Ok(Answer {
            page: page_info(json.get("result_info")),
            bytes: body.len(),
            result: json.get_mut("result").map(Json::take).unwrap_or_default(),
        }),
        Some(_) => {
            failure.errors = messages(json.get("errors"));
            Err(failure)
        }
        None => {
            failure.errors = messages(json.get("errors"));
            if failure.errors.is_empty() {
                failure.garbled = Some(beginning(body));
            }
            Err(failure)
        }
    }
}

fn page_info(info: Option<&Json>) -> PageInfo {
    let Some(info) = info else { return PageInfo::default() };
    PageInfo {
        total_count: info.get("total_count").and_then(Json::as_u64),
        per_page: info.get("per_page").and_then(Json::as_u64),
        cursor: info
            .get("cursor")
            .and_then(Json::as_str)
            .filter(|cursor| !cursor.is_empty())
            .map(str::to_owned),
    }
}

fn messages(errors: Option<&Json>) -> Vec<ApiMessage> {
    let mut found = Vec::new();
    for error in errors.and_then(Json::as_array).into_iter().flatten() {
        found.push(ApiMessage {
            code: error.get("code").and_then(Json::as_i64).unwrap_or(0),
            message: text(error, "message").unwrap_or_else(|| error.to_string()),
        });
        found.extend(messages(error.get("error_chain")));
    }
    found
}

/// The first words of a body, made safe to print.
fn beginning(body: &[u8]) -> String {
    if body.is_empty() {
        return "an empty body".into();
    }
    let start = String::from_utf8_lossy(body.get(..120.min(body.len())).unwrap_or(body));
    let clean: String =
        start.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    format!("`{}`", clean.trim())
}

/// A text field of an object; empty text counts as missing.
pub(crate) fn text(item: &Json, field: &str) -> Option<String> {
    item.get(field).and_then(Json::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Sets a field of an object that is being built.
pub(crate) fn set(body: &mut Json, field: &str, value: Json) {
    if let Some(fields) = body.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

/// A secret field of an object.
pub(crate) fn secret(item: &Json, field: &str) -> Option<Secret> {
    text(item, field).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Result<Answer, ApiFailure> {
        let call = Call::get(&["x"]);
        read_answer(&call, status, &http::HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn what_is_no_api_answer_is_never_an_empty_success() {
        for body in ["null", "", "<html>challenge</html>", "[]", "{}", "\"x\"", "{\"success\":1}"] {
            let failure = read(200, body).unwrap_err();
            assert!(failure.garbled.is_some(), "{body}");
        }
        assert_eq!(read(204, ""), Ok(Answer::default()));
    }

    #[test]
    fn error_chains_are_kept_and_nulls_are_empty() {
        let failure = read(
            400,
            r#"{"success":false,"errors":[{"code":1004,"message":"DNS Validation Error",
            "error_chain":[{"code":9005,"message":"bad"}]}],"messages":null,"result":null}"#,
        )
        .unwrap_err();
        assert!(failure.has(&[9005]));
        assert_eq!(
            failure.to_string(),
            "the API answered HTTP 400: DNS Validation Error (code 1004); bad (code 9005)"
        );
        let none = read(409, r#"{"success":false,"errors":null}"#).unwrap_err();
        assert!(none.errors.is_empty());
    }

    #[test]
    fn a_call_prints_no_body_and_its_messages_repeat_no_secret() {
        let secrets = ["wombat", "wom", "wombat/7", "ab"].map(Secret::new);
        let body = serde_json::json!({ "password": "wombat/7" });
        let call = Call::post(&["accounts", "a"], body).hiding(&secrets);
        assert!(!format!("{call:?}").contains("wom"));
        let message = "no way to wombat/7, wombat%2F7 or wombat as ab".to_owned();
        assert_eq!(call.hide(message), "no way to (hidden), (hidden) or (hidden) as ab");
    }

    #[test]
    fn paths_and_queries_are_encoded_whole() {
        let call = Call::get(&["accounts", "a/b", "x y", "50%", "?#", "..."]);
        let call = call.query("name.exact", "a&b=c");
        assert_eq!(call.target(), "/accounts/a%2Fb/x%20y/50%25/%3F%23/...?name.exact=a%26b%3Dc");
        assert_eq!(call.unsendable, None);
        let odd = Call::get(&["%2e%2e", "\\..\\", "..;", "é\n"]);
        assert_eq!(odd.target(), "/%252e%252e/%5C..%5C/..%3B/%C3%A9%0A");
        assert_eq!(odd.unsendable, None);
    }

    #[test]
    fn what_would_make_another_path_is_never_sent() {
        for id in ["", ".", ".."] {
            for call in [
                Call::delete(&["zones", "z", "dns_records", id]),
                Call::get(&["accounts", id, "d1", "database"]),
                Call::put(&[id, "x"], Json::Null),
                Call::patch(&["x", id], Json::Null).query("a", "b"),
            ] {
                assert!(call.unsendable.is_some(), "{id:?}");
            }
        }
    }
}
