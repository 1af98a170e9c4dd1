//! Registry, probes and the status in its forms, over real HTTP.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use envc_edge_api::{ProbeRun, ProblemType, Reachability, Status};
use serde_json::json;

use crate::common::{admin, call, check_problem, environment, leased, put_members, report, token};
use crate::http::{Ask, ask, send};
use crate::site::Site;
use crate::workerd::Workerd;

fn start() -> Workerd {
    Workerd::start_with(&[("ALLOW_LOOPBACK_PROBES", "1")])
}

fn probe(at: SocketAddr) -> u32 {
    let answer = admin(at, "POST", "/v1/probes", "");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json::<ProbeRun>().probed
}

#[test]
fn probes_tell_what_answers_fails_redirects_hangs_and_recovers() {
    let workerd = start();
    let at = workerd.address;
    let ci = token(at, "ci", "report").token;
    let elsewhere = Site::start(200, "");
    let location: &'static str =
        Box::leak(format!("Location: {}\r\n", elsewhere.url()).into_boxed_str());
    let (good, bad) = (Site::start(200, ""), Site::start(500, ""));
    let (moved, hangs) = (Site::start(302, location), Site::start(0, ""));
    for (id, site) in [("a", &good), ("b", &bad), ("c", &moved), ("d", &hangs)] {
        report(at, &ci, id, &site.url());
    }
    let begun = Instant::now();
    assert_eq!(probe(at), 4);
    let took = begun.elapsed();
    assert!((Duration::from_secs(9)..Duration::from_secs(19)).contains(&took), "{took:?}");
    let health = |id: &str| {
        let it = environment(at, id);
        (it.health, it.urls[0].last.as_ref().unwrap().status)
    };
    assert_eq!(health("a"), (Reachability::Up, Some(200)));
    assert_eq!(health("b"), (Reachability::Down, Some(500)));
    assert_eq!(health("c"), (Reachability::Up, Some(302)));
    assert_eq!(health("d"), (Reachability::Down, None));
    assert_eq!(elsewhere.hits(), 0, "a redirect is not followed");

    hangs.status.store(200, Ordering::Relaxed);
    bad.status.store(204, Ordering::Relaxed);
    probe(at);
    assert_eq!((health("b").0, health("d").0), (Reachability::Up, Reachability::Up));
    let day = environment(at, "d").days[0];
    assert_eq!((day.up, day.down), (1, 1));
    assert_eq!(good.hits(), 2);
}

#[test]
fn what_is_in_no_listed_zone_is_never_asked() {
    let site = Site::start(200, "");
    let workerd = Workerd::start();
    let at = workerd.address;
    let ci = token(at, "ci", "report").token;
    let port = site.address.port();
    for (index, host) in
        ["127.0.0.1", "localhost", "[::1]", "2130706433", "127.1"].iter().enumerate()
    {
        report(at, &ci, &format!("e{index}"), &format!("http://{host}:{port}/"));
    }
    assert_eq!(probe(at), 0);
    assert_eq!(site.hits(), 0);
    assert!(!environment(at, "e0").urls[0].is_probed);
    let refused = admin(at, "PUT", "/v1/probes", r#"{"zones":["localhost"]}"#);
    check_problem(&refused, ProblemType::InvalidRequest);
    let zones = r#"{"zones":["preview.example.com"]}"#;
    assert_eq!(admin(at, "PUT", "/v1/probes", zones).body, zones);
    check_problem(&call(at, &ci, "PUT", "/v1/probes", zones), ProblemType::Forbidden);
}

#[test]
fn the_status_has_a_page_json_badges_and_metrics() {
    let mut workerd = start();
    let at = workerd.address;
    let ci = token(at, "ci", "report,pool").token;
    let reader = token(at, "board", "read").token;
    put_members(at, "previews", 3, &json!({}));
    leased(at, &ci, "previews", "shop/pr-1");
    report(at, &ci, "shop.pr-1", &Site::start(200, "").url());
    probe(at);

    let status: Status = call(at, &reader, "GET", "/v1/status", "").json();
    assert_eq!((status.health, status.pools[0].leased), (Reachability::Up, 1));
    let page = call(at, &reader, "GET", "/status", "");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.body.contains("<h3>shop.pr-1</h3>") && page.body.contains("2 of 3 free"));
    assert!(page.body.contains("feature/&lt;b&gt;x&lt;/b&gt;"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    let badge = call(at, &reader, "GET", "/badge/shop.pr-1.svg", "");
    assert_eq!(badge.header("content-type"), "image/svg+xml");
    assert!(badge.body.contains("<title>shop.pr-1: up</title>"));
    let metrics = call(at, &reader, "GET", "/metrics", "").body;
    assert!(metrics.contains("envc_pool_leased{pool=\"previews\"} 1\n"), "{metrics}");

    for target in ["/status", "/v1/status", "/badge/shop.pr-1.svg", "/metrics", "/v1/events"] {
        let nobody = send(at, "GET", target);
        check_problem(&nobody, ProblemType::Unauthenticated);
        assert!(nobody.header("www-authenticate").starts_with("Basic "));
        check_problem(&call(at, &ci, "GET", target, ""), ProblemType::Forbidden);
    }

    workerd.restart_with(&[("STATUS_PUBLIC", "1")]);
    let at = workerd.address;
    assert!(send(at, "GET", "/status").body.contains("2 of 3 free"), "it survives a kill");
    assert_eq!(send(at, "GET", "/badge/nobody.svg").status, 200);
    check_problem(&send(at, "GET", "/v1/environments"), ProblemType::Unauthenticated);
    check_problem(&send(at, "GET", "/v1/pools/previews"), ProblemType::Unauthenticated);
}

#[test]
fn a_browser_gives_the_token_as_a_password_and_only_to_read_the_status() {
    let workerd =
        Workerd::start_with(&[("BOOTSTRAP_TOKEN", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]);
    // `me:` and 36 times `a`, in base64.
    let headers = format!("Authorization: Basic bWU6{}\r\n", "YWFh".repeat(12));
    let ask_at = |method, target| {
        ask(workerd.address, Ask { method, target, headers: &headers, ..Ask::default() })
    };
    assert_eq!(ask_at("GET", "/status").status, 200);
    check_problem(&ask_at("GET", "/v1/tokens"), ProblemType::Unauthenticated);
    check_problem(&ask_at("POST", "/v1/probes"), ProblemType::Unauthenticated);
}

#[test]
fn news_come_by_themselves() {
    let workerd = Workerd::start_with(&[("STATUS_PUBLIC", "1")]);
    let at = workerd.address;
    let ci = token(at, "ci", "report").token;
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(stream, "GET /v1/events HTTP/1.1\r\nHost: edge\r\n\r\n").unwrap();
    let mut heard = String::new();
    let mut wait_for = |text: &str| {
        let mut bytes = [0; 1024];
        while !heard.contains(text) {
            let count = stream.read(&mut bytes).expect("news come in time");
            assert!(count > 0, "the stream ended: {heard}");
            heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    };
    wait_for("text/event-stream");
    wait_for(": nothing new");
    report(at, &ci, "shop.pr-1", "https://pr-1.preview.example.com/");
    wait_for("event: changed");
}
