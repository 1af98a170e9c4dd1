//! The API's rate limit as it shows: the headers of every answer, and the forms of a 429.
//!
//! Facts: the headers do not count. Of 131 recorded answers 130 said the same remainder, whatever had
//! been asked before; KV, D1 and the verification of a token send none, and lists of zones, uploads
//! and workers.dev have policies of their own. `Retry-After` is not always set; HTTP allows a date in it.
//! The body is the envelope with 971 or another code, `null`, or what the network in front of the API
//! sends, as text or as a page.
//!
//! Source: Cloudflare's documentation of rate limits, and published live answers (September 2026).

use std::time::Duration;

use axum::body::Body;
use http::{HeaderValue, Response, header};

use crate::clock;
use crate::envelope::{Problem, html, plain};

/// What the rate limit says of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) limit: u32,
    pub(crate) left: u32,
    pub(crate) reset_s: u64,
    pub(crate) window_s: u64,
    pub(crate) refused: bool,
}

/// What the headers say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitHeaders {
    /// What was recorded: a remainder that does not move, and none of some products.
    #[default]
    Recorded,
    /// What is left of `rate-limit`.
    Counted,
    /// No answer has them.
    Absent,
}

/// What a refusal says of when to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryAfter {
    /// Nothing.
    Absent,
    /// Seconds.
    Seconds,
    /// A date.
    Date,
}

/// The body of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalBody {
    /// An envelope with this code.
    Code(i64),
    /// `null`.
    Null,
    /// A line of text, from the network in front of the API.
    Text,
    /// A page, from there.
    Page,
}

/// A time in which every call is refused with 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The call that it begins with.
    pub from: u64,
    /// Milliseconds.
    pub ms: u64,
    /// Its header.
    pub header: RetryAfter,
    /// Its body.
    pub body: RefusalBody,
}

impl Block {
    /// The answer to a call, when so much of the time is left.
    pub(crate) fn answer(&self, left: Duration) -> Response<Body> {
        let text = "Please wait and consider throttling your request speed";
        let response = match self.body {
            RefusalBody::Code(code) => Problem::new(429, code, text).into_response(),
            RefusalBody::Null => plain(429, "application/json", Body::from("null")),
            RefusalBody::Text => plain(429, "text/plain; charset=UTF-8", "error code: 1015".into()),
            RefusalBody::Page => html(429, "Error 1015: You are being rate limited"),
        };
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        match self.header {
            RetryAfter::Absent => response,
            RetryAfter::Seconds => retry_after(response, HeaderValue::from(seconds)),
            RetryAfter::Date => {
                let us = i64::try_from(seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
                let date = clock::http_date(clock::now_us().saturating_add(us));
                match HeaderValue::from_str(&date) {
                    Ok(date) => retry_after(response, date),
                    Err(_) => response,
                }
            }
        }
    }
}

/// The refusal of the whole token: an envelope, and seconds.
pub(crate) fn throttled(seconds: u64) -> Response<Body> {
    let text = "Please wait and consider throttling your request speed";
    retry_after(Problem::new(429, 971, text).into_response(), HeaderValue::from(seconds))
}

/// The same response with a time in its header.
pub(crate) fn retry_after(mut response: Response<Body>, value: HeaderValue) -> Response<Body> {
    response.headers_mut().insert(header::RETRY_AFTER, value);
    response
}

/// The two headers of an answer, where it has them.
pub(crate) fn headers(
    said: LimitHeaders,
    budget: Option<Budget>,
    method: &str,
    path: &str,
) -> Option<[(&'static str, String); 2]> {
    let both = |remaining: String, policy: String| {
        Some([("ratelimit", remaining), ("ratelimit-policy", policy)])
    };
    match (said, budget) {
        (LimitHeaders::Absent, _) => None,
        (LimitHeaders::Counted, Some(budget)) => {
            let Budget { limit, left, reset_s, window_s, .. } = budget;
            both(
                format!("\"default\";r={left};t={reset_s}"),
                format!("\"default\";q={limit};w={window_s}"),
            )
        }
        (LimitHeaders::Recorded | LimitHeaders::Counted, _) => {
            let (policy, quota) = policy(method, path)?;
            let left = quota - 1;
            both(format!("\"{policy}\";r={left};t=1"), format!("\"{policy}\";q={quota};w=300"))
        }
    }
}

/// The policy of a call and its quota; none where the product tells none.
fn policy(method: &str, path: &str) -> Option<(&'static str, u32)> {
    let path: Vec<&str> = path.trim_start_matches("/client/v4/").split('/').collect();
    match (method, path.as_slice()) {
        (
            _,
            ["accounts", _, "d1", ..]
            | ["accounts", _, "storage", "kv", ..]
            | ["user", "tokens", "verify"],
        ) => None,
        ("GET", ["zones"]) => Some(("list_zones", 1201)),
        ("PUT", ["accounts", _, "workers", "scripts", _]) => {
            Some(("workers_script_upload", 180_000))
        }
        ("POST", ["accounts", _, "workers", "scripts", _, "subdomain"]) => {
            Some(("workers_route_update", 180_000))
        }
        _ => Some(("default", 1200)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_shows_what_was_recorded_of_it() {
        let shown = |method, path| {
            headers(LimitHeaders::Recorded, None, method, path)
                .map(|[(_, left), (_, policy)]| format!("{left} {policy}"))
        };
        for (method, path, expected) in [
            (
                "GET",
                "/client/v4/accounts/a/queues",
                "\"default\";r=1199;t=1 \"default\";q=1200;w=300",
            ),
            ("GET", "/client/v4/zones", "\"list_zones\";r=1200;t=1 \"list_zones\";q=1201;w=300"),
            (
                "PUT",
                "/client/v4/accounts/a/workers/scripts/x",
                "\"workers_script_upload\";r=179999;t=1 \"workers_script_upload\";q=180000;w=300",
            ),
        ] {
            assert_eq!(shown(method, path).as_deref(), Some(expected), "{path}");
        }
        for path in ["/client/v4/accounts/a/d1/database", "/client/v4/accounts/a/storage/kv/x"] {
            assert_eq!(shown("GET", path), None, "{path}");
        }
    }

    #[test]
    fn a_block_says_when_it_ends_or_does_not() {
        let block = |header, body| Block { from: 1, ms: 1, header, body };
        let left = Duration::from_millis(1_200);
        let retry = |header| {
            let answer = block(header, RefusalBody::Code(10_429)).answer(left);
            answer.headers().get(header::RETRY_AFTER).map(|it| it.to_str().unwrap().to_owned())
        };
        assert_eq!(retry(RetryAfter::Absent), None);
        assert_eq!(retry(RetryAfter::Seconds).as_deref(), Some("2"));
        assert!(retry(RetryAfter::Date).unwrap().ends_with(" GMT"));
        for body in [RefusalBody::Null, RefusalBody::Text, RefusalBody::Page] {
            assert_eq!(block(RetryAfter::Absent, body).answer(left).status(), 429);
        }
    }
}
