//! One client for every call: base URL, token, limiter, retries by error class.
//!
//! Reads are tried again whatever went wrong on the way. A mutating call is tried again only when
//! it certainly had no effect (never sent, or refused); otherwise its outcome is unknown, and the caller
//! looks before it tries again. Which refusals are tried again, and how long, is decided in `retry`.

use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::Bytes;
use envc_core::{Secret, ServerUrl, host_of, limits};
use envc_kinds::{
    Answer, ApiFailure, Call, Kind, Meaning, classify, cure, general, is_no_path, may_pass,
    read_answer,
};
use futures::lock::Mutex;

use crate::{
    ports::{Clock, Entropy, Tally, Transport, World},
    progress::{Event, Progress},
    rate::{Alone, Budget, Limiter},
    retry::{self, Next, Reason, Tries},
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
    tally: Box<dyn Tally + 'a>,
    waited_ms: AtomicU64,
    /// Held by the one call under way of those that go one at a time.
    alone: Mutex<()>,
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
    /// What the API asks for, where it says more than its class: a clause that "then run the command
    /// again" can follow.
    pub cure: Option<String>,
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
    /// An error that asks for nothing of its own.
    pub(crate) fn new(call: &Call, class: CallClass, message: impl Into<String>) -> Self {
        Self { call: name_of(call), class, message: message.into(), cure: None }
    }

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
    /// A client for one endpoint, which counts its calls alone.
    pub fn new(endpoint: Endpoint, world: World<'a>) -> Self {
        Self {
            endpoint,
            transport: world.transport,
            clock: world.clock,
            entropy: world.entropy,
            progress: world.progress,
            stop: world.stop,
            limiter: Limiter::default(),
            tally: Box::new(Alone::default()),
            waited_ms: AtomicU64::new(0),
            alone: Mutex::default(),
        }
    }

    /// The same client, whose calls count together with those of others.
    #[must_use]
    pub fn counted_by(mut self, tally: Box<dyn Tally + 'a>) -> Self {
        self.tally = tally;
        self
    }

    /// The requests that were sent, and those that there is still room for.
    pub fn budget(&self) -> Budget {
        Budget { sent: self.limiter.sent(), left: self.tally.left(self.clock.unix_ms()) }
    }

    /// How long calls waited between two tries, added up: some wait side by side.
    pub fn waited_ms(&self) -> u64 {
        self.waited_ms.load(Ordering::Relaxed)
    }

    /// True once the user asked to stop.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The clock, for ages and durations.
    pub fn clock(&self) -> &'a dyn Clock {
        self.clock
    }

    /// A word of chance, by which something is known again.
    pub(crate) fn chance(&self) -> String {
        self.entropy.hex(8)
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
        let mut tries = Tries::default();
        loop {
            self.wait_for_turn(call).await?;
            let failed = match self.attempt(call, kind).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let Some(reason) = failed.reason(call, once) else {
                return Err(failed.into_error(call, once));
            };
            let now_ms = self.clock.monotonic_ms();
            let next = tries.next(reason, failed.retry_after_ms, now_ms, self.entropy);
            let (call_name, reason) = (&name_of(call), &failed.message);
            match next {
                Next::Believe => return Err(failed.into_error(call, once)),
                Next::Again(wait_ms) => {
                    let attempt = tries.count;
                    let event = Event::Retry { call: call_name, reason, wait_ms, attempt };
                    self.progress.event(event);
                    self.pause(wait_ms).await;
                }
                Next::Look(wait_ms) => {
                    if tries.is_first_look() {
                        let wait_ms = limits::VISIBLE_MS_MAX;
                        self.progress.event(Event::Unseen { call: call_name, reason, wait_ms });
                    }
                    self.pause(wait_ms).await;
                }
            }
        }
    }

    async fn attempt(&self, call: &Call, kind: Option<&dyn Kind>) -> Result<Answer, Failed> {
        let refused = |message| Failed::new(CallClass::Api(Meaning::Refused), message);
        if let Some(why) = call.unsendable {
            return Err(refused(format!("it was not sent: {why}")));
        }
        let request = self.request(call).map_err(refused)?;
        let turn = if call.alone { Some(self.alone.lock().await) } else { None };
        let sent = self.transport.send(request).await;
        drop(turn);
        let response = sent.map_err(|error| {
            let reached =
                if error.never_sent { CallClass::Unreachable } else { CallClass::Unknown };
            Failed::new(reached, error.message)
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
        let mut message = failure.summary();
        if let (Some(ray), true) = (&failure.ray, status >= 500) {
            message = format!("{message} (cf-ray {ray})");
        }
        Err(Failed {
            class: CallClass::Api(meaning),
            message: call.hide(message),
            retry_after_ms: self.retry_after_ms(&failure, meaning, now_ms),
            may_pass: may_pass(&failure),
            may_appear: !is_no_path(&failure),
            cure: cure(kind, &failure),
        })
    }

    /// The wait that the API asks for. One for the rate of calls holds for all calls of the token.
    fn retry_after_ms(&self, failure: &ApiFailure, meaning: Meaning, now_ms: u64) -> Option<u64> {
        let unix_ms = self.clock.unix_ms();
        let asked = failure
            .retry_after
            .as_deref()
            .and_then(|asked| retry::retry_after_ms(&asked.text, asked.date.as_deref(), unix_ms));
        match meaning {
            Meaning::RateLimited => {
                let wait_ms = retry::rate_limited_ms(asked, self.entropy);
                self.limiter.close_for(now_ms, wait_ms);
                self.tally.close_until(unix_ms, unix_ms.saturating_add(wait_ms));
                Some(wait_ms)
            }
            Meaning::Transient => asked,
            Meaning::NotFound
            | Meaning::Exists
            | Meaning::NotEmpty
            | Meaning::InUse
            | Meaning::NotYet
            | Meaning::Moved
            | Meaning::Auth
            | Meaning::Refused => None,
        }
    }

    /// Puts a file where an answer of `call` says. The address may lead anywhere: it is encrypted or this
    /// machine's own, gets no token, and no message repeats it, since it is a key to what is there.
    pub(crate) async fn put_file(
        &self,
        url: &str,
        bytes: Bytes,
        etag: &str,
        call: &Call,
    ) -> Result<(), CallError> {
        // Nothing ran, whatever becomes of it.
        let failed = |message: &str| CallError::new(call, CallClass::Unreachable, message);
        let (address, rest) = url.split_at(url.find(['?', '#']).unwrap_or(url.len()));
        let is_plain = rest.chars().all(|c| c.is_ascii_graphic());
        if ServerUrl::parse(address).is_err() || !is_plain {
            return Err(failed("the answer names no address to which a file could go encrypted"));
        }
        let mut tries = Tries::default();
        loop {
            if self.stopped() {
                return Err(interrupted(call));
            }
            let request = http::Request::put(url).body(bytes.clone());
            let request = request.map_err(|_| failed("the answer names no address"))?;
            let (reason, message) = match self.transport.send(request).await {
                Ok(answer) if answer.status() == 200 && has_etag(answer.headers(), etag) => {
                    return Ok(());
                }
                Ok(answer) if answer.status() == 200 => {
                    (Reason::Transient, "another file arrived than was sent".to_owned())
                }
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    let message = format!("the file was refused with HTTP {status}");
                    if status < 500 && status != 429 {
                        return Err(failed(&message));
                    }
                    (Reason::Transient, message)
                }
                Err(error) if error.never_sent => (Reason::Unreachable, error.message),
                Err(error) => (Reason::Transient, error.message),
            };
            let message = format!("{}: {message}", host_of(url));
            match tries.next(reason, None, self.clock.monotonic_ms(), self.entropy) {
                Next::Again(wait_ms) | Next::Look(wait_ms) => {
                    let (call, reason) = (&name_of(call), &message);
                    let attempt = tries.count;
                    self.progress.event(Event::Retry { call, reason, wait_ms, attempt });
                    self.pause(wait_ms).await;
                }
                Next::Believe => return Err(failed(&message)),
            }
        }
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
        let is_ours = retry::wait_for_turn(
            &self.limiter,
            Some(&*self.tally),
            self.clock,
            self.progress,
            self.stop,
        )
        .await;
        if is_ours { Ok(()) } else { Err(interrupted(call)) }
    }

    /// Waits, but not past the user's Ctrl-C.
    pub async fn pause(&self, ms: u64) {
        self.waited_ms.fetch_add(ms, Ordering::Relaxed);
        retry::pause(self.clock, self.stop, ms).await;
    }

    /// The wait after this many tries: doubles, and half of it is random.
    pub fn backoff_ms(&self, attempt: u32) -> u64 {
        retry::backoff_ms(self.entropy, attempt)
    }
}

