//! An API that refuses, is not there, or talks nonsense.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use envc_tests::{ServedCloud, TestEnv, run_all};
use http::Method;
use serde_json::json;

use crate::common::{FIXED, ONE_KV, check, says};

/// A token that looks right and is nobody's.
const WRONG_TOKEN: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The environment's commands go to a server that gives one answer to everything.
fn answers(env: &mut TestEnv, status: &'static str, kind: &'static str, body: &'static str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            // Whatever was asked, and whether or not the asker is still there.
            let _asked = stream.read(&mut request);
            let _answered = write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    env.unset("ENVC_CLOUD")
        .set("CLOUDFLARE_API_BASE_URL", &format!("http://{address}/client/v4"))
        .set("CLOUDFLARE_API_TOKEN", WRONG_TOKEN);
}

#[track_caller]
fn nothing_is_recorded(env: &TestEnv) {
    assert_eq!(env.states().len(), 0);
}

#[test]
fn without_a_token_ci_is_refused() {
    let mut env = TestEnv::of_text(ONE_KV);
    env.unset("ENVC_CLOUD").set("CI", "true");
    check("ci_without_token", &env, &env.envc(&["apply"]));
    let _named = env.envc(&["apply", "--cloud", "local"]).exits(0);
    env.unset("CI");
    check("cloudflare_without_token", &env, &env.envc(&["apply", "--cloud", "cloudflare"]));
}

#[test]
fn a_wrong_token_is_refused_with_the_words_of_the_api() {
    let mut env = TestEnv::of_text(ONE_KV);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    env.set("CLOUDFLARE_API_TOKEN", WRONG_TOKEN);
    check("token_wrong", &env, &env.envc(&["apply"]));
    env.unset("CLOUDFLARE_ACCOUNT_ID");
    check("token_wrong_account_unknown", &env, &env.envc(&["apply"]));
    env.set("CLOUDFLARE_API_TOKEN", "two words\n");
    let ran = env.envc(&["apply"]).exits(1);
    says(&ran, &["API token free of spaces"]);
    assert!(!format!("{ran}").contains("two words"), "{ran}");
    assert!(cloud.view().listing().is_empty());
    nothing_is_recorded(&env);
}

#[test]
fn a_permission_that_is_missing_is_named() {
    let specs = [
        ("kv", "kv \"x\"", "Workers KV Storage Write"),
        ("d1", "d1 \"x\"", "D1 Write"),
        ("r2", "r2 \"x\"", "Workers R2 Storage Write"),
        ("queues", "queue \"x\"", "Queues Write"),
        ("dns", "dns \"x\" type=\"A\" name=\"{env}\" content=\"192.0.2.1\"", "DNS Write"),
        ("zones", "dns \"x\" type=\"A\" name=\"{env}\" content=\"192.0.2.1\"", "Zone Read"),
    ];
    run_all(3, &specs, |(product, resource, permission)| {
        let text = ONE_KV.replace("kv \"cache\"", resource);
        let text = text.replace("\"shop\"\n", "\"shop\" { zone \"shop.example\" }\n");
        let mut env = TestEnv::of_text(&text);
        let _cloud = ServedCloud::start(&mut env, &format!("deny={product}"), &["shop.example"]);
        for args in [&["apply"][..], &["destroy", "--yes"]] {
            let ran = env.envc(args).exits(1);
            says(&ran, &["the API refused the token", &format!("`{permission}`"), "403"]);
        }
        nothing_is_recorded(&env);
    });
}

#[test]
fn a_zone_that_the_account_lacks_is_named() {
    let spec = "project \"shop\" { zone \"shop.example\" }\n\
        environment \"local\" default { identity branch max-length=20 unique }\n\
        kv \"cache\" { allow \"unused_resource\" }\ndns \"web\" type=\"A\" name=\"{env}\" content=\"192.0.2.1\"\n";
    let mut env = TestEnv::of_text(spec);
    let cloud = ServedCloud::start(&mut env, "", &["other.example"]);
    check("zone_missing", &env, &env.envc(&["apply"]));
    assert!(cloud.view().listing().is_empty());
}

#[test]
fn a_namesake_under_a_fixed_name_is_taken_over_only_when_asked() {
    let env = TestEnv::of_text(FIXED);
    let body = json!({"title": "shop--cache--production"});
    let _theirs = env.cloud().of_account(&Method::POST, "/storage/kv/namespaces", Some(&body));
    let before = env.cloud_listing();
    check("namesake", &env, &env.envc(&["apply"]));
    says(
        &env.envc(&["plan"]).exits(0),
        &["apply will refuse: the account already has", "kv.cache"],
    );
    // Nor does destroy take what nothing proves to be ours, or say that there is nothing.
    for args in [&["destroy", "--yes"][..], &["destroy", "--yes", "--if-exists"]] {
        says(&env.envc(args).exits(1), &["nothing proves", "kv.cache", "--adopt"]);
    }
    assert_eq!(env.cloud_listing(), before);
    says(&env.envc(&["apply", "--adopt", "kv.cahe"]).exits(64), &["no kv.cahe", "kv.cache"]);
    assert_eq!(env.cloud_listing(), before);
    let _adopted = env.envc(&["apply", "--adopt", "kv.cache"]).exits(0);
    assert_eq!(env.cloud_listing(), before);
    let _gone = env.envc(&["destroy", "--yes"]).exits(0);
    assert!(env.cloud_listing().is_empty());
}

