//! What every client does between two tries: decide whether there is another one, wait for its turn, back
//! off, and look at the user's Ctrl-C meanwhile.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, UNIX_EPOCH},
};

use envc_core::limits;

use crate::{
    ports::{Clock, Entropy, Tally},
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
/// How long a call that is held back sleeps before it looks again whether it may go.
const LOOK_MS: u64 = 1_000;
/// The wait after a 429 that names none, in milliseconds, and a random part more.
const RATE_LIMITED_MS: (u64, u64) = (30_000, 30_000);
/// The shortest wait after a 429, in milliseconds.
const RETRY_AFTER_MS_MIN: u64 = 500;
/// The wait after a refusal of the token that may pass, in milliseconds.
const REFUSED_MS: u64 = 1_000;

/// Why a try failed, as far as the next one depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The server did not open the door; the call had no effect.
    Unreachable,
    /// It may work the next time, and the call may be repeated.
    Transient,
    /// Too many calls.
    RateLimited,
    /// The token was refused, as one that is right has been.
    Refused,
    /// What the run made a moment ago is not seen yet.
    Unseen,
}

/// What follows a try that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another try after these milliseconds.
    Again(u64),
    /// The same, of something that takes its time: it is said once.
    Look(u64),
    /// The failure is believed.
    Believe,
}

/// The tries of one call.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tries {
    /// How many there were.
    pub(crate) count: u32,
    failed: u32,
    refused: u32,
    looks: u32,
    /// When the first try was refused for the rate of calls, and when for something that is not seen.
    limited_since_ms: Option<u64>,
    unseen_since_ms: Option<u64>,
}

impl Tries {
    /// Takes a failure; `asked_ms` is the wait that the server asked for.
    pub(crate) fn next(
        &mut self,
        reason: Reason,
        asked_ms: Option<u64>,
        now_ms: u64,
        entropy: &dyn Entropy,
    ) -> Next {
        self.count += 1;
        match reason {
            Reason::Unreachable | Reason::Transient => {
                self.failed += 1;
                let most = match reason {
                    Reason::Unreachable => UNREACHABLE_ATTEMPTS_MAX,
                    _ => limits::ATTEMPTS_MAX,
                };
                let wait_ms = asked_ms.unwrap_or_else(|| backoff_ms(entropy, self.failed));
                if self.failed < most { Next::Again(wait_ms) } else { Next::Believe }
            }
            Reason::RateLimited => {
                let since_ms = *self.limited_since_ms.get_or_insert(now_ms);
                if now_ms.saturating_sub(since_ms) >= limits::RATE_LIMITED_MS_MAX {
                    return Next::Believe;
                }
                Next::Again(asked_ms.unwrap_or(RATE_LIMITED_MS.0))
            }
            Reason::Refused => {
                self.refused += 1;
                if self.refused > 1 { Next::Believe } else { Next::Again(REFUSED_MS) }
            }
            Reason::Unseen => {
                let since_ms = *self.unseen_since_ms.get_or_insert(now_ms);
                self.looks += 1;
                match limits::VISIBLE_MS_MAX.saturating_sub(now_ms.saturating_sub(since_ms)) {
                    0 => Next::Believe,
                    left_ms => Next::Look(poll_ms(self.looks).min(left_ms)),
                }
            }
        }
    }

    /// True of the first look: the ones that follow it are not told again.
    pub(crate) fn is_first_look(&self) -> bool {
        self.looks == 1
    }
}

/// The wait before the next look at something that takes its time, after this many of them: half of what was
/// waited before, so that nobody waits longer than one and a half times as long as it takes, but for the
/// first wait.
pub(crate) fn poll_ms(looks: u32) -> u64 {
    let (mut waited_ms, mut wait_ms) = (0, BACKOFF_MS);
    // After these the longest wait is reached.
    for _ in 1..looks.min(32) {
        waited_ms += wait_ms;
        wait_ms = (waited_ms / 2).clamp(BACKOFF_MS, limits::POLL_MS_MAX);
    }
    wait_ms
}

/// The wait that a refusal for the rate of calls asks for, or one by chance where it names none.
pub(crate) fn rate_limited_ms(asked_ms: Option<u64>, entropy: &dyn Entropy) -> u64 {
    let (least, more) = RATE_LIMITED_MS;
    let wait_ms = asked_ms.unwrap_or_else(|| least + part_ms(entropy, more));
    wait_ms.clamp(RETRY_AFTER_MS_MIN, RETRY_AFTER_MS_MAX)
}

/// The milliseconds of a `Retry-After`: whole seconds, or a date, which is compared with the server's own
/// where that is told. Source: RFC 9110, 10.2.3.
pub(crate) fn retry_after_ms(text: &str, date: Option<&str>, unix_ms: u64) -> Option<u64> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(seconds.saturating_mul(1_000).min(RETRY_AFTER_MS_MAX));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let server = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok());
    let now = server.unwrap_or(UNIX_EPOCH + Duration::from_millis(unix_ms));
    let wait = until.duration_since(now).unwrap_or_default();
    Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).min(RETRY_AFTER_MS_MAX))
}

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

