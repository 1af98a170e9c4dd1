//! What every client does between two tries: wait for its turn, back off, and look at the user's
//! Ctrl-C meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{
    ports::{Clock, Entropy},
    progress::{Event, Progress},
    rate::Limiter,
};

/// First wait between tries, in milliseconds; doubles with each.
const BACKOFF_MS: u64 = 250;
/// Longest wait between tries that envc chooses by itself, in milliseconds.
pub(crate) const BACKOFF_MS_MAX: u64 = 8_000;
/// Longest wait that a `Retry-After` may ask for, in milliseconds: the window of the API's limit.
pub(crate) const RETRY_AFTER_MS_MAX: u64 = 300_000;
/// Tries to reach a server that does not answer the door; some three seconds in all.
pub(crate) const UNREACHABLE_ATTEMPTS_MAX: u32 = 4;
/// How long a waiting call sleeps between looks at the stop flag, in milliseconds.
const SLICE_MS: u64 = 100;

/// The wait after this many tries, in milliseconds: doubles, and half of it is random.
pub(crate) fn backoff_ms(entropy: &dyn Entropy, attempt: u32) -> u64 {
    let full = BACKOFF_MS.saturating_mul(1 << attempt.min(10)).min(BACKOFF_MS_MAX);
    full / 2 + part_ms(entropy, full / 2)
}

/// A random part of these milliseconds.
pub(crate) fn part_ms(entropy: &dyn Entropy, ms: u64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a wait, far below 2^52, times a number from 0 to 1"
    )]
    let part = (ms as f64 * entropy.unit()) as u64;
    part
}

/// Waits, but not past the user's Ctrl-C.
pub(crate) async fn pause(clock: &dyn Clock, stop: &AtomicBool, ms: u64) {
    let mut left = ms;
    while left > 0 && !stop.load(Ordering::Relaxed) {
        let slice = left.min(SLICE_MS);
        clock.sleep(slice).await;
        left -= slice;
    }
}

/// Waits until the limiter lets a call through; false when the user stops it first.
pub(crate) async fn wait_for_turn(
    limiter: &Limiter,
    clock: &dyn Clock,
    progress: &dyn Progress,
    stop: &AtomicBool,
) -> bool {
    let mut told = false;
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        let hold_ms = limiter.hold_ms(clock.monotonic_ms());
        if hold_ms == 0 {
            return true;
        }
        if !told && hold_ms > 1_000 {
            told = true;
            progress.event(Event::Waiting { wait_ms: hold_ms });
        }
        clock.sleep(hold_ms.min(SLICE_MS)).await;
    }
}