#[test]
fn an_api_that_is_not_there_is_named() {
    let mut env = TestEnv::of_text(ONE_KV);
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    env.unset("ENVC_CLOUD")
        .set("CLOUDFLARE_API_BASE_URL", &format!("http://{free}/client/v4"))
        .set("CLOUDFLARE_API_TOKEN", WRONG_TOKEN);
    let ran = env.envc(&["apply"]).exits(1);
    says(&ran, &["the API cannot be reached", &format!("no connection to {free}"), "refused"]);
    says(&ran, &["CLOUDFLARE_API_BASE_URL", "trying again"]);
    nothing_is_recorded(&env);
}

/// A server that counts who connects, on an address of this machine.
fn listener() -> (std::net::SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let (address, seen) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&seen);
    thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    (address, seen)
}

#[test]
fn no_token_goes_where_it_can_be_read_on_the_way_and_no_password_is_told() {
    let (address, seen) = listener();
    let port = address.port();
    let mut env = TestEnv::of_text(ONE_KV);
    env.unset("ENVC_CLOUD").set("CLOUDFLARE_API_TOKEN", WRONG_TOKEN);
    for (url, said) in [
        (format!("http://0.0.0.0:{port}/client/v4"), "not encrypted"),
        (format!("HTTP://0.0.0.0:{port}/client/v4"), "not encrypted"),
        (format!("http://[::ffff:127.0.0.1]:{port}/client/v4"), "not encrypted"),
        (format!("http://2130706433:{port}/client/v4"), "host"),
        (format!("http://127.1:{port}/client/v4"), "host"),
        (format!("http://localhost.:{port}/client/v4"), "not encrypted"),
        ("http://localhost.evil.example/client/v4".to_owned(), "not encrypted"),
        (format!("http://user:passw0rd@127.0.0.1:{port}/client/v4"), "a user or a password"),
        (format!("http://127.0.0.1@passw0rd.example:{port}/x"), "a user or a password"),
        (format!("http://127.0.0.1:{port}/client/v4?token=passw0rd"), "a query"),
        (format!("http://127.0.0.1:{port}/client/v4#passw0rd"), "a fragment"),
        ("passw0rd".to_owned(), "does not begin with https://"),
        ("ftp://127.0.0.1/passw0rd".to_owned(), "does not begin with https://"),
    ] {
        env.set("CLOUDFLARE_API_BASE_URL", &url);
        let id = ["destroy", "--yes", "-v", "--id", "main-t1a2b3beef"];
        for args in [&["plan"][..], &["apply", "--json"], &id] {
            let ran = env.envc(args).exits(64);
            says(&ran, &["no API token is sent", "CLOUDFLARE_API_BASE_URL", said]);
            assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("passw0rd:"), "{ran}");
            let told = format!("{}{}", ran.stdout, ran.stderr);
            assert!(!told.contains("user:"), "{ran}");
            assert!(!told.contains("token=") && !told.contains("#passw0rd"), "{ran}");
        }
    }
    assert_eq!(seen.load(Ordering::SeqCst), 0);
    nothing_is_recorded(&env);
}

#[test]
fn what_is_no_accounts_id_is_refused_before_anything_is_sent() {
    let (address, seen) = listener();
    let mut env = TestEnv::of_text(ONE_KV);
    env.unset("ENVC_CLOUD").set("CLOUDFLARE_API_TOKEN", WRONG_TOKEN);
    env.set("CLOUDFLARE_API_BASE_URL", &format!("http://127.0.0.1:{}/client/v4", address.port()));
    for id in ["..", ".", "a/b", "%2e%2e", "../../user", "0123", "0123456789abcdef0123456789abcdeg"]
    {
        env.set("CLOUDFLARE_ACCOUNT_ID", id);
        let id = ["destroy", "--yes", "--id", "main-t1a2b3beef"];
        for args in [&["plan"][..], &["apply"], &id] {
            says(&env.envc(args).exits(64), &["CLOUDFLARE_ACCOUNT_ID", "32 hexadecimal digits"]);
        }
    }
    assert_eq!(seen.load(Ordering::SeqCst), 0);
    nothing_is_recorded(&env);
}

#[test]
fn an_account_of_odd_identifiers_is_no_way_to_another_path() {
    for id in ["..", ".", "a/../b", ""] {
        let body = format!(
            "{{\"success\":true,\"result\":[{{\"id\":\"{id}\",\"name\":\"n\",\"title\":\"t\"}}]}}"
        );
        let mut env = TestEnv::of_text(ONE_KV);
        answers(&mut env, "200 OK", "application/json", body.leak());
        env.unset("CLOUDFLARE_ACCOUNT_ID");
        says(&env.envc(&["apply"]).exits(1), &["the API token sees no account"]);
        nothing_is_recorded(&env);
    }
}

