//! Many scenarios side by side; all failures are told, each with its name.

use std::{
    any::Any,
    fmt::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::cases;

/// Runs every scenario, `threads` at a time, and fails with the names of those that failed.
#[track_caller]
pub fn run_all<S: Sync + std::fmt::Debug>(
    threads: usize,
    scenarios: &[S],
    run: impl Fn(&S) + Sync,
) {
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..threads.clamp(1, scenarios.len().max(1)) {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(scenario))) {
                        let entry = (format!("{scenario:?}"), words(panic.as_ref()));
                        failed.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
                    }
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    failed.sort();
    let mut report = String::new();
    for (name, why) in &failed {
        // Writing to a String cannot fail.
        let _ = writeln!(report, "--- {name}\n{why}");
    }
    let again = cases::repeat();
    assert!(
        failed.is_empty(),
        "{} of {} failed; the same again: {again}cargo xtask test -- NAME\n{report}",
        failed.len(),
        scenarios.len()
    );
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "it panicked without words".to_owned())
}
