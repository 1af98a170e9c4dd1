//! Fault injection: what goes wrong, on which call.
//!
//! Calls are counted per opened cloud, over all API requests (`/client/v4`, and `/v1/pools` of the
//! edge), from 1. A fault that names a call hits that call alone. Faults answer or close at the edge of the server, so that a
//! product never knows of them; `list_lag_ms`, `deny`, `open_uploads` and some of the flags are read by
//! the handlers. What is normal on the real API, and no failure of its own, is a mood (`moods.rs`).
//!
//! Source of the shapes: Cloudflare's documentation of rate limits, and published reports of live
//! answers (429 with a body of `null`, challenge pages with status 200).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use http::{HeaderValue, Response};

use crate::envelope::{Problem, html, plain};
use crate::memory::Memory;
use crate::throttle::{Block, Budget, LimitHeaders, retry_after, throttled};

/// When a crash comes, seen from the call's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashWhen {
    /// Nothing has happened yet.
    Before,
    /// Everything has happened but the answer.
    After,
}

/// How certain calls fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The verb, in capitals.
    pub method: String,
    /// What the path holds somewhere.
    pub part: String,
    /// The status.
    pub status: u16,
    /// The code; 0 is none.
    pub code: i64,
    /// The text.
    pub text: String,
}

impl Failure {
    fn is_of(&self, method: &str, path: &str) -> bool {
        self.method.eq_ignore_ascii_case(method) && path.contains(self.part.as_str())
    }

    fn problem(&self) -> Problem {
        let problem = Problem::new(self.status, self.code, self.text.clone());
        if self.code == 0 { problem.without_code() } else { problem }
    }
}

/// For how long what was just made is not seen by another product: until both are over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lag {
    /// Milliseconds since it was made.
    pub ms: u64,
    /// Calls that asked for it.
    pub tries: u32,
}

/// What is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// R2's "not empty" comes with its code; the live answers that are published have none.
    CodedConflict,
    /// The databases of Hyperdrive configs cannot be reached.
    UnreachableOrigin,
    /// Names of zones and DNS records come in Unicode where they have letters beyond ASCII.
    UnicodeZones,
    /// `/query` of D1 cuts a text into statements as the real one does.
    SplitSql,
    /// Failures have `success` and `errors` alone.
    BareFailures,
    /// `errors` and `messages` of lists are null.
    NullArrays,
    /// The cause of a DNS validation stands outside, without 1004 around it.
    BareValidation,
    /// Objects survive a bulk deletion that says that they are gone.
    KeptObjects,
    /// An upload of a script that comes while another one is under way fails, and so does one of a domain.
    OneUpload,
}

impl Flag {
    /// Each with its word.
    pub(crate) const ALL: [(&'static str, Self); 9] = [
        ("coded-conflict", Self::CodedConflict),
        ("unreachable-origin", Self::UnreachableOrigin),
        ("unicode-zones", Self::UnicodeZones),
        ("split-sql", Self::SplitSql),
        ("bare-failures", Self::BareFailures),
        ("null-arrays", Self::NullArrays),
        ("bare-validation", Self::BareValidation),
        ("kept-objects", Self::KeptObjects),
        ("one-upload", Self::OneUpload),
    ];
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
    /// Every such call fails so.
    pub fail_path: Option<Failure>,
    /// The first such call fails so.
    pub fail_once: Vec<Failure>,
    /// Products for which the token lacks permission.
    pub deny: Vec<String>,
    /// Calls allowed per window; `None` never refuses.
    pub rate_limit: Option<u32>,
    /// The window in milliseconds, where it is not 5 minutes.
    pub limit_window_ms: Option<u64>,
    /// What the headers say of the limit.
    pub limit_headers: LimitHeaders,
    /// All calls are refused for a while.
    pub block: Option<Block>,
    /// Seed of whatever is drawn.
    pub seed: u64,
    /// Milliseconds until a new object appears in lists.
    pub list_lag_ms: u64,
    /// What other products do not see yet, by the word of the pair.
    pub lags: BTreeMap<&'static str, Lag>,
    /// Lags last between a third of their time and all of it, drawn from `seed`.
    pub lags_vary: bool,
    /// Share of calls that are refused once with 401 or 403.
    pub passing_auth: f64,
    /// Share of D1's statements that are answered once with a text that asks to try again.
    pub d1_again: f64,
    /// The first so many uploads of each new script answer 404 without a code.
    pub upload_404: u32,
    /// Each new R2 bucket has so many open multipart uploads.
    pub open_uploads: u32,
    /// What is on.
    pub flags: BTreeSet<Flag>,
}

impl Faults {
    /// Says whether a flag is set.
    pub fn has(&self, flag: Flag) -> bool {
        self.flags.contains(&flag)
    }

