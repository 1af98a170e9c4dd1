//! Which resource a path names, which methods it has, and who may call them.

use envc_edge_api::limits::{
    BODY_BYTES_MAX, MEMBERS_BODY_BYTES_MAX, REPORT_BODY_BYTES_MAX, STATE_BODY_BYTES_MAX,
};
use envc_edge_api::{Health, Name, OPENAPI, Problem, ProblemType, Scope};

use crate::http::{Method, Request, Response};
use crate::tokens::TokenResource;

/// Everything that has a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource<'a> {
    /// `/healthz`: whether the Worker is there, and which version of it.
    Health,
    /// `/openapi.json`: this API.
    OpenApi,
    /// `/v1/pools`
    AllPools,
    /// `/v1/state`
    AllStates,
    /// `/v1/pools/{pool}` and below.
    Pool(Name, PoolResource<'a>),
    /// `/v1/state/{cloud}/{account}/{project}` and below.
    State(Project, StateResource<'a>),
    /// Environments and probes.
    Registry(RegistryResource),
    /// `POST /v1/probes`: probes at once.
    RunProbes,
    /// The status, in one of its forms.
    Status(StatusResource),
    /// `/v1/tokens` and below.
    Tokens(TokenResource<'a>),
}

/// What a pool has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolResource<'a> {
    /// `/v1/pools/{pool}`
    Pool,
    /// `…/leases`
    Leases,
    /// `…/leases/{lease_id}`
    Lease(&'a str),
    /// `…/tickets/{ticket_id}`
    Ticket(&'a str),
    /// `…/members`
    Members,
    /// `…/reclaims`
    Reclaims,
}

/// Whose states: cloud, account and project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// `cloud/account/project`, each a [`Name`]: the name of the one object that keeps them.
    pub key: String,
}

/// What the states of a project have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateResource<'a> {
    /// The project itself: the list.
    List,
    /// `/{env}`
    State(Name),
    /// `/{env}/versions`
    Versions(Name),
    /// `/{env}/versions/{version}`
    Version(Name, &'a str),
    /// `/{env}/lock`
    Lock(Name),
    /// `/{env}/lock/{lock_id}`
    HeldLock(Name, &'a str),
}

/// What the registry has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryResource {
    /// `/v1/environments`
    Environments,
    /// `/v1/environments/{id}`
    Environment(Name),
    /// `/v1/probes`
    Probes,
}

/// The forms of the status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusResource {
    /// `/v1/status`
    Json,
    /// `/status`
    Page,
    /// `/badge/{id}.svg`
    Badge(Name),
    /// `/metrics`
    Metrics,
    /// `/v1/events`
    Events,
}

/// What a request is about, and what it needs to be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route<'a> {
    /// What.
    pub resource: Resource<'a>,
    /// Any one of these scopes; none means that no token is needed.
    pub scopes: &'static [Scope],
    /// How long the body may be, in bytes.
    pub body_bytes_max: usize,
    /// Whether it is for browsers too: a password is taken for a token, and where the status is
    /// public no token is needed.
    pub is_page: bool,
    /// Whether the answer depends on who is alive: [`crate::Alive`].
    pub needs_alive: bool,
}

const GET: &[Method] = &[Method::Get, Method::Head];

impl<'a> Resource<'a> {
    /// Reads a path. Names need no percent-encoding, so a path that has any names nothing.
    fn at(path: &'a str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let pool = |name: &str, rest| Some(Self::Pool(Name::parse(name).ok()?, rest));
        let id = |text: &'a str| Name::parse(text).is_ok().then_some(text);
        match segments.as_slice() {
            ["healthz"] => Some(Self::Health),
            ["openapi.json"] => Some(Self::OpenApi),
            ["v1", "pools"] => Some(Self::AllPools),
            ["v1", "state"] => Some(Self::AllStates),
            ["v1", "pools", name] => pool(name, PoolResource::Pool),
            ["v1", "pools", name, "leases"] => pool(name, PoolResource::Leases),
            ["v1", "pools", name, "leases", lease] => pool(name, PoolResource::Lease(id(lease)?)),
            ["v1", "pools", name, "tickets", it] => pool(name, PoolResource::Ticket(id(it)?)),
            ["v1", "pools", name, "members"] => pool(name, PoolResource::Members),
            ["v1", "pools", name, "reclaims"] => pool(name, PoolResource::Reclaims),
            ["v1", "state", cloud, account, project, rest @ ..] => {
                let key = [*cloud, account, project];
                key.iter().all(|name| Name::parse(name).is_ok()).then_some(())?;
                Some(Self::State(Project { key: key.join("/") }, StateResource::at(rest)?))
            }
            ["v1", "environments"] => Some(Self::Registry(RegistryResource::Environments)),
            ["v1", "environments", id] => {
                Some(Self::Registry(RegistryResource::Environment(Name::parse(id).ok()?)))
            }
            ["v1", "probes"] => Some(Self::Registry(RegistryResource::Probes)),
            ["v1", "status"] => Some(Self::Status(StatusResource::Json)),
            ["v1", "events"] => Some(Self::Status(StatusResource::Events)),
            ["status"] => Some(Self::Status(StatusResource::Page)),
            ["metrics"] => Some(Self::Status(StatusResource::Metrics)),
            ["badge", file] => {
                let id = Name::parse(file.strip_suffix(".svg")?).ok()?;
                Some(Self::Status(StatusResource::Badge(id)))
            }
            ["v1", "tokens"] => Some(Self::Tokens(TokenResource::Tokens)),
            ["v1", "tokens", token] => Some(Self::Tokens(TokenResource::Token(id(token)?))),
            _ => None,
        }
    }

