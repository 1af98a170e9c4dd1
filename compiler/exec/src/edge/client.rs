//! Sends calls to the edge Worker: token, time-outs, retries by error class.
//!
//! A call is tried again when it certainly had no effect, or when it may be repeated. Answers of another
//! server, such as a login page, are told apart from the Worker's own.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use envc_core::{Secret, host_of, limits};
use envc_edge_api::{Problem, ProblemType};
use futures::future::{Either, select};
use serde_json::Value as Json;

use super::{
    call::{EdgeAnswer, EdgeCall},
    error::{EdgeClass, EdgeError, EdgeProblem},
};
use crate::{
    ports::{Clock, Entropy, Transport, World},
    progress::{Event, Progress},
    rate::Limiter,
    retry::{self, BACKOFF_MS_MAX, RETRY_AFTER_MS_MAX, UNREACHABLE_ATTEMPTS_MAX},
};

/// Where and as whom the edge Worker is called.
#[derive(Clone, Debug)]
pub struct EdgeEndpoint {
    /// Without a slash at the end: paths begin with `/v1`.
    pub base_url: String,
    /// Sent as `Authorization: Bearer`; on the local cloud nobody asks for one.
    pub token: Option<Secret>,
}

/// How long a call is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Tries, the first included.
    pub attempts_max: u32,
    /// Until the whole answer of one try must be there, in milliseconds.
    pub answer_ms_max: u64,
}

impl Patience {
    /// For calls that a command needs.
    pub const NEEDED: Self = Self { attempts_max: limits::ATTEMPTS_MAX, answer_ms_max: 20_000 };
    /// For calls that a command can do without: one try.
    pub const ONCE: Self = Self { attempts_max: 1, answer_ms_max: 5_000 };
}

/// A client of the edge Worker.
pub struct EdgeClient<'a> {
    endpoint: EdgeEndpoint,
    transport: &'a dyn Transport,
    clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
    progress: &'a dyn Progress,
    stop: &'a AtomicBool,
    limiter: Limiter,
    patience: Patience,
}

impl fmt::Debug for EdgeClient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeClient").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl<'a> EdgeClient<'a> {
    /// A client that tries as long as a command can wait.
    pub fn new(endpoint: EdgeEndpoint, world: World<'a>) -> Self {
        Self {
            endpoint,
            transport: world.transport,
            clock: world.clock,
            entropy: world.entropy,
            progress: world.progress,
            stop: world.stop,
            limiter: Limiter::default(),
            patience: Patience::NEEDED,
        }
    }

    /// The same client with another patience.
    #[must_use]
    pub fn patient(mut self, patience: Patience) -> Self {
        self.patience = patience;
        self
    }

    /// Where the Worker is, for people.
    pub fn base_url(&self) -> &str {
        &self.endpoint.base_url
    }

    /// The requests that were sent.
    pub fn sent(&self) -> u64 {
        self.limiter.sent()
    }

    /// True once the user asked to stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The clock, for ages and expiries.
    pub fn clock(&self) -> &'a dyn Clock {
        self.clock
    }

    /// Randomness, for the names of requests.
    pub fn entropy(&self) -> &'a dyn Entropy {
        self.entropy
    }

    /// Waits, but not past the user's Ctrl-C.
    pub async fn pause(&self, ms: u64) {
        retry::pause(self.clock, self.stop, ms).await;
    }

    /// Sends a call, and again while that is safe and may help.
    pub async fn call(&self, call: &EdgeCall) -> Result<EdgeAnswer, EdgeError> {
        if let Some(reason) = &call.unwritable {
            let message = format!("BUG: the request cannot be written as JSON: {reason}");
            return Err(EdgeError::new(call.name(), EdgeClass::Unreachable, message));
        }
        let mut attempt = 1;
        loop {
            let progress = self.progress;
            if !retry::wait_for_turn(&self.limiter, None, self.clock, progress, self.stop).await {
                let message = "interrupted before it was sent";
                return Err(EdgeError::new(call.name(), EdgeClass::Interrupted, message));
            }
            let error = match self.attempt(call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let Some(attempts_max) = attempts_max(&error, call.repeatable) else {
                return Err(error);
            };
            if attempt >= attempts_max.min(self.patience.attempts_max) {
                return Err(error);
            }
            let wait_ms = self.wait_ms(&error, attempt);
            progress.event(Event::Retry {
                call: &error.call,
                reason: &error.message,
                wait_ms,
                attempt,
            });
            self.pause(wait_ms).await;
            // Stopped while it waits: the outcome of the last try is still not known.
            if self.stopped() && error.is_unknown() {
                return Err(error);
            }
            attempt += 1;
        }
    }

    /// The wait that the Worker asked for, and a random bit more, so that clients that were refused
    /// together do not come back together.
    fn wait_ms(&self, error: &EdgeError, attempt: u32) -> u64 {
        let Some(seconds) = error.retry_after_s else {
            return retry::backoff_ms(self.entropy, attempt);
        };
        let asked = seconds.saturating_mul(1_000).min(RETRY_AFTER_MS_MAX);
        asked + retry::part_ms(self.entropy, (asked / 4).clamp(100, 2_000))
    }

    async fn attempt(&self, call: &EdgeCall) -> Result<EdgeAnswer, EdgeError> {
        let failed = |class, message| EdgeError::new(call.name(), class, message);
        let request =
            self.request(call).map_err(|message| failed(EdgeClass::Unreachable, message))?;
        let answer = self.transport.send(request);
        let limit = self.clock.sleep(self.patience.answer_ms_max);
        let response = match select(answer, limit).await {
            Either::Left((Ok(response), _)) => response,
            Either::Left((Err(error), _)) => {
                let class =
                    if error.never_sent { EdgeClass::Unreachable } else { EdgeClass::Unknown };
                return Err(failed(class, error.message));
            }
            Either::Right(((), _)) => {
                return Err(failed(EdgeClass::Unknown, "no answer in time".into()));
            }
        };
        let answer = read(call, &response);
        if let Err(error) = &answer
            && error.is(ProblemType::RateLimited)
        {
            let ms = error.retry_after_s.map_or(BACKOFF_MS_MAX, |s| s.saturating_mul(1_000));
            self.limiter.close_for(self.clock.monotonic_ms(), ms.min(RETRY_AFTER_MS_MAX));
        }
        answer
    }

    fn request(&self, call: &EdgeCall) -> Result<http::Request<Bytes>, String> {
        let uri = format!("{}{}", self.endpoint.base_url.trim_end_matches('/'), call.path);
        let mut builder = http::Request::builder()
            .method(call.method.clone())
            .uri(&uri)
            .header("accept", "application/json, application/problem+json");
        if let Some(token) = &self.endpoint.token {
            // The token's place: the Authorization header, and nowhere else.
            builder = builder.header("authorization", format!("Bearer {}", token.expose()));
        }
        for (name, value) in &call.headers {
            builder = builder.header(*name, value);
        }
        if call.body.is_some() {
            builder = builder.header("content-type", "application/json");
        }
        // The error of a bad token must not print it, so it is not passed on.
        builder.body(call.body.clone().unwrap_or_default()).map_err(|_| {
            format!(
                "the request to {} cannot be built: is the token free of spaces and line ends?",
                host_of(&self.endpoint.base_url)
            )
        })
    }
}

