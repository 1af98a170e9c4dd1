//! Whatever is wrong with a request gets its documented problem, and nothing else out of the
//! Worker: no 500, no token, nothing of another holder's.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use envc_edge_api::{Lease, ProblemType, TokenCreated};
use serde_json::json;

use crate::common::{admin, call, check_problem, leased, put_members, token};
use crate::http::{Answer, Ask, ask, send};
use crate::workerd::Workerd;

const LEASES: &str = "/v1/pools/previews/leases";
const STATE: &str = "/v1/state/cloudflare/acc/shop/pr-1";
const LOCK: &str = "/v1/state/cloudflare/acc/shop/pr-1/lock";
const ENVIRONMENT: &str = "/v1/environments/shop.pr-1";

/// Everything that needs a token, and the scopes of which it needs one.
const GUARDED: &[(&str, &str, &str)] = &[
    ("GET", "/v1/pools", "read,pool"),
    ("GET", "/v1/pools/previews", "read,pool"),
    ("POST", LEASES, "pool"),
    ("GET", LEASES, "read,pool"),
    ("PUT", "/v1/pools/previews/leases/x", "pool"),
    ("DELETE", "/v1/pools/previews/leases/x", "pool"),
    ("DELETE", "/v1/pools/previews/tickets/x", "pool"),
    ("GET", "/v1/pools/previews/members", "read"),
    ("PUT", "/v1/pools/previews/members", ""),
    ("GET", "/v1/pools/previews/reclaims", "read"),
    ("POST", "/v1/pools/previews/reclaims", ""),
    ("GET", "/v1/state", ""),
    ("GET", "/v1/state/cloudflare/acc/shop", "state"),
    ("GET", STATE, "state"),
    ("PUT", STATE, "state"),
    ("DELETE", STATE, "state"),
    ("GET", LOCK, "state"),
    ("POST", LOCK, "state"),
    ("DELETE", LOCK, ""),
    ("PUT", "/v1/state/cloudflare/acc/shop/pr-1/lock/x", "state"),
    ("DELETE", "/v1/state/cloudflare/acc/shop/pr-1/lock/x", "state"),
    ("GET", "/v1/state/cloudflare/acc/shop/pr-1/versions", "state"),
    ("GET", "/v1/state/cloudflare/acc/shop/pr-1/versions/1", "state"),
    ("GET", "/v1/environments", "read,report"),
    ("GET", ENVIRONMENT, "read,report"),
    ("PUT", ENVIRONMENT, "report"),
    ("DELETE", ENVIRONMENT, "report"),
    ("GET", "/v1/probes", "read"),
    ("PUT", "/v1/probes", ""),
    ("POST", "/v1/probes", ""),
    ("GET", "/v1/status", "read"),
    ("GET", "/status", "read"),
    ("GET", "/metrics", "read"),
    ("GET", "/badge/shop.pr-1.svg", "read"),
    ("GET", "/v1/tokens", ""),
    ("POST", "/v1/tokens", ""),
    ("DELETE", "/v1/tokens/x", ""),
];

