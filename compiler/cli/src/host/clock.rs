//! The system's clock and randomness, behind exec's ports.

use std::{
    fmt::Write as _,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use envc_core::SplitMix64;
use envc_exec::ports::{Clock, Entropy};
use futures::future::BoxFuture;

use crate::host::env::ProcessEnv;

/// The clock of the machine; its date can be fixed for tests.
#[derive(Clone, Debug)]
pub(crate) struct SystemClock {
    start: Instant,
    fixed_unix_ms: Option<u64>,
}

impl SystemClock {
    /// Starts at zero. `ENVC_TEST_NOW` fixes the date; waiting stays real.
    pub(crate) fn new(env: &ProcessEnv) -> Self {
        Self {
            start: Instant::now(),
            fixed_unix_ms: env.test_now_s.map(|seconds| seconds.saturating_mul(1000)),
        }
    }

    /// Whole seconds since 1970.
    pub(crate) fn unix_s(&self) -> u64 {
        self.unix_ms() / 1000
    }
}

impl Clock for SystemClock {
    fn monotonic_ms(&self) -> u64 {
        millis(self.start.elapsed())
    }

    fn unix_ms(&self) -> u64 {
        self.fixed_unix_ms.unwrap_or_else(|| {
            // A machine whose date is before 1970 is at 1970.
            millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
        })
    }

    fn sleep(&self, ms: u64) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Randomness from the system, or from a seed for tests.
#[derive(Debug)]
pub(crate) struct SystemEntropy {
    /// The state of the generator; none: the system is asked.
    seeded: Option<Mutex<SplitMix64>>,
}

impl SystemEntropy {
    /// Asks the system, or follows `ENVC_TEST_SEED`.
    pub(crate) fn new(env: &ProcessEnv) -> Self {
        Self { seeded: env.test_seed.map(|seed| Mutex::new(SplitMix64(seed))) }
    }

    fn next(&self) -> u64 {
        let Some(state) = &self.seeded else {
            // Where the system gives no randomness, jitter and names from time still do.
            return getrandom::u64().unwrap_or_else(|_| {
                millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
            });
        };
        state.lock().unwrap_or_else(PoisonError::into_inner).next_number()
    }
}

impl Entropy for SystemEntropy {
    fn unit(&self) -> f64 {
        // 32 bits are exact in an f64 and plenty for jitter.
        let bits = u32::try_from(self.next() >> 32).unwrap_or(u32::MAX);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }

    fn hex(&self, bytes: usize) -> String {
        let mut text = String::with_capacity(bytes * 2 + 16);
        while text.len() < bytes * 2 {
            // Writing to a String cannot fail.
            let _ = write!(text, "{:016x}", self.next());
        }
        text.truncate(bytes * 2);
        text
    }
}

/// A length of time in words: "3 min", "2 h", "5 days".
pub(crate) fn age(ms: u64) -> String {
    match ms / 1_000 {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} min", s / 60),
        s @ 3_600..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_can_be_fixed_and_the_monotonic_clock_runs_on() {
        let clock = SystemClock::new(&ProcessEnv::from_pairs([("ENVC_TEST_NOW", "1700000000")]));
        assert_eq!(clock.unix_ms(), 1_700_000_000_000);
        assert_eq!(clock.unix_s(), 1_700_000_000);
        assert!(clock.monotonic_ms() < 60_000);
        assert!(SystemClock::new(&ProcessEnv::default()).unix_s() > 1_700_000_000);
    }

    #[test]
    fn a_seed_repeats_its_sequence_and_the_system_does_not() {
        let seeded = || SystemEntropy::new(&ProcessEnv::from_pairs([("ENVC_TEST_SEED", "7")]));
        assert_eq!(seeded().hex(12), seeded().hex(12));
        let real = SystemEntropy::new(&ProcessEnv::default());
        assert_ne!(real.hex(8), real.hex(8));
        assert_eq!(real.hex(3).len(), 6);
        for _ in 0..1000 {
            assert!((0.0..1.0).contains(&real.unit()));
        }
    }
}