/// How often a call is worth trying after this; none: not again.
fn attempts_max(error: &EdgeError, repeatable: bool) -> Option<u32> {
    match &error.class {
        EdgeClass::Unreachable => Some(UNREACHABLE_ATTEMPTS_MAX),
        EdgeClass::Unknown => repeatable.then_some(limits::ATTEMPTS_MAX),
        EdgeClass::Problem(problem) => match problem.problem.problem_type {
            // Refused before anything was done.
            ProblemType::RateLimited => Some(limits::ATTEMPTS_MAX),
            ProblemType::Internal | ProblemType::Unavailable => {
                repeatable.then_some(limits::ATTEMPTS_MAX)
            }
            _ => None,
        },
        EdgeClass::UnexpectedResponder | EdgeClass::Interrupted => None,
    }
}

fn read(call: &EdgeCall, response: &http::Response<Bytes>) -> Result<EdgeAnswer, EdgeError> {
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let status = response.status().as_u16();
    let etag = header("etag").map(str::to_owned);
    let retry_after_s = header("retry-after").and_then(|text| text.trim().parse().ok());
    let content_type = header("content-type").unwrap_or_default();
    let body = response.body();
    let failed = |class, message| EdgeError { call: call.name(), class, message, retry_after_s };
    let is_json = is_type(content_type, "application/json") || body.is_empty();
    if (200..300).contains(&status) && is_json {
        let body = body.clone();
        return Ok(EdgeAnswer { call: call.name(), status, etag, retry_after_s, body });
    }
    if is_type(content_type, Problem::CONTENT_TYPE)
        && let Ok(document) = serde_json::from_slice::<Json>(body)
        && let Ok(problem) = serde_json::from_value::<Problem>(document.clone())
    {
        let message = match &problem.detail {
            Some(detail) => format!("{} ({status}): {detail}", problem.title),
            None => format!("{} ({status})", problem.title),
        };
        let problem = Box::new(EdgeProblem { problem, document, etag });
        return Err(failed(EdgeClass::Problem(problem), message));
    }
    // A proxy in front of the Worker answers so while the Worker is down.
    if status >= 500 {
        return Err(failed(EdgeClass::Unknown, format!("status {status} without a reason")));
    }
    // The body is not shown: the other server may send the request back, with the token.
    let what = match (header("location"), content_type) {
        (Some(to), _) => format!("status {status}, which leads to {}", server_of(to)),
        (None, "") => format!("status {status} without a content type"),
        (None, kind) => format!("status {status} with {}", before_parameters(kind)),
    };
    Err(failed(EdgeClass::UnexpectedResponder, what))
}

fn is_type(content_type: &str, wanted: &str) -> bool {
    before_parameters(content_type).eq_ignore_ascii_case(wanted)
}

fn before_parameters(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

/// The server that a `Location` leads to; the rest of it may repeat what was sent.
fn server_of(location: &str) -> &str {
    let head = location.split(['/', '?', '#']).next().unwrap_or_default();
    match location.strip_prefix("//") {
        Some(rest) => host_of(rest),
        None if head.ends_with(':') => host_of(location),
        None => "another page of the same server",
    }
}
