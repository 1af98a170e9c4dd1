//! Whether a recorded history of a pool is linearizable: whether each call can be given one
//! instant between its begin and its end so that, in the order of the instants, a plain pool
//! answers every call as it was answered.
//!
//! Exact, after Wing and Gong, with Lowe's memory of what was tried: every order is tried that
//! could matter. Two things keep that short. A call that only looks is put in as soon as it fits,
//! which loses nothing, because it changes nothing. And among calls that change something the one
//! that ended first is tried first, because it is the one that must come first most often.

use std::collections::BTreeSet;

/// What one call saw or did. Members, leases and holders are numbers of the test's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The member was free and the holder had none; now it has it under this lease.
    Granted { member: usize, lease: usize, holder: usize },
    /// The holder had this member under this lease.
    Kept { member: usize, lease: usize, holder: usize },
    /// No member was free, and the holder had none.
    Empty { holder: usize },
    /// The lease was live on this member.
    Renewed { member: usize, lease: usize },
    /// The lease was not live.
    Gone { lease: usize },
    /// If the lease was live, its member is free now.
    Released { lease: usize },
}

/// One call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    pub(crate) begin: u64,
    pub(crate) end: u64,
    pub(crate) seen: Seen,
}

/// The pool: who holds each member, as (lease, holder).
type State = Vec<Option<(usize, usize)>>;

/// How many orders are tried before the check gives up, which is a failure.
const ATTEMPTS_MAX: u64 = 20_000_000;

fn holds(state: &State, holder: usize) -> bool {
    state.iter().flatten().any(|(_, by)| *by == holder)
}

/// The state after a call that fits into this one; `None` if it does not fit.
fn after(state: &State, seen: Seen) -> Option<State> {
    let is_live = |lease| state.iter().flatten().any(|(live, _)| *live == lease);
    let same = |fits: bool| fits.then(|| state.clone());
    match seen {
        Seen::Granted { member, lease, holder } => {
            let fits = state[member].is_none() && !holds(state, holder);
            let mut next = state.clone();
            next[member] = Some((lease, holder));
            fits.then_some(next)
        }
        Seen::Kept { member, lease, holder } => same(state[member] == Some((lease, holder))),
        Seen::Empty { holder } => same(state.iter().all(Option::is_some) && !holds(state, holder)),
        Seen::Renewed { member, lease } => {
            same(state[member].is_some_and(|(live, _)| live == lease))
        }
        Seen::Gone { lease } => same(!is_live(lease)),
        Seen::Released { lease } => {
            Some(state.iter().map(|held| held.filter(|(live, _)| *live != lease)).collect())
        }
    }
}

/// Whether a call changes nothing wherever it fits. A release is none of these: one that comes
/// too early to end its lease would also have fitted later, and ended it.
const fn only_looks(seen: Seen) -> bool {
    match seen {
        Seen::Granted { .. } | Seen::Released { .. } => false,
        Seen::Kept { .. } | Seen::Empty { .. } | Seen::Renewed { .. } | Seen::Gone { .. } => true,
    }
}

/// How far the search has come: everything before `first` is placed, and these besides.
#[derive(Clone)]
struct Placed {
    first: usize,
    besides: BTreeSet<usize>,
    state: State,
}

impl Placed {
    fn place(&mut self, index: usize, state: State) {
        self.besides.insert(index);
        while self.besides.remove(&self.first) {
            self.first += 1;
        }
        self.state = state;
    }

    /// The calls that may come next: begun before every call that is not placed ended. In the
    /// order of their ends.
    fn candidates(&self, calls: &[Call]) -> Vec<usize> {
        let mut open = Vec::new();
        let mut first_end = u64::MAX;
        for (index, call) in calls.iter().enumerate().skip(self.first) {
            // Calls stand in the order of their begins.
            if call.begin > first_end {
                break;
            }
            if !self.besides.contains(&index) {
                first_end = first_end.min(call.end);
                open.push(index);
            }
        }
        open.retain(|index| calls[*index].begin <= first_end);
        open.sort_by_key(|index| calls[*index].end);
        open
    }

    /// Places every call that fits and changes nothing.
    fn place_looks(&mut self, calls: &[Call]) {
        loop {
            let fits = |index: &usize| {
                let seen = calls[*index].seen;
                only_looks(seen) && after(&self.state, seen).is_some()
            };
            let Some(index) = self.candidates(calls).into_iter().find(fits) else { return };
            self.place(index, self.state.clone());
        }
    }
}