/// True where the server says that it has what was sent.
fn has_etag(headers: &http::HeaderMap, etag: &str) -> bool {
    let told = headers.get("etag").and_then(|value| value.to_str().ok()).unwrap_or_default();
    told.trim_start_matches("W/").trim_matches('"').eq_ignore_ascii_case(etag)
}

fn interrupted(call: &Call) -> CallError {
    CallError::new(call, CallClass::Interrupted, "interrupted before it was sent")
}

/// One failed try.
struct Failed {
    class: CallClass,
    message: String,
    retry_after_ms: Option<u64>,
    may_pass: bool,
    may_appear: bool,
    cure: Option<String>,
}

impl Failed {
    /// A try that the API said nothing of.
    fn new(class: CallClass, message: String) -> Self {
        Self {
            class,
            message,
            retry_after_ms: None,
            may_pass: false,
            may_appear: false,
            cure: None,
        }
    }

    /// Why another try may be made; none where that would be wrong or useless. Refusals made nothing.
    fn reason(&self, call: &Call, once: bool) -> Option<Reason> {
        match self.class {
            CallClass::Unreachable => Some(Reason::Unreachable),
            CallClass::Unknown | CallClass::Api(Meaning::Transient) => {
                (!once).then_some(Reason::Transient)
            }
            CallClass::Api(Meaning::RateLimited) => Some(Reason::RateLimited),
            CallClass::Api(Meaning::Auth) => self.may_pass.then_some(Reason::Refused),
            CallClass::Api(Meaning::NotYet | Meaning::NotFound) => {
                (call.follows && self.may_appear).then_some(Reason::Unseen)
            }
            CallClass::Api(
                Meaning::Exists
                | Meaning::NotEmpty
                | Meaning::InUse
                | Meaning::Moved
                | Meaning::Refused,
            )
            | CallClass::Interrupted
            | CallClass::Endless => None,
        }
    }

    /// A 5xx or nonsense in answer to a mutating call says nothing of its effect.
    fn into_error(self, call: &Call, once: bool) -> CallError {
        let class = match self.class {
            CallClass::Api(Meaning::Transient) if once => CallClass::Unknown,
            class => class,
        };
        CallError { call: name_of(call), class, message: self.message, cure: self.cure }
    }
}

/// Method and path of a call, for messages. Paths hold identifiers and names, never secrets.
pub(crate) fn name_of(call: &Call) -> String {
    format!("{} {}", call.method, call.path)
}
