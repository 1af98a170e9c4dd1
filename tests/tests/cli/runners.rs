//! Two runners at one database, without a shared state.

use std::{collections::BTreeMap, thread, time::Duration};

use envc_tests::{Ran, ServedCloud, TestEnv};
use serde_json::json;

use crate::{
    common::{A, runner, says},
    ledger::{TYPES, one, sql_on},
};

/// Invariant: two runners on one pull request, without a shared state, both end well, and each
/// migration runs once. The rows that the files insert tell.
#[test]
fn two_runners_on_one_pull_request_heal() {
    let spec = format!("{TYPES}kv \"cache\"\nr2 \"files\"\nqueue \"jobs\"\n");
    for round in 0..6 {
        let mut host = TestEnv::of_text(&spec);
        // Slow enough that each meets the other's half-done work.
        let cloud = ServedCloud::start(&mut host, &format!("latency={}", 10 + 15 * round), &[]);
        let runners: Vec<TestEnv> = (0..2).map(|_| runner(&spec, A, &host)).collect();
        for env in &runners {
            for number in 0..4 {
                env.write(
                    &format!("m/000{number}_t.sql"),
                    &format!("CREATE TABLE t{number} (x);\nINSERT INTO t{number} VALUES (1);\n"),
                );
            }
        }
        let apply = |env: &TestEnv| env.envc(&["apply", "--pr", "42", "--yes"]);
        let ended: Vec<Ran> = thread::scope(|scope| {
            let all: Vec<_> = runners.iter().map(|env| scope.spawn(|| apply(env))).collect();
            all.into_iter().map(|it| it.join().expect("it ends")).collect()
        });
        for ran in ended {
            ran.exits(0);
        }
        let listing = cloud.view().listing();
        let one_each = [("d1", 1), ("kv", 1), ("queue", 1), ("r2", 1)];
        let counts = listing.clone().without_claims().counts();
        assert_eq!(counts, BTreeMap::from(one_each), "{listing:?}");
        let id = listing.id("d1", listing.names("d1")[0]).expect("it has an ID");
        let names: Vec<String> = (0..4).map(|number| format!("000{number}_t.sql")).collect();
        assert_eq!(cloud.view().ledger(id), names);
        let rows = sql_on(
            cloud.view(),
            id,
            "SELECT (SELECT count(*) FROM t0) + (SELECT count(*) FROM t3) AS rows",
        );
        assert_eq!(rows, json!([{ "rows": 2 }]));
    }
}

/// The same without chance: the file is in the ledger by the time at which the request with it is
/// refused.
#[test]
fn a_file_that_another_run_applied_meanwhile_is_no_failure() {
    // Their file, and what is said then: the same one is no failure, another one is told.
    for (theirs, code, said) in [
        ("0003_c.sql", 0, "d1.app had 0003_c.sql already"),
        ("0003_d.sql", 1, "another run is applying migrations to this database"),
    ] {
        let mut env = one();
        let cloud = ServedCloud::start(&mut env, "latency=1000", &[]);
        env.envc(&["apply", "--yes"]).exits(0);
        env.write("m/0003_c.sql", "CREATE TABLE c (x);\n");
        let queries = || {
            let all = cloud.requests();
            all.iter().filter(|it| it.path.ends_with("/query")).count()
        };
        let before = queries();
        let running = env.start(&["apply", "--yes"]);
        // The plan's look at the ledger, and the run's: the file is on its way.
        while queries() < before + 2 {
            thread::sleep(Duration::from_millis(5));
        }
        let listing = cloud.view().listing();
        let id = listing.id("d1", listing.names("d1")[0]).expect("it has an ID");
        let quicker =
            format!("CREATE TABLE c (x); INSERT INTO d1_migrations (name) VALUES ('{theirs}');");
        sql_on(cloud.view(), id, &quicker);
        says(&running.end().exits(code), &[said]);
    }
}

/// What README says of fresh runners: without a record an apply knows of nothing that a push dropped,
/// the destroy of the pull request finds it by its name, and where the record is kept the apply deletes
/// it.
#[test]
fn what_a_push_drops_goes_with_the_record_or_with_the_destroy() {
    let after = "project \"shop\"\n\
        environment \"pr\" default { when pr ; identity \"pr-{env.pr}\" ; ttl \"7d\" }\n\
        kv \"cache\"\nallow \"unused_resource\"\n";
    let before = format!("{after}kv \"dropped\"\n");
    let mut host = TestEnv::of_text(&before);
    let cloud = ServedCloud::start(&mut host, "", &[]);
    let dropped = || cloud.view().listing().names("kv").contains(&"shop--dropped--pr-42");
    let apply = ["apply", "--pr", "42", "--yes"];
    runner(&before, A, &host).envc(&apply).exits(0);
    runner(after, A, &host).envc(&apply).exits(0);
    assert!(dropped(), "a fresh runner knows of it by no record");
    runner(after, A, &host).envc(&["destroy", "--pr", "42", "--yes"]).exits(0);
    assert!(!dropped());

    // With the record it goes with the apply.
    let kept = runner(&before, A, &host);
    kept.envc(&apply).exits(0);
    kept.write("environment.kdl", after);
    says(&kept.envc(&apply).exits(0), &["deleted kv.dropped"]);
    assert!(!dropped());
}
