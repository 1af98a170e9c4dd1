//! Everything that is too long to wait for with each change.

use std::time::Instant;

use crate::{
    edge, fuzz,
    run::{Done, Failure, output, say},
    tasks,
};

/// The share of the sweeps' cases that continuous integration tries.
const SHARE_CI: &str = "1/8";

type Step = (&'static str, fn() -> Done);

const STEPS: [Step; 7] = [
    ("every test, and every case of every sweep", || tasks::test_cases("1/1", &[])),
    ("the newcomer's day", tasks::newcomer),
    ("the status page in a browser", edge::browser),
    ("the API as schemathesis sees it", edge::api),
    ("ten minutes of fuzzing", || fuzz::fuzz(&["all".to_owned(), "600".to_owned()])),
    ("benchmarks", || tasks::bench(&[])),
    ("benchmarks of the edge Worker", || tasks::bench(&["edge".to_owned()])),
];

/// Runs all steps, also after one that failed, and ends with a table of them.
pub(crate) fn nightly() -> Done {
    let mut table = Vec::new();
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        say(&format!("\n==== {name}"))?;
        let start = Instant::now();
        let done = step();
        let seconds = start.elapsed().as_secs();
        let how = if done.is_ok() { "ok" } else { "FAILED" };
        table.push(format!("{seconds:6} s  {how:6}  {name}"));
        if let Err(failure) = done {
            failed.push(name);
            let _code = failure.report();
        }
    }
    say(&format!("\n==== Nightly\n{}", table.join("\n")))?;
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::task(format!("{} of {} steps failed", failed.len(), STEPS.len())))
}

/// The share and the seed of the sweeps' cases: what is set, else those of continuous integration,
/// whose seed is the commit.
pub(crate) fn cases() -> Result<[(&'static str, String); 2], Failure> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let seed = match set("ENVC_SEED") {
        Some(seed) => seed,
        None => commit()?,
    };
    let share = set("ENVC_CASES").unwrap_or_else(|| SHARE_CI.to_owned());
    Ok([("ENVC_CASES", share), ("ENVC_SEED", seed)])
}

/// The commit, shortened; none where this is no checkout.
fn commit() -> Result<String, Failure> {
    let mut git = crate::run::command("git", &["rev-parse", "--short=12", "HEAD"])?;
    let head = output(&mut git).unwrap_or_default();
    let head = String::from_utf8_lossy(&head).trim().to_owned();
    Ok(if head.is_empty() { "no commit".to_owned() } else { head })
}
