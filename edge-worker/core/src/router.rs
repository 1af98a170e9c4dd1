//! Which resource a path names, and what it answers.

use envc_edge_api::{Health, Problem, ProblemType};

use crate::http::{Method, Request, Response};

/// Everything that has a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resource {
    /// `/healthz`: whether the Worker is there, and which version of it.
    Health,
}

impl Resource {
    fn at(path: &str) -> Option<Self> {
        match path {
            "/healthz" => Some(Self::Health),
            _ => None,
        }
    }

    /// The methods it accepts, as the `Allow` header lists them.
    const fn allow(self) -> &'static str {
        match self {
            Self::Health => "GET, HEAD",
        }
    }
}

/// Answers a request. `version` is the Worker's own, as `/healthz` shows it.
///
/// Every request gets an answer: what cannot be done is a problem document.
pub fn handle(request: &Request<'_>, version: &str) -> Response {
    let response = route(request, version);
    if request.method == Method::Head { response.without_body() } else { response }
}

fn route(request: &Request<'_>, version: &str) -> Response {
    let Some(resource) = Resource::at(request.path) else {
        return Response::problem(&Problem::new(
            ProblemType::NotFound,
            "This Worker serves nothing there; `GET /healthz` tells which version it is.",
        ));
    };
    match (resource, request.method) {
        (Resource::Health, Method::Get | Method::Head) => Response::json(&Health::ok(version)),
        (Resource::Health, Method::Post | Method::Put | Method::Delete | Method::Other) => {
            method_not_allowed(resource)
        }
    }
}

fn method_not_allowed(resource: Resource) -> Response {
    let allow = resource.allow();
    let mut response = Response::problem(&Problem::new(
        ProblemType::MethodNotAllowed,
        format!("This path accepts {allow}."),
    ));
    response.headers.push(("allow", allow.to_owned()));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: Method, path: &str) -> Response {
        handle(&Request { method, path }, "1.2.3")
    }

    #[track_caller]
    fn check_problem(response: &Response, expected: ProblemType) {
        assert_eq!(response.status, expected.status());
        assert_eq!(response.content_type, "application/problem+json");
        let problem: Problem = serde_json::from_slice(&response.body).unwrap();
        assert_eq!((problem.problem_type, problem.status), (expected, expected.status()));
        assert!(problem.detail.is_some());
    }

    #[test]
    fn health_tells_the_version() {
        let response = call(Method::Get, "/healthz");
        assert_eq!((response.status, response.content_type), (200, "application/json"));
        assert_eq!(response.headers, [("cache-control", "no-store".to_owned())]);
        let health: Health = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(health, Health::ok("1.2.3"));
    }

    #[test]
    fn head_is_get_without_the_body() {
        for path in ["/healthz", "/nothing/here"] {
            let get = call(Method::Get, path);
            assert!(!get.body.is_empty());
            assert_eq!(call(Method::Head, path), get.without_body());
        }
    }

    #[test]
    fn an_unknown_path_is_not_found_for_every_method() {
        for method in [Method::Get, Method::Post, Method::Put, Method::Delete, Method::Other] {
            check_problem(&call(method, "/v0"), ProblemType::NotFound);
        }
    }

    #[test]
    fn a_path_matches_as_a_whole() {
        for path in ["", "/", "/healthz/", "/healthz/x", "//healthz", "/Healthz", "/health%7A"] {
            check_problem(&call(Method::Get, path), ProblemType::NotFound);
        }
    }

    #[test]
    fn a_refused_method_learns_which_ones_work() {
        for method in [Method::Post, Method::Put, Method::Delete, Method::Other] {
            let response = call(method, "/healthz");
            check_problem(&response, ProblemType::MethodNotAllowed);
            assert!(response.headers.contains(&("allow", "GET, HEAD".to_owned())));
        }
    }
}
