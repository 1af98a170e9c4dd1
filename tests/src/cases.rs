//! Sweeps: how many of their cases a run tries.
//!
//! A sweep has more cases than a change can wait for: every request of a system, times every way
//! in which it can go wrong. `ENVC_CASES=N/M` says which share of each sweep is tried, and
//! `ENVC_SEED`, any text, which ones these are. `cargo xtask nightly` tries all of them; continuous
//! integration tries a share under a seed that is the commit, so that another commit tries others.
//!
//! Invariant: the same share, seed and sweep give the same cases, in the sweep's order; `1/1` gives
//! all; never none of a sweep that has any.

use std::{env, num::ParseIntError, panic::Location};

use envc_core::Digest;

/// What is tried where `ENVC_CASES` says nothing: what a developer waits for.
const SHARE: Share = Share { of: 1, in_all: 8 };

/// A share of a sweep: `of` cases out of every `in_all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share {
    of: usize,
    in_all: usize,
}

impl Share {
    /// Reads `N/M`, with 1 ≤ N ≤ M.
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("ENVC_CASES={text} is not N/M with 1 ≤ N ≤ M, such as 1/8");
        let number = |part: &str| part.trim().parse().map_err(|_: ParseIntError| wrong());
        let (of, in_all) = text.split_once('/').ok_or_else(wrong)?;
        let share = Self { of: number(of)?, in_all: number(in_all)? };
        if share.of == 0 || share.of > share.in_all { Err(wrong()) } else { Ok(share) }
    }

    /// How many of `all` are tried: rounded up, so at least one of any.
    fn count(self, all: usize) -> usize {
        all.saturating_mul(self.of).div_ceil(self.in_all)
    }
}

fn share() -> Share {
    match env::var("ENVC_CASES") {
        Ok(text) => Share::parse(&text).unwrap_or_else(|wrong| panic!("{wrong}")),
        Err(_) => SHARE,
    }
}

/// The cases of a sweep that this run tries: see the module. Each place that calls it has a choice
/// of its own.
#[track_caller]
pub fn some_of<S>(all: Vec<S>) -> Vec<S> {
    let share = share();
    let seed = env::var("ENVC_SEED").unwrap_or_default();
    let place = Location::caller();
    chosen(all, share, &format!("{seed} {}:{}", place.file(), place.line()))
}

/// The cases of a sweep that takes longer than any change can wait for: all of them where a run tries every
/// case of every sweep, and none elsewhere.
pub fn all_or_none<S>(all: Vec<S>) -> Vec<S> {
    let Share { of, in_all } = share();
    if of == in_all { all } else { Vec::new() }
}

/// What to set to try the same cases again, for the report of a failure.
pub(crate) fn repeat() -> String {
    let set = |name: &str| env::var(name).map(|value| format!("{name}={value} "));
    ["ENVC_CASES", "ENVC_SEED"].iter().filter_map(|name| set(name).ok()).collect()
}

fn chosen<S>(all: Vec<S>, share: Share, seed: &str) -> Vec<S> {
    let count = share.count(all.len());
    let drawn = |at| (Digest::of(format!("{seed} {at}")), at);
    let mut order: Vec<(Digest, usize)> = (0..all.len()).map(drawn).collect();
    order.sort_unstable();
    let mut keep = vec![false; all.len()];
    for (_, at) in order.into_iter().take(count) {
        if let Some(keep) = keep.get_mut(at) {
            *keep = true;
        }
    }
    all.into_iter().zip(keep).filter_map(|(case, keep)| keep.then_some(case)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_share_is_read_or_refused() {
        assert_eq!(Share::parse("1/8"), Ok(Share { of: 1, in_all: 8 }));
        assert_eq!(Share::parse("3/3"), Ok(Share { of: 3, in_all: 3 }));
        for wrong in ["", "1", "0/8", "9/8", "1/0", "-1/2", "a/b", "1/2/3"] {
            assert!(Share::parse(wrong).is_err_and(|text| text.contains(wrong)), "{wrong}");
        }
    }

    #[test]
    fn a_share_of_the_cases_is_tried_in_order_and_whole_seeds_try_all_of_them() {
        let all: Vec<usize> = (0..100).collect();
        let eighth = Share { of: 1, in_all: 8 };
        let mut tried = BTreeSet::new();
        for seed in 0..60 {
            let some = chosen(all.clone(), eighth, &seed.to_string());
            assert_eq!(some.len(), 13);
            assert!(some.is_sorted(), "{some:?}");
            assert_eq!(some, chosen(all.clone(), eighth, &seed.to_string()));
            tried.extend(some);
        }
        // 13 of 100 each: one that sixty seeds leave out would be one in 4,000 cases.
        assert!(tried.len() > 95, "{} of 100", tried.len());
        assert_eq!(chosen(all.clone(), Share { of: 8, in_all: 8 }, "x"), all);
        assert_eq!(chosen(vec!["one"], eighth, "x"), ["one"]);
        assert_eq!(chosen(Vec::<u8>::new(), eighth, "x"), Vec::<u8>::new());
    }
}
