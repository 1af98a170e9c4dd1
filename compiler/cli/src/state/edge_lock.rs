//! The lock on a state that the edge keeps: taken with a name of its own, so that a lost answer
//! locks nobody out; kept alive in the background; given back at the end.
//!
//! Invariant: it counts as held no longer than its last answer promised, by both clocks of this
//! machine: the one that never goes back, and the one that goes on while the machine sleeps.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use envc_edge_api::{
    FENCE_HEADER, HeartbeatRequest, Lock, LockRequest, LockSummary, LockedProblem, Name,
    ProblemType, limits::LOCK_TTL_SECONDS_DEFAULT,
};
use envc_exec::{
    Silent,
    edge::{EdgeCall, EdgeClass, EdgeClient, EdgeError, EdgeProblem, Patience},
    ports::{Clock as _, Entropy as _},
};
use tokio::task::JoinHandle;

use crate::{
    host::{
        clock::{SystemClock, SystemEntropy},
        error::CommandError,
        exit_code::ExitCode,
        interrupt::{Interrupt, interrupted},
    },
    remote::edge::EdgeConnection,
    workspace::{session::Session, who},
};

/// Milliseconds between two tries of a process that waits, and up to as much again, at random.
const POLL_MS: u64 = 500;
/// Milliseconds until a heartbeat that failed is tried again.
const HEARTBEAT_AGAIN_MS: u64 = 1_000;
/// What a heartbeat and a release are worth.
const BRIEF: Patience = Patience { attempts_max: 2, answer_ms_max: 10_000 };

/// Raised by nobody: what is begun with a lock is ended with it, Ctrl-C or not.
pub(crate) static NEVER: AtomicBool = AtomicBool::new(false);

/// What is asked of the lock's environment.
pub(crate) struct LockTerms<'w> {
    /// `v1`, `state`, cloud, account, project, environment.
    pub(crate) path: &'w [String],
    /// What others who wait are told: `envc apply`.
    pub(crate) purpose: &'w str,
    /// While another holds it: wait, or fail.
    pub(crate) wait: bool,
}

/// A lock that this process holds until it gives it back or dies.
#[derive(Debug)]
pub(crate) struct EdgeLock {
    heart: Arc<Heart>,
    heartbeat: JoinHandle<()>,
}

/// Until when the lock is ours.
#[derive(Debug, Default)]
struct Validity {
    over: AtomicBool,
    until_monotonic_ms: AtomicU64,
    until_unix_ms: AtomicU64,
}

/// The instant before a request: what its answer promises counts from there.
#[derive(Clone, Copy)]
struct Moment {
    monotonic_ms: u64,
    unix_ms: u64,
}

impl Moment {
    fn now(clock: &SystemClock) -> Self {
        Self { monotonic_ms: clock.monotonic_ms(), unix_ms: clock.unix_ms() }
    }
}

impl Validity {
    fn extend(&self, sent: Moment, ttl_ms: u64) {
        let until = |ms: u64| ms.saturating_add(ttl_ms);
        self.until_monotonic_ms.store(until(sent.monotonic_ms), Ordering::Relaxed);
        self.until_unix_ms.store(until(sent.unix_ms), Ordering::Relaxed);
    }

    fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    fn is_live(&self, now: Moment) -> bool {
        !self.over.load(Ordering::Relaxed)
            && now.monotonic_ms < self.until_monotonic_ms.load(Ordering::Relaxed)
            && now.unix_ms < self.until_unix_ms.load(Ordering::Relaxed)
    }
}

impl EdgeLock {
    /// Takes the lock; waits, and says for whom. `client` ends with the user's Ctrl-C.
    pub(crate) async fn acquire(
        session: &Session<'_>,
        edge: &EdgeConnection,
        client: &EdgeClient<'_>,
        stop: &Interrupt,
        wanted: &LockTerms<'_>,
    ) -> Result<Self, CommandError> {
        let ttl_seconds = session.env.test_lock_ttl_s.unwrap_or(LOCK_TTL_SECONDS_DEFAULT);
        let request = LockRequest {
            holder: who::process(&session.workspace),
            purpose: wanted.purpose.to_owned(),
            ttl_seconds: Some(ttl_seconds),
            request_id: Name::parse(&session.workspace.entropy.hex(16)).ok(),
        };
        // The Worker knows a repeated request by its name.
        let call = EdgeCall::post(&below(wanted.path, &["lock"])).json(&request).repeatable();
        let mut told = None;
        loop {
            let sent = Moment::now(&session.workspace.clock);
            let error = match client.call(&call).await.and_then(|answer| answer.read::<Lock>()) {
                Ok(lock) => {
                    return Ok(Self::begin(session, edge, wanted.path, lock, sent, ttl_seconds));
                }
                Err(error) => error,
            };
            let Some(other) = holder(&error) else {
                return Err(edge.explain("the lock on the shared state cannot be taken", &error));
            };
            if !wanted.wait {
                return Err(busy(&other));
            }
            if told.as_ref() != Some(&other.fence) {
                let id = &session.target.id;
                session.ui.say(&format!("waiting for {}, who works on `{id}`", describe(&other)));
                told = Some(other.fence);
            }
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "half a second times a number from 0 to 1"
            )]
            let jitter_ms = (POLL_MS as f64 * session.workspace.entropy.unit()) as u64;
            tokio::select! {
                () = session.workspace.clock.sleep(POLL_MS + jitter_ms) => {}
                () = stop.asked() => return Err(interrupted()),
            }
        }
    }

    fn begin(
        session: &Session<'_>,
        edge: &EdgeConnection,
        path: &[String],
        lock: Lock,
        sent: Moment,
        ttl_seconds: u32,
    ) -> Self {
        let heart = Arc::new(Heart {
            edge: edge.clone(),
            clock: session.workspace.clock.clone(),
            entropy: SystemEntropy::new(session.env),
            path: path.to_vec(),
            lock,
            ttl_ms: u64::from(ttl_seconds) * 1_000,
            validity: Validity::default(),
        });
        heart.validity.extend(sent, heart.ttl_ms);
        let heartbeat = tokio::spawn(Arc::clone(&heart).beat());
        Self { heart, heartbeat }
    }

    /// True while it is certainly ours.
    pub(crate) fn is_held(&self) -> bool {
        self.heart.validity.is_live(Moment::now(&self.heart.clock))
    }

    /// A write was refused because it is over.
    pub(crate) fn note_over(&self) {
        self.heart.validity.end();
    }

    /// The number that writes carry, as a header.
    pub(crate) fn fence(&self) -> (&'static str, String) {
        (FENCE_HEADER, self.heart.lock.fence.to_string())
    }
}

