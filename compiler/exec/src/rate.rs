//! What holds calls back: the count of the calls that were made, and an API that says that nothing is
//! left.
//!
//! The API takes 1,200 calls of a token in 5 minutes, and refuses all of them for 5 minutes when there
//! were more. envc counts its own, and leaves a fifth to others. The `Ratelimit` headers are no count:
//! they stand still, some products send none, and lists of zones and uploads have a policy of their own.
//! They are believed only where they say, of one policy, that almost nothing is left.
//!
//! Source: Cloudflare's documentation of API rate limits, and recorded answers, checked November 2026.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use envc_core::limits::{RATE_OWN_CALLS_MAX, RATE_WINDOW_MS};
use serde::{Deserialize, Serialize};

use crate::ports::Tally;

/// So few calls left are almost none: they are spread over the time until there are more.
const ALMOST_NONE: u64 = 10;
/// The longest that one call is held back by spreading, in milliseconds.
const SPREAD_MS_MAX: u64 = 30_000;
/// Calls within this time are counted together, in milliseconds.
const SLOT_MS: u64 = 5_000;

/// Calls by the time at which they were made. What was written down by another clock, or by nobody of
/// ours, counts as nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// How many calls, by the number of their slot of time since 1970.
    slots: BTreeMap<u64, u32>,
    /// No call before this instant, in milliseconds since 1970.
    closed_until_ms: u64,
}

impl Counts {
    /// Counts a call, and gives 0; or gives the milliseconds until there may be room for one.
    pub fn book(&mut self, now_ms: u64) -> u64 {
        self.forget(now_ms);
        if now_ms < self.closed_until_ms {
            return self.closed_until_ms - now_ms;
        }
        if self.sum() < RATE_OWN_CALLS_MAX {
            let calls = self.slots.entry(now_ms / SLOT_MS).or_default();
            *calls = calls.saturating_add(1);
            return 0;
        }
        let oldest = self.slots.keys().next().copied().unwrap_or_default();
        ends_ms(oldest).saturating_sub(now_ms).max(1)
    }

    /// Nobody is to call before this instant.
    pub fn close_until(&mut self, now_ms: u64, until_ms: u64) {
        self.forget(now_ms);
        self.closed_until_ms = self.closed_until_ms.max(until_ms.min(now_ms + RATE_WINDOW_MS));
    }

    /// How many more calls there is room for.
    pub fn left(&mut self, now_ms: u64) -> u32 {
        self.forget(now_ms);
        RATE_OWN_CALLS_MAX.saturating_sub(self.sum())
    }

    fn sum(&self) -> u32 {
        self.slots.values().fold(0, |sum, calls| sum.saturating_add(*calls))
    }

    /// What is over, and what a clock that was put back says of the future.
    fn forget(&mut self, now_ms: u64) {
        let now = now_ms / SLOT_MS;
        self.slots.retain(|slot, _| *slot <= now && now_ms < ends_ms(*slot));
        if self.closed_until_ms > now_ms.saturating_add(RATE_WINDOW_MS) {
            self.closed_until_ms = 0;
        }
    }
}

/// When the last call of a slot is out of the window.
fn ends_ms(slot: u64) -> u64 {
    slot.saturating_add(1).saturating_mul(SLOT_MS).saturating_add(RATE_WINDOW_MS)
}

/// The calls of one process, counted by nobody else.
#[derive(Debug, Default)]
pub struct Alone(Mutex<Counts>);

impl Tally for Alone {
    fn book(&self, now_ms: u64) -> u64 {
        lock(&self.0).book(now_ms)
    }

    fn close_until(&self, now_ms: u64, until_ms: u64) {
        lock(&self.0).close_until(now_ms, until_ms);
    }

    fn left(&self, now_ms: u64) -> Option<u32> {
        Some(lock(&self.0).left(now_ms))
    }
}

/// Of a server without a limit, such as the local cloud: what it refuses is waited for, nothing is counted.
#[derive(Debug, Default)]
pub struct Unlimited(Mutex<u64>);

impl Tally for Unlimited {
    fn book(&self, now_ms: u64) -> u64 {
        lock(&self.0).saturating_sub(now_ms)
    }