    /// The methods it has, each with the scopes of which a token needs one.
    const fn methods(&self) -> &'static [(&'static [Method], &'static [Scope])] {
        use Method::{Delete, Post, Put};
        use Scope::{Admin, Pool, Read, Report, State};
        match self {
            Self::Health | Self::OpenApi => &[(GET, &[])],
            Self::AllPools | Self::Pool(_, PoolResource::Pool) => &[(GET, &[Read, Pool])],
            Self::AllStates => &[(GET, &[Admin])],
            Self::Pool(_, PoolResource::Leases) => &[(GET, &[Read, Pool]), (&[Post], &[Pool])],
            Self::Pool(_, PoolResource::Lease(_)) => &[(&[Put, Delete], &[Pool])],
            Self::Pool(_, PoolResource::Ticket(_)) => &[(&[Delete], &[Pool])],
            Self::Pool(_, PoolResource::Members) => &[(GET, &[Read]), (&[Put], &[Admin])],
            Self::Pool(_, PoolResource::Reclaims) => &[(GET, &[Read]), (&[Post], &[Admin])],
            Self::State(_, StateResource::State(_)) => {
                &[(GET, &[State]), (&[Put, Delete], &[State])]
            }
            Self::State(_, StateResource::Lock(_)) => {
                &[(GET, &[State]), (&[Post], &[State]), (&[Delete], &[Admin])]
            }
            Self::State(_, StateResource::HeldLock(..)) => &[(&[Put, Delete], &[State])],
            Self::State(
                _,
                StateResource::List | StateResource::Versions(_) | StateResource::Version(..),
            ) => &[(GET, &[State])],
            Self::Registry(RegistryResource::Environments) => &[(GET, &[Read, Report])],
            Self::Registry(RegistryResource::Environment(_)) => {
                &[(GET, &[Read, Report]), (&[Put, Delete], &[Report])]
            }
            Self::Registry(RegistryResource::Probes) => {
                &[(GET, &[Read]), (&[Put], &[Admin]), (&[Post], &[Admin])]
            }
            Self::RunProbes => &[(&[Post], &[Admin])],
            Self::Status(_) => &[(GET, &[Read])],
            Self::Tokens(TokenResource::Tokens) => &[(GET, &[Admin]), (&[Post], &[Admin])],
            Self::Tokens(TokenResource::Token(_)) => &[(&[Delete], &[Admin])],
        }
    }

    const fn body_bytes_max(&self) -> usize {
        match self {
            Self::Pool(_, PoolResource::Members) => MEMBERS_BODY_BYTES_MAX,
            Self::State(_, StateResource::State(_)) => STATE_BODY_BYTES_MAX,
            Self::Registry(_) => REPORT_BODY_BYTES_MAX,
            _ => BODY_BYTES_MAX,
        }
    }
}

impl<'a> StateResource<'a> {
    fn at(segments: &[&'a str]) -> Option<Self> {
        let name = |text: &str| Name::parse(text).ok();
        let id = |text: &'a str| Name::parse(text).is_ok().then_some(text);
        match segments {
            [] => Some(Self::List),
            [env] => Some(Self::State(name(env)?)),
            [env, "versions"] => Some(Self::Versions(name(env)?)),
            [env, "versions", number] => Some(Self::Version(name(env)?, id(number)?)),
            [env, "lock"] => Some(Self::Lock(name(env)?)),
            [env, "lock", lock] => Some(Self::HeldLock(name(env)?, id(lock)?)),
            _ => None,
        }
    }
}

/// Finds what a request is about. What cannot be served is answered at once.
pub fn route<'a>(request: &Request<'a>) -> Result<Route<'a>, Response> {
    let Some(resource) = Resource::at(request.path) else {
        return Err(Response::problem(&Problem::new(
            ProblemType::NotFound,
            "This Worker serves nothing there; `GET /healthz` tells which version it is.",
        )));
    };
    let methods = resource.methods();
    let found = methods.iter().find(|(methods, _)| methods.contains(&request.method));
    let Some((_, scopes)) = found else { return Err(method_not_allowed(methods)) };
    let needs_alive = matches!(
        (&resource, request.method),
        (Resource::Pool(_, PoolResource::Leases), Method::Get | Method::Head)
            | (Resource::Pool(_, PoolResource::Reclaims), Method::Post)
    );
    let is_page = matches!(resource, Resource::Status(_));
    let body_bytes_max = resource.body_bytes_max();
    let resource = match (resource, request.method) {
        (Resource::Registry(RegistryResource::Probes), Method::Post) => Resource::RunProbes,
        (resource, _) => resource,
    };
    Ok(Route { resource, scopes, body_bytes_max, is_page, needs_alive })
}

