//! One client for every call: base URL, token, limiter, retries by error class.
//!
//! Reads are tried again whatever went wrong on the way. A mutating call is tried again only when
//! it certainly had no effect (never sent, or refused by the rate limit); otherwise its outcome is
//! unknown, and the caller looks before it tries again.

use std::{
    fmt,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use envc_core::{Secret, host_of, limits};
use envc_kinds::{Answer, ApiFailure, Call, Kind, Meaning, classify, general, read_answer};

use crate::{
    ports::{Clock, Entropy, Transport, World},
    progress::{Event, Progress},
    rate::Limiter,
    retry::{self, BACKOFF_MS_MAX, RETRY_AFTER_MS_MAX, UNREACHABLE_ATTEMPTS_MAX},
};

/// Where and as whom calls are made.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// With `/client/v4`, without a slash at the end.
    pub base_url: String,
    /// Sent as `Authorization: Bearer`.
    pub token: Secret,
}

/// The client.
pub struct Client<'a> {
    endpoint: Endpoint,
    transport: &'a dyn Transport,
    clock: &'a dyn Clock,
    entropy: &'a dyn Entropy,
    progress: &'a dyn Progress,
    stop: &'a AtomicBool,
    limiter: Limiter,
}

impl fmt::Debug for Client<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// A call that gave no answer to work with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// `POST /accounts/…/d1/database`
    pub call: String,
    /// What it means for the caller.
    pub class: CallClass,
    /// What happened.
    pub message: String,
}

/// What a failed call means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallClass {
    /// The API answered, and this is what it means.
    Api(Meaning),
    /// The call may have had its effect.
    Unknown,
    /// The API could not be reached, and the call had no effect.
    Unreachable,
    /// Stopped by the user before it was sent.
    Interrupted,
    /// The API repeats a page of a list, or gives more of it than the limits allow.
    Endless,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.call, self.message)
    }
}

impl std::error::Error for CallError {}

impl CallError {
    /// True when the API's answer had this meaning.
    pub fn means(&self, meaning: Meaning) -> bool {
        self.class == CallClass::Api(meaning)
    }

    /// True when the call may have had its effect.
    pub fn is_unknown(&self) -> bool {
        self.class == CallClass::Unknown
    }
}

impl<'a> Client<'a> {
    /// A client for one endpoint.
    pub fn new(endpoint: Endpoint, world: World<'a>) -> Self {
        Self {
            endpoint,
            transport: world.transport,
            clock: world.clock,
            entropy: world.entropy,
            progress: world.progress,
            stop: world.stop,
            limiter: Limiter::default(),
        }
    }

    /// The requests that were sent, and those that are left.
    pub fn budget(&self) -> crate::rate::Budget {
        self.limiter.budget()
    }