    fn close_until(&self, _now_ms: u64, until_ms: u64) {
        let mut closed = lock(&self.0);
        *closed = closed.max(until_ms);
    }

    fn left(&self, _now_ms: u64) -> Option<u32> {
        None
    }
}

/// What one process was told by the API.
#[derive(Debug, Default)]
pub(crate) struct Limiter {
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    /// Calls left and when there are more, by the name of a policy that has almost none.
    policies: BTreeMap<String, (u64, u64)>,
    /// No call before this instant.
    closed_until_ms: u64,
    /// The instant of the last call that was let through.
    last_ms: u64,
    /// Calls let through.
    sent: u64,
    /// Until when people were told that calls are held back.
    told_until_ms: u64,
}

/// What the budget looks like, for plans and people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Requests sent by this process.
    pub sent: u64,
    /// Requests that envc still allows itself now, where they are counted.
    pub left: Option<u32>,
}

impl Limiter {
    /// How long to wait before the next call, in milliseconds; 0 lets it through.
    pub(crate) fn hold_ms(&self, now_ms: u64) -> u64 {
        let mut window = lock(&self.window);
        window.policies.retain(|_, (_, ends_ms)| now_ms < *ends_ms);
        let last_ms = window.last_ms;
        let holds = window.policies.values().map(|(left, ends_ms)| match ends_ms - now_ms {
            rest_ms if *left == 0 => rest_ms,
            rest_ms => (last_ms + (rest_ms / left).min(SPREAD_MS_MAX)).saturating_sub(now_ms),
        });
        holds.max().unwrap_or_default().max(window.closed_until_ms.saturating_sub(now_ms))
    }

    /// A call goes through.
    pub(crate) fn pass(&self, now_ms: u64) {
        let mut window = lock(&self.window);
        for (left, _) in window.policies.values_mut() {
            *left = left.saturating_sub(1);
        }
        window.last_ms = now_ms;
        window.sent += 1;
    }

    /// True where nobody was told yet that calls are held back as long.
    pub(crate) fn is_news(&self, now_ms: u64, hold_ms: u64) -> bool {
        let mut window = lock(&self.window);
        let until_ms = now_ms.saturating_add(hold_ms);
        // Calls that wait side by side end within a second of each other.
        let news = until_ms > window.told_until_ms.saturating_add(1_000);
        if news {
            window.told_until_ms = until_ms;
        }
        news
    }

    /// Learns from an answer's headers.
    pub(crate) fn learn(&self, now_ms: u64, headers: &http::HeaderMap) {
        let told = headers.get_all("ratelimit").iter().filter_map(|value| value.to_str().ok());
        let mut window = lock(&self.window);
        for Policy { name, left, seconds } in told.flat_map(policies) {
            if left >= ALMOST_NONE {
                window.policies.remove(name);
                continue;
            }
            let ends_ms = now_ms + seconds * 1_000;
            let known = window.policies.get(name).copied();
            // Answers arrive out of order: within one window the lowest count is the newest.
            let (left, ends_ms) = match known {
                Some((known, ends)) if ends > now_ms && known < left => (known, ends),
                _ => (left, ends_ms),
            };
            window.policies.insert(name.to_owned(), (left, ends_ms));
        }
    }

    /// A 429: nobody calls before this much time has passed.
    pub(crate) fn close_for(&self, now_ms: u64, ms: u64) {
        let mut window = lock(&self.window);
        window.closed_until_ms = window.closed_until_ms.max(now_ms + ms);
    }

    /// The requests that were sent.
    pub(crate) fn sent(&self) -> u64 {
        lock(&self.window).sent
    }
}

/// A poisoned window is still a window: plain numbers, always valid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a header tells of one policy.
struct Policy<'h> {
    name: &'h str,
    left: u64,
    seconds: u64,
}

