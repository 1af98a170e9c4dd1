//! The moods of the real API, one at a time: what is made is not seen yet, a refusal passes, an answer
//! comes in another shape. Each is a word of `--faults`, and a run gets through it.

use envc_tests::{Ran, ServedCloud, TestEnv, all_or_none, run_all, some_of};
use http::Method;
use serde_json::json;

use crate::common::{edit, says};

const ZONE: &str = "shop.example";
const CODE: &str =
    "export default { fetch() { return new Response(\"x\") }, queue(b) {}, scheduled(e) {} };\n";

/// Everything that hangs on something else.
const SPEC: &str = "project \"shop\" { zone \"shop.example\" }\n\
    environment \"local\" default { identity branch max-length=20 unique }\n\
    d1 \"main\" { migrations \"m\" }\n\
    kv \"cache\"\nr2 \"files\"\nqueue \"jobs\"\nvectorize \"index\" dimensions=3 metric=\"cosine\"\n\
    worker \"api\" path=\".\" deploy=\"bundle\" bundle=\"dist\" compatibility-date=\"2026-09-01\" {\n\
    \x20   bind \"DB\" d1=\"main\"\n    bind \"KV\" kv=\"cache\"\n    bind \"R2\" r2=\"files\"\n\
    \x20   bind \"JOBS\" queue=\"jobs\"\n    bind \"V\" vectorize=\"index\"\n\
    \x20   consume \"jobs\"\n    cron \"0 * * * *\"\n\
    \x20   route \"r-{env}.{zone}/*\"\n    domain \"d-{env}.{zone}\"\n}\n";

fn world() -> TestEnv {
    let env = TestEnv::of_text(SPEC);
    env.write("dist/index.js", CODE);
    env.write("m/0001.sql", "CREATE TABLE notes (x);\n");
    env
}

/// A fresh environment gets through a mood: applied in one run, and nothing is left to do.
#[track_caller]
fn applies(faults: &str) -> Ran {
    let mut env = world();
    let cloud = ServedCloud::start(&mut env, faults, &[ZONE]);
    let ran = env.envc(&["apply", "--yes"]).exits(0);
    // Asked beside the faults.
    assert!(!cloud.view().listing().names("worker").is_empty(), "{ran}");
    ran
}

#[test]
fn what_an_upload_binds_is_waited_for() {
    for pair in ["kv", "r2", "d1", "queues", "vectorize"] {
        let _waited = applies(&format!("lag-tries={pair}:3"));
        let _waited = applies(&format!("lag={pair}:1500"));
    }
}

#[test]
fn what_hangs_on_an_upload_waits_for_it() {
    for pair in ["routes", "schedules", "domains", "consumers"] {
        let _waited = applies(&format!("lag-tries={pair}:3"));
        let _waited = applies(&format!("lag={pair}:1500"));
    }
}

#[test]
fn a_first_upload_that_meets_a_bare_404_is_tried_again() {
    let _passed = applies("upload-404=2");
}

/// The same refusal of something that was there before the run is final at once.
#[test]
fn what_was_there_before_and_is_not_seen_is_not_waited_for() {
    let mut env = world();
    let first = ServedCloud::start(&mut env, "", &[ZONE]);
    let _made = env.envc(&["apply", "--yes"]).exits(0);
    drop(first);
    env.write("dist/index.js", &CODE.replace("\"x\"", "\"y\""));
    let refused = "fail=PUT:/workers/scripts:400:10041:KV namespace not found";
    let cloud = ServedCloud::start(&mut env, refused, &[ZONE]);
    let ran = env.envc(&["apply", "--yes"]).exits(1);
    says(&ran, &["KV namespace not found"]);
    let uploads = cloud.requests().iter().filter(|it| it.method == "PUT").count();
    assert_eq!(uploads, 1, "{ran}");
}

#[test]
fn a_passing_401_or_403_is_asked_once_more() {
    for refusal in [
        "fail-once=GET:/d1/database:403:10000:Authentication error",
        "fail-once=POST:/queues:401:10000:Authentication error",
        "fail-once=PUT:/workers/scripts:403:10023:kv bindings require kv write perms",
    ] {
        let _passed = applies(refusal);
    }
    let _passed = applies("passing-auth=1");
}

#[test]
fn a_second_refusal_of_the_token_is_believed() {
    let mut env = world();
    let _cloud = ServedCloud::start(
        &mut env,
        "fail=GET:/d1/database:403:10000:Authentication error",
        &[ZONE],
    );
    let ran = env.envc(&["apply", "--yes"]).exits(1);
    says(&ran, &["the API refused the token"]);
}

const TRIGGER: &str = "CREATE TABLE a (x);\nCREATE TRIGGER a_ai AFTER INSERT ON a begin\n  \
    UPDATE a SET x = 1;\n  DELETE FROM a WHERE x = 2;\nend;\n";

#[test]
fn migrations_with_triggers_are_applied_where_a_query_cuts_them() {
    let mut env = world();
    env.write("m/0002.sql", TRIGGER);
    env.write(
        "m/0003.sql",
        &"INSERT INTO a VALUES ('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx');\n".repeat(800),
    );
    let cloud = ServedCloud::start(&mut env, "split-sql", &[ZONE]);
    let _applied = env.envc(&["apply", "--yes"]).exits(0);
    let listing = cloud.view().listing();
    let name = listing.names("d1").first().map(|it| (*it).to_owned()).unwrap();
    let database = listing.id("d1", &name).unwrap();
    assert_eq!(cloud.view().ledger(database), ["0001.sql", "0002.sql", "0003.sql"]);
}

