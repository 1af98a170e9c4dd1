//! What the edge Worker's registry is told after an apply and a destroy.
//!
//! Invariants: it is told after the result is certain, with one request, and never changes the
//! result: a report that fails is a warning. Names, counts and addresses only, never a secret.
//! Nothing is told on the local cloud.

use std::collections::BTreeMap;

use envc_core::Address;
use envc_edge_api::{
    EnvironmentReport, EnvironmentStatus, Name, NamedUrl, Outcome,
    limits::{URL_BYTES_MAX, URLS_MAX},
};
use envc_exec::{
    Silent,
    edge::{EdgeAnswer, EdgeCall, EdgeClass, EdgeError, Patience},
};
use envc_plan::State;

use crate::{
    host::{error::CommandError, interrupt::Interrupt},
    remote::edge::EdgeConnection,
    workspace::{choice::CloudName, session::Session, who},
};

/// How many resources there are of each kind.
pub(crate) type Counts = BTreeMap<String, u32>;

/// Counts what is recorded.
pub(crate) fn counts(state: Option<&State>) -> Counts {
    counts_of(state.into_iter().flat_map(|state| state.resources.keys()))
}

/// Counts addresses by kind.
pub(crate) fn counts_of<'a>(addresses: impl IntoIterator<Item = &'a Address>) -> Counts {
    let mut counts = Counts::new();
    for address in addresses {
        *counts.entry(address.kind().as_str().to_owned()).or_default() += 1;
    }
    counts
}

/// The edge, where it is told of this session's environment.
pub(crate) fn listener<'e>(
    session: &Session<'_>,
    edge: Option<&'e EdgeConnection>,
) -> Option<&'e EdgeConnection> {
    edge.filter(|_| session.target.cloud.value != CloudName::Local)
}

/// Tells how an apply or a destroy ended, and what there is now.
pub(crate) async fn tell(
    session: &Session<'_>,
    edge: &EdgeConnection,
    stop: &Interrupt,
    outcome: Outcome,
    resources: Counts,
) {
    let told = match report(session, outcome, resources) {
        Ok((id, report)) => {
            let call = EdgeCall::put(&["v1", "environments", id.as_str()]).json(&report);
            send(session, edge, stop, &call, true).await
        }
        Err(name) => Err(unreportable(&name)),
    };
    warn(session, told);
}

/// Tells that the environment is gone.
pub(crate) async fn tell_gone(session: &Session<'_>, edge: &EdgeConnection, stop: &Interrupt) {
    let told = match id_of(session) {
        Ok(id) => {
            let call = EdgeCall::delete(&["v1", "environments", id.as_str()]);
            send(session, edge, stop, &call, false).await
        }
        // What cannot be reported never was.
        Err(_) => Ok(()),
    };
    warn(session, told);
}

fn warn(session: &Session<'_>, told: Result<(), CommandError>) {
    if let Err(error) = told {
        session.ui.caution(&error);
    }
}

async fn send(
    session: &Session<'_>,
    edge: &EdgeConnection,
    stop: &Interrupt,
    call: &EdgeCall,
    answers: bool,
) -> Result<(), CommandError> {
    let client = edge.client(&session.workspace, &Silent, stop.flag()).patient(Patience::ONCE);
    let read = |answer: EdgeAnswer| {
        if answers { answer.read::<EnvironmentStatus>().map(drop) } else { Ok(()) }
    };
    let sent: Result<(), EdgeError> = client.call(call).await.and_then(read);
    match sent {
        Ok(()) => Ok(()),
        // Who stops the command does not wait for this.
        Err(error) if error.class == EdgeClass::Interrupted => Ok(()),
        Err(error) => Err(edge
            .explain("the edge was not told of this; everything else is as said", &error)
            .hint("the same command tells it again")),
    }
}

/// By convention, and unique in the registry of a team: `project.environment`.
fn id_of(session: &Session<'_>) -> Result<Name, String> {
    let id = format!("{}.{}", session.workspace.project.name, session.target.id);
    Name::parse(&id).map_err(|_| id)
}

fn report(
    session: &Session<'_>,
    outcome: Outcome,
    resources: Counts,
) -> Result<(Name, EnvironmentReport), String> {
    let name = |text: &str| Name::parse(text).map_err(|_| text.to_owned());
    let environment = &session.environment;
    let urls = environment.endpoints.iter().filter_map(|endpoint| {
        let name = Name::parse(&endpoint.name).ok()?;
        // A pattern of addresses is none that answers.
        let is_one = !endpoint.url.contains('*') && endpoint.url.len() <= URL_BYTES_MAX;
        is_one.then(|| NamedUrl { name, url: endpoint.url.clone() })
    });
    let report = EnvironmentReport {
        project: name(&session.workspace.project.name)?,
        environment_type: name(&session.target.head.name)?,
        owner: who::user(&session.workspace),
        branch: environment.instance.branch.as_deref().map(who::short),
        urls: urls.take(URLS_MAX).collect(),
        resources,
        ttl_seconds: environment.ttl_s.map(|s| u32::try_from(s).unwrap_or(u32::MAX)),
        outcome,
    };
    Ok((id_of(session)?, report))
}

fn unreportable(name: &str) -> CommandError {
    CommandError::failed("the edge was not told of this; everything else is as said")
        .because_text(format!("`{name}` is no name that its registry takes"))
        .hint("a name has 64 letters, digits, `.`, `-` and `_` at most: shorten the project's")
        .code("envc::cli::unreportable")
}