/// Checks a history of a pool with so many members, all free at first. On failure tells how far
/// any order came, and the calls that could not be placed there.
pub(crate) fn check(mut calls: Vec<Call>, members: usize) -> Result<(), String> {
    calls.sort_by_key(|call| (call.begin, call.end));
    let mut start = Placed { first: 0, besides: BTreeSet::new(), state: vec![None; members] };
    start.place_looks(&calls);
    let mut tried = BTreeSet::new();
    let mut furthest = start.clone();
    let candidates = start.candidates(&calls);
    let mut stack = vec![(start, candidates.into_iter())];
    let mut attempts = 0_u64;
    while let Some((placed, candidates)) = stack.last_mut() {
        if placed.first == calls.len() {
            return Ok(());
        }
        let Some(index) = candidates.next() else {
            stack.pop();
            continue;
        };
        let Some(state) = after(&placed.state, calls[index].seen) else { continue };
        let mut next = placed.clone();
        next.place(index, state);
        next.place_looks(&calls);
        attempts += 1;
        if attempts > ATTEMPTS_MAX {
            return Err(format!("undecided after {attempts} attempts"));
        }
        if tried.insert((next.first, next.besides.clone(), next.state.clone())) {
            if next.first > furthest.first {
                furthest = next.clone();
            }
            let candidates = next.candidates(&calls);
            stack.push((next, candidates.into_iter()));
        }
    }
    let open_calls: Vec<Call> =
        furthest.candidates(&calls).into_iter().map(|index| calls[index]).collect();
    Err(format!(
        "no order explains the history: {} of {} calls, then in {:?} one of {open_calls:?}",
        furthest.first,
        calls.len(),
        furthest.state
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(begin: u64, end: u64, seen: Seen) -> Call {
        Call { begin, end, seen }
    }

    const fn granted(member: usize, lease: usize, holder: usize) -> Seen {
        Seen::Granted { member, lease, holder }
    }

    #[test]
    fn overlapping_calls_may_be_put_in_any_order() {
        let history = vec![
            call(0, 10, granted(0, 1, 1)),
            call(0, 10, Seen::Empty { holder: 2 }),
            call(5, 30, Seen::Released { lease: 1 }),
            call(11, 20, Seen::Renewed { member: 0, lease: 1 }),
            call(12, 40, granted(0, 2, 2)),
            call(15, 50, Seen::Gone { lease: 1 }),
            call(41, 60, Seen::Kept { member: 0, lease: 2, holder: 2 }),
        ];
        check(history, 1).unwrap();
    }

    #[test]
    fn what_a_pool_must_not_do_is_found() {
        let hold = call(0, 1, granted(0, 1, 1));
        for (what, members, wrong) in [
            ("held twice", 1, vec![hold, call(2, 3, granted(0, 2, 2))]),
            ("two for one holder", 2, vec![hold, call(2, 3, granted(1, 2, 1))]),
            (
                "another lease kept",
                1,
                vec![hold, call(2, 3, Seen::Kept { member: 0, lease: 9, holder: 1 })],
            ),
            ("empty and not full", 2, vec![hold, call(2, 3, Seen::Empty { holder: 2 })]),
            ("lost", 1, vec![hold, call(2, 3, Seen::Gone { lease: 1 })]),
            (
                "never given back",
                1,
                vec![
                    hold,
                    call(2, 3, Seen::Released { lease: 1 }),
                    call(4, 5, Seen::Empty { holder: 2 }),
                ],
            ),
            (
                "a stale lease renewed",
                1,
                vec![
                    hold,
                    call(2, 3, Seen::Released { lease: 1 }),
                    call(4, 5, Seen::Renewed { member: 0, lease: 1 }),
                ],
            ),
            (
                "released before it was granted",
                1,
                vec![
                    hold,
                    call(2, 9, Seen::Released { lease: 1 }),
                    call(3, 4, granted(0, 2, 2)),
                    call(5, 6, Seen::Renewed { member: 0, lease: 1 }),
                ],
            ),
        ] {
            assert!(check(wrong, members).is_err(), "{what}");
        }
    }

    /// Every order of few calls, to compare with.
    fn by_brute_force(calls: &[Call], placed: &mut Vec<usize>, state: &State) -> bool {
        if placed.len() == calls.len() {
            return true;
        }
        let open: Vec<usize> = (0..calls.len()).filter(|index| !placed.contains(index)).collect();
        let first_end = open.iter().map(|index| calls[*index].end).min().unwrap();
        open.into_iter().filter(|index| calls[*index].begin <= first_end).any(|index| {
            let Some(next) = after(state, calls[index].seen) else { return false };
            placed.push(index);
            let found = by_brute_force(calls, placed, &next);
            placed.pop();
            found
        })
    }

    #[test]
    fn it_agrees_with_trying_every_order() {
        let mut dice = 0x2545_f491_4f6c_dd1d_u64;
        let mut below = |bound: u64| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            usize::try_from(dice % bound).unwrap()
        };
        let mut good = 0;
        for _ in 0..4_000 {
            let calls: Vec<Call> = (0..6)
                .map(|_| {
                    let (member, lease, holder) = (below(2), below(3), below(2));
                    let seen = match below(6) {
                        0 => Seen::Kept { member, lease, holder },
                        1 => Seen::Empty { holder },
                        2 => Seen::Released { lease },
                        3 => Seen::Gone { lease },
                        _ => Seen::Granted { member, lease, holder },
                    };
                    let begin = below(12) as u64;
                    call(begin, begin + 1 + below(8) as u64, seen)
                })
                .collect();
            let expected = by_brute_force(&calls, &mut Vec::new(), &vec![None; 2]);
            assert_eq!(check(calls.clone(), 2).is_ok(), expected, "{calls:?}");
            good += u32::from(expected);
        }
        assert!(good > 100, "{good} histories were good");
    }
}
