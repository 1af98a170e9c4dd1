//! `/healthz`, and what is answered where there is nothing.

use std::net::SocketAddr;
use std::thread;

use envc_edge_api::{Health, Problem, ProblemType};

use crate::common::check_problem;
use crate::http::{Answer, send};
use crate::workerd::Workerd;

#[track_caller]
fn check_health(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    let health: Health = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(health, Health::ok(env!("CARGO_PKG_VERSION")));
}

#[test]
fn health_is_told_to_get_and_head() {
    let workerd = Workerd::start();
    check_health(&send(workerd.address, "GET", "/healthz"));
    check_health(&send(workerd.address, "GET", "/healthz?at=noon"));

    let head = send(workerd.address, "HEAD", "/healthz");
    assert_eq!((head.status, head.header("content-type")), (200, "application/json"));
    assert_eq!(head.body, "");
}

#[test]
fn the_api_is_told_to_everybody() {
    let workerd = Workerd::start();
    let answer = send(workerd.address, "GET", "/openapi.json");
    assert_eq!((answer.status, answer.body.as_str()), (200, envc_edge_api::OPENAPI));
}

#[test]
fn an_unknown_path_is_a_problem() {
    let workerd = Workerd::start();
    for target in ["/", "/healthz/", "/v1/nothing", "/%00", "/%ff%fe", "/a//b/../c?d=%"] {
        check_problem(&send(workerd.address, "GET", target), ProblemType::NotFound);
    }
    let head = send(workerd.address, "HEAD", "/nothing");
    assert_eq!((head.status, head.header("content-type")), (404, Problem::CONTENT_TYPE));
    assert_eq!(head.body, "");
}

#[test]
fn a_refused_method_is_a_problem_that_names_the_right_ones() {
    let workerd = Workerd::start();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"] {
        let answer = send(workerd.address, method, "/healthz");
        check_problem(&answer, ProblemType::MethodNotAllowed);
        assert_eq!(answer.header("allow"), "GET, HEAD", "{method}");
    }
}

#[test]
fn parallel_requests_are_all_answered() {
    let workerd = Workerd::start();
    let ask = |address: SocketAddr| move || send(address, "GET", "/healthz");
    let asked: Vec<_> = (0..64).map(|_| thread::spawn(ask(workerd.address))).collect();
    for thread in asked {
        check_health(&thread.join().unwrap());
    }
}
