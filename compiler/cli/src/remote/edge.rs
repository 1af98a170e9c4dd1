//! The way to the edge Worker that the spec names; on the local cloud, to the one inside of it.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicBool},
};

use envc_core::{Input, Part, Secret, Text};
use envc_edge_api::ProblemType;
use envc_exec::{
    Progress, World,
    edge::{EdgeClass, EdgeClient, EdgeEndpoint, EdgeError},
    ports::{Clock, Entropy},
};
use envc_spec::Edge;

use crate::{
    host::{
        error::CommandError,
        http::HttpTransport,
        interrupt::{Interrupt, interrupted},
    },
    remote::connection::Connection,
    workspace::{Workspace, session::Session, trust},
};

/// A way to an edge Worker.
#[derive(Clone, Debug)]
pub(crate) struct EdgeConnection {
    endpoint: EdgeEndpoint,
    transport: Arc<HttpTransport>,
    /// What holds the token, for people.
    credential: String,
}

/// Finds the edge Worker that the spec names, if it names one. Asks nobody but the providers
/// of secrets for its token; a token that is not there is an error.
///
/// Invariant: its user approved that the token goes to this host.
pub(crate) async fn open(
    session: &Session<'_>,
    connection: &Connection,
    stop: &Interrupt,
) -> Result<Option<EdgeConnection>, CommandError> {
    let Some(edge) = &session.environment.edge else { return Ok(None) };
    let transport = connection.transport();
    if let Some(endpoint) = connection.local_edge() {
        let credential = "the local cloud".to_owned();
        return Ok(Some(EdgeConnection { endpoint, transport, credential }));
    }
    trust::settle(session, trust::Need::Sends, stop).await?;
    let (credential, token) = token_of(session, edge, &transport).await?;
    let endpoint = EdgeEndpoint { base_url: edge.url.clone(), token: Some(token) };
    Ok(Some(EdgeConnection { endpoint, transport, credential }))
}

/// The edge inside of the local cloud, whether the spec names one or not.
pub(crate) fn local(connection: &Connection) -> Option<EdgeConnection> {
    let credential = "the local cloud".to_owned();
    let transport = connection.transport();
    connection.local_edge().map(|endpoint| EdgeConnection { endpoint, transport, credential })
}

/// The token, and what holds it.
async fn token_of(
    session: &Session<'_>,
    edge: &Edge,
    transport: &HttpTransport,
) -> Result<(String, Secret), CommandError> {
    let (credential, token) = match credential(&edge.token) {
        Some(Input::Secret(name)) => {
            let names = BTreeSet::from([name.clone()]);
            let found = session.secrets(transport).resolve(&names).await;
            let mut found = found.map_err(|error| {
                error.because_text(format!("the edge at {} is called with it", edge.url))
            })?;
            (format!("the secret {name}"), found.remove(name))
        }
        Some(Input::Env(name)) => {
            (format!("the variable {name}"), session.env.filled(name).ok().map(Secret::new))
        }
        Some(Input::Lease { .. }) | None => {
            return Err(CommandError::failed("BUG: the edge's token is no credential"));
        }
    };
    match token.filter(|token| !token.expose().trim().is_empty()) {
        Some(token) => Ok((credential, token)),
        None => Err(CommandError::failed(format!("{credential} is not set"))
            .because_text(format!("the edge at {} is called with it", edge.url))
            .hint("set it to a token of that edge Worker; an admin makes one: POST /v1/tokens")
            .code("envc::cli::no_edge_token")),
    }
}

fn credential(token: &Text) -> Option<&Input> {
    match token.parts.as_slice() {
        [Part::In(input)] => Some(input),
        _ => None,
    }
}

impl EdgeConnection {
    /// A client whose calls end with `stop` and are told to `progress`.
    pub(crate) fn client<'a>(
        &'a self,
        workspace: &'a Workspace<'_>,
        progress: &'a dyn Progress,
        stop: &'a AtomicBool,
    ) -> EdgeClient<'a> {
        self.client_of(&workspace.clock, &workspace.entropy, progress, stop)
    }

    /// The same for what lives longer than a command's session.
    pub(crate) fn client_of<'a>(
        &'a self,
        clock: &'a dyn Clock,
        entropy: &'a dyn Entropy,
        progress: &'a dyn Progress,
        stop: &'a AtomicBool,
    ) -> EdgeClient<'a> {
        let transport = &*self.transport;
        EdgeClient::new(self.endpoint.clone(), World { transport, clock, entropy, progress, stop })
    }

    /// Where it is, for people.
    pub(crate) fn base_url(&self) -> &str {
        &self.endpoint.base_url
    }

    /// A call that failed, for people: `what` could not be done because of it.
    pub(crate) fn explain(&self, what: impl Into<String>, error: &EdgeError) -> CommandError {
        let url = self.base_url();
        let failed = CommandError::failed(what);
        let wrong_place = "correct the address of `edge` in environment.kdl";
        match &error.class {
            EdgeClass::Interrupted => interrupted(),
            EdgeClass::Unreachable | EdgeClass::Unknown => failed
                .because_text(format!("the edge Worker at {url} cannot be reached"))
                .because(error)
                .hint("try again when it answers, or correct the address of `edge` in environment.kdl")
                .code("envc::cli::edge_unreachable"),
            EdgeClass::UnexpectedResponder => failed
                .because_text(format!("what answers at {url} is not the edge Worker"))
                .because(error)
                .hint(wrong_place)
                .code("envc::cli::not_the_edge"),
            EdgeClass::Problem(problem) => match problem.problem.problem_type {
                ProblemType::Unauthenticated => failed
                    .because_text(format!("the edge Worker at {url} refused the token"))
                    .because(error)
                    .hint(format!(
                        "{} holds it: it may be another edge's, expired or revoked; an admin makes \
                         a new one: POST /v1/tokens",
                        self.credential
                    ))
                    .code("envc::cli::edge_token"),
                ProblemType::Forbidden => failed
                    .because_text(format!("the token may not do this at {url}"))
                    .because(error)
                    .hint(format!("give {} a token with the scope that is named", self.credential))
                    .code("envc::cli::edge_scope"),
                ProblemType::NotFound | ProblemType::MethodNotAllowed => failed
                    .because_text(format!("the edge Worker at {url} does not know this call"))
                    .because(error)
                    .hint("deploy the edge Worker of this envc's version")
                    .code("envc::cli::edge_version"),
                _ => failed
                    .because_text(format!("the edge Worker at {url} refused"))
                    .because(error)
                    .code("envc::cli::edge"),
            },
        }
    }
}