#[test]
fn totals_that_no_list_has_are_neither_believed_nor_counted_with() {
    let totals = [
        "\"total_count\":18446744073709551615,\"per_page\":1",
        "\"total_count\":18446744073709551615,\"per_page\":0",
        "\"total_count\":1e300,\"per_page\":-1,\"total_pages\":18446744073709551615",
    ];
    run_all(totals.len(), &totals, |info| {
        let body = format!(
            "{{\"success\":true,\"errors\":[],\"messages\":[],\"result\":[\
             {{\"id\":\"a\",\"title\":\"t\"}}],\"result_info\":{{{info}}}}}"
        );
        let mut env = TestEnv::of_text(ONE_KV);
        answers(&mut env, "200 OK", "application/json", body.leak());
        env.set("CLOUDFLARE_ACCOUNT_ID", &"0".repeat(32));
        let ran = env.envc(&["plan"]);
        assert!(!ran.stderr.contains("panicked") && !ran.stderr.contains("overflow"), "{ran}");
        assert!(matches!(ran.code, Some(0 | 1)), "{ran}");
    });
}

#[test]
fn an_api_without_its_path_says_what_belongs_there() {
    let mut env = TestEnv::of_text(ONE_KV);
    let cloud = ServedCloud::start(&mut env, "", &[]);
    let base = cloud.base_url().trim_end_matches("/client/v4").to_owned();
    env.set("CLOUDFLARE_API_BASE_URL", &base).unset("CLOUDFLARE_ACCOUNT_ID");
    says(&env.envc(&["apply"]).exits(1), &["with /client/v4", "CLOUDFLARE_API_BASE_URL"]);
}

#[test]
fn nonsense_is_no_answer_and_never_looks_like_an_empty_account() {
    let list = "{\"success\": true, \"errors\": [], \"messages\": [], \"result\": {\"a\": 1}}";
    let answered = [
        ("200 OK", "text/html", "<html>Just a moment</html>", "not an API answer: `<html>Just"),
        ("200 OK", "application/json", "null", "HTTP 200 with something that is not an API answer"),
        ("200 OK", "application/json", "{\"hello\": [1]}", "not an API answer"),
        ("200 OK", "application/json", list, "is not a list"),
        ("502 Bad Gateway", "text/plain", "bad gateway", "HTTP 502"),
    ];
    // Each is tried again for a while: they wait side by side.
    run_all(answered.len(), &answered, |(status, kind, body, words)| {
        let mut env = TestEnv::of_text(ONE_KV);
        answers(&mut env, status, kind, body);
        env.set("CLOUDFLARE_ACCOUNT_ID", "0123456789abcdef0123456789abcdef");
        let ran = env.envc(&["apply"]).exits(1);
        says(&ran, &["error: the API", "/storage/kv/namespaces", words]);
        nothing_is_recorded(&env);
    });
}

#[test]
fn a_slow_api_is_waited_for_and_a_hiccup_is_tried_again() {
    let faults =
        ["latency=300", "html-on=1", "null-body-on=2", "error-on=1+3", "drop-request-on=2"];
    run_all(faults.len(), &faults, |faults| {
        let mut env = TestEnv::of_text(ONE_KV);
        let cloud = ServedCloud::start(&mut env, faults, &[]);
        let _applied = env.envc(&["apply"]).exits(0);
        assert_eq!(cloud.view().listing().names("kv").len(), 1, "{faults}");
        let _gone = env.envc(&["destroy", "--yes"]).exits(0);
        assert!(cloud.view().listing().is_empty(), "{faults}");
    });
}

#[test]
fn one_step_that_is_refused_loses_nothing_of_the_others() {
    let env = TestEnv::new("quickstart");
    let args = ["apply", "--parallelism", "1"];
    let ran = env.envc_with_faults("fail=POST:/r2/buckets:400:10005:no more buckets", &args);
    check("step_refused", &env, &ran);
    assert_eq!(env.cloud_listing().counts().values().sum::<usize>(), 4);
    assert_eq!(env.read(".env"), None, "files come last");
    let _carries_on = env.envc(&args).exits(0);
    assert_eq!(env.cloud_listing().counts().values().sum::<usize>(), 5);
}

/// A server that ignores which page of a list it is asked for.
#[test]
fn a_list_without_an_end_is_told_with_its_code() {
    let namespace = "{\"id\":\"a\",\"title\":\"shop\"}";
    let body = format!(
        "{{\"success\":true,\"errors\":[],\"messages\":[],\"result\":[{}],\
         \"result_info\":{{\"page\":1,\"per_page\":100,\"count\":100}}}}",
        [namespace; 100].join(",")
    );
    let mut env = TestEnv::of_text(ONE_KV);
    answers(&mut env, "200 OK", "application/json", body.leak());
    env.set("CLOUDFLARE_ACCOUNT_ID", &"0".repeat(32));
    let ran = env.envc(&["plan", "--json"]).exits(1);
    says(&ran, &["envc::cli::endless_list", "the same page of this list again and again"]);
}
