//! What the registry promises.

use std::collections::BTreeMap;

use envc_edge_api::{
    EnvironmentStatus, Name, ProbeResult, Problem, ProblemType, Reachability, Scope,
};

use super::{Probe, Probed, Registry, serve};
use crate::call::{Call, Caller, Preconditions};
use crate::entropy::Entropy;
use crate::http::{Method, Response};
use crate::router::RegistryResource;
use crate::store::apply;

const DAY_MS: u64 = 86_400_000;

struct Server {
    registry: Registry,
    rows: BTreeMap<String, String>,
    now_ms: u64,
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

impl Server {
    fn new() -> Self {
        let mut server =
            Self { registry: Registry::default(), rows: BTreeMap::new(), now_ms: 20_000 * DAY_MS };
        let zones = r#"{"zones":["preview.example.com"]}"#;
        assert_eq!(server.call(Method::Put, &RegistryResource::Probes, zones).status, 200);
        server
    }

    fn call(&mut self, method: Method, at: &RegistryResource, body: &str) -> Response {
        let caller = Caller { subject: name("ci"), scopes: vec![Scope::Report], alive: None };
        let call = Call {
            method,
            body: body.as_bytes(),
            preconditions: &Preconditions::default(),
            caller: &caller,
            now_ms: self.now_ms,
            entropy: Entropy::new([0; 32]),
            key: None,
        };
        let served = serve(&mut self.registry, at, &call, false);
        apply(&mut self.rows, &served.effects.writes);
        let loaded = Registry::load(&self.rows).unwrap();
        assert_eq!(format!("{loaded:?}"), format!("{:?}", self.registry));
        served.response
    }

    fn put(&mut self, id: &str, body: &str) -> Response {
        self.call(Method::Put, &RegistryResource::Environment(name(id)), body)
    }

    fn get(&mut self, id: &str) -> EnvironmentStatus {
        let at = RegistryResource::Environment(name(id));
        json(&self.call(Method::Get, &at, ""))
    }

    fn found(&mut self, id: &str, url: &str, status: Option<u16>) {
        let probe = Probe { id: name(id), url: url.to_owned() };
        let result = ProbeResult { at_ms: self.now_ms, status, latency_ms: 10 };
        let writes = self.registry.record(vec![Probed { probe, result }]);
        apply(&mut self.rows, &writes);
    }
}

fn json<T: serde::de::DeserializeOwned>(response: &Response) -> T {
    serde_json::from_slice(&response.body).unwrap()
}

const URL: &str = "https://pr-1.preview.example.com/";

fn report(more: &str) -> String {
    format!(
        r#"{{"project":"shop","type":"preview","owner":"alice","outcome":"applied",
            "urls":[{{"name":"web","url":"{URL}"}}]{more}}}"#
    )
}