/// `"default";r=50;t=30`, several policies separated by commas.
fn policies(text: &str) -> impl Iterator<Item = Policy<'_>> {
    text.split(',').filter_map(|policy| {
        let (name, rest) = policy.trim().split_once(';')?;
        let find = |wanted: &str| {
            let mut pairs = rest.split(';').filter_map(|part| part.trim().split_once('='));
            let (_, value) = pairs.find(|(key, _)| *key == wanted)?;
            value.trim().parse::<u64>().ok()
        };
        Some(Policy { name, left: find("r")?, seconds: find("t")?.min(RATE_WINDOW_MS / 1_000) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> http::HeaderMap {
        let mut headers = http::HeaderMap::new();
        headers.insert("ratelimit", text.parse().unwrap());
        headers
    }

    fn call(limiter: &Limiter, now_ms: u64) -> u64 {
        let hold_ms = limiter.hold_ms(now_ms);
        if hold_ms == 0 {
            limiter.pass(now_ms);
        }
        hold_ms
    }

    #[test]
    fn a_header_counts_only_where_it_says_that_almost_nothing_is_left_of_its_policy() {
        let limiter = Limiter::default();
        for text in ["\"default\";r=1199;t=1", "\"default\";r=10;t=300", "\"a\";r=11;t=9"] {
            limiter.learn(0, &headers(text));
            assert_eq!((call(&limiter, 0), call(&limiter, 0)), (0, 0), "{text}");
        }
        limiter.learn(1, &headers("\"default\";r=5;t=100, \"burst\";r=500;t=1"));
        assert_eq!(call(&limiter, 20_001), 0);
        let wait = call(&limiter, 20_002);
        assert!((19_000..=21_000).contains(&wait), "{wait}");
        // What another policy has left says nothing of this one.
        limiter.learn(20_003, &headers("\"list_zones\";r=1200;t=1"));
        assert!(call(&limiter, 20_003) > 0);
        limiter.learn(20_004, &headers("\"default\";r=1199;t=1"));
        assert_eq!(call(&limiter, 20_004), 0);
    }

    #[test]
    fn nothing_left_and_429_close_the_door_until_the_window_ends() {
        let limiter = Limiter::default();
        limiter.learn(0, &headers("\"default\";r=0;t=30"));
        assert_eq!(call(&limiter, 1_000), 29_000);
        assert_eq!(call(&limiter, 30_000), 0);
        limiter.close_for(30_000, 5_000);
        assert_eq!(call(&limiter, 31_000), 4_000);
        assert!(limiter.is_news(31_000, 4_000) && !limiter.is_news(31_001, 3_999));
    }

    #[test]
    fn nonsense_headers_teach_nothing() {
        for text in ["", "x", "\"default\";r=x;t=1", "r=1", ";;;=,,,"] {
            assert_eq!(policies(text).count(), 0, "{text}");
        }
    }

    /// The number of calls in any window, whenever they are asked for.
    #[test]
    fn never_more_than_the_own_share_in_any_window() {
        for step_ms in [0, 1, 137, 2_500, 60_000] {
            let mut counts = Counts::default();
            let (mut now_ms, mut made) = (1_700_000_000_000_u64, Vec::new());
            for _ in 0..3_000 {
                now_ms += step_ms;
                match counts.book(now_ms) {
                    0 => made.push(now_ms),
                    wait_ms => now_ms += wait_ms,
                }
            }
            let within =
                |at: u64| made.iter().filter(move |it| (at..at + RATE_WINDOW_MS).contains(it));
            let most = made.iter().map(|at| within(*at).count()).max().unwrap();
            assert!(most <= RATE_OWN_CALLS_MAX as usize, "{most} of {step_ms} ms");
            assert!(made.len() > 1_900, "{} of {step_ms} ms", made.len());
        }
    }

    #[test]
    fn what_a_clock_that_was_put_back_wrote_counts_as_nothing() {
        let mut counts = Counts::default();
        for _ in 0..RATE_OWN_CALLS_MAX {
            assert_eq!(counts.book(9_000_000_000_000), 0);
        }
        counts.close_until(9_000_000_000_000, 9_000_000_300_000);
        assert!(counts.book(9_000_000_000_001) > 0);
        assert_eq!(counts.book(1_700_000_000_000), 0);
        assert_eq!(counts.left(1_700_000_000_000), RATE_OWN_CALLS_MAX - 1);
        // The API never closes for longer than its window.
        counts.close_until(0, u64::MAX);
        assert!(counts.book(1) <= RATE_WINDOW_MS);
    }
}