    /// Says whether the n-th of something is among this share of all, drawn from the seed.
    pub(crate) fn draws(&self, share: f64, n: u64) -> bool {
        share > 0.0 && self.drawn(n) < share
    }

    /// A number below 1 for the n-th of something, from the seed.
    pub(crate) fn drawn(&self, n: u64) -> f64 {
        // The top 32 bits are exact in a float.
        let drawn = u32::try_from(mix(self.seed, n) >> 32).unwrap_or(u32::MAX);
        f64::from(drawn) / (f64::from(u32::MAX) + 1.0)
    }

    /// The window of the rate limit.
    pub(crate) fn limit_window(&self) -> Duration {
        self.limit_window_ms.map_or(WINDOW, Duration::from_millis)
    }
}

/// The window of the rate limit.
const WINDOW: Duration = Duration::from_mins(5);

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
    pub(crate) memory: Memory,
    window: Mutex<Window>,
    blocked: Mutex<Option<Instant>>,
    /// Which of `fail_once` have happened.
    spent: Vec<AtomicBool>,
    /// An upload is under way, and one of a domain.
    uploading: [AtomicBool; 2],
}

/// How a call is to others at the same time. Dropping it lets the next one come.
#[derive(Debug)]
pub(crate) enum Turn<'i> {
    /// It bears others beside it.
    Free,
    /// It is the one that may be under way.
    Taken(&'i AtomicBool),
    /// Another one is under way.
    Overlaps,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Self::Taken(uploading) = self {
            uploading.store(false, Ordering::SeqCst);
        }
    }
}

/// The current window of the rate limit.
#[derive(Debug)]
struct Window {
    since: Instant,
    used: u32,
    refused: bool,
}

impl Injector {
    /// Starts counting now.
    pub(crate) fn new(faults: Faults) -> Self {
        let window = Window { since: Instant::now(), used: 0, refused: false };
        let spent = faults.fail_once.iter().map(|_| AtomicBool::new(false)).collect();
        let (memory, blocked) = (Memory::new(), Mutex::new(None));
        let uploading = [AtomicBool::new(false), AtomicBool::new(false)];
        Self { faults, memory, window: Mutex::new(window), blocked, spent, uploading }
    }