impl Drop for EdgeLock {
    /// Gives the lock back, however the command ended; one that cannot be given back runs out by
    /// itself. Waits for it: the process ends next.
    fn drop(&mut self) {
        self.heartbeat.abort();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        tokio::task::block_in_place(|| runtime.block_on(self.heart.release()));
    }
}

/// What keeps a lock alive, and gives it back.
#[derive(Debug)]
struct Heart {
    edge: EdgeConnection,
    clock: SystemClock,
    entropy: SystemEntropy,
    path: Vec<String>,
    lock: Lock,
    ttl_ms: u64,
    validity: Validity,
}

impl Heart {
    fn client(&self) -> EdgeClient<'_> {
        self.edge.client_of(&self.clock, &self.entropy, &Silent, &NEVER).patient(BRIEF)
    }

    /// Beats three times in the life of a lock, until it is told that the lock is over.
    async fn beat(self: Arc<Self>) {
        let client = self.client();
        let call = EdgeCall::put(&below(&self.path, &["lock", &self.lock.lock_id]))
            .json(&HeartbeatRequest::default());
        let mut wait_ms = self.ttl_ms / 3;
        loop {
            self.clock.sleep(wait_ms).await;
            let sent = Moment::now(&self.clock);
            let beaten = client.call(&call).await.and_then(|answer| answer.read::<Lock>());
            wait_ms = match beaten {
                Ok(_) => {
                    self.validity.extend(sent, self.ttl_ms);
                    self.ttl_ms / 3
                }
                // The Worker said no: whatever the reason, the lock cannot be kept.
                Err(EdgeError { class: EdgeClass::Problem(problem), .. }) if is_final(&problem) => {
                    self.validity.end();
                    return;
                }
                Err(_) => HEARTBEAT_AGAIN_MS.min(self.ttl_ms / 3),
            };
        }
    }

    async fn release(&self) {
        let call = EdgeCall::delete(&below(&self.path, &["lock", &self.lock.lock_id]));
        let _given_back = self.client().call(&call).await;
    }
}

fn is_final(problem: &EdgeProblem) -> bool {
    !matches!(
        problem.problem.problem_type,
        ProblemType::RateLimited | ProblemType::Internal | ProblemType::Unavailable
    )
}

/// The path of something of a state.
pub(crate) fn below<'p>(path: &'p [String], more: &[&'p str]) -> Vec<&'p str> {
    path.iter().map(String::as_str).chain(more.iter().copied()).collect()
}

fn holder(error: &EdgeError) -> Option<LockSummary> {
    let problem = error.problem().filter(|_| error.is(ProblemType::Locked))?;
    problem.read::<LockedProblem>().map(|locked| locked.lock)
}

fn describe(lock: &LockSummary) -> String {
    format!("{}: `{}`", lock.holder, lock.purpose)
}

fn busy(lock: &LockSummary) -> CommandError {
    let message = format!("{} is at work on this environment: `{}`", lock.holder, lock.purpose);
    CommandError::new(ExitCode::TryAgain, message)
        .hint("try again when it is done; the lock of one that was killed runs out by itself")
        .code("envc::cli::locked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_by_whichever_clock_comes_first_and_for_good_when_it_is_over() {
        let validity = Validity::default();
        let at = |monotonic_ms, unix_ms| Moment { monotonic_ms, unix_ms };
        assert!(!validity.is_live(at(0, 0)), "none was promised yet");
        validity.extend(at(100, 5_000), 1_000);
        assert!(validity.is_live(at(1_099, 5_999)));
        assert!(!validity.is_live(at(1_100, 5_999)));
        assert!(!validity.is_live(at(200, 6_000)), "the machine slept");
        validity.end();
        assert!(!validity.is_live(at(100, 5_000)));
    }
}
