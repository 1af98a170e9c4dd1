//! What is shown, and that nothing breaks out of where it is put.

use std::collections::BTreeMap;

use envc_edge_api::{
    Day, EnvironmentStatus, Name, Outcome, PoolSettings, PoolStats, ProbeResult, Reachability,
    Status, StatusCounts, UrlStatus,
};

use super::page::date;
use super::{badge, digest, metrics, page};

const NOW: u64 = 20_000 * 86_400_000 + 3_600_000;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn environment(id: &str, health: Reachability) -> EnvironmentStatus {
    let status = if health == Reachability::Up { Some(200) } else { None };
    EnvironmentStatus {
        id: name(id),
        project: name("shop"),
        environment_type: name("preview"),
        owner: "alice".to_owned(),
        branch: Some("feature/x".to_owned()),
        urls: vec![UrlStatus {
            name: name("web"),
            url: format!("https://{id}.example.com/"),
            is_probed: true,
            health,
            last: Some(ProbeResult { at_ms: NOW, status, latency_ms: 42 }),
        }],
        resources: BTreeMap::from([("d1".to_owned(), 2), ("kv".to_owned(), 1)]),
        outcome: Outcome::Applied,
        created_at_ms: NOW - 3 * 86_400_000,
        reported_at_ms: NOW,
        reported_by: name("ci"),
        expires_at_ms: Some(NOW + 7_200_000),
        is_past_ttl: false,
        health,
        days: vec![
            Day { day: 19_999, up: 3, down: 1, latency_ms_sum: 300 },
            Day { day: 20_000, up: 4, down: 0, latency_ms_sum: 80 },
        ],
    }
}

fn status(environments: Vec<EnvironmentStatus>) -> Status {
    let pools = vec![PoolStats {
        pool: name("previews"),
        size: 20,
        free: 3,
        leased: 15,
        cooling: 2,
        draining: 0,
        queue: 4,
        settings: PoolSettings::default(),
    }];
    let health = Reachability::of(environments.iter().map(|it| it.health));
    let counts = StatusCounts::of(&environments);
    Status { health, counts, at_ms: NOW, environments, pools }
}

fn text(response: crate::http::Response) -> String {
    String::from_utf8(response.body).unwrap()
}

#[test]
fn the_page_tells_what_there_is() {
    let html = text(page(&status(vec![
        environment("shop.pr-1", Reachability::Up),
        environment("shop.pr-2", Reachability::Down),
    ])));
    for part in [
        "1 environment does not answer",
        "<h3>shop.pr-1</h3>",
        "owner alice",
        "branch feature/x",
        "3 days old",
        "2 hours left",
        "3 resources",
        "200 in 42 ms",
        "no answer after 42 ms",
        "aria-label=\"The last 90 days: 87.50 % up\"",
        "2024-10-04: 100 % up, 20 ms",
        "2024-10-03: 75.00 % up, 100 ms",
        "3 of 20 free",
        "4 waiting",
    ] {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
    assert_eq!(html.matches("<rect y=").count(), 180);
}

#[test]
fn what_is_past_its_time_shows_in_the_first_line_and_in_the_counts() {
    let past =
        |id: &str, health| EnvironmentStatus { is_past_ttl: true, ..environment(id, health) };
    let up = || environment("shop.pr-1", Reachability::Up);
    for (environments, line, banner) in [
        (vec![up()], "All probed environments answer", "up"),
        (
            vec![up(), past("shop.pr-2", Reachability::Up)],
            "All probed environments answer, 1 is past its time",
            "expired",
        ),
        (
            vec![
                environment("shop.pr-1", Reachability::Down),
                past("shop.pr-2", Reachability::Unknown),
                past("shop.pr-3", Reachability::Down),
            ],
            "2 environments do not answer, 2 are past their time",
            "down",
        ),
    ] {
        let html = text(page(&status(environments)));
        let expected = format!("<p role=\"status\" class=\"banner {banner}\">{line}</p>");
        assert!(html.contains(&expected), "{expected} is missing in {html}");
        assert!(html.contains(&format!("<title>{line}</title>")));
    }
    let status = status(vec![up(), past("shop.pr-2", Reachability::Down)]);
    let StatusCounts { environments, up, down, unknown, expired } = status.counts;
    assert_eq!([environments, up, down, unknown, expired], [2, 1, 1, 0, 1]);
}

#[test]
fn nothing_that_was_reported_becomes_markup() {
    let mut evil = environment("shop.pr-1", Reachability::Up);
    evil.owner = "<script>alert(1)</script>".to_owned();
    evil.branch = Some("\"><img src=x onerror='alert(1)'>&\u{0}".to_owned());
    evil.urls[0].url = "https://x.example.com/?\"onmouseover=\"alert(1)".to_owned();
    let html = text(page(&status(vec![evil])));
    assert_eq!(html.matches("<script>").count(), 1, "our own alone");
    assert!(!html.contains("<img") && !html.contains("\"onmouseover"));
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(html.contains("&quot;&gt;&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;\u{fffd}"));
}

#[test]
fn an_empty_registry_has_a_page_too() {
    let html = text(page(&Status { pools: Vec::new(), ..status(Vec::new()) }));
    assert!(html.contains("Nothing is probed yet") && html.contains("None is registered."));
}

#[test]
fn the_page_may_load_nothing_from_elsewhere() {
    let response = page(&status(Vec::new()));
    let policy = response.headers.iter().find(|(name, _)| *name == "content-security-policy");
    let policy = &policy.unwrap().1;
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(!policy.contains("unsafe"));
}

#[test]
fn a_badge_says_the_state() {
    let id = name("shop.pr-1");
    for (it, word) in [
        (Some(environment("shop.pr-1", Reachability::Up)), "up"),
        (Some(environment("shop.pr-1", Reachability::Down)), "down"),
        (
            Some(EnvironmentStatus {
                is_past_ttl: true,
                ..environment("shop.pr-1", Reachability::Up)
            }),
            "expired",
        ),
        (None, "not there"),
    ] {
        let response = badge(&id, it.as_ref());
        assert_eq!((response.status, response.content_type), (200, "image/svg+xml"));
        assert!(text(response).contains(&format!("<title>shop.pr-1: {word}</title>")));
    }
}

#[test]
fn metrics_are_prometheus_text() {
    let text = text(metrics(&status(vec![environment("shop.pr-1", Reachability::Up)])));
    for line in [
        "# TYPE envc_pool_free gauge",
        "envc_environments 1",
        "envc_environments_by_health{health=\"up\"} 1",
        "envc_environments_by_health{health=\"down\"} 0",
        "envc_environments_past_ttl 0",
        "envc_url_up{environment=\"shop.pr-1\",name=\"web\"} 1",
        "envc_url_latency_milliseconds{environment=\"shop.pr-1\",name=\"web\"} 42",
        "envc_pool_queue{pool=\"previews\"} 4",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} is missing in {text}");
    }
}

#[test]
fn a_digest_changes_with_the_news_and_not_with_the_time() {
    let one = status(vec![environment("shop.pr-1", Reachability::Up)]);
    assert_eq!(digest(&one), digest(&Status { at_ms: NOW + 1, ..one.clone() }));
    assert_ne!(digest(&one), digest(&status(vec![environment("shop.pr-1", Reachability::Down)])));
}

#[test]
fn days_have_dates() {
    for (day, expected) in
        [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_779, "2026-11-22")]
    {
        assert_eq!(date(day), expected);
    }
}