/// Waits until a call may go, by what the API said and by the count of calls; false when the user stops
/// it first.
pub(crate) async fn wait_for_turn(
    limiter: &Limiter,
    tally: Option<&dyn Tally>,
    clock: &dyn Clock,
    progress: &dyn Progress,
    stop: &AtomicBool,
) -> bool {
    loop {
        if stop.load(Ordering::Relaxed) {
            return false;
        }
        let now_ms = clock.monotonic_ms();
        let hold_ms = match limiter.hold_ms(now_ms) {
            0 => tally.map_or(0, |tally| tally.book(clock.unix_ms())),
            hold_ms => hold_ms,
        };
        if hold_ms == 0 {
            limiter.pass(now_ms);
            return true;
        }
        if hold_ms > 1_000 && limiter.is_news(now_ms, hold_ms) {
            progress.event(Event::Waiting { wait_ms: hold_ms });
        }
        pause(clock, stop, hold_ms.min(LOOK_MS)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Always a half.
    struct Half;

    impl Entropy for Half {
        fn unit(&self) -> f64 {
            0.5
        }

        fn hex(&self, bytes: usize) -> String {
            "0".repeat(bytes * 2)
        }
    }

    /// The waits after failures of one reason, until it is believed.
    fn waits(reason: Reason, asked_ms: Option<u64>) -> Vec<u64> {
        let (mut tries, mut now_ms, mut all) = (Tries::default(), 7, Vec::new());
        loop {
            match tries.next(reason, asked_ms, now_ms, &Half) {
                Next::Believe => return all,
                Next::Again(ms) | Next::Look(ms) => {
                    all.push(ms);
                    now_ms += ms;
                }
            }
        }
    }

    #[test]
    fn what_is_not_seen_yet_is_looked_for_as_long_as_it_may_take() {
        let looks = waits(Reason::Unseen, None);
        assert_eq!(looks.first(), Some(&250));
        assert_eq!(looks.iter().sum::<u64>(), limits::VISIBLE_MS_MAX);
        assert!(looks.iter().all(|ms| *ms <= limits::POLL_MS_MAX), "{looks:?}");
        // It may be there right after any look, and is seen with the next one.
        let mut waited_ms = 0;
        for wait_ms in looks {
            assert!(wait_ms <= (waited_ms / 2).max(250), "{wait_ms} after {waited_ms}");
            waited_ms += wait_ms;
        }
    }

    #[test]
    fn a_refused_token_is_tried_once_more_and_a_block_outlasted() {
        assert_eq!(waits(Reason::Refused, None), [1_000]);
        for asked_ms in [Some(500), Some(7_000), Some(45_000), Some(300_000)] {
            let waited: u64 = waits(Reason::RateLimited, asked_ms).iter().sum();
            assert!(waited > limits::RATE_WINDOW_MS, "{asked_ms:?}: {waited}");
            assert!(waited < 2 * limits::RATE_LIMITED_MS_MAX, "{asked_ms:?}: {waited}");
        }
        assert_eq!(rate_limited_ms(None, &Half), 45_000);
        assert_eq!(rate_limited_ms(Some(0), &Half), 500);
        assert_eq!(rate_limited_ms(Some(u64::MAX), &Half), 300_000);
    }

    #[test]
    fn every_form_of_retry_after_is_read() {
        let date = Some("Mon, 30 Nov 2026 12:00:00 GMT");
        for (text, date, wait_ms) in [
            ("7", None, Some(7_000)),
            (" 0 ", None, Some(0)),
            ("99999999999999999999", None, None),
            ("18446744073709551615", None, Some(RETRY_AFTER_MS_MAX)),
            ("Mon, 30 Nov 2026 12:00:45 GMT", date, Some(45_000)),
            ("Monday, 30-Nov-26 12:00:45 GMT", date, Some(45_000)),
            ("Mon Nov 30 12:00:45 2026", date, Some(45_000)),
            // What is past is over, and nothing is further than a window.
            ("Mon, 30 Nov 2026 11:00:00 GMT", date, Some(0)),
            ("Tue, 30 Nov 2027 12:00:00 GMT", date, Some(RETRY_AFTER_MS_MAX)),
            // Without the server's clock this one's counts.
            ("Thu, 01 Jan 1970 00:01:00 GMT", None, Some(59_000)),
            ("Thu, 01 Jan 1970 00:01:00 GMT", Some("soon"), Some(59_000)),
            ("", None, None),
            ("-1", None, None),
            ("in a minute", date, None),
        ] {
            assert_eq!(retry_after_ms(text, date, 1_000), wait_ms, "{text}");
        }
    }
}