    /// True once the user asked to stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The clock, for ages and durations.
    pub fn clock(&self) -> &'a dyn Clock {
        self.clock
    }

    /// Where events go.
    pub fn progress(&self) -> &'a dyn Progress {
        self.progress
    }

    /// Sends a call. `kind` reads the product's codes; calls of no product go without.
    pub async fn call(&self, call: &Call, kind: Option<&dyn Kind>) -> Result<Answer, CallError> {
        self.send(call, kind, call.mutates()).await
    }

    /// Sends a call that may be repeated whatever happened to it: reads, and writes that set the
    /// same thing again.
    pub async fn call_repeatable(
        &self,
        call: &Call,
        kind: Option<&dyn Kind>,
    ) -> Result<Answer, CallError> {
        self.send(call, kind, false).await
    }

    async fn send(
        &self,
        call: &Call,
        kind: Option<&dyn Kind>,
        once: bool,
    ) -> Result<Answer, CallError> {
        let mut attempt = 1;
        loop {
            self.wait_for_turn(call).await?;
            let error = match self.attempt(call, kind).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let harmless =
                matches!(error.class, CallClass::Unreachable) || error.means(Meaning::RateLimited);
            let transient = error.is_unknown() || error.means(Meaning::Transient);
            let again = harmless || (transient && !once);
            let attempts_max = match error.class {
                CallClass::Unreachable => UNREACHABLE_ATTEMPTS_MAX,
                CallClass::Api(_)
                | CallClass::Unknown
                | CallClass::Interrupted
                | CallClass::Endless => limits::ATTEMPTS_MAX,
            };
            if !again || attempt >= attempts_max {
                return Err(error.into_error(call, once));
            }
            let wait_ms = error.retry_after_ms.unwrap_or_else(|| self.backoff_ms(attempt));
            self.progress.event(Event::Retry {
                call: &name_of(call),
                reason: &error.message,
                wait_ms,
                attempt,
            });
            self.pause(wait_ms).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, call: &Call, kind: Option<&dyn Kind>) -> Result<Answer, Failed> {
        if let Some(why) = call.unsendable {
            return Err(Failed {
                class: CallClass::Api(Meaning::Refused),
                message: format!("it was not sent: {why}"),
                retry_after_ms: None,
            });
        }
        let request = self.request(call).map_err(|message| Failed {
            class: CallClass::Api(Meaning::Refused),
            message,
            retry_after_ms: None,
        })?;
        let response = self.transport.send(request).await.map_err(|error| Failed {
            class: if error.never_sent { CallClass::Unreachable } else { CallClass::Unknown },
            message: error.message,
            retry_after_ms: None,
        })?;
        let now_ms = self.clock.monotonic_ms();
        self.limiter.learn(now_ms, response.headers());
        let status = response.status().as_u16();
        let failure = match read_answer(call, status, response.headers(), response.body()) {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        let meaning = match kind {
            Some(kind) => classify(kind, call, &failure),
            None => general(call, &failure).unwrap_or(match failure.status {
                404 => Meaning::NotFound,
                _ => Meaning::Refused,
            }),
        };
        let retry_after_ms = retry_after_ms(&failure, meaning);
        if let (Meaning::RateLimited, Some(ms)) = (meaning, retry_after_ms) {
            self.limiter.close_for(now_ms, ms);
        }
        let mut message = failure.summary();
        if let (Some(ray), true) = (&failure.ray, status >= 500) {
            message = format!("{message} (cf-ray {ray})");
        }
        Err(Failed { class: CallClass::Api(meaning), message: call.hide(message), retry_after_ms })
    }

    fn request(&self, call: &Call) -> Result<http::Request<Bytes>, String> {
        let uri = format!("{}{}", self.endpoint.base_url, call.target());
        let mut builder = http::Request::builder()
            .method(call.method.clone())
            .uri(&uri)
            // The token's place: the Authorization header, and nowhere else.
            .header("authorization", format!("Bearer {}", self.endpoint.token.expose()));
        for (name, value) in &call.headers {
            builder = builder.header(*name, value);
        }
        let body = match call.content() {
            Some((content_type, body)) => {
                builder = builder.header("content-type", content_type);
                Bytes::from(body)
            }
            None => Bytes::new(),
        };
        // The error of a bad token must not print it, so it is not passed on.
        builder.body(body).map_err(|_| {
            format!(
                "the request to {} cannot be built: is the API token free of spaces and line ends?",
                host_of(&self.endpoint.base_url)
            )
        })
    }

    async fn wait_for_turn(&self, call: &Call) -> Result<(), CallError> {
        let is_ours =
            retry::wait_for_turn(&self.limiter, self.clock, self.progress, self.stop).await;
        if is_ours { Ok(()) } else { Err(interrupted(call)) }
    }

    /// Waits, but not past the user's Ctrl-C.
    pub async fn pause(&self, ms: u64) {
        retry::pause(self.clock, self.stop, ms).await;
    }

    /// The wait after this many tries: doubles, and half of it is random.
    pub fn backoff_ms(&self, attempt: u32) -> u64 {
        retry::backoff_ms(self.entropy, attempt)
    }
}

fn interrupted(call: &Call) -> CallError {
    CallError {
        call: name_of(call),
        class: CallClass::Interrupted,
        message: "interrupted before it was sent".into(),
    }
}

/// One failed try.
struct Failed {
    class: CallClass,
    message: String,
    retry_after_ms: Option<u64>,
}

impl Failed {
    fn means(&self, meaning: Meaning) -> bool {
        self.class == CallClass::Api(meaning)
    }

    fn is_unknown(&self) -> bool {
        self.class == CallClass::Unknown
    }

    /// A 5xx or nonsense in answer to a mutating call says nothing of its effect.
    fn into_error(self, call: &Call, once: bool) -> CallError {
        let class = match self.class {
            CallClass::Api(Meaning::Transient) if once => CallClass::Unknown,
            class => class,
        };
        CallError { call: name_of(call), class, message: self.message }
    }
}

fn retry_after_ms(failure: &ApiFailure, meaning: Meaning) -> Option<u64> {
    let asked = failure.retry_after_s.map(|s| s.saturating_mul(1_000).min(RETRY_AFTER_MS_MAX));
    match meaning {
        Meaning::RateLimited => Some(asked.unwrap_or(BACKOFF_MS_MAX)),
        Meaning::Transient => asked,
        Meaning::NotFound
        | Meaning::Exists
        | Meaning::NotEmpty
        | Meaning::InUse
        | Meaning::Moved
        | Meaning::Auth
        | Meaning::Refused => None,
    }
}

/// Method and path of a call, for messages. Paths hold identifiers and names, never secrets.
pub(crate) fn name_of(call: &Call) -> String {
    format!("{} {}", call.method, call.path)
}