    /// Begins a call that may not bear another one beside it.
    pub(crate) fn take_turn(&self, method: &str, path: &str) -> Turn<'_> {
        let parts: Vec<&str> = path.split('/').skip(5).collect();
        let [upload, domain] = &self.uploading;
        let uploading = match (method, parts.as_slice()) {
            _ if !self.faults.has(Flag::OneUpload) => return Turn::Free,
            ("PUT", ["workers", "scripts", _]) => upload,
            ("PUT", ["workers", "domains"]) => domain,
            _ => return Turn::Free,
        };
        if uploading.swap(true, Ordering::SeqCst) { Turn::Overlaps } else { Turn::Taken(uploading) }
    }

    /// Books one call.
    pub(crate) fn book(&self) -> Option<Budget> {
        let (limit, whole) = (self.faults.rate_limit?, self.faults.limit_window());
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.since.elapsed() >= whole {
            *window = Window { since: Instant::now(), used: 0, refused: false };
        }
        if window.used >= limit && !window.refused {
            // The breach starts a whole window of refusal.
            *window = Window { since: Instant::now(), used: limit, refused: true };
        }
        window.used = window.used.saturating_add(1);
        let reset_s = whole.saturating_sub(window.since.elapsed()).as_secs().max(1);
        let left = limit.saturating_sub(window.used);
        Some(Budget { limit, left, reset_s, window_s: whole.as_secs(), refused: window.refused })
    }

    /// The refusal of a call while all are refused.
    fn blocked(&self, call: u64) -> Option<Response<Body>> {
        let block = self.faults.block.as_ref().filter(|block| call >= block.from)?;
        let mut since = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        let elapsed = since.get_or_insert_with(Instant::now).elapsed();
        let left = Duration::from_millis(block.ms).checked_sub(elapsed)?;
        Some(block.answer(left))
    }

    /// The failure that one call of its kind has, and no other.
    fn once(&self, method: &str, path: &str) -> Option<&Failure> {
        let mut all = self.faults.fail_once.iter().zip(&self.spent);
        let (failure, _) = all.find(|(failure, spent)| {
            failure.is_of(method, path) && !spent.swap(true, Ordering::SeqCst)
        })?;
        Some(failure)
    }

    /// The end of a call that a fault ends before its effect.
    pub(crate) fn before(
        &self,
        call: u64,
        method: &str,
        path: &str,
        (budget, turn): (Option<Budget>, &Turn<'_>),
    ) -> Option<Early> {
        let faults = &self.faults;
        if faults.crash_on == Some((call, CrashWhen::Before)) {
            std::process::abort();
        }
        if faults.drop_request_on.contains(&call) {
            return Some(Early::HangUp);
        }
        let refused = budget.filter(|budget| budget.refused);
        let response = if let Some(budget) = refused {
            throttled(budget.reset_s)
        } else if let Some(blocked) = self.blocked(call) {
            blocked
        } else if matches!(turn, Turn::Overlaps) {
            Problem::new(500, 10013, "workers.api.error.unknown").into_response()
        } else if faults.throttle_on.contains(&call) {
            throttled(1)
        } else if faults.null_body_on.contains(&call) {
            retry_after(plain(429, "application/json", Body::from("null")), HeaderValue::from(1))
        } else if faults.html_on.contains(&call) {
            challenge()
        } else if faults.error_on.contains(&call) || faults.draws(faults.error_rate, call) {
            html(500, "500 Internal Server Error")
        } else {
            let whole = || faults.fail_path.as_ref().filter(|it| it.is_of(method, path));
            self.once(method, path).or_else(whole)?.problem().into_response()
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
                    seed=42,list-lag=250,coded-conflict,unreachable-origin=true,\
                    unicode-zones=true,split-sql=false";
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
            fail_path: Some(Failure {
                method: "POST".into(),
                part: "/d1/database".into(),
                status: 500,
                code: 7500,
                text: "internal error".into(),
            }),
            deny: vec!["d1".into(), "dns".into()],
            rate_limit: Some(10),
            seed: 42,
            list_lag_ms: 250,
            flags: [Flag::CodedConflict, Flag::UnreachableOrigin, Flag::UnicodeZones].into(),
            ..Faults::default()
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
        let hits = (1..=1000).filter(|n| faults.draws(faults.error_rate, *n)).count();
        assert!((200..400).contains(&hits), "{hits}");
        let again = (1..=1000).filter(|n| faults.draws(faults.error_rate, *n)).count();
        assert_eq!(hits, again);
    }

    #[test]
    fn the_rate_limit_refuses_after_its_last_call() {
        let injector = Injector::new(Faults { rate_limit: Some(2), ..Faults::default() });
        assert!(!injector.book().unwrap().refused);
        assert!(!injector.book().unwrap().refused);
        assert!(injector.book().unwrap().refused);
        assert!(injector.book().unwrap().refused);
    }
}
