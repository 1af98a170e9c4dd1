//! Fault injection: what goes wrong, on which call.
//!
//! Calls are counted per opened cloud, over all API requests (`/client/v4`, and `/v1/pools` of the
//! edge), from 1. A fault that names a call hits that call alone. Faults answer or close at the edge of the server, so that a
//! product never knows of them; `list_lag_ms`, `deny` and `bare_conflict` are read by the
//! handlers.
//!
//! Source of the shapes: Cloudflare's documentation of rate limits, and published reports of live
//! answers (429 with a body of `null`, challenge pages with status 200).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use http::{HeaderValue, Response};

use crate::envelope::{Problem, html, plain};

/// The account's limit, which the headers show.
const RATE_LIMIT_DEFAULT: u32 = 1200;
/// The window of the rate limit.
const WINDOW: Duration = Duration::from_mins(5);

/// When a crash comes, seen from the call's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashWhen {
    /// Nothing has happened yet.
    Before,
    /// Everything has happened but the answer.
    After,
}

/// What goes wrong. The default is: nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Faults {
    /// Milliseconds added to every answer.
    pub latency_ms: u64,
    /// Share of calls that answer 500, drawn from `seed`.
    pub error_rate: f64,
    /// These calls answer 500 with HTML, without effect.
    pub error_on: Vec<u64>,
    /// These calls have their effect, then the connection closes without an answer.
    pub lose_response_on: Vec<u64>,
    /// On these calls the connection closes before any effect.
    pub drop_request_on: Vec<u64>,
    /// These calls answer 429 with `Retry-After` and code 971.
    pub throttle_on: Vec<u64>,
    /// These calls answer 429 with `Retry-After` and the body `null`.
    pub null_body_on: Vec<u64>,
    /// These calls answer 200 with an HTML challenge page.
    pub html_on: Vec<u64>,
    /// On this call the process aborts.
    pub crash_on: Option<(u64, CrashWhen)>,
    /// Calls with this verb and this part of the path fail with this status, code and text.
    pub fail_path: Option<(String, String, u16, i64, String)>,
    /// Products for which the token lacks permission.
    pub deny: Vec<String>,
    /// Calls allowed per 5 minutes; `None` shows 1200 in the headers and never refuses.
    pub rate_limit: Option<u32>,
    /// Seed of `error_rate`.
    pub seed: u64,
    /// Milliseconds until a new object appears in lists.
    pub list_lag_ms: u64,
    /// R2's "not empty" comes without its code, as some live answers have it.
    pub bare_conflict: bool,
    /// The databases of Hyperdrive configs cannot be reached.
    pub unreachable_origin: bool,
    /// Names of zones and DNS records come in Unicode where they have letters beyond ASCII.
    pub unicode_zones: bool,
}

impl Faults {
    fn draws_error(&self, call: u64) -> bool {
        if self.error_rate <= 0.0 {
            return false;
        }
        // The top 32 bits are exact in a float.
        let drawn = u32::try_from(mix(self.seed, call) >> 32).unwrap_or(u32::MAX);
        f64::from(drawn) / f64::from(u32::MAX) < self.error_rate
    }
}