/// The answer of `/healthz`. `version` is the Worker's own.
pub fn health(version: &str) -> Response {
    Response::json(&Health::ok(version))
}

/// The answer of `/openapi.json`.
pub fn openapi() -> Response {
    Response::json_text(OPENAPI.as_bytes().to_vec())
}

fn method_not_allowed(methods: &[(&[Method], &[Scope])]) -> Response {
    let names: Vec<&str> =
        methods.iter().flat_map(|(methods, _)| *methods).map(|method| method.name()).collect();
    let allow = names.join(", ");
    let mut response = Response::problem(&Problem::new(
        ProblemType::MethodNotAllowed,
        format!("This path accepts {allow}."),
    ));
    response.headers.push(("allow", allow));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(method: Method, path: &str) -> Response {
        route(&Request { method, path }).unwrap_err()
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
    fn health_tells_the_version_to_everybody() {
        let found = route(&Request { method: Method::Get, path: "/healthz" }).unwrap();
        assert_eq!((found.resource, found.scopes), (Resource::Health, [].as_slice()));
        let response = health("1.2.3");
        assert_eq!((response.status, response.content_type), (200, "application/json"));
        let health: Health = serde_json::from_slice(&response.body).unwrap();
        assert_eq!(health, Health::ok("1.2.3"));
    }

    #[test]
    fn an_unknown_path_is_not_found_for_every_method() {
        for method in [Method::Get, Method::Post, Method::Put, Method::Delete, Method::Other] {
            check_problem(&refusal(method, "/v0"), ProblemType::NotFound);
        }
    }

    #[test]
    fn a_path_matches_as_a_whole_and_needs_no_decoding() {
        for path in [
            "",
            "/",
            "/healthz/",
            "/healthz/x",
            "//healthz",
            "/Healthz",
            "/health%7A",
            "/v1/pools/",
            "/v1/state/",
            "/v1/pools/..",
            "/v1/pools/a%2Fb",
            "/v1/pools/a/leases/",
            "/v1/pools/a/leases/x/y",
            "/v1/pools/a/../b",
            "/v1/tokens/",
            "/status/",
            "/badge/x.png",
            "/badge/.svg",
            "/v1/state/local/acc/shop/..",
            "/v1/state/local/acc",
            "/v1/state/local/acc/shop/e/locks",
        ] {
            check_problem(&refusal(Method::Get, path), ProblemType::NotFound);
        }
    }

    #[test]
    fn a_refused_method_learns_which_ones_work() {
        for (method, path, allow) in [
            (Method::Post, "/healthz", "GET, HEAD"),
            (Method::Other, "/healthz", "GET, HEAD"),
            (Method::Put, "/v1/pools/a/leases", "GET, HEAD, POST"),
            (Method::Get, "/v1/pools/a/leases/x", "PUT, DELETE"),
            (Method::Get, "/v1/tokens/x", "DELETE"),
        ] {
            let response = refusal(method, path);
            check_problem(&response, ProblemType::MethodNotAllowed);
            assert!(response.headers.contains(&("allow", allow.to_owned())), "{path}");
        }
    }

    #[test]
    fn everything_but_health_needs_a_token() {
        for (method, path, scopes) in [
            (Method::Get, "/v1/pools/a", [Scope::Read, Scope::Pool].as_slice()),
            (Method::Get, "/v1/pools", &[Scope::Read, Scope::Pool]),
            (Method::Get, "/v1/state", &[Scope::Admin]),
            (Method::Post, "/v1/pools/a/leases", &[Scope::Pool]),
            (Method::Put, "/v1/pools/a/leases/l", &[Scope::Pool]),
            (Method::Delete, "/v1/pools/a/tickets/t", &[Scope::Pool]),
            (Method::Put, "/v1/pools/a/members", &[Scope::Admin]),
            (Method::Get, "/v1/pools/a/members", &[Scope::Read]),
            (Method::Post, "/v1/pools/a/reclaims", &[Scope::Admin]),
            (Method::Get, "/v1/tokens", &[Scope::Admin]),
            (Method::Get, "/v1/state/local/acc/shop/e", &[Scope::State]),
            (Method::Put, "/v1/state/local/acc/shop/e", &[Scope::State]),
            (Method::Post, "/v1/state/local/acc/shop/e/lock", &[Scope::State]),
            (Method::Delete, "/v1/state/local/acc/shop/e/lock", &[Scope::Admin]),
            (Method::Delete, "/v1/tokens/t", &[Scope::Admin]),
            (Method::Put, "/v1/environments/shop.pr-1", &[Scope::Report]),
            (Method::Put, "/v1/probes", &[Scope::Admin]),
            (Method::Post, "/v1/probes", &[Scope::Admin]),
            (Method::Get, "/status", &[Scope::Read]),
            (Method::Get, "/badge/shop.pr-1.svg", &[Scope::Read]),
        ] {
            assert_eq!(route(&Request { method, path }).unwrap().scopes, scopes, "{path}");
        }
    }
}