/// Everything that takes a body.
const WITH_BODY: &[(&str, &str, &str)] = &[
    ("POST", LEASES, r#"{"holder":"shop/pr-9"}"#),
    ("PUT", "/v1/pools/previews/leases/x", "{}"),
    ("PUT", "/v1/pools/previews/members", r#"{"members":[]}"#),
    ("POST", "/v1/pools/previews/reclaims", r#"{"class":"idle","reason":"x"}"#),
    ("POST", LOCK, r#"{"holder":"a","purpose":"b"}"#),
    ("PUT", "/v1/state/cloudflare/acc/shop/pr-1/lock/x", "{}"),
    ("PUT", ENVIRONMENT, r#"{"project":"shop","type":"preview","owner":"a","outcome":"applied"}"#),
    ("PUT", "/v1/probes", r#"{"zones":[]}"#),
    ("POST", "/v1/tokens", r#"{"subject":"a","scopes":["read"]}"#),
];

/// What must stand in no answer to somebody else.
const SECRETS: [&str; 2] = ["hunter2-hunter2", "p_7-internal"];

/// A Worker with a pool of one, leased to `shop/pr-1` of the subject `mine`.
fn start() -> (Workerd, Lease) {
    let workerd = Workerd::start_with_clock();
    let at = workerd.address;
    let body = json!({ "members": [{
        "id": "m0", "attributes": { "livekit": SECRETS[1] }, "secrets": { "KEY": SECRETS[0] },
    }] });
    let put = admin(at, "PUT", "/v1/pools/previews/members", &body.to_string());
    assert_eq!(put.status, 200, "{put:?}");
    let lease = leased(at, &token(at, "mine", "pool").token, "previews", "shop/pr-1");
    (workerd, lease)
}

/// That an answer is the problem, and says nothing that it must not.
#[track_caller]
fn check_refusal(answer: &Answer, expected: ProblemType, leaks: &[&str]) {
    check_problem(answer, expected);
    let whole = format!("{answer:?}");
    for secret in leaks.iter().chain(&SECRETS) {
        assert!(!whole.contains(secret), "{secret} is in {whole}");
    }
    for (name, value) in [
        ("set-cookie", ""),
        ("x-injected", ""),
        ("access-control-allow-origin", ""),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), value, "{name} of {whole}");
    }
}

#[test]
fn without_a_good_token_of_the_right_scope_nothing_is_told() {
    let (workerd, lease) = start();
    let at = workerd.address;
    let expired = r#"{"subject":"late","scopes":["admin"],"ttl_seconds":1}"#;
    let expired: TokenCreated = admin(at, "POST", "/v1/tokens", expired).json();
    let revoked = token(at, "left", "admin");
    let path = format!("/v1/tokens/{}", revoked.summary.token_id);
    assert_eq!(admin(at, "DELETE", &path, "").status, 204);
    let one_of_each: Vec<(&str, TokenCreated)> = ["pool", "report", "state", "read"]
        .map(|scope| (scope, token(at, &format!("only-{scope}"), scope)))
        .into();
    workerd.go_ahead(1_100);
    for (method, target, scopes) in GUARDED {
        let missing = send(at, method, target);
        check_refusal(&missing, ProblemType::Unauthenticated, &[&lease.lease_id]);
        for bad in ["wrong", &expired.token, &revoked.token] {
            let answer = call(at, bad, method, target, "");
            check_refusal(&answer, ProblemType::Unauthenticated, &[bad, &lease.lease_id]);
        }
        for (scope, made) in &one_of_each {
            if !scopes.split(',').any(|it| it == *scope) {
                let answer = call(at, &made.token, method, target, "");
                let secret = made.token.rsplit('_').next().unwrap();
                check_refusal(&answer, ProblemType::Forbidden, &[secret, &lease.lease_id]);
            }
        }
    }
}

#[test]
fn another_subjects_token_gets_nothing_of_a_holder() {
    let (workerd, lease) = start();
    let at = workerd.address;
    let foreign = token(at, "foreign", "pool,read,state").token;
    let leaks: [&str; 1] = [&lease.lease_id];
    let path = format!("{LEASES}/{}", lease.lease_id);
    let same = call(at, &foreign, "POST", LEASES, r#"{"holder":"shop/pr-1"}"#);
    check_refusal(&same, ProblemType::HolderTaken, &leaks);
    check_refusal(&call(at, &foreign, "PUT", &path, ""), ProblemType::Forbidden, &leaks);
    check_refusal(&call(at, &foreign, "DELETE", &path, ""), ProblemType::Forbidden, &leaks);
    let empty = call(at, &foreign, "POST", LEASES, r#"{"holder":"shop/pr-2"}"#);
    check_refusal(&empty, ProblemType::PoolEmpty, &leaks);
    let list = call(at, &foreign, "GET", LEASES, "");
    assert_eq!(list.status, 200);
    assert!(!list.body.contains(&lease.lease_id) && !list.body.contains(SECRETS[1]), "{list:?}");
    let members = call(at, &foreign, "GET", "/v1/pools/previews/members", "").body;
    assert!(!members.contains(SECRETS[0]), "{members}");

    let mine = token(at, "mine", "state").token;
    let lock = call(at, &mine, "POST", LOCK, r#"{"holder":"a","purpose":"apply"}"#);
    let id = lock.json::<envc_edge_api::Lock>().lock_id;
    let held = call(at, &foreign, "POST", LOCK, r#"{"holder":"b","purpose":"apply"}"#);
    check_refusal(&held, ProblemType::Locked, &[&id]);
    for method in ["PUT", "DELETE"] {
        let answer = call(at, &foreign, method, &format!("{LOCK}/{id}"), "");
        check_refusal(&answer, ProblemType::Forbidden, &[&id]);
    }
    let headers = "Envc-Fence: 1\r\nIf-None-Match: *\r\n";
    let put = Ask { method: "PUT", target: STATE, token: &foreign, headers, body: "{}" };
    check_refusal(&ask(at, put), ProblemType::Forbidden, &[&id]);
}

#[test]
fn a_body_that_is_malformed_too_long_or_has_an_unknown_field_is_refused_everywhere() {
    let (workerd, _) = start();
    let at = workerd.address;
    let long = "x".repeat(10 * 1024 * 1024);
    for (method, target, good) in WITH_BODY {
        let unknown = good.replacen('{', r#"{"colour":"red","#, 1).replace(",}", "}");
        for bad in ["{", "[]", "null", "\"\u{0}", "{\"a\":", unknown.as_str()] {
            let answer = admin(at, method, target, bad);
            check_refusal(&answer, ProblemType::InvalidRequest, &[]);
        }
        check_refusal(&admin(at, method, target, &long), ProblemType::BodyTooLarge, &[]);
        check_refusal(&chunked(at, method, target), ProblemType::BodyTooLarge, &[]);
    }
    let headers = "Envc-Fence: 1\r\nIf-None-Match: *\r\n";
    let token = crate::workerd::BOOTSTRAP_TOKEN;
    let put = Ask { method: "PUT", target: STATE, token, headers, body: &long };
    check_refusal(&ask(at, put), ProblemType::BodyTooLarge, &[]);
    check_refusal(&ask(at, Ask { body: "{", ..put }), ProblemType::InvalidRequest, &[]);
}

/// Sends ten megabytes without saying so before.
fn chunked(at: SocketAddr, method: &str, target: &str) -> Answer {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let token = crate::workerd::BOOTSTRAP_TOKEN;
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: edge\r\nAuthorization: Bearer {token}\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    // The Worker may stop listening before the end.
    drop(stream.write_all(head.as_bytes()));
    drop((0..160).try_for_each(|_| stream.write_all(chunk.as_bytes())));
    drop(stream.write_all(b"0\r\n\r\n"));
    let mut bytes = Vec::new();
    drop(stream.read_to_end(&mut bytes));
    let text = String::from_utf8_lossy(&bytes).into_owned();
    crate::http::parse(&text, false).unwrap_or_else(|| panic!("{method} {target}: {text:?}"))
}

#[test]
fn times_that_are_negative_or_out_of_bounds_are_refused_everywhere() {
    let (workerd, lease) = start();
    let at = workerd.address;
    let report = r#"{"project":"shop","type":"preview","owner":"a","outcome":"applied","#;
    for ttl in ["-1", "0", "1e99", "4294967296", "\"60\"", "1.5", "[]"] {
        let field = format!(r#""ttl_seconds":{ttl}}}"#);
        for (method, target, before) in [
            ("POST", LEASES, r#"{"holder":"shop/pr-9","#),
            ("PUT", &*format!("{LEASES}/{}", lease.lease_id), "{"),
            ("POST", LOCK, r#"{"holder":"a","purpose":"b","#),
            ("PUT", ENVIRONMENT, report),
            ("POST", "/v1/tokens", r#"{"subject":"a","scopes":["read"],"#),
            ("PUT", "/v1/pools/previews/members", r#"{"members":[],"settings":{"#),
        ] {
            let end = if before.contains("settings") { "}" } else { "" };
            let answer = admin(at, method, target, &format!("{before}{field}{end}"));
            check_refusal(&answer, ProblemType::InvalidRequest, &[&lease.lease_id]);
        }
    }
}

#[test]
fn what_is_not_there_or_over_is_told_so() {
    let (workerd, _) = start();
    let at = workerd.address;
    for (method, target) in [
        ("GET", "/v1/pools/nowhere"),
        ("POST", "/v1/pools/nowhere/leases"),
        ("GET", "/v1/pools/nowhere/leases"),
        ("PUT", "/v1/pools/nowhere/leases/x"),
        ("DELETE", "/v1/pools/nowhere/leases/x"),
        ("GET", "/v1/pools/nowhere/members"),
        ("POST", "/v1/pools/nowhere/reclaims"),
        ("GET", "/v1/environments/nowhere"),
        ("GET", STATE),
        ("GET", LOCK),
        ("DELETE", "/v1/tokens/nowhere"),
    ] {
        let body = if method == "POST" { r#"{"holder":"a/b"}"# } else { "" };
        check_refusal(&admin(at, method, target, body), ProblemType::NotFound, &[]);
    }
    put_members(at, "short", 1, &json!({ "ttl_seconds": 1, "cool_down_seconds": 0 }));
    let ci = token(at, "ci", "pool").token;
    let over = leased(at, &ci, "short", "shop/pr-1");
    workerd.go_ahead(1_050);
    let wish = r#"{"holder":"shop/pr-2","ttl_seconds":600}"#;
    let next = || call(at, &ci, "POST", "/v1/pools/short/leases", wish).json::<Lease>().lease_id;
    let held = next();
    let path = format!("/v1/pools/short/leases/{}", over.lease_id);
    check_refusal(&call(at, &ci, "PUT", &path, ""), ProblemType::LeaseGone, &[&held]);
    assert_eq!(call(at, &ci, "DELETE", &path, "").status, 204);
    assert_eq!(next(), held, "untouched");
}

#[test]
fn paths_and_names_play_no_tricks() {
    let (workerd, lease) = start();
    let at = workerd.address;
    for target in [
        "/v1/pools/../tokens/../../v1/pools/..%2f..%2ftokens",
        "/v1/pools/%2e%2e/leases",
        "/v1/pools/previews%00/leases",
        "/v1/pools/previews/leases/%0d%0aX-Injected:%201",
        "/v1/pools/previews;x=1/leases",
        "/v1/pools//leases",
        "//v1/pools/previews",
        "/V1/pools/previews",
        "/v1/pools/previews/leases/",
        "/v1/pools/previews/leases/a/b/c",
        "/v1/environments/..",
        "/v1/environments/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "/v1/state/cloudflare/acc/..%2fother/pr-1",
        "/badge/%3Cscript%3E.svg",
        "/snapshot",
        "/found",
        "/projects",
        "/gone",
    ] {
        check_refusal(&admin(at, "GET", target, ""), ProblemType::NotFound, &[&lease.lease_id]);
    }
    for name in [
        r"shop/pr\r\nX-Injected: 1",
        r"shop/pr\nSet-Cookie: a=b",
        r"shop/\u0000",
        "shop/<script>",
        "../tokens",
        "shop/pr-1/x",
        "shop",
        "",
    ] {
        let answer = admin(at, "POST", LEASES, &format!(r#"{{"holder":"{name}"}}"#));
        check_refusal(&answer, ProblemType::InvalidRequest, &[&lease.lease_id]);
    }
    // A lock's holder is any text; it is told to whoever is refused, and only in the document.
    let odd = r#"{"holder":"a\r\nX-Injected: 1\r\n\r\n<script>","purpose":"x\nSet-Cookie: a=b"}"#;
    assert_eq!(admin(at, "POST", LOCK, odd).status, 201);
    let other = r#"{"holder":"b","purpose":"apply"}"#;
    check_refusal(&admin(at, "POST", LOCK, other), ProblemType::Locked, &[]);
}

#[test]
fn what_a_probe_must_not_ask_is_not_registered_or_not_asked() {
    let (workerd, _) = start();
    let at = workerd.address;
    let zones = r#"{"zones":["preview.example.com"]}"#;
    assert_eq!(admin(at, "PUT", "/v1/probes", zones).status, 200);
    let report = |url: &str| {
        let body = json!({
            "project": "shop", "type": "preview", "owner": "a", "outcome": "applied",
            "urls": [{ "name": "web", "url": url }],
        });
        admin(at, "PUT", ENVIRONMENT, &body.to_string())
    };
    for url in [
        "http://127.0.0.1/",
        "http://[::1]:8080/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0x7f000001/",
        "http://localhost/",
        "http://preview.example.com.evil.test/",
        "http://evilpreview.example.com.test/",
    ] {
        let status = report(url);
        assert!(matches!(status.status, 200 | 201), "{url}: {status:?}");
        let status: envc_edge_api::EnvironmentStatus = status.json();
        assert!(!status.urls[0].is_probed, "{url}");
    }
    let ran = admin(at, "POST", "/v1/probes", "");
    assert_eq!(ran.body, r#"{"probed":0}"#);
    for url in [
        "javascript:alert(1)",
        "file:///etc/passwd",
        "ftp://pr-1.preview.example.com/",
        "http://user:secret@pr-1.preview.example.com/",
        "http://pr-1.preview.example.com/\r\nX-Injected: 1",
        "//pr-1.preview.example.com/",
        "",
    ] {
        check_refusal(&report(url), ProblemType::InvalidRequest, &["secret@"]);
    }
    for zone in ["127.0.0.1", "localhost", "com", "internal", "10.0.0.0", "*.example.com", "[::1]"]
    {
        let body = json!({ "zones": [zone] }).to_string();
        let answer = admin(at, "PUT", "/v1/probes", &body);
        check_refusal(&answer, ProblemType::InvalidRequest, &[]);
    }
}