#[test]
fn texts_of_d1_that_ask_to_try_again_are_followed_with_a_look_at_the_ledger() {
    for seed in 0..6 {
        let mut env = world();
        let faults = format!("d1-again=1,seed={seed}");
        let cloud = ServedCloud::start(&mut env, &faults, &[ZONE]);
        let _applied = env.envc(&["apply", "--yes"]).exits(0);
        let listing = cloud.view().listing();
        let name = listing.names("d1").first().map(|it| (*it).to_owned()).unwrap();
        let database = listing.id("d1", &name).unwrap();
        assert_eq!(cloud.view().ledger(database), ["0001.sql"], "{faults}");
    }
}

#[test]
fn a_block_of_the_token_is_waited_out_in_each_of_its_forms() {
    let forms = |headers: &[&str]| -> Vec<String> {
        let bodies = ["971", "10429", "null", "text", "page"];
        headers.iter().flat_map(|header| bodies.map(|body| format!("{header}:{body}"))).collect()
    };
    // Without a header half a minute is waited, and more.
    let mut all = some_of(forms(&["seconds", "date"]));
    all.extend(all_or_none(forms(&["none"])));
    run_all(5, &all, |form| {
        let _passed = applies(&format!("block=4:2000:{form}"));
    });
}

/// An upload that fails because of another one is made after it; domains go one after the other at once.
#[test]
fn uploads_that_bear_no_other_one_beside_them_are_made_one_after_the_other() {
    const WORKERS: usize = 6;
    let worker = |n| {
        format!(
            "worker \"w{n}\" path=\"w{n}\" deploy=\"bundle\" bundle=\"dist\" \
             compatibility-date=\"2026-09-01\" {{ domain \"w{n}-{{env}}.{{zone}}\"; }}\n"
        )
    };
    let workers: String = (0..WORKERS).map(worker).collect();
    let mut env = TestEnv::of_text(&format!(
        "project \"shop\" {{ zone \"{ZONE}\"; }}\n\
         environment \"local\" default {{ identity branch max-length=20 unique }}\n{workers}"
    ));
    for n in 0..WORKERS {
        env.write(&format!("w{n}/dist/index.js"), CODE);
    }
    let cloud = ServedCloud::start(&mut env, "one-upload,latency=150", &[ZONE]);
    let ran = env.envc(&["apply", "--yes"]).exits(0);
    let listing = cloud.view().listing();
    assert_eq!(listing.names("worker").len(), WORKERS, "{ran}");
    assert_eq!(listing.names("worker-domain").len(), WORKERS, "{ran}");
    let log = cloud.requests();
    let failed = |part: &str| {
        let of = log.iter().filter(|it| it.method == "PUT" && it.path.contains(part));
        of.filter(|it| it.status == 500).count()
    };
    // All but one of the first ones, and none after that.
    assert_eq!((failed("/scripts/"), failed("/domains")), (WORKERS - 1, 0), "{log:#?}");
}

#[test]
fn a_bucket_with_open_uploads_says_what_is_in_it() {
    let mut env = world();
    let cloud = ServedCloud::start(&mut env, "open-uploads=2", &[ZONE]);
    let _made = env.envc(&["apply", "--yes"]).exits(0);
    let ran = env.envc(&["destroy", "--yes"]).exits(1);
    says(&ran, &["multipart uploads", "lifecycle"]);
    assert_eq!(cloud.view().listing().names("r2").len(), 1);
}

#[test]
fn emptying_a_bucket_stops_when_nothing_goes() {
    let mut env = world();
    let cloud = ServedCloud::start(&mut env, "kept-objects", &[ZONE]);
    let _made = env.envc(&["apply", "--yes"]).exits(0);
    let listing = cloud.view().listing();
    let bucket = listing.names("r2").first().map(|it| (*it).to_owned()).unwrap();
    let path = format!("/r2/buckets/{bucket}/objects/k");
    let _put = cloud.view().of_account(&Method::PUT, &path, Some(&json!("v")));
    let before = cloud.requests().len();
    let _stopped = env.envc(&["destroy", "--yes"]).exits(1);
    let deletes = cloud.requests().split_off(before);
    let bulk = deletes.iter().filter(|it| it.method == "DELETE" && it.path.ends_with("/objects"));
    assert!(bulk.count() < 20);
}

#[test]
fn what_was_just_let_go_is_waited_for_at_the_end() {
    let mut env = world();
    let cloud = ServedCloud::start(&mut env, "lag=script-delete:12000", &[ZONE]);
    let _made = env.envc(&["apply", "--yes"]).exits(0);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(cloud.view().listing().is_empty());
}

#[test]
fn bodies_without_what_is_empty_and_headers_that_do_not_count_are_read() {
    for faults in
        ["bare-failures", "null-arrays", "bare-validation", "limit-headers=none", "coded-conflict"]
    {
        let mut env = world();
        let cloud = ServedCloud::start(&mut env, faults, &[ZONE]);
        let _made = env.envc(&["apply", "--yes"]).exits(0);
        let _same = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
        let _gone = env.envc(&["destroy", "--yes"]).exits(0);
        assert!(cloud.view().listing().is_empty(), "{faults}");
    }
}

#[test]
fn a_whole_life_passes_with_all_moods_together() {
    let mut env = world();
    env.write("m/0002.sql", TRIGGER);
    let cloud = ServedCloud::start(&mut env, "reality=1/50,seed=11", &[ZONE]);
    let _made = env.envc(&["apply", "--yes"]).exits(0);
    let _same = env.envc(&["plan", "--detailed-exitcode"]).exits(0);
    edit(&env, "    cron \"0 * * * *\"\n", "    cron \"5 * * * *\"\n");
    let _changed = env.envc(&["apply", "--yes"]).exits(0);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(cloud.view().listing().is_empty());
}