/// One step of splitmix64 over both numbers.
fn mix(seed: u64, call: u64) -> u64 {
    let mut z = seed.wrapping_add(call.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// How a call ends before any product sees it.
#[derive(Debug)]
pub(crate) enum Early {
    /// The connection closes.
    HangUp,
    /// This is the answer.
    Answer(Box<Response<Body>>),
}

/// The faults of one opened cloud, with the state of its rate limit.
#[derive(Debug)]
pub(crate) struct Injector {
    pub(crate) faults: Faults,
    window: Mutex<Window>,
}

/// The current window of the rate limit.
#[derive(Debug)]
struct Window {
    since: Instant,
    used: u32,
    refused: bool,
}

/// What the rate limit says of one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    limit: u32,
    left: u32,
    reset_s: u64,
    refused: bool,
}

impl Injector {
    /// Starts counting now.
    pub(crate) fn new(faults: Faults) -> Self {
        let window = Window { since: Instant::now(), used: 0, refused: false };
        Self { faults, window: Mutex::new(window) }
    }

    /// Books one call.
    pub(crate) fn book(&self) -> Budget {
        let Some(limit) = self.faults.rate_limit else {
            // Never enforced: a client that shapes itself to the headers must not slow down.
            return Budget::full();
        };
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.since.elapsed() >= WINDOW {
            *window = Window { since: Instant::now(), used: 0, refused: false };
        }
        if window.used >= limit && !window.refused {
            // The breach starts five minutes of refusal.
            *window = Window { since: Instant::now(), used: limit, refused: true };
        }
        window.used = window.used.saturating_add(1);
        let reset_s = WINDOW.saturating_sub(window.since.elapsed()).as_secs().max(1);
        let left = limit.saturating_sub(window.used);
        Budget { limit, left, reset_s, refused: window.refused }
    }

    /// The end of a call that a fault ends before its effect.
    pub(crate) fn before(
        &self,
        call: u64,
        method: &str,
        path: &str,
        budget: Budget,
    ) -> Option<Early> {
        let faults = &self.faults;
        if faults.crash_on == Some((call, CrashWhen::Before)) {
            std::process::abort();
        }
        if faults.drop_request_on.contains(&call) {
            return Some(Early::HangUp);
        }
        let response = if budget.refused {
            throttled(budget.reset_s)
        } else if faults.throttle_on.contains(&call) {
            throttled(1)
        } else if faults.null_body_on.contains(&call) {
            retry_after(plain(429, "application/json", Body::from("null")), 1)
        } else if faults.html_on.contains(&call) {
            challenge()
        } else if faults.error_on.contains(&call) || faults.draws_error(call) {
            html(500, "500 Internal Server Error")
        } else {
            let (verb, part, status, code, text) = faults.fail_path.as_ref()?;
            if !(verb.eq_ignore_ascii_case(method) && path.contains(part.as_str())) {
                return None;
            }
            Problem::new(*status, *code, text.clone()).into_response()
        };
        Some(Early::Answer(Box::new(response)))
    }

    /// Says whether the answer of a call that had its effect is lost.
    pub(crate) fn loses_answer(&self, call: u64) -> bool {
        if self.faults.crash_on == Some((call, CrashWhen::After)) {
            std::process::abort();
        }
        self.faults.lose_response_on.contains(&call)
    }

    /// Says whether the token lacks the permission for a product.
    pub(crate) fn denies(&self, product: &str) -> bool {
        self.faults.deny.iter().any(|name| name == product)
    }
}

impl Budget {
    /// What there is before any call, and for calls that the limit does not count.
    pub(crate) fn full() -> Self {
        let limit = RATE_LIMIT_DEFAULT;
        Self { limit, left: limit, reset_s: WINDOW.as_secs(), refused: false }
    }

    /// The two headers of every answer.
    pub(crate) fn headers(self) -> [(&'static str, String); 2] {
        let Self { limit, left, reset_s, refused: _ } = self;
        [
            ("ratelimit", format!("\"default\";r={left};t={reset_s}")),
            ("ratelimit-policy", format!("\"default\";q={limit};w={}", WINDOW.as_secs())),
        ]
    }
}

fn throttled(seconds: u64) -> Response<Body> {
    let text = "Please wait and consider throttling your request speed";
    retry_after(Problem::new(429, 971, text).into_response(), seconds)
}

fn retry_after(mut response: Response<Body>, seconds: u64) -> Response<Body> {
    response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

fn challenge() -> Response<Body> {
    let mut response = html(200, "Just a moment...");
    response.headers_mut().insert("cf-mitigated", HeaderValue::from_static("challenge"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read() {
        let spec = "latency=100, error-rate=0.5,error-on=3,lose-response-on=5+9,drop-request-on=1,\
                    throttle-on=2,null-body-on=4,html-on=6,crash-on=7:after,\
                    fail=post:/d1/database:500:7500:internal error,deny=d1+dns,rate-limit=10,\
                    seed=42,list-lag=250,bare-conflict=true,unreachable-origin=true,\
                    unicode-zones=true";
        let expected = Faults {
            latency_ms: 100,
            error_rate: 0.5,
            error_on: vec![3],
            lose_response_on: vec![5, 9],
            drop_request_on: vec![1],
            throttle_on: vec![2],
            null_body_on: vec![4],
            html_on: vec![6],
            crash_on: Some((7, CrashWhen::After)),
            fail_path: Some((
                "POST".into(),
                "/d1/database".into(),
                500,
                7500,
                "internal error".into(),
            )),
            deny: vec!["d1".into(), "dns".into()],
            rate_limit: Some(10),
            seed: 42,
            list_lag_ms: 250,
            bare_conflict: true,
            unreachable_origin: true,
            unicode_zones: true,
        };
        assert_eq!(Faults::parse(spec), Ok(expected));
        assert_eq!(Faults::parse(" "), Ok(Faults::default()));
    }

    #[test]
    fn mistakes_are_named() {
        for (spec, part) in [
            ("latency", "key=value"),
            ("latency=x", "latency=x"),
            ("speed=1", "unknown fault `speed`"),
            ("error-on=0", "count from 1"),
            ("crash-on=1:later", "`before` or `after`"),
            ("deny=dx", "no product `dx`"),
            ("error-rate=2", "between 0 and 1"),
            ("fail=POST:/x", "wants METHOD"),
        ] {
            let error = Faults::parse(spec).unwrap_err();
            assert!(error.contains(part), "{spec}: {error}");
        }
    }

    #[test]
    fn the_error_rate_is_drawn_from_the_seed() {
        let faults = Faults { error_rate: 0.3, seed: 7, ..Faults::default() };
        let hits = (1..=1000).filter(|n| faults.draws_error(*n)).count();
        assert!((200..400).contains(&hits), "{hits}");
        let again = (1..=1000).filter(|n| faults.draws_error(*n)).count();
        assert_eq!(hits, again);
    }

    #[test]
    fn the_rate_limit_refuses_after_its_last_call() {
        let injector = Injector::new(Faults { rate_limit: Some(2), ..Faults::default() });
        assert!(!injector.book().refused);
        assert!(!injector.book().refused);
        assert!(injector.book().refused);
        assert!(injector.book().refused);
    }
}