#[test]
fn an_environment_is_reported_again_and_removed() {
    let mut server = Server::new();
    assert_eq!(server.put("shop.pr-1", &report("")).status, 201);
    server.now_ms += 1_000;
    assert_eq!(server.put("shop.pr-1", &report(r#","branch":"x""#)).status, 200);
    let it = server.get("shop.pr-1");
    assert_eq!(it.reported_at_ms - it.created_at_ms, 1_000);
    assert_eq!((it.branch.as_deref(), it.reported_by), (Some("x"), name("ci")));
    let at = RegistryResource::Environment(name("shop.pr-1"));
    for _ in 0..2 {
        assert_eq!(server.call(Method::Delete, &at, "").status, 204);
    }
    let gone: Problem = json(&server.call(Method::Get, &at, ""));
    assert_eq!(gone.problem_type, ProblemType::NotFound);
}

#[test]
fn an_environment_past_its_time_is_marked_and_a_report_prolongs_it() {
    let mut server = Server::new();
    server.put("shop.pr-1", &report(r#","ttl_seconds":60"#)).body.clear();
    server.now_ms += 59_999;
    assert!(!server.get("shop.pr-1").is_past_ttl);
    server.now_ms += 1;
    assert!(server.get("shop.pr-1").is_past_ttl);
    server.put("shop.pr-1", &report(r#","ttl_seconds":60"#)).body.clear();
    assert!(!server.get("shop.pr-1").is_past_ttl);
}

#[test]
fn probes_are_of_listed_zones_and_the_oldest_first() {
    let mut server = Server::new();
    let other = "https://pr-2.preview.example.com/";
    server.put("shop.pr-1", &report("")).body.clear();
    server.put("shop.pr-2", &report("").replace(URL, other)).body.clear();
    server.put("shop.pr-3", &report("").replace(URL, "https://elsewhere.net/")).body.clear();
    server.put("shop.pr-4", &report("").replace(URL, "http://127.0.0.1/")).body.clear();
    let urls = |server: &Server, most| -> Vec<String> {
        server.registry.probes(false, most).into_iter().map(|probe| probe.url).collect()
    };
    assert_eq!(urls(&server, 10), [URL, other]);
    server.found("shop.pr-1", URL, Some(200));
    assert_eq!(urls(&server, 1), [other]);
    assert!(!server.get("shop.pr-3").urls[0].is_probed);
}

#[test]
fn what_probes_found_is_kept_by_day_for_90_days() {
    let mut server = Server::new();
    server.put("shop.pr-1", &report("")).body.clear();
    assert_eq!(server.get("shop.pr-1").health, Reachability::Unknown);
    for status in [Some(200), Some(302), Some(401), None, Some(500), Some(404)] {
        server.found("shop.pr-1", URL, status);
    }
    let it = server.get("shop.pr-1");
    assert_eq!(it.health, Reachability::Down);
    assert_eq!((it.days[0].up, it.days[0].down, it.days[0].latency_ms_sum), (3, 3, 30));
    for _ in 0..100 {
        server.now_ms += DAY_MS;
        server.found("shop.pr-1", URL, Some(200));
    }
    let it = server.get("shop.pr-1");
    assert_eq!((it.days.len(), it.health), (90, Reachability::Up));
    assert_eq!(it.days.first().unwrap().day + 89, it.days.last().unwrap().day);
}

#[test]
fn a_result_for_a_url_that_is_gone_is_dropped() {
    let mut server = Server::new();
    server.put("shop.pr-1", &report("")).body.clear();
    server.found("shop.pr-1", "https://old.preview.example.com/", Some(200));
    server.found("shop.pr-9", URL, Some(200));
    assert!(server.get("shop.pr-1").days.is_empty());
}

#[test]
fn what_is_malformed_is_refused() {
    let mut server = Server::new();
    let before = server.rows.clone();
    let long = "x".repeat(201);
    for bad in [
        String::new(),
        report(r#","colour":"red""#),
        report(r#","ttl_seconds":0"#),
        report(r#","ttl_seconds":-1"#),
        report(&format!(r#","branch":"{long}""#)),
        report("").replace("alice", " "),
        report("").replace(URL, "javascript:alert(1)"),
        report("").replace(URL, "https://user:secret@x.net/"),
        report("").replace(URL, "https://x.net/\\u000d\\u000aa: b"),
        report("").replace("applied", "exploded"),
    ] {
        let problem: Problem = json(&server.put("shop.pr-1", &bad));
        assert_eq!(problem.problem_type, ProblemType::InvalidRequest, "{bad}");
    }
    for bad in [r#"{"zones":["com"]}"#, r#"{"zones":["127.0.0.1"]}"#, r#"{"zones":"x.com"}"#] {
        let response = server.call(Method::Put, &RegistryResource::Probes, bad);
        assert_eq!(response.status, 400, "{bad}");
    }
    assert_eq!(server.rows, before);
}

#[test]
fn an_environment_is_gone_when_it_was_taken_out_or_is_long_past_its_time() {
    let mut server = Server::new();
    let begun_ms = server.now_ms;
    server.put("shop.pr-1", &report("")).body.clear();
    server.put("shop.pr-2", &report(r#","ttl_seconds":3600"#)).body.clear();
    server.put("another-name", &report(r#","ttl_seconds":1"#)).body.clear();
    let removed = RegistryResource::Environment(name("shop.pr-1"));
    assert_eq!(server.call(Method::Delete, &removed, "").status, 204);
    let gone = |server: &Server| -> Vec<(String, u64)> {
        let gone = server.registry.gone(server.now_ms).into_iter();
        gone.map(|it| (it.holder.to_string(), it.since_ms - begun_ms)).collect()
    };
    server.now_ms += 599_999;
    assert_eq!(gone(&server), [], "a destroy is still at it");
    server.now_ms += 1;
    assert_eq!(gone(&server), [("shop/pr-1".to_owned(), 0)]);
    server.now_ms = begun_ms + 3_600_000 + DAY_MS;
    let past = ("shop/pr-2".to_owned(), 3_600_000);
    assert_eq!(gone(&server), [("shop/pr-1".to_owned(), 0), past]);
    server.put("shop.pr-1", &report("")).body.clear();
    server.put("shop.pr-2", &report(r#","ttl_seconds":3600"#)).body.clear();
    assert_eq!(gone(&server), [], "they are back");
    for number in 0..300 {
        let id = format!("shop.x-{number}");
        server.put(&id, &report("")).body.clear();
        server.now_ms += 1;
        server.call(Method::Delete, &RegistryResource::Environment(name(&id)), "").body.clear();
    }
    server.now_ms += DAY_MS / 2;
    let kept = gone(&server);
    assert_eq!(kept.len(), 200, "the newest ones");
    assert!(kept.iter().any(|(holder, _)| holder == "shop/x-299"));
}

#[test]
fn projects_are_listed_page_by_page() {
    let mut server = Server::new();
    for key in ["local/a/shop", "cloudflare/b/web", "local/a/shop", "cloudflare/b/api"] {
        apply(&mut server.rows, &server.registry.know_project(key));
    }
    let registry = Registry::load(&server.rows).unwrap();
    assert_eq!(registry.projects("", 2), ["cloudflare/b/api", "cloudflare/b/web"]);
    assert_eq!(registry.projects("cloudflare/b/web", 2), ["local/a/shop"]);
    assert_eq!(registry.projects("zzz", 2), Vec::<String>::new());
}
