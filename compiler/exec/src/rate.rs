//! One rate limiter for all calls, fed by the API's own headers.
//!
//! Facts: 1,200 requests in 5 minutes per token; every answer carries `Ratelimit:
//! "default";r=50;t=30` (left, seconds until more); a 429 carries `Retry-After`. On breach every
//! call is refused for the rest of the window, so the budget is spread before it is spent.
//! Source: Cloudflare's documentation of API rate limits, checked November 2026.

use std::sync::Mutex;

/// Below this many requests left, calls are spread over the time until the window ends.
const SPREAD_BELOW: u64 = 40;
/// The longest that one call is held back by spreading, in milliseconds.
const SPREAD_MS_MAX: u64 = 30_000;

/// The limiter.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    window: Mutex<Window>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Window {
    /// Requests left, and when the window ends, once an answer told.
    left: Option<(u64, u64)>,
    /// No call before this instant: a 429 said so.
    closed_until_ms: u64,
    /// The instant of the last call that was let through while spreading.
    last_ms: u64,
    /// Calls let through.
    sent: u64,
}

/// What the budget looks like, for plans and people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Requests sent by this process.
    pub sent: u64,
    /// Requests left in the window, once an answer told.
    pub left: Option<u64>,
}

impl Limiter {
    /// How long to wait before the next call, in milliseconds; 0 lets it through and counts it.
    pub(crate) fn hold_ms(&self, now_ms: u64) -> u64 {
        let mut window = self.lock();
        if now_ms < window.closed_until_ms {
            return window.closed_until_ms - now_ms;
        }
        if let Some((left, ends_ms)) = window.left {
            if now_ms >= ends_ms {
                window.left = None;
            } else if left == 0 {
                return ends_ms - now_ms;
            } else if left < SPREAD_BELOW {
                let gap = ((ends_ms - now_ms) / left).min(SPREAD_MS_MAX);
                let next = window.last_ms + gap;
                if now_ms < next {
                    return next - now_ms;
                }
            }
        }
        window.left = window.left.map(|(left, ends)| (left.saturating_sub(1), ends));
        window.last_ms = now_ms;
        window.sent += 1;
        0
    }

    /// Learns from an answer's headers.
    pub(crate) fn learn(&self, now_ms: u64, headers: &http::HeaderMap) {
        let Some((left, seconds)) = headers
            .get("ratelimit")
            .and_then(|value| value.to_str().ok())
            .and_then(parse_ratelimit)
        else {
            return;
        };
        let ends_ms = now_ms + seconds * 1_000;
        let mut window = self.lock();
        // Answers arrive out of order: within one window the lowest count is the newest.
        window.left = match window.left {
            Some((known, ends)) if ends > now_ms && known < left => Some((known, ends)),
            _ => Some((left, ends_ms)),
        };
    }

    /// A 429: nobody calls before this much time has passed.
    pub(crate) fn close_for(&self, now_ms: u64, ms: u64) {
        let mut window = self.lock();
        window.closed_until_ms = window.closed_until_ms.max(now_ms + ms);
    }

    /// The requests that were sent, and those that are left.
    pub(crate) fn budget(&self) -> Budget {
        let window = self.lock();
        Budget { sent: window.sent, left: window.left.map(|(left, _)| left) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Window> {
        // A poisoned window is still a window: plain numbers, always valid.
        self.window.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// `"default";r=50;t=30`, several policies separated by commas: the tightest one counts.
fn parse_ratelimit(text: &str) -> Option<(u64, u64)> {
    text.split(',')
        .filter_map(|policy| {
            let find = |name: &str| {
                policy
                    .split(';')
                    .filter_map(|part| part.trim().split_once('='))
                    .find(|(key, _)| *key == name)
                    .and_then(|(_, value)| value.trim().parse::<u64>().ok())
            };
            Some((find("r")?, find("t")?.min(3_600)))
        })
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> http::HeaderMap {
        let mut headers = http::HeaderMap::new();
        headers.insert("ratelimit", text.parse().unwrap());
        headers
    }

    #[test]
    fn plenty_left_lets_calls_through_and_little_left_spreads_them() {
        let limiter = Limiter::default();
        assert_eq!(limiter.hold_ms(0), 0);
        limiter.learn(0, &headers("\"default\";r=1000;t=300"));
        assert_eq!((limiter.hold_ms(1), limiter.hold_ms(1)), (0, 0));
        limiter.learn(1, &headers("\"default\";r=10;t=100, \"burst\";r=500;t=1"));
        assert_eq!(limiter.hold_ms(10_000), 0);
        let wait = limiter.hold_ms(10_001);
        assert!((9_000..=11_000).contains(&wait), "{wait}");
    }

    #[test]
    fn nothing_left_and_429_close_the_door_until_the_window_ends() {
        let limiter = Limiter::default();
        limiter.learn(0, &headers("\"default\";r=0;t=30"));
        assert_eq!(limiter.hold_ms(1_000), 29_000);
        assert_eq!(limiter.hold_ms(30_000), 0);
        limiter.close_for(30_000, 5_000);
        assert_eq!(limiter.hold_ms(31_000), 4_000);
    }

    #[test]
    fn nonsense_headers_teach_nothing() {
        for text in ["", "x", "\"default\";r=x;t=1", "r=1"] {
            assert_eq!(parse_ratelimit(text), None, "{text}");
        }
    }
}
