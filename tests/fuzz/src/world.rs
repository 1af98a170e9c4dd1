//! A network, a clock and a user in memory: what is answered stands in the text that is tried.
//!
//! An answer begins with a line `=== PATH STATUS HEADER:VALUE…`, and its body goes to the next such line. A
//! request gets the first answer to a path that stands in its own and was not given yet, else the last of
//! them, else what answers where nobody does. Whoever asks without end is caught at [`SENDS_MAX`], and who
//! waits without end at [`PATIENCE_MS`], at which the user stops.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use envc_exec::{
    Silent, World as Effects,
    ports::{Clock, Entropy, Transport, TransportError},
};
use futures::future::{BoxFuture, ready};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};

/// Requests after which somebody asks without end.
const SENDS_MAX: usize = 20_000;
/// Milliseconds after which the user has waited long enough.
const PATIENCE_MS: u64 = 600_000;

/// What answers.
pub(crate) struct World<'t> {
    pub(crate) answers: Vec<Answer<'t>>,
    /// Answers where the text has none to a path.
    otherwise: fn(&str) -> Answer<'static>,
    given: Mutex<BTreeSet<usize>>,
    sent: AtomicUsize,
    now_ms: AtomicU64,
    stop: AtomicBool,
}

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer<'t> {
    pub(crate) path: &'t str,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl<'t> World<'t> {
    /// Reads the answers of a text.
    pub(crate) fn of(text: &'t str, otherwise: fn(&str) -> Answer<'static>) -> Self {
        let parts = text.strip_prefix("=== ").into_iter().flat_map(|text| text.split("\n=== "));
        Self {
            answers: parts.map(Answer::read).collect(),
            otherwise,
            given: Mutex::default(),
            sent: AtomicUsize::new(0),
            now_ms: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        }
    }

    pub(crate) fn effects(&self) -> Effects<'_> {
        Effects { transport: self, clock: self, entropy: self, progress: &Silent, stop: &self.stop }
    }

    fn answer(&self, path: &str) -> Answer<'_> {
        let mut given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = || {
            let all = self.answers.iter().enumerate();
            all.filter(|(_, answer)| path.contains(answer.path))
        };
        let new = fitting().find(|(at, _)| !given.contains(at));
        match new.or_else(|| fitting().last()) {
            Some((at, answer)) => {
                given.insert(at);
                answer.clone()
            }
            None => (self.otherwise)(path),
        }
    }
}

impl<'t> Answer<'t> {
    fn read(part: &'t str) -> Self {
        let (head, body) = part.split_once('\n').unwrap_or((part, ""));
        let mut words = head.split(' ');
        let path = words.next().unwrap_or_default();
        let mut answer = Self::json(path, 200, body);
        for word in words {
            if let Some((name, value)) = word.split_once(':') {
                let (name, value) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>());
                if let (Ok(name), Ok(value)) = (name, value) {
                    answer.headers.insert(name, value);
                }
            } else if let Ok(status) = word.parse() {
                answer.status = status;
            }
        }
        answer
    }

    pub(crate) fn json(path: &'t str, status: u16, body: &str) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        Self { path, status, headers, body: Bytes::copy_from_slice(body.as_bytes()) }
    }
}

impl Transport for World<'_> {
    fn send(
        &self,
        request: Request<Bytes>,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let sent = self.sent.fetch_add(1, Ordering::Relaxed);
        assert!(sent < SENDS_MAX, "it asks without end: {} {}", request.method(), request.uri());
        let path = request.uri().path_and_query().map_or("/", |it| it.as_str());
        let Answer { status, headers, body, path: _ } = self.answer(path);
        let mut response = Response::new(body);
        *response.headers_mut() = headers;
        let status = http::StatusCode::from_u16(status);
        Box::pin(ready(match status {
            Ok(status) => {
                *response.status_mut() = status;
                Ok(response)
            }
            Err(error) => Err(TransportError { never_sent: false, message: error.to_string() }),
        }))
    }
}

impl Clock for World<'_> {
    fn monotonic_ms(&self) -> u64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    fn unix_ms(&self) -> u64 {
        self.monotonic_ms()
    }

    /// Time passes when somebody waits for it.
    fn sleep(&self, ms: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if self.now_ms.fetch_add(ms, Ordering::Relaxed) > PATIENCE_MS {
                self.stop.store(true, Ordering::Relaxed);
            }
        })
    }
}

impl Entropy for World<'_> {
    fn unit(&self) -> f64 {
        0.5
    }

    fn hex(&self, bytes: usize) -> String {
        "ab".repeat(bytes)
    }
}
